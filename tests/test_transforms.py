"""Functions of functions, held to PyTorch's and JAX's, and to what they say of themselves."""

import dataclasses
import sys
import tracemalloc
from functools import partial

import numpy as np
import pytest

import agrad as ag
from agrad.nn.functional import nll


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def rosenbrock_of_numpy(x):
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def waves(xp, x, A):
    """A function of a vector to a vector, written for any namespace."""
    return xp.sin(A @ x) * xp.exp(x[0]) + xp.sum(x * x)


RNG = np.random.default_rng(0)
X, V = RNG.normal(size=4), RNG.normal(size=4)
TALL, WIDE = RNG.normal(size=(6, 4)), RNG.normal(size=(2, 4))


# Gradients ------------------------------------------------------------------------------------


def test_gradient_and_value(backend):
    x = backend.tensor(X)
    value, gradient = ag.value_and_grad(rosenbrock)(x)
    slopes = [
        (rosenbrock_of_numpy(X + h) - rosenbrock_of_numpy(X - h)) / 2e-6 for h in 1e-6 * np.eye(4)
    ]
    assert backend.numpy(value) == pytest.approx(rosenbrock_of_numpy(X))
    np.testing.assert_allclose(backend.numpy(gradient), slopes, rtol=1e-6)
    assert gradient.device == x.device


def test_nothing_is_left_behind():
    x, w = ag.Tensor(X), ag.Parameter([1.0], dtype=ag.float64)
    value, gradient = ag.value_and_grad(lambda x: (w * x * x).sum())(x)
    assert not any(t.requires_grad for t in (value, gradient, x))
    assert w.grad is None
    assert x.grad is None


def test_it_works_under_no_grad_and_on_raw_arrays_and_numbers():
    with ag.no_grad():
        assert ag.grad(rosenbrock)(X).tolist() == ag.grad(rosenbrock)(ag.Tensor(X)).tolist()
        assert ag.grad(lambda x: x * x)(3.0).item() == 6.0


def test_several_arguments():
    def f(x, y, power=1):
        return (x * y**power).sum()

    x, y = ag.Tensor([1.0, 2.0]), ag.Tensor([3.0, 4.0])
    dx, dy = ag.grad(f, argnums=(0, 1))(x, y, power=2)
    assert dx.tolist() == [9.0, 16.0]
    assert dy.tolist() == [6.0, 16.0]
    assert ag.grad(f, argnums=-1)(x, y).tolist() == [1.0, 2.0]
    with pytest.raises(TypeError, match="argnums is 2, but 2 arguments"):
        ag.grad(f, argnums=2)(x, y)


def test_something_beside_the_value():
    def f(x):
        return (x * x).sum(), {"twice": 2 * x}

    (value, aux), gradient = ag.value_and_grad(f, has_aux=True)(ag.Tensor([1.0, 2.0]))
    assert (value.item(), aux["twice"].tolist(), gradient.tolist()) == (5.0, [2.0, 4.0], [2.0, 4.0])
    assert not aux["twice"].requires_grad
    gradient, _ = ag.grad(f, has_aux=True)(ag.Tensor([1.0, 2.0]))
    assert gradient.tolist() == [2.0, 4.0]


@dataclasses.dataclass
class Layer:
    weight: ag.Tensor
    bias: ag.Tensor


def test_gradients_have_the_form_of_the_argument():
    def loss(layers, x):
        for layer in layers["all"]:
            x = ag.tanh(layer.weight @ x + layer.bias)
        return x.sum()

    layers = {"all": [Layer(ag.Tensor(WIDE[:, :2]), ag.Tensor(X[:2])) for _ in range(2)]}
    gradient = ag.grad(loss)(layers, ag.Tensor(X[:2]))
    flat = [t for layer in layers["all"] for t in (layer.weight, layer.bias)]
    for t in flat:
        t.requires_grad = True
    loss(layers, ag.Tensor(X[:2])).backward()
    found = [t for layer in gradient["all"] for t in (layer.weight, layer.bias)]
    assert isinstance(gradient["all"][0], Layer)
    for t, g in zip(flat, found, strict=True):
        np.testing.assert_array_equal(t.grad.numpy(), g.numpy())


def test_trees_say_what_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "optree", None)
    with pytest.raises(ImportError, match=r'dict .* pip install "agrad\[trees\]"'):
        ag.grad(lambda p: p["w"])({"w": ag.Tensor(1.0)})
    assert ag.grad(lambda x: x)(1.0).item() == 1.0


