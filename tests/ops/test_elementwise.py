"""What element-wise functions promise beyond their derivatives: kinks, edges, data types."""

import math
import warnings

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import agrad as ag


def gradients(function, *arrays):
    """Return the gradients of the sum of function(*arrays)."""
    inputs = [ag.Tensor(x, dtype=ag.float64, requires_grad=True) for x in arrays]
    function(*inputs).sum().backward()
    return [x.grad.tolist() for x in inputs]


@pytest.mark.parametrize("function", [ag.maximum, ag.minimum])
def test_equal_elements_share_the_gradient(function):
    assert gradients(function, [1.0], [1.0]) == [[0.5], [0.5]]


def test_the_gradient_goes_to_the_greater_or_the_smaller():
    assert gradients(ag.maximum, [1.0, 4.0], [2.0, 3.0]) == [[0, 1], [1, 0]]
    assert gradients(ag.minimum, [1.0, 4.0], [2.0, 3.0]) == [[1, 0], [0, 1]]


def test_abs_has_no_slope_at_zero():
    assert gradients(ag.abs, [-3.0, 0.0, 3.0]) == [[-1, 0, 1]]


def test_clip_lets_gradients_through_inside_and_at_its_bounds():
    x = [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert gradients(lambda x: ag.clip(x, -1.0, 1.0), x) == [[0, 1, 1, 1, 0]]
    assert gradients(lambda x: ag.clip(x), x) == [[1, 1, 1, 1, 1]]


def test_the_bounds_of_clip_get_the_gradient_of_what_they_replace():
    found = gradients(ag.clip, [-2.0, 0.0, 2.0, 3.0], -1.0, 1.0)
    assert found == [[0, 1, 0, 0], 1, 2]


# base, exponent, and the derivatives with respect to both
POWERS = [
    (0.0, 0.0, 0.0, 0.0),
    (0.0, 1.0, 1.0, 0.0),
    (0.0, 2.0, 0.0, 0.0),
    (0.0, 2.5, 0.0, 0.0),
    (2.0, 0.0, 0.0, math.log(2)),
    (-2.0, 0.0, 0.0, None),
    (-2.0, 2.0, -4.0, None),
    (-2.0, 3.0, 12.0, None),
    (2.0, -1.0, -0.25, math.log(2) / 2),
]


@pytest.mark.parametrize(("base", "exponent", "for_base", "for_exponent"), POWERS)
def test_powers_of_zeros_and_of_negative_numbers(base, exponent, for_base, for_exponent):
    x = ag.Tensor(base, requires_grad=True)
    n = ag.Tensor(exponent, requires_grad=for_exponent is not None)
    (x**n).backward()
    assert x.grad.item() == pytest.approx(for_base)
    if for_exponent is not None:
        assert n.grad.item() == pytest.approx(for_exponent)
    x.grad = None
    (x**exponent).backward()
    assert x.grad.item() == pytest.approx(for_base)


def test_what_is_not_defined_is_not_a_number():
    """A negative number to the power of a varying exponent has no real derivative."""
    n = ag.Tensor(2.0, requires_grad=True)
    (-2.0) ** n
    with np.errstate(invalid="ignore"):
        (ag.Tensor(-2.0) ** n).backward()
    assert math.isnan(n.grad.item())


def test_the_remainder_has_the_sign_of_the_divisor(backend):
    x, y = backend.tensor([5.0, -5.0, 5.0, -5.0]), backend.tensor([3.0, 3.0, -3.0, -3.0])
    assert backend.numpy(x % y).tolist() == [2.0, 1.0, -1.0, -2.0]


def test_sums_of_exponentials_do_not_overflow(backend):
    x = backend.tensor([1e4, -1e4, 0.0], requires_grad=True)
    out = ag.logaddexp(x, backend.tensor([1e4, 1e4, -np.inf]))
    np.testing.assert_allclose(backend.numpy(out), [1e4 + math.log(2), 1e4, 0.0])
    out.sum().backward()
    np.testing.assert_allclose(backend.numpy(x.grad), [0.5, 0.0, 1.0])


def test_values_out_of_a_functions_domain_give_nan_or_inf(backend):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert math.isnan(backend.numpy(ag.log(backend.tensor(-1.0))))
        assert backend.numpy(ag.log(backend.tensor(0.0))) == -math.inf
        assert math.isnan(backend.numpy(ag.sqrt(backend.tensor(-1.0))))


@pytest.mark.parametrize("number", [2, 2.5, True])
def test_a_python_number_takes_the_tensors_dtype(number):
    x = ag.Tensor([1.0, 2.0], dtype=ag.float32)
    results = [x + number, number + x, x * number, number - x, number / x, number**x, x**number]
    assert [each.dtype for each in results] == [ag.float32] * 7


def test_integers_divide_into_floats(backend):
    x = backend.tensor([1, 2])
    if backend.name.startswith("strict"):
        pytest.skip("array-api-strict divides floating-point numbers only")
    assert (x / x).dtype.is_floating


BINARY = [ag.add, ag.subtract, ag.multiply, ag.divide, ag.hypot, ag.logaddexp, ag.maximum]


@given(st.data())
@pytest.mark.parametrize("function", BINARY, ids=lambda function: function.__name__)
def test_shapes_that_broadcast(function, data):
    """The gradient has its input's shape, and is the sum over all that it was stretched to."""
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3))
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.5, 2, shape) for shape in shapes.input_shapes]
    x, y = (ag.Tensor(each, requires_grad=True) for each in arrays)
    out = function(x, y)
    assert out.shape == shapes.result_shape
    g = rng.uniform(0.5, 2, out.shape)
    out.backward(g)
    # The same, stretched by hand: every element then has a gradient of its own
    stretched = [ag.Tensor(np.broadcast_to(each, out.shape), requires_grad=True) for each in arrays]
    function(*stretched).backward(g)
    for one, other, shape in zip((x, y), stretched, shapes.input_shapes, strict=True):
        assert one.grad.shape == shape
        added = len(out.shape) - len(shape)
        longer = [a for a in range(len(out.shape)) if a < added or shape[a - added] == 1]
        expected = other.grad.data.sum(axis=tuple(longer)).reshape(shape)
        np.testing.assert_allclose(one.grad.data, expected, rtol=1e-12)


