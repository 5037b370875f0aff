"""Runs cuBLAS's matrix products on the host, for the stand-in for CuPy: see cublas_on_host.cpp."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

__all__ = ["library"]

SOURCE = Path(__file__).with_name("cublas_on_host.cpp")


@cache
def _compiled() -> tuple[Any, Any]:
    """Return the library, and what keeps its file there."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("calling cuBLAS on the host needs g++")
    folder = tempfile.TemporaryDirectory()
    file = Path(folder.name, "libcublas_on_host.so")
    command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", "-o", str(file), str(SOURCE)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(file)), folder


def library(captures: Callable[[Callable[[], None]], bool]) -> str:
    """Return the file of the library.

    Parameters
    ----------
    captures : callable
        It gets a function that makes a product, and returns whether that is to be made later.
    """
    found, _ = _compiled()
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
    found.hook = kind(lambda number: captures(lambda: found.run(number)))  # kept as long as it is
    found.set_hook(found.hook)
    return str(found._name)
