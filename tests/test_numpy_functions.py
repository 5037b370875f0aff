"""NumPy's own functions on Tensors: each entry of the tables gives NumPy's value and its slope."""

import inspect
import operator
from operator import attrgetter

import numpy as np
import pytest
from scipy import special

import agrad as ag
from agrad.backends.numpy_functions import FUNCTIONS, INSTEAD, METHODS, UFUNCS

RNG = np.random.default_rng(0)
V = RNG.uniform(0.2, 0.9, 4)  # where every function is smooth
M = RNG.uniform(0.2, 0.9, (3, 4))
N = RNG.uniform(1.1, 1.9, (3, 4))
S = RNG.uniform(0.2, 0.9, (3, 3)) + 3 * np.eye(3)
C = RNG.uniform(0.2, 0.9, (2, 3, 4))
I = np.array([[5, 2], [7, 1]])  # noqa: E741
B = np.array([[True, False], [True, True]])
Z = M + 1j * N

# How each function is called. An array of floats (complex ones too) gets a gradient.
BINARY = [
    "add", "arctan2", "copysign", "divide", "divmod", "equal", "floor_divide", "greater",
    "greater_equal", "hypot", "less", "less_equal", "logaddexp", "maximum", "minimum", "multiply",
    "nextafter", "not_equal", "power", "remainder", "subtract",
]  # fmt: skip
LOGICAL = ["logical_and", "logical_or", "logical_xor"]
BITWISE = ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"]
PRODUCTS = ["matmul", "matvec", "vecdot", "vecmat"]
UNARY = [
    n for n in UFUNCS if n not in {*BINARY, *LOGICAL, *BITWISE, *PRODUCTS, "arccosh", "invert"}
]
CASES: dict[str, list[tuple]] = {}


def case(names, call, *inputs):
    """Say how functions are called, for which inputs."""
    for name in names.split() if isinstance(names, str) else names:
        CASES.setdefault(name, []).append((call, *inputs))


# Elementwise functions
case(UNARY, lambda f, x: f(x), M)
case(UNARY, lambda f, x: f(x), V.astype("f4"))
case("arccosh", lambda f, x: f(x), N)
case(BINARY, lambda f, x, y: f(x, y), M, N)
case(BINARY, lambda f, x, y: f(y, x), V, N)
case(BINARY, lambda f, x: f(x, 0.5), M)
case(BINARY, lambda f, x: f(0.5, x), M)
case("equal not_equal less less_equal greater greater_equal", lambda f, x, y: f(x, y), I, I[0])
case(LOGICAL, lambda f, x, y: f(x, y), B, B[0])
case(LOGICAL, lambda f, x, y: f(x, y), B[:, 1], ~B[:, 1])
case(BITWISE, lambda f, x, y: f(x, y), I, I[0])
case("invert", lambda f, x: f(x), I)
case("invert", lambda f, x: f(x), B)
case("matmul", lambda f, x, y: f(x, y), S, M)
case("matmul", lambda f, x, y: f(x, y), C, V)
case("matvec", lambda f, x, y: f(x, y), C, V)
case("matvec", lambda f, x, y: f(x, y), C, N[:2])
case("vecdot", lambda f, x, y: f(x, y), M, V)
case("vecdot", lambda f, x, y: f(x, y), Z, Z * 1j)
case("vecmat", lambda f, x, y: f(x, y), V[:3], C)
case("vecmat", lambda f, x, y: f(x, y), Z[:, 0], Z)
case([name for name in METHODS if name.endswith("reduce")], lambda f, x: f(x), M)
case([name for name in METHODS if name.endswith("reduce")], lambda f, x: f(x, 1), M)
case(
    [name for name in METHODS if name.endswith("reduce")], lambda f, x: f(x, None, keepdims=True), M
)
case([name for name in METHODS if name.endswith("reduce")], lambda f, x: f(x, axis=(0, 2)), C)
case([name for name in METHODS if name.endswith("accumulate")], lambda f, x: f(x), M)
case([name for name in METHODS if name.endswith("accumulate")], lambda f, x: f(x, axis=-1), C)
case("logical_and.reduce logical_or.reduce", lambda f, x: f(x, 1), B)
case("isfinite isinf isnan", lambda f, x: f(x), np.float32([np.nan, np.inf, 1]))

