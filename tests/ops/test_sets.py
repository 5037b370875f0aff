"""Sets: distinct values in rising order, where they are first, and what is in what."""

import numpy as np
import pytest

import agrad as ag


@pytest.fixture(autouse=True)
def lengths_are_known(request):
    if "dask" in request.node.name and "isin" not in request.node.name:
        pytest.skip("Dask doesn't know how many distinct values there are")


@pytest.mark.parametrize("dtype", ["float64", "int32", "bool", "complex128"])
def test_everything_about_the_distinct_values(backend, dtype):
    values = np.asarray([[3, 1, 3], [0, 1, 3]]).astype(dtype)
    if dtype == "complex128":
        values = values + np.asarray([[1j, 0, -1j], [0, 0, 1j]])
    x = backend.tensor(values)
    result = ag.unique_all(x)
    expected = np.unique_all(values)
    for name in ("values", "indices", "inverse_indices", "counts"):
        found = getattr(result, name)
        assert found.device == x.device
        np.testing.assert_array_equal(backend.numpy(found), getattr(expected, name), strict=True)
    assert result.values.dtype == dtype


def test_nans_are_distinct_and_zeros_are_not(backend):
    x = backend.tensor([0.0, np.nan, -0.0, np.nan])
    values, counts = ag.unique_counts(x)
    assert backend.numpy(counts).tolist() == [2, 1, 1]
    assert np.isnan(backend.numpy(values)).tolist() == [False, True, True]


def test_the_gradient_goes_to_where_a_value_is_first(backend):
    x = backend.tensor([2.0, 1.0, 2.0], requires_grad=True)
    (ag.unique_values(x) * backend.tensor([10.0, 20.0])).sum().backward()
    assert backend.numpy(x.grad).tolist() == [20.0, 10.0, 0.0]


def test_isin_takes_numbers(backend):
    x = backend.tensor([1, 2, 3])
    assert backend.numpy(ag.isin(x, 2)).tolist() == [False, True, False]
    assert backend.numpy(ag.isin(2, x)) == np.True_
    assert backend.numpy(ag.isin(4, x)) == np.False_
    assert backend.numpy(ag.isin(4, x, invert=True)) == np.True_
