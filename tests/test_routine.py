"""The code of a recorded step: its memory is planned, and its values are the step's own."""

import re
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import agrad as ag
from agrad.nn.functional import cross_entropy
from cases import CASES, Drawn

OPTIMIZERS = {
    "SGD": lambda params: ag.optim.SGD(params, 0.1),
    "MomentumSGD": lambda params: ag.optim.MomentumSGD(params, 0.01, 0.9),
}


def network(sizes=(20, 30, 10), dtype="float64"):
    ag.manual_seed(0)
    layers = []
    for n, m in pairwise(sizes):
        layers += [ag.nn.Linear(n, m, dtype=dtype), ag.nn.ReLU()]
    return ag.nn.Sequential(*layers[:-1])


def training(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def batch(shape, seed, dtype="float64"):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape).astype(dtype)
    return ag.Tensor(x), ag.Tensor(rng.integers(0, 10, shape[:-1]))


def values(model):
    return [p.detach().numpy().copy() for p in model.parameters()]


# Values ------------------------------------------------------------------------------------------

# What has no recorded step, for its results' shape depends on values
SHAPELESS = "a recorded step can't (make an array whose shape depends on values|read the value)"


def drawn(case, seed):
    rng = np.random.default_rng(seed)
    each = (Drawn(x, -2, 2) if type(x) is tuple else x for x in case.inputs)
    return [x.draw(rng) if isinstance(x, Drawn) else x for x in each]


# A part of them, for all take two minutes
@pytest.mark.parametrize("name", [name for name in CASES if name[-1] in "05"])
def test_every_function_gives_the_same_when_it_is_recorded(name):
    case = CASES[name]
    runs = []
    for make in (lambda step: step, ag.compile):
        inputs = [ag.Tensor(x.copy(), requires_grad=x.dtype.kind in "fc") for x in drawn(case, 0)]
        variables = [x for x in inputs if x.requires_grad]

        def step(inputs=inputs, variables=variables):
            for x in variables:
                x.grad = None
            out = case.call(ag, *inputs)
            parts = [ag.real(out), ag.imag(out)] if out.dtype.is_complex else [out]
            sum(part.sum() for part in parts).backward()
            return [out.detach(), *(x.grad for x in variables if x.grad is not None)]

        step = make(step)
        results = []
        try:
            for seed in range(3):
                for x, new in zip(inputs, drawn(case, seed), strict=True):
                    if x.requires_grad:
                        x.data[...] = new
                results.append([each.numpy().copy() for each in step()])
        except RuntimeError as error:
            if not re.match(SHAPELESS, str(error)):
                raise
            pytest.skip(str(error).partition(" (")[0])
        runs.append(results)
    assert "leaves" in step.program()
    for recorded, own in zip(*runs[::-1], strict=True):
        for x, y in zip(recorded, own, strict=True):
            # LAPACK's results depend in the last digit on where in memory its arguments are
            np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(20,), (1, 20), (64, 20), (200, 20)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_of_training_gives_the_same_weights_but_for_rounding(optimizer, shape, dtype):
    weights = []
    for make in (lambda step: step, ag.compile):
        model = network(dtype=dtype)
        step = make(training(model, OPTIMIZERS[optimizer](model.parameters())))
        for seed in range(4):
            step(*batch(shape, seed, dtype))
        weights.append(values(model))
    for recorded, own in zip(*weights, strict=True):
        np.testing.assert_allclose(recorded, own, rtol=0, atol=2 * np.finfo(dtype).eps)


# Around the numbers of rows and of classes from which on NumPy's kernels go another way
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(50,), (128, 50), (129, 50), (3, 40, 50)])
@pytest.mark.parametrize("classes", [100, 101])
def test_losses_and_gradients_are_the_same_to_the_bit(classes, shape, dtype):
    rng = np.random.default_rng(0)
    y = ag.Tensor(rng.integers(0, classes, shape[:-1]))
    xs = [rng.normal(size=shape).astype(dtype) for _ in range(3)]
    runs = []
    for make in (lambda step: step, ag.compile):
        model = network((50, 30, classes), dtype)

        def step(x, model=model):
            model.zero_grad()
            z = model(x)
            losses = cross_entropy(z, y) if z.ndim < 3 else (ag.softmax(z) ** 2).sum()
            losses.backward()
            kinds = [
                f(z.detach(), axis=axis) for f in (ag.softmax, ag.log_softmax) for axis in (0, -1)
            ]
            return [losses, x.grad, *kinds, *(p.grad for p in model.parameters())]

        step = make(step)
        runs.append(
            [
                [r.detach().numpy().copy() for r in step(ag.Tensor(x, requires_grad=True))]
                for x in xs
            ]
        )
    for recorded, own in zip(*runs[::-1], strict=True):
        for a, b in zip(recorded, own, strict=True):
            np.testing.assert_array_equal(a, b)


