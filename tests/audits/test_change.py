"""What a variant lost is told of every group, however many others are noisier."""

from __future__ import annotations

import pytest

from burnish.audits.change import change
from tests.audits.conftest import ByRule, Make, sentences


def test_a_large_group_that_lost_is_not_hidden_by_small_noisy_ones(subject: Make) -> None:
    """Of a source with 1,000 rows the variant loses 15 %; of 18 with 30 rows it loses 20 %, which may be chance."""
    sources = ["web"] * 1000 + [f"s{i % 18}" for i in range(540)] + ["app"] * 1460
    wrong = [i % 20 < 3 if i < 1000 else i < 1540 and (i - 1000) // 18 % 5 == 0 for i in range(3000)]
    rows = [
        (text, "yes" if i % 2 else "no", source)
        for i, (text, source) in enumerate(zip(sentences(3000), sources, strict=True))
    ]
    given = {"header": ("text", "label", "source"), "extra": {"source": sources}}
    before = subject(ByRule(lambda text: 0.9 if int(text.split()[-1]) % 2 else 0.1), rows, **given)
    after = subject(
        ByRule(lambda text: 0.9 if int(text.split()[-1]) % 2 != wrong[int(text.split()[-1])] else 0.1), rows, **given
    )
    found = change(before, after, {before.form: ()})
    assert found.figures["worst_group"] == pytest.approx(0.15)
    assert found.tables[1].rows[0][0] == "source web"
    assert len(found.tables[1].rows) == 12
    assert found.findings[0] == "source web: accuracy went from 1.000 to 0.850"
