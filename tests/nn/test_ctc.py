"""Connectionist temporal classification: PyTorch's values and gradients, and what can go wrong."""

import itertools
import math

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
CASES = {  # times, batch, classes, labels, blank
    "short": (6, 3, 4, 3, 0),
    "long": (30, 4, 8, 10, 0),
    "repeated labels": (12, 4, 2, 5, 0),
    "another blank": (8, 3, 4, 3, 2),
    "one label": (4, 2, 3, 1, 0),
    "no labels": (4, 2, 3, 0, 0),
    "one time": (1, 3, 3, 1, 0),
}


def drawn(case):
    """Return scores, labels, how many times count, and how many labels."""
    times, batch, classes, labels, blank = CASES[case]
    rng = np.random.default_rng(3)
    z = rng.normal(size=(times, batch, classes))
    gold = rng.integers(0, classes - 1, size=(batch, labels))
    gold += gold >= blank
    counts = np.arange(batch) % (labels + 1)
    return z, gold, np.maximum(times - np.arange(batch), 1), counts[::-1].copy()


def of_agrad(case, make=Tensor, **options):
    z, *rest = drawn(case)
    z = make(z, requires_grad=True)
    log_p = ag.log_softmax(z, axis=-1)
    loss = F.ctc_loss(log_p, *map(make, rest), CASES[case][4], **options)
    loss.sum().backward()
    return loss.detach().cpu().numpy(), z.grad.cpu().numpy()


@needs_torch
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_pytorchs(case, reduction):
    z, *rest = drawn(case)
    z = torch.tensor(z).requires_grad_()
    expected = torch.nn.functional.ctc_loss(
        z.log_softmax(-1),
        *map(torch.tensor, rest),
        CASES[case][4],
        reduction=reduction,
        zero_infinity=True,
    )
    expected.sum().backward()
    loss, gradient = of_agrad(case, reduction=reduction, zero_infinity=True)
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(gradient, z.grad.numpy(), rtol=1e-10, atol=1e-12)


def collapsed(path, blank=0):
    return [label for label, _ in itertools.groupby(path) if label != blank]


@pytest.mark.parametrize("gold", [[], [1], [1, 1], [1, 2], [2, 1, 2]])
def test_it_is_the_sum_over_all_paths_that_collapse_to_the_labels(gold):
    z = np.random.default_rng(0).normal(size=(4, 3))
    log_p = ag.log_softmax(Tensor(z))
    p = np.exp(log_p.numpy())
    total = sum(
        math.prod(p[time, label] for time, label in enumerate(path))
        for path in itertools.product(range(3), repeat=4)
        if collapsed(path) == gold
    )
    loss = F.ctc_loss(log_p, gold, 4, len(gold), reduction="none")
    assert loss.shape == ()
    assert math.exp(-loss.item()) == pytest.approx(total)


@pytest.mark.parametrize("other_backend", ["strict", "cupy-stand-in", "torch"], indirect=True)
@pytest.mark.parametrize("case", ["short", "repeated labels", "no labels"])
def test_other_backends_give_what_numpy_gives(case, other_backend):
    got = of_agrad(case, other_backend.tensor, reduction="none", zero_infinity=True)
    expected = of_agrad(case, reduction="none", zero_infinity=True)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("other_backend", ["jax", "dask"], indirect=True)
def test_still_other_backends_do(other_backend):  # which take seconds for each time
    log_p = other_backend.tensor(np.log([[[0.25, 0.75]], [[0.5, 0.5]]]))
    loss = F.ctc_loss(log_p, *(other_backend.tensor(np.array(x)) for x in ([[1]], [2], [1])))
    assert math.exp(-loss.item()) == pytest.approx(7 / 8)


