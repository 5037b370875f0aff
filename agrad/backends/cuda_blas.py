"""cuBLAS's matrix products, called directly where a CUDA graph is captured.

CuPy refuses to call cuBLAS while a stream is capturing (https://github.com/cupy/cupy/issues/6290);
NVIDIA allows it (https://docs.nvidia.com/cuda/cublas/#cuda-graphs-support). So `matmul` is CuPy's,
but within `direct`, where the library is called through ctypes, with memory of its own to work in.
"""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_double, c_float, c_int, c_longlong, c_size_t, c_void_p
from functools import cache
from math import prod
from typing import Any

import cupy

from agrad.backends.generic import Array

__all__ = ["direct", "is_direct", "matmul", "use_tf32", "workspace"]

# By the letter of NumPy's data type: cuBLAS's numbers for the type of the elements and for the one
# that it computes in, and ctypes' type for factors
_TYPES: dict[str, tuple[int, int, Any]] = {
    "e": (2, 68, c_float),
    "f": (0, 68, c_float),
    "d": (1, 70, c_double),
}
_TF32 = 77  # the same for float32, if it may be multiplied in TF32
_DEFAULT = -1  # the algorithm: cuBLAS's choice
_AS_IT_IS, _TRANSPOSED = 0, 1


class _State(threading.local):
    workspace: Array | None = None


_state = _State()


def workspace() -> Array:
    """Return memory for cuBLAS to work in, of the size that NVIDIA recommends."""
    is_hopper = int(cupy.cuda.Device().compute_capability) >= 90
    return cupy.empty((32 if is_hopper else 4) << 20, dtype=cupy.uint8)


@contextmanager
def direct(workspace: Array) -> Iterator[None]:
    """Let `matmul` call cuBLAS itself."""
    before, _state.workspace = _state.workspace, workspace
    try:
        yield
    finally:
        _state.workspace = before


def is_direct() -> bool:
    """Return whether this thread is within `direct`, and so about to capture or capturing."""
    return _state.workspace is not None


@cache
def library() -> Any:
    """Return cuBLAS, as CuPy has loaded it: what the file needs is found through the file."""
    from cupy_backends.cuda.libs import cublas  # which can't be imported without CUDA's libraries

    found = ctypes.CDLL(cublas.__file__)
    found.cublasCreate_v2.argtypes = [c_void_p]
    found.cublasSetStream_v2.argtypes = [c_void_p, c_void_p]
    found.cublasSetWorkspace_v2.argtypes = [c_void_p, c_void_p, c_size_t]
    found.cublasGemmStridedBatchedEx.argtypes = [
        *(c_void_p, c_int, c_int, c_int, c_int, c_int, c_void_p),
        *(c_void_p, c_int, c_int, c_longlong) * 2,
        c_void_p,
        *(c_void_p, c_int, c_int, c_longlong),
        *(c_int, c_int, c_int),
    ]
    return found


@cache
def _handle(device: int, thread: int) -> c_void_p:
    """Return a handle for a thread: its stream is set before each product."""
    handle = c_void_p()
    _check(library().cublasCreate_v2(byref(handle)))
    return handle


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"cuBLAS reports status {status}")


# CuPy's numbers for how products are computed, from its cupy/_core/_routines_linalg.pxd
_CUPYS_DEFAULT, _CUPYS_TF32 = 1, 7


def use_tf32(whether: bool) -> None:
    """Let products of float32 be computed in TF32, or not, if the current GPU knows it."""
    cupy._core.set_compute_type(cupy.float32, _CUPYS_TF32 if whether else _CUPYS_DEFAULT)


def matmul(x1: Array, x2: Array) -> Array:
    """Return the matrix product, of stacks of matrices too."""
    if not is_direct():
        return cupy.matmul(x1, x2)
    dtype = cupy.result_type(x1.dtype, x2.dtype)
    if dtype.char not in _TYPES:
        raise NotImplementedError(f"matrix products of {dtype} aren't captured")
    x1, x2 = x1.astype(dtype, copy=False), x2.astype(dtype, copy=False)
    is_row, is_column = x1.ndim == 1, x2.ndim == 1
    out = _product(x1[None, :] if is_row else x1, x2[:, None] if is_column else x2)
    out = out[..., 0] if is_column else out
    return out.squeeze(-1 if is_column else -2) if is_row else out


def _product(x1: Array, x2: Array) -> Array:
    """Return the matrix product, by cuBLAS itself, of arrays of one of its data types."""
    stack = cupy.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    (m, k), (k2, n) = x1.shape[-2:], x2.shape[-2:]
    if k != k2:
        raise ValueError(f"matmul: shapes {x1.shape} and {x2.shape} don't match")
    if 0 in (prod(stack), m, k, n):
        return cupy.zeros((*stack, m, n), x1.dtype)
    out = cupy.empty((*stack, m, n), x1.dtype)
    operands = [_operand(x, stack) for x in (x1, x2)]
    (x1, how1, row1, step1), (x2, how2, row2, step2) = operands

    # cuBLAS goes by columns, where what goes by rows is transposed: (A B)^T = B^T A^T
    element, compute, real = _TYPES[x1.dtype.char]
    if x1.dtype.char == "f" and cupy._core.get_compute_type(x1.dtype) == _CUPYS_TF32:
        compute = _TF32
    handle = _handle(cupy.cuda.Device().id, threading.get_ident())
    blas, own = library(), _state.workspace
    assert own is not None
    stream = cupy.cuda.get_current_stream().ptr
    _check(blas.cublasSetStream_v2(handle, stream))  # which takes the workspace away
    _check(blas.cublasSetWorkspace_v2(handle, own.data.ptr, own.nbytes))
    one, zero = real(1), real(0)
    _check(
        blas.cublasGemmStridedBatchedEx(
            *(handle, how2, how1, n, m, k, byref(one)),
            *(x2.data.ptr, element, row2, step2),
            *(x1.data.ptr, element, row1, step1),
            byref(zero),
            *(out.data.ptr, element, n, m * n),
            *(prod(stack), compute, _DEFAULT),
        )
    )
    return out


def _operand(x: Array, stack: tuple[int, ...]) -> tuple[Array, int, int, int]:
    """Return a stack of matrices, how to read it, and the steps from row to row and on."""
    x = cupy.broadcast_to(x, (*stack, *x.shape[-2:])).reshape(prod(stack), *x.shape[-2:])
    found = _layout(x)
    if found is None or x.strides[0] < 0:
        x = cupy.ascontiguousarray(x)
        found = _AS_IT_IS, x.shape[2]
    return (x, *found, x.strides[0] // x.itemsize)


def _layout(x: Array) -> tuple[int, int] | None:
    """Return how cuBLAS is to read matrices, and how far their rows are apart; None if it can't."""
    rows, columns = x.shape[1:]
    row, column = (n // x.itemsize for n in x.strides[1:])
    if (columns == 1 or column == 1) and (rows == 1 or row >= columns):
        return _AS_IT_IS, (columns if rows == 1 else row)
    if (rows == 1 or row == 1) and column >= rows:
        return _TRANSPOSED, column
    return None
