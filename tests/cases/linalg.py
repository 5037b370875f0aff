"""Linear algebra: products, triangles, and the linalg extension."""

import math
from typing import Any

import numpy as np

from cases.table import Drawn, between, case, complex_between, flat, floats, ints

for one, two in [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((2, 2, 3), (3,)),
    ((3,), (2, 3, 2)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((2, 2, 3), (2, 3, 2)),
    ((2, 1, 2, 3), (3, 3, 1)),
    ((1, 2, 3), (2, 3, 2)),
    ((2, 0), (0, 3)),
    ((0,), (0,)),
    ((0, 2, 3), (3, 2)),
]:
    case("matmul", lambda xp, x, y: xp.matmul(x, y), one, two)
case("matmul", lambda xp, x, y: x @ y, (2, 3), (3, 2))
case("matrix_transpose", lambda xp, x: xp.matrix_transpose(x), (2, 3))
case("matrix_transpose", lambda xp, x: x.mT, (2, 2, 3))
case("matrix_transpose", lambda xp, x: x.T, (2, 3))
case("outer", lambda xp, x, y: xp.outer(x, y), (2,), (3,))
case("outer", lambda xp, x, y: xp.outer(x, y), (0,), (3,))
case("vecdot", lambda xp, x, y: xp.vecdot(x, y), (2, 3), (2, 3))
case("vecdot", lambda xp, x, y: xp.vecdot(x, y), (3,), (2, 1, 3))
case("vecdot", lambda xp, x, y: xp.vecdot(x, y, axis=-2), (3, 2), (2, 3, 2))
case("tensordot", lambda xp, x, y: xp.tensordot(x, y), (2, 3, 2), (3, 2, 2))
case("tensordot", lambda xp, x, y: xp.tensordot(x, y, axes=1), (2, 3), (3, 2))
case("tensordot", lambda xp, x, y: xp.tensordot(x, y, axes=0), (2,), (3, 2))
case("tensordot", lambda xp, x, y: xp.tensordot(x, y, axes=((0, -1), (1, 0))), (2, 3, 2), (2, 2, 3))
case("tril", lambda xp, x: xp.tril(x), (3, 3))
case("tril", lambda xp, x: xp.tril(x, k=1), (2, 2, 3))
case("triu", lambda xp, x: xp.triu(x), (3, 2))
case("triu", lambda xp, x: xp.triu(x, k=-1), (2, 3, 3))

# The extension -----------------------------------------------------------------------------------
# Eigenvectors and singular vectors are free in sign or phase: functions of them that are not.


def adjoint(xp: Any, x: Any) -> Any:
    return xp.conj(xp.matrix_transpose(x))


def hermitian(xp: Any, x: Any) -> Any:
    return x + adjoint(xp, x)


def gram(xp: Any, x: Any) -> Any:
    return x @ adjoint(xp, x)


def regular(xp: Any, x: Any) -> Any:
    return x + 4 * xp.tril(xp.triu(xp.ones_like(x)))


def squares(xp: Any, x: Any) -> Any:
    return xp.real(x * xp.conj(x))


def polar(xp: Any, u: Any, s: Any, vh: Any) -> Any:
    return (u * xp.sqrt(s)[..., None, :]) @ vh


def first_vectors(u: Any, s: Any, vh: Any) -> tuple[Any, Any, Any]:
    k = s.shape[-1]
    return u[..., :, :k], s, vh[..., :k, :]


def both(*shape: int) -> list[Drawn]:
    return [between(-2, 2, *shape), complex_between(-2, 2, *shape)]


case("vecdot", lambda xp, x, y: xp.vecdot(x, y), complex_between(-2, 2, 2, 3), (3,))
case("vecdot", lambda xp, x, y: xp.vecdot(x, y), *[complex_between(-2, 2, 3)] * 2)
case("outer", lambda xp, x, y: xp.outer(x, y), complex_between(-2, 2, 2), complex_between(-2, 2, 3))
case("tensordot", lambda xp, x, y: xp.tensordot(x, y, axes=1), (2, 3), complex_between(-2, 2, 3))

for x in (*both(3, 5), *both(2, 2, 4), *both(0, 2, 2), *both(0, 3)):
    case("linalg.cholesky", lambda xp, x: xp.linalg.cholesky(gram(xp, x)), x)
for x in both(3, 5):
    case("linalg.cholesky", lambda xp, x: xp.linalg.cholesky(gram(xp, x), upper=True), x)

case("linalg.cross", lambda xp, x, y: xp.linalg.cross(x, y), (3,), (3,))
case("linalg.cross", lambda xp, x, y: xp.linalg.cross(x, y), (2, 3), (3,))
case("linalg.cross", lambda xp, x, y: xp.linalg.cross(x, y), *[complex_between(-2, 2, 2, 3)] * 2)
case("linalg.cross", lambda xp, x, y: xp.linalg.cross(x, y), (2, 1, 3), (2, 3))
case("linalg.cross", lambda xp, x, y: xp.linalg.cross(x, y, axis=-2), (3, 2), (2, 3, 2))
case("linalg.cross", lambda xp, x, y: xp.linalg.cross(x, y), (0, 3), (0, 3))

full_rank = floats([[1, 2, 0], [0, 1, 3], [2, 0, 1]])
rank_2, rank_1 = full_rank[[0, 1, 1]], full_rank[[1, 1, 1]]
for x in (*both(3, 3), *both(2, 2, 2), *both(1, 1), *both(0, 2, 2), *both(0, 0)):
    case("linalg.det", lambda xp, x: xp.linalg.det(x), x)
# Singular matrices, and equal singular values
wrong = {"reference": "PyTorch's gradient of a complex singular matrix isn't the slope"}
for x in (rank_2, rank_1, np.zeros((2, 2)), np.zeros((3, 3)), np.eye(3), np.diag([2.0, 0, 0, 1])):
    case("linalg.det", lambda xp, x: xp.linalg.det(x), x)
    without = wrong if x is rank_2 else {}
    case("linalg.det", lambda xp, x: xp.linalg.det(x), x * (1 + 2j), without=without)
case("linalg.det", lambda xp, x: xp.linalg.det(x), np.stack([full_rank, rank_2, rank_1]))

for offset in (0, 1, 3, 9, -1, -2, -9):
    for shape in ((2, 2, 4), (3, 2)):
        case("linalg.diagonal", lambda xp, x, k=offset: xp.linalg.diagonal(x, offset=k), shape)
    case("linalg.trace", lambda xp, x, k=offset: xp.linalg.trace(x, offset=k), (2, 2, 4))
for x in (*both(3, 3), *both(0, 3), *both(0, 3, 2)):
    case("linalg.diagonal", lambda xp, x: xp.linalg.diagonal(x), x)
    case("linalg.trace", lambda xp, x: xp.linalg.trace(x), x)
case("linalg.trace", lambda xp, x: xp.linalg.trace(x, dtype=xp.float64), (3, 3))

for x in (*both(3, 3), *both(2, 2, 2), *both(0, 2, 2), *both(0, 0), *both(1, 1)):
    case("linalg.eigvals", lambda xp, x: xp.linalg.eigvals(x) ** 2 * 1j, x)
    case("linalg.eig", lambda xp, x: 1j * xp.linalg.eig(x)[0], x)
    case("linalg.eig", lambda xp, x: squares(xp, 1j * xp.linalg.eig(x)[1]), x)
    case("linalg.eigvalsh", lambda xp, x: xp.linalg.eigvalsh(hermitian(xp, x)), x)
    case("linalg.eigh", lambda xp, x: xp.linalg.eigh(hermitian(xp, x))[0], x)
    case("linalg.eigh", lambda xp, x: squares(xp, xp.linalg.eigh(hermitian(xp, x))[1]), x)

for x in (*both(3, 3), *both(2, 2, 2), *both(0, 2, 2), *both(0, 0)):
    case("linalg.inv", lambda xp, x: xp.linalg.inv(x), x)
    case("linalg.slogdet", lambda xp, x: xp.linalg.slogdet(x)[1], x)
    case("linalg.slogdet", lambda xp, x: xp.multiply(*xp.linalg.slogdet(x)), x)
    for n in (0, 1, 4, 6, -1, -3):
        case("linalg.matrix_power", lambda xp, x, n=n: xp.linalg.matrix_power(x, n), x)

for ord in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
    for x in (*both(3, 2), between(-2, 2, 2, 2, 3)):
        case("linalg.matrix_norm", lambda xp, x, n=ord: xp.linalg.matrix_norm(x, ord=n), x)
    case(
        "linalg.matrix_norm",
        lambda xp, x, n=ord: xp.linalg.matrix_norm(x, ord=n, keepdims=True),
        (2, 2, 3),
    )
for x in (np.zeros((2, 3)), np.zeros((2, 3)) * 1j, np.eye(2)):
    case("linalg.matrix_norm", lambda xp, x: xp.linalg.matrix_norm(x), x, smooth=False)
case("linalg.matrix_norm", lambda xp, x: xp.linalg.matrix_norm(x), (0, 3))

# Tall, wide, and of less than full rank, where only changes that keep the rank have a derivative
for x in (*both(3, 3), *both(2, 3, 2), *both(2, 4), *both(0, 2, 3), *both(0, 3)):
    case("linalg.pinv", lambda xp, x: xp.linalg.pinv(x), x)
case("linalg.pinv", lambda xp, x, y: xp.linalg.pinv(x @ y, rtol=1e-3), (3, 2), (2, 4))
case(
    "linalg.pinv",
    lambda xp, x, n: xp.linalg.pinv(x, rtol=xp.astype(n, x.dtype) / 100),
    np.stack([full_rank, -full_rank]),
    ints([1, 2]),
)

for x in (*both(3, 3), *both(2, 3, 2), *both(2, 4), *both(0, 2, 3), *both(0, 3)):
    case("linalg.qr", lambda xp, x: xp.linalg.qr(x)[0], x)
    case("linalg.qr", lambda xp, x: xp.linalg.qr(x)[1], x)
    case("linalg.qr", lambda xp, x: xp.matmul(*(each**2 for each in xp.linalg.qr(x))), x)
for x in (*both(3, 3), *both(2, 2, 4)):
    case("linalg.qr", lambda xp, x: xp.linalg.qr(x, mode="complete")[1], x)

for one, two in (
    ((3, 3), (3,)),
    ((3, 3), (3, 2)),
    ((2, 3, 3), (3,)),
    ((2, 2, 2), (2, 1)),
    ((2, 2), (3, 2, 1)),
    ((2, 1, 2, 2), (3, 2, 2)),
    ((0, 2, 2), (2, 3)),
    ((2, 2), (2, 0)),
    ((0, 0), (0,)),
):
    for x, y in zip(both(*one), both(*two), strict=True):
        case("linalg.solve", lambda xp, x, y: xp.linalg.solve(regular(xp, x), y), x, y)

for x in (*both(3, 3), *both(2, 3, 2), *both(2, 4), *both(0, 2, 3), *both(0, 3), *both(1, 1)):
    case("linalg.svdvals", lambda xp, x: xp.linalg.svdvals(x), x)
    case("linalg.svd", lambda xp, x: xp.linalg.svd(x)[1], x)
    for place in (0, 2):
        case(
            "linalg.svd",
            lambda xp, x, i=place: squares(xp, xp.linalg.svd(x, full_matrices=False)[i]),
            x,
        )
for x in (*both(3, 3), *both(2, 3, 2), *both(2, 4)):
    # A pair's common phase falls out, that between the two does not
    case("linalg.svd", lambda xp, x: polar(xp, *xp.linalg.svd(x, full_matrices=False)), x)
    case("linalg.svd", lambda xp, x: polar(xp, *first_vectors(*xp.linalg.svd(x))), x)

for ord in (0, 1, 2, 3, 2.5, 1.5, 0.5, -1, -2, -0.5, math.inf, -math.inf):
    for x in (*both(2, 3), between(-2, 2)):
        case("linalg.vector_norm", lambda xp, x, n=ord: xp.linalg.vector_norm(x, ord=n), x)
    for axis, keepdims in ((0, True), ((0, -1), False), ((2, 0), True)):
        case(
            "linalg.vector_norm",
            lambda xp, x, n=ord, a=axis, k=keepdims: xp.linalg.vector_norm(
                x, ord=n, axis=a, keepdims=k
            ),
            (2, 3, 2),
        )
for ord in (0, 1, 2, 3, 2.5, 1.5, 0.5, math.inf, -math.inf):
    zeros = floats([[0.0, 0.0, 0.0], [0.0, 1.5, -2.0]])
    for x in (zeros, zeros * (1 + 1j)):
        case(
            "linalg.vector_norm",
            lambda xp, x, n=ord: xp.linalg.vector_norm(x, ord=n, axis=-1),
            x,
            smooth=False,
        )
case("linalg.vector_norm", lambda xp, x: xp.linalg.vector_norm(x), (0,))
case("linalg.vector_norm", lambda xp, x: xp.linalg.vector_norm(x, axis=0), (0, 2))
for n in (math.inf, -math.inf):
    ties = floats([2.0, -2.0, 1.0, -1.0])
    case(
        "linalg.vector_norm", lambda xp, x, n=n: xp.linalg.vector_norm(x, ord=n), ties, smooth=False
    )

for x in (full_rank, rank_2, rank_1, np.zeros((2, 3)), np.stack([rank_1, full_rank, rank_2])):
    flat("linalg.matrix_rank", lambda xp, x: xp.linalg.matrix_rank(x), x)
    flat("linalg.matrix_rank", lambda xp, x: xp.linalg.matrix_rank(x, rtol=0.5), x)

# Einstein's sums ---------------------------------------------------------------------------------

for subscripts, *shapes in [
    ("ij,jk->ik", (2, 3), (3, 2)),
    ("ij,kj", (2, 3), (2, 3)),
    ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)),
    ("...ij,...j->i...", (2, 1, 2, 3), (2, 3)),
    ("i,i", (3,), (3,)),
    ("i,j->ji", (2,), (3,)),
    ("ij->j", (2, 3)),
    ("ij->ij", (2, 3)),
    ("ii", (3, 3)),
    ("iij->ji", (2, 2, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)),
    ("i,ij,j->i", (2,), (2, 3), (3,)),
    ("ij,jk->ik", (2, 1), (3, 2)),
    ("ij,jk->ik", (2, 0), (0, 2)),
]:
    case("einsum", lambda xp, *x, s=subscripts: xp.einsum(s, *x), *shapes)
one, one_type = complex_between(-2, 2, 2, 3), {"reference": "PyTorch takes one data type"}
case("einsum", lambda xp, x, y: xp.einsum("ij,jk->ki", x, y), one, (3, 2), without=one_type)
