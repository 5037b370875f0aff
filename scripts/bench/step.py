"""Time one training step of the 784-100-10 ReLU network against NumPy by hand and PyTorch.

    python scripts/bench/step.py

All run in one process, pinned to one core and interleaved; what counts are the ratios.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import agrad as ag
from agrad.nn.functional import nll

Step = Callable[[int], None]
IN, HIDDEN, OUT, LR = 784, 100, 10, 0.01


def make_data(batch: int, count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` batches of random images and classes; a batch of 1 is a plain vector."""
    rng = np.random.default_rng(0)
    x = rng.random((count, batch, IN), dtype=np.float32)
    y = rng.integers(0, OUT, (count, batch))
    return (x[:, 0], y[:, 0]) if batch == 1 else (x, y)


def make_weights() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = [(HIDDEN, IN), (HIDDEN,), (OUT, HIDDEN), (OUT,)]
    return [(0.05 * rng.standard_normal(shape)).astype(np.float32) for shape in shapes]


def agrad_step(x: np.ndarray, y: np.ndarray) -> Step:
    model = ag.models.DeepNetwork(IN, OUT, HIDDEN, 2)
    for parameter, value in zip(model.parameters(), make_weights(), strict=True):
        parameter.data = value
    optimizer = ag.optim.SGD(model.parameters(), LR)
    labels = [int(yi) if yi.ndim == 0 else ag.Tensor(yi) for yi in y]
    examples = list(zip(map(ag.Tensor, x), labels, strict=True))

    def step(i: int) -> None:
        image, label = examples[i % len(examples)]
        loss = nll(model(image), label)
        optimizer.zero_grad()
        loss.backward(1.0)
        optimizer.step()

    return step


def numpy_step(x: np.ndarray, y: np.ndarray) -> Step:
    W1, b1, W2, b2 = make_weights()

    def one(i: int) -> None:
        image, label = x[i % len(x)], y[i % len(x)]
        h = W1 @ image + b1
        a = np.maximum(h, 0)
        z = W2 @ a + b2
        p = np.exp(z - z.max())
        p /= p.sum()
        _ = -np.log(p[label])
        p[label] -= 1
        da = W2.T @ p
        dh = da * (h > 0)
        W2[...] -= LR * np.outer(p, a)
        b2[...] -= LR * p
        W1[...] -= LR * np.outer(dh, image)
        b1[...] -= LR * dh

    def many(i: int) -> None:
        images, labels = x[i % len(x)], y[i % len(x)]
        rows = np.arange(len(labels))
        h = images @ W1.T + b1
        a = np.maximum(h, 0)
        z = a @ W2.T + b2
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        _ = -np.log(p[rows, labels]).mean()
        p[rows, labels] -= 1
        p /= len(labels)
        da = p @ W2
        dh = da * (h > 0)
        W2[...] -= LR * (p.T @ a)
        b2[...] -= LR * p.sum(axis=0)
        W1[...] -= LR * (dh.T @ images)
        b1[...] -= LR * dh.sum(axis=0)

    return one if x.ndim == 2 else many


def torch_step(x: np.ndarray, y: np.ndarray) -> Step:
    import torch

    torch.set_num_threads(1)
    model = torch.nn.Sequential(
        torch.nn.Linear(IN, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, OUT)
    )
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), make_weights(), strict=True):
            parameter.copy_(torch.from_numpy(value))
    optimizer = torch.optim.SGD(model.parameters(), LR)
    images, labels = torch.from_numpy(x), torch.from_numpy(y)

    def step(i: int) -> None:
        loss = torch.nn.functional.cross_entropy(model(images[i % len(x)]), labels[i % len(x)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


CONTESTANTS = {"agrad": agrad_step, "NumPy by hand": numpy_step, "PyTorch eager": torch_step}


def median_times(steps: dict[str, Step], seconds: float) -> dict[str, float]:
    """Return the median time of a step in microseconds, taken in turns."""
    for step in steps.values():
        for i in range(20):
            step(i)
    times: dict[str, list[float]] = {name: [] for name in steps}
    end = time.perf_counter() + seconds
    i = 0
    while i == 0 or time.perf_counter() < end:
        for name, step in steps.items():
            for _ in range(10):
                start = time.perf_counter()
                step(i)
                times[name].append(time.perf_counter() - start)
                i += 1
    return {name: 1e6 * statistics.median(each) for name, each in times.items()}


def positive_int(text: str) -> int:
    """Read a whole number that is at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def positive_float(text: str) -> float:
    """Read a number above 0."""
    value = float(text)
    if not value > 0:  # nor NaN
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return value


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=positive_int, nargs="+", default=[1, 64, 1024])
    parser.add_argument("--seconds", type=positive_float, default=10, help="per batch size")
    args = parser.parse_args(argv)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    contestants = dict(CONTESTANTS)
    try:
        import torch

        print(f"NumPy {np.__version__}, PyTorch {torch.__version__}, one core")
    except ImportError:
        print("PyTorch isn't installed and is left out", file=sys.stderr)
        del contestants["PyTorch eager"]

    for batch in args.batch:
        data = make_data(batch)
        steps = {name: make(*data) for name, make in contestants.items()}
        times = median_times(steps, args.seconds)
        own = times["agrad"]
        print(f"batch {batch}:")
        for name, microseconds in times.items():
            ratio = f"   agrad takes {own / microseconds:.2f} times as long"
            print(f"  {name:14} {microseconds:8.1f} µs{ratio if name != 'agrad' else ''}")


if __name__ == "__main__":
    main()
