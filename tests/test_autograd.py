"""The engine: what is recorded, what it keeps, and how gradients find their way back."""

import gc
import operator
import threading
import weakref

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agrad as ag
from agrad.autograd import Primitive, record
from agrad.backends import backend_of

# Gradients ---------------------------------------------------------------------------------------


def test_gradients_accumulate_until_they_are_cleared(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    for expected in ([3.0, 3.0], [6.0, 6.0]):
        (x * 3).sum().backward()
        assert backend.numpy(x.grad).tolist() == expected
    x.grad = None
    (x * 3).sum().backward()
    assert backend.numpy(x.grad).tolist() == [3.0, 3.0]


def test_an_accumulated_gradient_is_another_tensor():
    """Whoever holds on to a gradient keeps its values."""
    x = ag.Tensor([1.0], requires_grad=True)
    (x * 3).backward()
    before = x.grad
    (x * 3).backward()
    assert before.tolist() == [3.0]


def test_what_a_hook_keeps_stays_while_gradients_add_up():
    x, y = (ag.Tensor(np.ones(shape), requires_grad=True) for shape in (6, (2, 3)))
    kept = []
    y.register_hook(kept.append)
    for _ in range(2):  # the gradient of y is that of x, in another shape
        (2 * (x + ag.reshape(y, (6,)))).sum().backward()
    assert kept[0].tolist() == [[2.0, 2.0, 2.0]] * 2
    assert x.grad.tolist() == [4.0] * 6


DIAMONDS = [
    (lambda x: x * x, lambda x: 2 * x),
    (lambda x: x + x + x, lambda x: 3),
    (lambda x: (y := x * 2) * y, lambda x: 8 * x),
    (lambda x: (y := ag.exp(x)) + y * y, lambda x: np.exp(x) + 2 * np.exp(2 * x)),
    (lambda x: (y := x * x) * (z := y + x) + z, lambda x: 4 * x**3 + 3 * x**2 + 2 * x + 1),
    (lambda x: ag.concat([x, x * x])[1], lambda x: 2 * x),
]


@pytest.mark.parametrize(("function", "slope"), DIAMONDS)
def test_what_is_used_twice_gets_both_gradients(backend, function, slope):
    x = backend.tensor([1.5], requires_grad=True)
    function(x).sum().backward()
    assert backend.numpy(x.grad)[0] == pytest.approx(slope(1.5))


# Bounded and smooth, of two arguments: what a random graph is made of
STEPS = [
    lambda xp, a, b: (a + b) / 2,
    lambda xp, a, b: xp.sin(a * b),
    lambda xp, a, b: a * xp.tanh(b),
    lambda xp, a, b: xp.cos(a) - xp.mean(b) / 2,
    lambda xp, a, b: xp.flip(a) + b[..., ::-1] * b[..., :1],
]


def run_steps(xp, steps, inputs):
    """Apply each step to two of the values so far, and sum up a few of the last."""
    values = list(inputs)
    for which, i, j in steps:
        values.append(STEPS[which](xp, values[i % len(values)], values[j % len(values)]))
    return sum(xp.sum(each) for each in values[-3:])


@given(
    st.lists(st.tuples(st.integers(0, 4), *[st.integers(0, 20)] * 2), min_size=1, max_size=10),
    st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_any_graph(steps, needed):
    """However calls are joined, the gradient is the slope, for those inputs that need one."""
    arrays = [np.array([0.3, -0.6, 0.7]), np.array([[0.5], [-0.8]]), np.array([0.9])]
    inputs = [ag.Tensor(x, requires_grad=each) for x, each in zip(arrays, needed, strict=True)]
    loss = run_steps(ag, steps, inputs)
    assert loss.requires_grad <= any(needed)
    if not loss.requires_grad:
        return
    for create_graph in (True, False):
        for x in inputs:
            x.grad = None
        loss.backward(create_graph=create_graph)
        for place, x in enumerate(inputs):
            if not x.requires_grad:
                assert x.grad is None
                continue
            gradient = np.zeros(x.shape) if x.grad is None else x.grad.data
            for cell in np.ndindex(x.shape):
                ends = []
                for step in (1e-5, -1e-5):
                    moved = [each.copy() for each in arrays]
                    moved[place][cell] += step
                    ends.append(run_steps(np, steps, moved))
                assert gradient[cell] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)


def test_doubling_a_thousand_times_takes_a_thousand_steps():
    """Each node is visited once, however many paths lead to it."""
    x = y = ag.Tensor(1.0, requires_grad=True)
    for _ in range(1000):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**1000


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "float32")])
def test_a_gradient_has_its_tensors_dtype_shape_and_device(backend, dtypes):
    x = backend.tensor([[1.0], [2.0]], requires_grad=True, dtype=dtypes[0])
    y = backend.tensor([3.0, 4.0], requires_grad=True, dtype=dtypes[1])
    for create_graph in (False, True):
        x.grad = y.grad = None
        (x * y).sum().backward(create_graph=create_graph)
        for each in (x, y):
            found = each.grad.dtype, each.grad.shape, each.grad.device
            assert found == (each.dtype, each.shape, each.device)


