"""What a model process finds out before it is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from burnish.serving.worker import BUDGETS, Model


@pytest.mark.parametrize("given", [0, 64, 512, 4096])
def test_few_rows_alone_may_go_one_by_one(given: int, folders: dict[str, Path]) -> None:
    model = Model(folders["classify"], None)
    model.warm_up()
    model.measure(given)
    assert model.budget == given or (given == 0 and model.budget in BUDGETS)
    assert model.worth in (0, BUDGETS[0])
    assert model.pace > 0
