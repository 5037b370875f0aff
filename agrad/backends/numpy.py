"""NumPy: the backend of the device "cpu"."""

import math
import sys
import threading
from collections.abc import Hashable
from functools import cached_property, lru_cache
from numbers import Number
from typing import Any, Literal

import numpy as np

from agrad.backends.blas import Memory, updates
from agrad.backends.generic import Array, Backend, has_integers
from agrad.backends.special import Special, scipy_special

__all__ = ["CPU", "NumPyBackend", "to_numpy"]

# From how many elements on `axpy` is BLAS's; how many it takes at a time where it isn't, so that
# their product stays in the cache
LARGE = 10_000
_BLOCK = 1 << 17

# Up to how many columns `_axis_first` copies a matrix
SHORT = 100

# Up to how many rows a matrix is multiplied as a transposed one, and gives one: BLAS then takes up
# to a third less time
FEW_ROWS = 128


# Zeros to compare more than a few numbers with: `maximum` and `minimum` take a third of the time
# with an array of them that they take with the number 0
ZEROS = {char: np.zeros(8192, char) for char in "fd"}
_FEW = 20_000

_UNSIGNED = {n: np.dtype(f"u{n}") for n in (1, 2, 4, 8)}


class Outer:
    """The outer product of two vectors, not multiplied out: `axpy` adds it without making it.

    It is the gradient of a matrix for a single example, and gets as far as `grad` as it is.
    """

    __slots__ = ("dtype", "shape", "x1", "x2")
    __array_ufunc__ = None  # so that NumPy's arrays leave the adding to it

    def __init__(self, x1: Array, x2: Array) -> None:
        self.dtype = x1.dtype
        self.shape = x1.size, x2.size
        # Copies, since whoever has the vectors may write to them; and BLAS takes bytes as they are
        self.x1, self.x2 = x1.tobytes(), x2.tobytes()

    def multiplied(self) -> Array:
        """Return it as an array."""
        x1, x2 = np.frombuffer(self.x1, self.dtype), np.frombuffer(self.x2, self.dtype)
        return CPU.outer(x1, x2)

    def __add__(self, other: Any) -> Array:
        return self.multiplied() + other

    __radd__ = __add__

    def add_to(self, y: Array, alpha: float) -> bool:
        """Add `alpha` times this to a matrix in place; return False if BLAS can't."""
        (rows, columns), x1, x2 = self.shape, self.x1, self.x2
        if not y.flags.carray:  # its rows don't follow each other in memory; perhaps its columns do
            y, rows, columns, x1, x2 = y.T, columns, rows, x2, x1
        blas = updates(self.dtype.char)
        if blas is None or y.dtype != self.dtype or not y.flags.carray:
            return False
        memory, row = Memory.from_buffer(y), max(1, columns)
        blas.ger(ROW_MAJOR, rows, columns, alpha, x1, 1, x2, 1, memory, row)
        return True


