"""The training script: what it prints, writes and refuses, and that it learns."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agrad as ag
from agrad import Tensor
from agrad.data import Dataset, Splits
from tests.cupy_stand_in import installed

SCRIPTS = Path(__file__).parents[2] / "scripts"
HEADER = ["Epoch", "Mean Loss", "Best Dev Accuracy", "Train Accuracy"]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.setenv("MPLBACKEND", "agg")
    return importlib.import_module("train_mnist")


def noisy_digits(n, seed):
    """Return images that each show one of ten patterns, and noise."""
    patterns = np.random.default_rng(0).random((10, 28, 28))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n)
    images = (patterns[labels] + 0.7 * rng.random((n, 28, 28))) / 1.7
    return Dataset(Tensor(images.astype(np.float32)), Tensor(labels))


@pytest.fixture
def small(monkeypatch):
    """A small data set in MNIST's place."""
    data = Splits(*(noisy_digits(n, seed) for seed, n in enumerate((300, 50, 80), 1)))
    monkeypatch.setattr(ag.data, "mnist", lambda root: data)
    return data


# What a run comes to -----------------------------------------------------------------------------


def by_hand(data, seed, epochs, lr, batch_size):
    """Train the linear network in NumPy alone; return the figures of each epoch, and the test's."""
    ag.manual_seed(seed)
    W, b = (p.data for p in ag.models.LinearNetwork(784, 10, dtype="float64").parameters())
    shuffler = np.random.default_rng(seed)
    (x, y), dev, test = (
        (part.images.numpy().reshape(len(part), 784).astype(float), part.labels.numpy())
        for part in data
    )

    def right(x, y):
        return ((x @ W.T + b).argmax(axis=1) == y).mean()

    def softmax(z):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def losses(z, gold):
        return -np.log(softmax(z)[range(len(gold)), gold])

    result, best = [], 0
    for _ in range(epochs):
        order = shuffler.permutation(len(y))
        batches = [order[i : i + batch_size] for i in range(0, len(y), batch_size)]
        scores, dev_accuracies = [], []
        for step, chosen in enumerate(batches, 1):
            z = x[chosen] @ W.T + b
            scores.append(z)
            slope = (softmax(z) - np.eye(10)[y[chosen]]) / len(chosen)
            W -= lr * slope.T @ x[chosen]
            b -= lr * slope.sum(axis=0)
            if step in {len(batches) * k // 5 for k in (1, 2, 3, 4, 5)}:
                dev_accuracies.append(right(*dev))
                best = max(best, dev_accuracies[-1])
        z, gold = np.concatenate(scores), y[order]
        result.append(
            {
                "mean_loss": losses(z, gold).mean(),
                "report_loss": losses(softmax(z), gold).mean(),
                "best_dev_accuracy": best,
                "train_accuracy": (z.argmax(axis=1) == gold).mean(),
                "dev_accuracies": dev_accuracies,
            }
        )
    return result, right(*test)


# At the last rate the accuracy goes up and down
@pytest.mark.parametrize(("batch_size", "lr"), [(1, 0.02), (7, 0.02), (50, 0.1)])
def test_the_figures_are_those_of_numpy_by_hand(batch_size, lr, script, small):
    options = f"--model linear --epochs 2 --lr {lr} --batch-size {batch_size} --seed 3"
    run = script.main([*options.split(), "--dtype", "float64"])
    epochs, test_accuracy = by_hand(small, seed=3, epochs=2, lr=lr, batch_size=batch_size)
    assert len(run.epochs) == 2
    for epoch, expected in zip(run.epochs, epochs, strict=True):
        for name, value in expected.items():
            assert getattr(epoch, name) == pytest.approx(value, rel=1e-9)
        assert len(epoch.dev_accuracies) == 5
        assert epoch.seconds > 0
    assert run.test_accuracy == pytest.approx(test_accuracy)
    seconds = sum(epoch.seconds for epoch in run.epochs)
    assert run.examples_per_second == pytest.approx(2 * 300 / seconds)


def test_the_rows_are_in_the_reports_words(script, small, capsys):
    run = script.main(["--epochs", "2", "--hidden", "20", "--batch-size", "10"])
    out, err = capsys.readouterr()
    header, first, second, test, speed = out.splitlines()
    assert re.split(r"  +", header.strip()) == HEADER
    for number, (line, epoch) in enumerate(zip((first, second), run.epochs, strict=True), 1):
        assert line.split() == [
            str(number),
            f"{epoch.mean_loss:.4f}",
            f"{100 * epoch.best_dev_accuracy:.2f}%",
            f"{100 * epoch.train_accuracy:.2f}%",
        ]
        assert len(line) == len(header)  # right-aligned columns
    assert test == f"Test Accuracy: {100 * run.test_accuracy:.2f}%"
    assert speed == f"{run.examples_per_second:,.0f} examples per second"
    assert err == ""  # the progress bar shows only on a terminal


def test_a_seed_gives_the_same_figures_twice(script, small):
    def figures(seed):
        run = script.main(["--epochs", "1", "--batch-size", "10", "--seed", str(seed)])
        (epoch,) = run.epochs
        return (epoch.mean_loss, epoch.report_loss, *epoch.dev_accuracies, run.test_accuracy)

    assert figures(0) == figures(0) != figures(1)


def test_one_epoch_teaches_a_linear_network_mnist(script):
    run = script.main(["--model", "linear", "--epochs", "1", "--batch-size", "50", "--lr", "0.2"])
    assert run.test_accuracy > 0.9
    assert run.epochs[0].best_dev_accuracy > 0.9
    assert run.epochs[0].mean_loss < 0.5  # in nats; ln 10 = 2.3 is ignorance


@pytest.mark.parametrize("model", ["linear", "deep"])
def test_a_gpu_gives_the_cpus_figures(model, script, small):
    options = f"--model {model} --epochs 1 --hidden 20 --batch-size 10 --momentum 0.5".split()
    here = script.main([*options, "--dtype", "float64"])
    with installed(devices=2):  # the stand-in for CuPy
        there = script.main([*options, "--dtype", "float64", "--device", "cuda:1"])
    for name in ("mean_loss", "report_loss", "dev_accuracies", "train_accuracy"):
        assert getattr(there.epochs[0], name) == pytest.approx(getattr(here.epochs[0], name))
    assert there.test_accuracy == here.test_accuracy


@pytest.mark.parametrize("options", ["", "--no-compile --optimizer sgd --lr 0.05 --momentum 0.9"])
def test_a_network_that_convolves_learns(options, script, small):
    run = script.main(f"--model cnn --epochs 5 --batch-size 20 {options}".split())
    first, *_, last = run.epochs
    assert last.mean_loss < first.mean_loss
    assert run.test_accuracy > 0.8


@pytest.mark.parametrize(
    ("options", "folder"), [([], None), (["--data-dir", "clothes"], Path("clothes"))]
)
def test_fashion_mnist_is_loaded_where_it_is_asked_for(options, folder, script, monkeypatch):
    roots = []

    def fashion_mnist(root):
        roots.append(root)
        return Splits(*(noisy_digits(n, seed) for seed, n in enumerate((40, 20, 20), 1)))

    monkeypatch.setattr(ag.data, "fashion_mnist", fashion_mnist)
    monkeypatch.delattr(ag.data, "mnist")
    run = script.main(["--dataset", "fashion-mnist", "--epochs", "1", *options])
    assert roots == [folder]
    assert len(run.epochs) == 1


def test_a_recorded_run_is_the_same_run(script, small):
    options = ["--model", "cnn", "--epochs", "2", "--batch-size", "20", "--dtype", "float64"]
    eager, recorded = (script.main([*options, each]) for each in ("--no-compile", "--compile"))
    for one, other in zip(eager.epochs, recorded.epochs, strict=True):
        assert one.mean_loss == pytest.approx(other.mean_loss)
    assert eager.test_accuracy == recorded.test_accuracy


@pytest.mark.parametrize("shape", [(500, 784), (784,)])
def test_images_are_shifted_each_by_its_own_and_filled_up_with_zeros(shape, script):
    images = np.random.default_rng(0).random(shape, dtype=np.float32)
    moved = script.shifted(Tensor(images), 2, ag.random.Generator(0))
    assert moved.shape == shape
    assert moved.dtype == ag.float32
    padded = np.pad(images.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    seen = set()
    for image, out in zip(padded, moved.numpy().reshape(-1, 28, 28), strict=True):
        found = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(image[i : i + 28, j : j + 28], out)
        ]
        assert len(found) == 1
        seen.update(found)
    assert len(seen) == (25 if len(shape) == 2 else 1)


# The command line --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ("", [(100, 784), (100,), (10, 100), (10,)]),
        ("--model linear", [(10, 784), (10,)]),
        ("--hidden 20", [(20, 784), (20,), (10, 20), (10,)]),
        ("--layers 3 --hidden 5", [(5, 784), (5,), (5, 5), (5,), (10, 5), (10,)]),
        ("--layers 1", [(10, 784), (10,)]),
        (
            "--model cnn",
            [
                *[(32, 1, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3)],
                *[(32,), (32,), (64,), (64,), (64,), (64,)],
                *[(10, 576), (10,)],
            ],
        ),
    ],
)
def test_the_options_choose_the_network(options, shapes, script):
    model, optimizer = script.build(script.parse(options.split()))
    assert [p.shape for p in model.parameters()] == shapes
    assert optimizer.params == list(model.parameters())


