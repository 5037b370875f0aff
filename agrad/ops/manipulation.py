"""Manipulation: the same elements in another shape or order."""

import math
from collections.abc import Callable, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, record, record_view
from agrad.ops.creation import asarray, full
from agrad.ops.indexing import as_indices, getitem, take
from agrad.typing import Shape, TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor


_RESHAPE = Primitive(
    "reshape",
    lambda xp, x, shape: xp.reshape(x, shape),
    x=lambda xp, g, x_shape: xp.reshape(g, x_shape),
)


def reshape(x: TensorLike, /, shape: int | Shape, *, copy: bool | None = None) -> "Tensor":
    """Return the elements in another shape, the last axis running fastest.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    shape : int or tuple of int
        The shape, of as many elements. One length may be -1, to be found from the others.
    copy : bool, optional
        True for an array of its own; False for one that shares its memory with `x`; by default it
        does so where it can.

    Returns
    -------
    Tensor
        Of that shape, of the data type of `x`.

    Raises
    ------
    ValueError
        If a copy is needed and refused, where the library can tell.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.reshape(ag.Tensor([1, 2, 3, 4]), (2, -1)).tolist()
    [[1, 2], [3, 4]]
    """
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    result = record_view(_RESHAPE, x, shape=shape)
    if copy is False and not result._backend.may_share(result._data, asarray(x)._data):
        raise ValueError(f"copy=False, but these elements must be copied for the shape {shape}")
    return asarray(result, copy=copy)


