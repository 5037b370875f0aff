"""Train a network on MNIST, on the CPU or on a GPU.

    python scripts/train_mnist.py --model deep --device cuda

The functions here are the whole of training with agrad: `train` is the loop, `accuracy` measures.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import agrad as ag
from agrad import Tensor
from agrad.data import Dataset, Splits
from agrad.nn.functional import cross_entropy, nll, softmax

DATA_DIR = Path(__file__).parent / "data" / "mnist"
DEV_CHECKS = 5  # how often an epoch the dev accuracy is measured


@dataclass
class Epoch:
    """What one epoch came to; accuracies are fractions, losses in nats."""

    mean_loss: float  # over the training examples, each before the step that learns from it
    report_loss: float  # the lab report's figure: the loss of the probabilities taken as scores
    best_dev_accuracy: float  # of the run so far
    train_accuracy: float
    dev_accuracies: list[float]
    seconds: float  # of training, without the measuring


@dataclass
class Run:
    """What a training run came to; `train` fills it in as it goes."""

    epochs: list[Epoch] = field(default_factory=list)
    test_accuracy: float | None = None
    examples_per_second: float | None = None


def train(
    model: ag.nn.Module,
    data: Splits,
    optimizer: ag.optim.Optimizer,
    *,
    epochs: int,
    batch_size: int = 1,
    seed: int = 0,
    progress: bool = True,
) -> Iterator[Epoch]:
    """Train a model, and yield after each epoch what it came to."""
    images, labels = data.train.images, data.train.labels
    shuffler = ag.random.Generator(seed)
    steps = -(-len(labels) // batch_size)
    checks = {steps * k // DEV_CHECKS for k in range(1, DEV_CHECKS + 1)}
    best = 0.0

    for epoch in range(1, epochs + 1):
        order = shuffler.permutation(len(labels), device=images.device)
        scores, dev_accuracies, seconds = [], [], 0.0
        bar = progress_bar(batches(order, batch_size), f"Epoch {epoch}", progress)
        start = time.perf_counter()
        for step, chosen in enumerate(bar, 1):
            z = model(images[chosen])
            loss = nll(z, labels[chosen])
            optimizer.zero_grad()
            loss.backward(1.0)
            optimizer.step()

            scores.append(z.detach())
            if step in checks:
                seconds += time.perf_counter() - start
                dev_accuracies.append(accuracy(model, data.dev))
                best = max(best, dev_accuracies[-1])
                bar.set_postfix(dev=f"{best:.2%}")
                start = time.perf_counter()

        z = ag.stack(scores) if batch_size == 1 else ag.concat(scores)
        gold = labels[order]
        yield Epoch(
            mean_loss=cross_entropy(z, gold).item(),
            report_loss=cross_entropy(softmax(z), gold).item(),
            best_dev_accuracy=best,
            train_accuracy=(z.argmax(axis=-1) == gold).to(ag.float64).mean().item(),
            dev_accuracies=dev_accuracies,
            seconds=seconds,
        )


def batches(order: Tensor, batch_size: int) -> list[Any]:
    """Return the numbers of the examples of each step: one number, or a Tensor of several."""
    if batch_size == 1:
        return list(order.tolist())
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def predictions(model: ag.nn.Module, images: Tensor, batch_size: int = 1000) -> Tensor:
    """Return the class with the highest score for each image."""
    model.eval()
    with ag.no_grad():
        parts = [
            model(images[i : i + batch_size]).argmax(axis=-1)
            for i in range(0, len(images), batch_size)
        ]
    model.train()
    return ag.concat(parts)


def accuracy(model: ag.nn.Module, data: Dataset) -> float:
    """Return which fraction of a data set the model gets right."""
    right = predictions(model, data.images) == data.labels
    return float(right.to(ag.float64).mean())


def load(folder: Path, device: str, dtype: str) -> Splits:
    """Load MNIST with each image as a vector of 784 pixels."""
    return Splits(
        *(
            Dataset(part.images.reshape(len(part), -1).to(dtype), part.labels).to(device)
            for part in ag.data.mnist(folder)
        )
    )


def build(args: argparse.Namespace) -> tuple[ag.nn.Module, ag.optim.Optimizer]:
    """Make the network and the optimizer that the arguments ask for."""
    options: dict[str, Any] = {"dtype": args.dtype, "device": args.device}
    model: ag.nn.Module
    if args.model == "linear":
        model = ag.models.LinearNetwork(784, 10, **options)
    else:
        tanh = args.activation == "tanh"
        model = ag.models.DeepNetwork(784, 10, args.hidden, args.layers, tanh, **options)
    if args.momentum:
        return model, ag.optim.MomentumSGD(model.parameters(), args.lr, args.momentum)
    return model, ag.optim.SGD(model.parameters(), args.lr)


def progress_bar(steps: list[Any], title: str, show: bool) -> Any:
    """Return the steps with a bar that shows how far they have come."""
    from tqdm import tqdm

    return tqdm(steps, title, leave=False, disable=None if show else True, mininterval=0.5)


# What is written with --out --------------------------------------------------------------------


def plot_curves(run: Run, path: Path) -> None:
    """Draw the loss and the accuracies against the epoch."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    epochs = range(1, len(run.epochs) + 1)
    left.plot(epochs, [e.mean_loss for e in run.epochs], "o-")
    left.set(xlabel="epoch", ylabel="mean loss (nats)", xticks=epochs, ylim=(0, None))
    dev = [a for e in run.epochs for a in e.dev_accuracies]
    checks = len(run.epochs[0].dev_accuracies)
    at = [(k + 1) / checks for k in range(len(dev))]
    right.plot(at, [100 * a for a in dev], ".-", label="dev")
    right.plot(epochs, [100 * e.train_accuracy for e in run.epochs], "o-", label="train")
    right.set(xlabel="epoch", ylabel="accuracy (%)", xticks=epochs)
    right.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_mistakes(model: ag.nn.Module, data: Dataset, path: Path, count: int = 25) -> None:
    """Draw the first images that the model gets wrong, with what it took them for."""
    import matplotlib.pyplot as plt

    guesses = predictions(model, data.images).cpu().numpy()
    labels = data.labels.cpu().numpy()
    wrong = (guesses != labels).nonzero()[0][:count]
    figure, axes = plt.subplots(5, 5, figsize=(7, 8), layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, i in zip(axes.flat, wrong, strict=False):
        axis.imshow(data.images[int(i)].cpu().numpy().reshape(28, 28), cmap="gray_r")
        axis.set_title(f"{labels[i]} taken for {guesses[i]}", fontsize=9)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write(run: Run, args: argparse.Namespace, model: ag.nn.Module, data: Splits) -> None:
    """Write the run's figures and pictures to the folder that --out names."""
    settings = {name: str(v) if isinstance(v, Path) else v for name, v in vars(args).items()}
    figures = {"settings": settings, **asdict(run)}
    (args.out / "run.json").write_text(json.dumps(figures, indent=2) + "\n")
    written = ["run.json"]
    if run.epochs:
        plot_curves(run, args.out / "curves.png")
        written.append("curves.png")
    plot_mistakes(model, data.test, args.out / "mistakes.png")
    written.append("mistakes.png")
    print(f"written to {args.out}: {', '.join(written)}")


def main(argv: list[str] | None = None) -> Run:
    """Train as the command line says."""
    args = parse(argv)
    for name in ("tqdm", "matplotlib") if args.out else ("tqdm",):  # said now, not after training
        if find_spec(name) is None:
            sys.exit(f'train_mnist.py needs {name}; install it with: pip install "agrad[train]"')
    try:
        ag.manual_seed(args.seed)
        model, optimizer = build(args)
        data = load(args.data_dir, args.device, args.dtype)
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"train_mnist.py: {error}")

    run = Run()
    print(f"{'Epoch':>5}  {'Mean Loss':>9}  {'Best Dev Accuracy':>17}  {'Train Accuracy':>14}")
    epochs = train(
        model,
        data,
        optimizer,
        epochs=args.epochs,
        batch_size=args.batch_size,
        seed=args.seed,
    )
    try:
        for number, epoch in enumerate(epochs, 1):
            run.epochs.append(epoch)
            print(
                f"{number:5}  {epoch.mean_loss:9.4f}  {epoch.best_dev_accuracy:17.2%}  "
                f"{epoch.train_accuracy:14.2%}"
            )
    except KeyboardInterrupt:
        print("\nstopped; what follows is of the network as it is now")
    run.test_accuracy = accuracy(model, data.test)
    print(f"Test Accuracy: {run.test_accuracy:.2%}")
    if run.epochs:
        seconds = sum(epoch.seconds for epoch in run.epochs)
        run.examples_per_second = len(run.epochs) * len(data.train) / seconds
        print(f"{run.examples_per_second:,.0f} examples per second")
    if args.out:
        write(run, args, model, data)
    return run


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train a network on MNIST.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--model", choices=("linear", "deep"), default="deep", help="one affine layer, or several")
    add("--activation", choices=("relu", "tanh"), default="relu", help="between the layers")
    add("--layers", type=positive_int, default=2, help="affine layers of the deep model")
    add("--hidden", type=positive_int, default=100, help="width of the layers between")
    add("--epochs", type=positive_int, default=5, help="passes over the training data")
    add("--lr", type=float, default=0.01, help="learning rate")
    add("--momentum", type=float, default=0.0, help="share of the velocity kept each step")
    add("--batch-size", type=positive_int, default=1, help="examples a step")
    add("--device", default="cpu", help='"cpu", "cuda" or "cuda:1"')
    add("--dtype", choices=("float32", "float64"), default="float32", help="of all numbers")
    add("--seed", type=int, default=0, help="of the weights and the shuffling")
    add("--data-dir", type=Path, default=DATA_DIR, help="folder with the four MNIST files")
    add("--out", type=Path, help="folder for the figures and pictures")
    return parser.parse_args(argv)


def positive_int(text: str) -> int:
    """Read a whole number that is at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


if __name__ == "__main__":
    main()
