"""The machine: what is set for a while is set back."""

from __future__ import annotations

import pytest

from burnish import device


def test_freed_memory_is_kept_until_the_outermost_wish_for_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []

    def note(*limits: int) -> bool:
        asked.append(limits)  # type: ignore[arg-type]
        return True

    monkeypatch.setattr(device, "_allocate", note)
    with device.freed_memory_kept() as kept:
        assert kept
        with pytest.raises(KeyError):
            _fail()
        assert len(asked) == 1
    assert len(asked) == 2
    keeping, after = asked
    assert keeping[1] > after[1]
    assert after[0] >= 32 << 20  # a threshold that stays at a smaller one faults every large block in anew
    with device.freed_memory_kept():
        assert asked[2] == keeping


def _fail() -> None:
    with device.freed_memory_kept():
        raise KeyError
