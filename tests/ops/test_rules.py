"""Every function's value and its first and second derivatives, on every array library.

One table says how each function is called. A case is written once, over a namespace ``xp``, like
the rules themselves: with agrad as ``xp`` it is what we test, with NumPy it gives the values and
their finite differences, with PyTorch the values and gradients of somebody else.
"""

import math
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import array_api_compat.numpy
import numpy as np
import pytest
import scipy.special

import agrad as ag

# Inputs ------------------------------------------------------------------------------------------


class Drawn(NamedTuple):
    """An input of random numbers; if they are complex, both parts are drawn."""

    shape: tuple[int, ...]
    low: float
    high: float
    is_complex: bool = False

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        x = rng.uniform(self.low, self.high, self.shape)
        if self.is_complex:
            x = np.asarray(x + 1j * rng.uniform(self.low, self.high, self.shape))
        return x


def between(low: float, high: float, *shape: int) -> Drawn:
    return Drawn(shape, low, high)


def complex_between(low: float, high: float, *shape: int) -> Drawn:
    return Drawn(shape, low, high, is_complex=True)


def ints(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)


def floats(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)


def complexes(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.complex128)


def bools(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=bool)


class Case(NamedTuple):
    """How a function is called.

    ``call(xp, *inputs)`` gives one array. An input is an array, or a shape (or a `Drawn`) for
    random numbers. Floating-point inputs, real or complex, get gradients, others don't.
    """

    function: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    without: dict[str, str]  # which libraries can't, and why; "reference" is PyTorch's autograd
    smooth: bool  # False where finite differences say nothing: at ties and kinks

    def arrays(self) -> list[np.ndarray]:
        """Return the inputs as NumPy arrays, always the same ones."""
        rng = np.random.default_rng(zlib.crc32(self.function.encode()))
        drawn = (Drawn(x, -2, 2) if type(x) is tuple else x for x in self.inputs)
        return [x.draw(rng) if isinstance(x, Drawn) else x for x in drawn]


CASES: dict[str, Case] = {}  # functions with a derivative
FLAT: dict[str, Case] = {}  # and without one


def case(
    function: str,
    call: Callable[..., Any],
    *inputs: Any,
    without: dict[str, str] | None = None,
    smooth: bool = True,
) -> None:
    enter(CASES, Case(function, call, inputs, without or {}, smooth))


def flat(
    function: str,
    call: Callable[..., Any],
    *inputs: Any,
    without: dict[str, str] | None = None,
) -> None:
    enter(FLAT, Case(function, call, inputs, without or {}, smooth=False))


def enter(table: dict[str, Case], case: Case) -> None:
    """Enter a case under a name that says where it stands in this file."""
    number = sum(each.function == case.function for each in table.values())
    table[f"{case.function}-line{case.call.__code__.co_firstlineno}-{number}"] = case


# Elementwise -------------------------------------------------------------------------------------

# Where each function of one argument is defined and smooth
UNARY = {
    "abs": (-2, 2), "acos": (-0.9, 0.9), "acosh": (1.2, 3), "asin": (-0.9, 0.9), "asinh": (-2, 2),
    "atan": (-2, 2), "atanh": (-0.9, 0.9), "cos": (-3, 3), "cosh": (-2, 2), "exp": (-2, 2),
    "expm1": (-2, 2), "log": (0.1, 3), "log10": (0.1, 3), "log1p": (-0.9, 3), "log2": (0.1, 3),
    "negative": (-2, 2), "positive": (-2, 2), "reciprocal": (0.3, 2), "sin": (-3, 3),
    "sinh": (-2, 2), "sqrt": (0.1, 3), "square": (-2, 2), "tan": (-1.2, 1.2), "tanh": (-2, 2),
}  # fmt: skip
for name, (low, high) in UNARY.items():
    for shape in [(2, 3), (), (0, 2)]:
        case(name, lambda xp, x, n=name: getattr(xp, n)(x), between(low, high, *shape))

BINARY = {
    "add": (-2, 2), "subtract": (-2, 2), "multiply": (-2, 2), "divide": (0.5, 2), "pow": (0.5, 2),
    "atan2": (-2, 2), "copysign": (-2, 2), "hypot": (-2, 2), "logaddexp": (-2, 2),
    "maximum": (-2, 2), "minimum": (-2, 2), "remainder": (0.3, 5),
}  # fmt: skip
BROADCASTS = [
    ((2, 3), (2, 3)),
    ((), ()),
    ((2, 3), (3,)),
    ((1,), (2, 3)),
    ((2, 1), (1, 3)),
    ((), (2, 2)),
    ((0, 2), (1, 2)),
]
for name, (low, high) in BINARY.items():
    for one, two in BROADCASTS:
        inputs = between(low, high, *one), between(low, high, *two)
        case(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), *inputs)

# With Python's numbers on either side
no_remainder = {"reference": "PyTorch has no gradient for number % tensor"}
for number in (2, 0.5):
    case("add", lambda xp, x, n=number: x + n, (2, 3))
    case("add", lambda xp, x, n=number: n + x, (2, 3))
    case("subtract", lambda xp, x, n=number: x - n, (2, 3))
    case("subtract", lambda xp, x, n=number: n - x, (2, 3))
    case("multiply", lambda xp, x, n=number: x * n, (2, 3))
    case("multiply", lambda xp, x, n=number: n * x, (2, 3))
    case("divide", lambda xp, x, n=number: x / n, (2, 3))
    case("divide", lambda xp, x, n=number: n / x, between(0.5, 2, 2, 3))
    case("remainder", lambda xp, x, n=number: x % n, between(0.1, 3, 2, 3))
    case("remainder", lambda xp, x, n=number: n % x, between(0.3, 3, 2, 3), without=no_remainder)
for exponent in (0, 1, 2, 3, -1, -2, 0.5, 2.5):
    case("pow", lambda xp, x, n=exponent: x**n, between(0.5, 2, 2, 3))
for base in (2, 0.5, 1, 0):
    case("pow", lambda xp, x, n=base: n**x, between(0.5, 2, 2, 3))
