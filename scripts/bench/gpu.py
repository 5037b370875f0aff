"""Time training steps on a GPU: agrad and PyTorch, on the same card and in turns.

    python scripts/bench/gpu.py

The data set lies on the card, and batches are taken there. Networks and steps are written once, for
both libraries. All begin with the same weights, and whoever comes to others isn't timed. PyTorch
has a contestant more, whose whole step is a CUDA graph.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parent.parent))

from arguments import positive_float, positive_int
from tables import markdown_table

import agrad as ag

EXAMPLES, CHANNELS, SIZE, CLASSES = 8192, 1, 28, 10
LR = 0.01
CHECKED = 8  # steps, after which all must have the same weights; the last ones as CUDA graphs
TURN = 10  # steps between two looks at the clock, which waits for the card
TOLERANCE = 2e-3  # of weights after these steps, beside the largest of them; for TF32 too

Array = np.ndarray[Any, Any]


def mlp(nn: Any) -> list[Any]:
    """Return the layers of the 784-100-10 network, of agrad's or of PyTorch's `nn`."""
    return [nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, CLASSES)]


def convnet(nn: Any) -> list[Any]:
    """Return the layers of a small network that convolves."""
    return [
        *(nn.Conv2d(CHANNELS, 16, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(800, CLASSES)),
    ]


NETWORKS: dict[str, Callable[[Any], list[Any]]] = {"MLP": mlp, "convnet": convnet}


@dataclass(frozen=True)
class Problem:
    """A network, its first weights, the data, and how many examples a step takes."""

    network: str
    batch: int

    def weights(self) -> dict[str, Array]:
        """Return the weights by their names, which are the same in both libraries."""
        generator = ag.random.Generator(0)
        model = ag.nn.Sequential(*NETWORKS[self.network](ag.nn))
        for name, parameter in model.named_parameters():
            fan = parameter.size // parameter.shape[0]
            ag.nn.init.normal_(
                parameter, 0, (2 / fan) ** 0.5 if "weight" in name else 0.1, generator=generator
            )
        return {name: value.numpy().copy() for name, value in model.state_dict().items()}

    def data(self) -> tuple[Array, Array]:
        """Return images and their classes."""
        rng = np.random.default_rng(0)
        images = rng.standard_normal((EXAMPLES, CHANNELS, SIZE, SIZE), dtype=np.float32)
        return images, rng.integers(0, CLASSES, EXAMPLES)

    def batch_number(self, i: int) -> slice:
        """Return where in the data the i-th batch is."""
        start = i * self.batch % (EXAMPLES - self.batch + 1)
        return slice(start, start + self.batch)


@dataclass(frozen=True)
class Contestant:
    """One that takes steps; `wait` returns when the card has done them all.

    `note` says what it didn't do as it was meant to, or is empty.
    """

    step: Callable[[int], Any]
    wait: Callable[[], object]
    weights: Callable[[], dict[str, Array]]
    note: Callable[[], str] = str


def one_step(model: Any, optimizer: Any, functional: Any) -> Callable[[Any, Any], Any]:
    """Return a step of gradient descent, of either library."""

    def step(images: Any, classes: Any) -> Any:
        loss = functional.cross_entropy(model(images), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def of_agrad(problem: Problem, device: str, recorded: bool) -> Contestant:
    model = ag.nn.Sequential(*NETWORKS[problem.network](ag.nn)).to(device)
    model.load_state_dict(problem.weights())
    step: Any = one_step(model, ag.optim.SGD(model.parameters(), LR), ag.nn.functional)
    step = ag.compile(step) if recorded else step
    images, classes = (ag.Tensor(each).to(device) for each in problem.data())

    def take(i: int) -> Any:
        chosen = problem.batch_number(i)
        return step(images[chosen], classes[chosen])

    def wait() -> None:
        if device.startswith("cuda"):
            import cupy

            cupy.cuda.get_current_stream().synchronize()

    def weights() -> dict[str, Array]:
        return {name: value.numpy() for name, value in model.state_dict().items()}

    def note() -> str:
        first_line = step.program().partition("\n")[0] if recorded else ""
        return first_line if first_line.startswith("#") else ""

    return Contestant(take, wait, weights, note)


def agrad_eager(problem: Problem, device: str) -> Contestant:
    return of_agrad(problem, device, recorded=False)


def agrad_recorded(problem: Problem, device: str) -> Contestant:
    return of_agrad(problem, device, recorded=True)


def of_pytorch(problem: Problem, device: str, graph: bool) -> Contestant:
    import torch

    on_gpu = device.startswith("cuda")
    if on_gpu and not torch.cuda.is_available():
        raise ImportError("this PyTorch can't use a GPU")
    if graph and not on_gpu:
        raise ImportError("a CUDA graph needs a GPU")
    model = torch.nn.Sequential(*NETWORKS[problem.network](torch.nn)).to(device)
    model.load_state_dict({k: torch.from_numpy(v) for k, v in problem.weights().items()})
    optimizer = torch.optim.SGD(model.parameters(), LR)
    step = one_step(model, optimizer, torch.nn.functional)
    images, classes = (torch.from_numpy(each).to(device) for each in problem.data())
    if graph:
        first = problem.batch_number(0)
        step = _captured(model, step, images[first], classes[first])

    def take(i: int) -> Any:
        chosen = problem.batch_number(i)
        return step(images[chosen], classes[chosen])

    return Contestant(
        take,
        (lambda: torch.cuda.synchronize(device)) if on_gpu else (lambda: None),
        lambda: {name: value.cpu().numpy() for name, value in model.state_dict().items()},
    )


def _captured(model: Any, step: Any, images: Any, classes: Any) -> Callable[[Any, Any], Any]:
    """Return a step that replays a CUDA graph, made as PyTorch's manual says."""
    import torch

    before = {name: value.clone() for name, value in model.state_dict().items()}
    own_images, own_classes = images.clone(), classes.clone()  # the memory that the graph reads
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):  # what is only done at first, such as finding the fastest algorithms
            step(own_images, own_classes)
    torch.cuda.current_stream().wait_stream(beside)
    model.zero_grad(set_to_none=True)  # the gradients get memory of the graph's
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step(own_images, own_classes)
    model.load_state_dict(before)  # it copies, to where the graph finds the weights

    def replay(images: Any, classes: Any) -> Any:
        own_images.copy_(images)
        own_classes.copy_(classes)
        graph.replay()
        return loss

    return replay


