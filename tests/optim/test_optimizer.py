"""What all optimizers have in common: which parameters and rates they take."""

import numpy as np
import pytest

import agrad as ag
from agrad.optim import SGD, MomentumSGD, Optimizer

OPTIMIZERS = {"SGD": SGD, "MomentumSGD": lambda params, lr: MomentumSGD(params, lr, momentum=0.5)}


@pytest.fixture(params=OPTIMIZERS)
def make(request):
    return OPTIMIZERS[request.param]


@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf"), "0.1", None, 1j, [0.1]])
def test_a_rate_that_is_no_number_from_0_on_is_refused(make, lr):
    with pytest.raises(ValueError, match="lr must be a number >= 0") as error:
        make([ag.Parameter(1.0)], lr)
    assert repr(lr) in str(error.value)


@pytest.mark.parametrize("lr", [0, 1, 0.01, np.float64(0.01), np.float32(0.01), np.int64(1)])
def test_any_number_from_0_on_is_a_rate(make, lr):
    optimizer = make([ag.Parameter(1.0)], lr)
    assert type(optimizer.lr) is float
    assert optimizer.lr == lr


UNFIT = {
    "an empty list": (list, "got no parameters"),
    "an exhausted generator": (lambda: iter(()), "got no parameters"),
    "the same twice": (lambda: [ag.Parameter(1.0)] * 2, "got the same Parameter twice"),
    "a Tensor": (lambda: [ag.Tensor([1.0], requires_grad=True)], "changes Parameters, got Tensor"),
    "None among them": (lambda: [ag.Parameter(1.0), None], "changes Parameters, got NoneType"),
    "an array": (lambda: [np.ones(2)], "changes Parameters, got ndarray"),
    "pairs turned round": (lambda: [(ag.Parameter(1.0), "w")], "changes Parameters, got tuple"),
    "a state dict": (lambda: ag.nn.Linear(1, 1).state_dict(), "changes Parameters, got str"),
    "one Parameter": (lambda: ag.Parameter([1.0, 2.0]), "give it module.parameters()"),
    "one number": (lambda: ag.Parameter(1.0), "give it module.parameters()"),
    "a module": (lambda: ag.nn.Linear(1, 1), "give it module.parameters()"),
    "None": (lambda: None, "give it module.parameters()"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_what_cant_be_trained_is_refused(make, kind):
    params, message = UNFIT[kind]
    with pytest.raises((TypeError, ValueError)) as error:
        make(params(), 0.1)
    assert message in str(error.value)


def test_a_generator_of_parameters_serves_for_many_steps(make):
    layer = ag.nn.Linear(2, 1)
    optimizer = make((p for p in layer.parameters()), 0.1)
    seen = [layer.weight.tolist()]
    for _ in range(3):
        optimizer.zero_grad()
        layer(ag.Tensor([1.0, 2.0], dtype=ag.float32)).backward()
        optimizer.step()
        assert layer.weight.tolist() not in seen
        seen.append(layer.weight.tolist())


def test_zero_grad_forgets_the_gradients_of_its_parameters_alone(make, backend):
    own, other = (ag.Parameter(backend.tensor(np.ones(2))) for _ in range(2))
    optimizer = make([own], 0.1)
    for expected in (1, 2):  # without zero_grad they add up
        (own + other).sum().backward()
        assert own.grad.tolist() == [expected] * 2
    optimizer.zero_grad()
    assert own.grad is None
    assert other.grad.tolist() == [2, 2]


def test_parameters_on_several_devices_are_trained_together(make, backend):
    here, there = ag.Parameter([1.0]), ag.Parameter(backend.tensor(np.array([1.0])))
    optimizer = make([here, there], 0.5)
    (here * 2).backward()
    (there * 2).backward()
    optimizer.step()
    assert here.tolist() == there.tolist() == [0]
    assert (here.device, there.device) == ("cpu", backend.device)


def test_an_optimizer_of_ones_own_needs_a_step():
    w = ag.Parameter(1.0)
    w.grad = ag.Tensor(1.0, dtype=ag.float32)
    optimizer = Optimizer([w], {"lr": 0.1})
    with pytest.raises(NotImplementedError, match="Optimizer must define step"):
        optimizer.step()


@pytest.mark.parametrize("first", [0, 1])
def test_writes_of_two_optimizers_may_be_told_in_either_order(first):
    w = ag.Parameter([1.0, 2.0])
    optimizers = [ag.optim.SGD([w], 0.5), ag.optim.SGD([w], 0.25)]
    w.grad = ag.ones_like(w)
    optimizers[0].step()
    loss = (w * w).sum()
    optimizers[1].step()
    for optimizer in (optimizers[first], optimizers[1 - first]):
        optimizer._look_up()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_the_state_of_another_kind_of_optimizer_is_refused():
    w = ag.Parameter([1.0])
    adam, sgd = ag.optim.Adam([w]), ag.optim.SGD([w], lr=0.1, momentum=0.9)
    before = dict(adam.param_groups[0])
    with pytest.raises(ValueError, match=r"Adam.*another kind of optimizer, it has no betas, eps"):
        adam.load_state_dict(sgd.state_dict())
    assert adam.param_groups[0] == before
    with pytest.raises(ValueError, match=r"SGD.*it has no dampening, momentum"):
        sgd.load_state_dict(adam.state_dict())
    older = adam.state_dict()
    del older["param_groups"][0]["decoupled_weight_decay"]
    adam.load_state_dict(older)
