"""Modules that change shapes, or bring elements to other places."""

from collections.abc import Sequence
from math import prod

from agrad.nn.functional.convolution import Ints, fold, unfold
from agrad.nn.functional.settings import check_size
from agrad.nn.functional.shuffles import channel_shuffle, pixel_shuffle, pixel_unshuffle
from agrad.nn.functional.windows import to_ints
from agrad.nn.module import Module
from agrad.ops import reshape
from agrad.tensor import Tensor

__all__ = [
    "ChannelShuffle",
    "Flatten",
    "Fold",
    "PixelShuffle",
    "PixelUnshuffle",
    "Unflatten",
    "Unfold",
]


class Flatten(Module):
    """Makes one dimension of several, such as of an image's channels, rows and columns.

    Parameters
    ----------
    start_dim, end_dim : int
        The first and the last of them. The first dimension of a batch stays, unless told otherwise.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Flatten()(ag.zeros((8, 3, 5, 5))).shape
    (8, 75)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Return x with those dimensions as one.

        Parameters
        ----------
        x : Tensor
            Of shape (batch, ...).

        Returns
        -------
        Tensor
            Of shape (batch, rest), as long as the dimensions are the usual ones.
        """
        shape, n = x.shape, x.ndim
        start, end = (d + n if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < n:
            raise ValueError(
                f"Flatten from dimension {self.start_dim} to {self.end_dim} doesn't fit x of shape "
                f"{tuple(shape)}"
            )
        return reshape(x, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Makes several dimensions of one.

    Parameters
    ----------
    dim : int
        Which one.
    unflattened_size : tuple of int
        The dimensions that take its place; one of them may be -1, for what is left.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Unflatten(1, (3, 5, 5))(ag.zeros((8, 75))).shape
    (8, 3, 5, 5)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with the dimension taken apart.

        Parameters
        ----------
        x : Tensor
            Whose dimension `dim` has as many elements as the new ones have together.

        Returns
        -------
        Tensor
            With the new dimensions in the place of the old one.
        """
        shape, n = x.shape, x.ndim
        dim = self.dim + n if self.dim < 0 else self.dim
        sizes = list(self.unflattened_size)
        if sizes.count(-1) == 1 and 0 <= dim < n:
            rest = -prod(sizes)
            sizes[sizes.index(-1)] = shape[dim] // rest if rest else 0
        if not 0 <= dim < n or prod(sizes) != shape[dim] or min(sizes, default=0) < 0:
            raise ValueError(
                f"Unflatten of dimension {self.dim} into {self.unflattened_size} doesn't fit x of "
                f"shape {tuple(shape)}"
            )
        return reshape(x, (*shape[:dim], *sizes, *shape[dim + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class PixelShuffle(Module):
    """Makes an image r times as high and wide of r² channels for each of its own.

    See `functional.pixel_shuffle`.

    Parameters
    ----------
    upscale_factor : int
        r.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.PixelShuffle(2)(ag.zeros((8, 12, 5, 6))).shape
    (8, 3, 10, 12)
    """

    def __init__(self, upscale_factor: int) -> None:
        check_size("PixelShuffle", "upscale_factor", upscale_factor)
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with its elements at other places.

        Parameters
        ----------
        input : Tensor
            Of shape (..., C r², H, W).

        Returns
        -------
        Tensor
            Of shape (..., C, H r, W r).
        """
        return pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Makes r² channels of each, and an image one r-th as high and wide.

    See `functional.pixel_unshuffle`.

    Parameters
    ----------
    downscale_factor : int
        r.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.PixelUnshuffle(2)(ag.zeros((8, 3, 10, 12))).shape
    (8, 12, 5, 6)
    """

    def __init__(self, downscale_factor: int) -> None:
        check_size("PixelUnshuffle", "downscale_factor", downscale_factor)
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with its elements at other places.

        Parameters
        ----------
        input : Tensor
            Of shape (..., C, H r, W r).

        Returns
        -------
        Tensor
            Of shape (..., C r², H, W).
        """
        return pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Mixes groups of channels: the first of each, then the second of each.

    See `functional.channel_shuffle`.

    Parameters
    ----------
    groups : int
        Into how many groups the channels fall; it divides their number.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ChannelShuffle(2)(ag.reshape(ag.arange(4), (1, 4, 1))).tolist()
    [[[0], [2], [1], [3]]]
    """

    def __init__(self, groups: int) -> None:
        check_size("ChannelShuffle", "groups", groups)
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with its elements at other places.

        Parameters
        ----------
        input : Tensor
            Of shape (N, C, ...).

        Returns
        -------
        Tensor
            Of shape (N, C, ...).
        """
        return channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class Unfold(Module):
    """What a window shows in each of its places, as columns: see `functional.unfold`.

    Parameters
    ----------
    kernel_size : int or tuple of int
        How many elements the window has.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    padding : int or tuple of int
        How many zeros stand on both sides.
    stride : int or tuple of int
        How far it is from one place of the window to the next.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Unfold((2, 3))(ag.zeros((4, 5, 3, 4))).shape
    (4, 30, 4)
    """

    def __init__(
        self, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
    ) -> None:
        _check_windows("Unfold", kernel_size, dilation, padding, stride)
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """Return the columns.

        Parameters
        ----------
        input : Tensor
            Of shape (batch, channels, height, width) or (channels, height, width).

        Returns
        -------
        Tensor
            Of shape (batch, channels * elements of a window, places), or without the batch.
        """
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return _windows(self)


class Fold(Module):
    """An array to which each window has added what its column holds: see `functional.fold`.

    Parameters
    ----------
    output_size : int or tuple of int
        The height and the width of the output.
    kernel_size, dilation, padding, stride : int or tuple of int
        As for `Unfold`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Fold((2, 3), 2)(ag.ones((4, 2))).tolist()
    [[[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]]
    """

    def __init__(
        self,
        output_size: Ints,
        kernel_size: Ints,
        dilation: Ints = 1,
        padding: Ints = 0,
        stride: Ints = 1,
    ) -> None:
        to_ints("Fold", "output_size", output_size, 2)
        _check_windows("Fold", kernel_size, dilation, padding, stride)
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """Return the array.

        Parameters
        ----------
        input : Tensor
            Of shape (batch, channels * elements of a window, places), or without the batch.

        Returns
        -------
        Tensor
            Of shape (batch, channels, height, width) or (channels, height, width).
        """
        return fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {_windows(self)}"


def _check_windows(
    who: str, kernel_size: Ints, dilation: Ints, padding: Ints, stride: Ints
) -> None:
    to_ints(who, "kernel_size", kernel_size, 2)
    to_ints(who, "dilation", dilation, 2)
    to_ints(who, "padding", padding, 2, 0)
    to_ints(who, "stride", stride, 2)


def _windows(layer: Fold | Unfold) -> str:
    return (
        f"kernel_size={layer.kernel_size}, dilation={layer.dilation}, padding={layer.padding}, "
        f"stride={layer.stride}"
    )
