"""Pooling: the greatest or the mean of what a window shows; and arrays of another size."""

import math
import operator
import struct
from collections.abc import Sequence
from functools import reduce
from itertools import product
from typing import Any, Literal, overload

from agrad.autograd import Primitive, lift, record
from agrad.nn.functional.settings import check_number
from agrad.nn.functional.windows import (
    Windows,
    batched,
    call,
    fold_windows,
    pad,
    spread,
    to_ints,
    unbatched,
)
from agrad.ops import (
    arange,
    argmax,
    asarray,
    broadcast_to,
    equal,
    mean,
    reshape,
    stack,
    take,
    take_along_axis,
    where,
    zeros,
)
from agrad.ops.casting import cast_up, casting
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "interpolate",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]

Ints = int | tuple[int, ...]
Mode = Literal["nearest", "nearest-exact", "linear", "bilinear", "trilinear"]

# Over any library. Arrays are of shape (batch, channels, *size).


def _lowest(xp: Any, dtype: Any) -> float:
    """Return what is no greater than any number of a data type."""
    return -math.inf if xp.isdtype(dtype, "real floating") else int(xp.iinfo(dtype).min)


def _reduced(xp: Any, x: Any, windows: Windows, combine: Any) -> Any:
    """Combine what each window shows, axis by axis; x has been padded."""
    counts = windows._replace(padding=((0, 0),) * len(windows.kernel)).counts(x.shape[2:])
    for i, count in enumerate(counts):
        key = [slice(None)] * x.ndim
        parts = []
        for k in range(windows.kernel[i]):
            start = k * windows.dilation[i]
            key[2 + i] = slice(
                start, start + (count - 1) * windows.stride[i] + 1, windows.stride[i]
            )
            parts.append(x[tuple(key)])
        x = reduce(combine, parts)
    return x


def _max_pool(xp: Any, x: Any, windows: Windows) -> Any:
    x = pad(xp, x, windows.padding, _lowest(xp, x.dtype))
    return _reduced(xp, x, windows, xp.maximum)


def _first_greatest(xp: Any, x: Any, out: Any, windows: Windows) -> Any:
    """Return which element of each window is the first greatest, one after the other."""
    x = pad(xp, x, windows.padding, _lowest(xp, x.dtype))
    hits = []
    left = None  # the windows where it hasn't been found
    for key in windows.keys(out.shape[2:]):
        part = x[(slice(None), slice(None), *key)]
        hit = (part == out) | (part != part)
        if left is not None:
            hit = hit & left
        left = ~hit if left is None else left & ~hit
        hits.append(hit)
    return xp.stack(hits, axis=2)


def _max_pool_x(xp: Any, g: Any, x: Any, out: Any, x_shape: Any, windows: Windows) -> Any:
    hits = call(xp, _FIRST_GREATEST, x, out, windows=windows)
    g = xp.expand_dims(g, axis=2)
    return fold_windows(xp, xp.where(hits, g, xp.zeros_like(g)), windows, tuple(x_shape[2:]))


_MAX_POOL = Primitive("max_pool", _max_pool, fused=True, x=_max_pool_x)
_FIRST_GREATEST = Primitive("first_greatest", _first_greatest, x=None, out=None)


def _greatest_at(xp: Any, x: Any, out: Any, windows: Windows) -> Any:
    """Return the numbers of the greatest elements, counted over all spatial axes of the input."""
    hits = _first_greatest(xp, x, out, windows)
    element = xp.argmax(xp.astype(hits, xp.int8), axis=2)
    n = len(windows.kernel)
    total: Any = 0
    for i in range(n):
        along = math.prod(windows.kernel[i + 1 :])
        offset = element // along % windows.kernel[i] * windows.dilation[i]
        start = xp.arange(out.shape[2 + i]) * windows.stride[i] - windows.padding[i][0]
        start = xp.reshape(start, (-1, *(1 for _ in range(n - i - 1))))
        total = total * x.shape[2 + i] + offset + start
    return total


_GREATEST_AT = Primitive("greatest_at", _greatest_at, fused=True, x=None, out=None)


def _sum_pool(xp: Any, x: Any, windows: Windows) -> Any:
    return _reduced(xp, pad(xp, x, windows.padding), windows, lambda x1, x2: x1 + x2)


