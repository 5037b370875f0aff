"""The data types, one object each, whichever library holds the array.

NumPy, CuPy, PyTorch and the others each have their own ``float32``. Here there is one, equal to
all of them, so that code doesn't have to ask which library it runs on.
"""

from functools import cache
from typing import Any

__all__ = [
    "DType",
    "bfloat16",
    "bool",
    "complex64",
    "complex128",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "int8",
    "int16",
    "int32",
    "int64",
    "set_default_dtype",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]


class DType:
    """A data type of the Array API standard, such as ``agrad.float32``.

    It is equal to the data type of the same name in any array library, and to the name itself.

    Parameters
    ----------
    name : str
        The standard's name for it.

    Attributes
    ----------
    is_floating : bool
        Whether it is a real floating-point type.
    is_complex : bool
        Whether it is a complex type.
    is_differentiable : bool
        Whether it is one of these two: only such Tensors can require a gradient.
    is_integer : bool
        Whether it is a type of integers, with or without a sign.

    Examples
    --------
    >>> import numpy as np, agrad as ag
    >>> ag.float32 == np.float32, ag.float32 == np.dtype("float32"), ag.float32 == "float32"
    (True, True, True)
    >>> ag.Tensor([1.0, 2.0]).dtype
    agrad.float64
    """

    __slots__ = ("is_complex", "is_differentiable", "is_floating", "is_integer", "name", "rank")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_floating = name.startswith(("float", "bfloat"))
        self.is_complex = name.startswith("complex")
        self.is_differentiable = self.is_floating or self.is_complex
        #: 0 for bool, 1 for integers, 2 for real and 3 for complex numbers
        self.rank = 3 if self.is_complex else 2 if self.is_floating else int(name != "bool")
        self.is_integer = name.startswith(("int", "uint"))

    def __eq__(self, other: object) -> Any:
        return self is other or self.name == name_of(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"agrad.{self.name}"

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return dtype, (self.name,)


def name_of(raw: object) -> str:
    """Return the standard's name of a data type of any library: ``torch.float32`` -> "float32".

    Examples
    --------
    >>> import numpy as np
    >>> name_of(np.float32), name_of(np.dtype("int64")), name_of("bool")
    ('float32', 'int64', 'bool')
    """
    if isinstance(raw, type):  # numpy.float32 is a class; bool, int and float are Python's
        return _PYTHON_TYPES.get(raw, raw.__name__)
    # numpy.dtype says "float32", torch "torch.float32", array-api-strict "array_api_strict.float32"
    return str(raw).rpartition(".")[2]


def dtype(raw: Any) -> DType:
    """Return the `DType` for a data type of any library, or for its name.

    Raises
    ------
    TypeError
        If there is no data type of that name.

    Examples
    --------
    >>> import numpy as np
    >>> dtype(np.dtype("float32")), dtype("int64")
    (agrad.float32, agrad.int64)
    """
    return _find(type(raw), raw)  # type: ignore[arg-type]  # mypy: a type is hashable


@cache
def _find(kind: type, raw: Any) -> DType:
    # The type goes first, so that the cache never compares data types of two libraries.
    name = name_of(raw)
    if name not in _BY_NAME:
        known = ", ".join(_BY_NAME)
        raise TypeError(f"{raw!r} is no data type of the Array API; known are {known}")
    return _BY_NAME[name]


def is_dtype(value: Any) -> Any:
    """Return whether a value is a data type of some library, or the name of one.

    Examples
    --------
    >>> is_dtype("float32"), is_dtype("cuda")
    (True, False)
    """
    return name_of(value) in _BY_NAME


_PYTHON_TYPES = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}

int8 = DType("int8")
int16 = DType("int16")
int32 = DType("int32")
int64 = DType("int64")
uint8 = DType("uint8")
uint16 = DType("uint16")
uint32 = DType("uint32")
uint64 = DType("uint64")
float16 = DType("float16")  # float16 and bfloat16 are not in the standard; libraries have them
bfloat16 = DType("bfloat16")
float32 = DType("float32")
float64 = DType("float64")
complex64 = DType("complex64")
complex128 = DType("complex128")
bool = DType("bool")

_BY_NAME = {
    each.name: each
    for each in (
        bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64,
        float16, bfloat16, float32, float64, complex64, complex128,
    )
}  # fmt: skip

_default = float32


def set_default_dtype(dtype_: Any) -> None:
    """Choose the data type of new parameters and of the initializers; float32 at the start.

    Parameters
    ----------
    dtype_ : dtype or str
        A floating-point data type, such as ``agrad.float64``.

    Raises
    ------
    TypeError
        If it isn't a floating-point data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.set_default_dtype(ag.float64)
    >>> ag.nn.Linear(2, 3).weight.dtype
    agrad.float64
    >>> ag.set_default_dtype(ag.float32)
    """
    global _default
    chosen = dtype(dtype_)
    if not chosen.is_floating:
        raise TypeError(f"the default dtype must be a floating-point type, got {chosen!r}")
    _default = chosen


def get_default_dtype() -> DType:
    """Return the data type that new parameters get when none is given.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.get_default_dtype()
    agrad.float32
    """
    return _default
