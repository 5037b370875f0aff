"""Modules that compare vectors."""

from agrad.nn.functional.vectors import cosine_similarity, pairwise_distance
from agrad.nn.module import Module
from agrad.tensor import Tensor

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """The cosines of the angles between vectors: see `functional.cosine_similarity`.

    Parameters
    ----------
    dim : int
        The axis along which the vectors lie.
    eps : float
        The smallest length to divide by.

    Examples
    --------
    >>> import agrad as ag
    >>> similarity = ag.nn.CosineSimilarity()
    >>> similarity(ag.Tensor([[1.0, 0.0]]), ag.Tensor([[0.0, 2.0], [2.0, 0.0]])).tolist()
    [0.0, 1.0]
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the cosines.

        Parameters
        ----------
        x1, x2 : Tensor
            Of shapes that broadcast against each other.

        Returns
        -------
        Tensor
            Of the broadcast shape, without the axis `dim`.
        """
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The norms of differences of vectors: see `functional.pairwise_distance`.

    Parameters
    ----------
    p : float
        Which norm: ``sum(abs(x)**p)**(1/p)``.
    eps : float
        What is added, so that no distance is 0, where it would have no derivative.
    keepdim : bool
        Keep the last axis, with length 1.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.PairwiseDistance(eps=0.0)(ag.Tensor([[3.0, 4.0]]), ag.zeros((1, 2))).tolist()
    [5.0]
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the distances.

        Parameters
        ----------
        x1, x2 : Tensor
            Of shapes that broadcast against each other, the vectors along the last axis.

        Returns
        -------
        Tensor
            Of the broadcast shape, without the last axis.
        """
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
