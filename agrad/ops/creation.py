"""Creation: new Tensors from numbers, lists and arrays. None of them requires a gradient."""

from typing import TYPE_CHECKING, Any, Literal, cast

from agrad.autograd import Primitive, Variable, lift, record, wrap
from agrad.backends import (
    Backend,
    backend_for,
    backend_of,
    backend_of_dlpack,
    default_backend,
    is_array,
)
from agrad.ops.data_types import astype, to_array, to_device
from agrad.ops.elementwise import positive
from agrad.typing import DTypeLike, Scalar, Shape, TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor


def asarray(
    obj: Any,
    /,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
    copy: bool | None = None,
) -> "Tensor":
    """Return numbers, nested lists, a raw array or a Tensor as a Tensor.

    Parameters
    ----------
    obj : number, nested lists, array or Tensor
        The values. A Tensor stays in the graph: gradients pass through to it.
    dtype : dtype or str, optional
        The data type; by default that of `obj`, or what the library makes of numbers.
    device : str, optional
        Where it is to be; by default where `obj` is; the default device for numbers and lists.
    copy : bool, optional
        True copies always; False refuses to copy; by default it is copied only where it must be.

    Returns
    -------
    Tensor
        Of the shape of `obj`; `obj` itself if it is a Tensor that needs no change.

    Raises
    ------
    TypeError
        If `obj` isn't made of numbers.
    ValueError
        If there is no such device, or a copy is needed and refused.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.asarray([[1, 2], [3, 4]], dtype=ag.float32)
    Tensor([[1., 2.],
            [3., 4.]], dtype=float32)
    """
    if isinstance(obj, Variable):  # stays in the graph
        lift(obj)
        tensor = cast("Tensor", obj) if device is None else to_device(obj, device)
        tensor = tensor if dtype is None else astype(tensor, dtype, copy=False)
        if copy is False and tensor is not obj:
            raise ValueError(
                "copy=False, but a Tensor must be copied for another data type or device"
            )
        is_new = device is None and tensor is not obj  # other devices may share its memory
        if not copy or is_new:
            return tensor
        if tensor.requires_grad:
            return positive(tensor)
        return wrap(tensor._backend.asarray(tensor._data, copy=True), tensor._backend)
    return wrap(*to_array(obj, dtype, device, copy))


def _create(
    name: str, *args: Any, dtype: DTypeLike, device: str | None, **options: Any
) -> "Tensor":
    """Call a creation function of the library that holds a device's arrays."""
    backend = default_backend() if device is None else backend_for(device)
    wanted = None if dtype is None else backend.dtype(dtype)
    function = getattr(backend, name)

    def create(xp: Backend) -> Any:
        return function(*args, dtype=wanted, **options)

    return wrap(backend.call(create), backend)


