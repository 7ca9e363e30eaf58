"""The machine: what is set for a while is set back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_energy_is_read_from_counters_that_wrap(tmp_path: Path) -> None:
    def write(zone: int, joules: float) -> None:
        place = tmp_path / f"intel-rapl:{zone}"
        (place / "inner").mkdir(parents=True, exist_ok=True)
        (place / "name").write_text("psys\n" if zone == 2 else f"package-{zone}\n")
        (place / "max_energy_range_uj").write_text("999999999\n")
        (place / "energy_uj").write_text(f"{joules * 1e6:.0f}\n")

    write(0, 10), write(1, 990), write(2, 500)
    (tmp_path / "intel-rapl:0:0").mkdir()
    (tmp_path / "intel-rapl:0:0" / "name").write_text("core\n")  # a part of the first one
    meter = device.Meter(tmp_path)
    assert meter.works
    write(0, 15), write(1, 5), write(2, 900)
    assert meter.joules() == pytest.approx(20)
    write(0, 16)
    assert meter.joules() == pytest.approx(21)
    nothing = device.Meter(tmp_path / "gone")
    assert not nothing.works
    assert nothing.joules() == 0


_SHAPES = """
import torch
from burnish.device import few_kernels_kept

def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

few_kernels_kept()
with torch.inference_mode():
    for rows in range(1, 501):
        torch.nn.functional.gelu(torch.ones(rows, 64))
        if rows == 100:
            before = held()
print(held() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_kernels_for_ever_other_shapes_do_not_pile_up() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ONEDNN")}
    more = subprocess.run([sys.executable, "-c", _SHAPES], check=True, capture_output=True, text=True, env=own).stdout
    assert float(more) < 20  # MB; 400 kernels that are kept take 60