def test_an_argument_that_plays_no_part_has_a_gradient_of_zero():
    older = ag.Tensor(2.0, requires_grad=True) * 3
    assert ag.grad(lambda x: ag.Tensor(1.0))(5.0).item() == 0.0
    assert ag.grad(lambda x: older)(5.0).item() == 0.0
    older.backward()  # its graph is untouched


def test_what_was_made_before_is_neither_walked_nor_freed():
    w = ag.Tensor(3.0, requires_grad=True)
    calls = []
    square = ag.custom_vjp(lambda xp, w: w * w, w=lambda xp, g, w: calls.append(1) or 2 * g * w)
    outside = square(w)
    assert ag.grad(lambda x: outside * x)(2.0).item() == 9.0
    assert not calls
    outside.backward()
    assert w.grad.item() == 6.0


def test_a_model_that_is_called_inside_keeps_its_gradients():
    model = ag.models.DeepNetwork(4, 3, hidden_dim=5, n_layers=2, dtype=ag.float64)
    gradient = ag.grad(lambda x: nll(model(x), 1))(ag.Tensor(X))
    x = ag.Tensor(X, requires_grad=True)
    assert all(p.grad is None for p in model.parameters())
    nll(model(x), 1).backward()
    np.testing.assert_array_equal(gradient.numpy(), x.grad.numpy())


@pytest.mark.parametrize(
    ("function", "argument", "words"),
    [
        (lambda x: x * x, ag.Tensor([1.0, 2.0]), r"one element, got shape \(2,\)"),
        (lambda x: 1.0, ag.Tensor(1.0), "gives a Tensor, got float"),
        (lambda x: x * 1.0, ag.Tensor([1]), "floating-point type, got agrad.int64"),
    ],
)
def test_what_grad_refuses(function, argument, words):
    with pytest.raises(TypeError, match=words):
        ag.grad(function)(argument)


# Higher order ------------------------------------------------------------------------------------


def test_derivatives_of_any_order(backend):
    f = ag.exp
    x = backend.tensor(np.asarray(0.5))
    for _ in range(4):
        f = ag.grad(f)
        assert backend.numpy(f(x)) == pytest.approx(np.exp(0.5))


def test_one_gradient_inside_another_with_a_variable_of_the_outer():
    def outer(x):
        return x * ag.grad(lambda y: x * y * y)(x)  # x * 2 x**2

    assert ag.grad(outer)(3.0).item() == pytest.approx(54.0)  # 6 x**2


def test_a_variable_of_the_outer_alone_links_the_inner_to_it():
    def outer(w):
        inner = ag.grad(lambda y: w * y * y)(2.0)  # 4 w, of an argument that is a constant
        _, tangent = ag.jvp(lambda y: w * w * y, [1.0], [1.0])  # w**2
        return inner + tangent

    assert ag.grad(outer)(3.0).item() == pytest.approx(4.0 + 6.0)


def test_a_product_that_is_made_outside_may_be_differentiated_inside():
    _, pull = ag.vjp(lambda x: x**3, 2.0)  # 12 u
    assert ag.grad(lambda u: pull(u)[0] ** 2)(1.0).item() == pytest.approx(288.0)


def test_a_gradient_penalty_reaches_the_parameters():
    w = ag.Parameter([2.0], dtype=ag.float64)
    x = ag.Tensor([3.0], requires_grad=True)
    slope = ag.grad(lambda x: (w * x * x).sum())(x)  # 2 w x
    (slope * slope).sum().backward()  # 4 w**2 x**2
    assert w.grad.tolist() == [144.0]
    assert x.grad.tolist() == [96.0]


def test_backward_after_grad_of_grad():
    x = ag.Tensor(2.0, requires_grad=True)
    ag.grad(ag.grad(lambda x: x**4))(x).backward()
    assert x.grad.item() == 48.0  # 24 x


# Products and matrices -------------------------------------------------------------------------


