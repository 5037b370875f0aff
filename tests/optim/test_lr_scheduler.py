"""Schedules: PyTorch's learning rates and momenta, epoch after epoch."""

import math
import pickle

import numpy as np
import pytest

import agrad as ag
from agrad.optim import lr_scheduler as ours

try:
    import torch
    from torch.optim import lr_scheduler as theirs
except ImportError:
    torch = theirs = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

# PyTorch warns where no step of the optimizer comes first
pytestmark = pytest.mark.filterwarnings("ignore:Detected call of")

EPOCHS = 60


def falling(epoch):
    return 1 / (1 + epoch)


def short(epoch):
    return 0.9 if epoch % 2 else 1.0


def height(x):
    return 1 / x


def sequence(module, optimizer, *parts, milestones):
    made = [getattr(module, kind)(optimizer, **settings) for kind, settings in parts]
    return module.SequentialLR(optimizer, made, milestones)


# Each makes a schedule of a module's, ours or PyTorch's, for an optimizer
CASES = {
    "LambdaLR": lambda m, o: m.LambdaLR(o, falling),
    "LambdaLR, one a group": lambda m, o: m.LambdaLR(o, [falling, short]),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, short),
    "StepLR": lambda m, o: m.StepLR(o, 7),
    "StepLR, settings": lambda m, o: m.StepLR(o, step_size=3, gamma=0.8),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [30, 5, 5, 20], gamma=0.5),
    "ConstantLR": lambda m, o: m.ConstantLR(o),
    "ConstantLR, settings": lambda m, o: m.ConstantLR(o, factor=0.1, total_iters=20),
    "LinearLR": lambda m, o: m.LinearLR(o),
    "LinearLR, settings": lambda m, o: m.LinearLR(o, 0.2, 0.9, total_iters=30),
    "LinearLR down to 0": lambda m, o: m.LinearLR(o, 1.0, 0.0, total_iters=30),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o),
    "PolynomialLR, settings": lambda m, o: m.PolynomialLR(o, total_iters=40, power=2.5),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, 50),
    "CosineAnnealingLR, up again": lambda m, o: m.CosineAnnealingLR(o, 7, eta_min=0.01),
    "CosineAnnealingLR of 1": lambda m, o: m.CosineAnnealingLR(o, 1),
    "Warm restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 10),
    "Warm restarts, settings": lambda m, o: m.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.5, total_steps=EPOCHS),
    "OneCycleLR, a line": lambda m, o: m.OneCycleLR(
        o, [0.5, 1.0], epochs=6, steps_per_epoch=10, anneal_strategy="linear", pct_start=0.4
    ),
    "OneCycleLR, three phases": lambda m, o: m.OneCycleLR(
        o, 0.5, EPOCHS, three_phase=True, div_factor=10.0, final_div_factor=100.0
    ),
    "OneCycleLR, momentum stays": lambda m, o: m.OneCycleLR(o, 0.5, EPOCHS, cycle_momentum=False),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 5),
    "CyclicLR, triangular2": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 5, 8, mode="triangular2"),
    "CyclicLR, exp_range": lambda m, o: m.CyclicLR(
        o, [0.01, 0.02], [0.1, 0.2], 5, 3, mode="exp_range", gamma=0.95
    ),
    "CyclicLR, by a function": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 5, scale_fn=height),
    "SequentialLR": lambda m, o: sequence(
        m,
        o,
        ("ConstantLR", {"factor": 0.1}),
        ("ExponentialLR", {"gamma": 0.9}),
        ("StepLR", {"step_size": 5}),
        milestones=[10, 30],
    ),
    "SequentialLR, warm-up and cosine": lambda m, o: sequence(
        m, o, ("LinearLR", {"total_iters": 8}), ("CosineAnnealingLR", {"T_max": 40}), milestones=[8]
    ),
    "SequentialLR of others": lambda m, o: sequence(
        m,
        o,
        ("LambdaLR", {"lr_lambda": falling}),
        ("PolynomialLR", {"total_iters": 10}),
        ("CosineAnnealingWarmRestarts", {"T_0": 6}),
        ("MultiStepLR", {"milestones": [2, 4]}),
        milestones=[5, 20, 40],
    ),
    "ChainedScheduler": lambda m, o: m.ChainedScheduler(
        [m.ConstantLR(o, 0.1, 6), m.ExponentialLR(o, 0.9), m.StepLR(o, 4, 0.7)]
    ),
    "ChainedScheduler of cosines": lambda m, o: m.ChainedScheduler(
        [m.CosineAnnealingLR(o, 20, 0.001), m.LinearLR(o, 0.5)], optimizer=o
    ),
}
OPTIMIZERS = {
    "SGD": {"momentum": 0.9},
    "Adam": {},
}