# Reductions
case("all any", lambda f, x: f(x), B)
case("all any", lambda f, x: f(x, 0), B)
case("all any", lambda f, x: f(x, axis=(0, 1), keepdims=True), M)
case("amax amin max min ptp", lambda f, x: f(x), M)
case("amax amin max min ptp", lambda f, x: f(x, 1), M)
case("amax amin max min ptp", lambda f, x: f(x, 0, None, True), M)
case("amax amin max min ptp", lambda f, x: f(x, axis=-1, keepdims=True), C)
case("argmax argmin", lambda f, x: f(x), M)
case("argmax argmin", lambda f, x: f(x, 1), M)
case("argmax argmin", lambda f, x: f(x, 0, keepdims=True), M)
case("count_nonzero", lambda f, x: f(x), B)
case("count_nonzero", lambda f, x: f(x, 0), I)
case("count_nonzero", lambda f, x: f(x, axis=1, keepdims=True), I)
case("mean prod sum", lambda f, x: f(x), M)
case("mean prod sum", lambda f, x: f(x), I)
case("mean prod sum", lambda f, x: f(x, 1), M)
case("mean prod sum", lambda f, x: f(x, 0, np.float64), M.astype("f4"))
case("mean prod sum", lambda f, x: f(x, (0, 2), None, None, True), C)
case("mean prod sum", lambda f, x: f(x, axis=0, keepdims=True), M)
case("std var", lambda f, x: f(x), M)
case("std var", lambda f, x: f(x, 1, None, None, 1), M)
case("std var", lambda f, x: f(x, axis=0, ddof=1, keepdims=True), M)
case("std var", lambda f, x: f(x, axis=(0, 1), correction=2), C)

# Along an axis
case("cumprod cumsum", lambda f, x: f(x), M)
case("cumprod cumsum", lambda f, x: f(x, 0), M)
case("cumprod cumsum", lambda f, x: f(x, axis=-1, dtype=np.float64), M)
case("cumulative_prod cumulative_sum", lambda f, x: f(x), V)
case("cumulative_prod cumulative_sum", lambda f, x: f(x, axis=1, include_initial=True), M)
case("diff", lambda f, x: f(x), M)
case("diff", lambda f, x: f(x, 2, 0), M)
case("diff", lambda f, x, y: f(x, axis=0, prepend=y), M, N)
case("sort argsort", lambda f, x: f(x), M)
case("sort argsort", lambda f, x: f(x, 0), M)
case("sort argsort", lambda f, x: f(x, axis=None), M)
case("sort argsort", lambda f, x: f(x, stable=True), M)

# Shapes
case("atleast_1d atleast_2d atleast_3d", lambda f, x: f(x), np.array(2.0))
case("atleast_1d atleast_2d atleast_3d", lambda f, x: f(x), V)
case("atleast_1d atleast_2d atleast_3d", lambda f, x: f(x), M)
case("atleast_1d atleast_2d atleast_3d", lambda f, x: f(x), C)
case("atleast_1d atleast_2d atleast_3d", lambda f, x: f(x)[..., None], np.ones((1, 2, 3, 4)))
case("atleast_1d atleast_2d atleast_3d", lambda f, x, y: f(x, y), V, np.array(2.0))
case("broadcast_arrays", lambda f, x, y: f(x, y), V, M)
case("broadcast_to", lambda f, x: f(x, (3, 4)), V)
case("expand_dims", lambda f, x: f(x, 1), V)
case("expand_dims", lambda f, x: f(x, (0, -1)), V)
case("flip", lambda f, x: f(x), M)
case("flip", lambda f, x: f(x, 1), M)
case("fliplr", lambda f, x: f(x), C)
case("flipud", lambda f, x: f(x), C)
case("matrix_transpose", lambda f, x: f(x), C)
case("moveaxis", lambda f, x: f(x, 0, 2), C)
case("moveaxis", lambda f, x: f(x, (0, 1), (1, 2)), C)
case("ravel", lambda f, x: f(x), C)
case("ravel", lambda f, x: f(x, order="C"), M)
case("repeat", lambda f, x: f(x, 2), M)
case("repeat", lambda f, x: f(x, 3, 1), M)
case("reshape", lambda f, x: f(x, (4, 3)), M)
case("reshape", lambda f, x: f(x, -1), M)
case("roll", lambda f, x: f(x, 2), M)
case("roll", lambda f, x: f(x, 1, 0), M)
case("squeeze", lambda f, x: f(x), np.ones((1, 2, 1)))
case("squeeze", lambda f, x: f(x, 0), np.ones((1, 2, 1)))
case("swapaxes", lambda f, x: f(x, 0, 2), C)
case("swapaxes", lambda f, x: f(x, -1, 1), C)
case("tile", lambda f, x: f(x, 2), M)
case("tile", lambda f, x: f(x, (2, 1, 2)), M)
case("transpose", lambda f, x: f(x), C)
case("transpose", lambda f, x: f(x, [1, 0, 2]), C)

