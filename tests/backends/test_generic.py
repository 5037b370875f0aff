"""Each backend's own versions of functions give what the versions for any library give."""

import numpy as np
import pytest

import agrad as ag
from agrad.autograd import wrap
from agrad.backends import Backend, backend_of
from agrad.nn import functional as F

RNG = np.random.default_rng(0)


@pytest.fixture
def own(backend):
    """The backend of the arrays at hand."""
    return backend_of(backend.array(np.zeros(1)))


@pytest.fixture
def plain(own):
    """The same library without anything that agrad knows about it."""
    if own.name == "dask:cpu":
        return own  # Dask follows the standard too loosely to do without
    backend = Backend(own.library, own.device, own.name)
    backend.reads_values = own.reads_values
    return backend


def both(own, plain, name, *args):
    """Return what the backend's version of a function gives, and what the version for all gives."""
    return [own.bind(getattr(version, name))(*args) for version in (own, plain)]


# What the standard lacks -------------------------------------------------------------------------

REPEATED = np.array([2, 0, 2, 2])
MASK = np.array([True, False, True])

# An index into an array of shape (3, 4)
KEYS = {
    "number": 1,
    "number and the rest": (1, ...),
    "slice of rows": slice(1, 3),
    "new axis in front": None,
    "integers alone": REPEATED,
    "negative number": (-1, ...),
    "slice": (slice(1, 3), slice(None)),
    "steps": (slice(None, None, 2), slice(None, None, -2)),
    "empty slice": (slice(2, 2), slice(None)),
    "one element": (1, 2),
    "new axis": (None, slice(None), 1),
    "everything": ...,
    "mask of all": RNG.random((3, 4)) > 0.4,
    "pairs of integers": (REPEATED, np.array([1, 3, 1, 1])),
    "negative integers": (np.array([0, -1, -3]), np.array([-1, -1, 3])),
    "grid of integers": (np.array([[0], [1]]), np.array([[1, 2], [2, 2]])),
    "integers and a number": (REPEATED, 2),
    "integers of a row": (REPEATED, ...),
    "integers and a slice": (slice(None), REPEATED),
    "mask of rows": (MASK, ...),
    "no integers": (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)),
    "no True": np.zeros((3, 4), dtype=bool),
}
BEYOND_THE_STANDARD = ("integers of a row", "integers and a slice", "mask of rows")


@pytest.fixture(params=KEYS)
def key(request, backend):
    """An index as NumPy takes it, and as the library at hand takes it."""
    if backend.name.startswith("strict") and request.param in BEYOND_THE_STANDARD:
        pytest.skip("the standard has no such index")
    if backend.name == "torch" and request.param == "steps":
        pytest.skip("PyTorch's indexing, which the plain version uses, has no steps backwards")
    key = KEYS[request.param]

    def raw(part):
        return backend.array(part) if isinstance(part, np.ndarray) else part

    return key, tuple(map(raw, key)) if isinstance(key, tuple) else raw(key)


def test_getitem_takes_what_numpy_takes(key, backend, own, plain):
    x = RNG.normal(size=(3, 4))
    for result in both(own, plain, "getitem", backend.array(x), key[1]):
        np.testing.assert_array_equal(backend.numpy(result), x[key[0]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scatter_add_is_the_transpose_of_indexing(key, dtype, backend, own, plain):
    cells = np.arange(12).reshape(3, 4)[key[0]]
    values = RNG.normal(size=cells.shape).astype(dtype)
    expected = np.bincount(cells.ravel(), values.ravel(), minlength=12).reshape(3, 4)
    for result in both(own, plain, "scatter_add", backend.array(values), key[1], (3, 4)):
        got = backend.numpy(result)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0, 3)])
