"""where: each branch gets the gradient of what was taken from it, and nothing else."""

import numpy as np
import pytest

import agrad as ag


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_the_branch_not_taken_does_no_harm(backend, poison):
    x = backend.tensor([1.0, poison], requires_grad=True)
    y = backend.tensor([poison, 2.0], requires_grad=True)
    out = ag.where(backend.tensor([True, False]), x, y)
    (out * out).sum().backward()
    assert backend.numpy(x.grad).tolist() == [2.0, 0.0]
    assert backend.numpy(y.grad).tolist() == [0.0, 4.0]


def test_the_condition_gets_no_gradient():
    x = ag.Tensor([1.0, -1.0], requires_grad=True)
    ag.where(x > 0, 2.0, 3.0)
    assert not ag.where(x > 0, 2.0, 3.0).requires_grad


def test_numbers_take_the_tensors_dtype(backend):
    x = backend.tensor([1.0, 2.0], dtype=ag.float32)
    assert ag.where(x > 1.5, x, 0.0).dtype == ag.float32
    assert ag.where(x > 1.5, 0.0, x).dtype == ag.float32


@pytest.mark.parametrize("function", [ag.argmax, ag.argmin])
def test_the_first_of_several_is_found(function):
    assert function(ag.Tensor([2.0, 2.0, 2.0])).item() == 0


def test_nonzero_needs_an_axis(backend):
    with pytest.raises(ValueError, match="at least one dimension"):
        ag.nonzero(backend.tensor(1.0))


def test_searchsorted_refuses_another_side():
    with pytest.raises(ValueError, match="side must be 'left' or 'right', got 'up'"):
        ag.searchsorted(ag.Tensor([1.0]), 1.0, side="up")
