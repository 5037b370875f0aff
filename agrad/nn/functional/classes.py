"""Classes: numbers from 0 on, checked, and as vectors."""

from typing import Any

from agrad.autograd import lift
from agrad.ops import asarray, astype, equal, expand_dims
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = ["IGNORED", "check_classes", "check_range", "numbers_from_0", "one_hot"]

#: What stands for no class, where nothing else is named
IGNORED = -100


def check_range(who: str, smallest: int, greatest: int, n: int) -> None:
    """Raise an error if the smallest or the greatest of some classes is none of n."""
    if smallest < 0 or greatest >= n:
        wrong = smallest if smallest < 0 else greatest
        hint = f"; if it stands for none, say ignore_index={wrong}" if wrong == IGNORED else ""
        raise ValueError(f"{who}: class {wrong} is out of range for {n} classes{hint}")


def check_classes(xp: Any, who: str, classes: Any, n: int) -> None:
    """Raise an error if one of the classes is none of n."""
    if not xp.are_below(classes, n):
        smallest, greatest = xp.bounds(classes)
        check_range(who, smallest, greatest, n)


def numbers_from_0(xp: Any, n: int) -> Any:
    """Return 0, ..., n - 1."""
    return xp.arange(n)


def one_hot(tensor: TensorLike, num_classes: int = -1) -> Tensor:
    """Return, for each class, a vector of zeros with a 1 at its place.

    Parameters
    ----------
    tensor : Tensor
        Integers from 0 to num_classes - 1.
    num_classes : int
        How many there are; -1 for as many as the greatest of them needs, which must be looked at.

    Returns
    -------
    Tensor
        Of shape (..., num_classes), of the data type of `tensor`.

    Raises
    ------
    ValueError
        If these aren't integers, a class is out of range (not checked on a GPU), or there is no
        class to tell `num_classes`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import one_hot
    >>> one_hot(Tensor([2, 0]), 3).tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    classes = asarray(tensor)
    if not classes.dtype.is_integer:
        raise ValueError(f"one_hot needs integers, got {classes.dtype!r}")
    lift(classes)
    backend = classes._backend
    if num_classes == -1:
        if not classes.size:
            raise ValueError("one_hot: there is no class to tell num_classes; give it")
        num_classes = int(classes.max()) + 1
    elif not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"one_hot: num_classes must be a positive integer, got {num_classes!r}")
    backend.check(check_classes, "one_hot", classes._data, num_classes)
    numbers = asarray(backend.call(numbers_from_0, num_classes))
    return astype(equal(expand_dims(classes, axis=-1), numbers), classes.dtype)
