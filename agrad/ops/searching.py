"""Searching: where things are."""

from typing import TYPE_CHECKING, Any, Literal

from agrad.autograd import Primitive, record, wrap
from agrad.backends import is_number
from agrad.ops.data_types import as_tensor, result_type, to_array
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


def nonzero(x: TensorLike, /) -> "tuple[Tensor, ...]":
    """Return the indices of the elements that are not zero.

    Parameters
    ----------
    x : Tensor
        Of at least one dimension, and any data type.

    Returns
    -------
    tuple of Tensor
        For each axis of `x` a vector of integers: the places along it, in the order in which the
        elements stand, the last axis running fastest. They require no gradient.

    Raises
    ------
    ValueError
        If `x` has no dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> rows, columns = ag.nonzero(ag.Tensor([[0, 5], [7, 0]]))
    >>> rows.tolist(), columns.tolist()
    ([0, 1], [1, 0])
    """
    x = as_tensor(x)
    if not x.ndim:
        raise ValueError("nonzero needs at least one dimension")
    backend = x._backend
    found = backend.call(lambda xp, array: xp.nonzero(array), x._data)
    return tuple(wrap(each, backend) for each in found)


def _searchsorted(xp: Any, x1: Any, x2: Any, sorter: Any = None, *, side: str) -> Any:
    x1 = x1 if sorter is None else xp.take(x1, sorter, axis=0)
    return xp.searchsorted(x1, x2, side=side)


_SEARCHSORTED = Primitive("searchsorted", _searchsorted, x1=None, x2=None, sorter=None)


def searchsorted(
    x1: TensorLike,
    x2: TensorLike,
    /,
    *,
    side: Literal["left", "right"] = "left",
    sorter: TensorLike | None = None,
) -> "Tensor":
    """Return where values would have to be put into a sorted vector to keep it sorted.

    Parameters
    ----------
    x1 : Tensor
        A vector of real numbers in rising order, or with a `sorter` in any order.
    x2 : Tensor or number
        The values, of any shape.
    side : "left" or "right"
        Whether to put a value before or behind the elements that are equal to it.
    sorter : Tensor, optional
        The indices that sort `x1`.

    Returns
    -------
    Tensor
        Of integers, of the shape of `x2`. It requires no gradient.

    Raises
    ------
    ValueError
        If there is no such side.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.searchsorted(ag.Tensor([1.0, 2.0, 2.0, 3.0]), ag.Tensor([0.0, 2.0])).tolist()
    [0, 1]
    >>> ag.searchsorted(ag.Tensor([3, 1, 2]), 2, side="right", sorter=ag.Tensor([1, 2, 0])).item()
    2
    """
    if side not in ("left", "right"):
        raise ValueError(f"side must be 'left' or 'right', got {side!r}")
    x1 = as_tensor(x1)
    if is_number(x2):
        x2 = wrap(*to_array(x2, result_type(x1, x2), x1.device, None))
    return record(_SEARCHSORTED, (x1, x2) if sorter is None else (x1, x2, sorter), side=side)


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
