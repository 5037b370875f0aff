"""Linear algebra: products and decompositions of matrices, and of stacks of them.

This is the standard's ``linalg`` extension; the five products are in its main namespace as well.

Many formulas come from papers that write the gradient as PyTorch does, dL/dRe + i dL/dIm, while the
engine hands around its conjugate (see `run_backward`). Their rules conjugate on the way in and out.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from agrad.autograd import Primitive, Variable, is_grad_enabled, record, record_view
from agrad.dtypes import dtype as as_dtype
from agrad.ops.casting import cast_down, cast_up, casting
from agrad.ops.creation import asarray, ones_like, tril, triu
from agrad.ops.data_types import as_floating, conjugate
from agrad.ops.elementwise import abs, conj, greater, multiply, real, subtract
from agrad.ops.manipulation import (
    moveaxis,
    normalize,
    permute_dims,
    reshape,
    stack,
)
from agrad.ops.searching import count_nonzero, where
from agrad.ops.statistical import _cumulative_prod_of_earlier, _keep_axes, max, min, sum
from agrad.typing import DTypeLike, TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]

# Products ----------------------------------------------------------------------------------------


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
    if casting.state:
        x1, x2 = cast_down(x1, x2)
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
    return record_view(_MATRIX_TRANSPOSE, x)


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
    """Return the dot products of the vectors that lie along an axis, of ``conj(x1)`` and x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.
    axis : int
        The axis that the vectors lie along, negative if the two have different numbers of axes; it
        is summed over, and must be of the same length in both.

    Returns
    -------
    Tensor
        Of the broadcast shape without that axis, of the promoted data type.

    Raises
    ------
    ValueError
        If the vectors' lengths differ.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.vecdot(ag.Tensor([[1, 2], [3, 4]]), ag.Tensor([1, 10])).tolist()
    [21, 43]
    >>> ag.vecdot(ag.Tensor([1j, 2.0]), ag.Tensor([1j, 1.0])).item()  # the first is conjugated
    (3+0j)
    """
    x1, x2 = asarray(x1), asarray(x2)
    lengths = [x.shape[normalize(axis, x.ndim)[0]] for x in (x1, x2)]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"vecdot: the vectors of shapes {x1.shape} and {x2.shape} have the lengths "
            f"{lengths[0]} and {lengths[1]} along axis {axis}"
        )
    products = multiply(conj(x1), x2)
    return sum(products, axis=axis, dtype=products.dtype)


def tensordot(
    x1: TensorLike,
    x2: TensorLike,
    /,
    *,
    axes: int | tuple[Sequence[int], Sequence[int]] = 2,
) -> "Tensor":
    """Return the products of all elements, summed over pairs of axes.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric.
    axes : int or tuple of two sequences of int
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
        if axes < 0:
            raise ValueError(f"tensordot: axes must not be negative, got {axes}")
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


