"""Layers that convolve: a window slides over the input, with the same weights in each place."""

import math
from numbers import Integral
from typing import Any, ClassVar, Literal

from agrad.dtypes import get_default_dtype
from agrad.nn import init
from agrad.nn.functional.convolution import (
    Ints,
    Padding,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    margins,
)
from agrad.nn.functional.padding import extend
from agrad.nn.functional.windows import Windows, to_ints
from agrad.nn.module import Module
from agrad.ops import empty
from agrad.random import Generator
from agrad.tensor import Parameter, Tensor
from agrad.typing import DTypeLike

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
]

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
_MODES = ("zeros", "reflect", "replicate", "circular")
_CONV: dict[int, Any] = {1: conv1d, 2: conv2d, 3: conv3d}
_CONV_TRANSPOSE: dict[int, Any] = {1: conv_transpose1d, 2: conv_transpose2d, 3: conv_transpose3d}


class _Convolution(Module):
    """What all of these layers have in common: their settings, checked, and their parameters."""

    _axes: ClassVar[int]
    _transposed: ClassVar[bool]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints,
        padding: Padding,
        output_padding: Ints,
        dilation: Ints,
        groups: int,
        bias: bool,
        padding_mode: PaddingMode,
        dtype: DTypeLike,
        device: str | None,
        generator: Generator | None,
    ) -> None:
        name, n = type(self).__name__, self._axes
        for what, count in (
            ("in_channels", in_channels),
            ("out_channels", out_channels),
            ("groups", groups),
        ):
            if not isinstance(count, Integral) or count < 1:
                raise ValueError(f"{name}: {what} must be a positive integer, got {count!r}")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: groups must divide the channels, got in_channels={in_channels}, "
                f"out_channels={out_channels} and groups={groups}"
            )
        modes = ("zeros",) if self._transposed else _MODES
        if padding_mode not in modes:
            raise ValueError(
                f"{name}: padding_mode must be one of {', '.join(modes)}; got {padding_mode!r}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = to_ints(name, "kernel_size", kernel_size, n)
        self.stride = to_ints(name, "stride", stride, n)
        self.dilation = to_ints(name, "dilation", dilation, n)
        self.output_padding = to_ints(name, "output_padding", output_padding, n, 0)
        self.groups = groups
        self.padding_mode = padding_mode
        self.padding = (
            padding if isinstance(padding, str) else to_ints(name, "padding", padding, n, 0)
        )
        self._margins = margins(name, padding, self.kernel_size, self.stride, self.dilation)

        dtype = get_default_dtype() if dtype is None else dtype
        into, out = (out_channels, in_channels) if self._transposed else (in_channels, out_channels)
        shape = (out, into // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, dtype=dtype, device=device), name="weight")
        init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=generator)
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(empty((out_channels,), dtype=dtype, device=device), name="bias")
            bound = 1 / math.sqrt(math.prod(shape[1:]))
            init.uniform_(self.bias, -bound, bound, generator=generator)

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        ]
        none = (0,) * self._axes
        for name, usual in (
            ("padding", none),
            ("dilation", (1,) * self._axes),
            ("output_padding", none),
            ("groups", 1),
        ):
            if getattr(self, name) != usual:
                parts.append(f"{name}={getattr(self, name)}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Conv(_Convolution):
    """What convolutions have in common."""

    _transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Padding = 0,
        dilation: Ints = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            0,
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
            device,
            generator,
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return the input convolved with the weights.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, in_channels, *size)`` or ``(in_channels, *size)``, on the device of
            the parameters.

        Returns
        -------
        Tensor
            Of shape ``(batch, out_channels, *new size)``, or without the batch.
        """
        padding: Padding = self.padding
        if self.padding_mode != "zeros":
            for i, (low, high) in enumerate(self._margins, -self._axes):
                input = extend(type(self).__name__, input, i, low, high, self.padding_mode)
            padding = 0
        out: Tensor = _CONV[self._axes](
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )
        return out


class _ConvTranspose(_Convolution):
    """What transposed convolutions have in common."""

    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Ints,
        stride: Ints = 1,
        padding: Ints = 0,
        output_padding: Ints = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Ints = 1,
        padding_mode: PaddingMode = "zeros",
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            to_ints(type(self).__name__, "padding", padding, self._axes, 0),
            output_padding,
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
            device,
            generator,
        )

    def forward(self, input: Tensor, output_size: tuple[int, ...] | None = None) -> Tensor:
        """Return what a convolution with these weights has the input as its output's gradient.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, in_channels, *size)`` or ``(in_channels, *size)``, on the device of
            the parameters.
        output_size : tuple of int, optional
            The new size, where several are possible; `output_padding` is found from it.

        Returns
        -------
        Tensor
            Of shape ``(batch, out_channels, *new size)``, or without the batch.
        """
        extra = self.output_padding
        if output_size is not None:
            extra = self._output_padding(tuple(input.shape[-self._axes :]), output_size)
        out: Tensor = _CONV_TRANSPOSE[self._axes](
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )
        return out

    def _output_padding(
        self, size: tuple[int, ...], output_size: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Return what makes the output as long as asked for."""
        wanted = tuple(output_size)[-self._axes :]
        windows = Windows(self.kernel_size, self.stride, self._margins, self.dilation)
        least = [
            (n - 1) * step + extent - low - high
            for n, step, extent, (low, high) in zip(
                size, self.stride, windows.extents, self._margins, strict=True
            )
        ]
        most = [n + step - 1 for n, step in zip(least, self.stride, strict=True)]
        if len(wanted) != self._axes or not all(
            low <= n <= high for low, n, high in zip(least, wanted, most, strict=True)
        ):
            raise ValueError(
                f"{type(self).__name__}: an input of size {size} can give sizes from "
                f"{tuple(least)} to {tuple(most)}, not {tuple(output_size)}"
            )
        return tuple(n - low for n, low in zip(wanted, least, strict=True))


