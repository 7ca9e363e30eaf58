"""Other forms of a model, in `variants/NAME` of its folder: each with its files, their checksums and its parity."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish.artifact import VARIANTS, Artifact, read_manifest, verify_files, write_folder
from burnish.device import cpu_flags
from burnish.errors import InputError, nearest
from burnish.extras import have

FORMAT = 1
FOLDER, MANIFEST = VARIANTS
TUNED = "torch"  # the name of the tuned model itself
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LIBRARIES = {"onnx": "onnxruntime", "openvino": "openvino"}
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
        again = f"make it again with: burnish export or compress {artifact.folder}"
        manifest = read_manifest(folder / MANIFEST, FORMAT, _KEYS, again)
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


def best(artifact: Artifact) -> str | None:
    """Name of the variant that is opened where none is named; None when that is the tuned model itself."""
    return fastest(gains(artifact))


def fastest(gains: Mapping[str, float]) -> str | None:
    """The name with the highest gain; None where none is faster than the tuned model."""
    gain, name = max(((gain, name) for name, gain in gains.items()), default=(0.0, None))
    return name if gain > 1 else None


def gains(artifact: Artifact) -> dict[str, float]:
    """How many times as fast as the tuned model those variants are that a search has chosen on a processor like this
    one."""
    found = {}
    for name in names(artifact):
        with suppress(ValueError, OSError, KeyError, TypeError):
            manifest = json.loads((artifact.folder / FOLDER / name / MANIFEST).read_text(encoding="utf-8"))
            runtime, about = manifest["runtime"], manifest["compressed"]
            fits = manifest["environment"]["cpu_flags"] == " ".join(cpu_flags())
            there = runtime == TUNED or have(_LIBRARIES[runtime])
            if about["chosen"] and fits and there and manifest["source"] == artifact.manifest["files"]:
                tuned, own = about["speeds"]["tuned"], about["speeds"]["found"]
                found[name] = own["rows_per_second"] / tuned["rows_per_second"]
    return found


def save(artifact: Artifact, name: str, fill: Callable[[Path], dict[str, Any]]) -> Variant:
    """Let `fill` write a temporary folder and return the manifest, and put the folder in place in one step.

    Raises:
        InputError: for a name that is none or taken by the tuned model, and when the disk does not take it; an earlier
            variant of that name then stays as it was.
    """
    if not _NAME.fullmatch(name) or name == TUNED:
        raise InputError(f"'{name}' is no name for a variant: small letters, digits, . _ - and not '{TUNED}'")
    folder = artifact.folder / FOLDER / name
    source = artifact.manifest["files"]
    return Variant(
        folder, write_folder(folder, MANIFEST, lambda fresh: {"format": FORMAT, "source": source, **fill(fresh)})
    )
