"""Convolution and pooling on NumPy.

For a convolution, what the windows show is copied, some windows at a time, into a matrix that fits
into the cache, and that is multiplied by the weights. The channels lie next to each other in
memory, so that what is copied are long runs: whatever order the axes of an input are in, outputs
are (batch, *size, channels) in memory, seen as (batch, channels, *size).
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import inf, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from agrad.backends.generic import Array
from agrad.backends.numpy import BITS, NumPyBackend, ones

__all__: list[str] = []

BLOCK = 1 << 18  # how many bytes to work on at a time, so that they stay in the cache
PLACES = 192  # but at least so many windows, whatever is done for all of them at once
SHORT = 16  # up to how many elements that are copied at a time are too few


def _conv(xp: Any, x: Array, w: Array, windows: Any, groups: int, b: Array | None = None) -> Array:
    dtype = np.result_type(x, w) if b is None else np.result_type(x, w, b)
    counts = windows.counts(x.shape[2:])
    x = _channels_last(x, windows.padding, dtype)
    w = w.astype(dtype, copy=False)
    y = np.empty((len(x), *counts, len(w)), dtype)
    flat = y.reshape(-1, len(w))
    if w.shape[1] == 1 < groups:
        _depthwise(x, _by_element(w, groups), windows, y)
        if b is not None:
            flat += b
        return _channels_second(y)
    for ins, outs in _grouped(w, groups):
        matrix = _matrix(w[outs])
        columns = _Columns(x[..., ins], windows, counts)
        for _, places, shown in columns:
            part = flat[places, outs]
            np.matmul(shown, matrix, out=part)
            if b is not None:
                part += b[outs]
    return _channels_second(y)


def _conv_bias(xp: Any, x: Array, w: Array, b: Array, windows: Any, groups: int) -> Array:
    return _conv(xp, x, w, windows, groups, b)


def _conv_bias_b(xp: Any, g: Array) -> Array:
    g = np.moveaxis(g, 1, -1)
    if not g.flags.c_contiguous:
        return np.add.reduce(g, axis=tuple(range(g.ndim - 1)))
    g = g.reshape(-1, g.shape[-1])
    return np.dot(ones(len(g), g.dtype), g)


def _conv_weight(xp: Any, y: Array, x: Array, windows: Any, groups: int) -> Array:
    dtype = np.result_type(x, y)
    counts, out, per_group = y.shape[2:], y.shape[1], x.shape[1] // groups
    x = _channels_last(x, windows.padding, dtype)
    y = _channels_last(y, (), dtype)
    if per_group == 1 < groups:
        return _depthwise_weight(y, x, windows, groups)
    flat = y.reshape(-1, out)
    shape = (out, per_group, *windows.kernel)
    w = np.empty(shape, dtype)
    for ins, outs in _grouped(w, groups):
        total = np.zeros((prod(windows.kernel) * per_group, out // groups), dtype)
        for _, places, shown in _Columns(x[..., ins], windows, counts):
            total += np.matmul(shown.T, flat[places, outs])
        w[outs] = _from_matrix(total, w[outs].shape)
    return w


def _conv_input(
    xp: Any, y: Array, w: Array, windows: Any, groups: int, size: tuple[int, ...]
) -> Array:
    dtype = np.result_type(y, w)
    counts, channels = y.shape[2:], w.shape[1] * groups
    y = _channels_last(y, (), dtype)
    w = w.astype(dtype, copy=False)
    flat = y.reshape(-1, len(w))
    padded = [n + sum(margins) for n, margins in zip(size, windows.padding, strict=True)]
    x = np.zeros((len(y), *padded, channels), dtype)
    if w.shape[1] == 1 < groups:
        _depthwise_input(y, _by_element(w, groups), windows, x)
    elif _is_pointwise(windows):
        for ins, outs in _grouped(w, groups):
            np.matmul(flat[:, outs], _matrix(w[outs]).T, out=x.reshape(-1, channels)[:, ins])
    else:
        for ins, outs in _grouped(w, groups):
            _add_windows(x[..., ins], flat[:, outs], w[outs], windows, counts)
    if any(map(any, windows.padding)):
        x = x[(slice(None), *_inner(size, windows.padding))]
    return _channels_second(x)


def _add_windows(x: Array, flat: Array, w: Array, windows: Any, counts: Any) -> None:
    """Add to x, in each window, the weights times what `flat` has for the window."""
    per_group = w.shape[1]
    targets = [x[(slice(None), *key)] for key in windows.keys(counts)]
    if per_group * windows.kernel[-1] <= SHORT:  # one product for all elements of the window
        rows = w.reshape(len(w), -1).T  # (channels, *kernel)
        for block in _blocks(len(x), counts, len(rows) * x.itemsize):
            product = np.matmul(rows, flat[block.places].T)
            parts = product.reshape(per_group, len(targets), *block.shape(counts))
            for target, part in zip(targets, np.moveaxis(parts, 0, -1), strict=True):
                target[block.key] += part
    else:
        matrices = np.ascontiguousarray(w.reshape(*w.shape[:2], -1).transpose(2, 0, 1))
        for block in _blocks(len(x), counts, (len(w) + per_group) * x.itemsize):
            values = flat[block.places]
            buffer = np.empty((len(values), per_group), x.dtype)
            parts = buffer.reshape(*block.shape(counts), per_group)
            for target, matrix in zip(targets, matrices, strict=True):
                np.matmul(values, matrix, out=buffer)
                target[block.key] += parts


# The order in memory -----------------------------------------------------------------------------


def _channels_last(x: Array, padding: Sequence[tuple[int, int]], dtype: Any) -> Array:
    """Return (batch, channels, *size) as (batch, *size, channels), with zeros around, in order."""
    x = np.moveaxis(x, 1, -1)
    if not any(map(any, padding)):
        return np.ascontiguousarray(x, dtype)
    size = [n + low + high for n, (low, high) in zip(x.shape[1:-1], padding, strict=True)]
    padded = np.zeros((len(x), *size, x.shape[-1]), dtype)
    padded[(slice(None), *_inner(x.shape[1:-1], padding))] = x
    return padded


def _channels_second(x: Array) -> Array:
    return np.moveaxis(x, -1, 1)


def _grouped(w: Array, groups: int) -> Iterator[tuple[slice, slice]]:
    """Yield the channels that come in and that go out of each group."""
    out, into = len(w) // groups, w.shape[1]
    for i in range(groups):
        yield slice(i * into, (i + 1) * into), slice(i * out, (i + 1) * out)


def _matrix(w: Array) -> Array:
    """Return weights (out, in, *kernel) as (*kernel x in, out)."""
    axes = (*range(2, w.ndim), 1, 0)
    return np.ascontiguousarray(w.transpose(axes)).reshape(-1, len(w))


def _from_matrix(matrix: Array, shape: tuple[int, ...]) -> Array:
    out, channels, *kernel = shape
    return np.moveaxis(np.reshape(matrix.T, (out, *kernel, channels)), -1, 1)


# Block by block ----------------------------------------------------------------------------------


class _Block(NamedTuple):
    """Some images, or some rows of windows of one."""

    images: slice
    rows: slice
    places: slice  # which they are, when all windows of all images are numbered

    @property
    def key(self) -> tuple[slice, slice]:
        return self.images, self.rows

    def shape(self, counts: Sequence[int]) -> tuple[int, ...]:
        images, rows = (each.stop - each.start for each in self.key)
        return images, rows, *counts[1:]


def _blocks(n: int, counts: Sequence[int], window: int) -> Iterator[_Block]:
    """Yield blocks of n images with `counts` windows each, where one window has so many bytes."""
    at_once = max(PLACES, BLOCK // max(1, window))
    rows, row = counts[0], prod(counts[1:])
    if rows * row <= at_once:
        step = at_once // (rows * row)
        for i in range(0, n, step):
            end = min(i + step, n)
            yield _Block(slice(i, end), slice(0, rows), slice(i * rows * row, end * rows * row))
    else:
        step = max(1, at_once // row)
        for i, r in product(range(n), range(0, rows, step)):
            end, start = min(r + step, rows), i * rows * row
            yield _Block(slice(i, i + 1), slice(r, end), slice(start + r * row, start + end * row))


def _is_pointwise(windows: Any) -> bool:
    return prod(windows.kernel) == prod(windows.stride) == 1 and not any(map(any, windows.padding))


class _Columns:
    """What the windows show of x: for each block, a matrix of (windows, *kernel x channels)."""

    def __init__(self, x: Array, windows: Any, counts: tuple[int, ...]) -> None:
        self.x = x
        self.windows = windows
        self.counts = counts

    def __iter__(self) -> Iterator[tuple[_Block, slice, Array]]:
        x, windows, counts = self.x, self.windows, self.counts
        n, channels = len(x), x.shape[-1]
        if _is_pointwise(windows):
            columns = x.reshape(-1, channels)
            for block in _blocks(n, counts, channels * x.itemsize):
                yield block, block.places, columns[block.places]
            return
        steps = x.strides[1:-1]
        shown = as_strided(
            x,
            (n, *counts, *windows.kernel, channels),
            (
                x.strides[0],
                *(a * b for a, b in zip(steps, windows.stride, strict=True)),
                *(a * b for a, b in zip(steps, windows.dilation, strict=True)),
                x.strides[-1],
            ),
            writeable=False,
        )
        window = prod(windows.kernel) * channels
        # Short runs are many: then those along the axis of the windows are copied instead
        run = channels * (windows.kernel[-1] if windows.dilation[-1] == 1 else 1)
        turned = run <= SHORT and run < counts[-1]
        memory = np.empty(0, x.dtype)
        for block in _blocks(n, counts, window * x.itemsize):
            part = shown[block.key]
            if part.size > memory.size:
                memory = np.empty(part.size, x.dtype)
            buffer = memory[: part.size]
            if turned:
                axes = len(counts) + 1
                part = part.transpose(*range(axes, part.ndim), *range(axes))
                np.copyto(buffer.reshape(part.shape), part)
                yield block, block.places, buffer.reshape(window, -1).T
            else:
                np.copyto(buffer.reshape(part.shape), part)
                yield block, block.places, buffer.reshape(-1, window)


# Each channel on its own -------------------------------------------------------------------------


def _by_element(w: Array, groups: int) -> Array:
    """Return weights (groups x m, 1, *kernel) as (elements of the window, groups, m)."""
    return np.ascontiguousarray(w.reshape(groups, len(w) // groups, -1).transpose(2, 0, 1))


def _depthwise(x: Array, w: Array, windows: Any, y: Array) -> None:
    for image, out in zip(x, y, strict=True):
        total = out.reshape(*out.shape[:-1], *w.shape[1:])
        total[...] = 0
        for key, weights in zip(windows.keys(out.shape[:-1]), w, strict=True):
            total += image[key][..., None] * weights


def _depthwise_input(y: Array, w: Array, windows: Any, x: Array) -> None:
    for image, out in zip(x, y, strict=True):
        parts = out.reshape(*out.shape[:-1], *w.shape[1:])
        for key, weights in zip(windows.keys(out.shape[:-1]), w, strict=True):
            image[key] += np.add.reduce(parts * weights, axis=-1)


def _depthwise_weight(y: Array, x: Array, windows: Any, groups: int) -> Array:
    counts = y.shape[1:-1]
    m = y.shape[-1] // groups
    w = np.zeros((prod(windows.kernel), groups, m), y.dtype)
    for image, out in zip(x, y, strict=True):
        parts = out.reshape(*counts, groups, m)
        for i, key in enumerate(windows.keys(counts)):
            products = (image[key][..., None] * parts).reshape(-1, groups * m)
            w[i] += np.add.reduce(products, axis=0).reshape(groups, m)
    return w.transpose(1, 2, 0).reshape(groups * m, 1, *windows.kernel)


# Pooling -----------------------------------------------------------------------------------------


def _max_pool_x(
    xp: NumPyBackend, g: Array, x: Array, out: Array, x_shape: tuple[int, ...], windows: Any
) -> Array:
    size, counts = x.shape[2:], out.shape[2:]
    x = _padded(x, windows.padding, -inf)
    keys = list(windows.keys(counts))
    apart = all(s >= e for s, e in zip(windows.stride, windows.extents, strict=True))
    result = np.empty_like(x)
    if not windows.tile(size):
        result[...] = 0
    if g.strides != out.strides:
        g, given = np.empty_like(out), g
        g[...] = given
    # Bits times 0 or 1, as in relu's gradient: an infinite gradient times 0 would be NaN
    integers = BITS[g.dtype.itemsize]
    bits, result_bits = g.view(integers), result.view(integers)
    has_nan = bool(np.isnan(out).any())
    at_once = max(1, BLOCK // max(1, x[:1].nbytes))
    for start in range(0, len(x), at_once):
        images = slice(start, start + at_once)
        values, target, target_bits = x[images], result[images], result_bits[images]
        greatest, given = out[images], bits[images]
        left = np.ones_like(greatest, np.bool_)  # the windows where it hasn't been found
        for i, key in enumerate(keys, 1):
            where = (slice(None), slice(None), *key)
            if i == len(keys):
                hit = left
            else:
                hit = values[where] == greatest
                if has_nan:
                    hit |= np.isnan(values[where])
                hit &= left
                left ^= hit
            if apart:
                np.multiply(hit, given, out=target_bits[where])
            else:
                target[where] += (hit * given).view(g.dtype)
    return result[(slice(None), slice(None), *_inner(size, windows.padding))]


def _padded(x: Array, padding: Sequence[tuple[int, int]], value: float) -> Array:
    """Return x with a value around it, its axes in memory in the order of those of x."""
    if not any(map(any, padding)):
        return x
    size = x.shape[2:]
    shape = (*x.shape[:2], *(n + sum(each) for n, each in zip(size, padding, strict=True)))
    order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    padded = np.full([shape[axis] for axis in order], value, x.dtype)
    padded = padded.transpose([order.index(axis) for axis in range(x.ndim)])
    padded[(slice(None), slice(None), *_inner(size, padding))] = x
    return padded


def _inner(size: Sequence[int], padding: Sequence[tuple[int, int]]) -> Iterator[slice]:
    """Yield where an array lies in the one that has been padded."""
    return (slice(low, low + n) for n, (low, _) in zip(size, padding, strict=True))


def _fold(xp: NumPyBackend, y: Array, windows: Any, size: tuple[int, ...]) -> Array:
    """Add what each window holds of (batch, channels, elements, *counts)."""
    padded = [n + sum(margins) for n, margins in zip(size, windows.padding, strict=True)]
    x = np.zeros((*y.shape[:2], *padded), y.dtype)
    for i, key in enumerate(windows.keys(y.shape[3:])):
        x[(slice(None), slice(None), *key)] += y[:, :, i]
    return x[(slice(None), slice(None), *_inner(size, windows.padding))]


NumPyBackend.kernels |= {
    "conv": _conv,
    "conv_bias": _conv_bias,
    "conv_bias.b": _conv_bias_b,
    "conv_input": _conv_input,
    "conv_weight": _conv_weight,
    "fold_windows": _fold,
    "max_pool.x": _max_pool_x,
}
