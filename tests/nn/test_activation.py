"""Activations: PyTorch's values and derivatives, also at corners and far out; as modules too."""

import math

import numpy as np
import pytest

import agrad as ag
from agrad import Tensor, nn
from agrad.nn import functional as F

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
CREATES_GRAPH = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")

# Name: the module's class and its arguments, and the function that it is
CASES = {
    "CELU": ((), "celu"),
    "CELU, 0.5": ((0.5,), "celu"),
    "ELU": ((), "elu"),
    "ELU, 2": ((2.0,), "elu"),
    "GELU": ((), "gelu"),
    "GELU, tanh": (("tanh",), "gelu"),
    "GLU": ((), "glu"),
    "GLU, first axis": ((0,), "glu"),
    "Hardshrink": ((), "hardshrink"),
    "Hardshrink, 1": ((1.0,), "hardshrink"),
    "Hardsigmoid": ((), "hardsigmoid"),
    "Hardswish": ((), "hardswish"),
    "Hardtanh": ((), "hardtanh"),
    "Hardtanh, -2 to 0.5": ((-2.0, 0.5), "hardtanh"),
    "LeakyReLU": ((), "leaky_relu"),
    "LeakyReLU, 0.2": ((0.2,), "leaky_relu"),
    "LogSigmoid": ((), "logsigmoid"),
    "LogSoftmax": ((-1,), "log_softmax"),
    "LogSoftmax, first axis": ((0,), "log_softmax"),
    "Mish": ((), "mish"),
    "ReLU": ((), "relu"),
    "ReLU6": ((), "relu6"),
    "SELU": ((), "selu"),
    "Sigmoid": ((), "sigmoid"),
    "SiLU": ((), "silu"),
    "Softmax": ((-1,), "softmax"),
    "Softmax, first axis": ((0,), "softmax"),
    "Softmin": ((1,), "softmin"),
    "Softplus": ((), "softplus"),
    "Softplus, 2 up to 3": ((2.0, 3.0), "softplus"),
    "Softshrink": ((), "softshrink"),
    "Softshrink, 1": ((1.0,), "softshrink"),
    "Softsign": ((), "softsign"),
    "Tanh": ((), "tanh"),
    "Tanhshrink": ((), "tanhshrink"),
    "Threshold": ((0.5, -7.0), "threshold"),
}
CORNERS = [0, 0.5, 1, 2, 3, 6, 20, 1.5, 0.25]
FAR = [1e4, 1000, 710, 300, 100, 89, 40, 30, 25]

INPUTS = {
    "near": np.random.default_rng(0).normal(scale=2, size=(4, 6)),
    "at corners": np.array([CORNERS + [-x for x in CORNERS]]).reshape(3, 6),
    "far out": np.array([FAR + [-x for x in FAR]]).reshape(3, 6),
}


def module_of(case, library):
    arguments, _ = CASES[case]
    return getattr(library, case.partition(",")[0])(*arguments)


def reference(case):
    if case == "Hardsigmoid":  # PyTorch's has no second derivative, and 1/6 in single precision
        return lambda x: torch.nn.functional.relu6(x + 3) / 6
    return module_of(case, torch.nn)


def derivatives(function, x, u, v):
    """Return f(x), its gradient for u, and the gradient of that gradient along v."""
    out = function(x)
    out.backward(u, create_graph=True)
    first, x.grad = x.grad, None
    ((first + 0 * x) * v).sum().backward()
    return out, first, x.grad


def like(shape, seed):
    return np.random.default_rng(seed).uniform(0.5, 2, size=shape)


def of_agrad(function, x, make):
    shape = tuple(function(make(x)).shape)
    made = [make(each) for each in (like(shape, 1), like(x.shape, 2))]
    results = derivatives(function, make(x, requires_grad=True), *made)
    return [each.detach().cpu().numpy() for each in results]


def of_torch(function, x):
    with torch.no_grad():
        shape = tuple(function(torch.tensor(x)).shape)
    u, v = (torch.tensor(like(s, i).astype(x.dtype)) for i, s in ((1, shape), (2, x.shape)))
    results = derivatives(function, torch.tensor(x).requires_grad_(), u, v)
    return [each.detach().numpy() for each in results]


