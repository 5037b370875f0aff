"""Initial values: their spread, the same bits everywhere, written in place."""

import numpy as np
import pytest

import agrad as ag
from agrad.nn import init
from agrad.random import Generator

# (shape, the largest absolute value), by the papers' formulas
BOUNDS = {
    init.glorot_init: [
        ((300, 200), (6 / (200 + 300)) ** 0.5),
        ((10, 784), (6 / (784 + 10)) ** 0.5),
        ((40, 30, 5, 3), (6 / ((30 + 40) * 15)) ** 0.5),
        ((64, 1, 25), (6 / ((1 + 64) * 25)) ** 0.5),
    ],
    init.kaiming_init: [
        ((300, 200), (6 / 200) ** 0.5),
        ((10, 784), (6 / 784) ** 0.5),
        ((40, 30, 5, 3), (6 / (30 * 15)) ** 0.5),
        ((64, 1, 25), (6 / 25) ** 0.5),
    ],
}


@pytest.mark.parametrize(
    ("initialize", "shape", "bound"),
    [(function, *case) for function, cases in BOUNDS.items() for case in cases],
)
def test_weights_are_drawn_evenly_between_the_bounds(initialize, shape, bound):
    w = initialize(ag.zeros(shape, dtype=ag.float64), generator=Generator(0)).numpy()
    assert 0.98 * bound < abs(w).max() <= bound
    standard_error = bound / w.size**0.5
    assert abs(w.mean()) < 3 * standard_error
    assert w.var() == pytest.approx(bound**2 / 3, rel=0.07)
    quarters, _ = np.histogram(w, bins=4, range=(-bound, bound))
    np.testing.assert_allclose(quarters / w.size, 0.25, atol=0.03)


def test_glorot_keeps_the_variance_through_linear_layers_and_kaiming_through_relu():
    x = ag.random.Generator(1).normal(0, 1, (500, 1000), dtype=ag.float64)
    w = ag.zeros((1000, 1000), dtype=ag.float64)
    y = x @ init.glorot_init(w, generator=Generator(2)).T
    assert float((y * y).mean()) == pytest.approx(1, rel=0.05)
    z = ag.maximum(x @ init.kaiming_init(w, generator=Generator(3)).T, 0)
    assert float((z * z).mean()) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("initialize", [init.glorot_init, init.kaiming_init, init.zero_init])
def test_values_are_written_in_place(initialize, backend):
    w = ag.Parameter(backend.tensor(np.ones((3, 2), dtype=np.float32)), name="w")
    before = w.data
    assert initialize(w) is w
    never_written_to = backend.name in ("jax", "dask", "strict", "strict-device1")
    assert (w.data is not before) == never_written_to
    assert w.device == backend.device
    assert w.dtype == ag.float32
    assert (w.name, w.requires_grad, w.is_leaf, w.grad) == ("w", True, True, None)
    assert not np.array_equal(backend.numpy(w), np.ones((3, 2)))
    (w * w).sum().backward()
    np.testing.assert_array_equal(backend.numpy(w.grad), 2 * backend.numpy(w))


@pytest.mark.parametrize("dtype", [ag.float32, ag.float64])
def test_zero_init_writes_zeros_into_any_shape(dtype, backend):
    for shape in [(), (3,), (2, 3)]:
        b = init.zero_init(backend.tensor(np.ones(shape), dtype=dtype))
        np.testing.assert_array_equal(backend.numpy(b), np.zeros(shape))
        assert b.dtype == dtype


@pytest.mark.parametrize("dtype", [ag.float32, ag.float64])
@pytest.mark.parametrize("initialize", BOUNDS)
def test_a_seed_gives_the_same_bits_on_every_backend(initialize, dtype, backend):
    host = ag.zeros((30, 20), dtype=dtype)
    w = backend.tensor(host.numpy())
    ag.manual_seed(7)
    initialize(host)
    ag.manual_seed(7)
    initialize(w)
    assert backend.numpy(w).dtype == host.numpy().dtype
    np.testing.assert_array_equal(backend.numpy(w), host.numpy())


@pytest.mark.parametrize("initialize", BOUNDS)
def test_float32_weights_are_the_float64_weights_rounded(initialize):
    single, double = (ag.zeros((30, 20), dtype=dtype) for dtype in (ag.float32, ag.float64))
    initialize(single, generator=Generator(5))
    initialize(double, generator=Generator(5))
    np.testing.assert_array_equal(single.numpy(), double.numpy().astype(np.float32))


@pytest.mark.parametrize("initialize", BOUNDS)
def test_a_generator_of_ones_own_leaves_the_default_one_alone(initialize):
    w = ag.zeros((3, 2))
    ag.manual_seed(0)
    expected = initialize(w).tolist()
    ag.manual_seed(0)
    generator = Generator(1)
    first, second = (initialize(w, generator=generator).tolist() for _ in range(2))
    assert first != second
    assert initialize(w).tolist() == expected
    assert initialize(w, generator=Generator(1)).tolist() == first


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0), (2, 3, 0)])
@pytest.mark.parametrize("initialize", BOUNDS)
def test_what_has_no_fans_is_refused(initialize, shape):
    with pytest.raises(ValueError, match="weights of shape") as error:
        initialize(ag.zeros(shape))
    assert str(shape) in str(error.value)
