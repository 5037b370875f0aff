"""softmax and its logarithm, for scores of any size."""

import numpy as np
import pytest

import agrad as ag

EXTREME = [
    ([1e4, 0.0, -1e4], [1.0, 0.0, 0.0]),
    ([1e4, 1e4], [0.5, 0.5]),
    ([-1e4, -1e4 + np.log(3)], [0.25, 0.75]),
    ([-np.inf, 0.0, np.log(3)], [0.0, 0.25, 0.75]),
    ([5.0], [1.0]),
]


@pytest.mark.parametrize(("scores", "expected"), EXTREME)
def test_extreme_scores(backend, scores, expected):
    x = backend.tensor(scores, requires_grad=True)
    p = ag.softmax(x)
    np.testing.assert_allclose(backend.numpy(p), expected, rtol=1e-11)
    g = np.arange(1.0, len(scores) + 1)
    p.backward(backend.tensor(g))
    expected_gradient = expected * (g - np.sum(g * expected))
    np.testing.assert_allclose(backend.numpy(x.grad), expected_gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("scores", "expected"), EXTREME)
def test_logarithms_of_extreme_scores(backend, scores, expected):
    x = backend.tensor(scores, requires_grad=True)
    log_p = ag.log_softmax(x)
    shifted = np.asarray(scores) - max(scores)
    np.testing.assert_allclose(
        backend.numpy(log_p), shifted - np.log(np.sum(np.exp(shifted))), rtol=1e-11
    )
    # The gradient of one class's loss: its probability less 1, and the others' probabilities
    best = int(np.argmax(expected))
    (-log_p[best]).backward()
    one_hot = np.arange(len(scores)) == best
    np.testing.assert_allclose(backend.numpy(x.grad), expected - one_hot, atol=1e-11)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_probabilities_sum_to_one_along_the_axis(backend, axis):
    x = backend.tensor(np.random.default_rng(0).normal(scale=30, size=(2, 3, 4)))
    for p in (ag.softmax(x, axis=axis), ag.exp(ag.log_softmax(x, axis=axis))):
        np.testing.assert_allclose(backend.numpy(p).sum(axis=axis), 1.0, rtol=1e-12)
