"""Dropout: what is dropped, how often, and when; the same on every backend; new in each step."""

import math

import numpy as np
import pytest

import agrad as ag
from agrad.nn import functional as F

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

FUNCTIONS = {
    "dropout": (F.dropout, ag.nn.Dropout, (40, 50, 4)),
    "dropout1d": (F.dropout1d, ag.nn.Dropout1d, (40, 50, 4)),
    "dropout2d": (F.dropout2d, ag.nn.Dropout2d, (40, 50, 2, 2)),
    "dropout3d": (F.dropout3d, ag.nn.Dropout3d, (40, 50, 2, 1, 2)),
    "alpha_dropout": (F.alpha_dropout, ag.nn.AlphaDropout, (40, 50, 4)),
    "feature_alpha_dropout": (F.feature_alpha_dropout, ag.nn.FeatureAlphaDropout, (40, 50, 2, 2)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_about_so_many_are_dropped_and_the_mean_stays(name, p):
    function, _, shape = FUNCTIONS[name]
    x = ag.random.Generator(0).normal(0, 1, shape, dtype="float64")
    y = function(x, p, True, generator=ag.random.Generator(1))
    if "alpha" in name:  # what is dropped becomes one value, whatever it was
        _, counts = np.unique(y.numpy(), return_counts=True)
        assert abs(counts.max() / x.size - p) < 0.02
        assert abs(y.mean().item()) < 0.05
        assert abs(y.std().item() - 1) < 0.05
        return
    kept = y.numpy() != 0
    assert abs(kept.mean() - (1 - p)) < 0.03
    np.testing.assert_allclose(y.numpy()[kept], x.numpy()[kept] / (1 - p), rtol=1e-12)


@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d"])
def test_channels_are_dropped_as_a_whole_also_of_a_single_example(name):
    function, _, shape = FUNCTIONS[name]
    for whole in (shape, shape[1:]):
        y = function(ag.ones(whole)).numpy()
        flat = y.reshape(*whole[: len(whole) - len(shape) + 2], -1)
        assert (flat == flat[..., :1]).all()
        assert set(np.unique(y)) == {0.0, 2.0}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_in_evaluation_and_with_p_0_all_stays_as_it_is(name):
    function, module, shape = FUNCTIONS[name]
    x = ag.random.Generator(0).normal(0, 1, shape)
    for y in (function(x, 0.5, False), function(x, 0.0, True), module(0.5).eval()(x)):
        assert bool((y == x).all())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_with_p_1_nothing_is_left(name):
    function, module, shape = FUNCTIONS[name]
    for y in (function(ag.ones(shape), 1, True), module(1.0)(ag.ones(shape))):
        assert bool((y == 0).all())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_go_where_values_went(name, backend):
    function, _, shape = FUNCTIONS[name]
    shape = tuple(min(n, 6) for n in shape)
    values = np.random.default_rng(0).normal(size=shape)
    x = backend.tensor(values, requires_grad=True)
    y = function(x, 0.4, True, generator=ag.random.Generator(5))
    own = function(ag.Tensor(values), 0.4, True, generator=ag.random.Generator(5))
    np.testing.assert_allclose(backend.numpy(y.detach()), own.numpy(), rtol=1e-12)
    y.sum().backward()
    kept = 1 / 0.6
    if "alpha" in name:
        dropped = -1.0507009873554805 * 1.6732632423543772
        kept = 1 / math.sqrt(0.6 * (1 + 0.4 * dropped**2))
    gradient = backend.numpy(x.grad)
    assert ((abs(gradient) < 1e-12) | (abs(gradient - kept) < 1e-12)).all()
    assert 0 < (gradient == 0).sum() < gradient.size


@needs_torch
def test_alpha_dropout_scales_and_shifts_as_pytorchs():
    torch.manual_seed(0)
    x = torch.randn(1000, dtype=torch.float64)
    theirs = torch.nn.functional.alpha_dropout(x, 0.3, True).numpy()
    own = F.alpha_dropout(ag.Tensor(x.numpy()), 0.3, True).numpy()

    def split(y):
        values, counts = np.unique(y, return_counts=True)
        dropped = values[counts.argmax()]
        return dropped, y[y != dropped], x.numpy()[y != dropped]

    (low, kept, of), (their_low, their_kept, their_of) = split(own), split(theirs)
    np.testing.assert_allclose(
        low, their_low, rtol=1e-6
    )  # PyTorch's constant is of single precision
    slope, shift = np.polyfit(of, kept, 1)
    np.testing.assert_allclose(np.polyfit(their_of, their_kept, 1), [slope, shift], rtol=1e-6)


def test_the_default_generator_is_used_unless_another_is_given():
    x = ag.ones(100)
    ag.manual_seed(3)
    first = F.dropout(x).tolist()
    ag.manual_seed(3)
    assert ag.nn.Dropout()(x).tolist() == first
    layer = ag.nn.Dropout(generator=ag.random.Generator(3))
    assert layer(x).tolist() == first
    assert layer(x).tolist() != first


def test_a_recorded_step_drops_others_in_each_call():
    generator = ag.random.Generator(0)
    layer = ag.nn.Dropout(0.5, generator=generator)
    step = ag.compile(lambda x: layer(x))
    drawn = [step(ag.ones(20)).tolist() for _ in range(6)]
    own = ag.random.Generator(0)
    assert drawn == [F.dropout(ag.ones(20), generator=own).tolist() for _ in range(6)]
    assert len({tuple(each) for each in drawn}) == 6


def test_a_recorded_step_knows_of_evaluation():
    layer = ag.nn.Dropout(0.5)
    step = ag.compile(lambda x: layer(x))
    for _ in range(3):
        assert 0.0 in step(ag.ones(50)).tolist()
    layer.eval()
    for _ in range(3):
        assert step(ag.ones(50)).tolist() == [1.0] * 50


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan, "half"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_probability_is_refused(name, p):
    function, module, shape = FUNCTIONS[name]
    for make in (lambda: function(ag.ones(shape), p, True), lambda: module(p)):
        with pytest.raises(ValueError, match=r"p must be a probability, from 0 to 1; got"):
            make()


def test_shapes_without_channels_are_refused():
    with pytest.raises(ValueError, match=r"dropout2d needs a shape of \(C, H, W\) or \(N, C, H, W"):
        F.dropout2d(ag.ones((2, 3)))
    with pytest.raises(ValueError, match=r"dropout1d needs a shape of \(C, L\) or \(N, C, L\)"):
        F.dropout1d(ag.ones(3))


def test_half_precision_of_float32_stays_float32():
    assert F.dropout(ag.ones(3, dtype=ag.float32)).dtype == ag.float32
    assert repr(ag.nn.Dropout(0.2)) == "Dropout(p=0.2)"


def test_feature_alpha_dropout_drops_channels_as_a_whole():
    x = ag.random.Generator(0).normal(0, 1, (20, 30, 4, 5))
    y = F.feature_alpha_dropout(x, 0.3, True, generator=ag.random.Generator(1)).numpy()
    dropped = (y == y[:, :, :1, :1]).all(axis=(2, 3))
    assert abs(dropped.mean() - 0.3) < 0.05
    with pytest.raises(ValueError, match=r"feature_alpha_dropout needs .* got \(3,\)"):
        F.feature_alpha_dropout(ag.ones(3), 0.5, True)
    with pytest.raises(ValueError, match="feature_alpha_dropout: p must be a probability"):
        F.feature_alpha_dropout(x, 2)
