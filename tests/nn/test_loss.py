"""Losses: PyTorch's values and derivatives, on every library; extreme inputs; modules; errors."""

import math
import re

import numpy as np
import pytest

import agrad as ag
from agrad import Tensor, nn
from agrad.nn import functional as F

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
REDUCTIONS = ["mean", "sum", "none"]

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.normal(size=shape)


def between(low, high, *shape):
    return rng.uniform(low, high, size=shape)


def signs(*shape):
    return rng.choice([-1.0, 1.0], size=shape)


def classes(n, *shape, ignored=None):
    drawn = rng.integers(0, n, size=shape)
    if ignored is not None:
        drawn.reshape(-1)[::3] = ignored
    return drawn


def distributions(*shape):
    drawn = between(0.1, 1, *shape)
    return drawn / drawn.sum(axis=1 if len(shape) > 1 else 0, keepdims=True)


# Name: a call that both libraries understand, and what it takes. Those of floating-point numbers
# that come before the star are differentiated.
CASES = {}


def case(name, call, *inputs, constants=()):
    CASES[name] = (call, list(inputs), list(constants))


def to_both(function, **options):
    return lambda F, *inputs, reduction: getattr(F, function)(
        *inputs, reduction=reduction, **options
    )


# Classes
for shape in [(5, 4), (2, 4, 3), (2, 4, 3, 2), (4,)]:
    places = shape[:1] + shape[2:] if len(shape) > 1 else ()
    for name in ("cross_entropy", "nll_loss"):
        case(f"{name} of {shape}", to_both(name), normal(*shape), constants=[classes(4, *places)])
        if places:
            case(
                f"{name} of {shape}, weights, some ignored",
                lambda F, z, gold, w, reduction, name=name: getattr(F, name)(
                    z, gold, w, ignore_index=1, reduction=reduction
                ),
                normal(*shape),
                constants=[classes(4, *places, ignored=1), between(0.5, 2, 4)],
            )
    case(
        f"cross_entropy of {shape}, probabilities",
        to_both("cross_entropy"),
        normal(*shape),
        distributions(*shape),
    )
    case(
        f"cross_entropy of {shape}, probabilities, weights, smoothed",
        lambda F, z, y, w, reduction: F.cross_entropy(
            z, y, w, reduction=reduction, label_smoothing=0.2
        ),
        normal(*shape),
        distributions(*shape),
        constants=[between(0.5, 2, 4)],
    )
for name in ("cross_entropy", "nll_loss"):
    case(
        f"{name}, the usual ones ignored",
        to_both(name),
        normal(7, 4),
        constants=[classes(4, 7, ignored=-100)],
    )
    case(
        f"{name}, weights",
        lambda F, z, gold, w, reduction, name=name: getattr(F, name)(
            z, gold, w, reduction=reduction
        ),
        normal(7, 4),
        constants=[classes(4, 7), between(0.5, 2, 4)],
    )
    case(
        f"{name}, ignored ones that can't occur",
        to_both(name, ignore_index=9),
        normal(7, 4),
        constants=[classes(4, 7)],
    )
for ignored in (None, -100, 2):
    case(
        f"cross_entropy, smoothed, {ignored} ignored",
        to_both("cross_entropy", label_smoothing=0.1, ignore_index=ignored or -100),
        normal(7, 4),
        constants=[classes(4, 7, ignored=ignored)],
    )
    case(
        f"cross_entropy, smoothed, weights, {ignored} ignored",
        lambda F, z, gold, w, reduction, ignored=ignored: F.cross_entropy(
            z, gold, w, ignore_index=ignored or -100, reduction=reduction, label_smoothing=0.3
        ),
        normal(2, 4, 3),
        constants=[classes(4, 2, 3, ignored=ignored), between(0.5, 2, 4)],
    )

# Numbers
for name in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"):
    case(name, to_both(name), normal(3, 4), normal(3, 4))