def zeros(shape: int | Shape, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return a Tensor of zeros.

    Parameters
    ----------
    shape : int or tuple of int
        The length of each axis.
    dtype : dtype or str, optional
        The data type; by default the library's own choice, float64 for NumPy.
    device : str, optional
        Where to make it; the default device, the CPU, if not given.

    Returns
    -------
    Tensor
        Of that shape.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.zeros((3,)).tolist()
    [0.0, 0.0, 0.0]
    """
    return _create("zeros", shape, dtype=dtype, device=device)


def ones(shape: int | Shape, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return a Tensor of ones.

    Parameters
    ----------
    shape : int or tuple of int
        The length of each axis.
    dtype : dtype or str, optional
        The data type; by default the library's own choice, float64 for NumPy.
    device : str, optional
        Where to make it; the default device, the CPU, if not given.

    Returns
    -------
    Tensor
        Of that shape.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.ones((3,)).tolist()
    [1.0, 1.0, 1.0]
    """
    return _create("ones", shape, dtype=dtype, device=device)


def empty(shape: int | Shape, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return a Tensor whose values are not set: whatever the memory held.

    Parameters
    ----------
    shape : int or tuple of int
        The length of each axis.
    dtype : dtype or str, optional
        The data type; by default the library's own choice, float64 for NumPy.
    device : str, optional
        Where to make it; the default device, the CPU, if not given.

    Returns
    -------
    Tensor
        Of that shape.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.empty((2, 3)).shape
    (2, 3)
    """
    return _create("empty", shape, dtype=dtype, device=device)


# Of a Tensor, whose gradient the engine sums over the axes that it was stretched along
_FULL = Primitive(
    "full",
    lambda xp, fill_value, shape: xp.asarray(xp.broadcast_to(fill_value, shape), copy=True),
    fill_value=lambda xp, g: g,
)


def full(
    shape: int | Shape,
    fill_value: Scalar | TensorLike,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
) -> "Tensor":
    """Return a Tensor filled with one value.

    Parameters
    ----------
    shape : int or tuple of int
        The length of each axis.
    fill_value : number or Tensor
        The value of all elements. A Tensor of no dimensions stays in the graph: it gets the sum of
        all the elements' gradients.
    dtype : dtype or str, optional
        The data type; by default what the library makes of the value.
    device : str, optional
        Where to make it; if not given, where `fill_value` is if that is a Tensor, else the default
        device, the CPU.

    Returns
    -------
    Tensor
        Of that shape.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.full((2,), 0.5).tolist()
    [0.5, 0.5]
    """
    if isinstance(fill_value, Variable) or is_array(fill_value):
        value = asarray(fill_value, dtype=dtype, device=device)
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return record(_FULL, (value,), shape=shape)
    return _create("full", shape, fill_value, dtype=dtype, device=device)


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
) -> "Tensor":
    """Return evenly spaced numbers from start (or 0) up to, not including, stop.

    Parameters
    ----------
    start : number
        The first number; the end, if `stop` is not given.
    stop : number, optional
        The end, which is not included.
    step : number
        The distance from one number to the next; it may be negative.
    dtype : dtype or str, optional
        The data type; by default integers if all three are, else floating-point.
    device : str, optional
        Where to make it; the default device, the CPU, if not given.

    Returns
    -------
    Tensor
        Of one dimension.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.arange(3).tolist(), ag.arange(1, 2, 0.25).tolist()
    ([0, 1, 2], [1.0, 1.25, 1.5, 1.75])
    """
    if stop is None:
        start, stop = 0, start
    return _create("arange", start, stop, step, dtype=dtype, device=device)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
    endpoint: bool = True,
) -> "Tensor":
    """Return `num` evenly spaced numbers from start to stop.

    Parameters
    ----------
    start, stop : number
        The first and the last number.
    num : int
        How many.
    dtype : dtype or str, optional
        The data type; by default the library's own choice, float64 for NumPy.
    device : str, optional
        Where to make it; the default device, the CPU, if not given.
    endpoint : bool
        Whether `stop` is the last number; otherwise it would be the next one.

    Returns
    -------
    Tensor
        Of shape (num,).

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return _create("linspace", start, stop, num, dtype=dtype, device=device, endpoint=endpoint)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DTypeLike = None,
    device: str | None = None,
) -> "Tensor":
    """Return a matrix with ones on its k-th diagonal and zeros elsewhere.

    Parameters
    ----------
    n_rows : int
        The number of rows.
    n_cols : int, optional
        The number of columns; as many as rows by default.
    k : int
        Which diagonal: 0 is the main one, 1 the next above it, -1 the next below.
    dtype : dtype or str, optional
        The data type; by default the library's own choice, float64 for NumPy.
    device : str, optional
        Where to make it; the default device, the CPU, if not given.

    Returns
    -------
    Tensor
        Of shape (n_rows, n_cols).

    Examples
    --------
    >>> import agrad as ag
    >>> ag.eye(2, 3, k=1).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return _create("eye", n_rows, n_cols, k=k, dtype=dtype, device=device)


def _create_like(
    name: str, x: TensorLike, *args: Any, dtype: DTypeLike, device: str | None
) -> "Tensor":
    like = asarray(x)
    dtype = like.dtype if dtype is None else dtype
    return _create(name, like.shape, *args, dtype=dtype, device=device or like.device)


def zeros_like(x: TensorLike, /, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return zeros in the shape of another Tensor.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    dtype : dtype or str, optional
        The data type; that of `x` by default.
    device : str, optional
        Where to make it; where `x` is by default.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.zeros_like(ag.Tensor([5, 6])).tolist()
    [0, 0]
    """
    return _create_like("zeros", x, dtype=dtype, device=device)


def ones_like(x: TensorLike, /, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return ones in the shape of another Tensor.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    dtype : dtype or str, optional
        The data type; that of `x` by default.
    device : str, optional
        Where to make it; where `x` is by default.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.ones_like(ag.Tensor([5, 6])).tolist()
    [1, 1]
    """
    return _create_like("ones", x, dtype=dtype, device=device)


def empty_like(x: TensorLike, /, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return a Tensor in the shape of another, whose values are not set.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    dtype : dtype or str, optional
        The data type; that of `x` by default.
    device : str, optional
        Where to make it; where `x` is by default.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.empty_like(ag.Tensor([5, 6])).shape
    (2,)
    """
    return _create_like("empty", x, dtype=dtype, device=device)


def full_like(
    x: TensorLike,
    /,
    fill_value: Scalar | TensorLike,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
) -> "Tensor":
    """Return a Tensor in the shape of another, filled with one value.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    fill_value : number or Tensor
        The value of all elements; see `full`.
    dtype : dtype or str, optional
        The data type; that of `x` by default.
    device : str, optional
        Where to make it; where `x` is by default.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.full_like(ag.Tensor([1, 2]), 7).tolist()
    [7, 7]
    """
    like = asarray(x)
    dtype = like.dtype if dtype is None else dtype
    return full(like.shape, fill_value, dtype=dtype, device=device or like.device)


_TRIL = Primitive("tril", x=lambda xp, g, k: xp.tril(g, k=k))


def tril(x: TensorLike, /, *, k: int = 0) -> "Tensor":
    """Return a matrix's lower triangle, up to the k-th diagonal, with zeros above.

    Parameters
    ----------
    x : Tensor
        A matrix, or a stack of them: of shape (..., rows, columns).
    k : int
        Which diagonal: 0 is the main one, 1 the next above it, -1 the next below.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.tril(ag.Tensor([[1, 2], [3, 4]])).tolist()
    [[1, 0], [3, 4]]
    """
    return record(_TRIL, (x,), k=k)


_TRIU = Primitive("triu", x=lambda xp, g, k: xp.triu(g, k=k))


def triu(x: TensorLike, /, *, k: int = 0) -> "Tensor":
    """Return a matrix's upper triangle, from the k-th diagonal, with zeros below.

    Parameters
    ----------
    x : Tensor
        A matrix, or a stack of them: of shape (..., rows, columns).
    k : int
        Which diagonal: 0 is the main one, 1 the next above it, -1 the next below.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.triu(ag.Tensor([[1, 2], [3, 4]])).tolist()
    [[1, 2], [0, 4]]
    """
    return record(_TRIU, (x,), k=k)


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> "Tensor":
    """Return an array of another library as a Tensor that shares its memory, by DLPack.

    Parameters
    ----------
    x : array or Tensor
        Anything with ``__dlpack__`` and ``__dlpack_device__``.
    device : str, optional
        Where it is to be. By default it stays where it is, and with its library if agrad runs over
        that: PyTorch's arrays are on "torch:cpu", and "cpu" makes them NumPy's. Arrays of unknown
        libraries become NumPy's, or CuPy's on a GPU.
    copy : bool, optional
        True copies always; False refuses to copy; by default it is copied only where it must be.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`. It requires no gradient.

    Raises
    ------
    AttributeError
        If `x` knows nothing of DLPack.
    BufferError
        If the memory can't be shared, or a copy is needed and refused.
    ValueError
        If there is no such device, or a copy is needed and refused.

    Examples
    --------
    >>> import numpy as np, agrad as ag
    >>> array = np.zeros(2)
    >>> x = ag.from_dlpack(array)
    >>> array[0] = 7
    >>> x
    Tensor([7., 0.], dtype=float64)
    """
    if isinstance(x, Variable):
        x = cast("Tensor", x)._exported()
    if not is_array(x):
        target = backend_of_dlpack(x) if device is None else backend_for(device)
        return wrap(target.from_dlpack(x, copy), target)
    target = backend_of(x) if device is None else backend_for(device)
    if copy is False and target is not backend_of(x):
        return wrap(target.from_dlpack(x, copy), target)
    return wrap(*to_array(x, None, device, copy))


def meshgrid(*arrays: TensorLike, indexing: Literal["xy", "ij"] = "xy") -> "tuple[Tensor, ...]":
    """Return, for each of several vectors, its values at all points of their grid.

    Parameters
    ----------
    *arrays : Tensor
        Vectors, the coordinates along each axis of the grid.
    indexing : "xy" or "ij"
        With "ij" the n-th vector runs along the n-th axis; with "xy" the first two change places,
        as in a picture, whose rows are numbered by y.

    Returns
    -------
    tuple of Tensor
        As many as vectors, each of as many dimensions.

    Raises
    ------
    ValueError
        If one of them is no vector, or there is no such indexing.

    Examples
    --------
    >>> import agrad as ag
    >>> x, y = ag.meshgrid(ag.Tensor([1, 2, 3]), ag.Tensor([10, 20]))
    >>> x.tolist(), y.tolist()
    ([[1, 2, 3], [1, 2, 3]], [[10, 10, 10], [20, 20, 20]])
    """
    from agrad.ops.manipulation import broadcast_arrays, reshape

    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing must be 'xy' or 'ij', got {indexing!r}")
    vectors = [asarray(x) for x in arrays]
    if any(x.ndim != 1 for x in vectors):
        raise ValueError(f"meshgrid needs vectors, got shapes {[x.shape for x in vectors]}")
    places = list(range(len(vectors)))
    if indexing == "xy":
        places[:2] = reversed(places[:2])
    shapes = [tuple(-1 if axis == place else 1 for axis in range(len(places))) for place in places]
    grids = [reshape(x, shape) for x, shape in zip(vectors, shapes, strict=True)]
    return broadcast_arrays(*grids)
