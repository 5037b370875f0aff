"""Affine functions: products with a matrix, and a sum."""

import math
from typing import Any

from agrad.autograd import Primitive, record
from agrad.ops import asarray
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["affine_transform"]


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
