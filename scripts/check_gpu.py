"""Check agrad on this machine's GPU: one command, and a report to keep.

    python scripts/check_gpu.py

It runs the tests marked `cuda`, trains the deep ReLU network on the GPU and on the CPU from the
same seed, compares the two, times steps against PyTorch's on the same card (by bench/gpu.py), and
writes what it found to out/gpu/report.md and report.json. It exits with 0 if all is well, with 1 if
something differs, and with 2 if there is no GPU to check. No time makes it fail.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import train_mnist
from tables import markdown_table

import agrad as ag
from agrad.nn.functional import nll

sys.path.append(str(Path(__file__).parent / "bench"))

import gpu
from arguments import positive_float

ROOT = Path(__file__).parent.parent
SEED = 0
BATCHES = [1, 64, 1024, 4096]  # of the steps that are timed beside PyTorch's
WARM_UP = 20  # steps before the clock starts, in which kernels are compiled

# How far the GPU's losses and weights may be from the CPU's. The two add up in different orders,
# each step hands the rounding on to the next, and a ReLU may switch where its input is almost 0.
STEPS_TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
EPOCH_TOLERANCE = 2e-3  # of losses in nats, and of accuracies as fractions

Figures = dict[str, Any]  # NumPy arrays and numbers, by what they are
SPEED = "examples per second"


@dataclass
class Comparison:
    """Some figures of a training run on both devices."""

    run: str
    what: str
    cpu: float  # the last of the figures
    gpu: float
    difference: float  # the largest of all
    tolerance: float
    passed: bool


def machine(device: str) -> dict[str, str]:
    """Return the card, the driver and the versions at hand."""
    import cupy

    runtime = cupy.cuda.runtime
    index = ag.backends.backend_for(device).device.id
    return {
        "card": runtime.getDeviceProperties(index)["name"].decode(),
        "CUDA driver": cuda_version(runtime.driverGetVersion()),
        "CUDA runtime": cuda_version(runtime.runtimeGetVersion()),
        "CuPy": cupy.__version__,
        "NumPy": np.__version__,
        **({"PyTorch": version("torch")} if find_spec("torch") else {}),
        "Python": platform.python_version(),
        "agrad": ag.__version__,
    }


def cuda_version(number: int) -> str:
    """Return "13.2" for 13020."""
    return f"{number // 1000}.{number % 1000 // 10}"


def run_tests() -> tuple[bool, str]:
    """Run the tests that need a GPU; return whether they passed, and pytest's last line."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    summary = (done.stdout.strip() or "no output").splitlines()[-1].strip("= ")
    passed = done.returncode == 0 and " passed" in summary  # not so if all were skipped
    if not passed:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    return passed, summary


def settings(device: str, dtype: str) -> argparse.Namespace:
    """Return train_mnist.py's settings: the deep ReLU network, all else as it comes."""
    return train_mnist.parse(["--device", device, "--dtype", dtype])


def some_steps(folder: Path, dtype: str, batch_size: int, steps: int, device: str) -> Figures:
    """Train for some steps."""
    data = train_mnist.load(folder, device, dtype).train
    ag.manual_seed(SEED)
    model, optimizer = train_mnist.build(settings(device, dtype))
    order = ag.random.Generator(SEED).permutation(len(data), device=device)
    losses: list[ag.Tensor] = []
    start = time.perf_counter()
    for step, chosen in enumerate(train_mnist.batches(order, batch_size)[: WARM_UP + steps]):
        if step == WARM_UP:
            losses[-1].item()  # the GPU has done all that came before
            start = time.perf_counter()
        loss = nll(model(data.images[chosen]), data.labels[chosen])
        optimizer.zero_grad()
        loss.backward(1.0)
        optimizer.step()
        losses.append(loss.detach())
    history = ag.stack(losses).cpu().numpy()  # it waits for the GPU
    seconds = time.perf_counter() - start
    weights = [p.detach().reshape(-1) for p in model.parameters()]
    return {
        "loss of each step": history,
        "weights": ag.concat(weights).cpu().numpy(),
        SPEED: (len(losses) - WARM_UP) * batch_size / seconds,
    }


def an_epoch(folder: Path, dtype: str, batch_size: int, device: str) -> Figures:
    """Train for an epoch, by train_mnist.py's own functions."""
    data = train_mnist.load(folder, device, dtype)
    ag.manual_seed(SEED)
    model, optimizer = train_mnist.build(settings(device, dtype))
    (epoch,) = train_mnist.train(model, data, optimizer, epochs=1, batch_size=batch_size, seed=SEED)
    return {
        "mean loss": epoch.mean_loss,
        "dev accuracy": epoch.best_dev_accuracy,
        "train accuracy": epoch.train_accuracy,
        "test accuracy": train_mnist.accuracy(model, data.test),
        SPEED: len(data.train) / epoch.seconds,
    }


