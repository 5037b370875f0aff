"""The pages' examples run, and the reference lists every public name."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agrad as ag
from agrad import autograd, dtypes
from agrad.nn import functional, init
from agrad.ops import elementwise

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "docs/index.md",
    "docs/tutorial.md",
    "docs/devices.md",
    "docs/mixed_precision.md",
]
REFERENCE = {
    "agrad": [
        *ag.tensor.__all__,
        *dtypes.__all__,
        "enable_grad",
        "is_grad_enabled",
        "no_grad",
        "set_default_device",
        "get_default_device",
        "set_float32_matmul_precision",
        "get_float32_matmul_precision",
    ],
    "amp": ag.amp.__all__,
    "autograd": [name for name in autograd.__all__ if not hasattr(ag, name)],
    "data": ag.data.__all__,
    "fft": ag.fft.__all__,
    "functional": functional.__all__,
    "functions": ag.ops.__all__,
    "init": init.__all__,
    "linalg": ag.linalg.__all__,
    "models": ag.models.__all__,
    "nn": [name for name in ag.nn.__all__ if isinstance(getattr(ag.nn, name), type)],
    "optim": [
        *ag.optim.__all__,
        *ag.optim.lr_scheduler.__all__,
        *ag.optim.swa_utils.__all__,
    ],
    "random": ag.random.__all__,
    "special": ag.special.__all__,
    "utils": ag.nn.utils.__all__,
}


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # where the tutorial says to run them
    text = re.sub(r"^```.*$", "", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    assert test.examples
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_examples_with_other_code_run() -> None:
    for package in ("scipy", "sklearn", "einops"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    command = [sys.executable, "docs/run_examples.py", "docs/other_code.md"]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_example_of_a_new_function() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    room = dict(vars(elementwise))
    exec(code, room)
    x = ag.Tensor([0.0, 3.0], requires_grad=True)
    y = room["exp2"](x)
    y.sum().backward()
    np.testing.assert_allclose(y.tolist(), [1, 8])
    np.testing.assert_allclose(x.grad.tolist(), np.log(2) * np.array([1, 8]))


@pytest.mark.parametrize("page", REFERENCE)
def test_reference_is_complete(page: str) -> None:
    words = set(re.findall(r"\w+", (ROOT / "docs" / "api" / f"{page}.md").read_text("utf-8")))
    assert set(REFERENCE[page]) <= words
