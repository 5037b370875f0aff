"""Convolution, forwards and transposed, over one, two or three spatial axes.

All of it is one form, the sum of y[n, o, p] w[o, c, k] x[n, c, place of element k in window p],
with one of its three arrays left out: `_CONV` gives what stands with y, `_CONV_INPUT` what stands
with x (a transposed convolution), and `_CONV_WEIGHT` what stands with w. So each has the other two
as its rules, and derivatives of any order are convolutions again.
"""

import math
from typing import Any, Literal

from agrad.autograd import Primitive, record
from agrad.nn.functional.windows import (
    FOLD,
    UNFOLD,
    Windows,
    batched,
    call,
    pad,
    spread,
    to_ints,
    unbatched,
    unfold_windows,
)
from agrad.ops import asarray, reshape
from agrad.ops.casting import cast_down, casting
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "unfold",
]

Ints = int | tuple[int, ...]
Padding = int | tuple[int, ...] | Literal["same", "valid"]

# Over any library. Arrays are of shape (batch, channels, *size), weights of shape
# (out channels, in channels / groups, *kernel).


def _conv(xp: Any, x: Any, w: Any, windows: Windows, groups: int) -> Any:
    counts = windows.counts(x.shape[2:])
    columns = _columns(xp, x, windows, groups)
    out = xp.matmul(xp.reshape(w, (groups, w.shape[0] // groups, columns.shape[2])), columns)
    return xp.reshape(out, (x.shape[0], w.shape[0], *counts))


def _columns(xp: Any, x: Any, windows: Windows, groups: int) -> Any:
    """Return what the windows show: (batch, groups, channels in a group x elements, windows)."""
    shown = unfold_windows(xp, x, windows)
    rows = x.shape[1] // groups * shown.shape[2]
    return xp.reshape(shown, (x.shape[0], groups, rows, math.prod(shown.shape[3:])))


def _conv_input(
    xp: Any, y: Any, w: Any, windows: Windows, groups: int, size: tuple[int, ...]
) -> Any:
    """Convolve with the turned kernel, which reaches as far back as the kernel does forwards."""
    out, per_group, n = w.shape[0], w.shape[1], len(size)
    w = xp.reshape(w, (groups, out // groups, per_group, *windows.kernel))
    w = xp.flip(w, axis=tuple(range(3, 3 + n)))
    w = xp.permute_dims(w, (0, 2, 1, *range(3, 3 + n)))
    w = xp.reshape(w, (groups * per_group, out // groups, *windows.kernel))
    y = spread(xp, y, windows.stride)
    around = []
    for length, extent, (before, _), there in zip(
        size, windows.extents, windows.padding, y.shape[2:], strict=True
    ):
        low = extent - 1 - before
        around.append((low, length + extent - 1 - low - there))
    y = pad(xp, y, around)
    turned = Windows(windows.kernel, (1,) * n, ((0, 0),) * n, windows.dilation)
    return _conv(xp, y, w, turned, groups)


def _conv_weight(xp: Any, y: Any, x: Any, windows: Windows, groups: int) -> Any:
    columns = xp.permute_dims(_columns(xp, x, windows, groups), (1, 2, 0, 3))
    batch, places = columns.shape[2:]
    columns = xp.reshape(columns, (*columns.shape[:2], batch * places))
    out = y.shape[1]
    y = xp.permute_dims(xp.reshape(y, (batch, groups, out // groups, places)), (1, 0, 3, 2))
    y = xp.reshape(y, (groups, batch * places, out // groups))
    products = xp.matrix_transpose(xp.matmul(columns, y))
    return xp.reshape(products, (out, x.shape[1] // groups, *windows.kernel))


_CONV: Primitive = Primitive(
    "conv",
    _conv,
    fused=True,
    x=lambda xp, g, w, x_shape, windows, groups: call(
        xp, _CONV_INPUT, g, w, windows=windows, groups=groups, size=tuple(x_shape[2:])
    ),
    w=lambda xp, g, x, windows, groups: call(
        xp, _CONV_WEIGHT, g, x, windows=windows, groups=groups
    ),
)
_CONV_INPUT: Primitive = Primitive(
    "conv_input",
    _conv_input,
    fused=True,
    y=lambda xp, g, w, windows, groups: call(xp, _CONV, g, w, windows=windows, groups=groups),
    w=lambda xp, g, y, windows, groups: call(
        xp, _CONV_WEIGHT, y, g, windows=windows, groups=groups
    ),
)
_CONV_WEIGHT: Primitive = Primitive(
    "conv_weight",
    _conv_weight,
    fused=True,
    y=lambda xp, g, x, windows, groups: call(xp, _CONV, x, g, windows=windows, groups=groups),
    x=lambda xp, g, y, x_shape, windows, groups: call(
        xp, _CONV_INPUT, y, g, windows=windows, groups=groups, size=tuple(x_shape[2:])
    ),
)


def _conv_bias(xp: Any, x: Any, w: Any, b: Any, windows: Windows, groups: int) -> Any:
    return _conv(xp, x, w, windows, groups) + xp.reshape(b, (b.shape[0], *(1,) * (x.ndim - 2)))


_CONV_BIAS = Primitive(
    "conv_bias",
    _conv_bias,
    fused=True,
    x=_CONV.rules[0],
    w=_CONV.rules[1],
    b=lambda xp, g: xp.sum(g, axis=(0, *range(2, g.ndim))),
)
_PAD = Primitive(
    "pad_windows",
    pad,
    x=lambda xp, g, padding: pad(xp, g, [(-low, -high) for low, high in padding]),
)


# What all dimensions share -----------------------------------------------------------------------


def _check_channels(
    function: str, x: Tensor, w: Tensor, b: Tensor | None, groups: int, transposed: bool
) -> None:
    """Check that an input, weights and a bias fit together."""
    if not isinstance(groups, int) or groups < 1:
        raise ValueError(f"{function}: groups must be a positive integer, got {groups!r}")
    expected = w.shape[0] if transposed else w.shape[1] * groups
    if x.shape[1] != expected or w.shape[0] % groups:
        what = "(in, out / groups, ...)" if transposed else "(out, in / groups, ...)"
        raise ValueError(
            f"{function} needs a weight of shape {what} that fits the input's channels; got an "
            f"input with {x.shape[1]} channels, a weight of shape {w.shape} and groups={groups}"
        )
    channels = w.shape[1] * groups if transposed else w.shape[0]
    if b is not None and b.shape != (channels,):
        raise ValueError(f"{function} needs a bias of shape ({channels},); got {b.shape}")


def _weight(function: str, weight: TensorLike, n: int) -> tuple[Tensor, tuple[int, ...]]:
    """Return the weights as a Tensor, and the size of their window."""
    w = asarray(weight)
    if w.ndim != n + 2:
        raise ValueError(f"{function} needs a weight of {n + 2} dimensions; got {w.shape}")
    kernel = tuple(w.shape[2:])
    if min(kernel) < 1:
        raise ValueError(f"{function} needs windows of at least one element; got {kernel}")
    return w, kernel


def margins(
    function: str, padding: Padding, kernel: tuple[int, ...], stride: Any, dilation: Any
) -> tuple[tuple[int, int], ...]:
    """Return how far to pad each axis, before and after."""
    n = len(kernel)
    if padding == "valid":
        return ((0, 0),) * n
    if padding == "same":
        if any(step != 1 for step in stride):
            raise ValueError(f"{function}: padding='same' needs stride=1, got {stride}")
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str):
        raise ValueError(
            f"{function}: padding must be 'same', 'valid' or integers, got {padding!r}"
        )
    return tuple((p, p) for p in to_ints(function, "padding", padding, n, 0))


def _convolve(
    n: int,
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None,
    stride: Ints,
    padding: Padding,
    dilation: Ints,
    groups: int,
) -> Tensor:
    """Convolve over n axes."""
    function = f"conv{n}d"
    x, had_batch = batched(function, input, n)
    w, kernel = _weight(function, weight, n)
    b = None if bias is None else asarray(bias)
    _check_channels(function, x, w, b, groups, transposed=False)
    strides = to_ints(function, "stride", stride, n)
    dilations = to_ints(function, "dilation", dilation, n)
    around = margins(function, padding, kernel, strides, dilations)
    windows = Windows(kernel, strides, around, dilations)
    windows.check(function, x.shape[2:])
    if casting.state:
        x, w, b = cast_down(x, w, b)
    if b is None:
        out = record(_CONV, (x, w), windows=windows, groups=groups)
    else:
        out = record(_CONV_BIAS, (x, w, b), windows=windows, groups=groups)
    return unbatched(out, had_batch)


def _convolve_transposed(
    n: int,
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None,
    stride: Ints,
    padding: Ints,
    output_padding: Ints,
    groups: int,
    dilation: Ints,
) -> Tensor:
    """Do what the gradient of a convolution by its input does, over n axes."""
    function = f"conv_transpose{n}d"
    y, had_batch = batched(function, input, n)
    w, kernel = _weight(function, weight, n)
    b = None if bias is None else asarray(bias)
    _check_channels(function, y, w, b, groups, transposed=True)
    strides = to_ints(function, "stride", stride, n)
    dilations = to_ints(function, "dilation", dilation, n)
    paddings = to_ints(function, "padding", padding, n, 0)
    extra = to_ints(function, "output_padding", output_padding, n, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)):
        raise ValueError(
            f"{function}: output_padding must be less than stride or dilation, got {extra} with "
            f"stride={strides} and dilation={dilations}"
        )
    # What would make room for another window stays out of the convolution, and is zeros
    zeros = tuple(e if e >= step else 0 for e, step in zip(extra, strides, strict=True))
    windows = Windows(kernel, strides, tuple((p, p) for p in paddings), dilations)
    size = tuple(
        (count - 1) * step + extent - 2 * p + e - z
        for count, step, extent, p, e, z in zip(
            y.shape[2:], strides, windows.extents, paddings, extra, zeros, strict=True
        )
    )
    if min(size) < 1:
        raise ValueError(
            f"{function}: nothing would be left of an input of size {tuple(y.shape[2:])}; the "
            f"output would be of size {size}"
        )
    if casting.state:
        y, w, b = cast_down(y, w, b)
    out = record(_CONV_INPUT, (y, w), windows=windows, groups=groups, size=size)
    if any(zeros):
        out = record(_PAD, (out,), padding=tuple((0, z) for z in zeros))
    if b is not None:
        out = out + reshape(b, (-1, *(1,) * n))
    return unbatched(out, had_batch)


# Convolution -------------------------------------------------------------------------------------


def conv1d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Return what a window shows, weighted and summed, in each of its places over one axis.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, in, length) or (in, length).
    weight : Tensor
        Of shape (out, in / groups, kernel).
    bias : Tensor, optional
        Of shape (out,): what is added to each channel.
    stride : int
        How far it is from one place of the window to the next.
    padding : int, "same" or "valid"
        How many zeros stand on both sides; "same" keeps the input's size, "valid" is 0.
    dilation : int
        How far it is from one element of the window to the next.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.

    Returns
    -------
    Tensor
        Of shape (batch, out, length) or (out, length), where each length n becomes
        (n + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import conv1d
    >>> x, w = ag.zeros((4, 3, 8)), ag.zeros((6, 3, 3))
    >>> conv1d(x, w, padding=1).shape
    (4, 6, 8)
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Return what a window shows, weighted and summed, in each of its places over two axes.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, in, height, width) or (in, height, width).
    weight : Tensor
        Of shape (out, in / groups, kernel height, kernel width).
    bias : Tensor, optional
        Of shape (out,): what is added to each channel.
    stride : int or tuple of int
        How far it is from one place of the window to the next.
    padding : int or tuple of int, "same" or "valid"
        How many zeros stand on both sides; "same" keeps the input's size, "valid" is 0.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.

    Returns
    -------
    Tensor
        Of shape (batch, out, height, width) or (out, height, width), where each length n becomes
        (n + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import conv2d
    >>> x, w = ag.zeros((4, 3, 8, 8)), ag.zeros((6, 3, 3, 3))
    >>> conv2d(x, w, padding=1).shape
    (4, 6, 8, 8)
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Return what a window shows, weighted and summed, in each of its places over three axes.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, in, depth, height, width) or (in, depth, height, width).
    weight : Tensor
        Of shape ``(out, in / groups, *kernel)``.
    bias : Tensor, optional
        Of shape (out,): what is added to each channel.
    stride : int or tuple of int
        How far it is from one place of the window to the next.
    padding : int or tuple of int, "same" or "valid"
        How many zeros stand on both sides; "same" keeps the input's size, "valid" is 0.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.

    Returns
    -------
    Tensor
        Of shape (batch, out, depth, height, width) or (out, depth, height, width), where each
        length n becomes (n + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Raises
    ------
    ValueError
        If the shapes don't fit, the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import conv3d
    >>> x, w = ag.zeros((4, 3, 8, 8, 8)), ag.zeros((6, 3, 3, 3, 3))
    >>> conv3d(x, w, padding=1).shape
    (4, 6, 8, 8, 8)
    """
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


# Transposed convolution --------------------------------------------------------------------------


def conv_transpose1d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """Return the transpose of a convolution over one axis: its gradient by its input.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, in, length) or (in, length).
    weight : Tensor
        Of shape (in, out / groups, kernel).
    bias : Tensor, optional
        Of shape (out,): what is added to each channel.
    stride, padding, dilation : int
        Those of the convolution.
    output_padding : int
        How much longer the output is; several sizes lead to the same one by a stride.
    groups : int
        Into how many groups the channels fall.

    Returns
    -------
    Tensor
        Of shape (batch, out, length) or (out, length), where each length n becomes
        (n - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises
    ------
    ValueError
        If the shapes don't fit, nothing would be left, or a setting is none.

    References
    ----------
    M. D. Zeiler et al., "Deconvolutional networks", CVPR 2010.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import conv_transpose1d
    >>> x, w = ag.zeros((4, 6, 4)), ag.zeros((6, 3, 2))
    >>> conv_transpose1d(x, w, stride=2).shape
    (4, 3, 8)
    """
    return _convolve_transposed(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """Return the transpose of a convolution over two axes: its gradient by its input.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, in, height, width) or (in, height, width).
    weight : Tensor
        Of shape (in, out / groups, kernel height, kernel width).
    bias : Tensor, optional
        Of shape (out,): what is added to each channel.
    stride, padding, dilation : int or tuple of int
        Those of the convolution.
    output_padding : int or tuple of int
        How much longer the output is; several sizes lead to the same one by a stride.
    groups : int
        Into how many groups the channels fall.

    Returns
    -------
    Tensor
        Of shape (batch, out, height, width) or (out, height, width), where each length n becomes
        (n - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises
    ------
    ValueError
        If the shapes don't fit, nothing would be left, or a setting is none.

    References
    ----------
    M. D. Zeiler et al., "Deconvolutional networks", CVPR 2010.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import conv_transpose2d
    >>> x, w = ag.zeros((4, 6, 4, 4)), ag.zeros((6, 3, 2, 2))
    >>> conv_transpose2d(x, w, stride=2).shape
    (4, 3, 8, 8)
    """
    return _convolve_transposed(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose3d(
    input: TensorLike,
    weight: TensorLike,
    bias: TensorLike | None = None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> Tensor:
    """Return the transpose of a convolution over three axes: its gradient by its input.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, in, depth, height, width) or (in, depth, height, width).
    weight : Tensor
        Of shape ``(in, out / groups, *kernel)``.
    bias : Tensor, optional
        Of shape (out,): what is added to each channel.
    stride, padding, dilation : int or tuple of int
        Those of the convolution.
    output_padding : int or tuple of int
        How much longer the output is; several sizes lead to the same one by a stride.
    groups : int
        Into how many groups the channels fall.

    Returns
    -------
    Tensor
        Of shape (batch, out, depth, height, width) or (out, depth, height, width), where each
        length n becomes (n - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises
    ------
    ValueError
        If the shapes don't fit, nothing would be left, or a setting is none.

    References
    ----------
    M. D. Zeiler et al., "Deconvolutional networks", CVPR 2010.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import conv_transpose3d
    >>> x, w = ag.zeros((4, 6, 4, 4, 4)), ag.zeros((6, 3, 2, 2, 2))
    >>> conv_transpose3d(x, w, stride=2).shape
    (4, 3, 8, 8, 8)
    """
    return _convolve_transposed(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


# Windows -----------------------------------------------------------------------------------------


def _plain_windows(
    function: str, kernel_size: Ints, dilation: Ints, padding: Ints, stride: Ints
) -> Windows:
    return Windows(
        to_ints(function, "kernel_size", kernel_size, 2),
        to_ints(function, "stride", stride, 2),
        tuple((p, p) for p in to_ints(function, "padding", padding, 2, 0)),
        to_ints(function, "dilation", dilation, 2),
    )


def unfold(
    input: TensorLike,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Tensor:
    """Return what a window shows in each of its places, as columns.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).
    kernel_size, dilation, padding, stride : int or tuple of int
        As for `conv2d`.

    Returns
    -------
    Tensor
        Of shape (batch, channels * elements of a window, places), or without the batch.

    Raises
    ------
    ValueError
        If the window is larger than the padded input, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import unfold
    >>> unfold(ag.reshape(ag.arange(6.0), (1, 2, 3)), 2).tolist()
    [[0.0, 1.0], [1.0, 2.0], [3.0, 4.0], [4.0, 5.0]]
    """
    x, had_batch = batched("unfold", input, 2)
    windows = _plain_windows("unfold", kernel_size, dilation, padding, stride)
    windows.check("unfold", x.shape[2:])
    shown = record(UNFOLD, (x,), windows=windows)
    batch, channels, elements = shown.shape[:3]
    columns = reshape(shown, (batch, channels * elements, math.prod(shown.shape[3:])))
    return unbatched(columns, had_batch)


def fold(
    input: TensorLike,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints = 1,
    padding: Ints = 0,
    stride: Ints = 1,
) -> Tensor:
    """Return an array to which each window has added what its column holds.

    It is the transpose of `unfold`, not its inverse: where windows overlap, their values add up.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels * elements of a window, places), or without the batch.
    output_size : int or tuple of int
        The height and the width of the output.
    kernel_size, dilation, padding, stride : int or tuple of int
        As for `unfold`.

    Returns
    -------
    Tensor
        Of shape (batch, channels, height, width) or (channels, height, width).

    Raises
    ------
    ValueError
        If the shapes don't fit, or a setting is none.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import fold
    >>> fold(ag.ones((4, 2)), (2, 3), 2).tolist()
    [[[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]]
    """
    y, had_batch = batched("fold", input, 1)
    size = to_ints("fold", "output_size", output_size, 2)
    windows = _plain_windows("fold", kernel_size, dilation, padding, stride)
    windows.check("fold", size)
    counts, elements = windows.counts(size), math.prod(windows.kernel)
    if y.shape[1] % elements or y.shape[2] != math.prod(counts):
        raise ValueError(
            f"fold needs an input of shape (batch, channels * {elements}, {math.prod(counts)}) "
            f"for kernel_size={windows.kernel} and output_size={size}; got {asarray(input).shape}"
        )
    y = reshape(y, (y.shape[0], y.shape[1] // elements, elements, *counts))
    return unbatched(record(FOLD, (y,), windows=windows, size=size), had_batch)
