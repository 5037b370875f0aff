"""Losses: how far what a network gives is from what it should give.

Each takes ``reduction``: "mean" and "sum" are those of all single losses, "none" leaves them.
"""

import math
import operator
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from agrad.autograd import Primitive, lift, record
from agrad.backends import is_number
from agrad.nn.functional.activations import logsigmoid, relu
from agrad.nn.functional.classes import (
    IGNORED,
    check_classes,
    check_range,
    numbers_from_0,
    one_hot,
)
from agrad.nn.functional.vectors import pairwise_distance
from agrad.ops import (
    abs,
    asarray,
    astype,
    clip,
    equal,
    exp,
    expand_dims,
    getitem,
    greater,
    iinfo,
    log,
    log_softmax,
    maximum,
    mean,
    minimum,
    negative,
    not_equal,
    ones_like,
    reshape,
    sqrt,
    square,
    squeeze,
    sum,
    take_along_axis,
    where,
)
from agrad.ops.casting import cast_up, casting
from agrad.ops.data_types import as_floating
from agrad.ops.special import xlogy
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "margin_ranking_loss",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_soft_margin_loss",
    "nll",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]

Reduction = Literal["mean", "sum", "none"]
_REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str) -> None:
    """Raise an error if there is no such reduction."""
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction must be one of {', '.join(_REDUCTIONS)}; got {reduction!r}")


def reduce(losses: Tensor, reduction: str) -> Tensor:
    """Return the mean of losses, their sum, or all of them."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    return mean(losses) if losses.size else sum(losses) * math.nan


def _like(x: Tensor, value: TensorLike) -> Tensor:
    """Return numbers as floating-point ones; lists and numbers go to the device of x."""
    if not isinstance(value, Tensor) and (is_number(value) or isinstance(value, (list, tuple))):
        return asarray(value, dtype=x.dtype, device=x.device)
    tensor = asarray(value)
    return tensor if tensor.dtype.is_floating else astype(tensor, x.dtype)


def _weights(x: Tensor, weight: TensorLike) -> Tensor:
    """Return weights of the data type of x, so that the loss has it too."""
    return astype(_like(x, weight), x.dtype, copy=False)


def _pair(name: str, input: TensorLike, target: TensorLike) -> tuple[Tensor, Tensor]:
    """Return two arguments of one shape; the second may be a number."""
    if casting.state:
        input = cast_up(input)
    x = as_floating(input)
    y = _like(x, target)
    if x.shape != y.shape and not is_number(target):
        raise ValueError(f"{name} needs input and target of one shape; got {x.shape} and {y.shape}")
    return x, y


# Right classes -----------------------------------------------------------------------------------

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

    Notes
    -----
    PyTorch's function of this kind, which takes logarithms of probabilities, is `nll_loss`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import nll
    >>> round(nll(Tensor([0.0, 0.0]), 1).item(), 4)  # log 2
    0.6931
    """
    if casting.state:
        z = cast_up(z)
    z = asarray(z)
    return _plain_cross_entropy(z, _class_key("nll", z, _classes("nll", z, gold)), "mean")


def _plain_cross_entropy(z: Tensor, key: tuple[Any, ...], reduction: str) -> Tensor:
    scale = None
    if len(key) == 2 and reduction != "none":
        scale = 1.0 if reduction == "sum" else 1 / (z._data.shape[0] or math.nan)
    return record(_NLL, (z,), key=key, scale=scale)


