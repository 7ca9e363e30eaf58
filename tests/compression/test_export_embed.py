"""A model of `embed` in another runtime: the same vectors, of a text and of the picture beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from burnish import job as flow
from burnish.engine import Engine
from burnish.verbs import export
from tests.training.test_embed_jobs import two_kinds


def test_networks_of_two_kinds_are_exported_each_by_itself_and_answer_together(tmp_path: Path) -> None:
    folder = flow.tune(two_kinds(tmp_path)).artifact.folder
    given = [{"text": "the film was good"}, {"image": str(tmp_path / "images" / "1.png")}, {"text": "bad"}]
    before = [one.embedding for one in Engine.open(folder).predict(given)]
    for kind in ("text", "image"):
        assert not export(folder / kind, "onnx").manifest["parity"]["flips"]
        own = Engine.open(folder / kind, "onnx")
        inputs = [one[kind] for one in given if kind in one]
        said = [one.embedding for one in own.predict(inputs)]
        expected = [vector for vector, one in zip(before, given, strict=True) if kind in one]
        np.testing.assert_allclose(said, expected, atol=1e-4)
