"""Vectors: their lengths, and how near they are to each other."""

from itertools import combinations

from agrad.ops import (
    asarray,
    broadcast_arrays,
    clip,
    divide,
    multiply,
    sum,
    take,
)
from agrad.ops.data_types import as_floating
from agrad.ops.linalg import vector_norm
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["cosine_similarity", "normalize", "pairwise_distance", "pdist"]


def normalize(input: TensorLike, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Return vectors over their lengths.

    Parameters
    ----------
    input : Tensor
        Floating-point.
    p : float
        Which norm the length is: ``sum(abs(x)**p)**(1/p)``.
    dim : int or tuple of int
        The axis along which the vectors lie, or several.
    eps : float
        The smallest length to divide by.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import normalize
    >>> normalize(Tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    x = as_floating(input)
    return divide(x, clip(vector_norm(x, ord=p, axis=dim, keepdims=True), eps))


def cosine_similarity(x1: TensorLike, x2: TensorLike, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosines of the angles between vectors.

    Parameters
    ----------
    x1, x2 : Tensor
        Floating-point, of shapes that broadcast against each other.
    dim : int
        The axis along which the vectors lie.
    eps : float
        The smallest length to divide by.

    Returns
    -------
    Tensor
        Of the broadcast shape, without the axis.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import cosine_similarity
    >>> cosine_similarity(Tensor([[1.0, 0.0]]), Tensor([[0.0, 2.0], [2.0, 0.0]])).tolist()
    [0.0, 1.0]
    """
    x1, x2 = broadcast_arrays(as_floating(x1), as_floating(x2))
    return sum(multiply(normalize(x1, 2.0, dim, eps), normalize(x2, 2.0, dim, eps)), axis=dim)


def pairwise_distance(
    x1: TensorLike, x2: TensorLike, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the norms of the differences x1 - x2 + eps, along the last axis.

    Parameters
    ----------
    x1, x2 : Tensor
        Floating-point, of shapes that broadcast against each other.
    p : float
        Which norm: ``sum(abs(x)**p)**(1/p)``.
    eps : float
        What is added, so that no distance is 0, where it would have no derivative.
    keepdim : bool
        Keep the last axis, with length 1.

    Returns
    -------
    Tensor
        Of the broadcast shape, without the last axis.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import pairwise_distance
    >>> pairwise_distance(Tensor([[3.0, 4.0]]), Tensor([[0.0, 0.0]]), eps=0.0).tolist()
    [5.0]
    """
    difference = as_floating(x1) - as_floating(x2) + eps
    return vector_norm(difference, ord=p, axis=-1, keepdims=keepdim)


def pdist(input: TensorLike, p: float = 2.0) -> Tensor:
    """Return the distances between each two of several vectors.

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (N, length).
    p : float
        Which norm: ``sum(abs(x)**p)**(1/p)``.

    Returns
    -------
    Tensor
        Of shape (N (N - 1) / 2,): from the first to each later one, then from the second, and so
        on.

    Raises
    ------
    ValueError
        If it has another number of dimensions.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import pdist
    >>> pdist(Tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 4.0]])).tolist()
    [5.0, 4.0, 3.0]
    """
    x = as_floating(input)
    if x.ndim != 2:
        raise ValueError(f"pdist needs an input of shape (N, length), got {x.shape}")
    pairs = list(combinations(range(x.shape[0]), 2))
    firsts, seconds = (
        take(x, asarray([pair[i] for pair in pairs], dtype="int64", device=x.device), axis=0)
        for i in (0, 1)
    )
    return vector_norm(firsts - seconds, ord=p, axis=-1)
