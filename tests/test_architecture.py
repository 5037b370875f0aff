"""How the rooms are joined: who knows which array library, who imports whom, and how fast."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import agrad

ROOT = Path(agrad.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
OUTSIDE = [path for path in FILES if "backends" not in path.parts]
LIBRARIES = {"numpy", "cupy", "torch", "jax", "dask", "array_api_compat", "array_api_strict"}
HEAVY = [
    "cupy",
    "torch",
    "jax",
    "dask",
    "matplotlib",
    "tqdm",
    "pooch",
    "optree",
    "scipy",
    "array_api_strict",
]

# The floors of the house: a room imports from those below it. What one floor has several rooms on
# may know each other, as long as no circle arises; `data` is a house of its own.
FLOORS = [
    ["dtypes", "typing"],
    ["backends"],
    ["writes"],
    ["autograd"],
    ["ops"],
    ["fft", "linalg", "program", "special", "tensor"],
    ["random"],
    ["transforms"],
    ["nn", "data"],
    ["optim"],
    ["amp", "fusion", "guards", "io", "models", "routine"],
    ["graphs"],
    ["compile"],
]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def nodes(path: Path) -> Iterator[ast.AST]:
    """Give the nodes of a file's syntax tree, but for what only type checkers look at."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        yield node
        hints = [getattr(node, field, None) for field in ("annotation", "returns")]
        waiting += [each for each in ast.iter_child_nodes(node) if each not in hints]


def imports(path: Path) -> set[str]:
    """Return the full names of the modules (or of what is in them) that a file imports."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


@pytest.mark.parametrize("path", OUTSIDE, ids=name)
def test_only_the_backends_know_an_array_library(path):
    assert {each.partition(".")[0] for each in imports(path)} & LIBRARIES == set()
    names = {node.id for node in nodes(path) if isinstance(node, ast.Name)}
    assert names & (LIBRARIES | {"np", "cp"}) == set()


# NumPy's own protocol, and the device that goes without saying in a repr
ALLOWED = {("tensor.py", "self.device != 'cpu'"), ("tensor.py", "self.device == 'cpu'")}


@pytest.mark.parametrize("path", OUTSIDE, ids=name)
def test_only_the_backends_ask_which_library_or_device_it_is(path):
    """No ``if device == "cuda"``: what differs between libraries is a method of their backend."""
    words = ("numpy", "cupy", "cuda", "torch", "jax", "cpu", "array_api")
    for node in nodes(path):
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("startswith"):
            compared = node.args
        elif isinstance(node, ast.match_case):
            compared = [node.pattern]
        else:
            continue
        constants = [e.value for each in compared for e in ast.walk(each) if hasattr(e, "value")]
        asks = [each for each in constants if isinstance(each, str) and each.startswith(words)]
        assert not asks or (name(path), ast.unparse(node)) in ALLOWED, ast.unparse(node)


def test_every_room_has_its_floor():
    rooms = {room(path) for path in FILES} - {"__init__"}
    assert rooms == {each for floor in FLOORS for each in floor}


@pytest.mark.parametrize("path", [path for path in FILES if room(path) != "__init__"], ids=name)
def test_imports_run_one_way(path):
    """Also inside functions: what would be a circle is none the less one for being late."""
    floor = {each: number for number, floor in enumerate(FLOORS) for each in floor}
    here = room(path)
    others = {each.split(".")[1] for each in imports(path) if each.startswith("agrad.")} - {here}
    assert {each for each in others if floor[each] >= floor[here]} == set()


# In a fresh interpreter --------------------------------------------------------------------------


def run(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter that finds this very agrad, and return what it prints."""
    command = [sys.executable, "-c", code]
    env = {**os.environ, **environment}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT.parent, env=env
    ).stdout


def test_importing_agrad_imports_nothing_heavy():
    modules = json.loads(run("import json, sys, agrad; print(json.dumps(list(sys.modules)))"))
    assert "agrad.backends.numpy" in modules
    assert {each.partition(".")[0] for each in modules} & set(HEAVY) == set()


def test_importing_agrad_adds_at_most_50_ms_to_importing_numpy(tmp_path):
    # Compiled files are there from the second run on, as they are for users.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    code = (
        "from time import perf_counter as now; start = now(); import numpy; between = now(); "
        "import agrad; print(between - start, now() - between)"
    )
    runs = [[float(seconds) for seconds in run(code, **compiled).split()] for _ in range(9)]
    numpy, added = (min(seconds) for seconds in zip(*runs, strict=True))
    # NumPy takes about 50 ms itself; where a machine is slow or busy, it tells by how much.
    assert added <= max(0.05, numpy)


def test_the_face_only_hands_names_on():
    tree = ast.parse((ROOT / "__init__.py").read_text())
    kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.AugAssign, ast.Expr)
    assert [type(each).__name__ for each in tree.body if not isinstance(each, kinds)] == []
    for each in agrad.ops.__all__:
        assert getattr(agrad, each) is getattr(agrad.ops, each)