case("maximum", lambda xp, x: xp.maximum(x, 0.25), (2, 3))
case("minimum", lambda xp, x: xp.minimum(0.25, x), (2, 3))
case("atan2", lambda xp, x: xp.atan2(x, 0.25), (2, 3))

# Negative bases and zeros: x**0 is 1 and 0**x is 0 with derivatives of 0, not NaN
case("pow", lambda xp, x: x**2, floats([-1.5, 0.0, 2.0]))
case("pow", lambda xp, x: x**3, floats([-1.5, 0.0, 2.0]))
case("pow", lambda xp, x: x**1, floats([-1.5, 0.0, 2.0]))
case("pow", lambda xp, x: x**0, floats([-1.5, 0.0, 2.0]))
case("pow", lambda xp, x, n: x ** xp.astype(n, x.dtype), floats([-1.5, 0.0, 2.0]), ints([2, 2, 0]))

case("clip", lambda xp, x: xp.clip(x, -0.5, 1), (2, 3))
case("clip", lambda xp, x: xp.clip(x, min=0.0), (2, 3))
case("clip", lambda xp, x: xp.clip(x, max=0.0), (2, 3))
case("clip", lambda xp, x, y, z: xp.clip(x, y, z), (2, 3), between(-1, -0.5, 3), between(0.5, 1, 3))

# Complex numbers: by PyTorch's convention, dL/dRe + i dL/dIm

for name in (*UNARY, "sign"):
    if name != "abs":
        case(name, lambda xp, x, n=name: getattr(xp, n)(x), complex_between(0.2, 2, 2, 3))
for name in ("abs", "conj", "real", "imag", "sign"):
    case(name, lambda xp, x, n=name: getattr(xp, n)(x), complex_between(-2, 2, 2, 3))
    if name != "sign":  # array_api_compat warns at 0; see test_elementwise.py
        zeros = complexes([0, 1 + 1j])
        case(name, lambda xp, x, n=name: getattr(xp, n)(x), zeros, smooth=False)
for name in ("add", "subtract", "multiply", "divide", "pow"):
    one, two = complex_between(0.2, 2, 2, 1), complex_between(0.2, 2, 3)
    case(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), one, two)
    case(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), one, between(0.2, 2, 3))
    case(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), between(0.2, 2, 2, 1), two)
case("pow", lambda xp, x: x**3, complex_between(-2, 2, 3))
case("pow", lambda xp, x: x ** (1 + 2j), complex_between(0.2, 2, 3))
case("pow", lambda xp, x: (1 + 2j) ** x, complex_between(-2, 2, 3))
case("pow", lambda xp, x: 2.0**x, complex_between(-2, 2, 3))
case("real", lambda xp, x: xp.real(x * xp.conj(x)), complex_between(-2, 2, 3))
case("real", lambda xp, x: xp.real(xp.astype(x, xp.complex128) * 2j * xp.exp(1j * x)), (3,))
case("sum", lambda xp, x: xp.sum(x, axis=0), complex_between(-2, 2, 2, 3))
case("mean", lambda xp, x: xp.mean(x), complex_between(-2, 2, 2, 3))
case("prod", lambda xp, x: xp.prod(x, axis=1), complex_between(-2, 2, 2, 3))
case("cumulative_prod", lambda xp, x: xp.cumulative_prod(x), complex_between(-2, 2, 4))
case("matmul", lambda xp, x, y: x @ y, complex_between(-2, 2, 2, 3), complex_between(-2, 2, 3, 2))
case("matmul", lambda xp, x, y: x @ y, complex_between(-2, 2, 3), complex_between(-2, 2, 3))
case("getitem", lambda xp, x, i: x[i], complex_between(-2, 2, 4), ints([0, 2, 2]))
no_mixture = {"reference": "PyTorch's where has no gradient for real beside complex numbers"}
case(
    "where",
    lambda xp, x, y: xp.where(xp.real(x) > 0, x, y),
    complex_between(-2, 2, 4),
    (4,),
    without=no_mixture,
)

# Linear algebra ----------------------------------------------------------------------------------

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

# The linalg extension ----------------------------------------------------------------------------
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

# Statistics --------------------------------------------------------------------------------------

warns = dict.fromkeys(
    ("var", "std"),
    dict.fromkeys(("torch", "reference"), "PyTorch warns of the variance of no elements"),
)
AXES = [None, 0, -1, (0, 2), (-2,), (-1, 0, 1)]
for name in ("sum", "mean", "prod", "max", "min", "var", "std"):

    def reduction(xp: Any, x: Any, n: str = name, **options: Any) -> Any:
        return getattr(xp, n)(x, **options)

    no_tuples = dict.fromkeys(("torch", "reference"), "PyTorch's prod takes one axis")
    for axis in AXES:
        for keepdims in (False, True):
            case(
                name,
                lambda xp, x, a=axis, k=keepdims, f=reduction: f(xp, x, axis=a, keepdims=k),
                (2, 3, 2),
                without=no_tuples if name == "prod" and isinstance(axis, tuple) else {},
            )
    if name in ("sum", "mean", "prod", "max", "min"):
        case(name, lambda xp, x, f=reduction: f(xp, x), ())
    if name in ("sum", "prod"):
        case(name, lambda xp, x, f=reduction: f(xp, x), (0,))
        case(name, lambda xp, x, f=reduction: f(xp, x, axis=0), (0, 2))
    case(name, lambda xp, x, f=reduction: f(xp, x, axis=1), (0, 2), without=warns.get(name))
for name in ("var", "std"):
    case(name, lambda xp, x, n=name: getattr(xp, n)(x, correction=1), (4,))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=0, correction=1.0), (3, 2))
case("sum", lambda xp, x: xp.sum(x, dtype=xp.float64), (2, 3))
case("prod", lambda xp, x: xp.prod(x, dtype=xp.float64), (3,))

one_zero, two_zeros = [[1.5, 0.0, -2.0], [3.0, -1.0, 0.5]], [[1.5, 0.0, 0.0], [3.0, 0.0, 0.5]]
for zeros in (one_zero, two_zeros):
    for axis in (None, 0, 1):
        case("prod", lambda xp, x, a=axis: xp.prod(x, axis=a), floats(zeros))
    for axis in (0, 1):
        case("cumulative_prod", lambda xp, x, a=axis: xp.cumulative_prod(x, axis=a), floats(zeros))
