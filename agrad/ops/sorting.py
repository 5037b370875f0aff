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
    """Return the indices that sort x along an axis."""
    return record(_ARGSORT, (x,), axis=axis, descending=descending, stable=stable)


def sort(
    x: TensorLike, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> "Tensor":
    """Return x sorted along an axis; each element's gradient goes back to where it came from."""
    x = asarray(x)
    order = argsort(x, axis=axis, descending=descending, stable=stable)
    return take_along_axis(x, order, axis=axis)
