"""Names for what the functions take."""

from typing import Any, TypeAlias

__all__ = ["DTypeLike", "Scalar", "Shape", "TensorLike"]

Scalar: TypeAlias = bool | int | float | complex

#: A Tensor, a raw array of any library, or a number
TensorLike: TypeAlias = Any

Shape: TypeAlias = tuple[int, ...]

#: A data type of any library, or its name
DTypeLike: TypeAlias = Any
