"""Convolution: values, gradients and gradients of gradients, against PyTorch; settings; errors."""

import math

import numpy as np
import pytest

import agrad as ag
from agrad import Tensor, nn
from agrad.backends import numpy_conv
from agrad.nn import functional as F
from agrad.random import Generator

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")


def case(size, into, out, kernel, bias=True, batch=(3,), **settings):
    return size, into, out, kernel, bias, batch, settings


# What comes in, the channels, the window, and the settings
CONV = {
    "plain": case((6, 5), 3, 4, (3, 3)),
    "without a bias": case((6, 5), 3, 4, (3, 3), bias=False),
    "without a batch": case((6, 5), 3, 4, (3, 3), batch=()),
    "an empty batch": case((6, 5), 3, 4, (3, 3), batch=(0,)),
    "one channel": case((7, 9), 1, 2, (3, 3), padding=1),
    "many channels": case((5, 5), 20, 2, (3, 3), padding=1),
    "stride": case((7, 8), 2, 3, (3, 2), stride=(2, 3)),
    "stride larger than the window": case((7, 8), 2, 3, (1, 2), stride=3),
    "padding": case((4, 5), 2, 3, (3, 2), padding=(2, 1)),
    "padding, same": case((5, 6), 2, 3, (4, 3), padding="same", dilation=(1, 2)),
    "padding, valid": case((5, 6), 2, 3, (2, 3), padding="valid"),
    "dilation": case((7, 8), 2, 3, (3, 2), dilation=(2, 3)),
    "groups": case((5, 4), 4, 6, (3, 2), groups=2),
    "each channel on its own": case((5, 4), 3, 3, (3, 2), groups=3, padding=1, stride=2),
    "each channel on its own, twice": case((5, 4), 3, 6, (3, 2), groups=3, padding=1),
    "window of one element": case((4, 3), 3, 2, (1, 1)),
    "window of one element, groups": case((4, 3), 4, 6, (1, 1), groups=2),
    "window of one element, stride": case((4, 5), 3, 2, (1, 1), stride=2),
    "window of one element, padding": case((4, 5), 3, 2, (1, 1), padding=1),
    "window of all": case((4, 3), 2, 3, (4, 3)),
    "all settings": case((9, 8), 4, 6, (3, 2), stride=2, padding=(2, 1), dilation=(1, 2), groups=2),
    "1d": case((9,), 4, 6, (3,), stride=2, padding=1, groups=2),
    "3d": case((4, 5, 3), 2, 4, (2, 3, 1), stride=(1, 2, 1), padding=(0, 1, 1)),
}
TRANSPOSED = {
    "plain": case((4, 5), 3, 4, (3, 3)),
    "without a bias": case((4, 5), 3, 4, (3, 3), bias=False),
    "without a batch": case((4, 5), 3, 4, (3, 3), batch=()),
    "one channel": case((4, 5), 3, 1, (3, 3), padding=1),
    "many channels": case((4, 5), 3, 20, (3, 3), padding=1),
    "stride": case((3, 4), 2, 3, (3, 2), stride=(2, 3)),
    "padding": case((4, 5), 2, 3, (3, 2), padding=(2, 1)),
    "output_padding": case((3, 4), 2, 3, (3, 3), stride=(2, 3), output_padding=(1, 2), padding=1),
    "output_padding beyond the stride": case(
        (3, 4), 2, 3, (2, 2), dilation=3, output_padding=(2, 1)
    ),
    "dilation": case((3, 4), 2, 3, (3, 2), dilation=(2, 3)),
    "groups": case((3, 4), 4, 6, (3, 2), groups=2),
    "each channel on its own": case((3, 4), 3, 3, (3, 2), groups=3, padding=1, stride=2),
    "each channel on its own, twice": case((3, 4), 3, 6, (3, 2), groups=3),
    "window of one element": case((4, 3), 3, 2, (1, 1)),
    "window of one element, longer": case((4, 3), 3, 2, (1, 1), dilation=2, output_padding=1),
    "1d": case((5,), 4, 6, (3,), stride=2, padding=1, groups=2, output_padding=1),
    "3d": case((3, 2, 3), 2, 4, (2, 3, 1), stride=(1, 2, 1), padding=(0, 1, 0), groups=2),
}
CASES = {
    **{f"conv, {name}": ("conv{}d", *each) for name, each in CONV.items()},
    **{
        f"conv_transpose, {name}": ("conv_transpose{}d", *each) for name, each in TRANSPOSED.items()
    },
}
DEVICES = ["cpu", "array_api_strict:CPU_DEVICE", "torch:cpu"]


