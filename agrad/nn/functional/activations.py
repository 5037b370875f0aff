"""Activations: functions between the layers of a network."""

from agrad.autograd import Primitive, record
from agrad.ops import log_softmax, softmax, tanh
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["log_softmax", "relu", "softmax", "tanh"]

_RELU = Primitive(
    "relu",
    lambda xp, x: xp.maximum(x, 0),
    fused=True,
    x=lambda xp, g, out: xp.where(out > 0, g, xp.zeros_like(g)),
)


def relu(x: TensorLike, /) -> Tensor:
    """Return max(x, 0); the derivative at 0 is taken as 0.

    Parameters
    ----------
    x : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import relu
    >>> relu(Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return record(_RELU, (x,))
