"""Casting and moving: the values stay, and the gradient finds its way back."""

import numpy as np
import pytest

import agrad as ag


@pytest.mark.parametrize("start", ["float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("end", ["float32", "float64", "int64", "uint8", "bool"])
def test_astype_casts_as_numpy_does(backend, start, end):
    values = np.asarray([0, 1, 3]).astype(start)
    cast = ag.astype(backend.tensor(values), end)
    assert (cast.dtype, cast.device) == (end, backend.device)
    np.testing.assert_array_equal(backend.numpy(cast), values.astype(end), strict=True)


def test_a_gradient_comes_back_in_the_dtype_it_is_for(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True, dtype=ag.float32)
    y = ag.astype(x, ag.float64)
    (y * y).sum().backward()
    assert x.grad.dtype == ag.float32
    assert backend.numpy(x.grad).tolist() == [2.0, 4.0]


def test_no_gradient_goes_through_integers(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    assert not ag.astype(x, ag.int64).requires_grad
    assert not ag.astype(ag.astype(x, ag.int64), ag.float64).requires_grad


def test_astype_copies_unless_told_otherwise():
    x = ag.Tensor([1.0])
    assert not np.shares_memory(ag.astype(x, ag.float64).data, x.data)
    assert ag.astype(x, ag.float64, copy=False) is x
    assert ag.astype(x, ag.float32, copy=False).dtype == ag.float32


def test_there_and_back_again(backend):
    x = ag.Tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    there = ag.to_device(x, backend.tensor(0.0).device)
    assert there.device == backend.device
    np.testing.assert_array_equal(backend.numpy(there), x.data)
    back = ag.to_device(there * 2, "cpu")
    assert back.device == "cpu"
    (back * back).sum().backward()
    assert x.grad.device == "cpu"
    np.testing.assert_array_equal(x.grad.data, 8 * x.data)


def test_a_gradient_travels_back_to_a_leaf_elsewhere(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    (ag.to_device(x, "cpu") * ag.Tensor([3.0, 4.0])).sum().backward()
    assert x.grad.device == backend.device
    assert backend.numpy(x.grad).tolist() == [3.0, 4.0]


def test_the_second_derivative_travels_too(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    y = ag.to_device(x, "cpu")
    (y * y * y).sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    g.sum().backward()
    assert backend.numpy(x.grad).tolist() == [6.0, 12.0]


def test_where_it_is_already_nothing_happens(backend):
    x = backend.tensor([1.0], requires_grad=True)
    assert ag.to_device(x, x.device) is x


def test_nothing_is_recorded_under_no_grad(backend):
    x = backend.tensor([1.0], requires_grad=True)
    with ag.no_grad():
        assert not ag.to_device(x, "cpu").requires_grad or x.device == "cpu"


def test_an_unknown_dtype_is_refused(backend):
    with pytest.raises(TypeError, match="'float31' is no data type"):
        ag.astype(backend.tensor([1.0]), "float31")
