"""How functions are called: the table that the chapters of this package fill.

A case is written once, over a namespace ``xp``, like the rules themselves: with agrad as ``xp`` it
is what we test, with NumPy it gives the values and their finite differences, with PyTorch the
values and gradients of somebody else.
"""

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Drawn(NamedTuple):
    """An input of random numbers; if they are complex, both parts are drawn."""

    shape: tuple[int, ...]
    low: float
    high: float
    is_complex: bool = False

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        x = rng.uniform(self.low, self.high, self.shape)
        if self.is_complex:
            x = np.asarray(x + 1j * rng.uniform(self.low, self.high, self.shape))
        return x


def between(low: float, high: float, *shape: int) -> Drawn:
    return Drawn(shape, low, high)


def complex_between(low: float, high: float, *shape: int) -> Drawn:
    return Drawn(shape, low, high, is_complex=True)


def ints(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)


def floats(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def complexes(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.complex128)


def bools(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=bool)


class Case(NamedTuple):
    """How a function is called.

    ``call(xp, *inputs)`` gives one array. An input is an array, or a shape (or a `Drawn`) for
    random numbers. Floating-point inputs, real or complex, get gradients, others don't.
    """

    function: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    without: dict[str, str]  # which libraries can't, and why; "reference" is PyTorch's autograd
    smooth: bool  # False where finite differences say nothing: at ties and kinks

    def arrays(self) -> list[np.ndarray]:
        """Return the inputs as NumPy arrays, always the same ones."""
        rng = np.random.default_rng(zlib.crc32(self.function.encode()))
        drawn = (Drawn(x, -2, 2) if type(x) is tuple else x for x in self.inputs)
        return [x.draw(rng) if isinstance(x, Drawn) else x for x in drawn]


CASES: dict[str, Case] = {}  # functions with a derivative
FLAT: dict[str, Case] = {}  # and without one


def case(
    function: str,
    call: Callable[..., Any],
    *inputs: Any,
    without: dict[str, str] | None = None,
    smooth: bool = True,
) -> None:
    enter(CASES, Case(function, call, inputs, without or {}, smooth))


def flat(
    function: str,
    call: Callable[..., Any],
    *inputs: Any,
    without: dict[str, str] | None = None,
) -> None:
    enter(FLAT, Case(function, call, inputs, without or {}, smooth=False))


def enter(table: dict[str, Case], case: Case) -> None:
    """Enter a case under a name that says where it stands in this file."""
    number = sum(each.function == case.function for each in table.values())
    table[f"{case.function}-line{case.call.__code__.co_firstlineno}-{number}"] = case