def cross(x1: TensorLike, x2: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return the cross products of the vectors of three elements that lie along an axis.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.
    axis : int
        The axis that the vectors lie along, negative if the two have different numbers of axes.

    Returns
    -------
    Tensor
        Of the broadcast shape, of the promoted data type.

    Raises
    ------
    ValueError
        If that axis isn't of length 3 in both.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.cross(ag.Tensor([1, 0, 0]), ag.Tensor([0, 1, 0])).tolist()
    [0, 0, 1]
    """
    x1, x2 = asarray(x1), asarray(x2)
    for x in (x1, x2):
        if x.shape[normalize(axis, x.ndim)[0]] != 3:
            raise ValueError(
                f"cross needs vectors of 3 elements along axis {axis}, got shapes {x1.shape} and "
                f"{x2.shape}"
            )
    a, b = (moveaxis(x, axis, -1) for x in (x1, x2))
    parts = [
        subtract(a[..., i] * b[..., j], a[..., j] * b[..., i]) for i, j in ((1, 2), (2, 0), (0, 1))
    ]
    return moveaxis(stack(parts, axis=-1), -1, axis)


def matrix_power(x: TensorLike, n: int, /) -> "Tensor":
    """Return the n-th power of square matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M).
    n : int
        The exponent: 0 gives identity matrices; for a negative one the inverse is taken first.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Notes
    -----
    It takes about log2(n) products, by repeated squaring.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.matrix_power(ag.Tensor([[1.0, 1.0], [0.0, 1.0]]), 5).tolist()
    [[1.0, 5.0], [0.0, 1.0]]
    """
    x = _matrices("matrix_power", x, square=True)
    if not hasattr(n, "__index__"):
        raise TypeError(f"matrix_power: n must be an int, got {n!r}")
    n = index(n)
    if n == 0:  # linked to x, as x**0 is, with a gradient of 0
        eye = tril(triu(ones_like(x)))
        return where(ones_like(eye, dtype="bool"), eye, x)
    square, n = (x, n) if n > 0 else (inv(x), -n)
    while n % 2 == 0:
        square, n = matmul(square, square), n // 2
    power = square
    while n := n // 2:
        square = matmul(square, square)
        if n % 2:
            power = matmul(power, square)
    return power


# Diagonals and norms -----------------------------------------------------------------------------


def _matrices(name: str, x: TensorLike, square: bool = False) -> "Tensor":
    """Return x as a Tensor, if its last two axes make matrices."""
    tensor = asarray(x)
    shape = tensor.shape
    if len(shape) < 2 or (square and shape[-1] != shape[-2]):
        kind = "square matrices" if square else "matrices"
        raise ValueError(f"{name} needs {kind} (or a stack of them), got shape {shape}")
    return tensor


def diagonal(x: TensorLike, /, *, offset: int = 0) -> "Tensor":
    """Return the diagonals of matrices.

    Parameters
    ----------
    x : Tensor
        Of shape (..., M, N).
    offset : int
        Which diagonal: 0 the main one, 1 the one above it, -1 the one below, and so on.

    Returns
    -------
    Tensor
        Of shape (..., K), K elements of each diagonal; of the data type of `x`. It may share its
        memory with `x` or not.

    Raises
    ------
    ValueError
        If `x` has fewer than two dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[1, 2, 3], [4, 5, 6]])
    >>> ag.linalg.diagonal(x).tolist(), ag.linalg.diagonal(x, offset=1).tolist()
    ([1, 5], [2, 6])
    """
    x = _matrices("diagonal", x)
    *before, rows, columns = x.shape
    down, right = (0, offset) if offset > 0 else (-offset, 0)
    rows, columns = rows - down, columns - right
    n = rows if rows < columns else columns
    if n <= 0:
        return reshape(x[..., :0, :0], (*before, 0))
    # Row after row, the elements on the diagonal of an n x n matrix are n + 1 apart
    square = x[..., down : down + n, right : right + n]
    return reshape(square, (*before, n * n))[..., :: n + 1]


def trace(x: TensorLike, /, *, offset: int = 0, dtype: DTypeLike = None) -> "Tensor":
    """Return the sums of the diagonals of matrices.

    Parameters
    ----------
    x : Tensor
        Numeric, of shape (..., M, N).
    offset : int
        Which diagonal: 0 the main one, 1 the one above it, -1 the one below, and so on.
    dtype : dtype or str, optional
        Cast to this data type first.

    Returns
    -------
    Tensor
        Of shape (...). Of the data type of `x`, but small integers become the library's default
        integers.

    Raises
    ------
    ValueError
        If `x` has fewer than two dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.trace(ag.Tensor([[1, 2], [3, 4]])).item()
    5
    """
    return sum(diagonal(_matrices("trace", x), offset=offset), axis=-1, dtype=dtype)


def _vector_norm_x(xp: Any, g: Any, x: Any, out: Any, axis: Any, ord: float) -> Any:
    # d|x| = Re(conj(sign(x)) dx); where there is no derivative, at 0, it is taken as 0.
    g, norm = _keep_axes(xp, g, x.shape, axis), _keep_axes(xp, out, x.shape, axis)
    if ord == 0:
        return g * xp.zeros_like(x)
    direction = conjugate(xp, xp.sign(x))
    if ord == 1:
        return g * direction
    size = xp.abs(x)
    if ord in (math.inf, -math.inf):  # those that attain it share the gradient evenly
        pick = xp.max if ord > 0 else xp.min
        attains = xp.astype(size == pick(size, axis=axis, keepdims=True), size.dtype)
        return g * attains / xp.sum(attains, axis=axis, keepdims=True) * direction
    zero = norm == 0
    norm = xp.where(zero, xp.ones_like(norm), norm)
    g = xp.where(zero, xp.zeros_like(g), g / norm)
    if ord == 2:
        return g * conjugate(xp, x)
    # d norm / d|x| = (|x| / norm)**(ord - 1); where x is 0, so is the direction
    size = xp.where(size == 0, xp.ones_like(size), size)
    return g * norm * (size / norm) ** (ord - 1) * direction


_VECTOR_NORM = Primitive(
    "vector_norm",
    lambda xp, x, **options: xp.linalg.vector_norm(x, **options),
    x=_vector_norm_x,
)


def vector_norm(
    x: TensorLike,
    /,
    *,
    axis: int | tuple[int, ...] | None = None,
    keepdims: bool = False,
    ord: int | float = 2,
) -> "Tensor":
    """Return the norms of the vectors that lie along axes, or of all elements.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.
    axis : int or tuple of int, optional
        The axes whose elements make one vector; all of them by default.
    keepdims : bool
        Keep these axes, with length 1.
    ord : int or float
        Which norm: ``sum(abs(x)**ord)**(1/ord)``; with inf the greatest ``abs(x)``, with -inf the
        smallest, with 0 the number of elements that aren't 0.

    Returns
    -------
    Tensor
        Without these axes, of the data type of `x`, or that of its parts if it is complex.

    Notes
    -----
    Where a norm has no derivative because of elements that are 0, theirs is taken as 0. With inf
    and -inf, several elements that attain it share the gradient evenly.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([0.0, 4.0], requires_grad=True)
    >>> norm = ag.linalg.vector_norm(x)
    >>> norm.backward()
    >>> norm.item(), x.grad.tolist()
    (4.0, [0.0, 1.0])
    """
    if casting.state:
        x = cast_up(x)
    return record(_VECTOR_NORM, (asarray(x),), axis=axis, keepdims=keepdims, ord=ord)


def matrix_norm(
    x: TensorLike,
    /,
    *,
    keepdims: bool = False,
    ord: int | float | Literal["fro", "nuc"] | None = "fro",
) -> "Tensor":
    """Return the norms of matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, N).
    keepdims : bool
        Keep the last two axes, with length 1.
    ord : "fro", "nuc", 1, -1, 2, -2, inf, -inf or None
        Which norm: "fro", or None, is that of all elements as one vector, "nuc" the sum of the
        singular values. 1 and inf are the greatest sum of a column's and of a row's absolute
        values, 2 is the greatest singular value; -1, -inf and -2 are the smallest of these.

    Returns
    -------
    Tensor
        Of shape (...), of the data type of `x`, or that of its parts if it is complex.

    Raises
    ------
    ValueError
        If there is no such `ord`, or `x` has fewer than two dimensions.

    Notes
    -----
    Columns, rows or singular values that are equal and all attain the norm share the gradient. The
    gradient of "fro" is 0 at 0; that of "nuc" is then one of the many that are possible.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[3.0, 0.0], [0.0, 4.0]])
    >>> [ag.linalg.matrix_norm(x, ord=ord).item() for ord in ("fro", "nuc", 2, 1)]
    [5.0, 7.0, 4.0, 4.0]
    """
    if casting.state:
        x = cast_up(x)
    x = _matrices("matrix_norm", x)
    if ord is None or ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord == "nuc":
        norm = sum(svdvals(x), axis=-1)
    elif ord in (1, -1, 2, -2, math.inf, -math.inf):
        sizes = svdvals(x) if ord in (2, -2) else sum(abs(x), axis=-2 if ord in (1, -1) else -1)
        norm = max(sizes, axis=-1) if float(ord) > 0 else min(sizes, axis=-1)
    else:
        raise ValueError(
            f'matrix_norm: ord must be "fro", "nuc", 1, -1, 2, -2, inf or -inf, got {ord!r}'
        )
    return norm[..., None, None] if keepdims else norm


# Small pieces that the rules below share ---------------------------------------------------------


def _real(xp: Any, x: Any) -> Any:
    return xp.real(x) if as_dtype(x.dtype).is_complex else x


def _t(xp: Any, x: Any) -> Any:
    return xp.matrix_transpose(x)


def _h(xp: Any, x: Any) -> Any:
    """Return the conjugate transpose."""
    return conjugate(xp, xp.matrix_transpose(x))


def _eye_like(xp: Any, x: Any) -> Any:
    return xp.tril(xp.triu(xp.ones_like(x)))


def _off_diagonal(xp: Any, x: Any) -> Any:
    return xp.tril(x, k=-1) + xp.triu(x, k=1)


def _over(xp: Any, x: Any, y: Any) -> Any:
    """Return x / y, where 0 / 0 is 0."""
    both = xp.logical_and(x == 0, y == 0)
    y = xp.broadcast_to(y, both.shape)
    return x / xp.where(both, xp.ones_like(y), y)


def _differences(x: Any) -> Any:
    """Return ``d[..., i, j] == x[..., j] - x[..., i]``."""
    return x[..., None, :] - x[..., :, None]


def _pack(xp: Any, *parts: Any) -> Any:
    """Return several results, each of shape (..., rows, columns), as one array of shape (..., n).

    So a decomposition is a function of one output, of which the engine asks nothing new; `_unpack`
    takes it apart. What is real among complex results becomes complex.
    """
    dtype = parts[-1].dtype
    flat = [xp.reshape(x, (*x.shape[:-2], x.shape[-2] * x.shape[-1])) for x in parts]
    return xp.concat([x if x.dtype == dtype else xp.astype(x, dtype) for x in flat], axis=-1)


def _unpack(reshape: Callable[..., Any], packed: Any, *shapes: tuple[int, int]) -> Iterator[Any]:
    """Take a packed array, or its gradient, apart into matrices of these shapes."""
    start = 0
    for rows, columns in shapes:
        part = packed[..., start : start + rows * columns]
        yield reshape(part, (*packed.shape[:-1], rows, columns))
        start += rows * columns


def _requires_grad(x: "Tensor") -> bool:
    return x.requires_grad and is_grad_enabled()


def _rounding(x: "Tensor") -> float:
    """Return by how much of the greatest singular value 0 is missed: the standard's ``rtol``."""
    rows, columns = x.shape[-2:]
    eps = float(x._backend.finfo(x._data.dtype).eps)
    return eps * (rows if rows > columns else columns)


