"""Statistics: sums, means and the like over axes."""

import math
from typing import TYPE_CHECKING, Any, TypeAlias

from agrad.autograd import Primitive, record
from agrad.ops.casting import cast_up, casting
from agrad.ops.creation import asarray, full
from agrad.ops.data_types import astype, conjugate
from agrad.ops.manipulation import concat
from agrad.typing import DTypeLike, Shape, TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

Axis: TypeAlias = int | tuple[int, ...] | None


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that a reduction runs over, as non-negative numbers."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def _count(shape: Shape, axis: Axis) -> int:
    """Return how many elements each result of a reduction is made of."""
    return math.prod(shape[a] for a in _axes(axis, len(shape)))


def _keep_axes(xp: Any, y: Any, shape: Shape, axis: Axis) -> Any:
    """Give a reduction's result back its reduced axes, of length 1: it broadcasts against x."""
    reduced = _axes(axis, len(shape))
    return xp.reshape(y, tuple(1 if a in reduced else n for a, n in enumerate(shape)))


def _spread(xp: Any, g: Any, shape: Shape, axis: Axis) -> Any:
    """Return the gradient of a sum: each element gets its sum's."""
    return xp.broadcast_to(_keep_axes(xp, g, shape, axis), shape)


_SUM = Primitive("sum", x=lambda xp, g, x_shape, axis: _spread(xp, g, x_shape, axis))


def sum(
    x: TensorLike, /, *, axis: Axis = None, dtype: DTypeLike = None, keepdims: bool = False
) -> "Tensor":
    """Return the sum over axes, or of all elements.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.
    axis : int or tuple of int, optional
        The axes to reduce; all of them by default.
    dtype : dtype or str, optional
        Cast to this data type first, and stay with it.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Without the reduced axes. Of the data type of `x`, but small integers and bools become the
        library's default integers.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[1, 2], [3, 4]])
    >>> ag.sum(x).item(), ag.sum(x, axis=0).tolist()
    (10, [4, 6])
    """
    if dtype is None:
        if casting.state:
            x = cast_up(x)
        return record(_SUM, (x,), axis=axis, keepdims=keepdims)
    x = astype(x, dtype, copy=False)
    return record(_SUM, (x,), axis=axis, keepdims=keepdims, dtype=x._data.dtype)


_MEAN = Primitive(
    "mean",
    x=lambda xp, g, x_shape, axis: _spread(xp, g / _count(x_shape, axis), x_shape, axis),
)


