"""Functions that networks are made of."""

import math
import operator
from contextlib import suppress
from typing import Any, Literal

from agrad.autograd import Primitive, lift, record
from agrad.ops import asarray, log_softmax, softmax, tanh
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = [
    "affine_transform",
    "cross_entropy",
    "log_softmax",
    "nll",
    "relu",
    "softmax",
    "tanh",
]

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


def _rows(xp: Any, x: Any) -> Any:
    """Return (..., n) as (rows, n)."""
    return x if x.ndim == 2 else xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _affine_W(xp: Any, g: Any, x: Any) -> Any:
    if x.ndim == 1:
        return xp.outer(g, x)
    return xp.matmul(xp.matrix_transpose(_rows(xp, g)), _rows(xp, x))


_AFFINE_TRANSFORM = Primitive(
    "affine_transform",
    lambda xp, x, W, b: xp.matmul(x, xp.matrix_transpose(W)) + b,
    fused=True,
    x=lambda xp, g, W: xp.matmul(g, W),
    W=_affine_W,
    b=lambda xp, g: g,
)


def affine_transform(x: TensorLike, W: TensorLike, b: TensorLike, /) -> Tensor:
    """Return W x + b for one vector, or for each of a batch, as one node of the graph.

    Parameters
    ----------
    x : Tensor
        Of shape (in,), (batch, in) or (..., in).
    W : Tensor
        Of shape (out, in).
    b : Tensor
        Of shape (out,).

    Returns
    -------
    Tensor
        Of shape (out,), (batch, out) or (..., out).

    Raises
    ------
    ValueError
        If the shapes don't fit.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import affine_transform
    >>> affine_transform(Tensor([1.0, 2.0]), Tensor([[1.0, 1.0], [0.0, 3.0]]), Tensor([0.5, 0.0]))
    Tensor([3.5, 6. ], dtype=float64)
    """
    if not (isinstance(x, Tensor) and isinstance(W, Tensor) and isinstance(b, Tensor)):
        x, W, b = asarray(x), asarray(W), asarray(b)
    inputs, weights, bias = x._data.shape, W._data.shape, b._data.shape
    if len(weights) != 2 or inputs[-1:] != weights[1:] or bias != weights[:1]:
        raise ValueError(
            "affine_transform needs x of shape (..., in), W of shape (out, in) and b of shape "
            f"(out,); got {x.shape}, {W.shape} and {b.shape}"
        )
    return record(_AFFINE_TRANSFORM, (x, W, b))


# The log-probability of a class is picked out by indexing, and its gradient put back by adding.
# `scale` is what the sum over a batch is multiplied by; None leaves each example its own loss.


def _nll(xp: Any, z: Any, key: Any, scale: float | None) -> Any:
    losses = -xp.getitem(xp.log_softmax(z), key)
    return losses if scale is None else xp.sum(losses) * scale


def _nll_z(xp: Any, g: Any, z: Any, key: Any, scale: float | None) -> Any:
    weight = g[..., None] if scale is None else g * scale
    ones = xp.ones_like(xp.getitem(z, key))
    return (xp.softmax(z) - xp.scatter_add(ones, key, z.shape)) * weight


_NLL = Primitive("nll", _nll, fused=True, z=_nll_z)


def nll(z: TensorLike, gold: TensorLike, /) -> Tensor:
    """Return the negative log-likelihood of the right class under softmax of the scores.

    That is log Σ exp(z) - z[gold], for one example; for a batch, the mean over its examples.

    Parameters
    ----------
    z : Tensor
        The raw scores, of shape (classes,) or (batch, classes).
    gold : int, Tensor or array of integers
        The right class, from 0 to classes - 1, or one for each example, of shape (batch,).

    Returns
    -------
    Tensor
        Of no dimensions, in nats.

    Raises
    ------
    ValueError
        If the shapes don't fit, or a class is out of range (not checked on a GPU, where looking
        at the classes would hold up the queue).

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import nll
    >>> round(nll(Tensor([0.0, 0.0]), 1).item(), 4)  # log 2
    0.6931
    """
    return cross_entropy(z, gold)


def cross_entropy(
    input: TensorLike,
    target: TensorLike,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
) -> Tensor:
    """Return the cross-entropy of softmax of the scores against the right classes.

    Parameters
    ----------
    input : Tensor
        The raw scores, of shape (classes,) or (batch, classes).
    target : int, Tensor or array of integers
        The right class, from 0 to classes - 1, or one for each example, of shape (batch,).
    reduction : {"mean", "sum", "none"}
        What becomes of a batch: its mean, its sum, or one loss for each example.

    Returns
    -------
    Tensor
        The loss, in nats: of no dimensions, or of shape (batch,) with reduction="none".

    Raises
    ------
    ValueError
        If the shapes don't fit, a class is out of range (not checked on a GPU, where looking at
        the classes would hold up the queue), or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import cross_entropy
    >>> scores = Tensor([[0.0, 0.0], [100.0, 0.0]])
    >>> cross_entropy(scores, Tensor([0, 1]), reduction="none").tolist()
    [0.6931471805599453, 100.0]
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}; got {reduction!r}")
    z = asarray(input)
    key = _class_key(z, target)
    scale = None
    if len(key) == 2 and reduction != "none":
        scale = 1.0 if reduction == "sum" else 1 / (z._data.shape[0] or math.nan)
    return record(_NLL, (z,), key=key, scale=scale)


_REDUCTIONS = ("mean", "sum", "none")


def _class_key(z: Tensor, gold: TensorLike) -> tuple[Any, ...]:
    """Return the index that picks the right class's score of each example, checked."""
    shape, backend = z._data.shape, z._backend
    if not isinstance(gold, Tensor):
        if type(gold) is not int:
            with suppress(TypeError):  # numpy.int64 and its like; not arrays of several
                gold = operator.index(gold)
        if type(gold) is int:
            _check_shapes(shape, ())
            _check_range(gold, gold, shape[-1])
            return (gold,)
        gold = asarray(gold, device=z.device if isinstance(gold, (list, tuple)) else None)
    lift(gold)
    if not gold.dtype.is_integer:
        raise ValueError(f"classes must be integers, got {gold.dtype!r}")
    if gold._backend is not backend:
        raise RuntimeError(
            f"cross_entropy: the scores are on {z.device!r} and the classes on "
            f"{gold.device!r}; move them with .to({z.device!r})"
        )
    raw = gold._data
    _check_shapes(shape, raw.shape)
    if backend.reads_values and len(shape) == 1:
        _, gold = backend.bounds(raw)
        _check_range(gold, gold, shape[-1])
        return (gold,)
    backend.check(_check_classes, raw, shape[-1])
    return (raw,) if len(shape) == 1 else (backend.call(_numbers_from_0, shape[0]), raw)


def _check_shapes(scores: Any, classes: Any) -> None:
    if not 1 <= len(scores) <= 2 or classes != scores[:-1]:
        raise ValueError(
            "cross_entropy needs scores of shape (classes,) with one class, or (batch, classes) "
            f"with classes of shape (batch,); got {tuple(scores)} and {tuple(classes)}"
        )


def _check_range(smallest: int, greatest: int, n: int) -> None:
    if smallest < 0 or greatest >= n:
        wrong = smallest if smallest < 0 else greatest
        raise ValueError(f"class {wrong} is out of range for scores of {n} classes")


def _check_classes(xp: Any, classes: Any, n: int) -> None:
    if not xp.are_below(classes, n):
        smallest, greatest = xp.bounds(classes)
        _check_range(smallest, greatest, n)


def _numbers_from_0(xp: Any, n: int) -> Any:
    return xp.arange(n)