def pytorch_eager(problem: Problem, device: str) -> Contestant:
    return of_pytorch(problem, device, graph=False)


def pytorch_graph(problem: Problem, device: str) -> Contestant:
    return of_pytorch(problem, device, graph=True)


CONTESTANTS: dict[str, Callable[[Problem, str], Contestant]] = {
    "agrad eager": agrad_eager,
    "agrad recorded": agrad_recorded,
    "PyTorch eager": pytorch_eager,
    "PyTorch, CUDA graph": pytorch_graph,
}


def prepare(problem: Problem, device: str) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return those contestants that can run, and why the others can't.

    Raises
    ------
    RuntimeError
        If one comes to other weights than agrad on the CPU.
    """
    reference = agrad_eager(problem, "cpu")
    ready, missing = {}, {}
    for i in range(CHECKED):
        reference.step(i)
    for name, make in CONTESTANTS.items():
        try:
            contestant = make(problem, device)
        except ImportError as error:
            missing[name] = str(error)
            continue
        for i in range(CHECKED):
            contestant.step(i)
        contestant.wait()
        found = contestant.weights()
        for key, expected in reference.weights().items():
            deviation = np.abs(found[key] - expected).max()
            if not deviation <= TOLERANCE * np.abs(expected).max():
                raise RuntimeError(
                    f"{name} doesn't compute what agrad does on the CPU: after {CHECKED} steps of "
                    f"{problem}, its {key} is {deviation:.2g} off"
                )
        if note := contestant.note():
            missing[f"{name}, as a CUDA graph,"] = note
        ready[name] = contestant
    return ready, missing


def median_times(contestants: dict[str, Contestant], seconds: float) -> dict[str, float]:
    """Return the median time of a step in microseconds, from turns of some steps each."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    end = time.perf_counter() + seconds
    i = 0
    while i < 3 * TURN or time.perf_counter() < end:
        for name, contestant in contestants.items():
            contestant.wait()
            start = time.perf_counter()
            for k in range(i, i + TURN):
                contestant.step(k)
            contestant.wait()
            times[name].append((time.perf_counter() - start) / TURN)
        i += TURN
    return {name: 1e6 * statistics.median(each[1:]) for name, each in times.items()}


def measure(
    device: str, networks: Iterable[str], batches: Iterable[int], seconds: float
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the times for each network and batch size, and why who is left out."""
    results = []
    missing: dict[str, str] = {}
    for network, batch in product(networks, batches):
        ready, missing = prepare(Problem(network, batch), device)
        times = median_times(ready, seconds)
        results.append({"network": network, "batch": batch, "microseconds": times})
    return results, missing


def tables(results: list[dict[str, Any]]) -> str:
    """Return the times and agrad's ratios as Markdown, a table for each network."""
    parts = []
    for network in dict.fromkeys(each["network"] for each in results):
        rows = []
        for each in (each for each in results if each["network"] == network):
            times = each["microseconds"]
            row = [
                str(each["batch"]),
                *(f"{times[n]:.1f}" if n in times else "" for n in CONTESTANTS),
            ]
            for own, peer in (
                ("agrad eager", "PyTorch eager"),
                ("agrad recorded", "PyTorch, CUDA graph"),
            ):
                row.append(f"{times[own] / times[peer]:.2f}" if peer in times else "")
            rows.append(row)
        header = [f"{network}, batch", *(f"{name}, µs" for name in CONTESTANTS)]
        header += ["eager / PyTorch", "recorded / CUDA graph"]
        parts.append(markdown_table(header, rows))
    return "\n\n".join(parts)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help='"cuda", "cuda:1", or "cpu" to try it')
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument(
        "--batch", type=positive_int, nargs="+", default=[1, 16, 64, 256, 1024, 4096]
    )
    parser.add_argument("--seconds", type=positive_float, default=3, help="for each line")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON")
    args = parser.parse_args(argv)
    try:
        device = ag.backends.backend_for(args.device).name
    except (ImportError, RuntimeError, ValueError) as error:
        sys.exit(f"gpu.py: {error}")
    too_many = [batch for batch in args.batch if batch > EXAMPLES]
    if too_many:
        sys.exit(f"gpu.py: there are {EXAMPLES} examples; --batch {too_many[0]} takes more")

    results, missing = measure(device, args.networks, args.batch, args.seconds)
    if args.json:
        print(json.dumps({"results": results, "missing": missing}))
    else:
        print(tables(results))
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)


if __name__ == "__main__":
    main()