# Inverses and determinants -----------------------------------------------------------------------


def _inv_x(xp: Any, g: Any, out: Any) -> Any:
    # d(x^-1) = -x^-1 dx x^-1
    transposed = _t(xp, out)
    return -xp.matmul(transposed, xp.matmul(g, transposed))


_INV = Primitive("inv", lambda xp, x: xp.linalg.inv(x), x=_inv_x)


def inv(x: TensorLike, /) -> "Tensor":
    """Return the inverses of square matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M).

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Notes
    -----
    To solve equations, `solve` is faster and more accurate. For a singular matrix the libraries
    differ: NumPy and PyTorch raise an error of their own.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.inv(ag.Tensor([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return record(_INV, (_matrices("inv", x, square=True),))


def _solve_columns(xp: Any, x1: Any, x2: Any, is_vector: bool) -> Any:
    """Solve for x2, a stack of matrices, or of vectors: the standard knows one vector only."""
    return xp.linalg.solve(x1, x2[..., None])[..., 0] if is_vector else xp.linalg.solve(x1, x2)


def _solve_x1(xp: Any, g: Any, x1: Any, out: Any, x2_shape: tuple[int, ...]) -> Any:
    is_vector = len(x2_shape) == 1
    part = -_solve_columns(xp, _t(xp, x1), g, is_vector)
    if is_vector:
        return part[..., :, None] * out[..., None, :]
    return xp.matmul(part, _t(xp, out))


def _solve_x2(xp: Any, g: Any, x1: Any, x2_shape: tuple[int, ...]) -> Any:
    return _solve_columns(xp, _t(xp, x1), g, len(x2_shape) == 1)


_SOLVE = Primitive(
    "solve",
    lambda xp, x1, x2: _solve_columns(xp, x1, x2, x2.ndim == 1),
    x1=_solve_x1,
    x2=_solve_x2,
)


def solve(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the solutions x of the linear equations ``x1 @ x == x2``.

    Parameters
    ----------
    x1 : Tensor
        Floating-point, of shape (..., M, M): square matrices of full rank.
    x2 : Tensor
        Floating-point: one vector of shape (M,), or matrices of shape (..., M, K) whose axes in
        front broadcast against those of `x1`.

    Returns
    -------
    Tensor
        Of shape (..., M) for a vector, or else (..., M, K), of the promoted data type.

    Notes
    -----
    For a singular matrix the libraries differ: NumPy and PyTorch raise an error of their own.

    Examples
    --------
    >>> import agrad as ag
    >>> x1 = ag.Tensor([[2.0, 0.0], [0.0, 4.0]])
    >>> ag.linalg.solve(x1, ag.Tensor([1.0, 2.0])).tolist()
    [0.5, 0.5]
    """
    x2 = asarray(x2)
    if not x2.ndim:
        raise ValueError("solve needs a vector or matrices on the right-hand side, got a number")
    x1 = _matrices("solve", x1, square=True)
    if x2.shape[-2 if x2.ndim > 1 else -1] != x1.shape[-1]:
        raise ValueError(
            f"solve: right-hand sides of shape {x2.shape} don't fit matrices of shape {x1.shape}"
        )
    return record(_SOLVE, (x1, x2))