def test_losses_of_each_example_and_weights_that_are_1_at_first_are_no_constants():
    runs = []
    for make in (lambda step: step, ag.compile):
        model = network()

        def step(x, y, weight, model=model):
            model.zero_grad()
            z = model(x)
            losses = cross_entropy(z, y, reduction="none") if x.ndim > 1 else cross_entropy(z, y)
            (losses * weight).sum().backward()
            return [losses.detach(), *(p.grad for p in model.parameters())]

        step, runs_here = make(step), []
        for shape in ((20,), (3, 20)):
            for seed, weight in enumerate((1.0, 1.0, 1.0, 2.0, 3.0)):
                results = step(*batch(shape, seed), ag.Tensor(weight))
                runs_here += [each.detach().numpy().copy() for each in results]
        runs.append(runs_here)
    for recorded, own in zip(*runs[::-1], strict=True):
        np.testing.assert_allclose(recorded, own, rtol=1e-14, atol=1e-16)


def test_relu_of_a_sum_has_its_gradient():
    step = ag.compile(lambda x: ag.grad(lambda x: ag.nn.functional.relu(x.sum()))(x))
    for value in (1.0, 2.0, 3.0, -1.0):
        assert step(ag.Tensor([value, 0.5])).tolist() == [float(value > 0)] * 2


def test_a_parameter_that_gets_an_array_of_another_layout_is_used_as_it_is():
    w = ag.Parameter(np.arange(12.0).reshape(3, 4))

    @ag.compile
    def step(x):
        flat = ag.reshape(w, (-1,)) * 1  # a view of rows, a copy of columns
        with ag.no_grad():
            w[...] = w + x
        return flat.detach()

    one = ag.Tensor(np.ones((3, 4)))
    for _ in range(3):
        before = w.detach().numpy().copy()
        np.testing.assert_array_equal(step(one).numpy(), before.ravel())
    w.data = np.asfortranarray(w.detach().numpy())
    for _ in range(4):
        before = w.detach().numpy().copy()
        np.testing.assert_array_equal(step(one).numpy(), before.ravel())
        np.testing.assert_array_equal(w.detach().numpy(), before + 1)


def test_what_is_a_view_and_what_a_copy_depends_on_the_layout_as_ever():
    w = ag.Tensor(np.ones((2, 2)))

    @ag.compile
    def step():
        flat = ag.reshape(w, (-1,))  # of columns, NumPy makes a copy
        w[...] = w * 2
        return ag.max(flat) * 10, ag.max(w) * 10

    for order, expected in (("C", [20.0, 20.0]), ("F", [10.0, 20.0]), ("C", [20.0, 20.0])):
        w.data = np.ones((2, 2), order=order)
        for i in range(4):
            results = [each.item() for each in step()]
            assert results == [each * 2**i for each in expected]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_products_that_blas_cannot_add_are_added_all_the_same(optimizer):
    results = []
    for make in (lambda step: step, ag.compile):
        v, w = ag.Parameter(np.ones((4, 3), "float32")), ag.Parameter(np.ones((3, 4), "float32"))
        for each in (v, w):
            each.data = np.asfortranarray(each.detach().numpy())
        optimize = OPTIMIZERS[optimizer]([v, w])

        def step(x, v=v, w=w, optimize=optimize):
            optimize.zero_grad()
            (x @ v @ w).sum().backward()
            optimize.step()

        step = make(step)
        for seed in range(4):
            step(batch((2, 4), seed, "float32")[0])
        results.append(np.hstack([v.detach().numpy().ravel(), w.detach().numpy().ravel()]))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)


