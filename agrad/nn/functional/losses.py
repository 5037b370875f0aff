"""Losses: how far what a network gives is from what it should give."""

import math
import operator
from contextlib import suppress
from typing import Any, Literal

from agrad.autograd import Primitive, lift, record
from agrad.ops import asarray
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["cross_entropy", "nll"]

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