def compare(
    run: str, train: Callable[[str], Figures], device: str, tolerance: float
) -> tuple[list[Comparison], list[float]]:
    """Train on both devices; return how their figures compare, and the speed of each."""
    cpu, gpu = train("cpu"), train(device)
    speeds = [cpu.pop(SPEED), gpu.pop(SPEED)]
    comparisons = []
    for what in cpu:
        a, b = np.atleast_1d(cpu[what]), np.atleast_1d(gpu[what])
        largest = float(abs(a - b).max())
        comparisons.append(
            Comparison(
                run, what, float(a[-1]), float(b[-1]), largest, tolerance, largest <= tolerance
            )
        )
    return comparisons, speeds


def report(figures: Figures) -> str:
    """Return the report as Markdown."""
    tests, verdict = figures["tests"], {True: "passed", False: "FAILED"}
    compared = [
        [c["run"], c["what"], f"{c['cpu']:.6f}", f"{c['gpu']:.6f}", f"{c['difference']:.1e}",
         f"{c['tolerance']:.0e}", "yes" if c["passed"] else "NO"]
        for c in figures["comparisons"]
    ]  # fmt: skip
    speeds = [[run, *(f"{s:,.0f}" for s in both)] for run, both in figures[SPEED].items()]
    return "\n\n".join(
        [
            f"# agrad on {figures['machine']['card']}: {verdict[figures['passed']]}",
            markdown_table(["", ""], [list(fact) for fact in figures["machine"].items()]),
            f"Tests marked `cuda` {verdict[tests['passed']]}: {tests['summary']}.",
            "The deep ReLU network trained on both devices from the same seed. Of figures that are "
            "many, the last is shown, and the largest difference of all:",
            markdown_table(["run", "", "CPU", "GPU", "difference", "at most", "passed"], compared),
            "Examples per second:",
            markdown_table(["run", "CPU", "GPU"], speeds),
            "A step of gradient descent on this card, with the data set on it:",
            figures["wrong"] or gpu.tables(figures["steps"]),
            *(f"{name} is left out: {why}." for name, why in figures["left out"].items()),
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Check, print and write the report; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Check agrad on a GPU.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--device", default="cuda", help='"cuda" or "cuda:1"')
    parser.add_argument("--steps", type=train_mnist.positive_int, default=300, help="to compare")
    parser.add_argument("--seconds", type=positive_float, default=2, help="to time each step for")
    parser.add_argument("--data-dir", type=Path, default=train_mnist.DATA_DIR, help="MNIST's files")
    parser.add_argument("--out", type=Path, default=Path("out/gpu"), help="folder of the report")
    args = parser.parse_args(argv)
    try:
        device = ag.backends.backend_for(args.device).name
        if not device.startswith("cuda"):
            raise ValueError(f"needs a GPU's device, such as 'cuda'; got {args.device!r}")
        facts = machine(device)
    except (ImportError, RuntimeError, ValueError) as error:
        print(f"check_gpu.py: {error}", file=sys.stderr)
        return 2

    print(f"{facts['card']}: running the tests marked cuda ...", flush=True)
    passed, summary = run_tests()
    runs: list[tuple[str, Callable[[str], Figures], float]] = [
        (
            f"{args.steps} steps, batch {batch_size}, {dtype}",
            partial(some_steps, args.data_dir, dtype, batch_size, args.steps),
            tolerance,
        )
        for dtype, tolerance in STEPS_TOLERANCE.items()
        for batch_size in (1, 64)
    ]
    epoch = partial(an_epoch, args.data_dir, "float32", 64)
    runs.append(("an epoch, batch 64, float32", epoch, EPOCH_TOLERANCE))
    comparisons: list[Comparison] = []
    speeds = {}
    for run, train, tolerance in runs:
        print(f"training: {run} ...", flush=True)
        found, speeds[run] = compare(run, train, device, tolerance)
        comparisons += found

    print("timing steps beside PyTorch's ...", flush=True)
    try:
        steps, left_out = gpu.measure(device, gpu.NETWORKS, BATCHES, args.seconds)
        wrong = None
    except RuntimeError as error:  # what isn't the same isn't timed
        steps, left_out, wrong = [], {}, str(error)

    figures = {
        "passed": passed and all(each.passed for each in comparisons) and not wrong,
        "machine": facts,
        "tests": {"passed": passed, "summary": summary},
        "comparisons": [asdict(each) for each in comparisons],
        SPEED: speeds,
        "steps": steps,
        "left out": left_out,
        "wrong": wrong,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "report.md").write_text(report(figures) + "\n")
    (args.out / "report.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\n{report(figures)}\n\nwritten to {args.out}: report.md, report.json")
    return 0 if figures["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
