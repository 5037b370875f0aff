"""Searching: where things are."""

from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, record
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor


_ARGMAX = Primitive("argmax", x=None)


def argmax(x: TensorLike, /, *, axis: int | None = None, keepdims: bool = False) -> "Tensor":
    """Return the index of the greatest element along an axis, or in the flattened array.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape with at least one element.
    axis : int, optional
        The axis to search along. By default the array is searched as if it were flat.
    keepdims : bool
        Keep the axis (or, without one, all axes), with length 1.

    Returns
    -------
    Tensor
        Of integers: the first index where several elements are equal. It requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.argmax(ag.Tensor([[1, 3, 3], [2, 0, 1]]), axis=1).tolist()
    [1, 0]
    """
    return record(_ARGMAX, (x,), axis=axis, keepdims=keepdims)


_ARGMIN = Primitive("argmin", x=None)


def argmin(x: TensorLike, /, *, axis: int | None = None, keepdims: bool = False) -> "Tensor":
    """Return the index of the smallest element along an axis, or in the flattened array.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape with at least one element.
    axis : int, optional
        The axis to search along. By default the array is searched as if it were flat.
    keepdims : bool
        Keep the axis (or, without one, all axes), with length 1.

    Returns
    -------
    Tensor
        Of integers: the first index where several elements are equal. It requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.argmin(ag.Tensor([[1, 3, 3], [2, 0, 1]]), axis=1).tolist()
    [0, 1]
    """
    return record(_ARGMIN, (x,), axis=axis, keepdims=keepdims)


_COUNT_NONZERO = Primitive("count_nonzero", x=None)


def count_nonzero(
    x: TensorLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> "Tensor":
    """Return how many elements are not zero, over axes or in the whole array.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    axis : int or tuple of int, optional
        The axes to count along; all of them by default.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Of integers; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.count_nonzero(ag.Tensor([[1, 0], [2, 3]]), axis=1).tolist()
    [1, 2]
    """
    return record(_COUNT_NONZERO, (x,), axis=axis, keepdims=keepdims)


def _keep_where(xp: Any, g: Any, condition: Any) -> Any:
    return xp.where(condition, g, xp.zeros_like(g))


def _keep_where_not(xp: Any, g: Any, condition: Any) -> Any:
    return xp.where(condition, xp.zeros_like(g), g)


_WHERE = Primitive("where", condition=None, x1=_keep_where, x2=_keep_where_not)


def where(condition: TensorLike, x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return x1 where the condition holds, and x2 elsewhere.

    The branch not taken gets a gradient of exactly zero, whatever its value.

    Parameters
    ----------
    condition : Tensor
        Of bools; no gradient reaches it.
    x1, x2 : Tensor
        Of any data type. The shapes of all three broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, and the data type that `x1` and `x2` promote to.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([-1.0, 4.0])
    >>> ag.where(x > 0, x, 0.0).tolist()
    [0.0, 4.0]
    """
    return record(_WHERE, (condition, x1, x2))
