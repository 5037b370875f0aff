"""Attention: each query's mean of values, weighted by how well their keys fit it."""

import math
from typing import Any

from agrad.nn.functional.dropouts import dropout
from agrad.ops import (
    add,
    all,
    asarray,
    astype,
    equal,
    logical_not,
    matmul,
    matrix_transpose,
    multiply,
    ones,
    repeat,
    softmax,
    tril,
    where,
    zeros,
)
from agrad.random import Generator
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    attn_mask: TensorLike | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Return softmax(Q Kᵀ scale + mask) V.

    Parameters
    ----------
    query : Tensor
        Q, of shape (..., L, E).
    key : Tensor
        K, of shape (..., S, E).
    value : Tensor
        V, of shape (..., S, V).
    attn_mask : Tensor, optional
        Of a shape that broadcasts to (..., L, S). Bools are True where a query may look at a key;
        numbers are added to the scores.
    dropout_p : float
        The probability that a weight is dropped. This function doesn't know of training and
        evaluation.
    is_causal : bool
        Whether the query at place i may look at the keys at places 0 to i alone.
    scale : float, optional
        1 / sqrt(E) if not given.
    enable_gqa : bool
        Whether Q may have more heads, on the third axis from the end, than K and V: a multiple of
        theirs, and several then look at the same keys.
    generator : Generator, optional
        Where the random numbers of dropout come from.

    Returns
    -------
    Tensor
        Of shape (..., L, V). Where the mask lets a query look at nothing, zeros.

    Raises
    ------
    TypeError
        If `attn_mask` is of integers.
    ValueError
        If the shapes don't fit, or both `attn_mask` and `is_causal` are given.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1.

    Examples
    --------
    >>> import agrad as ag
    >>> q, k = ag.Tensor([[0.0, 0.0], [0.0, 0.0]]), ag.Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> ag.nn.functional.scaled_dot_product_attention(q, k, k, is_causal=True).tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    q, k, v = asarray(query), asarray(key), asarray(value)
    if attn_mask is not None and is_causal:
        raise ValueError(
            "scaled_dot_product_attention takes attn_mask or is_causal, not both: join them in one "
            "mask"
        )
    if enable_gqa:
        k, v = _repeat_heads(q, k), _repeat_heads(q, v)
    who = "scaled_dot_product_attention"
    mask = None if attn_mask is None else as_mask(who, "attn_mask", attn_mask)
    return attend(who, q, k, v, mask, is_causal, dropout_p, scale=scale, generator=generator)[0]


def _repeat_heads(q: Tensor, x: Tensor) -> Tensor:
    if min(q.ndim, x.ndim) < 3 or x.shape[-3] < 1 or q.shape[-3] % x.shape[-3]:
        raise ValueError(
            "scaled_dot_product_attention: the heads of the query must be a multiple of those of "
            f"key and value; got shapes {tuple(q.shape)} and {tuple(x.shape)}"
        )
    return repeat(x, q.shape[-3] // x.shape[-3], axis=-3)


def as_mask(who: str, name: str, mask: TensorLike) -> Tensor:
    """Return a mask as a Tensor, of bools or of numbers to add; 0 and 1 may be meant as either."""
    tensor = asarray(mask)
    kind = tensor.dtype
    if kind.name != "bool" and not kind.is_floating:
        raise TypeError(
            f"{who}: {name} must be of bools, or of real numbers that are added to the scores; got "
            f"{kind}. If 1 is meant for True, give it mask.to(agrad.bool)"
        )
    return tensor


def additive(may: Tensor, like: Tensor) -> Tensor:
    """Return a mask of bools, True where one may look, as numbers to add: 0 and -inf."""
    # One addition, whose gradient costs nothing, is cheaper than picking by `where` each time
    nothing = zeros((), dtype=like.dtype, device=like.device)
    return where(may, nothing, -math.inf)


def attend(
    who: str,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    is_causal: bool,
    dropout_p: float,
    *,
    scale: float | None = None,
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what attention gives, and its weights."""
    fits = min(q.ndim, k.ndim, v.ndim) >= 2
    if not fits or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"{who} needs query, key and value of shapes (..., L, E), (..., S, E) and (..., S, V); "
            f"got {tuple(q.shape)}, {tuple(k.shape)} and {tuple(v.shape)}"
        )
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = matmul(multiply(q, scale), matrix_transpose(k))  # Q is smaller than the scores
    if is_causal:
        may = tril(ones(scores.shape[-2:], dtype="bool", device=scores.device))
        scores = add(scores, additive(may, scores))
    if mask is None:
        weights = softmax(scores)
    else:
        _check_mask(who, mask, scores)
        is_bool = mask.dtype.name == "bool"
        mask = additive(mask, scores) if is_bool else astype(mask, scores.dtype, copy=False)
        # Softmax of nothing but -inf would be NaN
        blind = all(equal(mask, -math.inf), axis=-1, keepdims=True)
        weights = softmax(add(scores, where(blind, 0.0, mask)))
        weights = multiply(weights, astype(logical_not(blind), weights.dtype))
    weights = dropout(weights, dropout_p, generator=generator)
    return matmul(weights, v), weights


def _check_mask(who: str, mask: Any, scores: Tensor) -> None:
    shape, wanted = tuple(mask.shape), tuple(scores.shape)
    pairs = zip(reversed(shape), reversed(wanted), strict=False)
    if len(shape) > len(wanted) or {n for n, m in pairs if n not in (1, m)}:
        raise ValueError(f"{who}: a mask of shape {shape} doesn't broadcast to {wanted}")