@needs_torch
@CREATES_GRAPH
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("case", CASES)
def test_values_and_derivatives_are_pytorchs(case, inputs, dtype):
    if case == "GLU, first axis" and inputs != "near":
        pytest.skip("an odd length")
    x = INPUTS[inputs].astype(dtype)
    got = of_agrad(module_of(case, nn), x, lambda x, **options: Tensor(x.astype(dtype), **options))
    expected = of_torch(reference(case), x)
    close = {"rtol": 1e-10, "atol": 1e-13} if dtype == "float64" else {"rtol": 1e-5, "atol": 4e-6}
    names = ["value", "derivative", "second derivative"]
    for name, one, other in zip(names, got, expected, strict=True):
        assert one.dtype == dtype
        assert np.isfinite(one).all()
        if name == "second derivative":
            if inputs == "at corners":
                continue  # there is none
            other = np.nan_to_num(other)  # PyTorch's of mish is NaN from about 50 on
        np.testing.assert_allclose(one, other, **close, err_msg=name)


@needs_torch
@pytest.mark.parametrize("case", CASES)
def test_infinite_numbers_give_what_pytorch_gives(case):
    """Where PyTorch gives NaN, so may agrad; a limit is welcome."""
    x = np.array([[math.inf, -math.inf, 1.0, 2.0]])
    if "first axis" in case:
        x = x.T
    theirs = torch.tensor(x).requires_grad_()
    expected = reference(case)(theirs)
    expected.backward(torch.ones_like(expected))
    own = Tensor(x, requires_grad=True)
    with np.errstate(invalid="ignore"):
        got = module_of(case, nn)(own)
        got.backward(ag.ones(got.shape, dtype=got.dtype))
    pairs = [(got.detach(), expected.detach()), (own.grad, theirs.grad)]
    for one, other in pairs:
        one, other = one.numpy(), other.numpy()
        sound = ~np.isnan(other)
        np.testing.assert_allclose(one[sound], other[sound], rtol=1e-10, atol=1e-30)


@pytest.mark.parametrize("other_backend", ["strict", "cupy-stand-in", "torch"], indirect=True)
@pytest.mark.parametrize("case", CASES)
def test_other_backends_give_what_numpy_gives(case, other_backend):
    module, x = module_of(case, nn), INPUTS["near"]
    got = of_agrad(module, x, other_backend.tensor)
    for one, other in zip(got, of_agrad(module, x, Tensor), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_a_module_is_its_function(case):
    arguments, name = CASES[case]
    x = Tensor(INPUTS["near"])
    expected = getattr(F, name)(x, *arguments)
    np.testing.assert_array_equal(module_of(case, nn)(x).numpy(), expected.numpy())


@needs_torch
@pytest.mark.parametrize("case", CASES)
def test_a_module_has_no_parameters_and_shows_its_settings(case):
    module = module_of(case, nn)
    assert list(module.parameters()) == []
    assert module.state_dict() == {}
    theirs = module_of(case, torch.nn)
    if case.startswith(("Softshrink", "Hardshrink")):
        assert repr(module) == f"{type(module).__name__}(lambd={theirs.lambd})"
    else:
        assert repr(module) == repr(theirs)


def test_integers_are_taken_as_floating_point_numbers():
    assert F.sigmoid(Tensor([0])).tolist() == [0.5]
    assert F.leaky_relu(Tensor([-1, 2]), 0.5).tolist() == [-0.5, 2]
    assert F.relu(Tensor([-1, 2])).dtype.is_integer


def test_the_logistic_function_keeps_its_digits_far_below_zero():
    x = np.array([-20.0, -100.0, -700.0])
    np.testing.assert_allclose(F.sigmoid(Tensor(x)).numpy(), np.exp(x), rtol=1e-8)
    x = np.array([-20.0, -80.0], dtype=np.float32)
    np.testing.assert_allclose(F.sigmoid(Tensor(x)).numpy(), np.exp(x), rtol=1e-5)


# PReLU and RReLU ---------------------------------------------------------------------------------


@needs_torch
@pytest.mark.parametrize(("n", "shape"), [(1, (3, 4)), (1, ()), (4, (3, 4)), (4, (2, 4, 3, 5))])
def test_prelu_trains_one_slope_or_one_for_each_channel(n, shape):
    x = np.random.default_rng(0).normal(size=shape)
    own, theirs = nn.PReLU(n, 0.3, dtype="float64"), torch.nn.PReLU(n, 0.3, dtype=torch.float64)
    mine, other = Tensor(x, requires_grad=True), torch.tensor(x).requires_grad_()
    y, z = own(mine), theirs(other)
    (y * y).sum().backward()
    (z * z).sum().backward()
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-12)
    np.testing.assert_allclose(own.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-12)


