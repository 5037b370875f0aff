"""Indexing: all of NumPy's keys, their gradients, and keys that are refused."""

import array_api_strict
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agrad as ag

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


@st.composite
def keys(draw: st.DrawFn) -> tuple[tuple[int, ...], object]:
    """Return a shape and a key for it: slices, integers, None, ..., masks, arrays of integers."""
    shape = draw(SHAPES)
    result = hnp.array_shapes(max_dims=2, max_side=3)
    places = hnp.integer_array_indices(shape, result_shape=result, dtype=np.int64)
    masks = hnp.arrays(bool, shape)
    mixed = st.tuples(
        st.sampled_from([slice(None), 0, -1, None, ..., slice(None, None, -1), slice(0, 2)]),
        hnp.integer_array_indices(shape[:1], result_shape=result, dtype=np.int64).map(
            lambda index: index[0] % min(shape)
        ),
    )
    basic = hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)
    kind = st.one_of(basic, places, masks, mixed if len(shape) > 1 else basic)
    return shape, draw(kind)


@given(keys())
def test_any_key(shape_and_key):
    """Values are NumPy's, and the gradient g of x[key] is the one with <g, v[key]> for any v."""
    shape, key = shape_and_key
    rng = np.random.default_rng(0)
    data, v = rng.normal(size=shape), rng.normal(size=shape)
    x = ag.Tensor(data, requires_grad=True)
    out = x[key]
    np.testing.assert_array_equal(out.data, data[key])
    g = rng.normal(size=out.shape)
    out.backward(g)
    assert np.sum(x.grad.data * v) == pytest.approx(np.sum(g * v[key]))


@given(keys())
def test_scatter_add_is_the_transpose_of_indexing(shape_and_key):
    shape, key = shape_and_key
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    values = rng.normal(size=x[key].shape)
    scattered = ag.scatter_add(values, key, shape).data
    assert scattered.shape == shape
    assert np.sum(scattered * x) == pytest.approx(np.sum(values * x[key]))


@pytest.mark.parametrize("key", [[0, 2], np.array([0, 2]), ag.Tensor([0, 2]), (ag.Tensor([0, 2]),)])
def test_lists_arrays_and_tensors_are_keys(key):
    assert ag.Tensor([1.0, 2.0, 3.0])[key].tolist() == [1.0, 3.0]


def test_tensors_of_the_same_device_are_keys(backend):
    x = backend.tensor([1.0, 2.0, 3.0])
    assert backend.numpy(x[backend.tensor([2, 0])]).tolist() == [3.0, 1.0]
    assert backend.numpy(x[x > 1.5]).tolist() == [2.0, 3.0]
    assert backend.numpy(x[backend.array([2, 0])]).tolist() == [3.0, 1.0]
    assert backend.numpy(x[backend.tensor(1)]).tolist() == 2.0


def test_numpys_integers_are_keys_on_every_device(backend):
    x = backend.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[np.int64(2)].backward()
    assert backend.numpy(x.grad).tolist() == [0.0, 0.0, 1.0]
    assert backend.numpy(x[np.int32(-1)]) == 3.0


def test_an_empty_list_takes_nothing():
    assert ag.Tensor([1.0, 2.0])[[]].shape == (0,)


@pytest.mark.parametrize("key", ["a", 1.5, (0, "a"), {0}, (1.0, None)])
def test_keys_of_another_type_are_refused(key):
    with pytest.raises(
        TypeError, match=f"an index is made of .* got {type(key).__name__}|got float|got str"
    ):
        ag.zeros((2, 3))[key]


@pytest.mark.parametrize("key", [3, -4, (0, 0), np.array([3])])
def test_what_is_out_of_bounds_is_refused(key):
    with pytest.raises(IndexError):
        ag.zeros(3)[key]


def test_an_index_on_another_device_is_refused_with_both_named():
    index = ag.Tensor(array_api_strict.asarray([0]))
    with pytest.raises(RuntimeError, match=r"'cpu' .* 'array_api_strict:CPU_DEVICE'"):
        ag.zeros(3)[index]


def test_take_of_a_matrix_needs_an_axis():
    with pytest.raises(ValueError, match="take from 2 dimensions needs an axis"):
        ag.take(ag.zeros((2, 2)), ag.Tensor([0]))


@pytest.mark.parametrize(("shape", "axis"), [((3,), 1), ((3,), -2), ((), 0)])
def test_take_along_an_axis_that_is_not_there(shape, axis):
    x = ag.zeros(shape)
    with pytest.raises(IndexError, match=f"axis {axis} is out of bounds for {len(shape)} dim"):
        ag.take_along_axis(x, ag.zeros(shape, dtype=ag.int64), axis=axis)


@pytest.mark.parametrize("function", [ag.take, ag.take_along_axis])
def test_indices_on_another_device_are_refused_and_lists_go_there(backend, function):
    x = backend.tensor([1.0, 2.0, 3.0])
    assert backend.numpy(function(x, [2, 0])).tolist() == [3.0, 1.0]
    elsewhere = array_api_strict.asarray([2, 0], device=array_api_strict.Device("device2"))
    with pytest.raises(RuntimeError, match=rf"'{backend.device}' .*'array_api_strict:device2'"):
        function(x, elsewhere)


def test_what_is_taken_twice_gets_both_gradients(backend):
    x = backend.tensor([1.0, 2.0, 3.0], requires_grad=True)
    g = backend.tensor([1.0, 10.0, 100.0])
    for taken in (x[backend.tensor([2, 0, 2])], ag.take(x, backend.tensor([2, 0, 2]))):
        x.grad = None
        taken.backward(g)
        assert backend.numpy(x.grad).tolist() == [10.0, 0.0, 101.0]


def test_a_tuple_within_an_index_is_a_list_of_integers(backend):
    x = backend.tensor(np.arange(3.0), requires_grad=True)
    x[((0, 0, 1),)].sum().backward()
    assert backend.numpy(x.grad).tolist() == [2.0, 1.0, 0.0]


def test_indices_must_be_integers(backend):
    x = backend.tensor(np.arange(3.0))
    with pytest.raises(TypeError, match="indices must be integers, got"):
        ag.take(x, [True, False, True], axis=0)
    assert ag.take(x, [], axis=0).shape == (0,)
