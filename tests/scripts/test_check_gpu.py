"""The check of a GPU: on CuPy's stand-in it passes, finds what is wrong, and writes its report."""

import importlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import agrad as ag
from agrad import Tensor
from agrad.data import Dataset, Splits
from tests.conftest import why_no_gpu
from tests.cupy_stand_in import installed

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS / "bench")
    monkeypatch.syspath_prepend(SCRIPTS)
    script = importlib.import_module("check_gpu")
    monkeypatch.setattr(script, "BATCHES", [2])
    monkeypatch.setattr(script, "WARM_UP", 1)
    monkeypatch.setattr(script.gpu, "TURN", 1)
    monkeypatch.setattr(script.gpu, "NETWORKS", {"MLP": script.gpu.mlp})
    return script


@pytest.fixture
def card(monkeypatch):
    """Two pretend GPUs; the stand-in for CuPy doesn't say what they are."""
    with installed(devices=2) as cupy:
        for name, value in {
            "getDeviceProperties": lambda index: {"name": f"Pretend {index}".encode()},
            "driverGetVersion": lambda: 13020,
            "runtimeGetVersion": lambda: 12090,
        }.items():
            monkeypatch.setattr(cupy.cuda.runtime, name, value, raising=False)
        yield cupy


@pytest.fixture
def check(script, card, monkeypatch, tmp_path):
    """Run the script on a small data set; return its exit code and its report's figures."""
    rng = np.random.default_rng(0)

    def part(n):
        images = rng.random((n, 28, 28)).astype(np.float32)
        return Dataset(Tensor(images), Tensor(rng.integers(0, 10, n)))

    data = Splits(part(5 * 64), part(20), part(20))
    monkeypatch.setattr(ag.data, "mnist", lambda root: data)
    monkeypatch.setattr(script, "run_tests", lambda: (True, "12 passed, 3 skipped in 4.5s"))

    def run():
        out = tmp_path / "out"
        options = ["--device", "cuda:1", "--steps", "3", "--seconds", "0.001"]
        code = script.main([*options, "--out", str(out)])
        return code, json.loads((out / "report.json").read_text()), (out / "report.md").read_text()

    return run


def test_a_gpu_that_computes_as_the_cpu_does_passes(check, script, card, capsys):
    code, figures, text = check()
    assert code == 0
    assert figures["passed"]
    assert figures["machine"] == {
        "card": "Pretend 1",
        "CUDA driver": "13.2",
        "CUDA runtime": "12.9",
        "CuPy": card.__version__,
        "NumPy": np.__version__,
        **({"PyTorch": version("torch")} if find_spec("torch") else {}),
        "Python": ".".join(map(str, sys.version_info[:3])),
        "agrad": ag.__version__,
    }
    runs = [f"3 steps, batch {n}, {dtype}" for dtype in ("float32", "float64") for n in (1, 64)]
    runs.append("an epoch, batch 64, float32")
    assert list(figures["examples per second"]) == runs
    assert all(speed > 0 for both in figures["examples per second"].values() for speed in both)
    compared = [(each["run"], each["what"]) for each in figures["comparisons"]]
    assert compared == [
        *((run, what) for run in runs[:-1] for what in ("loss of each step", "weights")),
        (runs[-1], "mean loss"),
        *((runs[-1], f"{part} accuracy") for part in ("dev", "train", "test")),
    ]
    for each in figures["comparisons"]:
        assert each["passed"]
        assert 0 <= each["difference"] <= each["tolerance"] <= 2e-3

    assert [(each["network"], each["batch"]) for each in figures["steps"]] == [("MLP", 2)]
    for each in figures["steps"]:
        assert set(each["microseconds"]) == {"agrad eager", "agrad recorded"}
        assert min(each["microseconds"].values()) > 0
    assert set(figures["left out"]) == {"PyTorch eager", "PyTorch, CUDA graph"}
    assert "| MLP, batch | agrad eager, µs |" in text
    assert "PyTorch eager is left out: " in text

    assert "Pretend 1" in text
    assert "12 passed, 3 skipped in 4.5s" in text
    assert all(run in text for run in runs)
    assert text.strip() in capsys.readouterr().out


