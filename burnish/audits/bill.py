"""What a model is made of and needs to run, as a bill of materials in CycloneDX 1.6 (ECMA-424)."""

from __future__ import annotations

import json
import re
import stat
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from burnish.artifact import Artifact, sha256
from burnish.audits.scan import entries
from burnish.models.load import BUNDLED, SCRATCH

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_RUNTIMES = {".onnx": "onnx", ".xml": "openvino"}  # graphs of variants, and the extra that each needs
_LONGEST = 80  # characters of a licence's name; some packages put its whole text there

Component = dict[str, Any]


def bill(artifact: Artifact, licence: str | None = None) -> dict[str, Any]:
    """The model with every file of its folder, its base model, its training rows, and the packages that serving needs.

    Packages are those installed here, from `burnish[serve]` and the runtimes of the model's variants on; what is not
    installed is left out.

    Args:
        licence: of the model, where its card names one.

    """
    name = artifact.folder.resolve().name
    files = {place: path for place, path, mode in entries(artifact.folder) if stat.S_ISREG(mode)}
    base, data = _base(str(artifact.manifest["job"]["model"])), _data(artifact)
    model: Component = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": name,
        "modelCard": _card(artifact),
        "components": [_file(place, sha256(path)) for place, path in sorted(files.items())],
    }
    if licence:
        model["licenses"] = [{"license": {"name": licence}}]
    runtimes = {extra for ending, extra in _RUNTIMES.items() if any(place.endswith(ending) for place in files)}
    packages = _packages({"serve", *runtimes})
    libraries = [one for one, _ in packages.values()]
    needs = {one["bom-ref"]: [packages[other][0]["bom-ref"] for other in others] for one, others in packages.values()}
    own = [*([base["bom-ref"]] if base else []), data["bom-ref"]]
    if "burnish" in packages:
        own.append(packages["burnish"][0]["bom-ref"])
    content: dict[str, Any] = {
        "metadata": {
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": {
                "components": [{"type": "application", "name": "burnish", "version": metadata.version("burnish")}]
            },
            "component": model,
        },
        "components": [*([base] if base else []), data, *libraries],
        "dependencies": [
            {"ref": "model", "dependsOn": own},
            *({"ref": ref, "dependsOn": sorted(others)} for ref, others in needs.items()),
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    head = {"$schema": _SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6"}
    return {**head, "serialNumber": f"urn:uuid:{serial}", "version": 1, **content}


def _card(artifact: Artifact) -> dict[str, Any]:
    measured = [{"type": metric, "value": f"{value:.6g}"} for metric, value in artifact.metrics.items()]
    parameters = {"task": artifact.task, "datasets": [{"ref": "training-rows"}]}
    return {"modelParameters": parameters, "quantitativeAnalysis": {"performanceMetrics": measured}}


def _file(place: str, digest: str) -> Component:
    return {"type": "file", "bom-ref": f"file:{place}", "name": place, "hashes": _hashes(digest)}


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _base(name: str) -> Component | None:
    """The model that tuning began with, without the path to it; None where that was random weights."""
    if name == SCRATCH:
        return None
    found: Component = {"type": "machine-learning-model", "bom-ref": "base-model", "name": Path(name).name}
    if name in BUNDLED:
        package = canonicalize_name(BUNDLED[name][0])
        try:
            about = metadata.metadata(package)
        except metadata.PackageNotFoundError:
            return found
        found |= {"version": about["Version"], "purl": _purl(package, about["Version"])} | _licences(about)
    elif name.count("/") == 1 and re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        found |= {"name": name, "purl": f"pkg:huggingface/{name}"}
    return found


def _data(artifact: Artifact) -> Component:
    """The training rows, by the hash of their canonical form, without the path to them."""
    given, place = artifact.manifest["data"], str(artifact.manifest["job"]["data"]["train"])
    rows = {"type": "dataset", "name": f"{given['rows'].get('train', 0)} rows"}
    found: Component = {"type": "data", "bom-ref": "training-rows", "name": Path(place).name, "data": [rows]}
    return found | {"hashes": _hashes(str(given["fingerprint"]))}


def _packages(extras: set[str]) -> dict[str, tuple[Component, list[str]]]:
    """Installed packages by name, from burnish with some extras on: each with those that it needs."""
    found: dict[str, tuple[Component, list[str]]] = {}
    asked: dict[str, set[str]] = {}
    left = [("burnish", extras)]
    while left:
        name, wanted = left.pop()
        known = asked.setdefault(name, set())
        if name in found and wanted <= known:
            continue
        known |= wanted
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        needs = [one for one in _needs(package, known) if _there(one[0])]
        found[name] = (_library(name, package), sorted({other for other, _ in needs}))
        left += needs
    return dict(sorted(found.items()))


def _needs(package: metadata.Distribution, extras: set[str]) -> Iterator[tuple[str, set[str]]]:
    for line in package.requires or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield canonicalize_name(one.name), set(one.extras)


def _there(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _library(name: str, package: metadata.Distribution) -> Component:
    ref = _purl(name, package.version)
    found: Component = {"type": "library", "bom-ref": ref, "name": name, "version": package.version, "purl": ref}
    return found | _licences(package.metadata)


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{quote(version, safe='')}"


def _licences(about: Any) -> dict[str, Any]:
    """What a package says of its licence: an SPDX expression, or else names."""
    if expression := about.get("License-Expression"):
        return {"licenses": [{"expression": expression}]}
    stated = [one.split(" :: ")[-1] for one in about.get_all("Classifier") or () if one.startswith("License :: ")]
    named = str(about.get("License") or "").strip()
    if not stated and named and len(named) <= _LONGEST and "\n" not in named:
        stated = [named]
    return {"licenses": [{"license": {"name": one}} for one in stated]} if stated else {}
