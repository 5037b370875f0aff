"""Averages of weights: PyTorch's values, on every library."""

import numpy as np
import pytest

import agrad as ag
from agrad.optim import swa_utils as ours

try:
    import torch
    from torch.optim import swa_utils as theirs
except ImportError:
    torch = theirs = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

RNG = np.random.default_rng(0)
WEIGHTS = [[RNG.normal(size=(2, 3)), RNG.normal(size=2), RNG.normal(size=2)] for _ in range(8)]


@pytest.fixture(autouse=True)
def numbers_of_pytorch_in_double_precision():
    """Its mean divides by an array of the default data type."""
    if torch is None:
        yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


class Net(ag.nn.Module):
    """A layer with a buffer."""

    def __init__(self):
        self.layer = ag.nn.Linear(3, 2, dtype="float64")
        self.register_buffer("scale", ag.ones(2, dtype="float64"))
        self.register_buffer("count", ag.zeros((), dtype="int64"))

    def forward(self, x):
        return self.layer(x) * self.scale

    def become(self, weights, i=0):
        for own, value in zip(tensors(self), weights, strict=True):
            own.data = own._backend.assign(own._data, ..., own._backend.from_host(value))
        self.count += 3 * i


def tensors(net):
    return [net.layer.weight, net.layer.bias, net.scale]


def twin_net():
    class Twin(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 2, dtype=torch.float64)
            self.register_buffer("scale", torch.ones(2, dtype=torch.float64))
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    return Twin()


KINDS = {
    "mean": lambda m: {},
    "EMA": lambda m: {"multi_avg_fn": m.get_ema_multi_avg_fn(0.9)},
    "EMA, the default decay": lambda m: {"multi_avg_fn": m.get_ema_multi_avg_fn()},
    "EMA of each": lambda m: {"avg_fn": m.get_ema_avg_fn(0.8)},
    "mean of each": lambda m: {"avg_fn": m.get_swa_avg_fn()},
    "mean of all": lambda m: {"multi_avg_fn": m.get_swa_multi_avg_fn()},
    "own": lambda m: {"avg_fn": lambda average, now, count: average * 0.5 + now * 0.25 + count},
}


@needs_torch
@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_averages_are_pytorchs(kind, use_buffers):
    if use_buffers and "mean" in kind:  # PyTorch refuses its integers
        pytest.skip("PyTorch's mean takes no integers")
    net, twin = Net(), twin_net()
    average = ours.AveragedModel(net, **KINDS[kind](ours), use_buffers=use_buffers)
    other = theirs.AveragedModel(twin, **KINDS[kind](theirs), use_buffers=use_buffers)
    for i, weights in enumerate(WEIGHTS):
        net.become(weights, i)
        with torch.no_grad():
            for t, value in zip(tensors(twin), weights, strict=True):
                t.copy_(torch.tensor(value))
            twin.count += 3 * i
        average.update_parameters(net)
        other.update_parameters(twin)
        for own, value in zip(tensors(average.module), tensors(other.module), strict=True):
            np.testing.assert_allclose(
                own.detach().numpy(), value.detach().numpy(), rtol=1e-13, atol=1e-14
            )
        assert average.module.count.item() == other.module.count.item()
        assert average.n_averaged.item() == other.n_averaged.item() == i + 1
    assert set(average.state_dict()) == set(other.state_dict())


def test_each_library_averages_alike(other_backend):
    results = []
    for device in ("cpu", other_backend.device):
        net = Net().to(device)
        average = ours.AveragedModel(net, multi_avg_fn=ours.get_ema_multi_avg_fn(0.9))
        for weights in WEIGHTS[:3]:
            net.become(weights)
            average.update_parameters(net)
        results.append([x.tolist() for x in tensors(average.module)])
        assert {x.device for x in tensors(average.module)} == {device}
    for own, there in zip(*results, strict=True):
        np.testing.assert_allclose(there, own, rtol=1e-13)


def test_an_average_can_be_on_another_device_than_the_network():
    net = Net()
    average = ours.AveragedModel(net, device="array_api_strict:CPU_DEVICE")
    for weights in WEIGHTS[:2]:
        net.become(weights)
        average.update_parameters(net)
    x = ag.ones(3, dtype="float64")
    there = average(x.to("array_api_strict:CPU_DEVICE"))
    expected = ag.Tensor((WEIGHTS[0][0] + WEIGHTS[1][0]) / 2)
    assert there.device == "array_api_strict:CPU_DEVICE"
    np.testing.assert_allclose(average.module.layer.weight.tolist(), expected.tolist(), rtol=1e-14)


