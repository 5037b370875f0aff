"""SGD and MomentumSGD: the report's rules, PyTorch's steps, updates in place."""

import tracemalloc

import numpy as np
import pytest

import agrad as ag
from agrad.nn import functional as F
from agrad.optim import SGD, MomentumSGD

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

STEPS = 20
GRADIENTS = np.random.default_rng(0).normal(size=(STEPS, 3, 2))

# agrad's optimizer, and PyTorch's settings for the same
OPTIMIZERS = {
    "SGD": (lambda params: SGD(params, lr=0.1), {"lr": 0.1}),
    "SGD, lr 0": (lambda params: SGD(params, lr=0), {"lr": 0.0}),
    "MomentumSGD": (
        lambda params: MomentumSGD(params, lr=0.1, momentum=0.9),
        {"lr": 0.1, "momentum": 0.9},
    ),
    "MomentumSGD, momentum 0": (
        lambda params: MomentumSGD(params, lr=0.1, momentum=0),
        {"lr": 0.1, "momentum": 0.0},
    ),
}


def by_the_formulas(theta, settings):
    """Return θ and γ after the steps: γ ← μγ + ∇L, θ ← θ - εγ."""
    gamma = np.zeros_like(theta)
    for gradient in GRADIENTS:
        gamma = settings.get("momentum", 0) * gamma + gradient
        theta = theta - settings["lr"] * gamma
    return theta, gamma


@pytest.mark.parametrize("dtype", [ag.float32, ag.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_follow_the_formulas(name, dtype, backend):
    make, settings = OPTIMIZERS[name]
    start = np.ones((3, 2), dtype=str(dtype))
    w = ag.Parameter(backend.tensor(start))
    optimizer = make([w])
    for gradient in GRADIENTS:
        w.grad = backend.tensor(gradient.astype(str(dtype)))
        optimizer.step()
    theta, gamma = by_the_formulas(start.astype("float64"), settings)
    tolerance = 1e-5 if dtype == ag.float32 else 1e-13
    np.testing.assert_allclose(backend.numpy(w), theta, rtol=tolerance, atol=tolerance)
    assert (w.dtype, w.device) == (dtype, backend.device)
    if name.startswith("Momentum"):
        np.testing.assert_allclose(backend.numpy(w.velocity), gamma, rtol=tolerance, atol=tolerance)
        assert (w.velocity.dtype, w.velocity.device) == (dtype, backend.device)
        assert not w.velocity.requires_grad


@needs_torch
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_a_network_gives_pytorchs_weights(name):
    make, settings = OPTIMIZERS[name]
    x = np.random.default_rng(1).normal(size=(STEPS, 8, 5))
    gold = np.random.default_rng(2).integers(0, 3, (STEPS, 8))
    net = ag.models.DeepNetwork(5, 3, hidden_dim=6, n_layers=2, dtype=ag.float64)
    linear = torch.nn.Linear
    twin = torch.nn.Sequential(linear(5, 6), torch.nn.ReLU(), linear(6, 3)).double()
    pairs = list(zip(net.parameters(), twin.parameters(), strict=True))
    with torch.no_grad():
        for p, q in pairs:
            q.copy_(torch.tensor(p.data))

    ours, theirs = make(net.parameters()), torch.optim.SGD(twin.parameters(), **settings)
    for xi, yi in zip(x, gold, strict=True):
        ours.zero_grad()
        F.nll(net(ag.Tensor(xi)), ag.Tensor(yi)).backward()
        ours.step()
        theirs.zero_grad()
        torch.nn.functional.cross_entropy(twin(torch.tensor(xi)), torch.tensor(yi)).backward()
        theirs.step()
    for p, q in pairs:
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_updates_happen_in_place(name, backend):
    w = ag.Parameter(backend.tensor(np.ones((3, 2))))
    optimizer = OPTIMIZERS[name][0]([w])
    kept = w.data
    velocity = w.velocity.data
    for gradient in GRADIENTS[:2]:
        w.grad = backend.tensor(gradient)
        optimizer.step()
        np.testing.assert_array_equal(backend.numpy(w.grad), gradient)  # it is left as it was
    if backend.name in ("jax", "dask", "strict", "strict-device1"):  # which nobody writes to
        np.testing.assert_array_equal(backend.numpy(kept), np.ones((3, 2)))
    else:
        assert w.data is kept
        assert w.velocity.data is velocity
    assert (name == "SGD, lr 0") == np.array_equal(backend.numpy(w), np.ones((3, 2)))
    assert w.is_leaf
    assert w.requires_grad


LAYOUTS = {
    "contiguous": lambda n, m: np.ones((n, m)),
    "every other row": lambda n, m: np.ones((2 * n, m))[::2],
    "transposed": lambda n, m: np.ones((m, n)).T,
}


@pytest.mark.parametrize("gradient", ["contiguous", "transposed"])
@pytest.mark.parametrize("parameter", LAYOUTS)
@pytest.mark.parametrize("name", ["SGD", "MomentumSGD"])
def test_a_step_makes_no_array_of_the_parameters_size(name, parameter, gradient):
    w = ag.Parameter(ag.Tensor(LAYOUTS[parameter](2000, 1000)))
    w.grad = ag.Tensor(LAYOUTS[gradient](2000, 1000))
    optimizer = OPTIMIZERS[name][0]([w])
    optimizer.step()  # the first makes the velocity
    tracemalloc.start()
    optimizer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = w.data.nbytes
    assert peak < size / 4


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_without_a_gradient_is_left_alone(name, backend):
    still, moving = (ag.Parameter(backend.tensor(np.ones(2))) for _ in range(2))
    optimizer = OPTIMIZERS[name][0]([still, moving])
    still.velocity = backend.tensor(np.ones(2))
    moving.grad = backend.tensor(np.ones(2))
    optimizer.step()
    assert still.tolist() == still.velocity.tolist() == [1, 1]
    assert still.grad is None
    assert (name == "SGD, lr 0") == (moving.tolist() == [1, 1])


def test_the_rate_and_the_momentum_may_change_between_steps():
    w = ag.Parameter(0.0, dtype=ag.float64)
    optimizer = MomentumSGD([w], lr=1.0, momentum=0.0)
    for lr, momentum, expected in [(1.0, 0.0, -1.0), (0.5, 0.0, -1.5), (0.5, 0.5, -2.25)]:
        optimizer.lr, optimizer.momentum = lr, momentum
        w.grad = ag.Tensor(1.0)
        optimizer.step()
        assert w.item() == expected


def test_the_velocity_stays_with_the_parameter():
    w = ag.Parameter(0.0, dtype=ag.float64)
    for expected in (-1.0, -2.5):  # velocities 1 and 1.5
        w.grad = ag.Tensor(1.0)
        MomentumSGD([w], lr=1.0, momentum=0.5).step()
        assert w.item() == expected


@pytest.mark.parametrize("momentum", [-0.1, 1, 1.0, 1.5, float("nan"), float("inf"), "0.9", None])
def test_a_momentum_outside_0_to_1_is_refused(momentum):
    with pytest.raises(ValueError, match="MomentumSGD: momentum must be") as error:
        MomentumSGD([ag.Parameter(1.0)], lr=0.1, momentum=momentum)
    assert repr(momentum) in str(error.value)
