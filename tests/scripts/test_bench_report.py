"""The other benchmarks: that they run, and that the page has what they measured."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "scripts" / "bench"


def run(script, *options):
    """Run a benchmark as a user does, on one core, and return what it prints."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(BENCH / script), *options]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is kept by Linux alone")
def test_the_peak_of_a_step_is_at_least_its_activations():
    options = ["--batch", "1024", "--steps", "10", "--contestants", "agrad eager", "--json"]
    found = json.loads(run("memory.py", *options))
    hidden = 2 * 1024 * 500 * 4 / 1e6  # two layers of it, in MB
    assert hidden < found["peaks"]["agrad eager"]["1024"] < 10 * hidden


def test_each_line_of_a_step_is_timed_beside_its_floor():
    out = run("lines.py", "--batch", "64", "--repeats", "5")
    # The weights, 784 x 100, times 64 examples, in thousands
    products = [line for line in out.splitlines() if f"| {2 * 784 * 100 * 64 // 1000} |" in line]
    assert [line.split("(")[0] for line in products] == ["| `matmul", "| `add_matmul1"]
    assert "**all**" in out


def test_the_report_writes_its_page_with_plots(tmp_path):
    pytest.importorskip("matplotlib")
    run("report.py", "--quick", "--out", str(tmp_path))
    page = (tmp_path / "benchmarks.md").read_text()
    for heading in ("One core", "The engine", "Memory", "Import"):
        assert f"# {heading}" in page
    for plot in tmp_path.glob("*.svg"):
        assert plot.name in page
        assert "agrad recorded" in plot.read_text()
    assert len(list(tmp_path.iterdir())) == 3
