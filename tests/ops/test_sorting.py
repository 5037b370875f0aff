"""Sorting: both ways, stable, and the gradient goes back to where each element came from."""

import numpy as np
import pytest

import agrad as ag

TIED = [2.0, 1.0, 2.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("descending", "order"), [(False, [3, 1, 4, 0, 2]), (True, [0, 2, 1, 4, 3])]
)
def test_equal_elements_keep_their_order(backend, descending, order):
    found = ag.argsort(backend.tensor(TIED), descending=descending)
    assert backend.numpy(found).tolist() == order
    x = backend.tensor(TIED, requires_grad=True)
    y = ag.sort(x, descending=descending)
    assert backend.numpy(y).tolist() == [TIED[i] for i in order]
    y.backward(backend.tensor(np.arange(5.0)))
    assert backend.numpy(x.grad)[order].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sort_is_numpys(backend, axis):
    x = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(
        backend.numpy(ag.sort(backend.tensor(x), axis=axis)), np.sort(x, axis=axis)
    )
