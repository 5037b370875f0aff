"""How recorded steps run on NumPy: as single calls, which write into arrays made beforehand.

`agrad.compile` writes down a step as calls. A kernel of numpy.py would be a single one, that makes
arrays of its own; here each kernel stands as the calls that it is made of, of the same values, so
that those which two kernels share are made once, and all write into memory that is planned.
"""

import operator
from collections.abc import Callable
from ctypes import c_int
from math import prod
from typing import Any

import numpy as np

from agrad.backends.blas import Memory, updates
from agrad.backends.generic import Array, StepPlanner, Writing
from agrad.backends.numpy import (
    BITS,
    CPU,
    FEW_ROWS,
    LARGE,
    ROW_MAJOR,
    SHORT,
    ZEROS,
    NumPyBackend,
    ones,
)

__all__ = ["NumPySteps"]

_OPERATORS: dict[Any, np.ufunc] = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.true_divide,
    operator.neg: np.negative,
    operator.pos: np.positive,
    operator.abs: np.absolute,
    operator.matmul: np.matmul,
    operator.eq: np.equal,
    operator.ne: np.not_equal,
    operator.lt: np.less,
    operator.le: np.less_equal,
    operator.gt: np.greater,
    operator.ge: np.greater_equal,
}
_REDUCTIONS: dict[Any, np.ufunc] = {
    np.sum: np.add,
    np.prod: np.multiply,
    np.max: np.maximum,
    np.min: np.minimum,
}
_EXTREMA: dict[Any, np.ufunc] = {CPU.maximum: np.maximum, CPU.minimum: np.minimum}
_SCALAR_OPERATORS: dict[Any, Any] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.true_divide: operator.truediv,
}
_CACHE_LINE = 64  # bytes


