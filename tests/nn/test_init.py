"""Initial values: their spread, the same bits everywhere, written in place."""

import math

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


# PyTorch's set ------------------------------------------------------------------------------------

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
SHAPES = [(300, 200), (40, 30, 5, 3), (64, 1, 25)]

# Name, settings
RANDOM = [
    ("uniform_", {}),
    ("uniform_", {"a": -2.0, "b": 3.0}),
    ("normal_", {}),
    ("normal_", {"mean": 2.0, "std": 0.5}),
    ("trunc_normal_", {}),
    ("trunc_normal_", {"mean": 1.0, "std": 2.0, "a": 0.0, "b": 2.0}),
    ("xavier_uniform_", {}),
    ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}),
    ("xavier_normal_", {"gain": 0.5}),
    ("kaiming_uniform_", {}),
    ("kaiming_uniform_", {"a": 5**0.5}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", {}),
    ("kaiming_normal_", {"a": 0.2, "mode": "fan_out"}),
    ("kaiming_normal_", {"nonlinearity": "selu"}),
    ("orthogonal_", {}),
    ("orthogonal_", {"gain": 3.0}),
]


@needs_torch
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "settings"), RANDOM)
def test_draws_are_distributed_as_pytorchs(name, settings, shape):
    ours = ag.zeros(shape, dtype="float64")
    assert getattr(init, name)(ours, **settings, generator=Generator(0)) is ours
    torch.manual_seed(0)
    theirs = getattr(torch.nn.init, name)(torch.zeros(shape, dtype=torch.float64), **settings)
    x, y = np.sort(ours.numpy().ravel()), np.sort(theirs.numpy().ravel())
    spread = y.std()
    assert abs(x.mean() - y.mean()) < 6 * spread / x.size**0.5 * 2**0.5
    assert x.std() == pytest.approx(spread, rel=0.06)
    tenths = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(np.quantile(x, tenths), np.quantile(y, tenths), atol=0.12 * spread)


@needs_torch
@pytest.mark.parametrize(
    ("name", "shape", "settings"),
    [
        ("zeros_", (3, 4), {}),
        ("ones_", (3, 4), {}),
        ("constant_", (3, 4), {"val": 2.5}),
        ("eye_", (3, 5), {}),
        ("eye_", (5, 3), {}),
        ("dirac_", (3, 4, 3), {}),
        ("dirac_", (4, 2, 3, 5), {}),
        ("dirac_", (6, 2, 2, 4, 3), {"groups": 3}),
    ],
)
def test_what_is_not_drawn_is_pytorchs(name, shape, settings):
    ours = getattr(init, name)(ag.ones(shape) * 7, **settings)
    theirs = getattr(torch.nn.init, name)(torch.ones(shape) * 7, **settings)
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


@needs_torch
def test_gains_are_pytorchs():
    for name in ("linear", "conv2d", "conv_transpose1d", "sigmoid", "tanh", "relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    for slope in (None, 0.0, 0.3, 5**0.5):
        theirs = torch.nn.init.calculate_gain("leaky_relu", slope)
        assert init.calculate_gain("leaky_relu", slope) == pytest.approx(theirs, rel=1e-15)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3)])
def test_orthogonal_weights_are(shape):
    w = init.orthogonal_(ag.zeros(shape, dtype="float64"), gain=2.0).numpy()
    w = w.reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 4 * np.eye(min(w.shape)), atol=1e-12)


def test_sparse_weights_have_that_many_zeros_in_each_column():
    w = init.sparse_(ag.zeros((11, 6)), 0.5, std=3.0).numpy()
    assert (w == 0).sum(0).tolist() == [6] * 6
    assert len({tuple(column) for column in (w == 0).T}) > 1


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "orthogonal_"])
def test_a_seed_gives_the_same_on_every_device(name, backend):
    w = backend.tensor(np.zeros((4, 3), dtype=np.float32))
    expected = getattr(init, name)(ag.zeros((4, 3), dtype="float32"), generator=Generator(5))
    got = getattr(init, name)(w, generator=Generator(5))
    np.testing.assert_array_equal(backend.numpy(got), expected.numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.xavier_normal_(ag.zeros(3)), r"of shape \(out, in\).*got \(3,\)"),
        (lambda: init.kaiming_normal_(ag.zeros((3, 2)), mode="fan"), "'fan_out', got 'fan'"),
        (lambda: init.kaiming_normal_(ag.zeros((3, 2)), nonlinearity="elu"), "no gain for 'elu'"),
        (lambda: init.eye_(ag.zeros(3)), r"for matrices, got shape \(3,\)"),
        (lambda: init.dirac_(ag.zeros((3, 2))), r"got \(3, 2\)"),
        (lambda: init.dirac_(ag.zeros((3, 2, 1)), groups=2), "groups=2 divides out"),
        (lambda: init.trunc_normal_(ag.zeros(3), a=5.0, b=6.0), "hardly a draw"),
        (lambda: init.trunc_normal_(ag.zeros(3), a=1.0, b=1.0), "hardly a draw"),
        (lambda: init.sparse_(ag.zeros(3), 0.5), "for matrices"),
        (lambda: init.sparse_(ag.zeros((3, 2)), 1.5), "got shape .* and 1.5"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


INITIALIZERS = [getattr(init, name) for name in init.__all__ if name != "calculate_gain"]


@pytest.mark.parametrize("initialize", INITIALIZERS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("wrong", [ag.nn.Linear(2, 2), np.zeros((2, 2)), None])
def test_what_is_no_tensor_is_refused_by_name(initialize, wrong):
    more = {"sparse_": (0.5,), "constant_": (1.0,)}.get(initialize.__name__, ())
    kind = type(wrong).__name__
    with pytest.raises(TypeError, match=f"_ fills a Tensor, such as layer.weight; got {kind}"):
        initialize(wrong, *more)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: init.normal_(ag.zeros(2), x), "normal_: mean must be a number"),
        (lambda x: init.normal_(ag.zeros(2), 0, x), "normal_: std must be a number"),
        (lambda x: init.uniform_(ag.zeros(2), x), "uniform_: a must be a number"),
        (lambda x: init.trunc_normal_(ag.zeros(2), std=x), "trunc_normal_: std must be a number"),
        (lambda x: init.xavier_normal_(ag.zeros((2, 2)), x), "xavier_normal_: gain must be a num"),
        (lambda x: init.kaiming_normal_(ag.zeros((2, 2)), x), "kaiming_normal_: a must be a num"),
        (lambda x: init.orthogonal_(ag.zeros((2, 2)), x), "orthogonal_: gain must be a number"),
        (lambda x: init.sparse_(ag.zeros((2, 2)), x), "sparse_: sparsity must be a number"),
    ],
)
@pytest.mark.parametrize("wrong", ["a", None, math.nan])
def test_settings_that_are_no_numbers_are_named(call, message, wrong):
    with pytest.raises((TypeError, ValueError), match=f"{message}.*got {wrong!r}"):
        call(wrong)
    with pytest.raises(TypeError, match="constant_: val must be a number, got 'a'"):
        init.constant_(ag.zeros(2), "a")
    with pytest.raises(ValueError, match="normal_: std must be at least 0, got -1"):
        init.normal_(ag.zeros(2), 0, -1)
