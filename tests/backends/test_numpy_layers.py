"""NumPy's kernels for normalization and embeddings give what the plain functions give."""

import numpy as np
import pytest

from agrad.backends import CPU, numpy_layers
from agrad.nn.functional import normalization

# Shape, axes to reduce, order of the axes in memory
CASES = {
    "rows": ((7, 5), (-1,), (0, 1)),
    "many rows": ((1000, 70), (-1,), (0, 1)),
    "a single long row": ((1, 100_000), (-1,), (0, 1)),
    "one vector": ((9,), (0,), (0,)),
    "two last axes": ((3, 4, 5), (-2, -1), (0, 1, 2)),
    "the last of several": ((3, 4, 5), (2,), (0, 1, 2)),
    "rows that lie otherwise": ((30, 20, 5), (1, 2), (2, 0, 1)),
    "columns": ((200, 5), (0,), (0, 1)),
    "many columns": ((50, 4000), (0,), (0, 1)),
    "channels": ((6, 3, 4, 5), (0, 2, 3), (0, 1, 2, 3)),
    "channels that lie last": ((60, 30, 8, 8), (0, 2, 3), (0, 2, 3, 1)),
    "all": ((3, 4), (0, 1), (0, 1)),
}


def draw(case, seed, dtype):
    shape, _, order = CASES[case]
    x = np.random.default_rng(seed).normal(2.0, 3.0, [shape[a] for a in order]).astype(dtype)
    return x.transpose([order.index(a) for a in range(x.ndim)])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_the_plain_function(case, dtype, tolerance):
    axis = CASES[case][1]
    x, g = draw(case, 0, dtype), draw(case, 1, dtype)
    exact = x.astype("float64"), g.astype("float64")
    y = numpy_layers._standardize(CPU, x, axis, 1e-5)
    expected = normalization._standardize(CPU, exact[0], axis, 1e-5)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    back = numpy_layers._standardize_x(CPU, g, x, y, axis, 1e-5)
    expected = normalization._standardize_x(CPU, exact[1], exact[0], expected, axis, 1e-5)
    assert back.dtype == dtype
    np.testing.assert_allclose(back, expected, rtol=tolerance, atol=3 * tolerance)
    np.testing.assert_array_equal(x, draw(case, 0, dtype))  # nothing was written to
    np.testing.assert_array_equal(g, draw(case, 1, dtype))


@pytest.mark.parametrize("shape", [(0,), (1,), (50,), (3, 40), ()])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_gradients_of_embeddings_are_added_up_row_by_row(shape, rows):
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, rows, shape)
    g = rng.normal(size=(*shape, 4))
    before = g.copy(), numbers.copy()
    got = numpy_layers._embedding_weight(CPU, g, (rows, 4), numbers)
    np.testing.assert_allclose(got, CPU.scatter_add(g, numbers, (rows, 4)), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(g, before[0])
    np.testing.assert_array_equal(numbers, before[1])
