"""The machine that a benchmark runs on, and how many of its cores it may use.

Import it before NumPy: array libraries read OMP_NUM_THREADS when they load. Where it isn't set, a
benchmark uses one core.
"""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CORES = int(os.environ.setdefault("OMP_NUM_THREADS", "1"))


def available_cores() -> list[int]:
    """Return the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pin() -> None:
    """Keep this process, and libraries that load from now on, to the first `CORES` cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, available_cores()[:CORES])


def cpu_name() -> str:
    """Return what the processor calls itself."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(packages: list[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
