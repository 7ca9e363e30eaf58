"""Other forms of a model, in `variants/NAME` of its folder: each with its files, their checksums and its parity."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish.artifact import VARIANTS, Artifact, disk_error, replace_folder, sha256, verify_files
from burnish.errors import InputError, nearest

FORMAT = 1
FOLDER, MANIFEST = VARIANTS
TUNED = "torch"  # the name of the tuned model itself
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEYS = {"runtime": str, "precision": str, "files": dict, "parity": dict, "environment": dict}


@dataclass(frozen=True)
class Variant:
    """A form of a model on disk.

    Attributes:
        folder: where it is.
        manifest: `variant.json`: runtime, precision, what it was made from, parity, environment, SHA-256 of its files.
    """

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, artifact: Artifact, name: str) -> Variant:
        """Read a variant and verify its files.

        Raises:
            InputError: when there is none of that name, it is damaged, or it was made from other weights.
        """
        known = [TUNED, *names(artifact)]
        folder = artifact.folder / FOLDER / name
        if name not in known or not (folder / MANIFEST).is_file():
            raise InputError(f"'{artifact.folder}' has no variant '{name}'; {nearest(name, known)}")
        again = f"make it again with: burnish export {artifact.folder}"
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise InputError(f"'{folder / MANIFEST}' is damaged or cannot be read ({error}); {again}") from None
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise InputError(f"'{folder / MANIFEST}' is of no format that this burnish reads ({FORMAT}); {again}")
        if lost := [key for key, kind in _KEYS.items() if not isinstance(manifest.get(key), kind)]:
            raise InputError(f"'{folder / MANIFEST}' is damaged: it lacks {', '.join(lost)}; {again}")
        if not manifest["files"]:
            raise InputError(f"'{folder / MANIFEST}' is damaged: it names no files; {again}")
        verify_files(folder, manifest["files"], again)
        if manifest.get("source") != artifact.manifest["files"]:
            raise InputError(f"'{folder}' was made from other weights than those of '{artifact.folder}'; {again}")
        return cls(folder, manifest)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum((self.folder / name).stat().st_size for name in self.manifest["files"])


def names(artifact: Artifact) -> list[str]:
    """Names of the variants of a model, beside the tuned model itself."""
    found = (artifact.folder / FOLDER).glob(f"*/{MANIFEST}")
    return sorted(path.parent.name for path in found if _NAME.fullmatch(path.parent.name))


def save(artifact: Artifact, name: str, write: Callable[[Path], dict[str, Any]]) -> Variant:
    """Let `write` fill a temporary folder and return the manifest, and put the folder in place in one step.

    Raises:
        InputError: for a name that is none or taken by the tuned model, and when the disk does not take it; an earlier
            variant of that name then stays as it was.
    """
    if not _NAME.fullmatch(name) or name == TUNED:
        raise InputError(f"'{name}' is no name for a variant: small letters, digits, . _ - and not '{TUNED}'")
    folder = artifact.folder / FOLDER / name
    fresh = folder.with_name(f".{name}.writing")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        manifest = write(fresh)
        files = sorted(p for p in fresh.rglob("*") if p.is_file())
        written = {str(p.relative_to(fresh)): sha256(p) for p in files}
        manifest = {"format": FORMAT, **manifest, "source": artifact.manifest["files"], "files": written}
        (fresh / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        replace_folder(fresh, folder)
    except OSError as error:
        raise disk_error(error, folder) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Variant(folder, manifest)
