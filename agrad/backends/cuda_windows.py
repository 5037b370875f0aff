"""What runs CUDA kernels of agrad's own for convolution and pooling, on CuPy's arrays.

Functions are named as those they stand for, in `agrad.nn.functional`, and take any real or complex
numbers. A convolution is one product of matrices for each group of channels: of the weights and of
what the windows show, with all windows of all images side by side.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache, wraps
from math import inf, prod
from pathlib import Path
from typing import Any

import cupy
import numpy as np

from agrad.backends.cuda_kernels import _HALVES, _finish
from agrad.backends.generic import Array, Backend

__all__ = [
    "conv",
    "conv_bias",
    "conv_input",
    "conv_weight",
    "fold_windows",
    "greatest_at",
    "max_pool",
    "max_pool_x",
    "sum_pool",
    "sum_unpool",
    "unfold_windows",
]

_TYPES = {  # CUDA's, by NumPy's names
    "float32": "float",
    "float64": "double",
    "bool": "bool",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long long",
}
_THREADS = 256  # of a block


@cache
def _kernel(name: str, dtype: str) -> Any:
    source = Path(__file__).with_suffix(".cu").read_text()
    return cupy.RawKernel(source, name, options=(f"-DREAL={_TYPES[dtype]}",))


def _launch(name: str, size: int, like: Array, *args: Any) -> None:
    """Launch a kernel with a thread for each of so many elements."""
    _kernel(name, like.dtype.name)((-(-size // _THREADS),), (_THREADS,), args)


def _ready(x: Array) -> Array:
    """Return an array without gaps, of a data type that the kernels compute in."""
    return cupy.ascontiguousarray(x, cupy.float32 if x.dtype.name in _HALVES else None)


@lru_cache(1024)
def _geometry(windows: Any, size: tuple[int, ...]) -> Any:
    """Return the kernels' struct of windows over three axes, as one element that CuPy copies."""
    lead = (1,) * (3 - len(size))
    before = (*(0 for _ in lead), *(low for low, _ in windows.padding))
    rows = [lead + each for each in (size, windows.counts(size), windows.kernel, windows.stride)]
    table = np.array([*rows, before, lead + windows.dilation], dtype=np.int64)
    return table.reshape(-1).view(f"V{table.nbytes}")


def _by_parts(function: Callable[..., Array]) -> Callable[..., Array]:
    """Return a linear function of an array as one that takes the parts of complex numbers."""

    @wraps(function)
    def of_any(x: Array, *args: Any) -> Array:
        if x.dtype.kind != "c":
            return function(x, *args)
        real = function(x.real, *args)
        out = cupy.empty(real.shape, dtype=x.dtype)
        out.real[...] = real
        out.imag[...] = function(x.imag, *args)
        return out

    return of_any


# What the windows show, and back ------------------------------------------------------------------

# How far it is from one image, channel and element of a window to the next, in what they show
Steps = tuple[int, int, int]


@_by_parts
def _unfold(x: Array, windows: Any, shape: tuple[int, ...], steps: Steps) -> Array:
    """Return what the windows show, in an array of this shape."""
    x = cupy.ascontiguousarray(x)
    out = cupy.empty(shape, dtype=x.dtype)
    # Short numbers are only copied, so any of their length will do
    arrays = [each.view(cupy.int16) if x.dtype.name in _HALVES else each for each in (x, out)]
    size = x.shape[2:]
    threads = prod(x.shape[:2]) * prod(windows.counts(size))
    geometry = _geometry(windows, size)
    _launch("unfold", threads, arrays[0], *arrays, geometry, *x.shape[:2], *steps)
    return out


@_by_parts
def _fold(columns: Array, windows: Any, shape: tuple[int, ...], steps: Steps) -> Array:
    """Return an array of this shape, to which each window has added what it shows."""
    ready = _ready(columns)
    out = cupy.empty(shape, dtype=ready.dtype)
    geometry = _geometry(windows, shape[2:])
    _launch("fold", out.size, out, ready, out, geometry, *shape[:2], *steps)
    return _finish(out, columns)


def unfold_windows(xp: Backend, x: Array, windows: Any) -> Array:
    """Return what each window shows, in one launch."""
    shape = (*x.shape[:2], prod(windows.kernel), *windows.counts(x.shape[2:]))
    return _unfold(x, windows, shape, _steps(shape))


def fold_windows(xp: Backend, y: Array, windows: Any, size: Sequence[int]) -> Array:
    """Return the sum of what the windows show of each element, in one launch."""
    return _fold(y, windows, (*y.shape[:2], *size), _steps(y.shape))


def _steps(shape: tuple[int, ...]) -> Steps:
    return prod(shape[1:]), prod(shape[2:]), prod(shape[3:])


# Convolution --------------------------------------------------------------------------------------


def _columns(x: Array, windows: Any) -> Array:
    """Return what the windows show, as a matrix of (channels x elements, images x windows)."""
    images, channels = x.shape[:2]
    elements, places = prod(windows.kernel), prod(windows.counts(x.shape[2:]))
    shape = (channels * elements, images * places)
    return _unfold(x, windows, shape, _steps_of_columns(images, elements, places))


def _steps_of_columns(images: int, elements: int, places: int) -> Steps:
    return places, elements * images * places, images * places


def _by_channel(y: Array) -> Array:
    """Return (images, channels, *size) as (channels, images x places)."""
    return y.swapaxes(0, 1).reshape(y.shape[1], y.shape[0] * prod(y.shape[2:]))


