"""Time each line of a recorded training step, beside the least that its work can take.

    python scripts/bench/lines.py --batch 1 1024

It is the 784-100-10 network that step.py times, on one core. The floor of a line is what its
floating-point operations take at the speed of a large matrix product, or what its bytes take at the
speed of a copy in the cache, whichever is longer; both speeds are measured first.
"""

import argparse
import ast
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # libraries read it when they load

import numpy as np
from arguments import positive_int
from contestants import Problem, recorded_step
from machine import pin

sys.path.append(str(Path(__file__).parents[1]))
from tables import markdown_table

SHOWN = 0.02  # of the whole: lines that take less are summed up


class Line(NamedTuple):
    """A line of the recorded step: what it takes, and how much it does."""

    source: str
    microseconds: float
    bytes: int
    flops: int


class Speeds(NamedTuple):
    """What this core can do at best."""

    flops: float  # floating-point operations a second, in a product of large matrices
    bytes: float  # read and written a second, in the cache

    def floor(self, line: Line) -> float:
        """Return the microseconds that a line takes at least."""
        return 1e6 * max(line.flops / self.flops, line.bytes / self.bytes)


def best_time(function: Any, repeats: int) -> float:
    """Return the shortest time of some calls, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_speeds() -> Speeds:
    """Measure what this core can do."""
    n = 768
    a, b, c = (np.ones((n, n), np.float32) for _ in range(3))
    flops = 2 * n**3 / best_time(lambda: np.dot(a, b, out=c), 30)
    x, y = (np.ones(75_000, np.float32) for _ in range(2))  # as large as the weights
    return Speeds(flops, 2 * x.nbytes / best_time(lambda: np.copyto(y, x), 300))


def work_of(node: ast.stmt, names: dict[str, Any]) -> tuple[int, int]:
    """Return how many bytes a line reads and writes, and how many operations it makes."""
    used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    arrays = [x for name in used if isinstance(x := names.get(name), np.ndarray)]
    calls = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    if not calls or not isinstance(calls[0].func, ast.Name):
        return 0, 0
    name = calls[0].func.id.rstrip("0123456789")
    if name in ("transpose", "getitem", "check"):  # views, single elements
        return 0, 0
    flops = max((x.size for x in arrays), default=0)
    if name in ("matmul", "add_matmul", "add_outer"):
        factors = [names.get(each.id) for each in calls[0].args if isinstance(each, ast.Name)]
        shapes = [x.shape for x in factors if isinstance(x, np.ndarray)]
        first, second = shapes[0], shapes[1]
        flops = 2 * (int(np.prod(first)) * second[-1] if name != "add_outer" else first[0])
        flops *= second[0] if name == "add_outer" else 1
    return sum(x.nbytes for x in arrays), flops


def time_lines(batch: int, repeats: int) -> list[Line]:
    """Return the lines of the recorded step, timed one by one."""
    problem = Problem(batch)
    batches, run, source = recorded_step(problem)
    body = ast.parse(source).body[0].body[:-1]  # type: ignore[attr-defined]
    names = dict(run.__globals__)
    names["_now"] = time.perf_counter
    times: list[list[float]] = [[] for _ in body]
    names["_times"] = times
    timed: list[ast.stmt] = []
    for i, node in enumerate(body):
        before, after = "_start = _now()", f"_times[{i}].append(_now() - _start)"
        timed += [ast.parse(before).body[0], node, ast.parse(after).body[0]]
    steps = compile(ast.Module(timed, []), "<timed step>", "exec")
    for i in range(repeats):
        names["leaves"] = batches[i % len(batches)]
        exec(steps, names)
    for node in body:  # once more, without `del`: for the arrays
        if not isinstance(node, ast.Delete):
            exec(compile(ast.Module([node], []), "<step>", "exec"), names)
    return [
        Line(ast.unparse(node), 1e6 * statistics.median(each), *work_of(node, names))
        for node, each in zip(body, times, strict=True)
        if not isinstance(node, ast.Delete)
    ]


def table(lines: list[Line], speeds: Speeds) -> str:
    """Return the lines that take longest, and the sum of the others."""
    total = sum(line.microseconds for line in lines)
    header = ["line", "µs", "floor, µs", "KB", "thousand operations"]
    others = [line for line in lines if line.microseconds < SHOWN * total]
    shown = [line for line in lines if line not in others]
    rows = [row(f"`{line.source}`", [line], speeds) for line in shown]
    rows.append(row(f"{len(others)} other lines", others, speeds))
    rows.append(row("**all**", lines, speeds))
    return markdown_table(header, rows)


def row(name: str, lines: list[Line], speeds: Speeds) -> list[str]:
    """Return a row of the table."""
    return [
        name,
        f"{sum(line.microseconds for line in lines):.1f}",
        f"{sum(map(speeds.floor, lines)):.1f}",
        f"{sum(line.bytes for line in lines) / 1e3:.0f}",
        f"{sum(line.flops for line in lines) / 1e3:.0f}",
    ]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=positive_int, nargs="+", default=[1, 1024])
    parser.add_argument("--repeats", type=positive_int, default=300, help="how often to run a step")
    args = parser.parse_args(argv)
    pin()
    speeds = measure_speeds()
    print(
        f"This core makes {speeds.flops / 1e9:.0f} thousand million operations a second in a large "
        f"matrix product, and copies {speeds.bytes / 1e9:.0f} GB a second in the cache."
    )
    for batch in args.batch:
        print(f"\nBatch {batch}:\n\n{table(time_lines(batch, args.repeats), speeds)}")


if __name__ == "__main__":
    main()