# A method of the backend, and what it becomes
BREAKS = {
    "steps twice as long": ("axpy_all", lambda was: lambda self, a, x, y: was(self, 2 * a, x, y)),
    "other weights": ("from_host", lambda was: lambda self, x: was(self, x + (x.ndim == 2))),
    "NaN": ("axpy_all", lambda was: lambda self, a, x, y: was(self, np.nan, x, y)),
}


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_gpu_that_computes_otherwise_fails(how, check, script, monkeypatch):
    monkeypatch.setattr(script.gpu, "measure", lambda *args: ([], {}))
    name, change = BREAKS[how]
    kind = type(ag.backends.backend_for("cuda:1"))
    monkeypatch.setattr(kind, name, change(getattr(kind, name)))
    code, figures, text = check()
    assert code == 1
    assert not figures["passed"]
    failed = [each["what"] for each in figures["comparisons"] if not each["passed"]]
    assert failed.count("weights") == 4
    assert "FAILED" in text
    assert "| NO |" in text


def test_steps_that_come_to_other_weights_are_not_timed(check, script, monkeypatch):
    def measure(*args):
        raise RuntimeError("agrad recorded doesn't compute what agrad does on the CPU")

    monkeypatch.setattr(script.gpu, "measure", measure)
    code, figures, text = check()
    assert code == 1
    assert figures["steps"] == []
    assert "agrad recorded doesn't compute what agrad does on the CPU" in text


def test_tests_that_fail_fail_the_check(check, script, monkeypatch):
    monkeypatch.setattr(script.gpu, "measure", lambda *args: ([], {}))
    monkeypatch.setattr(script, "run_tests", lambda: (False, "1 failed, 11 passed in 4.5s"))
    code, figures, text = check()
    assert code == 1
    assert not figures["passed"]
    assert all(each["passed"] for each in figures["comparisons"])
    assert "Tests marked `cuda` FAILED: 1 failed, 11 passed in 4.5s" in text


@pytest.mark.parametrize(
    ("test", "passed", "summary"),
    [
        ("@pytest.mark.cuda\ndef test(): assert True", True, "1 passed, 1 deselected"),
        ("@pytest.mark.cuda\ndef test(): assert False", False, "1 failed, 1 deselected"),
        (
            "@pytest.mark.cuda\n@pytest.mark.skip\ndef test(): pass",
            False,
            "1 skipped, 1 deselected",
        ),
        ("", False, "1 deselected"),
    ],
    ids=["pass", "fail", "skip", "none"],
)
def test_the_tests_marked_cuda_are_run_and_they_alone(
    test, passed, summary, script, monkeypatch, tmp_path, capsys
):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(
        f"import pytest\n\n{test}\n\ndef test_without_a_gpu(): assert False\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = cuda\n")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    found, line = script.run_tests()
    assert found == passed
    assert line.startswith(summary)
    assert ("test_it.py" in capsys.readouterr().err) == ("fail" in summary)


def test_without_a_driver_it_says_so_in_one_line(script, tmp_path, capsys):
    with installed(devices=0):
        assert script.main(["--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("check_gpu.py: CuPy ")
    assert "no GPU can be used" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_isnt_there_is_said_in_one_line(script, card, capsys):
    assert script.main(["--device", "cuda:2"]) == 2
    assert capsys.readouterr().err == (
        "check_gpu.py: there is no device 'cuda:2': this machine has 2 GPU(s)\n"
    )


@pytest.mark.parametrize("where", ["with a GPU", "without CuPy"])
def test_a_device_that_is_no_gpu_is_said_in_one_line(where, script, tmp_path, capsys, request):
    if where == "with a GPU":
        request.getfixturevalue("card")
    assert script.main(["--device", "cpu", "--out", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert err == "check_gpu.py: needs a GPU's device, such as 'cuda'; got 'cpu'\n"
    assert out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not why_no_gpu(), reason="there is a GPU")
def test_the_command_exits_with_2_where_there_is_no_gpu(tmp_path):
    paths = os.pathsep.join(filter(None, [str(SCRIPTS.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, SCRIPTS / "check_gpu.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("check_gpu.py: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