def test_second_derivatives_are_those_of_finite_differences():
    z, *rest = drawn("short")
    v = np.random.default_rng(1).normal(size=z.shape)

    def gradient(z):
        z = Tensor(z, requires_grad=True)
        F.ctc_loss(ag.log_softmax(z), *map(Tensor, rest)).backward(create_graph=True)
        return z

    x = gradient(z)
    first, x.grad = x.grad, None
    (first * Tensor(v)).sum().backward()
    h = 1e-5
    ahead, behind = (gradient(z + step * v).grad.detach().numpy() for step in (h, -h))
    np.testing.assert_allclose(x.grad.numpy(), (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-9)


def test_labels_in_a_row_and_lists_are_taken_too():
    z, gold, steps, counts = drawn("short")
    log_p = ag.log_softmax(Tensor(z))
    expected = F.ctc_loss(log_p, *map(Tensor, (gold, steps, counts))).item()
    row = [int(x) for labels, n in zip(gold, counts, strict=True) for x in labels[:n]]
    lists = steps.tolist(), counts.tolist()
    assert F.ctc_loss(log_p, gold.tolist(), *lists).item() == expected
    assert F.ctc_loss(log_p, row, *lists).item() == expected
    assert F.ctc_loss(log_p, Tensor(row), *map(Tensor, (steps, counts))).item() == expected
    assert F.ctc_loss(log_p[:, :1], [], [6], [0]).item() > 0


def test_what_lies_beyond_a_sequence_isnt_looked_at():
    log_p = ag.log_softmax(Tensor(drawn("short")[0]))
    one = F.ctc_loss(log_p, [[1, 2, -1], [3, 99, 99], [0, 0, 0]], [6, 6, 6], [2, 1, 0])
    other = F.ctc_loss(log_p, [[1, 2, 1], [3, 1, 1], [2, 2, 2]], [6, 6, 6], [2, 1, 0])
    assert one.item() == other.item()


def test_labels_for_which_there_is_no_time_have_an_infinite_loss_or_none():
    z = Tensor(np.zeros((2, 3, 3)), requires_grad=True)
    arguments = ([[1, 1], [1, 2], [1, 2]], [2, 2, 0], [2, 2, 2])
    losses = F.ctc_loss(ag.log_softmax(z), *arguments, reduction="none")
    np.testing.assert_allclose(losses.detach().numpy(), [math.inf, math.log(9), math.inf])
    losses = F.ctc_loss(ag.log_softmax(z), *arguments, reduction="none", zero_infinity=True)
    losses.sum().backward()
    np.testing.assert_allclose(losses.detach().numpy(), [0, math.log(9), 0])
    gradient = z.grad.numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[:, [0, 2]].any()
    assert F.ctc_loss(ag.log_softmax(z), [[], [], []], [0, 0, 0], [0, 0, 0]).item() == 0


def test_a_recorded_step_gives_the_same():
    times, batch, classes = 4, 3, 4
    _, gold, steps, counts = drawn("short")
    steps = np.minimum(steps, times)

    def step(z, gold, steps, counts):
        F.ctc_loss(ag.log_softmax(z), gold, steps, counts).backward()
        return z.grad

    recorded = ag.compile(step)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        z, labels = rng.normal(size=(times, batch, classes)), rng.permuted(gold, axis=0)
        rest = [Tensor(x) for x in (labels, steps, np.roll(counts, seed))]
        got = recorded(Tensor(z, requires_grad=True), *rest)
        expected = step(Tensor(z, requires_grad=True), *rest)
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-12, atol=1e-15)


@needs_torch
@pytest.mark.parametrize("options", [{}, {"blank": 2}, {"reduction": "sum"}])
def test_the_module_is_pytorchs(options):
    z, *rest = drawn("another blank")
    z -= z.max()
    rest[0][:] = 1
    got = nn.CTCLoss(**options)(Tensor(z), *map(Tensor, rest))
    expected = torch.nn.CTCLoss(**options)(torch.tensor(z), *map(torch.tensor, rest))
    np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-10)
    assert repr(nn.CTCLoss()) == "CTCLoss(blank=0, reduction='mean', zero_infinity=False)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1, 5], [1, 1]], [4, 4], [2, 2]), "ctc_loss: class 5 is out of range for 3 classes"),
        (([[1, 1], [1, 1]], [4, 5], [2, 2]), "input_lengths is 5, which must be from 0 to 4"),
        (([[1, 1], [1, 1]], [4, -1], [2, 2]), "input_lengths is -1, which must be from 0 to 4"),
        (([[1, 1], [1, 1]], [4, 4], [2, 3]), "target_lengths is 3, which must be from 0 to 2"),
        (([[1, 1], [1, 1]], [4], [2, 2]), r"input_lengths for each of 2 sequences; got \(1,\)"),
        (([[1, 1]], [4, 4], [2, 2]), r"needs targets of shape .* got \(1, 2\)"),
        (([1, 1, 1], [4, 4], [2, 2]), "3 targets in a row don't fit target_lengths"),
        (([[1.0, 1], [1, 1]], [4, 4], [2, 2]), "targets must be integers, got agrad.float64"),
        (([[1, 1], [1, 1]], [4.0, 4], [2, 2]), "input_lengths must be integers"),
        (([[1, 1], [1, 1]], [4, 4], [2, 2], 3), "the blank 3 is out of range for 3 classes"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        F.ctc_loss(ag.zeros((4, 2, 3)), *arguments)


@pytest.mark.parametrize(("shape", "message"), [((4,), "got"), ((0, 2, 3), "there are no times")])
def test_log_probs_of_another_shape_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        F.ctc_loss(ag.zeros(shape), [[1], [1]], [1, 1], [1, 1])
