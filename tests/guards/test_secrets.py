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
        ("密码是abc12345，请勿外传", ("password", "abc12345")),
        ("密码是abc12345,请勿外传", ("password", "abc12345")),
        ("密码是abcd1€xyz99", ("password", "abcd1€xyz99")),
        ("password: Hunt3r'2024xyz", ("password", "Hunt3r'2024xyz")),
        ("password: hunt'er2!", ("password", "hunt'er2!")),
        ("password: 'two w0rds', user: 'x'", ("password", "two w0rds")),
        (r'"password": "a\"b1c", "x": "y"', ("password", r"a\"b1c")),
        ("密码：“p4ss, w0rd”", ("password", "p4ss, w0rd")),
        ('password: "hunter2 and', ("password", "hunter2")),
        ("password=" + "aB1!" * 40, ("password", "aB1!" * 40)),
        ("api_key=" + "a1b2c3d4e5f6g7" * 40, ("key", "a1b2c3d4e5f6g7" * 40)),
        ("https://me:s3cret@host.org/", ("url-with-key", "https://me:s3cret@host.org/")),
    ],
)
def test_secrets_are_found(text: str, expected: tuple[str, str]) -> None:
    assert found(text) == [expected]


@pytest.mark.parametrize(
    "body",
    ["\nMIIEow/+=\nAB\n", rf"\n{HEX}\nAB==\n", f"\n> {HEX}\n> AB==\n> ", f"\nProc-Type: 4\n\n{HEX}\n"],
)
def test_a_private_key_goes_as_a_whole(body: str) -> None:
    key = f"-----BEGIN RSA PRIVATE KEY-----{body}-----END RSA PRIVATE KEY-----"
    assert found(f"x {key} y") == [("private-key", key)]


@pytest.mark.parametrize("body", [f"\n{HEX}\n{HEX}", rf"\r\n{HEX}\r\n{HEX}", f"\n> {HEX}\n> {HEX}", ""])
def test_a_private_key_that_breaks_off_goes_as_far_as_it_goes(body: str) -> None:
    key = f"-----BEGIN PRIVATE KEY-----{body}"
    assert found(f"{key}\nand words") == [("private-key", key)]


@pytest.mark.parametrize(
    "text",
    [
        "my password is wrong",
        "Password: is it required?",
        "Password: (8-16 characters)",
        '"password": "Must have 8-16 characters, one of them a digit."',
        '密码："请输入6位密码！"',
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


@pytest.mark.parametrize(
    "piece", ["key=", "password: ", "-----BEGIN PRIVATE KEY-----", "a_", "eyJa", "A", "token is ", 'pwd="', "pwd='-- "]
)
def test_long_texts_are_no_trap(piece: str) -> None:
    find(piece * (50_000 // len(piece)), SECRETS, 0.0)
