"""Modules that change shapes."""

from collections.abc import Sequence
from math import prod

from agrad.nn.module import Module
from agrad.ops import reshape
from agrad.tensor import Tensor

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Makes one dimension of several, such as of an image's channels, rows and columns.

    Parameters
    ----------
    start_dim, end_dim : int
        The first and the last of them. The first dimension of a batch stays, unless told otherwise.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Flatten()(ag.zeros((8, 3, 5, 5))).shape
    (8, 75)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Return x with those dimensions as one.

        Parameters
        ----------
        x : Tensor
            Of shape (batch, ...).

        Returns
        -------
        Tensor
            Of shape (batch, rest), as long as the dimensions are the usual ones.
        """
        shape, n = x.shape, x.ndim
        start, end = (d + n if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < n:
            raise ValueError(
                f"Flatten from dimension {self.start_dim} to {self.end_dim} doesn't fit x of shape "
                f"{tuple(shape)}"
            )
        return reshape(x, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Makes several dimensions of one.

    Parameters
    ----------
    dim : int
        Which one.
    unflattened_size : tuple of int
        The dimensions that take its place; one of them may be -1, for what is left.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Unflatten(1, (3, 5, 5))(ag.zeros((8, 75))).shape
    (8, 3, 5, 5)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with the dimension taken apart.

        Parameters
        ----------
        x : Tensor
            Whose dimension `dim` has as many elements as the new ones have together.

        Returns
        -------
        Tensor
            With the new dimensions in the place of the old one.
        """
        shape, n = x.shape, x.ndim
        dim = self.dim + n if self.dim < 0 else self.dim
        sizes = list(self.unflattened_size)
        if sizes.count(-1) == 1 and 0 <= dim < n:
            rest = -prod(sizes)
            sizes[sizes.index(-1)] = shape[dim] // rest if rest else 0
        if not 0 <= dim < n or prod(sizes) != shape[dim] or min(sizes, default=0) < 0:
            raise ValueError(
                f"Unflatten of dimension {self.dim} into {self.unflattened_size} doesn't fit x of "
                f"shape {tuple(shape)}"
            )
        return reshape(x, (*shape[:dim], *sizes, *shape[dim + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