def arrays(name):
    function, size, into, out, kernel, bias, batch, settings = CASES[name]
    rng = np.random.default_rng(0)
    first, second = (into, out) if "transpose" in function else (out, into)
    shapes = [(*batch, into, *size), (first, second // settings.get("groups", 1), *kernel)]
    return [rng.normal(size=shape) for shape in [*shapes, (out,)][: 2 + bias]]


def results(library, name, make):
    """Return y, the gradients of sum(u y³), and those of the sum of these gradients' squares."""
    function, size, *_, settings = CASES[name]
    inputs = [make(x, True) for x in arrays(name)]
    y = getattr(library, function.format(len(size)))(*inputs, **settings)
    u = make(np.random.default_rng(1).normal(size=tuple(y.shape)), False)
    (y * y * y * u).sum().backward(create_graph=True)
    first = [x.grad for x in inputs]
    for x in inputs:
        x.grad = None
    sum((g * g).sum() for g in first).backward()
    return [y.detach(), *(g.detach() for g in first), *(x.grad for x in inputs)]


def of_torch(name):
    def make(x, requires_grad):
        return torch.tensor(x, requires_grad=requires_grad)

    return [x.numpy() for x in results(torch.nn.functional, name, make)]


def of_numpy(name):
    return [x.numpy() for x in results(F, name, lambda x, grad: Tensor(x, requires_grad=grad))]


def check(found, expected):
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        scale = np.abs(y).max(initial=1)
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-10 * scale)


@needs_torch
@pytest.mark.filterwarnings("ignore:Using")
@pytest.mark.parametrize("name", CASES)
def test_values_and_both_derivatives_are_pytorchs(name):
    check(of_numpy(name), of_torch(name))


@pytest.mark.parametrize("function", ["conv2d", "conv_transpose2d"])
def test_every_library_gives_the_same(function, other_backend):
    x, w, b = arrays("conv, each channel on its own")
    expected = getattr(F, function)(x, w, b, groups=3)
    inputs = [other_backend.tensor(each, requires_grad=True) for each in (x, w, b)]
    y = getattr(F, function)(*inputs, groups=3)
    y.sum().backward()
    check([other_backend.numpy(y.detach())], [expected.numpy()])
    assert [each.grad.shape for each in inputs] == [x.shape, w.shape, b.shape]


@pytest.mark.parametrize("name", CASES)
def test_numpys_kernels_give_what_the_standards_functions_give(name, monkeypatch):
    expected = of_numpy(name)
    for device in DEVICES[1:]:

        def make(x, grad, device=device):
            return Tensor(x, device=device, requires_grad=grad)

        if torch is not None or "torch" not in device:
            check([x.cpu().numpy() for x in results(F, name, make)], expected)
    # Several blocks of images, and of the rows of one
    monkeypatch.setattr(numpy_conv, "PLACES", 6)
    for at_once in (1, 40):
        monkeypatch.setattr(numpy_conv, "BLOCK", at_once * 100)
        check(of_numpy(name), expected)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)])
def test_the_order_of_an_inputs_axes_in_memory_makes_no_difference(order):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3, 2, 7, 6)), rng.normal(size=(4, 2, 3, 3))
    expected = F.conv2d(x, w, padding=1).numpy()
    inverse = [order.index(i) for i in range(4)]
    x = Tensor(np.ascontiguousarray(x.transpose(order)).transpose(inverse), requires_grad=True)
    y = F.conv2d(x, w, padding=1)
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    g = np.ascontiguousarray(expected.transpose(order)).transpose(inverse)
    y.backward(Tensor(g))
    h = Tensor(np.ascontiguousarray(x.detach().numpy()), requires_grad=True)
    F.conv2d(h, w, padding=1).backward(Tensor(expected))
    np.testing.assert_array_equal(x.grad.numpy(), h.grad.numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_data_type_stays(dtype):
    x = ag.ones((2, 3, 5, 5), dtype=dtype)
    w = Tensor(np.ones((4, 3, 3, 3), dtype), requires_grad=True)
    b = Tensor(np.ones(4, dtype), requires_grad=True)
    y = F.conv2d(x, w, b)
    y.sum().backward()
    assert {y.dtype, w.grad.dtype, b.grad.dtype} == {ag.Tensor(np.ones(1, dtype)).dtype}


@needs_torch
def test_float32_is_pytorchs_to_rounding():
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=n).astype("f4") for n in [(8, 16, 12, 12), (24, 16, 3, 3), (24,)])
    own = [Tensor(each, requires_grad=True) for each in (x, w, b)]
    theirs = [torch.tensor(each, requires_grad=True) for each in (x, w, b)]
    y = F.conv2d(*own, padding=1)
    z = torch.nn.functional.conv2d(*theirs, padding=1)
    y.sum().backward()
    z.sum().backward()
    pairs = [
        (y.detach(), z.detach()),
        *((p.grad, q.grad) for p, q in zip(own, theirs, strict=True)),
    ]
    for p, q in pairs:
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-5, atol=1e-5 * abs(q).max().item())


