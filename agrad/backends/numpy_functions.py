"""NumPy's own functions, called with Tensors: np.exp(t), np.concatenate([t, t]), array * t.

NumPy asks its arguments first whether they know better, by the methods ``__array_ufunc__`` and
``__array_function__``. Tensors answer with the functions of agrad, which are differentiated and run
where the Tensor is. The two tables say which: NumPy's name, and what is called over the namespace
``xp``, which is agrad's, with NumPy's parameters in NumPy's order.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from functools import cache, reduce
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np

__all__ = ["FUNCTIONS", "METHODS", "UFUNCS", "call_function", "call_ufunc"]

Entry = str | Callable[..., Any]  # agrad's name, where the arguments are the same ones

# Elementwise functions ---------------------------------------------------------------------------

SAME = """
    add bitwise_and bitwise_or bitwise_xor ceil copysign cos cosh divide equal exp expm1 floor
    floor_divide greater greater_equal hypot isfinite isinf isnan less less_equal log log10 log1p
    log2 logaddexp logical_and logical_not logical_or logical_xor matmul maximum minimum multiply
    negative nextafter not_equal positive reciprocal remainder sign signbit sin sinh sqrt square
    subtract tan tanh trunc vecdot
"""
UFUNCS: dict[str, Entry] = {
    **{name: name for name in SAME.split()},
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "conjugate": "conj",
    "deg2rad": lambda xp, x: x * (math.pi / 180),
    "degrees": lambda xp, x: x * (180 / math.pi),
    "divmod": lambda xp, x1, x2: (xp.floor_divide(x1, x2), xp.remainder(x1, x2)),
    "exp2": lambda xp, x: 2.0**x,
    "fabs": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "matvec": lambda xp, x1, x2: xp.matmul(x1, x2[..., None])[..., 0],
    "power": "pow",
    "rad2deg": lambda xp, x: x * (180 / math.pi),
    "radians": lambda xp, x: x * (math.pi / 180),
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "vecmat": lambda xp, x1, x2: xp.matmul(xp.conj(x1)[..., None, :], x2)[..., 0, :],
}


def _reduce(name: str) -> Entry:
    return lambda xp, array, axis=0, dtype=None, out=None, keepdims=False: getattr(xp, name)(
        array, axis=axis, keepdims=keepdims, **_if_given(dtype=dtype)
    )


def _accumulate(name: str) -> Entry:
    return lambda xp, array, axis=0, dtype=None, out=None: getattr(xp, name)(
        array, axis=axis, dtype=dtype
    )


METHODS: dict[str, Entry] = {
    "add.reduce": _reduce("sum"),
    "logical_and.reduce": _reduce("all"),
    "logical_or.reduce": _reduce("any"),
    "maximum.reduce": _reduce("max"),
    "minimum.reduce": _reduce("min"),
    "multiply.reduce": _reduce("prod"),
    "add.accumulate": _accumulate("cumulative_sum"),
    "multiply.accumulate": _accumulate("cumulative_prod"),
}

# The others: what they are made of ---------------------------------------------------------------


def _if_given(**options: Any) -> dict[str, Any]:
    """Return the options that aren't None: agrad's own defaults stand for the others."""
    return {name: value for name, value in options.items() if value is not None}


def _ndim(x: Any) -> int:
    return getattr(x, "ndim", 0)


def _ravel(xp: Any, x: Any) -> Any:
    return xp.reshape(x, (-1,))


def _reduction(name: str) -> Entry:
    return lambda xp, a, axis=None, out=None, keepdims=False: getattr(xp, name)(
        a, axis=axis, keepdims=keepdims
    )


def _sum(name: str) -> Entry:
    return lambda xp, a, axis=None, dtype=None, out=None, keepdims=False: getattr(xp, name)(
        a, axis=axis, keepdims=keepdims, **_if_given(dtype=dtype)
    )


def _spread(name: str) -> Entry:
    def entry(
        xp: Any,
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: bool = False,
        *,
        correction: float | None = None,
    ) -> Any:
        ddof = ddof if correction is None else correction
        a = a if dtype is None else xp.astype(a, dtype)
        return getattr(xp, name)(a, axis=axis, correction=ddof, keepdims=keepdims)

    return entry


def _scan(name: str) -> Entry:
    return lambda xp, a, axis=None, dtype=None, out=None: getattr(xp, name)(
        _ravel(xp, a) if axis is None else a, axis=0 if axis is None else axis, dtype=dtype
    )


def _arg(name: str) -> Entry:
    return lambda xp, a, axis=None, out=None, *, keepdims=False: getattr(xp, name)(
        a, axis=axis, keepdims=keepdims
    )


def _dot(xp: Any, a: Any, b: Any, out: Any = None) -> Any:
    if not (_ndim(a) and _ndim(b)):
        return xp.multiply(a, b)
    if _ndim(a) > 1 and _ndim(b) > 2:  # not the stacks of matmul
        return xp.tensordot(a, b, axes=((-1,), (-2,)))
    return xp.matmul(a, b)


def _inner(xp: Any, a: Any, b: Any, /) -> Any:
    if not (_ndim(a) and _ndim(b)):
        return xp.multiply(a, b)
    return xp.tensordot(a, b, axes=((-1,), (-1,)))


def _transpose(xp: Any, a: Any, axes: Sequence[int] | None = None) -> Any:
    return xp.permute_dims(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes))


def _swapaxes(xp: Any, a: Any, axis1: int, axis2: int) -> Any:
    axes = list(range(a.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return xp.permute_dims(a, tuple(axes))


def _squeeze(xp: Any, a: Any, axis: Any = None) -> Any:
    every = tuple(i for i, n in enumerate(a.shape) if n == 1)
    return xp.squeeze(a, axis=every if axis is None else axis)


def _atleast(ndim: int) -> Callable[..., Any]:
    def one(xp: Any, x: Any) -> Any:
        n = tuple(x.shape)
        if ndim == 3 and len(n) < 3:
            return xp.reshape(x, [(1, 1, 1), (1, *n, 1), (*n, 1)][len(n)])
        return xp.reshape(x, (1,) * (ndim - len(n)) + n)

    def entry(xp: Any, *arys: Any) -> Any:
        made = tuple(one(xp, x if hasattr(x, "shape") else xp.asarray(x)) for x in arys)
        return made[0] if len(made) == 1 else made

    return entry


def _tuple(axes: Any) -> Any:
    return tuple(axes) if isinstance(axes, Sequence) else axes


def _as_list(xp: Any, arrays: Any, ndim: int) -> list[Any]:
    return [_atleast(ndim)(xp, x) for x in arrays]


def _hstack(xp: Any, tup: Any) -> Any:
    arrays = _as_list(xp, tup, 1)
    return xp.concat(arrays, axis=0 if arrays[0].ndim == 1 else 1)


def _column_stack(xp: Any, tup: Any) -> Any:
    columns = [x if _ndim(x) > 1 else xp.reshape(x, (-1, 1)) for x in tup]
    return xp.concat(columns, axis=1)


def _split(even: bool) -> Entry:
    def entry(xp: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
        n = ary.shape[axis]
        if isinstance(indices_or_sections, (int, np.integer)):
            parts = int(indices_or_sections)
            if parts < 1:
                raise ValueError(f"an array can't be split into {parts} parts")
            if even and n % parts:
                raise ValueError(f"{n} along axis {axis} can't be split into {parts} equal parts")
            cuts = [i * (n // parts) + min(i, n % parts) for i in range(parts + 1)]
        else:
            cuts = [0, *indices_or_sections, n]
        before = (slice(None),) * (axis % ary.ndim)
        return [ary[(*before, slice(a, b))] for a, b in pairwise(cuts)]

    return entry


def _take(xp: Any, a: Any, indices: Any, axis: int | None = None, out: Any = None) -> Any:
    return xp.take(_ravel(xp, a) if axis is None else a, indices, axis=axis or 0)


def _take_along(xp: Any, arr: Any, indices: Any, axis: int | None = -1) -> Any:
    return xp.take_along_axis(
        _ravel(xp, arr) if axis is None else arr, indices, axis=0 if axis is None else axis
    )


def _sort(name: str) -> Entry:
    return lambda xp, a, axis=-1, kind=None, order=None, *, stable=None: getattr(xp, name)(
        _ravel(xp, a) if axis is None else a, axis=-1 if axis is None else axis
    )


def _where(xp: Any, condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is None and y is None:
        return xp.nonzero(condition)
    return xp.where(condition, x, y)


def _clip(
    xp: Any,
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    return xp.clip(a, a_min if min is None else min, a_max if max is None else max)


def _isclose(
    xp: Any, a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    finite = xp.isfinite(b)
    middle = xp.where(finite, b, xp.zeros_like(b))  # inf - inf would warn
    room = xp.add(xp.multiply(xp.abs(middle), rtol), atol)
    near = xp.logical_and(finite, xp.less_equal(xp.abs(xp.subtract(a, middle)), room))
    close = xp.logical_or(xp.equal(a, b), near)
    return xp.logical_or(close, xp.logical_and(xp.isnan(a), xp.isnan(b))) if equal_nan else close


def _array_equal(xp: Any, a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    a1, a2 = xp.asarray(a1), xp.asarray(a2)
    if a1.shape != a2.shape:
        return False
    same = xp.equal(a1, a2)
    if equal_nan:
        same = xp.logical_or(same, xp.logical_and(xp.isnan(a1), xp.isnan(a2)))
    return bool(xp.all(same))


def _like(name: str) -> Entry:
    return lambda xp, a, dtype=None: getattr(xp, name)(a, dtype=dtype)


def _last_two(xp: Any, a: Any, axis1: int, axis2: int) -> Any:
    return xp.moveaxis(a, (axis1, axis2), (-2, -1))


def _diag(xp: Any, v: Any, k: int = 0) -> Any:
    if v.ndim != 1:
        return xp.linalg.diagonal(v, offset=k)
    rows, columns = ([i + max(shift, 0) for i in range(v.shape[0])] for shift in (-k, k))
    return xp.scatter_add(v, (rows, columns), (v.shape[0] + abs(k),) * 2)


def _cross(
    xp: Any,
    a: Any,
    b: Any,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Any:
    if axis is None:
        if not axisa == axisb == axisc:
            raise TypeError("np.cross of Tensors takes one axis for all three; see np.moveaxis")
        axis = axisa
    return xp.linalg.cross(a, b, axis=axis)


def _pad(xp: Any, array: Any, pad_width: Any, mode: str = "constant", **options: Any) -> Any:
    if unknown := sorted(options.keys() - {"constant_values"}):
        raise TypeError(f"np.pad of Tensors takes no {unknown[0]}=")
    return xp.pad(array, pad_width, mode, **options)


def _norm(xp: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if not x.dtype.is_differentiable:
        x = xp.astype(x, "float64")
    ord = "fro" if ord == "f" else ord
    if axis is None and ord is not None and x.ndim == 2:
        axis = 0, 1
    if isinstance(axis, tuple) and len(axis) == 2 and ord is not None:
        norm = xp.linalg.matrix_norm(_last_two(xp, x, *axis), ord=ord)
        return xp.expand_dims(norm, axis=tuple(a % x.ndim for a in axis)) if keepdims else norm
    if axis is None and ord is not None and x.ndim != 1:
        raise ValueError(f"a norm of order {ord!r} needs an axis, or one or two dimensions")
    return xp.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)


def _svd(
    xp: Any, a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    if not compute_uv:
        return xp.linalg.svdvals(a)
    return xp.linalg.svd(a, full_matrices=full_matrices)


def _fft(name: str) -> Entry:
    return lambda xp, a, n=None, axis=-1, norm=None, out=None: getattr(xp.fft, name)(
        a, n=n, axis=axis, norm=norm or "backward"
    )


def _fftn(name: str, default: tuple[int, ...] | None = None) -> Entry:
    return lambda xp, a, s=None, axes=default, norm=None, out=None: getattr(xp.fft, name)(
        a, s=s, axes=axes, norm=norm or "backward"
    )


# fmt: off
FUNCTIONS: dict[str, Entry] = {
    # Reductions
    "all": _reduction("all"),
    "amax": _reduction("max"),
    "amin": _reduction("min"),
    "any": _reduction("any"),
    "argmax": _arg("argmax"),
    "argmin": _arg("argmin"),
    "count_nonzero": lambda xp, a, axis=None, *, keepdims=False:
        xp.count_nonzero(a, axis=axis, keepdims=keepdims),
    "max": _reduction("max"),
    "mean": lambda xp, a, axis=None, dtype=None, out=None, keepdims=False:
        xp.mean(a if dtype is None else xp.astype(a, dtype), axis=axis, keepdims=keepdims),
    "min": _reduction("min"),
    "prod": _sum("prod"),
    "ptp": lambda xp, a, axis=None, out=None, keepdims=False:
        xp.max(a, axis=axis, keepdims=keepdims) - xp.min(a, axis=axis, keepdims=keepdims),
    "std": _spread("std"),
    "sum": _sum("sum"),
    "var": _spread("var"),
    # Along an axis
    "cumprod": _scan("cumulative_prod"),
    "cumsum": _scan("cumulative_sum"),
    "cumulative_prod": lambda xp, x, /, *, axis=None, dtype=None, out=None, include_initial=False:
        xp.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial),
    "cumulative_sum": lambda xp, x, /, *, axis=None, dtype=None, out=None, include_initial=False:
        xp.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial),
    "diff": lambda xp, a, n=1, axis=-1, prepend=None, append=None:
        xp.diff(a, n=n, axis=axis, prepend=prepend, append=append),
    "sort": _sort("sort"),
    "argsort": _sort("argsort"),
    # Shapes
    "atleast_1d": _atleast(1),
    "atleast_2d": _atleast(2),
    "atleast_3d": _atleast(3),
    "broadcast_arrays": lambda xp, *args: tuple(xp.broadcast_arrays(*args)),
    "broadcast_to": lambda xp, array, shape:
        xp.broadcast_to(array, (shape,) if isinstance(shape, int) else shape),
    "expand_dims": lambda xp, a, axis: xp.expand_dims(a, axis=axis),
    "flip": lambda xp, m, axis=None: xp.flip(m, axis=axis),
    "fliplr": lambda xp, m: xp.flip(m, axis=1),
    "flipud": lambda xp, m: xp.flip(m, axis=0),
    "matrix_transpose": "matrix_transpose",
    "moveaxis": lambda xp, a, source, destination:
        xp.moveaxis(a, _tuple(source), _tuple(destination)),
    "ravel": lambda xp, a: _ravel(xp, a),
    "repeat": lambda xp, a, repeats, axis=None: xp.repeat(a, repeats, axis=axis),
    "reshape": lambda xp, a, /, shape, *, copy=None: xp.reshape(a, shape, copy=copy),
    "roll": lambda xp, a, shift, axis=None: xp.roll(a, shift, axis=axis),
    "squeeze": _squeeze,
    "swapaxes": _swapaxes,
    "tile": lambda xp, A, reps: xp.tile(A, tuple(reps) if hasattr(reps, "__len__") else (reps,)),
    "transpose": _transpose,
    # Several arrays, and parts of one
    "array_split": _split(even=False),
    "column_stack": _column_stack,
    "concatenate": lambda xp, arrays, /, axis=0, out=None: xp.concat(arrays, axis=axis),
    "dstack": lambda xp, tup: xp.concat(_as_list(xp, tup, 3), axis=2),
    "hstack": _hstack,
    "meshgrid": lambda xp, *xi, indexing="xy": tuple(xp.meshgrid(*xi, indexing=indexing)),
    "split": _split(even=True),
    "stack": lambda xp, arrays, axis=0, out=None: xp.stack(arrays, axis=axis),
    "unstack": "unstack",
    "vstack": lambda xp, tup: xp.concat(_as_list(xp, tup, 2), axis=0),
    # Choosing elements
    "clip": _clip,
    "diag": _diag,
    "diagonal": lambda xp, a, offset=0, axis1=0, axis2=1:
        xp.linalg.diagonal(_last_two(xp, a, axis1, axis2), offset=offset),
    "isin": lambda xp, element, test_elements, assume_unique=False, invert=False:
        xp.isin(element, test_elements, invert=invert),
    "nonzero": "nonzero",
    "pad": _pad,
    "searchsorted": lambda xp, a, v, side="left", sorter=None:
        xp.searchsorted(a, v, side=side, sorter=sorter),
    "take": _take,
    "take_along_axis": _take_along,
    "tril": lambda xp, m, k=0: xp.tril(m, k=k),
    "triu": lambda xp, m, k=0: xp.triu(m, k=k),
    "unique_all": "unique_all",
    "unique_counts": "unique_counts",
    "unique_inverse": "unique_inverse",
    "unique_values": "unique_values",
    "where": _where,
    # Elementwise
    "allclose": lambda xp, *args, **options: bool(xp.all(_isclose(xp, *args, **options))),
    "array_equal": _array_equal,
    "astype": lambda xp, x, dtype, /, *, copy=True: xp.astype(x, dtype, copy=copy),
    "imag": lambda xp, val: xp.imag(val) if val.dtype.is_complex else xp.zeros_like(val),
    "isclose": _isclose,
    "real": lambda xp, val: xp.real(val) if val.dtype.is_complex else val,
    "round": lambda xp, a, decimals=0, out=None: _round(xp, a, decimals),
    # Products
    "cross": _cross,
    "dot": _dot,
    "einsum": lambda xp, *operands, out=None, optimize=False: xp.einsum(*operands),
    "inner": _inner,
    "outer": lambda xp, a, b, out=None: xp.outer(_ravel(xp, a), _ravel(xp, b)),
    "tensordot": lambda xp, a, b, axes=2: xp.tensordot(a, b, axes=axes),
    "trace": lambda xp, a, offset=0, axis1=0, axis2=1, dtype=None, out=None:
        xp.linalg.trace(_last_two(xp, a, axis1, axis2), offset=offset, dtype=dtype),
    "vdot": lambda xp, a, b, /: xp.vecdot(_ravel(xp, a), _ravel(xp, b)),
    # New arrays, and facts
    "copy": lambda xp, a: xp.asarray(a, copy=True),
    "empty_like": _like("empty_like"),
    "full_like": lambda xp, a, fill_value, dtype=None: xp.full_like(a, fill_value, dtype=dtype),
    "iscomplexobj": lambda xp, x: x.dtype.is_complex,
    "isrealobj": lambda xp, x: not x.dtype.is_complex,
    "ndim": lambda xp, a: a.ndim,
    "ones_like": _like("ones_like"),
    "shape": lambda xp, a: a.shape,
    "size": lambda xp, a, axis=None: a.size if axis is None else a.shape[axis],
    "zeros_like": _like("zeros_like"),
    # np.linalg
    "linalg.cholesky": "linalg.cholesky",
    "linalg.cross": "linalg.cross",
    "linalg.det": lambda xp, a: xp.linalg.det(a),
    "linalg.diagonal": "linalg.diagonal",
    "linalg.eig": lambda xp, a: xp.linalg.eig(a),
    "linalg.eigh": lambda xp, a: xp.linalg.eigh(a),
    "linalg.eigvals": lambda xp, a: xp.linalg.eigvals(a),
    "linalg.eigvalsh": lambda xp, a: xp.linalg.eigvalsh(a),
    "linalg.inv": lambda xp, a: xp.linalg.inv(a),
    "linalg.matmul": "linalg.matmul",
    "linalg.matrix_norm": "linalg.matrix_norm",
    "linalg.matrix_power": lambda xp, a, n: xp.linalg.matrix_power(a, n),
    "linalg.matrix_rank": lambda xp, A, *, rtol=None: xp.linalg.matrix_rank(A, rtol=rtol),
    "linalg.matrix_transpose": "linalg.matrix_transpose",
    "linalg.multi_dot": lambda xp, arrays: reduce(xp.matmul, arrays),
    "linalg.norm": _norm,
    "linalg.outer": "linalg.outer",
    "linalg.pinv": lambda xp, a, rcond=None, *, rtol=None:
        xp.linalg.pinv(a, rtol=rcond if rtol is None else rtol),
    "linalg.qr": lambda xp, a, mode="reduced": xp.linalg.qr(a, mode=mode),
    "linalg.slogdet": lambda xp, a: xp.linalg.slogdet(a),
    "linalg.solve": lambda xp, a, b: xp.linalg.solve(a, b),
    "linalg.svd": _svd,
    "linalg.svdvals": "linalg.svdvals",
    "linalg.tensordot": "linalg.tensordot",
    "linalg.trace": "linalg.trace",
    "linalg.vecdot": "linalg.vecdot",
    "linalg.vector_norm": "linalg.vector_norm",
    # np.fft
    **{f"fft.{name}": _fft(name) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{f"fft.{name}n": _fftn(f"{name}n") for name in ("fft", "ifft", "rfft", "irfft")},
    **{f"fft.{name}2": _fftn(f"{name}n", (-2, -1)) for name in ("fft", "ifft", "rfft", "irfft")},
    "fft.fftshift": lambda xp, x, axes=None: xp.fft.fftshift(x, axes=axes),
    "fft.ifftshift": lambda xp, x, axes=None: xp.fft.ifftshift(x, axes=axes),
}
# fmt: on


def _round(xp: Any, a: Any, decimals: int) -> Any:
    if decimals == 0 or (decimals > 0 and a.dtype.is_integer):
        return xp.round(a)
    rounded = xp.round(a * 10.0**decimals) / 10.0**decimals
    return xp.astype(rounded, a.dtype) if a.dtype.is_integer else rounded


# What to write in place of some that are missing
INSTEAD = {
    "append": "np.concatenate",
    "average": "np.sum(t * weights) / np.sum(weights)",
    "copyto": "array[...] = t.detach().numpy()",
    "median": "np.sort, and the element in the middle",
    "nan_to_num": "np.where(np.isnan(t), 0.0, t)",
    "nanmean": "np.where(np.isnan(t), 0.0, t), and divide by the count of the others",
    "nansum": "np.sum(np.where(np.isnan(t), 0.0, t))",
    "unique": "np.unique_values",
    "cbrt": "np.sign(t) * np.abs(t) ** (1 / 3)",
    "fmax": "np.maximum",
    "fmin": "np.minimum",
}

# Arguments that NumPy has and agrad hasn't, at values that change nothing
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "assume_unique": (True, False),
    "casting": ("same_kind",),
    "copy": (True,),
    "device": (None,),
    "dtype": (None,),
    "hermitian": (False,),
    "kind": (None,),
    "like": (None,),
    "mode": ("raise",),
    "optimize": (True, False, "greedy", "optimal"),
    "order": (None, "C", "K", "A"),
    "shape": (None,),
    "sparse": (False,),
    "subok": (True, False),
    "UPLO": ("L",),
    "where": (True,),
}

# Calling them ------------------------------------------------------------------------------------


def call_ufunc(
    xp: Any, ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Answer NumPy's ``__array_ufunc__`` with the functions of `xp`.

    Parameters
    ----------
    xp : namespace
        agrad's.
    ufunc : numpy.ufunc
        Which function was called.
    method : str
        "__call__", "reduce", ...
    inputs, options
        Its arguments.

    Returns
    -------
    Tensor or tuple of Tensor
        What agrad's function gives; for SciPy's special functions that of `agrad.special`.

    Raises
    ------
    TypeError
        If agrad has no such function, or not with these arguments.
    """
    if method == "__call__":
        name = ufunc.__name__
        if getattr(np, name, None) is not ufunc:  # SciPy's, or somebody else's
            if name in xp.special.__all__:
                return _call(xp, name, {name: f"special.{name}"}, inputs, options)
            if name not in ("expm1", "log1p"):  # SciPy has its own
                raise TypeError(
                    f"agrad has no {name}: use t.detach().numpy() where no gradient is wanted"
                )
        return _call(xp, name, UFUNCS, inputs, options)
    return _call(xp, f"{ufunc.__name__}.{method}", METHODS, inputs, options)