def _products_of_others(xp: Any, x: Any) -> Any:
    """Return, along the last axis, for each element the product of all the others."""
    after = xp.flip(_cumulative_prod_of_earlier(xp, xp.flip(x, axis=-1)), axis=-1)
    return _cumulative_prod_of_earlier(xp, x) * after


def _cofactors(xp: Any, x: Any) -> Any:
    """Return the derivative of det(x) with respect to each element of x.

    It is det(x) times the transposed inverse, but exists where there is no inverse. The cofactors
    of a product are the product of the factors' cofactors; those of a unitary u are det(u) conj(u),
    and those of a diagonal matrix are the products of the other elements.
    """
    if isinstance(x, Variable):
        return record(_COFACTORS, (x,))
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    turn = xp.linalg.det(u) * xp.linalg.det(vh)
    middle = turn[..., None, None] * _products_of_others(xp, s)[..., None, :]
    return xp.matmul(conjugate(xp, u) * middle, conjugate(xp, vh))


def _cofactors_x(xp: Any, g: Any, x: Any) -> Any:
    # As above, with s + e for the diagonal matrix s: c[i, i] changes by the sum over k of
    # e[k, k] p[i, k], and c[i, j] by -e[j, i] p[i, j], where p[i, j] is the product of all s but
    # these two. No division by a difference: equal singular values do no harm.
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    turn = xp.linalg.det(u) * xp.linalg.det(vh)
    zero = (s == 0)[..., :, None]
    s_i = s[..., :, None]
    # s falls: for i < j, p[i, j] is the product of all but s[j] over s[i]. If s[i] is 0, so is
    # s[j], and p[i, j] is 0 unless these two are the last.
    others = _products_of_others(xp, s)[..., None, :] / xp.where(zero, xp.ones_like(s_i), s_i)
    n = s.shape[-1] - 2
    rest = xp.prod(s[..., : n if n > 0 else 0], axis=-1)
    rest = xp.broadcast_to(rest[..., None, None], others.shape)
    p = xp.triu(xp.where(xp.broadcast_to(zero, others.shape), rest, others), k=1)
    p = p + _t(xp, p)
    c = turn[..., None, None] * xp.matmul(_h(xp, u), xp.matmul(g, _h(xp, vh)))
    on_diagonal = xp.sum(p * xp.linalg.diagonal(c)[..., None, :], axis=-1)[..., None]
    e = _eye_like(xp, c) * on_diagonal - p * _t(xp, c)
    return xp.matmul(conjugate(xp, u), xp.matmul(e, conjugate(xp, vh)))


_COFACTORS = Primitive("cofactors", _cofactors, x=_cofactors_x)

_DET = Primitive(
    "det",
    lambda xp, x: xp.linalg.det(x),
    x=lambda xp, g, x: g[..., None, None] * _cofactors(xp, x),
)


def det(x: TensorLike, /) -> "Tensor":
    """Return the determinants of square matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M).

    Returns
    -------
    Tensor
        Of shape (...), of the data type of `x`.

    Notes
    -----
    The gradient is made of the cofactors, which a singular value decomposition gives: it is right
    for singular matrices, too, and so is the second derivative. The third one needs the singular
    values to differ from each other.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[1.0, 2.0], [2.0, 4.0]], requires_grad=True)
    >>> ag.linalg.det(x).backward()
    >>> ag.round(x.grad).tolist()
    [[4.0, -2.0], [-2.0, 1.0]]
    """
    return record(_DET, (_matrices("det", x, square=True),))


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: "Tensor"
    logabsdet: "Tensor"


