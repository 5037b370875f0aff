"""L-BFGS: PyTorch's steps, with and without line search."""

import pickle

import numpy as np
import pytest

import agrad as ag

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(12, 6))
TARGET = RNG.normal(size=12)


def rosenbrock(a, b):
    """Return the loss of one matrix and one number."""
    x = a.reshape(-1)
    valley = ((x[1:] - x[:-1] ** 2) ** 2).sum() * 10 + ((1 - x) ** 2).sum()
    return valley + (b - x[0]) ** 2 * 3


def least_squares(a, b):
    lib = ag if isinstance(a, ag.Tensor) else torch
    wrap = ag.Tensor if isinstance(a, ag.Tensor) else torch.tensor
    error = lib.matmul(wrap(MATRIX), a.reshape(-1)) + b - wrap(TARGET)
    return lib.log(1 + error**2).sum()


START = [RNG.normal(size=(2, 3)), np.array(0.5)]
CASES = {
    "plain": (least_squares, {"lr": 0.1}),
    "short memory": (least_squares, {"lr": 0.3, "history_size": 3}),
    "few iterations": (rosenbrock, {"lr": 0.05, "max_iter": 4}),
    "few calls": (least_squares, {"lr": 0.1, "max_eval": 5}),
    "line search": (rosenbrock, {"line_search_fn": "strong_wolfe"}),
    "line search, long": (rosenbrock, {"lr": 5.0, "line_search_fn": "strong_wolfe", "max_iter": 4}),
    "line search, short": (
        rosenbrock,
        {"lr": 0.001, "line_search_fn": "strong_wolfe", "history_size": 2},
    ),
    "line search, squares": (
        least_squares,
        {"line_search_fn": "strong_wolfe", "max_iter": 5, "max_eval": 8},
    ),
    "tolerances": (
        least_squares,
        {"lr": 0.1, "tolerance_grad": 0.1, "tolerance_change": 1e-3},
    ),
}


def closure_of(optimizer, function, params):
    def closure():
        optimizer.zero_grad()
        loss = function(*params)
        loss.backward()
        closure.calls += 1
        return loss

    closure.calls = 0
    return closure


def ours(name, start=START):
    function, settings = CASES[name]
    params = [ag.Parameter(x) for x in start]
    optimizer = ag.optim.LBFGS(params, **settings)
    return params, optimizer, closure_of(optimizer, function, params)


@needs_torch
@pytest.mark.parametrize("name", CASES)
def test_steps_calls_and_losses_are_pytorchs(name):
    function, settings = CASES[name]
    params, optimizer, closure = ours(name)
    twins = [torch.tensor(x, requires_grad=True) for x in START]
    other = torch.optim.LBFGS(twins, **settings)
    twin_closure = closure_of(other, function, twins)
    for _ in range(6):
        loss, twin_loss = optimizer.step(closure), other.step(twin_closure)
        np.testing.assert_allclose(loss.item(), twin_loss.item(), rtol=1e-10, atol=1e-12)
        assert closure.calls == twin_closure.calls
        for p, t in zip(params, twins, strict=True):
            np.testing.assert_allclose(
                p.detach().numpy(), t.detach().numpy(), rtol=1e-9, atol=1e-10
            )
    own, theirs = optimizer.state_dict()["state"][0], other.state_dict()["state"][0]
    assert own.keys() == theirs.keys() - {"al"}
    for key in ("n_iter", "func_evals"):
        assert own[key] == theirs[key]
    assert len(own["ro"]) == len(theirs["ro"]) <= settings.get("history_size", 100)


@pytest.mark.parametrize("name", ["short memory", "line search, long"])
def test_what_is_saved_goes_on_in_another_optimizer_as_in_the_first(name):
    params, optimizer, closure = ours(name)
    optimizer.step(closure)
    saved = pickle.loads(pickle.dumps(optimizer.state_dict()))
    others, other, other_closure = ours(name, [p.detach().numpy().copy() for p in params])
    other.load_state_dict(saved)
    for _ in range(3):
        optimizer.step(closure)
        other.step(other_closure)
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@needs_torch
def test_what_pytorch_has_saved_can_be_loaded():
    function, settings = CASES["few iterations"]
    twins = [torch.tensor(x, requires_grad=True) for x in START]
    other = torch.optim.LBFGS(twins, **settings)
    twin_closure = closure_of(other, function, twins)
    other.step(twin_closure)
    params, optimizer, closure = ours("few iterations", [t.detach().numpy() for t in twins])
    optimizer.load_state_dict(other.state_dict())
    for _ in range(2):
        optimizer.step(closure)
        other.step(twin_closure)
    for p, t in zip(params, twins, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), t.detach().numpy(), rtol=1e-8)


@pytest.mark.parametrize("name", ["plain", "line search"])
def test_each_library_goes_the_same_way(name, other_backend):
    function, settings = CASES[name]
    if function is least_squares:
        function = rosenbrock  # whose constants are of any library
        settings = {**settings, "lr": 0.01}
    own = [ag.Parameter(x) for x in START]
    there = [ag.Parameter(other_backend.tensor(x)) for x in START]
    for params in (own, there):
        optimizer = ag.optim.LBFGS(params, **{**settings, "max_iter": 2})
        optimizer.step(closure_of(optimizer, function, params))
    for p, q in zip(own, there, strict=True):
        np.testing.assert_allclose(other_backend.numpy(q), p.detach().numpy(), rtol=1e-8)


def test_parameters_without_a_gradient_stay():
    w, still = ag.Parameter([3.0]), ag.Parameter([1.0])
    optimizer = ag.optim.LBFGS([still, w], lr=0.5)
    optimizer.step(closure_of(optimizer, lambda a, b: (b * b).sum(), [still, w]))
    assert still.tolist() == [1.0]
    assert abs(w.item()) < 1e-3
    settled = w.item()
    w.data[...] = 0
    optimizer.step(closure_of(optimizer, lambda a, b: (b * b).sum(), [still, w]))
    assert w.item() == 0 != settled  # there it stops at once


def test_what_it_cant_do_is_refused():
    w = ag.Parameter([1.0])
    with pytest.raises(TypeError, match="needs a closure"):
        ag.optim.LBFGS([w]).step()
    with pytest.raises(ValueError, match="one group of parameters"):
        ag.optim.LBFGS([{"params": w}, {"params": ag.Parameter([1.0])}])
    with pytest.raises(ValueError, match="line_search_fn must be None or strong_wolfe"):
        ag.optim.LBFGS([w], line_search_fn="armijo")
    with pytest.raises(ValueError, match="history_size must be a positive integer, got 0"):
        ag.optim.LBFGS([w], history_size=0)
    there = ag.Parameter(ag.Tensor([1.0]).to("array_api_strict:CPU_DEVICE"))
    with pytest.raises(ValueError, match="on one device"):
        ag.optim.LBFGS([w, there]).step(lambda: 0.0)
    optimizer = ag.optim.LBFGS([w])
    step = ag.compile(lambda: optimizer.step(closure_of(optimizer, lambda a: (a * a).sum(), [w])))
    with pytest.raises(RuntimeError, match="read the value of an array"):
        step()
