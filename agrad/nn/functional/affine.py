"""Affine functions: products with a matrix, and a sum."""

import math
from typing import Any

from agrad.autograd import Primitive, record
from agrad.ops import asarray, einsum, matmul, matrix_transpose
from agrad.ops.casting import cast_down, casting
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["affine_transform", "bilinear", "linear"]


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
            "linear, or affine_transform, needs x of shape (..., in), W of shape (out, in) and b "
            f"of shape (out,); got {x.shape}, {W.shape} and {b.shape}"
        )
    if casting.state:
        x, W, b = cast_down(x, W, b)
    return record(_AFFINE_TRANSFORM, (x, W, b))


def linear(input: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """Return W x, or W x + b, for one vector or for each of a batch.

    Parameters
    ----------
    input : Tensor
        x, of shape (..., in).
    weight : Tensor
        W, of shape (out, in).
    bias : Tensor, optional
        b, of shape (out,).

    Returns
    -------
    Tensor
        Of shape (..., out).

    Raises
    ------
    ValueError
        If the shapes don't fit.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import linear
    >>> linear(Tensor([1.0, 2.0]), Tensor([[1.0, 1.0], [0.0, 3.0]])).tolist()
    [3.0, 6.0]
    """
    if bias is not None:
        return affine_transform(input, weight, bias)
    x, W = asarray(input), asarray(weight)
    if W.ndim != 2 or x.shape[-1:] != W.shape[1:]:
        raise ValueError(
            "linear needs x of shape (..., in) and W of shape (out, in); got "
            f"{tuple(x.shape)} and {tuple(W.shape)}"
        )
    return matmul(x, matrix_transpose(W))


def bilinear(
    input1: TensorLike, input2: TensorLike, weight: TensorLike, bias: TensorLike | None = None
) -> Tensor:
    """Return y_k = x1ᵀ A_k x2 + b_k, for two vectors or for each two of a batch.

    Parameters
    ----------
    input1, input2 : Tensor
        x1 and x2, of shapes (..., in1) and (..., in2).
    weight : Tensor
        A, of shape (out, in1, in2).
    bias : Tensor, optional
        b, of shape (out,).

    Returns
    -------
    Tensor
        Of shape (..., out).

    Raises
    ------
    ValueError
        If the shapes don't fit.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import bilinear
    >>> bilinear(Tensor([1.0, 2.0]), Tensor([3.0]), Tensor([[[1.0], [10.0]]])).tolist()
    [63.0]
    """
    x1, x2, A = asarray(input1), asarray(input2), asarray(weight)
    lengths = (*x1.shape[-1:], *x2.shape[-1:])
    if A.ndim != 3 or lengths != A.shape[1:] or x1.shape[:-1] != x2.shape[:-1]:
        raise ValueError(
            "bilinear needs inputs of shapes (..., in1) and (..., in2) and a weight of shape (out, "
            f"in1, in2); got {tuple(x1.shape)}, {tuple(x2.shape)} and {tuple(A.shape)}"
        )
    out = einsum("...i,oij,...j->...o", x1, A, x2)
    return out if bias is None else out + asarray(bias)