def _sum_unpool(xp: Any, y: Any, windows: Windows, size: tuple[int, ...]) -> Any:
    """Give each window's value to all its elements."""
    tile = windows.tile(size)
    for i, n in enumerate(size):
        axis = 2 + i
        k, count, low = windows.kernel[i], y.shape[axis], windows.padding[i][0]
        before, after = y.shape[:axis], y.shape[axis + 1 :]
        if tile:
            y = xp.broadcast_to(xp.expand_dims(y, axis=axis + 1), (*before, count, k, *after))
            y = xp.reshape(y, (*before, count * k, *after))
            continue
        steps, margins = [1] * len(size), [(0, 0)] * len(size)
        steps[i] = windows.stride[i]
        apart = spread(xp, y, steps)
        parts = []
        for j in range(k):
            start = j * windows.dilation[i] - low
            margins[i] = (start, n - start - apart.shape[axis])
            parts.append(pad(xp, apart, margins))
        y = reduce(lambda x1, x2: x1 + x2, parts)
    return y


_SUM_POOL: Primitive = Primitive(
    "sum_pool",
    _sum_pool,
    fused=True,
    x=lambda xp, g, x_shape, windows: call(
        xp, _SUM_UNPOOL, g, windows=windows, size=tuple(x_shape[2:])
    ),
)
_SUM_UNPOOL: Primitive = Primitive(
    "sum_unpool",
    _sum_unpool,
    fused=True,
    y=lambda xp, g, windows: call(xp, _SUM_POOL, g, windows=windows),
)


# What all dimensions share -----------------------------------------------------------------------


