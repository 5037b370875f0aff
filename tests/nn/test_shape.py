"""Flatten and Unflatten give PyTorch's shapes; shuffles and folds its values and gradients."""

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare, on_backend
from agrad import nn
from agrad.nn import functional as F

try:
    import torch
except ImportError:
    torch = None

CASES = [
    ("Flatten", (), (2, 3, 4, 5)),
    ("Flatten", (0,), (2, 3, 4)),
    ("Flatten", (0, 1), (2, 3, 4)),
    ("Flatten", (-2, -1), (2, 3, 4)),
    ("Flatten", (), (0, 3, 4)),
    ("Unflatten", (1, (2, 3)), (4, 6)),
    ("Unflatten", (-1, (2, -1)), (4, 6)),
    ("Unflatten", (0, (2, 2, 1)), (4, 6)),
]


@pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
@pytest.mark.parametrize(("name", "settings", "shape"), CASES)
def test_the_shape_is_pytorchs(name, settings, shape):
    x = np.arange(float(np.prod(shape))).reshape(shape)
    ours = getattr(nn, name)(*settings)
    theirs = getattr(torch.nn, name)(*settings)
    np.testing.assert_array_equal(ours(ag.Tensor(x)).numpy(), theirs(torch.tensor(x)).numpy())
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (nn.Flatten(), (3,), r"Flatten from dimension 1 to -1 doesn't fit x of shape \(3,\)"),
        (nn.Flatten(2, 1), (3, 4, 5), "Flatten from dimension 2 to 1"),
        (nn.Unflatten(1, (2, 2)), (3, 5), r"Unflatten of dimension 1 into \(2, 2\) doesn't fit"),
        (nn.Unflatten(1, (-1, 0)), (3, 5), "Unflatten"),
        (nn.Unflatten(3, (1, 1)), (3, 5), "Unflatten of dimension 3"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(module, shape, message):
    with pytest.raises(ValueError, match=message):
        module(ag.zeros(shape))


MOVES = [
    ("PixelShuffle", (2,), (2, 8, 3, 2)),
    ("PixelShuffle", (3,), (9, 2, 3)),
    ("PixelShuffle", (2,), (1, 2, 4, 1, 3)),
    ("PixelUnshuffle", (2,), (2, 3, 4, 6)),
    ("PixelUnshuffle", (3,), (1, 3, 6)),
    ("ChannelShuffle", (3,), (2, 6, 2, 3)),
    ("ChannelShuffle", (2,), (2, 4, 3)),
    ("Unfold", (2,), (2, 3, 4, 5)),
    ("Unfold", ((2, 3), (1, 2), (1, 0), 2), (3, 5, 6)),
    ("Fold", ((4, 5), 2), (2, 12, 12)),
    ("Fold", ((4, 5), (2, 3), 1, (1, 0), (2, 1)), (6, 9)),
]


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
@pytest.mark.parametrize(("name", "settings", "shape"), MOVES)
def test_elements_move_as_in_pytorch(name, settings, shape):
    ours, theirs = getattr(nn, name)(*settings), getattr(torch.nn, name)(*settings)
    x = np.random.default_rng(0).normal(size=shape)
    compare(ours, theirs, [x], lambda layer, x: layer(x) ** 3)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(("name", "settings", "shape"), MOVES)
def test_elements_move_alike_on_every_backend(name, settings, shape, backend):
    on_backend(getattr(nn, name)(*settings), [np.random.default_rng(0).normal(size=shape)], backend)


def test_unshuffling_takes_shuffling_back():
    x = ag.reshape(ag.arange(2 * 12 * 3 * 2), (2, 12, 3, 2))
    assert F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2).tolist() == x.tolist()
    assert F.channel_shuffle(F.channel_shuffle(x, 3), 4).tolist() == x.tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.pixel_shuffle(x, 2), r"upscale_factor=2 needs a multiple of 4 channels.*3, 5"),
        (lambda x: F.pixel_shuffle(x[0, 0], 1), r"pixel_shuffle needs .* got \(5, 4\)"),
        (lambda x: F.pixel_unshuffle(x, 2), "downscale_factor=2 must divide height and width"),
        (lambda x: F.channel_shuffle(x, 2), r"where groups=2 divides C, got \(2, 3, 5, 4\)"),
        (lambda x: F.channel_shuffle(x[0, 0], 1), r"channel_shuffle needs .* got \(5, 4\)"),
        (lambda x: nn.PixelShuffle(0), "PixelShuffle: upscale_factor must be a positive integer"),
        (lambda x: nn.PixelUnshuffle("a"), "PixelUnshuffle: downscale_factor must be .* got 'a'"),
        (lambda x: nn.ChannelShuffle(None), "ChannelShuffle: groups must be a positive integer"),
        (lambda x: nn.Unfold(0), "Unfold: kernel_size must be at least 1, got 0"),
        (lambda x: nn.Fold("a", 2), "Fold: output_size must be an integer or 2 of them, got 'a'"),
    ],
)
def test_what_doesnt_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(ag.zeros((2, 3, 5, 4)))
