"""Data types and devices: the same values, stored otherwise."""

from typing import TYPE_CHECKING, Any, cast

from agrad.autograd import Edge, Node, Primitive, Variable, is_grad_enabled, record, wrap
from agrad.backends import CPU, Backend, backend_for, backend_of, is_array
from agrad.dtypes import dtype as as_dtype
from agrad.typing import DTypeLike, TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor


def to_array(data: Any, dtype: DTypeLike, device: str | None, copy: bool | None) -> Any:
    """Return `data` as a raw array, on its own device if none is named, and that backend."""
    if isinstance(data, Variable):
        data = data._data
    if is_array(data):
        source = backend_of(data)
        backend = source if device is None else backend_for(device)
        moved = source.to_device(data, backend)
        copy = copy if moved is data else None
    else:
        if isinstance(data, (list, tuple)):
            data = _numbers(data)
        backend = CPU if device is None else backend_for(device)
        moved = data
    wanted = None if dtype is None else backend.dtype(dtype)
    return backend.asarray(moved, dtype=wanted, copy=copy), backend


def _numbers(data: Any) -> Any:
    """Return nested lists with the zero-dimensional Tensors and arrays in them as numbers."""
    if isinstance(data, (list, tuple)):
        return [_numbers(each) for each in data]
    if isinstance(data, Variable):
        return data.tolist()  # type: ignore[attr-defined]
    return data


def as_tensor(x: TensorLike) -> "Tensor":
    """Return a Tensor as it is, and a Tensor of anything else."""
    return cast("Tensor", x) if isinstance(x, Variable) else wrap(*to_array(x, None, None, None))


# The engine casts each gradient to the data type of its input, so the rule has nothing to do.
_ASTYPE = Primitive("astype", lambda xp, x, dtype: xp.astype(x, dtype), x=lambda xp, g: g)


def astype(x: TensorLike, dtype: DTypeLike, /, *, copy: bool = True) -> "Tensor":
    """Return x cast to a data type; only a floating-point result requires a gradient.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type. Its gradient is cast back to its data type.
    dtype : dtype or str
        The data type, such as ``agrad.float32`` or "float32".
    copy : bool
        Copy also where the data type is that of `x` already; otherwise `x` itself is returned.

    Returns
    -------
    Tensor
        Of the shape of `x`, on its device.

    Raises
    ------
    TypeError
        If there is no such data type, or the library of `x` doesn't have it.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.astype(ag.Tensor([1.5, -1.5]), ag.int64).tolist()
    [1, -1]
    """
    tensor = as_tensor(x)
    wanted = tensor._backend.dtype(dtype)
    if not copy and tensor._data.dtype == wanted:
        return tensor
    source = tensor if as_dtype(dtype).is_differentiable else tensor.detach()
    return record(_ASTYPE, (source,), dtype=wanted)


_TO_DEVICE = Primitive("to_device", x=lambda xp, g, source: xp.to_device(g, source))


def to_device(x: TensorLike, device: str | Backend, /) -> "Tensor":
    """Return x on another device; its gradient travels back to where x is.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    device : str
        "cpu", "cuda", "cuda:1", or another Tensor's ``device``.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; `x` itself if it is there.

    Raises
    ------
    ValueError
        If there is no device of that name.
    ImportError
        If it is a GPU, and CuPy is not installed.
    RuntimeError
        If it is a GPU, and CuPy can't use it.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.to_device(ag.Tensor([1.0]), "cpu").device
    'cpu'
    """
    tensor = as_tensor(x)
    source, target = tensor._backend, backend_for(device)
    if target is source:
        return tensor
    moved = source.to_device(tensor._data, target)
    # By hand, because this function's output is not on the device of its input
    edges: list[Edge] = [(tensor._node, 0, (source,))] if tensor._node is not None else []
    recorded = edges and is_grad_enabled()
    rules = target.bound[_TO_DEVICE].rules
    return wrap(moved, target, Node(_TO_DEVICE, target, rules, moved, edges) if recorded else None)
