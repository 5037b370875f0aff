"""Indexing: parts of a Tensor by slices, integers, masks and arrays of integers."""

from numbers import Integral
from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, Variable, lift, record, record_view
from agrad.backends import Backend, backend_of, is_array
from agrad.ops.creation import asarray
from agrad.typing import Shape, TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

# Taking elements out and adding them in are each other's gradient.
_GETITEM = Primitive(
    "getitem",
    lambda xp, x, key: xp.getitem(x, key),
    x=lambda xp, g, x_shape, key: xp.scatter_add(g, key, x_shape),
)


def getitem(x: TensorLike, key: Any, /) -> "Tensor":
    """Return ``x[key]``; what is taken twice gets both gradients, added.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    key : int, slice, None, ..., array of bools or of integers, or a tuple of these
        Where: as in NumPy's indexing. Arrays of bools mark the elements, arrays of integers number
        them. Tensors and raw arrays must be on the device of `x`; lists may stand for them.

    Returns
    -------
    Tensor
        Of the data type of `x`, and the shape that the key makes.

    Raises
    ------
    TypeError
        If the key is made of anything else.
    IndexError
        If an index is out of bounds.
    RuntimeError
        If an index is on another device than `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[1, 2], [3, 4]])
    >>> ag.getitem(x, (slice(None), 0)).tolist()  # x[:, 0]
    [1, 3]
    >>> x[ag.Tensor([1, 1, 0])].tolist()
    [[3, 4], [3, 4], [1, 2]]
    """
    x = asarray(x)
    key = raw_key(key, x._backend)
    parts = key if isinstance(key, tuple) else (key,)
    if any(hasattr(part, "dtype") for part in parts):  # by arrays: a copy
        return record(_GETITEM, (x,), key=key)
    return record_view(_GETITEM, x, key=key)


_SCATTER_ADD = Primitive(
    "scatter_add",
    values=lambda xp, g, key: xp.getitem(g, key),
)


def scatter_add(values: TensorLike, key: Any, shape: Shape, /) -> "Tensor":
    """Return zeros of a shape with `values` added at ``[key]``.

    Where the key names a cell several times, its values add up. It undoes indexing:
    ``scatter_add(x[key], key, x.shape)`` puts each element back where it was.

    Parameters
    ----------
    values : Tensor
        Numeric, of the shape of what ``[key]`` would take out of the result.
    key : int, slice, None, ..., array of bools or of integers, or a tuple of these
        Where: as in NumPy's indexing. Arrays of bools mark the elements, arrays of integers number
        them. Tensors and raw arrays must be on the device of `values`; lists may stand for them.
    shape : tuple of int
        The shape of the result.

    Returns
    -------
    Tensor
        Of that shape, of the data type of `values`.

    Raises
    ------
    TypeError
        If the key is made of anything else.
    IndexError
        If an index is out of bounds.
    RuntimeError
        If an index is on another device than `values`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.scatter_add(ag.Tensor([1.0, 2.0, 3.0]), ag.Tensor([0, 0, 2]), (4,)).tolist()
    [3.0, 0.0, 3.0, 0.0]
    """
    values = asarray(values)
    return record(_SCATTER_ADD, (values,), key=raw_key(key, values._backend), shape=tuple(shape))


def raw_key(key: Any, backend: Backend) -> Any:
    """Return an index with raw arrays in it, each on the device of the Tensor it indexes."""
    if type(key) is tuple:
        return tuple([_raw_part(each, backend) for each in key])
    return _raw_part(key, backend)


def _raw_part(key: Any, backend: Backend) -> Any:
    if isinstance(key, (int, slice)) or key is None or key is ...:
        return key
    if isinstance(key, Integral):  # NumPy's integers, which are numbers on every device
        return int(key)
    if isinstance(key, (list, tuple)):
        return backend.asarray(key) if key else backend.asarray(key, dtype=backend.int64)
    if isinstance(key, Variable):
        lift(key)
        found, raw = key._backend, key._data
    elif is_array(key):
        found, raw = backend_of(key), key
    else:
        raise TypeError(
            "an index is made of integers, slices, None, ..., boolean masks and arrays of "
            f"integers, got {type(key).__name__}"
        )
    if found is not backend:
        raise RuntimeError(
            f"getitem: the Tensor is on {backend.name!r} and its index on {found.name!r}; "
            f"move the index with .to({backend.name!r})"
        )
    return raw


_TAKE = Primitive(
    "take",
    lambda xp, x, indices, axis: xp.take(x, indices, axis=axis),
    x=lambda xp, g, x_shape, indices, axis: xp.scatter_add(
        g, (slice(None),) * (axis % len(x_shape)) + (indices,), x_shape
    ),
    indices=None,
)


def take(x: TensorLike, indices: TensorLike, /, *, axis: int | None = None) -> "Tensor":
    """Return the slices of x with the given numbers along an axis.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    indices : Tensor or list
        Of integers: the numbers of the slices, in any order, several times if need be.
    axis : int, optional
        The axis; it may be left out for a vector.

    Returns
    -------
    Tensor
        Of the data type of `x`, and of its shape but for the axis, which has a place for each
        index. What is taken twice gets both gradients, added.

    Raises
    ------
    ValueError
        If no axis is given and `x` isn't a vector.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.take(ag.Tensor([[1, 2, 3], [4, 5, 6]]), ag.Tensor([2, 0]), axis=1).tolist()
    [[3, 1], [6, 4]]
    """
    x = asarray(x)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take from {x.ndim} dimensions needs an axis")
        axis = 0
    return record(_TAKE, (x, as_indices(indices, x)), axis=axis)


def as_indices(indices: TensorLike, x: "Tensor", who: str = "") -> "Tensor":
    """Return indices as a Tensor on the device of `x`: lists go there, Tensors must be there."""
    if isinstance(indices, (int, list, tuple)):
        dtype = None if indices or indices == 0 else "int64"  # an empty list would be of floats
        found = asarray(indices, dtype=dtype, device=x.device)
    else:
        found = asarray(indices)
    if not found.dtype.is_integer:
        raise TypeError(f"{who}indices must be integers, got {found.dtype!r}")
    if found._backend is not x._backend:
        raise RuntimeError(
            f"the Tensor is on {x.device!r} and its indices on {found.device!r}; "
            f"move the indices with .to({x.device!r})"
        )
    return found


def take_along_axis(x: TensorLike, indices: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return, along an axis, the elements whose numbers `indices` has at each place.

    Parameters
    ----------
    x : Tensor
        Of any data type.
    indices : Tensor
        Of integers, of as many dimensions as `x`; all but the axis broadcast against those of `x`.
    axis : int
        The axis to take elements from.

    Returns
    -------
    Tensor
        Of the data type of `x` and, if nothing had to be broadcast, the shape of `indices`.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[3, 1, 2], [4, 6, 5]])
    >>> ag.take_along_axis(x, ag.Tensor([[1], [0]]), axis=1).tolist()
    [[1], [4]]
    """
    x = asarray(x)
    if not -x.ndim <= axis < x.ndim:
        raise IndexError(f"axis {axis} is out of bounds for {x.ndim} dimensions")
    axis = axis % x.ndim

    def full_key(xp: Backend, raw: Any) -> Any:
        """Name each element by all its coordinates."""
        places = []
        for a, n in enumerate(x.shape):
            shape = tuple(-1 if a == b else 1 for b in range(x.ndim))
            places.append(raw if a == axis else xp.reshape(xp.arange(n), shape))
        return tuple(xp.broadcast_arrays(*places))

    return getitem(x, x._backend.call(full_key, as_indices(indices, x)._data))
