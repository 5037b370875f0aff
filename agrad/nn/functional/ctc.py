"""Connectionist temporal classification: sequences of labels whose places aren't known."""

import math
from itertools import accumulate
from typing import Any

from agrad.autograd import lift
from agrad.nn.functional.classes import check_classes, numbers_from_0
from agrad.nn.functional.losses import Reduction, check_reduction, reduce
from agrad.ops import (
    asarray,
    astype,
    concat,
    equal,
    expand_dims,
    full,
    full_like,
    greater,
    less,
    logical_and,
    logsumexp,
    maximum,
    not_equal,
    reshape,
    stack,
    take_along_axis,
    where,
)
from agrad.ops.data_types import as_floating
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["ctc_loss"]


def ctc_loss(
    log_probs: TensorLike,
    targets: TensorLike,
    input_lengths: TensorLike,
    target_lengths: TensorLike,
    blank: int = 0,
    *,
    reduction: Reduction = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return minus the log-probabilities of sequences of labels, over all alignments.

    At each time there is a label or a blank; what is left once repeated ones are merged and blanks
    are dropped is the sequence.

    Parameters
    ----------
    log_probs : Tensor
        Logarithms of probabilities, such as `log_softmax` gives them, of shape
        (times, batch, classes), or (times, classes) for one sequence.
    targets : Tensor or list
        The labels, of shape (batch, labels), where what exceeds a sequence's length isn't looked
        at; or those of all sequences in a row. None of them is the blank.
    input_lengths : Tensor or list
        How many of the times count for each sequence, of shape (batch,).
    target_lengths : Tensor or list
        How many labels each sequence has, of shape (batch,).
    blank : int
        The class that stands for no label.
    reduction : {"mean", "sum", "none"}
        What becomes of a batch. "mean" divides each loss by its number of labels first.
    zero_infinity : bool
        Whether infinite losses, of sequences that are too long for their times, become 0.

    Returns
    -------
    Tensor
        In nats: of no dimensions, or of shape (batch,) with reduction="none".

    Raises
    ------
    ValueError
        If the shapes don't fit, or a label or a length is out of range (not checked on a GPU).

    Notes
    -----
    Where a loss is infinite, its gradient is taken as 0.

    References
    ----------
    A. Graves et al., "Connectionist temporal classification", 2006, section 4.1.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.nn.functional import ctc_loss
    >>> log_p = ag.log_softmax(ag.zeros((2, 1, 3)))  # of the nine pairs, 01, 10 and 11 are [1]
    >>> round(ctc_loss(log_p, [[1]], [2], [1]).exp().item(), 4)
    3.0
    """
    check_reduction(reduction)
    log_p = as_floating(log_probs)
    if log_p.ndim not in (2, 3):
        raise ValueError(
            f"ctc_loss needs log_probs of shape (times, batch, classes); got {log_p.shape}"
        )
    one = log_p.ndim == 2
    if not log_p.shape[0]:
        raise ValueError("ctc_loss: there are no times in log_probs")
    if one:
        log_p = expand_dims(log_p, axis=1)
    times, batch, classes = log_p.shape
    if not 0 <= blank < classes:
        raise ValueError(f"ctc_loss: the blank {blank} is out of range for {classes} classes")
    steps = _lengths("input_lengths", input_lengths, batch, times, log_p)
    labels = _labels(targets, target_lengths, one, log_p)
    counts = _lengths("target_lengths", target_lengths, batch, labels.shape[1], log_p)
    losses = _losses(log_p, labels, steps, counts, blank)
    if zero_infinity:
        losses = where(equal(losses, math.inf), 0.0, losses)
    if reduction == "mean":
        losses = losses / astype(maximum(counts, 1), losses.dtype)
    return reduce(reshape(losses, ()) if one else losses, reduction)


def _whole_numbers(name: str, value: TensorLike, log_p: Tensor) -> Tensor:
    """Return integers as a Tensor; lists go to the device of the probabilities."""
    listed = isinstance(value, (int, list, tuple))
    numbers = asarray(value, device=log_p.device if listed else None)
    if numbers.size and not numbers.dtype.is_integer:
        raise ValueError(f"ctc_loss: {name} must be integers, got {numbers.dtype!r}")
    return numbers if numbers.size else astype(numbers, "int64")


def _lengths(name: str, value: TensorLike, batch: int, most: int, log_p: Tensor) -> Tensor:
    """Return the length of each sequence, checked."""
    lengths = _whole_numbers(name, value, log_p)
    if batch == 1 and not lengths.ndim:
        lengths = expand_dims(lengths, axis=0)
    if lengths.shape != (batch,):
        raise ValueError(
            f"ctc_loss needs {name} for each of {batch} sequences; got {lengths.shape}"
        )
    lift(lengths)
    lengths._backend.check(_check_lengths, lengths._data, most, name)
    return lengths


def _check_lengths(xp: Any, lengths: Any, most: int, name: str) -> None:
    smallest, greatest = xp.bounds(lengths)
    if smallest < 0 or greatest > most:
        wrong = smallest if smallest < 0 else greatest
        raise ValueError(f"ctc_loss: one of {name} is {wrong}, which must be from 0 to {most}")


def _labels(value: TensorLike, lengths: TensorLike, one: bool, log_p: Tensor) -> Tensor:
    """Return the labels of shape (batch, labels)."""
    batch = log_p.shape[1]
    labels = _whole_numbers("targets", value, log_p)
    if one and labels.ndim == 1:
        return expand_dims(labels, axis=0)
    if labels.ndim == 2 and labels.shape[0] == batch:
        return labels
    counts = _whole_numbers("target_lengths", lengths, log_p)
    if labels.ndim != 1 or counts.shape != (batch,):
        raise ValueError(
            "ctc_loss needs targets of shape (batch, labels), or in a row, for log_probs of shape "
            f"{log_p.shape}; got {labels.shape}"
        )
    # From those of all sequences in a row; what lies beyond a sequence's end doesn't matter
    numbers = counts.tolist()
    if labels.shape[0] != sum(numbers):
        raise ValueError(
            f"ctc_loss: {labels.shape[0]} targets in a row don't fit target_lengths {numbers}"
        )
    longest = max(numbers, default=0)
    if not longest:
        return reshape(labels, (batch, 0))
    ends = accumulate(numbers)
    rows = [
        [end - n + i if i < n else 0 for i in range(longest)]
        for n, end in zip(numbers, ends, strict=True)
    ]
    return labels[asarray(rows, device=labels.device)]


def _losses(log_p: Tensor, labels: Tensor, steps: Tensor, counts: Tensor, blank: int) -> Tensor:
    """Return the loss of each sequence, from how probable its beginnings are at each time."""
    times, batch, classes = log_p.shape
    longest = labels.shape[1]
    n = 2 * longest + 1
    lift(labels)
    backend = labels._backend
    places = asarray(backend.call(numbers_from_0, n))
    labels = where(less(places[:longest], expand_dims(counts, axis=1)), labels, blank)
    backend.check(check_classes, "ctc_loss", labels._data, classes)

    # The states that a sequence goes through: its labels, and a blank before, between and after
    blanks = full((batch, 1), blank, dtype=labels.dtype, device=labels.device)
    pairs = stack([full_like(labels, blank), labels], axis=2)
    states = concat([reshape(pairs, (batch, n - 1)), blanks], axis=1)
    p = take_along_axis(log_p, expand_dims(states, axis=0), axis=2)
    # The blank between two labels may be left out if they differ
    before = concat([blanks, blanks, states], axis=1)[:, :n]
    may_skip = logical_and(not_equal(states, blank), not_equal(states, before))

    reached = where(less(places, 2), p[0], -math.inf)
    never = full((batch, 1), -math.inf, dtype=log_p.dtype, device=log_p.device)
    for time in range(1, times):
        stepping = concat([never, reached], axis=1)[:, :n]
        skipping = where(may_skip, concat([never, never, reached], axis=1)[:, :n], -math.inf)
        new = logsumexp(stack([reached, stepping, skipping]), axis=0) + p[time]
        reached = where(expand_dims(greater(steps, time), axis=1), new, reached)

    # It ends with the last label, or with a blank after it
    end = expand_dims(2 * counts, axis=1)
    at_label = take_along_axis(reached, maximum(end - 1, 0), axis=1)
    at_label = where(equal(end, 0), -math.inf, at_label)
    at_blank = take_along_axis(reached, end, axis=1)
    losses = -logsumexp(concat([at_label, at_blank], axis=1), axis=1)
    without_time = where(equal(counts, 0), 0.0, never[:, 0] * -1)
    return where(equal(steps, 0), without_time, losses)