def cross_entropy(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    *,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross-entropy of softmax of the scores against the right classes.

    Parameters
    ----------
    input : Tensor
        The raw scores, of shape (classes,), (batch, classes) or (batch, classes, ...).
    target : int, Tensor or array
        The right class, from 0 to classes - 1, or one for each example, of shape (batch,) or
        (batch, ...). Or a probability for each class, of the shape of `input`.
    weight : Tensor, optional
        How much each class counts, of shape (classes,).
    ignore_index : int, optional
        Examples of this class count nothing. If not given it is -100; but on a GPU, and in a
        recorded step, classes aren't looked at, so it must be given where it may occur.
    reduction : {"mean", "sum", "none"}
        What becomes of a batch: its mean (weighted, if there are weights), its sum, or one loss for
        each example.
    label_smoothing : float
        How much of each target, from 0 to 1, is spread evenly over all classes.

    Returns
    -------
    Tensor
        The loss, in nats: of no dimensions, or one for each example with reduction="none".

    Raises
    ------
    ValueError
        If the shapes don't fit, a class is out of range (not checked on a GPU, where looking at
        the classes would hold up the queue), or a setting is none.

    References
    ----------
    C. Szegedy et al., "Rethinking the Inception architecture for computer vision", 2015, section 7
    (label smoothing).

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import cross_entropy
    >>> scores = Tensor([[0.0, 0.0], [100.0, 0.0]])
    >>> cross_entropy(scores, Tensor([0, 1]), reduction="none").tolist()
    [0.6931471805599453, 100.0]
    >>> cross_entropy(scores, [-100, 0]).item()
    0.0
    """
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must be in [0, 1], got {label_smoothing}")
    if casting.state:
        input = cast_up(input)
    z = asarray(input)
    gold = _classes("cross_entropy", z, target)
    if isinstance(gold, Tensor) and gold.dtype.is_floating and gold.shape == z.shape and z.ndim:
        return _soft_cross_entropy(z, gold, weight, reduction, label_smoothing)
    if weight is None and ignore_index is None and not label_smoothing and z.ndim <= 2:
        key = _class_key("cross_entropy", z, gold, may_ignore=True)
        if key is not None:
            return _plain_cross_entropy(z, key, reduction)
    log_p = log_softmax(z, axis=_class_axis("cross_entropy", z))
    return _class_losses(
        "cross_entropy", log_p, gold, weight, ignore_index, reduction, label_smoothing
    )


def nll_loss(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    *,
    ignore_index: int = IGNORED,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return minus the log-probabilities of the right classes.

    Parameters
    ----------
    input : Tensor
        Logarithms of probabilities, of shape (classes,), (batch, classes) or (batch, classes, ...).
    target : int, Tensor or array of integers
        The right class, from 0 to classes - 1, or one for each example, of shape (batch,) or
        (batch, ...).
    weight : Tensor, optional
        How much each class counts, of shape (classes,).
    ignore_index : int
        Examples of this class count nothing.
    reduction : {"mean", "sum", "none"}
        The mean is weighted, if there are weights.

    Returns
    -------
    Tensor
        The loss: of no dimensions, or one for each example with reduction="none".

    Raises
    ------
    ValueError
        If the shapes don't fit, or a class is out of range (not checked on a GPU).

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import nll_loss
    >>> nll_loss(Tensor([[-1.0, -2.0], [-3.0, -4.0]]), [0, 1]).item()
    2.5
    """
    check_reduction(reduction)
    if casting.state:
        input = cast_up(input)
    log_p = as_floating(input)
    gold = _classes("nll_loss", log_p, target)
    return _class_losses("nll_loss", log_p, gold, weight, ignore_index, reduction, 0.0)


def _classes(name: str, z: Tensor, gold: TensorLike) -> Tensor | int:
    """Return right classes as a Tensor on the scores' device; a single one as an int, if it is."""
    if isinstance(gold, Tensor):
        classes = gold
    else:
        if type(gold) is not int and is_number(gold):
            with suppress(TypeError):  # numpy.int64 and its like
                gold = operator.index(gold)
        if type(gold) is int:
            return gold
        classes = asarray(gold, device=z.device if isinstance(gold, (list, tuple)) else None)
    lift(classes)
    if classes._backend is not z._backend:
        raise RuntimeError(
            f"{name}: the scores are on {z.device!r} and the classes on "
            f"{classes.device!r}; move them with .to({z.device!r})"
        )
    return classes


def _class_key(name: str, z: Tensor, gold: Tensor | int, may_ignore: bool = False) -> Any:
    """Return the index that picks the right class's score of each example, checked.

    None if some classes stand for none, and may do so.
    """
    shape, backend = z._data.shape, z._backend
    if isinstance(gold, int):
        _check_shapes(name, shape, ())
        check_range(name, gold, gold, shape[-1])
        return (gold,)
    if not gold.dtype.is_integer:
        raise ValueError(f"{name}: classes must be integers, got {gold.dtype!r}")
    raw = gold._data
    _check_shapes(name, shape, raw.shape)
    if backend.reads_values and len(shape) == 1:
        _, greatest = backend.bounds(raw)
        check_range(name, greatest, greatest, shape[-1])
        return (greatest,)
    if may_ignore and backend.reads_values:
        if not backend.are_below(raw, shape[-1]):
            if bool(backend.call(_any_ignored, raw)):
                return None
            check_range(name, *backend.bounds(raw), shape[-1])
    else:
        backend.check(check_classes, name, raw, shape[-1])
    return (raw,) if len(shape) == 1 else (backend.call(numbers_from_0, shape[0]), raw)


