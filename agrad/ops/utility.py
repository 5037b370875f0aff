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
