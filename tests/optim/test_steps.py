"""What every optimizer does: PyTorch's steps, what it saves, recorded steps, on every library."""

import copy
import gc
import pickle

import numpy as np
import pytest

import agrad as ag
from agrad import optim

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

STEPS = 50
SHAPES = [(3, 2), (4,), ()]
RNG = np.random.default_rng(0)
START = [RNG.normal(size=shape) for shape in SHAPES]
NOISE = [[RNG.normal(size=shape) for shape in SHAPES] for _ in range(STEPS)]

# An optimizer, and its settings, which are PyTorch's too
CASES = {
    "SGD": ("SGD", {"lr": 0.1}),
    "SGD that maximizes": ("SGD", {"lr": 0.01, "maximize": True}),
    "SGD with weight decay": ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    "SGD with momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "SGD with dampening": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    "SGD of Nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD with all": (
        "SGD",
        {"lr": 0.01, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1, "maximize": True},
    ),
    "SGD with momentum that maximizes": (
        "SGD",
        {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1, "maximize": True},
    ),
    "Adam": ("Adam", {}),
    "Adam, settings": ("Adam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3}),
    "Adam with weight decay": ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    "Adam with decoupled decay": (
        "Adam",
        {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    "AMSGrad": ("Adam", {"lr": 0.05, "betas": (0.9, 0.9), "amsgrad": True}),
    "Adam that maximizes": ("Adam", {"lr": 0.01, "maximize": True, "weight_decay": 0.1}),
    "AdamW": ("AdamW", {}),
    "AdamW, settings": ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    "AdamW that maximizes": ("AdamW", {"lr": 0.01, "maximize": True}),
    "Adamax": ("Adamax", {}),
    "Adamax, settings": ("Adamax", {"lr": 0.05, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    "NAdam": ("NAdam", {}),
    "NAdam, settings": ("NAdam", {"lr": 0.05, "momentum_decay": 0.1, "weight_decay": 0.1}),
    "NAdam with decoupled decay": (
        "NAdam",
        {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    "RAdam": ("RAdam", {}),
    "RAdam, settings": ("RAdam", {"lr": 0.05, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    "RAdam, always uncertain": ("RAdam", {"lr": 0.05, "betas": (0.8, 0.5)}),
    "RAdam with decoupled decay": (
        "RAdam",
        {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ),
    "Adagrad": ("Adagrad", {}),
    "Adagrad, settings": (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2},
    ),
    "Adadelta": ("Adadelta", {}),
    "Adadelta, settings": ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop with momentum": ("RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.9}),
    "RMSprop, centered": ("RMSprop", {"lr": 0.01, "centered": True, "weight_decay": 0.1}),
    "RMSprop with all": (
        "RMSprop",
        {"lr": 0.01, "centered": True, "momentum": 0.5, "eps": 1e-3, "maximize": True},
    ),
    "Rprop": ("Rprop", {}),
    "Rprop, settings": ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2)}),
    "Muon": ("Muon", {}),
    "Muon, settings": (
        "Muon",
        {"lr": 0.05, "nesterov": False, "momentum": 0.8, "adjust_lr_fn": "match_rms_adamw"},
    ),
    "Muon, more iterations": ("Muon", {"lr": 0.05, "ns_steps": 7, "weight_decay": 0.0}),
    "ASGD": ("ASGD", {}),
    "ASGD, settings": (
        "ASGD",
        {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 3, "weight_decay": 0.1, "maximize": True},
    ),
    "Adafactor": ("Adafactor", {}),
    "Adafactor, settings": (
        "Adafactor",
        {"lr": 0.3, "beta2_decay": -0.5, "eps": (0.3, 0.01), "d": 1.5, "weight_decay": 0.1},
    ),
    "Adafactor, other way": ("Adafactor", {"lr": 0.01, "eps": (None, 0.5), "maximize": True}),
    "Lion": ("Lion", {}),
    "Lion, settings": ("Lion", {"lr": 0.01, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    "MomentumSGD": ("MomentumSGD", {"lr": 0.1, "momentum": 0.9}),
}
# One for each way that a step goes
REPRESENTATIVE = [
    "SGD with all",
    "SGD with momentum",
    "SGD of Nesterov",
    "Adam",
    "AMSGrad",
    "AdamW, settings",
    "Adamax",
    "NAdam, settings",
    "RAdam, settings",
    "Adagrad",
    "Adadelta",
    "RMSprop with all",
    "Rprop",
    "ASGD, settings",
    "Adafactor",
    "Muon",
    "Lion, settings",
    "MomentumSGD",
]


@pytest.fixture(autouse=True)
def numbers_of_pytorch_in_double_precision():
    """Its NAdam keeps a number in an array of the default data type."""
    if torch is None:
        yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


class TorchLion(torch.optim.Optimizer if torch else object):
    """The paper's algorithm 2, for PyTorch has none."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    def step(self):
        with torch.no_grad():
            for group in self.param_groups:
                beta1, beta2 = group["betas"]
                for p in group["params"]:
                    m = self.state[p].setdefault("m", torch.zeros_like(p))
                    c = beta1 * m + (1 - beta1) * p.grad
                    p -= group["lr"] * (c.sign() + group["weight_decay"] * p)
                    m.mul_(beta2).add_((1 - beta2) * p.grad)


def parts(name):
    """Return which of the parameters an optimizer takes: Muon has matrices only."""
    return [0] if name.startswith("Muon") else [0, 1, 2]


def parameters(name, dtype="float64"):
    return [ag.Parameter(START[i].astype(dtype)) for i in parts(name)]


def make(name, params):
    kind, settings = CASES[name]
    return getattr(optim, kind)(params, **settings)


def make_theirs(name, params, monkeypatch):
    kind, settings = CASES[name]
    if kind == "Muon":
        if not hasattr(torch.optim, "Muon"):
            pytest.skip("this PyTorch has no Muon")
        monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())  # it rounds to 8 bits
    if kind == "Lion":
        return TorchLion(params, **settings)
    kind = {"MomentumSGD": "SGD"}.get(kind, kind)
    return getattr(torch.optim, kind)(params, **settings)


def gradient(p, step, i):
    """Return the gradient of a quadratic loss, with noise."""
    return 0.3 * p + NOISE[step][i].astype(p.dtype)


def run(optimizer, steps, indices):
    for step in steps:
        for p, i in zip(optimizer.params, indices, strict=True):
            p.grad = ag.Tensor(np.asarray(gradient(p.detach().numpy(), step, i)))
        optimizer.step()


def values(params):
    return [p.detach().numpy().copy() for p in params]


def assert_same(xs, ys, tolerance):
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance / 10)


@needs_torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_fifty_steps_give_pytorchs_weights(name, dtype, monkeypatch):
    ours = make(name, parameters(name, dtype))
    twins = [torch.tensor(START[i].astype(dtype), requires_grad=True) for i in parts(name)]
    theirs = make_theirs(name, twins, monkeypatch)
    run(ours, range(STEPS), parts(name))
    for step in range(STEPS):
        for p, i in zip(twins, parts(name), strict=True):
            p.grad = torch.tensor(gradient(p.detach().numpy(), step, i))
        theirs.step()
    assert_same(
        values(ours.params),
        [p.detach().numpy() for p in twins],
        1e-5 if dtype == "float32" else 1e-10,
    )
    assert all(p.dtype == ag.dtypes.dtype(dtype) for p in ours.params)


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_what_is_saved_goes_on_in_another_optimizer_as_in_the_first(name):
    whole = make(name, parameters(name))
    run(whole, range(20), parts(name))
    weights, saved = values(whole.params), pickle.loads(pickle.dumps(whole.state_dict()))
    again = whole.state_dict()
    run(whole, range(20, STEPS), parts(name))
    for each in (saved, again):  # the second isn't changed by later steps
        other = make(name, [ag.Parameter(x) for x in weights])
        other.load_state_dict(each)
        run(other, range(20, STEPS), parts(name))
        assert_same(values(other.params), values(whole.params), 1e-15)


@needs_torch
@pytest.mark.parametrize("name", [n for n in REPRESENTATIVE if not n.startswith("Lion")])
def test_the_state_has_pytorchs_structure_and_theirs_can_be_loaded(name, monkeypatch):
    twins = [torch.tensor(START[i], requires_grad=True) for i in parts(name)]
    theirs = make_theirs(name, twins, monkeypatch)

    def run_theirs(steps):
        for step in steps:
            for p, i in zip(twins, parts(name), strict=True):
                p.grad = torch.tensor(gradient(p.detach().numpy(), step, i))
            theirs.step()

    run_theirs(range(20))
    ours = make(name, [ag.Parameter(p.detach().numpy()) for p in twins])
    ours.load_state_dict(theirs.state_dict())
    own, saved = ours.state_dict(), theirs.state_dict()
    assert own["state"].keys() == saved["state"].keys()
    for i, state in own["state"].items():
        assert state.keys() == saved["state"][i].keys()
    groups = zip(own["param_groups"], saved["param_groups"], strict=True)
    assert all(a.keys() >= b.keys() and a["params"] == b["params"] for a, b in groups)
    run_theirs(range(20, STEPS))
    run(ours, range(20, STEPS), parts(name))
    assert_same(values(ours.params), [p.detach().numpy() for p in twins], 1e-10)


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_a_copy_of_an_optimizer_with_its_parameters_goes_on_alike(name):
    whole = make(name, parameters(name))
    run(whole, range(5), parts(name))
    other = copy.deepcopy(whole)
    for each in (whole, other):
        run(each, range(5, 10), parts(name))
    assert_same(values(other.params), values(whole.params), 1e-15)


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_each_library_gives_the_same_weights(name, other_backend):
    own = make(name, parameters(name))
    run(own, range(3), parts(name))
    place = other_backend
    there = make(name, [ag.Parameter(place.tensor(START[i])) for i in parts(name)])
    for step in range(3):
        for p, i in zip(there.params, parts(name), strict=True):
            p.grad = place.tensor(gradient(place.numpy(p), step, i))
        there.step()
    assert_same([place.numpy(p) for p in there.params], values(own.params), 1e-10)
    for p in there.params:
        kept = [x for x in there.state[p].values() if isinstance(x, ag.Tensor)]
        assert {x.device for x in (p, *kept)} == {place.device}


def train(name, compiled, steps, change):
    """Return the weights after training with new data, and other settings, in each step."""
    params = parameters(name)[:1]  # each takes a while to record
    optimizer = make(name, params)

    def step(noise):
        optimizer.zero_grad()
        sum(((0.3 * p + x) * p).sum() for p, x in zip(params, noise, strict=True)).backward()
        optimizer.step()

    recorded = ag.compile(step) if compiled else step
    for i in range(steps):
        change(optimizer.param_groups[0], i)
        recorded([ag.Tensor(np.asarray(NOISE[i][j])) for j in range(1)])
    return values(params), recorded, optimizer


def other_numbers(group, i):
    group["lr"] = 0.1 / (i + 1)
    if group.get("momentum"):
        group["momentum"] = 0.9 - 0.01 * i
    if "betas" in group:
        group["betas"] = (0.9 - 0.01 * i, group["betas"][1])
    if group.get("weight_decay"):
        group["weight_decay"] = 0.01 * (i + 1)


LAYOUTS = {
    "rows": lambda x: x,
    "columns": np.asfortranarray,
    "every other": lambda x: np.repeat(x, 2, axis=0)[::2],
}


def run_part_by_part(name, put, monkeypatch):
    """Return the weights after some steps, at once and part by part."""
    results = []
    for large in (1000, 2):
        monkeypatch.setattr(optim.optimizer, "_LARGE", large)
        monkeypatch.setattr(optim.optimizer, "_BLOCK", 4)
        w = ag.Parameter(put(START[0]))
        w.data = put(START[0].copy())  # as it lies in memory
        optimizer = make(name, [w])
        for step in range(3):
            w.grad = ag.Tensor(put(NOISE[step][0]))
            optimizer.step()
        results.append(w.tolist())
    return results


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_large_parameters_change_part_by_part_as_at_once(name, layout, monkeypatch):
    whole, parts = run_part_by_part(name, LAYOUTS[layout], monkeypatch)
    np.testing.assert_allclose(parts, whole, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", ["Adam", "RMSprop with all"])
def test_each_library_changes_large_parameters_alike(name, monkeypatch, other_backend):
    whole, parts = run_part_by_part(name, other_backend.array, monkeypatch)
    np.testing.assert_allclose(parts, whole, rtol=1e-14, atol=1e-15)


@pytest.fixture
def few_objects():
    """A recording looks through all objects that there are; those of other libraries can wait."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("few_objects")
@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_a_recorded_step_gives_the_same_weights_also_with_other_settings(name):
    own, _, optimizer = train(name, False, 12, other_numbers)
    recorded, step, other = train(name, True, 12, other_numbers)
    assert_same(recorded, own, 1e-13)
    # RAdam and ASGD go another way from some step on
    ways = 2 if name.startswith(("RAdam", "ASGD")) else 1
    assert step.program().count("def step") == ways
    saved, others = optimizer.state_dict()["state"], other.state_dict()["state"]
    for state, twin in zip(saved.values(), others.values(), strict=True):
        for key, value in state.items():
            number = value.tolist() if isinstance(value, ag.Tensor) else value
            twins = twin[key].tolist() if isinstance(value, ag.Tensor) else twin[key]
            np.testing.assert_allclose(twins, number, rtol=1e-13, atol=1e-15)


@needs_torch
@pytest.mark.parametrize("name", ["ASGD", "ASGD, settings"])
def test_the_average_that_asgd_keeps_is_pytorchs(name, monkeypatch):
    ours = make(name, parameters(name))
    twins = [torch.tensor(x, requires_grad=True) for x in START]
    theirs = make_theirs(name, twins, monkeypatch)
    run(ours, range(STEPS), parts(name))
    for step in range(STEPS):
        for i, p in enumerate(twins):
            p.grad = torch.tensor(gradient(p.detach().numpy(), step, i))
        theirs.step()
    for p, q in zip(ours.params, twins, strict=True):
        own, other = ours.state[p], theirs.state[q]
        np.testing.assert_allclose(own["ax"].numpy(), other["ax"].numpy(), rtol=1e-10)
        for number in ("step", "eta", "mu"):
            np.testing.assert_allclose(own[number], other[number].item(), rtol=1e-12)


def test_a_parameter_without_a_gradient_has_no_state_and_counts_no_steps():
    still, moving = ag.Parameter([1.0]), ag.Parameter([1.0])
    optimizer = optim.Adam([still, moving])
    for _ in range(2):
        moving.grad = ag.ones_like(moving)
        optimizer.step()
    assert still.tolist() == [1.0]
    assert list(optimizer.state_dict()["state"]) == [1]
    assert optimizer.state[moving]["step"] == 2


@pytest.mark.parametrize("name", ["SGD with momentum", "SGD of Nesterov", "Adam", "RMSprop"])
def test_the_state_follows_parameters_that_move(name, other_backend):
    layer = ag.nn.Linear(3, 2)
    optimizer = make(name, layer.parameters())
    for device, dtype in [("cpu", ag.float64), (other_backend.device, ag.float32)]:
        layer.to(device).to(dtype)
        for _ in range(2):
            for p in layer.parameters():
                p.grad = ag.ones_like(p).detach()
            optimizer.step()
        for p in layer.parameters():
            kept = [x for x in optimizer.state[p].values() if isinstance(x, ag.Tensor)]
            assert kept
            assert {(x.device, x.dtype) for x in kept} == {(device, dtype)}


@pytest.mark.parametrize("name", [n for n in REPRESENTATIVE if "SGD" not in n])
def test_complex_parameters_are_refused(name):
    with pytest.raises(TypeError, match="changes real parameters, got one of complex128"):
        make(name, [ag.Parameter(np.ones((2, 2), dtype=complex))])


WRONG = {
    "Adam": [{"lr": -1}, {"betas": (1.0, 0.9)}, {"betas": 0.9}, {"eps": -1}, {"weight_decay": "a"}],
    "NAdam": [{"momentum_decay": -1}, {"betas": (0.9, -0.1)}],
    "SGD": [{"momentum": -1}, {"nesterov": True}, {"weight_decay": float("nan")}],
    "Adagrad": [{"lr_decay": -1}, {"initial_accumulator_value": -1}],
    "Adadelta": [{"rho": 1.5}, {"rho": -0.1}],
    "RMSprop": [{"alpha": -1}, {"momentum": -1}],
    "Rprop": [{"etas": (1.5, 2)}, {"etas": (0.5, 0.9)}, {"step_sizes": (2, 1)}],
    "Muon": [{"ns_coefficients": (1, 2)}, {"adjust_lr_fn": "other"}, {"momentum": -1}],
    "Lion": [{"betas": (0.9,)}],
    "ASGD": [{"lambd": -1}, {"alpha": "a"}, {"t0": float("nan")}],
    "Adafactor": [
        *({"d": 0.5}, {"beta2_decay": 0.1}, {"beta2_decay": None}, {"weight_decay": -1}),
        *({"eps": 1e-3}, {"eps": (-1, 1)}, {"eps": (None, None)}),
    ],
}


@pytest.mark.parametrize("kind", WRONG)
def test_settings_out_of_range_are_refused_by_an_error_that_names_them(kind):
    for settings in WRONG[kind]:
        [(name, value)] = settings.items()
        with pytest.raises(ValueError, match=name) as error:
            getattr(optim, kind)([ag.Parameter([[1.0]])], **settings)
        assert kind in str(error.value) or "momentum" in settings
        with pytest.raises(ValueError, match=name):  # also in a group of its own
            getattr(optim, kind)([{"params": ag.Parameter([[1.0]]), name: value}])


def test_muon_is_for_matrices():
    with pytest.raises(ValueError, match=r"Muon changes matrices, got a parameter of shape \(3,\)"):
        optim.Muon([ag.Parameter(np.ones(3))])
