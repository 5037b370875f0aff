"""Measure the memory that a training step takes, and that none is lost from step to step.

    python scripts/bench/memory.py

The peak of a step is how far the process's resident memory rises above what it has before the
first step, when the network and the batches are there. Each figure comes from a process of its own,
on one core. Linux keeps the peak, so it must be Linux.
"""

import argparse
import gc
import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # libraries read it when they load
# malloc keeps freed memory for itself, more and more of it, unless the threshold is given. Then
# large arrays go back to Linux at once, and the peak is that of what is in use together.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "131072")

from arguments import positive_int
from contestants import CONTESTANTS, Contestant, Problem
from machine import pin

PROCESS = Path("/proc/self")
NETWORK = Problem(layers=3, hidden=500)
NAMES = ["agrad eager", "agrad recorded", "PyTorch eager"]


def reset_peak() -> None:
    """Have Linux forget how high the resident memory of this process has been."""
    (PROCESS / "clear_refs").write_text("5")


def resident(field: str) -> float:
    """Return the resident memory in MB: now ("VmRSS"), or at its highest ("VmHWM")."""
    for line in (PROCESS / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"there is no {field} in {PROCESS / 'status'}")


def peak_of(name: str, batch: int, collect: bool) -> float:
    """Return by how many MB some steps raise the resident memory at its highest.

    Another network takes the same steps before, so that what libraries make when they are first
    used is there. `collect` is whether Python's garbage collector runs.
    """
    pin()
    (gc.enable if collect else gc.disable)()
    problem = replace(NETWORK, batch=batch)
    steps(CONTESTANTS[name](problem), 5)
    gc.collect()
    contestant = CONTESTANTS[name](problem)
    reset_peak()
    before = resident("VmRSS")
    steps(contestant, 5)
    return resident("VmHWM") - before


def steps(contestant: Contestant, count: int) -> None:
    for i in range(count):
        contestant.step(i)


def growth_of(name: str, count: int) -> dict[str, float]:
    """Return by how much many steps with one example raise the memory and the number of objects."""
    pin()
    contestant = CONTESTANTS[name](Problem())
    steps(contestant, 100)
    gc.collect()
    memory, objects = resident("VmRSS"), len(gc.get_objects())
    steps(contestant, count)
    gc.collect()
    return {
        "steps": count,
        "MB": resident("VmRSS") - memory,
        "objects": len(gc.get_objects()) - objects,
    }


def alone(function: Any, *args: Any) -> Any:
    """Run a function in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=positive_int, nargs="+", default=[1024, 4096, 16384])
    parser.add_argument("--steps", type=positive_int, default=10_000)
    parser.add_argument("--contestants", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    args = parser.parse_args(argv)
    try:
        reset_peak()
    except OSError as error:
        sys.exit(f"memory.py: needs Linux, and {PROCESS / 'clear_refs'} to write to: {error}")

    peaks: dict[str, dict[int, float]] = {}
    growth: dict[str, dict[str, float]] = {}
    missing: dict[str, str] = {}
    for name in args.contestants:
        try:
            peaks[name] = {batch: alone(peak_of, name, batch, True) for batch in args.batch}
        except ImportError as error:
            missing[name] = str(error)
            continue
        if name.startswith("agrad"):
            peaks[f"{name}, no garbage collector"] = {
                batch: alone(peak_of, name, batch, False) for batch in args.batch
            }
        growth[name] = alone(growth_of, name, args.steps)
    if args.json:
        print(json.dumps({"peaks": peaks, "growth": growth, "missing": missing}))
    else:
        print("peak of a step, MB:")
        for name, each in peaks.items():
            print(f"  {name:35}" + "".join(f"{batch:7}:{mb:7.1f}" for batch, mb in each.items()))
        print("growth:")
        for name, found in growth.items():
            print(
                f"  {name:35} {found['MB']:+.1f} MB and {found['objects']:+} objects in "
                f"{found['steps']} steps"
            )
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
