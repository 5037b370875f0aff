"""Linear algebra: products of vectors, matrices and stacks of matrices."""

import math
from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, record
from agrad.ops.creation import asarray
from agrad.ops.elementwise import multiply
from agrad.ops.manipulation import normalize, permute_dims, reshape
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
    """Return the matrix product, x1 @ x2.

    Parameters
    ----------
    x1 : Tensor
        Of shape (..., n, k), or a vector of shape (k,).
    x2 : Tensor
        Of shape (..., k, m), or a vector of shape (k,). The axes in front are a stack of matrices;
        they broadcast against those of `x1`.

    Returns
    -------
    Tensor
        Of shape (..., n, m), without the axis that a vector lacks, of the promoted data type.

    Raises
    ------
    ValueError
        If the shapes don't fit, or one has no dimensions; PyTorch and JAX have errors of their own.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[1, 2], [3, 4]])
    >>> ag.matmul(x, ag.Tensor([1, 10])).tolist()
    [21, 43]
    """
    return record(_MATMUL, (x1, x2))


_MATRIX_TRANSPOSE = Primitive("matrix_transpose", x=lambda xp, g: xp.matrix_transpose(g))


def matrix_transpose(x: TensorLike, /) -> "Tensor":
    """Return x with its last two axes exchanged.

    Parameters
    ----------
    x : Tensor
        A matrix, or a stack of them: of shape (..., rows, columns).

    Returns
    -------
    Tensor
        Of shape (..., columns, rows), of the data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.matrix_transpose(ag.Tensor([[1, 2], [3, 4]])).tolist()
    [[1, 3], [2, 4]]
    """
    return record(_MATRIX_TRANSPOSE, (x,))


_OUTER = Primitive(
    "outer",
    x1=lambda xp, g, x2: xp.matmul(g, x2),
    x2=lambda xp, g, x1: xp.matmul(x1, g),
)


def outer(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the outer product of two vectors: ``outer(x1, x2)[i, j] == x1[i] * x2[j]``.

    Parameters
    ----------
    x1, x2 : Tensor
        Of shapes (n,) and (m,).

    Returns
    -------
    Tensor
        Of shape (n, m), of the promoted data type.

    Raises
    ------
    ValueError
        If one isn't a vector.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.outer(ag.Tensor([1, 2]), ag.Tensor([3, 4, 5])).tolist()
    [[3, 4, 5], [6, 8, 10]]
    """
    x1, x2 = asarray(x1), asarray(x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer needs two vectors, got shapes {x1.shape} and {x2.shape}")
    return record(_OUTER, (x1, x2))


def vecdot(x1: TensorLike, x2: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return the dot products of the vectors that lie along an axis.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.
    axis : int
        The axis that the vectors lie along; it is summed over.

    Returns
    -------
    Tensor
        Of the broadcast shape without that axis, of the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.vecdot(ag.Tensor([[1, 2], [3, 4]]), ag.Tensor([1, 10])).tolist()
    [21, 43]
    """
    return sum(multiply(x1, x2), axis=axis)


def tensordot(
    x1: TensorLike,
    x2: TensorLike,
    /,
    *,
    axes: int | tuple[tuple[int, ...], tuple[int, ...]] = 2,
) -> "Tensor":
    """Return the products of all elements, summed over pairs of axes.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric.
    axes : int or tuple of two tuples of int
        The axes of `x1` and those of `x2` that are paired; or how many: the last ones of `x1`, each
        with one of the first of `x2`. 0 pairs none and gives the outer product.

    Returns
    -------
    Tensor
        The axes that are left, first those of `x1`, then those of `x2`; of the promoted data type.

    Raises
    ------
    ValueError
        If paired axes have different lengths.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[1, 2], [3, 4]])
    >>> ag.tensordot(x, x, axes=1).tolist()  # the matrix product
    [[7, 10], [15, 22]]
    >>> ag.tensordot(x, x, axes=((0, 1), (0, 1))).item()  # the sum of the squares
    30
    """
    x1, x2 = asarray(x1), asarray(x2)
    if isinstance(axes, int):
        axes = tuple(range(x1.ndim - axes, x1.ndim)), tuple(range(axes))
    over1, over2 = normalize(tuple(axes[0]), x1.ndim), normalize(tuple(axes[1]), x2.ndim)
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
