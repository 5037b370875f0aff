"""Three functions of BLAS that NumPy has loaded, but doesn't hand on: they add in one pass.

``y += alpha * x`` takes NumPy two passes and an array between them. BLAS's axpy does it in one; its
ger adds an outer product, and its gemm a product of matrices, that is never made. They are looked
up where NumPy gets its own matrix products from; where they aren't found (on Windows, or under
another name), NumPy's two passes do.
"""

import ctypes
import sys
import threading
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

__all__ = ["Memory", "Updates", "updates"]

#: ``Memory.from_buffer(array)`` is where the elements of an array are; it must have no gaps
Memory = ctypes.c_char * 0


class Updates:
    """The functions for one data type, with the arguments of CBLAS.

    Parameters
    ----------
    library : ctypes.CDLL
        Where they are.
    pattern : str
        What they are called, with {} for "axpy", "ger" or "gemm".
    integer, real : type
        The types of their numbers.

    Raises
    ------
    AttributeError
        If they aren't there.
    """

    def __init__(self, library: ctypes.CDLL, pattern: str, integer: Any, real: Any) -> None:
        self.integer = integer
        self.real = real
        self._library = library
        self._pattern = pattern
        array = [ctypes.c_void_p, integer]
        # n, alpha, x, step in x, y, step in y
        axpy = self.raw("axpy")
        axpy.argtypes = [integer, real, *array, *array]
        self.axpy = on_one_thread(library, axpy)
        # order, rows, columns, alpha, x1, step in x1, x2, step in x2, y, length of a row of y
        ger = self.raw("ger")
        ger.argtypes = [ctypes.c_int, integer, integer, real, *array, *array, *array]
        self.ger = on_one_thread(library, ger)
        self.raw_ger = on_one_thread(library, self.raw("ger"))
        self.raw_gemm = self.raw("gemm")

    def raw(self, name: str) -> Any:
        """Return a function that takes ctypes' own numbers only, which is the fastest way."""
        function = self._library[self._pattern.format(name)]
        function.restype = None
        return function


_lock = threading.Lock()


def on_one_thread(library: ctypes.CDLL, function: Any) -> Any:
    """Return a function of OpenBLAS as one that runs on a single thread.

    These only read and write memory, which more threads don't do faster. And they begin by waiting
    for each other: for milliseconds, where the cores have something else to do.
    """
    for start, end, _ in _NAMES:
        try:
            get_threads = library[f"{start}openblas_get_num_threads{end}"]
            set_threads = library[f"{start}openblas_set_num_threads{end}"]
        except AttributeError:
            continue
        break
    else:
        return function

    def run(*args: Any) -> None:
        with _lock:  # or the number that another one has set would stay
            threads = get_threads()
            if threads == 1:
                function(*args)
                return
            set_threads(1)
            try:
                function(*args)
            finally:
                set_threads(threads)

    return run


@cache
def updates(kind: str) -> Updates | None:
    """Return the functions for "f" (float32) or "d" (float64), None if there are none."""
    if kind not in "fd" or sys.platform == "win32":
        return None
    # NumPy's extension module is linked to BLAS, so what is looked up in it is found there.
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    letter, real = ("s", ctypes.c_float) if kind == "f" else ("d", ctypes.c_double)
    for start, end, integer in _NAMES:
        with suppress(AttributeError):
            return Updates(library, f"{start}cblas_{letter}{{}}{end}", integer, real)
    return None


# What BLAS libraries call their functions, and the integers that these take
_NAMES = [
    ("scipy_", "64_", ctypes.c_int64),  # NumPy's own wheels
    ("", "64_", ctypes.c_int64),
    ("", "", ctypes.c_int),
]
