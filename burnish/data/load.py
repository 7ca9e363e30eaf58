"""The rows of a job: read, brought into canonical columns, and set apart where no files are given."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from burnish.config import Job
from burnish.data import annotated, boxes
from burnish.data.columns import canonical
from burnish.data.read import read
from burnish.data.readers import TEXT, kind_of, one_of
from burnish.data.rows import Rows
from burnish.data.several import joined, kinds_in, kinds_of, name_of
from burnish.data.split import split, strata
from burnish.errors import InputError


def load(job: Job) -> dict[str, Rows]:
    """Return train, and dev and test where the job gives or splits them off.

    Raises:
        InputError: for anything that cannot be read or split.
    """
    data = job.data
    given = {"train": data.train} | {n: s for n, s in (("dev", data.dev), ("test", data.test)) if s}
    sides = {name: _read(source, job, name) for name, source in given.items()}
    open_shares = data.split.model_copy(update={name: 0.0 for name in sides if name != "train"})
    if open_shares.dev or open_shares.test:
        train = sides["train"]
        label_of = strata(train, job.task) if open_shares.by == "stratify" else lambda row: None
        sides |= split(train, open_shares, job.seed, label_of)
    return {name: sides[name] for name in ("train", "dev", "test") if name in sides}


def load_file(source: str, job: Job, *, labelled: bool = True) -> Rows:
    """Return one further source in the columns of the job, for `evaluate` and `predict`."""
    return _read(source, job, "test", labelled)


def _read(source: str, job: Job, role: str, labelled: bool = True) -> Rows:
    if job.task == "detect":
        return boxes.canonical(annotated.read(source, job.data, role=role), job, labelled=labelled)
    bring = joined if kinds_of(job.data.columns) else canonical
    return bring(read(source, job.data, role=role), job, labelled=labelled)


def usable(rows: Rows, task: str) -> Rows:
    """Leave out rows without an input that can be read or without a label; the check has counted them.

    Raises:
        InputError: when none is left.
    """
    kept, kinds = np.zeros(len(rows), dtype=bool), kinds_in(rows.columns)
    start = 0
    for batch in rows.batches():
        if task == "tag":
            pairs = zip(batch["words"], batch["tags"], strict=True)
            good = [bool(words) and tags is not None and len(words) == len(tags) for words, tags in pairs]
        elif task == "embed":
            sides = zip(*(batch[name] for name in (*kinds, "text_b") if name in batch), strict=True)
            good = [all(one and one.strip() for one in given) for given in sides]
        else:
            answers = batch[boxes.BOXES if boxes.BOXES in batch else "label"]
            pair = kinds == (TEXT,) and "text_b" in batch
            inputs, enough = ((TEXT, "text_b"), all) if pair else (kinds, any)
            cells = zip(zip(*(batch[name] for name in inputs), strict=True), answers, strict=True)
            good = [enough(one and one.strip() for one in given) and label is not None for given, label in cells]
        kept[start : start + len(good)] = good
        start += len(good)
    if not kept.any():
        if task == "embed":
            raise InputError(f"'{rows.source}' has no row with both sides; see data.columns")
        raise InputError(f"'{rows.source}' has no row with both {one_of(name_of(kinds))} and a label; see data.columns")
    return rows if kept.all() else rows.select(np.flatnonzero(kept))


def readable(rows: Rows) -> Rows:
    """Leave out rows whose file cannot be read; a text can always be read, be it empty.

    Raises:
        InputError: when none is left.
    """
    kind = kind_of(rows.columns)
    if kind == TEXT:
        return rows
    kept = np.flatnonzero([bool(given) for batch in rows.batches() for given in batch[kind]])
    if not len(kept):
        raise InputError(f"'{rows.source}' has no row with {one_of(kind)} that can be read")
    return rows if len(kept) == len(rows) else rows.select(kept)


def fingerprint(rows: Rows) -> str:
    """SHA-256 over the canonical rows; of files it is their content that counts, and not where they lie."""
    digest = hashlib.sha256()
    for batch in rows.batches():
        for kind in kinds_in(batch):
            if "digest" in batch or f"{kind}_digest" in batch:
                del batch[kind]
        digest.update(json.dumps(batch, sort_keys=True, ensure_ascii=True, default=str).encode())
    return digest.hexdigest()
