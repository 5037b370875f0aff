"""The timing of steps on a GPU: that it runs, here on the CPU, and would notice wrong results."""

import importlib
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch isn't installed")

BENCH = Path(__file__).parents[2] / "scripts" / "bench"
QUICK = ["--device", "cpu", "--seconds", "0.001", "--batch", "3"]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    script = importlib.import_module("gpu")
    monkeypatch.setattr(script, "TURN", 1)
    return script


def test_it_prints_times_and_ratios(script, capsys):
    script.main([*QUICK, "--networks", "MLP"])
    out, err = capsys.readouterr()
    header, _, row = out.splitlines()
    assert header.startswith("| MLP, batch | agrad eager, µs | agrad recorded, µs | PyTorch eager")
    batch, *times, eager_ratio, graph_ratio = [each.strip() for each in row.strip("|").split("|")]
    assert batch == "3"
    eager, _, pytorch, graph = times
    assert float(eager_ratio) == pytest.approx(float(eager) / float(pytorch), abs=0.006)
    assert graph == graph_ratio == ""
    assert err == "PyTorch, CUDA graph is left out: a CUDA graph needs a GPU\n"


def test_it_says_so_where_a_recorded_step_is_no_cuda_graph(script, capsys, monkeypatch):
    compiled = importlib.import_module("agrad.compile").Compiled
    program, reason = compiled.program, "# not captured as a graph: there is none"
    monkeypatch.setattr(compiled, "program", lambda self: f"{reason}\n{program(self)}")
    script.main([*QUICK, "--networks", "MLP"])
    err = capsys.readouterr().err
    assert f"agrad recorded, as a CUDA graph, is left out: {reason}\n" in err


def test_it_prints_json(script, capsys):
    script.main([*QUICK, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [each["network"] for each in found["results"]] == ["MLP", "convnet"]
    for each in found["results"]:
        assert min(each["microseconds"].values()) > 0


def test_batches_are_of_the_data_and_differ(script):
    problem = script.Problem("MLP", 4096)
    parts = [problem.batch_number(i) for i in range(5)]
    assert all(0 <= each.start < each.stop <= script.EXAMPLES for each in parts)
    assert len({each.start for each in parts}) > 1


@pytest.mark.parametrize("name", ["agrad recorded", "PyTorch eager"])
def test_other_weights_are_refused(name, script, monkeypatch):
    make = script.CONTESTANTS[name]

    def wrong(problem, device):
        made = make(problem, device)
        off = {key: 1.01 * value for key, value in made.weights().items()}
        return script.Contestant(made.step, made.wait, lambda: off)

    monkeypatch.setitem(script.CONTESTANTS, name, wrong)
    with pytest.raises(RuntimeError, match=f"{name} doesn't compute what agrad does on the CPU"):
        script.main([*QUICK, "--networks", "MLP"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "moon"], "gpu.py: .*moon"),
        (
            ["--device", "cpu", "--batch", "9000"],
            "there are 8192 examples; --batch 9000 takes more",
        ),
    ],
)
def test_what_cant_be_is_said(options, message, script):
    with pytest.raises(SystemExit, match=message):
        script.main(options)
