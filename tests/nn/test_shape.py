"""Flatten and Unflatten give PyTorch's shapes."""

import numpy as np
import pytest

import agrad as ag
from agrad import nn

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
