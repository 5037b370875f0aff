"""Shapes: what comes back, what shares memory, and what is refused."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agrad as ag


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4))
def test_broadcast_shapes_are_numpys(shapes):
    assert ag.broadcast_shapes(*shapes.input_shapes) == shapes.result_shape


@given(st.lists(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), max_size=3))
def test_broadcast_shapes_refuses_what_numpy_refuses(shapes):
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ValueError, match="can't be broadcast together"):
            ag.broadcast_shapes(*shapes)
    else:
        assert ag.broadcast_shapes(*shapes) == expected


@given(st.permutations(range(4)), st.permutations(range(4)), st.integers(1, 4))
def test_moveaxis_is_numpys(sources, destinations, n):
    x = np.zeros((1, 2, 3, 4))
    source, destination = tuple(sources[:n]), tuple(destinations[:n])
    expected = np.moveaxis(x, source, destination)
    assert ag.moveaxis(x, source, destination).shape == expected.shape


REFUSED = [
    (lambda x: ag.moveaxis(x, (0, 1), 0), ValueError, "2 axes can't go to 1 places"),
    (lambda x: ag.moveaxis(x, 2, 0), IndexError, "axis 2 is out of bounds for 2 dimensions"),
    (lambda x: ag.moveaxis(x, (0, -2), (0, 1)), ValueError, "named twice"),
    (lambda x: ag.concat([]), ValueError, "at least one"),
    (lambda x: ag.stack([x, x[0]]), ValueError, r"one shape, got \(2, 3\), \(3,\)"),
    (lambda x: ag.reshape(x, (4, 2)), ValueError, "reshape"),
    (lambda x: ag.squeeze(x, axis=0), ValueError, "squeeze"),
    (lambda x: ag.unstack(x, axis=2), IndexError, "axis 2 is out of bounds"),
]


@pytest.mark.parametrize(("call", "error", "words"), REFUSED)
def test_what_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(ag.zeros((2, 3)))


def test_views_share_memory_and_copies_do_not():
    x = ag.zeros((2, 3))
    views = [
        ag.reshape(x, (6,)),
        ag.permute_dims(x, (1, 0)),
        x[0],
        x.T,
        ag.broadcast_to(x, (2, 2, 3)),
    ]
    assert all(np.shares_memory(each.data, x.data) for each in views)
    copies = [ag.reshape(x, (6,), copy=True), ag.tile(x, (2, 1)), ag.concat([x]), ag.roll(x, 1)]
    assert not any(np.shares_memory(each.data, x.data) for each in copies)


def test_unstack_gives_a_tuple_of_slices(backend):
    parts = ag.unstack(backend.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    assert [backend.numpy(each).tolist() for each in parts] == [[1.0, 3.0], [2.0, 4.0]]
    assert type(parts) is tuple


def test_each_of_several_dtypes_gets_its_gradient_back(backend):
    x = backend.tensor([1.0], requires_grad=True, dtype=ag.float32)
    y = backend.tensor([2.0, 3.0], requires_grad=True, dtype=ag.float64)
    joined = ag.concat([x, y])
    assert joined.dtype == ag.float64
    (joined * joined).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (ag.float32, ag.float64)
    assert backend.numpy(x.grad).tolist() == [2.0]
    assert backend.numpy(y.grad).tolist() == [4.0, 6.0]


def test_arrays_and_tensors_join(backend):
    x = backend.tensor([1.0], requires_grad=True)
    joined = ag.concat([x, backend.array([2.0])])
    assert backend.numpy(joined).tolist() == [1.0, 2.0]
    assert joined.requires_grad


def test_repeat_by_a_tensor_or_a_number(backend):
    x = backend.tensor([1.0, 2.0])
    assert backend.numpy(ag.repeat(x, backend.tensor([2, 1]))).tolist() == [1.0, 1.0, 2.0]
    assert backend.numpy(ag.repeat(x, 2)).tolist() == [1.0, 1.0, 2.0, 2.0]


MODES = ["constant", "edge", "reflect", "symmetric", "wrap"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(4,), (3, 2), (1, 3), (2, 1, 2)])
def test_pad_takes_what_numpys_takes(mode, shape):
    x = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    widths = [0, 2, 7, (1, 3), (2,), ((2, 1),), [(1, 2)] * len(shape), [(1,)] * len(shape)]
    widths += [np.array([[1, 2]] * len(shape)), np.int64(2)]
    for width in widths:
        np.testing.assert_array_equal(ag.pad(x, width, mode).numpy(), np.pad(x, width, mode))
    expected = np.pad(x, [(0, 0)] * (len(shape) - 1) + [(1, 2)], mode)
    np.testing.assert_array_equal(ag.pad(x, {-1: (1, 2)}, mode).numpy(), expected)
    np.testing.assert_array_equal(ag.pad(x, {len(shape) - 1: (1, 2)}, mode).numpy(), expected)


def test_pad_by_constants(backend):
    for values in (5, (1, 2), [(1, 2), (3, 4)], ((6,),)):
        for dtype in ("float32", "int64", "complex128"):
            x = np.ones((2, 3), dtype=dtype)
            out = ag.pad(backend.tensor(x), ((1, 2), (0, 3)), constant_values=values)
            expected = np.pad(x, ((1, 2), (0, 3)), constant_values=values)
            np.testing.assert_array_equal(backend.numpy(out), expected)
            assert out.dtype == dtype
            assert out.device == backend.device
    masks = ag.pad(backend.tensor(np.array([True])), 1)
    assert backend.numpy(masks).tolist() == [False, True, False]


def test_pad_gives_each_element_the_gradients_of_its_copies(backend):
    x = backend.tensor([1.0, 2.0, 3.0], requires_grad=True)
    ag.pad(x, (2, 1), "reflect").sum().backward()  # 3 2 1 2 3 2
    assert backend.numpy(x.grad).tolist() == [1.0, 3.0, 2.0]
    x.grad = None
    out = ag.pad(x, 0)
    assert out is not x
    out.sum().backward()
    assert backend.numpy(x.grad).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("width", "mode", "message"),
    [
        (1, "mean", "mode must be one of 'constant', 'edge', .* got 'mean'"),
        ((1, -1), "constant", r"must not be negative, got \(1, -1\)"),
        ([(1, 1)] * 3, "constant", "a pair for each of the 2 axes"),
        ((1, 2, 3), "constant", "a pair for each of the 2 axes"),
        (1, "edge", "nothing in axis 1 to fill it up with by 'edge'"),
    ],
)
def test_pad_refuses(width, mode, message):
    with pytest.raises(ValueError, match=message):
        ag.pad(ag.zeros((2, 0)), width, mode)


def test_reshape_refuses_to_copy_if_told_so():
    x = ag.Tensor(np.arange(6).reshape(2, 3))
    assert np.shares_memory(ag.reshape(x, (6,), copy=False).data, x.data)
    with pytest.raises(ValueError, match=r"must be copied for the shape \(6,\)"):
        ag.reshape(x.T, (6,), copy=False)