def _slogdet(xp: Any, x: Any) -> Any:
    sign, logabsdet = xp.linalg.slogdet(x)
    return _pack(xp, logabsdet[..., None, None], sign[..., None, None])


def _slogdet_x(xp: Any, g: Any, x: Any, out: Any) -> Any:
    # d log det(x) = trace(x^-1 dx): its real part is that of the logarithm, its imaginary part that
    # of the angle, d sign = i sign d angle.
    scale = _real(xp, g[..., 0])
    if as_dtype(x.dtype).is_complex:
        scale = scale + xp.imag(g[..., 1] * out[..., 1]) * 1j
    return scale[..., None, None] * _t(xp, xp.linalg.inv(x))


_SLOGDET = Primitive("slogdet", _slogdet, x=_slogdet_x)


def slogdet(x: TensorLike, /) -> SlogdetResult:
    """Return the determinants of square matrices as a sign and a logarithm, which don't overflow.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M).

    Returns
    -------
    sign : Tensor
        ``det / abs(det)``, of shape (...) and the data type of `x`; 0 for a singular matrix.
    logabsdet : Tensor
        ``log(abs(det))``, of shape (...), real; -inf for a singular matrix.

    Notes
    -----
    At a singular matrix there is no derivative: the backward pass meets the error, or the infinite
    numbers, that the library gives for its inverse.

    Examples
    --------
    >>> import agrad as ag
    >>> result = ag.linalg.slogdet(ag.Tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> result.sign.item(), result.logabsdet.item()
    (-1.0, 0.0)
    """
    packed = record(_SLOGDET, (_matrices("slogdet", x, square=True),))
    return SlogdetResult(packed[..., 1], real(packed[..., 0]))


def _pinv_x(xp: Any, g: Any, x: Any, out: Any) -> Any:
    # G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
    # problems whose variables separate", 1973, equation 4.12
    g, p = conjugate(xp, g), out
    ph, gh = _h(xp, p), _h(xp, g)
    left = xp.matmul(xp.matmul(gh, p), ph)
    right = xp.matmul(xp.matmul(ph, p), gh)
    result = left - xp.matmul(x, xp.matmul(p, left)) + right - xp.matmul(xp.matmul(right, p), x)
    return conjugate(xp, result - xp.matmul(xp.matmul(ph, g), ph))


_PINV = Primitive("pinv", lambda xp, x, rtol: xp.linalg.pinv(x, rtol=rtol), x=_pinv_x, rtol=None)


def pinv(x: TensorLike, /, *, rtol: TensorLike | None = None) -> "Tensor":
    """Return the pseudo-inverses of matrices, by Moore and Penrose.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, N).
    rtol : float or Tensor, optional
        Singular values up to `rtol` times the greatest are taken as 0; a Tensor's shape broadcasts
        against the stack's. By default, max(M, N) times the data type's machine epsilon.

    Returns
    -------
    Tensor
        Of shape (..., N, M), of the data type of `x`.

    Notes
    -----
    The derivative is the one among matrices of the same rank; across a change of rank there is
    none.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.pinv(ag.Tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.0, 0.25]]
    """
    x = _matrices("pinv", as_floating(x))
    return record(_PINV, (x, _rounding(x) if rtol is None else rtol))


def matrix_rank(x: TensorLike, /, *, rtol: TensorLike | None = None) -> "Tensor":
    """Return the ranks of matrices: how many singular values aren't 0.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, N).
    rtol : float or Tensor, optional
        Singular values up to `rtol` times the greatest count as 0; a Tensor's shape broadcasts
        against the stack's. By default, max(M, N) times the data type's machine epsilon.

    Returns
    -------
    Tensor
        Of shape (...), of the library's default integers; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.matrix_rank(ag.Tensor([[1.0, 2.0], [2.0, 4.0]])).item()
    1
    """
    x = _matrices("matrix_rank", as_floating(x)).detach()
    sizes = svdvals(x)
    if rtol is None:
        rtol = _rounding(x)
    elif not isinstance(rtol, (int, float)):
        rtol = asarray(rtol)[..., None]
    greatest = sizes[..., : 1 if sizes.shape[-1] else 0]
    return count_nonzero(greater(sizes, multiply(greatest, rtol)), axis=-1)


# Decompositions ----------------------------------------------------------------------------------


def _cholesky_x(xp: Any, g: Any, out: Any) -> Any:
    # dL = L f(L^-1 dx L^-H), where f keeps the lower triangle and halves the diagonal:
    # I. Murray, "Differentiation of the Cholesky decomposition", 2016, equation 8
    p = xp.matmul(_t(xp, out), g)
    p = (xp.tril(p) + xp.tril(p, k=-1)) / 2
    left = xp.linalg.solve(_t(xp, out), p)
    result = _t(xp, xp.linalg.solve(_h(xp, out), _t(xp, left)))
    return (result + _h(xp, result)) / 2


_CHOLESKY = Primitive("cholesky", lambda xp, x: xp.linalg.cholesky(x), x=_cholesky_x)


