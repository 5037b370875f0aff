"""Elementwise calls of a recorded step that are joined: on a GPU, or on the stand-in for CuPy."""

import numpy as np
import pytest

import agrad as ag
from agrad.nn import functional as F

RNG = np.random.default_rng(0)


def recorded(place, function, *arrays, times=5):
    """Hold a recorded function to the function itself, and return its program's lines on arrays."""
    step = ag.compile(function)
    for i in range(times):
        args = [x if isinstance(x, float) else ag.Tensor(place.array(x)) for x in arrays]
        found, expected = step(*args), function(*args)
        for one, other in zip(
            *(each if type(each) is tuple else (each,) for each in (found, expected)), strict=True
        ):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6, err_msg=f"call {i}")
    assert "# not captured" not in step.program()
    work, _ = step.program().split("\n\n")
    return [line.strip() for line in work.splitlines()[1:-1] if "del " not in line]


X, Y = RNG.normal(size=(2, 4, 5))


def test_a_chain_is_one_call(place):
    [line] = recorded(place, lambda x, y: ag.tanh(-(x * y + 2) / 3) - x, X, Y)
    assert "joined_multiply_add_negative_divide(" in line


def test_branches_that_meet_are_one_call(place):
    function = lambda x, y: ag.exp(x + y) * ag.sqrt(ag.abs(x - y))  # noqa: E731
    assert len(recorded(place, function, X, Y)) == 1


def test_what_somebody_else_needs_is_made(place):
    lines = recorded(place, lambda x, y: (ag.exp(x * y), ag.sum(x * y), ag.exp(x * y) + 1), X, Y)
    assert len(lines) == 4  # the product, its exponential, the sum, and the exponential plus 1
    assert not any("joined" in line for line in lines)


def test_what_is_used_twice_in_the_same_call_is_joined(place):
    def function(x, y):
        product = x * y
        return product * product

    assert len(recorded(place, function, X, Y)) == 1


def test_what_is_returned_is_made(place):
    def function(x, y):
        product = x * y
        return product, product + 1

    assert len(recorded(place, function, X, Y)) == 2


def test_nothing_is_computed_once_for_each_row(place):
    lines = recorded(place, lambda x, row: x * ag.exp(ag.exp(row)), X, Y[0])
    assert len(lines) == 2
    assert "joined_exp_exp(" in lines[0]


def test_rows_columns_and_numbers_spread(place):
    function = lambda x, row, column, a: (x * row + column) * a + row  # noqa: E731
    assert len(recorded(place, function, X, Y[0], Y[:, :1], 0.3)) == 1


def test_masks_are_made_inside(place):
    function = lambda x, y: ag.where(x > y, x * 2, y - 1) + ag.where(x <= 0.5, y, x)  # noqa: E731
    assert len(recorded(place, function, X, Y)) == 1


def test_masks_from_outside_and_masks_that_are_returned_are_left(place):
    lines = recorded(place, lambda x, y, m: ag.where(m, x + y, y) * 2, X, Y, X > 0)
    assert [("joined" in line) for line in lines] == [False] * 3
    assert len(recorded(place, lambda x, y: x * y > 0, X, Y)) == 2


@pytest.mark.parametrize("dtypes", ["f4 f8", "f2 f2", "i4 i4", "c16 c16"])
def test_other_data_types_are_left(dtypes, place):
    x, y = (each.astype(dtype) for each, dtype in zip((X, Y), dtypes.split(), strict=True))
    lines = recorded(place, lambda x, y: x * y + x, x, y)
    assert len(lines) == 2


def test_numbers_may_differ_from_call_to_call(place):
    step = ag.compile(lambda x, a, n: ag.exp(x * a) - n)
    for i in range(7):
        x = ag.Tensor(place.array(X))
        np.testing.assert_allclose(step(x, 0.1 * i, i).numpy(), np.exp(X * 0.1 * i) - i, rtol=1e-6)
    assert "joined_multiply_exp_subtract(" in step.program()


def test_infinite_numbers_are_left(place):
    lines = recorded(place, lambda x: ag.minimum(x * 2, float("inf")) + 1, X)
    assert len(lines) == 3


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.5, 1e-30])


@pytest.mark.parametrize(
    "name", ["maximum", "minimum", "greater", "greater_equal", "less", "less_equal"]
)
def test_comparisons_of_special_values_are_the_librarys(name, place):
    function = getattr(ag, name)

    def compared(x, y):
        result = function(x + 0, y + 0)
        return (result if name.endswith("imum") else ag.where(result, x, y - 1)) * 1

    [line] = recorded(place, compared, *np.meshgrid(SPECIAL, SPECIAL))
    assert f"_{name}_" in line


UNARY = ["negative", "abs", "square", "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array_are_the_librarys(name, dtype, place):
    x = np.concatenate([SPECIAL, RNG.normal(size=8)]).astype(dtype)
    [line] = recorded(place, lambda x: getattr(ag, name)(x) * 1, x)
    assert f"joined_{name}_multiply(" in line


def test_no_function_gets_too_many_arguments(place):
    arrays = [RNG.normal(size=3) for _ in range(40)]
    lines = recorded(place, lambda *arrays: sum(arrays[1:], arrays[0]), *arrays)
    assert 1 < len(lines) < 10
    assert max(line.count(",") for line in lines) < 16


@pytest.mark.parametrize(
    "name", ["gelu", "silu", "leaky_relu", "softplus", "elu", "tanhshrink", "mish"]
)
def test_a_training_through_activations_is_the_eager_one(name, place):
    options = {"approximate": "tanh"} if name == "gelu" else {}

    def training(steps):
        ag.manual_seed(0)
        w = ag.Parameter(ag.Tensor(place.array(X)))
        optimizer = ag.optim.RMSprop([w], 0.01)

        def step(x):
            loss = (getattr(F, name)(x @ w, **options) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step, rng = steps(step), np.random.default_rng(1)
        losses = [step(ag.Tensor(place.array(rng.normal(size=(3, 4))))).item() for _ in range(6)]
        return losses, w.detach().numpy(), step

    losses, weights, _ = training(lambda step: step)
    recorded_losses, recorded_weights, step = training(ag.compile)
    np.testing.assert_allclose(recorded_losses, losses, rtol=1e-9)
    np.testing.assert_allclose(recorded_weights, weights, rtol=1e-9)
    assert "joined_" in step.program()
