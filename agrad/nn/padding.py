"""Layers that pad: more elements before the first and after the last, along the last axes."""

from numbers import Integral
from typing import Any, ClassVar

from agrad.nn.functional.padding import Mode, pad, pairs
from agrad.nn.functional.settings import check_number
from agrad.nn.module import Module
from agrad.tensor import Tensor

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Padding(Module):
    """What all of these layers have in common: how many elements are added, and what they are."""

    _axes: ClassVar[int]
    _mode: ClassVar[Mode]

    def __init__(self, padding: int | tuple[int, ...]) -> None:
        name, count = type(self).__name__, 2 * self._axes
        each = (padding,) * count if isinstance(padding, Integral) else padding
        if len(pairs(name, "padding", each)) != self._axes:
            raise ValueError(
                f"{name}: padding must be an integer, or {count} of them; got {padding!r}"
            )
        self.padding: tuple[int, ...] = tuple(each)  # type: ignore[arg-type]

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with more elements along its last axes.

        Parameters
        ----------
        input : Tensor
            Of shape ``(batch, channels, *size)`` or ``(channels, *size)``.

        Returns
        -------
        Tensor
            Of shape ``(batch, channels, *new size)``, or without the batch.
        """
        return pad(input, self.padding, self._mode, self._value())

    def _value(self) -> Any:
        return None

    def extra_repr(self) -> str:
        return str(self.padding)


class _ConstantPad(_Padding):
    """What padding with a constant has in common over any number of axes."""

    _mode = "constant"

    def __init__(self, padding: int | tuple[int, ...], value: float) -> None:
        super().__init__(padding)
        check_number(type(self).__name__, "value", value)
        self.value = value

    def _value(self) -> Any:
        return self.value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad1d(_Padding):
    """Zeros before and after one axis: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ZeroPad1d((1, 2))(ag.zeros((4, 3, 8))).shape
    (4, 3, 11)
    """

    _axes = 1
    _mode = "constant"


class ZeroPad2d(_Padding):
    """Zeros before and after two axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ZeroPad2d((1, 2, 1, 2))(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 11, 11)
    """

    _axes = 2
    _mode = "constant"


class ZeroPad3d(_Padding):
    """Zeros before and after three axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom, front, back).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ZeroPad3d((1, 2, 1, 2, 1, 2))(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 11, 11, 11)
    """

    _axes = 3
    _mode = "constant"


class ConstantPad1d(_ConstantPad):
    """A constant before and after one axis: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right).
        Where a number is negative, as many are taken away.
    value : float
        The constant.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ConstantPad1d((1, 2), 1.5)(ag.zeros((4, 3, 8))).shape
    (4, 3, 11)
    """

    _axes = 1


class ConstantPad2d(_ConstantPad):
    """A constant before and after two axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom).
        Where a number is negative, as many are taken away.
    value : float
        The constant.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ConstantPad2d((1, 2, 1, 2), 1.5)(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 11, 11)
    """

    _axes = 2


class ConstantPad3d(_ConstantPad):
    """A constant before and after three axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom, front, back).
        Where a number is negative, as many are taken away.
    value : float
        The constant.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ConstantPad3d((1, 2, 1, 2, 1, 2), 1.5)(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 11, 11, 11)
    """

    _axes = 3


class ReflectionPad1d(_Padding):
    """The input mirrored at its first and last elements, along one axis: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReflectionPad1d((1, 2))(ag.zeros((4, 3, 8))).shape
    (4, 3, 11)
    """

    _axes = 1
    _mode = "reflect"


class ReflectionPad2d(_Padding):
    """The input mirrored at its first and last elements, along two axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReflectionPad2d((1, 2, 1, 2))(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 11, 11)
    """

    _axes = 2
    _mode = "reflect"


class ReflectionPad3d(_Padding):
    """The input mirrored at its first and last elements, along three axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom, front, back).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReflectionPad3d((1, 2, 1, 2, 1, 2))(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 11, 11, 11)
    """

    _axes = 3
    _mode = "reflect"


class ReplicationPad1d(_Padding):
    """The first and last elements again and again, along one axis: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReplicationPad1d((1, 2))(ag.zeros((4, 3, 8))).shape
    (4, 3, 11)
    """

    _axes = 1
    _mode = "replicate"


class ReplicationPad2d(_Padding):
    """The first and last elements again and again, along two axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReplicationPad2d((1, 2, 1, 2))(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 11, 11)
    """

    _axes = 2
    _mode = "replicate"


class ReplicationPad3d(_Padding):
    """The first and last elements again and again, along three axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom, front, back).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReplicationPad3d((1, 2, 1, 2, 1, 2))(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 11, 11, 11)
    """

    _axes = 3
    _mode = "replicate"


class CircularPad1d(_Padding):
    """The elements of the other end before and after one axis: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.CircularPad1d((1, 2))(ag.zeros((4, 3, 8))).shape
    (4, 3, 11)
    """

    _axes = 1
    _mode = "circular"


class CircularPad2d(_Padding):
    """The elements of the other end before and after two axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.CircularPad2d((1, 2, 1, 2))(ag.zeros((4, 3, 8, 8))).shape
    (4, 3, 11, 11)
    """

    _axes = 2
    _mode = "circular"


class CircularPad3d(_Padding):
    """The elements of the other end before and after three axes: see `functional.pad`.

    Parameters
    ----------
    padding : int or tuple of int
        How many elements: as many everywhere, or (left, right, top, bottom, front, back).
        Where a number is negative, as many are taken away.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.CircularPad3d((1, 2, 1, 2, 1, 2))(ag.zeros((4, 3, 8, 8, 8))).shape
    (4, 3, 11, 11, 11)
    """

    _axes = 3
    _mode = "circular"