def test_old_values_that_a_later_gradient_needs_are_kept():
    w = ag.Parameter([1.0, 2.0], dtype="float64")
    optimizer = ag.optim.MomentumSGD([w], 0.25, 0.5)

    @ag.compile
    def step():
        loss, other = (w * w).sum(), (w * w * w).sum() + (w * w.velocity).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        w.grad = None
        other.backward()
        return w.grad

    value, velocity = np.asarray([1.0, 2.0]), np.zeros(2)
    for _ in range(5):
        np.testing.assert_array_equal(step().numpy(), 3 * value**2 + velocity)
        velocity = 0.5 * velocity + 2 * value
        value = value - 0.25 * velocity
        np.testing.assert_array_equal(w.velocity.numpy(), velocity)
        np.testing.assert_array_equal(w.detach().numpy(), value)


def test_arguments_of_another_layout_give_the_same():
    model = network()
    step = ag.compile(lambda x: model(x).detach())
    rows, _ = batch((5, 20), 0)
    columns = ag.Tensor(np.asfortranarray(rows.numpy()))
    for x in (rows, rows, rows, columns, columns, columns, rows):
        np.testing.assert_allclose(step(x).numpy(), model(x).detach().numpy(), rtol=1e-14)


def test_arguments_that_must_not_be_written_to_are_only_read():
    x, y = batch((5, 20), 0)
    x.data.flags.writeable = False
    runs = []
    for make in (lambda step: step, ag.compile):
        model = network()
        step = make(training(model, ag.optim.SGD(model.parameters(), 0.1)))
        runs.append([step(x, y).item() for _ in range(4)])
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-14)


def test_a_value_and_its_view_that_are_both_needed_keep_their_memory():
    @ag.compile
    def step(x):
        y = ag.exp(x)
        first = y[0] * 2  # while y is still needed
        z = y + 1
        return first, ag.sum(z, axis=0), ag.sum(y, axis=0), y[1] - z[1]

    for seed in range(4):
        x = batch((2, 5), seed)[0]
        e = np.exp(x.numpy())
        expected = e[0] * 2, (e + 1).sum(0), e.sum(0), e[1] - (e[1] + 1)
        for got, value in zip(step(x), expected, strict=True):
            np.testing.assert_array_equal(got.numpy(), value)


@pytest.mark.parametrize("way", ["values", "new arrays", "arrays"])
def test_two_tensors_that_swap_their_values_do(way):
    a, b = ag.Tensor(np.zeros(3)), ag.Tensor(np.ones(3))

    @ag.compile
    def step():
        if way == "arrays":
            a.data, b.data = b.data, a.data
            return
        new_a, new_b = b * 1, a * 1
        if way == "values":
            a[...] = new_a
            b[...] = new_b
        else:
            a.data, b.data = new_a, new_b

    for i in range(1, 6):
        step()
        assert (a.tolist(), b.tolist()) == ([i % 2] * 3, [1 - i % 2] * 3)


def test_a_tensor_updated_by_itself_turned_round_is_right():
    w = ag.Tensor(np.arange(9.0).reshape(3, 3))

    @ag.compile
    def step():
        w[...] = w + w.T

    expected = w.detach().numpy().copy()
    for _ in range(4):
        step()
        expected = expected + expected.T
        np.testing.assert_array_equal(w.detach().numpy(), expected)


def test_old_values_that_are_needed_later_are_not_lost():
    w = ag.Tensor(np.ones(4))

    @ag.compile
    def step():
        old = w * 1
        w[...] = w * 2
        w[...] = w + old
        return old + w

    for i in range(4):
        assert step().tolist() == [3**i + 3 ** (i + 1)] * 4
        assert w.tolist() == [3 ** (i + 1)] * 4


