"""The table of functions: it has all of them, and finds out what is wrong."""

import importlib
import re
from pathlib import Path

import pytest

from agrad.ops import elementwise
from cases import CASES, FLAT

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("check_functions")


@pytest.fixture
def checker(script):
    checker = script.Checker()
    checker.functions = ["exp", "floor", "searchsorted"]
    return checker


@pytest.mark.parametrize("library", ["numpy", "strict"])
def test_a_column_says_how_far_each_function_was_checked(checker, library):
    assert checker.column(library) == {"exp": "2", "floor": "0", "searchsorted": "0"}
    assert checker.failures == []


def test_a_wrong_rule_is_found(checker, monkeypatch):
    monkeypatch.setattr(elementwise._EXP, "rules", (lambda xp, g, out: 2 * g * out,))
    column = checker.column("strict")
    assert (column["exp"], column["floor"]) == ("wrong", "0")
    assert checker.failures[0].startswith("exp-line")


def test_what_a_library_cannot_do_is_told(script, checker, monkeypatch):
    checker.functions = ["var"]
    pytest.importorskip("torch", reason="PyTorch is not installed")
    assert checker.column("torch") == {"var": "2 (1)"}
    monkeypatch.setattr(script, "TITLES", {"torch": "PyTorch"})
    assert "| `var` | 2 (1) |" in script.page(checker, print)
    assert "- **(1)**: PyTorch warns of the variance of no elements" in script.page(checker, print)


def test_the_page_in_the_docs_has_every_function():
    rows = re.findall(r"^\| `(.*?)` \|", (ROOT / "docs" / "functions.md").read_text(), re.MULTILINE)
    assert set(rows) == {case.function for case in (*CASES.values(), *FLAT.values())}