def optimizer_of_ours(kind="SGD", lrs=(0.1, 0.3)):
    groups = [{"params": [ag.Parameter(1.0)], "lr": lr} for lr in lrs]
    return getattr(ag.optim, kind)(groups, **OPTIMIZERS[kind])


def optimizer_of_theirs(kind="SGD", lrs=(0.1, 0.3)):
    groups = [{"params": [torch.ones((), requires_grad=True)], "lr": lr} for lr in lrs]
    return getattr(torch.optim, kind)(groups, **OPTIMIZERS[kind])


def facts(optimizer, schedule):
    """Return the learning rates, and the momenta, of all groups."""
    groups = optimizer.param_groups
    momenta = [group.get("momentum", group.get("betas")) for group in groups]
    return [group["lr"] for group in groups], schedule.get_last_lr(), np.ravel(momenta)


def assert_same(xs, ys):
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-15)


@needs_torch
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("name", CASES)
def test_learning_rates_and_momenta_are_pytorchs_in_each_epoch(name, kind):
    mine, other = optimizer_of_ours(kind), optimizer_of_theirs(kind)
    schedule, twin = CASES[name](ours, mine), CASES[name](theirs, other)
    assert_same(facts(mine, schedule), facts(other, twin))
    for _ in range(EPOCHS - 1):
        schedule.step()
        twin.step()
        assert_same(facts(mine, schedule), facts(other, twin))


METRICS = np.random.default_rng(0).normal(size=EPOCHS).cumsum() - np.arange(EPOCHS) / 3


@needs_torch
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"patience": 1, "factor": 0.5},
        {"mode": "max", "patience": 2, "cooldown": 3},
        {"threshold": 0.3, "patience": 0, "factor": 0.9, "min_lr": [0.01, 0.2]},
        {"threshold": 0.5, "threshold_mode": "abs", "patience": 1, "factor": 0.7},
        {"mode": "max", "threshold": 0.2, "patience": 1, "factor": 0.7, "eps": 0.01},
        {"mode": "max", "threshold": 0.5, "threshold_mode": "abs", "patience": 1, "min_lr": 0.001},
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_reducing_on_a_plateau_is_pytorchs(settings, sign):
    mine, other = optimizer_of_ours(), optimizer_of_theirs()
    schedule = ours.ReduceLROnPlateau(mine, **settings)
    twin = theirs.ReduceLROnPlateau(other, **settings)
    for value in METRICS:
        schedule.step(ag.Tensor(sign * value))
        twin.step(sign * value)
        assert_same(facts(mine, schedule), facts(other, twin))
        assert (schedule.best, schedule.num_bad_epochs) == (twin.best, twin.num_bad_epochs)


@needs_torch
@pytest.mark.parametrize("name", ["StepLR", "ExponentialLR", "CosineAnnealingLR", "LinearLR"])
def test_a_rate_that_the_user_changes_is_gone_on_from_as_in_pytorch(name):
    mine, other = optimizer_of_ours(), optimizer_of_theirs()
    schedule, twin = CASES[name](ours, mine), CASES[name](theirs, other)
    for epoch in range(20):
        if epoch == 4:
            for group in (*mine.param_groups, *other.param_groups):
                group["lr"] *= 2
        schedule.step()
        twin.step()
        assert_same(facts(mine, schedule), facts(other, twin))


@pytest.mark.parametrize("name", CASES)
def test_what_is_saved_goes_on_in_another_schedule_as_in_the_first(name):
    whole = optimizer_of_ours()
    schedule = CASES[name](ours, whole)
    for _ in range(20):
        schedule.step()
    saved, optimizers = pickle.loads(pickle.dumps((schedule.state_dict(), whole.state_dict())))
    other = optimizer_of_ours(lrs=(1.0, 1.0))
    twin = CASES[name](ours, other)
    other.load_state_dict(optimizers)
    twin.load_state_dict(saved)
    for _ in range(30):
        schedule.step()
        twin.step()
        assert_same(facts(whole, schedule), facts(other, twin))


# A group that is added later, as when layers are unfrozen, takes part from then on
LATER = ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR"]


