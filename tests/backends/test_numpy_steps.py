"""How recorded steps run on NumPy: products that are added as they are made, and their memory."""

import numpy as np
import pytest

import agrad as ag
from agrad.backends import CPU

LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "every other": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


def added(name, alpha, x1, x2, y):
    add = CPU.planner.adding(name, (x1, x2), y)
    return add(alpha, x1, x2, y)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64"])
@pytest.mark.parametrize("into", ["rows", "columns", "every other"])
@pytest.mark.parametrize("second", LAYOUTS)
@pytest.mark.parametrize("first", LAYOUTS)
def test_a_product_of_matrices_is_added_whatever_their_layout(first, second, into, dtype):
    rng = np.random.default_rng(0)
    x1, x2, y = (rng.integers(-9, 9, shape).astype(dtype) for shape in [(4, 5), (5, 3), (4, 3)])
    expected = y + 2 * (x1 @ x2)
    x1, x2, y = LAYOUTS[first](x1), LAYOUTS[second](x2), LAYOUTS[into](y)
    assert added("matmul", 2, x1, x2, y) is y
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("into", ["rows", "columns", "every other"])
@pytest.mark.parametrize("second", ["rows", "every other", "read-only"])
@pytest.mark.parametrize("first", ["rows", "every other", "read-only"])
def test_an_outer_product_is_added_whatever_the_layout(first, second, into, dtype):
    rng = np.random.default_rng(0)
    x1, x2, y = (rng.integers(-9, 9, shape).astype(dtype) for shape in [(4,), (5,), (4, 5)])
    expected = y - 3 * np.outer(x1, x2)
    x1, x2, y = LAYOUTS[first](x1), LAYOUTS[second](x2), LAYOUTS[into](y)
    assert added("outer", -3, x1, x2, y) is y
    np.testing.assert_array_equal(y, expected)


def test_a_product_of_another_data_type_is_added_too():
    x, y = np.ones((2, 2), "float32"), np.zeros((2, 2))
    np.testing.assert_array_equal(added("matmul", 1, x, x, y), np.full((2, 2), 2.0))
    np.testing.assert_array_equal(added("outer", 1, x[0], x[0], y), np.full((2, 2), 3.0))


def test_products_of_vectors_or_of_nothing_are_not_added_as_they_are_made():
    vector, matrix, empty = np.ones(2), np.ones((2, 2)), np.ones((2, 0))
    planner = CPU.planner
    assert planner.adding("matmul", (vector, matrix), vector) is None
    assert planner.adding("matmul", (empty, empty.T), matrix) is None
    assert planner.adding("matmul", (matrix, empty), empty) is None
    assert planner.adding("matmul", (np.ones((3, 2, 2)), matrix), np.ones((3, 2, 2))) is None
    assert planner.adding("outer", (vector, empty[0]), empty) is None
    assert planner.adding("add", (matrix, matrix), matrix) is None


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(50,), (3, 4), (20_000,)])
@pytest.mark.parametrize("of_x", ["the same shape", "one element"])
def test_an_array_is_added_as_eager_updates_add_it_to_the_bit(of_x, shape, kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape if of_x == "the same shape" else 1).astype(kind)
    y = rng.normal(size=shape).astype("float32")
    add, expected = CPU.planner.adding("axpy", (x,), y) or CPU.axpy, CPU.axpy(0.3, x, y.copy())
    np.testing.assert_array_equal(add(0.3, x, y), expected)


def test_what_is_called_in_a_shorter_way_gives_the_same():
    def function(x):
        xp = x.data.__array_namespace__()
        raw = xp.sum(x.data), xp.max(x.data, axis=0), xp.prod(x.data, keepdims=True)
        vectors = [ag.expand_dims(x[0], axis=axis) for axis in (0, 1, -1)]
        matrices = [ag.expand_dims(x, axis=axis) * 2 for axis in (0, 1, 2)]
        squares = [x**2, x**2.0, x**3, x**0.5, 2**x, (ag.sum(x) / 3 - 1) * 2 + 1]
        return *map(ag.asarray, raw), *vectors, *matrices, *squares, ag.matrix_transpose(x * 2)

    step = ag.compile(function)
    for seed in range(4):
        x = ag.Tensor(np.random.default_rng(seed).random((2, 3)))
        for recorded, own in zip(step(x), function(x), strict=True):
            np.testing.assert_array_equal(recorded.numpy(), own.numpy())
            assert recorded.dtype == own.dtype


def test_memory_begins_where_a_cache_line_does():
    planner, like = CPU.planner, np.ones((3, 5), "float32").T
    for _ in range(5):
        array = planner.array(planner.memory(like), like)
        assert array.ctypes.data % 64 == 0
        assert (array.shape, array.dtype, array.strides) == (like.shape, like.dtype, like.strides)
