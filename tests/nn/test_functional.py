"""Functions of networks: values, gradients and gradients of gradients; extreme scores; errors."""

import math
import tracemalloc

import numpy as np
import pytest

import agrad as ag
from agrad import Tensor
from agrad.autograd import Leaf
from agrad.nn import functional as F

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

GOLD = np.array([2, 0, 3, 0])

# Name: agrad's function, PyTorch's, and the shapes of what they take
CASES = {
    "relu": (F.relu, lambda x: torch.relu(x), [(3, 4)]),
    "tanh": (F.tanh, lambda x: torch.tanh(x), [(3, 4)]),
    "affine_transform, one vector": (
        F.affine_transform,
        lambda x, W, b: torch.nn.functional.linear(x, W, b),
        [(4,), (3, 4), (3,)],
    ),
    "affine_transform, a batch": (
        F.affine_transform,
        lambda x, W, b: torch.nn.functional.linear(x, W, b),
        [(5, 4), (3, 4), (3,)],
    ),
    "affine_transform, a batch of one": (
        F.affine_transform,
        lambda x, W, b: torch.nn.functional.linear(x, W, b),
        [(1, 4), (3, 4), (3,)],
    ),
    "affine_transform, (..., in)": (
        F.affine_transform,
        lambda x, W, b: torch.nn.functional.linear(x, W, b),
        [(2, 5, 4), (3, 4), (3,)],
    ),
    "softmax": (F.softmax, lambda x: torch.softmax(x, -1), [(3, 4)]),
    "softmax, other axis": (
        lambda x: F.softmax(x, 0),
        lambda x: torch.softmax(x, 0),
        [(3, 4)],
    ),
    "log_softmax": (F.log_softmax, lambda x: torch.log_softmax(x, -1), [(3, 4)]),
    "log_softmax, other axis": (
        lambda x: F.log_softmax(x, dim=1),
        lambda x: torch.log_softmax(x, 1),
        [(3, 4, 2)],
    ),
    "nll, one example": (
        lambda z: F.nll(z, 2),
        lambda z: torch.nn.functional.cross_entropy(z, torch.tensor(2)),
        [(4,)],
    ),
    "nll, a batch": (
        lambda z: F.nll(z, Tensor(GOLD).to(z.device)),
        lambda z: torch.nn.functional.cross_entropy(z, torch.tensor(GOLD)),
        [(4, 4)],
    ),
    **{
        f"cross_entropy, {reduction}": (
            lambda z, reduction=reduction: F.cross_entropy(
                z, Tensor(GOLD).to(z.device), reduction=reduction
            ),
            lambda z, reduction=reduction: torch.nn.functional.cross_entropy(
                z, torch.tensor(GOLD), reduction=reduction
            ),
            [(4, 4)],
        )
        for reduction in ("mean", "sum", "none")
    },
}


def draw(shape, seed):
    """Return numbers of which none is near zero, where relu has a corner."""
    x = np.random.default_rng(seed).normal(size=shape)
    return x + 0.1 * np.sign(x)


def values_and_gradients(function, arrays, make):
    """Return f(x), the gradient of sum(u * f(x)), and the gradient of sum(v * that gradient)."""
    inputs = [make(x) for x in arrays]
    out = function(*inputs)
    u = make(draw(tuple(out.shape), 10)).detach()
    (out * u).sum().backward()
    first = [x.grad for x in inputs]

    inputs = [make(x) for x in arrays]
    (function(*inputs) * u).sum().backward(create_graph=True)
    gradients = [x.grad for x in inputs]
    for x in inputs:
        x.grad = None
    slope = sum((0 * x).sum() for x in inputs)  # it depends on every x, if only by nothing
    for x, g in zip(arrays, gradients, strict=True):
        slope = slope + (make(draw(x.shape, 20)).detach() * g).sum()
    slope.backward()
    return [out, *first, *gradients, *(x.grad for x in inputs)]


