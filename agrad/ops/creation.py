"""Creation: new Tensors from numbers, lists and arrays. None of them requires a gradient."""

from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, Variable, record, wrap
from agrad.backends import CPU, Backend, backend_for
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
    """Return numbers, nested lists, a raw array or a Tensor as a Tensor."""
    if isinstance(obj, Variable):  # stays in the graph
        tensor = obj if device is None else to_device(obj, device)
        tensor = tensor if dtype is None else astype(tensor, dtype, copy=False)
        return positive(tensor) if copy and tensor is obj else tensor
    return wrap(*to_array(obj, dtype, device, copy))


def _create(name: str, *args: Any, dtype: DTypeLike, device: str | None, **options: Any) -> "Tensor":
    """Call a creation function of the library that holds a device's arrays."""
    backend = CPU if device is None else backend_for(device)
    wanted = None if dtype is None else backend.dtype(dtype)
    function = getattr(backend, name)

    def create(xp: Backend) -> Any:
        return function(*args, dtype=wanted, **options)

    return wrap(backend.call(create), backend)


def zeros(shape: int | Shape, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return a Tensor of zeros."""
    return _create("zeros", shape, dtype=dtype, device=device)


def ones(shape: int | Shape, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return a Tensor of ones."""
    return _create("ones", shape, dtype=dtype, device=device)


def empty(shape: int | Shape, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return a Tensor whose values are not set."""
    return _create("empty", shape, dtype=dtype, device=device)


def full(
    shape: int | Shape,
    fill_value: Scalar,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
) -> "Tensor":
    """Return a Tensor filled with one value."""
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
    """Return evenly spaced numbers from start (or 0) up to, not including, stop."""
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
    """Return `num` evenly spaced numbers from start to stop, with stop unless told otherwise."""
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
    """Return a matrix with ones on its k-th diagonal and zeros elsewhere."""
    return _create("eye", n_rows, n_cols, k=k, dtype=dtype, device=device)


def _create_like(
    name: str, x: TensorLike, *args: Any, dtype: DTypeLike, device: str | None
) -> "Tensor":
    like = asarray(x)
    dtype = like.dtype if dtype is None else dtype
    return _create(name, like.shape, *args, dtype=dtype, device=device or like.device)


def zeros_like(
    x: TensorLike, /, *, dtype: DTypeLike = None, device: str | None = None
) -> "Tensor":
    """Return zeros of the shape, data type and device of x."""
    return _create_like("zeros", x, dtype=dtype, device=device)


def ones_like(x: TensorLike, /, *, dtype: DTypeLike = None, device: str | None = None) -> "Tensor":
    """Return ones of the shape, data type and device of x."""
    return _create_like("ones", x, dtype=dtype, device=device)


def empty_like(
    x: TensorLike, /, *, dtype: DTypeLike = None, device: str | None = None
) -> "Tensor":
    """Return a Tensor of the shape, data type and device of x whose values are not set."""
    return _create_like("empty", x, dtype=dtype, device=device)


def full_like(
    x: TensorLike,
    /,
    fill_value: Scalar,
    *,
    dtype: DTypeLike = None,
    device: str | None = None,
) -> "Tensor":
    """Return a Tensor of the shape, data type and device of x filled with one value."""
    return _create_like("full", x, fill_value, dtype=dtype, device=device)


_TRIL = Primitive("tril", x=lambda xp, g, k: xp.tril(g, k=k))


def tril(x: TensorLike, /, *, k: int = 0) -> "Tensor":
    """Return a matrix's lower triangle, up to the k-th diagonal, with zeros above."""
    return record(_TRIL, (x,), k=k)


_TRIU = Primitive("triu", x=lambda xp, g, k: xp.triu(g, k=k))


def triu(x: TensorLike, /, *, k: int = 0) -> "Tensor":
    """Return a matrix's upper triangle, from the k-th diagonal, with zeros below."""
    return record(_TRIU, (x,), k=k)
