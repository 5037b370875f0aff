"""What runs CUDA kernels of agrad's own, for CuPy's arrays: fewer launches, and fewer temporaries.

Each has its plain version, in `agrad.backends.generic` or beside its rule, which tests hold it to.
The kernels compute in float32 and float64; float16 and bfloat16 are cast to float32 and back.
"""

from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import cupy
import numpy as np

from agrad.backends.generic import AdamNumbers, Array

__all__ = [
    "adam_all",
    "axpy_all",
    "has_rows",
    "log_softmax",
    "momentum_all",
    "nll",
    "nll_z",
    "put_numbers",
    "relu_x",
    "softmax",
    "standardize",
    "standardize_x",
]

_TYPES = {"f": "float", "d": "double"}  # CUDA's, by the letter of NumPy's data type
_HALVES = ("float16", "bfloat16")
# Arrays in one launch: with Adam's numbers, their table must fit into 4096 bytes of parameters.
# (CUDA 12.1 allows more, but not on cards before Volta.)
_MOST = 96
_SHORT = 1024  # up to so many elements a row has a warp, then a block


@cache
def _kernel(file: str, name: str, letter: str) -> Any:
    source = Path(__file__).with_name(file).read_text()
    return cupy.RawKernel(source, name, options=(f"-DREAL={_TYPES[letter]}", f"-DMOST={_MOST}"))


# Rows of scores -----------------------------------------------------------------------------------


def has_rows(x: Array, axis: int) -> bool:
    """Return whether `softmax` and `log_softmax` below can take an array along an axis."""
    fits = x.dtype.char in _TYPES or x.dtype.name in _HALVES
    return fits and x.ndim > 0 < x.shape[-1] and axis in (-1, x.ndim - 1)


def _ready(x: Array) -> Array:
    """Return an array without gaps, of a data type that the kernels compute in."""
    if x.dtype.char not in _TYPES:
        x = x.astype(cupy.float32 if x.dtype.name in _HALVES else cupy.float64)
    return cupy.ascontiguousarray(x)


def _finish(out: Array, like: Array) -> Array:
    """Return a result in the data type of an argument, if that is a short one."""
    return out.astype(like.dtype) if like.dtype.name in _HALVES else out


