"""Time convolutions, pooling and a training step of a network that convolves: agrad and PyTorch.

    python scripts/bench/conv.py

Both run in one process, pinned to one core and in turns; what counts are the ratios. Before they
are timed, both must have come to the same outputs and gradients. OMP_NUM_THREADS=8 before the
command gives them 8 cores.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # libraries read it when they load

import numpy as np
from arguments import positive_float, positive_int
from machine import CORES, pin

import agrad as ag
from agrad.nn import functional as F

Array = np.ndarray[Any, Any]
Timed = tuple[float, float]  # the seconds of a forward and of a backward pass


@dataclass(frozen=True)
class Layer:
    """A layer, and the images that it is shown; the first layer needs no gradient by them."""

    into: int
    out: int  # 0 for a max pool
    size: int
    kernel: int = 3
    padding: int = 0
    first: bool = False

    def __str__(self) -> str:
        what = f"{self.into} -> {self.out}" if self.out else f"max pool of {self.into}"
        padded = f", padding {self.padding}" if self.padding else ""
        return f"{what}, {self.kernel}x{self.kernel} on {self.size}x{self.size}{padded}"

    def arrays(self, batch: int) -> list[Array]:
        """Return images and, for a convolution, the weights and the bias."""
        rng = np.random.default_rng(0)
        shapes: list[tuple[int, ...]] = [(batch, self.into, self.size, self.size)]
        if self.out:
            shapes += [(self.out, self.into, self.kernel, self.kernel), (self.out,)]
        return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]

    def forward(self, functions: Any, inputs: list[Any]) -> Any:
        if self.out:
            return functions.conv2d(*inputs, padding=self.padding)
        return functions.max_pool2d(*inputs, self.kernel)


LAYERS = [
    Layer(1, 32, 28, first=True),
    Layer(32, 64, 26),
    Layer(32, 64, 13),
    Layer(1, 32, 28, padding=1, first=True),
    Layer(32, 64, 14, padding=1),
    Layer(64, 64, 7, padding=1),
    Layer(64, 64, 14, padding=1),
    Layer(32, 0, 28, kernel=2),
    Layer(64, 0, 14, kernel=2),
]


def of_agrad(layer: Layer, batch: int) -> tuple[Callable[[], Timed], Callable[[], list[Array]]]:
    """Return what times a forward and a backward pass, and what gives the results of the last."""
    arrays = layer.arrays(batch)
    inputs = [ag.Tensor(x, requires_grad=i > 0 or not layer.first) for i, x in enumerate(arrays)]
    if not layer.first:  # in the order that the layer before leaves them in
        inputs[0] = ag.Tensor(
            np.moveaxis(np.moveaxis(arrays[0], 1, -1).copy(), -1, 1), requires_grad=True
        )
    out = layer.forward(F, inputs).detach()
    g = out * 0 + 1

    def run() -> Timed:
        nonlocal out
        start = time.perf_counter()
        y = layer.forward(F, inputs)
        middle = time.perf_counter()
        y.backward(g)
        end = time.perf_counter()
        out = y.detach()
        for x in inputs:
            x.grad = None
        return middle - start, end - middle

    def results() -> list[Array]:
        layer.forward(F, inputs).backward(g)
        grads = [x.grad.numpy() for x in inputs if x.grad is not None]
        return [out.numpy(), *grads]

    return run, results


def of_pytorch(layer: Layer, batch: int) -> tuple[Callable[[], Timed], Callable[[], list[Array]]]:
    """Do the same."""
    import torch

    torch.set_num_threads(CORES)
    functions = torch.nn.functional
    inputs = [torch.tensor(x) for x in layer.arrays(batch)]
    for i, x in enumerate(inputs):
        x.requires_grad_(i > 0 or not layer.first)
    out = layer.forward(functions, inputs).detach()
    g = torch.ones_like(out)

    def run() -> Timed:
        nonlocal out
        start = time.perf_counter()
        y = layer.forward(functions, inputs)
        middle = time.perf_counter()
        y.backward(g)
        end = time.perf_counter()
        out = y.detach()
        for x in inputs:
            x.grad = None
        return middle - start, end - middle

    def results() -> list[Array]:
        layer.forward(functions, inputs).backward(g)
        grads = [x.grad.numpy() for x in inputs if x.grad is not None]
        return [out.numpy(), *grads]

    return run, results


# A whole step ------------------------------------------------------------------------------------


def step_of_agrad(batch: int, recorded: bool) -> Callable[[], Timed]:
    """Return what times a training step of the network of train_mnist.py --model cnn."""
    model = ag.models.ConvNetwork((1, 28, 28), 10)
    optimizer = ag.optim.Adam(model.parameters(), 0.001)

    def step(x: ag.Tensor, gold: ag.Tensor) -> ag.Tensor:
        loss = F.cross_entropy(model(x), gold)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    take = ag.compile(step) if recorded else step
    x, gold = (ag.Tensor(each) for each in _batch(batch))

    def run() -> Timed:
        start = time.perf_counter()
        take(x, gold)
        return time.perf_counter() - start, 0.0

    return run


def step_of_pytorch(batch: int) -> Callable[[], Timed]:
    import torch
    from torch import nn

    torch.set_num_threads(CORES)
    layers: list[nn.Module] = []
    for into, out in ((1, 32), (32, 64), (64, 64)):
        layers.append(nn.Conv2d(into, out, 3, padding=1, bias=False))
        layers += [nn.MaxPool2d(2), nn.BatchNorm2d(out), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(576, 10))
    optimizer = torch.optim.Adam(model.parameters(), 0.001)
    x, gold = (torch.tensor(each) for each in _batch(batch))

    def run() -> Timed:
        start = time.perf_counter()
        loss = nn.functional.cross_entropy(model(x), gold)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return time.perf_counter() - start, 0.0

    return run


def _batch(batch: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.random((batch, 1, 28, 28), dtype=np.float32), rng.integers(0, 10, batch)


# Measuring ---------------------------------------------------------------------------------------


def medians(runs: dict[str, Callable[[], Timed]], seconds: float) -> dict[str, Timed]:
    """Return the median times in milliseconds, taken in turns."""
    times: dict[str, list[Timed]] = {name: [] for name in runs}
    for run in runs.values():  # the first ones look up what they call
        for _ in range(3):
            run()
    end = time.perf_counter() + seconds
    while not times["agrad"] or time.perf_counter() < end:
        for name, run in runs.items():
            times[name].append(run())
    return {
        name: (
            1e3 * statistics.median(forward for forward, _ in taken),
            1e3 * statistics.median(backward for _, backward in taken),
        )
        for name, taken in times.items()
    }


def check(layer: Layer, results: dict[str, list[Array]]) -> None:
    """Raise an error if outputs or gradients differ by more than rounding."""
    for own, theirs in zip(results["agrad"], results["PyTorch"], strict=True):
        if not np.allclose(own, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max()):
            raise RuntimeError(f"agrad and PyTorch come to different results for {layer}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=positive_int, default=64)
    parser.add_argument("--seconds", type=positive_float, default=3, help="for each layer")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    args = parser.parse_args(argv)
    pin()
    try:
        import torch  # noqa: F401
    except ImportError as error:
        sys.exit(f"conv.py compares with PyTorch: {error}")

    found: dict[str, dict[str, Timed]] = {}
    for layer in LAYERS:
        pairs = {"agrad": of_agrad(layer, args.batch), "PyTorch": of_pytorch(layer, args.batch)}
        check(layer, {name: results() for name, (_, results) in pairs.items()})
        found[str(layer)] = medians({name: run for name, (run, _) in pairs.items()}, args.seconds)
    steps = {
        "agrad": step_of_agrad(args.batch, recorded=False),
        "agrad recorded": step_of_agrad(args.batch, recorded=True),
        "PyTorch": step_of_pytorch(args.batch),
    }
    step = {name: each[0] for name, each in medians(steps, args.seconds).items()}

    if args.json:
        print(json.dumps({"batch": args.batch, "layers": found, "step": step}))
        return
    print(f"batch {args.batch}, {CORES} core{'s' if CORES > 1 else ''}; milliseconds:")
    print(f"  {'':34}{'agrad':>17}{'PyTorch':>17}{'agrad takes':>24}")
    for name, times in found.items():
        own, theirs = times["agrad"], times["PyTorch"]
        columns = "".join(f"{a:9.2f} + {b:5.2f}" for a, b in (own, theirs))
        ratios = " ".join(
            f"{a / b:6.2f}" for a, b in [*zip(own, theirs, strict=True), (sum(own), sum(theirs))]
        )
        print(f"  {name:34}{columns}   {ratios} times")
    print("  (forward + backward; the ratios of these, and of both together)")
    for name, milliseconds in step.items():
        print(f"  a training step, {name:17}{milliseconds:9.2f}", end="")
        print(f"   agrad takes {step['agrad'] / milliseconds:.2f} times")


if __name__ == "__main__":
    main()