# Of x and y, each way in which gradients could come to share their memory
SHARING = {
    "add": lambda x, y: x + y,
    "itself": lambda x, y: x,
    "positive": lambda x, y: +x + +y,
    "reshape": lambda x, y: ag.reshape(x, (1, 2)) + ag.reshape(y, (1, 2)),
    "transpose": lambda x, y: ag.stack([x, y]).T,
    "flip": lambda x, y: ag.flip(x) + y,
    "concat": lambda x, y: ag.concat([x, y]),
    "slices": lambda x, y: x[:] + y[:],
    "broadcast": lambda x, y: ag.broadcast_to(x, (3, 2)) + y,
    "sum": lambda x, y: ag.sum(x) + ag.sum(y),
    "moved": lambda x, y: (x.to("cpu") + y.to("cpu")).to(x.device),
}


@pytest.mark.parametrize("name", SHARING)
def test_gradients_share_their_memory_with_nothing(backend, name):
    if backend.name == "jax":
        pytest.skip("JAX's arrays can't be written to")
    x, y = (backend.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    out = SHARING[name](x, y)
    out.retain_grad()
    seed = ag.ones_like(out)
    out.backward(seed)
    owners = [x] if out is x else [x, y, out]
    gradients = [each.grad.data for each in owners]
    arrays = [*gradients, *(each.data for each in (x, y, out, seed))]
    for gradient in gradients:
        others = [each for each in arrays if each is not gradient]
        assert len(others) == len(arrays) - 1
        before = [backend.numpy(each).copy() for each in others]
        backend_of(gradient).call(lambda xp, g=gradient: operator.setitem(g, ..., -7.0))
        for each, values in zip(others, before, strict=True):
            np.testing.assert_array_equal(backend.numpy(each), values)


def test_a_gradient_can_be_written_to():
    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    x.sum().backward()
    x.grad.data[0] = 5.0
    assert x.grad.tolist() == [5.0, 1.0]


# Calling backward --------------------------------------------------------------------------------


def test_backward_of_several_elements_needs_a_gradient(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"shape \(2,\) needs a gradient of that shape.*sum\(\)"):
        (x * 2).backward()
    (x * 2).backward(backend.tensor([1.0, 10.0]))
    assert backend.numpy(x.grad).tolist() == [2.0, 20.0]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_backward_of_one_element_starts_from_one(backend, shape):
    x = backend.tensor(np.full(shape, 3.0), requires_grad=True)
    (x * x).backward()
    assert backend.numpy(x.grad) == np.full(shape, 6.0)
    (x * x).backward(0.5)
    assert backend.numpy(x.grad) == np.full(shape, 9.0)


def test_a_gradient_can_be_a_tensor_an_array_or_a_list():
    for gradient in (ag.Tensor([1.0, 2.0]), np.array([1.0, 2.0]), [1.0, 2.0], [1, 2]):
        x = ag.Tensor([1.0, 1.0], requires_grad=True)
        (x * 3).backward(gradient)
        assert x.grad.tolist() == [3.0, 6.0]


def test_a_gradient_of_another_dtype_is_cast():
    x = ag.Tensor([1.0, 2.0], dtype=ag.float32, requires_grad=True)
    for out in (x, x * 2):
        for gradient in (np.float64([1.0, 2.0]), [1, 2]):
            x.grad = None
            out.backward(gradient, retain_graph=True)
            assert x.grad.dtype == ag.float32


def test_a_gradient_of_another_shape_is_refused():
    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(3,\)"):
        (x * 2).backward(np.ones(3))


def test_a_gradient_on_another_device_is_refused():
    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"on 'cpu' and the gradient on 'array_api_strict:CPU"):
        (x * 2).backward(array_api_strict.ones(2))