def test_a_view_of_what_is_made_twice_keeps_its_memory():
    @ag.compile
    def step(x):
        y, first = ag.exp(x), ag.exp(x)[0]  # exp is run once
        return ag.sum(y + 1), first * 2

    for seed in range(4):
        x = batch((2, 5), seed)[0]
        e = np.exp(x.numpy())
        total, doubled = step(x)
        assert total.item() == (e + 1).sum()
        np.testing.assert_array_equal(doubled.numpy(), e[0] * 2)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_weights_whose_gradients_are_products_with_each_other_are_right(optimizer):
    runs = []
    for make in (lambda step: step, ag.compile):
        rng = np.random.default_rng(0)
        a, b = (ag.Parameter(rng.normal(size=shape)) for shape in [(4, 2), (2, 5)])
        x = ag.Tensor(rng.normal(size=(4, 5)))
        optimize = OPTIMIZERS[optimizer]([a, b])

        def step(a=a, b=b, x=x, optimize=optimize):
            optimize.zero_grad()
            ((a @ b - x) ** 2).sum().backward()
            optimize.step()

        step = make(step)
        for _ in range(5):
            step()
        runs.append([a.detach().numpy(), b.detach().numpy()])
    for recorded, own in zip(*runs[::-1], strict=True):
        np.testing.assert_allclose(recorded, own, rtol=1e-14)


def test_a_weight_whose_gradient_is_a_product_with_itself_is_right():
    w = ag.Parameter(np.arange(9.0).reshape(3, 3))
    optimizer = ag.optim.SGD([w], 0.125)

    @ag.compile
    def step(x):
        optimizer.zero_grad()
        ((w.detach() @ w) * x).sum().backward()
        optimizer.step()

    expected = w.detach().numpy().copy()
    for seed in range(4):
        x = np.random.default_rng(seed).integers(-3, 3, (3, 3)).astype("float64")
        step(ag.Tensor(x))
        expected -= 0.125 * (expected.T @ x)
        np.testing.assert_array_equal(w.detach().numpy(), expected)


def test_a_gradient_that_is_also_looked_at_is_made():
    layer = ag.nn.Linear(3, 2, dtype="float64")
    optimizer = ag.optim.SGD(layer.parameters(), 0.5)

    @ag.compile
    def step(x):
        optimizer.zero_grad()
        layer(x).sum().backward()
        length = (layer.weight.grad**2).sum()
        optimizer.step()
        return length

    for i in range(4):
        x = np.arange(3.0) + i
        assert step(ag.Tensor(x)).item() == 2 * (x**2).sum()


def test_setitem_leaves_its_argument_and_constants_as_they_are():
    constant = np.zeros(3)
    step = ag.compile(lambda x: (ag.setitem(x, 0, 5.0), ag.setitem(ag.Tensor(constant), 0, x[1])))
    x = ag.Tensor([1.0, 2.0, 3.0])
    for _ in range(4):
        first, second = step(x)
        assert (first.tolist(), second.tolist()) == ([5.0, 2.0, 3.0], [2.0, 0.0, 0.0])
        assert (x.tolist(), constant.tolist()) == ([1.0, 2.0, 3.0], [0.0] * 3)


def test_a_tensor_that_follows_another_one_has_memory_of_its_own():
    runs = []
    for make in (lambda step: step, ag.compile):
        w, follower = ag.Parameter(np.zeros(2)), ag.Tensor(np.zeros(2))
        optimizer = ag.optim.SGD([w], 0.5)

        def step(follower=follower, w=w, optimizer=optimizer):
            optimizer.zero_grad()
            w.sum().backward()
            before = follower * 1
            optimizer.step()
            follower.data = w.data
            return before

        step = make(step)
        runs.append([step().tolist() for _ in range(6)])
    assert runs[1] == runs[0]
    assert follower.data is not w.data
    assert step.program().count("def step") == 1


def test_a_sum_without_dimensions_can_be_written_to():
    def function(x):
        total = x.sum() * 2
        total += 3
        total[...] = total * x[0]
        return total

    step = ag.compile(function)
    for seed in range(4):
        x = batch((5,), seed)[0]
        assert step(x).item() == function(x).item()


def test_what_a_library_has_made_can_be_written_to():
    def function(x):
        sums = ag.cumulative_sum(x)  # which NumPy can't write into an array of ours
        sums[0] = 5.0
        return sums, ag.setitem(ag.cumulative_sum(x), 1, 6.0) + 1

    step = ag.compile(function)
    for seed in range(4):
        x = batch((5,), seed)[0]
        for recorded, own in zip(step(x), function(x), strict=True):
            assert recorded.tolist() == own.tolist()


