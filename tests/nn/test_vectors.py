"""Modules that compare vectors: PyTorch's values and gradients."""

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare, torch
from agrad import nn

CASES = {
    "CosineSimilarity": ("CosineSimilarity", {}, [(3, 4), (3, 4)]),
    "CosineSimilarity, settings": (
        "CosineSimilarity",
        {"dim": 0, "eps": 1e-3},
        [(3, 2, 4), (3, 1, 4)],
    ),
    "PairwiseDistance": ("PairwiseDistance", {}, [(3, 4), (3, 4)]),
    "PairwiseDistance, settings": (
        "PairwiseDistance",
        {"p": 3.0, "eps": 0.1, "keepdim": True},
        [(2, 3, 4), (4,)],
    ),
}


@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
@pytest.mark.parametrize("name", CASES)
def test_modules_do_what_pytorchs_do(name):
    kind, settings, shapes = CASES[name]
    rng = np.random.default_rng(0)
    own, other = getattr(nn, kind)(**settings), getattr(torch.nn, kind)(**settings)
    compare(own, other, [rng.normal(size=shape) for shape in shapes])
    assert repr(own) == repr(other)


def test_modules_take_what_the_functions_take():
    x, y = ag.ones((2, 3)), ag.zeros((2, 3))
    assert nn.PairwiseDistance(p=1.0, eps=0.0)(x, y).tolist() == [3, 3]
    assert nn.CosineSimilarity()(x, x + 1).shape == (2,)