# Several arrays, and parts of one
case("array_split split", lambda f, x: f(x, 2), V)
case("array_split split", lambda f, x: f(x, [1, 3], 1), M)
case("array_split split", lambda f, x: f(x, 4, axis=-1), M)
case("column_stack", lambda f, x, y: f([x, y]), V, V)
case("column_stack", lambda f, x, y: f((x, y)), M, V[:3])
case("concatenate", lambda f, x, y: f([x, y]), M, N)
case("concatenate", lambda f, x, y: f((x, y), 1), M, N)
case("concatenate", lambda f, x, y: f([x, y], axis=None), M, V)
case("dstack", lambda f, x, y: f([x, y]), M, N)
case("dstack", lambda f, x, y: f([x, y]), V, V)
case("hstack", lambda f, x, y: f([x, y]), M, N)
case("hstack", lambda f, x, y: f([x, y]), V, V)
case("meshgrid", lambda f, x, y: f(x, y), V, V)
case("meshgrid", lambda f, x, y: f(x, y, indexing="ij"), V, V)
case("stack", lambda f, x, y: f([x, y]), M, N)
case("stack", lambda f, x, y: f([x, y], -1), M, N)
case("unstack", lambda f, x: f(x), M)
case("unstack", lambda f, x: f(x, axis=1), M)
case("vstack", lambda f, x, y: f([x, y]), M, V)
case("vstack", lambda f, x, y: f([x, y]), V, V)

# Choosing elements
case("clip", lambda f, x: f(x, 0.4, 0.6), M)
case("clip", lambda f, x: f(x, None, 0.6), M)
case("clip", lambda f, x: f(x, min=0.4), M)
case("clip", lambda f, x: f(x, max=0.4), M)
case("diag", lambda f, x: f(x), M)
case("diag", lambda f, x: f(x, 1), M)
case("diag", lambda f, x: f(x), V)
case("diag", lambda f, x: f(x, k=-2), V)
case("diag", lambda f, x: f(x, k=1), V)
case("diagonal", lambda f, x: f(x), M)
case("diagonal", lambda f, x: f(x, 1, 0, 2), C)
case("isin", lambda f, x: f(x, np.array([1, 5])), I)
case("isin", lambda f, x: f(x, x, invert=True), I)
case("nonzero", lambda f, x: f(x), B)
case("pad", lambda f, x: f(x, 1), M)
case("pad", lambda f, x: f(x, ((1, 0), (2, 1)), constant_values=3.0), M)
case("pad", lambda f, x: f(x, 2, "reflect"), M)
case("searchsorted", lambda f, x: f(x, np.array([2, 0])), np.array([1, 2, 2, 3]))
case("searchsorted", lambda f, x: f(x, np.array([2, 0]), "right"), np.array([1, 2, 2, 3]))
case("take", lambda f, x: f(x, np.array([2, 0, 2])), M)
case("take", lambda f, x: f(x, np.array([2, 0, 2]), 1), M)
case("take", lambda f, x: f(x, [1, 1], axis=0), M)
case("take_along_axis", lambda f, x: f(x, np.array([[0], [2], [1]]), 1), M)
case("take_along_axis", lambda f, x: f(x, np.array([0, 2]), axis=None), M)
case("tril triu", lambda f, x: f(x), M)
case("tril triu", lambda f, x: f(x, 1), M)
case(
    "unique_all unique_counts unique_inverse unique_values", lambda f, x: f(x), np.array([3, 1, 3])
)
case("where", lambda f, x, y: f(np.asarray(M > 0.5), x, y), M, N)
case("where", lambda f, x: f(x > 0.5, x, 2.0), M)
case("where", lambda f, x: f(x), B)

