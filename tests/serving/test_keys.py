"""Keys: from a file, as they are or as digests, with scopes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from burnish.errors import InputError
from burnish.serving.keys import Keys


def test_keys_are_found_by_value_and_by_digest(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"another-long-enough-key").hexdigest()
    file = tmp_path / "keys"
    file.write_text(f"# people\n\nplain-key-of-some-length\nsha256:{digest} scopes=admin,predict name=ops\nweak\n")
    keys = Keys.read(file)
    plain, hashed = keys.find("Bearer plain-key-of-some-length"), keys.find("bearer another-long-enough-key")
    assert plain
    assert plain.scopes == {"predict", "feedback"}
    assert hashed
    assert (hashed.name, hashed.scopes) == ("ops", {"admin", "predict"})
    assert keys.find(f"Bearer sha256:{digest}") is None
    assert keys.find("Basic plain-key-of-some-length") is None
    assert keys.find("Bearer ") is None
    assert [key.short for key in keys.keys] == [False, False, True]
    assert "plain-key" not in repr(keys.keys)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "holds no key"),
        ("sha256:12", "64 hexadecimal"),
        ("some-long-enough-key scopes=predcit", "did you mean 'predict'"),
        ("some-long-enough-key whatever", "neither scopes="),
    ],
)
def test_a_wrong_line_is_named(line: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(line)
    with pytest.raises(InputError, match=told):
        Keys.read(file)
    with pytest.raises(InputError, match="cannot be read"):
        Keys.read(tmp_path / "none")
