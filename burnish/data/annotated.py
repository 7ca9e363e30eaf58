"""Images with boxes as annotation tools write them, VOC, COCO or a table: a row an image, boxes as they stand."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from burnish.config import Columns, Data
from burnish.data import files, store
from burnish.data.encoding import detect
from burnish.data.names import stated
from burnish.data.read import read as read_rows
from burnish.data.rows import Row, Rows
from burnish.errors import InputError

VOC, COCO, TABLE = "voc", "coco", "boxes"
EDGES = ("xmin", "ymin", "xmax", "ymax")
_XML, _LISTS, _IMAGES = "Annotations", "ImageSets", ("JPEGImages", "images", ".")
_FIELDS = {"image": store.TEXT, "raw": store.TEXT, "about": store.TEXT, "fault": store.TEXT}


def read(source: str, config: Data, *, role: str = "train") -> Rows:
    """Read images with their boxes.

    Columns: `image` (its file, from `base`), `raw` (JSON: a list of label, edges and a name for each box), `about`
    (JSON: width and height as the annotation has them, or null) and `fault` (why the annotation cannot be read).
    Other sources come as `read` of `burnish.data.read` has them.

    Raises:
        InputError: for a source that cannot be read as a whole, with place and way out.
    """
    path = Path(source).expanduser()
    if config.format == "auto":
        if listed := _voc(path):
            state = files.state(path.parent, [str(one.absolute()) for one in listed])
            there = _names(_root(path), listed[0].parent)
            key = store.fingerprint(VOC, [one.stem for one in listed[: config.limit]], state, there)
            return _stored(key, partial(_read_voc, path, listed[: config.limit]), source)
        if path.suffix.lower() == ".json" and path.is_file():
            document = _coco(path, detect(path, config.encoding).name)
            key = store.fingerprint(COCO, store.digest(path), config.limit, config.columns.image)
            return _stored(key, partial(_read_coco, path, document, config), source)
    rows = read_rows(source, config, role=role)
    return rows if rows.format == files.FOLDER else _by_image(rows, config.columns)


def is_annotated(path: Path) -> bool:
    """Whether a path is a VOC set, a list of one, or a COCO file."""
    if _voc(path):
        return True
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        return bool(_coco(path, "utf-8-sig"))
    except InputError:
        return False


def base(rows: Rows) -> Path:
    """The folder that names of images are taken from."""
    path = Path(rows.source).expanduser()
    if rows.format == VOC:
        return _root(path)
    if rows.format == files.FOLDER:
        return path
    return path.parent.parent if rows.format == COCO and path.parent.name == "annotations" else path.parent


def _stored(key: str, make: Any, source: str) -> Rows:
    kept = store.keep(key, make)
    if len(kept.table) == 0:
        raise InputError(f"'{source}' holds no images")
    return Rows(kept.table, source, kept.format, None, kept.notes)


def _root(path: Path) -> Path:
    """The folder of a VOC set: of its list, of its annotations, or itself."""
    if path.is_file():
        return next((one for one in path.absolute().parents[:3] if (one / _XML).is_dir()), path.parent)
    return path.absolute().parent if path.name == _XML else path


def _voc(path: Path) -> list[Path]:
    """Annotations of a VOC set in the order of their names, or of its list; none where it is something else."""
    root = _root(path)
    if path.is_dir():
        return sorted((root / _XML).glob("*.xml")) or sorted(path.glob("*.xml"))
    if path.suffix != ".txt" or not (root / _XML).is_dir():
        return []
    names = (line.split() for line in path.read_text(encoding="utf-8-sig").splitlines())
    return [root / _XML / f"{name[0]}.xml" for name in names if name]


def _read_voc(path: Path, listed: list[Path]) -> store.Content:
    root = _root(path).resolve()
    return store.Content(_FIELDS, (_voc_row(root, one) for one in listed), (), VOC)


def _voc_row(root: Path, path: Path) -> Row:
    try:
        inner = files.inside(root, str(path.absolute()))
        content = inner.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise InputError("it declares entities, which are not read")
        tree = ElementTree.fromstring(content)
        named = (tree.findtext("filename") or path.stem).strip()
        size = [_whole(tree.findtext(f"size/{side}")) for side in ("width", "height")]
        raw = [
            (_said(one.findtext("name")), [one.findtext(f"bndbox/{edge}") for edge in EDGES], f"object {number}")
            for number, one in enumerate(tree.iter("object"), 1)
        ]
    except (InputError, OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        told = str(error) if isinstance(error, InputError) else f"it is no XML that can be read ({error})"
        return {"image": None, "raw": None, "about": None, "fault": f"{path.name}: {told}"}
    about = size if all(size) else None
    return {"image": _image(root, inner, named), "raw": json.dumps(raw), "about": json.dumps(about), "fault": None}


def _image(root: Path, path: Path, named: str) -> str:
    """The image of a VOC annotation, from the folder of the set: in one of the usual folders, or beside it."""
    folders = [*_IMAGES, str(path.parent.relative_to(root))]
    names = [named, *(path.stem + ending for ending in files.KINDS["image"])]
    there = (
        f"{folder}/{name}"
        for name in names
        for folder in folders
        if "/" not in name and (root / folder / name).is_file()
    )
    return next(there, f"{_IMAGES[0]}/{named}")


def _names(root: Path, beside: Path) -> str:
    """One digest of the names in the folders where images are looked for."""
    folders = [*(root / name for name in _IMAGES), beside]
    return store.together(str(sorted(os.listdir(one))) for one in folders if one.is_dir())


def _said(text: Any) -> str | None:
    return str(text).strip() or None if text is not None else None


def _whole(text: str | None) -> int | None:
    return int(float(text)) if text and text.strip() else None


def _coco(path: Path, encoding: str) -> dict[str, Any]:
    """The document of a COCO file.

    Raises:
        InputError: when it is no JSON, or another document.
    """
    try:
        document = json.loads(path.read_text(encoding=encoding))
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{path}' is no JSON that can be read ({error}); mend it or write it again") from None
    parts = ("images", "annotations", "categories")
    if not isinstance(document, dict) or not all(isinstance(document.get(part), list) for part in parts):
        raise InputError(f"'{path}' is no COCO file: task detect looks for the lists {', '.join(parts)} in it")
    if wrong := next((part for part in parts for one in document[part] if not isinstance(one, dict)), None):
        raise InputError(f"'{path}' is no COCO file: {wrong} holds something else than objects")
    return document


def _read_coco(path: Path, document: dict[str, Any], config: Data) -> store.Content:
    labels = {one.get("id"): _said(one.get("name")) for one in document["categories"]}
    known = {one.get("id") for one in document["images"]}
    by_image: dict[Any, list[Any]] = defaultdict(list)
    left: Counter[str] = Counter()
    for place, one in enumerate(document["annotations"], 1):
        name = f"annotation {one.get('id', place)}"
        if one.get("image_id") not in known:
            left["name no image of the file"] += 1
        elif one.get("iscrowd"):
            left["are of crowds"] += 1
        else:
            kind = one.get("category_id")
            label = labels.get(kind) if isinstance(kind, int | str) else None
            by_image[one["image_id"]].append((label, _corners(one.get("bbox")), f"{name}, category {kind}"))
    made = files.template(config.columns.image, sorted({key for one in document["images"] for key in one}), str(path))

    def rows() -> Iterator[Row]:
        for one in document["images"][: config.limit]:
            size = [one.get(side) for side in ("width", "height")]
            about = size if all(isinstance(side, int) and side for side in size) else None
            image = files.filled(made, one) if made else _said(one.get("file_name"))
            raw = json.dumps(by_image[one.get("id")])
            yield {"image": image, "raw": raw, "about": json.dumps(about), "fault": None}

    notes = tuple(f"{count:,} annotations {why} and are left out" for why, count in left.items())
    return store.Content(_FIELDS, rows(), notes, COCO)


def _corners(box: Any) -> list[Any]:
    """Edges of a COCO box: left, top, width, height."""
    try:
        left, top, width, height = map(float, box)
    except (TypeError, ValueError):
        return [None] * 4
    return [left, top, left + width, top + height]


def _by_image(rows: Rows, columns: Columns) -> Rows:
    """One row an image of a table with a box a row, in the order of their first rows. An image without a box has a row
    in which label and edges are empty. A table without boxes is left as it is, for prediction."""
    there = [name for name in rows.columns if name != store.LINE]
    image = columns.image if files.template(columns.image, there, rows.source) else None
    name = "" if image else stated(there, "image", columns.image or "image", rows.source)
    edges = [one.strip() for one in (columns.boxes or ",".join(EDGES)).split(",")]
    if len(edges) != 4:
        raise InputError(f"data.columns.boxes names {len(edges)} columns; name four: left, top, right, bottom")
    boxed = columns.boxes or set(edges) <= set(there)
    edges = [stated(there, "boxes", one, rows.source) for one in edges] if boxed else []
    label = stated(there, "label", columns.label or "label", rows.source) if boxed else ""
    kept = [one for one in (columns.group, columns.time) if one and one in there]

    def make() -> store.Content:
        found: dict[str | None, Row] = {}
        raw: dict[str | None, list[Any]] = defaultdict(list)
        for index, row in enumerate(rows):
            own = files.filled(image, row) if image else row[name]
            if own not in found:
                line = {store.LINE: row[store.LINE]} if store.LINE in row else {}
                found[own] = {"image": own, "fault": None, "about": "null", **{one: row[one] for one in kept}, **line}
            cells = [row[one] for one in (label, *edges)] if boxed else []
            if any(cells):
                raw[own].append((_said(cells[0]), cells[1:], rows.where(index).rsplit(":", 1)[-1]))
        fields = _FIELDS | dict.fromkeys(kept, store.TEXT) | ({store.LINE: store.NUMBER} if rows.lines else {})
        done = ({**row, "raw": json.dumps(raw[own]) if boxed else None} for own, row in found.items())
        return store.Content(fields, done, (f"boxes: a row each, {len(rows):,} rows",) if boxed else (), TABLE)

    key = store.fingerprint(TABLE, rows.table._fingerprint, name, image, label, edges, kept)
    stored = store.keep(key, make)
    return Rows(stored.table, rows.source, TABLE, rows.encoding, rows.notes + stored.notes, rows.lines)
