"""Searching: where things are."""

from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, record
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor


_ARGMAX = Primitive("argmax", x=None)


def argmax(x: TensorLike, /, *, axis: int | None = None, keepdims: bool = False) -> "Tensor":
    """Return the index of the greatest element along an axis, or in the flattened array."""
    return record(_ARGMAX, (x,), axis=axis, keepdims=keepdims)


_ARGMIN = Primitive("argmin", x=None)


def argmin(x: TensorLike, /, *, axis: int | None = None, keepdims: bool = False) -> "Tensor":
    """Return the index of the smallest element along an axis, or in the flattened array."""
    return record(_ARGMIN, (x,), axis=axis, keepdims=keepdims)


_COUNT_NONZERO = Primitive("count_nonzero", x=None)


def count_nonzero(
    x: TensorLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> "Tensor":
    """Return how many elements are not zero."""
    return record(_COUNT_NONZERO, (x,), axis=axis, keepdims=keepdims)


def _keep_where(xp: Any, g: Any, condition: Any) -> Any:
    return xp.where(condition, g, xp.zeros_like(g))


def _keep_where_not(xp: Any, g: Any, condition: Any) -> Any:
    return xp.where(condition, xp.zeros_like(g), g)


_WHERE = Primitive("where", condition=None, x1=_keep_where, x2=_keep_where_not)


def where(condition: TensorLike, x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return x1 where the condition holds, and x2 elsewhere.

    The branch not taken gets a gradient of exactly zero, whatever its value.
    """
    return record(_WHERE, (condition, x1, x2))
