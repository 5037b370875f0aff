"""Sets: which values a Tensor has, and how often."""

from typing import TYPE_CHECKING, Any, NamedTuple

from agrad.autograd import Primitive, record, wrap
from agrad.backends import is_number
from agrad.ops.creation import asarray
from agrad.ops.data_types import result_type
from agrad.ops.elementwise import logical_not
from agrad.ops.indexing import take
from agrad.ops.manipulation import reshape
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor


class UniqueAll(NamedTuple):
    """The result of `unique_all`."""

    values: "Tensor"
    indices: "Tensor"
    inverse_indices: "Tensor"
    counts: "Tensor"


class UniqueCounts(NamedTuple):
    """The result of `unique_counts`."""

    values: "Tensor"
    counts: "Tensor"


class UniqueInverse(NamedTuple):
    """The result of `unique_inverse`."""

    values: "Tensor"
    inverse_indices: "Tensor"


def unique_all(x: TensorLike, /) -> UniqueAll:
    """Return the distinct values of x, where each is first, where each is found, and how often.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.

    Returns
    -------
    values : Tensor
        The distinct values, a vector of the data type of `x`, in rising order. Its gradient goes to
        where each value is first.
    indices : Tensor
        Where each value is first, in the flattened `x`.
    inverse_indices : Tensor
        For each element of `x`, of the shape of `x`, the place of its value in ``values``.
    counts : Tensor
        How often each value is there.

    Notes
    -----
    NaNs are distinct from each other; 0.0 and -0.0 are not.

    Examples
    --------
    >>> import agrad as ag
    >>> values, indices, inverse_indices, counts = ag.unique_all(ag.Tensor([5, 3, 5]))
    >>> values.tolist(), indices.tolist(), inverse_indices.tolist(), counts.tolist()
    ([3, 5], [1, 0], [1, 0, 1], [1, 2])
    """
    x = asarray(x)
    backend = x._backend
    found = backend.call(lambda xp, array: xp.unique_all(array), x._data)
    values, indices, inverse_indices, counts = (wrap(each, backend) for each in found)
    if x.requires_grad:
        values = take(reshape(x, (-1,)), indices, axis=0)
    return UniqueAll(values, indices, inverse_indices, counts)


def unique_counts(x: TensorLike, /) -> UniqueCounts:
    """Return the distinct values of x, and how often each is there.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.

    Returns
    -------
    values : Tensor
        The distinct values, a vector of the data type of `x`, in rising order. Its gradient goes to
        where each value is first.
    counts : Tensor
        How often each value is there.

    Notes
    -----
    NaNs are distinct from each other; 0.0 and -0.0 are not.

    Examples
    --------
    >>> import agrad as ag
    >>> values, counts = ag.unique_counts(ag.Tensor([5, 3, 5]))
    >>> values.tolist(), counts.tolist()
    ([3, 5], [1, 2])
    """
    values, _, _, counts = unique_all(x)
    return UniqueCounts(values, counts)


def unique_inverse(x: TensorLike, /) -> UniqueInverse:
    """Return the distinct values of x, and where in them each element of x is found.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.

    Returns
    -------
    values : Tensor
        The distinct values, a vector of the data type of `x`, in rising order. Its gradient goes to
        where each value is first.
    inverse_indices : Tensor
        For each element of `x`, of the shape of `x`, the place of its value in ``values``.

    Notes
    -----
    NaNs are distinct from each other; 0.0 and -0.0 are not.

    Examples
    --------
    >>> import agrad as ag
    >>> values, inverse_indices = ag.unique_inverse(ag.Tensor([5, 3, 5]))
    >>> values.tolist(), inverse_indices.tolist()
    ([3, 5], [1, 0, 1])
    """
    values, _, inverse_indices, _ = unique_all(x)
    return UniqueInverse(values, inverse_indices)


def unique_values(x: TensorLike, /) -> "Tensor":
    """Return the distinct values of x.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.

    Returns
    -------
    Tensor
        A vector of the data type of `x`, in rising order. Its gradient goes to where each value is
        first.

    Notes
    -----
    NaNs are distinct from each other; 0.0 and -0.0 are not.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.unique_values(ag.Tensor([5, 3, 5])).tolist()
    [3, 5]
    """
    return unique_all(x).values


_ISIN = Primitive("isin", x1=None, x2=None)


def isin(x1: TensorLike, x2: TensorLike, /, *, invert: bool = False) -> "Tensor":
    """Return, for each element of x1, whether x2 has it.

    Parameters
    ----------
    x1, x2 : Tensor or number
        Of any shapes, at least one of them a Tensor.
    invert : bool
        Ask whether `x2` lacks it.

    Returns
    -------
    Tensor
        Of bools, of the shape of `x1`. It requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.isin(ag.Tensor([1, 2, 3]), ag.Tensor([3, 1])).tolist()
    [True, False, True]
    """
    if is_number(x1) and not is_number(x2):
        x1 = _like(x2, x1)
    elif is_number(x2):
        x2 = _like(x1, x2)
    found = record(_ISIN, (x1, x2))
    return logical_not(found) if invert else found


def _like(x: TensorLike, number: Any) -> "Tensor":
    """Return a number as a Tensor on the device of another, of the type they promote to."""
    tensor = asarray(x)
    return asarray(number, dtype=result_type(tensor, number), device=tensor.device)