for name in ("cumulative_sum", "cumulative_prod"):

    def scan(xp: Any, x: Any, n: str = name, **options: Any) -> Any:
        return getattr(xp, n)(x, **options)

    case(name, lambda xp, x, f=scan: f(xp, x), (5,))
    case(name, lambda xp, x, f=scan: f(xp, x), (1,))
    case(name, lambda xp, x, f=scan: f(xp, x, axis=0), (3, 2))
    case(name, lambda xp, x, f=scan: f(xp, x, axis=-2), (2, 3, 2))
    case(name, lambda xp, x, f=scan: f(xp, x, axis=0), (0, 2))
    case(name, lambda xp, x, f=scan: f(xp, x, include_initial=True), (4,))
    case(name, lambda xp, x, f=scan: f(xp, x, axis=-1, include_initial=True), (2, 3))

# Ties: those that are equal share the gradient
tied = [[1.0, 3.0, 3.0], [3.0, 0.0, 1.0]]
for name in ("max", "min"):
    for axis in (None, 0, 1):
        case(
            name,
            lambda xp, x, n=name, a=axis: getattr(xp, n)(x, axis=a),
            floats(tied),
            smooth=False,
        )
for name in ("maximum", "minimum"):
    case(
        name,
        lambda xp, x, y, n=name: getattr(xp, n)(x, y),
        floats(tied),
        floats([1.0, 2.0, 3.0]),
        smooth=False,
    )
case("abs", lambda xp, x: xp.abs(x), floats([-1.0, 0.0, 2.0]), smooth=False)
case("clip", lambda xp, x: xp.clip(x, 0.0, 1.0), floats([-1.0, 0.0, 0.5, 1.0, 2.0]), smooth=False)

# Manipulation ------------------------------------------------------------------------------------

case("reshape", lambda xp, x: xp.reshape(x, (3, 2)), (2, 3))
case("reshape", lambda xp, x: xp.reshape(x, (-1,)), (2, 3))
case("reshape", lambda xp, x: xp.reshape(x, (1, 1)), ())
case("reshape", lambda xp, x: xp.reshape(x, ()), (1, 1))
case("reshape", lambda xp, x: xp.reshape(x, (3, 0)), (0, 2))
case("permute_dims", lambda xp, x: xp.permute_dims(x, (2, 0, 1)), (2, 3, 4))
case("permute_dims", lambda xp, x: xp.permute_dims(x, (-1, 0, -2)), (2, 3, 4))
case("permute_dims", lambda xp, x: xp.permute_dims(x, ()), ())
case("moveaxis", lambda xp, x: xp.moveaxis(x, 0, -1), (2, 3, 4))
case("moveaxis", lambda xp, x: xp.moveaxis(x, (0, -1), (1, 0)), (2, 3, 4))
case("expand_dims", lambda xp, x: xp.expand_dims(x, axis=0), (2, 3))
case("expand_dims", lambda xp, x: xp.expand_dims(x, axis=-1), (2, 3))
case("expand_dims", lambda xp, x: xp.expand_dims(x, axis=0), ())
case("squeeze", lambda xp, x: xp.squeeze(x, axis=1), (2, 1, 3))
case("squeeze", lambda xp, x: xp.squeeze(x, axis=(0, -1)), (1, 3, 1))
case("broadcast_to", lambda xp, x: xp.broadcast_to(x, (2, 4, 3)), (4, 1))
case("broadcast_to", lambda xp, x: xp.broadcast_to(x, (2, 3)), ())
case("broadcast_to", lambda xp, x: xp.broadcast_to(x, (0, 3)), (1, 3))
case("broadcast_arrays", lambda xp, x, y: xp.concat(xp.broadcast_arrays(x, y)), (2, 1), (3,))
case("flip", lambda xp, x: xp.flip(x), (2, 3))
case("flip", lambda xp, x: xp.flip(x, axis=-1), (2, 3))
case("flip", lambda xp, x: xp.flip(x, axis=(0, 1)), (2, 3, 2))
case("roll", lambda xp, x: xp.roll(x, 2), (2, 3))
case("roll", lambda xp, x: xp.roll(x, -1, axis=-1), (2, 3))
case("roll", lambda xp, x: xp.roll(x, (1, -2), axis=(0, 1)), (2, 3))
case("concat", lambda xp, x, y: xp.concat([x, y]), (2, 3), (1, 3))
case("concat", lambda xp, x, y, z: xp.concat([x, y, z], axis=-1), (2, 3), (2, 0), (2, 1))
case("concat", lambda xp, x, y: xp.concat([x, y], axis=None), (2, 3), (2,))
case("concat", lambda xp, x, y: xp.concat([x, y, x]), (2,), (1,))
case("concat", lambda xp, x, y: xp.concat([x, y], axis=None), (), (1,))
case("stack", lambda xp, x, y: xp.stack([x, y]), (2, 3), (2, 3))
case("stack", lambda xp, x, y: xp.stack([x, y, x], axis=-1), (2, 3), (2, 3))
case("stack", lambda xp, x, y: xp.stack([x, y], axis=1), (2, 3), (2, 3))
case("stack", lambda xp, x, y: xp.stack([x, y]), (), ())
case("unstack", lambda xp, x: xp.unstack(x)[1], (2, 3))
case("unstack", lambda xp, x: xp.stack(xp.unstack(x, axis=-1)[::2]), (2, 3))
case("tile", lambda xp, x: xp.tile(x, (2,)), (2, 3))
case("tile", lambda xp, x: xp.tile(x, (2, 1, 3)), (2, 3))
case("tile", lambda xp, x: xp.tile(x, (2, 0)), (3,))
case("tile", lambda xp, x: xp.tile(x, (2,)), ())
case("repeat", lambda xp, x: xp.repeat(x, 3, axis=0), (2, 3))
case("repeat", lambda xp, x: xp.repeat(x, 2, axis=-1), (2, 3))
case("repeat", lambda xp, x: xp.repeat(x, 2), (2, 3))
case("repeat", lambda xp, x, n: xp.repeat(x, n, axis=1), (2, 3), ints([1, 0, 2]))
case("astype", lambda xp, x: xp.astype(x, xp.float64), (2, 3))
case("astype", lambda xp, x: xp.astype(x, xp.float64, copy=False), (2, 3))