@needs_torch
@pytest.mark.parametrize("name", [*LATER, "CosineAnnealingLR"])
def test_a_group_that_is_added_later_is_scheduled_as_in_pytorch(name):
    optimizers = optimizer_of_ours(), optimizer_of_theirs()
    schedules = [CASES[name](m, o) for m, o in zip((ours, theirs), optimizers, strict=True)]
    leaves = ag.Parameter(1.0), torch.ones((), requires_grad=True)
    for epoch in range(15):
        for optimizer, schedule, leaf in zip(optimizers, schedules, leaves, strict=True):
            optimizer.step()
            schedule.step()
            if epoch == 3:
                optimizer.add_param_group({"params": [leaf], "lr": 0.7})
        if epoch != 3:
            assert_same(*(facts(o, s) for o, s in zip(optimizers, schedules, strict=True)))


def test_a_plateau_lowers_the_rate_of_a_group_that_is_added_later():
    optimizer = optimizer_of_ours()
    schedule = ours.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.02)
    schedule.step(1.0)
    optimizer.add_param_group({"params": [ag.Parameter(1.0)], "lr": 0.7})
    schedule.step(1.0)
    np.testing.assert_allclose(schedule.get_last_lr(), [0.02, 0.03, 0.07])


@pytest.mark.parametrize("kind", ["LambdaLR", "MultiplicativeLR"])
def test_a_group_that_is_added_later_has_no_function(kind):
    optimizer = optimizer_of_ours()
    schedule = getattr(ours, kind)(optimizer, short)
    optimizer.add_param_group({"params": [ag.Parameter(1.0)]})
    with pytest.raises(ValueError, match=f"{kind}: lr_lambda must be .* each of the 3; got 2"):
        schedule.step()


def test_a_plateau_is_saved_too():
    whole, other = optimizer_of_ours(), optimizer_of_ours()
    schedule, twin = (ours.ReduceLROnPlateau(each, patience=3) for each in (whole, other))
    for value in METRICS[:20]:
        schedule.step(value)
    other.load_state_dict(whole.state_dict())
    twin.load_state_dict(schedule.state_dict())
    for value in METRICS[20:]:
        schedule.step(value)
        twin.step(value)
        assert_same(facts(whole, schedule), facts(other, twin))


class Fall:
    def __init__(self, speed):
        self.speed = speed

    def __call__(self, epoch):
        return self.speed**epoch


def test_an_object_that_is_called_is_saved_with_its_attributes():
    schedule = ours.LambdaLR(optimizer_of_ours(), Fall(0.5))
    other = ours.LambdaLR(optimizer_of_ours(), Fall(0.1))
    other.load_state_dict(schedule.state_dict())
    assert other.lr_lambdas[0].speed == 0.5


# Each with milestones, or whatever it has of that kind, in the first dozen epochs
RESUMED = {
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [2, 5, 5, 9], "gamma": 0.5},
    "ConstantLR": {"factor": 0.3, "total_iters": 4},
    "LinearLR": {"start_factor": 0.3, "total_iters": 4},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {"total_iters": 6, "power": 2.0},
    "CosineAnnealingLR": {"T_max": 4, "eta_min": 0.01},
    "LambdaLR": {"lr_lambda": falling},
    "MultiplicativeLR": {"lr_lambda": short},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3},
    "OneCycleLR": {"max_lr": 0.5, "total_steps": 30},
}


@needs_torch
@pytest.mark.parametrize("kind", RESUMED)
@pytest.mark.parametrize("last_epoch", range(13))
def test_a_schedule_can_go_on_after_any_epoch_as_in_pytorch(kind, last_epoch):
    results = []
    for module, make in ((ours, optimizer_of_ours), (theirs, optimizer_of_theirs)):
        optimizer = make()
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"] * 2
            if kind == "OneCycleLR":  # it has left them there
                group |= {"max_lr": 0.5, "min_lr": 1e-4}
                group |= {"max_momentum": 0.95, "base_momentum": 0.85}
        schedule = getattr(module, kind)(optimizer, **RESUMED[kind], last_epoch=last_epoch)
        seen = [facts(optimizer, schedule)]
        for _ in range(8):
            schedule.step()
            seen.append(facts(optimizer, schedule))
        results.append(seen)
    for own, other in zip(*results, strict=True):
        assert_same(own, other)


def test_a_schedule_of_ones_own_needs_a_factor_alone():
    class Halved(ours.LRScheduler):
        def factor(self, epoch):
            return 0.5**epoch

    optimizer = optimizer_of_ours()
    schedule = Halved(optimizer)
    for _ in range(3):
        schedule.step()
    assert schedule.get_last_lr() == [0.1 / 8, 0.3 / 8]