@pytest.mark.parametrize("name", ["conv, groups", "conv_transpose, groups"])
def test_a_recorded_step_gives_the_same(name):
    function, size, *_, settings = CASES[name]
    x, w, b = arrays(name)

    def train():
        weights = [ag.Parameter(w), ag.Parameter(b)]
        optimizer = ag.optim.SGD(weights, 0.01)

        def step(x):
            loss = (getattr(F, function.format(len(size)))(x, *weights, **settings) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, weights

    (eager, expected), (step, weights) = train(), train()
    step = ag.compile(step)
    for i in range(4):
        eager(Tensor(x + i))
        step(Tensor(x + i))
    for p, q in zip(weights, expected, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-12)


# unfold and fold ---------------------------------------------------------------------------------

UNFOLD = {
    "plain": ((5, 6), {"kernel_size": 2}),
    "one beside the other": ((6, 4), {"kernel_size": (3, 2), "stride": (3, 2)}),
    "padding": ((6, 4), {"kernel_size": 2, "padding": 1, "stride": 2}),
    "all settings": (
        (8, 6),
        {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0), "stride": 2},
    ),
}


@needs_torch
@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", UNFOLD)
def test_unfold_and_fold_are_pytorchs(name, batch, device):
    size, settings = UNFOLD[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*batch, 3, *size))
    columns = torch.nn.functional.unfold(torch.tensor(x), **settings).numpy()
    y = rng.normal(size=columns.shape)
    image = torch.nn.functional.fold(torch.tensor(y), size, **settings).numpy()

    own_x, own_y = (Tensor(each, device=device, requires_grad=True) for each in (x, y))
    shown, put = F.unfold(own_x, **settings), F.fold(own_y, size, **settings)
    np.testing.assert_array_equal(shown.detach().cpu().numpy(), columns)
    np.testing.assert_allclose(put.detach().cpu().numpy(), image, rtol=1e-12, atol=1e-12)

    # Each is the transpose of the other
    shown.backward(Tensor(y, device=device))
    put.backward(Tensor(x, device=device))
    np.testing.assert_allclose(own_x.grad.cpu().numpy(), image, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(own_y.grad.cpu().numpy(), columns)


# What is refused ---------------------------------------------------------------------------------

X, W = ag.zeros((2, 4, 6, 5)), ag.zeros((6, 4, 3, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.conv2d(ag.zeros((6, 5)), W), ValueError, r"conv2d needs .*; got \(6, 5\)"),
        (lambda: F.conv2d(X, W[0]), ValueError, r"weight of 4 dimensions; got \(4, 3, 3\)"),
        (lambda: F.conv2d(X[:, :3], W), ValueError, "an input with 3 channels, a weight of shape"),
        (lambda: F.conv2d(X, W, groups=2), ValueError, "and groups=2"),
        (lambda: F.conv2d(X, W[:5, :2], groups=2), ValueError, "and groups=2"),
        (lambda: F.conv2d(X, W, groups=0), ValueError, "groups must be a positive integer, got 0"),
        (lambda: F.conv2d(X, W, ag.zeros(4)), ValueError, r"bias of shape \(6,\); got \(4,\)"),
        (lambda: F.conv2d(X, W, stride=0), ValueError, "stride must be at least 1, got 0"),
        (lambda: F.conv2d(X, W, stride=1.5), ValueError, "stride must be an integer or 2"),
        (lambda: F.conv2d(X, W, stride=(1, 1, 1)), ValueError, "stride must be an integer or 2"),
        (lambda: F.conv2d(X, W, stride=(1, "2")), TypeError, "stride must be an integer, got '2'"),
        (lambda: F.conv2d(X, W, padding=-1), ValueError, "padding must be at least 0, got -1"),
        (lambda: F.conv2d(X, W, padding="full"), ValueError, "padding must be 'same', 'valid' or"),
        (lambda: F.conv2d(X, W, padding="same", stride=2), ValueError, "'same' needs stride=1"),
        (lambda: F.conv2d(X, W, dilation=3), ValueError, r"conv2d: a window of size \(7, 7\)"),
        (lambda: F.conv_transpose2d(X, W), ValueError, r"conv_transpose2d needs .* \(in, out / gr"),
        (lambda: F.conv_transpose2d(X, W[:4], output_padding=1), ValueError, "less than stride"),
        (lambda: F.conv_transpose2d(X, W[:4], padding=5), ValueError, "nothing would be left"),
        (lambda: F.conv_transpose1d(X[0, 0], W[0, 0]), ValueError, "weight of 3 dimensions"),
        (lambda: F.unfold(X, 9), ValueError, r"unfold: a window of size \(9, 9\)"),
        (lambda: F.fold(ag.zeros((2, 8, 3)), (3, 3), 2), ValueError, r"channels \* 4, 4\)"),
        (lambda: nn.Conv2d(0, 3, 3), ValueError, "Conv2d: in_channels must be a positive integer"),
        (lambda: nn.Conv2d(3, 4, 3, groups=3), ValueError, "Conv2d: groups must divide"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), ValueError, "padding_mode must be one"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "kernel_size must be an integer or 2"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, padding="same"), ValueError, "padding must be an int"),
        (
            lambda: nn.ConvTranspose2d(4, 4, 3, stride=2)(X, (20, 20)),
            ValueError,
            r"can give sizes from \(13, 11\) to \(14, 12\), not \(20, 20\)",
        ),
        (
            lambda: nn.Conv2d(4, 4, 3, padding=6, padding_mode="reflect")(X),
            ValueError,
            "Conv2d: by 'reflect', 6 and 6 elements are too many to add to an axis of",
        ),
    ],
)
def test_what_doesnt_fit_is_said_with_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()