def test_prelu_begins_with_a_quarter_and_keeps_pytorchs_names(backend):
    module = nn.PReLU(2, device=backend.device)
    assert repr(module) == "PReLU(num_parameters=2)"
    assert {name: value.tolist() for name, value in module.state_dict().items()} == {
        "weight": [0.25, 0.25]
    }
    x = backend.tensor(np.array([[-2.0, 4.0], [0.0, -4.0]]), dtype="float32", requires_grad=True)
    module(x).sum().backward()
    assert module.weight.grad.tolist() == [-2, -4]
    assert x.grad.tolist() == [[0.25, 1], [0.25, 0.25]]


@pytest.mark.parametrize(("n", "shape"), [(3, (2, 4)), (3, (3,)), (3, ())])
def test_prelu_refuses_channels_that_dont_fit(n, shape):
    with pytest.raises(ValueError, match=r"prelu needs one slope, or one for each channel"):
        nn.PReLU(n)(ag.zeros(shape))


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_prelu_refuses_a_number_of_slopes_that_is_none(n):
    with pytest.raises(ValueError, match="num_parameters must be a positive integer"):
        nn.PReLU(n)


def test_rrelu_draws_slopes_in_training_and_takes_their_mean_else(backend):
    module = nn.RReLU(0.25, 0.75, generator=ag.random.Generator(1))
    x = backend.tensor(np.r_[-np.ones(100), 1.0], requires_grad=True)
    y = module(x)
    y.sum().backward()
    slopes = backend.numpy(x.grad)
    np.testing.assert_allclose(backend.numpy(y), np.r_[-slopes[:-1], 1])
    assert slopes[-1] == 1
    assert 0.25 <= slopes[:-1].min() < 0.3
    assert 0.7 < slopes[:-1].max() <= 0.75
    assert not np.array_equal(backend.numpy(module(x)), backend.numpy(y))
    np.testing.assert_allclose(backend.numpy(module.eval()(x)), np.r_[-0.5 * np.ones(100), 1])
    assert repr(module) == "RReLU(lower=0.25, upper=0.75)"


# Other modules, and errors -----------------------------------------------------------------------


@needs_torch
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 4, 5)])
def test_softmax2d_adds_up_to_one_over_channels(shape):
    x = np.random.default_rng(0).normal(size=shape)
    expected = torch.nn.Softmax2d()(torch.tensor(x)).numpy()
    np.testing.assert_allclose(nn.Softmax2d()(Tensor(x)).numpy(), expected, rtol=1e-12)
    assert repr(nn.Softmax2d()) == "Softmax2d()"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: F.hardtanh(x, 1, 0), "hardtanh: min_val 1 is greater than max_val 0"),
        (lambda x: F.rrelu(x, 1, 0), "rrelu: lower 1 is greater than upper 0"),
        (lambda x: nn.RReLU(1, 0), "RReLU: lower 1 is greater than upper 0"),
        (lambda x: F.softshrink(x, -1), "softshrink: lambd must be at least 0, got -1"),
        (lambda x: F.celu(x, 0), "celu: alpha must be positive, got 0"),
        (lambda x: F.softplus(x, 0), "softplus: beta can't be 0"),
        (lambda x: F.gelu(x, "erf"), "gelu: approximate must be 'none' or 'tanh', got 'erf'"),
        (lambda x: F.glu(x), r"glu: axis -1 of the shape \(2, 3\) must have an even length"),
        (lambda x: F.glu(x, 2), r"glu: there is no axis 2 in the shape \(2, 3\)"),
        (lambda x: nn.Softmax2d()(x), r"Softmax2d needs x of shape .* got \(2, 3\)"),
    ],
)
def test_bad_settings_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(ag.zeros((2, 3)))


@pytest.mark.parametrize("module", [nn.Softmax, nn.LogSoftmax, nn.Softmin])
def test_the_axis_of_softmax_must_be_named(module):
    with pytest.raises(TypeError, match="dim"):
        module()


# Recorded steps ----------------------------------------------------------------------------------


def test_a_recorded_step_gives_the_same():
    modules = [module_of(case, nn) for case in CASES]

    def step(x):
        gradients = []
        for module in modules:
            y = module(x)
            (y * y).sum().backward()
            gradients.append(x.grad)
            x.grad = None
        return gradients

    recorded = ag.compile(step)
    for seed in range(4):
        x = np.random.default_rng(seed).normal(scale=2, size=(4, 6))
        got = recorded(Tensor(x, requires_grad=True))
        expected = step(Tensor(x, requires_grad=True))
        for case, one, other in zip(CASES, got, expected, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=case)