# Indexing ----------------------------------------------------------------------------------------

strict, pytorch = ("strict", "strict-device1"), ("torch", "reference")
no_steps_back = {"reference": "PyTorch has no slices of negative step"}
no_mixing = dict.fromkeys(
    strict,
    "array-api-strict takes arrays of integers beside integers only, and agrad after whole axes",
)
no_mixed_mask = dict.fromkeys(strict, "array-api-strict takes a mask as the only index")
no_moved_axes = no_mixing | dict.fromkeys(
    pytorch, "PyTorch leaves the indexed axes in place where an integer and an array stand apart"
)
KEYS: list[tuple[Any, tuple[int, ...], dict[str, str]]] = [
    (0, (3,), {}),
    (-1, (3, 2), {}),
    ((1, -2), (3, 2), {}),
    ((), (), {}),
    (..., (2, 3), {}),
    (slice(None), (3, 2), {}),
    (slice(1, 3), (4, 2), {}),
    (slice(None, None, 2), (5,), {}),
    (slice(-3, -1), (5,), {}),
    (slice(None, None, -1), (4,), no_steps_back),
    (slice(3, 0, -2), (5, 2), no_steps_back),
    (slice(2, 2), (4, 2), {}),
    ((slice(None), 1), (2, 3), {}),
    ((..., 0), (2, 3, 2), {}),
    ((0, ..., slice(1, None)), (2, 3, 2), {}),
    (None, (2,), {}),
    ((None, slice(None), None, 1), (2, 3), {}),
    ((..., None), (2, 3), {}),
    ((slice(None), slice(0, 0)), (2, 3), {}),
]
for key, shape, without in KEYS:
    case("getitem", lambda xp, x, k=key: x[k], shape, without=without)
    case("getitem", lambda xp, x, k=key: xp.getitem(x, k), shape, without=without)

mask = bools([[True, False, True], [False, False, True]])
case("getitem", lambda xp, x, m: x[m], (2, 3), mask)
case("getitem", lambda xp, x, m: x[m], (2, 3, 2), mask)
case("getitem", lambda xp, x, m: x[m], (2, 3), bools([True, False]))
case("getitem", lambda xp, x, m: x[m], (2, 3), np.zeros((2, 3), dtype=bool))
case("getitem", lambda xp, x, m: x[:, m], (2, 3), mask[0], without=no_mixed_mask)
case("getitem", lambda xp, x, i: x[i, i], (3, 3), ints([0, 2, 0]))
case("getitem", lambda xp, x, i, j: x[i, j], (3, 3), ints([[0], [-1]]), ints([1, 1, 2]))
case("getitem", lambda xp, x, i: x[i], (4,), ints([0, 2, 2, -1, 2]))
case("getitem", lambda xp, x, i: x[i], (4, 2), ints([[0, 1], [1, 3]]))
case("getitem", lambda xp, x, i: x[i], (4,), ints([]))
case("getitem", lambda xp, x, i: x[:, i], (2, 3), ints([2, 0, 2]))
case("getitem", lambda xp, x, i: x[..., i], (2, 2, 3), ints([2, 0, 2]), without=no_mixing)
case("getitem", lambda xp, x, i: x[1, :, i], (2, 2, 3), ints([2, 0, 2]), without=no_moved_axes)
case("getitem", lambda xp, x, i: x[i, 1:, i], (3, 2, 3), ints([2, 0, 2]), without=no_mixing)
case("getitem", lambda xp, x, i: x[None, i, ::2], (3, 3), ints([1, 1]), without=no_mixing)
case("getitem", lambda xp, x, i: x[1, i], (2, 3), ints([1, 1, 0]))
case("getitem", lambda xp, x, i: x[i], (3, 2), ints(1))

case("scatter_add", lambda xp, x, i: xp.scatter_add(x, i, (3,)), (4,), ints([0, 2, 2, -1]))
case("scatter_add", lambda xp, x: xp.scatter_add(x, slice(1, 3), (4, 2)), (2, 2))
case("scatter_add", lambda xp, x, m: xp.scatter_add(x, m, (2, 3)), (3,), mask)
case(
    "scatter_add",
    lambda xp, x, i: xp.scatter_add(x, (slice(None), i), (2, 2)),
    (2, 3),
    ints([1, 0, 1]),
)

for key in (0, (slice(None), 1), (..., slice(1, None)), ...):
    shape = np.zeros((2, 3))[key].shape
    case("setitem", lambda xp, x, v, k=key: xp.setitem(x, k, v), (2, 3), shape)
case("setitem", lambda xp, x, v: xp.setitem(x, 0, v), (2, 3), ())
case("setitem", lambda xp, x, m, v: xp.setitem(x, m, v), (2, 3), mask, (3,))
case("setitem", lambda xp, x, m: xp.setitem(x, m, 0.5), (2, 3), mask)
case("setitem", lambda xp, x, i, v: xp.setitem(x, i, v), (3,), ints([2, 0]), (2,))
case(
    "setitem",
    lambda xp, x, v: xp.setitem(x, 0, v),
    complex_between(-2, 2, 2),
    complex_between(-2, 2),
)

case("take", lambda xp, x, i: xp.take(x, i, axis=0), (3, 2), ints([2, 0, 2]))
case("take", lambda xp, x, i: xp.take(x, i, axis=-1), (2, 3), ints([1, 1]))
case("take", lambda xp, x, i: xp.take(x, i, axis=1), (2, 3, 2), ints([2, 0, 2]))
case("take", lambda xp, x, i: xp.take(x, i), (4,), ints([3, 0, 3]))
case("take", lambda xp, x, i: xp.take(x, i, axis=0), (3, 2), ints([]))
along = ints([[0, 2, 2], [1, 0, 1]])
case("take_along_axis", lambda xp, x, i: xp.take_along_axis(x, i), (2, 3), along)
case("take_along_axis", lambda xp, x, i: xp.take_along_axis(x, i, axis=0), (3, 3), along)
case("take_along_axis", lambda xp, x, i: xp.take_along_axis(x, i, axis=1), (2, 3), along[:, :1])

