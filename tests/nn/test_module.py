"""Modules: what is found in them and under which names, their state, and their copies."""

import copy
import pickle
import re

import numpy as np
import pytest

import agrad as ag
from agrad import nn
from agrad.nn import functional as F

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")


def on(backend):
    """Return a place as `to` takes it."""
    return backend.tensor(0.0).device


class Holder(nn.Module):
    """A module whose attributes are what it is given."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


def parameter(value=1.0):
    return ag.Parameter([value])


def names(module):
    return [name for name, _ in module.named_parameters()]


# What is found -----------------------------------------------------------------------------------

PLACES = {
    "an attribute": ({"w": parameter()}, ["w"]),
    "a module": ({"layer": nn.Linear(2, 1)}, ["layer.weight", "layer.bias"]),
    "a list": ({"ws": [parameter(), parameter()]}, ["ws.0", "ws.1"]),
    "a tuple": ({"ws": (parameter(), 3, parameter())}, ["ws.0", "ws.2"]),
    "a dict": ({"ws": {"one": parameter(), "two": parameter()}}, ["ws.one", "ws.two"]),
    "a dict with integer keys": ({"ws": {4: parameter()}}, ["ws.4"]),
    "lists of lists": ({"ws": [[parameter()], [parameter()]]}, ["ws.0.0", "ws.1.0"]),
    "modules in lists in dicts": (
        {"parts": {"a": [nn.ReLU(), nn.Linear(2, 1, bias=False)]}},
        ["parts.a.1.weight"],
    ),
    "a ParameterList": ({"ws": nn.ParameterList([parameter(), parameter()])}, ["ws.0", "ws.1"]),
    "a ModuleList": (
        {"layers": nn.ModuleList([nn.Linear(2, 1, bias=False)])},
        ["layers.0.weight"],
    ),
    "a Sequential": (
        {"net": nn.Sequential(nn.ReLU(), nn.Linear(2, 1))},
        ["net.1.weight", "net.1.bias"],
    ),
    "a module in a module": (
        {"outer": Holder(inner=Holder(w=parameter()))},
        ["outer.inner.w"],
    ),
    "a private attribute": ({"_w": parameter()}, ["_w"]),
    "nowhere": ({"a": None, "b": 3, "c": "w", "d": ag.Tensor([1.0]), "e": [None, {}, set()]}, []),
}


@pytest.mark.parametrize("place", PLACES)
def test_parameters_are_found_in(place):
    attributes, expected = PLACES[place]
    module = Holder(**attributes)
    assert names(module) == expected
    assert list(module.state_dict()) == expected
    assert len(list(module.parameters())) == len(expected)


def test_parameters_come_in_the_order_in_which_they_were_assigned():
    module = Holder(b=parameter(), a=nn.Linear(1, 1), c=parameter())
    assert names(module) == ["b", "a.weight", "a.bias", "c"]


def test_what_is_assigned_later_is_found_and_what_is_deleted_is_not():
    module = Holder(w=parameter())
    module.late = nn.Linear(1, 1, bias=False)
    assert names(module) == ["w", "late.weight"]
    del module.w
    module.late = None
    assert names(module) == []


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (lambda n: nn.Linear(n, n), (2, 3)),
        (lambda n: nn.Bilinear(n, n, n), None),
        (lambda n: nn.Conv2d(n, n, n, stride=n, padding=n), (2, 3, 4, 4)),
        (lambda n: nn.MaxPool2d(n), (2, 3, 4, 4)),
        (lambda n: nn.LSTM(n, n, n), None),
        (lambda n: nn.Embedding(n, n), None),
        (lambda n: nn.LayerNorm(n), (2, 3)),
        (lambda n: nn.LayerNorm((n, n)), (2, 3, 3)),
        (lambda n: nn.BatchNorm1d(n), (2, 3)),
    ],
)
def test_sizes_may_be_integers_of_numpy(build, shape):
    ag.manual_seed(0)
    expected = build(3)
    ag.manual_seed(0)
    module = build(np.prod((1, 3)))
    assert repr(module) == repr(expected)
    for p, q in zip(module.parameters(), expected.parameters(), strict=True):
        np.testing.assert_array_equal(p.tolist(), q.tolist())
    if shape is not None:
        x = ag.ones(shape)
        np.testing.assert_array_equal(module(x).tolist(), expected(x).tolist())


def test_a_shared_parameter_is_found_once_and_saved_under_each_of_its_names():
    w, layer = parameter(), nn.Linear(1, 1)
    module = Holder(w=w, again=[w], first=layer, second=layer)
    assert names(module) == ["w", "first.weight", "first.bias"]
    assert list(module.parameters()) == [w, layer.weight, layer.bias]
    assert list(module.state_dict()) == [
        "w", "again.0", "first.weight", "first.bias", "second.weight", "second.bias",
    ]  # fmt: skip
    assert list(module.modules()) == [module, layer]


def test_modules_are_named_and_each_is_found_once():
    shared = nn.ReLU()
    net = nn.Sequential(nn.Linear(2, 2), shared, nn.Sequential(nn.Linear(2, 1), shared))
    assert [name for name, _ in net.named_modules()] == ["", "0", "1", "2", "2.0"]
    assert [type(m).__name__ for m in net.modules()] == [
        "Sequential", "Linear", "ReLU", "Sequential", "Linear",
    ]  # fmt: skip


def test_modules_that_refer_to_each_other_are_found():
    parent, child = Holder(w=parameter()), Holder(w=parameter())
    parent.child, child.parent, parent.me = child, parent, parent
    circle = [child]
    circle.append(circle)
    parent.circle = circle
    assert names(parent) == ["w", "child.w"]
    assert list(parent.modules()) == [parent, child]
    assert parent.eval().training is child.training is False
    parent.load_state_dict(parent.state_dict())


@pytest.mark.parametrize("count", [30])
def test_many_modules_that_know_each_other_are_found_in_no_time(count):
    modules = [Holder(w=parameter()) for _ in range(count)]
    for module in modules:
        module.others = [other for other in modules if other is not module]
    assert len(list(modules[0].parameters())) == count  # by way of each order they'd take for ever
    assert len(list(modules[0].modules())) == count


@needs_torch
def test_names_and_shapes_are_pytorchs_for_the_same_structure():
    def build(nn, parameter):
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = parameter()
                self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 2, bias=False)])
                self.weights = nn.ParameterList([parameter(), parameter()])
                self.head = nn.Sequential(
                    nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Tanh(), nn.Linear(3, 1))
                )
                self.tied = self.layers[0]

        return Block()

    ours = build(nn, parameter)
    theirs = build(torch.nn, lambda: torch.nn.Parameter(torch.ones(1)))
    for method in ("named_parameters", "named_modules"):
        own, other = (dict(getattr(net, method)()) for net in (ours, theirs))
        assert list(own) == list(other)
        if method == "named_parameters":
            assert [p.shape for p in own.values()] == [tuple(p.shape) for p in other.values()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({name: p.numpy() for name, p in theirs.state_dict().items()})
    for name, p in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[name].numpy(), p.numpy())


# By name -----------------------------------------------------------------------------------------


class Small(nn.Module):
    """A module of several kinds of parts, some of them shared."""

    def __init__(self):
        self.net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
        self.parts = {"a.b": [nn.ReLU(), nn.Linear(1, 1)], "none": None}
        self.tied = self.net[0]
        self.plain = ag.Tensor([1.0])
        self.register_buffer("mean", ag.ones(2), persistent=False)


def test_each_part_is_got_by_the_name_that_it_is_listed_under():
    module = Small()
    for kind in ("module", "parameter", "buffer"):
        named = list(getattr(module, f"named_{kind}s")())
        assert len(named) >= 4
        get = module.get_submodule if kind == "module" else getattr(module, f"get_{kind}")
        for name, part in named:
            assert get(name) is part
    assert module.get_submodule("") is module
    assert module.get_submodule("parts.a.b.1") is module.parts["a.b"][1]
    assert module.get_parameter("tied.weight") is module.net[0].weight


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("submodule", "net.3", r"this Small has no module 'net.3'; named_modules\(\) gives"),
        ("submodule", "net.0.weight", "no module 'net.0.weight'; .* is of type Parameter; named"),
        ("submodule", "parts.none", "no module 'parts.none'"),
        ("submodule", "net.0.", "no module 'net.0.'"),
        ("parameter", "net.0", "no parameter 'net.0'; 'net.0' is of type Linear; named_parameters"),
        ("parameter", "net.1.running_mean", "no parameter .* is of type Tensor"),
        ("parameter", "weight", "no parameter 'weight'; named"),
        ("buffer", "net.1.weight", "no buffer 'net.1.weight'; .* is of type Parameter"),
        ("buffer", "plain", "no buffer 'plain'; 'plain' is of type Tensor; named_buffers"),
        ("buffer", "", "no buffer ''"),
    ],
)
def test_what_isnt_there_is_not_got(kind, name, message):
    with pytest.raises(AttributeError, match=message):
        getattr(Small(), f"get_{kind}")(name)


@needs_torch
def test_what_is_registered_is_an_attribute_as_in_pytorch():
    def build(nn, parameter):
        module = nn.Module()
        module.register_parameter("w", parameter())
        module.register_parameter("none", None)
        module.register_parameter("late", None)
        module.register_parameter("late", parameter())
        module.add_module("layer", nn.Linear(2, 1))
        module.register_module("other", nn.ReLU())
        module.add_module("layer", nn.Linear(2, 3))
        sequence = nn.Sequential(nn.ReLU())
        sequence.add_module("1", nn.Linear(1, 1))
        sequence.add_module("0", nn.Tanh())
        module.add_module("sequence", sequence)
        module.add_module("heads", nn.ModuleDict())
        module.heads.add_module("digit", nn.Linear(3, 1))
        return module

    module = build(nn, parameter)
    other = build(torch.nn, lambda: torch.nn.Parameter(torch.ones(1)))
    # PyTorch lists the parameters of a module before its modules, and so did we assign them
    expected = {name: tuple(p.shape) for name, p in other.named_parameters()}
    assert {name: p.shape for name, p in module.named_parameters()} == expected
    own, theirs = dict(module.named_modules()), dict(other.named_modules())
    assert [(k, type(v).__name__) for k, v in own.items()] == [
        (k, type(v).__name__) for k, v in theirs.items()
    ]
    assert module.none is None
    x = np.linspace(-1, 1, 3).reshape(3, 1)
    weight, bias = (module.get_parameter(f"sequence.1.{name}").data for name in ("weight", "bias"))
    np.testing.assert_allclose(
        module.sequence(ag.Tensor(x)).tolist(), np.tanh(x) * weight + bias, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda m: m.register_parameter("w", ag.ones(2)), TypeError, "or None, got Tensor; wrap"),
        (lambda m: m.register_parameter("a.b", parameter()), ValueError, "without dots: 'a.b'"),
        (lambda m: m.register_parameter("", parameter()), ValueError, "without dots: ''"),
        (lambda m: m.register_parameter(3, parameter()), ValueError, "without dots: 3"),
        (lambda m: m.register_parameter("net", parameter()), ValueError, "Small has 'net' already"),
        (lambda m: m.register_parameter("mean", parameter()), ValueError, "has 'mean' already"),
        (lambda m: m.register_parameter("train", parameter()), ValueError, "has 'train' already"),
        (lambda m: m.add_module("new", 3), TypeError, "add_module takes a Module or None, got int"),
        (lambda m: m.add_module("a.b", nn.ReLU()), ValueError, "without dots: 'a.b'"),
        (lambda m: m.add_module("plain", nn.ReLU()), ValueError, "has 'plain' already"),
        (lambda m: m.net.add_module("act", nn.ReLU()), ValueError, "next one is '3', got 'act'"),
        (lambda m: m.net.add_module("3", None), TypeError, "Sequential holds Modules, got None"),
    ],
)
def test_what_cant_be_registered_is_refused_and_changes_nothing(act, error, message):
    module = Small()
    before = repr(module), list(vars(module))
    with pytest.raises(error, match=message):
        act(module)
    assert (repr(module), list(vars(module))) == before


def test_ones_own_settings_are_shown():
    class Own(nn.Module):
        def extra_repr(self):
            return "n=3"

    assert repr(nn.Sequential(Own())) == "Sequential(\n  (0): Own(n=3)\n)"


# The lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "items", "wrong", "word"),
    [
        (nn.ModuleList, [nn.ReLU(), nn.Linear(1, 1), nn.Tanh()], parameter(), "Modules"),
        (nn.ParameterList, [parameter(), parameter(), parameter()], ag.Tensor([1.0]), "Parameters"),
    ],
)
def test_a_list_of_modules_or_parameters_is_a_list(kind, items, wrong, word):
    one, two, three = items
    made = kind([one])
    assert made.append(two) is made
    assert made.extend(iter([three])) is made
    assert len(made) == 3
    assert list(made) == items
    assert (made[0], made[-1]) == (one, three)
    part = made[1:]
    assert type(part) is kind
    assert list(part) == [two, three]
    made[0] = three
    assert list(made) == [three, two, three]
    with pytest.raises(IndexError):
        made[3]

    acts = [made.append, lambda x: made.extend([x]), lambda x: made.__setitem__(0, x)]
    for act in (*acts, lambda x: kind([x])):
        with pytest.raises(TypeError, match=f"{kind.__name__} holds {word}, got"):
            act(wrong)
    assert list(made) == [three, two, three]


@pytest.mark.parametrize("kind", [nn.Sequential, nn.ModuleList, nn.ParameterList])
def test_the_attributes_of_a_kind_of_list_are_found_too(kind):
    class Own(kind):
        def __init__(self, *items):
            self.early = parameter()
            super().__init__(*items) if kind is nn.Sequential else super().__init__(items)
            self.extra = nn.Linear(2, 3)
            self.more = [parameter()]

    item = parameter() if kind is nn.ParameterList else nn.Linear(1, 1, bias=False)
    own = Own(item)
    first = "0" if kind is nn.ParameterList else "0.weight"
    expected = ["early", first, "extra.weight", "extra.bias", "more.0"]
    assert names(own) == expected
    assert list(own.state_dict()) == expected
    assert dict(own.named_modules())["extra"] is own.extra
    assert "(extra): Linear(" in repr(own)
    assert not own.eval().extra.training
    assert len(own) == 1
    assert list(own) == [item]
    assert names(copy.deepcopy(own)) == expected


def test_sequential_calls_one_after_the_other():
    class Add(nn.Module):
        def __init__(self, n):
            self.n = n

        def forward(self, x):
            return 10 * x + self.n

    net = nn.Sequential(Add(1), Add(2), Add(3))
    assert net(0) == 123
    assert net[1:](0) == 23
    assert nn.Sequential()(7) == 7
    with pytest.raises(TypeError, match="Sequential holds Modules, got function"):
        nn.Sequential(F.relu)


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Holder must define forward\(\)"):
        Holder()(1)


# Its state ---------------------------------------------------------------------------------------


def test_train_and_eval_reach_all_modules():
    net = Holder(parts=[nn.Sequential(nn.Linear(1, 1)), {"a": nn.ReLU()}])
    assert all(module.training for module in net.modules())
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    assert nn.ReLU().training  # others are left alone
    assert net.train() is net
    assert all(module.training for module in net.modules())
    assert not any(module.training for module in net.train(False).modules())


def test_zero_grad_forgets_all_gradients(backend):
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).to(on(backend))
    net(backend.tensor(np.ones(2, dtype=np.float32))).backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_zero_grad_can_leave_zeros_where_there_is_a_gradient():
    net = nn.Sequential(nn.Linear(2, 1), nn.Linear(2, 1))
    net[0](ag.ones(2, dtype=ag.float32)).backward()
    net.zero_grad(set_to_none=False)
    assert net[0].weight.grad.tolist() == [[0, 0]]
    assert net[0].weight.grad.dtype == ag.float32
    assert net[1].weight.grad is None


def trained(device, dtype, moves=()):
    """Return a network after eight steps, moved and cast before the fifth."""
    ag.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3, dtype=dtype, device=device))
    optimizer = ag.optim.MomentumSGD(net.parameters(), lr=0.1, momentum=0.5)
    x, gold = np.linspace(-1, 1, 8).reshape(2, 4), np.array([0, 2])
    parameters = list(net.parameters())
    for i in range(8):
        if i == 4:
            for where in moves:
                assert net.to(where) is net
        p = parameters[0]
        inputs = ag.Tensor(x).to(p.dtype).to(p._backend)
        loss = F.nll(net(inputs), ag.Tensor(gold).to(p._backend))
        if i != 4:  # there the gradient that moved along is added to
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(p is q for p, q in zip(net.parameters(), parameters, strict=True))
    for p in parameters:
        assert (p.grad.device, p.velocity.device) == (p.device, p.device)
        assert (p.grad.dtype, p.velocity.dtype) == (p.dtype, p.dtype)
    return net


def test_a_moved_network_goes_on_training_as_if_it_had_stayed(backend):
    stayed = trained("cpu", ag.float64)
    moved = trained("cpu", ag.float64, [on(backend)])
    assert {p.device for p in moved.parameters()} == {backend.device}
    for p, q in zip(moved.parameters(), stayed.parameters(), strict=True):
        assert p.requires_grad
        np.testing.assert_allclose(backend.numpy(p), q.data, rtol=1e-12)
    back = trained(on(backend), ag.float64, ["cpu"])
    assert {p.device for p in back.parameters()} == {"cpu"}
    for p, q in zip(back.parameters(), stayed.parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-12)


def test_a_network_cast_to_another_data_type_goes_on_training(backend):
    stayed = trained("cpu", ag.float64)
    cast = trained(on(backend), ag.float64, [ag.float32])
    assert {p.dtype for p in cast.parameters()} == {ag.float32}
    for p, q in zip(cast.parameters(), stayed.parameters(), strict=True):
        np.testing.assert_allclose(backend.numpy(p), q.data, rtol=1e-5, atol=1e-6)


@needs_torch
@pytest.mark.parametrize("method", ["float", "double", "half"])
def test_casts_change_what_pytorchs_change(method):
    def build(nn):
        return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))

    own, other = build(nn), build(torch.nn)
    getattr(other, method)()
    assert getattr(own, method)() is own
    for name, value in other.state_dict().items():
        assert str(own.state_dict()[name].dtype) == str(value.dtype).removeprefix("torch.")
    x = ag.ones((4, 2), dtype=own[0].weight.dtype)
    out = own(x)
    out.sum().backward()
    assert {out.dtype, own[0].weight.grad.dtype} == {x.dtype}


@pytest.mark.parametrize(
    "move",
    [
        lambda net, place: net.to(place, ag.float64),
        lambda net, place: net.to(device=place, dtype="float64"),
        lambda net, place: net.to(place).to(dtype=ag.float64),
        lambda net, place: net.to(place).double(),
    ],
)
def test_a_module_is_moved_and_cast_and_its_parameters_stay_its_own(move, backend):
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    net.append(net[0])
    before = net.state_dict()
    parameters = list(net.parameters())
    assert move(net, on(backend)) is net
    assert all(p is q for p, q in zip(net.parameters(), parameters, strict=True))
    assert net[2].weight is net[0].weight
    for name, value in net.state_dict().items():
        wanted = ag.int64 if name.endswith("num_batches_tracked") else ag.float64
        assert (value.dtype, value.device) == (wanted, backend.device)
        np.testing.assert_array_equal(backend.numpy(value), before[name].data)
    assert net.cpu() is net
    assert {p.device for p in net.parameters()} == {"cpu"}
    assert net.to() is net


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (int, "int64"),
        (bool, "bool"),
        (complex, "complex128"),
        (ag.int8, "int8"),
        (np.uint8, "uint8"),
        (np.dtype("complex64"), "complex64"),
        ("int32", "int32"),
    ],
)
def test_parameters_stay_floating_point(dtype, name):
    net = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    before = net.state_dict()
    with pytest.raises(TypeError, match=f"stay floating-point, got agrad.{name}"):
        net.to(dtype)
    with pytest.raises(TypeError, match="floating-point"):
        nn.ReLU().to(dtype)
    for parameter, value in zip(net.parameters(), before.values(), strict=True):
        assert (parameter.dtype, parameter.requires_grad) == (ag.float32, True)
        np.testing.assert_array_equal(parameter.data, value.data)
    for wanted in (float, "float16", np.float32):
        assert {p.dtype for p in net.to(wanted).parameters()} == {ag.Tensor(1.0).to(wanted).dtype}


@pytest.mark.parametrize("where", ["nowhere", "cuda:x", "float31", "torches"])
def test_a_move_to_an_unknown_place_changes_nothing(where):
    net = nn.Linear(2, 1)
    with pytest.raises(ValueError, match=f"there is no device '{where}'"):
        net.to(where)
    assert {(p.device, p.dtype) for p in net.parameters()} == {("cpu", ag.float32)}


def test_a_state_dict_is_a_copy(backend):
    layer = nn.Linear(2, 1).to(on(backend))
    state = layer.state_dict()
    before = {name: backend.numpy(value).copy() for name, value in state.items()}
    assert not any(value.requires_grad for value in state.values())
    assert {value.device for value in state.values()} == {backend.device}
    layer(backend.tensor(np.ones(2, dtype=np.float32))).backward()
    ag.optim.SGD(layer.parameters(), lr=1.0).step()
    for name, value in state.items():
        np.testing.assert_array_equal(backend.numpy(value), before[name])
        assert not np.array_equal(backend.numpy(layer.state_dict()[name]), before[name])


def test_a_state_dict_is_loaded_from_any_place_into_the_parameters_own(backend):
    values = {"weight": np.array([[1.5, -2.0]]), "bias": np.array([0.25])}
    layer = nn.Linear(2, 1)  # float32, on the CPU
    kept = list(layer.parameters())
    for given in (
        {name: backend.array(value) for name, value in values.items()},
        {name: backend.tensor(value) for name, value in values.items()},
        values,
        {name: value.tolist() for name, value in values.items()},
    ):
        ag.nn.init.zero_init(layer.weight)
        layer.load_state_dict(given)
        for name, p in layer.named_parameters():
            assert (p.dtype, p.device, p.requires_grad) == (ag.float32, "cpu", True)
            np.testing.assert_array_equal(p.data, values[name])
    assert all(p is q for p, q in zip(layer.parameters(), kept, strict=True))

    layer.to(on(backend)).load_state_dict(nn.Linear(2, 1).state_dict())
    assert {p.device for p in layer.parameters()} == {backend.device}


def test_loaded_values_share_no_memory_with_what_they_came_from():
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    state = a.state_dict()
    b.load_state_dict(state)
    state["weight"].data[...] = 7
    assert b.weight.tolist() == a.weight.tolist() != [[7, 7]]


def test_a_state_that_doesnt_fit_names_all_that_is_wrong_and_changes_nothing():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = net.state_dict()
    wrong = {name: value + 1 for name, value in before.items()}
    del wrong["0.bias"]
    wrong["1.weight"] = np.zeros((3, 1))
    wrong["extra"] = wrong["2.weight"] = np.zeros(1)
    with pytest.raises(ValueError, match="the entries don't fit this Sequential") as error:
        net.load_state_dict(wrong)
    for problem in (
        "missing: 0.bias",
        "unexpected: extra",
        "unexpected: 2.weight",
        "wrong shape: 1.weight is (1, 3), the entry (3, 1)",
    ):
        assert problem in str(error.value)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.data, before[name].data)


CLASHES = {
    "a number and its text": ({"d": {1: parameter(), "1": parameter()}}, "d.1"),
    "dots in keys": ({"d": {"a.b": parameter(), "a": {"b": parameter()}}}, "d.a.b"),
    "dots in keys of modules": (
        {"d": {"a.weight": parameter(), "a": nn.Linear(1, 1)}},
        "d.a.weight",
    ),
}


@pytest.mark.parametrize("how", CLASHES)
def test_two_parameters_of_one_name_are_refused(how):
    attributes, name = CLASHES[how]
    module = Holder(**attributes)
    for act in (module.state_dict, lambda: module.load_state_dict({name: np.ones(1)})):
        with pytest.raises(ValueError, match=f"two parameters .* named '{name}'"):
            act()
    assert len(list(module.parameters())) >= 2  # they can still be trained


def test_one_parameter_may_have_one_name_twice():
    w = parameter(3.0)
    module = Holder(d={1: w, "1": w})
    assert [value.tolist() for value in module.state_dict().values()] == [[3.0]]


@pytest.mark.parametrize("state", [None, "state.npz", [("weight", 1)], 3, np.ones(2)])
def test_a_state_that_is_no_mapping_is_refused(state):
    kind = type(state).__name__
    with pytest.raises(TypeError, match=f"load_state_dict takes a mapping .* got {kind}"):
        nn.Linear(2, 1).load_state_dict(state)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (None, "NoneType"),
        ("some text", "str"),
        ([[1.0, None]], "list"),
        ([[1.0], [2.0, 3.0]], "list"),
        (np.array([["a", "b"]]), "ndarray"),
        (np.ones((1, 2), dtype=complex), "complex128"),
        ([[1j, 2]], "complex128"),
        (ag.Tensor(np.ones((1, 2), dtype="complex64")), "complex64"),
    ],
    ids=repr,
)
def test_an_entry_that_isnt_made_of_real_numbers_is_named_and_nothing_changed(entry, kind):
    net = nn.Linear(2, 1)
    before = net.state_dict()
    with pytest.raises(ValueError, match="the entries don't fit this Linear") as error:
        net.load_state_dict({"bias": np.ones(1), "weight": entry, "extra": 1})
    assert f"no array of real numbers: weight ({kind})" in str(error.value)
    assert "unexpected: extra" in str(error.value)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.data, before[name].data)


def test_entries_may_be_the_modules_own_parameters(backend):
    net = Holder(a=parameter([1.0, 2.0]), b=parameter([3.0, 4.0])).to(on(backend))
    for swapped in (
        lambda: {"a": net.b, "b": net.a},
        lambda: {"a": net.b.data, "b": net.a.data},
        lambda: {"a": net.b.detach(), "b": net.a.detach()},
    ):
        a, b = net.a.tolist(), net.b.tolist()
        net.load_state_dict(swapped())
        assert (net.a.tolist(), net.b.tolist()) == (b, a)


def test_a_value_that_cant_be_moved_changes_nothing(monkeypatch):
    net = Holder(a=parameter(1.0), b=parameter(2.0))
    was = ag.Tensor.to

    def to(self, where):
        if self.tolist() == [20.0]:
            raise RuntimeError("no memory left")
        return was(self, where)

    monkeypatch.setattr(ag.Tensor, "to", to)
    with pytest.raises(RuntimeError, match="no memory left"):
        net.load_state_dict({"a": [10.0], "b": [20.0]})
    assert (net.a.tolist(), net.b.tolist()) == ([1.0], [2.0])


def test_problems_come_in_the_parameters_order():
    net = nn.Sequential(*(nn.Linear(1, 1) for _ in range(4)))
    state = {name: np.ones(7) for name in reversed(list(net.state_dict()))}
    with pytest.raises(ValueError, match="wrong shape") as error:
        net.load_state_dict(state)
    lines = str(error.value).splitlines()[1:]
    assert [line.split()[2] for line in lines] == names(net)


# How it looks, and its copies --------------------------------------------------------------------


def test_its_repr_shows_what_is_in_it():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 1, bias=False)))
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)  # 9 parameters\n"
        "  (1): ReLU()\n"
        "  (2): Sequential(\n"
        "    (0): Linear(in_features=3, out_features=1, bias=False)  # 3 parameters\n"
        "  )  # 3 parameters\n"
        ")  # 12 parameters"
    )
    assert repr(Holder(a=nn.ReLU(), b=3)) == "Holder(\n  (a): ReLU()\n)"


@needs_torch
def test_its_repr_is_pytorchs_but_for_the_counts():
    def build(nn):
        return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.ModuleList([nn.Tanh(), nn.Tanh()]))

    ours, theirs = (repr(build(each)).replace("(0-1): 2 x Tanh()", "") for each in (nn, torch.nn))
    ours = re.sub("  # .*", "", ours)
    assert ours.replace("(0): Tanh()\n    (1): Tanh()", "") == theirs


def test_the_repr_of_modules_that_refer_to_each_other_ends():
    parent, child = Holder(), Holder()
    parent.child, child.parent = child, parent
    assert "(child): Holder(" in repr(parent)


def test_its_repr_shows_modules_in_lists_tuples_and_dicts_under_their_names():
    layers = [nn.Linear(2, 3), [nn.ReLU()]]
    module = Holder(layers=layers, pair=(1, nn.Tanh()), parts={"a": nn.ReLU(), 4: [None]}, n=3)
    assert repr(module) == (
        "Holder(\n"
        "  (layers.0): Linear(in_features=2, out_features=3, bias=True)  # 9 parameters\n"
        "  (layers.1.0): ReLU()\n"
        "  (pair.1): Tanh()\n"
        "  (parts.a): ReLU()\n"
        ")  # 9 parameters"
    )
    assert repr(Holder(inner=module)).count("\n    (") == 4
    for name, _ in list(module.named_modules())[1:]:
        assert f"({name}): " in repr(module)


def test_its_repr_ends_for_lists_that_hold_themselves_and_modules_that_know_each_other():
    circle = [nn.ReLU()]
    circle.append(circle)
    module = Holder(circle=circle)
    circle.append({"me": module})
    assert repr(module) == "Holder(\n  (circle.0): ReLU()\n  (circle.2.me): Holder(...)\n)"
    assert repr(module) == repr(module)

    modules = [Holder(w=parameter()) for _ in range(30)]
    for each in modules:
        each.others = [other for other in modules if other is not each]
    assert len(repr(modules[0]).splitlines()) < 2000  # by way of each order they'd take for ever


def test_its_repr_shows_a_shared_module_under_each_name_and_keeps_to_its_own_repr():
    class Loud(nn.Module):
        def __repr__(self):
            return "LOUD" if not vars(self) else f"LOUD {super().__repr__()}"

    shared, loud = nn.ReLU(), Loud()
    module = Holder(a=shared, b=[shared], c=loud)
    assert repr(module) == "Holder(\n  (a): ReLU()\n  (b.0): ReLU()\n  (c): LOUD\n)"
    loud.back = module
    assert repr(module).endswith("(c): LOUD Loud(\n    (back): Holder(...)\n  )\n)")


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_network_is_equal_and_independent(duplicate, backend):
    net = nn.Sequential(nn.Linear(3, 2), nn.Tanh()).to(on(backend)).eval()
    net.tied = net[0]
    x = backend.tensor(np.ones(3, dtype=np.float32))
    optimizer = ag.optim.MomentumSGD(net.parameters(), lr=0.1, momentum=0.5)
    F.nll(net(x), 1).backward()
    optimizer.step()

    twin = duplicate(net)
    assert type(twin) is type(net)
    assert not twin.training
    assert twin.tied is twin[0]
    assert names(twin) == names(net)
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        assert p is not q
        assert (q.name, q.device, q.dtype, q.requires_grad) == (p.name, p.device, p.dtype, True)
        for a, b in [(p, q), (p.grad, q.grad), (p.velocity, q.velocity)]:
            np.testing.assert_array_equal(backend.numpy(a), backend.numpy(b))
    before = backend.numpy(net(x)).copy()
    np.testing.assert_array_equal(backend.numpy(twin(x)), before)
    ag.optim.SGD(twin.parameters(), lr=1.0).step()
    np.testing.assert_array_equal(backend.numpy(net(x)), before)
    assert not np.array_equal(backend.numpy(twin(x)), before)


# Buffers -----------------------------------------------------------------------------------------


class Counter(nn.Module):
    """Counts its calls, and keeps the sum of what it was called on."""

    def __init__(self):
        self.weight = ag.Parameter([2.0])
        self.register_buffer("total", ag.zeros(1))
        self.register_buffer("count", ag.asarray(0))
        self.register_buffer("scratch", ag.zeros(2), persistent=False)
        self.note = ag.ones(3, dtype="float32")  # a Tensor, but no buffer

    def forward(self, x):
        self.total += x
        self.count += 1
        return self.weight * x


def test_buffers_are_in_the_state_but_are_not_trained():
    module = nn.Sequential(Counter())
    assert [name for name, _ in module.named_buffers()] == ["0.total", "0.count", "0.scratch"]
    assert [name for name, _ in module.named_parameters()] == ["0.weight"]
    assert list(module.state_dict()) == ["0.weight", "0.total", "0.count"]


def test_a_loaded_state_has_the_buffers_values():
    module, other = Counter(), Counter()
    module(ag.Tensor([3.0], dtype="float32"))
    total = other.total
    other.load_state_dict(module.state_dict())
    assert (other.total.tolist(), other.count.item()) == ([3.0], 1)
    assert other.total is total


def test_buffers_move_with_their_module_and_integers_keep_their_type():
    module = Counter().to("float64")
    assert (module.total.dtype, module.scratch.dtype) == (ag.float64, ag.float64)
    assert (module.count.dtype, module.note.dtype) == (ag.int64, ag.float32)
    pytest.importorskip("array_api_strict")
    module.to("array_api_strict:CPU_DEVICE")
    assert {b.device for b in module.buffers()} == {"array_api_strict:CPU_DEVICE"}


def test_a_buffer_may_get_another_tensor_or_none():
    module = Counter()
    module.total = None
    assert "total" not in module.state_dict()
    module.total = ag.ones(2)
    assert module.state_dict()["total"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("a.b", None, ValueError, "must be a name, got 'a.b'"),
        ("weight", None, ValueError, "has 'weight' already"),
        ("forward", None, ValueError, "has 'forward' already"),
        ("new", 3.0, TypeError, "a Tensor or None, got float"),
        ("new", ag.Parameter(1.0), TypeError, "a Tensor or None, got Parameter"),
    ],
)
def test_what_cannot_be_a_buffer_is_refused(name, value, error, message):
    with pytest.raises(error, match=message):
        Counter().register_buffer(name, value)


def test_a_shared_buffer_is_yielded_once():
    counter = Counter()
    assert len(list(nn.ModuleList([counter, counter]).buffers())) == 3


# Hooks -------------------------------------------------------------------------------------------


class Both(nn.Module):
    def forward(self, x, y):
        return x * y, x + y


def test_forward_hooks_see_and_may_change_what_goes_in_and_comes_out():
    module, seen = nn.Identity(), []
    before = module.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    after = module.register_forward_hook(lambda m, args, out: out * 10)
    module.register_forward_hook(lambda m, args, out: seen.append((args[0].item(), out.item())))
    assert module(ag.Tensor(1.0)).item() == 20
    assert seen == [(2.0, 20.0)]
    before.remove()
    after.remove()
    after.remove()
    assert module(ag.Tensor(1.0)).item() == 1


@needs_torch
def test_backward_hooks_see_pytorchs_gradients():
    class Theirs(torch.nn.Module):
        forward = Both.forward

    results = []
    for module, tensor in [
        (Both(), lambda x: ag.Tensor(x, requires_grad=True)),
        (Theirs(), lambda x: torch.tensor(x, requires_grad=True)),
    ]:
        seen = []
        module.register_full_backward_hook(lambda m, *grads, seen=seen: seen.append(grads))
        x, y = tensor([1.0, 2.0]), tensor([3.0, 4.0])
        product, _ = module(x, y)
        (product * 2).sum().backward()
        results.append(
            [[None if g is None else g.tolist() for g in grads] for grads in seen[0]]
            + [x.grad.tolist(), y.grad.tolist()]
        )
    assert results[0] == results[1]


def test_a_backward_hook_may_change_the_gradient_of_the_input():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda m, grad_input, grad_output: (grad_input[0] * 10,))
    x = ag.Tensor(np.ones(2, "float32"), requires_grad=True)
    layer(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 10 * layer.weight.detach().numpy()[0])


def test_a_backward_hook_cannot_change_one_of_several_gradients():
    module = Both()
    module.register_full_backward_hook(lambda m, grads, _: (grads[0] * 2, grads[1] * 2))
    x, y = (ag.Tensor([1.0], requires_grad=True) for _ in range(2))
    with pytest.raises(RuntimeError, match="one input alone, and this module has 2"):
        module(x, y)[0].sum().backward()


def test_a_backward_hook_of_a_module_whose_input_needs_no_gradient_is_run():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, *grads: seen.append(grads))
    layer(ag.Tensor(np.ones(2, "float32"))).sum().backward()
    [(grad_input, grad_output)] = seen
    assert grad_input == (None,)
    assert grad_output[0].tolist() == [1.0]


def test_a_hook_is_a_function():
    with pytest.raises(TypeError, match="a hook is a function, got int"):
        nn.Identity().register_forward_hook(3)


def test_a_recorded_step_sees_a_hook_that_is_registered_later():
    layer = nn.Linear(2, 1)
    step = ag.compile(lambda x: layer(x).detach())
    x = ag.Tensor(np.ones(2, "float32"))
    for _ in range(3):
        plain = step(x)
    handle = layer.register_forward_hook(lambda m, args, out: out * 10)
    for _ in range(3):
        np.testing.assert_allclose(step(x).numpy(), 10 * plain.numpy())
    handle.remove()
    np.testing.assert_allclose(step(x).numpy(), plain.numpy())


def test_apply_calls_a_function_with_each_module_the_inner_ones_first():
    shared = nn.ReLU()
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(shared), shared)
    seen = []
    assert net.apply(seen.append) is net
    assert seen == [net[0], shared, net[1], net]


# What PyTorch's users look for -------------------------------------------------------------------


def test_children_are_the_modules_that_it_holds_itself():
    shared = nn.ReLU()
    module = Holder(a=nn.Sequential(nn.Linear(2, 3)), b=shared, c=[shared, nn.Tanh()])
    assert [name for name, _ in module.named_children()] == ["a", "b", "c.1"]
    assert list(module.children()) == [module.a, shared, module.c[1]]


def test_a_frozen_module_gets_no_gradients_until_it_is_thawed():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    assert net[0].requires_grad_(False) is net[0]
    x = ag.Tensor(np.ones((4, 2), "float32"))
    net(x).sum().backward()
    assert [p.grad is None for p in net.parameters()] == [True, True, False, False]
    net.requires_grad_()
    net(x).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_a_part_of_a_state_is_loaded_if_told_so():
    net, other = nn.Linear(2, 3), nn.Linear(2, 3)
    bias = other.bias.tolist()
    state = {"weight": net.weight, "more": ag.ones(1)}
    missing, unexpected = other.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["bias"], ["more"])
    assert (other.weight.tolist(), other.bias.tolist()) == (net.weight.tolist(), bias)
    with pytest.raises(ValueError, match="wrong shape: weight"):
        other.load_state_dict({"weight": ag.ones((3, 3))}, strict=False)
    with pytest.raises(ValueError, match=r"missing: bias\n  unexpected: more"):
        other.load_state_dict(state)


def test_parameter_is_there_under_pytorchs_name():
    assert nn.Parameter is ag.Parameter


@pytest.mark.parametrize("value", [ag.ones((3, 2)), np.ones((3, 2)), 5])
def test_a_parameter_isnt_lost_by_assigning_something_else(value):
    layer = ag.nn.Linear(2, 3)
    weight = layer.weight
    with pytest.raises(TypeError, match=r"'weight' of this Linear is a Parameter.*agrad.Parameter"):
        layer.weight = value
    assert layer.weight is weight
    layer.weight = other = ag.Parameter(ag.ones((3, 2)))
    assert layer.weight is other
    layer.weight = None
    assert [name for name, _ in layer.named_parameters()] == ["bias"]


@pytest.mark.parametrize("name", [0, 1, None])
def test_a_part_that_isnt_named_by_a_text_is_refused(name):
    net = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.ReLU())
    with pytest.raises(TypeError, match=f"a text as its name, such as '0'; got {name}"):
        net.get_submodule(name)
