"""Train the lab report's networks and write its tables, the report's numbers beside ours.

    python scripts/reproduce_report.py

It takes some minutes, and writes docs/report.md and docs/report.png.
"""

import argparse
import math
import os
import platform
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each process has a core; before NumPy's import

import numpy as np
import train_mnist
from tables import markdown_table
from train_mnist import Run

import agrad as ag

DOCS = Path(__file__).parent.parent / "docs"
TOLERANCE = 0.006  # between the report's loss figures and ours


@dataclass(frozen=True)
class Experiment:
    """One of the report's runs: what it trained, and the numbers it printed."""

    name: str
    arguments: str
    report_losses: tuple[float, ...]
    report_test: float
    least_test: float  # what our test accuracy must reach


MOMENTUM_LOSSES = (1.5704, 1.5115, 1.4981, 1.4909, 1.4849)
EXPERIMENTS = [
    Experiment("Linear", "--model linear", (1.6323, 1.5925, 1.5860, 1.5823, 1.5795), 0.9210, 0.915),
    Experiment("Deep, ReLU", "", (1.5715, 1.5129, 1.4993, 1.4913, 1.4853), 0.9718, 0.968),
    Experiment(
        "Deep, tanh", "--activation tanh", (1.5830, 1.5211, 1.5041, 1.4952, 1.4886), 0.9736, 0.968
    ),
    Experiment("Deep, ReLU, momentum μ = 0.1", "--momentum 0.1", MOMENTUM_LOSSES, 0.9761, 0.968),
    Experiment(
        "Deep, ReLU, momentum μ = 0.9, lr 0.001",
        "--momentum 0.9 --lr 0.001",
        MOMENTUM_LOSSES,
        0.9761,
        0.968,
    ),
]


def run(experiment: Experiment, seed: int, epochs: int) -> Run:
    """Train one network from one seed."""
    args = train_mnist.parse([*experiment.arguments.split(), "--seed", str(seed)])
    ag.manual_seed(seed)
    model, optimizer = train_mnist.build(args)
    data = train_mnist.load(args.data_dir, args.device, args.dtype)
    result = Run()
    training = train_mnist.train(model, data, optimizer, epochs=epochs, seed=seed, progress=False)
    for epoch in training:
        result.epochs.append(epoch)
    result.test_accuracy = train_mnist.accuracy(model, data.test)
    return result


def deviations(experiment: Experiment, result: Run) -> list[float]:
    """Return how far our figure is from the report's after each epoch."""
    return [
        abs(epoch.report_loss - printed)
        for epoch, printed in zip(result.epochs, experiment.report_losses, strict=False)
    ]


def reproduced(experiment: Experiment, result: Run) -> bool:
    """Return whether a run gives the report's losses and a test accuracy as good as it must be.

    After fewer epochs than the report's, the losses alone count.
    """
    assert result.test_accuracy is not None
    near = all(deviation <= TOLERANCE for deviation in deviations(experiment, result))
    whole = len(result.epochs) >= len(experiment.report_losses)
    return near and (not whole or result.test_accuracy >= experiment.least_test)


def section(experiment: Experiment, runs: dict[int, Run]) -> str:
    """Return the report's table of one network, and how ours compares."""
    seeds = list(runs)
    rows = []
    for i in range(len(runs[seeds[0]].epochs)):
        epochs = [runs[seed].epochs[i] for seed in seeds]
        rows.append(
            [
                str(i + 1),
                f"{experiment.report_losses[i]:.4f}",
                *(f"{epoch.report_loss:.4f}" for epoch in epochs),
                f"{np.mean([epoch.mean_loss for epoch in epochs]):.4f}",
                f"{np.mean([epoch.best_dev_accuracy for epoch in epochs]):.2%}",
                f"{np.mean([epoch.train_accuracy for epoch in epochs]):.2%}",
            ]
        )
    header = ["Epoch", "The report's loss", *(f"Ours, seed {seed}" for seed in seeds)]
    header += ["Mean Loss", "Best Dev Accuracy", "Train Accuracy"]
    tests = ", ".join(f"{runs[seed].test_accuracy:.2%}" for seed in seeds)
    furthest = max(max(deviations(experiment, result)) for result in runs.values())
    command = " ".join(["python scripts/train_mnist.py", experiment.arguments]).strip()
    return f"""## {experiment.name}

`{command} --seed {seeds[0]}`

{markdown_table(header, rows)}

Test accuracy: the report {experiment.report_test:.2%}; ours {tests}. The loss figures differ from
the report's by {furthest:.4f} at most.
"""


