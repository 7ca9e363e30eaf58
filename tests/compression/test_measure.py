"""Timing in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from burnish import job as flow
from burnish.compression.measure import measure, size_of
from burnish.errors import BurnishError
from tests import tiny


def test_a_process_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    job = tiny.job(tmp_path, "classify", epochs=1)
    flow.tune(job)
    with pytest.raises(BurnishError, match=r"could not be timed: .*no such variant|could not be timed: .*No such file"):
        measure(Path(job.out), {"gone": tmp_path / "gone"}, [{"text": "good"}], tmp_path)
    assert size_of(Path(job.out), None) == sum(f.stat().st_size for f in Path(job.out).glob("*.safetensors"))