@pytest.mark.parametrize("matrix", [TALL, WIDE], ids=["tall", "wide"])
@pytest.mark.parametrize("mode", ["auto", "forward", "reverse"])
def test_the_jacobian_is_the_slope(backend, matrix, mode):
    A = backend.tensor(matrix)
    J = ag.jacobian(lambda x: waves(ag, x, A), mode=mode)(backend.tensor(X))
    slopes = [
        (waves(np, X + h, matrix) - waves(np, X - h, matrix)) / 2e-6 for h in 1e-6 * np.eye(4)
    ]
    np.testing.assert_allclose(backend.numpy(J), np.transpose(slopes), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("matrix", [TALL, WIDE], ids=["tall", "wide"])
def test_products_are_those_with_the_jacobian(backend, matrix):
    A, x, v = (backend.tensor(a) for a in (matrix, X, V))
    u = backend.tensor(RNG.normal(size=len(matrix)))
    f = lambda x: waves(ag, x, A)  # noqa: E731
    J = backend.numpy(ag.jacobian(f)(x))
    out, pull = ag.vjp(f, x)
    np.testing.assert_allclose(backend.numpy(pull(u)[0]), backend.numpy(u) @ J, rtol=1e-9)
    np.testing.assert_allclose(backend.numpy(pull(2 * u)[0]), 2 * backend.numpy(u) @ J, rtol=1e-9)
    same, tangent = ag.jvp(f, [x], [v])
    np.testing.assert_allclose(backend.numpy(tangent), J @ V, rtol=1e-9)
    np.testing.assert_array_equal(backend.numpy(out), backend.numpy(same))
    assert not any(t.requires_grad for t in (out, tangent))


def test_the_hessian_and_its_products(backend):
    x, v = backend.tensor(X), backend.tensor(V)
    H = backend.numpy(ag.hessian(rosenbrock)(x))
    gradient = ag.grad(rosenbrock)
    slopes = [
        (gradient(ag.Tensor(X + h)).numpy() - gradient(ag.Tensor(X - h)).numpy()) / 2e-5
        for h in 1e-5 * np.eye(4)
    ]
    np.testing.assert_allclose(H, slopes, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(backend.numpy(ag.hvp(rosenbrock, x, v)), H @ V, rtol=1e-9)
    np.testing.assert_allclose(
        backend.numpy(ag.jvp(ag.grad(rosenbrock), [x], [v])[1]), H @ V, rtol=1e-9
    )


def test_shapes_of_jacobians():
    assert ag.jacobian(lambda x: x.sum())(ag.ones((2, 3))).shape == (2, 3)
    assert ag.jacobian(lambda x: x @ ag.ones((3, 4)))(ag.ones((2, 3))).shape == (2, 4, 2, 3)
    assert ag.jacobian(lambda x: 2 * x)(ag.ones((0, 3))).shape == (0, 3, 0, 3)
    assert ag.hessian(lambda x: (x**3).sum())(ag.ones((2, 2))).shape == (2, 2, 2, 2)


def test_what_products_refuse():
    x = ag.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"cotangent must be of shape \(2,\), got \(3,\)"):
        ag.vjp(lambda x: x * 2, x)[1](ag.ones((3,)))
    with pytest.raises(ValueError, match=r"tangent must be of shape \(2,\), got \(\)"):
        ag.jvp(lambda x: x * 2, [x], [1.0])
    with pytest.raises(ValueError, match=r"vector must be of shape \(2,\), got \(1,\)"):
        ag.hvp(lambda x: (x * x).sum(), x, ag.ones((1,)))
    with pytest.raises(ValueError, match="mode must be"):
        ag.jacobian(lambda x: x, mode="backward")
    with pytest.raises(TypeError, match="gives a Tensor, got list"):
        ag.jacobian(lambda x: [x])(x)


def test_derivatives_are_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    A, tA, tx = ag.Tensor(TALL), torch.tensor(TALL), torch.tensor(X)
    ours = ag.jacobian(lambda x: waves(ag, x, A))(ag.Tensor(X))
    theirs = torch.autograd.functional.jacobian(lambda x: waves(torch, x, tA), tx)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)
    ours = ag.hessian(lambda x: waves(ag, x, A).sum())(ag.Tensor(X))
    theirs = torch.autograd.functional.hessian(lambda x: waves(torch, x, tA).sum(), tx)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10)


def test_derivatives_are_jaxs():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    ours = ag.jvp(lambda x: waves(ag, x, ag.Tensor(WIDE)), [X], [V])
    theirs = jax.jvp(lambda x: waves(jax.numpy, x, WIDE), [X], [V])
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-12)


# With others -----------------------------------------------------------------------------------


