"""The script that reproduces the report: what it refuses at once, and how it judges a run."""

import importlib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    script = importlib.import_module("reproduce_report")

    def trained(*args):
        raise AssertionError("it went on to training")

    monkeypatch.setattr(script, "ProcessPoolExecutor", trained)
    return script


@pytest.mark.parametrize("seeds", [["-1"], ["0", "-3"], ["1.5"]])
def test_seeds_that_are_none_are_refused(seeds, script, capsys):
    with pytest.raises(SystemExit) as exit:
        script.main(["--seeds", *seeds])
    assert exit.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "argument --seeds: " in message
    assert seeds[-1] in message


def block_parent(folder):
    folder.parent.write_text("a file")


def block_folder(folder):
    folder.parent.mkdir()
    folder.write_text("a file")


def block_report(folder):
    (folder / "report.md").mkdir(parents=True)


def block_picture(folder):
    (folder / "report.png").mkdir(parents=True)


@pytest.mark.parametrize("block", [block_parent, block_folder, block_report, block_picture])
def test_where_nothing_can_be_written_nothing_is_trained(block, script, tmp_path):
    folder = tmp_path / "parent" / "out"
    block(folder)
    with pytest.raises(SystemExit) as exit:
        script.main(["--out", str(folder)])
    assert isinstance(exit.value.code, str)  # Python prints it and exits with 1
    assert exit.value.code.startswith(f"reproduce_report.py: can't write to {folder}")
    assert "\n" not in exit.value.code


def test_a_folder_that_forbids_writing_is_found_out(script, monkeypatch, tmp_path):
    def forbidden(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(script.tempfile, "TemporaryFile", forbidden)
    with pytest.raises(SystemExit, match=r"can't write to .*: Permission denied"):
        script.main(["--out", str(tmp_path)])


def test_the_folder_is_made_before_training_and_left_empty(script, tmp_path):
    folder = tmp_path / "new" / "out"
    with pytest.raises(AssertionError, match="went on to training"):
        script.main(["--out", str(folder)])
    assert list(folder.iterdir()) == []


def run_of(script, losses, test_accuracy):
    epoch = script.train_mnist.Epoch
    fields = dict.fromkeys(epoch.__dataclass_fields__, 0)
    run = script.Run()
    run.epochs.extend(epoch(**{**fields, "report_loss": loss}) for loss in losses)
    run.test_accuracy = test_accuracy
    return run


@pytest.mark.parametrize(
    ("epochs", "off", "short", "good"),
    [
        (5, 0.0, 0.0, True),
        (5, 0.005, 0.0, True),
        (5, 0.007, 0.0, False),
        (5, 0.0, 0.01, False),
        (4, 0.0, 0.01, True),  # it hasn't learnt long enough for the test
        (1, 0.0, 0.5, True),
        (1, 0.007, 0.0, False),
        (2, float("nan"), 0.0, False),
    ],
)
def test_a_run_is_judged_by_its_losses_and_a_whole_one_by_its_test_too(
    epochs, off, short, good, script
):
    experiment = script.EXPERIMENTS[0]
    losses = list(experiment.report_losses[:epochs])
    losses[-1] += off
    run = run_of(script, losses, experiment.least_test - short)
    assert script.reproduced(experiment, run) == good