case("mse_loss of one number", to_both("mse_loss"), normal(), normal())
case(
    "mse_loss, weights",
    lambda F, x, y, w, reduction: F.mse_loss(x, y, weight=w, reduction=reduction),
    normal(3, 4),
    normal(3, 4),
    constants=[between(0.5, 2, 3, 4)],
)
case("huber_loss, 0.5", to_both("huber_loss", delta=0.5), normal(3, 4), normal(3, 4))
case("smooth_l1_loss, 0.5", to_both("smooth_l1_loss", beta=0.5), normal(3, 4), normal(3, 4))
case("smooth_l1_loss, 0", to_both("smooth_l1_loss", beta=0.0), normal(3, 4), normal(3, 4))
counts = np.array([0.0, 1.0, 2.0, 5.0])
for log_input in (True, False):
    for full in (True, False):
        case(
            f"poisson_nll_loss, log_input={log_input}, full={full}",
            to_both("poisson_nll_loss", log_input=log_input, full=full),
            between(0.5, 2, 4),
            constants=[counts],
        )
for shape in [(3, 4), (3, 1), (3,)]:
    case(
        f"gaussian_nll_loss, variances of {shape}",
        to_both("gaussian_nll_loss", full=len(shape) == 1),
        normal(3, 4),
        normal(3, 4),
        between(0.5, 2, *shape),
    )
case(
    "gaussian_nll_loss, small variances",
    to_both("gaussian_nll_loss", eps=1.0),
    normal(3, 4),
    normal(3, 4),
    between(0.5, 0.9, 3, 4),
)

# Probabilities
case(
    "binary_cross_entropy",
    to_both("binary_cross_entropy"),
    between(0.1, 0.9, 3, 4),
    between(0.1, 0.9, 3, 4),
)
case(
    "binary_cross_entropy, weights",
    lambda F, p, y, w, reduction: F.binary_cross_entropy(p, y, w, reduction=reduction),
    between(0.1, 0.9, 3, 4),
    between(0.1, 0.9, 3, 4),
    constants=[between(0.5, 2, 4)],
)
case(
    "binary_cross_entropy_with_logits",
    to_both("binary_cross_entropy_with_logits"),
    normal(3, 4),
    between(0, 1, 3, 4),
)
case(
    "binary_cross_entropy_with_logits, weights",
    lambda F, x, y, w, v, reduction: F.binary_cross_entropy_with_logits(
        x, y, w, pos_weight=v, reduction=reduction
    ),
    normal(3, 4),
    between(0, 1, 3, 4),
    constants=[between(0.5, 2, 3, 1), between(0.5, 2, 4)],
)
case("kl_div", to_both("kl_div"), normal(3, 4), between(0.1, 1, 3, 4))
case("kl_div, logarithms", to_both("kl_div", log_target=True), normal(3, 4), normal(3, 4))
case(
    "kl_div, a mean of relative entropies",
    lambda F, x, y, reduction: F.kl_div(x, y, reduction="batchmean"),
    normal(3, 4),
    between(0.1, 1, 3, 4),
)

# Margins
case(
    "hinge_embedding_loss",
    to_both("hinge_embedding_loss", margin=0.7),
    normal(9),
    constants=[signs(9)],
)
case(
    "margin_ranking_loss",
    to_both("margin_ranking_loss", margin=0.3),
    normal(9),
    normal(9),
    constants=[signs(9)],
)
case("soft_margin_loss", to_both("soft_margin_loss"), normal(9), constants=[signs(9)])
case(
    "multilabel_soft_margin_loss",
    to_both("multilabel_soft_margin_loss"),
    normal(3, 4),
    constants=[np.array([[0.0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0]])],
)
for p in (1, 2):
    case(
        f"multi_margin_loss, p={p}",
        to_both("multi_margin_loss", p=p, margin=0.8),
        normal(5, 4),
        constants=[classes(4, 5)],
    )