# Elementwise
case("allclose isclose", lambda f, x: f(x, x + 1e-06), M)
case("allclose isclose", lambda f, x: f(x, x + 1e-06, 0, 1e-07), M)
case("allclose isclose", lambda f, x: f(x, x * 1.01, rtol=0.1), M)
case("allclose isclose", lambda f, x: f(x, x), np.array([np.nan, np.inf, 1]))
case("allclose isclose", lambda f, x: f(x, -x, equal_nan=True), np.array([np.nan, np.inf, 1]))
case("array_equal", lambda f, x: f(x, x), M)
case("array_equal", lambda f, x: f(x, x + 1e-12), M)
case("array_equal", lambda f, x: f(x, x[0]), M)
case("array_equal", lambda f, x: f(x, x), np.array([np.nan]))
case("array_equal", lambda f, x: f(x, x, equal_nan=True), np.array([np.nan]))
case("astype", lambda f, x: f(x, np.float64), M)
case("astype", lambda f, x: f(x, np.float32, copy=False), M.astype("f2"))
case("imag real", lambda f, x: f(x), Z)
case("imag real", lambda f, x: f(x), M)
case("round", lambda f, x: f(x), 3 * M)
case("round", lambda f, x: f(x, 1), M)

# Products
case("cross", lambda f, x, y: f(x, y), S, S.T)
case("cross", lambda f, x, y: f(x, y, axis=0), M, N)
case("cross", lambda f, x, y: f(x, y, 0, 0, 0), M, N)
case("dot", lambda f, x, y: f(x, y), V, V)
case("dot", lambda f, x, y: f(x, y), M, V)
case("dot", lambda f, x, y: f(x, y), S, M)
case("dot", lambda f, x, y: f(x, y), C, np.ones((3, 4, 2)))
case("dot", lambda f, x, y: f(x, y), C, V)
case("dot", lambda f, x, y: f(x, y), V[:3], C)
case("dot", lambda f, x, y: f(x, y), np.array(2.0), M)
case("dot", lambda f, x: f(x, 2.0), M)
case("einsum", lambda f, x, y: f("ij,kj->ik", x, y), M, N)
case("einsum", lambda f, x: f("ii", x), S)
case("einsum", lambda f, x, y: f("ij,ij", x, y, optimize=True), M, N)
case("inner", lambda f, x, y: f(x, y), V, V)
case("inner", lambda f, x, y: f(x, y), M, N)
case("inner", lambda f, x, y: f(x, y), C, M)
case("inner", lambda f, x: f(2.0, x), M)
case("outer", lambda f, x, y: f(x, y), V, M)
case("tensordot", lambda f, x, y: f(x, y), M, N)
case("tensordot", lambda f, x, y: f(x, y, 1), S, M)
case("tensordot", lambda f, x, y: f(x, y, axes=((0,), (1,))), M, C)
case("trace", lambda f, x: f(x), M)
case("trace", lambda f, x: f(x, 1, 0, 2), C)
case("vdot", lambda f, x, y: f(x, y), M, N)
case("vdot", lambda f, x, y: f(x, y), Z, Z * 1j)

# New arrays, and facts
case("copy", lambda f, x: f(x), M)
case("empty_like", lambda f, x: (f(x).shape, f(x).dtype), M)
case("empty_like", lambda f, x: (f(x, np.int8).shape, f(x, np.int8).dtype), M)
case("full_like", lambda f, x: f(x, 2), M)
case("full_like", lambda f, x: f(x, 2, np.int8), M)
case("iscomplexobj isrealobj ndim shape size", lambda f, x: f(x), M)
case("iscomplexobj isrealobj ndim shape size", lambda f, x: f(x), Z)
case("ones_like zeros_like", lambda f, x: f(x), M)
case("ones_like zeros_like", lambda f, x: f(x, np.float32), M)