class Conv1d(_Conv):
    """A convolution over one axis, and a bias for each channel: see `functional.conv1d`.

    Parameters
    ----------
    in_channels, out_channels : int
        How many channels come in and go out; at least 1.
    kernel_size : int
        How many elements the window has.
    stride : int
        How far it is from one place of the window to the next.
    padding : int, "same" or "valid"
        How many elements are added on both sides; "same" keeps the size, "valid" is 0.
    dilation : int
        How far it is from one element of the window to the next.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.
    bias : bool
        Whether there is a bias.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What is added: zeros, the input mirrored at its ends, its last elements, or those of the
        other end.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.
    generator : Generator, optional
        Where the initial values come from.

    Attributes
    ----------
    weight : Parameter
        Of shape (out_channels, in_channels / groups, kernel), first drawn from
        U(-a, a), a = 1 / sqrt(in_channels / groups * elements of the window).
    bias : Parameter or None
        Of shape (out_channels,), first drawn from the same.

    Raises
    ------
    ValueError
        If a setting is none, or what comes in has other channels or is smaller than the window.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.Conv1d(3, 6, 3, padding=1)
    >>> layer(ag.zeros((4, 3, 8), dtype=ag.float32)).shape
    (4, 6, 8)
    >>> layer
    Conv1d(3, 6, kernel_size=(3,), stride=(1,), padding=(1,))
    """

    _axes = 1