def test_backward_without_anything_to_do_is_refused():
    for x in (ag.Tensor(1.0), ag.Tensor(1.0) * 2, ag.Tensor(1.0, requires_grad=True).detach()):
        with pytest.raises(RuntimeError, match="requires no gradient"):
            x.backward()


def test_backward_of_a_leaf_is_its_gradient():
    x = ag.Tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1.0


def test_backward_twice_is_refused_and_says_what_to_do():
    x = ag.Tensor(2.0, requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match=r"freed it \(at multiply\).*retain_graph=True"):
        y.backward()
    assert x.grad.item() == 4.0
    with pytest.raises(RuntimeError, match="freed"):
        (y + 1).backward()


def test_a_retained_graph_runs_again():
    x = ag.Tensor(2.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


FAILING = Primitive("failing", lambda xp, x: x * 2, x=lambda xp, g: 1 / 0)


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_error_in_a_rule_leaves_all_gradients_as_they_were(create_graph):
    x, y = ag.Tensor(1.0, requires_grad=True), ag.Tensor(2.0, requires_grad=True)
    (x * y).backward()
    out = record(FAILING, (x,)) + y
    with pytest.raises(ZeroDivisionError) as caught:
        out.backward(create_graph=create_graph)
    assert (x.grad.item(), y.grad.item()) == (2.0, 1.0)
    assert "the gradient of failing with respect to its argument x" in caught.value.__notes__[0]


def test_an_error_in_a_hook_leaves_all_gradients_as_they_were():
    x, y = ag.Tensor(1.0, requires_grad=True), ag.Tensor(2.0, requires_grad=True)
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * y).backward()
    assert x.grad is None
    assert y.grad is None


def test_a_leaf_cast_after_the_forward_pass_is_refused():
    x, y = ag.Tensor([1.0], requires_grad=True), ag.Tensor([2.0], requires_grad=True)
    out = x * y
    x.data = np.float32([1.0])
    with pytest.raises(RuntimeError, match="moved or cast between the forward pass and backward"):
        out.backward()
    assert y.grad is None


def test_a_leaf_that_is_gone_takes_no_gradient():
    x, y = ag.Tensor(1.0, requires_grad=True), ag.Tensor(2.0, requires_grad=True)
    out = x * y
    del x
    out.backward()
    assert y.grad.item() == 1.0


# Derivatives of derivatives ----------------------------------------------------------------------


def test_derivatives_of_any_order(backend):
    """Of x**5, down to the constant and beyond."""
    x = backend.tensor(2.0, requires_grad=True)
    y = x * x * x * x * x
    for expected in (80.0, 160.0, 240.0, 240.0, 120.0):
        y.backward(create_graph=True)
        y, x.grad = x.grad, None
        assert backend.numpy(y) == expected
        if expected == 120.0:
            break


def test_without_create_graph_a_gradient_has_no_history():
    x = ag.Tensor(2.0, requires_grad=True)
    (x * x * x).backward()
    assert not x.grad.requires_grad
    x.grad = None
    (x * x * x).backward(create_graph=True)
    assert x.grad.requires_grad


def test_create_graph_keeps_the_graph():
    x = ag.Tensor(2.0, requires_grad=True)
    y = x * x
    y.backward(create_graph=True)
    y.backward()
    assert x.grad.item() == 8.0


def test_a_gradient_penalty(backend):
    """The gradient of a function of a gradient: of |d(x**3)/dx|**2 = 9 x**4, it is 36 x**3."""
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    penalty = (x.grad * x.grad).sum()
    x.grad = None
    penalty.backward()
    np.testing.assert_allclose(backend.numpy(x.grad), [36.0, 288.0])


# Hooks -------------------------------------------------------------------------------------------


def leaf_and_result():
    x = ag.Tensor(2.0, requires_grad=True)
    return x, x * 3


@pytest.mark.parametrize("on_leaf", [True, False])
def test_a_hook_gets_the_whole_gradient_once(on_leaf):
    x, y = leaf_and_result()
    seen = []
    (x if on_leaf else y).register_hook(seen.append)
    (y * 5 + y * 7).backward()
    assert [each.item() for each in seen] == [36.0 if on_leaf else 12.0]
    assert not seen[0].requires_grad
    assert x.grad.item() == 36.0