class NumPySteps(StepPlanner):
    """What a recorded step asks of NumPy."""

    def writing(self, function: Any, args: Any, kwargs: Any) -> Writing | None:
        if function in (operator.pow, np.pow) and type(args[1]) in (int, float):
            if args[1] != 2:
                return None  # as an operator NumPy has several ways, by the exponent
            function, args = np.square, args[:1]
        function = _OPERATORS.get(function, function)
        if function in _EXTREMA:
            return Writing(*_extremum(function, *args), {}, in_place=True)
        if function is np.ascontiguousarray:
            return Writing(np.positive, args, {}, in_place=False)
        if function in _REDUCTIONS:
            return Writing(*self.shortcut(function, args, kwargs), in_place=False)
        if isinstance(function, np.ufunc):
            return Writing(function, args, kwargs, in_place=function.signature is None)
        if isinstance(getattr(function, "__self__", None), np.ufunc):  # np.add.reduce
            return Writing(function, args, kwargs, in_place=False)
        return None

    def shortcut(self, function: Any, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
        if function is np.matrix_transpose and args[0].ndim == 2:
            return np.ndarray.transpose, args, kwargs
        if function is np.expand_dims and kwargs == {"axis": 1}:
            return operator.getitem, (args[0], (slice(None), None)), {}
        if function in _REDUCTIONS:
            return _REDUCTIONS[function].reduce, args, {"axis": None, **kwargs}
        # For scalars, Python's operators are the fastest
        if getattr(args[0], "shape", None) == () and not kwargs:
            return _SCALAR_OPERATORS.get(function, function), args, kwargs
        return function, args, kwargs

    def adding(self, name: str, args: Any, y: Any) -> Callable[..., Array] | None:
        if name == "axpy":
            return _adder(args[0], y)
        if name not in ("outer", "matmul") or not all(y.shape):
            return None
        x1, x2 = args
        if name == "outer":
            return _outer_adder(x1, x2, y)
        return _matmul_adder(x1, x2, y) if x1.ndim == x2.ndim == 2 and x1.size else None

    def memory(self, like: Any) -> Array:
        memory = np.empty(like.nbytes + _CACHE_LINE, np.uint8)
        start = -memory.ctypes.data % _CACHE_LINE
        return memory[start : start + like.nbytes]

    def array(self, memory: Array, like: Any) -> Array | None:
        array: Array = np.ndarray(like.shape, like.dtype, memory, strides=like.strides)
        return array

    def layout(self, array: Array) -> tuple[int, ...]:
        strides: tuple[int, ...] = array.strides
        return strides


def _extremum(function: Any, x1: Any, x2: Any) -> tuple[Any, Any]:
    """Return `maximum` or `minimum` with arguments: for a 0 an array of them, if it isn't large."""
    if type(x2) is int and x2 == 0 and x1.dtype.char in ZEROS:
        zeros = ZEROS[x1.dtype.char]
        try:
            return _EXTREMA[function], (
                x1,
                np.ndarray(x1.shape, x1.dtype, zeros, strides=x1.strides),
            )
        except ValueError:  # there are more
            pass
    return function, (x1, x2)


# Products that are added as they are made ---------------------------------------------------------


def _adder(x: Any, y: Any) -> Callable[..., Array] | None:
    """Return ``axpy(alpha, x, y)`` for small arrays; the same as `NumPyBackend.axpy` to the bit."""
    if y.size >= LARGE or x.dtype != y.dtype:
        return None
    multiply, add, product = np.multiply, np.add, np.empty(y.shape, y.dtype)

    def axpy(alpha: float, x: Array, y: Array) -> Array:
        multiply(x, alpha, product)
        return add(y, product, y)

    return axpy


def _outer_adder(x1: Any, x2: Any, y: Any) -> Callable[..., Array]:
    """Return ``add_outer(alpha, x1, x2, y)``, for arrays that lie in memory as these do.

    What can be is made ready here: half of the time that BLAS takes for small arrays is ctypes'.
    """
    blas = updates(y.dtype.char)
    in_order = all(map(_in_order, (x1, x2, y)))
    if blas is None or not in_order or not x1.dtype == x2.dtype == y.dtype:
        return _add_outer_plainly
    order, one, factor = c_int(ROW_MAJOR), blas.integer(1), blas.real()
    rows, columns = map(blas.integer, y.shape)
    ger, from_buffer = blas.raw_ger, Memory.from_buffer

    def add_outer(alpha: float, x1: Array, x2: Array, y: Array) -> Array:
        factor.value = alpha
        m1, m2, m = _memory(x1), _memory(x2), from_buffer(y)
        ger(order, rows, columns, factor, m1, one, m2, one, m, columns)
        return y

    return add_outer


def _matmul_adder(x1: Any, x2: Any, y: Any) -> Callable[..., Array]:
    """Return ``add_matmul(alpha, x1, x2, y)``, for matrices that lie in memory as these do."""
    blas = updates(y.dtype.char)
    operand1, operand2 = _operand(x1), _operand(x2)
    alike = _in_order(y) and x1.dtype == x2.dtype == y.dtype
    if blas is None or operand1 is None or operand2 is None or not alike:
        return _add_matmul_plainly
    order, factor, one = c_int(ROW_MAJOR), blas.real(), blas.real(1)
    rows, columns, inner = map(blas.integer, (*y.shape, x1.shape[1]))
    how1, row1 = c_int(operand1[0]), blas.integer(operand1[1])
    how2, row2 = c_int(operand2[0]), blas.integer(operand2[1])
    turn1, turn2 = operand1[0] == _TRANSPOSED, operand2[0] == _TRANSPOSED
    gemm, from_buffer = blas.raw_gemm, Memory.from_buffer

    def add_matmul(alpha: float, x1: Array, x2: Array, y: Array) -> Array:
        factor.value = alpha
        m1, m2 = _memory(x1.T if turn1 else x1), _memory(x2.T if turn2 else x2)
        m = from_buffer(y)
        gemm(order, how1, how2, rows, columns, inner, factor, m1, row1, m2, row2, one, m, columns)
        return y

    return add_matmul


def _add_outer_plainly(alpha: float, x1: Array, x2: Array, y: Array) -> Array:
    return CPU.axpy(alpha, CPU.outer(x1, x2), y)


def _add_matmul_plainly(alpha: float, x1: Array, x2: Array, y: Array) -> Array:
    return CPU.axpy(alpha, np.matmul(x1, x2), y)


def _memory(array: Array) -> Any:
    """Return an array's memory for BLAS to read."""
    try:
        return Memory.from_buffer(array)
    except TypeError:  # it mustn't be written to
        return Memory.from_buffer(array.copy())


_AS_IT_IS, _TRANSPOSED = 111, 112  # how CBLAS calls them


def _operand(x: Any) -> tuple[int, int] | None:
    """Return how BLAS is to read a matrix, and how long its rows are in memory; None if it can't"""
    if _in_order(x):
        return _AS_IT_IS, x.shape[1]
    columns = [n * x.dtype.itemsize for n in (1, x.shape[0])]
    return (_TRANSPOSED, x.shape[0]) if list(x.strides) == columns else None


def _in_order(x: Any) -> bool:
    """Return whether the elements follow each other in memory, row by row."""
    step = x.dtype.itemsize
    for n, stride in zip(reversed(x.shape), reversed(x.strides), strict=True):
        if n > 1 and stride != step:
            return False
        step *= n
    return True


# The kernels of numpy.py, call by call; `xp` is the recorder --------------------------------------


def _affine_transform(xp: Any, x: Any, W: Any, b: Any) -> Any:
    if x.ndim == 2 and x.shape[0] <= FEW_ROWS:
        return (xp.matmul(W, x.T) + xp.expand_dims(b, axis=1)).T
    return _matmul(xp, x, W.T) + b


def _affine_transform_x(xp: Any, g: Any, W: Any) -> Any:
    if g.ndim == 2 and g.shape[0] <= FEW_ROWS:
        return xp.matmul(W.T, g.T).T
    return _matmul(xp, g, W)


def _matmul(xp: Any, x: Any, matrix: Any) -> Any:
    if x.ndim <= 2:
        return xp.matmul(x, matrix)
    return xp.reshape(xp.matmul(_rows(xp, x), matrix), (*x.shape[:-1], matrix.shape[1]))


def _affine_transform_W(xp: Any, g: Any, x: Any) -> Any:
    return xp.outer(g, x) if x.ndim == 1 else xp.matmul(_rows(xp, g).T, _rows(xp, x))


def _affine_transform_b(xp: Any, g: Any) -> Any:
    if g.ndim == 1:
        return g
    g = _rows(xp, g)
    return xp.matmul(xp.normalize(ones(g.shape[0], g.dtype)), g)


def _rows(xp: Any, x: Any) -> Any:
    return x if x.ndim == 2 else xp.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def _relu_x(xp: Any, g: Any, out: Any) -> Any:
    if g.ndim == 0:  # on the way it may be a scalar, which has no view
        return xp.where(out > 0, g, xp.zeros_like(g))
    bits = xp.greater(out, 0) * _view(xp, g, BITS[g.dtype.itemsize])
    return _view(xp, bits, g.dtype)


def _view(xp: Any, x: Any, dtype: Any) -> Any:
    return xp.run("view", np.ndarray.view, (x, dtype), {})


def _nll(xp: Any, z: Any, key: Any, scale: float | None) -> Any:
    z, _, total = _exponentials(xp, z)
    losses = xp.log(total) - xp.run("getitem", operator.getitem, (z, key[::-1]), {})
    return losses if scale is None else xp.sum(losses) * scale


def _nll_z(xp: Any, g: Any, z: Any, key: Any, scale: float | None) -> Any:
    _, e, total = _exponentials(xp, z)
    softmax = e / total
    right = xp.run("getitem", operator.getitem, (softmax, key[::-1]), {}) - 1
    result = xp.setitem(softmax, key[::-1], right)
    weight = g if scale is None else g * scale
    if not (weight.is_constant and weight.value == 1):
        result = result * weight
    return result if z.ndim == 1 else result.T


def _softmax(xp: Any, x: Any, axis: int) -> Any:
    _, e, total = _exponentials(xp, x, axis)
    return _swapped(xp, e / total, axis)


def _log_softmax(xp: Any, x: Any, axis: int) -> Any:
    x, _, total = _exponentials(xp, x, axis)
    return _swapped(xp, x - xp.log(total), axis)


def _exponentials(xp: Any, x: Any, axis: int = -1) -> tuple[Any, Any, Any]:
    """Return x - max(x), its exponential, and the sum of that; the axis comes first."""
    x = _swapped(xp, x, axis)
    if x.ndim == 2 and x.shape[0] <= SHORT:
        x = xp.run("ascontiguousarray", np.ascontiguousarray, (x,), {})
    x = x - xp.run("maximum.reduce", np.maximum.reduce, (x,), {})
    e = xp.exp(x)
    return x, e, xp.run("add.reduce", np.add.reduce, (e,), {})


def _swapped(xp: Any, x: Any, axis: int) -> Any:
    if axis % x.ndim == 0:
        return x
    return xp.run("swapaxes", np.swapaxes, (x, 0, axis), {})


NumPySteps.unfolded = {
    "affine_transform": _affine_transform,
    "affine_transform.x": _affine_transform_x,
    "affine_transform.W": _affine_transform_W,
    "affine_transform.b": _affine_transform_b,
    "relu.x": _relu_x,
    "nll": _nll,
    "nll.z": _nll_z,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}

NumPyBackend.planner = NumPySteps()
