"""A folder whose own head reads mean vectors is of use in plain transformers as well."""

from __future__ import annotations

from pathlib import Path

import torch

from burnish import job as flow
from burnish.data.load import load
from tests import tiny


def test_plain_transformers_finds_a_fitted_head(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    job = tiny.job(tmp_path, "classify", epochs=10)
    tuned = flow.tune(job)
    assert tuned.report.alone is not None
    assert tuned.report.alone.value > 0.8
    rows = list(load(job)["train"])
    tokenizer = AutoTokenizer.from_pretrained(job.out)
    with torch.inference_mode():
        model = AutoModelForSequenceClassification.from_pretrained(job.out).eval()
        best = model(**tokenizer([row["text"] for row in rows], padding=True, return_tensors="pt")).logits.argmax(-1)
    right = [model.config.id2label[int(i)] == row["label"] for i, row in zip(best, rows, strict=True)]
    assert sum(right) > 0.9 * len(right)