# Searching and sorting ---------------------------------------------------------------------------

case("where", lambda xp, c, x, y: xp.where(c, x, y), mask, (2, 3), (2, 3))
case("where", lambda xp, c, x, y: xp.where(c, x, y), mask, (3,), ())
case("where", lambda xp, c, x, y: xp.where(c, x, y), bools([True, False]), (2, 2, 1), (1, 2))
case("where", lambda xp, c, x: xp.where(c, x, 0.5), mask, (2, 3))
case("where", lambda xp, c, x: xp.where(c, 0.5, x), mask, (3,))
case("where", lambda xp, c, x, y: xp.where(c, x, y), bools([True, False]),
     floats([1.0, np.nan]), floats([np.inf, 2.0]))  # fmt: skip
case("sort", lambda xp, x: xp.sort(x), (5,))
case("sort", lambda xp, x: xp.sort(x, axis=0), (4, 2))
case("sort", lambda xp, x: xp.sort(x, axis=-2, descending=True), (2, 3, 2))
case("sort", lambda xp, x: xp.sort(x), floats([2.0, 1.0, 2.0, 1.0]), smooth=False)

# The rest of the main namespace ------------------------------------------------------------------

case("diff", lambda xp, x: xp.diff(x), (4,))
case("diff", lambda xp, x: xp.diff(x, axis=0, n=2), (4, 2))
case("diff", lambda xp, x, y, z: xp.diff(x, axis=1, prepend=y, append=z), (2, 3), (2, 1), (2, 2))
case("diff", lambda xp, x: xp.diff(x, n=3), (2,))
for i in (0, 1, 2):
    case("meshgrid", lambda xp, x, y, z, i=i: xp.meshgrid(x, y, z)[i], (2,), (3,), (1,))
    case("meshgrid", lambda xp, x, y, z, i=i: xp.meshgrid(x, y, z, indexing="ij")[i],
         (2,), (3,), (1,))  # fmt: skip
no_unique = {
    "reference": "its unique has no derivative, and there is no unique_all",
    "dask": "it doesn't know how many distinct values there are",
}
repeated = floats([[2.0, 1.0, 3.0], [1.0, 0.5, 2.0]])
for name in ("unique_all", "unique_counts", "unique_inverse"):
    case(name, lambda xp, x, n=name: getattr(xp, n)(x).values, (2, 3), without=no_unique)
    case(name, lambda xp, x, n=name: getattr(xp, n)(x).values, repeated, without=no_unique,
         smooth=False)  # fmt: skip
case("unique_values", lambda xp, x: xp.unique_values(x), (2, 3), without=no_unique)
case("unique_values", lambda xp, x: xp.unique_values(x), repeated, without=no_unique, smooth=False)

# Special -----------------------------------------------------------------------------------------

for name in ("softmax", "log_softmax"):
    case(name, lambda xp, x, n=name: getattr(xp, n)(x), (4,))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x), (2, 3))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=0), (3, 2))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=-2), (2, 3, 2))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x), floats([1000.0, 1001.0, 999.0]))

for options in ({}, {"axis": 0}, {"axis": (0, -1)}, {"axis": -2, "keepdims": True}):
    case("logsumexp", lambda xp, x, o=options: xp.logsumexp(x, **o), (2, 3, 2))
case("logsumexp", lambda xp, x: xp.logsumexp(x), ())
case("logsumexp", lambda xp, x: xp.logsumexp(x, axis=1), (0, 3))

own = {
    name: {"reference": "PyTorch has no such function"}
    for name in ("gamma", "beta", "betaln", "log_expit", "rel_entr", "kl_div")
}
own |= {"digamma": {"reference": "PyTorch's derivatives have nine digits"}}
SPECIAL = {
    "digamma": (0.3, 4), "entr": (0.1, 3), "erf": (-2, 2), "erfc": (-2, 3), "erfcx": (-2, 3),
    "erfinv": (-0.9, 0.9), "expit": (-4, 4), "gamma": (0.3, 4), "gammaln": (0.3, 4),
    "i0": (-3, 3), "i0e": (0.2, 5), "i1": (-3, 3), "i1e": (-5, -0.2), "log_expit": (-9, 4),
    "log_ndtr": (-9, 3), "logit": (0.1, 0.9), "ndtr": (-3, 3), "ndtri": (0.1, 0.9),
    "sinc": (-2, 2),
}  # fmt: skip
for name, (low, high) in SPECIAL.items():
    for shape in [(2, 3), (), (0, 2)]:
        case(
            f"special.{name}",
            lambda xp, x, n=name: getattr(xp.special, n)(x),
            between(low, high, *shape),
            without=own.get(name),
        )
case("special.gamma", lambda xp, x: xp.special.gamma(x), floats([-0.5, -1.5]), without=own["gamma"])
case("special.i1", lambda xp, x: xp.special.i1(x), floats([0.0, 1.0]))
# PyTorch's second derivative at 0 is 0; that it is -π²/3 is what the slopes tell
case("special.sinc", lambda xp, x: xp.special.sinc(x), floats([0.0, 1e-6, 0.1, -0.15, 0.16]))
for n in range(4):
    case(
        "special.polygamma",
        lambda xp, x, n=n: xp.special.polygamma(n, x),
        between(0.5, 4, 2, 3),
        without=own["digamma"],
    )

BINARY = {
    "beta": ((0.3, 3), (0.3, 3)), "betaln": ((0.3, 3), (0.3, 3)), "kl_div": ((0.1, 3), (0.1, 3)),
    "rel_entr": ((0.1, 3), (0.1, 3)), "xlog1py": ((-2, 2), (-0.8, 3)), "xlogy": ((-2, 2), (0.1, 3)),
}  # fmt: skip
for name, (first, second) in BINARY.items():
    for one, two in BROADCASTS:
        case(
            f"special.{name}",
            lambda xp, x, y, n=name: getattr(xp.special, n)(x, y),
            between(*first, *one),
            between(*second, *two),
            without=own.get(name),
        )