def test_recorded_steps_take_the_rates_and_momenta_of_a_schedule():
    results = []
    for make in (lambda step: step, ag.compile):
        w = ag.Parameter([1.0, -2.0], dtype="float64")
        optimizer = ag.optim.Adam([w])
        schedule = ours.OneCycleLR(optimizer, 0.5, total_steps=12)

        def step(w=w, optimizer=optimizer):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()

        step = make(step)
        for _ in range(11):
            step()
            schedule.step()
        results.append(w.tolist())
    np.testing.assert_allclose(results[1], results[0], rtol=1e-13)
    assert step.program().count("def step") == 1


WRONG = {
    "no optimizer": (lambda o: ours.StepLR(o.param_groups, 3), "an Optimizer, got list"),
    "no optimizer to reduce": (lambda o: ours.ReduceLROnPlateau(None), "an Optimizer, got None"),
    "a size of 0": (lambda o: ours.StepLR(o, 0), "step_size must be a positive integer, got 0"),
    "a factor of 0": (lambda o: ours.ConstantLR(o, 0), "factor must be above 0"),
    "a factor of 2": (lambda o: ours.LinearLR(o, 2), "start_factor must be above 0 and at most 1"),
    "a T_max of 0": (lambda o: ours.CosineAnnealingLR(o, 0), "T_max must be a positive"),
    "a T_mult of 0": (lambda o: ours.CosineAnnealingWarmRestarts(o, 3, 0), "T_mult must be a pos"),
    "three functions": (lambda o: ours.LambdaLR(o, [short] * 3), "for each of the 2; got 3"),
    "no function": (lambda o: ours.LambdaLR(o, 0.5), "must be a function of the epoch, got float"),
    "a mode": (lambda o: ours.CyclicLR(o, 0, 1, mode="up"), "mode must be triangular"),
    "no steps": (lambda o: ours.OneCycleLR(o, 1), "total_steps, or epochs and steps_per_epoch"),
    "a part": (lambda o: ours.OneCycleLR(o, 1, 10, pct_start=2), "pct_start must be from 0 to 1"),
    "a strategy": (lambda o: ours.OneCycleLR(o, 1, 9, anneal_strategy="x"), "cos or linear"),
    "plateau, factor": (lambda o: ours.ReduceLROnPlateau(o, factor=1), "factor must be less than"),
    "plateau, mode": (lambda o: ours.ReduceLROnPlateau(o, "less"), "mode must be min or max"),
    "milestones": (lambda o: ours.SequentialLR(o, [ours.StepLR(o, 2)], [1]), "1 schedules and 1"),
    "nothing in a chain": (lambda o: ours.ChainedScheduler([]), "at least one schedule"),
    "a plateau in a chain": (
        lambda o: ours.ChainedScheduler([ours.ReduceLROnPlateau(o)]),
        "need no measure, got ReduceLROnPlateau",
    ),
    "two optimizers": (
        lambda o: ours.ChainedScheduler([ours.StepLR(o, 2), ours.StepLR(optimizer_of_ours(), 2)]),
        "for the same optimizer",
    ),
    "a milestone alone": (lambda o: ours.MultiStepLR(o, 3), "milestones must be a list"),
    "a text as milestone": (lambda o: ours.MultiStepLR(o, ["a"]), "milestones must be a number"),
    "a text as rate": (lambda o: ours.ExponentialLR(o, "a"), "ExponentialLR: gamma must be a num"),
    "going on": (lambda o: ours.StepLR(o, 2, last_epoch=3), 'needs "initial_lr"'),
    "a list loaded": (lambda o: ours.StepLR(o, 2).load_state_dict([]), "takes a mapping"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_schedule_is_refused(name):
    make, message = WRONG[name]
    with pytest.raises((TypeError, ValueError)) as error:
        make(optimizer_of_ours())
    assert message in str(error.value)


# By kind and setting, each with what else the kind needs
NUMBERS = {
    ("StepLR", "gamma"): {"step_size": 2},
    ("MultiStepLR", "gamma"): {"milestones": [2]},
    ("ConstantLR", "factor"): {},
    ("LinearLR", "start_factor"): {},
    ("LinearLR", "end_factor"): {},
    ("ExponentialLR", "gamma"): {},
    ("PolynomialLR", "power"): {},
    ("CosineAnnealingLR", "eta_min"): {"T_max": 2},
    ("CosineAnnealingWarmRestarts", "eta_min"): {"T_0": 2},
    ("CyclicLR", "base_lr"): {"max_lr": 1},
    ("CyclicLR", "max_lr"): {"base_lr": 1},
    ("CyclicLR", "step_size_up"): {"base_lr": 1, "max_lr": 1},
    ("CyclicLR", "step_size_down"): {"base_lr": 1, "max_lr": 1},
    ("CyclicLR", "gamma"): {"base_lr": 1, "max_lr": 1},
    ("CyclicLR", "max_momentum"): {"base_lr": 1, "max_lr": 1},
    ("OneCycleLR", "max_lr"): {"total_steps": 9},
    ("OneCycleLR", "total_steps"): {"max_lr": 1},
    ("OneCycleLR", "pct_start"): {"max_lr": 1, "total_steps": 9},
    ("OneCycleLR", "div_factor"): {"max_lr": 1, "total_steps": 9},
    ("OneCycleLR", "final_div_factor"): {"max_lr": 1, "total_steps": 9},
    ("OneCycleLR", "base_momentum"): {"max_lr": 1, "total_steps": 9},
    ("ReduceLROnPlateau", "factor"): {},
    ("ReduceLROnPlateau", "patience"): {},
    ("ReduceLROnPlateau", "threshold"): {},
    ("ReduceLROnPlateau", "cooldown"): {},
    ("ReduceLROnPlateau", "min_lr"): {},
    ("ReduceLROnPlateau", "eps"): {},
}
MAY_BE = {
    ("StepLR", "gamma"): [-1],
    ("MultiStepLR", "gamma"): [-1],
    ("ExponentialLR", "gamma"): [-1],
    ("CosineAnnealingLR", "eta_min"): [-1],
    ("CosineAnnealingWarmRestarts", "eta_min"): [-1],
    ("CyclicLR", "base_lr"): [-1],
    ("CyclicLR", "max_lr"): [-1],
    ("CyclicLR", "gamma"): [-1],
    ("CyclicLR", "step_size_down"): [None],
    ("CyclicLR", "max_momentum"): [-1],
    ("OneCycleLR", "base_momentum"): [-1],
}


@pytest.mark.parametrize(("kind", "setting"), NUMBERS)
@pytest.mark.parametrize("wrong", ["a", None, math.nan, math.inf, -1])
def test_a_setting_that_is_no_such_number_is_named(kind, setting, wrong):
    if wrong in MAY_BE.get((kind, setting), ()):
        pytest.skip("it may be that")
    with pytest.raises((TypeError, ValueError)) as error:
        getattr(ours, kind)(optimizer_of_ours(), **NUMBERS[kind, setting], **{setting: wrong})
    assert str(error.value).startswith(f"{kind}: {setting}")
    assert str(error.value).endswith(f"got {wrong!r}")


@pytest.mark.parametrize("wrong", ["a", None, [1.0]])
def test_a_measure_that_is_no_number_is_refused(wrong):
    schedule = ours.ReduceLROnPlateau(optimizer_of_ours())
    with pytest.raises(TypeError, match=r"ReduceLROnPlateau\.step takes a number"):
        schedule.step(wrong)
    for fine in (np.float32(1.0), np.asarray(1.0), ag.Tensor(1.0), 1, math.nan):
        schedule.step(fine)
    assert schedule.last_epoch == 5


def test_a_last_epoch_that_is_none_is_refused():
    for wrong in ("a", None, 1.5, -2):
        with pytest.raises(ValueError, match=f"StepLR: last_epoch must be .* got {wrong!r}"):
            ours.StepLR(optimizer_of_ours(), 2, last_epoch=wrong)


def test_a_cycle_needs_an_optimizer_with_momentum_unless_told_otherwise():
    optimizer = ag.optim.Adagrad([ag.Parameter(1.0)])
    for make in (ours.CyclicLR, ours.OneCycleLR):
        with pytest.raises(ValueError, match="Adagrad has no momentum; give cycle_momentum=False"):
            make(optimizer, 0.1, 10)
    ours.CyclicLR(optimizer, 0.1, 1.0, cycle_momentum=False)


def test_one_cycle_ends():
    schedule = ours.OneCycleLR(optimizer_of_ours(), 1.0, total_steps=3)
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match="made for 3 steps"):
        schedule.step()
    assert all(map(math.isfinite, schedule.get_last_lr()))