case(
    "multi_margin_loss, weights",
    lambda F, x, y, w, reduction: F.multi_margin_loss(x, y, weight=w, reduction=reduction),
    normal(5, 4),
    constants=[classes(4, 5), between(0.5, 2, 4)],
)
case("multi_margin_loss, one", to_both("multi_margin_loss"), normal(4), constants=[classes(4)])
for shape in [(5, 3), (3,)]:
    case(
        f"cosine_embedding_loss of {shape}",
        to_both("cosine_embedding_loss", margin=0.1),
        normal(*shape),
        normal(*shape),
        constants=[signs(*shape[:-1])],
    )
for options in ({}, {"swap": True}, {"p": 1.0, "margin": 0.5}, {"p": 3.0, "eps": 0.1}):
    case(
        f"triplet_margin_loss, {options}",
        to_both("triplet_margin_loss", **options),
        normal(5, 3),
        normal(5, 3),
        normal(5, 3),
    )


def squared(x, y):
    return ((x - y) ** 2).sum(-1)


for options in ({}, {"swap": True}, {"distance_function": squared, "margin": 0.5, "swap": True}):
    case(
        f"triplet_margin_with_distance_loss, {sorted(options)}",
        to_both("triplet_margin_with_distance_loss", **options),
        normal(5, 3),
        normal(5, 3),
        normal(5, 3),
    )


def run(name, reduction, library, arrays, constants, u=None):
    """Return a case's value and gradients."""
    call = CASES[name][0]
    out = call(library, *arrays, *constants, reduction=reduction)
    if u is None:
        u = np.random.default_rng(1).uniform(0.5, 2, size=tuple(out.shape))
    return out, u


def of_agrad(name, reduction, make=Tensor, dtype=np.float64, arrays=None):
    """Return the value, the gradients, and the gradients of these along random directions."""
    _, inputs, constants = CASES[name]
    arrays = inputs if arrays is None else arrays
    made = [make(x.astype(dtype), requires_grad=True) for x in arrays]
    rest = [make(x.astype(dtype) if x.dtype.kind == "f" else x) for x in constants]
    out, u = run(name, reduction, F, made, rest)
    out.backward(make(u.astype(dtype)), create_graph=True)
    first = [x.grad for x in made]
    for x in made:
        x.grad = None
    slope = sum((0 * x).sum() for x in made)
    for x, g in zip(made, first, strict=True):
        slope = slope + (make(direction(x).astype(dtype)) * g).sum()
    slope.backward()
    results = [out, *first, *(x.grad for x in made)]
    return [x.detach().cpu().numpy() for x in results]


def direction(x):
    return np.random.default_rng(2).uniform(0.5, 2, size=tuple(x.shape))


@needs_torch
@pytest.mark.filterwarnings("ignore:reduction. .mean. divides the total loss")
@pytest.mark.parametrize(
    ("reduction", "dtype"), [*((each, "float64") for each in REDUCTIONS), ("mean", "float32")]
)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_pytorchs(name, reduction, dtype):
    _, inputs, constants = CASES[name]
    theirs = [torch.tensor(x.astype(dtype)).requires_grad_() for x in inputs]
    rest = [torch.tensor(x.astype(dtype) if x.dtype.kind == "f" else x) for x in constants]
    out, u = run(name, reduction, torch.nn.functional, theirs, rest)
    out.backward(torch.tensor(u.astype(dtype)))
    expected = [out.detach(), *(x.grad for x in theirs)]
    got = of_agrad(name, reduction, dtype=dtype)[: len(expected)]
    close = {"rtol": 1e-10, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-5, "atol": 1e-6}
    for one, other in zip(got, expected, strict=True):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other.numpy(), **close)