whole = ints([[1], [2], [4]])  # with respect to it there is no derivative
for name, shift in (("gammainc", 0), ("gammaincc", 0), ("zeta", 1)):
    case(
        f"special.{name}",
        lambda xp, a, x, n=name, s=shift: getattr(xp.special, n)(xp.astype(a + s, x.dtype), x),
        whole,
        between(0.5, 3, 2),
    )

case(
    "special.betainc",
    lambda xp, a, x: xp.special.betainc(xp.astype(a, x.dtype), 2.5, x),
    whole,
    between(0.1, 0.9, 2),
    without={"reference": "PyTorch has no such function"},
)
case("special.psi", lambda xp, x: xp.special.psi(x), between(0.3, 4, 2), without=own["digamma"])

# Fourier transforms ------------------------------------------------------------------------------

for name in ("fft", "ifft", "irfft", "hfft", "rfft", "ihfft"):

    def transform(xp: Any, x: Any, function: str = name, **options: Any) -> Any:
        return getattr(xp.fft, function)(x, **options)

    drawn = between if name in ("rfft", "ihfft") else complex_between
    for options in (
        {}, {"norm": "ortho"}, {"norm": "forward"}, *({"n": n} for n in (1, 2, 3, 5, 6)),
    ):  # fmt: skip
        case(f"fft.{name}", lambda xp, x, o=options, f=transform: f(xp, x, **o), drawn(-2, 2, 4))
    for axis in (0, 1, -2):
        case(
            f"fft.{name}",
            lambda xp, x, a=axis, f=transform: f(xp, x, axis=a),
            drawn(-2, 2, 3, 2, 2),
        )
    case(
        f"fft.{name}",
        lambda xp, x, f=transform: f(xp, x, n=3),
        drawn(-2, 2, 0, 2),
        without=dict.fromkeys(pytorch, "Not all builds of PyTorch can transform nothing"),
    )
for name in ("fftn", "ifftn", "rfftn", "irfftn"):

    def transform(xp: Any, x: Any, function: str = name, **options: Any) -> Any:
        return getattr(xp.fft, function)(x, **options)

    drawn = between if name == "rfftn" else complex_between
    for norm in ("backward", "ortho", "forward"):
        case(f"fft.{name}", lambda xp, x, f=transform, n=norm: f(xp, x, norm=n), drawn(-2, 2, 2, 3))
        case(
            f"fft.{name}",
            lambda xp, x, f=transform, n=norm: f(xp, x, s=(3, 4), axes=(2, 0), norm=n),
            drawn(-2, 2, 2, 2, 3),
        )
    for axes in ((0,), (1, 0), (-1, -2)):
        case(f"fft.{name}", lambda xp, x, f=transform, a=axes: f(xp, x, axes=a), drawn(-2, 2, 2, 3))
for name in ("fftshift", "ifftshift"):
    for axes in (None, 0, (1,), (0, 2)):
        case(
            f"fft.{name}",
            lambda xp, x, n=name, a=axes: getattr(xp.fft, n)(x, axes=a),
            (3, 2, 3),
        )

# Einstein's sums, and padding --------------------------------------------------------------------

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

no_pad = {"reference": "PyTorch's pad has other arguments"}
for width in (2, (0, 1), ((1, 0), (2, 3))):
    for mode in ("constant", "edge", "reflect", "symmetric", "wrap"):
        case("pad", lambda xp, x, w=width, m=mode: xp.pad(x, w, m), (2, 3), without=no_pad)
case("pad", lambda xp, x: xp.pad(x, 1, constant_values=(1.5, 2)), (2, 3), without=no_pad)
case("pad", lambda xp, x: xp.pad(x, 0), (2,), without=no_pad)
case("pad", lambda xp, x: xp.pad(x, 1), complex_between(-2, 2, 2), without=no_pad)

# Without a derivative ----------------------------------------------------------------------------

some = floats([[-2.5, -0.5, 0.0], [0.5, 1.5, 3.0]])
strange = floats([np.nan, np.inf, -np.inf, -0.0, 1.0])
for name in ("ceil", "floor", "round", "sign", "trunc"):
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x), some)
for name in ("isfinite", "isinf", "isnan", "signbit"):
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x), strange)
for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    flat(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), some, some[:, ::-1])
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x, 0.5), some)
for name in ("floor_divide", "nextafter"):
    flat(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), some, floats([0.75, 2.0, -1.0]))
for name in ("logical_and", "logical_or", "logical_xor"):
    flat(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), mask, bools([True, True, False]))
flat("logical_not", lambda xp, x: xp.logical_not(x), mask)
for name in ("and", "or", "xor", "left_shift", "right_shift"):
    name = f"bitwise_{name}"
    flat(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), ints([[12], [7]]), ints([0, 1, 3]))
flat("bitwise_invert", lambda xp, x: xp.bitwise_invert(x), ints([0, 5, -3]))
flat("bitwise_invert", lambda xp, x: xp.bitwise_invert(x), mask)
for name in ("argmax", "argmin"):
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x), some)
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=-2, keepdims=True), some)
flat("argsort", lambda xp, x: xp.argsort(x), (2, 4))
flat("argsort", lambda xp, x: xp.argsort(x, axis=0, descending=True), (4, 2))
flat("count_nonzero", lambda xp, x: xp.count_nonzero(x), some)
flat("count_nonzero", lambda xp, x: xp.count_nonzero(x, axis=-1, keepdims=True), some)
flat("nonzero", lambda xp, x: xp.nonzero(x)[0], some)
flat("nonzero", lambda xp, x: xp.nonzero(x)[1], some)
rising, few = floats([-1.0, 0.0, 0.0, 2.0]), floats([[0.0, 3.0], [-5.0, 1.0]])
for side in ("left", "right"):
    flat("searchsorted", lambda xp, x, y, s=side: xp.searchsorted(x, y, side=s), rising, few)
    flat("searchsorted", lambda xp, x, s=side: xp.searchsorted(x, xp.asarray(0.0), side=s)
         if xp is not ag else xp.searchsorted(x, 0.0, side=s), rising,
         without={"dask": "its searchsorted fails for no dimensions"})  # fmt: skip
