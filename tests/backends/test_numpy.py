"""NumPy's own versions of functions: large arrays, other layouts, mixed data types."""

import tracemalloc
import weakref

import numpy as np
import pytest

import agrad as ag
from agrad.backends import CPU
from agrad.backends.numpy import to_numpy
from agrad.nn import functional as F

LAYOUTS = {
    "contiguous": lambda x: x.copy(),
    "transposed": lambda x: x.T.copy().T,
    "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
}


@pytest.mark.parametrize("dtypes", ["f4 f4", "f8 f8", "f4 f8", "f8 f4", "f2 f4"])
@pytest.mark.parametrize("x_layout", LAYOUTS)
@pytest.mark.parametrize("y_layout", LAYOUTS)
def test_axpy_writes_into_y_whatever_the_layouts(y_layout, x_layout, dtypes):
    rng = np.random.default_rng(0)
    for shape in [(3, 4), (1, 200_000), (200_000, 1), (523, 509)]:
        y, x = (rng.integers(-8, 8, shape).astype(dtype) for dtype in dtypes.split())
        y, x = LAYOUTS[y_layout](y), LAYOUTS[x_layout](x)
        expected, kept = y + -0.5 * x, x.copy()  # exact, since all are small multiples of 1/2
        assert CPU.axpy(-0.5, x, y) is y
        assert y.dtype == dtypes.split()[0]
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 131_071, 131_072, 131_073, 400_000])
def test_axpy_leaves_no_element_out(size):
    y = np.arange(size, dtype=np.float64)
    CPU.axpy(2.0, np.ones(size), y)
    np.testing.assert_array_equal(y, np.arange(size) + 2.0)


def test_axpy_of_an_array_and_itself():
    y = np.arange(200_000.0)
    CPU.axpy(-0.5, y, y)
    np.testing.assert_array_equal(y, np.arange(200_000) / 2)