def _over_rows(name: str, like: Array, *args: Any) -> None:
    """Launch a kernel whose last parameters are the number of rows of `like`, and their length."""
    rows, n = prod(like.shape[:-1]), like.shape[-1]
    if not n:
        raise ValueError(f"there must be a score for one class at least; got shape {like.shape}")
    blocks, threads = (-(-rows // 8), (32, 8)) if n <= _SHORT else (rows, (512, 1))
    _kernel("cuda_rows.cu", name, like.dtype.char)((blocks,), threads, (*args, rows, n))


def softmax(x: Array) -> Array:
    """Return softmax along the last axis, in one launch."""
    ready = _ready(x)
    out = cupy.empty(x.shape, dtype=ready.dtype)
    _over_rows("softmax", ready, ready, out)
    return _finish(out, x)


def log_softmax(x: Array) -> Array:
    """Return log(softmax(x)) along the last axis, in one launch."""
    ready = _ready(x)
    out = cupy.empty(x.shape, dtype=ready.dtype)
    _over_rows("log_softmax", ready, ready, out)
    return _finish(out, x)


def _classes(key: Any) -> tuple[Any, int]:
    """Return the classes as the kernels take them: an array, or None and one number for all."""
    gold = key[-1]
    if isinstance(gold, int):
        return None, gold
    return cupy.ascontiguousarray(gold, dtype=cupy.int64), 0


def nll(z: Array, key: Any, scale: float | None) -> Array:
    """Return the loss of each row in one launch; with a `scale`, that times their sum in a second.

    The sum has a launch of its own so that it always adds up in the same order.
    """
    ready = _ready(z)
    losses = cupy.empty(z.shape[:-1], dtype=ready.dtype)
    _over_rows("nll", ready, ready, *_classes(key), losses)
    if scale is None:
        return _finish(losses, z)
    total = cupy.empty((), dtype=ready.dtype)
    kernel = _kernel("cuda_rows.cu", "scaled_sum", ready.dtype.char)
    kernel((1,), (512,), (losses, scale, total, losses.size))
    return _finish(total, z)


def nll_z(g: Array, z: Array, key: Any, scale: float | None) -> Array:
    """Return the gradient of `nll` with respect to z, in one launch."""
    ready = _ready(z)
    g = cupy.ascontiguousarray(g, dtype=ready.dtype)
    out = cupy.empty(z.shape, dtype=ready.dtype)
    each = int(g.size > 1)  # a gradient of its own for each row, or one for all
    factor = 1.0 if scale is None else scale
    _over_rows("nll_z", ready, g, each, ready, *_classes(key), factor, out)
    return _finish(out, z)


# Normalization ------------------------------------------------------------------------------------


def standardize(x: Array, axis: tuple[int, ...], eps: float) -> Array:
    """Return (x - mean) / sqrt(var + eps), both over some axes, in one launch."""
    rows = _rows(x, axis)
    out = cupy.empty(rows.shape, dtype=rows.dtype)
    if out.size:
        _over_rows("standardize", rows, rows, out, eps)
    return _finish(_from_rows(out, x, axis), x)


def standardize_x(g: Array, x: Array, out: Array, axis: tuple[int, ...], eps: float) -> Array:
    """Return the gradient of `standardize` with respect to x, in one launch."""
    rows = [_rows(each, axis) for each in (g, x, out)]
    result = cupy.empty(rows[1].shape, dtype=rows[1].dtype)
    if result.size:
        _over_rows("standardize_x", rows[1], *rows, result, eps)
    return _finish(_from_rows(result, x, axis), x)


def _order(x: Array, axis: tuple[int, ...]) -> list[int]:
    """Return an array's axes with those that are reduced at the end."""
    reduced = sorted(a % x.ndim for a in axis)
    return [*(a for a in range(x.ndim) if a not in reduced), *reduced]


def _rows(x: Array, axis: tuple[int, ...]) -> Array:
    """Return an array as a matrix, without gaps, each row of which is to be reduced."""
    moved = x.transpose(_order(x, axis))
    return _ready(moved).reshape(-1, prod(x.shape[a] for a in axis) or 1)


def _from_rows(rows: Array, x: Array, axis: tuple[int, ...]) -> Array:
    """Return such a matrix in the shape of the array it was made of."""
    order = _order(x, axis)
    moved = rows.reshape([x.shape[a] for a in order])
    return moved.transpose([order.index(a) for a in range(x.ndim)])


# Elementwise --------------------------------------------------------------------------------------

RELU_X = "y = out > T(0) ? g : T(0)"  # what relu_x runs for each element


@cache
def _relu_x() -> Any:
    return cupy.ElementwiseKernel("T g, T out", "T y", RELU_X, "agrad_relu_x")


def relu_x(g: Array, out: Array) -> Array:
    """Return the gradient of relu in one launch."""
    return _relu_x()(g, out)


# Updates ------------------------------------------------------------------------------------------

Group = tuple[Array, ...]  # arrays that belong together, such as a gradient and its parameter


def _fits(group: Group) -> bool:
    """Return whether a kernel can take some arrays together: they are alike, and have no gaps."""
    first = group[0]
    return first.dtype.char in _TYPES and all(
        x.dtype == first.dtype and x.shape == first.shape and x.flags.c_contiguous for x in group
    )


def _update(name: str, groups: list[Group], *scalars: float) -> list[Group]:
    """Launch a kernel once for many groups of arrays; return those that it can't take."""
    by_type: dict[str, list[Group]] = {}
    left = []
    for group in groups:
        if _fits(group):
            by_type.setdefault(group[0].dtype.char, []).append(group)
        else:
            left.append(group)
    for letter, alike in by_type.items():
        kernel = _kernel("cuda_updates.cu", name, letter)
        for start in range(0, len(alike), _MOST):
            some = alike[start : start + _MOST]
            table = np.zeros((1 + len(some[0]), _MOST), dtype=np.int64)  # as the kernel's struct
            table[:, : len(some)] = np.array(
                [(group[0].size, *(x.data.ptr for x in group)) for group in some]
            ).T
            blocks = min(-(-int(table[0].max()) // 256), 1024)
            by_value = table.reshape(-1).view(f"V{table.nbytes}")  # one element: CuPy copies it
            kernel((blocks, len(some)), (256,), (by_value, *map(_number, scalars)))
    return left


def _number(x: Any) -> Any:
    """Return a number as the kernels' struct; in a CUDA graph it is an array of float64."""
    value, address = (0, x.data.ptr) if isinstance(x, cupy.ndarray) else (x, 0)
    return np.array([(value, address)], "float64, int64").view("V16")


def axpy_all(alpha: float, pairs: list[Group]) -> list[Group]:
    """Do ``y += alpha * x`` for pairs (x, y) in one launch; return those it can't take."""
    return _update("axpy_all", pairs, alpha)


def momentum_all(momentum: float, lr: float, triples: list[Group]) -> list[Group]:
    """Do ``v = momentum * v + g; p -= lr * v`` for triples (g, v, p) in one launch.

    Return those that it can't take.
    """
    return _update("momentum_all", triples, momentum, lr)


def adam_all(numbers: AdamNumbers, quadruples: list[Group]) -> list[Group]:
    """Take Adam's step for quadruples (g, m, v, p) in one launch; return those it can't take."""
    return _update("adam_all", quadruples, *numbers)


def put_numbers(numbers: bytes, place: Array) -> None:
    """Write bytes, of words of 8, into an array of bytes on the card.

    They go with the launches, so there is nothing to wait for.
    """
    kernel, most = _kernel("cuda_updates.cu", "put_numbers", "d"), 2 * _MOST
    for start in range(0, len(numbers), 8 * most):
        some = np.frombuffer(numbers[start : start + 8 * most], dtype=np.uint64)
        words = np.zeros(most, dtype=np.uint64)
        words[: some.size] = some
        kernel((1,), (64,), (words.view(f"V{words.nbytes}"), place[start:], some.size))
