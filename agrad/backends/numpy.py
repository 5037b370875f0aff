"""NumPy: the backend of the device "cpu"."""

from typing import Any

import numpy as np

from agrad.backends.generic import Array, Backend

__all__ = ["CPU", "NumPyBackend", "to_numpy"]

# How many elements `axpy` holds in its scratch buffer: small enough to stay in the cache.
_BLOCK = 1 << 16


class NumPyBackend(Backend):
    """NumPy, whose main namespace follows the standard since 2.1."""

    array_type = np.ndarray

    def asarray(self, data: Any, dtype: Any = None, copy: bool | None = None) -> Array:
        array = np.asarray(data, dtype=dtype, copy=copy)
        if array.dtype == object:
            raise TypeError(f"can't make an array of numbers from {type(data).__name__}: {data!r}")
        return array

    def from_host(self, array: Array) -> Array:
        return array

    def to_host(self, array: Array) -> Array:
        return array

    def normalize(self, result: Any) -> Array:
        return np.asarray(result)  # np.float32(1) + np.float32(1) is a scalar, not an array

    def own(self, array: Array) -> Array:
        # A view (its base is another array) or a scalar that some ufunc gave
        return array if type(array) is np.ndarray and array.base is None else np.array(array)

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        if not y.flags.c_contiguous or y.dtype != x.dtype:
            return super().axpy(alpha, x, y)
        # Block by block through one small buffer, so that no array of y's size is made.
        flat_x, flat_y = x.reshape(-1), y.reshape(-1)
        scratch = np.empty(min(_BLOCK, flat_y.size), dtype=y.dtype)
        for start in range(0, flat_y.size, _BLOCK):
            part = flat_y[start : start + _BLOCK]
            product = np.multiply(flat_x[start : start + _BLOCK], alpha, out=scratch[: part.size])
            np.add(part, product, out=part)
        return y

    def outer(self, x1: Array, x2: Array) -> Array:
        return np.dot(x1[:, None], x2[None, :])  # a matrix product beats np.outer by a third

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        result = np.zeros(shape, dtype=values.dtype)
        if _may_repeat(key):
            np.add.at(result, key, values)
        else:
            result[key] = values
        return result


def _may_repeat(key: Any) -> bool:
    """Whether an index can name a cell twice: only arrays of integers can."""
    keys = key if isinstance(key, tuple) else (key,)
    return any(isinstance(each, np.ndarray) and each.dtype != bool for each in keys)


def to_numpy(array: Any) -> Array:
    """Return an array of some other library as a NumPy array, without a copy where it can be."""
    try:
        return np.from_dlpack(array, device="cpu")
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return np.asarray(array)


def default_rng(seed: int | None) -> np.random.Generator:
    """Return NumPy's random generator: numbers are drawn on the host, alike for every backend."""
    return np.random.default_rng(seed)


CPU = NumPyBackend(np, "cpu", "cpu")
