"""PyTorch: its own autograd stays out of it, copies are copies, and its views reach the host."""

import copy

import numpy as np
import pytest

import agrad as ag

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


# Its own autograd ------------------------------------------------------------------------------

SOURCES = {
    "a leaf": lambda: torch.ones(2, requires_grad=True),
    "a result": lambda: torch.ones(2, requires_grad=True) * 1,
    "a parameter": lambda: torch.nn.Parameter(torch.ones(2)),
    "a frozen parameter": lambda: torch.nn.Parameter(torch.ones(2), requires_grad=False),
}


def taken(array):
    """Return whether it is a plain array that PyTorch records nothing for."""
    return type(array) is torch.Tensor and not array.requires_grad and array.grad_fn is None


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("copy", [None, False, True])
def test_an_array_that_pytorch_differentiates_becomes_a_plain_one(source, copy):
    given = source()
    x = ag.asarray(given, copy=copy)
    assert taken(x.data)
    assert (x.data.data_ptr() == given.data_ptr()) == (not copy)
    assert taken((x * 2).data)
    assert not x.requires_grad
    assert given.requires_grad == source().requires_grad  # theirs is left as it was
    assert taken(ag.asarray(given, dtype=ag.float64, copy=copy or None).data)


def test_an_array_that_needs_no_change_stays_the_same_object():
    array = torch.ones(2)
    assert ag.Tensor(array).data is array


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_pytorchs_parameters_can_be_trained(source):
    given = source()
    w = ag.Parameter(given)
    (w * w).sum().backward()
    ag.optim.SGD([w], lr=0.25).step()
    assert w.tolist() == [0.5, 0.5]
    assert taken(w.data)
    assert given.requires_grad == source().requires_grad
    assert taken(w.grad.data)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_raw_arrays_that_pytorch_differentiates_can_be_computed_with(source):
    assert taken(ag.multiply(source(), 2).data)
    x = ag.Tensor(torch.ones(2), requires_grad=True)
    y = ag.multiply(x, source())
    assert taken(y.data)
    y.sum().backward()
    assert taken(x.grad.data)
    x.data = source()
    assert taken((x * 2).data)


# Copies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: ag.asarray(x, copy=True),
        lambda x: ag.asarray(x.data, copy=True),
        lambda x: ag.reshape(x, (2,), copy=True),
        lambda x: ag.positive(x),
        lambda x: ag.clip(x),
    ],
    ids=["asarray", "asarray of a raw array", "reshape", "positive", "clip"],
)
def test_a_copy_shares_no_memory(function, dtype):
    x = ag.Tensor(torch.ones(2, dtype=dtype))
    y = function(x)
    assert y.dtype == dtype
    y.data[...] = 0
    assert x.tolist() == [1, 1]


def test_a_copy_passes_its_gradient_on():
    x = ag.Tensor(torch.ones(2), requires_grad=True)
    (ag.asarray(x, copy=True) * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


# Memory ----------------------------------------------------------------------------------------


def test_empty_arrays_share_no_memory():
    x = ag.Tensor(torch.ones(2), requires_grad=True)
    nothing = ag.Tensor(torch.empty(0))
    y = (x[:0] * 1) * nothing  # it keeps an array without elements
    other = ag.Tensor(torch.empty(0))
    other += 1.0
    y.sum().backward()
    assert x.grad.tolist() == [0, 0]


# To the host -----------------------------------------------------------------------------------


def test_bfloat16_is_seen_as_float32():
    x = ag.Tensor(torch.tensor([1.5, -2.0], dtype=torch.bfloat16))
    assert repr(x) == "Tensor([ 1.5, -2. ], dtype=bfloat16, device='torch:cpu')"
    assert x[0].item() == 1.5
    assert x.tolist() == [1.5, -2.0]
    assert x.numpy().dtype == np.float32
    np.testing.assert_array_equal(x.numpy(), [1.5, -2.0])


def test_the_gradient_of_what_was_moved_from_bfloat16_comes_back_to_it():
    x = ag.Tensor(torch.ones(2, dtype=torch.bfloat16), requires_grad=True)
    (x.cpu() * 3).sum().backward()
    assert x.grad.dtype == torch.bfloat16
    assert x.grad.tolist() == [3, 3]


def test_views_that_are_conjugate_or_negative_only_by_name_reach_the_host():
    z = torch.tensor([1 + 2j, 3 - 4j])
    assert z.conj().imag.is_neg()
    np.testing.assert_array_equal(ag.Tensor(z.conj()).numpy(), [1 - 2j, 3 + 4j])
    np.testing.assert_array_equal(ag.Tensor(z.conj().imag).numpy(), [-2, 4])
    assert copy.deepcopy(ag.Tensor(z.conj().imag)).tolist() == [-2, 4]


# Functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [True, False])
def test_the_condition_of_where_may_be_a_number(condition):
    x = ag.Tensor(torch.tensor([1.0, 2.0]), requires_grad=True)
    for x1, x2, chosen in [(x, 0.0, condition), (0.0, x, not condition)]:
        x.grad = None
        y = ag.where(condition, x1, x2)
        assert y.tolist() == ([1, 2] if chosen else [0, 0])
        assert (y.device, y.dtype) == (x.device, x.dtype)
        (y * y).sum().backward(create_graph=True)
        assert x.grad.tolist() == ([2, 4] if chosen else [0, 0])
    y = ag.where(ag.Tensor(torch.tensor([True, False])), x, 0.0)
    assert y.tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("keepdims", [False, True])
def test_over_no_axes_each_element_is_counted_by_itself(keepdims, dtype):
    array = torch.tensor([[1, 0, 3], [0, 0, 4]]).to(dtype)
    x, expected = ag.Tensor(array), array.numpy()
    for axis in [(), None, 0, -1, (0,), (0, 1), (-1, 0)]:
        counted = ag.count_nonzero(x, axis=axis, keepdims=keepdims)
        want = np.count_nonzero(expected, axis=axis, keepdims=keepdims)
        assert counted.tolist() == np.asarray(want).tolist()
        assert counted.dtype == ag.int64


def test_steps_backwards_are_written_to():
    array = torch.zeros((2, 3))
    x = ag.Tensor(array)
    x[::-1, 2:0:-1] = ag.Tensor(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert array.tolist() == [[0.0, 4.0, 3.0], [0.0, 2.0, 1.0]]


@pytest.mark.parametrize("name", ["torch", "torch:cpu"])
def test_a_device_is_known_by_its_name(name):
    assert ag.zeros(2, device=name).device == "torch:cpu"
    with pytest.raises(ValueError, match=r"no device 'torch:nowhere': torch says"):
        ag.zeros(2, device="torch:nowhere")


def test_zeros_of_remainder_have_the_divisors_sign():
    x = ag.Tensor(torch.tensor([-0.0, 0.0, 4.0, -4.0]))
    for y, negative in ((ag.Tensor(torch.tensor(2.0)), False), (-2.0, True)):
        found = ag.remainder(x, y).numpy()
        assert found.tolist() == [0.0] * 4
        assert np.signbit(found).tolist() == [negative] * 4