def cholesky(x: TensorLike, /, *, upper: bool = False) -> "Tensor":
    """Return the Cholesky factors of positive-definite matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M): symmetric, or Hermitian if complex, and positive
        definite. Only the lower triangles are read.
    upper : bool
        Return the upper triangular factor u, ``x == conj(u).mT @ u``, rather than the lower
        triangular l, ``x == l @ conj(l).mT``.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Notes
    -----
    The gradient is symmetric (Hermitian), as `x` is. A matrix that isn't positive definite meets
    the library's own error, or NaN.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.cholesky(ag.Tensor([[4.0, 2.0], [2.0, 2.0]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    lower = record(_CHOLESKY, (_matrices("cholesky", x, square=True),))
    return conj(matrix_transpose(lower)) if upper else lower


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: "Tensor"
    R: "Tensor"


def _qr_shapes(shape: tuple[int, ...], mode: str) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = shape[-2:]
    k = rows if mode == "complete" or rows < columns else columns
    return (rows, k), (k, columns)


def _qr_x(xp: Any, g: Any, out: Any, x_shape: tuple[int, ...], mode: str) -> Any:
    # M. Seeger and others, "Auto-differentiating linear algebra", 2017, section 3.3, there for LQ
    rows, columns = x_shape[-2:]
    if mode == "complete" and rows > columns:
        raise NotImplementedError(
            f'qr of {rows} x {columns} matrices with mode="complete" has no gradient, for some '
            'columns of Q are arbitrary: use mode="reduced"'
        )
    shapes = _qr_shapes(x_shape, mode)
    q, r = _unpack(xp.reshape, out, *shapes)
    gq, gr = _unpack(xp.reshape, conjugate(xp, g), *shapes)
    if rows < columns:  # x = [y | z] with a square y = q r, and beside r stands conj(q).T z
        g_rest = gr[..., :, rows:]
        gq = gq + xp.matmul(xp.matmul(q, r[..., :, rows:]), _h(xp, g_rest))
        r, gr = r[..., :, :rows], gr[..., :, :rows]
    m = xp.matmul(gr, _h(xp, r)) - xp.matmul(_h(xp, q), gq)
    upper = xp.triu(m, k=1)
    m = upper + _h(xp, upper) + xp.tril(xp.triu(_real(xp, m)))
    result = _h(xp, xp.linalg.solve(r, _h(xp, gq + xp.matmul(q, m))))
    if rows < columns:
        result = xp.concat([result, xp.matmul(q, g_rest)], axis=-1)
    return conjugate(xp, result)


_QR = Primitive("qr", lambda xp, x, mode: _pack(xp, *xp.linalg.qr(x, mode=mode)), x=_qr_x)


def qr(x: TensorLike, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    """Return the QR decompositions of matrices: ``x == Q @ R``.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, N), of full rank.
    mode : "reduced" or "complete"
        Whether there are only K = min(M, N) columns in Q, or all M.

    Returns
    -------
    Q : Tensor
        Of shape (..., M, K), or (..., M, M), of the data type of `x`: orthonormal columns.
    R : Tensor
        Of shape (..., K, N), or (..., M, N): upper triangular.

    Raises
    ------
    NotImplementedError
        In the backward pass, for ``mode="complete"`` and M > N: the columns of Q that are added
        then are arbitrary, and have no derivative.

    Notes
    -----
    The gradient needs the first min(M, N) columns of `x` to be linearly independent.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[3.0, 1.0], [4.0, 3.0]])
    >>> result = ag.linalg.qr(x)
    >>> ag.round(ag.abs(result.R)).tolist()  # the signs are the library's choice
    [[5.0, 3.0], [0.0, 1.0]]
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f'qr: mode must be "reduced" or "complete", got {mode!r}')
    x = _matrices("qr", x)
    packed = record(_QR, (x,), mode=mode)
    return QRResult(*_unpack(reshape, packed, *_qr_shapes(x.shape, mode)))


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: "Tensor"
    eigenvectors: "Tensor"


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: "Tensor"
    eigenvectors: "Tensor"


