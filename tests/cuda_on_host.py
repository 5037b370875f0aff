"""Runs CUDA kernels on the host, to test what they compute: see cuda_on_host.h for how."""

import ctypes
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

__all__ = ["launch"]

HEADER = Path(__file__).with_name("cuda_on_host.h")


@cache
def library(source: str, options: tuple[str, ...]) -> ctypes.PyDLL:
    """Return the source's kernels as a library; skip the test where there is no compiler."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("running agrad's CUDA kernels on the host needs g++")
    waits = int("__syncthreads" in source or "__shfl" in source)
    launchers = (
        f'extern "C" const char* launch_{name}(const unsigned* dims, void** args, int count)'
        f"{{ return launch({name}, dims, args, count); }}"
        for name in re.findall(r"__global__ void (\w+)", source)
    )
    parts = [f'#define THREADS_WAIT {waits}\n#include "{HEADER}"', source, *launchers]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "kernels.cpp").write_text("\n".join(parts))
        command = [compiler, "-std=c++17", "-O1", "-shared", "-fPIC", "-w", *options]
        command += ["-o", "kernels.so", "kernels.cpp"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the kernels don't compile:\n{done.stderr}")
        # One thread of Python at a time: what a kernel runs on is static
        return ctypes.PyDLL(str(Path(folder, "kernels.so")))


def launch(
    source: str,
    options: tuple[str, ...],
    name: str,
    grid: tuple[int, ...],
    block: tuple[int, ...],
    args: list[Any],
) -> None:
    """Run a kernel on arguments that are objects of ctypes, in whose memory their values are."""
    run = library(source, options)[f"launch_{name}"]
    run.restype = ctypes.c_char_p
    dims = (ctypes.c_uint * 6)(*(*grid, 1, 1)[:3], *(*block, 1, 1)[:3])
    places = (ctypes.c_void_p * len(args))(*map(ctypes.addressof, args))
    wrong = run(dims, places, len(args))
    if wrong:
        raise RuntimeError(f"kernel {name}: {wrong.decode()}")