def _grouped(matrix: Array, groups: int) -> Array:
    """Return a matrix of rows for each group; for a single one it stays, since that is faster."""
    rows, n = matrix.shape
    return matrix if groups == 1 else matrix.reshape(groups, rows // groups, n)


def _rows(w: Array) -> Array:
    """Return weights as (out channels, channels of a group x elements)."""
    return w.reshape(w.shape[0], prod(w.shape[1:]))


def conv(xp: Backend, x: Array, w: Array, windows: Any, groups: int) -> Array:
    """Return the convolution in two launches for one group."""
    out = xp.matmul(_grouped(_rows(w), groups), _grouped(_columns(x, windows), groups))
    shape = (w.shape[0], x.shape[0], *windows.counts(x.shape[2:]))
    return out.reshape(shape).swapaxes(0, 1)


def conv_bias(xp: Backend, x: Array, w: Array, b: Array, windows: Any, groups: int) -> Array:
    """Return the convolution plus a bias, in a launch more; it also puts the images first."""
    return conv(xp, x, w, windows, groups) + b.reshape(-1, *(1,) * (x.ndim - 2))


def conv_weight(xp: Backend, y: Array, x: Array, windows: Any, groups: int) -> Array:
    """Return the gradient by the weights: of what the windows show and what they get, the product.

    CuPy multiplies one transposed matrix as it is, but copies several: with groups, the product is
    transposed instead, which is smaller than what the windows show.
    """
    columns = _columns(x, windows)
    images, channels = y.shape[:2]
    if groups == 1:
        out = xp.matmul(_by_channel(y), columns.T)
    else:
        rows, places = channels // groups, prod(y.shape[2:])
        y = y.reshape(images, groups, rows, places).transpose(1, 0, 3, 2)
        product = xp.matmul(_grouped(columns, groups), y.reshape(groups, images * places, rows))
        out = cupy.ascontiguousarray(_transposed(product))
    out.shape = (channels, x.shape[1] // groups, *windows.kernel)  # a view would be copied
    return out


def conv_input(
    xp: Backend, y: Array, w: Array, windows: Any, groups: int, size: Sequence[int]
) -> Array:
    """Return the gradient by the input: each window shows the weights, times what it gets."""
    weights, values = _grouped(_rows(_wide(w)), groups), _grouped(_by_channel(_wide(y)), groups)
    columns = xp.matmul(_transposed(weights), values)
    images = y.shape[0]
    shape = (images, w.shape[1] * groups, *size)
    steps = _steps_of_columns(images, prod(windows.kernel), prod(y.shape[2:]))
    out = _fold(columns, windows, shape, steps)
    return _finish(out, y) if y.dtype == w.dtype else out


def _transposed(x: Array) -> Array:
    return x.swapaxes(-2, -1)


def _wide(x: Array) -> Array:
    """Return short numbers as float32, in which their sums lose less."""
    return x.astype(cupy.float32) if x.dtype.name in _HALVES else x


# Pooling ------------------------------------------------------------------------------------------


def _lowest(x: Array) -> Any:
    """Return what is no greater than any number of an array's data type."""
    return x.dtype.type(-inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min)


def max_pool(xp: Backend, x: Array, windows: Any) -> Array:
    """Return the greatest element of each window, in one launch."""
    ready = _ready(x)
    out = cupy.empty((*x.shape[:2], *windows.counts(x.shape[2:])), dtype=ready.dtype)
    geometry = _geometry(windows, x.shape[2:])
    images = prod(x.shape[:2])
    _launch("max_pool", out.size, out, ready, out, geometry, images, _lowest(ready))
    return _finish(out, x)


def max_pool_x(
    xp: Backend, g: Array, x: Array, out: Array, x_shape: tuple[int, ...], windows: Any
) -> Array:
    """Return the gradient of `max_pool` by x, in one launch."""
    ready = _ready(x)
    g, y = (cupy.ascontiguousarray(each, ready.dtype) for each in (g, out))
    result = cupy.empty(x.shape, dtype=ready.dtype)
    geometry = _geometry(windows, x.shape[2:])
    arrays = (g, ready, y, result)
    images = prod(x.shape[:2])
    _launch("max_pool_x", result.size, result, *arrays, geometry, images, _lowest(ready))
    return _finish(result, x)


def greatest_at(xp: Backend, x: Array, out: Array, windows: Any) -> Array:
    """Return the number of the first greatest element of each window, in one launch."""
    ready = _ready(x)
    y = cupy.ascontiguousarray(out, ready.dtype)
    result = cupy.empty(out.shape, dtype=cupy.int64)
    geometry = _geometry(windows, x.shape[2:])
    images = prod(x.shape[:2])
    _launch("greatest_at", y.size, y, ready, y, result, geometry, images, _lowest(ready))
    return result


@_by_parts
def _sum_pool(x: Array, windows: Any) -> Array:
    ready = _ready(x)
    out = cupy.empty((*x.shape[:2], *windows.counts(x.shape[2:])), dtype=ready.dtype)
    geometry = _geometry(windows, x.shape[2:])
    _launch("sum_pool", out.size, out, ready, out, geometry, prod(x.shape[:2]))
    return _finish(out, x)


def sum_pool(xp: Backend, x: Array, windows: Any) -> Array:
    """Return the sum of each window, in one launch."""
    return _sum_pool(x, windows)


def sum_unpool(xp: Backend, y: Array, windows: Any, size: Sequence[int]) -> Array:
    """Give each window's value to all its elements, in one launch."""
    steps = (prod(y.shape[1:]), prod(y.shape[2:]), 0)
    return _fold(y, windows, (*y.shape[:2], *size), steps)
