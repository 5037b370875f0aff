"""Special functions: their edges and tails, on every library; softmax for scores of any size."""

import sys

import numpy as np
import pytest
import scipy.special

import agrad as ag
from agrad.backends import CPU
from agrad.backends.numpy import NumPySpecial

inf, nan = np.inf, np.nan

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


# At the edges ------------------------------------------------------------------------------------

EDGES = {
    "erf": [[-inf, -30, 0, 30, inf]],
    "erfc": [[-inf, -30, 0, 25, inf]],
    "erfcx": [[-3, 0, 24.9, 25.1, 30, 1e5, 1e100]],
    "erfinv": [[-1, 0, 1, 1 - 1e-15]],
    "ndtr": [[-37, -6, 0, 6, inf]],
    "ndtri": [[0, 1e-300, 0.5, 1]],
    "log_ndtr": [[-1e8, -1000, -30, -1.0001, -0.9999, 0, 8, 37]],
    "gamma": [[-2.5, -1.5, -0.5, 0.5, 5, 170]],
    "gammaln": [[-2.5, 0.5, 1e10]],
    "digamma": [[-2.5, 0.5, 1e10]],
    "beta": [[-0.5, 1, 100], [3, 1e-10, 100]],
    "betaln": [[-0.5, 1, 1e5], [3, 1e-10, 1e-3]],
    "betainc": [[1, 2, 1e-3, 30], [0.5, 3, 2, 40], [0, 1, 1e-10, 0.3]],
    "gammainc": [[1, 2, 1e-3], [0, 1e3, 1]],
    "gammaincc": [[1, 2, 1e-3], [0, 100, 1]],
    "zeta": [[1.001, 2, 30], [1, 1e3, 0.5]],
    "expit": [[-inf, -800, -700, -40, 0, 40, 800, inf, nan]],
    "log_expit": [[-inf, -800, -40, 0, 40, 800, inf, nan]],
    "logit": [[0, 1e-300, 0.5, 0.6, 1]],
    "xlogy": [[0, 0, 0, 0, 0, 2, 1], [0, -1, inf, nan, 5, 1, inf]],
    "xlog1py": [[0, 0, 0, 0, 0, 2, 1], [-1, -2, inf, nan, 5, 1e-20, inf]],
    "entr": [[-1, 0, 1e-300, 1, inf, nan]],
    "rel_entr": [[0, 0, 1, -1, 1, 1e300, 1e-300, 3, nan], [0, 1, 0, 1, -1, 1, 1, 3 + 1e-7, 1]],
    "kl_div": [[0, 0, 1, -1, 1, 1e-300, nan], [0, 1, 0, 1, -1, 1, 1]],
    "i0": [[0, 700]],
    "i0e": [[-1e5, 0, 1e5]],
    "i1": [[0, 700]],
    "i1e": [[-1e5, 0, 1e5]],
    "sinc": [[0, 1e-9, 1, 1.5]],
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")
def test_edges_are_scipys(backend, name):
    arrays = np.array(EDGES[name], dtype=float)
    expected = getattr(scipy.special, name)(*arrays)
    out = getattr(ag.special, name)(*map(backend.tensor, arrays))
    assert out.device == backend.device
    np.testing.assert_allclose(backend.numpy(out), expected, rtol=3e-12, atol=1e-300)
    single = [backend.tensor(x.astype("float32")) for x in arrays]
    assert getattr(ag.special, name)(*single).dtype == ag.float32


SLOPES = {
    "erfinv": ([[-1, 1]], [[inf, inf]]),
    "expit": ([[-800, 0, 800]], [[0, 0.25, 0]]),
    "log_expit": ([[-800, 0, 800]], [[1, 0.5, 0]]),
    "log_ndtr": ([[-1e8, -1e3, 38]], [[1e8, 1000.000999998, 0]]),
    "entr": ([[0, 1]], [[inf, -1]]),
    "xlogy": ([[0, 0, 0, 0, 2], [0, -1, inf, 3, 1]], [[0, 0, 0, np.log(3), 0], [0, 0, 0, 0, 2]]),
    "xlog1py": ([[0, 0, 0, 2], [-1, -2, inf, 0]], [[0, 0, 0, 0], [0, 0, 0, 2]]),
    "rel_entr": ([[0, 0, 1, 1], [0, 1, 0, 1]], [[0, 0, 0, 1], [0, 0, 0, -1]]),
    "kl_div": ([[0, 0, 1, 1], [0, 1, 0, 1]], [[-1, -1, -1, 0], [1, 1, 1, 0]]),
    "i0e": ([[0]], [[0]]),
    "i1": ([[0]], [[0.5]]),
    "i1e": ([[0]], [[0.5]]),
    "sinc": ([[0, 1e-9]], [[0, -(np.pi**2) / 3 * 1e-9]]),
    "gammainc": ([[1], [0]], [[0], [1]]),
    "betainc": ([[1, 1, 2], [2, 1, 1], [0, 1, 0]], [[0] * 3, [0] * 3, [2, 1, 0]]),
}


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.filterwarnings("ignore:(divide by zero|overflow) encountered:RuntimeWarning")
def test_derivatives_at_edges(backend, name):
    arrays, expected = (np.array(each, dtype=float) for each in SLOPES[name])
    whole = {"gammainc": 1, "betainc": 2}.get(name, 0)  # so many arguments have no derivative
    inputs = [backend.tensor(x, requires_grad=i >= whole) for i, x in enumerate(arrays)]
    out = getattr(ag.special, name)(*inputs)
    out.backward(backend.tensor(np.ones(out.shape)))
    for x, slope in zip(inputs, expected, strict=True):
        if x.requires_grad:
            np.testing.assert_allclose(backend.numpy(x.grad), slope, rtol=1e-12, atol=1e-300)


def test_logsumexp_of_anything(backend):
    rows = [[-inf, -inf], [1000, 1000], [-1000, -1001], [-inf, 3], [0, -1e5]]
    x = backend.tensor(rows, requires_grad=True)
    out = ag.logsumexp(x, axis=1)
    expected = scipy.special.logsumexp(rows, axis=1)
    np.testing.assert_allclose(backend.numpy(out), expected, rtol=1e-14)
    out.sum().backward()
    shares = np.exp(np.array(rows) - np.where(np.isinf(expected), 0, expected)[:, None])
    np.testing.assert_allclose(backend.numpy(x.grad), shares, rtol=1e-12)
    assert ag.logsumexp(x).shape == ()
    assert ag.logsumexp(x, keepdims=True).shape == (1, 1)
    assert ag.logsumexp(x, axis=(0, 1), keepdims=True).shape == (1, 1)
    nothing = ag.logsumexp(backend.tensor(np.zeros((2, 0))), axis=1)
    np.testing.assert_array_equal(backend.numpy(nothing), [-inf, -inf])


def test_numbers_and_integers(backend):
    x = backend.tensor(np.array([1.0, 2.0], dtype="float32"))
    for out in (ag.special.xlogy(2, x), ag.special.xlogy(x, 2.0), ag.special.betaln(x, 3)):
        assert out.dtype == ag.float32
        assert out.device == backend.device
    whole = backend.tensor(np.array([1, 2]))
    np.testing.assert_allclose(
        backend.numpy(ag.special.gammaln(whole + 2)), np.log([2.0, 6.0]), rtol=1e-6
    )
    np.testing.assert_allclose(
        backend.numpy(ag.special.polygamma(2, whole)), [-2.404113806319, -0.404113806319], rtol=1e-6
    )
    assert ag.special.erf(0.0).item() == 0


def test_what_has_no_derivative_is_refused():
    a, x = ag.Tensor([1.5], requires_grad=True), ag.Tensor([2.0], requires_grad=True)
    for name, argument in (("gammainc", "a"), ("gammaincc", "a"), ("zeta", "x")):
        function = getattr(ag.special, name)
        with pytest.raises(NotImplementedError, match=f"{name} has no derivative .* {argument},"):
            function(a, x)
        assert function(a.detach(), x).requires_grad
        with ag.no_grad():
            function(a, x)
    for i, argument in enumerate("ab"):
        given = [1.5, 2.5, x.detach() / 4]
        given[i] = a
        with pytest.raises(NotImplementedError, match=f"betainc .* derivative .* {argument},"):
            ag.special.betainc(*given)
    with pytest.raises(TypeError, match="n must be an int, got float"):
        ag.special.polygamma(1.0, x)
    with pytest.raises(ValueError, match="n must not be negative, got -1"):
        ag.special.polygamma(-1, x)


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    monkeypatch.setattr(CPU, "special", NumPySpecial(CPU))
    x = ag.Tensor([0.5], requires_grad=True)
    with pytest.raises(ImportError, match=r"needs SciPy.*pip install \"agrad\[special\]\""):
        ag.special.erf(x)
    for name in ("expit", "log_expit", "entr", "sinc", "logsumexp", "softmax", "log_softmax"):
        getattr(ag.special, name)(x).sum().backward()
    for name in ("xlogy", "xlog1py", "rel_entr", "kl_div"):
        getattr(ag.special, name)(x, x).sum().backward()


@pytest.mark.parametrize("name", ["expit", "log_expit", "entr", "rel_entr", "kl_div"])
def test_what_is_for_real_numbers_refuses_complex_ones(name):
    function = getattr(ag.special, name)
    x = ag.Tensor([1j])
    with pytest.raises(TypeError, match="is for real numbers"):
        function(x, x) if name in ("rel_entr", "kl_div") else function(x)


def test_the_gradient_of_logsumexp_goes_to_what_is_infinite(backend):
    for values, expected in [
        ([np.inf, 1.0], [1.0, 0.0]),
        ([-np.inf, 1.0], [0.0, 1.0]),
        ([-np.inf, -np.inf], [0.0, 0.0]),
    ]:
        x = backend.tensor(values, requires_grad=True)
        ag.logsumexp(x).backward()
        assert x.grad.tolist() == expected
