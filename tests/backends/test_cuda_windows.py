"""Convolution and pooling by agrad's own CUDA kernels: they give what the plain versions give.

They run as those of test_cuda_kernels.py do: on a GPU where there is one, else on the host.
"""

import importlib

import numpy as np
import pytest

import agrad as ag
from agrad.backends import backend_for
from agrad.nn import functional as F
from agrad.nn.functional import convolution, pooling
from agrad.nn.functional.windows import FOLD, UNFOLD, Windows
from tests.backends import test_cuda_kernels as cuda

own, plain, launches = cuda.own, cuda.plain, cuda.launches
RNG = np.random.default_rng(0)
TOLERANCE = {**cuda.TOLERANCE, "complex64": 2e-6, "complex128": 1e-13}

CONV, CONV_BIAS = convolution._CONV, convolution._CONV_BIAS
CONV_INPUT, CONV_WEIGHT = convolution._CONV_INPUT, convolution._CONV_WEIGHT
MAX_POOL, GREATEST_AT = pooling._MAX_POOL, pooling._GREATEST_AT
SUM_POOL, SUM_UNPOOL = pooling._SUM_POOL, pooling._SUM_UNPOOL


class Case:
    """An input's size, its channels, those that go out, and how windows lie over it."""

    def __init__(self, size, into, out, kernel, stride=1, padding=0, dilation=1, groups=1, batch=3):
        def each(value):
            return tuple(value) if isinstance(value, tuple) else (value,) * len(size)

        margins = tuple(p if isinstance(p, tuple) else (p, p) for p in each(padding))
        self.windows = Windows(kernel, each(stride), margins, each(dilation))
        self.groups, self.size = groups, size
        counts = self.windows.counts(size)
        self.x, self.y, self.b = (batch, into, *size), (batch, out, *counts), (out,)
        self.w = (out, into // groups, *kernel)
        self.pooled = (batch, into, *counts)
        self.shown = (batch, into, int(np.prod(kernel)), *counts)

    def functions(self):
        """Yield each function with the shapes of what it takes, and its options."""
        windows = {"windows": self.windows}
        options = {**windows, "groups": self.groups}
        yield CONV, [self.x, self.w], options
        yield CONV_BIAS, [self.x, self.w, self.b], options
        yield CONV_WEIGHT, [self.y, self.x], options
        yield CONV_INPUT, [self.y, self.w], {**options, "size": self.size}
        yield UNFOLD, [self.x], windows
        yield FOLD, [self.shown], {**windows, "size": self.size}
        yield SUM_POOL, [self.x], windows
        yield SUM_UNPOOL, [self.pooled], {**windows, "size": self.size}


CASES = {
    "plain": Case((5, 6), 3, 4, (3, 2)),
    "one channel": Case((5, 5), 1, 1, (2, 2)),
    "an empty batch": Case((5, 6), 2, 3, (3, 2), batch=0),
    "one image": Case((5, 6), 2, 3, (3, 2), batch=1),
    "windows side by side": Case((4, 6), 2, 3, (2, 3), stride=(2, 3)),
    "some elements are left over": Case((8, 7), 2, 3, (2, 3), stride=(3, 2)),
    "some elements are in no window": Case((7, 8), 2, 3, (1, 2), stride=3),
    "padding": Case((4, 5), 2, 3, (3, 2), padding=(2, 1)),
    "padding at one end": Case((4, 3), 2, 3, (2, 3), stride=2, padding=((1, 0), (0, 2))),
    "windows of padding alone": Case((1, 2), 2, 3, (2, 1), padding=((1, 1), (2, 0)), dilation=2),
    "dilation": Case((7, 8), 2, 3, (3, 2), dilation=(2, 3)),
    "groups": Case((5, 4), 4, 6, (3, 2), groups=2),
    "each channel on its own": Case((5, 4), 3, 6, (3, 2), padding=1, stride=2, groups=3),
    "one element": Case((4, 3), 3, 2, (1, 1)),
    "the whole image": Case((4, 3), 2, 3, (4, 3)),
    "all settings": Case((9, 8), 4, 6, (3, 2), 2, ((2, 1), (1, 3)), (1, 2), 2),
    "one axis": Case((9,), 4, 6, (3,), stride=2, padding=1, groups=2),
    "three axes": Case((4, 5, 3), 2, 4, (2, 3, 1), (1, 2, 1), ((1, 2), (1, 1), (2, 0)), (2, 1, 1)),
    "more than one block": Case((12, 13), 2, 2, (2, 2), padding=2),
}


def close(place, result, expected, dtype):
    """Check that results of sums agree, up to what rounding changes beside the greatest."""
    result, expected = place.numpy(result), place.numpy(expected)
    assert result.dtype == dtype
    assert result.shape == expected.shape
    tolerance = TOLERANCE[dtype] * np.abs(expected).max(initial=1)
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", cuda.TOLERANCE)
@pytest.mark.parametrize("case", CASES)
def test_convolution_and_sums_are_the_plain_ones(case, dtype, place, own, plain):
    with own.device:
        for function, shapes, options in CASES[case].functions():
            arrays = [RNG.normal(size=shape).astype(dtype) for shape in shapes]
            result = own.make_bound(function).forward(*map(place.array, arrays), **options)
            wide = [place.array(each.astype("float64")) for each in arrays]
            close(place, result, plain.make_bound(function).forward(*wide, **options), dtype)


def pooled(backend, place, x, g, windows):
    """Return the greatest of each window, the gradient by x, and where they are."""
    bound = backend.make_bound(MAX_POOL)
    x, g = place.array(x), place.array(g)
    out = bound.forward(x, windows=windows)
    at = backend.make_bound(GREATEST_AT).forward(x, out, windows=windows)
    return out, bound.rules[0](g, x, out, x.shape, windows), at


VALUES = {
    "numbers": None,
    "equals": [0, 1],
    "NaN": [np.nan, 0, 1, np.inf],
    "infinities": [-np.inf, np.inf, 0],
    "nothing greater than padding": [-np.inf],
}


@pytest.mark.parametrize("dtype", cuda.TOLERANCE)
@pytest.mark.parametrize("values", VALUES)
def test_max_pooling_is_exactly_the_plain_one(values, dtype, place, own, plain):
    with own.device:
        for case in CASES.values():
            x = RNG.normal(size=case.x)
            if VALUES[values]:
                x = RNG.choice(VALUES[values], case.x)
            x = x.astype(dtype)
            g = RNG.integers(1, 9, case.pooled).astype(dtype)  # whose sums aren't rounded
            results = [pooled(each, place, x, g, case.windows) for each in (own, plain)]
            for result, expected in zip(*results, strict=True):
                result, expected = place.numpy(result), place.numpy(expected)
                assert result.dtype == expected.dtype
                np.testing.assert_array_equal(result, expected)


def test_max_pooling_keeps_infinite_gradients_where_they_belong(place, own):
    x = np.array([1.0, 3, 3, 2, 5, np.nan]).reshape(1, 1, 6)
    g = np.array([np.inf, np.nan, 7]).reshape(1, 1, 3)
    windows = Windows((2,), (2,), ((0, 0),), (1,))
    with own.device:
        out, gradient, _ = pooled(own, place, x, g, windows)
    assert place.numpy(out).ravel().tolist() == pytest.approx([3, 3, np.nan], nan_ok=True)
    np.testing.assert_array_equal(place.numpy(gradient).ravel(), [0, np.inf, np.nan, 0, 0, 7])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("case", ["all settings", "three axes"])
def test_complex_numbers_are_convolved_and_summed(case, dtype, place, own, plain):
    with own.device:
        for function, shapes, options in CASES[case].functions():
            arrays = [RNG.normal(size=(*shape, 2)) @ [1, 1j] for shape in shapes]
            arrays = [place.array(each.astype(dtype)) for each in arrays]
            results = [
                each.make_bound(function).forward(*arrays, **options) for each in (own, plain)
            ]
            close(place, *results, dtype)


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_integers_stay_integers(dtype, place, own, plain):
    case = CASES["all settings"]
    great = np.iinfo(dtype).max
    with own.device:
        for function, shapes, options in [*case.functions(), (MAX_POOL, [case.x], {})]:
            options = options or {"windows": case.windows}
            arrays = [RNG.integers(0, great, shape, dtype, endpoint=True) for shape in shapes]
            arrays = [place.array(each) for each in arrays]
            results = [
                place.numpy(each.make_bound(function).forward(*arrays, **options))
                for each in (own, plain)
            ]
            assert results[0].dtype == dtype
            np.testing.assert_array_equal(*results)
        lowest = place.array(np.full((1, 1, 3), np.iinfo(dtype).min, dtype=dtype))
        windows = Windows((2,), (1,), ((1, 1),), (1,))
        out = own.make_bound(MAX_POOL).forward(lowest, windows=windows)
        np.testing.assert_array_equal(place.numpy(out), np.full((1, 1, 4), np.iinfo(dtype).min))


@pytest.mark.parametrize("dtypes", ["float32 float64", "float64 float32", "float16 float32"])
def test_the_data_type_is_that_of_all_arguments(dtypes, place, own, plain):
    with own.device:
        for function, shapes, options in CASES["groups"].functions():
            types = np.resize(dtypes.split(), len(shapes))
            arrays = [RNG.normal(size=s).astype(t) for s, t in zip(shapes, types, strict=True)]
            arrays = [place.array(each) for each in arrays]
            result, expected = (
                each.make_bound(function).forward(*arrays, **options) for each in (own, plain)
            )
            assert result.dtype == expected.dtype
            tolerance = TOLERANCE["float16" if "float16" in dtypes else "float32"]
            np.testing.assert_allclose(
                place.numpy(result), place.numpy(expected), rtol=tolerance, atol=20 * tolerance
            )


def test_sums_of_short_numbers_may_be_great_on_the_way(place, own):
    with own.device:
        y, w = (
            place.array(np.array(each, "float16")[None, None]) for each in ([300, -300], [300] * 2)
        )
        windows = Windows((2,), (1,), ((0, 0),), (1,))
        x = own.make_bound(CONV_INPUT).forward(y, w, windows=windows, groups=1, size=(3,))
        assert place.numpy(x).ravel().tolist() == [np.inf, 0, -np.inf]
        x = place.array(np.array([[[6e4, 6e4, -6e4]]], "float16"))
        windows = Windows((3,), (1,), ((0, 0),), (1,))
        total = own.make_bound(SUM_POOL).forward(x, windows=windows)
        np.testing.assert_array_equal(place.numpy(total), place.numpy(x)[..., :1])


def has_gaps(array):
    """Return an array as a view whose axes are in another order, with gaps, turned around."""
    padded = np.zeros([2 * n for n in array.shape[::-1]], dtype=array.dtype)
    padded[tuple(slice(None, None, -2) for _ in array.shape)] = array.T
    return padded, lambda raw: raw[tuple(slice(None, None, -2) for _ in array.shape)].T


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_views_are_taken(dtype, place, own, plain):
    case = CASES["all settings"]
    with own.device:
        for function, shapes, options in case.functions():
            arrays = [RNG.normal(size=shape).astype(dtype) for shape in shapes]
            views = [view(place.array(whole)) for whole, view in map(has_gaps, arrays)]
            assert not any(each.flags.c_contiguous for each in views[:1])
            result = own.make_bound(function).forward(*views, **options)
            wide = [place.array(each.astype("float64")) for each in arrays]
            close(place, result, plain.make_bound(function).forward(*wide, **options), dtype)
        x, g = (RNG.normal(size=shape).astype(dtype) for shape in (case.x, case.pooled))
        expected = pooled(plain, place, x, g, case.windows)
        x, g, out = (
            view(place.array(whole))
            for whole, view in map(has_gaps, (x, g, place.numpy(expected[0])))
        )
        bound = own.make_bound(MAX_POOL)
        close(place, bound.forward(x, windows=case.windows), expected[0], dtype)
        close(place, bound.rules[0](g, x, out, x.shape, case.windows), expected[1], dtype)
        at = own.make_bound(GREATEST_AT).forward(x, out, windows=case.windows)
        np.testing.assert_array_equal(place.numpy(at), place.numpy(expected[2]))


# Derivatives -------------------------------------------------------------------------------------


LAYERS = {
    "conv": (
        lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1),
        [(2, 2, 5, 4), (3, 2, 3, 2), (3,)],
    ),
    "conv, groups": (lambda x, w: F.conv1d(x, w, groups=2, dilation=2), [(2, 4, 7), (4, 2, 3)]),
    "conv_transpose": (
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1),
        [(2, 3, 3, 2), (3, 2, 3, 3)],
    ),
    "max_pool": (lambda x: F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True), [(2, 2, 6, 5)]),
    "avg_pool": (lambda x: F.avg_pool3d(x, 2, stride=1, padding=1), [(2, 2, 3, 2, 4)]),
    "unfold": (lambda x: F.unfold(x, (2, 3), padding=1), [(2, 2, 4, 3)]),
    "fold": (lambda y: F.fold(y, (3, 4), 2), [(2, 8, 6)]),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_gradients_and_gradients_of_gradients(layer, place):
    function, shapes = LAYERS[layer]
    arrays = [RNG.normal(size=shape) for shape in shapes]

    def derivatives(tensor):
        inputs = [tensor(each) for each in arrays]
        y = function(*inputs)
        (y * y * y).sum().backward(create_graph=True)
        first = [x.grad for x in inputs]
        for x in inputs:
            x.grad = None
        sum((g * g).sum() for g in first).backward()
        return [y.detach(), *(g.detach() for g in first), *(x.grad for x in inputs)]

    found = derivatives(lambda x: place.tensor(x, requires_grad=True))
    expected = derivatives(lambda x: ag.Tensor(x, requires_grad=True))
    for one, other in zip(found, expected, strict=True):
        one, other = place.numpy(one), other.numpy()
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * np.abs(other).max())


