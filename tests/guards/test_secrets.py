"""Keys and passwords are found, words about them are not."""

from __future__ import annotations

import pytest

from burnish.data.personal import find
from burnish.guards.secrets import SECRETS


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find(text, SECRETS, 0.5)]


HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0." + "dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id AKIA" + "IOSFODNN7EXAMPLE", ("aws-key", "AKIA" + "IOSFODNN7EXAMPLE")),
        ("ghp_" + "a1B2" * 9, ("github-token", "ghp_" + "a1B2" * 9)),
        ("AIza" + "Sy0_-" * 7, ("google-key", "AIza" + "Sy0_-" * 7)),
        ("xoxb-" + "123456789012-abcdef", ("slack-token", "xoxb-" + "123456789012-abcdef")),
        ("sk-proj-" + "aB3_" * 8, ("model-key", "sk-proj-" + "aB3_" * 8)),
        (f"a {TOKEN} b", ("jwt", TOKEN)),
        (f"api_key={HEX}", ("key", HEX)),
        (f'"aws_secret_access_key": "{HEX}"', ("key", HEX)),
        ("password: hunter2", ("password", "hunter2")),
        ("my password is Tr0ub4dor&3", ("password", "Tr0ub4dor&3")),
        ("密码是abc12345", ("password", "abc12345")),
        ("https://me:s3cret@host.org/", ("url-with-key", "https://me:s3cret@host.org/")),
    ],
)
def test_secrets_are_found(text: str, expected: tuple[str, str]) -> None:
    assert found(text) == [expected]


def test_a_private_key_goes_as_a_whole() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow/+=\nAB\n-----END RSA PRIVATE KEY-----"
    assert found(f"x {key} y") == [("private-key", key)]


@pytest.mark.parametrize(
    "text",
    [
        "my password is wrong",
        "Password: is it required?",
        "password was changed on Monday",
        "the token is ERC20",
        "the secret is to wait",
        "token: <YOUR_TOKEN> or password=${PASSWORD} or secret: ********",
        "api_key = os.environ['KEY']",
        f"commit {HEX}",
        "key: 12:30",
        "sk-ip this, risk-" + "a" * 40,
        "https://example.org/x?monkey=2",
    ],
)
def test_words_about_secrets_stay(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("piece", ["key=", "password: ", "-----BEGIN PRIVATE KEY-----", "a_", "eyJa", "A", "token is "])
def test_long_texts_are_no_trap(piece: str) -> None:
    find(piece * (50_000 // len(piece)), SECRETS, 0.0)