@pytest.mark.parametrize("read", [True, False])
def test_gradients_from_outside_of_the_step_are_used(read):
    weights = []
    for make in (lambda step: step, ag.compile):
        layer = ag.nn.Linear(3, 2, dtype="float64")
        layer.weight.data, layer.bias.data = np.ones((2, 3)), np.ones(2)
        optimizer = ag.optim.SGD(layer.parameters(), 0.5)
        update = make(optimizer.step)
        for i in range(4):
            optimizer.zero_grad()
            x = ag.Tensor(np.arange(3.0) + i)  # one example, whose gradient isn't multiplied out
            layer(x).sum().backward()
            if read:
                assert layer.weight.grad.shape == (2, 3)
            update()
        weights.append(values(layer))
    for recorded, own in zip(*weights, strict=True):
        np.testing.assert_array_equal(recorded, own)


def test_arrays_without_elements_are_no_trouble():
    step = ag.compile(lambda x: (ag.exp(x * 2) + 1, ag.sum(x * 3, axis=0)))
    for _ in range(4):
        empty, zeros = step(ag.Tensor(np.ones((0, 3))))
        assert (empty.shape, zeros.tolist()) == ((0, 3), [0.0] * 3)


# Memory ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_replay_makes_no_large_arrays(optimizer):
    model = network((100, 200, 10))
    step = ag.compile(training(model, OPTIMIZERS[optimizer](model.parameters())))
    x, y = batch((300, 100), 0)
    for _ in range(4):
        step(x, y)
    tracemalloc.start()
    step(x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000  # the hidden layer alone has 480,000 bytes


def test_memory_is_used_again_in_a_long_chain():
    n = 20_000

    def function(x):
        for _ in range(10):
            x = ag.cumulative_sum(ag.reshape(x * 2, (-1,)) + 1)
            x = ag.sin(ag.reshape(x, (-1, 10)))
        return x.sum()

    step = ag.compile(function)
    x = ag.Tensor(np.ones((n // 10, 10)))
    for _ in range(2):
        step(x)
    tracemalloc.start()
    fresh = ag.compile(function)
    for _ in range(3):
        fresh(x)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 3 * 8 * n


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_new_values_are_written_into_the_memory_of_the_old_ones(optimizer):
    model = network()
    step = ag.compile(training(model, OPTIMIZERS[optimizer](model.parameters())))
    arrays = [p.data for p in model.parameters()]
    for seed in range(4):
        step(*batch((8, 20), seed))
    assert all(p.data is array for p, array in zip(model.parameters(), arrays, strict=True))
    assert "replace" not in step.program()
    assert "copy" not in step.program()


def test_products_are_added_to_the_weights_as_they_are_made():
    for shape, name in [((8, 20), "add_matmul"), ((20,), "add_outer")]:
        model = network()
        step = ag.compile(training(model, ag.optim.SGD(model.parameters(), 0.1)))
        for seed in range(3):
            step(*batch(shape, seed))
        assert step.program().count(name) == 2


def test_what_a_step_has_returned_stays_as_it_is():
    total = ag.Tensor(np.zeros((4, 5)))

    @ag.compile
    def step(x):
        before = total.detach()
        total.data = total + x
        totals = before, total.detach(), total * 1
        return ag.exp(x), ag.exp(x) + 1, ag.setitem(ag.exp(x), 0, 5.0), *totals

    xs = [batch((4, 5), seed)[0] for seed in range(5)]
    results = [step(x) for x in xs]
    sums = 0
    for x, (first, second, third, *totals) in zip(xs, results, strict=True):
        e, before, sums = np.exp(x.numpy()), sums, sums + x.numpy()
        np.testing.assert_array_equal(first.numpy(), e)
        np.testing.assert_array_equal(second.numpy(), e + 1)
        np.testing.assert_array_equal(third.numpy()[0], [5.0] * 5)
        np.testing.assert_array_equal(third.numpy()[1:], e[1:])
        for each, value in zip(totals, (before, sums, sums), strict=True):
            np.testing.assert_array_equal(each.numpy(), np.zeros((4, 5)) + value)
