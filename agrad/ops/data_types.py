"""Data types and devices: the same values, stored otherwise."""

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from agrad import dtypes
from agrad.autograd import Edge, Node, Primitive, Variable, is_grad_enabled, record, wrap
from agrad.backends import Backend, backend_for, backend_of, default_backend, is_array, is_number
from agrad.dtypes import DType, is_dtype
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
        if copy is False and backend is not source:
            raise ValueError(
                f"copy=False, but an array on {source.name!r} must be copied to be on "
                f"{backend.name!r}; agrad.from_dlpack tries to share its memory"
            )
        moved = source.to_device(data, backend)
    else:
        if isinstance(data, (list, tuple)):
            data = _numbers(data)
        backend = default_backend() if device is None else backend_for(device)
        moved = data
    wanted = None if dtype is None else backend.dtype(dtype)
    return backend.asarray(moved, dtype=wanted, copy=copy), backend


def _numbers(data: Any) -> Any:
    """Return nested lists with the zero-dimensional Tensors and arrays in them as numbers."""
    if isinstance(data, (list, tuple)):
        return [_numbers(each) for each in data]
    if isinstance(data, Variable):
        if data._node is not None and is_grad_enabled():
            raise RuntimeError(
                "a Tensor made of a list of Tensors has no gradient with respect to them, and one "
                "of these requires a gradient: use agrad.stack or agrad.concat, or its .detach()"
            )
        return data.tolist()  # type: ignore[attr-defined]
    return data


def conjugate(xp: Any, x: Any) -> Any:
    """Return the complex conjugate, for rules: real arrays are their own, without a copy."""
    return xp.conj(x) if as_dtype(x.dtype).is_complex else x


def as_tensor(x: TensorLike) -> "Tensor":
    """Return a Tensor as it is, and a Tensor of anything else."""
    return cast("Tensor", x) if isinstance(x, Variable) else wrap(*to_array(x, None, None, None))


def as_floating(x: TensorLike) -> "Tensor":
    """Return real or complex numbers; integers as the library's usual floating-point numbers."""
    tensor = as_tensor(x)
    if tensor.dtype.is_differentiable:
        return tensor
    return astype(tensor, tensor._backend.asarray(0.0).dtype)


# The engine casts each gradient to the data type of its input, so the rule has nothing to do.
_ASTYPE = Primitive("astype", lambda xp, x, dtype: xp.astype(x, dtype), x=lambda xp, g: g)


def astype(
    x: TensorLike, dtype: DTypeLike, /, *, copy: bool = True, device: str | None = None
) -> "Tensor":
    """Return x cast to a data type; only a floating-point result requires a gradient.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type. Its gradient is cast back to its data type.
    dtype : dtype or str
        The data type, such as ``agrad.float32`` or "float32".
    copy : bool
        Copy also where the data type is that of `x` already; otherwise `x` itself is returned.
    device : str, optional
        Where the result is to be; where `x` is by default.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Raises
    ------
    TypeError
        If there is no such data type, or the library of `x` doesn't have it.
    ValueError
        If there is no such device.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.astype(ag.Tensor([1.5, -1.5]), ag.int64).tolist()
    [1, -1]
    """
    tensor = as_tensor(x) if device is None else to_device(x, device)
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
    moved = target.own(source.to_device(tensor._data, target))  # not the source's memory
    # By hand, because this function's output is not on the device of its input
    edges: list[Edge] = [(tensor._node, 0, (source,))] if tensor._node is not None else []
    recorded = edges and is_grad_enabled()
    rules = target.bound[_TO_DEVICE].rules
    return wrap(moved, target, Node(_TO_DEVICE, target, rules, moved, edges) if recorded else None)


# What is known about data types -------------------------------------------------------------------

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float16", "bfloat16", "float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]


