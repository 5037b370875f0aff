"""NumPy: the backend of the device "cpu"."""

import sys
import threading
from collections.abc import Hashable
from functools import cached_property
from numbers import Number
from typing import Any, Literal

import numpy as np

from agrad.backends.generic import Array, Backend, has_integers
from agrad.backends.special import Special, scipy_special

__all__ = ["CPU", "NumPyBackend", "to_numpy"]

# How many elements of a product `axpy` holds at a time: few enough to stay in the cache
_BLOCK = 1 << 17


class _Scratch(threading.local):
    """Each thread's buffers of _BLOCK elements, one for each data type, and views of them."""

    def __init__(self) -> None:
        self.buffers: dict[Any, Array] = {}
        self.views: dict[Any, Array] = {}

    def like(self, array: Array) -> Array:
        """Return a part of the buffer, of the array's shape and data type."""
        key = array.shape, array.dtype
        view = self.views.get(key)
        if view is None:
            if array.dtype not in self.buffers:
                self.buffers[array.dtype] = np.empty(_BLOCK, dtype=array.dtype)
            view = self.buffers[array.dtype][: array.size].reshape(array.shape)
            self.views[key] = view
        return view


_scratch = _Scratch()


class NumPySpecial(Special):
    """SciPy's special functions, without detours."""

    def find(self, name: str) -> Any:
        return getattr(scipy_special(), name)