def call_function(xp: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer NumPy's ``__array_function__`` with the functions of `xp`.

    Parameters
    ----------
    xp : namespace
        agrad's.
    function : callable
        Which function of NumPy was called.
    args, kwargs
        Its arguments.

    Returns
    -------
    Tensor, or what NumPy's function gives in its place
        What agrad's function gives.

    Raises
    ------
    TypeError
        If agrad has no such function, or not with these arguments.
    """
    name = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
    return _call(xp, name, FUNCTIONS, args, kwargs)


def _call(
    xp: Any, name: str, table: dict[str, Entry], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    entry = table.get(name)
    if entry is None:
        instead = f"write {INSTEAD[name]}, or " if name in INSTEAD else ""
        raise TypeError(
            f"agrad has no np.{name}: {instead}use t.detach().numpy() where no gradient is wanted"
        )
    if isinstance(entry, str):
        function = attrgetter(entry)(xp)
        parameters = _signature(function)
    else:
        function, parameters = entry, _signature(entry)
        args = (xp, *args)
    known = parameters.parameters
    given = {key: value for key, value in options.items() if not _changes_nothing(key, value)}
    out = given.pop("out", None)
    try:
        bound = parameters.bind(*args, **given)
    except TypeError as error:
        bare = (each.replace(annotation=each.empty) for each in known.values())
        takes = ", ".join(str(each) for each in bare if each.name not in ("xp", "out"))
        raise TypeError(f"np.{name} of Tensors takes ({takes}): {error}") from None
    if out is not None or bound.arguments.get("out") is not None:
        raise TypeError(
            f"np.{name} can't write into out= what is made from a Tensor, since that wouldn't be "
            "recorded: take the new Tensor that it returns (array = array + t, not array += t)"
        )
    return function(*bound.args, **bound.kwargs)


def _changes_nothing(key: str, value: Any) -> bool:
    if key == "out":
        return all(each is None for each in (value if isinstance(value, tuple) else (value,)))
    if value is np._NoValue:
        return True
    return (value is None or isinstance(value, (bool, str))) and value in NEUTRAL.get(key, ())


_signature = cache(inspect.signature)