def isdtype(dtype: DTypeLike, kind: DTypeLike | tuple[DTypeLike, ...]) -> bool:
    """Return whether a data type is of a kind.

    Parameters
    ----------
    dtype : dtype or str
        The data type, of any library.
    kind : str, dtype or tuple of these
        "bool", "signed integer", "unsigned integer", "integral" (both of these), "real floating",
        "complex floating", "numeric" (all but bool), a data type, or a tuple: any of what it holds.

    Returns
    -------
    bool
        Whether it is.

    Raises
    ------
    TypeError
        If it is no data type.
    ValueError
        If there is no such kind.

    Notes
    -----
    float16 and bfloat16, which the standard lacks, are "real floating".

    Examples
    --------
    >>> import agrad as ag
    >>> ag.isdtype(ag.float32, "real floating"), ag.isdtype(ag.int8, (ag.int16, "bool"))
    (True, False)
    """
    name = as_dtype(dtype).name
    for each in kind if isinstance(kind, tuple) else (kind,):
        if isinstance(each, str) and each in _KINDS:
            if name in _KINDS[each]:
                return True
        elif not is_dtype(each):
            raise ValueError(f"there is no kind {each!r}; there are {', '.join(map(repr, _KINDS))}")
        elif as_dtype(each).name == name:
            return True
    return False