def mean(x: TensorLike, /, *, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """Return the mean over axes, or of all elements.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.
    axis : int or tuple of int, optional
        The axes to reduce; all of them by default.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Without the reduced axes, of the data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.mean(ag.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1).tolist()
    [1.5, 3.5]
    """
    return record(_MEAN, (x,), axis=axis, keepdims=keepdims)


def _var_x(xp: Any, g: Any, x: Any, axis: Axis, correction: float) -> Any:
    # d/dx of sum((x - mean)**2) / (n - correction); the mean's own part sums to zero
    degrees = _count(x.shape, axis) - correction
    degrees = degrees if degrees > 0 else 0
    deviation = x - xp.mean(x, axis=axis, keepdims=True)
    slope = 2 * conjugate(xp, deviation)  # of abs(x - mean)**2, for complex numbers
    return _keep_axes(xp, g, x.shape, axis) * slope / degrees


_VAR = Primitive("var", x=_var_x)


def var(
    x: TensorLike, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> "Tensor":
    """Return the variance over axes, or of all elements.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.
    axis : int or tuple of int, optional
        The axes to reduce; all of them by default.
    correction : float
        The variance is the sum of squared deviations over n - correction: 0 gives that of the
        elements themselves, 1 an unbiased estimate of that of their source.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Without the reduced axes, of the data type of `x`, or that of its parts if it is complex.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([1.0, 3.0])
    >>> ag.var(x).item(), ag.var(x, correction=1).item()
    (1.0, 2.0)
    """
    return record(_VAR, (x,), axis=axis, correction=correction, keepdims=keepdims)


def _std_x(xp: Any, g: Any, x: Any, out: Any, axis: Axis, correction: float) -> Any:
    # Of elements that are all equal, the deviation is 0 and so is `out`: 0 / 0 is taken as 0.
    safe = xp.where(out == 0, xp.ones_like(out), out)
    return _var_x(xp, g / (2 * safe), x, axis, correction)


_STD = Primitive("std", lambda xp, x, **options: xp.sqrt(xp.var(x, **options)), x=_std_x)


def std(
    x: TensorLike, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> "Tensor":
    """Return the standard deviation over axes, the square root of `var`.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.
    axis : int or tuple of int, optional
        The axes to reduce; all of them by default.
    correction : float
        The variance is the sum of squared deviations over n - correction: 0 gives that of the
        elements themselves, 1 an unbiased estimate of that of their source.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Without the reduced axes, of the data type of `x`, or that of its parts if it is complex.

    Notes
    -----
    Where all elements are equal, the derivative is taken as 0.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.std(ag.Tensor([1.0, 3.0])).item()
    1.0
    """
    return record(_STD, (x,), axis=axis, correction=correction, keepdims=keepdims)


def _share_among_equals(xp: Any, g: Any, x: Any, out: Any, axis: Axis) -> Any:
    """Return the gradient of a maximum or minimum: those that attain it share it evenly."""
    attains = xp.astype(x == _keep_axes(xp, out, x.shape, axis), g.dtype)
    share = attains / xp.sum(attains, axis=axis, keepdims=True)
    return share * _keep_axes(xp, g, x.shape, axis)


_MAX = Primitive("max", x=_share_among_equals)


def max(x: TensorLike, /, *, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """Return the greatest element over axes, or of all.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.
    axis : int or tuple of int, optional
        The axes to reduce; all of them by default.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Without the reduced axes, of the data type of `x`.

    Notes
    -----
    Several elements that attain it share the gradient evenly.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.max(ag.Tensor([[1, 5], [7, 3]]), axis=0).tolist()
    [7, 5]
    """
    return record(_MAX, (x,), axis=axis, keepdims=keepdims)


_MIN = Primitive("min", x=_share_among_equals)


def min(x: TensorLike, /, *, axis: Axis = None, keepdims: bool = False) -> "Tensor":
    """Return the smallest element over axes, or of all.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.
    axis : int or tuple of int, optional
        The axes to reduce; all of them by default.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Without the reduced axes, of the data type of `x`.

    Notes
    -----
    Several elements that attain it share the gradient evenly.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.min(ag.Tensor([[1, 5], [7, 3]]), axis=0).tolist()
    [1, 3]
    """
    return record(_MIN, (x,), axis=axis, keepdims=keepdims)


def _prod_x(xp: Any, g: Any, x: Any, axis: Axis) -> Any:
    # The product of all the others: out / x would fail where x is 0.
    axes = _axes(axis, x.ndim)
    others = tuple(a for a in range(x.ndim) if a not in axes)
    order = (*others, *axes)
    moved = xp.permute_dims(x, order)
    kept = moved.shape[: len(others)]
    rows = xp.reshape(moved, (*kept, _count(x.shape, axis)))
    before = _cumulative_prod_of_earlier(xp, rows)
    after = xp.flip(_cumulative_prod_of_earlier(xp, xp.flip(rows, axis=-1)), axis=-1)
    product = xp.reshape(before * after, moved.shape)
    back = tuple(order.index(a) for a in range(x.ndim))
    return _keep_axes(xp, g, x.shape, axis) * xp.permute_dims(product, back)


def _cumulative_prod_of_earlier(xp: Any, x: Any) -> Any:
    """Return, along the last axis, the product of the elements before each: 1 for the first."""
    return xp.cumulative_prod(_shift(xp, x, 1, xp.ones_like), axis=-1)


def _shift(xp: Any, x: Any, steps: int, fill_like: Any) -> Any:
    """Move the elements `steps` places up the last axis; the places left are filled."""
    n = x.shape[-1]
    steps = steps if steps < n else n
    return xp.concat([fill_like(x[..., :steps]), x[..., : n - steps]], axis=-1)


_PROD = Primitive("prod", x=_prod_x)


def prod(
    x: TensorLike, /, *, axis: Axis = None, dtype: DTypeLike = None, keepdims: bool = False
) -> "Tensor":
    """Return the product over axes, or of all elements.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.
    axis : int or tuple of int, optional
        The axes to reduce; all of them by default.
    dtype : dtype or str, optional
        Cast to this data type first, and stay with it.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Without the reduced axes. Of the data type of `x`, but small integers and bools become the
        library's default integers.

    Notes
    -----
    An element's gradient is the product of all the others, computed without a division: zeros among
    them do no harm.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.prod(ag.Tensor([[1, 2], [3, 4]]), axis=1).tolist()
    [2, 12]
    """
    if dtype is None:
        if casting.state:
            x = cast_up(x)
        return record(_PROD, (x,), axis=axis, keepdims=keepdims)
    x = astype(x, dtype, copy=False)
    return record(_PROD, (x,), axis=axis, keepdims=keepdims, dtype=x._data.dtype)


def _cumulative_sum_x(xp: Any, g: Any, axis: int) -> Any:
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)


_CUMULATIVE_SUM = Primitive("cumulative_sum", x=_cumulative_sum_x)


def cumulative_sum(
    x: TensorLike,
    /,
    *,
    axis: int | None = None,
    dtype: DTypeLike = None,
    include_initial: bool = False,
) -> "Tensor":
    """Return the sums of the elements up to each along an axis.

    Parameters
    ----------
    x : Tensor
        Numeric.
    axis : int, optional
        The axis to run along; it may be left out for a vector.
    dtype : dtype or str, optional
        Cast to this data type first, and stay with it.
    include_initial : bool
        Put a 0, the sum of none, in front, so that the axis is one longer.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`, but small integers and bools become the library's default
        integers.

    Raises
    ------
    ValueError
        If no axis is given and `x` has several dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.cumulative_sum(ag.Tensor([1, 2, 3])).tolist()
    [1, 3, 6]
    >>> ag.cumulative_sum(ag.Tensor([1, 2, 3]), include_initial=True).tolist()
    [0, 1, 3, 6]
    """
    return _cumulate(_CUMULATIVE_SUM, 0, x, axis, dtype, include_initial)


def _cumulative_prod_x(xp: Any, g: Any, x: Any, axis: int) -> Any:
    # The product up to k has the derivative (product before i) * (product of i+1 .. k) for i <= k.
    # The sum over k of g[k] times the second factor obeys s[i] = g[i] + x[i+1] * s[i+1]. Such a
    # recurrence needs log2(n) steps by doubling: after each, s holds twice as many of its terms.
    # No division, so zeros in x do no harm.
    x, g = xp.moveaxis(x, axis, -1), xp.moveaxis(g, axis, -1)
    before = _cumulative_prod_of_earlier(xp, x)
    s = xp.flip(g, axis=-1)
    factor = _shift(xp, xp.flip(x, axis=-1), 1, xp.zeros_like)
    steps = 1
    while steps < x.shape[-1]:
        s = s + factor * _shift(xp, s, steps, xp.zeros_like)
        factor = factor * _shift(xp, factor, steps, xp.zeros_like)
        steps *= 2
    return xp.moveaxis(before * xp.flip(s, axis=-1), -1, axis)


_CUMULATIVE_PROD = Primitive("cumulative_prod", x=_cumulative_prod_x)


def cumulative_prod(
    x: TensorLike,
    /,
    *,
    axis: int | None = None,
    dtype: DTypeLike = None,
    include_initial: bool = False,
) -> "Tensor":
    """Return the products of the elements up to each along an axis.

    Parameters
    ----------
    x : Tensor
        Numeric.
    axis : int, optional
        The axis to run along; it may be left out for a vector.
    dtype : dtype or str, optional
        Cast to this data type first, and stay with it.
    include_initial : bool
        Put a 1, the product of none, in front, so that the axis is one longer.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`, but small integers and bools become the library's default
        integers.

    Raises
    ------
    ValueError
        If no axis is given and `x` has several dimensions.

    Notes
    -----
    The gradient is computed without a division, in log2(n) steps: zeros in `x` do no harm.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.cumulative_prod(ag.Tensor([1, 2, 3])).tolist()
    [1, 2, 6]
    """
    return _cumulate(_CUMULATIVE_PROD, 1, x, axis, dtype, include_initial)


def _cumulate(
    primitive: Primitive,
    initial: int,
    x: TensorLike,
    axis: int | None,
    dtype: DTypeLike,
    include_initial: bool,
) -> "Tensor":
    options: dict[str, Any] = {}
    if casting.state:
        x = cast_up(x)
    x = asarray(x)
    if dtype is not None:
        x = astype(x, dtype, copy=False)
        options["dtype"] = x._data.dtype  # otherwise small integers would become larger ones
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"{primitive.name} of {x.ndim} dimensions needs an axis")
        axis = 0
    result = record(primitive, (x,), axis=axis, **options)
    if not include_initial:
        return result
    first = (1 if a == axis % x.ndim else n for a, n in enumerate(x.shape))
    start = full(tuple(first), initial, dtype=result.dtype, device=result.device)
    return concat([start, result], axis=axis)