# np.linalg
case("linalg.cholesky", lambda f, x: f(x @ x.T), S)
case("linalg.cholesky", lambda f, x: f(x @ x.T, upper=True), S)
case("linalg.cross", lambda f, x, y: f(x, y), S, S.T)
case("linalg.cross", lambda f, x, y: f(x, y, axis=0), M, N)
case("linalg.diagonal linalg.trace", lambda f, x: f(x), C)
case("linalg.diagonal linalg.trace", lambda f, x: f(x, offset=1), C)
case("linalg.eig", lambda f, x: f(x)[0], Z[:, :3])
case("linalg.eigvals", lambda f, x: f(x), Z[:, :3])
case("linalg.eigh", lambda f, x: f(x @ x.T), S)
case("linalg.eigvalsh", lambda f, x: f(x @ x.T, UPLO="L"), S)
case("linalg.det linalg.inv linalg.slogdet", lambda f, x: f(x), S)
case("linalg.matmul", lambda f, x, y: f(x, y), S, M)
case("linalg.matrix_norm", lambda f, x: f(x), C)
case("linalg.matrix_norm", lambda f, x: f(x, ord=1, keepdims=True), C)
case("linalg.matrix_power", lambda f, x: f(x, 3), S)
case("linalg.matrix_power", lambda f, x: f(x, -1), S)
case("linalg.matrix_rank", lambda f, x: f(x), M)
case("linalg.matrix_rank", lambda f, x: f(x, rtol=0.001), S)
case("linalg.matrix_transpose", lambda f, x: f(x), C)
case("linalg.multi_dot", lambda f, x, y: f([x, x, y]), S, M)
case("linalg.norm", lambda f, x: f(x), V)
case("linalg.norm", lambda f, x: f(x), C)
case("linalg.norm", lambda f, x: f(x, keepdims=True), C)
for p in (1, 3, np.inf, -np.inf, 0):
    case("linalg.norm", lambda f, x, p=p: f(x, p), V)
for p in (1, 2, np.inf, "fro", "nuc"):
    case("linalg.norm", lambda f, x, p=p: f(x, p), M)
case("linalg.norm", lambda f, x: f(x, 1, 1), M)
case("linalg.norm", lambda f, x: f(x, axis=(0, 2)), C)
case("linalg.norm", lambda f, x: f(x, 2, (2, 0)), C)
case("linalg.norm", lambda f, x: f(x, 1, (2, 0), keepdims=True), C)
case("linalg.norm", lambda f, x: f(x, axis=-1, keepdims=True), C)
case("linalg.outer", lambda f, x, y: f(x, y), V, V)
case("linalg.pinv", lambda f, x: f(x), M)
case("linalg.pinv", lambda f, x: f(x, rtol=1e-09), M)
case("linalg.qr", lambda f, x: f(x), M.T)
case("linalg.qr", lambda f, x: f(x, "reduced"), S)
case("linalg.solve", lambda f, x, y: f(x, y), S, M)
case("linalg.solve", lambda f, x, y: f(x, y), S, V[:3])
case("linalg.svd", lambda f, x: f(x, False), M)
case("linalg.svd", lambda f, x: f(x), S)
case("linalg.svd", lambda f, x: f(x, compute_uv=False), M)
case("linalg.svdvals", lambda f, x: f(x), M)
case("linalg.tensordot", lambda f, x, y: f(x, y, axes=1), S, M)
case("linalg.vecdot", lambda f, x, y: f(x, y), M, N)
case("linalg.vecdot", lambda f, x, y: f(x, y, axis=0), M, N)
case("linalg.vector_norm", lambda f, x: f(x), C)
case("linalg.vector_norm", lambda f, x: f(x, axis=1, keepdims=True, ord=3), C)

# np.fft
case("fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft", lambda f, x: f(x), V)
case("fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft", lambda f, x: f(x, 3), V)
case("fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft", lambda f, x: f(x, 5, 0), M)
case("fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft", lambda f, x: f(x, norm="ortho"), M)
case("fft.fftn fft.ifftn fft.rfftn fft.irfftn", lambda f, x: f(x), M)
case("fft.fftn fft.ifftn fft.rfftn fft.irfftn", lambda f, x: f(x, (2, 3), (0, 1), "forward"), C)
case("fft.fftn fft.ifftn fft.rfftn fft.irfftn", lambda f, x: f(x, axes=(1,)), M)
case("fft.fft2 fft.ifft2 fft.rfft2 fft.irfft2", lambda f, x: f(x), C)
case("fft.fft2 fft.ifft2 fft.rfft2 fft.irfft2", lambda f, x: f(x, (2, 3)), C)
case("fft.fftshift fft.ifftshift", lambda f, x: f(x), M)
case("fft.fftshift fft.ifftshift", lambda f, x: f(x, 1), M)

EVERY = [
    pytest.param(name, number, id=f"{name}-{number}")
    for name, cases in CASES.items()
    for number in range(len(cases))
]


def numpys(name):
    """Return NumPy's function of a name; some came with later versions."""
    try:
        return attrgetter(name)(np)
    except AttributeError:
        pytest.skip(f"NumPy {np.__version__} has no np.{name}")


