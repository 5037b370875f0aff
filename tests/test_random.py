"""Random numbers: they depend on the seed alone, and disturb nobody else's."""

import random

import numpy as np
import pytest

import agrad as ag
from agrad.random import Generator

DRAWS = {
    "uniform": lambda g, **o: g.uniform(-2.0, 3.0, (40, 50), **o),
    "normal": lambda g, **o: g.normal(1.0, 2.0, (40, 50), **o),
    "permutation": lambda g, **o: g.permutation(2000, **o),
}
TYPED = ["uniform", "normal"]


@pytest.mark.parametrize("kind", DRAWS)
def test_a_seed_gives_the_same_numbers_on_every_backend(kind, backend):
    expected = DRAWS[kind](Generator(5))
    drawn = DRAWS[kind](Generator(5), device=backend.tensor(0.0).device)
    assert drawn.device == backend.device
    assert drawn.dtype == expected.dtype
    np.testing.assert_array_equal(backend.numpy(drawn), expected.numpy())


@pytest.mark.parametrize("kind", DRAWS)
def test_a_stream_depends_on_its_seed_and_goes_on(kind):
    draw, generator = DRAWS[kind], Generator(5)
    first, second = (draw(generator).tolist() for _ in range(2))
    assert first != second
    assert draw(Generator(6)).tolist() not in (first, second)
    generator.manual_seed(5)
    assert [draw(generator).tolist() for _ in range(2)] == [first, second]


def test_without_a_seed_each_stream_is_another():
    first, second = (Generator().uniform(0, 1, (4,)).tolist() for _ in range(2))
    assert first != second


def test_uniform_numbers_lie_evenly_between_the_ends():
    x = Generator(0).uniform(-2.0, 3.0, (100_000,), dtype=ag.float64).numpy()
    assert -2 <= x.min() < -1.999
    assert 2.999 < x.max() < 3
    shares, _ = np.histogram(x, bins=10, range=(-2, 3))
    np.testing.assert_allclose(shares / x.size, 0.1, atol=0.005)


def test_normal_numbers_have_the_mean_and_the_spread():
    x = Generator(0).normal(1.0, 2.0, (100_000,), dtype=ag.float64).numpy()
    assert x.mean() == pytest.approx(1, abs=0.03)
    assert x.std() == pytest.approx(2, rel=0.02)
    within = [(abs(x - 1) < 2 * k).mean() for k in (1, 2, 3)]
    assert within == pytest.approx([0.6827, 0.9545, 0.9973], abs=0.005)


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_a_permutation_has_each_number_once(n):
    order = Generator(0).permutation(n)
    assert order.dtype == ag.int64
    assert sorted(order.tolist()) == list(range(n))
    assert n < 3 or order.tolist() != sorted(order.tolist())


@pytest.mark.parametrize("kind", TYPED)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_numbers_come_in_the_shape_asked_for(kind, shape):
    drawn = getattr(Generator(0), kind)(0, 1, shape)
    assert drawn.shape == shape
    assert not drawn.requires_grad


@pytest.mark.parametrize("kind", TYPED)
def test_numbers_are_of_the_type_asked_for_or_the_default(kind):
    def dtype(**options):
        return DRAWS[kind](Generator(0), **options).dtype

    assert dtype() == ag.float32
    assert dtype(dtype="float64") == ag.float64
    ag.set_default_dtype(ag.float64)
    try:
        assert dtype() == ag.float64
        assert dtype(dtype=ag.float32) == ag.float32
    finally:
        ag.set_default_dtype(ag.float32)


@pytest.mark.parametrize("kind", TYPED)
def test_float32_numbers_are_the_float64_numbers_rounded(kind):
    double = DRAWS[kind](Generator(5), dtype=ag.float64).numpy()
    np.testing.assert_array_equal(DRAWS[kind](Generator(5)).numpy(), double.astype(np.float32))


@pytest.mark.parametrize("kind", DRAWS)
def test_manual_seed_starts_the_default_stream_anew(kind):
    draw, default = DRAWS[kind], ag.random.default_generator
    ag.manual_seed(1)
    first = draw(default).tolist()
    draw(Generator(0))  # a stream of its own
    draw(default)
    ag.manual_seed(1)
    assert draw(default).tolist() == first == draw(Generator(1)).tolist()


@pytest.mark.parametrize("kind", DRAWS)
def test_the_streams_of_numpy_and_python_are_left_alone(kind):
    numpys, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002
    ag.manual_seed(3)
    for generator in (Generator(), Generator(4), ag.random.default_generator):
        DRAWS[kind](generator)
    for before, after in zip(numpys, np.random.get_state(), strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(before, after)
    assert random.getstate() == pythons


@pytest.mark.parametrize("seed", [-1, 1.5, "one", [1]])
def test_what_is_no_seed_is_refused(seed):
    for act in (Generator, ag.manual_seed, Generator(0).manual_seed):
        with pytest.raises(ValueError, match="a seed must be a non-negative integer") as error:
            act(seed)
        assert repr(seed) in str(error.value)


@pytest.mark.parametrize("seed", [0, 2**100, np.int64(5), np.uint8(5)])
def test_any_integer_from_0_on_is_a_seed(seed):
    first, second = (Generator(seed).uniform(0, 1, (4,)).tolist() for _ in range(2))
    assert first == second
    assert Generator(int(seed)).uniform(0, 1, (4,)).tolist() == first
