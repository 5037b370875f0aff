"""Padding: more elements before the first and after the last, along the last axes of an array."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal

from agrad import ops
from agrad.ops import asarray, getitem, take
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["extend", "pad", "pairs"]

Mode = Literal["constant", "reflect", "replicate", "circular"]
_MODES = ("constant", "reflect", "replicate", "circular")


def pad(
    input: TensorLike, pad: Sequence[int], mode: Mode = "constant", value: float | None = None
) -> Tensor:
    """Return an array with more elements before and after its own, along its last axes.

    Parameters
    ----------
    input : Tensor
        Of any shape for constants. Otherwise it has one axis, or two, before those that become
        longer: (channels, ...) or (batch, channels, ...).
    pad : sequence of int
        How many elements are added before and after along the last axis, then along the one before
        it, and so on: (left, right, top, bottom, front, back). Where a number is negative, as many
        are taken away.
    mode : {"constant", "reflect", "replicate", "circular"}
        What is added: a constant, the input mirrored at its first and last elements, these elements
        again and again, or those of the other end.
    value : float, optional
        The constant; 0 if not given.

    Returns
    -------
    Tensor
        Of the data type of `input`, each of the axes longer by its two numbers.

    Raises
    ------
    TypeError
        If `pad` is made of other than integers.
    ValueError
        If `pad` doesn't fit the axes, there is no such mode, or more is to be added than the input
        can give: "reflect" needs one element more than it adds, "circular" as many.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import pad
    >>> x = Tensor([[1.0, 2.0, 3.0]])
    >>> pad(x, (1, 2)).tolist()
    [[0.0, 1.0, 2.0, 3.0, 0.0, 0.0]]
    >>> pad(x, (1, 2), mode="reflect").tolist()
    [[2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    >>> pad(x, (0, -1, 1, 0)).tolist()  # of two axes, the last one first
    [[0.0, 0.0], [1.0, 2.0]]
    """
    x = asarray(input)
    if mode not in _MODES:
        raise ValueError(f"pad: mode must be one of {', '.join(_MODES)}; got {mode!r}")
    margins = pairs("pad", "pad", pad)
    n = len(margins)
    if mode == "constant":
        if n > x.ndim:
            raise ValueError(f"pad: {tuple(pad)} is for {n} axes, got an input of shape {x.shape}")
        return _constant(x, margins, 0 if value is None else value)
    if value is not None:
        raise ValueError(f"pad: value is for mode='constant', not for {mode!r}")
    if not 1 <= n <= 3 or x.ndim not in (n + 1, n + 2):
        raise ValueError(
            f"pad: mode={mode!r} is for one to three axes of an input that has one or two more "
            f"before them; got pad={tuple(pad)} and an input of shape {x.shape}"
        )
    for axis, (low, high) in enumerate(margins, -n):
        x = extend("pad", x, axis, low, high, mode)
    return x


def pairs(who: str, name: str, padding: Any) -> list[tuple[int, int]]:
    """Return padding as pairs for the axes that it is for, in their order: the last one last."""
    if not isinstance(padding, (list, tuple)) or len(padding) % 2:
        raise ValueError(f"{who}: {name} must be two integers for each axis, got {padding!r}")
    for each in padding:
        if not isinstance(each, Integral) or isinstance(each, bool):
            raise TypeError(f"{who}: {name} must be made of integers, got {each!r}")
    numbers = [int(each) for each in padding]
    return list(zip(numbers[::2], numbers[1::2], strict=True))[::-1]


def _constant(x: Tensor, margins: list[tuple[int, int]], value: float) -> Tensor:
    first = x.ndim - len(margins)
    _check_lengths("pad", x, margins)
    if any(low < 0 or high < 0 for low, high in margins):
        kept = [slice(max(-low, 0), n - max(-high, 0)) for n, low, high in _ends(x, margins)]
        x = getitem(x, (..., *kept))
    widths = {axis: (max(low, 0), max(high, 0)) for axis, (low, high) in enumerate(margins, first)}
    return ops.pad(x, widths, constant_values=value)


def _ends(x: Tensor, margins: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return for each of the last axes its length, and what is added before and after."""
    lengths = x.shape[x.ndim - len(margins) :]
    return [(n, low, high) for n, (low, high) in zip(lengths, margins, strict=True)]


def _check_lengths(who: str, x: Tensor, margins: list[tuple[int, int]]) -> None:
    if any(n + min(low, 0) + min(high, 0) < 0 for n, low, high in _ends(x, margins)):
        raise ValueError(
            f"{who}: more is to be taken away than there is, of an input of shape {x.shape} with "
            f"{margins} for its last axes"
        )


def extend(who: str, x: Tensor, axis: int, low: int, high: int, mode: str) -> Tensor:
    """Return x with more of its own elements before and after it along an axis."""
    if not low and not high:
        return x
    n = x.shape[axis]
    places = _places(n, low, high, mode)
    if places is None:
        raise ValueError(
            f"{who}: by {mode!r}, {low} and {high} elements are too many to add to an axis of {n}, "
            f"in an input of shape {x.shape}"
        )
    return take(x, asarray(places, device=x.device), axis=axis)


def _places(n: int, low: int, high: int, mode: str) -> list[int] | None:
    """Return which of n elements stand at each place, from `low` places before the first one on.

    None if this is too much for so few elements.
    """
    first, last = max(-low, 0), n - max(-high, 0)  # what is left where elements are taken away
    count = last - first if mode == "circular" else n
    most = {"reflect": n - 1, "replicate": math.inf if n else 0, "circular": count}[mode]
    if max(low, high) > most or n + low + high < 1:
        return None
    places = range(-low, n + high)
    if mode == "reflect":
        return [n - 1 - abs(n - 1 - abs(i)) for i in places]
    if mode == "replicate":
        return [min(max(i, 0), n - 1) for i in places]
    return [first + (i - first) % count for i in places]
