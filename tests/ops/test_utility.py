"""all and any: of nothing, along axes, and of numbers. Differences."""

import numpy as np
import pytest

import agrad as ag


@pytest.mark.parametrize(("function", "of_nothing"), [(ag.all, True), (ag.any, False)])
def test_of_no_elements(backend, function, of_nothing):
    assert backend.numpy(function(backend.tensor(np.zeros(0, dtype=bool)))) == of_nothing


@pytest.mark.parametrize(
    ("axis", "all_", "any_"),
    [(None, False, True), (0, [False, True], [True, True]), ((0, 1), False, True)],
)
def test_along_axes(backend, axis, all_, any_):
    x = backend.tensor([[True, True], [False, True]])
    assert backend.numpy(ag.all(x, axis=axis)).tolist() == all_
    assert backend.numpy(ag.any(x, axis=axis)).tolist() == any_


def test_the_truth_of_numbers_is_that_they_are_not_zero():
    assert ag.all(ag.Tensor([1.0, -2.0])).item()
    assert not ag.any(ag.Tensor([0.0, -0.0])).item()


def test_differences_can_be_taken_until_nothing_is_left():
    x = ag.Tensor([1, 4, 9])
    assert ag.diff(x, n=0).tolist() == [1, 4, 9]
    assert ag.diff(x, n=2).tolist() == [2]
    assert ag.diff(x, n=4).tolist() == []
    with pytest.raises(ValueError, match="-1 times"):
        ag.diff(x, n=-1)
    with pytest.raises(IndexError, match="axis 1"):
        ag.diff(x, axis=1)