flat("searchsorted", lambda xp, x, y, i: xp.searchsorted(x, y, sorter=i),
     rising[[2, 0, 3, 1]], few, ints([1, 0, 3, 2]))  # fmt: skip
flat("isin", lambda xp, x, y: xp.isin(x, y), ints([[1, 2], [3, 2]]), ints([2, 5]))
flat("isin", lambda xp, x, y: xp.isin(x, y, invert=True), ints([[1, 2], [3, 2]]), ints([[2], [5]]))
for name in ("indices", "inverse_indices", "counts"):
    flat("unique_all", lambda xp, x, n=name: getattr(xp.unique_all(x), n), repeated)
for name in ("all", "any"):
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x), mask)
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=0, keepdims=True), mask)
    flat(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=(0, 1)), some)

# What is tested elsewhere, for it makes arrays, moves them, or doesn't take any
ELSEWHERE = {
    "test_creation.py": [
        "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like",
        "linspace", "ones", "ones_like", "zeros", "zeros_like",
    ],
    "test_constants.py": ["e", "inf", "nan", "newaxis", "pi"],
    "test_data_types.py": [
        "can_cast", "finfo", "iinfo", "isdtype", "result_type", "to_device",
    ],
    "test_inspection.py": ["__array_namespace_info__"],
    "test_fft.py": ["fft.fftfreq", "fft.rfftfreq"],
    "test_manipulation.py": ["broadcast_shapes"],
}  # fmt: skip

# What a case gives -------------------------------------------------------------------------------


class Numbers(NamedTuple):
    """A case's value and derivatives, for a random gradient g and random directions v."""

    value: np.ndarray
    first: list[np.ndarray]  # J'g: the gradient with respect to each floating-point input
    second: list[np.ndarray]  # the gradient of v'J'g with respect to each
    along: np.ndarray  # Jv: the gradient of v'J'g with respect to g


def is_float(x: np.ndarray) -> bool:
    return x.dtype in (np.float64, np.complex128)


def cotangent(value: np.ndarray) -> np.ndarray:
    drawn = Drawn(value.shape, 0.5, 2, is_complex=np.iscomplexobj(value))
    return drawn.draw(np.random.default_rng(1))


def directions(arrays: list[np.ndarray]) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    drawn = (Drawn(x.shape, -1, 1, np.iscomplexobj(x)) for x in arrays if is_float(x))
    return [x.draw(rng) for x in drawn]


def inner(xp: Any, x: Any, y: Any) -> Any:
    """Return the sum of the products of two arrays' elements, of complex ones part by part."""
    if ag.dtypes.dtype(x.dtype).is_complex:
        return xp.sum(xp.real(xp.conj(x) * y))
    return xp.sum(x * y)


def compute(case: Case, arrays: list[np.ndarray], place: Any) -> Numbers:
    """Run a case on Tensors of a place, with the rules over raw arrays and over Tensors."""
    inputs = [place.tensor(x, requires_grad=is_float(x)) for x in arrays]
    variables = [x for x in inputs if x.requires_grad]
    out = case.call(ag, *inputs)
    assert out.device == place.device
    value = place.numpy(out)
    g = place.tensor(cotangent(value), requires_grad=True)

    out.backward(g, retain_graph=True)
    first = [take_gradient(x, place) for x in variables]

    out.backward(g, create_graph=True)
    total = 0
    for x, v, expected in zip(variables, directions(arrays), first, strict=True):
        if x.grad is not None:
            total = total + inner(ag, x.grad, place.tensor(v))
        np.testing.assert_allclose(take_gradient(x, place), expected, rtol=1e-13, atol=1e-13)
    total.backward()
    second = [take_gradient(x, place) for x in variables]
    return Numbers(value, first, second, take_gradient(g, place))


def take_gradient(x: ag.Tensor, place: Any) -> np.ndarray:
    g, x.grad = x.grad, None
    if g is None:  # the output doesn't depend on it
        return np.zeros(x.shape, dtype=str(x.dtype))
    assert (g.shape, g.dtype, g.device) == (x.shape, x.dtype, x.device)
    return place.numpy(g)


class OnNumPy:
    device = "cpu"
    tensor = staticmethod(ag.Tensor)

    @staticmethod
    def numpy(x: ag.Tensor) -> np.ndarray:
        return x.data


@cache
def on_numpy(name: str) -> Numbers:
    return compute(CASES[name], CASES[name].arrays(), OnNumPy)


class Reference:
    """Another array library, with the functions that agrad adds to the standard's."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self.library, name)

    def getitem(self, x: Any, key: Any) -> Any:
        return x[key]

    def setitem(self, x: Any, key: Any, value: Any) -> Any:
        x = self.asarray(x, copy=True) if isinstance(x, np.ndarray) else x.clone()
        x[key] = value
        return x

    def scatter_add(self, values: Any, key: Any, shape: tuple[int, ...]) -> Any:
        cells = np.arange(math.prod(shape)).reshape(shape)[key]
        one_hot = cells.reshape(-1, 1) == np.arange(math.prod(shape))
        return (values.reshape(-1) @ self.asarray(one_hot, dtype=values.dtype)).reshape(shape)

    def softmax(self, x: Any, *, axis: int = -1) -> Any:
        return self.exp(self.log_softmax(x, axis=axis))

    def log_softmax(self, x: Any, *, axis: int = -1) -> Any:
        x = x - self.max(x, axis=axis, keepdims=True)
        return x - self.log(self.sum(self.exp(x), axis=axis, keepdims=True))

    def logsumexp(self, x: Any, **options: Any) -> Any:
        return self.log(self.sum(self.exp(x), **options))

    @property
    def special(self) -> Any:
        return scipy.special if self is NUMPY else self.library.special


NUMPY = Reference(array_api_compat.numpy)


def slopes(
    function: Callable[[list[np.ndarray]], np.ndarray], arrays: list[np.ndarray]
) -> list[np.ndarray]:
    """Return a number's gradient with respect to each floating-point array, by differences."""
    step = 1e-5
    results = []
    for place, x in enumerate(arrays):
        if not is_float(x):
            continue
        result = np.zeros(x.shape, dtype=x.dtype)
        for cell in np.ndindex(x.shape):
            for way in (1, 1j) if np.iscomplexobj(x) else (1,):
                ends = []
                for sign in (1, -1):
                    moved = x.copy()
                    moved[cell] += sign * step * way
                    ends.append(function([*arrays[:place], moved, *arrays[place + 1 :]]))
                result[cell] += way * (ends[0] - ends[1]) / (2 * step)
        results.append(result)
    return results