# What it takes -----------------------------------------------------------------------------------


def test_what_is_launched(launches):
    def tensor(*shape):
        array = RNG.normal(size=shape)
        return ag.Tensor(array, device="cuda:1", requires_grad=True)

    def check(y, forward, backward):
        assert launches == forward
        y.backward(ag.ones_like(y))
        assert launches[len(forward) :] == backward
        launches.clear()

    x, w, b = tensor(2, 3, 6, 6), tensor(4, 3, 3, 3), tensor(4)
    for bias in (b, None):
        check(F.conv2d(x, w, bias, padding=1), ["unfold"], ["fold", "unfold"])
    check(F.conv_transpose2d(tensor(2, 4, 3, 3), w), ["fold"], ["unfold", "unfold"])
    check(F.max_pool2d(x, 3, 2, 1), ["max_pool"], ["max_pool_x"])
    out, _ = F.max_pool2d(x, 2, return_indices=True)
    check(out, ["max_pool", "greatest_at"], ["max_pool_x"])
    check(F.avg_pool2d(x, 2), ["sum_pool"], ["fold"])
    check(F.unfold(x, 2), ["unfold"], ["fold"])


@pytest.fixture
def made(launches, monkeypatch):
    """How many arrays have been made, for each of which CuPy launches something; a list."""
    stand_in = importlib.import_module("tests.cupy_stand_in")
    new, numbers = stand_in._new, []

    def counted(host, device=None, base=None):
        if base is None:
            numbers.append(np.shape(host))
        return new(host, device, base)

    monkeypatch.setattr(stand_in, "_new", counted)
    return numbers


