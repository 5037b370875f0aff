"""Sums of products of elements, written with an index for each axis."""

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from agrad.ops.casting import cast_down, casting
from agrad.ops.creation import asarray
from agrad.ops.elementwise import multiply
from agrad.ops.indexing import getitem
from agrad.ops.linalg import matmul
from agrad.ops.manipulation import permute_dims, reshape, squeeze
from agrad.ops.statistical import sum
from agrad.typing import Shape, TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

_TERM = re.compile(r"([A-Za-z]*)(\.\.\.)?([A-Za-z]*)")


class _Operand(NamedTuple):
    """A Tensor and the index of each of its axes: a letter, or "...0", "...1", from the right."""

    tensor: "Tensor"
    indices: tuple[str, ...]

    def lengths(self) -> dict[str, int]:
        return dict(zip(self.indices, self.tensor.shape, strict=True))


def einsum(subscripts: str, /, *operands: TensorLike) -> "Tensor":
    """Return the sum of products that a string describes: one index for each axis.

    ``einsum("ij,jk->ik", x, y)`` is the matrix product: for each i and k, the sum over j of
    ``x[i, j] * y[j, k]``.

    Parameters
    ----------
    subscripts : str
        For each operand a letter for each of its axes, with commas between the operands; then
        ``->`` and the letters of the result's axes. What isn't named there is summed over. A letter
        twice in one operand stands for the diagonal. ``...`` stands for any further axes, which
        broadcast against each other. Without ``->`` the result has the axes of ``...``, and then
        the letters that stand only once, in alphabetical order.
    *operands : Tensor
        As many as there are terms in the string. Axes of one letter have the same length, or 1.

    Returns
    -------
    Tensor
        Of the promoted data type.

    Raises
    ------
    ValueError
        If the string can't be read, or doesn't fit the operands.

    Notes
    -----
    Two operands are multiplied as (stacks of) matrices, where anything is summed over. Of more than
    two, those are multiplied first whose product saves the most memory.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[1, 2], [3, 4]])
    >>> ag.einsum("ij,j->i", x, ag.Tensor([1, 10])).tolist()
    [21, 43]
    >>> ag.einsum("ii", x).item()  # the trace
    5
    >>> ag.einsum("...ij->...ji", x).tolist()
    [[1, 3], [2, 4]]
    """
    if not isinstance(subscripts, str):
        raise TypeError(
            "einsum needs the subscripts first, as a string such as 'ij,jk->ik', got "
            f"{type(subscripts).__name__}"
        )
    tensors = [asarray(x) for x in operands]
    if casting.state:
        tensors = cast_down(*tensors)
    inputs, output = _parse(subscripts, tuple(x.ndim for x in tensors))
    waiting = [_diagonal(_Operand(*pair)) for pair in zip(tensors, inputs, strict=True)]
    waiting = _without_ones(subscripts, waiting, output)
    while len(waiting) > 1:
        one, two = _best_pair(waiting, output)
        rest = [each for i, each in enumerate(waiting) if i not in (one, two)]
        needed = set(output).union(*(each.indices for each in rest))
        waiting = [*rest, _multiply(waiting[one], waiting[two], needed)]
    tensor, indices = _sum_out(waiting[0], output)
    if indices != output:
        tensor = permute_dims(tensor, tuple(indices.index(i) for i in output))
    return asarray(tensor, copy=True) if any(tensor is x for x in operands) else tensor


@lru_cache(maxsize=1000)
def _parse(
    subscripts: str, ndims: tuple[int, ...]
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Return the indices of the axes of each operand, which are so many, and of the result's."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(
            f"einsum: {subscripts!r} has {len(terms)} terms, for {len(ndims)} operands"
        )
    inputs = [_indices(subscripts, term, n) for term, n in zip(terms, ndims, strict=True)]
    count = Counter(i for indices in inputs for i in indices)
    dots = max((_number_of_dots(indices) for indices in inputs), default=0)
    if not arrow:
        once = tuple(sorted(i for i, n in count.items() if n == 1 and i[0] != "."))
        return inputs, (*_dots(dots), *once)
    if dots and "..." not in right:
        raise ValueError(
            f"einsum: in {subscripts!r} the result lacks the axes of '...': name them there too"
        )
    output = _indices(subscripts, right, len(right.replace("...", "")) + dots)
    for i, n in Counter(output).items():
        if n > 1:
            raise ValueError(f"einsum: in {subscripts!r} the result names {i!r} twice")
        if i not in count:
            raise ValueError(f"einsum: in {subscripts!r} no operand has the result's {i!r}")
    return inputs, output


def _number_of_dots(indices: tuple[str, ...]) -> int:
    """Return how many axes ``...`` stands for."""
    return len([i for i in indices if i[0] == "."])


def _dots(number: int) -> tuple[str, ...]:
    """Return the indices of as many axes in ``...``: the last one is "...0"."""
    return tuple(f"...{i}" for i in reversed(range(number)))


def _indices(subscripts: str, term: str, ndim: int) -> tuple[str, ...]:
    """Return the indices of the axes of one term, which are so many."""
    match = _TERM.fullmatch(term)
    if match is None:
        raise ValueError(
            f"einsum: in {subscripts!r}, {term!r} must be made of letters and at most one '...'"
        )
    before, dots, after = match.groups()
    more = ndim - len(before) - len(after)
    if more < 0 or (more and not dots):
        raise ValueError(
            f"einsum: in {subscripts!r}, {term!r} names {len(before) + len(after)} axes of an "
            f"operand that has {ndim}"
        )
    return (*before, *_dots(more), *after)