@pytest.mark.parametrize("name", [name for name in CASES if "small variances" not in name])
def test_second_derivatives_are_those_of_finite_differences(name):
    _, inputs, _ = CASES[name]
    h, n = 1e-5, len(inputs)
    second = of_agrad(name, "mean")[1 + n :]

    def gradients(step):
        moved = [x + step * direction(x) for x in inputs]
        return of_agrad(name, "mean", arrays=moved)[1 : 1 + n]

    ahead, behind = gradients(h), gradients(-h)
    for i in range(n):
        numeric = (ahead[i] - behind[i]) / (2 * h)
        np.testing.assert_allclose(second[i], numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("other_backend", ["strict", "cupy-stand-in", "torch"], indirect=True)
@pytest.mark.parametrize("name", CASES)
def test_other_backends_give_what_numpy_gives(name, other_backend):
    if "usual ones ignored" in name and other_backend.name == "cupy-stand-in":
        pytest.skip("on a GPU ignored classes must be named")
    got = of_agrad(name, "none", other_backend.tensor)
    for one, other in zip(got, of_agrad(name, "none"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


BRIEFLY = [
    "cross_entropy of (2, 4, 3), weights, some ignored",
    "cross_entropy of (5, 4), probabilities",
    "huber_loss",
    "binary_cross_entropy, weights",
    "kl_div",
    "triplet_margin_loss, {}",
]


@pytest.mark.parametrize("other_backend", ["strict-device1", "dask"], indirect=True)
@pytest.mark.parametrize("name", BRIEFLY)
def test_still_other_backends_do(name, other_backend):
    test_other_backends_give_what_numpy_gives(name, other_backend)


@pytest.mark.parametrize("other_backend", ["jax"], indirect=True)
def test_jax_does(other_backend):
    test_other_backends_give_what_numpy_gives("binary_cross_entropy, weights", other_backend)


def test_a_recorded_step_gives_the_same():
    def step(inputs):
        gradients = []
        for name in BRIEFLY:
            made, rest = inputs[name]
            for x in made:
                x.grad = None
            CASES[name][0](F, *made, *rest, reduction="mean").backward()
            gradients += [x.grad for x in made]
        return gradients

    recorded = ag.compile(step)
    for scale in (1.0, 1.01, 0.99, 0.98):
        inputs = {
            name: (
                [Tensor(scale * x, requires_grad=True) for x in CASES[name][1]],
                [Tensor(x) for x in CASES[name][2]],
            )
            for name in BRIEFLY
        }
        got = recorded(inputs)
        for one, other in zip(got, step(inputs), strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)


# Extreme inputs ----------------------------------------------------------------------------------


@needs_torch
def test_binary_cross_entropy_of_certain_probabilities_is_at_most_100():
    p, y = np.array([0.0, 0.0, 1.0, 1.0, 1e-60]), np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    own, theirs = Tensor(p, requires_grad=True), torch.tensor(p).requires_grad_()
    loss = F.binary_cross_entropy(own, Tensor(y), reduction="none")
    expected = torch.nn.functional.binary_cross_entropy(theirs, torch.tensor(y), reduction="none")
    loss.sum().backward()
    expected.sum().backward()
    assert loss.tolist() == expected.tolist() == [0, 100, 100, 0, 100]
    np.testing.assert_allclose(own.grad.numpy(), theirs.grad.numpy())


@needs_torch
def test_scores_far_out_give_finite_losses():
    x = np.array([1000.0, -1000.0, 1000.0, -1000.0, 1e30])
    y = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    own, theirs = Tensor(x, requires_grad=True), torch.tensor(x).requires_grad_()
    loss = F.binary_cross_entropy_with_logits(own, Tensor(y), reduction="none")
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        theirs, torch.tensor(y), reduction="none"
    )
    loss.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy())
    np.testing.assert_allclose(own.grad.numpy(), theirs.grad.numpy(), atol=1e-300)

    own.grad = None
    F.soft_margin_loss(own, Tensor([1.0, 1, 1, -1, 1]), reduction="sum").backward()
    np.testing.assert_allclose(own.grad.numpy(), [0, -1, 0, 0, 0], atol=1e-300)


def test_huge_errors_dont_overflow():
    x = Tensor([1e200, -math.inf], requires_grad=True)
    loss = F.huber_loss(x, 0.0, reduction="none", delta=2.0)
    loss.sum().backward()
    assert loss.tolist() == [2e200, math.inf]
    assert x.grad.tolist() == [2, -2]


def test_impossible_classes_that_are_ignored_leave_no_trace():
    z = Tensor([[0.0, -math.inf], [0.0, 0.0]], requires_grad=True)
    loss = F.cross_entropy(z, [1, 0], ignore_index=1)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    np.testing.assert_allclose(z.grad.numpy(), [[0, 0], [-0.5, 0.5]])


def test_distributions_with_zeros_have_a_relative_entropy():
    log_p = Tensor(np.log([[0.5, 0.5]]), requires_grad=True)
    y = Tensor([[0.0, 1.0]], requires_grad=True)
    loss = F.kl_div(log_p, y, reduction="sum")
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert log_p.grad.tolist() == [[0, -1]]


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("gold", [np.array([-100, -100]), np.zeros(0, dtype=int)])
def test_the_mean_over_nothing_is_nan_as_pytorchs_is(name, gold):
    z = Tensor(np.zeros((len(gold), 3)))
    assert math.isnan(getattr(F, name)(z, Tensor(gold)).item())
    assert getattr(F, name)(z, Tensor(gold), reduction="sum").item() == 0


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "binary_cross_entropy"])
def test_the_mean_of_no_losses_is_nan_as_pytorchs_is(name):
    empty = ag.zeros((0, 3))
    assert math.isnan(getattr(F, name)(empty, empty).item())
    assert getattr(F, name)(empty, empty, reduction="sum").item() == 0


