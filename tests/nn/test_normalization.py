"""Normalization: values, gradients and running values are PyTorch's, on every backend."""

import math

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare, compare_functions, fill, on_backend, torch, twin
from agrad.nn import functional as F

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(1.0, 2.0, size=shape)


MEAN, VAR = draw(3, seed=5), abs(draw(3, seed=6)) + 0.1


def batch_norm(x, *affine, training=True, module=F, make=ag.asarray):
    return module.batch_norm(x, make(MEAN.copy()), make(VAR.copy()), *affine, training=training)


def moved(x, *affine, module=F, make=ag.asarray):
    mean, var = make(MEAN.copy()), make(VAR.copy())
    y = module.batch_norm(x, mean, var, *affine, training=True, momentum=0.3)
    return y, mean * 1.0, var * 1.0


# Name: a function of the arrays and of the functional module (agrad's or PyTorch's), and shapes
CASES = {
    "layer_norm": (lambda m, x, w, b: m.layer_norm(x, (4,), w, b), [(3, 4), (4,), (4,)]),
    "layer_norm, two axes": (
        lambda m, x, w, b: m.layer_norm(x, (5, 4), w, b, 0.1),
        [(2, 3, 5, 4), (5, 4), (5, 4)],
    ),
    "layer_norm, without a bias": (lambda m, x, w: m.layer_norm(x, (4,), w), [(3, 4), (4,)]),
    "layer_norm, x alone": (lambda m, x: m.layer_norm(x, (4,)), [(2, 3, 4)]),
    "layer_norm, one vector": (lambda m, x: m.layer_norm(x, (7,)), [(7,)]),
    "rms_norm": (lambda m, x, w: m.rms_norm(x, (4,), w), [(3, 4), (4,)]),
    "rms_norm, eps": (lambda m, x: m.rms_norm(x, (3, 4), eps=0.2), [(2, 3, 4)]),
    "group_norm": (lambda m, x, w, b: m.group_norm(x, 2, w, b), [(3, 6, 5), (6,), (6,)]),
    "group_norm, images": (lambda m, x: m.group_norm(x, 3, eps=0.1), [(2, 6, 3, 2)]),
    "group_norm, vectors": (lambda m, x: m.group_norm(x, 2), [(2, 6)]),
    "instance_norm": (
        lambda m, x, w, b: m.instance_norm(x, weight=w, bias=b),
        [(2, 3, 5), (3,), (3,)],
    ),
    "instance_norm, images": (lambda m, x: m.instance_norm(x, eps=0.1), [(2, 3, 4, 2)]),
    "local_response_norm": (
        lambda m, x: m.local_response_norm(x, 3, 0.5, 0.8, 2.0),
        [(2, 5, 4)],
    ),
    "local_response_norm, images": (
        lambda m, x: m.local_response_norm(x, 4, alpha=2.0),
        [(2, 5, 3, 2)],
    ),
    "batch_norm": (
        lambda m, x, w, b: batch_norm(x, w, b, module=m, make=maker(m)),
        [(5, 3), (3,), (3,)],
    ),
    "batch_norm, sequences": (
        lambda m, x, w, b: batch_norm(x, w, b, module=m, make=maker(m)),
        [(4, 3, 5), (3,), (3,)],
    ),
    "batch_norm, images, x alone": (
        lambda m, x: m.batch_norm(x, None, None, training=True, eps=0.1),
        [(2, 3, 4, 2)],
    ),
    "batch_norm, evaluation": (
        lambda m, x, w, b: batch_norm(x, w, b, training=False, module=m, make=maker(m)),
        [(4, 3, 5), (3,), (3,)],
    ),
    "batch_norm, running values": (
        lambda m, x, w, b: moved(x, w, b, module=m, make=maker(m)),
        [(4, 3, 5), (3,), (3,)],
    ),
}


def maker(module):
    return ag.asarray if module is F else torch.tensor