def _pooling_windows(
    function: str,
    size: Sequence[int],
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
) -> Windows:
    """Return the windows over an input; with `ceil_mode`, its last may reach over the end."""
    n = len(size)
    kernel = to_ints(function, "kernel_size", kernel_size, n)
    strides = kernel if stride is None else to_ints(function, "stride", stride, n)
    dilations = to_ints(function, "dilation", dilation, n)
    paddings = to_ints(function, "padding", padding, n, 0)
    if any(2 * p > k for p, k in zip(paddings, kernel, strict=True)):
        raise ValueError(
            f"{function}: padding must be at most half of the kernel, so that no window shows "
            f"padding alone; got padding={paddings} and kernel_size={kernel}"
        )
    windows = Windows(kernel, strides, tuple((p, p) for p in paddings), dilations)
    windows.check(function, size)
    if not ceil_mode:
        return windows
    margins = []
    for length, p, extent, step in zip(size, paddings, windows.extents, strides, strict=True):
        count = -(-(length + 2 * p - extent) // step) + 1
        if (count - 1) * step >= length + p:  # it would begin after the end
            count -= 1
        margins.append((p, max(p, (count - 1) * step + extent - length - p)))
    return windows._replace(padding=tuple(margins))


def _max_pool_nd(
    n: int,
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
    return_indices: bool,
) -> Tensor | tuple[Tensor, Tensor]:
    """Pool over n axes."""
    function = f"max_pool{n}d"
    x, had_batch = batched(function, input, n)
    windows = _pooling_windows(
        function, x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode
    )
    out = record(_MAX_POOL, (x,), windows=windows)
    if not return_indices:
        return unbatched(out, had_batch)
    places = record(_GREATEST_AT, (x, out), windows=windows)
    return unbatched(out, had_batch), unbatched(places, had_batch)


def _avg_pool_nd(
    n: int,
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """Pool over n axes."""
    function = f"avg_pool{n}d"
    x, had_batch = batched(function, input, n)
    size = x.shape[2:]
    windows = _pooling_windows(function, size, kernel_size, stride, padding, 1, ceil_mode)
    total = record(_SUM_POOL, (x,), windows=windows)
    if divisor_override is not None:
        if not isinstance(divisor_override, int) or divisor_override == 0:
            raise ValueError(
                f"{function}: divisor_override must be an integer other than 0, got "
                f"{divisor_override!r}"
            )
        return unbatched(total / divisor_override, had_batch)
    paddings = to_ints(function, "padding", padding, n, 0)
    divisor: Any = 1
    for i, (length, p, count) in enumerate(zip(size, paddings, total.shape[2:], strict=True)):
        starts = [k * windows.stride[i] - p for k in range(count)]
        first, last = (-p, length + p) if count_include_pad else (0, length)
        counted = [min(s + windows.kernel[i], last) - max(s, first) for s in starts]
        if len(set(counted)) == 1:
            divisor = divisor * counted[0]
        else:
            along = asarray(counted, dtype=total.dtype, device=total.device)
            divisor = divisor * along.reshape((-1, *(1 for _ in range(n - i - 1))))
    return unbatched(total / divisor, had_batch)


def _bin_counts(function: str, size: Sequence[int], output_size: Any) -> tuple[int, ...]:
    """Return how many bins there are along each axis, None being as many as elements."""
    n = len(size)
    if not isinstance(output_size, (list, tuple)):
        output_size = (output_size,) * n
    if len(output_size) == n:
        output_size = tuple(
            n if each is None else each for each, n in zip(output_size, size, strict=True)
        )
    return to_ints(function, "output_size", output_size, n)


def _adaptive_avg_pool_nd(n: int, input: TensorLike, output_size: Any) -> Tensor:
    """Pool over n axes."""
    function = f"adaptive_avg_pool{n}d"
    x, had_batch = batched(function, input, n)
    size = x.shape[2:]
    counts = _bin_counts(function, size, output_size)
    if min(size) < 1:
        raise ValueError(f"{function}: there is nothing to take the mean of, in shape {x.shape}")
    if set(counts) == {1}:
        out = mean(x, axis=tuple(range(2, n + 2)), keepdims=True)
    elif all(length % count == 0 for length, count in zip(size, counts, strict=True)):
        kernel = tuple(length // count for length, count in zip(size, counts, strict=True))
        windows = Windows(kernel, kernel, ((0, 0),) * n, (1,) * n)
        out = record(_SUM_POOL, (x,), windows=windows) / math.prod(kernel)
    else:
        out = x
        for axis, (length, count) in enumerate(zip(size, counts, strict=True), 2):
            key = [slice(None)] * out.ndim
            parts = []
            for i in range(
                count
            ):  # from the floor of where the bin begins to the ceiling of its end
                key[axis] = slice(i * length // count, -(-(i + 1) * length // count))
                parts.append(mean(out[tuple(key)], axis=axis))
            out = stack(parts, axis=axis)
    return unbatched(out, had_batch)


def _adaptive_max_pool_nd(
    n: int, input: TensorLike, output_size: Any, return_indices: bool
) -> Tensor | tuple[Tensor, Tensor]:
    """Pool over n axes."""
    function = f"adaptive_max_pool{n}d"
    x, had_batch = batched(function, input, n)
    size = x.shape[2:]
    counts = _bin_counts(function, size, output_size)
    if min(size) < 1:
        raise ValueError(f"{function}: there is no greatest element in shape {x.shape}")
    if all(length % count == 0 for length, count in zip(size, counts, strict=True)):
        kernel = tuple(length // count for length, count in zip(size, counts, strict=True))
        return _max_pool_nd(n, input, kernel, kernel, 0, 1, False, return_indices)
    numbers = asarray(_bins(size, counts), device=x.device)  # of the elements of each bin
    flat = reshape(x, (*x.shape[:2], math.prod(size)))
    shown = reshape(take(flat, reshape(numbers, (-1,)), axis=2), (*x.shape[:2], *numbers.shape))
    first = argmax(shown, axis=3, keepdims=True)
    out = reshape(take_along_axis(shown, first, axis=3), (*x.shape[:2], *counts))
    if not return_indices:
        return unbatched(out, had_batch)
    places = take_along_axis(broadcast_to(numbers, shown.shape), first, axis=3)
    return unbatched(out, had_batch), unbatched(reshape(places, out.shape), had_batch)


def _bins(size: Sequence[int], counts: Sequence[int]) -> list[list[int]]:
    """Return which elements are in each bin, numbered over all axes; the last may come repeatedly.

    So all bins are of one length: they differ by an element along each axis.
    """
    along = []
    for length, count in zip(size, counts, strict=True):
        ends = [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
        longest = max(end - start for start, end in ends)
        along.append([[min(start + j, end - 1) for j in range(longest)] for start, end in ends])
    strides = [math.prod(size[i + 1 :]) for i in range(len(size))]
    return [
        [sum(map(operator.mul, place, strides)) for place in product(*bins)]
        for bins in product(*along)
    ]


def _lp_pool_nd(
    n: int,
    input: TensorLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None,
    ceil_mode: bool,
) -> Tensor:
    """Pool over n axes."""
    function = f"lp_pool{n}d"
    check_number(function, "norm_type", norm_type)
    if norm_type == 0:
        raise ValueError(f"{function}: norm_type must not be 0")
    x, had_batch = batched(function, input, n)
    if math.isinf(norm_type):
        sign = math.copysign(1.0, norm_type)
        windows = _pooling_windows(function, x.shape[2:], kernel_size, stride, 0, 1, ceil_mode)
        return unbatched(sign * record(_MAX_POOL, (sign * abs(x),), windows=windows), had_batch)
    means = _avg_pool_nd(n, x**norm_type, kernel_size, stride, 0, ceil_mode, True, None)
    elements = math.prod(to_ints(function, "kernel_size", kernel_size, n))
    sums = means * elements
    if norm_type > 1:  # the slope of the root at 0 is infinite, and that of the norm taken as 0
        is_zero = equal(sums, 0)
        roots = where(is_zero, 1.0, sums) ** (1 / norm_type)
        return unbatched(where(is_zero, 0.0, roots), had_batch)
    return unbatched(sums ** (1 / norm_type), had_batch)


def _max_unpool_nd(
    n: int,
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Ints,
    stride: Ints | None,
    padding: Ints,
    output_size: Sequence[int] | None,
) -> Tensor:
    """Put the elements back to where they were, over n axes."""
    function = f"max_unpool{n}d"
    x, had_batch = batched(function, input, n)
    places, _ = batched(function, indices, n)
    if places.shape != x.shape or not places.dtype.is_integer:
        raise ValueError(
            f"{function} needs indices of integers, of the input's shape {asarray(input).shape}; "
            f"got {asarray(indices).shape} of {places.dtype!r}"
        )
    kernel = to_ints(function, "kernel_size", kernel_size, n)
    strides = kernel if stride is None else to_ints(function, "stride", stride, n)
    paddings = to_ints(function, "padding", padding, n, 0)
    usual = tuple(
        (count - 1) * step + k - 2 * p
        for count, k, step, p in zip(x.shape[2:], kernel, strides, paddings, strict=True)
    )
    size = usual if output_size is None else tuple(output_size)[-n:]
    if len(size) != n or any(
        abs(new - old) >= step for new, old, step in zip(size, usual, strides, strict=True)
    ):
        raise ValueError(
            f"{function}: output_size must be nearer to {usual} than stride={strides}, got "
            f"{output_size!r}"
        )
    lift(places)
    places._backend.check(_check_places, function, places._data, math.prod(size))
    rows, count = x.shape[0] * x.shape[1], math.prod(x.shape[2:])
    row = reshape(arange(rows, device=x.device), (rows, 1))
    out = zeros((rows, math.prod(size)), dtype=x.dtype, device=x.device)
    out[row, reshape(places, (rows, count))] = reshape(x, (rows, count))
    return unbatched(reshape(out, (*x.shape[:2], *size)), had_batch)


def _check_places(xp: Any, function: str, places: Any, n: int) -> None:
    if not xp.are_below(places, n):
        smallest, greatest = xp.bounds(places)
        wrong = smallest if smallest < 0 else greatest
        raise ValueError(
            f"{function}: the index {wrong} is out of range for an output of {n} elements"
        )


# The greatest -------------------------------------------------------------------------------------


@overload
def max_pool1d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool1d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def max_pool1d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the greatest element that a window shows, in each of its places over one axis.

    The gradient goes to the first of those that are the greatest.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, length) or (channels, length).
        Its numbers are real.
    kernel_size : int
        How many elements the window has.
    stride : int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int
        How many elements that are never the greatest stand on both sides; at most half of a window.
    dilation : int
        How far it is from one element of the window to the next.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    return_indices : bool
        Return also where the greatest elements are.

    Returns
    -------
    Tensor
        Of shape (batch, channels, length) or (channels, length).
        Each length n becomes (n + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1,
        rounded down or up. With `return_indices`, also a Tensor of integers of that shape: which
        element it is, numbered from 0 for each channel.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import max_pool1d
    >>> max_pool1d(ag.zeros((4, 3, 8)), 2).shape
    (4, 3, 4)
    """
    return _max_pool_nd(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@overload
def max_pool2d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool2d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def max_pool2d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the greatest element that a window shows, in each of its places over two axes.

    The gradient goes to the first of those that are the greatest.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
        Its numbers are real.
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int or tuple of int
        How many elements that are never the greatest stand on both sides; at most half of a window.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    return_indices : bool
        Return also where the greatest elements are.

    Returns
    -------
    Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
        Each length n becomes (n + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1,
        rounded down or up. With `return_indices`, also a Tensor of integers of that shape: which
        element it is, numbered from 0 for each channel.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import max_pool2d
    >>> max_pool2d(ag.zeros((4, 3, 8, 8)), 2).shape
    (4, 3, 4, 4)
    """
    return _max_pool_nd(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@overload
def max_pool3d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def max_pool3d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def max_pool3d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the greatest element that a window shows, in each of its places over three axes.

    The gradient goes to the first of those that are the greatest.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
        Its numbers are real.
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int or tuple of int
        How many elements that are never the greatest stand on both sides; at most half of a window.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    return_indices : bool
        Return also where the greatest elements are.

    Returns
    -------
    Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
        Each length n becomes (n + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1,
        rounded down or up. With `return_indices`, also a Tensor of integers of that shape: which
        element it is, numbered from 0 for each channel.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import max_pool3d
    >>> max_pool3d(ag.zeros((4, 3, 8, 8, 8)), 2).shape
    (4, 3, 4, 4, 4)
    """
    return _max_pool_nd(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


# The mean -----------------------------------------------------------------------------------------


def avg_pool1d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of what a window shows, in each of its places over one axis.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, length) or (channels, length).
    kernel_size : int
        How many elements the window has.
    stride : int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int
        How many zeros stand on both sides; at most half of a window.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    count_include_pad : bool
        Whether these zeros count as elements.

    Returns
    -------
    Tensor
        Of shape (batch, channels, length) or (channels, length).
        Each length n becomes (n + 2 padding - kernel_size) / stride + 1, rounded down or up.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import avg_pool1d
    >>> avg_pool1d(ag.zeros((4, 3, 8)), 2).shape
    (4, 3, 4)
    """
    return _avg_pool_nd(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of what a window shows, in each of its places over two axes.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int or tuple of int
        How many zeros stand on both sides; at most half of a window.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    count_include_pad : bool
        Whether these zeros count as elements.
    divisor_override : int, optional
        What to divide each sum by instead.

    Returns
    -------
    Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
        Each length n becomes (n + 2 padding - kernel_size) / stride + 1, rounded down or up.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import avg_pool2d
    >>> avg_pool2d(ag.zeros((4, 3, 8, 8)), 2).shape
    (4, 3, 4, 4)
    """
    return _avg_pool_nd(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of what a window shows, in each of its places over three axes.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int or tuple of int
        How many zeros stand on both sides; at most half of a window.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    count_include_pad : bool
        Whether these zeros count as elements.
    divisor_override : int, optional
        What to divide each sum by instead.

    Returns
    -------
    Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
        Each length n becomes (n + 2 padding - kernel_size) / stride + 1, rounded down or up.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import avg_pool3d
    >>> avg_pool3d(ag.zeros((4, 3, 8, 8, 8)), 2).shape
    (4, 3, 4, 4, 4)
    """
    return _avg_pool_nd(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


# The mean, of bins --------------------------------------------------------------------------------


def adaptive_avg_pool1d(input: TensorLike, output_size: int | tuple[int | None] | None) -> Tensor:
    """Return means over bins, as many as the output is to have, over one axis.

    The i-th of m bins over n elements begins at floor(i n / m) and ends before ceil((i + 1) n / m).

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, length) or (channels, length).
    output_size : int or None
        How many bins there are along each axis; None for as many as elements.

    Returns
    -------
    Tensor
        Of shape ``(batch, channels, *output_size)`` or ``(channels, *output_size)``.

    Raises
    ------
    ValueError
        If the shapes don't fit, or a size is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import adaptive_avg_pool1d
    >>> adaptive_avg_pool1d(ag.zeros((4, 3, 8)), 3).shape
    (4, 3, 3)
    """
    return _adaptive_avg_pool_nd(1, input, output_size)


def adaptive_avg_pool2d(
    input: TensorLike, output_size: int | tuple[int | None, ...] | None
) -> Tensor:
    """Return means over bins, as many as the output is to have, over two axes.

    The i-th of m bins over n elements begins at floor(i n / m) and ends before ceil((i + 1) n / m).

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
    output_size : int, None or tuple of these
        How many bins there are along each axis; None for as many as elements.

    Returns
    -------
    Tensor
        Of shape ``(batch, channels, *output_size)`` or ``(channels, *output_size)``.

    Raises
    ------
    ValueError
        If the shapes don't fit, or a size is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import adaptive_avg_pool2d
    >>> adaptive_avg_pool2d(ag.zeros((4, 3, 8, 8)), 3).shape
    (4, 3, 3, 3)
    """
    return _adaptive_avg_pool_nd(2, input, output_size)


def adaptive_avg_pool3d(
    input: TensorLike, output_size: int | tuple[int | None, ...] | None
) -> Tensor:
    """Return means over bins, as many as the output is to have, over three axes.

    The i-th of m bins over n elements begins at floor(i n / m) and ends before ceil((i + 1) n / m).

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
    output_size : int, None or tuple of these
        How many bins there are along each axis; None for as many as elements.

    Returns
    -------
    Tensor
        Of shape ``(batch, channels, *output_size)`` or ``(channels, *output_size)``.

    Raises
    ------
    ValueError
        If the shapes don't fit, or a size is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import adaptive_avg_pool3d
    >>> adaptive_avg_pool3d(ag.zeros((4, 3, 8, 8, 8)), 3).shape
    (4, 3, 3, 3, 3)
    """
    return _adaptive_avg_pool_nd(3, input, output_size)


# The greatest, of bins ----------------------------------------------------------------------------


@overload
def adaptive_max_pool1d(
    input: TensorLike,
    output_size: int | tuple[int | None] | None,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def adaptive_max_pool1d(
    input: TensorLike,
    output_size: int | tuple[int | None] | None,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def adaptive_max_pool1d(
    input: TensorLike,
    output_size: int | tuple[int | None] | None,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the greatest elements of bins, as many as the output is to have, over one axis.

    The i-th of m bins over n elements begins at floor(i n / m) and ends before ceil((i + 1) n / m).
    The gradient goes to the first of those that are the greatest.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, length) or (channels, length).
    output_size : int, None
        How many bins there are along each axis; None for as many as elements.
    return_indices : bool
        Return also where the greatest elements are.

    Returns
    -------
    Tensor
        Of shape ``(batch, channels, *output_size)`` or ``(channels, *output_size)``. With
        `return_indices`, also a Tensor of integers of that shape: which element it is, numbered
        from 0 for each channel.

    Raises
    ------
    ValueError
        If the shapes don't fit, or a size is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import adaptive_max_pool1d
    >>> adaptive_max_pool1d(ag.zeros((4, 3, 8)), 3).shape
    (4, 3, 3)
    """
    return _adaptive_max_pool_nd(1, input, output_size, return_indices)


@overload
def adaptive_max_pool2d(
    input: TensorLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def adaptive_max_pool2d(
    input: TensorLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def adaptive_max_pool2d(
    input: TensorLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the greatest elements of bins, as many as the output is to have, over two axes.

    The i-th of m bins over n elements begins at floor(i n / m) and ends before ceil((i + 1) n / m).
    The gradient goes to the first of those that are the greatest.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
    output_size : int, None or tuple of these
        How many bins there are along each axis; None for as many as elements.
    return_indices : bool
        Return also where the greatest elements are.

    Returns
    -------
    Tensor
        Of shape ``(batch, channels, *output_size)`` or ``(channels, *output_size)``. With
        `return_indices`, also a Tensor of integers of that shape: which element it is, numbered
        from 0 for each channel.

    Raises
    ------
    ValueError
        If the shapes don't fit, or a size is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import adaptive_max_pool2d
    >>> adaptive_max_pool2d(ag.zeros((4, 3, 8, 8)), 3).shape
    (4, 3, 3, 3)
    """
    return _adaptive_max_pool_nd(2, input, output_size, return_indices)


@overload
def adaptive_max_pool3d(
    input: TensorLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: Literal[False] = False,
) -> Tensor: ...
@overload
def adaptive_max_pool3d(
    input: TensorLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
def adaptive_max_pool3d(
    input: TensorLike,
    output_size: int | tuple[int | None, ...] | None,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the greatest elements of bins, as many as the output is to have, over three axes.

    The i-th of m bins over n elements begins at floor(i n / m) and ends before ceil((i + 1) n / m).
    The gradient goes to the first of those that are the greatest.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
    output_size : int, None or tuple of these
        How many bins there are along each axis; None for as many as elements.
    return_indices : bool
        Return also where the greatest elements are.

    Returns
    -------
    Tensor
        Of shape ``(batch, channels, *output_size)`` or ``(channels, *output_size)``. With
        `return_indices`, also a Tensor of integers of that shape: which element it is, numbered
        from 0 for each channel.

    Raises
    ------
    ValueError
        If the shapes don't fit, or a size is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import adaptive_max_pool3d
    >>> adaptive_max_pool3d(ag.zeros((4, 3, 8, 8, 8)), 3).shape
    (4, 3, 3, 3, 3)
    """
    return _adaptive_max_pool_nd(3, input, output_size, return_indices)


# The norm -----------------------------------------------------------------------------------------


def lp_pool1d(
    input: TensorLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return (Σ xᵖ)^(1/p) of what a window shows, in each of its places over one axis.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, length) or (channels, length).
    norm_type : float
        p. For infinity it is the greatest absolute value.
    kernel_size : int
        How many elements the window has.
    stride : int, optional
        How far it is from one place to the next; by default `kernel_size`.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Returns
    -------
    Tensor
        Of shape (batch, channels, length) or (channels, length).
        Each length n becomes (n - kernel_size) / stride + 1, rounded down or up.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import lp_pool1d
    >>> lp_pool1d(ag.ones((4, 3, 8)), 2, 4).shape
    (4, 3, 2)
    """
    return _lp_pool_nd(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: TensorLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return (Σ xᵖ)^(1/p) of what a window shows, in each of its places over two axes.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
    norm_type : float
        p. For infinity it is the greatest absolute value.
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Returns
    -------
    Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
        Each length n becomes (n - kernel_size) / stride + 1, rounded down or up.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import lp_pool2d
    >>> lp_pool2d(ag.ones((4, 3, 8, 8)), 2, 4).shape
    (4, 3, 2, 2)
    """
    return _lp_pool_nd(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: TensorLike,
    norm_type: float,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """Return (Σ xᵖ)^(1/p) of what a window shows, in each of its places over three axes.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
    norm_type : float
        p. For infinity it is the greatest absolute value.
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Returns
    -------
    Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
        Each length n becomes (n - kernel_size) / stride + 1, rounded down or up.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import lp_pool3d
    >>> lp_pool3d(ag.ones((4, 3, 8, 8, 8)), 2, 4).shape
    (4, 3, 2, 2, 2)
    """
    return _lp_pool_nd(3, input, norm_type, kernel_size, stride, ceil_mode)


# Back to where they were --------------------------------------------------------------------------


def max_unpool1d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return what `max_pool1d` gave where it was before, and zeros elsewhere.

    Of several elements that go to one place, as from windows that overlap, one stays; and as the
    derivative has it, but not PyTorch, this one alone has a gradient.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, length) or (channels, length).
    indices : Tensor
        Of integers, of the shape of `input`: where they were, as with ``return_indices=True``.
    kernel_size, stride, padding : int
        Those of the pooling.
    output_size : sequence of int, optional
        How long the axes become, where several lengths lead to the same one by a stride.

    Returns
    -------
    Tensor
        Of shape (batch, channels, length) or (channels, length).
        Each length n becomes (n - 1) stride - 2 padding + kernel_size if no size is given.

    Raises
    ------
    ValueError
        If the shapes don't fit, an index is out of range (not checked on a GPU), or a setting is
        none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import max_pool1d, max_unpool1d
    >>> y, places = max_pool1d(ag.ones((4, 3, 8)), 2, return_indices=True)
    >>> max_unpool1d(y, places, 2).shape
    (4, 3, 8)
    """
    return _max_unpool_nd(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return what `max_pool2d` gave where it was before, and zeros elsewhere.

    Of several elements that go to one place, as from windows that overlap, one stays; and as the
    derivative has it, but not PyTorch, this one alone has a gradient.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
    indices : Tensor
        Of integers, of the shape of `input`: where they were, as with ``return_indices=True``.
    kernel_size, stride, padding : int or tuple of int
        Those of the pooling.
    output_size : sequence of int, optional
        How long the axes become, where several lengths lead to the same one by a stride.

    Returns
    -------
    Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
        Each length n becomes (n - 1) stride - 2 padding + kernel_size if no size is given.

    Raises
    ------
    ValueError
        If the shapes don't fit, an index is out of range (not checked on a GPU), or a setting is
        none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import max_pool2d, max_unpool2d
    >>> y, places = max_pool2d(ag.ones((4, 3, 8, 8)), 2, return_indices=True)
    >>> max_unpool2d(y, places, 2).shape
    (4, 3, 8, 8)
    """
    return _max_unpool_nd(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return what `max_pool3d` gave where it was before, and zeros elsewhere.

    Of several elements that go to one place, as from windows that overlap, one stays; and as the
    derivative has it, but not PyTorch, this one alone has a gradient.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
    indices : Tensor
        Of integers, of the shape of `input`: where they were, as with ``return_indices=True``.
    kernel_size, stride, padding : int or tuple of int
        Those of the pooling.
    output_size : sequence of int, optional
        How long the axes become, where several lengths lead to the same one by a stride.

    Returns
    -------
    Tensor
        Of shape (batch, channels, depth, height, width) or (channels, depth, height, width).
        Each length n becomes (n - 1) stride - 2 padding + kernel_size if no size is given.

    Raises
    ------
    ValueError
        If the shapes don't fit, an index is out of range (not checked on a GPU), or a setting is
        none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import max_pool3d, max_unpool3d
    >>> y, places = max_pool3d(ag.ones((4, 3, 8, 8, 8)), 2, return_indices=True)
    >>> max_unpool3d(y, places, 2).shape
    (4, 3, 8, 8, 8)
    """
    return _max_unpool_nd(3, input, indices, kernel_size, stride, padding, output_size)


# Another size ------------------------------------------------------------------------------------

_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}


def interpolate(
    input: TensorLike,
    size: Ints | None = None,
    scale_factor: float | tuple[float, ...] | None = None,
    mode: Mode = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """Return an array of another size, by the nearest elements or linearly between them.

    Parameters
    ----------
    input : Tensor
        Of shape ``(batch, channels, *size)``, with one to three spatial axes.
    size : int or tuple of int, optional
        How long these are to become.
    scale_factor : float or tuple of float, optional
        By how much longer; what comes out is rounded down. Either this or `size` is given.
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "trilinear"}
        "nearest" rounds places down, "nearest-exact" to the nearest one. The linear modes are for
        one, two and three axes.
    align_corners : bool, optional
        For the linear modes: the middles of the first and the last elements stay where they are,
        rather than their outer edges.
    recompute_scale_factor : bool, optional
        Find the places by how long the axes have become, rather than by `scale_factor` itself.

    Returns
    -------
    Tensor
        Of shape ``(batch, channels, *new size)``.

    Raises
    ------
    ValueError
        If the shapes, the mode or the settings don't fit.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import interpolate
    >>> x = ag.Tensor([[[1.0, 3.0]]])
    >>> interpolate(x, scale_factor=2).tolist()
    [[[1.0, 1.0, 3.0, 3.0]]]
    >>> interpolate(x, size=3, mode="linear", align_corners=True).tolist()
    [[[1.0, 2.0, 3.0]]]
    """
    if casting.state:
        input = cast_up(input)
    x = asarray(input)
    n = x.ndim - 2
    if not 1 <= n <= 3:
        raise ValueError(
            "interpolate needs an input of shape (batch, channels, *size) with one to three "
            f"spatial axes; got {x.shape}"
        )
    if mode not in ("nearest", "nearest-exact", *_LINEAR):
        raise ValueError(
            f"interpolate: mode must be one of nearest, nearest-exact, {', '.join(_LINEAR)}; got "
            f"{mode!r}"
        )
    if _LINEAR.get(mode, n) != n:
        raise ValueError(f"interpolate: {mode} is for {_LINEAR[mode]} spatial axes, got {x.shape}")
    if align_corners is not None and mode not in _LINEAR:
        raise ValueError(f"interpolate: align_corners is for the linear modes, not for {mode!r}")
    sizes, scales = _new_size(x.shape[2:], size, scale_factor, recompute_scale_factor)
    for axis, (length, new, scale) in enumerate(zip(x.shape[2:], sizes, scales, strict=True), 2):
        if mode in _LINEAR:
            x = _linear_along(x, axis, _linear_places(length, new, scale, bool(align_corners)))
        else:
            places = _nearest_places(length, new, scale, mode, x.dtype.name == "float64")
            x = take(x, asarray(places, device=x.device), axis=axis)
    return x


def _nearest_places(n: int, new: int, scale: float, mode: str, in_double: bool) -> list[int]:
    """Return which of n elements are nearest to the new ones.

    They are found as PyTorch finds them, in float32 or float64 and at last in float32: where
    several are as near, rounding decides.
    """
    rounded = float if in_double else _single
    scale = rounded(scale)
    if mode == "nearest":
        places = [rounded(i * scale) for i in range(new)]
    else:
        middles = (max(rounded(rounded((i + 0.5) * scale) - 0.5), 0.0) for i in range(new))
        places = [rounded(middle + 0.5) for middle in middles]
    return [min(math.floor(_single(place)), n - 1) for place in places]


def _single(x: float) -> float:
    """Round to float32."""
    return float(struct.unpack("f", struct.pack("f", x))[0])


def _new_size(
    size: Sequence[int], new: Any, factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], list[float]]:
    """Return the new size, and for each axis how many old elements a new one stands for."""
    n = len(size)
    if (new is None) == (factor is None):
        raise ValueError("interpolate needs either size or scale_factor")
    if new is not None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor needs scale_factor, not size")
        sizes = to_ints("interpolate", "size", new, n)
        return sizes, [old / each for old, each in zip(size, sizes, strict=True)]
    factors = factor if isinstance(factor, (list, tuple)) else (factor,) * n
    if len(factors) != n or not all(isinstance(f, (int, float)) and f > 0 for f in factors):
        raise ValueError(
            f"interpolate: scale_factor must be a positive number, or {n} of them; got {factor!r}"
        )
    sizes = tuple(math.floor(old * f) for old, f in zip(size, factors, strict=True))
    if min(sizes) < 1:
        raise ValueError(f"interpolate: nothing is left of size {tuple(size)} by {factor}")
    if recompute:
        return sizes, [old / each for old, each in zip(size, sizes, strict=True)]
    return sizes, [1 / f for f in factors]


def _linear_places(n: int, new: int, scale: float, align_corners: bool) -> list[float]:
    """Return where the new elements lie among n old ones."""
    if align_corners:
        step = (n - 1) / (new - 1) if new > 1 else 0.0
        return [i * step for i in range(new)]
    return [max((i + 0.5) * scale - 0.5, 0.0) for i in range(new)]


def _linear_along(x: Tensor, axis: int, places: list[float]) -> Tensor:
    """Return x at places between its elements along an axis."""
    last = x.shape[axis] - 1
    below = [min(int(place), last) for place in places]
    above = [min(i + 1, last) for i in below]
    weight = asarray(
        [place - i for place, i in zip(places, below, strict=True)], dtype=x.dtype, device=x.device
    )
    weight = weight.reshape((-1, *(1 for _ in range(x.ndim - axis - 1))))
    lower = take(x, asarray(below, device=x.device), axis=axis)
    upper = take(x, asarray(above, device=x.device), axis=axis)
    return lower * (1 - weight) + upper * weight
