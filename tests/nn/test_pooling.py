"""Pooling and interpolation: values and gradients against PyTorch's; ties; settings; errors."""

import itertools
import math

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare_functions
from agrad import Tensor, nn
from agrad.backends import numpy_conv
from agrad.nn import functional as F

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

DEVICES = ["cpu", "array_api_strict:CPU_DEVICE", "torch:cpu"]

# The function, what comes in, and its further arguments
MAX = {
    "plain": ("max_pool2d", (2, 3, 8, 6), {"kernel_size": 2}),
    "without a batch": ("max_pool2d", (3, 8, 6), {"kernel_size": 2}),
    "an empty batch": ("max_pool2d", (0, 3, 8, 6), {"kernel_size": 2}),
    "a window of one element": ("max_pool2d", (2, 3, 4, 3), {"kernel_size": 1}),
    "what is left over": ("max_pool2d", (2, 3, 9, 7), {"kernel_size": (2, 3)}),
    "ceil_mode": ("max_pool2d", (2, 3, 9, 7), {"kernel_size": 2, "ceil_mode": True}),
    "padding": ("max_pool2d", (2, 3, 8, 6), {"kernel_size": 2, "padding": 1}),
    "a window that would begin after the end": (
        "max_pool2d",
        (2, 3, 5, 5),
        {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
    ),
    "apart": ("max_pool2d", (2, 3, 9, 7), {"kernel_size": 2, "stride": 3}),
    "overlapping": ("max_pool2d", (2, 3, 9, 8), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "all settings": (
        "max_pool2d",
        (2, 3, 9, 8),
        {
            "kernel_size": (3, 2),
            "stride": (1, 2),
            "padding": (1, 0),
            "dilation": (2, 1),
            "ceil_mode": True,
        },
    ),
    "1d": ("max_pool1d", (2, 3, 9), {"kernel_size": 3, "stride": 1, "padding": 1}),
    "3d": ("max_pool3d", (2, 3, 5, 4, 5), {"kernel_size": (2, 3, 2), "stride": 1, "padding": 1}),
}
OVER_THE_END = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
AVG = {
    "plain": ("avg_pool2d", (2, 3, 8, 6), {"kernel_size": 2}),
    "without a batch": ("avg_pool2d", (3, 8, 6), {"kernel_size": 2}),
    "overlapping": ("avg_pool2d", (2, 3, 9, 7), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "padding": ("avg_pool2d", (2, 3, 8, 6), {"kernel_size": 2, "padding": 1}),
    "ceil_mode": ("avg_pool2d", (2, 3, 8, 7), OVER_THE_END),
    "padding doesn't count": (
        "avg_pool2d",
        (2, 3, 8, 7),
        {**OVER_THE_END, "count_include_pad": False},
    ),
    "divisor_override": (
        "avg_pool2d",
        (2, 3, 9, 7),
        {"kernel_size": (3, 2), "stride": (2, 3), "divisor_override": 5},
    ),
    "1d": ("avg_pool1d", (2, 3, 9), OVER_THE_END),
    "3d": ("avg_pool3d", (2, 3, 5, 4, 5), {"kernel_size": (2, 3, 2), "stride": 1, "padding": 1}),
}
ADAPTIVE = {
    **{
        f"{size}": ("adaptive_avg_pool2d", (2, 3, 8, 6), {"output_size": size})
        for size in (1, (3, 2), (4, 3), (4, None), (5, 3), (10, 3))
    },
    "1d": ("adaptive_avg_pool1d", (2, 3, 8), {"output_size": 3}),
    "3d": ("adaptive_avg_pool3d", (2, 8, 3, 4), {"output_size": (2, None, 1)}),
}
GREATEST = {
    **{
        f"{size}": ("adaptive_max_pool2d", (2, 3, 8, 6), {"output_size": size})
        for size in (1, (3, 2), (4, 3), (4, None), (5, 4), (10, 3))
    },
    "without a batch": ("adaptive_max_pool2d", (3, 8, 6), {"output_size": (3, 4)}),
    "1d": ("adaptive_max_pool1d", (2, 3, 8), {"output_size": 3}),
    "3d": ("adaptive_max_pool3d", (2, 5, 3, 4, 5), {"output_size": (2, None, 3)}),
}
NORMS = {
    "plain": ("lp_pool2d", (2, 3, 8, 6), {"norm_type": 2, "kernel_size": (3, 2)}),
    "ceil_mode": (
        "lp_pool2d",
        (2, 3, 9, 7),
        {"norm_type": 4.0, "kernel_size": (3, 4), "stride": 2, "ceil_mode": True},
    ),
    "infinite": ("lp_pool2d", (3, 9, 7), {"norm_type": math.inf, "kernel_size": 3, "stride": 2}),
    "1d": ("lp_pool1d", (2, 3, 12), {"norm_type": 2, "kernel_size": 4}),
    "3d": ("lp_pool3d", (2, 1, 4, 5, 4), {"norm_type": 2, "kernel_size": (2, 3, 2)}),
}
SIZES = [
    {"size": (3, 7)},
    {"size": (1, 1)},
    {"scale_factor": 2},
    {"scale_factor": (1.7, 0.6)},
    {"scale_factor": (1.7, 0.6), "recompute_scale_factor": True},
]
MODES = [("nearest", None), ("nearest-exact", None)]
MODES += [("bilinear", align) for align in (None, True)]
INTERPOLATE = {
    f"{mode}, {align}, {size}": (
        "interpolate",
        (2, 3, 5, 6),
        {"mode": mode, "align_corners": align, **size},
    )
    for (mode, align), size in itertools.product(MODES, SIZES)
}
INTERPOLATE["1d"] = ("interpolate", (2, 3, 5), {"mode": "linear", "size": 7})
INTERPOLATE["3d"] = ("interpolate", (2, 1, 2, 3, 4), {"mode": "trilinear", "size": 3})
CASES = {
    f"{kind}, {name}": case
    for kind, cases in [
        *(("max", MAX), ("avg", AVG), ("adaptive", ADAPTIVE), ("as", INTERPOLATE)),
        *(("greatest", GREATEST), ("norm", NORMS)),
    ]
    for name, case in cases.items()
}


def draw(name):
    """Return numbers of which several are the greatest in many windows."""
    _, shape, _ = CASES[name]
    return np.random.default_rng(0).integers(-4, 5, shape) / 3


def results(library, name, make, values):
    """Return y, the gradient of sum(u y³), and that of the sum of this gradient's squares."""
    function, _, settings = CASES[name]
    x = make(values, True)
    y = getattr(library, function)(x, **settings)
    u = make(np.random.default_rng(1).normal(size=tuple(y.shape)), False)
    (y * y * y * u).sum().backward()
    plain, x.grad = x.grad, None
    y = getattr(library, function)(x, **settings)
    (y * y * y * u).sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    (g * g).sum().backward()
    return [y.detach(), plain, g.detach(), x.grad]


def of_torch(name):
    def make(x, requires_grad):
        return torch.tensor(x, requires_grad=requires_grad)

    return [x.numpy() for x in results(torch.nn.functional, name, make, draw(name))]


def of_agrad(name, device, values=None):
    def make(x, requires_grad):
        return Tensor(x, device=device, requires_grad=requires_grad)

    values = draw(name) if values is None else values
    return [x.cpu().numpy() for x in results(F, name, make, values)]


@needs_torch
@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CASES)
def test_values_and_both_derivatives_are_pytorchs(name, device):
    for found, expected in zip(of_agrad(name, device), of_torch(name), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["max, plain", "as, 1d"])
def test_every_library_gives_the_same(name, other_backend):
    function, _, settings = CASES[name]
    x = other_backend.tensor(draw(name), requires_grad=True)
    y = getattr(F, function)(x, **settings)
    y.sum().backward()
    own = Tensor(draw(name), requires_grad=True)
    expected = getattr(F, function)(own, **settings)
    expected.sum().backward()
    np.testing.assert_allclose(other_backend.numpy(y.detach()), expected.detach().numpy())
    np.testing.assert_allclose(other_backend.numpy(x.grad), own.grad.numpy(), atol=1e-15)


@pytest.mark.parametrize("name", ["max, plain", "max, overlapping", "max, ceil_mode", "avg, plain"])
def test_neither_blocks_nor_the_order_in_memory_make_a_difference(name, monkeypatch):
    expected = of_agrad(name, "cpu")
    monkeypatch.setattr(numpy_conv, "BLOCK", 1)  # one image at a time
    values = np.moveaxis(np.ascontiguousarray(np.moveaxis(draw(name), 1, -1)), -1, 1)
    for found, wanted in zip(of_agrad(name, "cpu", values), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@needs_torch
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("max")])
def test_indices_are_pytorchs(name, device):
    function, shape, settings = CASES[name]
    if 0 in shape:
        pytest.skip("there are none")
    expected = getattr(torch.nn.functional, function)(
        torch.tensor(draw(name)), **settings, return_indices=True
    )
    found = getattr(F, function)(Tensor(draw(name), device=device), **settings, return_indices=True)
    for own, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(own.cpu().numpy(), theirs.numpy())


@pytest.mark.parametrize("device", DEVICES)
def test_the_greatest_of_integers(device):
    x = Tensor(np.arange(-12, 0, dtype=np.int32).reshape(1, 3, 4), device=device)
    y = F.max_pool2d(x, 2, stride=1, padding=1)
    assert y.dtype == ag.int32
    assert y[0].tolist() == [
        [-12, -11, -10, -9, -9],
        [-8, -7, -6, -5, -5],
        [-4, -3, -2, -1, -1],
        [-4, -3, -2, -1, -1],
    ]


@pytest.mark.parametrize("device", DEVICES)
def test_an_infinite_gradient_stays_with_the_greatest(device):
    x = Tensor(np.array([[[1.0, 3.0, 2.0, 2.0]]]), device=device, requires_grad=True)
    F.max_pool1d(x, 2).backward(Tensor(np.array([[[math.inf, 1.0]]]), device=device))
    assert x.grad.tolist() == [[[0.0, math.inf, 1.0, 0.0]]]


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_no_number_is_the_greatest(device):
    x = Tensor(np.array([[[math.nan, 3.0, 2.0, 1.0]]]), device=device, requires_grad=True)
    y, places = F.max_pool1d(x, 2, return_indices=True)
    assert math.isnan(y[0, 0, 0].item())
    assert places.tolist() == [[[0, 2]]]
    y.sum().backward()
    assert x.grad.tolist() == [[[1.0, 0.0, 1.0, 0.0]]]


@needs_torch
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("n", [3, 5, 6, 7, 10, 13, 28])
def test_the_nearest_elements_are_pytorchs_for_many_sizes(n, dtype):
    x = np.arange(n, dtype=dtype).reshape(1, 1, n)
    for mode, new in itertools.product(("nearest", "nearest-exact"), range(1, 60)):
        expected = torch.nn.functional.interpolate(torch.tensor(x), new, mode=mode).tolist()
        assert F.interpolate(x, new, mode=mode).tolist() == expected
        by = torch.nn.functional.interpolate(torch.tensor(x), scale_factor=new / 10 + 1, mode=mode)
        assert F.interpolate(x, scale_factor=new / 10 + 1, mode=mode).tolist() == by.tolist()


def test_float32_stays():
    x = ag.ones((1, 2, 6, 6), dtype=ag.float32)
    for y in (
        F.max_pool2d(x, 2),
        F.avg_pool2d(x, 3, padding=1, count_include_pad=False),
        F.adaptive_avg_pool2d(x, 4),
        F.interpolate(x, 4, mode="bilinear"),
    ):
        assert y.dtype == ag.float32


X = ag.zeros((2, 3, 8, 6))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.max_pool2d(X[0, 0], 2), ValueError, r"max_pool2d needs .*; got \(8, 6\)"),
        (lambda: F.max_pool2d(X, 0), ValueError, "kernel_size must be at least 1, got 0"),
        (lambda: F.max_pool2d(X, (2, 2, 2)), ValueError, "kernel_size must be an integer or 2"),
        (lambda: F.max_pool2d(X, 2, padding=2), ValueError, "at most half of the kernel"),
        (lambda: F.avg_pool2d(X, 9), ValueError, r"avg_pool2d: a window of size \(9, 9\)"),
        (lambda: F.avg_pool2d(X, 2, divisor_override=0), ValueError, "divisor_override must be"),
        (lambda: F.adaptive_avg_pool2d(X, 0), ValueError, "output_size must be at least 1"),
        (lambda: F.adaptive_max_pool2d(X, 0), ValueError, "output_size must be at least 1"),
        (lambda: F.adaptive_max_pool2d(X[:, :, :0], 1), ValueError, "there is no greatest element"),
        (lambda: F.lp_pool2d(X, "a", 2), TypeError, "lp_pool2d: norm_type must be a number"),
        (lambda: F.lp_pool2d(X, 0, 2), ValueError, "lp_pool2d: norm_type must not be 0"),
        (lambda: nn.LPPool1d(None, 2), TypeError, "LPPool1d: norm_type must be a number, got None"),
        (lambda: F.max_unpool2d(X, X, 2), ValueError, "max_unpool2d needs indices of integers"),
        (lambda: F.max_unpool1d([[1.0]], [[4]], 3), ValueError, "the index 4 is out of range for"),
        (lambda: F.max_unpool1d([[1.0]], [[-1]], 3), ValueError, "the index -1 is out of range"),
        (
            lambda: F.max_unpool1d([[1.0]], [[1]], 3, output_size=(7,)),
            ValueError,
            r"output_size must be nearer to \(3,\) than stride=\(3,\), got \(7,\)",
        ),
        (lambda: nn.MaxUnpool2d("a"), ValueError, "MaxUnpool2d: kernel_size must be an integer"),
        (lambda: F.adaptive_avg_pool2d(X, (1, 2, 3)), ValueError, "output_size must be an int"),
        (lambda: F.adaptive_avg_pool2d(X[:, :, :0], 1), ValueError, "nothing to take the mean of"),
        (lambda: F.interpolate(X[0, 0], 2), ValueError, "one to three spatial axes"),
        (lambda: F.interpolate(X), ValueError, "either size or scale_factor"),
        (lambda: F.interpolate(X, 2, 2), ValueError, "either size or scale_factor"),
        (lambda: F.interpolate(X, 2, mode="cubic"), ValueError, "mode must be one of nearest"),
        (lambda: F.interpolate(X, 2, mode="linear"), ValueError, "linear is for 1 spatial axes"),
        (lambda: F.interpolate(X, 2, align_corners=True), ValueError, "for the linear modes"),
        (lambda: F.interpolate(X, scale_factor=-1), ValueError, "must be a positive number"),
        (lambda: F.interpolate(X, scale_factor=0.1), ValueError, "nothing is left of size"),
        (
            lambda: F.interpolate(X, 2, recompute_scale_factor=True),
            ValueError,
            "needs scale_factor",
        ),
    ],
)
def test_what_doesnt_fit_is_said_with_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()