def test_axpy_of_a_large_array_makes_only_a_small_one():
    x, y = np.ones((2, 2_000_000))
    tracemalloc.start()
    CPU.axpy(0.5, x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < y.nbytes / 8


@pytest.mark.parametrize("dtypes", ["f4 f4 f4", "f8 f4 f4", "f4 f4 f8", "f4 f8 f8"])
def test_a_layer_gives_each_example_the_same_in_batches_of_any_size(dtypes):
    rng = np.random.default_rng(0)
    shapes = [(70, 150), (100, 150), 100]
    x, W, b = (
        ag.Tensor(rng.normal(size=shape).astype(dtype))
        for shape, dtype in zip(shapes, dtypes.split(), strict=True)
    )
    whole = F.affine_transform(x, W, b)
    np.testing.assert_allclose(whole.data, x.data @ W.data.T + b.data, rtol=1e-4, atol=1e-4)
    for batch in (1, 2, 64, 65):
        part = F.affine_transform(x[:batch], W, b)
        assert part.dtype == whole.dtype
        np.testing.assert_allclose(part.data, whole.data[:batch], rtol=1e-4, atol=1e-4)


def test_own_copies_views_and_scalars_alone():
    whole = np.ones((2, 3))
    assert CPU.own(whole) is whole
    for view in (whole[0], whole.T, whole[None], np.broadcast_to(whole, (4, 2, 3))):
        owned = CPU.own(view)
        assert not np.shares_memory(owned, whole)
        assert owned.flags.writeable
        np.testing.assert_array_equal(owned, view)
    assert type(CPU.own(np.float64(3))) is np.ndarray


def test_results_without_dimensions_are_arrays():
    assert type(CPU.normalize(np.float32(1))) is np.ndarray
    assert CPU.normalize(np.float32(1)).dtype == np.float32


@pytest.mark.parametrize("data", [None, {"a": 1}, [None], [[1, 2], [None, 3]], {1, 2}], ids=repr)
def test_what_isnt_made_of_numbers_is_refused(data):
    with pytest.raises((TypeError, ValueError)):
        CPU.asarray(data)


def test_a_list_of_unequal_rows_is_refused():
    with pytest.raises(ValueError, match="inhomogeneous"):
        CPU.asarray([[1, 2], [3]])


def test_arrays_of_the_host_stay_themselves():
    array = np.ones(3)
    assert CPU.asarray(array) is CPU.from_host(array) is CPU.to_host(array) is array
    assert not np.shares_memory(CPU.asarray(array, copy=True), array)
    with pytest.raises(ValueError, match="copy"):
        CPU.asarray(array, dtype=np.float32, copy=False)


def test_arrays_brought_from_another_library_can_be_written_to(backend):
    array = backend.tensor(np.arange(3.0)).to("cpu").data
    assert type(array) is np.ndarray
    array += 1
    np.testing.assert_array_equal(array, [1, 2, 3])


def test_arrays_of_other_libraries_become_numpys(backend):
    if "cupy" in backend.name:
        pytest.skip("CuPy's arrays don't become NumPy's unasked")
    values = np.arange(6.0).reshape(2, 3)
    host = to_numpy(backend.array(values))
    assert type(host) is np.ndarray
    np.testing.assert_array_equal(host, values)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint64"])
def test_numbers_from_0_on_are_below_one_and_others_are_not(dtype):
    for values, expected in [([[0, 4], [3, 1]], True), ([[0, 5], [3, 1]], False), ([], True)]:
        assert CPU.are_below(np.asarray(values, dtype), 5) is expected
    assert CPU.are_below(np.asarray(4, dtype), 5)
    assert not CPU.are_below(np.asarray(5, dtype), 5)
    if dtype.startswith("int"):
        assert not CPU.are_below(np.asarray([1, -1], dtype), 5)
        assert not CPU.are_below(np.asarray(-1, dtype), 5)
        assert not CPU.are_below(np.asarray([[0, -128], [1, 2]], dtype), 127)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize("columns", [4, 1640, 5000, 8192])  # around what is compared at once
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_an_array_beside_0_is_as_numpy_has_it(name, columns, dtype, layout):
    x = np.random.default_rng(0).normal(scale=9, size=(5, columns)).astype(dtype)
    if dtype != "int32":
        x[0, :4] = np.nan, np.inf, -np.inf, -0.0
    x = LAYOUTS[layout](x)
    function, of_numpy = getattr(CPU, name), getattr(np, name)
    for number in (0, 1):
        result, expected = function(x, number), of_numpy(x, number)
        assert result.dtype == expected.dtype
        assert result.strides == expected.strides
        np.testing.assert_array_equal(result, expected)
        like_x = LAYOUTS[layout](np.empty((5, columns), dtype))
        for out in (like_x, np.empty_like(x), np.empty(x.shape, dtype)):
            assert function(x, number, out=out) is out
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("columns", [4, 320, 1640, 8192])
def test_a_recorded_relu_is_the_eager_one(columns, layout):
    x = LAYOUTS[layout](np.random.default_rng(0).normal(size=(5, columns)))
    x = ag.Tensor(x)
    step = ag.compile(lambda x: ag.nn.functional.relu(x) + ag.minimum(x, 0))
    for _ in range(4):
        np.testing.assert_array_equal(step(x).numpy(), x.numpy())


@pytest.mark.parametrize("shape", [(3,), (4, 3), (200, 300)])  # the last is too large to be kept
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 0), (1, 1)])
@pytest.mark.parametrize("is_same", [True, False])
def test_losses_have_gradients_of_their_own(is_same, order, shape):
    rng = np.random.default_rng(0)
    one, other = (ag.Tensor(rng.normal(size=shape), requires_grad=True) for _ in range(2))
    scores = [one, one if is_same else other]
    golds = [rng.integers(0, 3, shape[:-1]) for _ in range(2)]
    losses = [F.cross_entropy(z, ag.Tensor(gold)) for z, gold in zip(scores, golds, strict=True)]
    for i in order:
        z = scores[i]
        z.grad = None
        losses[i].backward(retain_graph=True)
        e = np.exp(z.detach().numpy())
        softmax, onehot = e / e.sum(axis=-1, keepdims=True), np.eye(shape[-1])[golds[i]]
        expected = (softmax - onehot) / max(1, softmax[..., 0].size)
        np.testing.assert_allclose(z.grad.numpy(), expected, rtol=1e-12, atol=1e-15)


def test_a_loss_keeps_no_large_scores():
    z = ag.Tensor(np.zeros((200, 300)))
    scores = weakref.ref(z.data)
    F.cross_entropy(z, ag.Tensor(np.zeros(200, dtype=int)))
    del z
    assert scores() is None
