"""The machine: device, precision, threads, memory allocator, CPU features, seeds."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16"]

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_keeping = 0


@contextmanager
def freed_memory_kept() -> Iterator[bool]:
    """Have glibc keep freed blocks for the next step rather than hand them back.

    A training step frees hundreds of activations of some megabytes; by default each is unmapped and its pages are
    faulted in anew at the next step, which costs more than the GELU that writes them. What is free already goes back
    first, and what is free at the end. Elsewhere than on glibc nothing is done. Gives whether it took effect. Within
    another one, it changes nothing.
    """
    global _keeping
    _keeping += 1
    try:
        yield _allocate(32 << 20, 2**31 - 1, 64 << 20) if _keeping == 1 else True
    finally:
        _keeping -= 1
        if not _keeping:
            _allocate(32 << 20, 64 << 20, 128 << 10)  # what glibc comes to by itself where blocks are large


def _allocate(mmap_threshold: int, trim_threshold: int, top_pad: int) -> bool:
    """Set how glibc allocates; what is free goes back to the system."""
    try:
        libc = ctypes.CDLL(None)
        given = {_M_MMAP_THRESHOLD: mmap_threshold, _M_TRIM_THRESHOLD: trim_threshold, _M_TOP_PAD: top_pad}
        done = [libc.mallopt(name, value) for name, value in given.items()]
        libc.malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return False
    return all(done)


def few_kernels_kept() -> None:
    """Have oneDNN keep few of the kernels that it compiles, each for one shape and some tenths of a megabyte large.

    By itself it keeps 1,024, to which a process comes that is asked for texts of ever other lengths. Not for one that
    learns or sees, as a network of convolutions needs some hundred in each step. It is set in the environment, before
    the first of them is compiled; what the user has set stays.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cores() -> int:
    """Threads that work side by side on small networks; 1 where an accelerator does the work."""
    import torch

    return torch.get_num_threads() if choose_device().type == "cpu" else 1


def choose_device() -> torch.device:
    """Return the accelerator when there is one, else the CPU."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator or torch.device("cpu")


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Context in which matrix products run in `precision`."""
    import torch

    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def measure_precision(device: torch.device, hidden: int, rows: int = 1024, seconds: float = 0.3) -> Precision:
    """Return the faster of fp32 and bf16 for products of (rows, hidden) by (hidden, 4 hidden), by timing both.

    bf16 has to win by a tenth: on a CPU without matrix instructions it is often slower.
    """
    import torch

    spent: dict[Precision, float] = {}
    left = torch.randn(rows, hidden, device=device)
    right = torch.randn(hidden, 4 * hidden, device=device)
    kinds: tuple[tuple[Precision, torch.dtype], ...] = (("fp32", torch.float32), ("bf16", torch.bfloat16))
    for name, dtype in kinds:
        a, b = left.to(dtype), right.to(dtype)
        fastest, end = float("inf"), time.perf_counter() + seconds / 2
        while time.perf_counter() < end:
            start = time.perf_counter()
            (a @ b).sum().item()
            fastest = min(fastest, time.perf_counter() - start)
        spent[name] = fastest
    return "bf16" if spent["bf16"] < 0.9 * spent["fp32"] else "fp32"


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def generator(*seeds: int) -> torch.Generator:
    """Numbers of their own, on the CPU, that hang on these seeds alone."""
    import numpy
    import torch

    (seed,) = numpy.random.SeedSequence(seeds).generate_state(1, numpy.uint64)
    return torch.Generator().manual_seed(int(seed))


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Run the body with `count` threads for matrix products; None leaves the setting alone."""
    import torch

    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cpu_name() -> str:
    """Name of the processor, or its architecture where the system does not tell."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def cpu_flags() -> tuple[str, ...]:
    """Those instruction sets of this CPU that change speed or rounding."""
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            line = next(line for line in file if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return ()
    present = set(line.split())
    return tuple(flag for flag in wanted if flag in present)


def fast_bf16() -> bool:
    """Whether this CPU multiplies in bf16, and does not only imitate it."""
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(cpu_flags())


class Meter:
    """Energy that the processors take, all programs together, by their own counters (RAPL, as Linux shows it).

    Attributes:
        works: whether this machine has such counters and lets them be read.
    """

    def __init__(self, place: Path = Path("/sys/class/powercap")) -> None:
        self._zones: list[Path] = []
        self._joules = 0.0
        self._seen: list[int] = []
        with suppress(OSError, ValueError):
            # A zone a processor, also where AMD made it; others are parts of one, or a platform that holds it.
            found = sorted(place.glob("intel-rapl:*"))
            self._zones = [zone for zone in found if (zone / "name").read_text().startswith("package")]
            self._wraps = [int((zone / "max_energy_range_uj").read_text()) + 1 for zone in self._zones]
            self._seen = self._read()
        self.works = bool(self._seen)

    def joules(self) -> float:
        """Those taken since the meter was made, if it is asked every few minutes; 0 where it does not work."""
        if self.works:
            now = self._read()
            parts = zip(now, self._seen, self._wraps, strict=True)
            self._joules += sum((new - old) % wrap for new, old, wrap in parts) / 1e6
            self._seen = now
        return self._joules

    def _read(self) -> list[int]:
        return [int((zone / "energy_uj").read_text()) for zone in self._zones]


def environment() -> dict[str, str]:
    """What a figure depends on: versions, processor, threads. Holds no path, user or host name."""
    import torch

    names = ("burnish", "torch", "transformers", "tokenizers", "datasets")
    found = {name: version(name) for name in names}
    found |= {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "cpu_flags": " ".join(cpu_flags()),
        "device": str(choose_device()),
    }
    return found


def out_of_memory(error: Exception) -> bool:
    """Whether it was memory that an operation of torch lacked."""
    import torch

    told = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in told or "can't allocate" in told


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes; 0 where it cannot be read."""
    with suppress(OSError, StopIteration):  # on Linux getrusage counts what the parent had at the fork
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def version(name: str) -> str:
    """Version of an installed distribution, in words where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
