"""Two functions of BLAS that NumPy has loaded, but doesn't hand on: they add in one pass.

``y += alpha * x`` takes NumPy two passes and an array between them. BLAS's axpy does it in one, and
its ger adds an outer product that is never made. They are looked up where NumPy gets its own matrix
products from; where they aren't found (on Windows, or under another name), NumPy's two passes do.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Memory", "Updates", "updates"]

#: ``Memory.from_buffer(array)`` is where the elements of an array are; it must have no gaps
Memory = ctypes.c_char * 0


class Updates(NamedTuple):
    """The two functions for one data type, with the arguments of CBLAS."""

    axpy: Callable[..., None]  # n, alpha, x, step in x, y, step in y
    ger: Callable[..., None]  # order, rows, columns, alpha, x1, step, x2, step, y, row of y


@cache
def updates(kind: str) -> Updates | None:
    """Return the functions for "f" (float32) or "d" (float64), None if there are none."""
    if kind not in "fd" or sys.platform == "win32":
        return None
    # NumPy's extension module is linked to BLAS, so what is looked up in it is found there.
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    letter, real = ("s", ctypes.c_float) if kind == "f" else ("d", ctypes.c_double)
    for start, end, integer in _NAMES:
        try:
            axpy = library[f"{start}cblas_{letter}axpy{end}"]
            ger = library[f"{start}cblas_{letter}ger{end}"]
        except AttributeError:
            continue
        array: list[Any] = [ctypes.c_void_p, integer]
        axpy.argtypes = [integer, real, *array, *array]
        ger.argtypes = [ctypes.c_int, integer, integer, real, *array, *array, *array]
        axpy.restype = ger.restype = None
        return Updates(axpy, ger)
    return None


# What BLAS libraries call their functions, and the integers that these take
_NAMES = [
    ("scipy_", "64_", ctypes.c_int64),  # NumPy's own wheels
    ("", "64_", ctypes.c_int64),
    ("", "", ctypes.c_int),
]