def arrays_of(case):
    return [draw(*shape, seed=i) for i, shape in enumerate(CASES[case][1])]


@needs_torch
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_pytorchs(case):
    function, _ = CASES[case]
    compare_functions(
        lambda *x: function(F, *x),
        lambda *x: function(torch.nn.functional, *x),
        arrays_of(case),
    )


@pytest.mark.parametrize(
    "case",
    ["layer_norm, two axes", "rms_norm", "group_norm", "instance_norm", "local_response_norm"],
)
def test_every_backend_gives_what_numpy_gives(case, backend):
    function, _ = CASES[case]
    on_backend(lambda *x: function(F, *x), arrays_of(case), backend)


@pytest.mark.parametrize("training", [True, False])
def test_every_backend_moves_the_running_values_as_numpy_does(training, backend):
    x, w, b = draw(4, 3, 5), draw(3, seed=1), draw(3, seed=2)

    def function(x, w, b):
        mean, var = (ag.asarray(v.copy()).to(x.device) for v in (MEAN, VAR))
        return F.batch_norm(x, mean, var, w, b, training, 0.3), mean * 1.0, var * 1.0

    on_backend(function, [x, w, b], backend)


@needs_torch
@pytest.mark.parametrize(
    ("offset", "tolerance"), [(0.0, 1e-5), (1e3, 1e-3)], ids=["small mean", "large mean"]
)
def test_single_precision_is_as_good_as_pytorchs(offset, tolerance):
    x = (draw(64, 200) + offset).astype("float32")
    exact = F.layer_norm(ag.Tensor(x.astype("float64")), 200).numpy()
    own = F.layer_norm(ag.Tensor(x), 200)
    assert own.dtype == ag.float32
    np.testing.assert_allclose(own.numpy(), exact, atol=tolerance)


# Modules -----------------------------------------------------------------------------------------

MODULES = {
    "LayerNorm": (lambda nn: nn.LayerNorm(4), (3, 4)),
    "LayerNorm, two axes": (lambda nn: nn.LayerNorm([3, 4], eps=0.1), (2, 3, 4)),
    "LayerNorm, no bias": (lambda nn: nn.LayerNorm(4, bias=False), (3, 4)),
    "LayerNorm, plain": (lambda nn: nn.LayerNorm(4, elementwise_affine=False), (3, 4)),
    "RMSNorm": (lambda nn: nn.RMSNorm(4), (3, 4)),
    "RMSNorm, plain": (lambda nn: nn.RMSNorm([3, 4], 0.1, elementwise_affine=False), (2, 3, 4)),
    "GroupNorm": (lambda nn: nn.GroupNorm(2, 6), (3, 6, 5)),
    "GroupNorm, plain": (lambda nn: nn.GroupNorm(3, 6, affine=False), (3, 6, 5, 2)),
    "BatchNorm1d": (lambda nn: nn.BatchNorm1d(3), (5, 3)),
    "BatchNorm1d, sequences": (lambda nn: nn.BatchNorm1d(3, momentum=0.4), (5, 3, 2)),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(3, eps=0.1), (5, 3, 2, 2)),
    "BatchNorm2d, mean of all": (lambda nn: nn.BatchNorm2d(3, momentum=None), (5, 3, 2, 2)),
    "BatchNorm2d, not tracked": (
        lambda nn: nn.BatchNorm2d(3, track_running_stats=False),
        (5, 3, 2, 2),
    ),
    "BatchNorm3d": (lambda nn: nn.BatchNorm3d(3, affine=False), (5, 3, 1, 2, 2)),
    "InstanceNorm1d": (lambda nn: nn.InstanceNorm1d(3), (5, 3, 4)),
    "InstanceNorm1d, one example": (lambda nn: nn.InstanceNorm1d(3), (3, 4)),
    "InstanceNorm2d": (
        lambda nn: nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        (5, 3, 4, 2),
    ),
    "InstanceNorm3d": (lambda nn: nn.InstanceNorm3d(3, affine=True), (5, 3, 2, 2, 2)),
}