# Classes -----------------------------------------------------------------------------------------


def test_ignored_classes_must_be_named_where_classes_arent_looked_at():
    """A recorded step takes one way for all classes."""
    z = Tensor([[0.0, 1.0], [0.0, 2.0]])
    plain = ag.compile(lambda z, gold: F.cross_entropy(z, gold))
    named = ag.compile(lambda z, gold: F.cross_entropy(z, gold, ignore_index=-100))
    for gold in ([0, 1], [1, 0], [1, 1], [0, 0]):
        assert plain(z, Tensor(gold)).item() == named(z, Tensor(gold)).item()
    assert named(z, Tensor([-100, 1])).item() == F.cross_entropy(z, [-100, 1]).item()
    with pytest.raises(ValueError, match=r"class -100 .* if it stands for none, say ignore_index"):
        plain(z, Tensor([-100, 1]))


@pytest.mark.parametrize("other_backend", ["strict", "torch"], indirect=True)
def test_small_integers_may_be_classes_though_they_cant_be_the_ignored_one(other_backend):
    z = other_backend.tensor(normal(2, 200, 3))
    gold = np.array([[0, 1, 2], [3, 156, 100]])  # 156 is -100, in eight bits
    expected = F.cross_entropy(z, other_backend.tensor(gold)).item()
    for dtype in ("uint8", "int32"):
        small = other_backend.tensor(gold.astype(dtype))
        assert F.cross_entropy(z, small).item() == pytest.approx(expected)


