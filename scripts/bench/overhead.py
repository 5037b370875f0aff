"""Time what agrad adds to the calls into NumPy, and how that grows with the length of a chain.

    python scripts/bench/overhead.py

A chain of calls on small arrays is run by agrad, and by NumPy alone: the same functions forward,
and the calls of their rules, written out by hand, backward. Both run in turns on one core.
"""

import argparse
import json
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # libraries read it when they load

import numpy as np
from arguments import positive_int
from machine import pin

import agrad as ag

Array = np.ndarray[Any, Any]
SIZE = 10


@dataclass(frozen=True)
class Link:
    """A function that a chain is made of, y ← f(y, x), and its rules written out by hand."""

    agrad: Callable[[ag.Tensor, ag.Tensor], ag.Tensor]
    numpy: Callable[[Array, Array], Array]
    back: Callable[[Array, Array, Array, Array, Array | None], tuple[Array, Array | None]]


def multiply_back(
    g: Array, y: Array, x: Array, out: Array, total: Array | None
) -> tuple[Array, Array | None]:
    """Return the gradient by y, and that by x added to what it is so far."""
    g_x = g * y
    return g * x, g_x if total is None else total + g_x


def tanh_back(
    g: Array, y: Array, x: Array, out: Array, total: Array | None
) -> tuple[Array, Array | None]:
    """Return the gradient by y; x has none."""
    return g * (1 - out * out), total


LINKS = {
    "multiply": Link(lambda y, x: y * x, lambda y, x: y * x, multiply_back),
    "tanh": Link(lambda y, x: ag.tanh(y), lambda y, x: np.tanh(y), tanh_back),
}


def values() -> tuple[Array, Array]:
    """Return where a chain begins, and the x that each link takes."""
    rng = np.random.default_rng(0)
    return rng.random(SIZE), 1 + 1e-9 * rng.random(SIZE)


def agrad_chain(link: Link, calls: int) -> tuple[float, float]:
    """Return the seconds of the forward and of the backward pass."""
    start, factor = values()
    y0 = y = ag.Tensor(start, requires_grad=True)
    x = ag.Tensor(factor, requires_grad=True)
    begin = time.perf_counter()
    for _ in range(calls):
        y = link.agrad(y, x)
    between = time.perf_counter()
    y.backward(np.ones(SIZE))
    end = time.perf_counter()
    assert y0.grad is not None
    return between - begin, end - between


def numpy_chain(link: Link, calls: int) -> tuple[float, float]:
    """Return the same for NumPy alone."""
    y, x = values()
    kept = [y]
    begin = time.perf_counter()
    for _ in range(calls):
        y = link.numpy(y, x)
        kept.append(y)
    between = time.perf_counter()
    g, total = np.ones(SIZE), None
    for k in range(calls - 1, -1, -1):
        g, total = link.back(g, kept[k], x, kept[k + 1], total)
    end = time.perf_counter()
    return between - begin, end - between


CHAINS = {"agrad": agrad_chain, "NumPy": numpy_chain}


def times(link: Link, calls: int, repeats: int) -> dict[str, float]:
    """Return the microseconds of a call, forward and backward, with agrad and with NumPy alone."""
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, chain in CHAINS.items():
            for way, seconds in zip(("forward", "backward"), chain(link, calls), strict=True):
                found.setdefault(f"{name} {way}", []).append(1e6 * seconds / calls)
    return {name: statistics.median(each) for name, each in found.items()}


def peak(link: Link, calls: int) -> float:
    """Return the peak of agrad's memory, in bytes a call."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    agrad_chain(link, calls)
    highest = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return highest / calls


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=positive_int, default=1000, help="in a chain")
    parser.add_argument("--repeats", type=positive_int, default=200)
    parser.add_argument(
        "--nodes", type=positive_int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000]
    )
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    args = parser.parse_args(argv)
    pin()

    calls = {name: times(link, args.calls, args.repeats) for name, link in LINKS.items()}
    tanh = LINKS["tanh"]
    lengths = [
        {"nodes": n, **times(tanh, n, max(1, 200_000 // n)), "bytes": peak(tanh, n)}
        for n in args.nodes
    ]
    if args.json:
        print(json.dumps({"calls": calls, "lengths": lengths}))
        return
    print("µs a call, agrad - NumPy:")
    for name, each in calls.items():
        print(f"  {name:9} {difference(each, 'forward')}, {difference(each, 'backward')}")
    print("the same for tanh in chains of some length, and agrad's peak of memory:")
    for each in lengths:
        print(
            f"  {each['nodes']:9,} {difference(each, 'forward')}, {difference(each, 'backward')}, "
            f"{each['bytes']:.0f} bytes a call"
        )


def difference(found: dict[str, float], way: str) -> str:
    """Return what agrad takes, NumPy, and the difference."""
    own, raw = found[f"agrad {way}"], found[f"NumPy {way}"]
    return f"{way} {own:.2f} - {raw:.2f} = {own - raw:.2f}"


if __name__ == "__main__":
    main()