def _diagonal(x: _Operand) -> _Operand:
    """Take the diagonal over each index that stands for several axes."""
    tensor, indices = x
    if len(set(indices)) == len(indices):
        return x
    for i in sorted({i for i in indices if indices.count(i) > 1}):
        while indices.count(i) > 1:
            one = indices.index(i)
            two = indices.index(i, one + 1)
            n, m = tensor.shape[one], tensor.shape[two]
            if n != m:
                raise ValueError(f"einsum: index {i!r} has lengths {n} and {m} in one operand")
            # Of n x n elements in a row, those on the diagonal are each n + 1 further on.
            others = [a for a in range(tensor.ndim) if a not in (one, two)]
            shape = tuple(tensor.shape[a] for a in others)
            tensor = reshape(permute_dims(tensor, (*others, one, two)), (*shape, n * n))
            tensor = getitem(tensor, (..., slice(None, None, n + 1)))
            indices = (*(indices[a] for a in others), i)
    return _Operand(tensor, indices)


def _without_ones(
    subscripts: str, operands: list[_Operand], output: tuple[str, ...]
) -> list[_Operand]:
    """Check the lengths, and leave out axes of length 1 where others of their index are longer."""
    lengths: dict[str, int] = {}
    for tensor, indices in operands:
        for i, n in zip(indices, tensor.shape, strict=True):
            if lengths.setdefault(i, n) == 1:
                lengths[i] = n
            elif n not in (1, lengths[i]):
                raise ValueError(
                    f"einsum: in {subscripts!r}, index {i!r} has lengths {lengths[i]} and {n}"
                )
    results = []
    for tensor, indices in operands:
        axes = tuple(a for a, i in enumerate(indices) if tensor.shape[a] != lengths[i])
        if axes:
            tensor = squeeze(tensor, axis=axes)
            indices = tuple(i for a, i in enumerate(indices) if a not in axes)
        results.append(_Operand(tensor, indices))
    return results


def _best_pair(operands: list[_Operand], output: tuple[str, ...]) -> tuple[int, int]:
    """Return the places of the two operands whose product saves the most memory."""
    if len(operands) == 2:
        return 0, 1

    def growth(pair: tuple[int, int]) -> int:
        one, two = (operands[i] for i in pair)
        needed = set(output).union(*(x.indices for i, x in enumerate(operands) if i not in pair))
        lengths = one.lengths() | two.lengths()
        size = math.prod(n for i, n in lengths.items() if i in needed)
        return size - math.prod(one.tensor.shape) - math.prod(two.tensor.shape)

    return min(combinations(range(len(operands)), 2), key=growth)


def _sum_out(x: _Operand, needed: Collection[str]) -> _Operand:
    """Sum over the indices that nobody needs any more."""
    tensor, indices = x
    axes = tuple(a for a, i in enumerate(indices) if i not in needed)
    if not axes:
        return x
    # Of their own type: small integers would become greater ones, and short numbers longer ones
    tensor = sum(tensor, axis=axes, dtype=tensor.dtype)
    return _Operand(tensor, tuple(i for i in indices if i in needed))


def _multiply(one: _Operand, two: _Operand, needed: set[str]) -> _Operand:
    """Multiply two operands, and sum over the indices that nobody else needs."""
    one = _sum_out(one, needed.union(two.indices))
    two = _sum_out(two, needed.union(one.indices))
    common = [i for i in one.indices if i in two.indices]
    stack = [i for i in common if i in needed]
    summed = [i for i in common if i not in needed]
    rows = [i for i in one.indices if i not in common]
    columns = [i for i in two.indices if i not in common]
    lengths = one.lengths() | two.lengths()
    if not summed:  # each element of one times each of the other: (stack, rows, columns)
        left = _arrange(one, [*stack, *rows])
        right = _arrange(two, [*stack, *columns])
        left = _reshape(left, (*left.shape, *(1 for _ in columns)))
        shape = right.shape
        right = _reshape(right, (*shape[: len(stack)], *(1 for _ in rows), *shape[len(stack) :]))
        return _Operand(multiply(left, right), (*stack, *rows, *columns))
    # (stack, rows, summed) @ (stack, summed, columns), where vectors lack an axis if they can
    left = _arrange(one, [*stack, *rows, *summed])
    right = _arrange(two, [*stack, *summed, *columns])
    stacked = tuple(lengths[i] for i in stack)
    n, k, m = (math.prod(lengths[i] for i in each) for each in (rows, summed, columns))
    left = _reshape(left, (*stacked, n, k) if rows or stack else (k,))
    right = _reshape(right, (*stacked, k, m) if columns or stack else (k,))
    indices = (*stack, *rows, *columns)
    product = _reshape(matmul(left, right), tuple(lengths[i] for i in indices))
    return _Operand(product, indices)


def _arrange(x: _Operand, indices: Sequence[str]) -> "Tensor":
    """Return a Tensor with its axes in the order of some indices."""
    if x.indices == tuple(indices):
        return x.tensor
    return permute_dims(x.tensor, tuple(x.indices.index(i) for i in indices))


def _reshape(x: "Tensor", shape: Shape) -> "Tensor":
    return x if x.shape == shape else reshape(x, shape)