def test_the_classes_may_be_lists_and_the_weights_too():
    z = Tensor(normal(3, 2), dtype="float32")
    got = F.cross_entropy(z, [0, 1, 1], [1.0, 2.0])
    assert got.dtype == ag.float32
    expected = F.cross_entropy(z, Tensor([0, 1, 1]), Tensor([1.0, 2.0], dtype="float32"))
    assert got.item() == expected.item()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda z: F.cross_entropy(z, [0, 5]),
            "cross_entropy: class 5 is out of range",
        ),
        (
            lambda z: F.cross_entropy(z, [-100, 5]),
            "cross_entropy: class 5 is out of range",
        ),
        (lambda z: F.nll_loss(z, [0, 5]), "nll_loss: class 5 is out of range for 3 classes"),
        (lambda z: F.nll_loss(z, [0, -1]), "nll_loss: class -1 is out of range for 3 classes"),
        (
            lambda z: F.multi_margin_loss(z, [0, 5]),
            "multi_margin_loss: class 5 is out of",
        ),
        (
            lambda z: F.nll_loss(z, [0.0, 1.0]),
            "nll_loss: classes must be integers, got agrad.float64",
        ),
        (lambda z: F.nll_loss(z, [0]), r"nll_loss needs scores .* got \(2, 3\) and \(1,\)"),
        (lambda z: F.nll_loss(z[0, 0], 0), r"nll_loss needs scores .* got \(\)"),
        (
            lambda z: F.cross_entropy(z[:, :, None], [0, 1]),
            r"cross_entropy needs scores .* got \(2, 3, 1\) and \(2,\)",
        ),
        (
            lambda z: F.cross_entropy(z, [0, 1], [1.0, 2.0]),
            r"cross_entropy needs a weight for each of 3 classes; got \(2,\)",
        ),
        (
            lambda z: F.cross_entropy(z, z, [1.0, 2.0]),
            r"cross_entropy needs a weight for each of 3 classes; got \(2,\)",
        ),
        (lambda z: F.cross_entropy(z, [0, 1], label_smoothing=2), r"label_smoothing must be in"),
        (lambda z: F.mse_loss(z, z[0]), r"mse_loss needs .* one shape; got \(2, 3\) and \(3,\)"),
        (lambda z: F.mse_loss(z, z, weight=z[0]), "mse_loss with a weight needs"),
        (lambda z: F.huber_loss(z, z, delta=0), "huber_loss: delta must be positive, got 0"),
        (lambda z: F.smooth_l1_loss(z, z, beta=-1), "smooth_l1_loss: beta must be at least 0"),
        (lambda z: F.gaussian_nll_loss(z, z, z[0]), "gaussian_nll_loss needs variances"),
        (lambda z: F.gaussian_nll_loss(z, z, z - 1), "variances can't be negative"),
        (lambda z: F.gaussian_nll_loss(z, z, z, eps=0), "eps must be positive, got 0"),
        (lambda z: F.binary_cross_entropy(z + 2, z), "needs input between 0 and 1"),
        (lambda z: F.binary_cross_entropy(z - 1, z), "needs input between 0 and 1"),
        (lambda z: F.kl_div(z[0, 0], z[0, 0], reduction="batchmean"), "there is no batch"),
        (lambda z: F.multi_margin_loss(z, [0, 1], 3), "multi_margin_loss: p must be 1 or 2"),
        (lambda z: F.multi_margin_loss(z, [0]), "multi_margin_loss needs scores of shape"),
        (lambda z: F.multi_margin_loss(z, [0.0, 1.0]), "multi_margin_loss: classes must be int"),
        (lambda z: F.cosine_embedding_loss(z, z, [1]), "cosine_embedding_loss needs vectors"),
        (lambda z: F.triplet_margin_loss(z, z, z, 0), "margin must be positive, got 0"),
        (lambda z: F.pdist(z[0]), r"pdist needs an input of shape \(N, length\), got \(3,\)"),
        (
            lambda z: F.triplet_margin_with_distance_loss(z, z, z, margin=0),
            "triplet_margin_with_distance_loss: margin must be positive, got 0",
        ),
        (lambda z: F.triplet_margin_loss(z, z, z[0]), "triplet_margin_loss needs"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(ag.zeros((2, 3), dtype="float64"))


ONE_OF_EACH = list({re.match(r"\w+", name)[0]: name for name in reversed(CASES)}.values())


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_an_unknown_reduction_is_refused(name):
    with pytest.raises(ValueError, match="reduction must be one of mean, sum, none; got 'average'"):
        of_agrad(name, "average")


# Modules -----------------------------------------------------------------------------------------

W = np.array([0.5, 1.0, 2.0, 1.5])
# Name: the arguments of the module, and what it is called on
MODULES = {
    "CrossEntropyLoss": (
        [{}, {"weight": W}, {"ignore_index": 1}, {"label_smoothing": 0.1}],
        [normal(5, 4), classes(4, 5)],
    ),
    "NLLLoss": ([{}, {"weight": W}, {"ignore_index": 1}], [normal(5, 4), classes(4, 5)]),
    "MSELoss": ([{}], [normal(5, 4), normal(5, 4)]),
    "L1Loss": ([{}], [normal(5, 4), normal(5, 4)]),
    "HuberLoss": ([{}, {"delta": 0.5}], [normal(5, 4), normal(5, 4)]),
    "SmoothL1Loss": ([{}, {"beta": 0.5}], [normal(5, 4), normal(5, 4)]),
    "BCELoss": ([{}, {"weight": W}], [between(0, 1, 5, 4), between(0, 1, 5, 4)]),
    "BCEWithLogitsLoss": (
        [{}, {"weight": W}, {"pos_weight": W}],
        [normal(5, 4), between(0, 1, 5, 4)],
    ),
    "KLDivLoss": ([{"log_target": True}, {}], [normal(5, 4), between(0, 1, 5, 4)]),
    "HingeEmbeddingLoss": ([{}, {"margin": 0.5}], [normal(9), signs(9)]),
    "MarginRankingLoss": ([{}, {"margin": 0.5}], [normal(9), normal(9), signs(9)]),
    "SoftMarginLoss": ([{}], [normal(9), signs(9)]),
    "MultiLabelSoftMarginLoss": ([{}, {"weight": W}], [normal(5, 4), classes(2, 5, 4) * 1.0]),
    "MultiMarginLoss": (
        [{}, {"p": 2}, {"margin": 0.5}, {"weight": W}],
        [normal(5, 4), classes(4, 5)],
    ),
    "CosineEmbeddingLoss": ([{}, {"margin": 0.2}], [normal(5, 4), normal(5, 4), signs(5)]),
    "TripletMarginLoss": (
        [{}, {"margin": 0.5}, {"p": 1.0}, {"eps": 0.1}, {"swap": True}],
        [normal(5, 4), normal(5, 4), normal(5, 4)],
    ),
    "TripletMarginWithDistanceLoss": (
        [{}, {"margin": 0.5}, {"distance_function": squared}, {"swap": True}],
        [normal(5, 4), normal(5, 4), normal(5, 4)],
    ),
    "PoissonNLLLoss": (
        [{}, {"log_input": False}, {"full": True}, {"eps": 0.1, "log_input": False}],
        [between(0.5, 2, 5, 4), classes(5, 5, 4) * 1.0],
    ),
    "GaussianNLLLoss": (
        [{}, {"full": True}, {"eps": 0.5}],
        [normal(5, 4), normal(5, 4), between(0.1, 1, 5, 4)],
    ),
}


@needs_torch
@pytest.mark.filterwarnings("ignore:reduction. .mean. divides the total loss")
@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_pytorchs(name):
    settings, inputs = MODULES[name]
    for options in settings:
        for reduction in ([], *([r] for r in REDUCTIONS)):
            chosen = {"reduction": reduction[0]} if reduction else {}
            made = {k: Tensor(v) if v is W else v for k, v in options.items()}
            theirs = {k: torch.tensor(v) if v is W else v for k, v in options.items()}
            got = getattr(nn, name)(**made, **chosen)(*map(Tensor, inputs))
            expected = getattr(torch.nn, name)(**theirs, **chosen)(*map(torch.tensor, inputs))
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-10)


