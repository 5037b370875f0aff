"""The timing of a step: what it refuses, and that it runs."""

import importlib
import os
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "scripts" / "bench"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: None, raising=False)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # it sets what isn't set
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    return importlib.import_module("step")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--batch", "0"),
        ("--batch", "-4"),
        ("--batch", "1.5"),
        ("--seconds", "0"),
        ("--seconds", "-1"),
        ("--seconds", "nan"),
        ("--seconds", "soon"),
    ],
)
def test_what_isnt_positive_is_refused(option, value, script, monkeypatch, capsys):
    def ran(*args):
        raise AssertionError("it went on")

    monkeypatch.setattr(script, "prepare", ran)
    with pytest.raises(SystemExit) as exit:
        script.main([option, value])
    assert exit.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {option}: " in message
    assert value in message


@pytest.mark.parametrize("seconds", ["0.01", "1e-9"])
def test_it_times_each_batch_size(seconds, script, capsys):
    names = ["agrad eager", "agrad recorded", "NumPy by hand", "NumPy planned"]
    script.main(["--batch", "1", "3", "--seconds", seconds, "--contestants", *names])
    out = capsys.readouterr().out
    assert "batch 1" in out
    assert "batch 3" in out
    assert all(out.count(name) >= 2 for name in names)
