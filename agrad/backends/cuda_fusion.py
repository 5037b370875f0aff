"""Chains of elementwise calls as one kernel, for recorded steps: one launch, and no temporaries."""

from collections.abc import Callable
from functools import cache
from typing import Any

import cupy

__all__ = ["EXPRESSIONS", "joined"]

#: What a call gives for one element, in CUDA's language, by the call's name and with its arguments
EXPRESSIONS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "abs": "abs({0})",
    "square": "{0} * {0}",
    "sqrt": "sqrt({0})",
    "exp": "exp({0})",
    "expm1": "expm1({0})",
    "log": "log({0})",
    "log1p": "log1p({0})",
    "sin": "sin({0})",
    "cos": "cos({0})",
    "tanh": "tanh({0})",
    # NaN is greater and less than all numbers
    "maximum": "{0} > {1} || {0} != {0} ? {0} : {1}",
    "minimum": "{0} < {1} || {0} != {0} ? {0} : {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "where": "{0} ? {1} : {2}",
}


@cache
def joined(steps: tuple[tuple[str, tuple[str, ...]], ...], inputs: int) -> Callable[..., Any]:
    """Return a function of arrays and numbers, of one data type, that makes some calls at once.

    Parameters
    ----------
    steps : tuple of (str, tuple of str)
        The calls: the name of each, and its arguments: "x0" is the first input, "t0" what the first
        call gives, and anything else a number. What is true is 1, what is false is 0.
    inputs : int
        How many inputs there are.
    """
    lines = [
        f"T t{i} = {EXPRESSIONS[name].format(*map(_operand, args))};"
        for i, (name, args) in enumerate(steps)
    ]
    body = "\n".join([*lines, f"y = t{len(steps) - 1}"])
    name = "_".join(["joined", *(name for name, _ in steps[:4])])
    kernel = cupy.ElementwiseKernel(
        ", ".join(f"T x{i}" for i in range(inputs)), "T y", body, f"agrad_{name}"
    )

    def function(*args: Any) -> Any:
        return kernel(*args)

    function.__name__ = name
    return function


def _operand(text: str) -> str:
    return text if text[0] in "xt" else f"T({text})"