def test_a_module_shows_its_settings():
    assert repr(nn.MSELoss()) == "MSELoss(reduction='mean')"
    shown = "HuberLoss(reduction='sum', delta=0.5)"
    assert repr(nn.HuberLoss(reduction="sum", delta=0.5)) == shown


def test_a_modules_weights_go_where_it_goes_and_arent_trained():
    loss = nn.CrossEntropyLoss(Tensor([1.0, 2.0], dtype="float64"))
    assert list(loss.parameters()) == []
    assert list(loss.state_dict()) == ["weight"]
    assert loss.to(ag.float32).weight.dtype == ag.float32
    assert nn.CrossEntropyLoss().weight is None


# Vectors and classes -----------------------------------------------------------------------------

VECTORS = {
    "normalize": (lambda F, x: F.normalize(x), [normal(3, 4)]),
    "normalize, other axis and norm": (lambda F, x: F.normalize(x, 1.0, 0), [normal(3, 4)]),
    "normalize, small": (lambda F, x: F.normalize(x, eps=10.0), [normal(3, 4)]),
    "pdist": (lambda F, x: F.pdist(x), [normal(4, 3)]),
    "pdist, other norm": (lambda F, x: F.pdist(x, 3.0), [normal(3, 5)]),
    "cosine_similarity": (lambda F, x, y: F.cosine_similarity(x, y), [normal(3, 4), normal(3, 4)]),
    "cosine_similarity, broadcast": (
        lambda F, x, y: F.cosine_similarity(x, y, dim=-1),
        [normal(2, 1, 4), normal(3, 4)],
    ),
    "cosine_similarity, small": (
        lambda F, x, y: F.cosine_similarity(x, y, 0, 10.0),
        [normal(4), normal(4)],
    ),
    "pairwise_distance": (lambda F, x, y: F.pairwise_distance(x, y), [normal(3, 4), normal(3, 4)]),
    "pairwise_distance, other norm": (
        lambda F, x, y: F.pairwise_distance(x, y, 1.0, 0.1, True),
        [normal(3, 4), normal(4)],
    ),
}