ROW_MAJOR = 101  # how CBLAS calls C's order


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
        if type(result) is Outer:
            return result.multiplied()
        return np.asarray(result)  # np.float32(1) + np.float32(1) is a scalar, not an array

    def own(self, array: Array) -> Array:
        if type(array) is Outer:
            return array
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
        if not array.size:
            return 0, 0
        return int(np.minimum.reduce(array, axis=None)), int(np.maximum.reduce(array, axis=None))

    def are_below(self, array: Array, n: int) -> bool:
        if not array.shape:
            return 0 <= int(array) < n
        if not array.size:
            return True
        if array.dtype.kind == "i":  # in one pass: without signs, what is negative is very large
            array = array.view(_UNSIGNED[array.dtype.itemsize])
        return bool(np.maximum.reduce(array, axis=None) < n)

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        if type(x) is Outer:
            if x.add_to(y, alpha):
                return y
            x = x.multiplied()
        if y.size < LARGE:
            return np.add(y, x if alpha == 1 else x * alpha, out=y)
        blas = updates(y.dtype.char)
        if blas is not None and x.dtype == y.dtype:
            flat_x, flat_y = (x, y) if y.flags.carray else (x.T, y.T)
            if flat_x.flags.carray and flat_y.flags.carray:
                memory = Memory.from_buffer(flat_x), 1, Memory.from_buffer(flat_y), 1
                blas.axpy(y.size, alpha, *memory)
                return y
        rows = max(1, _BLOCK * len(y) // y.size)
        for start in range(0, len(y), rows):
            y[start : start + rows] += x[start : start + rows] * alpha
        return y

    def maximum(self, x1: Array, x2: Any, out: Array | None = None) -> Array:
        if type(x2) is int and x1.size > _FEW:
            return _extremum(np.maximum, x1, x2, out)
        return np.maximum(x1, x2, out=out)

    def minimum(self, x1: Array, x2: Any, out: Array | None = None) -> Array:
        if type(x2) is int and x1.size > _FEW:
            return _extremum(np.minimum, x1, x2, out)
        return np.minimum(x1, x2, out=out)

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
        x = _axis_first(x, axis)
        e = np.exp(x - np.maximum.reduce(x))
        e /= np.add.reduce(e)
        return e.swapaxes(0, axis)

    def log_softmax(self, x: Array, axis: int = -1) -> Array:
        x = _axis_first(x, axis)
        x = x - np.maximum.reduce(x)
        x -= np.log(np.add.reduce(np.exp(x)))
        return x.swapaxes(0, axis)


def _extremum(ufunc: np.ufunc, x1: Any, x2: int, out: Array | None) -> Array:
    """Return ``ufunc(x1, x2, out)``, where x2 is often 0 and x1 has many elements."""
    zeros = ZEROS.get(x1.dtype.char)
    result: Array = np.empty_like(x1) if out is None else out
    if x2 or zeros is None or not x1.flags.forc or result.strides != x1.strides:
        return ufunc(x1, x2, out=out)
    x, y = x1.ravel("K"), result.ravel("K")  # as they lie in memory: no copies
    rows, n = -1, zeros.size
    rest = x.size % n
    if rest:
        ufunc(x[-rest:], zeros[:rest], out=y[-rest:])
    if rest < x.size:
        ufunc(x[: x.size - rest].reshape(rows, n), zeros, out=y[: x.size - rest].reshape(rows, n))
    return result


def _axis_first(x: Array, axis: int) -> Array:
    """Return an array with the axis along which it is to be reduced as the first.

    Along the first axis NumPy takes row by row; along the last it begins anew for each row, which
    takes ten times as long where they are short: then it pays to copy a matrix.
    """
    x = x.swapaxes(0, axis)
    return np.ascontiguousarray(x) if x.ndim == 2 and len(x) <= SHORT else x


# Faster versions of functions that are written over the standard elsewhere ------------------------


def _affine_transform(xp: Backend, x: Array, W: Array, b: Array) -> Array:
    if x.ndim == 2 and len(x) <= FEW_ROWS:
        out = np.dot(W, x.T)
        return _plus_in_place(out, b[:, None]).T
    return _plus_in_place(_dot(x, W.T), b)


def _dot(x: Array, matrix: Array) -> Array:
    """Return x @ matrix; of stacks, np.dot would multiply row by row, without BLAS."""
    if x.ndim <= 2:
        return np.dot(x, matrix)
    return np.dot(_rows(x), matrix).reshape(*x.shape[:-1], matrix.shape[1])


def _plus_in_place(x: Array, b: Array) -> Array:
    if x.dtype != b.dtype:
        return x + b
    x += b
    return x


def _affine_transform_x(xp: Backend, g: Array, W: Array) -> Array:
    if g.ndim == 2 and len(g) <= FEW_ROWS:
        return np.dot(W.T, g.T).T
    return _dot(g, W)


def _affine_transform_W(xp: Backend, g: Array, x: Array) -> Array:
    if x.ndim > 1:
        return np.matmul(_rows(g).T, _rows(x))  # np.dot would fill its result with zeros first
    if x.dtype == g.dtype and updates(x.dtype.char) is not None:
        return Outer(g, x)
    return xp.outer(g, x)


def _affine_transform_b(xp: Backend, g: Array) -> Array:
    if g.ndim == 1:
        return g
    g = _rows(g)
    return np.dot(ones(len(g), g.dtype), g)  # BLAS sums rows three times as fast as NumPy


def _rows(x: Array) -> Array:
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


@lru_cache(maxsize=16)
def ones(n: int, dtype: Any) -> Array:
    return np.ones(n, dtype)


BITS = {2: np.dtype("int16"), 4: np.dtype("int32"), 8: np.dtype("int64")}


def _relu_x(xp: Backend, g: Array, out: Array) -> Array:
    # np.where is ten times as slow on signs that can't be foreseen. Bits times 0 or 1, rather than
    # numbers, because an infinite gradient times 0 would be NaN.
    bits = g.view(BITS[g.dtype.itemsize])
    if out.size > _BLOCK and out.flags.c_contiguous and g.flags.c_contiguous:
        result = np.empty_like(bits)
        flat, out, bits = result.reshape(-1), out.reshape(-1), bits.reshape(-1)
        for start in range(0, out.size, _BLOCK):  # without a mask of the whole
            block = slice(start, start + _BLOCK)
            np.multiply(out[block] > 0, bits[block], out=flat[block])
    else:
        result = (out > 0).astype(bits.dtype)
        result *= bits
    return result.view(g.dtype)


# With the classes along the first axis, one vector and a batch take the same code.


class _Exponentials(threading.local):
    """What the last loss of a thread has computed, for its gradient: scores, exp, and its sums."""

    latest: tuple[Array, Array, Array] | None = None


_exponentials = _Exponentials()
_KEPT = 1 << 14  # up to so many scores: for more, the memory counts, and not the calls


def _nll(xp: Backend, z: Array, key: Any, scale: float | None) -> Array:
    scores, z = z, _axis_first(z, -1)
    z = z - np.maximum.reduce(z)
    e = np.exp(z)
    total = np.add.reduce(e)
    _exponentials.latest = (scores, e, total) if e.size <= _KEPT else None
    losses = np.log(total) - z[key[::-1]]
    return losses if scale is None else np.add.reduce(losses) * scale


def _nll_z(xp: Backend, g: Array, z: Array, key: Any, scale: float | None) -> Array:
    latest, _exponentials.latest = _exponentials.latest, None
    if latest is not None and latest[0] is z:
        _, result, total = latest
        result /= total
    else:
        result = xp.softmax(z).T
    result[key[::-1]] -= 1
    result *= g if scale is None else g * scale
    return result.T


NumPyBackend.kernels = {
    "affine_transform": _affine_transform,
    "affine_transform.x": _affine_transform_x,
    "affine_transform.W": _affine_transform_W,
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
