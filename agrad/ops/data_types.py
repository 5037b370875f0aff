"""Data types and devices: the same values, stored otherwise."""

from typing import TYPE_CHECKING, Any

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


# The engine casts each gradient to the data type of its input, so the rule has nothing to do.
_ASTYPE = Primitive("astype", lambda xp, x, dtype: xp.astype(x, dtype), x=lambda xp, g: g)


def astype(x: TensorLike, dtype: DTypeLike, /, *, copy: bool = True) -> "Tensor":
    """Return x cast to a data type; only a floating-point result requires a gradient."""
    x = x if isinstance(x, Variable) else wrap(*to_array(x, None, None, None))
    wanted = x._backend.dtype(dtype)
    if not copy and x._data.dtype == wanted:
        return x
    source = x if as_dtype(dtype).is_floating else x.detach()
    return record(_ASTYPE, (source,), dtype=wanted)


_TO_DEVICE = Primitive("to_device", x=lambda xp, g, source: xp.to_device(g, source))


def to_device(x: TensorLike, device: str | Backend, /) -> "Tensor":
    """Return x on another device; its gradient travels back to where x is."""
    x = x if isinstance(x, Variable) else wrap(*to_array(x, None, None, None))
    source, target = x._backend, backend_for(device)
    if target is source:
        return x
    moved = source.to_device(x._data, target)
    # By hand, because this function's output is not on the device of its input
    edges: list[Edge] = [(x._node, 0, (source,))] if x._node is not None else []
    recorded = edges and is_grad_enabled()
    return wrap(moved, target, Node(_TO_DEVICE, target, moved, edges) if recorded else None)