def test_axpy_adds_a_multiple_in_place(shape, dtype, backend, own, plain):
    x, y = (RNG.normal(size=shape).astype(dtype) for _ in range(2))
    for version in (own, plain):
        target = backend.array(y)
        result = own.bind(version.axpy)(-0.5, backend.array(x), target)
        known = version is own and backend.name in ("numpy", "torch", "cupy", "cupy-stand-in")
        assert (result is target) == known  # others' arrays are never written to
        assert backend.numpy(result).dtype == dtype
        np.testing.assert_allclose(backend.numpy(result), y - 0.5 * x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updates_of_many_arrays_are_those_of_each(dtype, backend, own, plain):
    shapes = [(3, 4), (), (0, 3), (4,)]
    gs, vs, ps = ([RNG.normal(size=each).astype(dtype) for each in shapes] for _ in range(3))
    for version in (own, plain):
        g, v, p = ([backend.array(each) for each in some] for some in (gs, vs, ps))
        moved = own.bind(version.axpy_all)(-0.5, g, p)
        for result, old, step in zip(moved, ps, gs, strict=True):
            assert backend.numpy(result).dtype == dtype
            np.testing.assert_allclose(
                backend.numpy(result), old - 0.5 * step, rtol=1e-5, atol=1e-6
            )
        g, v, p = ([backend.array(each) for each in some] for some in (gs, vs, ps))
        velocities, moved = own.bind(version.momentum_all)(0.9, 0.1, g, v, p)
        for i, fast in enumerate(0.9 * v + g for v, g in zip(vs, gs, strict=True)):
            assert backend.numpy(moved[i]).dtype == dtype
            np.testing.assert_allclose(backend.numpy(velocities[i]), fast, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(
                backend.numpy(moved[i]), ps[i] - 0.1 * fast, rtol=1e-5, atol=1e-6
            )


@pytest.mark.parametrize(
    "value",
    [0.0, 3, np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(3, dtype=np.float32)],
    ids=["float", "int", "array", "row"],
)
def test_assign_writes_in_place_where_it_can_be(value, backend, own, plain):
    raw = backend.array(value) if isinstance(value, np.ndarray) else value
    for version in (own, plain):
        target = backend.array(np.ones((2, 3), dtype=np.float32))
        result = own.bind(version.assign)(target, ..., raw)
        known = version is own and backend.name in ("numpy", "torch", "cupy", "cupy-stand-in")
        assert (result is target) == known  # others' arrays are never written to
        assert backend.numpy(result).dtype == np.float32
        np.testing.assert_array_equal(backend.numpy(result), np.broadcast_to(value, (2, 3)))


@pytest.mark.parametrize("part", [..., (1, ...), (slice(None), 0), (None, ...)], ids=str)
def test_own_gives_memory_that_nobody_else_has(part, backend, own, plain):
    for version in (own, plain):
        whole = backend.array(np.zeros((2, 3)))
        view = own.bind(lambda x: x[part])(whole)
        taken = own.bind(version.own)(view)
        if backend.name in ("jax", "dask"):  # whose arrays nobody can change
            np.testing.assert_array_equal(backend.numpy(taken), np.zeros((2, 3))[part])
            continue
        taken = own.assign(taken, ..., 7)
        if part != ...:
            assert not backend.numpy(whole).any()
        np.testing.assert_array_equal(backend.numpy(taken), np.full((2, 3), 7.0)[part])


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((1,), (5,)), ((0,), (3,))])
def test_outer_multiplies_each_by_each(shapes, backend, own, plain):
    x1, x2 = (RNG.normal(size=shape) for shape in shapes)
    for result in both(own, plain, "outer", backend.array(x1), backend.array(x2)):
        np.testing.assert_allclose(backend.numpy(result), np.multiply.outer(x1, x2), rtol=1e-15)


@pytest.mark.parametrize("values", [[3, 1, 2], [-5], [[0, 9], [4, -2]], 6, []], ids=str)
def test_bounds_are_the_ends_of_integers(values, backend, own, plain):
    array = np.array(values, dtype=np.int64)
    expected = (array.min(), array.max()) if array.size else (0, 0)
    for result in both(own, plain, "bounds", backend.array(array)):
        assert result == expected
        assert [type(each) for each in result] == [int, int]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "axis"), [((5,), -1), ((3, 4), -1), ((3, 4), 0), ((2, 3, 4), 1)])