def parts(result):
    """Return a result as a list: some functions give several arrays."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def raw(x):
    return x.data if isinstance(x, ag.Tensor) else x


def is_float(x):
    return x.dtype in (np.float64, np.complex128)


def weights(result):
    """Return numbers to multiply a result with, complex ones if it is complex."""
    size = np.arange(1.0, np.size(result) + 1).reshape(np.shape(result)) / 7
    return size * (1 - 2j) if np.iscomplexobj(result) else size


def total(call, function, arrays):
    """Return a weighted sum of all that a function gives."""
    results = parts(call(function, *arrays))
    arrays = [np.asarray(x) for x in results if isinstance(x, (np.ndarray, np.generic))]
    return sum(np.sum(np.conj(weights(x)) * x).real for x in arrays if x.dtype.kind in "fc")


def slope(call, function, arrays, which):
    """Return the gradient with respect to one array, by differences: dL/dRe + i dL/dIm."""
    x = arrays[which]
    result = np.zeros_like(x)
    for cell in np.ndindex(x.shape):
        for unit in (1, 1j) if x.dtype.kind == "c" else (1,):
            ends = []
            for step in (1e-6, -1e-6):
                moved = x.copy()
                moved[cell] += step * unit
                ends.append(total(call, function, [*arrays[:which], moved, *arrays[which + 1 :]]))
            result[cell] += unit * (ends[0] - ends[1]) / 2e-6
    return result


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_a_tensor_gets_numpys_value_and_its_slope(name, number):
    call, *arrays = CASES[name][number]
    function = numpys(name)
    expected = parts(call(function, *arrays))
    tensors = [ag.Tensor(x, requires_grad=is_float(x)) for x in arrays]
    found = parts(call(function, *tensors))
    assert len(found) == len(expected)
    loss = None
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, ag.Tensor) == isinstance(other, (np.ndarray, np.generic))
        if not isinstance(one, ag.Tensor):
            assert one == other
            continue
        close = 1e-6 if other.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(one.data, other, rtol=close, atol=close)
        assert (one.shape, one.dtype) == (np.shape(other), other.dtype)
        if one.requires_grad:
            part = ag.sum(ag.real(np.conj(weights(other)) * one))
            loss = part if loss is None else loss + part
    if loss is not None:
        loss.backward()
    for which, (x, tensor) in enumerate(zip(arrays, tensors, strict=True)):
        if is_float(x):
            grad = np.zeros_like(x) if tensor.grad is None else tensor.grad.data
            flat = name == "nextafter" or not np.isfinite(x).all()
            expected = 0 * grad if flat else slope(call, function, arrays, which)
            np.testing.assert_allclose(grad, expected, rtol=1e-5, atol=1e-7)


def test_no_entry_is_forgotten():
    assert sorted(CASES) == sorted([*UFUNCS, *METHODS, *FUNCTIONS])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_stand_in_numpys_order(name):
    """So what is given by position means the same."""
    if isinstance(FUNCTIONS[name], str):
        ours = list(inspect.signature(attrgetter(FUNCTIONS[name])(ag)).parameters.values())
    else:
        ours = list(inspect.signature(FUNCTIONS[name]).parameters.values())[1:]
    theirs = list(inspect.signature(numpys(name)).parameters.values())

    def by_position(parameters):
        return [
            p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]

    named, wanted = by_position(ours), by_position(theirs)
    if isinstance(FUNCTIONS[name], str):
        assert len(named) == len(wanted)
    elif name not in ("allclose", "empty_like"):
        assert named == wanted[: len(named)]


# Where they run ----------------------------------------------------------------------------------


def test_numpys_functions_run_where_the_tensor_is(backend):
    x = backend.tensor(M, requires_grad=True)
    results = [np.exp(x), np.sum(x, 0), np.concatenate([x, x]), np.multiply(2, x), np.maximum(x, x)]
    for found, expected in zip(
        results, [np.exp(M), np.sum(M, 0), np.concatenate([M, M]), 2 * M, M], strict=True
    ):
        assert found.device == backend.device
        np.testing.assert_allclose(backend.numpy(found), expected)
    np.sum(np.exp(x)).backward()
    np.testing.assert_allclose(backend.numpy(x.grad), np.exp(M))


def test_nothing_moves_unasked(other_backend):
    x = other_backend.tensor(M)
    for call in (
        lambda: np.add(M, x),
        lambda: M * x,
        lambda: np.concatenate([x, M]),
        lambda: np.where(B[:1, :1], M, x),
    ):
        with pytest.raises(RuntimeError, match=r"two devices, .* move one of them with \.to"):
            call()


# SciPy's special functions, which are ufuncs too -------------------------------------------------

SCIPYS = [n for n in ag.special.__all__ if isinstance(getattr(special, n, None), np.ufunc)]
SCIPYS += ["expm1", "log1p"]


@pytest.mark.parametrize("name", SCIPYS)
def test_scipys_special_functions_are_agrads(name):
    assert len(SCIPYS) > 25
    ufunc = getattr(special, name)
    x = ag.Tensor(V, requires_grad=True)
    constants = [2.0] * (ufunc.nin - 1)
    out = ufunc(*constants, x)
    np.testing.assert_allclose(out.detach().numpy(), ufunc(*constants, V))
    out.sum().backward()
    slope = (ufunc(*constants, V + 1e-6) - ufunc(*constants, V - 1e-6)) / 2e-6
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-6)


def test_ufuncs_that_nobody_has_are_refused():
    for ufunc, name in ((special.erfcinv, "erfcinv"), (np.frompyfunc(abs, 1, 1), "abs")):
        with pytest.raises(TypeError, match=f"agrad has no {name}"):
            ufunc(ag.Tensor(V))


# Operators with arrays on either side ------------------------------------------------------------

OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
    operator.matmul, divmod,
]  # fmt: skip


@pytest.mark.parametrize("apply", OPERATORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("other", [S, np.float64(2), np.float32(2), np.int64(2), np.array(2.0)])
def test_arrays_and_numpys_numbers_stand_on_either_side(apply, other):
    if apply is operator.matmul and not np.ndim(other):
        pytest.skip("a matrix product needs dimensions")
    x = ag.Tensor(S.T, requires_grad=True)
    for found, expected in (
        (apply(other, x), apply(other, x.data)),
        (apply(x, other), apply(x.data, other)),
    ):
        for one, value in zip(parts(found), parts(expected), strict=True):
            assert type(one) is ag.Tensor
            np.testing.assert_array_equal(one.data, value)
    if apply is operator.mul:
        found = apply(other, x)
        found.sum().backward()
        np.testing.assert_array_equal(x.grad.data, np.broadcast_to(other, S.shape))


@pytest.mark.parametrize("apply", [operator.and_, operator.or_, operator.xor, operator.lshift])
def test_arrays_of_integers_stand_on_either_side(apply):
    x = ag.Tensor(I)
    np.testing.assert_array_equal(apply(I[0], x).data, apply(I[0], I))
    np.testing.assert_array_equal(apply(x, I[0]).data, apply(I, I[0]))


@pytest.mark.parametrize("apply", [operator.iadd, operator.isub, operator.imul, operator.itruediv])
def test_a_tensor_is_not_written_into_an_array(apply):
    array, x = M.copy(), ag.Tensor(N, requires_grad=True)
    with pytest.raises(TypeError, match=r"array = array \+ t, not array \+= t"):
        apply(array, x)
    np.testing.assert_array_equal(array, M)


def test_tensors_alone_take_no_detour(monkeypatch):
    def detour(*args, **kwargs):
        raise AssertionError("went through NumPy's protocol")

    monkeypatch.setattr(ag.Tensor, "__array_ufunc__", detour)
    monkeypatch.setattr(ag.Tensor, "__array_function__", detour)
    x = ag.Tensor(M, requires_grad=True)
    y = (x * 2 + x) / x @ x.T - np.float64(1.0).item()
    (y * np.ones(3) + ag.sum(x)).sum().backward()
    with pytest.raises(AssertionError, match="protocol"):
        M * x


# What is refused ---------------------------------------------------------------------------------

REFUSED = {
    "np.sum of Tensors takes .*axis=None.*'where'": lambda x: np.sum(x, where=M > 0.5),
    "np.sum of Tensors takes .*'initial'": lambda x: np.sum(x, initial=1.0),
    "np.exp of Tensors takes .*'where'": lambda x: np.exp(x, where=M > 0.5),
    "np.add of Tensors takes .*'dtype'": lambda x: np.add(x, 1, dtype=np.float32),
    "np.add of Tensors takes .*'casting'": lambda x: np.add(x, 1, casting="unsafe"),
    "np.ravel of Tensors takes .*'order'": lambda x: np.ravel(x, order="F"),
    "np.add.reduce of Tensors takes .*'initial'": lambda x: np.add.reduce(x, initial=1),
    "np.sum can't write into out=": lambda x: np.sum(x, 0, None, np.zeros(4)),
    "np.mean can't write into out=": lambda x: np.mean(x, 0, out=np.zeros(4)),
    "np.exp can't write into out=": lambda x: np.exp(x, out=np.zeros((3, 4))),
    "np.negative can't write into out=": lambda x: np.negative(M, out=x),
    "agrad has no np.median: write np.sort.*detach": lambda x: np.median(x),
    "agrad has no np.interp: use t.detach": lambda x: np.interp(x, V, V),
    "agrad has no np.subtract.reduce: use t.detach": lambda x: np.subtract.reduce(x),
    "agrad has no np.add.at: use t.detach": lambda x: np.add.at(x, 0, 1.0),
    "agrad has no np.linalg.cond: use t.detach": lambda x: np.linalg.cond(x),
    "agrad has no np.heaviside: use t.detach": lambda x: np.heaviside(x, 0),
    "np.pad of Tensors takes no end_values=": lambda x: np.pad(x, 1, end_values=1),
    "np.cross of Tensors takes one axis": lambda x: np.cross(x[:3], x[:3], 0, 1),
    "wrap lists and tuples in Tensor": lambda x: np.add(x, [1.0, 2.0, 3.0, 4.0]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_agrad_lacks_is_refused_with_a_reason(message):
    with pytest.raises(TypeError, match=message):
        REFUSED[message](ag.Tensor(M, requires_grad=True))


def test_arguments_at_their_defaults_are_no_hindrance():
    x = ag.Tensor(M)
    assert np.sum(x, where=True, out=None, initial=np._NoValue).item() == M.sum()
    assert np.exp(x, out=None, where=True, casting="same_kind", order="K", dtype=None).shape == (
        3,
        4,
    )
    assert np.ravel(x, order="C").shape == (12,)
    assert np.take(x, np.array(1), mode="raise").item() == M[0, 1]


def test_what_is_written_instead_is_there():
    x = ag.Tensor(np.array([1.0, np.nan, -8.0]))
    assert not {*INSTEAD} & {*FUNCTIONS, *UFUNCS}
    for name, text in INSTEAD.items():
        assert hasattr(np, name)
        for word in text.replace("(", " ").split():
            if word.startswith("np.") and "np.unique" not in word:
                assert getattr(np, word[3:].rstrip(",")).__name__ in {*FUNCTIONS, *UFUNCS}
    assert np.sum(np.where(np.isnan(x), 0.0, x)).item() == -7
    np.testing.assert_allclose((np.sign(x) * np.abs(x) ** (1 / 3)).data, np.cbrt(x.data))


# Becoming an array -------------------------------------------------------------------------------


def test_a_tensor_becomes_an_array_where_it_can():
    x = ag.Tensor(M)
    assert np.shares_memory(np.asarray(x), M)
    assert not np.shares_memory(np.array(x), M)
    assert np.asarray(x, dtype="f4").dtype == np.float32
    with pytest.raises(RuntimeError, match=r"use \.detach\(\)\.numpy\(\)"):
        np.asarray(x.requires_grad_())


@pytest.mark.parametrize(
    ("array", "call"),
    [
        (np.arange(3.0), lambda x: np.std(x, dtype=np.float32)),
        (np.arange(3.0), lambda x: np.var(x, dtype="float32")),
        (np.arange(4).reshape(2, 2), lambda x: np.linalg.norm(x, 1)),
        (np.eye(2), lambda x: np.linalg.norm(x, "f")),
        (np.ones((2, 3, 4)), lambda x: np.moveaxis(x, [0, 1], [-1, -2])),
        (np.ones(1), lambda x: np.broadcast_to(x, 3)),
        (np.arange(4.0), lambda x: np.split(x, np.int64(2))[1]),
        (np.asarray([14, 26]), lambda x: np.round(x, -1)),
        (np.asarray([14, 26]), lambda x: np.round(x, 2)),
        (np.arange(2.0), lambda x: np.asarray(np.array_equal(x, [0, 1]))),
    ],
)
def test_values_and_data_types_are_numpys(array, call):
    expected, found = call(array), np.asarray(call(ag.Tensor(array)))
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)
