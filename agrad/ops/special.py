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
    """Return exp(x) / sum(exp(x)) along an axis, without overflow."""
    return record(_SOFTMAX, (x,), axis=axis)


def _log_softmax_x(xp: Any, g: Any, out: Any, axis: int) -> Any:
    return g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True)


_LOG_SOFTMAX = Primitive("log_softmax", x=_log_softmax_x)


def log_softmax(x: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return log(softmax(x)) along an axis, exact also where softmax(x) is tiny."""
    return record(_LOG_SOFTMAX, (x,), axis=axis)