class NumPyBackend(Backend):
    """NumPy, whose main namespace follows the standard since 2.1."""

    array_type = np.ndarray
    one_whole = True
    counts_holders = sys.version_info < (3, 14)  # from then on, some references aren't counted

    @cached_property
    def special(self) -> Any:
        return NumPySpecial(self)

    def asarray(self, data: Any, dtype: Any = None, copy: bool | None = None) -> Array:
        array = np.asarray(data, dtype=dtype, copy=copy)
        if array.dtype.kind not in "biufc":  # objects, texts and dates are no numbers
            raise TypeError(f"can't make an array of numbers from {type(data).__name__}: {data!r}")
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    def from_host(self, array: Array) -> Array:
        return array if array.flags.writeable else array.copy()  # JAX lends its memory to read

    def to_host(self, array: Array) -> Array:
        return array

    def normalize(self, result: Any) -> Array:
        return np.asarray(result)  # np.float32(1) + np.float32(1) is a scalar, not an array

    def own(self, array: Array) -> Array:
        # A view (its base is another array) or a scalar that some ufunc gave
        return array if type(array) is np.ndarray and array.base is None else np.array(array)

    def memory(self, array: Array) -> Hashable:
        return id(array if array.base is None else self.whole(array))

    def whole(self, array: Array) -> Array:
        base = array.base
        while base is not None and isinstance(base, np.ndarray):
            array, base = base, base.base
        return array

    def may_share(self, x1: Array, x2: Array) -> bool:
        return x1.base is not None and self.memory(x1) == self.memory(x2)

    def assign(self, target: Array, key: Any, value: Any) -> Array:
        target[key] = value
        return target

    def bounds(self, array: Array) -> tuple[int, int]:
        if not array.shape:
            return int(array), int(array)
        return (int(array.min()), int(array.max())) if array.size else (0, 0)

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        # Through a buffer that stays, and piece by piece, so that no array of y's size is made.
        if y.size <= _BLOCK:
            np.add(y, np.multiply(x, alpha, out=_scratch.like(y)), out=y)
        elif y.ndim > 1 and x.flags.c_contiguous and y.flags.c_contiguous:
            self.axpy(alpha, x.reshape(-1), y.reshape(-1))
        elif len(y) == 1:
            self.axpy(alpha, x[0], y[0])
        else:
            rows = max(1, _BLOCK * len(y) // y.size)
            for start in range(0, len(y), rows):
                self.axpy(alpha, x[start : start + rows], y[start : start + rows])
        return y

    def expm1(self, x: Array) -> Array:
        if x.dtype.kind != "c":
            return np.expm1(x)
        with np.errstate(invalid="ignore"):
            # NumPy gives NaN at infinities, where the standard has limits: -1 for -inf + nan j.
            out = np.where(np.isfinite(x), np.expm1(x), np.exp(x) - 1)
        out.real += 0  # and it has 0 for -0
        return out

    def floor_divide(self, x1: Array, x2: Array) -> Array:
        infinite = np.isinf(x1) | np.isinf(x2)
        if not infinite.any():
            return np.floor_divide(x1, x2)
        with np.errstate(invalid="ignore"):
            # NumPy has NaN for inf // 2, and -1 for 1 // -inf; the standard has inf and -0.
            return np.where(infinite, np.floor(np.divide(x1, x2)), np.floor_divide(x1, x2))

    def argsort(
        self, x: Array, *, axis: int = -1, descending: bool = False, stable: bool = True
    ) -> Array:
        kind: Literal["stable"] | None = "stable" if stable else None
        if not descending:
            return np.argsort(x, axis=axis, kind=kind)
        # NumPy only sorts upwards. Turned round before and after, equal elements keep their order.
        order = np.argsort(np.flip(x, axis=axis), axis=axis, kind=kind)
        return x.shape[axis] - 1 - np.flip(order, axis=axis)

    def outer(self, x1: Array, x2: Array) -> Array:
        if x1.size * x2.size < 10_000:
            return x1[:, None] * x2
        return np.einsum("i,j->ij", x1, x2)  # slow to start, then twice as fast

    def getitem(self, x: Array, key: Any) -> Array:
        part = x[key]
        if type(part) is not np.ndarray:  # a single element, as a view instead of a scalar
            part = x[(*key, ...) if type(key) is tuple else (key, ...)]
        return part

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        result = np.zeros(shape, dtype=values.dtype)
        if has_integers(key):
            np.add.at(result, key, values)
        else:
            result[key] = values
        return result

    def softmax(self, x: Array, axis: int = -1) -> Array:
        if x.ndim == 1:  # reductions to a scalar are twice as fast as those along an axis
            e = np.exp(x - np.maximum.reduce(x))
            e /= np.add.reduce(e)
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
    if out.dtype != b.dtype:
        return out + b
    out += b
    return out


def _affine_transform_b(xp: Backend, g: Array) -> Array:
    return g if g.ndim == 1 else g.sum(axis=tuple(range(g.ndim - 1)))


_BITS = {2: np.dtype("int16"), 4: np.dtype("int32"), 8: np.dtype("int64")}


def _relu_x(xp: Backend, g: Array, out: Array) -> Array:
    # np.where is ten times as slow on signs that can't be foreseen. Bits times 0 or 1, rather than
    # numbers, because an infinite gradient times 0 would be NaN.
    dtype = g.dtype
    return (g.view(_BITS[dtype.itemsize]) * (out > 0)).view(dtype)


def _nll(xp: Backend, z: Array, key: Any, scale: float | None) -> Array:
    if z.ndim == 1:
        shifted = z - np.maximum.reduce(z)
        return np.log(np.add.reduce(np.exp(shifted))) - shifted[key]
    shifted = z - z.max(axis=-1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=-1)) - shifted[key]
    return losses if scale is None else losses.sum() * scale


def _nll_z(xp: Backend, g: Array, z: Array, key: Any, scale: float | None) -> Array:
    result = xp.softmax(z)
    result[key] -= 1
    if scale is not None:
        g = g * scale
    elif g.ndim:
        g = g[:, None]
    result *= g
    return result


NumPyBackend.kernels = {
    "affine_transform": _affine_transform,
    "affine_transform.b": _affine_transform_b,
    "relu.x": _relu_x,
    "nll": _nll,
    "nll.z": _nll_z,
}


def to_numpy(array: Any) -> Array:
    """Return an array of some other library as a NumPy array, without a copy where it can be."""
    try:
        return np.from_dlpack(array, device="cpu")
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return np.asarray(array)


def is_number(value: Any) -> bool:
    """Return whether a value is a number, which no device holds: Python's, NumPy's and others'."""
    return isinstance(value, (Number, np.generic))


def default_rng(seed: int | None) -> "np.random.Generator":
    """Return NumPy's random generator: numbers are drawn on the host, alike for every backend."""
    return np.random.default_rng(seed)


CPU = NumPyBackend(np, "cpu", "cpu")
