"""The model folder: saved whole or not at all, verified before it is read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from burnish.data.mixed import Mixed
from burnish.data.reader import Reader
from burnish.data.readers import READERS, TEXT, TEXTLESS, reader_of, ready
from burnish.data.several import parts_of
from burnish.data.text import Tokenizer
from burnish.errors import InputError
from burnish.models.pooling import Pooling
from burnish.signature import FILE as SIGNATURE

FORMAT = 1
MANIFEST = "burnish.json"
VARIANTS = ("variants", "variant.json")  # folder of other forms of the model, and the manifest of each
_AGAIN = "copy or tune the model again"
_DICTS = ("state", "network", "job", "metrics", "before", "data", "training", "environment", "files")
_KEYS = {"task": str, **dict.fromkeys(_DICTS, dict)}
_NETWORK = ("pooling", "word_shape", "max_tokens")


@dataclass(frozen=True)
class Artifact:
    """A finished model on disk.

    Attributes:
        folder: where it is.
        manifest: `burnish.json`: task, resolved job, data fingerprint, metrics, environment, SHA-256 of every file.
    """

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path, verify: bool = True) -> Artifact:
        """Read a model folder.

        Raises:
            InputError: when it is no artifact, a file is missing or damaged, or a newer burnish wrote it.
        """
        folder = Path(folder)
        path = folder / MANIFEST
        if not path.is_file():
            told = "make one with: burnish tune JOB"
            if (folder / "config.json").is_file():
                told = (
                    "take it over with labelled rows of its task: burnish init DATA --out job.yaml, then "
                    f"burnish tune job.yaml --set model={folder} --set tune.method=adopt"
                )
            raise InputError(f"'{folder}' is no burnish model (it has no {MANIFEST}); {told}")
        manifest = read_manifest(path, FORMAT, _KEYS, _AGAIN)
        if lost := [f"network.{key}" for key in _NETWORK if key not in manifest["network"]]:
            raise InputError(f"'{path}' is damaged: it lacks {', '.join(lost)}; {_AGAIN}")
        artifact = cls(folder, manifest)
        if verify:
            artifact.verify()
        return artifact

    def verify(self) -> None:
        """Compare every file with the checksum it was written with."""
        verify_files(self.folder, self.manifest["files"], _AGAIN)

    @property
    def task(self) -> str:
        return str(self.manifest["task"])

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.manifest["state"])

    @property
    def pooling(self) -> Pooling:
        said = self.manifest["network"]["pooling"]
        return said if said in ("mean", "first") else "cls"

    @property
    def word_shape(self) -> bool:
        return bool(self.manifest["network"]["word_shape"])

    @property
    def max_tokens(self) -> int:
        return int(self.manifest["network"]["max_tokens"])

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the last measurement."""
        return dict(self.manifest["metrics"])

    @property
    def inputs(self) -> str:
        """What the model reads: text, or another kind of input, or several, as `text+image`."""
        return str(self.manifest["network"].get("inputs", TEXT))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of input where there are several; a model for each lies in a folder of its name."""
        return parts_of(self.inputs)

    def tokenizer(self) -> Tokenizer | Reader:
        """What turns rows into the inputs of the network.

        Raises:
            InputError: when this burnish does not know the kind of input, or its file is damaged.
        """
        if self.inputs != TEXT and self.inputs not in READERS:
            raise InputError(f"'{self.folder}' reads '{self.inputs}', which this burnish does not know")
        return Tokenizer(self.folder) if self.inputs == TEXT else reader_of(self.inputs, self.task).open(self.folder)

    def must_go_with(self, verb: str) -> None:
        """Refuse what is not there for the kind of input that the model reads.

        Raises:
            InputError: when it reads another kind of input than texts, and `verb` is none that its reader allows.
        """
        what = verb if " " in verb else f"burnish {verb}"
        if self.kinds:
            apart = self.task == "embed"  # a network for each side, and none that reads both
            if not apart and verb in Mixed.verbs and all(k == TEXT or verb in ready(self.task, k) for k in self.kinds):
                return
            raise InputError(
                f"'{self.folder}' reads {self.inputs}, and {what} takes models of one kind of input; name that of one, "
                f"such as '{self.folder / self.kinds[0]}'"
            )
        if (self.inputs == TEXT and self.task != "embed") or verb in ready(self.task, self.inputs):
            return
        if self.task not in (*TEXTLESS, "embed"):
            raise InputError(f"{what} works on models of texts so far, and '{self.folder}' reads {self.inputs}s")
        raise InputError(f"{what} does not take the task {self.task} so far, which '{self.folder}' was tuned for")


def save(folder: Path, write: Callable[[Path], None], manifest: dict[str, Any]) -> Artifact:
    """Let `write` fill a temporary folder, add the manifest, and put it in place of `folder` in one step.

    Raises:
        InputError: when the disk is full or may not be written; an earlier artifact then stays as it was.
    """
    must_be_replaceable(folder)

    def fill(fresh: Path) -> dict[str, Any]:
        write(fresh)
        return {"format": FORMAT, **manifest}

    return Artifact(folder, write_folder(folder, MANIFEST, fill))


def must_be_replaceable(folder: Path) -> None:
    """Refuse a place whose replacement would delete anything but a model that burnish wrote.

    Raises:
        InputError: when it is a file, no name of its own, inside a file, or a folder with files of somebody else.
    """
    if folder.name in ("", ".."):
        raise InputError(f"out: '{folder}' is no folder of the model's own; give it a name, such as out: runs/model")
    if not folder.exists() and not folder.is_symlink():
        above = next(place for place in folder.parents if place.exists())
        if not above.is_dir():
            raise InputError(f"out: '{folder}' cannot be made, as '{above}' is a file; choose another out")
        return
    if folder.is_symlink() or not folder.is_dir():
        kind = "a link" if folder.is_symlink() else "a file"
        raise InputError(f"out: '{folder}' is {kind} and is left as it is; choose another out")
    own = {MANIFEST, SIGNATURE}
    if (folder / MANIFEST).is_file():
        try:
            found = Artifact.open(folder, verify=False)
            own |= set(found.manifest["files"]) | _files_of_variants(folder)
            for kind in found.kinds:
                own |= {str(Path(kind, name)) for name in _files_of_variants(folder / kind)}
        except InputError as error:
            raise InputError(f"out: '{folder}' is left as it is: {error}; remove it, or choose another out") from None
    there = (p for p in folder.rglob("*") if not p.is_dir() or p.is_symlink())
    if foreign := next((name for p in there if (name := str(p.relative_to(folder))) not in own), None):
        raise InputError(
            f"out: the folder '{folder}' holds '{foreign}', which burnish did not write and would delete with the "
            "folder; choose another out, or move that file"
        )


def _files_of_variants(folder: Path) -> set[str]:
    """Files below `folder` that belong to its variants, those of an export that was killed among them."""
    unfinished = (p for end in ("writing", "old") for p in (folder / VARIANTS[0]).glob(f".*.{end}/**/*"))
    found = {str(path.relative_to(folder)) for path in unfinished}
    for path in (folder / VARIANTS[0]).glob(f"*/{VARIANTS[1]}"):
        with suppress(ValueError, KeyError, TypeError):
            written = {path.name, *json.loads(path.read_text(encoding="utf-8"))["files"]}
            found |= {str((path.parent / name).relative_to(folder)) for name in written}
    return found


def read_manifest(path: Path, format: int, keys: Mapping[str, type], again: str) -> dict[str, Any]:
    """Read a manifest that has to have `keys`, each of its type; `again` says how to come by the folder anew.

    Raises:
        InputError: when it is damaged or of another format.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"'{path}' is damaged or cannot be read ({error}); {again}") from None
    if not isinstance(manifest, dict):
        raise InputError(f"'{path}' is damaged: it holds no object; {again}")
    if manifest.get("format") != format:
        raise InputError(f"'{path}' has format {manifest.get('format')}; this burnish reads format {format}")
    if lost := [key for key, kind in keys.items() if not isinstance(manifest.get(key), kind)]:
        raise InputError(f"'{path}' is damaged: it lacks {', '.join(lost)}; {again}")
    return manifest