def of_agrad(case, backend=None):
    function, _, shapes = CASES[case]
    arrays = [draw(shape, seed) for seed, shape in enumerate(shapes)]

    def make(x):
        return backend.tensor(x, requires_grad=True) if backend else Tensor(x, requires_grad=True)

    results = values_and_gradients(function, arrays, make)
    return [x.detach().cpu().numpy() for x in results]


@pytest.mark.parametrize("case", CASES)
def test_every_backend_gives_what_numpy_gives(case, backend):
    for got, expected in zip(of_agrad(case, backend), of_agrad(case), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


@needs_torch
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_values_and_gradients_are_pytorchs(case):
    _, function, shapes = CASES[case]
    arrays = [draw(shape, seed) for seed, shape in enumerate(shapes)]
    expected = values_and_gradients(function, arrays, lambda x: torch.tensor(x).requires_grad_())
    for got, each in zip(of_agrad(case), expected, strict=True):
        np.testing.assert_allclose(got, each.detach().numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_finite_differences(case):
    function, _, shapes = CASES[case]
    arrays = [draw(shape, seed) for seed, shape in enumerate(shapes)]
    n = len(arrays)
    out, *rest = of_agrad(case)
    first, again, second = rest[:n], rest[n : 2 * n], rest[2 * n :]
    u = draw(out.shape, 10)

    def slope(*arrays):
        """Return sum(v * gradient), by agrad's first-order gradients."""
        inputs = [Tensor(x, requires_grad=True) for x in arrays]
        function(*inputs).backward(u)
        return sum((draw(x.shape, 20) * x.grad.numpy()).sum() for x in inputs)

    for i in range(n):
        np.testing.assert_allclose(again[i], first[i], rtol=1e-12, atol=1e-14)
        numeric = differences(lambda *a: (u * function(*map(Tensor, a)).numpy()).sum(), arrays, i)
        np.testing.assert_allclose(first[i], numeric, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(second[i], differences(slope, arrays, i), rtol=1e-7, atol=1e-8)


def differences(f, arrays, i, h=1e-5):
    """Return the derivative of f(*arrays) by each element of the i-th, to order h**4."""
    gradient = np.empty(arrays[i].shape)
    for place in np.ndindex(gradient.shape):

        def at(step, place=place):
            moved = [x.copy() for x in arrays]
            moved[i][place] += step
            return f(*moved)

        gradient[place] = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    return gradient


# relu and affine_transform ------------------------------------------------------------------------


def test_relu_at_zero_has_derivative_zero(backend):
    x = backend.tensor(np.array([-1.0, 0.0, -0.0, 2.0]), requires_grad=True)
    y = F.relu(x)
    y.sum().backward()
    assert y.tolist() == [0, 0, 0, 2]
    assert x.grad.tolist() == [0, 0, 0, 1]


@needs_torch
def test_relu_lets_nan_through_as_pytorch_does(backend):
    x = np.array([np.nan, 1.0, -np.inf, np.inf])
    y = F.relu(backend.tensor(x))
    np.testing.assert_array_equal(backend.numpy(y), torch.relu(torch.tensor(x)).numpy())


def test_affine_transform_is_one_node_of_the_graph(backend):
    tensors = [backend.tensor(np.ones(s), requires_grad=True) for s in [(2, 3), (4, 3), (4,)]]
    parents = [parent for parent, *_ in F.affine_transform(*tensors)._node.edges]
    assert all(isinstance(parent, Leaf) for parent in parents)
    assert [parent.tensor() for parent in parents] == tensors


@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("shape", [(400_000,), (1000, 400)])
def test_affine_transform_computes_a_gradient_for_x_only_if_it_is_wanted(shape, wanted):
    x = Tensor(np.ones(shape), requires_grad=wanted)
    # A single output, so that the gradient of W is smaller than that of x unless x is one vector
    W = ag.Parameter(np.ones((1, shape[-1])))
    b = ag.Parameter(np.zeros(1))
    y = F.affine_transform(x, W, b).sum()
    tracemalloc.start()
    y.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (x.grad is not None) == wanted
    least = W.data.nbytes + wanted * x.data.nbytes
    assert least <= peak < least + x.data.nbytes / 2


@pytest.mark.parametrize(
    ("x", "W", "b"),
    [
        ((3,), (2, 4), (2,)),
        ((5, 3), (2, 4), (2,)),
        ((4,), (2, 4), (3,)),
        ((4,), (2, 4), (2, 1)),
        ((4,), (2, 4), ()),
        ((4,), (4,), (2,)),
        ((4,), (1, 2, 4), (2,)),
        ((), (2, 4), (2,)),
    ],
)
def test_affine_transform_names_shapes_that_dont_fit(x, W, b):
    with pytest.raises(ValueError, match="linear, or affine_transform, needs x of shape") as error:
        F.affine_transform(*(Tensor(np.ones(shape)) for shape in (x, W, b)))
    for shape in (x, W, b):
        assert str(shape) in str(error.value)


# Extreme scores ----------------------------------------------------------------------------------

INF = math.inf
LOG_2 = math.log(2)

# Scores, their softmax, its logarithm
EXTREME = {
    "far apart": ([1e4, -1e4, 0.0], [1, 0, 0], [0, -2e4, -1e4]),
    "all large": ([1e4, 1e4], [0.5, 0.5], [-LOG_2, -LOG_2]),
    "all small": ([-1e4, -1e4], [0.5, 0.5], [-LOG_2, -LOG_2]),
    "-inf": ([-INF, 0.0, 0.0], [0, 0.5, 0.5], [-INF, -LOG_2, -LOG_2]),
    "-inf but one": ([-INF, 3.0, -INF], [0, 1, 0], [-INF, 0, -INF]),
    "-inf and ±1e4": ([-INF, -1e4, 1e4], [0, 0, 1], [-INF, -2e4, 0]),
}


@pytest.mark.parametrize("dtype", [ag.float32, ag.float64])
@pytest.mark.parametrize("scores", EXTREME)
def test_extreme_scores(scores, dtype, backend):
    z, p, log_p = (np.array(each) for each in EXTREME[scores])
    close = {"rtol": 1e-6, "atol": 0}

    def scores_tensor(z=z):
        return backend.tensor(z.astype(str(dtype)), requires_grad=True)

    np.testing.assert_allclose(backend.numpy(F.softmax(scores_tensor())), p, **close)
    np.testing.assert_allclose(backend.numpy(F.log_softmax(scores_tensor())), log_p, **close)
    for gold in range(len(z)):
        one_hot = np.eye(len(z))[gold]
        one = scores_tensor()
        loss = F.nll(one, gold)
        loss.backward()
        np.testing.assert_allclose(backend.numpy(loss), -log_p[gold], **close)
        np.testing.assert_allclose(backend.numpy(one.grad), p - one_hot, **close)

        batch = scores_tensor(np.stack([z, z[::-1]]))
        classes = Tensor([gold, len(z) - 1 - gold]).to(batch.device)
        losses = F.cross_entropy(batch, classes, reduction="none")
        losses.sum().backward()
        np.testing.assert_allclose(backend.numpy(losses), -log_p[[gold, gold]], **close)
        np.testing.assert_allclose(backend.numpy(batch.grad)[0], p - one_hot, **close)


@needs_torch
@pytest.mark.parametrize("scores", EXTREME)
@pytest.mark.parametrize("case", ["softmax", "log_softmax", "nll"])
@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_gradients_of_extreme_scores_are_pytorchs(case, scores):
    functions = {
        "softmax": (F.softmax, lambda z: torch.softmax(z, -1)),
        "log_softmax": (F.log_softmax, lambda z: torch.log_softmax(z, -1)),
        "nll": (
            lambda z: F.nll(z, 1),
            lambda z: torch.nn.functional.cross_entropy(z, torch.tensor(1)),
        ),
    }
    own, theirs = functions[case]
    z = np.array(EXTREME[scores][0])

    def after_out(function, make):  # out * u of -inf has no use, but its gradients have
        x = make(z)
        function(x).backward(make(np.array(2.0) if case == "nll" else draw(z.shape, 10)).detach())
        y = make(z)
        u = make(np.array(2.0) if case == "nll" else draw(z.shape, 10)).detach()
        function(y).backward(u, create_graph=True)
        first, y.grad = y.grad, None
        (first * make(draw(z.shape, 20)).detach()).sum().backward()
        return [each.detach().numpy() for each in (x.grad, first, y.grad)]

    got = after_out(own, lambda x: Tensor(x, requires_grad=True))
    expected = after_out(theirs, lambda x: torch.tensor(x).requires_grad_())
    assert not any(np.isnan(each).any() for each in got)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


# nll and cross_entropy ---------------------------------------------------------------------------


def test_nll_is_minus_the_log_probability_of_the_right_class(backend):
    z = np.array([[1.0, 2.0, 4.0], [0.5, 0.0, -1.0]])
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    losses = -np.log(p[[0, 1], [2, 0]])
    one, scores = backend.tensor(z[0]), backend.tensor(z)
    assert F.nll(one, 2).item() == pytest.approx(losses[0])
    assert F.nll(one, 2).shape == ()
    gold = backend.tensor(np.array([2, 0]))
    assert F.nll(scores, gold).item() == pytest.approx(losses.mean())
    for reduction, expected in [("mean", losses.mean()), ("sum", losses.sum()), ("none", losses)]:
        got = F.cross_entropy(scores, gold, reduction=reduction)
        np.testing.assert_allclose(backend.numpy(got), expected)


ONE_CLASS = {
    "int": lambda backend: 2,
    "numpy.int64": lambda backend: np.int64(2),
    "raw array": lambda backend: backend.array(np.array(2)),
    "Tensor": lambda backend: backend.tensor(np.array(2)),
    "element of a Tensor": lambda backend: backend.tensor(np.array([0, 2]))[1],
    "uint8 Tensor": lambda backend: backend.tensor(np.array(2, dtype=np.uint8)),
    "int32 Tensor": lambda backend: backend.tensor(np.array(2, dtype=np.int32)),
}


@pytest.mark.parametrize("kind", ONE_CLASS)
def test_one_class_may_be_given_in_many_ways(kind, backend):
    z = backend.tensor(np.array([1.0, 2.0, 4.0]), requires_grad=True)
    loss = F.nll(z, ONE_CLASS[kind](backend))
    loss.backward()
    p = np.exp([1.0, 2.0, 4.0]) / np.exp([1.0, 2.0, 4.0]).sum()
    assert loss.item() == pytest.approx(-math.log(p[2]))
    np.testing.assert_allclose(backend.numpy(z.grad), p - [0, 0, 1])


MANY_CLASSES = {
    "list": lambda backend: [2, 2],
    "tuple": lambda backend: (2, 2),
    "raw array": lambda backend: backend.array(np.array([2, 2])),
    "Tensor": lambda backend: backend.tensor(np.array([2, 2])),
    "uint8 Tensor": lambda backend: backend.tensor(np.array([2, 2], dtype=np.uint8)),
}


@pytest.mark.parametrize("kind", MANY_CLASSES)
def test_the_classes_of_a_batch_may_be_given_in_many_ways(kind, backend):
    z = backend.tensor(np.log([[1.0, 2.0, 1.0], [1.0, 0.5, 0.5]]), requires_grad=True)
    loss = F.nll(z, MANY_CLASSES[kind](backend))
    loss.backward()
    assert loss.item() == pytest.approx(2 * LOG_2)
    expected = [[1 / 8, 1 / 4, -3 / 8], [1 / 4, 1 / 8, -3 / 8]]
    np.testing.assert_allclose(backend.numpy(z.grad), expected)


def test_an_empty_batch_loses_nothing(backend):
    z = backend.tensor(np.zeros((0, 3)), requires_grad=True)
    gold = backend.tensor(np.zeros(0, dtype=np.int64))
    assert F.cross_entropy(z, gold, reduction="none").shape == (0,)
    loss = F.cross_entropy(z, gold, reduction="sum")
    loss.backward()
    assert loss.item() == 0
    assert z.grad.shape == (0, 3)


@pytest.mark.parametrize("dtype", [ag.float32, ag.float64])
def test_the_loss_has_the_scores_data_type(dtype, backend):
    z = backend.tensor(np.zeros((2, 3)), dtype=dtype, requires_grad=True)
    loss = F.nll(z, backend.tensor(np.array([0, 1])))
    loss.backward()
    assert loss.dtype == dtype
    assert z.grad.dtype == dtype


@pytest.mark.parametrize(
    ("z", "gold", "message"),
    [
        ((3,), [1], r"got \(3,\) and \(1,\)"),
        ((2, 3), 1, r"got \(2, 3\) and \(\)"),
        ((2, 3), [1], r"got \(2, 3\) and \(1,\)"),
        ((2, 3), [[1], [1]], r"got \(2, 3\) and \(2, 1\)"),
        ((2, 3, 4), [[1] * 3] * 2, r"got \(2, 3, 4\) and \(2, 3\)"),
        ((), 0, r"got \(\) and \(\)"),
        ((3,), 3, "nll: class 3 is out of range for 3 classes"),
        ((3,), -1, "nll: class -1 is out of range for 3 classes"),
        ((2, 3), [0, 7], "nll: class 7 is out of range for 3 classes"),
        ((2, 3), [-2, 0], "class -2 is out of range for 3 classes"),
        ((3,), 1.0, "nll: classes must be integers, got agrad.float64"),
        ((2, 3), [0.0, 1.0], "classes must be integers, got agrad.float64"),
        ((2, 3), [True, False], "classes must be integers, got agrad.bool"),
    ],
)
@pytest.mark.parametrize("kind", ["as it is", "array", "Tensor"])
def test_classes_that_dont_fit_the_scores(z, gold, message, kind):
    if kind == "array":
        gold = np.array(gold)
    elif kind == "Tensor":
        gold = Tensor(gold)
    with pytest.raises(ValueError, match=message):
        F.nll(Tensor(np.zeros(z)), gold)


def test_classes_that_are_out_of_range_are_named_on_every_device_that_can_be_read(backend):
    one, batch = backend.tensor(np.zeros(3)), backend.tensor(np.zeros((2, 3)))
    if not one._backend.reads_values:
        pytest.skip("to check the classes would make the GPU wait; CuPy's indices wrap around")
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=f"class {wrong} is out of range"):
            F.nll(batch, backend.tensor(np.array([0, wrong])))
        with pytest.raises(ValueError, match=f"class {wrong} is out of range"):
            F.nll(one, backend.tensor(np.array(wrong)))


def test_scores_and_classes_on_two_devices_are_named(backend):
    if backend.device == "cpu":
        pytest.skip("needs a device besides the CPU")
    z, gold = backend.tensor(np.zeros((2, 3))), np.array([0, 1])
    for scores, classes in [(z, Tensor(gold)), (Tensor(np.zeros((2, 3))), backend.tensor(gold))]:
        with pytest.raises(RuntimeError) as error:
            F.nll(scores, classes)
        assert repr(scores.device) in str(error.value)
        assert repr(classes.device) in str(error.value)


@pytest.mark.parametrize("reduction", ["average", None, ""])
def test_an_unknown_reduction_is_refused(reduction):
    with pytest.raises(ValueError, match="reduction must be one of mean, sum, none"):
        F.cross_entropy(Tensor([0.0, 0.0]), 1, reduction=reduction)


@pytest.mark.parametrize(("x", "W"), [((2, 3), (0, 3)), ((2, 4, 0), (5, 0)), ((0, 3), (2, 3))])
def test_affine_transform_takes_sizes_of_zero(x, W):
    tensors = [ag.Tensor(np.ones(shape), requires_grad=True) for shape in (x, W, W[:1])]
    F.affine_transform(*tensors).sum().backward()
    assert [t.grad.shape for t in tensors] == [t.shape for t in tensors]
