"""Activations as modules do what the functions of the same names do."""

import numpy as np
import pytest

from agrad import nn
from agrad.nn import functional as F

MODULES = {"ReLU": (nn.ReLU, F.relu), "Tanh": (nn.Tanh, F.tanh)}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_its_function(name, backend):
    module, function = MODULES[name]
    gradients = []
    for call in (module(), function):
        x = backend.tensor(np.array([[-2.0, -0.5], [0.5, 2.0]]), requires_grad=True)
        y = call(x)
        (y * y).sum().backward()
        gradients.append((backend.numpy(y), backend.numpy(x.grad)))
    np.testing.assert_array_equal(*gradients)
    assert gradients[0][1].any()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_no_parameters_and_shows_its_name(name):
    module = MODULES[name][0]()
    assert list(module.parameters()) == []
    assert module.state_dict() == {}
    assert repr(module) == f"{name}()"