def write_folder(folder: Path, name: str, fill: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Let `fill` write a temporary folder, add what it returns as the manifest `name` with the SHA-256 of every file,
    and put the folder in place in one step.

    Raises:
        InputError: when the disk does not take it; what stood there then stays as it was.
    """
    fresh = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        manifest = fill(fresh)
        files = sorted(p for p in fresh.rglob("*") if p.is_file())
        manifest |= {"files": {str(p.relative_to(fresh)): sha256(p) for p in files}}
        (fresh / name).write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        replace_folder(fresh, folder)
    except (OSError, SafetensorError) as error:
        raise disk_error(error, folder) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return manifest


def replace_folder(fresh: Path, folder: Path) -> None:
    """Move `fresh` to `folder`; what stood there is removed only once the new one is in place."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists() and folder.exists():
        shutil.rmtree(old)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def disk_error(error: OSError | SafetensorError, place: Path) -> InputError:
    """Say what the system refused when `place` was written."""
    told = re.search(r"os error (\d+)", str(error))  # safetensors keeps the system's code in its text alone
    code = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    if code in (errno.ENOSPC, errno.EDQUOT):
        return InputError(f"the disk is full: '{place}' could not be written; free some room and run the command again")
    return InputError(f"'{place}' could not be written: {os.strerror(code) if code else error}")


def verify_files(folder: Path, files: dict[str, str], again: str) -> None:
    """Compare the files of a folder with their SHA-256; `again` says how to come by them anew.

    Raises:
        InputError: for a file that is missing, was changed, or lies outside of the folder.
    """
    for name, expected in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"the manifest of '{folder}' names a file outside of the folder: {name}")
        if not path.is_file():
            raise InputError(f"'{path}' is missing; {again}")
        if sha256(path) != expected:
            raise InputError(f"'{path}' was changed or damaged after it was written; {again}")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