@needs_torch
@pytest.mark.parametrize("name", VECTORS)
def test_vectors_have_pytorchs_values_and_gradients(name):
    call, inputs = VECTORS[name]
    own = [Tensor(x, requires_grad=True) for x in inputs]
    theirs = [torch.tensor(x).requires_grad_() for x in inputs]
    got, expected = call(F, *own), call(torch.nn.functional, *theirs)
    u = np.random.default_rng(1).uniform(0.5, 2, size=got.shape)
    got.backward(Tensor(u))
    expected.backward(torch.tensor(u))
    np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-10)
    if name == "cosine_similarity, small":
        return  # PyTorch's gradient leaves out that the length to divide by is constant
    for x, y in zip(own, theirs, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_the_same_everywhere(name, backend):
    call, inputs = VECTORS[name]
    got = backend.numpy(call(F, *map(backend.tensor, inputs)))
    np.testing.assert_allclose(got, call(F, *map(Tensor, inputs)).numpy(), rtol=1e-12, atol=1e-14)


def test_a_vector_of_zeros_has_a_cosine_of_zero_and_finite_gradients():
    x = ag.zeros((1, 3), dtype="float64")
    x.requires_grad = True
    y = F.cosine_similarity(x, ag.ones((1, 3)))
    y.sum().backward()
    assert y.tolist() == [0]
    assert np.isfinite(x.grad.numpy()).all()


def test_one_hot(backend):
    gold = backend.tensor(np.array([[2, 0], [1, 1]]))
    expected = np.eye(3)[[[2, 0], [1, 1]]]
    for n in (-1, 3):
        got = F.one_hot(gold, n)
        assert got.dtype == gold.dtype
        np.testing.assert_array_equal(backend.numpy(got), expected)
    assert F.one_hot(gold, 5).shape == (2, 2, 5)


@pytest.mark.parametrize(
    ("gold", "n", "message"),
    [
        ([0.0], 2, "one_hot needs integers, got agrad.float64"),
        ([2], 2, "one_hot: class 2 is out of range for 2 classes"),
        ([-1], 2, "class -1 is out of range for 2 classes"),
        ([0], 0, "num_classes must be a positive integer, got 0"),
        (np.zeros(0, dtype=int), -1, "there is no class to tell num_classes"),
    ],
)
def test_one_hot_refuses_what_is_no_class(gold, n, message):
    with pytest.raises(ValueError, match=message):
        F.one_hot(Tensor(gold), n)


def test_a_distance_is_a_function():
    z = Tensor(normal(2, 3))
    with pytest.raises(TypeError, match="distance_function must be a function, got 2"):
        F.triplet_margin_with_distance_loss(z, z, z, distance_function=2)


def test_one_vector_has_no_distances():
    assert F.pdist(Tensor(normal(1, 3))).shape == (0,)
