"""Tests over a whole array, none of which requires a gradient, and differences along an axis."""

from typing import TYPE_CHECKING

from agrad.autograd import Primitive, record
from agrad.ops.creation import asarray
from agrad.ops.elementwise import subtract
from agrad.ops.indexing import getitem
from agrad.ops.manipulation import concat, normalize
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

_ALL = Primitive("all", x=None)


def all(
    x: TensorLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> "Tensor":
    """Return whether all elements are true (not zero), over axes or in the whole array.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    axis : int or tuple of int, optional
        The axes to look along; all of them by default.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Of bools; over no elements, True. It requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.all(ag.Tensor([[True, True], [True, False]]), axis=1).tolist()
    [True, False]
    """
    return record(_ALL, (x,), axis=axis, keepdims=keepdims)


_ANY = Primitive("any", x=None)


def any(
    x: TensorLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> "Tensor":
    """Return whether any element is true (not zero), over axes or in the whole array.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    axis : int or tuple of int, optional
        The axes to look along; all of them by default.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Of bools; over no elements, False. It requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.any(ag.Tensor([[True, True], [True, False]]), axis=1).tolist()
    [True, True]
    """
    return record(_ANY, (x,), axis=axis, keepdims=keepdims)


def diff(
    x: TensorLike,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: TensorLike | None = None,
    append: TensorLike | None = None,
) -> "Tensor":
    """Return the differences between each element and the one before it, along an axis.

    Parameters
    ----------
    x : Tensor
        Numeric, of at least one dimension.
    axis : int
        The axis.
    n : int
        How many times to take differences: of differences from the second on.
    prepend, append : Tensor, optional
        What to join on along the axis first, in front and behind; their shapes are that of `x` but
        for the axis.

    Returns
    -------
    Tensor
        Of the data type of `x`, and of its shape but for the axis: that is shorter by `n`, and
        longer by what is joined on.

    Raises
    ------
    IndexError
        If there is no such axis.
    ValueError
        If `n` is negative.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.diff(ag.Tensor([1, 4, 9, 16])).tolist(), ag.diff(ag.Tensor([1, 4, 9, 16]), n=2).tolist()
    ([3, 5, 7], [2, 2])
    """
    if n < 0:
        raise ValueError(f"differences can't be taken {n} times")
    result = asarray(x)
    (axis,) = normalize(axis, result.ndim)
    if prepend is not None or append is not None:
        parts = [part for part in (prepend, result, append) if part is not None]
        result = concat(parts, axis=axis)
    before = (slice(None),) * axis
    for _ in range(min(n, result.shape[axis])):  # of nothing there are no differences
        later = getitem(result, (*before, slice(1, None)))
        result = subtract(later, getitem(result, (*before, slice(None, -1))))
    return result
