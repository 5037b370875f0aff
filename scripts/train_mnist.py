"""Train a network on MNIST, on the CPU or on a GPU.

    python scripts/train_mnist.py --model deep --device cuda
    python scripts/train_mnist.py --model cnn

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
from agrad.optim.lr_scheduler import LRScheduler, OneCycleLR

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
    schedule: LRScheduler | None = None,
    shift: int = 0,
    compile: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> Iterator[Epoch]:
    """Train a model, and yield after each epoch what it came to.

    The schedule takes a step after each of the optimizer's. Images are shifted at random by up to
    `shift` pixels each time that they are shown. With `compile`, steps are recorded and replayed.
    """
    images, labels = data.train.images, data.train.labels
    shuffler = ag.random.Generator(seed)
    steps = -(-len(labels) // batch_size)
    checks = {steps * k // DEV_CHECKS for k in range(1, DEV_CHECKS + 1)}
    best = 0.0

    def step(x: Tensor, gold: Tensor) -> Tensor:
        z: Tensor = model(x)
        loss = nll(z, gold)
        optimizer.zero_grad()
        loss.backward(1.0)
        optimizer.step()
        return z

    take_step = ag.compile(step) if compile else step

    for epoch in range(1, epochs + 1):
        order = shuffler.permutation(len(labels), device=images.device)
        scores, dev_accuracies, seconds = [], [], 0.0
        bar = progress_bar(batches(order, batch_size), f"Epoch {epoch}", progress)
        start = time.perf_counter()
        for number, chosen in enumerate(bar, 1):
            x = images[chosen]
            z = take_step(shifted(x, shift, shuffler) if shift else x, labels[chosen])
            if schedule:
                schedule.step()

            scores.append(z.detach())
            if number in checks:
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


def shifted(images: Tensor, most: int, generator: ag.random.Generator) -> Tensor:
    """Return images of 28x28 pixels, as vectors, each shifted by up to `most` pixels."""
    device, n = images.device, images.size // 784
    padded = ag.zeros((n, 28 + 2 * most, 28 + 2 * most), dtype=images.dtype, device=device)
    padded[:, most : most + 28, most : most + 28] = images.reshape(n, 28, 28)
    starts = ag.floor(generator.uniform(0, 2 * most + 1, (2, n), device=device)).to(ag.int64)
    places = starts[:, :, None] + ag.arange(28, device=device)
    rows, columns = places[0][:, :, None], places[1][:, None, :]
    return padded[ag.arange(n, device=device)[:, None, None], rows, columns].reshape(images.shape)


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


def load(folder: Path | None, device: str, dtype: str, dataset: str = "mnist") -> Splits:
    """Load MNIST, or Fashion-MNIST, with each image as a vector of 784 pixels."""
    parts = ag.data.mnist(folder) if dataset == "mnist" else ag.data.fashion_mnist(folder)
    return Splits(
        *(
            Dataset(part.images.reshape(len(part), -1).to(dtype), part.labels).to(device)
            for part in parts
        )
    )


def build(args: argparse.Namespace) -> tuple[ag.nn.Module, ag.optim.Optimizer]:
    """Make the network and the optimizer that the arguments ask for."""
    options: dict[str, Any] = {"dtype": args.dtype, "device": args.device}
    model: ag.nn.Module
    if args.model == "linear":
        model = ag.models.LinearNetwork(784, 10, **options)
    elif args.model == "cnn":
        model = ag.models.ConvNetwork((1, 28, 28), 10, **options)
    else:
        tanh = args.activation == "tanh"
        model = ag.models.DeepNetwork(784, 10, args.hidden, args.layers, tanh, **options)
    if args.optimizer == "adam":
        return model, ag.optim.Adam(model.parameters(), args.lr)
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
        data = load(args.data_dir, args.device, args.dtype, args.dataset)
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        sys.exit(f"train_mnist.py: {error}")

    schedule = None
    if args.one_cycle:
        steps = args.epochs * -(-len(data.train) // args.batch_size)
        schedule = OneCycleLR(optimizer, args.lr, steps, pct_start=0.2, cycle_momentum=False)
    run = Run()
    print(f"{'Epoch':>5}  {'Mean Loss':>9}  {'Best Dev Accuracy':>17}  {'Train Accuracy':>14}")
    epochs = train(
        model,
        data,
        optimizer,
        epochs=args.epochs,
        batch_size=args.batch_size,
        schedule=schedule,
        shift=args.shift,
        compile=args.compile,
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


# What isn't said on the command line, where it depends on the model
DEFAULTS: dict[str, dict[str, Any]] = {
    "optimizer": {"cnn": "adam", "": "sgd"},
    "lr": {"cnn": 0.005, "": 0.01},
    "batch_size": {"cnn": 100, "": 1},
    "one_cycle": {"cnn": True, "": False},
    "shift": {"cnn": 2, "": 0},
    "compile": {"cnn": True, "": False},
}


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Train a network on MNIST.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument

    def add_by_model(name: str, help: str, **options: Any) -> None:
        """Add an option whose default depends on the model."""
        usual, for_cnn = (DEFAULTS[name.replace("-", "_")][each] for each in ("", "cnn"))
        help = f"{help} (default: {usual}; for cnn {for_cnn})"
        add(f"--{name}", default=argparse.SUPPRESS, help=help, **options)

    switch = argparse.BooleanOptionalAction
    models = ("linear", "deep", "cnn")
    add("--model", choices=models, default="deep", help="one affine layer, several, convolutions")
    add("--activation", choices=("relu", "tanh"), default="relu", help="between affine layers")
    add("--layers", type=positive_int, default=2, help="affine layers of the deep model")
    add("--hidden", type=positive_int, default=100, help="width of the layers between")
    add("--epochs", type=positive_int, default=5, help="passes over the training data")
    add_by_model("optimizer", "what takes the steps", choices=("sgd", "adam"))
    add_by_model("lr", "learning rate", type=float)
    add("--momentum", type=float, default=0.0, help="share of the velocity kept each step, by sgd")
    add_by_model(
        "one-cycle", "let the learning rate go up from near 0 and down again", action=switch
    )
    add_by_model("batch-size", "examples a step", type=positive_int)
    add_by_model("shift", "up to how many pixels images are shifted at random", type=pixels)
    add_by_model("compile", "record the step and replay it", action=switch)
    add("--device", default="cpu", help='"cpu", "cuda" or "cuda:1"')
    add("--dtype", choices=("float32", "float64"), default="float32", help="of all numbers")
    add("--seed", type=int, default=0, help="of the weights, the shuffling and the shifts")
    add("--dataset", choices=("mnist", "fashion-mnist"), default="mnist", help="what to train on")
    add(
        "--data-dir",
        type=Path,
        default=argparse.SUPPRESS,
        help="folder with its four files (default: the repository's copy of MNIST; Fashion-MNIST "
        "is downloaded once)",
    )
    add("--out", type=Path, help="folder for the figures and pictures")
    args = parser.parse_args(argv)
    for name, values in DEFAULTS.items():
        if not hasattr(args, name):
            setattr(args, name, values.get(args.model, values[""]))
    if not hasattr(args, "data_dir"):
        args.data_dir = DATA_DIR if args.dataset == "mnist" else None
    if args.momentum and args.optimizer != "sgd":
        parser.error("argument --momentum: it is for --optimizer sgd")
    return args


def positive_int(text: str) -> int:
    """Read a whole number that is at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def pixels(text: str) -> int:
    """Read a whole number from 0 to 27."""
    value = int(text)
    if not 0 <= value < 28:
        raise argparse.ArgumentTypeError(f"must be from 0 to 27, got {value}")
    return value


if __name__ == "__main__":
    main()