def test_softmax_and_its_logarithm(shape, axis, dtype, backend, own, plain):
    x = RNG.normal(size=shape).astype(dtype)
    x[0] += 3e4 if dtype == "float64" else 30
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    p = shifted / shifted.sum(axis=axis, keepdims=True)
    for result in both(own, plain, "softmax", backend.array(x), axis):
        assert backend.numpy(result).dtype == dtype
        np.testing.assert_allclose(backend.numpy(result), p, rtol=1e-5)
    for result in both(own, plain, "log_softmax", backend.array(x), axis):
        assert backend.numpy(result).dtype == dtype
        np.testing.assert_allclose(np.exp(backend.numpy(result)), p, rtol=1e-5)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("axis", [0, -1])
def test_argsort_keeps_the_order_of_equals(axis, descending, backend, own):
    x = np.array([[3.0, 1.0, 3.0, 1.0], [2.0, 2.0, 2.0, 0.0], [3.0, 2.0, 2.0, 1.0]])
    expected = np.argsort(-x if descending else x, axis=axis, kind="stable")
    order = own.bind(own.argsort)(backend.array(x), axis=axis, descending=descending)
    np.testing.assert_array_equal(backend.numpy(order), expected)


# Functions of networks ---------------------------------------------------------------------------

GOLD = np.array([2, 0, 3])

# A function, and the shapes of what it takes
FUNCTIONS = {
    "relu": (lambda x, gold: F.relu(x), [(3, 4)]),
    "affine_transform, one": (
        lambda x, W, b, gold: F.affine_transform(x, W, b),
        [(4,), (2, 4), (2,)],
    ),
    "affine_transform, batch": (
        lambda x, W, b, gold: F.affine_transform(x, W, b),
        [(3, 4), (2, 4), (2,)],
    ),
    "affine_transform, batches": (
        lambda x, W, b, gold: F.affine_transform(x, W, b),
        [(5, 3, 4), (2, 4), (2,)],
    ),
    "affine_transform, empty": (
        lambda x, W, b, gold: F.affine_transform(x, W, b),
        [(0, 4), (2, 4), (2,)],
    ),
    "nll, one": (lambda z, gold: F.nll(z, 2), [(4,)]),
    "nll, batch": (lambda z, gold: F.nll(z, gold), [(3, 4)]),
    "nll, sum": (lambda z, gold: F.cross_entropy(z, gold, reduction="sum"), [(3, 4)]),
    "nll, none": (lambda z, gold: F.cross_entropy(z, gold, reduction="none"), [(3, 4)]),
    "softmax": (lambda x, gold: F.softmax(x), [(3, 4)]),
    "log_softmax": (lambda x, gold: F.log_softmax(x), [(3, 4)]),
    "conv": (lambda x, w, gold: F.conv2d(x, w, padding=1), [(2, 3, 5, 6), (4, 3, 3, 3)]),
    "conv_bias": (lambda x, w, b, gold: F.conv1d(x, w, b), [(2, 3, 7), (4, 3, 3), (4,)]),
    "conv_input": (lambda x, w, gold: F.conv_transpose2d(x, w), [(2, 4, 3, 3), (4, 3, 2, 2)]),
    "conv_weight, strided": (
        lambda x, w, gold: F.conv2d(x, w, stride=2, groups=2),
        [(2, 4, 6, 6), (4, 2, 3, 3)],
    ),
    "max_pool": (lambda x, gold: F.max_pool2d(x, 2), [(2, 3, 4, 6)]),
    "fold_windows": (lambda x, gold: F.unfold(x, 2), [(2, 3, 4, 4)]),
    "unfold_windows": (lambda y, gold: F.fold(y, (3, 4), 2), [(2, 8, 6)]),
    "sum_pool": (lambda x, gold: F.avg_pool2d(x, 3, 2, 1), [(2, 3, 5, 6)]),
    "sum_unpool": (lambda x, gold: F.adaptive_avg_pool1d(x, 2), [(2, 3, 6)]),
    "greatest_at": (lambda x, gold: F.max_pool2d(x, 2, return_indices=True)[0], [(2, 3, 4, 6)]),
    "standardize, rows": (lambda x, gold: F.layer_norm(x, (4,)), [(3, 4)]),
    "standardize, channels": (lambda x, gold: F.instance_norm(x), [(2, 3, 5)]),
    "embedding": (lambda w, gold: F.embedding(gold, w), [(5, 3)]),
}


