"""Layers that pool, and that change the size of what they are given."""

from collections.abc import Sequence
from typing import Any, ClassVar

from agrad.nn.functional.pooling import (
    Ints,
    Mode,
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    interpolate,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from agrad.nn.functional.settings import check_number
from agrad.nn.functional.windows import to_ints
from agrad.nn.module import Module
from agrad.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Upsample",
]

_MAX: dict[int, Any] = {1: max_pool1d, 2: max_pool2d, 3: max_pool3d}
_AVG: dict[int, Any] = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}
_ADAPTIVE_AVG: dict[int, Any] = {
    1: adaptive_avg_pool1d,
    2: adaptive_avg_pool2d,
    3: adaptive_avg_pool3d,
}
_ADAPTIVE_MAX: dict[int, Any] = {
    1: adaptive_max_pool1d,
    2: adaptive_max_pool2d,
    3: adaptive_max_pool3d,
}
_LP: dict[int, Any] = {1: lp_pool1d, 2: lp_pool2d, 3: lp_pool3d}
_UNPOOL: dict[int, Any] = {1: max_unpool1d, 2: max_unpool2d, 3: max_unpool3d}


class _MaxPool(Module):
    """What max pooling has in common over any number of axes."""

    _axes: ClassVar[int]

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        dilation: Ints = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        """Return the greatest elements of the windows.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, channels, *size)`` or ``(channels, *size)``.

        Returns
        -------
        Tensor
            Of shape ``(batch, channels, *new size)``, or without the batch. With `return_indices`,
            also which elements they are.
        """
        function = _MAX[self._axes]
        return function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class _AvgPool(Module):
    """What average pooling has in common over any number of axes."""

    _axes: ClassVar[int]

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Return the means of the windows.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, channels, *size)`` or ``(channels, *size)``.

        Returns
        -------
        Tensor
            Of shape ``(batch, channels, *new size)``, or without the batch.
        """
        function = _AVG[self._axes]
        divisor = () if self.divisor_override is None else (self.divisor_override,)
        out: Tensor = function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            *divisor,
        )
        return out

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AdaptiveAvgPool(Module):
    """What adaptive average pooling has in common over any number of axes."""

    _axes: ClassVar[int]

    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the means of the bins.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, channels, *size)`` or ``(channels, *size)``.

        Returns
        -------
        Tensor
            Of shape ``(batch, channels, *output_size)``, or without the batch.
        """
        function = _ADAPTIVE_AVG[self._axes]
        out: Tensor = function(input, self.output_size)
        return out

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(Module):
    """What adaptive max pooling has in common over any number of axes."""

    _axes: ClassVar[int]

    def __init__(
        self, output_size: int | tuple[int | None, ...] | None, return_indices: bool = False
    ) -> None:
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """Return the greatest elements of the bins.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, channels, *size)`` or ``(channels, *size)``.

        Returns
        -------
        Tensor
            Of shape ``(batch, channels, *output_size)``, or without the batch. With
            `return_indices`, also which elements they are.
        """
        return _ADAPTIVE_MAX[self._axes](input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _LPPool(Module):
    """What pooling by a norm has in common over any number of axes."""

    _axes: ClassVar[int]

    def __init__(
        self,
        norm_type: float,
        kernel_size: Ints,
        stride: Ints | None = None,
        ceil_mode: bool = False,
    ) -> None:
        check_number(type(self).__name__, "norm_type", norm_type)
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms of the windows.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, channels, *size)`` or ``(channels, *size)``.

        Returns
        -------
        Tensor
            Of shape ``(batch, channels, *new size)``, or without the batch.
        """
        function = _LP[self._axes]
        out: Tensor = function(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)
        return out

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class _MaxUnpool(Module):
    """What taking back max pooling has in common over any number of axes."""

    _axes: ClassVar[int]

    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0) -> None:
        name, n = type(self).__name__, self._axes
        self.kernel_size = to_ints(name, "kernel_size", kernel_size, n)
        self.stride = self.kernel_size if stride is None else to_ints(name, "stride", stride, n)
        self.padding = to_ints(name, "padding", padding, n, 0)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """Return the elements where they were, and zeros elsewhere.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, channels, *size)`` or ``(channels, *size)``.
        indices : Tensor
            Of integers, of the same shape: where they were.
        output_size : sequence of int, optional
            How long the axes become, where several lengths lead to the same one by a stride.

        Returns
        -------
        Tensor
            Of shape ``(batch, channels, *new size)``, or without the batch.
        """
        function = _UNPOOL[self._axes]
        out: Tensor = function(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )
        return out

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool1d(_MaxPool):
    """The greatest element of each window over one axis: see `functional.max_pool1d`.

    Parameters
    ----------
    kernel_size : int
        How many elements the window has.
    stride : int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int
        How many elements that are never the greatest stand on both sides.
    dilation : int
        How far it is from one element of the window to the next.
    return_indices : bool
        Return also where the greatest elements are.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.MaxPool1d(2)
    >>> layer(ag.zeros((4, 3, 8))).shape
    (4, 3, 4)
    >>> layer
    MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    _axes = 1