_PERMUTE_DIMS = Primitive(
    "permute_dims",
    lambda xp, x, axes: xp.permute_dims(x, axes),
    x=lambda xp, g, axes: xp.permute_dims(g, _inverse(axes)),
)


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the permutation that undoes another."""
    places = [axis % len(axes) for axis in axes]
    return tuple(places.index(axis) for axis in range(len(axes)))


def permute_dims(x: TensorLike, /, axes: tuple[int, ...]) -> "Tensor":
    """Return x with its axes in another order.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    axes : tuple of int
        For each axis of the result, which axis of `x` it is; each is named once.

    Returns
    -------
    Tensor
        Of the data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.permute_dims(ag.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = asarray(x)
    axes = normalize(tuple(axes), x.ndim)
    if len(axes) != x.ndim:
        raise ValueError(f"permute_dims needs all {x.ndim} axes, got {axes}")
    return record_view(_PERMUTE_DIMS, x, axes=axes)


def moveaxis(
    x: TensorLike, source: int | tuple[int, ...], destination: int | tuple[int, ...], /
) -> "Tensor":
    """Return x with some axes moved to other places, the rest in their order.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    source, destination : int or tuple of int
        The axes, and the places where they go.

    Returns
    -------
    Tensor
        Of the data type of `x`.

    Raises
    ------
    IndexError
        If an axis is out of bounds.
    ValueError
        If an axis or a place is named twice, or there are not as many of the one as of the other.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.moveaxis(ag.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = asarray(x)
    sources = normalize(source, x.ndim)
    destinations = normalize(destination, x.ndim)
    if len(sources) != len(destinations):
        raise ValueError(f"moveaxis: {len(sources)} axes can't go to {len(destinations)} places")
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, tuple(order))


def normalize(axis: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Return axes as distinct numbers from 0 to ndim - 1."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        if not -ndim <= a < ndim:
            raise IndexError(f"axis {a} is out of bounds for {ndim} dimensions")
    normal = tuple(a % ndim for a in axes)
    if len(set(normal)) < len(normal):
        raise ValueError(f"an axis is named twice: {axis}")
    return normal


_EXPAND_DIMS = Primitive(
    "expand_dims",
    lambda xp, x, axis: xp.expand_dims(x, axis=axis),
    x=lambda xp, g, x_shape: xp.reshape(g, x_shape),
)


def expand_dims(x: TensorLike, /, axis: int | tuple[int, ...] = 0) -> "Tensor":
    """Return x with a new axis of length 1 at a place.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    axis : int or tuple of int
        The place of the new axis in the result, or the places of several.

    Returns
    -------
    Tensor
        Of the data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.expand_dims(ag.zeros((2, 3)), 1).shape
    (2, 1, 3)
    """
    result = asarray(x)
    axes = axis if isinstance(axis, tuple) else (axis,)
    for a in sorted(normalize(axes, result.ndim + len(axes))):
        result = record_view(_EXPAND_DIMS, result, axis=a)
    return result


_SQUEEZE = Primitive(
    "squeeze",
    lambda xp, x, axis: xp.squeeze(x, axis=axis),
    x=lambda xp, g, x_shape: xp.reshape(g, x_shape),
)


def squeeze(x: TensorLike, /, axis: int | tuple[int, ...]) -> "Tensor":
    """Return x without some axes of length 1.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    axis : int or tuple of int
        The axes to leave out.

    Returns
    -------
    Tensor
        Of the data type of `x`.

    Raises
    ------
    ValueError
        If one of them has another length; PyTorch and JAX have errors of their own.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.squeeze(ag.zeros((2, 1, 3)), 1).shape
    (2, 3)
    """
    return record_view(_SQUEEZE, x, axis=axis)


_BROADCAST_TO = Primitive(
    "broadcast_to",
    lambda xp, x, shape: xp.broadcast_to(x, shape),
    x=lambda xp, g: g,  # the engine sums it over the axes that were added or stretched
)


def broadcast_to(x: TensorLike, /, shape: Shape) -> "Tensor":
    """Return x repeated along axes of length 1, and along new ones in front, to a shape.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    shape : tuple of int
        The shape to reach.

    Returns
    -------
    Tensor
        Of that shape, of the data type of `x`. Its gradient is summed over what was repeated.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.broadcast_to(ag.Tensor([[1], [2]]), (2, 3)).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    return record_view(_BROADCAST_TO, x, shape=tuple(shape))


def broadcast_shapes(*shapes: Shape) -> Shape:
    """Return the shape that several shapes broadcast to.

    Parameters
    ----------
    *shapes : tuple of int
        The shapes.

    Returns
    -------
    tuple of int
        The common shape.

    Raises
    ------
    ValueError
        If two lengths of one axis differ and neither is 1.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.broadcast_shapes((2, 1), (3,), ())
    (2, 3)
    """
    result: list[int] = []
    for shape in shapes:
        result[:0] = [1] * (len(shape) - len(result))
        for i, length in enumerate(reversed(shape), 1):
            if length != 1 and result[-i] not in (1, length):
                raise ValueError(
                    f"shapes can't be broadcast together: {', '.join(map(str, shapes))}"
                )
            result[-i] = length if length != 1 else result[-i]
    return tuple(result)


def broadcast_arrays(*arrays: TensorLike) -> "tuple[Tensor, ...]":
    """Return several Tensors broadcast to their common shape.

    Parameters
    ----------
    *arrays : Tensor
        Of any data types, and of shapes that broadcast against each other.

    Returns
    -------
    tuple of Tensor
        Each of the common shape and of its own data type.

    Raises
    ------
    ValueError
        If the shapes don't broadcast.

    Examples
    --------
    >>> import agrad as ag
    >>> [x.shape for x in ag.broadcast_arrays(ag.zeros((2, 1)), ag.zeros((3,)))]
    [(2, 3), (2, 3)]
    """
    tensors = [asarray(x) for x in arrays]
    shape = broadcast_shapes(*(x.shape for x in tensors))
    return tuple(broadcast_to(x, shape) for x in tensors)


_FLIP = Primitive("flip", x=lambda xp, g, axis: xp.flip(g, axis=axis))


def flip(x: TensorLike, /, *, axis: int | tuple[int, ...] | None = None) -> "Tensor":
    """Return x with the elements along axes in reverse.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    axis : int or tuple of int, optional
        The axes; all of them by default.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.flip(ag.Tensor([[1, 2], [3, 4]]), axis=1).tolist()
    [[2, 1], [4, 3]]
    """
    return record_view(_FLIP, x, axis=axis)


def _roll_x(xp: Any, g: Any, shift: int | tuple[int, ...], axis: Any) -> Any:
    back = tuple(-s for s in shift) if isinstance(shift, tuple) else -shift
    return xp.roll(g, back, axis=axis)


_ROLL = Primitive("roll", lambda xp, x, shift, axis: xp.roll(x, shift, axis=axis), x=_roll_x)


def roll(
    x: TensorLike,
    /,
    shift: int | tuple[int, ...],
    *,
    axis: int | tuple[int, ...] | None = None,
) -> "Tensor":
    """Return x with its elements moved along axes; what leaves at one end enters at the other.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    shift : int or tuple of int
        By how many places; one number for all axes or one for each.
    axis : int or tuple of int, optional
        The axes; by default the array is rolled as if it were flat.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.roll(ag.Tensor([1, 2, 3]), 1).tolist()
    [3, 1, 2]
    """
    return record(_ROLL, (x,), shift=shift, axis=axis)


def _concat(xp: Any, *arrays: Any, axis: int, starts: tuple[int, ...]) -> Any:
    return xp.concat(arrays, axis=axis)


def _concat_arrays(xp: Any, g: Any, position: int, axis: int, starts: tuple[int, ...]) -> Any:
    piece = slice(starts[position], starts[position + 1])
    return g[(slice(None),) * (axis % g.ndim) + (piece, ...)]


_CONCAT = Primitive("concat", _concat, variadic=True, arrays=_concat_arrays)


def concat(arrays: Sequence[TensorLike], /, *, axis: int | None = 0) -> "Tensor":
    """Return several Tensors joined along an axis.

    Parameters
    ----------
    arrays : sequence of Tensor
        At least one; of one shape but for the axis.
    axis : int, optional
        The axis to join along. With None, each is flattened first.

    Returns
    -------
    Tensor
        Of the promoted data type.

    Raises
    ------
    ValueError
        If there are none, or the shapes don't fit.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.concat([ag.Tensor([1, 2]), ag.Tensor([3])]).tolist()
    [1, 2, 3]
    """
    tensors = [asarray(x) for x in arrays]
    if not tensors:
        raise ValueError("concat needs at least one Tensor")
    if axis is None:
        tensors, axis = [reshape(x, (-1,)) for x in tensors], 0
    starts = [0]
    for x in tensors:
        starts.append(starts[-1] + (x.shape[axis] if x.ndim else 1))
    return record(_CONCAT, tensors, axis=axis, starts=tuple(starts))


def stack(arrays: Sequence[TensorLike], /, *, axis: int = 0) -> "Tensor":
    """Return several Tensors of one shape joined along a new axis.

    Parameters
    ----------
    arrays : sequence of Tensor
        At least one, all of one shape.
    axis : int
        The place of the new axis in the result.

    Returns
    -------
    Tensor
        Of the promoted data type.

    Raises
    ------
    ValueError
        If there are none, or their shapes differ.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.stack([ag.Tensor([1, 2]), ag.Tensor([3, 4])], axis=1).tolist()
    [[1, 3], [2, 4]]
    """
    tensors = [asarray(x) for x in arrays]
    shapes = sorted({x.shape for x in tensors})
    if len(shapes) > 1:
        raise ValueError(f"stack needs Tensors of one shape, got {', '.join(map(str, shapes))}")
    return concat([expand_dims(x, axis=axis) for x in tensors], axis=axis)


def unstack(x: TensorLike, /, *, axis: int = 0) -> "tuple[Tensor, ...]":
    """Return the slices of x along an axis.

    Parameters
    ----------
    x : Tensor
        Of at least one dimension.
    axis : int
        The axis, which the slices lack.

    Returns
    -------
    tuple of Tensor
        As many as the axis is long, of the data type of `x`.

    Raises
    ------
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> [row.tolist() for row in ag.unstack(ag.Tensor([[1, 2], [3, 4]]))]
    [[1, 2], [3, 4]]
    """
    moved = moveaxis(x, axis, 0)
    return tuple(getitem(moved, i) for i in range(moved.shape[0]))


def tile(x: TensorLike, repetitions: tuple[int, ...], /) -> "Tensor":
    """Return x laid out several times along each axis.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    repetitions : tuple of int
        How often along each axis. The shorter of it and the shape gets ones in front.

    Returns
    -------
    Tensor
        Of the data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.tile(ag.Tensor([1, 2]), (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    x = asarray(x)
    times = (1,) * (x.ndim - len(repetitions)) + tuple(repetitions)
    lengths = (1,) * (len(times) - x.ndim) + x.shape
    # (n,) becomes (1, n), then (times, n), then (times * n,)
    pairs = [n for length in lengths for n in (1, length)]
    copies = [n for pair in zip(times, lengths, strict=True) for n in pair]
    shape = tuple(t * n for t, n in zip(times, lengths, strict=True))
    return reshape(broadcast_to(reshape(x, tuple(pairs)), tuple(copies)), shape)


def repeat(x: TensorLike, repeats: int | TensorLike, /, *, axis: int | None = None) -> "Tensor":
    """Return x with each element, or each slice along an axis, repeated.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    repeats : int or Tensor
        How often; one number, or one for each place along the axis.
    axis : int, optional
        The axis; by default the array is flattened.

    Returns
    -------
    Tensor
        Of the data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.repeat(ag.Tensor([1, 2]), 2).tolist()
    [1, 1, 2, 2]
    >>> ag.repeat(ag.Tensor([1, 2]), ag.Tensor([0, 3])).tolist()
    [2, 2, 2]
    """
    x = asarray(x)
    if axis is None:
        x, axis = reshape(x, (math.prod(x.shape),)), 0
    backend = x._backend
    times = repeats if isinstance(repeats, int) else as_indices(repeats, x)._data
    which = backend.call(lambda xp: xp.repeat(xp.arange(x.shape[axis]), times))
    return take(x, which, axis=axis)


# For each way to fill up an axis of length n: what stands at place i, which may be beyond its ends
_FILLERS: dict[str, Callable[[int, int], int]] = {
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "reflect": lambda i, n: _bounce(i, 2 * (n - 1)),
    "symmetric": lambda i, n: _bounce(i, 2 * n, 1),
    "wrap": lambda i, n: i % n,
}


def _bounce(i: int, period: int, twice: int = 0) -> int:
    """Return the place between two mirrors, which stand on the ends or, if `twice`, beyond them."""
    i = i % period if period else 0
    return min(i, period - twice - i)


def pad(
    x: TensorLike,
    /,
    pad_width: Any,
    mode: str = "constant",
    *,
    constant_values: Any = 0,
) -> "Tensor":
    """Return x with more elements before and after it along its axes.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    pad_width : int, (before, after), sequence of such pairs, or dict
        How many elements: one number, or a pair, for all axes; or a pair for each axis; or a dict
        from axes to numbers or pairs, where the other axes stay as they are.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        What the new elements are: constants, the element at the edge, the elements mirrored at the
        one at the edge, or mirrored with it, or those at the other end.
    constant_values : number, (before, after), or sequence of such pairs
        The constants, in the same forms. Where two axes are both padded, those of the later axis
        are taken.

    Returns
    -------
    Tensor
        Of the data type of `x`. An element's gradient is the sum of those of all its copies.

    Raises
    ------
    ValueError
        If there is no such mode, a width is negative, the widths don't fit the axes, or an empty
        axis is to be filled up with elements of its own.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([1, 2, 3])
    >>> ag.pad(x, 1).tolist()
    [0, 1, 2, 3, 0]
    >>> ag.pad(x, (0, 2), "reflect").tolist()
    [1, 2, 3, 2, 1]
    """
    if mode != "constant" and mode not in _FILLERS:
        modes = ", ".join(map(repr, ("constant", *_FILLERS)))
        raise ValueError(f"pad: mode must be one of {modes}, got {mode!r}")
    given = x
    x = asarray(x)
    widths = _pairs("pad_width", pad_width, x.ndim)
    constants = _pairs("constant_values", constant_values, x.ndim)
    for axis, ((before, after), values) in enumerate(zip(widths, constants, strict=True)):
        if before < 0 or after < 0:
            raise ValueError(f"pad: pad_width must not be negative, got {(before, after)}")
        n = x.shape[axis]
        if not before and not after:
            continue
        if mode == "constant":
            ends = [
                full(
                    (*x.shape[:axis], width, *x.shape[axis + 1 :]),
                    value,
                    dtype=x.dtype,
                    device=x.device,
                )
                for width, value in zip((before, after), values, strict=True)
            ]
        elif n == 0:
            raise ValueError(f"pad: there is nothing in axis {axis} to fill it up with by {mode!r}")
        else:
            filler = _FILLERS[mode]
            places = range(-before, 0), range(n, n + after)
            ends = [take(x, [filler(i, n) for i in each], axis=axis) for each in places]
        x = concat([ends[0], x, ends[1]], axis=axis)
    return asarray(x, copy=True) if x is given else x


def _pairs(name: str, value: Any, ndim: int) -> list[tuple[Any, Any]]:
    """Return a pair for each axis, of what NumPy's pad takes."""
    if isinstance(value, dict):
        pairs: list[tuple[Any, Any]] = [(0, 0)] * ndim
        for axis, each in value.items():
            (place,) = normalize(axis, ndim)
            pairs[place] = (each, each) if isinstance(each, Number) else tuple(each)
        return pairs
    if isinstance(value, Number):
        return [(value, value)] * ndim
    values = list(value)
    if all(isinstance(each, Number) for each in values):
        values = [values]
    values = [tuple(each) * (2 if len(each) == 1 else 1) for each in values]
    if len(values) == 1:
        values = values * ndim
    if len(values) != ndim or any(len(each) != 2 for each in values):
        raise ValueError(
            f"pad: {name} must be a number, a pair, or a pair for each of the {ndim} axes, "
            f"got {value!r}"
        )
    return values
