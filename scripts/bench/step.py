"""Time one training step of a ReLU network: agrad, NumPy by hand and other libraries.

    python scripts/bench/step.py

All run in one process, pinned to one core and in turns; what counts are the ratios. It is the
784-100-10 network unless told otherwise. OMP_NUM_THREADS=8 before the command gives them 8 cores.
"""

import argparse
import json
import os
import statistics
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # libraries read it when they load

from arguments import positive_float, positive_int
from contestants import CONTESTANTS, Contestant, Problem, prepare
from machine import pin

TURN = 10  # steps


def median_times(contestants: dict[str, Contestant], seconds: float) -> dict[str, float]:
    """Return the median time of a step in microseconds, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    end = time.perf_counter() + seconds
    i = 0
    while i == 0 or time.perf_counter() < end:
        for name, contestant in contestants.items():
            step = contestant.step
            for k in range(i, i + TURN):
                start = time.perf_counter()
                step(k)
                times[name].append(time.perf_counter() - start)
        i += TURN
    return {name: 1e6 * statistics.median(each) for name, each in times.items()}


def table(times: dict[str, float]) -> str:
    """Return the times, and how many times as long agrad takes."""
    own = [name for name in times if name.startswith("agrad")]
    lines = [f"  {'':16}{'µs':>9}" + "".join(f"{name + ' takes':>23}" for name in own)]
    for name, microseconds in times.items():
        ratios = (f"{times[each] / microseconds:.2f} times" for each in own)
        lines.append(f"  {name:16}{microseconds:9.1f}" + "".join(f"{each:>23}" for each in ratios))
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=positive_int, nargs="+", default=[1, 64, 1024])
    parser.add_argument("--layers", type=positive_int, nargs="+", default=[2])
    parser.add_argument("--seconds", type=positive_float, default=10, help="for each network")
    parser.add_argument(
        "--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME"
    )
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    args = parser.parse_args(argv)
    pin()

    results = []
    missing: dict[str, str] = {}
    for layers in args.layers:
        for batch in args.batch:
            ready, missing = prepare(Problem(batch, layers), args.contestants)
            times = median_times(ready, args.seconds)
            results.append({"batch": batch, "layers": layers, "microseconds": times})
            if not args.json:
                print(f"batch {batch}, {layers} layer{'s' if layers > 1 else ''}:")
                print(table(times))
    if args.json:
        print(json.dumps({"results": results, "missing": missing}))
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