@pytest.mark.parametrize("name", ["plain", "groups"])
def test_no_array_is_made_in_vain(name, made):
    own = backend_for("cuda:1")
    case = CASES[name]
    wanted = {
        "conv": 2,  # what the windows show, and its product with the weights
        "conv_bias": 3,
        # The gradient of all images, channel by channel; with groups the product is turned, too
        "conv_weight": 3 if case.groups == 1 else 4,
        "conv_input": 3,
        **dict.fromkeys(("unfold_windows", "fold_windows", "sum_pool", "sum_unpool"), 1),
    }
    for function, shapes, options in case.functions():
        arrays = [own.from_host(np.zeros(shape)) for shape in shapes]
        bound = own.make_bound(function)
        made.clear()
        out = bound.forward(*arrays, **options)
        assert len(made) == wanted[function.name], function.name
        if function is not CONV:  # nobody has to copy it to write to it
            assert own.own(out) is out
    x, out, g = (own.from_host(np.zeros(s)) for s in (case.x, case.pooled, case.pooled))
    bound = own.make_bound(MAX_POOL)
    made.clear()
    bound.forward(x, windows=case.windows)
    bound.rules[0](g, x, out, case.x, case.windows)
    assert len(made) == 2


@pytest.mark.parametrize("case", ["plain", "groups"])
def test_matrices_are_multiplied_as_they_lie_in_memory(case, launches, monkeypatch):
    """CuPy copies a matrix with gaps, and of several matrices those that are transposed."""
    own = backend_for("cuda:1")
    copied, matmul = [], own.matmul

    def watched(x1, x2):
        for x in (x1, x2):
            in_order = x.flags.c_contiguous or (x.ndim == 2 and x.flags.f_contiguous)
            copied.extend(() if in_order else [x.shape])
        return matmul(x1, x2)

    monkeypatch.setattr(own, "matmul", watched)
    for function, shapes, options in CASES[case].functions():
        arrays = [own.from_host(np.zeros(shape)) for shape in shapes]
        own.make_bound(function).forward(*arrays, **options)
    assert copied == ([] if case == "plain" else [(2, 12, 3)])  # the weights, which are few


@pytest.mark.parametrize("real", ["bool", "signed char", "short", "unsigned long long"])
def test_the_kernels_compile_for_other_numbers(real, tmp_path):
    source = (cuda.FOLDER / "cuda_windows.cu").read_text()
    assert cuda.compile_cuda(source, (f"-DREAL={real}", "-std=c++17"), 90, tmp_path) == ""
