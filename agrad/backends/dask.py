"""Dask's arrays, which are plans: nothing is computed until values are read.

A forward pass, `backward` and gradients of gradients only make the plan longer. What is computed
when values are read goes chunk by chunk, so arrays may be larger than memory. Dask has no kernels
of its own: on each chunk NumPy and SciPy run.
"""

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import array_api_compat.numpy
import dask
import dask.array as da
import numpy as np

from agrad.backends.generic import Array, Backend
from agrad.backends.numpy import NumPySpecial

__all__ = ["DaskBackend"]


class DaskBackend(Backend):
    """Dask over NumPy's arrays. An update in place gives a new array."""

    reads_values = False

    def __init__(self, library: Any, device: Any, name: str) -> None:
        super().__init__(library, device, name)
        # How arrays of each shape were cut into chunks lately. Gradients are cut in the same way:
        # otherwise every chunk would overlap two others, and all would stay in memory.
        self._cuts: dict[tuple[int, ...], Any] = {}

    @cached_property
    def special(self) -> Any:
        return NumPySpecial(self)  # SciPy's functions are NumPy's ufuncs, and Dask takes those

    @cached_property
    def linalg(self) -> Any:
        return _Linalg(self.library.linalg)

    @cached_property
    def fft(self) -> Any:
        return _FFT(self.library.fft)

    # Arrays in and out ---------------------------------------------------------------------

    def asarray(self, data: Any, dtype: Any = None, copy: bool | None = None) -> Array:
        if isinstance(data, da.Array) and any(map(math.isnan, data.shape)):
            raise ValueError(
                f"agrad must know an array's shape, which for this Dask array is {data.shape}; "
                "find it with .compute_chunk_sizes() first"
            )
        return self.normalize(super().asarray(data, dtype=dtype, copy=copy))

    def normalize(self, result: Any) -> Array:
        if not isinstance(result, da.Array):
            result = da.asarray(result)
        if any(map(math.isnan, result.shape)):  # how many there are depends on the values
            result.compute_chunk_sizes()
        if result.npartitions > 1:
            if len(self._cuts) > 1000:
                self._cuts.clear()
            self._cuts[result.shape] = result.chunks
        return result

    def to_host(self, array: Array) -> Array:
        return np.asarray(array.compute())

    def own(self, array: Array) -> Array:
        return array

    def memory(self, array: Array) -> None:
        return None

    def assign(self, target: Array, key: Any, value: Any) -> Array:
        if not _is_basic(key):
            return _on_whole_arrays(_assigned, target.shape, target.dtype, target, key, value)
        keys = _every_axis(key, target.ndim)
        if np.ndim(value):
            value = da.broadcast_to(da.asarray(value), _shape_of_part(target.shape, key))
            kept = [each for each in keys if type(each) is not int]  # an axis of value for each
            lengths = zip(kept, value.shape, strict=True)
            value = value.reshape([n for each, n in lengths if each is not None])
        if 0 in _shape_of_part(target.shape, key):
            return target
        target = target.copy()  # the plan's; whoever else has the array keeps the old one
        target[tuple(each for each in keys if each is not None)] = value
        return target

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        return (y + alpha * x).astype(y.dtype)

    # Indexing ------------------------------------------------------------------------------

    def eye(
        self, n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None
    ) -> Array:
        # Dask's own fails unless it is square, of one chunk.
        columns = self.library.arange(n_rows if n_cols is None else n_cols)
        diagonal = self.library.arange(n_rows)[:, None] + k == columns[None, :]
        return diagonal.astype(dtype or self.library.float64)

    def getitem(self, x: Array, key: Any) -> Array:
        key = _with_numbers_for_masks(key)
        if _is_basic(key):
            return x[key]
        keys = _every_axis(key, x.ndim)
        if _is_take(keys):
            axis = next(i for i, each in enumerate(keys) if hasattr(each, "dtype"))
            return self.take(x, keys[axis], axis=axis)
        shape = _shape_of_part(x.shape, key)
        return _on_whole_arrays(_taken, shape, x.dtype, x, key)

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        key = _with_numbers_for_masks(key)
        if _is_basic(key):
            return self.assign(self.zeros(shape, dtype=values.dtype), key, values)
        keys = _every_axis(key, len(shape))
        if _is_take(keys):  # chunks along the other axes stay apart
            axis = next(i for i, each in enumerate(keys) if hasattr(each, "dtype"))
            axes = list(range(len(shape)))
            come_from = [*axes[:axis], len(axes), *axes[axis + 1 :]]
            return da.blockwise(
                partial(_added, axis=axis, length=shape[axis]),
                axes,
                values,
                come_from,
                da.asarray(keys[axis]),
                [len(axes)],
                new_axes={axis: shape[axis]},
                concatenate=True,
                dtype=values.dtype,
                meta=np.empty((0,) * len(shape), dtype=values.dtype),
            )
        return _on_whole_arrays(_scattered, shape, values.dtype, values, key, shape)

    def take(self, x: Array, indices: Array, *, axis: int) -> Array:
        if x.dtype.kind != "c" and indices.shape[0] != 1:
            return da.take(x, indices, axis=axis)
        # Dask casts complex numbers to integers there, to see what type it gets, and mistakes the
        # shape that a single index gives.
        return _along_whole_axis(np.take, x, indices, [axis % x.ndim], axis % x.ndim)

    def take_along_axis(self, x: Array, indices: Array, *, axis: int = -1) -> Array:
        axes = list(range(x.ndim))
        return _along_whole_axis(np.take_along_axis, x, indices, axes, axis % x.ndim)

    def repeat(self, x: Array, repeats: Any, *, axis: int | None = None) -> Array:
        if axis is None:
            x, axis = x.reshape(-1), 0
        if isinstance(repeats, int):
            return da.repeat(x, repeats, axis=axis)
        repeats = np.broadcast_to(np.asarray(repeats), (x.shape[axis],))  # the shape depends on it
        return da.take(x, np.repeat(np.arange(x.shape[axis]), repeats), axis=axis)

    # Where Dask's own ones fail --------------------------------------------------------------

    def sign(self, x: Array) -> Array:
        return da.sign(x)  # array_api_compat's divides by zero, and warns, for complex numbers

    def matmul(self, x1: Array, x2: Array) -> Array:
        if 0 in x1.shape or 0 in x2.shape:
            empty = (np.broadcast_to(np.zeros((), dtype=x.dtype), x.shape) for x in (x1, x2))
            return da.asarray(np.matmul(*empty))
        return da.matmul(x1, x2)

    def tril(self, x: Array, *, k: int = 0) -> Array:
        kept = da.tri(*x.shape[-2:], k=k, dtype=bool)  # Dask's tril fails for complex numbers
        return da.where(kept, x, np.zeros((), dtype=x.dtype))

    def triu(self, x: Array, *, k: int = 0) -> Array:
        left = da.tri(*x.shape[-2:], k=k - 1, dtype=bool)
        return da.where(left, np.zeros((), dtype=x.dtype), x)

    def max(self, x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
        if 0 in x.shape:  # Dask reduces each chunk along all axes
            return da.asarray(np.max(np.empty(x.shape, x.dtype), axis=axis, keepdims=keepdims))
        return da.max(x, axis=axis, keepdims=keepdims)

    def min(self, x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
        if 0 in x.shape:
            return da.asarray(np.min(np.empty(x.shape, x.dtype), axis=axis, keepdims=keepdims))
        return da.min(x, axis=axis, keepdims=keepdims)

    def broadcast_to(self, x: Array, shape: tuple[int, ...]) -> Array:
        # Dask's would be a single chunk along new axes, as large as the array whose gradient it is.
        shape = tuple(shape)
        sizes = self._cuts.get(shape)
        if sizes is None:
            sizes = da.core.normalize_chunks("auto", shape=shape, dtype=x.dtype)
        added = len(shape) - x.ndim
        chunks = tuple(
            x.chunks[i - added] if i >= added and x.shape[i - added] == n != 1 else sizes[i]
            for i, n in enumerate(shape)
        )
        return da.broadcast_to(x, shape, chunks=chunks)

    def reshape(self, x: Array, shape: Any, *, copy: bool | None = None) -> Array:
        if 0 in x.shape:
            return da.zeros(np.empty(x.shape, dtype=bool).reshape(shape).shape, dtype=x.dtype)
        try:
            return da.reshape(x, shape)
        except NotImplementedError:  # it merges axes or splits them, but never both at once
            return x.reshape(-1).reshape(shape)


# Indices -----------------------------------------------------------------------------------------


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _is_basic(key: Any) -> bool:
    """Return whether an index has neither masks nor arrays of integers."""
    return not any(hasattr(each, "dtype") for each in _parts(key))


def _every_axis(key: Any, ndim: int) -> list[Any]:
    """Return an index with a part for every axis."""
    keys = list(_parts(key))
    missing = ndim - sum(each is not None and each is not ... for each in keys)
    place = next((i for i, each in enumerate(keys) if each is ...), len(keys))
    keys[place : place + 1] = [slice(None)] * missing
    return keys


def _is_take(keys: Sequence[Any]) -> bool:
    """Return whether an index is one vector of integers beside whole axes: what Dask does best."""
    arrays = [each for each in keys if hasattr(each, "dtype")]
    whole = sum(isinstance(each, slice) and each == slice(None) for each in keys)
    return len(arrays) == 1 == len(arrays[0].shape) and whole == len(keys) - 1


def _with_numbers_for_masks(key: Any) -> Any:
    """Return an index with the places where masks are True.

    Masks are computed for it, since the shape of the result depends on them.
    """
    if _is_basic(key):
        return key
    found: list[Any] = []
    for each in _parts(key):
        if hasattr(each, "dtype") and each.dtype.kind == "b" and each.ndim:
            found.extend(np.asarray(each).nonzero())
        else:
            found.append(each)
    return tuple(found)


def _shape_of_part(shape: tuple[int, ...], key: Any) -> tuple[int, ...]:
    """Return the shape of ``x[key]``, without computing any index."""
    parts = (
        np.zeros(each.shape, dtype=int) if isinstance(each, da.Array) else each
        for each in _parts(key)
    )
    return tuple(np.broadcast_to(np.int8(0), shape)[tuple(parts)].shape)


def _on_whole_arrays(
    function: Callable[..., Any], shape: tuple[int, ...], dtype: Any, *args: Any
) -> Array:
    """Return a function of arrays that aren't cut into chunks, as a plan."""
    result = dask.delayed(function, pure=True)(*args)
    meta = np.empty((0,) * len(shape), dtype=dtype)
    return da.from_delayed(result, shape, dtype=dtype, meta=meta)


def _along_whole_axis(
    function: Any, x: Array, indices: Array, axes_of_indices: list[int], axis: int
) -> Array:
    """Return ``function(x, indices, axis)``, which needs x's axis in one chunk."""
    axes = list(range(x.ndim))
    return da.blockwise(
        partial(function, axis=axis),
        axes,
        x,
        [*axes[:axis], len(axes), *axes[axis + 1 :]],
        da.asarray(indices),
        axes_of_indices,
        concatenate=True,
        dtype=x.dtype,
        meta=np.empty((0,) * x.ndim, dtype=x.dtype),
    )


def _taken(x: Any, key: Any) -> Any:
    return x[key]


def _assigned(target: Any, key: Any, value: Any) -> Any:
    target = target.copy()
    target[key] = value
    return target


def _scattered(values: Any, key: Any, shape: tuple[int, ...]) -> Any:
    result = np.zeros(shape, dtype=values.dtype)
    np.add.at(result, key, values)
    return result


def _added(values: Any, indices: Any, axis: int, length: int) -> Any:
    key = (slice(None),) * axis + (indices,)
    return _scattered(values, key, (*values.shape[:axis], length, *values.shape[axis + 1 :]))


# Extensions --------------------------------------------------------------------------------------


class _Linalg:
    """NumPy's functions of matrices, for stacks that are cut into chunks between the matrices."""

    _BY_MATRIX = frozenset(
        ("cholesky", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matrix_norm",
         "matrix_power", "matrix_rank", "pinv", "qr", "slogdet", "solve", "svd", "svdvals")
    )  # fmt: skip

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        if name in self._BY_MATRIX:
            return partial(_by_matrix, getattr(array_api_compat.numpy.linalg, name))
        return getattr(self._library, name)

    def vector_norm(
        self, x: Array, *, axis: Any = None, keepdims: bool = False, ord: float = 2
    ) -> Array:
        sizes, options = abs(x), {"axis": axis, "keepdims": keepdims}
        if 0 in x.shape:
            found = array_api_compat.numpy.linalg.vector_norm(
                np.empty(x.shape, dtype=x.dtype), ord=ord, **options
            )
            return da.asarray(found)
        if ord == 0:
            return da.sum((x != 0).astype(sizes.dtype), **options)
        if math.isinf(ord):
            return (da.max if ord > 0 else da.min)(sizes, **options)
        total = da.sum(sizes.map_blocks(_power, ord, dtype=sizes.dtype), **options)
        return total.map_blocks(_power, 1 / ord, dtype=sizes.dtype)


def _power(x: Any, exponent: float) -> Any:
    with np.errstate(divide="ignore"):  # 0 to the power of -1 is infinite, rightly
        return x**exponent


def _by_matrix(function: Any, *args: Any, **options: Any) -> Any:
    """Run a function of NumPy's on the last two axes of arrays, each of them in one chunk."""
    matrices = [x for x in args if isinstance(x, da.Array)]
    others = args[len(matrices) :]
    # Options that are arrays, such as a tolerance, have a number for each matrix.
    numbers = {name: value for name, value in options.items() if isinstance(value, da.Array)}
    options = {name: value for name, value in options.items() if name not in numbers}

    def run(*arrays: Any) -> Any:
        given = dict(zip(numbers, arrays[len(matrices) :], strict=True))
        found = function(*arrays[: len(matrices)], *others, **options, **given)
        return tuple(found) if isinstance(found, tuple) else found

    inputs = [*matrices, *numbers.values()]
    if any(0 in x.shape for x in matrices):
        eyes = (np.broadcast_to(np.eye(*x.shape[-2:], dtype=x.dtype), x.shape) for x in matrices)
        found = run(*eyes, *(np.zeros(x.shape, dtype=x.dtype) for x in numbers.values()))
        return tuple(map(da.asarray, found)) if isinstance(found, tuple) else da.asarray(found)

    # No matrices at all tell the shapes and the data types of the results.
    cores = [x.shape[-2:] for x in matrices] + [() for _ in numbers]
    example = run(*(np.empty((0, *n), dtype=x.dtype) for x, n in zip(inputs, cores, strict=True)))
    parts = example if isinstance(example, tuple) else (example,)

    def axes(letter: str, lengths: Any) -> str:
        return "(" + ",".join(f"{letter}{j}" for j in range(len(lengths))) + ")"

    given = [axes(f"x{i}_", n) for i, n in enumerate(cores)]
    wanted = [axes(f"y{i}_", part.shape[1:]) for i, part in enumerate(parts)]
    sizes = {f"y{i}_{j}": n for i, part in enumerate(parts) for j, n in enumerate(part.shape[1:])}
    stack = max(x.ndim - len(n) for x, n in zip(inputs, cores, strict=True))
    metas = tuple(np.empty((0,) * (stack + part.ndim - 1), dtype=part.dtype) for part in parts)
    return da.apply_gufunc(
        run,
        f"{','.join(given)}->{','.join(wanted)}",
        *inputs,
        meta=metas if isinstance(example, tuple) else metas[0],
        output_sizes=sizes,
        allow_rechunk=True,
    )


class _FFT:
    """NumPy's transforms, for arrays that are cut into chunks along the other axes."""

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        if "shift" in name or "freq" in name:
            return getattr(self._library, name)
        return partial(_along_axes, getattr(array_api_compat.numpy.fft, name))


def _along_axes(function: Any, x: Array, **options: Any) -> Array:
    """Run a function of NumPy's along some axes, each of them in one chunk."""
    if "axis" in options or function.__name__ in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
        axes: Any = (options.get("axis", -1),)
    else:
        lengths, axes = options.get("s"), options.get("axes")
        if axes is None:
            axes = range(-len(lengths), 0) if lengths is not None else range(-x.ndim, 0)
    axes = {axis % x.ndim for axis in axes}
    x = x.rechunk(dict.fromkeys(axes, -1))
    one = function(
        np.zeros([n if i in axes else 1 for i, n in enumerate(x.shape)], dtype=x.dtype), **options
    )
    chunks = [(one.shape[i],) if i in axes else chunk for i, chunk in enumerate(x.chunks)]
    meta = np.empty((0,) * x.ndim, dtype=one.dtype)
    return x.map_blocks(function, dtype=one.dtype, chunks=chunks, meta=meta, **options)