class Conv2d(_Conv):
    """A convolution over two axes, and a bias for each channel: see `functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        How many channels come in and go out; at least 1.
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int
        How far it is from one place of the window to the next.
    padding : int or tuple of int, "same" or "valid"
        How many elements are added on both sides; "same" keeps the size, "valid" is 0.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.
    bias : bool
        Whether there is a bias.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What is added: zeros, the input mirrored at its ends, its last elements, or those of the
        other end.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.
    generator : Generator, optional
        Where the initial values come from.

    Attributes
    ----------
    weight : Parameter
        Of shape (out_channels, in_channels / groups, height, width), first drawn from
        U(-a, a), a = 1 / sqrt(in_channels / groups * elements of the window).
    bias : Parameter or None
        Of shape (out_channels,), first drawn from the same.

    Raises
    ------
    ValueError
        If a setting is none, or what comes in has other channels or is smaller than the window.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.Conv2d(3, 6, 3, padding=1)
    >>> layer(ag.zeros((4, 3, 8, 8), dtype=ag.float32)).shape
    (4, 6, 8, 8)
    >>> layer
    Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    _axes = 2


class Conv3d(_Conv):
    """A convolution over three axes, and a bias for each channel: see `functional.conv3d`.

    Parameters
    ----------
    in_channels, out_channels : int
        How many channels come in and go out; at least 1.
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int
        How far it is from one place of the window to the next.
    padding : int or tuple of int, "same" or "valid"
        How many elements are added on both sides; "same" keeps the size, "valid" is 0.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.
    bias : bool
        Whether there is a bias.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What is added: zeros, the input mirrored at its ends, its last elements, or those of the
        other end.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.
    generator : Generator, optional
        Where the initial values come from.

    Attributes
    ----------
    weight : Parameter
        Of shape ``(out_channels, in_channels / groups, *kernel)``, first drawn from
        U(-a, a), a = 1 / sqrt(in_channels / groups * elements of the window).
    bias : Parameter or None
        Of shape (out_channels,), first drawn from the same.

    Raises
    ------
    ValueError
        If a setting is none, or what comes in has other channels or is smaller than the window.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.Conv3d(3, 6, 3, padding=1)
    >>> layer(ag.zeros((4, 3, 8, 8, 8), dtype=ag.float32)).shape
    (4, 6, 8, 8, 8)
    >>> layer
    Conv3d(3, 6, kernel_size=(3, 3, 3), stride=(1, 1, 1), padding=(1, 1, 1))
    """

    _axes = 3


class ConvTranspose1d(_ConvTranspose):
    """A transposed convolution over one axis: see `functional.conv_transpose1d`.

    Parameters
    ----------
    in_channels, out_channels : int
        How many channels come in and go out; at least 1.
    kernel_size : int
        How many elements the window has.
    stride, padding : int
        Those of the convolution that it is the transpose of.
    output_padding : int
        How much longer the output is.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.
    bias : bool
        Whether there is a bias.
    dilation : int
        That of the convolution.
    padding_mode : {"zeros"}
        There is no other.
    dtype, device, generator
        As for `Conv1d`.

    Attributes
    ----------
    weight : Parameter
        Of shape (in_channels, out_channels / groups, kernel), first drawn from
        U(-a, a), a = 1 / sqrt(out_channels / groups * elements of the window).
    bias : Parameter or None
        Of shape (out_channels,), first drawn from the same.

    Raises
    ------
    ValueError
        If a setting is none, or what comes in has other channels.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.ConvTranspose1d(6, 3, 2, stride=2)
    >>> layer(ag.zeros((4, 6, 4), dtype=ag.float32)).shape
    (4, 3, 8)
    >>> layer
    ConvTranspose1d(6, 3, kernel_size=(2,), stride=(2,))
    """

    _axes = 1


class ConvTranspose2d(_ConvTranspose):
    """A transposed convolution over two axes: see `functional.conv_transpose2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        How many channels come in and go out; at least 1.
    kernel_size : int or tuple of int
        How many elements the window has.
    stride, padding : int or tuple of int
        Those of the convolution that it is the transpose of.
    output_padding : int or tuple of int
        How much longer the output is.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.
    bias : bool
        Whether there is a bias.
    dilation : int or tuple of int
        That of the convolution.
    padding_mode : {"zeros"}
        There is no other.
    dtype, device, generator
        As for `Conv2d`.

    Attributes
    ----------
    weight : Parameter
        Of shape (in_channels, out_channels / groups, height, width), first drawn from
        U(-a, a), a = 1 / sqrt(out_channels / groups * elements of the window).
    bias : Parameter or None
        Of shape (out_channels,), first drawn from the same.

    Raises
    ------
    ValueError
        If a setting is none, or what comes in has other channels.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.ConvTranspose2d(6, 3, 2, stride=2)
    >>> layer(ag.zeros((4, 6, 4, 4), dtype=ag.float32)).shape
    (4, 3, 8, 8)
    >>> layer
    ConvTranspose2d(6, 3, kernel_size=(2, 2), stride=(2, 2))
    """

    _axes = 2


class ConvTranspose3d(_ConvTranspose):
    """A transposed convolution over three axes: see `functional.conv_transpose3d`.

    Parameters
    ----------
    in_channels, out_channels : int
        How many channels come in and go out; at least 1.
    kernel_size : int or tuple of int
        How many elements the window has.
    stride, padding : int or tuple of int
        Those of the convolution that it is the transpose of.
    output_padding : int or tuple of int
        How much longer the output is.
    groups : int
        Into how many groups the channels fall; each output sees those of its group alone.
    bias : bool
        Whether there is a bias.
    dilation : int or tuple of int
        That of the convolution.
    padding_mode : {"zeros"}
        There is no other.
    dtype, device, generator
        As for `Conv3d`.

    Attributes
    ----------
    weight : Parameter
        Of shape ``(in_channels, out_channels / groups, *kernel)``, first drawn from
        U(-a, a), a = 1 / sqrt(out_channels / groups * elements of the window).
    bias : Parameter or None
        Of shape (out_channels,), first drawn from the same.

    Raises
    ------
    ValueError
        If a setting is none, or what comes in has other channels.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.ConvTranspose3d(6, 3, 2, stride=2)
    >>> layer(ag.zeros((4, 6, 4, 4, 4), dtype=ag.float32)).shape
    (4, 3, 8, 8, 8)
    >>> layer
    ConvTranspose3d(6, 3, kernel_size=(2, 2, 2), stride=(2, 2, 2))
    """

    _axes = 3