@pytest.mark.parametrize(
    ("options", "kind", "settings"),
    [
        ("", ag.optim.SGD, {"lr": 0.01}),
        ("--lr 0.5", ag.optim.SGD, {"lr": 0.5}),
        ("--momentum 0.9", ag.optim.MomentumSGD, {"lr": 0.01, "momentum": 0.9}),
        ("--optimizer adam --lr 0.1", ag.optim.Adam, {"lr": 0.1}),
        ("--model cnn", ag.optim.Adam, {"lr": 0.005}),
        ("--model cnn --optimizer sgd --lr 0.5", ag.optim.SGD, {"lr": 0.5}),
    ],
)
def test_the_options_choose_the_optimizer(options, kind, settings, script):
    _, optimizer = script.build(script.parse(options.split()))
    assert type(optimizer) is kind
    for name, value in settings.items():
        assert getattr(optimizer, name) == value


def test_the_options_choose_the_activation_and_the_data_type(script):
    for options, activation, dtype in [
        ("", ag.nn.functional.relu, ag.float32),
        ("--activation tanh --dtype float64", ag.nn.functional.tanh, ag.float64),
    ]:
        model, _ = script.build(script.parse(options.split()))
        first, last = model.layers
        assert {p.dtype for p in model.parameters()} == {dtype}
        x = ag.random.Generator(0).uniform(0, 1, (3, 784), dtype=dtype)
        np.testing.assert_array_equal(
            model(x).detach().numpy(), last(activation(first(x))).detach().numpy()
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--device gpu", "there is no device 'gpu'"),
        ("--device cuda", "no GPU can be used"),
        ("--data-dir {tmp}/nowhere", "nowhere"),
        ("--data-dir {tmp}", "train-images-idx3-ubyte"),
        ("--lr -1", "lr must be a number >= 0, got -1.0"),
        ("--lr nan", "lr must be a number >= 0, got nan"),
        ("--momentum 1.5", "momentum must be less than 1, got 1.5"),
        ("--momentum -0.5", "momentum must be a number >= 0, got -0.5"),
        ("--seed -1", "a seed must be a non-negative integer, got -1"),
        ("--out {tmp}/file", "file"),
    ],
)
def test_what_cant_be_done_is_said_in_one_line_before_training(options, message, script, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with installed(devices=0), pytest.raises(SystemExit) as error:
        script.main([*options.format(tmp=tmp_path).split(), "--epochs", "1"])
    said = str(error.value.code)
    assert said.startswith("train_mnist.py: ")
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "options",
    [
        "--model huge",
        "--activation sigmoid",
        "--dtype float16",
        "--epochs 0",
        "--batch-size -1",
        "--shift 28",
        "--optimizer adagrad",
        "--momentum 0.9 --model cnn",
        "--layers 0",
        "--hidden many",
        "--lr fast",
        "--seed x",
        "--unknown 1",
    ],
)
def test_what_is_no_option_is_named(options, script, capsys):
    with pytest.raises(SystemExit) as error:
        script.main(options.split())
    assert error.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert options.split()[0] in last


