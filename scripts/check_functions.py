"""Check every function's value and derivatives on every array library, and write the table of it.

    python scripts/check_functions.py --output docs/functions.md

It runs the cases of the tests (``tests/cases``) and needs what they need:
``pip install ".[test]"``, and the libraries that are to have a column. On NumPy, first and second
derivatives are held to finite differences; on the others, all three to what NumPy gives.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from tables import markdown_table

ROOT = Path(__file__).parents[1]
HEAD = """# Functions and array libraries

Every function with a derivative, and how far it was checked on each array library, by

```sh
python scripts/check_functions.py --output docs/functions.md
```

- **2**: the value, the gradient, and the gradient of the gradient are right. On NumPy the
  derivatives are held to finite differences in float64, on the other libraries to what NumPy gives.
- **0**: the value is right; the function has no derivative that says anything (`argmax`, `floor`,
  comparisons), so its results require no gradient.
- **·**: not checked here, since the library or a GPU was not at hand.
- CuPy's stand-in is a module with CuPy's surface and NumPy inside: see [](devices.md).
- **(1)**: not all cases can be run; the reason stands under that number below the table.

What makes arrays (`zeros`, `arange`, ...) or asks about data types is tested in `tests/ops` on all
libraries, and isn't listed.
"""


def load(path: str) -> ModuleType:
    """Import a file of the tests, which are no package."""
    name = Path(path).with_suffix("").as_posix().replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Checker:
    """Runs the tests' cases, and collects what they give."""

    def __init__(self) -> None:
        sys.path.insert(0, str(ROOT / "tests"))  # where `cases` is
        self.places: dict[str, Any] = load("tests/conftest.py").PLACES
        self.rules: Any = load("tests/ops/test_rules.py")
        self.reasons: dict[str, int] = {}  # why a case can't be run, and the reason's number
        self.failures: list[str] = []
        functions = [*self.rules.CASES.values(), *self.rules.FLAT.values()]
        self.functions = sorted(
            {case.function for case in functions}, key=lambda name: ("." in name, name.lower())
        )

    def column(self, place_name: str) -> dict[str, str]:
        """Return what each function's cases give on a library."""
        import pytest

        enter, *args = self.places[place_name]
        manager: AbstractContextManager[Any] = enter(*args)
        try:
            place = manager.__enter__()
        except pytest.skip.Exception:
            return dict.fromkeys(self.functions, "·")
        try:
            return {name: self.cell(name, place) for name in self.functions}
        finally:
            manager.__exit__(None, None, None)

    def cell(self, function: str, place: Any) -> str:
        """Return how far one function was checked on a library."""
        smooth, flat = (
            [name for name, case in table.items() if case.function == function]
            for table in (self.rules.CASES, self.rules.FLAT)
        )
        if place.name in ("jax", "dask"):  # a hundred times as slow as NumPy
            smooth = smooth[:3]
        reasons = []
        checked = 0
        for name in (*smooth, *flat):
            case = {**self.rules.CASES, **self.rules.FLAT}[name]
            if place.name in case.without:
                reasons.append(case.without[place.name])
                continue
            try:
                self.check(name, place, flat=name in flat)
                checked += 1
            except Exception as error:
                self.failures.append(f"{name} on {place.name}: {type(error).__name__}: {error}")
                return "wrong"
        level = ("2" if smooth else "0") if checked else ""
        numbers = sorted({self.number(reason) for reason in reasons})
        return " ".join((level, *(f"({number})" for number in numbers))).strip()

    def check(self, name: str, place: Any, *, flat: bool) -> None:
        """Run one case; an exception tells that it is wrong."""
        rules = self.rules
        if flat:
            rules.test_functions_without_a_derivative(name, place)
        elif place.name == "numpy":
            rules.test_the_value_is_numpys(name)
            if rules.CASES[name].smooth:
                rules.test_the_gradient_is_the_slope(name)
                rules.test_the_second_derivative_is_the_slope_of_the_gradient(name)
        else:
            rules.hold_to_numpy(name, place)

    def number(self, reason: str) -> int:
        return self.reasons.setdefault(reason, len(self.reasons) + 1)


TITLES = {
    "numpy": "NumPy",
    "cupy": "CuPy",
    "cupy-stand-in": "CuPy's stand-in",
    "torch": "PyTorch",
    "jax": "JAX",
    "dask": "Dask",
    "strict": "array-api-strict",
}


def page(checker: Checker, report: Callable[[str], object]) -> str:
    """Return the page with the table."""
    columns = {}
    for name in TITLES:
        report(f"{TITLES[name]} ...")
        columns[name] = checker.column(name)
    rows = [
        [f"`{function}`", *(column[function] for column in columns.values())]
        for function in checker.functions
    ]
    table = markdown_table(["function", *TITLES.values()], rows)
    notes = [f"- **({number})**: {reason}" for reason, number in checker.reasons.items()]
    return "\n".join([HEAD, f"Versions: {versions()}.", "", table, "", *notes, ""])


def versions() -> str:
    """Return which versions of the libraries are installed."""
    found = []
    for name in ("numpy", "cupy", "torch", "jax", "dask", "array-api-strict", "scipy"):
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return ", ".join(found)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, help="the page to write; printed if not given")
    options = parser.parse_args(arguments)
    checker = Checker()
    text = page(checker, lambda line: print(line, file=sys.stderr, flush=True))
    if options.output is None:
        print(text)
    else:
        options.output.write_text(text)
    for failure in checker.failures:
        print(failure, file=sys.stderr)
    return 1 if checker.failures else 0


if __name__ == "__main__":
    sys.exit(main())
