"""Padding: values, gradients and gradients of gradients against PyTorch; settings; errors."""

import itertools

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare, compare_functions, on_backend, torch
from agrad import Tensor, nn
from agrad.nn import functional as F

# PyTorch warns where gradients are to be differentiated again
pytestmark = pytest.mark.filterwarnings("ignore:Using backward")
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
MODES = ["constant", "reflect", "replicate", "circular"]

# The shape of the input, and the padding
CASES = {
    "one axis": ((2, 3, 5), (1, 2)),
    "one axis, without a batch": ((3, 5), (2, 0)),
    "two axes": ((2, 3, 4, 5), (1, 2, 3, 0)),
    "two axes, without a batch": ((3, 4, 5), (0, 1, 2, 3)),
    "three axes": ((2, 1, 3, 4, 5), (1, 2, 3, 0, 2, 1)),
    "some taken away": ((2, 3, 4, 5), (-1, 2, 1, -2)),
    "an empty batch": ((0, 3, 5), (1, 2)),
    "nothing": ((2, 3, 5), (0, 0)),
}


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape)


@needs_torch
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_padding_does_what_pytorchs_does(name, mode):
    shape, padding = CASES[name]
    compare_functions(
        lambda x: F.pad(x, padding, mode) ** 3,
        lambda x: torch.nn.functional.pad(x, padding, mode) ** 3,
        [draw(*shape)],
    )


@needs_torch
@pytest.mark.parametrize("mode", MODES)
def test_as_much_is_added_and_taken_away_as_in_pytorch_or_refused_as_there(mode):
    x = draw(1, 1, 5)
    for padding in itertools.product(range(-3, 8), repeat=2):
        try:
            expected = torch.nn.functional.pad(torch.tensor(x), padding, mode)
        except RuntimeError:
            expected = None
        if expected is None or not expected.numel():
            if mode != "constant" or sum(padding) < -5:
                with pytest.raises(ValueError, match="pad: "):
                    F.pad(x, padding, mode)
            continue
        np.testing.assert_array_equal(F.pad(x, padding, mode).numpy(), expected.numpy())


@needs_torch
@pytest.mark.parametrize(("shape", "padding"), [((4,), (1, 2)), ((2, 2, 3, 2), (1, 0) * 4)])
def test_a_constant_goes_around_any_axes(shape, padding):
    for value in (0.0, 2.5, float("inf")):
        expected = torch.nn.functional.pad(torch.tensor(draw(*shape)), padding, value=value)
        got = F.pad(draw(*shape), padding, value=value)
        np.testing.assert_array_equal(got.numpy(), expected.numpy())
    whole = F.pad(ag.ones(shape, dtype=ag.int64), padding, value=3)
    assert whole.dtype == ag.int64
    assert sorted(set(whole.numpy().ravel())) == [1, 3]


LAYERS = {
    f"{kind}{n}d, {padding}": (f"{kind}{n}d", padding, n)
    for kind in ("ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad")
    for n in (1, 2, 3)
    for padding in (2, (1, 2, 0, 1, 2, 0)[: 2 * n])
}


@needs_torch
@pytest.mark.parametrize("name", LAYERS)
def test_layers_do_what_pytorchs_do(name):
    kind, padding, n = LAYERS[name]
    value = (1.5,) if kind.startswith("Constant") else ()
    own, other = (getattr(library, kind)(padding, *value) for library in (nn, torch.nn))
    for lead in ((2, 3), (3,)):
        compare(own, other, [draw(*lead, *(3, 4, 5)[:n])], lambda layer, x: layer(x) ** 3)
    assert repr(own) == repr(other)


@pytest.mark.parametrize("mode", MODES)
def test_every_backend_gives_what_numpy_gives(mode, backend):
    on_backend(lambda x: F.pad(x, (1, 2, 2, -1), mode), [draw(2, 3, 4, 5)], backend)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: F.pad(x, (1, 2), "mirror"), ValueError, "mode must be one of .* got 'mirror'"),
        (lambda x: F.pad(x, (1, 2, 3)), ValueError, r"pad must be two integers .* got \(1, 2, 3\)"),
        (lambda x: F.pad(x, 1), ValueError, "pad: pad must be two integers for each axis, got 1"),
        (lambda x: F.pad(x, (1, 0.5)), TypeError, "pad: pad must be made of integers, got 0.5"),
        (lambda x: F.pad(x, (1, 1) * 4), ValueError, r"is for 4 axes, got an .* \(2, 3, 5\)"),
        (lambda x: F.pad(x, (-3, -3)), ValueError, r"more is to be taken away than there is"),
        (lambda x: F.pad(x, (1, 1), "reflect", 0.0), ValueError, "value is for mode='constant'"),
        (lambda x: F.pad(x[0, 0], (1, 1), "reflect"), ValueError, r"got pad=\(1, 1\) .* \(5,\)"),
        (lambda x: F.pad(x, (5, 0), "reflect"), ValueError, "5 and 0 elements are too many to add"),
        (lambda x: F.pad(x, (0, 6), "circular"), ValueError, r"to an axis of 5, in .* \(2, 3, 5\)"),
        (
            lambda x: nn.ZeroPad2d((1, 2)),
            ValueError,
            "ZeroPad2d: padding must be an integer, or",
        ),
        (lambda x: nn.ZeroPad1d("a"), ValueError, "ZeroPad1d: padding must be two integers"),
        (lambda x: nn.ReflectionPad1d((1, None)), TypeError, "ReflectionPad1d: padding must be"),
        (lambda x: nn.ConstantPad1d(1, "a"), TypeError, "ConstantPad1d: value must be a number"),
    ],
)
def test_what_doesnt_fit_is_said_with_what_was_given(call, error, message):
    with pytest.raises(error, match=message):
        call(Tensor(draw(2, 3, 5)))
