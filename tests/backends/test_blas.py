"""Updates in place by BLAS give what NumPy gives without it."""

import ctypes
import pickle
import tracemalloc

import numpy as np
import pytest

import agrad as ag
from agrad.backends import CPU, blas
from agrad.backends import numpy as numpy_backend
from agrad.nn import functional as F

RNG = np.random.default_rng(0)


@pytest.fixture(params=["with BLAS", "without BLAS"])
def either(request, monkeypatch):
    """Run a test both ways."""
    if request.param == "without BLAS":
        monkeypatch.setattr(numpy_backend, "updates", lambda kind: None)
    elif blas.updates("f") is None:
        pytest.skip("NumPy's BLAS has no axpy and ger that are found here")


@pytest.fixture
def afresh():
    """Forget which functions have been found, before and after."""
    blas.updates.cache_clear()
    yield
    blas.updates.cache_clear()


# Finding them ------------------------------------------------------------------------------------


def test_they_are_found_in_numpys_own_wheels():
    facts = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    if facts["name"] != "scipy-openblas" or not facts.get("lib directory", "").startswith("/"):
        pytest.skip(f"NumPy was built with {facts['name']}")
    assert blas.updates("f") is not None
    assert blas.updates("d") is not None


def test_there_are_none_for_other_types_on_windows_or_under_other_names(afresh, monkeypatch):
    assert blas.updates("F") is blas.updates("e") is blas.updates("l") is None
    monkeypatch.setattr("sys.platform", "win32")
    assert blas.updates("f") is None
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(blas, "_NAMES", [("nobodys_", "", ctypes.c_int)])
    assert blas.updates("d") is None


def test_updates_run_on_one_thread_and_leave_the_others_as_they_were():
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads():
        """The number of NumPy's own BLAS; SciPy may have loaded another."""
        pools = threadpoolctl.threadpool_info()
        return [each["num_threads"] for each in pools if "numpy.libs" in each["filepath"]]

    seen = []
    library = ctypes.CDLL(np._core._multiarray_umath.__file__)
    run = blas.on_one_thread(library, lambda *args: seen.append((args, threads()[0])))
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        if threads()[:1] != [2]:
            pytest.skip("NumPy's BLAS isn't OpenBLAS, or has one thread alone")
        run(1, 2)
        assert seen == [((1, 2), 1)]
        with pytest.raises(ZeroDivisionError):
            blas.on_one_thread(library, lambda: 1 / 0)()
        assert threads()[0] == 2


# The product that isn't multiplied out -----------------------------------------------------------

LAYOUTS = {
    "contiguous": lambda y: y.copy(),
    "transposed": lambda y: y.T.copy().T,
    "every other column": lambda y: np.repeat(y, 2, axis=1)[:, ::2],
    "unaligned": lambda y: _unaligned(y),
}


def _unaligned(y):
    memory = np.empty(y.nbytes + 1, dtype=np.uint8)[1:]
    out = memory.view(y.dtype).reshape(y.shape)
    out[...] = y
    return out


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 4), (1, 5), (5, 1), (300, 200), (0, 3), (3, 0)])
def test_an_outer_product_is_added_in_place(shape, dtype, layout, either, capfd):
    x1, x2 = (RNG.normal(size=n).astype(dtype) for n in shape)
    y = LAYOUTS[layout](RNG.normal(size=shape).astype(dtype))
    expected = y - 0.5 * np.outer(x1, x2)
    assert CPU.axpy(-0.5, numpy_backend.Outer(x1, x2), y) is y
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    assert capfd.readouterr() == ("", "")  # BLAS writes of what it doesn't like


def test_an_outer_product_is_added_to_another_type():
    x1, x2 = np.arange(3.0), np.arange(4.0)
    y = np.ones((3, 4), dtype=np.float32)
    CPU.axpy(2.0, numpy_backend.Outer(x1, x2), y)
    np.testing.assert_array_equal(y, 1 + 2 * np.outer(x1, x2))


def test_what_may_not_be_written_to_is_not():
    x, y = np.ones((2, 200, 100))
    y.flags.writeable = False
    for each, target in [(x, y), (x.ravel(), y.ravel()), (numpy_backend.Outer(x[:, 0], x[0]), y)]:
        with pytest.raises(ValueError, match="read-only"):
            CPU.axpy(1.0, each, target)
    assert (y == 1).all()