def run(function, arrays, upstream, backend, xp):
    """Return a function's result and its gradients, on the arrays of a backend."""

    def tensor(array, requires_grad=False):
        made = wrap(backend.array(array), xp)
        return made.requires_grad_(requires_grad)

    inputs = [tensor(array, requires_grad=True) for array in arrays]
    out = function(*inputs, tensor(GOLD))
    weights = np.resize(upstream, out.shape).astype(backend.numpy(out).dtype)
    out.backward(tensor(weights))
    return [backend.numpy(each) for each in (out, *(x.grad for x in inputs))]


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [
        *((name, dtype) for name in FUNCTIONS for dtype in ("float64", "float32")),
        ("affine_transform, one", "float32 float32 float64"),
        ("affine_transform, one", "float64 float32 float32"),
        ("affine_transform, batch", "float32 float32 float64"),
        ("affine_transform, batch", "float32 float64 float32"),
    ],
)
def test_functions_are_those_written_over_the_standard(name, dtypes, backend, own, plain):
    if not own.kernels:
        pytest.skip("this library has no kernels: there is one version")
    function, shapes = FUNCTIONS[name]
    types = np.resize(dtypes.split(), len(shapes))
    rng = np.random.default_rng(0)  # its own: with any numbers at all, some sum would lose a digit
    arrays = [rng.normal(size=s).astype(t) for s, t in zip(shapes, types, strict=True)]
    upstream = rng.normal(size=7)
    fast = run(function, arrays, upstream, backend, own)
    slow = own.bind(run)(function, arrays, upstream, backend, plain)
    for one, other in zip(fast, slow, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("upstream", [np.inf, -np.inf, 1e300])
def test_relu_stops_even_infinite_gradients_where_it_is_flat(upstream, backend, own, plain):
    for xp in (own, plain):
        _, gradient = own.bind(run)(
            lambda x, gold: F.relu(x), [np.array([-1.0, 0.0, 2.0])], [upstream], backend, xp
        )
        np.testing.assert_array_equal(gradient, [0, 0, upstream])


def test_every_kernel_is_compared_here(own):
    compared = {name.partition(",")[0] for name in FUNCTIONS}
    assert {name.partition(".")[0] for name in own.kernels} <= compared


# The namespace itself ----------------------------------------------------------------------------


def test_arrays_are_made_on_the_backends_device(backend, own):
    made = {
        "zeros": ((2,), [0, 0]),
        "ones": ((2,), [1, 1]),
        "full": ((2, 7.0), [7, 7]),
        "arange": ((2,), [0, 1]),
        "linspace": ((0, 1, 2), [0, 1]),
        "eye": ((1,), [[1]]),
    }
    for name, (args, expected) in made.items():
        array = own.bind(getattr(own, name))(*args)
        assert backend_of(array) is own
        np.testing.assert_array_equal(backend.numpy(array), expected)
    assert backend_of(own.bind(own.empty)((2,))) is own


def test_data_types_are_the_librarys_own(backend, own):
    for name in ("bool", "int64", "uint8", "float32", "float64"):
        raw = backend.array(np.zeros(1, dtype=name)).dtype
        for given in (name, getattr(ag, name), np.dtype(name)):
            assert own.dtype(given) == raw
    with pytest.raises(TypeError, match="no data type of the Array API"):
        own.dtype("float31")


def test_arrays_travel_to_the_host_and_back(backend, own):
    for values in (np.ones((2, 3)), np.array([True, False]), np.array(3), np.zeros((0, 2))):
        array = own.from_host(values)
        assert backend_of(array) is own
        np.testing.assert_array_equal(backend.numpy(array), values)
        host = own.to_host(array)
        assert type(host) is np.ndarray
        assert host.dtype == values.dtype
        np.testing.assert_array_equal(host, values)


def test_what_the_library_lacks_is_an_error_as_usual(own):
    with pytest.raises(AttributeError):
        own.no_such_function  # noqa: B018
    assert own.name in repr(own)