# The layers --------------------------------------------------------------------------------------

LAYERS = {
    "Conv1d": ((4, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, (2, 4, 9)),
    "Conv2d": ((3, 4, (3, 2)), {"padding": "same", "dilation": 2, "bias": False}, (2, 3, 6, 5)),
    "Conv3d": ((2, 4, 2), {"padding": (1, 0, 1)}, (2, 2, 3, 4, 3)),
    "ConvTranspose1d": ((4, 6, 3), {"stride": 2, "output_padding": 1, "groups": 2}, (2, 4, 5)),
    "ConvTranspose2d": ((3, 4, (3, 2)), {"padding": 1, "dilation": 2, "bias": False}, (2, 3, 4, 5)),
    "ConvTranspose3d": ((2, 4, 2), {"stride": 2}, (2, 2, 3, 2, 3)),
}


@needs_torch
@pytest.mark.filterwarnings("ignore:Using")
@pytest.mark.parametrize("name", LAYERS)
def test_layers_take_pytorchs_weights_and_give_its_values(name):
    args, settings, shape = LAYERS[name]
    own = getattr(nn, name)(*args, **settings, dtype="float64")
    theirs = getattr(torch.nn, name)(*args, **settings, dtype=torch.float64)
    own.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=shape)
    for inputs in (x, x[0]):
        expected = theirs(torch.tensor(inputs)).detach().numpy()
        found = own(Tensor(inputs)).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert repr(own) == repr(theirs)


@needs_torch
@pytest.mark.filterwarnings("ignore:Using")
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [(2, 1), "same"])
@pytest.mark.parametrize("device", DEVICES)
def test_padding_modes_are_pytorchs(mode, padding, device):
    settings = {"padding": padding, "padding_mode": mode}
    own = nn.Conv2d(2, 3, (4, 3), **settings, dtype="float64", device=device)
    theirs = torch.nn.Conv2d(2, 3, (4, 3), **settings, dtype=torch.float64)
    own.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(2, 2, 5, 4))
    out = theirs(torch.tensor(x)).detach().numpy()
    found = own(Tensor(x, device=device)).detach().cpu().numpy()
    np.testing.assert_allclose(found, out, rtol=1e-10, atol=1e-12)


@needs_torch
def test_output_size_chooses_among_those_that_are_possible():
    own = nn.ConvTranspose2d(2, 3, 3, stride=3, padding=1)
    theirs = torch.nn.ConvTranspose2d(2, 3, 3, stride=3, padding=1)
    own.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(2, 2, 4, 5)).astype("f4")
    for size in ((10, 13), (12, 14)):
        expected = theirs(torch.tensor(x), output_size=size).detach().numpy()
        found = own(Tensor(x), output_size=size).detach().numpy()
        assert found.shape[2:] == size
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_parameters_begin_as_pytorchs(kind):
    layer = kind(8, 16, (5, 3), groups=2, generator=Generator(0))
    into = 4 if kind is nn.Conv2d else 8
    bound = 1 / math.sqrt(into * 15)
    for parameter in (layer.weight, layer.bias):
        values = parameter.detach().numpy()
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.8 * bound
        assert abs(values.mean()) < 4 * bound / math.sqrt(3 * values.size)
    again = kind(8, 16, (5, 3), groups=2, generator=Generator(0))
    np.testing.assert_array_equal(again.weight.detach().numpy(), layer.weight.detach().numpy())


def test_layers_are_made_where_and_of_what_was_asked_for(backend):
    layer = nn.Conv2d(2, 3, 3, dtype=ag.float64, device=backend.device)
    assert {(p.device, p.dtype) for p in layer.parameters()} == {(backend.device, ag.float64)}
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