def test_scipy_minimizes_with_our_gradient_and_hessian():
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    start = np.array([-1.2, 1.0, 0.5])
    first = optimize.minimize(ag.value_and_grad(rosenbrock), start, jac=True)
    assert first.success
    np.testing.assert_allclose(first.x, np.ones(3), atol=1e-4)
    second = optimize.minimize(
        ag.value_and_grad(rosenbrock),
        start,
        jac=True,
        hess=ag.hessian(rosenbrock),
        method="trust-exact",
    )
    assert second.success
    np.testing.assert_allclose(second.x, np.ones(3), atol=1e-6)


def test_a_rule_of_ones_own():
    clipped = ag.custom_vjp(
        lambda xp, x, limit: x + 0, x=lambda xp, g, limit: xp.clip(g, -limit, limit)
    )
    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    (clipped(x, limit=5.0) * ag.Tensor([3.0, 30.0])).sum().backward()
    assert x.grad.tolist() == [3.0, 5.0]


def test_a_constant_lets_no_gradient_through():
    x = ag.Tensor(3.0, requires_grad=True)
    (x * ag.stop_gradient(x * x)).backward()
    assert x.grad.item() == 9.0


# checkpoint --------------------------------------------------------------------------------------


def block(x, w):
    return ag.tanh(x @ w) * ag.exp(-x)


def gradients_of(function, *tensors):
    ag.sum(function()).backward()
    found = [t.grad for t in tensors]
    for t in tensors:
        t.grad = None
    return [g.tolist() for g in found]


def test_a_checkpoint_gives_the_gradients_of_the_function_itself(backend):
    x = backend.tensor([[0.5, -1.0], [2.0, 0.25]], requires_grad=True)
    w = ag.Parameter(backend.array([[1.0, 0.5], [-0.5, 2.0]]))

    def plain():
        return block(block(x * 2, w), w)

    def with_checkpoints():
        return ag.checkpoint(block, ag.checkpoint(lambda y: block(y, w), x * 2), w)

    close = partial(np.testing.assert_allclose, rtol=1e-12)
    for found, expected in zip(
        gradients_of(with_checkpoints, x, w), gradients_of(plain, x, w), strict=True
    ):
        close(found, expected)


def test_a_checkpoint_keeps_nothing_until_backward():
    calls = []

    def function(x):
        calls.append(ag.is_grad_enabled())
        return ag.exp(ag.exp(x))

    x = ag.Tensor([0.5], requires_grad=True)
    y = ag.checkpoint(function, x)
    assert calls == [False]
    y.backward(retain_graph=True)
    assert calls == [False, True]
    y.backward()
    np.testing.assert_allclose(x.grad.data, 2 * np.exp(0.5) * np.exp(np.exp(0.5)))
    with pytest.raises(RuntimeError, match="freed it"):
        y.backward()


def test_checkpoints_have_higher_derivatives():
    def cube(x):
        return ag.checkpoint(lambda x: x**3, x)

    assert ag.grad(ag.grad(cube))(ag.Tensor(2.0)).item() == 12.0
    assert ag.hvp(lambda x: cube(x).sum(), ag.Tensor([1.0]), ag.Tensor([2.0])).tolist() == [12.0]


def test_a_checkpoint_may_give_several_results_of_several_types():
    def function(x):
        return {"square": x * x, "turn": ag.exp(1j * x), "where": ag.argmax(x)}

    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    out = ag.checkpoint(function, x)
    assert out["where"].item() == 1
    ag.sum(out["square"] + ag.imag(out["turn"])).backward()
    np.testing.assert_allclose(x.grad.data, 2 * x.data + np.cos(x.data))


def test_a_checkpoint_draws_the_same_random_numbers_again():
    masks = []

    def dropout(x):
        masks.append(ag.random.default_generator.uniform(0, 1, x.shape))
        return x * (masks[-1] > 0.5)

    x = ag.Tensor(np.ones(20), requires_grad=True)
    out = ag.checkpoint(dropout, x)
    after = ag.random.default_generator.state
    ag.sum(out).backward()
    assert (masks[0] == masks[1]).all()
    assert x.grad.tolist() == out.tolist()
    assert ag.random.default_generator.state == after


def double_in_place(t):
    with ag.no_grad():
        t *= 2


def a_parameter(x):
    w = ag.Parameter([1.0, 2.0])
    return ag.checkpoint(lambda: w * x), partial(double_in_place, w)


def a_constant_that_no_rule_keeps(x):
    c = ag.Tensor([1.0, 2.0])
    return ag.checkpoint(lambda x: ag.exp(x + c), x), partial(double_in_place, c)