@needs_torch
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", MODULES)
def test_modules_do_what_pytorchs_do_and_move_their_running_values(name, training):
    make, shape = MODULES[name]
    module = fill(make(ag.nn).to(ag.float64)).train(training)
    other = twin(module, make(torch.nn))
    for seed in range(3):
        compare(module, other, [draw(*shape, seed=seed)], atol=1e-10)
    expected = other.state_dict()
    state = module.state_dict()
    assert state.keys() == expected.keys()
    for key, value in state.items():
        assert str(value.dtype) == str(expected[key].dtype).removeprefix("torch.")
        np.testing.assert_allclose(value.numpy(), expected[key].numpy(), rtol=1e-12, err_msg=key)


def test_running_values_have_no_gradient_and_go_where_the_parameters_go():
    module = ag.nn.BatchNorm1d(3).to(ag.float64)
    module(ag.Tensor(draw(4, 3), requires_grad=True)).sum().backward()
    assert module.running_mean.dtype == ag.float64
    assert not module.running_mean.requires_grad
    assert module.num_batches_tracked.dtype == ag.int64
    assert module.num_batches_tracked.item() == 1
    assert [name for name, _ in module.named_parameters()] == ["weight", "bias"]


@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_recorded_step_moves_the_running_values_too(momentum):
    modules = [ag.nn.BatchNorm2d(3, momentum=momentum, dtype="float64") for _ in range(2)]

    def make(module):
        optimizer = ag.optim.SGD(module.parameters(), 0.1)

        def step(x):
            optimizer.zero_grad()
            y = module(x)
            (y * y * y).sum().backward()
            optimizer.step()
            return y.detach()

        return step

    eager, recorded = make(modules[0]), ag.compile(make(modules[1]))
    for seed in range(6):
        x = ag.Tensor(draw(4, 3, 2, 2, seed=seed))
        np.testing.assert_allclose(recorded(x).numpy(), eager(x).numpy(), rtol=1e-12)
    states = [module.state_dict() for module in modules]
    for key, value in states[0].items():
        np.testing.assert_allclose(states[1][key].numpy(), value.numpy(), rtol=1e-12, err_msg=key)
    assert states[1]["num_batches_tracked"].item() == 6