# What must hold ----------------------------------------------------------------------------------

close = partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-8)
equal = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-10)
every_case = pytest.mark.parametrize("name", CASES)
every_smooth_case = pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.smooth])


@every_case
def test_the_value_is_numpys(name):
    case = CASES[name]
    expected = case.call(NUMPY, *case.arrays())
    value = on_numpy(name).value
    equal(value, expected)
    assert value.shape == expected.shape


@every_smooth_case
def test_the_gradient_is_the_slope(name):
    case = CASES[name]
    g = cotangent(on_numpy(name).value)
    expected = slopes(lambda arrays: inner(NUMPY, g, case.call(NUMPY, *arrays)), case.arrays())
    for gradient, slope in zip(on_numpy(name).first, expected, strict=True):
        close(gradient, slope)


@every_smooth_case
def test_the_second_derivative_is_the_slope_of_the_gradient(name):
    case, arrays = CASES[name], CASES[name].arrays()

    def along(arrays: list[np.ndarray]) -> np.ndarray:
        first = compute(case, arrays, OnNumPy).first
        return sum(inner(NUMPY, g, v) for g, v in zip(first, directions(arrays), strict=True))

    for gradient, slope in zip(on_numpy(name).second, slopes(along, arrays), strict=True):
        close(gradient, slope)


@every_smooth_case
def test_the_derivative_along_a_direction_is_the_slope_there(name):
    case, arrays = CASES[name], CASES[name].arrays()
    steps = iter(directions(arrays))
    moves = [1e-5 * next(steps) if is_float(x) else None for x in arrays]
    ahead, behind = (
        case.call(
            NUMPY, *(x if d is None else x + sign * d for x, d in zip(arrays, moves, strict=True))
        )
        for sign in (1, -1)
    )
    close(on_numpy(name).along, (ahead - behind) / 2e-5)


@every_case
def test_value_and_gradient_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    import array_api_compat.torch

    case = CASES[name]
    if "reference" in case.without:
        pytest.skip(case.without["reference"])
    arrays = case.arrays()
    inputs = [torch.tensor(x, requires_grad=is_float(x)) for x in arrays]
    value = case.call(Reference(array_api_compat.torch), *inputs)
    equal(on_numpy(name).value, value.detach().resolve_conj().numpy())
    value.backward(torch.tensor(cotangent(on_numpy(name).value)))
    variables = [x for x in inputs if x.requires_grad]
    for gradient, x in zip(on_numpy(name).first, variables, strict=True):
        equal(gradient, 0 if x.grad is None else x.grad.resolve_conj().numpy())


@every_case
def test_every_library_gives_what_numpy_gives(name, other_backend):
    case = CASES[name]
    if other_backend.name in case.without:
        pytest.skip(case.without[other_backend.name])
    if other_backend.name == "jax" and not name.endswith("0"):
        pytest.skip("JAX compiles each function for each shape: a tenth of the cases must do")
    if other_backend.name == "dask" and not name.endswith("0"):
        pytest.skip("Dask takes a hundred times as long as NumPy: a tenth of the cases must do")
    hold_to_numpy(name, other_backend)


def hold_to_numpy(name: str, place: Any) -> None:
    """Check a case's numbers on a library against those on NumPy."""
    case = CASES[name]
    result, expected = compute(case, case.arrays(), place), on_numpy(name)
    equal(result.value, expected.value)
    equal(result.along, expected.along)
    for found, wanted in zip(result.first, expected.first, strict=True):
        equal(found, wanted)
    for found, wanted in zip(result.second, expected.second, strict=True):
        equal(found, wanted)


@every_case
def test_single_precision_stays_so(name):
    case, arrays = CASES[name], CASES[name].arrays()
    if {"float64", "complex128"} & {*case.call.__code__.co_names}:
        pytest.skip("it asks for double precision")
    single = {"float64": ag.float32, "complex128": ag.complex64}
    inputs = [ag.Tensor(x, dtype=single.get(str(x.dtype))) for x in arrays]
    assert case.call(ag, *inputs).dtype == single[str(on_numpy(name).value.dtype)]


@every_case
def test_a_result_that_shares_memory_is_known_as_a_view(name):
    """So that a change in place shows in both, and gradients follow."""
    case = CASES[name]
    inputs = [ag.Tensor(x) for x in case.arrays()]
    origin = out = case.call(ag, *inputs)
    while hasattr(origin, "_origin"):
        origin = origin._origin.parent
    for x in inputs:
        if x is not out and np.shares_memory(x.data, out.data):
            assert origin is x


@pytest.mark.parametrize("name", FLAT)
def test_functions_without_a_derivative(name, backend):
    case, arrays = FLAT[name], FLAT[name].arrays()
    if backend.name in case.without:
        pytest.skip(case.without[backend.name])
    expected = case.call(NUMPY, *arrays)
    out = case.call(ag, *(backend.tensor(x, requires_grad=is_float(x)) for x in arrays))
    assert not out.requires_grad
    assert out.device == backend.device
    np.testing.assert_array_equal(backend.numpy(out), expected)
    assert out.dtype == expected.dtype


def test_no_function_is_forgotten():
    tested = [case.function for case in (*CASES.values(), *FLAT.values())]
    tested += [name for names in ELSEWHERE.values() for name in names]
    wanted = set(ag.ops.__all__)
    # Their functions are "linalg.det", unless they are agrad.det, too
    for extension in ("linalg", "fft", "special"):
        names = getattr(ag, extension).__all__
        wanted |= {each if each in wanted else f"{extension}.{each}" for each in names}
    assert sorted(set(tested)) == sorted(wanted)
    files = {path.name: path.read_text() for path in Path(__file__).parent.glob("test_*.py")}
    for file, names in ELSEWHERE.items():
        for each in names:
            assert f"ag.{each}(" in files[file] or f'"{each}"' in files[file]
