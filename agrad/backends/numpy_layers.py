"""Normalization and embeddings on NumPy.

What is normalized is seen as a matrix, each row of which (or each column, if the memory lies so)
gets a mean and a variance of its own. It is gone through in blocks that stay in the cache, and sums
are products with a vector of ones, which BLAS takes sooner than NumPy adds.
"""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from agrad.backends.generic import Array
from agrad.backends.numpy import NumPyBackend, ones

__all__: list[str] = []

BLOCK = 1 << 15  # how many elements to take at a time


def _standardize(xp: Any, x: Array, axis: tuple[int, ...], eps: float) -> Array:
    rows, columns = _matrices(x, axis)
    if rows is not None:
        out = np.empty_like(rows)
        for block in _blocks(rows):
            part, factor = _centered(rows[block], out[block], eps)
            part *= factor[:, None]
        return out.reshape(x.shape)
    out, factor = _centered_columns(columns, eps)
    for block in _blocks(out):
        out[block] *= factor
    return _put_back(out, x, axis)


def _standardize_x(
    xp: Any, g: Array, x: Array, out: Array, axis: tuple[int, ...], eps: float
) -> Array:
    rows, columns = _matrices(x, axis)
    g_rows, g_columns = _matrices(g, axis)
    y_rows, y_columns = _matrices(out, axis)
    if rows is not None:
        n, result = rows.shape[1], np.empty_like(rows)
        for block in _blocks(rows):
            part, factor = _centered(rows[block], result[block], eps)
            g_part, y_part = g_rows[block], y_rows[block]
            slope = np.einsum("ij,ij->i", g_part, y_part) / -n
            np.multiply(y_part, slope[:, None], out=part)
            part += g_part
            part -= (np.dot(g_part, ones(n, g.dtype)) / n)[:, None]
            part *= factor[:, None]
        return result.reshape(x.shape)
    result, factor = _centered_columns(columns, eps)
    n = len(result)
    mean = _sum(g_columns) / n
    slope = _sum(g_columns, y_columns) / n
    for block in _blocks(result):
        part = np.multiply(y_columns[block], slope, out=result[block])
        np.subtract(g_columns[block], part, out=part)
        part -= mean
        part *= factor
    return _put_back(result, x, axis)


def _matrices(x: Array, axis: tuple[int, ...]) -> tuple[Any, Any]:
    """Return x as a matrix of rows to reduce, or else as one of columns to reduce."""
    reduced = sorted(a % x.ndim for a in axis)
    if reduced == list(range(x.ndim - len(reduced), x.ndim)):
        return x.reshape(-1, prod(x.shape[a] for a in reduced)), None
    kept = [a for a in range(x.ndim) if a not in reduced]
    return None, x.transpose(*reduced, *kept).reshape(-1, prod(x.shape[a] for a in kept))


def _put_back(columns: Array, x: Array, axis: tuple[int, ...]) -> Array:
    """Return a matrix of columns as an array of the shape of x."""
    reduced = sorted(a % x.ndim for a in axis)
    order = [*reduced, *(a for a in range(x.ndim) if a not in reduced)]
    moved = columns.reshape([x.shape[a] for a in order])
    return moved.transpose([order.index(a) for a in range(x.ndim)])


def _blocks(matrix: Array) -> Iterator[slice]:
    rows = max(1, BLOCK // max(1, matrix.shape[1]))
    return (slice(start, start + rows) for start in range(0, len(matrix), rows))


def _centered(x: Array, out: Array, eps: float) -> tuple[Array, Array]:
    """Write x minus the mean of each row into `out`; return that and 1 / sqrt(var + eps)."""
    n = x.shape[1]
    mean = np.dot(x, ones(n, x.dtype)) / n
    np.subtract(x, mean[:, None], out=out)
    variance = np.einsum("ij,ij->i", out, out) / n
    return out, 1 / np.sqrt(variance + eps)


def _centered_columns(x: Array, eps: float) -> tuple[Array, Array]:
    """Return x minus the mean of each column, and 1 / sqrt(var + eps)."""
    mean = _sum(x) / len(x)
    out = np.empty_like(x)
    for block in _blocks(x):
        np.subtract(x[block], mean, out=out[block])
    return out, 1 / np.sqrt(_sum(out, out) / len(x) + eps)


def _sum(x: Array, y: Array | None = None) -> Array:
    """Return the sum of each column of x, or of x * y."""
    sums = []
    for block in _blocks(x):
        part = x[block] if y is None else x[block] * y[block]
        sums.append(np.dot(ones(len(part), x.dtype), part))
    return np.sum(sums, axis=0)  # of sums of blocks, so that roundings don't pile up


def _embedding_weight(xp: Any, g: Array, weight_shape: tuple[int, ...], numbers: Array) -> Array:
    # Sorted, so that all that belongs to one row is summed up at once
    flat, values = numbers.reshape(-1), g.reshape(-1, weight_shape[1])
    result = np.zeros(weight_shape, g.dtype)
    if flat.size:
        order = np.argsort(flat, kind="stable")
        flat = flat[order]
        starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
        result[flat[starts]] = np.add.reduceat(values[order], starts, axis=0)
    return result


NumPyBackend.kernels |= {
    "embedding.weight": _embedding_weight,
    "standardize": _standardize,
    "standardize.x": _standardize_x,
}
