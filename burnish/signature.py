"""Who stands for a model folder, and that nothing in it has changed since: a signature over the SHA-256 of every file.

Ed25519 (RFC 8032). Imports no torch, so that the process that serves and a small tool can ask.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish.errors import InputError
from burnish.extras import need

FILE = "signature.json"
FORMAT = 1
_SIGNED = b"burnish model signature 1\n"  # stands before what is signed, so that a signature means nothing elsewhere
_MANIFESTS = ("burnish.json", "variant.json")


@dataclass(frozen=True)
class Verified:
    """What a look at a signature came to.

    Attributes:
        key: the public key it was made with, 64 hexadecimal digits; empty where there is none that can be read.
        faults: why it does not hold, a sentence each; none when it does.
    """

    key: str
    faults: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.faults


def new_key(path: str | Path) -> Path:
    """Write a private key to `path`, for its owner's eyes alone, and the public one beside it to `path`.pub.

    Returns:
        The file with the public key.

    Raises:
        InputError: when one of the files is there already; keys are never overwritten.
        MissingExtra: without the library `cryptography`.
    """
    path = Path(path)
    public = path.with_name(path.name + ".pub")
    if public.exists():
        raise InputError(f"'{public}' is there already and is left as it is; choose another name")
    key = _ed25519().Ed25519PrivateKey.generate()
    form = need("cryptography.hazmat.primitives.serialization", "sign")
    plain = form.NoEncryption()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, plain)
    _write_new(path, private, 0o600)
    _write_new(public, key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo), 0o644)
    return public


def sign(folder: str | Path, key: str | Path) -> str:
    """Sign a model folder with everything in it, variants included, and write `signature.json` into it.

    Args:
        key: file with a private key, as `new_key` writes it.

    Returns:
        The public key, in hexadecimal digits.

    Raises:
        InputError: when the folder is no whole artifact or holds a link, or the key cannot be used.
    """
    from burnish import variant
    from burnish.artifact import Artifact, disk_error  # here, as they bring torch

    folder = Path(folder)
    private = _private(Path(key))
    artifact = Artifact.open(folder)
    for name in variant.names(artifact):
        variant.Variant.open(artifact, name)
    files = digests(folder)
    public = str(private.public_key().public_bytes_raw().hex())
    signed = {"format": FORMAT, "files": files, "key": public, "signature": private.sign(_message(files)).hex()}
    whole = folder.resolve()
    fresh = whole.with_name(f".{whole.name}.signature")
    try:
        fresh.write_text(json.dumps(signed, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
        os.replace(fresh, folder / FILE)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise disk_error(error, folder / FILE) from None
    return public


def verify(folder: str | Path, key: str | None = None) -> Verified:
    """Hold a folder against its signature: every file as it was signed, and none that was not.

    Args:
        key: the public key that it has to be signed with; when None, only that the folder is as somebody signed it.

    Raises:
        InputError: when there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"there is no model folder '{folder}'")
    if not (folder / FILE).is_file():
        return Verified("", (f"it is not signed: it has no {FILE}; sign it with: burnish sign {folder} --key FILE",))
    try:
        given: Any = json.loads((folder / FILE).read_text(encoding="utf-8"))
        files, maker, signature = given["files"], str(given["key"]), bytes.fromhex(given["signature"])
        public = _ed25519().Ed25519PublicKey.from_public_bytes(bytes.fromhex(maker))
        if given["format"] != FORMAT or not isinstance(files, dict):
            raise ValueError
    except (ValueError, KeyError, TypeError, OSError):
        return Verified("", (f"{FILE} is damaged or of another format",))
    maker = public.public_bytes_raw().hex()
    if key is not None and maker != key:
        return Verified(maker, (f"it was signed with another key ({maker}) than the one it is held against ({key})",))
    try:
        public.verify(signature, _message(files))
    except need("cryptography.exceptions", "sign").InvalidSignature:
        return Verified(maker, (f"the signature does not hold: {FILE} itself was changed after it was made",))
    try:
        return Verified(maker, tuple(_differing(files, digests(folder))))
    except InputError as error:
        return Verified(maker, (str(error),))


def require(folder: str | Path, key: str) -> None:
    """Refuse a folder that is not as the holder of `key` signed it.

    Raises:
        InputError: with what is wrong.
    """
    if faults := verify(folder, key).faults:
        more = f"; and {len(faults) - 1:,} more" if len(faults) > 1 else ""
        raise InputError(f"'{folder}' is refused, as a signature is required: {faults[0]}{more}")


def public_key(path: str | Path) -> str:
    """Read a public key, as `new_key` writes it.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputError: when the file cannot be read or holds something else, such as the private key.
    """
    content = _read(Path(path))
    if b"PRIVATE KEY" in content:
        raise InputError(f"'{path}' holds a private key; give the public one beside it: {path}.pub")
    form = need("cryptography.hazmat.primitives.serialization", "sign")
    try:
        key = form.load_pem_public_key(content)
    except (ValueError, need("cryptography.exceptions", "sign").UnsupportedAlgorithm):
        key = None
    if not isinstance(key, _ed25519().Ed25519PublicKey):
        raise InputError(f"'{path}' holds no Ed25519 public key; make one with: burnish sign --new-key FILE")
    return str(key.public_bytes_raw().hex())


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder but the signature itself, by its place in it.

    Raises:
        InputError: for a link or anything else that is no plain file.
    """
    found = {}
    for above, folders, files in os.walk(folder):
        for name in sorted((*folders, *files)):
            path = Path(above, name)
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            place = path.relative_to(folder).as_posix()
            if not stat.S_ISREG(mode):
                raise InputError(f"'{place}' is {'a link' if stat.S_ISLNK(mode) else 'no plain file'}, not a file")
            if place != FILE:
                with path.open("rb") as file:
                    found[place] = hashlib.file_digest(file, "sha256").hexdigest()
    return dict(sorted(found.items()))


def _differing(signed: dict[str, Any], there: dict[str, str]) -> list[str]:
    """What differs, manifests first: they say what all other files have to be."""
    told = {name: f"'{name}' is missing" for name in signed.keys() - there.keys()}
    told |= {name: f"'{name}' was added after it was signed" for name in there.keys() - signed.keys()}
    for name in signed.keys() & there.keys():
        if signed[name] != there[name]:
            what = "the manifest " if Path(name).name in _MANIFESTS else ""
            told[name] = f"{what}'{name}' was changed after it was signed"
    return [told[name] for name in sorted(told, key=lambda name: (Path(name).name not in _MANIFESTS, name))]


def _message(files: dict[str, Any]) -> bytes:
    return _SIGNED + json.dumps(files, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def _ed25519() -> Any:
    return need("cryptography.hazmat.primitives.asymmetric.ed25519", "sign")


def _private(path: Path) -> Any:
    content = _read(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise InputError(f"others on this machine may read the key '{path}'; chmod 600 it")
    form = need("cryptography.hazmat.primitives.serialization", "sign")
    try:
        key = form.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, need("cryptography.exceptions", "sign").UnsupportedAlgorithm):
        key = None
    if not isinstance(key, _ed25519().Ed25519PrivateKey):
        raise InputError(f"'{path}' holds no Ed25519 private key; make one with: burnish sign --new-key FILE")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"the key '{path}' cannot be read: {error.strerror}") from None


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise InputError(f"'{path}' is there already and is left as it is; choose another name") from None
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)