@pytest.mark.parametrize("on_leaf", [True, False])
def test_what_hooks_return_takes_the_gradients_place_in_turn(on_leaf):
    x, y = leaf_and_result()
    target = x if on_leaf else y
    target.register_hook(lambda g: g + 1)
    target.register_hook(lambda g: None)
    target.register_hook(lambda g: g * 10)
    y.backward()
    assert x.grad.item() == (40.0 if on_leaf else 60.0)


def test_a_removed_hook_is_not_called():
    x, y = leaf_and_result()
    handle = y.register_hook(lambda g: g * 0)
    other = y.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    y.backward(retain_graph=True)
    assert x.grad.item() == 6.0
    other.remove()
    y.backward()
    assert x.grad.item() == 9.0


def test_a_hook_may_remove_itself():
    x, y = leaf_and_result()
    handle = x.register_hook(lambda g: handle.remove())
    y.backward()
    assert x.grad.item() == 3.0


def test_a_hook_of_a_leaf_is_called_in_every_pass():
    x = ag.Tensor(2.0, requires_grad=True)
    x.register_hook(lambda g: g * 2)
    for expected in (6.0, 12.0):
        (x * 3).backward()
        assert x.grad.item() == expected


@pytest.mark.parametrize("on_leaf", [True, False])
def test_what_a_hook_was_given_is_not_the_gradient_itself(on_leaf):
    x = ag.Tensor([1.0], requires_grad=True)
    y = x * 2
    target = x if on_leaf else y
    kept = []
    target.register_hook(kept.append)
    target.retain_grad()
    (y * 3).backward()
    before = target.grad.tolist()
    kept[0].data[0] = 100.0
    assert target.grad.tolist() == before


def test_hooks_in_a_plain_pass_are_not_recorded():
    x, y = leaf_and_result()
    seen = []
    y.register_hook(lambda g: seen.append((g * x).requires_grad))
    y.backward()
    assert seen == [False]


def test_hooks_in_a_recorded_pass_are_recorded():
    x, y = leaf_and_result()
    y.register_hook(lambda g: g * x)
    y.backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert (first.item(), x.grad.item()) == (6.0, 3.0)


@pytest.mark.parametrize(
    ("returned", "error", "words"),
    [
        (1.0, TypeError, "must return a Tensor or None, got float"),
        (ag.Tensor([1.0, 2.0]), ValueError, r"shape \(\) .*; got 'cpu', \(2,\)"),
        (ag.Tensor(1.0, dtype=ag.float32), ValueError, "data type float64; got .* float32"),
        (ag.Tensor(array_api_strict.asarray(1.0)), ValueError, "got 'array_api_strict:CPU_DEV"),
    ],
)
def test_what_a_hook_may_return(returned, error, words):
    x, y = leaf_and_result()
    x.register_hook(lambda g: returned)
    with pytest.raises(error, match=words):
        y.backward()


def test_hooks_and_kept_gradients_need_a_gradient():
    for call in (lambda x: x.register_hook(print), lambda x: x.retain_grad()):
        with pytest.raises(RuntimeError, match="needs a Tensor that requires a gradient"):
            call(ag.Tensor(1.0))


def test_retain_grad_keeps_the_gradient_of_a_result():
    x, y = leaf_and_result()
    y.retain_grad()
    z = y * y
    z.backward()
    assert (y.grad.item(), x.grad.item(), z.grad) == (12.0, 36.0, None)


def test_retain_grad_sees_what_hooks_made_of_the_gradient():
    _, y = leaf_and_result()
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y.backward()
    assert y.grad.item() == 2.0


def test_retain_grad_of_a_leaf_changes_nothing():
    x, y = leaf_and_result()
    x.retain_grad()
    y.backward()
    assert x.grad.item() == 3.0


# Recording or not --------------------------------------------------------------------------------


def recorded():
    return (ag.Tensor(1.0, requires_grad=True) * 2).requires_grad


def test_no_grad_and_enable_grad_nest():
    assert recorded()
    with ag.no_grad():
        assert not recorded()
        assert not ag.is_grad_enabled()
        with ag.enable_grad():
            assert recorded()
            with ag.no_grad():
                assert not recorded()
            assert recorded()
        assert not recorded()
    assert recorded()
    assert ag.is_grad_enabled()


def test_one_context_can_be_entered_again_inside_itself():
    context = ag.no_grad()
    with context, ag.enable_grad(), context:
        assert not recorded()
    assert recorded()


