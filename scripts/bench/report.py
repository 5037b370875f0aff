"""Run all benchmarks, and write docs/benchmarks.md and its plots.

    python scripts/bench/report.py

It takes some minutes. Each benchmark runs in processes of its own.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

from machine import available_cores, cpu_name, versions  # noqa: E402
from tables import markdown_table  # noqa: E402

DOCS = HERE.parent.parent / "docs"
PAGE, BATCHES_PLOT, DEPTHS_PLOT = "benchmarks.md", "benchmarks_batch.svg", "benchmarks_depth.svg"
PACKAGES = ["numpy", "scipy", "torch", "jax", "autograd", "mygrad"]
Results = list[dict[str, Any]]


@dataclass(frozen=True)
class Settings:
    """How much is measured."""

    table: list[int]  # batch sizes
    batches: list[int]
    depths: list[int]
    depth_batches: list[int]
    seconds: float
    step: list[str]  # further options of the scripts
    overhead: list[str]
    memory: list[str]
    import_time: list[str]


FULL = Settings(
    table=[1, 64, 1024],
    batches=[1, 4, 16, 64, 256, 1024, 4096],
    depths=[1, 2, 4, 8, 16, 32, 64],
    depth_batches=[1, 64],
    seconds=8,
    step=[],
    overhead=[],
    memory=[],
    import_time=[],
)
QUICK = Settings(
    table=[1, 3],
    batches=[1, 3],
    depths=[1, 2],
    depth_batches=[1],
    seconds=0.01,
    step=["--contestants", "agrad eager", "agrad recorded", "NumPy by hand"],
    overhead=["--calls", "10", "--repeats", "2", "--nodes", "10", "20"],
    memory=["--batch", "2", "--steps", "10", "--contestants", "agrad eager"],
    import_time=["--repeats", "1", "--modules", "numpy", "agrad"],
)


def measure(script: str, options: list[Any], cores: int = 1) -> Any:
    """Run a benchmark and return what it measured."""
    print(f"{script} {' '.join(map(str, options))} on {cores} of the cores", file=sys.stderr)
    env = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    env["OMP_NUM_THREADS"] = str(cores)
    command = [sys.executable, str(HERE / script), *map(str, options), "--json"]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"report.py: {script} failed")
    return json.loads(done.stdout)


# Tables and plots --------------------------------------------------------------------------------


def step_tables(results: Results) -> str:
    """Return the ratios, and the times that they are of, of each contestant and batch size."""
    times = {each["batch"]: each["microseconds"] for each in results}
    names = list(next(iter(times.values())))
    own = [name for name in names if name.startswith("agrad")]
    ratios = [
        [name] + [f"{found[each] / found[name]:.2f}" for found in times.values() for each in own]
        for name in names
    ]
    header = ["agrad takes this many times as long as"]
    header += [f"batch {batch}, {each.removeprefix('agrad ')}" for batch in times for each in own]
    rows = [[name, *(f"{found[name]:.1f}" for found in times.values())] for name in names]
    columns = ["µs a step", *(f"batch {batch}" for batch in times)]
    return f"{markdown_table(header, ratios)}\n\n{markdown_table(columns, rows)}"


def overhead_tables(found: Any) -> str:
    """Return what agrad adds to a call, and what a call costs in chains of some length."""

    def cells(times: dict[str, float]) -> list[str]:
        return [
            f"{times[f'agrad {way}']:.2f} - {times[f'NumPy {way}']:.2f} = "
            f"{times[f'agrad {way}'] - times[f'NumPy {way}']:.2f}"
            for way in ("forward", "backward")
        ]

    calls = [[name, *cells(times)] for name, times in found["calls"].items()]
    lengths = [
        [f"{each['nodes']:,}", *cells(each), f"{each['bytes']:.0f}"] for each in found["lengths"]
    ]
    ways = ["µs forward", "µs backward"]
    return (
        f"{markdown_table(['function', *ways], calls)}\n\n"
        f"{markdown_table(['calls of tanh', *ways, 'peak, bytes a call'], lengths)}"
    )


def memory_tables(found: Any) -> str:
    """Return the peaks of a step, and what has grown over many."""
    batches = list(next(iter(found["peaks"].values())))
    peaks = [
        [name, *(f"{each[batch]:.1f}" for batch in batches)]
        for name, each in found["peaks"].items()
    ]
    growth = [
        [name, str(each["steps"]), f"{each['MB']:+.1f}", f"{each['objects']:+}"]
        for name, each in found["growth"].items()
    ]
    return (
        f"{markdown_table(['peak, MB', *(f'batch {batch}' for batch in batches)], peaks)}\n\n"
        f"{markdown_table(['growth', 'steps', 'MB', 'Python objects'], growth)}"
    )


def import_table(found: Any) -> str:
    """Return what imports take."""
    rows = [
        [f"`import {module}`" + (", after NumPy" if module == "agrad" else ""), f"{time:.0f}"]
        for module, time in found["milliseconds"].items()
    ]
    return markdown_table(["", "ms"], rows)


def draw(panels: dict[str, Results], along: str, label: str, path: Path) -> None:
    """Draw the time of a step against the batch size or the depth, one panel for each results."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "agrad"  # the same file for the same figures
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(panels), figsize=(1.5 + 5 * len(panels), 4.5), squeeze=False, layout="constrained"
    )
    for axis, (title, results) in zip(axes[0], panels.items(), strict=True):
        for i, name in enumerate(results[0]["microseconds"]):
            own = name.startswith("agrad")
            axis.plot(
                [each[along] for each in results],
                [each["microseconds"][name] for each in results],
                "o-" if own else ".-",
                lw=2.5 if own else 1,
                color=f"C{i}",
                label=name,
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        ticks = [each[along] for each in results]
        axis.set_xticks(ticks, labels=map(str, ticks))
        axis.set(xlabel=label, title=title)
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("µs a step")
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


# The page ----------------------------------------------------------------------------------------


def page(settings: Settings, found: dict[str, Any], cores: int, missing: dict[str, str]) -> str:
    """Return docs/benchmarks.md."""
    used = ", ".join(f"{name} {number}" for name, number in versions(PACKAGES).items())
    left_out = "".join(
        f"\n{name} is left out: {reason}.\n" for name, reason in sorted(missing.items())
    )
    table = [each for each in found["batches"] if each["batch"] in settings.table]
    one = "This machine has one."
    all_cores = step_tables(found["all cores"]) if "all cores" in found else one
    return f"""# Benchmarks

This page is written by `python scripts/bench/report.py`. It was last run on
{datetime.date.today():%d %B %Y}, on {cpu_name()} with {cores} core{"s" if cores > 1 else ""}, with
Python {platform.python_version()}, {used}.
{left_out}
What counts are the ratios: all contestants run in one process and in turns, so that a busy machine
slows all of them down. Times are medians. Even so, ratios move by some hundredths from run to run.

## A training step

One step of gradient descent of the 784-100-10 ReLU network, in float32: forward pass, mean
cross-entropy, gradients, update. All begin with the same weights and get the same batches, which
lie ready as each library's arrays. After three steps the script compares the weights, and refuses
to time whoever has come to others.

- **agrad eager** runs `loss.backward()` and `optimizer.step()` as written; **agrad recorded** is
  the same step in `ag.compile`.
- **NumPy by hand** is what one writes without a library. **NumPy planned** writes every result to
  an array made beforehand (`out=`). **best by hand** has BLAS add the products to the weights as it
  multiplies, which saves most where batches are small.
- **PyTorch eager**, **HIPS autograd** and **MyGrad** are written as in their manuals. **JAX jit**
  is one `jax.jit` of the whole step. **JAX tuned** gives its old weights up to be overwritten
  (`donate_argnums`) and keeps them transposed where that is faster.

### One core

{step_tables(table)}

![Time of a step against the batch size]({BATCHES_PLOT})

![Time of a step against the number of layers, each but the last 100 wide]({DEPTHS_PLOT})

### All cores

{all_cores}

## The engine

What agrad adds to the calls into NumPy: a chain of calls on arrays of 10 numbers is run by agrad,
and by NumPy alone, with the calls of the rules written out by hand. The cells are agrad - NumPy =
difference, for one call. Of `multiply` both arguments have a gradient.

{overhead_tables(found["overhead"])}

In long chains Python's garbage collector looks through all that is recorded, again and again, and
finds nothing: agrad makes no reference cycles.

## Memory

The peak of a step of the 784-500-500-10 network: how far the resident memory of the process rises
above what it is before the first step. Below, what 10,000 steps of the 784-100-10 network with one
example add.

{memory_tables(found["memory"])}

## Import

The time of an import in a fresh interpreter.

{import_table(found["import_time"])}

## Run it again

```sh
pip install -e ".[bench]"
python scripts/bench/report.py       # all of this, in some minutes
python scripts/bench/step.py         # the table for one core alone
```

`overhead.py`, `memory.py` and `import_time.py`, beside them, print the other tables. Whoever isn't
installed is left out, and named.
"""


def make_writable(folder: Path) -> None:
    """Make the folder, and exit with a message if the page can't be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for name in (PAGE, BATCHES_PLOT, DEPTHS_PLOT):
            if (folder / name).exists():
                (folder / name).open("ab").close()
    except OSError as error:
        sys.exit(f"report.py: can't write to {folder}: {error.strerror}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DOCS, help="folder for the page and its plots")
    parser.add_argument("--quick", action="store_true", help="little of it, to see that it runs")
    args = parser.parse_args(argv)
    settings = QUICK if args.quick else FULL
    make_writable(args.out)

    cores = len(available_cores())
    seconds = ["--seconds", settings.seconds]
    one = measure("step.py", ["--batch", *settings.batches, *seconds, *settings.step])
    found = {"batches": one["results"]}
    missing = dict(one["missing"])
    if cores > 1:
        options = ["--batch", *settings.table, *seconds, *settings.step]
        found["all cores"] = measure("step.py", options, cores)["results"]
    seconds = ["--seconds", settings.seconds / 2]
    options = ["--batch", *settings.depth_batches, "--layers", *settings.depths]
    depths = measure("step.py", [*options, *seconds, *settings.step])["results"]
    for name in ("overhead", "memory", "import_time"):
        found[name] = measure(f"{name}.py", getattr(settings, name))

    batch_panel = {"2 layers": found["batches"]}
    draw(batch_panel, "batch", "batch size", args.out / BATCHES_PLOT)
    depth_panels = {
        f"batch {batch}": [each for each in depths if each["batch"] == batch]
        for batch in settings.depth_batches
    }
    draw(depth_panels, "layers", "layers", args.out / DEPTHS_PLOT)
    (args.out / PAGE).write_text(page(settings, found, cores, missing))
    print(f"written: {args.out / PAGE}")
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
