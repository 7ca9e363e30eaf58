"""What every test shares: a table cache of its own, so that no test reads or fills the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("BURNISH_CACHE")
    os.environ["BURNISH_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["BURNISH_CACHE"]
    else:
        os.environ["BURNISH_CACHE"] = before
