"""Embeddings: a vector for each of a set of things that have numbers, such as words."""

from numbers import Integral

from agrad.autograd import no_grad
from agrad.dtypes import get_default_dtype
from agrad.nn import init
from agrad.nn.functional.embeddings import embedding, padding_row
from agrad.nn.module import Module
from agrad.ops import empty
from agrad.random import Generator
from agrad.tensor import Parameter, Tensor
from agrad.typing import DTypeLike, TensorLike

__all__ = ["Embedding"]


class Embedding(Module):
    """A table of vectors, looked up by number.

    Parameters
    ----------
    num_embeddings : int
        How many vectors there are; at least 1.
    embedding_dim : int
        Their length; at least 1.
    padding_idx : int, optional
        The number of a vector that is zero and isn't trained; a negative one counts from the end.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.
    generator : Generator, optional
        Where the initial weights come from.

    Attributes
    ----------
    weight : Parameter
        Of shape (num_embeddings, embedding_dim), first drawn from N(0, 1).

    Raises
    ------
    ValueError
        If a size isn't a positive integer, there is no such padding row, or what is looked up is
        out of range.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.Embedding(10, 4)
    >>> layer(ag.Tensor([[1, 2, 3], [7, 8, 9]])).shape
    (2, 3, 4)
    >>> layer
    Embedding(10, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        for name, size in (("num_embeddings", num_embeddings), ("embedding_dim", embedding_dim)):
            if not isinstance(size, Integral) or size < 1:
                raise ValueError(f"Embedding: {name} must be a positive integer, got {size!r}")
        if padding_idx is not None:
            padding_idx = padding_row(padding_idx, num_embeddings, "Embedding")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        dtype = get_default_dtype() if dtype is None else dtype
        shape = (num_embeddings, embedding_dim)
        self.weight = Parameter(empty(shape, dtype=dtype, device=device), name="weight")
        init.normal_(self.weight, generator=generator)
        if padding_idx is not None:
            with no_grad():
                self.weight[padding_idx] = 0.0

    def forward(self, input: TensorLike) -> Tensor:
        """Return the vectors that have the given numbers.

        Parameters
        ----------
        input : Tensor or list
            Integers from 0 to num_embeddings - 1, of any shape, on the device of the parameters.

        Returns
        -------
        Tensor
            Of the shape of `input` and, behind it, embedding_dim.
        """
        return embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
