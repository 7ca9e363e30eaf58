"""What lies in a model folder, judged by content and not by name: nothing that runs, and all as it was written."""

from __future__ import annotations

import json
import mmap
import os
import pickletools
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish.artifact import MANIFEST, VARIANTS, sha256
from burnish.audits.tensors import faults_of_tensors, header_of, mismatches
from burnish.signature import FILE as SIGNATURE

_HEAD = 512  # bytes of a file that tell what it is
_STEPS = 1 << 20  # of a pickle that are followed
_MAGIC = (
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x93NUMPY", "a NumPy array, which may hold a pickle"),
    (b"\x89HDF", "an HDF5 file, which may hold code"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\x00asm", "a program"),
    (b"#!", "a script"),
)
_CODE = {".py", ".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat", ".cmd", ".ps1", ".js", ".jar"}
_CODE |= {".whl", ".ipynb", ".pkl", ".pickle", ".dill", ".joblib", ".pt", ".pth", ".ckpt", ".npy", ".npz", ".h5"}
_CODE |= {".keras", ".mar", ".tar", ".gz", ".zip", ".7z"}
_TEXT = (".json", ".jsonl", ".md", ".txt", ".html", ".yaml", ".jinja", ".xml")
_REMOTE = frozenset(("auto_map", "custom_pipelines", "trust_remote_code", "custom_code"))
_GLOBALS = frozenset(("GLOBAL", "STACK_GLOBAL", "INST"))
_CALLS = frozenset(("REDUCE", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD", "INST"))
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_LENGTHS = {  # bytes of the length that stands before an argument
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}


@dataclass(frozen=True)
class Scan:
    """What a look at all files came to.

    Attributes:
        files: how many there are.
        faults: what makes the folder unfit to be handed on, a sentence each.
        unexpected: files that no manifest of the folder names.
    """

    files: int
    faults: tuple[str, ...]
    unexpected: tuple[str, ...]


def scan(folder: Path) -> Scan:
    """Look at every file of a model folder. Nothing is loaded, and no archive is opened."""
    faults: list[str] = []
    there: dict[str, Path] = {}
    for place, path, mode in entries(folder):
        if stat.S_ISLNK(mode):
            out = not path.resolve().is_relative_to(folder.resolve())
            faults.append(f"'{place}' is a link{' that leads out of the folder' if out else ''}, not a file")
        elif not stat.S_ISREG(mode):
            faults.append(f"'{place}' is no plain file")
        else:
            there[place] = path
    for place, path in there.items():
        faults += [f"'{place}' {told}" for told in _faults_of(path)]
    written, wrong = _written(folder, there)
    faults += wrong
    for name, expected in written.items():
        if name not in there:
            faults.append(f"'{name}' is missing, or lies outside of the folder")
        elif sha256(there[name]) != expected:
            faults.append(f"'{name}' was changed or damaged after it was written")
    own = {MANIFEST, SIGNATURE, *written}
    own |= {name for name in there if name.startswith(f"{VARIANTS[0]}/") and name.endswith(f"/{VARIANTS[1]}")}
    for config in (name for name in there if Path(name).name == "config.json"):
        faults += [f"'{config}' {told}" for told in mismatches(there[config])]
    return Scan(len(there), tuple(faults), tuple(sorted(there.keys() - own)))


def entries(folder: Path) -> Iterator[tuple[str, Path, int]]:
    """Place in the folder, path and mode of everything in it but folders; links are not followed."""
    for above, folders, files in os.walk(folder):
        for name in sorted((*folders, *files)):
            path = Path(above, name)
            mode = path.lstat().st_mode
            if not stat.S_ISDIR(mode):
                yield path.relative_to(folder).as_posix(), path, mode


def _faults_of(path: Path) -> Iterator[str]:
    """What is wrong with one file by itself."""
    ending = path.suffix.lower()
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if what := kind_of(path, head):
        yield f"is {what}, whatever its name says"
        return
    if ending in _CODE:
        yield f"has the name of code or of pickled data ({ending})"
    if ending == ".safetensors":
        yield from faults_of_tensors(path)
    elif ending in _TEXT:
        yield from _faults_of_text(path, ending)


def kind_of(path: Path, head: bytes) -> str | None:
    """What a file is by its content, if that is something a model folder must not hold."""
    found = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if found == "a pickle" and path.suffix.lower() == ".safetensors" and _has_header(path):
        found = None  # a header of 640 bytes starts like one, and so do some others
    if found == "a zip archive" or (found is None and zipfile.is_zipfile(path)):
        return _kind_of_zip(path)
    if found:
        return found
    if head[2:4] == b"\r\n" and head[1:2] in (b"\r", b"\x0c", b"\x0d", b"\x0e") and path.suffix != ".txt":
        return "compiled Python"
    if head[257:262] == b"ustar":
        return "a tar archive"
    return "a pickle" if head and _runs(path) else None


def _has_header(path: Path) -> bool:
    """Whether a file starts with a header of tensors that can be read."""
    try:
        header_of(path)
    except ValueError:
        return False
    return True


def _kind_of_zip(path: Path) -> str:
    """The names in the archive are read, nothing of its content."""
    try:
        with zipfile.ZipFile(path) as archive:
            pickled = any(name.endswith(".pkl") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        pickled = False
    return "a torch archive with a pickle" if pickled else "a zip archive"


def _runs(path: Path) -> bool:
    """The same as `runs` of the content of a file that is not empty."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return runs(data)


def runs(data: bytes | mmap.mmap) -> bool:
    """Whether bytes, read as a pickle, name something of Python's and call it; also when they break off after that.

    Older pickles have no magic number, and a broken one has done its work before it breaks. Arguments are stepped over
    and not read as `pickletools.genops` does, which takes fewer forms of a number than `pickle` and as much memory as
    a file says that it needs. Nothing but a pickle has millions of steps, so that one counts as such.
    """
    at, named = 0, False
    for _ in range(_STEPS):
        opcode = _OPCODES.get(data[at]) if at < len(data) else None
        if opcode is None or opcode.name == "STOP":
            return False
        start, at = at + 1, _behind(data, at + 1, opcode.arg)
        if at > len(data):
            return False
        if opcode.name in _GLOBALS:
            if not _is_text(data[start:at]):
                return False
            named = True
        if named and opcode.name in _CALLS:
            return True
    return True


def _behind(data: bytes | mmap.mmap, at: int, argument: pickletools.ArgumentDescriptor | None) -> int:
    """Where the argument that starts at a place ends; beyond the data where it breaks off."""
    if argument is None:
        return at
    if argument.n >= 0:
        return at + argument.n
    if argument.n == pickletools.UP_TO_NEWLINE:
        for _ in range(2 if argument is pickletools.stringnl_noescape_pair else 1):
            at = data.find(b"\n", at) + 1 or len(data) + 1
        return at
    length = _LENGTHS[argument.n]
    return at + length + int.from_bytes(data[at : at + length], "little")


def _is_text(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _faults_of_text(path: Path, ending: str) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
        given: Any = json.loads(text) if ending == ".json" else None
    except (ValueError, RecursionError):
        yield "is no JSON" if ending == ".json" else "is no text"
        return
    if path.name != MANIFEST and (keys := sorted(_REMOTE & set(_keys(given)))):
        yield f"asks for code from elsewhere to be run: {', '.join(keys)}"


def _keys(given: Any) -> Iterator[str]:
    """Keys at any depth; without recursion, as the file is not ours."""
    left = [given]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield from one
            left += one.values()
        elif isinstance(one, list):
            left += one


def _written(folder: Path, there: dict[str, Path]) -> tuple[dict[str, str], list[str]]:
    """SHA-256 of every file by the manifests of model and variants, and what is wrong with these."""
    found: dict[str, str] = {}
    faults: list[str] = []
    for name in (n for n in there if n == MANIFEST or (n.startswith(VARIANTS[0]) and n.endswith(f"/{VARIANTS[1]}"))):
        try:
            files = json.loads(there[name].read_text(encoding="utf-8"))["files"]
            found |= {(Path(name).parent / inner).as_posix(): str(digest) for inner, digest in files.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            faults.append(f"'{name}' names no files")
    return found, faults