def test_an_average_shares_nothing_with_the_network_and_is_saved():
    net = Net()
    average = ours.AveragedModel(net)
    net.become(WEIGHTS[0])
    assert average.module.layer.weight.tolist() != net.layer.weight.tolist()
    average.update_parameters(net)
    other = ours.AveragedModel(Net())
    other.load_state_dict(average.state_dict())
    for each in (average, other):
        net.become(WEIGHTS[1])
        each.update_parameters(net)
    np.testing.assert_array_equal(
        average.module.layer.weight.tolist(),
        other.module.layer.weight.tolist(),
    )
    assert other.n_averaged.item() == 2


@needs_torch
@pytest.mark.parametrize(
    "settings",
    [
        {"swa_lr": 0.05},
        {"swa_lr": [0.05, 0.5], "anneal_epochs": 5, "anneal_strategy": "linear"},
        {"swa_lr": 0.05, "anneal_epochs": 0},
        {"swa_lr": 0.05, "anneal_epochs": 1},
    ],
)
@pytest.mark.filterwarnings("ignore:Detected call of")
def test_the_learning_rates_for_averaging_are_pytorchs(settings):
    optimizers = (
        ag.optim.SGD([{"params": [ag.Parameter(1.0)], "lr": lr} for lr in (0.1, 0.3)]),
        torch.optim.SGD([{"params": [torch.ones(1)], "lr": lr} for lr in (0.1, 0.3)]),
    )
    schedules = [
        module.SWALR(optimizer, **settings)
        for module, optimizer in zip((ours, theirs), optimizers, strict=True)
    ]
    for _ in range(20):
        for schedule in schedules:
            schedule.step()
        own, other = (schedule.get_last_lr() for schedule in schedules)
        np.testing.assert_allclose(own, other, rtol=1e-12)


def test_statistics_of_batches_are_computed_anew():
    net = ag.nn.Sequential(ag.nn.BatchNorm1d(2, dtype="float64"), ag.nn.Linear(2, 1)).eval()
    net.to("float64")
    batches = [ag.Tensor(RNG.normal(size=(4, 2)) + i) for i in range(3)]
    for data in (batches, [(x, 0) for x in batches]):
        ours.update_bn(data, net)
        layer = net[0]
        means = np.mean([x.numpy().mean(axis=0) for x in batches], axis=0)
        variances = np.mean([x.numpy().var(axis=0, ddof=1) for x in batches], axis=0)
        np.testing.assert_allclose(layer.running_mean.numpy(), means)
        np.testing.assert_allclose(layer.running_var.numpy(), variances)
        assert layer.momentum == 0.1
        assert not layer.training
        assert not net.training
    ours.update_bn([None], ag.nn.Linear(1, 1))  # which has none


def test_what_makes_no_average_is_refused():
    with pytest.raises(ValueError, match="takes one of avg_fn and multi_avg_fn"):
        ours.AveragedModel(
            Net(), avg_fn=ours.get_swa_avg_fn(), multi_avg_fn=ours.get_swa_multi_avg_fn()
        )
    for wrong in (3, None, Net):
        with pytest.raises(TypeError, match="AveragedModel averages a Module, got"):
            ours.AveragedModel(wrong)
    with pytest.raises(TypeError, match="SWALR: swa_lr must be a number, got 'a'"):
        ours.SWALR(ag.optim.SGD([ag.Parameter(1.0)]), "a")
    with pytest.raises(TypeError, match="get_ema_avg_fn: decay must be a number, got None"):
        ours.get_ema_avg_fn(None)
    for make in (ours.get_ema_avg_fn, ours.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match="decay must be from 0 to 1, got 1"):
            make(1.5)
    with pytest.raises(ValueError, match="other parameters or buffers"):
        ours.AveragedModel(Net()).update_parameters(ag.nn.Linear(3, 2))
    optimizer = ag.optim.SGD([ag.Parameter(1.0)])
    with pytest.raises(ValueError, match="cos or linear"):
        ours.SWALR(optimizer, 0.1, anneal_strategy="x")
    with pytest.raises(ValueError, match="anneal_epochs must be an integer >= 0"):
        ours.SWALR(optimizer, 0.1, anneal_epochs=-1)