@pytest.mark.parametrize("kind", ["read-only", "unaligned"])
def test_a_large_array_is_added_wherever_it_lies(kind, either):
    x, y = RNG.normal(size=(2, 20_000)).astype("float32")
    expected = y + 2 * x
    if kind == "unaligned":
        x, y = _unaligned(x), _unaligned(y)
    else:
        x.flags.writeable = False
    assert CPU.axpy(2.0, x, y) is y
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_adding_an_outer_product_makes_no_array(either):
    y = np.ones((2000, 1000))
    product = numpy_backend.Outer(y[:, 0], y[0])
    tracemalloc.start()
    done = product.add_to(y, 2.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert done == (numpy_backend.updates("d") is not None)
    assert peak < 10_000


# The gradient of a layer's weights for one example -----------------------------------------------


def layer():
    """Return an example, weights, a bias, and the gradient that the sum of the outputs² has."""
    x, W, b = (RNG.normal(size=shape) for shape in [4, (3, 4), 3])
    tensors = ag.Tensor(x), ag.Tensor(W, requires_grad=True), ag.Tensor(b, requires_grad=True)
    return *tensors, np.outer(2 * (W @ x + b), x)


def loss(x, W, b):
    return ag.sum(F.affine_transform(x, W, b) ** 2)


def test_the_gradient_is_a_tensor_like_any_other(either):
    x, W, b, expected = layer()
    loss(x, W, b).backward()
    kept = W.grad
    np.testing.assert_allclose(kept.data, expected)
    assert type(kept.data) is np.ndarray
    assert W.grad is kept
    kept.data[...] = 1.0
    np.testing.assert_array_equal(W.grad.data, 1.0)


def test_the_gradient_doesnt_change_with_the_example(either):
    x, W, b, expected = layer()
    loss(x, W, b).backward()
    x.data[...] = 100.0
    b.grad.data[...] = 100.0
    np.testing.assert_allclose(W.grad.data, expected)


@pytest.mark.parametrize("read", [False, True])
def test_gradients_of_several_examples_add_up(read, either):
    x, W, b, expected = layer()
    seen = []
    for n in (1, 2, 3):
        loss(x, W, b).backward()
        if read:
            seen.append(W.grad)
            np.testing.assert_allclose(W.grad.data, n * expected)
    np.testing.assert_allclose(W.grad.data, 3 * expected)
    for n, each in enumerate(seen, 1):  # whoever keeps a gradient keeps its values
        np.testing.assert_allclose(each.data, n * expected)


def test_weights_that_are_used_twice_get_both_gradients(either):
    x, W, b, expected = layer()
    (loss(x, W, b) + 2 * loss(x, W, b)).backward()
    np.testing.assert_allclose(W.grad.data, 3 * expected)


def test_the_gradient_goes_on_through_weights_that_were_computed(either):
    x, W, b, expected = layer()
    V = ag.Tensor(W.data / 2, requires_grad=True)
    twice = V * 2
    twice.retain_grad()
    loss(x, twice, b).backward()
    np.testing.assert_allclose(V.grad.data, 2 * expected)
    np.testing.assert_allclose(twice.grad.data, expected)


def test_the_gradient_is_cast_to_the_weights_type(either):
    x, W, b, expected = layer()
    W = ag.Tensor(W.data.astype("float32"), requires_grad=True)
    loss(x, W, b).backward()
    assert W.grad.dtype == ag.float32
    np.testing.assert_allclose(W.grad.data, expected, rtol=1e-5)


def test_hooks_see_the_gradient_and_may_replace_it(either):
    x, W, b, expected = layer()
    seen = []
    W.register_hook(seen.append)
    loss(x, W, b).backward()
    W.register_hook(lambda g: g * 2)
    loss(x, W, b).backward()
    for each in seen:
        np.testing.assert_allclose(each.data, expected)
    np.testing.assert_allclose(W.grad.data, 3 * expected)


def test_the_gradient_is_had_by_functions_pickles_and_casts(either):
    x, W, b, expected = layer()
    (g,) = ag.vjp(lambda W: loss(x, W, b), W.detach())[1](ag.Tensor(1.0))
    np.testing.assert_allclose(g.data, expected)
    loss(x, W, b).backward()
    np.testing.assert_allclose(pickle.loads(pickle.dumps(W)).grad.data, expected)
    loss(x, W, b).backward(create_graph=True)
    np.testing.assert_allclose(W.grad.data, 2 * expected)
    W.grad = None
    loss(x, W, b).backward()
    W.data = W.data.astype("float32")
    np.testing.assert_allclose(W.grad.data, expected, rtol=1e-5)


@pytest.mark.parametrize("momentum", [None, 0.5])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("read", [False, True])
def test_optimizers_step_alike_whether_it_was_read_or_not(read, layout, momentum, either):
    x, W, b, _ = layer()
    w = ag.Parameter(W)
    w.data = LAYOUTS[layout](W.data)
    own, bias = w.data, b.detach()
    optimizer = (
        ag.optim.SGD([w], 0.1) if momentum is None else ag.optim.MomentumSGD([w], 0.1, momentum)
    )
    value, velocity = W.data.copy(), 0.0
    for _ in range(3):
        g = np.outer(2 * (value @ x.data + b.data), x.data)
        velocity = (momentum or 0.0) * velocity + g
        value -= 0.1 * velocity
        optimizer.zero_grad()
        loss(x, w, bias).backward()
        if read:
            np.testing.assert_allclose(w.grad.data, g)
        optimizer.step()
        np.testing.assert_allclose(w.grad.data, g)  # it is left as it was
    np.testing.assert_allclose(w.data, value)
    assert w.data is own


def test_an_example_of_another_type_than_the_weights(either):
    x, W, b, expected = layer()
    x = ag.Tensor(x.data.astype("float32"))
    loss(x, W, b).backward()
    assert W.grad.dtype == ag.float64
    np.testing.assert_allclose(W.grad.data, expected, rtol=1e-5)
