"""Tests over a whole array; none requires a gradient."""

from typing import TYPE_CHECKING

from agrad.autograd import Primitive, record
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

_ALL = Primitive("all", x=None)


def all(
    x: TensorLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> "Tensor":
    """Return whether all elements are true (not zero) along axes, or in the whole array."""
    return record(_ALL, (x,), axis=axis, keepdims=keepdims)


_ANY = Primitive("any", x=None)


def any(
    x: TensorLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> "Tensor":
    """Return whether any element is true (not zero) along axes, or in the whole array."""
    return record(_ANY, (x,), axis=axis, keepdims=keepdims)