def _check_shapes(name: str, scores: Any, classes: Any) -> None:
    if not 1 <= len(scores) <= 2 or classes != scores[:-1]:
        raise ValueError(
            f"{name} needs scores of shape (classes,) with one class, or (batch, classes) "
            f"with classes of shape (batch,); got {tuple(scores)} and {tuple(classes)}"
        )


def _any_ignored(xp: Any, classes: Any) -> Any:
    return xp.any(classes == IGNORED)


def _class_axis(name: str, z: Tensor) -> int:
    if not z.ndim:
        raise ValueError(f"{name} needs scores of shape (batch, classes, ...); got ()")
    return 1 if z.ndim > 1 else 0


def _class_weights(name: str, z: Tensor, weight: TensorLike, n: int) -> Tensor:
    weights = _weights(z, weight)
    if weights.shape != (n,):
        raise ValueError(f"{name} needs a weight for each of {n} classes; got {weights.shape}")
    return weights


def _class_losses(
    name: str,
    log_p: Tensor,
    gold: Tensor | int,
    weight: TensorLike | None,
    ignore_index: int | None,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """Return the losses for logarithms of probabilities, the classes along the second axis."""
    axis = _class_axis(name, log_p)
    n = log_p.shape[axis]
    if isinstance(gold, int):
        gold = asarray(gold, device=log_p.device)
    if not gold.dtype.is_integer:
        raise ValueError(f"{name}: classes must be integers, got {gold.dtype!r}")
    if gold.shape != log_p.shape[:axis] + log_p.shape[axis + 1 :]:
        raise ValueError(
            f"{name} needs scores of shape (classes,), (batch, classes) or (batch, classes, ...), "
            f"and as many classes; got {log_p.shape} and {gold.shape}"
        )
    ignored = IGNORED if ignore_index is None else ignore_index
    can_occur = iinfo(gold.dtype).min <= ignored <= iinfo(gold.dtype).max
    counts = not_equal(gold, ignored) if can_occur else None
    classes = gold if counts is None else where(counts, gold, 0)
    classes._backend.check(check_classes, name, classes._data, n)

    losses = -squeeze(take_along_axis(log_p, expand_dims(classes, axis=axis), axis=axis), axis=axis)
    shares = ones_like(losses)
    if weight is not None:
        weight = _class_weights(name, log_p, weight, n)
        shares = getitem(weight, (classes,))
        losses = losses * shares
    if smoothing:
        spread = log_p
        if weight is not None:
            spread = log_p * reshape(weight, (n,) + (1,) * (log_p.ndim - axis - 1))
        losses = losses * (1 - smoothing) - sum(spread, axis=axis) * (smoothing / n)
    if counts is not None:
        losses, shares = where(counts, losses, 0.0), where(counts, shares, 0.0)
    if reduction != "mean":
        return reduce(losses, reduction)
    total = sum(shares)
    return sum(losses) / where(equal(total, 0), math.nan, total)


def _soft_cross_entropy(
    z: Tensor, gold: Tensor, weight: TensorLike | None, reduction: str, smoothing: float
) -> Tensor:
    """Return the cross-entropy against probabilities of all classes."""
    axis = _class_axis("cross_entropy", z)
    n = z.shape[axis]
    if smoothing:
        gold = gold * (1 - smoothing) + smoothing / n
    if weight is not None:
        weight = _class_weights("cross_entropy", z, weight, n)
        gold = gold * reshape(weight, (n,) + (1,) * (z.ndim - axis - 1))
    return reduce(-sum(log_softmax(z, axis=axis) * gold, axis=axis), reduction)


# Numbers -----------------------------------------------------------------------------------------


def l1_loss(input: TensorLike, target: TensorLike, *, reduction: Reduction = "mean") -> Tensor:
    """Return the absolute errors, abs(x - y).

    Parameters
    ----------
    input, target : Tensor
        Of one shape; or the target is a number.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import l1_loss
    >>> l1_loss(Tensor([1.0, 2.0]), Tensor([1.0, 5.0])).item()
    1.5
    """
    check_reduction(reduction)
    x, y = _pair("l1_loss", input, target)
    return reduce(abs(x - y), reduction)


def mse_loss(
    input: TensorLike,
    target: TensorLike,
    *,
    reduction: Reduction = "mean",
    weight: TensorLike | None = None,
) -> Tensor:
    """Return the squared errors, (x - y)².

    Parameters
    ----------
    input, target : Tensor
        Of one shape; or the target is a number.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.
    weight : Tensor, optional
        How much each counts, of the same shape; the mean is over the sum of the weights.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import mse_loss
    >>> mse_loss(Tensor([1.0, 2.0]), Tensor([1.0, 4.0])).item()
    2.0
    """
    check_reduction(reduction)
    x, y = _pair("mse_loss", input, target)
    losses = square(x - y)
    if weight is None:
        return reduce(losses, reduction)
    _, weight = _pair("mse_loss with a weight", x, weight)
    if reduction == "mean":
        return sum(losses * weight) / sum(weight)
    return reduce(losses * weight, reduction)


def huber_loss(
    input: TensorLike,
    target: TensorLike,
    *,
    reduction: Reduction = "mean",
    delta: float = 1.0,
) -> Tensor:
    """Return half the squared errors up to `delta`, and from there on a straight line.

    Parameters
    ----------
    input, target : Tensor
        Of one shape; or the target is a number.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.
    delta : float
        The error from which on the loss grows evenly, by `delta` each; positive.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, `delta` isn't positive, or there is no such reduction.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", 1964.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import huber_loss
    >>> huber_loss(Tensor([1.0, 10.0]), 0.0, reduction="none").tolist()
    [0.5, 9.5]
    """
    check_reduction(reduction)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    x, y = _pair("huber_loss", input, target)
    error = abs(x - y)
    inner = minimum(error, delta)
    return reduce(inner * (error - 0.5 * inner), reduction)


def smooth_l1_loss(
    input: TensorLike,
    target: TensorLike,
    *,
    reduction: Reduction = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Return the absolute errors, rounded off near 0: `huber_loss` over its delta.

    Parameters
    ----------
    input, target : Tensor
        Of one shape; or the target is a number.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.
    beta : float
        Up to which error the loss is rounded off; 0 gives `l1_loss`.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, `beta` is negative, or there is no such reduction.

    References
    ----------
    R. Girshick, "Fast R-CNN", 2015, equation 3.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import smooth_l1_loss
    >>> smooth_l1_loss(Tensor([1.0, 10.0]), 0.0, beta=2.0, reduction="none").tolist()
    [0.25, 9.0]
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must be at least 0, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return huber_loss(input, target, reduction=reduction, delta=beta) / beta


def poisson_nll_loss(
    input: TensorLike,
    target: TensorLike,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return minus the log-probabilities of counts under Poisson distributions.

    Parameters
    ----------
    input : Tensor
        The expected counts, or their logarithms.
    target : Tensor
        The counts, of the same shape; or one number.
    log_input : bool
        Whether `input` is the logarithms.
    full : bool
        Whether to add Stirling's approximation of log(y!) where y > 1, which is a constant.
    eps : float
        What is added to expected counts, lest one is 0.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import poisson_nll_loss
    >>> poisson_nll_loss(Tensor([0.0]), Tensor([3.0])).item()  # exp(0) - 3 * 0
    1.0
    """
    check_reduction(reduction)
    x, y = _pair("poisson_nll_loss", input, target)
    losses = exp(x) - y * x if log_input else x - y * log(x + eps)
    if full:
        several = greater(y, 1)
        safe = where(several, y, 2.0)
        stirling = safe * log(safe) - safe + 0.5 * log(2 * math.pi * safe)
        losses = losses + where(several, stirling, 0.0)
    return reduce(losses, reduction)


def _check_variances(xp: Any, var: Any) -> None:
    if 0 not in var.shape and bool(xp.any(var < 0)):
        raise ValueError("gaussian_nll_loss: variances can't be negative")


def gaussian_nll_loss(
    input: TensorLike,
    target: TensorLike,
    var: TensorLike,
    full: bool = False,
    *,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return minus the log-densities of numbers under normal distributions.

    Parameters
    ----------
    input : Tensor
        The means.
    target : Tensor
        The numbers, of the same shape; or one number.
    var : Tensor or float
        The variances: of the same shape, or with a last axis of length 1 or none, for one variance
        along it.
    full : bool
        Whether to add the constant log(2π) / 2.
    eps : float
        The smallest variance; positive. Greater ones have the gradient, and so have smaller ones,
        as if they were `eps`.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes don't fit, a variance is negative (not checked on a GPU), `eps` isn't
        positive, or there is no such reduction.

    References
    ----------
    D. A. Nix and A. S. Weigend, "Estimating the mean and variance of the target probability
    distribution", 1994.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import gaussian_nll_loss
    >>> gaussian_nll_loss(Tensor([0.0]), Tensor([2.0]), Tensor([1.0])).item()
    2.0
    """
    check_reduction(reduction)
    if not eps > 0:
        raise ValueError(f"gaussian_nll_loss: eps must be positive, got {eps}")
    x, y = _pair("gaussian_nll_loss", input, target)
    variance = _like(x, var)
    if variance.ndim and variance.shape == x.shape[:-1]:
        variance = expand_dims(variance, axis=-1)
    if variance.shape not in ((), x.shape, (*x.shape[:-1], 1)):
        raise ValueError(
            "gaussian_nll_loss needs variances of the shape of input, or one along its last axis; "
            f"got {variance.shape} for {x.shape}"
        )
    variance._backend.check(_check_variances, variance._data)
    variance = variance + (maximum(variance, eps) - variance).detach()
    losses = 0.5 * (log(variance) + square(x - y) / variance)
    return reduce(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


# Probabilities -----------------------------------------------------------------------------------

_LEAST_LOG = -100.0


def _log(xp: Any, p: Any) -> Any:
    """Return the logarithms of probabilities, but at least -100."""
    positive = p > 0
    value = xp.maximum(xp.log(xp.where(positive, p, xp.ones_like(p))), _LEAST_LOG)
    return xp.where(positive, value, xp.full_like(p, _LEAST_LOG))


def _log_of_rest(xp: Any, p: Any) -> Any:
    """Return log(1 - p), but at least -100."""
    rest = p < 1
    value = xp.maximum(xp.log1p(-xp.where(rest, p, xp.zeros_like(p))), _LEAST_LOG)
    return xp.where(rest, value, xp.full_like(p, _LEAST_LOG))


def _bce_p(xp: Any, g: Any, p: Any, y: Any) -> Any:
    return g * (p - y) / xp.maximum((1 - p) * p, 1e-12)


_BCE = Primitive(
    "binary_cross_entropy",
    lambda xp, p, y: (y - 1) * _log_of_rest(xp, p) - y * _log(xp, p),
    p=_bce_p,
    y=lambda xp, g, p: g * (_log_of_rest(xp, p) - _log(xp, p)),
)


def _check_probabilities(xp: Any, p: Any) -> None:
    if 0 not in p.shape and bool(xp.any(xp.logical_or(p < 0, p > 1))):
        raise ValueError("binary_cross_entropy needs input between 0 and 1")


def binary_cross_entropy(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return -y log(p) - (1 - y) log(1 - p), where no logarithm is below -100.

    Parameters
    ----------
    input : Tensor
        The probabilities p, such as `sigmoid` gives.
    target : Tensor
        What they should be, y, of the same shape.
    weight : Tensor, optional
        How much each loss counts; it broadcasts against them.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    Tensor
        In nats: of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, what should be a probability is none (not checked on a GPU), or there
        is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import binary_cross_entropy
    >>> losses = binary_cross_entropy(Tensor([0.5, 0.0]), Tensor([1.0, 1.0]), reduction="none")
    >>> losses.tolist()
    [0.6931471805599453, 100.0]
    """
    check_reduction(reduction)
    p, y = _pair("binary_cross_entropy", input, target)
    p._backend.check(_check_probabilities, p._data)
    losses = record(_BCE, (p, y))
    return reduce(losses if weight is None else losses * _weights(p, weight), reduction)


def binary_cross_entropy_with_logits(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    *,
    reduction: Reduction = "mean",
    pos_weight: TensorLike | None = None,
) -> Tensor:
    """Return `binary_cross_entropy` of sigmoid of the scores, exact for scores of any size.

    Parameters
    ----------
    input : Tensor
        The raw scores x.
    target : Tensor
        What sigmoid(x) should be, of the same shape.
    weight : Tensor, optional
        How much each loss counts; it broadcasts against them.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.
    pos_weight : Tensor, optional
        How much the part with log(p) counts; it broadcasts against the losses.

    Returns
    -------
    Tensor
        In nats: of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import binary_cross_entropy_with_logits
    >>> scores, target = Tensor([0.0, -1000.0]), Tensor([1.0, 1.0])
    >>> binary_cross_entropy_with_logits(scores, target, reduction="none").tolist()
    [0.6931471805599453, 1000.0]
    """
    check_reduction(reduction)
    x, y = _pair("binary_cross_entropy_with_logits", input, target)
    log_p = logsigmoid(x)
    if pos_weight is not None:
        log_p = log_p * ((_weights(x, pos_weight) - 1) * y + 1)
    losses = (1 - y) * x - log_p
    return reduce(losses if weight is None else losses * _weights(x, weight), reduction)


def kl_div(
    input: TensorLike,
    target: TensorLike,
    *,
    reduction: Literal["mean", "sum", "none", "batchmean"] = "mean",
    log_target: bool = False,
) -> Tensor:
    """Return y (log y - log p), whose sum is the relative entropy of two distributions.

    Parameters
    ----------
    input : Tensor
        The logarithms of the probabilities p.
    target : Tensor
        The probabilities y, of the same shape.
    reduction : {"mean", "sum", "none", "batchmean"}
        What becomes of the single terms. "batchmean" is their sum over the length of the first
        axis: the mean of the relative entropies. "mean" divides by the number of classes too.
    log_target : bool
        Whether `target` is the logarithms of y.

    Returns
    -------
    Tensor
        In nats: of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor, log
    >>> from agrad.nn.functional import kl_div
    >>> p, y = Tensor([[0.5, 0.5]]), Tensor([[1.0, 0.0]])
    >>> kl_div(log(p), y, reduction="batchmean").item()
    0.6931471805599453
    """
    if reduction != "batchmean":
        check_reduction(reduction)
    x, y = _pair("kl_div", input, target)
    losses = exp(y) * (y - x) if log_target else xlogy(y, y) - y * x
    if reduction != "batchmean":
        return reduce(losses, reduction)
    if not x.ndim:
        raise ValueError("kl_div: there is no batch in a Tensor of no dimensions")
    return sum(losses) / (x.shape[0] or math.nan)


# Margins -----------------------------------------------------------------------------------------


def hinge_embedding_loss(
    input: TensorLike,
    target: TensorLike,
    margin: float = 1.0,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return x where y is 1, and max(0, margin - x) where it is -1.

    Parameters
    ----------
    input : Tensor
        Distances.
    target : Tensor
        1 or -1, for what should be near or far; of the same shape.
    margin : float
        How far is far enough.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import hinge_embedding_loss
    >>> hinge_embedding_loss(Tensor([0.25, 0.25]), Tensor([1, -1]), reduction="none").tolist()
    [0.25, 0.75]
    """
    check_reduction(reduction)
    x, y = _pair("hinge_embedding_loss", input, target)
    far, near = where(not_equal(y, 1), clip(margin - x, 0), 0.0), where(not_equal(y, -1), x, 0.0)
    return reduce(far + near, reduction)


def margin_ranking_loss(
    input1: TensorLike,
    input2: TensorLike,
    target: TensorLike,
    margin: float = 0.0,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return max(0, margin - y (x1 - x2)): 0 where the right one is greater by a margin.

    Parameters
    ----------
    input1, input2 : Tensor
        Scores, of one shape.
    target : Tensor
        1 where the first should be greater, -1 where the second should; of that shape, or a number.
    margin : float
        By how much.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of the inputs with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import margin_ranking_loss
    >>> margin_ranking_loss(Tensor([3.0]), Tensor([1.0]), Tensor([-1])).item()
    2.0
    """
    check_reduction(reduction)
    x1, x2 = _pair("margin_ranking_loss", input1, input2)
    x1, y = _pair("margin_ranking_loss", x1, target)
    return reduce(clip(margin - y * (x1 - x2), 0), reduction)


def soft_margin_loss(
    input: TensorLike, target: TensorLike, *, reduction: Reduction = "mean"
) -> Tensor:
    """Return log(1 + exp(-y x)), without overflow.

    Parameters
    ----------
    input : Tensor
        Scores x.
    target : Tensor
        Their right signs y, 1 or -1; of the same shape, or a number.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    Tensor
        Of no dimensions, or of the shape of `input` with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import soft_margin_loss
    >>> soft_margin_loss(Tensor([-1000.0]), Tensor([1])).item()
    1000.0
    """
    check_reduction(reduction)
    x, y = _pair("soft_margin_loss", input, target)
    return reduce(negative(logsigmoid(y * x)), reduction)


def multilabel_soft_margin_loss(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return `binary_cross_entropy_with_logits`, the mean over the classes, for each example.

    Parameters
    ----------
    input : Tensor
        Scores, of shape (..., classes).
    target : Tensor
        1 for each class that is right, else 0; of the same shape.
    weight : Tensor, optional
        How much each class counts, of shape (classes,).
    reduction : {"mean", "sum", "none"}
        What becomes of the examples' losses.

    Returns
    -------
    Tensor
        Of no dimensions, or of shape (...) with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import multilabel_soft_margin_loss
    >>> multilabel_soft_margin_loss(Tensor([[0.0, 0.0]]), Tensor([[1.0, 0.0]])).item()
    0.6931471805599453
    """
    check_reduction(reduction)
    losses = binary_cross_entropy_with_logits(input, target, weight, reduction="none")
    return reduce(mean(losses, axis=-1), reduction)


def multi_margin_loss(
    input: TensorLike,
    target: TensorLike,
    p: int = 1,
    margin: float = 1.0,
    weight: TensorLike | None = None,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return the sum of max(0, margin - x[y] + x[i])^p over the wrong classes i, over the classes.

    Parameters
    ----------
    input : Tensor
        Scores x, of shape (classes,) or (batch, classes).
    target : int, Tensor or array of integers
        The right class y, or one for each example, of shape (batch,).
    p : {1, 2}
        The power.
    margin : float
        By how much the right class's score should be greater than the others.
    weight : Tensor, optional
        How much each right class counts, of shape (classes,).
    reduction : {"mean", "sum", "none"}
        What becomes of the examples' losses.

    Returns
    -------
    Tensor
        Of no dimensions, or one for each example with reduction="none".

    Raises
    ------
    ValueError
        If the shapes don't fit, a class is out of range (not checked on a GPU), or a setting is
        none.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import multi_margin_loss
    >>> multi_margin_loss(Tensor([[1.0, 3.0]]), [0]).item()  # (1 - 1 + 3) / 2
    1.5
    """
    check_reduction(reduction)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {p!r}")
    if casting.state:
        input = cast_up(input)
    x = as_floating(input)
    classes = _classes("multi_margin_loss", x, target)
    if isinstance(classes, int):
        classes = asarray(classes, device=x.device)
    if not classes.dtype.is_integer:
        raise ValueError(f"multi_margin_loss: classes must be integers, got {classes.dtype!r}")
    if not 1 <= x.ndim <= 2 or classes.shape != x.shape[:-1]:
        raise ValueError(
            "multi_margin_loss needs scores of shape (classes,) or (batch, classes), and a class "
            f"for each example; got {x.shape} and {classes.shape}"
        )
    n = x.shape[-1]
    classes._backend.check(check_classes, "multi_margin_loss", classes._data, n)
    right = take_along_axis(x, expand_dims(classes, axis=-1), axis=-1)
    terms = relu(margin - right + x)
    if p == 2:
        terms = square(terms)
    losses = sum(where(one_hot(classes, n) == 0, terms, 0.0), axis=-1) / n
    if weight is not None:
        losses = losses * getitem(_class_weights("multi_margin_loss", x, weight, n), (classes,))
    return reduce(losses, reduction)


def cosine_embedding_loss(
    input1: TensorLike,
    input2: TensorLike,
    target: TensorLike,
    margin: float = 0.0,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return 1 - cos(x1, x2) where y is 1, and max(0, cos(x1, x2) - margin) where it is -1.

    Parameters
    ----------
    input1, input2 : Tensor
        Vectors, of one shape: (length,) or (batch, length).
    target : Tensor
        1 or -1, for what should be alike or not; of shape () or (batch,).
    margin : float
        The cosine up to which vectors aren't alike, from -1 to 1.
    reduction : {"mean", "sum", "none"}
        What becomes of the pairs' losses.

    Returns
    -------
    Tensor
        Of no dimensions, or one for each pair with reduction="none".

    Raises
    ------
    ValueError
        If the shapes don't fit, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import cosine_embedding_loss
    >>> x1, x2 = Tensor([[1.0, 0.0]]), Tensor([[0.0, 2.0]])
    >>> cosine_embedding_loss(x1, x2, Tensor([1])).item()
    1.0
    """
    check_reduction(reduction)
    x1, x2 = _pair("cosine_embedding_loss", input1, input2)
    y = _like(x1, target)
    if not 1 <= x1.ndim <= 2 or y.shape != x1.shape[:-1]:
        raise ValueError(
            "cosine_embedding_loss needs vectors of shape (length,) or (batch, length), and a "
            f"target for each pair; got {x1.shape} and {y.shape}"
        )
    squares = (sum(square(x1), axis=-1) + 1e-12) * (sum(square(x2), axis=-1) + 1e-12)
    cosine = sum(x1 * x2, axis=-1) / sqrt(squares)
    alike = where(equal(y, 1), 1 - cosine, 0.0)
    return reduce(alike + where(equal(y, -1), clip(cosine - margin, 0), 0.0), reduction)


def triplet_margin_loss(
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return max(0, margin + d(anchor, positive) - d(anchor, negative)), d being the distance.

    Parameters
    ----------
    anchor, positive, negative : Tensor
        Vectors, of one shape (..., length): each positive should be nearer to its anchor than the
        negative is.
    margin : float
        By how much.
    p : float
        Which norm the distances are.
    eps : float
        What is added to the differences, so that no distance is 0.
    swap : bool
        Whether the negative's distance is that from the positive, where this is smaller.
    reduction : {"mean", "sum", "none"}
        What becomes of the triplets' losses.

    Returns
    -------
    Tensor
        Of no dimensions, or of shape (...) with reduction="none".

    Raises
    ------
    ValueError
        If the shapes differ, `margin` isn't positive, or there is no such reduction.

    References
    ----------
    V. Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional
    neural networks", 2016.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import triplet_margin_loss
    >>> anchor, far = Tensor([[0.0, 0.0]]), Tensor([[3.0, 4.0]])
    >>> round(triplet_margin_loss(anchor, far, anchor).item(), 4)
    6.0
    """
    return _triplet_loss(
        "triplet_margin_loss",
        (anchor, positive, negative),
        lambda x1, x2: pairwise_distance(x1, x2, p, eps),
        margin,
        swap,
        reduction,
    )


def triplet_margin_with_distance_loss(
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return max(0, margin + d(anchor, positive) - d(anchor, negative)), for a distance d.

    Parameters
    ----------
    anchor, positive, negative : Tensor
        Of one shape: each positive should be nearer to its anchor than the negative is.
    distance_function : callable, optional
        d, which gives a distance for each triplet; `pairwise_distance` if not given.
    margin, swap, reduction
        As for `triplet_margin_loss`.

    Returns
    -------
    Tensor
        Of no dimensions, or of the distances' shape with reduction="none".

    Raises
    ------
    TypeError
        If the distance is no function.
    ValueError
        If the shapes differ, `margin` isn't positive, or there is no such reduction.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import triplet_margin_with_distance_loss
    >>> anchor, far = Tensor([[0.0, 0.0]]), Tensor([[3.0, 4.0]])
    >>> triplet_margin_with_distance_loss(
    ...     anchor, far, anchor, distance_function=lambda x, y: abs(x - y).max(axis=-1)
    ... ).item()
    5.0
    """
    name = "triplet_margin_with_distance_loss"
    distance = pairwise_distance if distance_function is None else distance_function
    if not callable(distance):
        raise TypeError(f"{name}: distance_function must be a function, got {distance!r}")
    return _triplet_loss(name, (anchor, positive, negative), distance, margin, swap, reduction)


def _triplet_loss(
    name: str,
    triplets: tuple[TensorLike, TensorLike, TensorLike],
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    check_reduction(reduction)
    if not margin > 0:
        raise ValueError(f"{name}: margin must be positive, got {margin}")
    anchor, positive, negative = triplets
    x, near = _pair(name, anchor, positive)
    x, far = _pair(name, x, negative)
    to_near, to_far = distance(x, near), distance(x, far)
    if swap:
        to_far = minimum(to_far, distance(near, far))
    return reduce(clip(margin + to_near - to_far, 0), reduction)