def test_a_recorded_step_knows_of_evaluation():
    module = ag.nn.BatchNorm1d(3, dtype="float64")
    step = ag.compile(lambda x: module(x).detach())
    x = ag.Tensor(draw(4, 3))
    for _ in range(3):
        assert abs(step(x).mean(axis=0)).max() < 1e-9
    module.eval()
    before = module.running_mean.tolist()
    for _ in range(3):
        np.testing.assert_allclose(step(x).numpy(), module(x).detach().numpy())
        assert abs(step(x).mean(axis=0)).max() > 1e-2
    assert module.running_mean.tolist() == before


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.layer_norm(ag.ones((2, 3)), 4), r"layer_norm needs .* last axes are \(4,\)"),
        (lambda: F.layer_norm(ag.ones(3), (1, 3)), r"layer_norm needs .* shape \(3,\)"),
        (
            lambda: F.layer_norm(ag.ones((2, 3)), 3, ag.ones(2)),
            r"layer_norm needs a weight of shape \(3,\), got \(2,\)",
        ),
        (lambda: F.layer_norm(ag.ones((2, 3)), ()), "layer_norm: normalized_shape must be"),
        (lambda: ag.nn.LayerNorm(0), "LayerNorm: normalized_shape must be"),
        (lambda: ag.nn.LayerNorm(4)(ag.ones((2, 3))), r"layer_norm needs .* got .* \(2, 3\)"),
        (lambda: F.rms_norm(ag.ones((2, 3)), 4), "rms_norm needs an input whose last axes"),
        (lambda: F.group_norm(ag.ones((2, 3)), 2), "C a multiple of num_groups"),
        (lambda: ag.nn.GroupNorm(2, 3), "GroupNorm: num_channels must be a multiple"),
        (
            lambda: ag.nn.GroupNorm(2, 8, affine=False)(ag.ones((2, 6, 3))),
            r"GroupNorm needs an input of shape \(N, 8, ...\); got \(2, 6, 3\)",
        ),
        (lambda: F.group_norm(ag.ones((2, 4)), 2, bias=ag.ones(2)), r"needs a bias of shape \(4,"),
        (lambda: F.batch_norm(ag.ones(3), None, None), "batch_norm needs an input of shape"),
        (lambda: F.batch_norm(ag.ones((2, 3)), None, None), "needs running_mean and running_var"),
        (
            lambda: F.batch_norm(ag.ones((2, 3)), ag.ones(2), ag.ones(3)),
            r"batch_norm needs a running_mean of shape \(3,\), got \(2,\)",
        ),
        (
            lambda: ag.nn.BatchNorm1d(3)(ag.ones((1, 3))),
            "in training each channel needs more than one value",
        ),
        (
            lambda: ag.nn.BatchNorm1d(3)(ag.ones((2, 4))),
            r"BatchNorm1d needs an input of shape \(N, 3\) or \(N, 3, L\); got \(2, 4\)",
        ),
        (lambda: ag.nn.BatchNorm2d(3)(ag.ones((2, 3))), r"shape \(N, 3, H, W\); got \(2, 3\)"),
        (lambda: F.local_response_norm(ag.ones((2, 3)), 2), r"local_response_norm needs .*, 3\)"),
        (lambda: F.local_response_norm(ag.ones((2, 3, 1)), 0), "size must be a positive integer"),
        (lambda: ag.nn.LocalResponseNorm("a"), "LocalResponseNorm: size must be a positive int"),
        (lambda: ag.nn.GroupNorm(None, 3), "GroupNorm: num_groups must be a positive integer, got"),
        (lambda: ag.nn.BatchNorm2d(3, momentum=-1), "BatchNorm2d: momentum must be from 0 to 1"),
        (lambda: ag.nn.BatchNorm2d(3, momentum=math.nan), "momentum must be from 0 to 1, got nan"),
        (lambda: ag.nn.InstanceNorm1d(3, eps=-1), "InstanceNorm1d: eps must be at least 0, got -1"),
        (lambda: ag.nn.BatchNorm3d(0), "BatchNorm3d: num_features must be a positive integer"),
        (lambda: F.instance_norm(ag.ones((2, 3))), "instance_norm needs an input of shape"),
        (lambda: F.instance_norm(ag.ones((2, 3, 1))), "needs more than one value"),
        (lambda: ag.nn.InstanceNorm1d(3)(ag.ones((4, 5))), r"shape \(3, L\) or \(N, 3, L\)"),
    ],
)
def test_what_doesnt_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@needs_torch
def test_local_response_normalization_is_pytorchs_as_a_layer():
    own, other = (m.LocalResponseNorm(3, alpha=0.5, k=2.0) for m in (ag.nn, torch.nn))
    compare(own, other, [draw(2, 5, 3, 2)])
    assert repr(own) == repr(other)


def test_settings_that_are_no_numbers_are_named():
    for setting in ("momentum", "eps"):
        with pytest.raises(TypeError, match=f"BatchNorm1d: {setting} must be a number, got 'a'"):
            ag.nn.BatchNorm1d(3, **{setting: "a"})
    assert ag.nn.BatchNorm1d(3, momentum=None).momentum is None  # the mean of all batches


def test_modules_show_their_settings():
    assert repr(ag.nn.BatchNorm2d(3)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    )
    assert repr(ag.nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True)"
    assert repr(ag.nn.RMSNorm(4)) == "RMSNorm((4,), eps=None, elementwise_affine=True)"
