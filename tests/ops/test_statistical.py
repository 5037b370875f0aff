"""Reductions: data types, ties, zeros, and axes that don't exist."""

import numpy as np
import pytest

import agrad as ag


@pytest.mark.parametrize(
    ("name", "dtype", "expected"),
    [
        ("sum", "float32", "float32"),
        ("sum", "int32", "int64"),
        ("sum", "int64", "int64"),
        ("sum", "uint8", "uint64"),
        ("prod", "float32", "float32"),
        ("prod", "int32", "int64"),
        ("mean", "float32", "float32"),
        ("var", "float32", "float32"),
        ("max", "int32", "int32"),
        ("cumulative_sum", "float32", "float32"),
        ("cumulative_sum", "int32", "int64"),
    ],
)
def test_the_standard_says_of_which_dtype_the_result_is(backend, name, dtype, expected):
    if (backend.name, dtype) == ("torch", "uint8"):
        pytest.skip("PyTorch sums uint8 as int64")
    out = getattr(ag, name)(backend.tensor([1, 2, 3], dtype=dtype))
    assert out.dtype == expected


@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum", "cumulative_prod"])
def test_a_dtype_to_add_up_in(backend, name):
    x = backend.tensor([1.0, 2.0], requires_grad=True, dtype=ag.float32)
    out = getattr(ag, name)(x, dtype=ag.float64)
    assert out.dtype == ag.float64
    out.sum().backward()
    assert x.grad.dtype == ag.float32


@pytest.mark.parametrize(
    ("function", "tied"), [(ag.max, [3.0, 1.0, 3.0]), (ag.min, [1.0, 2.0, 1.0])]
)
def test_the_equal_share_the_gradient_evenly(backend, function, tied):
    x = backend.tensor(tied, requires_grad=True)
    function(x).backward()
    assert backend.numpy(x.grad).tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([2.0, 0.0, 3.0], [0.0, 6.0, 0.0]), ([0.0, 0.0, 3.0], [0.0, 0.0, 0.0]), ([0.0], [1.0])],
)
def test_the_gradient_of_a_product_with_zeros(backend, values, expected):
    x = backend.tensor(values, requires_grad=True)
    ag.prod(x).backward()
    assert backend.numpy(x.grad).tolist() == expected


@pytest.mark.parametrize("function", [ag.cumulative_sum, ag.cumulative_prod])
def test_a_matrix_is_accumulated_along_an_axis_only(function):
    with pytest.raises(ValueError, match=r"cumulative_\w+ of 2 dimensions needs an axis"):
        function(ag.ones((2, 2)))


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "var", "std", "all", "any"])
@pytest.mark.parametrize("axis", [2, -3, (0, 5)])
def test_axes_that_do_not_exist_are_refused(name, axis):
    with pytest.raises(IndexError, match="axis"):
        getattr(ag, name)(ag.ones((2, 2)), axis=axis)


@pytest.mark.parametrize("correction", [0, 1, 0.5])
def test_the_correction_counts_less_degrees_of_freedom(backend, correction):
    values = np.asarray([1.0, 2.0, 4.0, 8.0])
    x = backend.tensor(values)
    expected = np.sum((values - values.mean()) ** 2) / (4 - correction)
    assert backend.numpy(ag.var(x, correction=correction)) == pytest.approx(expected)
    assert backend.numpy(ag.std(x, correction=correction)) == pytest.approx(np.sqrt(expected))


def test_the_standard_deviation_of_equal_elements_has_a_gradient_of_zero(backend):
    x = backend.tensor(np.asarray([[2.0, 2.0], [1.0, 3.0]]), requires_grad=True)
    ag.std(x, axis=1).sum().backward()
    np.testing.assert_allclose(backend.numpy(x.grad), [[0.0, 0.0], [-0.5, 0.5]])


@pytest.mark.parametrize("function", [ag.sum, ag.prod, ag.cumulative_sum, ag.cumulative_prod])
def test_small_integers_stay_small_if_told_so(function, backend):
    x = backend.tensor([1, 2], dtype=ag.int8)
    assert function(x).dtype == ag.int64
    assert function(x, dtype=ag.int8).dtype == ag.int8
