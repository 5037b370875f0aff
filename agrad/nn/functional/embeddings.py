"""Embeddings: a vector for each of a set of things that have numbers, such as words."""

from typing import Any

from agrad.autograd import Primitive, lift, record
from agrad.ops import asarray, equal, expand_dims, where
from agrad.ops.indexing import as_indices
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["embedding"]

_EMBEDDING = Primitive(
    "embedding",
    lambda xp, weight, numbers: xp.getitem(weight, numbers),
    fused=True,
    weight=lambda xp, g, weight_shape, numbers: xp.scatter_add(g, numbers, weight_shape),
)


def embedding(input: TensorLike, weight: TensorLike, padding_idx: int | None = None) -> Tensor:
    """Return the rows of a table that have the given numbers.

    Parameters
    ----------
    input : Tensor or list
        Integers from 0 to num_embeddings - 1, of any shape.
    weight : Tensor
        The table, of shape (num_embeddings, embedding_dim).
    padding_idx : int, optional
        The number of a row that gets no gradient; a negative one counts from the end.

    Returns
    -------
    Tensor
        Of the shape of `input` and, behind it, embedding_dim.

    Raises
    ------
    ValueError
        If the table is no matrix, there is no such padding row, or a number is out of range (not
        checked on a GPU, where looking at the numbers would hold up the queue).
    TypeError
        If the numbers aren't integers.

    Examples
    --------
    >>> import agrad as ag
    >>> table = ag.Tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    >>> ag.nn.functional.embedding([2, 1, 2], table).tolist()
    [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
    """
    table = asarray(weight)
    if table.ndim != 2:
        raise ValueError(
            "embedding needs a weight of shape (num_embeddings, embedding_dim), got "
            f"{tuple(table.shape)}"
        )
    rows = as_indices(input, table, "embedding: ")
    lift(rows)
    n = table.shape[0]
    table._backend.check(_check_numbers, rows._data, n)
    found = record(_EMBEDDING, (table,), numbers=rows._data)
    if padding_idx is None:
        return found
    padding = padding_row(padding_idx, n, "embedding")
    return where(expand_dims(equal(rows, padding), axis=-1), found.detach(), found)


def _check_numbers(xp: Any, numbers: Any, n: int) -> None:
    if not xp.are_below(numbers, n):
        smallest, greatest = xp.bounds(numbers)
        wrong = smallest if smallest < 0 else greatest
        raise ValueError(f"embedding: {wrong} is out of range for a table of {n} rows")


def padding_row(padding_idx: int, n: int, who: str) -> int:
    if not isinstance(padding_idx, int) or not -n <= padding_idx < n:
        raise ValueError(
            f"{who}: padding_idx must be the number of one of {n} rows, got {padding_idx!r}"
        )
    return padding_idx % n
