"""Sorting."""

from typing import TYPE_CHECKING

from agrad.autograd import Primitive, record
from agrad.ops.creation import asarray
from agrad.ops.indexing import take_along_axis
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

_ARGSORT = Primitive("argsort", x=None)


def argsort(
    x: TensorLike, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> "Tensor":
    """Return the indices that sort x along an axis.

    Parameters
    ----------
    x : Tensor
        Numeric, of at least one dimension.
    axis : int
        The axis to sort along.
    descending : bool
        The greatest first, rather than the smallest.
    stable : bool
        Keep the order of equal elements.

    Returns
    -------
    Tensor
        Of integers, of the shape of `x`. It requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.argsort(ag.Tensor([3, 1, 2])).tolist()
    [1, 2, 0]
    """
    return record(_ARGSORT, (x,), axis=axis, descending=descending, stable=stable)


def sort(
    x: TensorLike, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> "Tensor":
    """Return x sorted along an axis; each element's gradient goes back to where it came from.

    Parameters
    ----------
    x : Tensor
        Numeric, of at least one dimension.
    axis : int
        The axis to sort along.
    descending : bool
        The greatest first, rather than the smallest.
    stable : bool
        Keep the order of equal elements.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.sort(ag.Tensor([3, 1, 2]), descending=True).tolist()
    [3, 2, 1]
    """
    x = asarray(x)
    order = argsort(x, axis=axis, descending=descending, stable=stable)
    return take_along_axis(x, order, axis=axis)