def document(results: dict[Experiment, dict[int, Run]]) -> str:
    """Return the whole page."""
    floor = math.log(math.e + 9) - 1
    seeds = list(next(iter(results.values())))
    return f"""# The lab report, reproduced

agrad began as a lab report that trains a linear and a deep network on MNIST. This page is written
by `python scripts/reproduce_report.py`, which trains its networks again: five epochs of stochastic
gradient descent, one example a step, learning rate 0.01 unless a table says otherwise; 50,000
images to train on, 10,000 to choose by (dev), 10,000 to test; the deep network is
784 → 100 → 10. Columns that stand once are means over the seeds {", ".join(map(str, seeds))}.

![The report's loss figure and ours after each epoch](report.png)

## What the report's loss is

The report's losses can't fall under ln(e + 9) - 1 = {floor:.4f}, however well the network does.
What it prints is log Σ exp(p) - p[gold] with p = softmax(z): the loss of the *probabilities*, taken
as if they were scores. What it trains on is the plain gradient of the loss of the scores z,
softmax(z) - onehot(gold). So its networks learn as they should, and only the figure is another.
The tables have both: the report's figure under "The report's loss" and "Ours", and the true mean
loss, log Σ exp(z) - z[gold] in nats, under "Mean Loss". Each loss is that of an example just before
the step that learns from it, averaged over the epoch.

The report gives no μ for its momentum. With lr 0.01, μ = 0.1 comes to its losses; so does μ = 0.9
with lr 0.001.

{chr(10).join(section(experiment, runs) for experiment, runs in results.items())}
## Made with

agrad {ag.__version__}, NumPy {np.__version__}, Python {platform.python_version()}, on one core of
{cpu_name()} a run.
"""


def cpu_name() -> str:
    """Return what the processor calls itself."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return "an " + line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def draw(results: dict[Experiment, dict[int, Run]], path: Path) -> None:
    """Draw the report's losses and ours against the epoch, one panel a network."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(results), figsize=(3 * len(results), 3.2), sharey=True, layout="constrained"
    )
    for axis, (experiment, runs) in zip(axes, results.items(), strict=True):
        for seed, result in runs.items():
            losses = [epoch.report_loss for epoch in result.epochs]
            epochs = range(1, len(losses) + 1)
            axis.plot(epochs, losses, ".-", lw=1, label=f"ours, seed {seed}")
        axis.plot(epochs, experiment.report_losses[: len(losses)], "kx", ms=8, label="the report")
        axis.axhline(math.log(math.e + 9) - 1, color="gray", ls=":", label="floor")
        axis.set_title(experiment.name.replace(", momentum", ",\nmomentum"), fontsize=9)
        axis.set(xlabel="epoch", xticks=epochs)
    axes[0].set_ylabel("the report's loss figure")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def read_seed(text: str) -> int:
    """Read a whole number that is at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, got {value}")
    return value


def make_writable(folder: Path) -> None:
    """Make the folder, and exit with a message if the page and its picture can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for path in (folder / "report.md", folder / "report.png"):
            if path.exists():
                path.open("ab").close()
    except OSError as error:
        sys.exit(f"reproduce_report.py: can't write to {folder}: {error.strerror}")


def main(argv: list[str] | None = None) -> int:
    """Run all experiments; return 1 if one doesn't come to the report's numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=read_seed, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, choices=range(1, 6), default=5)
    parser.add_argument("--out", type=Path, default=DOCS, help="folder for report.md, report.png")
    args = parser.parse_args(argv)
    make_writable(args.out)

    results: dict[Experiment, dict[int, Run]] = {}
    failures = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        waiting = {
            (experiment, seed): pool.submit(run, experiment, seed, args.epochs)
            for experiment in EXPERIMENTS
            for seed in args.seeds
        }
        for (experiment, seed), future in waiting.items():
            result = results.setdefault(experiment, {})[seed] = future.result()
            good = reproduced(experiment, result)
            failures += not good
            losses = " ".join(f"{epoch.report_loss:.4f}" for epoch in result.epochs)
            print(
                f"{experiment.name}, seed {seed}: {losses}, test {result.test_accuracy:.2%}"
                f" ({'as in the report' if good else 'NOT as in the report'})"
            )
    (args.out / "report.md").write_text(document(results))
    draw(results, args.out / "report.png")
    print(f"written: {args.out / 'report.md'}, {args.out / 'report.png'}")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