class MaxPool2d(_MaxPool):
    """The greatest element of each window over two axes: see `functional.max_pool2d`.

    Parameters
    ----------
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int or tuple of int
        How many elements that are never the greatest stand on both sides.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    return_indices : bool
        Return also where the greatest elements are.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.MaxPool2d(2)
    >>> layer(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 4, 4)
    >>> layer
    MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    _axes = 2


class MaxPool3d(_MaxPool):
    """The greatest element of each window over three axes: see `functional.max_pool3d`.

    Parameters
    ----------
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int or tuple of int
        How many elements that are never the greatest stand on both sides.
    dilation : int or tuple of int
        How far it is from one element of the window to the next.
    return_indices : bool
        Return also where the greatest elements are.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.MaxPool3d(2)
    >>> layer(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 4, 4, 4)
    >>> layer
    MaxPool3d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
    """

    _axes = 3


class AvgPool1d(_AvgPool):
    """The mean of each window over one axis: see `functional.avg_pool1d`.

    Parameters
    ----------
    kernel_size : int
        How many elements the window has.
    stride : int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int
        How many zeros stand on both sides.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    count_include_pad : bool
        Whether the zeros count as elements.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.AvgPool1d(2)
    >>> layer(ag.zeros((4, 3, 8))).shape
    (4, 3, 4)
    >>> layer
    AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))
    """

    _axes = 1

    def __init__(
        self,
        kernel_size: Ints,
        stride: Ints | None = None,
        padding: Ints = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        size = to_ints("AvgPool1d", "kernel_size", kernel_size, 1)
        super().__init__(
            size,
            size if stride is None else to_ints("AvgPool1d", "stride", stride, 1),
            to_ints("AvgPool1d", "padding", padding, 1, 0),
            ceil_mode,
            count_include_pad,
        )


class AvgPool2d(_AvgPool):
    """The mean of each window over two axes: see `functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int or tuple of int
        How many zeros stand on both sides.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    count_include_pad : bool
        Whether the zeros count as elements.
    divisor_override : int, optional
        What to divide each sum by instead.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.AvgPool2d(2)
    >>> layer(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 4, 4)
    >>> layer
    AvgPool2d(kernel_size=2, stride=2, padding=0)
    """

    _axes = 2


class AvgPool3d(_AvgPool):
    """The mean of each window over three axes: see `functional.avg_pool3d`.

    Parameters
    ----------
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    padding : int or tuple of int
        How many zeros stand on both sides.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.
    count_include_pad : bool
        Whether the zeros count as elements.
    divisor_override : int, optional
        What to divide each sum by instead.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.AvgPool3d(2)
    >>> layer(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 4, 4, 4)
    >>> layer
    AvgPool3d(kernel_size=2, stride=2, padding=0)
    """

    _axes = 3


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means over as many bins as the output is to have: see `functional.adaptive_avg_pool1d`.

    Parameters
    ----------
    output_size : int or None
        How many bins there are along each axis; None for as many as elements.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.AdaptiveAvgPool1d(3)
    >>> layer(ag.zeros((4, 3, 8))).shape
    (4, 3, 3)
    >>> layer
    AdaptiveAvgPool1d(output_size=3)
    """

    _axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means over as many bins as the output is to have: see `functional.adaptive_avg_pool2d`.

    Parameters
    ----------
    output_size : int, None or tuple of these
        How many bins there are along each axis; None for as many as elements.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.AdaptiveAvgPool2d(3)
    >>> layer(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 3, 3)
    >>> layer
    AdaptiveAvgPool2d(output_size=3)
    """

    _axes = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means over as many bins as the output is to have: see `functional.adaptive_avg_pool3d`.

    Parameters
    ----------
    output_size : int, None or tuple of these
        How many bins there are along each axis; None for as many as elements.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.AdaptiveAvgPool3d(3)
    >>> layer(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 3, 3, 3)
    >>> layer
    AdaptiveAvgPool3d(output_size=3)
    """

    _axes = 3


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The greatest elements of bins over one axis: see `functional.adaptive_max_pool1d`.

    Parameters
    ----------
    output_size : int, None
        How many bins there are along each axis; None for as many as elements.
    return_indices : bool
        Return also where the greatest elements are.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.AdaptiveMaxPool1d(3)(ag.zeros((4, 3, 8))).shape
    (4, 3, 3)
    """

    _axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The greatest elements of bins over two axes: see `functional.adaptive_max_pool2d`.

    Parameters
    ----------
    output_size : int, None or tuple of these
        How many bins there are along each axis; None for as many as elements.
    return_indices : bool
        Return also where the greatest elements are.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.AdaptiveMaxPool2d(3)(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 3, 3)
    """

    _axes = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The greatest elements of bins over three axes: see `functional.adaptive_max_pool3d`.

    Parameters
    ----------
    output_size : int, None or tuple of these
        How many bins there are along each axis; None for as many as elements.
    return_indices : bool
        Return also where the greatest elements are.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.AdaptiveMaxPool3d(3)(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 3, 3, 3)
    """

    _axes = 3


class LPPool1d(_LPPool):
    """The norm of each window over one axis: see `functional.lp_pool1d`.

    Parameters
    ----------
    norm_type : float
        p, of (Σ xᵖ)^(1/p).
    kernel_size : int
        How many elements the window has.
    stride : int, optional
        How far it is from one place to the next; by default `kernel_size`.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.LPPool1d(2, 4)(ag.ones((4, 3, 8))).shape
    (4, 3, 2)
    """

    _axes = 1


class LPPool2d(_LPPool):
    """The norm of each window over two axes: see `functional.lp_pool2d`.

    Parameters
    ----------
    norm_type : float
        p, of (Σ xᵖ)^(1/p).
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.LPPool2d(2, 4)(ag.ones((4, 3, 8, 8))).shape
    (4, 3, 2, 2)
    """

    _axes = 2


class LPPool3d(_LPPool):
    """The norm of each window over three axes: see `functional.lp_pool3d`.

    Parameters
    ----------
    norm_type : float
        p, of (Σ xᵖ)^(1/p).
    kernel_size : int or tuple of int
        How many elements the window has.
    stride : int or tuple of int, optional
        How far it is from one place to the next; by default `kernel_size`.
    ceil_mode : bool
        Let the last window reach over the end, rather than leave elements out.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.LPPool3d(2, 4)(ag.ones((4, 3, 8, 8, 8))).shape
    (4, 3, 2, 2, 2)
    """

    _axes = 3


class MaxUnpool1d(_MaxUnpool):
    """What max pooling gave, where it was before, over one axis: see `functional.max_unpool1d`.

    Parameters
    ----------
    kernel_size, stride, padding : int
        Those of the pooling.

    Examples
    --------
    >>> import agrad as ag
    >>> y, places = ag.nn.MaxPool1d(2, return_indices=True)(ag.ones((4, 3, 8)))
    >>> ag.nn.MaxUnpool1d(2)(y, places).shape
    (4, 3, 8)
    """

    _axes = 1


class MaxUnpool2d(_MaxUnpool):
    """What max pooling gave, where it was before, over two axes: see `functional.max_unpool2d`.

    Parameters
    ----------
    kernel_size, stride, padding : int or tuple of int
        Those of the pooling.

    Examples
    --------
    >>> import agrad as ag
    >>> y, places = ag.nn.MaxPool2d(2, return_indices=True)(ag.ones((4, 3, 8, 8)))
    >>> ag.nn.MaxUnpool2d(2)(y, places).shape
    (4, 3, 8, 8)
    """

    _axes = 2


class MaxUnpool3d(_MaxUnpool):
    """What max pooling gave, where it was before, over three axes: see `functional.max_unpool3d`.

    Parameters
    ----------
    kernel_size, stride, padding : int or tuple of int
        Those of the pooling.

    Examples
    --------
    >>> import agrad as ag
    >>> y, places = ag.nn.MaxPool3d(2, return_indices=True)(ag.ones((4, 3, 8, 8, 8)))
    >>> ag.nn.MaxUnpool3d(2)(y, places).shape
    (4, 3, 8, 8, 8)
    """

    _axes = 3


class Upsample(Module):
    """The input in another size: see `functional.interpolate`.

    Parameters
    ----------
    size : int or tuple of int, optional
        How long the spatial axes are to become.
    scale_factor : float or tuple of float, optional
        By how much longer. Either this or `size` is given.
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "trilinear"}
        Whether to take the nearest elements, or to go linearly from one to the next.
    align_corners : bool, optional
        For the linear modes: the middles of the first and the last elements stay where they are,
        rather than their outer edges.
    recompute_scale_factor : bool, optional
        Find the places by how long the axes have become, rather than by `scale_factor` itself.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.Upsample(scale_factor=2)
    >>> layer(ag.Tensor([[[1.0, 3.0]]])).tolist()
    [[[1.0, 1.0, 3.0, 3.0]]]
    >>> layer
    Upsample(scale_factor=2, mode='nearest')
    """

    def __init__(
        self,
        size: Ints | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: Mode = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        self.size = size
        self.scale_factor = scale_factor
        self.mode: Mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Return the input in another size.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, channels, *size)``.

        Returns
        -------
        Tensor
            Of shape ``(batch, channels, *new size)``.
        """
        return interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor}, mode={self.mode!r}"
        return f"size={self.size}, mode={self.mode!r}"
