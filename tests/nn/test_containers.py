"""Dicts of modules and of parameters."""

import pytest

import agrad as ag
from agrad import nn


def test_modules_in_a_dict_are_found_under_their_keys():
    heads = nn.ModuleDict({"a": nn.Linear(2, 3), "b": nn.ReLU()})
    heads["c"] = nn.Linear(3, 1, bias=False)
    assert list(heads.state_dict()) == ["a.weight", "a.bias", "c.weight"]
    assert "(c): Linear(" in repr(heads)
    del heads["a"]
    assert list(heads) == list(heads.keys()) == ["b", "c"]
    assert len(heads) == 2
    assert "a" not in heads
    assert list(heads.items()) == list(zip(heads.keys(), heads.values(), strict=True))


def test_parameters_in_a_dict_are_found_under_their_keys():
    scales = nn.ParameterDict([("x", ag.Parameter(1.0)), ("y", ag.Parameter(2.0))])
    assert {name: p.item() for name, p in scales.named_parameters()} == {"x": 1.0, "y": 2.0}


@pytest.mark.parametrize(
    ("container", "items", "message"),
    [
        (nn.ModuleDict, {"a": ag.Parameter(1.0)}, "ModuleDict holds Modules, got Parameter"),
        (nn.ParameterDict, {"a": ag.ones(1)}, "ParameterDict holds Parameters, got Tensor"),
        (nn.ModuleDict, [nn.ReLU()], r"ModuleDict takes a dict, or pairs of .* got \[ReLU"),
        (nn.ModuleDict, 3, "ModuleDict takes a dict, or pairs of a key and an item; got 3"),
        (nn.ParameterDict, "abc", "ParameterDict takes a dict, .* got 'abc'"),
        (nn.ModuleDict, {1: nn.ReLU()}, "ModuleDict: a key must be a str, got 1"),
    ],
)
def test_what_does_not_belong_into_a_dict_is_refused(container, items, message):
    with pytest.raises(TypeError, match=message):
        container(items)
    empty = container()
    with pytest.raises(TypeError, match=message):
        empty.update(items)
    assert len(empty) == 0