class FloatInfo(NamedTuple):
    """What a floating-point data type can hold; see `finfo`."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


class IntInfo(NamedTuple):
    """What a data type of integers can hold; see `iinfo`."""

    bits: int
    max: int
    min: int
    dtype: DType


# Bits, of these in the fraction, and the greatest exponent
_FLOATS = {
    dtypes.float16: (16, 10, 15),
    dtypes.bfloat16: (16, 7, 127),
    dtypes.float32: (32, 23, 127),
    dtypes.float64: (64, 52, 1023),
}
_PARTS = {dtypes.complex64: dtypes.float32, dtypes.complex128: dtypes.float64}
_WHOLES = {part: whole for whole, part in _PARTS.items()}


def finfo(type: DTypeLike | TensorLike, /) -> FloatInfo:
    """Return the limits of a floating-point data type.

    Parameters
    ----------
    type : dtype, str or Tensor
        The data type, or a Tensor of it. A complex one stands for that of its parts.

    Returns
    -------
    FloatInfo
        Its ``bits``; ``eps``, the distance from 1 to the next number; ``max`` and ``min``, the
        greatest and the smallest number; ``smallest_normal``, the smallest positive number of full
        precision; ``dtype``, the data type. All are Python's numbers.

    Raises
    ------
    TypeError
        If it isn't a floating-point or complex data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.finfo(ag.float32).eps == 2**-23, ag.finfo("complex128").dtype
    (True, agrad.float64)
    """
    found = _dtype_of(type)
    found = _PARTS.get(found, found)
    if found not in _FLOATS:
        raise TypeError(f"finfo is for floating-point types, got {found!r}; see iinfo")
    bits, fraction, exponent = _FLOATS[found]
    eps = 2.0**-fraction
    greatest = (2 - eps) * 2.0**exponent
    return FloatInfo(bits, eps, greatest, -greatest, 2.0 ** (1 - exponent), found)


def iinfo(type: DTypeLike | TensorLike, /) -> IntInfo:
    """Return the limits of a data type of integers.

    Parameters
    ----------
    type : dtype, str or Tensor
        The data type, or a Tensor of it.

    Returns
    -------
    IntInfo
        Its ``bits``, its ``max`` and ``min``, and itself as ``dtype``.

    Raises
    ------
    TypeError
        If it isn't a data type of integers.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.iinfo(ag.int8).min, ag.iinfo(ag.uint8).max
    (-128, 255)
    """
    found = _dtype_of(type)
    if not found.is_integer:
        raise TypeError(f"iinfo is for integer types, got {found!r}; see finfo")
    bits = int(found.name.removeprefix("u").removeprefix("int"))
    if found.name.startswith("u"):
        return IntInfo(bits, 2**bits - 1, 0, found)
    return IntInfo(bits, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), found)


def _dtype_of(value: Any) -> DType:
    """Return a data type as it is, and that of a Tensor or array."""
    if isinstance(value, Variable) or is_array(value):
        return as_tensor(value).dtype
    return as_dtype(value)


def _holds(wide: DType, narrow: DType) -> bool:
    """Return whether one data type has all numbers of another of its kind."""
    if wide.is_integer and narrow.is_integer:
        low, high = iinfo(narrow), iinfo(wide)
        return high.min <= low.min and low.max <= high.max
    if wide.is_differentiable and narrow.is_differentiable:
        fine, coarse = finfo(wide), finfo(narrow)
        is_fine = fine.eps <= coarse.eps and coarse.max <= fine.max
        return is_fine and wide.is_complex >= narrow.is_complex
    return wide is narrow


def _promote(types: list[DType], numbers: list[Any]) -> DType | None:
    """Return what the standard promotes to; None where it leaves that to the libraries."""
    wide = [each for each in _BY_SIZE if all(_holds(each, one) for one in types)]
    if not types or not wide:
        return None
    found = wide[0]
    for number in numbers:
        if isinstance(number, complex) and not found.is_complex:
            if found not in _WHOLES:
                return None
            found = _WHOLES[found]
            continue
        if isinstance(number, float) and not found.is_differentiable:
            return None
        if found == dtypes.bool and not isinstance(number, bool):
            return None
    return found


_BY_SIZE = [
    as_dtype(name)
    for kind in ("bool", "unsigned integer", "signed integer", "real floating", "complex floating")
    for name in _KINDS[kind]
]


def result_type(*arrays_and_dtypes: TensorLike | DTypeLike) -> DType:
    """Return the data type that arrays, data types and numbers promote to together.

    Parameters
    ----------
    *arrays_and_dtypes : Tensor, dtype, str or number
        At least one of them a Tensor, an array or a data type. A number takes the others' data
        type, as far as its kind allows.

    Returns
    -------
    DType
        The smallest one that has all numbers of the others. Where there is none, and between bools,
        integers and floating-point types, it is what the arrays' library says; without an array,
        the library of the default device.

    Raises
    ------
    TypeError
        If the library doesn't promote them, or there are numbers alone.
    RuntimeError
        If the arrays are on two devices.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.result_type(ag.int8, ag.uint8), ag.result_type(ag.Tensor([1.0], dtype="float32"), 2.5)
    (agrad.int16, agrad.float32)
    """
    numbers = [each for each in arrays_and_dtypes if is_number(each)]
    others = [each for each in arrays_and_dtypes if not is_number(each)]
    if not others:
        raise TypeError("result_type needs at least one Tensor or data type")
    is_tensor = [isinstance(each, Variable) or is_array(each) for each in others]
    tensors = [as_tensor(each) for each, is_one in zip(others, is_tensor, strict=True) if is_one]
    backends = {x._backend.name: x._backend for x in tensors}
    if len(backends) > 1:
        raise RuntimeError(f"result_type: its arrays are on devices {', '.join(backends)}")
    types = [_dtype_of(each) for each in others]
    found = _promote(types, numbers)
    if found is not None:
        return found
    backend = tensors[0]._backend if tensors else default_backend()
    return as_dtype(backend.result_type(*map(backend.dtype, types), *numbers))


def can_cast(from_: DTypeLike | TensorLike, to: DTypeLike, /) -> bool:
    """Return whether promotion could turn one data type into another.

    Parameters
    ----------
    from_ : dtype, str or Tensor
        The data type to cast from, or a Tensor of it.
    to : dtype or str
        The data type to cast to.

    Returns
    -------
    bool
        Whether `to` has all numbers of `from_`, and is of its kind: the standard doesn't promote
        bools to integers, nor integers to floating-point types.

    Raises
    ------
    TypeError
        If one of them is no data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.can_cast(ag.float32, ag.float64), ag.can_cast(ag.float64, ag.float32)
    (True, False)
    """
    return _holds(as_dtype(to), _dtype_of(from_))