def _eigen_shapes(n: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (1, n), (n, n)


def _eigh(xp: Any, x: Any) -> Any:
    values, vectors = xp.linalg.eigh(x)
    return _pack(xp, values[..., None, :], vectors)


def _eigh_x(xp: Any, g: Any, out: Any, x_shape: tuple[int, ...]) -> Any:
    # dQ = Q (f * (Q^H dx Q)) with f[i, j] = 1 / (w[j] - w[i]): M. Giles, "An extended collection of
    # matrix derivative results for forward and reverse mode algorithmic differentiation", 2008,
    # section 3.1. If only the values are used, gq is 0 and equal values do no harm.
    shapes = _eigen_shapes(x_shape[-1])
    w, q = _unpack(xp.reshape, out, *shapes)
    gw, gq = _unpack(xp.reshape, conjugate(xp, g), *shapes)
    m = xp.matmul(_h(xp, q), gq)
    m = _off_diagonal(xp, m - _h(xp, m)) / 2
    m = _over(xp, m, _differences(_real(xp, w)[..., 0, :]))
    result = xp.matmul(xp.matmul(q, m) + q * _real(xp, gw), _h(xp, q))
    return conjugate(xp, result)


_EIGH = Primitive("eigh", _eigh, x=_eigh_x)
_EIGVALSH = Primitive("eigvalsh", lambda xp, x: xp.linalg.eigvalsh(x), x=None)


def eigh(x: TensorLike, /) -> EighResult:
    """Return the eigenvalues and eigenvectors of symmetric, or Hermitian, matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M): symmetric, or Hermitian if complex.

    Returns
    -------
    eigenvalues : Tensor
        Of shape (..., M), real.
    eigenvectors : Tensor
        Of shape (..., M, M), of the data type of `x`; the columns are orthonormal.

    Notes
    -----
    The gradient is symmetric (Hermitian), as `x` is. That of the eigenvalues always exists; that of
    eigenvectors is infinite where two eigenvalues are equal, and large where they nearly are.

    An eigenvector is free in its sign, a complex one in its phase. The gradient is meaningful only
    for results that don't depend on this choice, such as ``abs(eigenvectors)**2``; it takes the
    phase to stay as it is.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[2.0, 1.0], [1.0, 2.0]], requires_grad=True)
    >>> values = ag.linalg.eigh(x).eigenvalues
    >>> ag.max(values).backward()
    >>> ag.round(values).tolist(), ag.round(2 * x.grad).tolist()
    ([1.0, 3.0], [[1.0, 1.0], [1.0, 1.0]])
    """
    x = _matrices("eigh", x, square=True)
    values, vectors = _unpack(reshape, record(_EIGH, (x,)), *_eigen_shapes(x.shape[-1]))
    return EighResult(real(values)[..., 0, :], vectors)


def eigvalsh(x: TensorLike, /) -> "Tensor":
    """Return the eigenvalues of symmetric, or Hermitian, matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M): symmetric, or Hermitian if complex.

    Returns
    -------
    Tensor
        Of shape (..., M), real.

    Notes
    -----
    If a gradient will be wanted, this is `eigh`, since the gradient needs the eigenvectors. The
    gradient exists where eigenvalues are equal, too; the second derivative then doesn't.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.round(ag.linalg.eigvalsh(ag.Tensor([[2.0, 1.0], [1.0, 2.0]]))).tolist()
    [1.0, 3.0]
    """
    x = _matrices("eigvalsh", x, square=True)
    return eigh(x).eigenvalues if _requires_grad(x) else record(_EIGVALSH, (x,))


def _complex(xp: Any, x: Any) -> Any:
    """Cast to complex numbers: NumPy gives real eigenvalues where all of them are real."""
    return xp.astype(x, xp.result_type(x.dtype, xp.complex64), copy=False)


def _eig(xp: Any, x: Any) -> Any:
    values, vectors = xp.linalg.eig(x)
    return _pack(xp, values[..., None, :], _complex(xp, vectors))


def _eig_x(xp: Any, g: Any, out: Any, x_shape: tuple[int, ...]) -> Any:
    # C. Boeddeker and others, "On the computation of complex-valued gradients with application to
    # statistically optimum beamforming", 2017, equation 4.77. If only the values are used, gv is 0
    # and equal values do no harm.
    shapes = _eigen_shapes(x_shape[-1])
    w, v = _unpack(xp.reshape, out, *shapes)
    gw, gv = _unpack(xp.reshape, conjugate(xp, g), *shapes)
    vh = _h(xp, v)
    m = xp.matmul(vh, gv)
    # The vectors keep their length 1: what of gv lies along them is taken off
    along = xp.real(xp.linalg.diagonal(m))[..., None, :]
    m = _off_diagonal(xp, m - xp.matmul(vh, v) * along)
    m = _over(xp, m, xp.conj(_differences(w[..., 0, :])))
    return conjugate(xp, xp.linalg.solve(vh, xp.matmul(m, vh) + _t(xp, gw) * vh))


_EIG = Primitive("eig", _eig, x=_eig_x)
_EIGVALS = Primitive("eigvals", lambda xp, x: _complex(xp, xp.linalg.eigvals(x)), x=None)


def eig(x: TensorLike, /) -> EigResult:
    """Return the eigenvalues and eigenvectors of square matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M).

    Returns
    -------
    eigenvalues : Tensor
        Of shape (..., M), complex, in no particular order.
    eigenvectors : Tensor
        Of shape (..., M, M), complex; the columns have length 1.

    Notes
    -----
    The gradient needs as many independent eigenvectors as there are rows. That of eigenvectors is
    infinite where two eigenvalues are equal. An eigenvector is free in its phase: the gradient is
    meaningful only for results that don't depend on it, such as ``abs(eigenvectors)**2``; it takes
    the phase to stay as it is.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.eig(ag.Tensor([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues.tolist()
    [1j, -1j]
    """
    x = _matrices("eig", x, square=True)
    values, vectors = _unpack(reshape, record(_EIG, (x,)), *_eigen_shapes(x.shape[-1]))
    return EigResult(values[..., 0, :], vectors)


def eigvals(x: TensorLike, /) -> "Tensor":
    """Return the eigenvalues of square matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, M).

    Returns
    -------
    Tensor
        Of shape (..., M), complex, in no particular order.

    Notes
    -----
    If a gradient will be wanted, this is `eig`, since the gradient needs the eigenvectors, as many
    independent ones as there are rows.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.eigvals(ag.Tensor([[0.0, 1.0], [-1.0, 0.0]])).tolist()
    [1j, -1j]
    """
    x = _matrices("eigvals", x, square=True)
    return eig(x).eigenvalues if _requires_grad(x) else record(_EIGVALS, (x,))


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: "Tensor"
    S: "Tensor"
    Vh: "Tensor"


def _svd_shapes(
    shape: tuple[int, ...], full_matrices: bool
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    rows, columns = shape[-2:]
    k = rows if rows < columns else columns
    if full_matrices:
        return (rows, rows), (1, k), (columns, columns)
    return (rows, k), (1, k), (k, columns)


def _svd(xp: Any, x: Any, full_matrices: bool) -> Any:
    u, s, vh = xp.linalg.svd(x, full_matrices=full_matrices)
    return _pack(xp, u, s[..., None, :], vh)


def _svd_x(xp: Any, g: Any, out: Any, x_shape: tuple[int, ...], full_matrices: bool) -> Any:
    # J. Townsend, "Differentiating the singular value decomposition", 2016, and for complex numbers
    # Z.-Q. Wan and S.-X. Zhang, "Automatic differentiation for complex valued SVD", 2019. If only
    # the values are used, gu and gvh are 0, and equal or zero values do no harm.
    rows, columns = x_shape[-2:]
    k = rows if rows < columns else columns
    shapes = _svd_shapes(x_shape, full_matrices)
    u, s, vh = _unpack(xp.reshape, out, *shapes)
    gu, gs, gvh = _unpack(xp.reshape, conjugate(xp, g), *shapes)
    # The vectors beyond the first k are arbitrary: what asks for their gradient gets none
    u, gu, vh, gv = u[..., :, :k], gu[..., :, :k], vh[..., :k, :], _h(xp, gvh[..., :k, :])
    s, uh, v = _real(xp, s), _h(xp, u), _h(xp, vh)
    mu, mv = xp.matmul(uh, gu), xp.matmul(vh, gv)
    row, column = s, _t(xp, s)
    squares = (row - column) * (row + column)  # s[j]**2 - s[i]**2
    turn_u = _over(xp, _off_diagonal(xp, mu - _h(xp, mu)), squares)
    turn_v = _over(xp, _off_diagonal(xp, mv - _h(xp, mv)), squares)
    middle = turn_u * row + column * turn_v + _eye_like(xp, mu) * _real(xp, gs)
    if as_dtype(u.dtype).is_complex:
        # A phase common to a pair of vectors is free; that between them is not
        phase = xp.imag(xp.linalg.diagonal(mu - mv))[..., None, :] / 2
        middle = middle + _eye_like(xp, mu) * (_over(xp, phase, s) * 1j)
    result = xp.matmul(u, xp.matmul(middle, vh))
    if rows > k:
        beyond = _over(xp, gu - xp.matmul(u, mu), s)
        result = result + xp.matmul(beyond, vh)
    if columns > k:
        beyond = _over(xp, gv - xp.matmul(v, mv), s)
        result = result + xp.matmul(u, _h(xp, beyond))
    return conjugate(xp, result)


_SVD = Primitive("svd", _svd, x=_svd_x)
_SVDVALS = Primitive("svdvals", lambda xp, x: xp.linalg.svdvals(x), x=None)


def svd(x: TensorLike, /, *, full_matrices: bool = True) -> SVDResult:
    """Return the singular value decompositions of matrices: ``x == (U * S) @ Vh``.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, N).
    full_matrices : bool
        Whether U and Vh are square, or have only the K = min(M, N) singular vectors that belong to
        the singular values.

    Returns
    -------
    U : Tensor
        Of shape (..., M, M) or (..., M, K), of the data type of `x`: orthonormal columns.
    S : Tensor
        Of shape (..., K), real: the singular values, the greatest first.
    Vh : Tensor
        Of shape (..., N, N) or (..., K, N): orthonormal rows.

    Notes
    -----
    The gradient of the singular values always exists; that of singular vectors is infinite where
    two singular values are equal, and for M != N where one is 0. The vectors beyond the first K are
    arbitrary: their gradient is ignored, as PyTorch does.

    A pair of singular vectors is free in its sign, a complex one in its phase. The gradient is
    meaningful only for results that don't depend on this choice.

    Examples
    --------
    >>> import agrad as ag
    >>> result = ag.linalg.svd(ag.Tensor([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]]))
    >>> result.S.tolist(), result.U.shape, result.Vh.shape
    ([2.0, 1.0], (3, 3), (2, 2))
    """
    x = _matrices("svd", x)
    packed = record(_SVD, (x,), full_matrices=full_matrices)
    u, s, vh = _unpack(reshape, packed, *_svd_shapes(x.shape, full_matrices))
    return SVDResult(u, real(s)[..., 0, :], vh)


def svdvals(x: TensorLike, /) -> "Tensor":
    """Return the singular values of matrices.

    Parameters
    ----------
    x : Tensor
        Floating-point, of shape (..., M, N).

    Returns
    -------
    Tensor
        Of shape (..., K) with K = min(M, N), real, the greatest first.

    Notes
    -----
    If a gradient will be wanted, this is `svd`, since the gradient needs the singular vectors. At a
    singular value of 0 it is one of the many that are possible.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.linalg.svdvals(ag.Tensor([[0.0, 2.0], [1.0, 0.0]])).tolist()
    [2.0, 1.0]
    """
    x = _matrices("svdvals", x)
    if _requires_grad(x):
        return svd(x, full_matrices=False).S
    return record(_SVDVALS, (x,))