def test_shapes_that_do_not_broadcast_are_refused(backend):
    with pytest.raises(Exception, match=r"(?i)broadcast|shape|size") as caught:
        backend.tensor([1.0, 2.0]) + backend.tensor([1.0, 2.0, 3.0])
    assert isinstance(caught.value, (ValueError, RuntimeError, TypeError))


def test_the_mixed_second_derivative_of_a_power_holds_where_the_exponent_is_zero(backend):
    base = backend.tensor(np.asarray(2.0), requires_grad=True)
    exponent = backend.tensor(np.asarray(0.0), requires_grad=True)
    (base**exponent).backward(create_graph=True)
    first, exponent.grad = base.grad, None
    first.backward()
    assert backend.numpy(exponent.grad) == pytest.approx(1 / 2)  # d(y x**(y-1))/dy = 1/x at y = 0


def test_the_remainders_rule_divides_as_its_value_does():
    x = ag.Tensor(0.1, requires_grad=True)
    y = ag.remainder(1.0, x)
    y.backward()
    assert x.grad.item() == pytest.approx((y.item() - 1.0) / 0.1)  # 1 - n x, with n whole


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
def test_integers_beside_a_tensor_dont_overflow_in_its_rule(dtype):
    n = np.iinfo(dtype).max
    for function in (ag.atan2, lambda a, b: ag.pow(ag.divide(a, a), ag.multiply(b, 1))):
        x, z = (ag.Tensor([1.5], requires_grad=True) for _ in range(2))
        function(x, np.array([n], dtype=dtype)).sum().backward()
        function(z, np.array([float(n)])).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), atol=1e-12)


def test_the_sign_of_a_complex_zero_is_zero_and_has_no_slope(backend):
    z = backend.tensor(np.asarray([0, 3 + 4j]), requires_grad=True)
    out = ag.sign(z)
    np.testing.assert_allclose(backend.numpy(out.detach()), [0, 0.6 + 0.8j])
    ag.sum(ag.real(out)).backward()
    np.testing.assert_allclose(backend.numpy(z.grad), [0, 0.128 - 0.096j])


def test_real_numbers_are_their_own_conjugate_and_real_part(backend):
    x = backend.tensor(np.asarray([1.5, -2.0]), requires_grad=True)
    assert ag.conj(x) is x
    assert ag.real(x) is x
    assert backend.numpy(ag.imag(x)).tolist() == [0.0, 0.0]
    assert not ag.imag(x).requires_grad


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (np.inf, 2.0, np.inf),
        (-np.inf, 2.0, -np.inf),
        (5.0, -np.inf, -0.0),
        (-5.0, np.inf, -0.0),
        (5.0, np.inf, 0.0),
        (-5.0, 2.0, -3.0),
        (np.inf, np.inf, np.nan),
        (1e-300, -1e300, -1.0),  # though the quotient is rounded to -0
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")  # array-api-strict's
def test_floor_divide_at_infinities_is_the_standards(backend, one, two, expected):
    for x, y in ((backend.tensor(one), backend.tensor(two)), (backend.tensor(one), two)):
        found = backend.numpy(ag.floor_divide(x, y))
        np.testing.assert_equal(float(found), expected)
        assert np.signbit(found) == np.signbit(expected) or np.isnan(expected)


@pytest.mark.filterwarnings("ignore:invalid value")  # array-api-strict's
def test_expm1_at_complex_infinities_is_the_standards(backend):
    if backend.name == "jax":
        pytest.skip("JAX's exp isn't the standard's there")
    x = backend.tensor([complex(-np.inf, np.nan), complex(np.inf, 0), 1 + 1j])
    found = backend.numpy(ag.expm1(x)).tolist()
    assert found[:2] == [-1, complex(np.inf, 0)]
    np.testing.assert_allclose(found[2], np.exp(1 + 1j) - 1)
