"""The timing of convolutions: that it runs, and that it would notice wrong results."""

import importlib
import json
import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch isn't installed")

BENCH = Path(__file__).parents[2] / "scripts" / "bench"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: None, raising=False)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # it sets what isn't set
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    script = importlib.import_module("conv")
    monkeypatch.setattr(script, "LAYERS", [script.LAYERS[2], script.LAYERS[-1]])
    return script


def test_it_times_layers_and_steps(script, capsys):
    script.main(["--batch", "2", "--seconds", "0.01"])
    out = capsys.readouterr().out
    assert "batch 2" in out
    for each in ("32 -> 64, 3x3 on 13x13", "max pool of 64", "agrad recorded", "PyTorch"):
        assert each in out


def test_it_prints_json(script, capsys, monkeypatch):
    for name in ("step_of_agrad", "step_of_pytorch"):
        monkeypatch.setattr(script, name, lambda *args, **options: lambda: (0.001, 0.0))
    script.main(["--batch", "2", "--seconds", "0.01", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert len(found["layers"]) == 2
    assert set(found["step"]) == {"agrad", "agrad recorded", "PyTorch"}
    assert min(min(t) for each in found["layers"].values() for t in each.values()) > 0


def test_other_results_are_refused(script, monkeypatch):
    of_agrad = script.of_agrad

    def wrong(layer, batch):
        run, results = of_agrad(layer, batch)
        return run, lambda: [1.01 * x for x in results()]

    monkeypatch.setattr(script, "of_agrad", wrong)
    with pytest.raises(RuntimeError, match="come to different results for 32 -> 64"):
        script.main(["--batch", "2", "--seconds", "0.01"])
