"""Linear algebra: products of vectors, matrices and stacks of matrices."""

import math
from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, record
from agrad.ops.creation import asarray
from agrad.ops.elementwise import multiply
from agrad.ops.manipulation import permute_dims, reshape
from agrad.ops.statistical import sum
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor


def _matmul_x1(xp: Any, g: Any, x1_shape: tuple[int, ...], x2: Any) -> Any:
    if x2.ndim == 1:  # (..., n, k) @ (k,) -> (..., n)
        return g[..., None] * x2
    if len(x1_shape) == 1:  # (k,) @ (..., k, m) -> (..., m)
        return xp.matmul(x2, g[..., None])[..., 0]
    return xp.matmul(g, xp.matrix_transpose(x2))


def _matmul_x2(xp: Any, g: Any, x1: Any, x2_shape: tuple[int, ...]) -> Any:
    if x1.ndim == 1:  # (k,) @ (..., k, m) -> (..., m)
        return x1[:, None] * g[..., None, :] if len(x2_shape) > 1 else x1 * g
    if len(x2_shape) == 1:  # (..., n, k) @ (k,) -> (..., n)
        return xp.matmul(xp.matrix_transpose(x1), g[..., None])[..., 0]
    return xp.matmul(xp.matrix_transpose(x1), g)


_MATMUL = Primitive("matmul", x1=_matmul_x1, x2=_matmul_x2)


def matmul(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the matrix product, x1 @ x2; leading axes are a stack of matrices and broadcast."""
    return record(_MATMUL, (x1, x2))


_MATRIX_TRANSPOSE = Primitive("matrix_transpose", x=lambda xp, g: xp.matrix_transpose(g))


def matrix_transpose(x: TensorLike, /) -> "Tensor":
    """Return x with its last two axes exchanged."""
    return record(_MATRIX_TRANSPOSE, (x,))


_OUTER = Primitive(
    "outer",
    x1=lambda xp, g, x2: xp.matmul(g, x2),
    x2=lambda xp, g, x1: xp.matmul(x1, g),
)


def outer(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the outer product of two vectors: ``outer(x1, x2)[i, j] == x1[i] * x2[j]``."""
    return record(_OUTER, (x1, x2))


def vecdot(x1: TensorLike, x2: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return the dot products of the vectors that lie along an axis."""
    return sum(multiply(x1, x2), axis=axis)


def tensordot(
    x1: TensorLike,
    x2: TensorLike,
    /,
    *,
    axes: int | tuple[tuple[int, ...], tuple[int, ...]] = 2,
) -> "Tensor":
    """Return the product summed over pairs of axes, or over the last and first `axes` ones."""
    x1, x2 = asarray(x1), asarray(x2)
    if isinstance(axes, int):
        axes = tuple(range(x1.ndim - axes, x1.ndim)), tuple(range(axes))
    over1, over2 = (tuple(a % x.ndim for a in over) for x, over in zip((x1, x2), axes, strict=True))
    if [x1.shape[a] for a in over1] != [x2.shape[a] for a in over2]:
        raise ValueError(f"tensordot: shapes {x1.shape} and {x2.shape} don't match over {axes}")
    free1 = tuple(a for a in range(x1.ndim) if a not in over1)
    free2 = tuple(a for a in range(x2.ndim) if a not in over2)
    summed = math.prod(x1.shape[a] for a in over1)
    rows, columns = tuple(x1.shape[a] for a in free1), tuple(x2.shape[a] for a in free2)
    # As one matrix product: the axes summed over come last in x1 and first in x2.
    left = reshape(permute_dims(x1, (*free1, *over1)), (math.prod(rows), summed))
    right = reshape(permute_dims(x2, (*over2, *free2)), (summed, math.prod(columns)))
    return reshape(matmul(left, right), (*rows, *columns))