def test_an_error_ends_the_context():
    with pytest.raises(ZeroDivisionError), ag.no_grad():
        _ = 1 / 0
    assert recorded()


def test_as_decorators():
    assert not ag.no_grad()(recorded)()
    assert recorded()
    with ag.no_grad():
        assert ag.enable_grad()(recorded)()


def test_a_decorated_function_may_call_itself():
    @ag.no_grad()
    def countdown(n):
        """Count."""
        return [recorded(), *(countdown(n - 1) if n else [])]

    assert countdown(3) == [False] * 4
    assert recorded()
    assert (countdown.__name__, countdown.__doc__) == ("countdown", "Count.")


def test_each_thread_records_or_not_on_its_own():
    results = {}
    inside, done = threading.Event(), threading.Event()

    def without():
        with ag.no_grad():
            inside.set()
            done.wait(10)
            results["without"] = recorded()

    def beside():
        inside.wait(10)
        results["beside"] = recorded()
        done.set()

    threads = [threading.Thread(target=each) for each in (without, beside)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == {"without": False, "beside": True}
    with ag.no_grad():
        thread = threading.Thread(target=lambda: results.update(new=recorded()))
        thread.start()
        thread.join()
    assert results["new"]


def test_a_decorated_function_runs_in_several_threads_at_once():
    """Each thread gets back what it had before, whoever leaves first."""
    both_inside, one_left = threading.Barrier(2), threading.Event()
    results = {}

    @ag.no_grad()
    def work(name):
        both_inside.wait(10)
        if name == "last":
            one_left.wait(10)
        results[name, "inside"] = recorded()

    def first():
        work("first")
        results["first", "after"] = recorded()
        one_left.set()

    def last():
        with ag.no_grad():
            work("last")
            results["last", "after"] = recorded()

    threads = [threading.Thread(target=each) for each in (first, last)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    inside = {("first", "inside"): False, ("last", "inside"): False}
    assert results == {**inside, ("first", "after"): True, ("last", "after"): False}


def test_an_output_requires_a_gradient_when_an_input_does():
    x, y = ag.Tensor(1.0, requires_grad=True), ag.Tensor(1.0)
    assert (x + y).requires_grad
    assert (y + x).requires_grad
    assert not (y + y).requires_grad
    assert not (x > y).requires_grad


# Long graphs, memory and cycles ------------------------------------------------------------------


def test_a_chain_of_a_million_calls():
    """Neither the walk back nor dropping the graph recurses."""
    x = y = ag.Tensor(1.0, requires_grad=True)
    for _ in range(1_000_000):
        y = y * 1.0
    y.backward(retain_graph=True)
    assert x.grad.item() == 1.0
    del y  # and with it a million nodes that no backward() has freed


def test_a_long_chain_recorded_twice():
    x = y = ag.Tensor(1.0, requires_grad=True)
    for _ in range(20_000):
        y = y * x
    y.backward(create_graph=True)
    first, x.grad = x.grad, None
    first.backward()
    assert (first.item(), x.grad.item()) == (20_001.0, 20_001.0 * 20_000)


def vector():
    return np.full(4, 2.0)


# What of (x, y, out) a call keeps for the backward pass
KEEPS = [
    (lambda x, y: x + y, ""),
    (lambda x, y: x - y, ""),
    (lambda x, y: x * y, "xy"),
    (lambda x, y: x * 2.0, ""),
    (lambda x, y: 2.0 * x, ""),
    (lambda x, y: x / 2.0, ""),
    (lambda x, y: x / y, "yo"),
    (lambda x, y: x * y.detach(), "y"),
    (lambda x, y: -x, ""),
    (lambda x, y: x**2, "x"),
    (lambda x, y: ag.exp(x), "o"),
    (lambda x, y: ag.tanh(x), "o"),
    (lambda x, y: ag.sqrt(x), "o"),
    (lambda x, y: ag.log(x), "x"),
    (lambda x, y: ag.sin(x), "x"),
    (lambda x, y: ag.sum(x), ""),
    (lambda x, y: ag.mean(x, axis=0), ""),
    (lambda x, y: ag.max(x), "xo"),
    (lambda x, y: ag.maximum(x, 1.0), "x"),
    (lambda x, y: x[1:3], ""),
    (lambda x, y: ag.reshape(x, (2, 2)), ""),
    (lambda x, y: ag.concat([x, y]), ""),
    (lambda x, y: ag.stack([x, y]), ""),
    (lambda x, y: ag.flip(x), ""),
    (lambda x, y: ag.broadcast_to(x, (2, 4)), ""),
    (lambda x, y: ag.astype(x, ag.float32), ""),
    (lambda x, y: ag.cumulative_sum(x), ""),
    (lambda x, y: x @ y, "xy"),
    (lambda x, y: ag.where(np.ones(4, dtype=bool), x, y), ""),
    (lambda x, y: ag.softmax(x), "o"),
]


@pytest.mark.parametrize(("function", "kept"), KEEPS)
def test_a_call_keeps_what_its_rules_need_and_nothing_else(function, kept):
    x, y = (ag.Tensor(vector(), requires_grad=True) for _ in range(2))
    out = function(x, y)
    refs = {name: weakref.ref(each.data) for name, each in zip("xyo", (x, y, out), strict=True)}
    after = out + 1.0  # the graph goes on, and keeps nothing more
    del x, y, out
    assert "".join(name for name, ref in refs.items() if ref() is not None) == kept
    assert after.requires_grad


def test_nothing_is_kept_where_no_gradient_is_needed():
    x, y = ag.Tensor(vector()), ag.Tensor(vector(), requires_grad=True)
    ref = weakref.ref(x.data)
    with ag.no_grad():
        outs = [x * y]
    outs += [x * x, x > y]
    del x
    assert ref() is None
    assert not any(each.requires_grad for each in outs)


def chain(n):
    x = y = ag.Tensor(vector(), requires_grad=True)
    outs = []
    for _ in range(n):
        y = ag.tanh(y)
        outs.append(y)
    return x, outs


@pytest.mark.parametrize("retain_graph", [False, True])
def test_the_graph_is_freed_on_the_way_back(retain_graph):
    """When the gradient gets to the first call, what the later ones kept is gone."""
    _, (first, *others) = chain(6)
    refs = [weakref.ref(each.data) for each in others]
    alive = []
    first.register_hook(lambda g: alive.extend(ref() is not None for ref in refs))
    last = others.pop()
    others.clear()
    last.sum().backward(retain_graph=retain_graph)
    # What ran right before may still be there, and `last` holds its own array
    assert alive[1:] == [retain_graph, retain_graph, retain_graph, True]


def test_what_was_kept_is_let_go_though_the_result_lives_on():
    x = ag.Tensor(vector(), requires_grad=True)
    ref = weakref.ref((y := x * 3).data)
    loss = (y * y).sum()
    del y
    assert ref() is not None
    loss.backward()
    assert ref() is None
    assert loss.item() == 144.0


@pytest.fixture
def no_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("walk", ["none", "backward", "retain_graph", "create_graph"])
def test_a_graph_is_no_cycle(walk):
    """It goes at once when the last reference to it does."""
    x = ag.Tensor(vector(), requires_grad=True)
    y = ag.exp(x) * x
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: g * 2)
    loss = y.sum()
    if walk != "none":
        loss.backward(**{} if walk == "backward" else {walk: True})
    refs = [weakref.ref(each) for each in (x, y, loss, x.data, y.data)]
    del x, y, loss
    assert [ref() for ref in refs] == [None] * 5


@pytest.mark.usefixtures("no_gc")
def test_training_leaves_nothing_for_the_garbage_collector():
    model = ag.models.DeepNetwork(4, 3, 5, 2)
    optimizer = ag.optim.MomentumSGD(model.parameters(), lr=0.01, momentum=0.9)
    x, gold = ag.Tensor(vector(), dtype=ag.float32), 1

    def step():
        loss = ag.nn.functional.nll(model(x), gold)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step()
    gc.collect()
    for _ in range(100):
        step()
    assert gc.collect() == 0


# Which rules run ---------------------------------------------------------------------------------


@pytest.fixture
def counted():
    """Return a product, and the names of the arguments whose rule has run."""
    calls = []
    multiply = Primitive(
        "multiply",
        x1=lambda xp, g, x2: calls.append("x1") or g * x2,
        x2=lambda xp, g, x1: calls.append("x2") or g * x1,
    )
    return lambda x, y: record(multiply, (x, y)), calls


@pytest.mark.parametrize("needed", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("create_graph", [False, True])
def test_only_the_gradients_that_are_needed_are_computed(counted, needed, create_graph):
    product, calls = counted
    x, y = (ag.Tensor(2.0, requires_grad=each) for each in needed)
    product(x, y).backward(create_graph=create_graph)
    assert calls == [name for name, each in zip(("x1", "x2"), needed, strict=True) if each]
    assert [each.grad is not None for each in (x, y)] == list(needed)


def test_a_call_that_leads_nowhere_is_not_walked(counted):
    product, calls = counted
    x = ag.Tensor(2.0, requires_grad=True)
    product(x, x)
    (x * 3).backward()
    assert calls == []


def test_rules_ask_by_name_for_what_they_need():
    seen = {}

    def rule(xp, g, out, x_shape, y_dtype, power):
        seen.update(out=out, x_shape=x_shape, y_dtype=y_dtype, power=power)
        return g

    function = Primitive("f", lambda xp, x, y, power: x**power + y, x=rule, y=None)
    x = ag.Tensor([2.0, 3.0], requires_grad=True)
    out = record(function, (x, ag.Tensor(1.0, dtype=ag.float32)), power=2)
    out.backward([1.0, 1.0])
    assert seen.pop("out") is out.data
    assert seen == {"x_shape": (2,), "y_dtype": np.float32, "power": 2}


# Where the arrays are ----------------------------------------------------------------------------


def test_two_devices_in_one_call_are_both_named(backend):
    here = backend.tensor([1.0])
    elsewhere = ag.Tensor(array_api_strict.ones(1, device=array_api_strict.Device("device2")))
    words = rf"add: .*two devices, '{backend.device}' and 'array_api_strict:device2'.*\.to\("
    for x in (here, here.data):
        with pytest.raises(RuntimeError, match=words):
            ag.add(x, elsewhere)
        with pytest.raises(RuntimeError, match="two devices"):
            ag.add(elsewhere, x)
    with pytest.raises(RuntimeError, match=r"concat: .*two devices"):
        ag.concat([here, elsewhere])


def test_raw_arrays_and_numbers_mix_with_tensors(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    raw = backend.array([3.0, 4.0])
    for out in (ag.multiply(x, raw), ag.multiply(raw, x), x * raw):
        x.grad = None
        out.sum().backward()
        assert backend.numpy(out).tolist() == [3.0, 8.0]
        assert backend.numpy(x.grad).tolist() == [3.0, 4.0]
    assert backend.numpy(ag.add(x, 1)).tolist() == [2.0, 3.0]
    assert backend.numpy(ag.add(raw, raw)).tolist() == [6.0, 8.0]
    assert ag.add(raw, raw).device == backend.device


def test_numbers_alone_are_on_the_cpu():
    out = ag.add(1, 2.5)
    assert (out.item(), out.device) == (3.5, "cpu")


@pytest.mark.parametrize("wrong", [[1.0], (1.0,), "a", None, {}, object()])
def test_what_is_no_array_is_refused_by_name(wrong):
    name = type(wrong).__name__
    with pytest.raises(TypeError, match=f"add: expected an array or a number, got {name}"):
        ag.add(ag.Tensor([1.0]), wrong)


@pytest.mark.parametrize("mode", [ag.no_grad, ag.enable_grad])
def test_a_mode_refuses_to_decorate_what_runs_later(mode):
    def numbers():
        yield 1

    async def wait():
        pass

    for function in (numbers, wait):
        with pytest.raises(TypeError, match=rf"write `with {mode.__name__}\(\):` inside it"):
            mode()(function)


def test_create_graph_records_also_under_no_grad():
    x = ag.Tensor(3.0, requires_grad=True)
    y = x**3
    with ag.no_grad():
        y.backward(create_graph=True)
    assert x.grad.requires_grad


def test_a_hook_must_be_callable():
    with pytest.raises(TypeError, match="a function of the gradient, got 5"):
        ag.Tensor(1.0, requires_grad=True).register_hook(5)


def test_a_hook_stays_when_its_leaf_is_cast():
    seen = []
    p = ag.Parameter([1.0])
    p.register_hook(seen.append)
    p.data = p.data.astype("float64")
    (p * 2.0).sum().backward()
    assert len(seen) == 1


def test_no_grad_decorates_also_without_parentheses():
    @ag.no_grad
    def double(x):
        return x * 2

    assert not double(ag.Tensor(1.0, requires_grad=True)).requires_grad


def test_one_no_grad_may_serve_several_threads():
    mode, entered, left = ag.no_grad(), threading.Event(), threading.Event()

    def other():
        with mode:
            entered.set()
            left.wait(10)

    thread = threading.Thread(target=other)
    with ag.enable_grad():
        thread.start()
        entered.wait(10)
        with mode:
            pass
        assert ag.is_grad_enabled()
        left.set()
        thread.join()
        assert ag.is_grad_enabled()


def test_threads_that_share_a_parameter_lose_no_gradient():
    x = ag.Tensor(np.zeros(50_000), requires_grad=True)

    def work():
        for _ in range(50):
            (x * 1.0).backward(np.ones(50_000))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(x.grad.numpy()) == {200.0}


class Matrix(np.ndarray):
    """Like numpy.matrix: its * is the matrix product."""

    __mul__ = __rmul__ = np.ndarray.__matmul__


@pytest.mark.parametrize(
    "operand", [np.ones((2, 2)).view(Matrix), np.ma.array([[2, 3], [4, 5]], mask=[[0, 1], [0, 0]])]
)
def test_numpys_special_arrays_are_taken_as_plain_ones(operand):
    x = ag.Tensor(np.ones((2, 2)), requires_grad=True)
    (x * operand).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.asarray(operand))


@pytest.mark.parametrize("make", [lambda g: (2 * g).T, lambda g: g.reshape(-1), lambda g: g[0]])
def test_a_rule_that_gives_a_wrong_shape_is_refused(make):
    turn = Primitive("turn", lambda xp, x: 2 * x, x=lambda xp, g: make(g))
    x = ag.Tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(ValueError, match=r"gave shape .* for an argument of shape \(2, 3\)"):
        record(turn, (x,)).sum().backward()
    assert x.grad is None


def test_a_function_of_ones_own_is_not_taken_for_one_of_agrads():
    leaky = Primitive(
        "relu",
        lambda xp, x: xp.maximum(x, 0.1 * x),
        x=lambda xp, g, x: xp.where(x > 0, g, 0.1 * g),
    )
    x = ag.Tensor([-1.0, 1.0], requires_grad=True)
    record(leaky, (x,)).sum().backward()
    assert x.grad.tolist() == [0.1, 1.0]


def test_a_rule_that_asks_for_what_there_is_not_says_so():
    lost = Primitive("lost", lambda xp, x: x, x=lambda xp, g, axis: g)
    x = ag.Tensor(1.0, requires_grad=True)
    with pytest.raises(TypeError, match="asks for 'axis', which is none of its arguments"):
        record(lost, (x,))
    with pytest.raises(TypeError, match="a rule must be a plain function"):
        Primitive("bound", x=x.sum)
    many = Primitive(
        "many", lambda xp, *arrays: arrays[0], variadic=True, arrays=lambda xp, g, arrays: g
    )
    with pytest.raises(TypeError, match="can't keep its arrays"):
        record(many, (x, x))


def test_gradients_with_a_graph_share_no_memory_either():
    a, b = (ag.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    seed = ag.Tensor([1.0, 1.0])
    (a + b).backward(seed, create_graph=True)
    a.grad.data[...] = 7
    assert b.grad.tolist() == seed.tolist() == [1.0, 1.0]


def test_the_gradient_of_a_real_tensor_is_real_though_it_went_through_complex_numbers():
    x = ag.Tensor([1.0, -2.0], requires_grad=True)
    abs(x * 1j).sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == (ag.float64, [1.0, -1.0])


def test_complex_gradients_are_dl_dre_plus_i_dl_dim():
    z = ag.Tensor([3 + 4j], requires_grad=True)
    seen = []
    z.register_hook(lambda g: seen.append(g.tolist()))
    doubled = z * 2j
    doubled.retain_grad()
    ag.imag(doubled).sum().backward()  # 2 Re(z)
    assert (z.grad.tolist(), doubled.grad.tolist()) == ([2 + 0j], [1j])
    assert seen == [z.grad.tolist()]


def test_backward_from_a_complex_tensor_needs_a_gradient():
    z = ag.Tensor(3 + 4j, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"complex128 needs a gradient.*agrad\.real"):
        (z * z).backward()
    (z * z).backward(1j)
    assert z.grad.item() == 1j * (6 - 8j)


def test_an_error_of_the_library_says_which_function_and_shapes():
    with pytest.raises(ValueError, match="mismatch") as caught:
        ag.matmul(ag.ones((2, 3)), ag.ones((4, 5)))
    assert "agrad's matmul of (2, 3), (4, 5) on 'cpu'" in caught.value.__notes__[0]