# The layers --------------------------------------------------------------------------------------

LAYERS = [
    ("MaxPool1d", {"kernel_size": 2}),
    ("MaxPool2d", {"kernel_size": (3, 2), "stride": 2, "padding": 1, "ceil_mode": True}),
    ("MaxPool2d", {"kernel_size": 2, "dilation": 2}),
    ("MaxPool3d", {"kernel_size": 2}),
    ("AvgPool1d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ("AvgPool2d", {"kernel_size": 2, "divisor_override": 3}),
    ("AvgPool3d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("AdaptiveAvgPool1d", {"output_size": 3}),
    ("AdaptiveAvgPool2d", {"output_size": (3, None)}),
    ("AdaptiveAvgPool3d", {"output_size": 2}),
    ("AdaptiveMaxPool1d", {"output_size": 3}),
    ("AdaptiveMaxPool2d", {"output_size": (3, None)}),
    ("AdaptiveMaxPool3d", {"output_size": 2}),
    ("LPPool1d", {"norm_type": 2, "kernel_size": 3}),
    ("LPPool2d", {"norm_type": 4, "kernel_size": (3, 2), "stride": 2, "ceil_mode": True}),
    ("LPPool3d", {"norm_type": 2.0, "kernel_size": 2}),
    ("Upsample", {"scale_factor": 2.0}),
    ("Upsample", {"size": (3, 4), "mode": "bilinear", "align_corners": True}),
]


@needs_torch
@pytest.mark.parametrize(("name", "settings"), LAYERS)
def test_layers_give_pytorchs_values(name, settings):
    own, theirs = getattr(nn, name)(**settings), getattr(torch.nn, name)(**settings)
    axes = int(name[-2]) if name[-1] == "d" else 2
    x = np.random.default_rng(0).normal(size=(2, 3, 7, 6, 5)[: axes + 2])
    np.testing.assert_allclose(own(Tensor(x)).numpy(), theirs(torch.tensor(x)).numpy(), rtol=1e-12)
    assert repr(own) == repr(theirs)


def test_a_layer_gives_indices_too():
    y, places = nn.MaxPool1d(2, return_indices=True)(Tensor([[[1.0, 3.0, 5.0, 2.0]]]))
    assert y.tolist() == [[[3.0, 5.0]]]
    assert places.tolist() == [[[1, 2]]]


@needs_torch
@pytest.mark.parametrize("name", GREATEST)
def test_bins_tell_where_the_greatest_are_as_pytorchs(name):
    function, _, settings = GREATEST[name]
    x = draw(f"greatest, {name}")
    y, places = getattr(F, function)(Tensor(x), **settings, return_indices=True)
    theirs = getattr(torch.nn.functional, function)
    expected, numbers = theirs(torch.tensor(x), **settings, return_indices=True)
    np.testing.assert_array_equal(y.numpy(), expected.numpy())
    np.testing.assert_array_equal(places.numpy(), numbers.numpy())


UNPOOL = {
    "1d": ((2, 3, 9), {"kernel_size": 2}, (2, 3, 9)),
    "2d": ((2, 3, 8, 6), {"kernel_size": (2, 3)}, None),
    "2d, without a batch": ((3, 8, 6), {"kernel_size": 2, "padding": 1}, None),
    "3d": ((2, 1, 4, 5, 4), {"kernel_size": 2, "stride": (2, 3, 2)}, (4, 5, 4)),
}


@needs_torch
@pytest.mark.filterwarnings("ignore:Using backward")
@pytest.mark.parametrize("name", UNPOOL)
def test_what_was_pooled_comes_back_to_where_it_was_as_in_pytorch(name):
    shape, settings, output_size = UNPOOL[name]
    n = int(name[0])
    x = np.random.default_rng(0).permutation(math.prod(shape)).reshape(shape) / 7.0
    own, other = (
        (getattr(m, f"MaxPool{n}d")(**settings, return_indices=True), unpool(**settings))
        for m, unpool in (
            (nn, getattr(nn, f"MaxUnpool{n}d")),
            (torch.nn, getattr(torch.nn, f"MaxUnpool{n}d")),
        )
    )
    assert repr(own[1]) == repr(other[1])

    def back(layers, x):
        y, places = layers[0](x)
        return layers[1](y**3, places, output_size=output_size)

    compare_functions(lambda x: back(own, x) ** 2, lambda x: back(other, x) ** 2, [x])


def test_of_elements_that_go_to_one_place_the_last_stays_and_has_the_gradient():
    x = Tensor([[[1.0, 2.0, 3.0]]], requires_grad=True)
    y = F.max_unpool1d(x, [[[0, 2, 2]]], 2, 1)
    assert y.tolist() == [[[1, 0, 3, 0]]]
    y.sum().backward()
    assert x.grad.tolist() == [[[1, 0, 1]]]


@pytest.mark.parametrize("device", DEVICES)
def test_unpooling_is_the_same_on_every_device(device):
    x = Tensor(np.arange(24.0).reshape(2, 3, 4), device=device, requires_grad=True)
    y, places = F.max_pool1d(x, 2, return_indices=True)
    out = F.max_unpool1d(y, places, 2)
    assert out.tolist() == (np.arange(24.0) * (np.arange(24) % 2)).reshape(2, 3, 4).tolist()
    out.sum().backward()
    assert x.grad.tolist() == [[[0, 1, 0, 1]] * 3] * 2


@pytest.mark.parametrize("p", [1.5, 2.0, 3.0])
def test_the_norm_of_a_window_of_zeros_has_no_slope(p):
    x = ag.Tensor([[[0.0, 0.0, 1.0, 1.0]]], requires_grad=True)
    out = F.lp_pool1d(x, p, 2)
    assert out.tolist()[0][0] == pytest.approx([0, 2 ** (1 / p)])
    out.sum().backward()
    assert x.grad.tolist()[0][0] == pytest.approx([0, 0, *[2 ** (1 / p - 1)] * 2])
