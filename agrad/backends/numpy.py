"""NumPy: the backend of the device "cpu"."""

from typing import Any

import numpy as np

from agrad.backends.generic import Array, Backend

__all__ = ["CPU", "NumPyBackend", "to_numpy"]

# How many elements of a product `axpy` holds at a time: few enough to stay in the cache
_BLOCK = 1 << 17


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

    def bounds(self, array: Array) -> tuple[int, int]:
        if not array.shape:
            return int(array), int(array)
        return (int(array.min()), int(array.max())) if array.size else (0, 0)

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        if y.size <= _BLOCK:
            y += alpha * x
            return y
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

    def argsort(
        self, x: Array, *, axis: int = -1, descending: bool = False, stable: bool = True
    ) -> Array:
        kind = "stable" if stable else None
        if not descending:
            return np.argsort(x, axis=axis, kind=kind)
        # NumPy only sorts upwards. Turned round before and after, equal elements keep their order.
        order = np.argsort(np.flip(x, axis=axis), axis=axis, kind=kind)
        return x.shape[axis] - 1 - np.flip(order, axis=axis)

    def outer(self, x1: Array, x2: Array) -> Array:
        return np.dot(x1[:, None], x2[None, :])  # a matrix product beats np.outer by a third

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        result = np.zeros(shape, dtype=values.dtype)
        if _may_repeat(key):
            np.add.at(result, key, values)
        else:
            result[key] = values
        return result

    def softmax(self, x: Array, axis: int = -1) -> Array:
        if x.ndim == 1:  # reductions to a scalar are twice as fast as those along an axis
            e = np.exp(x - x.max())
            e /= e.sum()
        else:
            e = np.exp(x - x.max(axis=axis, keepdims=True))
            e /= e.sum(axis=axis, keepdims=True)
        return e

    def log_softmax(self, x: Array, axis: int = -1) -> Array:
        x = x - x.max(axis=axis, keepdims=True)
        x -= np.log(np.exp(x).sum(axis=axis, keepdims=True))
        return x


# Faster versions of functions that are written over the standard elsewhere ------------------------


def _affine_transform(xp: Backend, x: Array, W: Array, b: Array) -> Array:
    out = np.dot(x, W.T)
    out += b
    return out


def _affine_transform_b(xp: Backend, g: Array) -> Array:
    return g if g.ndim == 1 else g.reshape(-1, g.shape[-1]).sum(axis=0)


def _relu_x(xp: Backend, g: Array, out: Array) -> Array:
    return g * (out > 0)


def _nll(xp: Backend, z: Array, key: Any, scale: float | None) -> Array:
    if z.ndim == 1:
        shifted = z - z.max()
        return np.log(np.exp(shifted).sum()) - shifted[key]
    shifted = z - z.max(axis=-1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=-1)) - shifted[key]
    return losses if scale is None else losses.sum() * scale


def _nll_z(xp: Backend, g: Array, z: Array, key: Any, scale: float | None) -> Array:
    result = xp.softmax(z)
    result[key] -= 1
    result *= g[..., None] if scale is None else g * scale
    return result


NumPyBackend.kernels = {
    "affine_transform": _affine_transform,
    "affine_transform.b": _affine_transform_b,
    "relu.x": _relu_x,
    "nll": _nll,
    "nll.z": _nll_z,
}


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