def an_argument(x):
    y = x * 1
    return ag.checkpoint(ag.exp, y), partial(double_in_place, y)


def a_tensor_in_a_list(x):
    held = [x * 1]
    return ag.checkpoint(lambda: held[0] * held[0]), partial(held.__setitem__, 0, x * 5)


def another_shape(x):
    parts = [...]
    return ag.checkpoint(lambda x: x[parts[0]] * 1, x), partial(parts.__setitem__, 0, slice(1))


@pytest.mark.parametrize(
    "change",
    [a_parameter, a_constant_that_no_rule_keeps, an_argument, a_tensor_in_a_list, another_shape],
)
def test_a_checkpoint_refuses_to_run_again_on_changed_values(change):
    out, happen = change(ag.Tensor([1.0, 2.0], requires_grad=True))
    happen()
    with pytest.raises(RuntimeError, match="another result than in the forward pass"):
        ag.sum(out).backward()


def test_a_checkpoint_refuses_a_function_that_changes_what_it_uses():
    def function(y):
        y *= 2
        return y * y

    x = ag.Tensor([3.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="another result"):
        ag.checkpoint(function, x * 1).backward()


def test_writes_elsewhere_do_not_disturb_a_checkpoint():
    x = ag.Tensor(np.ones((20, 20)), requires_grad=True)
    y = ag.checkpoint(lambda x: ag.sum(ag.exp(x) * ag.cos(x)), x)
    for _ in range(20):  # whose memory is had again by what is computed in the second run
        t = ag.zeros((20, 20))
        t += 1
        del t
    y.backward()
    np.testing.assert_allclose(x.grad.data, np.e * (np.cos(1) - np.sin(1)))


def test_integers_pass_through_a_checkpoint_as_they_are():
    number = ag.Tensor([2**53 + 1])
    x = ag.Tensor([1.0], requires_grad=True)
    doubled, same = ag.checkpoint(lambda x: (x * 2, number), x)
    assert same.tolist() == [2**53 + 1]
    doubled.backward()
    assert x.grad.tolist() == [2.0]


def test_what_is_done_to_an_argument_after_a_checkpoint_does_not_change_its_gradient():
    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    out = ag.checkpoint(lambda y: y * 2, y)
    y = y + 1
    ag.sum(out + y).backward()
    assert x.grad.tolist() == [9.0, 9.0]


def test_without_recording_a_checkpoint_is_a_plain_call():
    with ag.no_grad():
        assert not ag.checkpoint(ag.exp, ag.Tensor([1.0], requires_grad=True)).requires_grad


def test_a_chain_of_checkpoints_takes_the_memory_of_its_root():
    def peak(group):
        x = ag.Tensor(np.ones(50_000), requires_grad=True)

        def steps(y):
            for _ in range(group):
                y = ag.sin(y)
            return y

        tracemalloc.start()
        y = x
        for _ in range(64 // group):
            y = ag.checkpoint(steps, y) if group > 1 else steps(y)
        ag.sum(y).backward()
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return high, x.grad.data

    (plain, expected), (less, found) = peak(1), peak(8)
    np.testing.assert_allclose(found, expected)
    assert less < plain / 2.5  # 64 arrays, or 8 + 8 and some


# Functions that change their arguments ------------------------------------------------------------


def test_derivatives_of_a_function_that_changes_its_argument():
    def function(x):
        x *= 2
        x[0] = x[1] * 3
        return ag.sum(x**2)  # 40 b**2

    x = ag.Tensor([1.0, 3.0])
    assert ag.hessian(function)(x).tolist() == [[0.0, 0.0], [0.0, 80.0]]
    for requires_grad in (False, True):
        given = ag.Tensor([1.0, 3.0], requires_grad=requires_grad)
        assert ag.grad(function)(given).tolist() == [0.0, 240.0]
    assert ag.vjp(function, ag.Tensor([1.0, 3.0], requires_grad=True))[1](1.0)[0].tolist() == [
        0.0,
        240.0,
    ]
    assert x.tolist() == [1.0, 3.0]


def test_two_gradients_that_are_alike_are_two_tensors():
    x, z = (ag.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    gx, gz = ag.grad(lambda x, z: ag.sum((x + z) ** 2), (0, 1))(x, z)
    gx *= 5
    assert gz.tolist() == [4.0, 8.0]