def test_without_tqdm_it_says_what_installs_it(script, small, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(SystemExit) as error:
        script.main(["--epochs", "1"])
    assert 'pip install "agrad[train]"' in str(error.value.code)


# What it writes, and how it stops ----------------------------------------------------------------


def check_written(out, run, files):
    assert sorted(path.name for path in out.iterdir()) == sorted(files)
    for path in out.glob("*.png"):
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG\r\n")
        assert len(data) > 2000
    written = json.loads((out / "run.json").read_text())
    assert [epoch["mean_loss"] for epoch in written["epochs"]] == [e.mean_loss for e in run.epochs]
    assert written["test_accuracy"] == run.test_accuracy
    assert written["examples_per_second"] == run.examples_per_second
    return written


ALL_FILES = ["run.json", "curves.png", "mistakes.png"]


# 300 examples in batches of 100 make three steps, in batches of 1000 one
@pytest.mark.parametrize("batch_size", [10, 100, 1000])
def test_out_holds_the_figures_and_the_pictures(batch_size, script, small, tmp_path, capsys):
    out = tmp_path / "a" / "b"
    options = f"--epochs 2 --lr 0.001 --batch-size {batch_size} --out {out}"
    run = script.main(options.split())
    written = check_written(out, run, ALL_FILES)
    assert written["settings"]["lr"] == 0.001
    assert written["settings"]["out"] == str(out)
    assert f"written to {out}: {', '.join(ALL_FILES)}" in capsys.readouterr().out


def test_out_holds_a_picture_even_if_nothing_is_wrong(script, small, tmp_path):
    run = script.main(f"--epochs 3 --lr 0.1 --batch-size 10 --out {tmp_path / 'out'}".split())
    assert run.test_accuracy == 1  # the patterns are easy to tell apart
    check_written(tmp_path / "out", run, ALL_FILES)


@pytest.mark.parametrize(
    ("after", "epochs", "files"),
    [
        (70, 2, ALL_FILES),  # in the third epoch of 30 steps
        (10, 0, ["run.json", "mistakes.png"]),  # in the first
    ],
)
def test_ctrl_c_stops_cleanly_and_writes_what_there_is(
    after, epochs, files, script, small, tmp_path, capsys, monkeypatch
):
    calls, nll = [], script.nll

    def interrupted(*args):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return nll(*args)

    monkeypatch.setattr(script, "nll", interrupted)
    out = tmp_path / "out"
    run = script.main(f"--epochs 100 --batch-size 10 --out {out}".split())
    assert len(run.epochs) == epochs
    check_written(out, run, files)
    printed = capsys.readouterr().out
    assert "stopped" in printed
    assert f"Test Accuracy: {run.test_accuracy:.2%}" in printed
    assert f"written to {out}: {', '.join(files)}" in printed
    assert (run.examples_per_second is None) == (epochs == 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_sigint_stops_the_script_and_it_still_writes(tmp_path):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("this process ignores SIGINT, as those in the background do, and so its child")
    out = tmp_path / "out"
    command = [sys.executable, "-u", str(SCRIPTS / "train_mnist.py"), "--out", str(out)]
    options = ["--model", "linear", "--epochs", "100000", "--batch-size", "5000"]
    paths = os.pathsep.join(filter(None, [str(SCRIPTS.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": paths}
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        header, first = process.stdout.readline(), process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert header.split() == " ".join(HEADER).split()
    assert first.split()[0] == "1"
    assert "stopped" in rest
    assert "Test Accuracy: " in rest
    assert errors == ""
    assert process.returncode == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(ALL_FILES)
    assert json.loads((out / "run.json").read_text())["epochs"]


# Measuring ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 80, 1000])
def test_predictions_are_the_highest_scores_however_many_at_a_time(batch_size, script, small):
    data = small.test
    images = data.images.reshape(len(data), 784)
    model = ag.models.LinearNetwork(784, 10)
    expected = (images.numpy() @ model.layer.weight.data.T).argmax(axis=1)
    guesses = script.predictions(model, images, batch_size)
    np.testing.assert_array_equal(guesses.numpy(), expected)
    assert model.training
    share = (expected == data.labels.numpy()).mean()
    assert script.accuracy(model, Dataset(images, data.labels)) == pytest.approx(share)
