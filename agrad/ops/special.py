"""What networks need beyond the standard: softmax and its logarithm."""

from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, record
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor


def _softmax_x(xp: Any, g: Any, out: Any, axis: int) -> Any:
    weighted = g * out
    return weighted - out * xp.sum(weighted, axis=axis, keepdims=True)


_SOFTMAX = Primitive("softmax", x=_softmax_x)


def softmax(x: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return exp(x) / sum(exp(x)) along an axis, without overflow.

    Parameters
    ----------
    x : Tensor
        Scores; floating-point. One that is -inf gets the probability 0.
    axis : int
        The axis along which the probabilities add up to 1.

    Returns
    -------
    Tensor
        Probabilities, of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.softmax(ag.Tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    return record(_SOFTMAX, (x,), axis=axis)


def _log_softmax_x(xp: Any, g: Any, out: Any, axis: int) -> Any:
    return g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True)


_LOG_SOFTMAX = Primitive("log_softmax", x=_log_softmax_x)


def log_softmax(x: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return log(softmax(x)) along an axis, exact also where softmax(x) is tiny.

    Parameters
    ----------
    x : Tensor
        Scores; floating-point. One that is -inf stays so.
    axis : int
        The axis along which the probabilities add up to 1.

    Returns
    -------
    Tensor
        Logarithms of probabilities, in nats, of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.log_softmax(ag.Tensor([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """
    return record(_LOG_SOFTMAX, (x,), axis=axis)
