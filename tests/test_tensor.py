"""Tensor and Parameter: an array with a gradient, in Python's and NumPy's company."""

import copy
import math
import operator
import pickle
import re

import array_api_strict
import numpy as np
import pytest

import agrad as ag
from agrad.backends import backend_of

# Making one --------------------------------------------------------------------------------------


def test_a_raw_array_stays_where_it_is_and_shares_its_memory(backend):
    array = backend.array([[1.0, 2.0, 3.0]])
    x = ag.Tensor(array)
    assert (x.shape, x.ndim, x.size) == ((1, 3), 2, 3)
    assert (x.dtype, x.device) == ("float64", backend.device)
    assert (x.requires_grad, x.is_leaf, x.grad) == (False, True, None)
    if backend.name == "jax":
        assert x.data is array  # it can't be written to
        return
    backend_of(array).call(lambda xp: operator.setitem(array, ..., 5.0))
    assert backend.numpy(x).tolist() == [[5.0] * 3]


def test_a_tensor_of_a_tensor_takes_its_array_and_not_its_history(backend):
    x = backend.tensor([1.0], requires_grad=True)
    y = ag.Tensor(x * 2)
    assert not y.requires_grad
    assert not ag.Tensor(x).requires_grad
    assert ag.Tensor(x).tolist() == [1.0]
    assert ag.Tensor(x, dtype=ag.float32).dtype == ag.float32
    assert x.dtype == ag.float64


@pytest.mark.parametrize(
    ("data", "dtype"),
    [(1, "int64"), (1.5, "float64"), (True, "bool"), (1j, "complex128"), ([1, 2.5], "float64"),
     ((1, 2), "int64"), ([[True], [False]], "bool"), ([], "float64")],
)  # fmt: skip
def test_numbers_and_lists_become_what_numpy_makes_of_them(data, dtype):
    x = ag.Tensor(data)
    assert (x.dtype, x.device) == (dtype, "cpu")
    np.testing.assert_array_equal(x.data, np.asarray(data), strict=True)


def test_lists_may_hold_tensors_and_arrays(backend):
    x = ag.Tensor([backend.tensor(1.0), 2.0, np.float64(3.0)])
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_a_dtype_and_a_device_can_be_chosen(backend):
    device = backend.tensor(0.0).device
    x = ag.Tensor([1, 2], dtype=ag.float32, device=device, requires_grad=True)
    assert (x.dtype, x.device, x.requires_grad) == ("float32", device, True)
    assert backend.numpy(x).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("data", ["abc", ["a"], None, {1: 2}, object(), np.array("2020", "M8[D]")])
def test_what_is_not_made_of_numbers_is_refused(data):
    with pytest.raises(TypeError, match="can't make an array of numbers from"):
        ag.Tensor(data)


@pytest.mark.parametrize("data", [1, [True], np.zeros(2, np.int32)])
def test_only_floating_point_tensors_require_gradients(data):
    with pytest.raises(TypeError, match=r"floating-point type can require a gradient, got agrad\."):
        ag.Tensor(data, requires_grad=True)
    x = ag.Tensor(data)
    with pytest.raises(TypeError):
        x.requires_grad = True
    assert not x.requires_grad


def test_a_device_that_is_not_there_is_refused():
    for make in (lambda: ag.Tensor([1.0], device="tpu"), lambda: ag.Tensor([1.0]).to("tpu")):
        with pytest.raises(ValueError, match="no device 'tpu'"):
            make()


# Requiring a gradient ----------------------------------------------------------------------------


def test_requires_grad_can_be_switched():
    x = ag.Tensor([1.0])
    assert x.requires_grad_() is x
    assert x.requires_grad
    assert (x * 2).requires_grad
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_requires_grad_stays_with_results():
    y = ag.Tensor([1.0], requires_grad=True) * 2
    y.requires_grad = True
    with pytest.raises(RuntimeError, match=r"use \.detach\(\)"):
        y.requires_grad = False
    assert not y.is_leaf


def test_detach_shares_the_array_and_stops_gradients(backend):
    x = backend.tensor([3.0], requires_grad=True)
    y = x.detach()
    assert y.data is x.data
    assert not y.requires_grad
    (x * y).sum().backward()
    assert backend.numpy(x.grad).tolist() == [3.0]


# Its array ---------------------------------------------------------------------------------------


def test_data_can_be_replaced(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    new = backend.array([3.0, 4.0])
    x.data = new
    assert x.data is new
    (x * x).sum().backward()
    assert backend.numpy(x.grad).tolist() == [6.0, 8.0]
    other = backend.tensor([5.0, 6.0])
    x.data = other
    assert x.data is other.data


def test_data_replaced_between_forward_and_backward_gets_its_gradient(backend):
    """An optimizer of a library whose arrays can't be written to does so."""
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * 3).sum()
    x.data = backend.array([5.0, 5.0])
    loss.backward()
    assert backend.numpy(x.grad).tolist() == [3.0, 3.0]


def test_data_of_another_dtype_makes_a_new_leaf(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    x.data = backend.array(np.float32([1.0, 2.0]))
    (x * x).sum().backward()
    assert x.grad.dtype == ag.float32


def test_data_of_another_shape_is_refused():
    x = ag.Tensor([1.0, 2.0])
    with pytest.raises(ValueError, match=r"shape \(3,\) can't replace data of shape \(2,\)"):
        x.data = np.zeros(3)


def test_data_of_no_dimensions_stays_an_array():
    """In NumPy ``x.data * 2`` is a scalar then, which nothing could be written into."""
    x = ag.Tensor(1.0)
    x.data = x.data * 2
    assert type(x.data) is np.ndarray
    assert x.item() == 2.0


@pytest.mark.parametrize("wrong", [[1.0, 2.0], 1.0, None])
def test_data_that_is_no_array_is_refused(wrong):
    x = ag.Tensor([1.0, 2.0])
    with pytest.raises(TypeError, match=f"expected an array .*got {type(wrong).__name__}"):
        x.data = wrong


def test_numpy_shares_memory_on_the_cpu():
    x = ag.Tensor([1.0, 2.0])
    assert np.shares_memory(x.numpy(), x.data)
    assert np.shares_memory(np.asarray(x), x.data)
    assert not np.shares_memory(np.array(x), x.data)


def test_numpy_gives_the_values_wherever_they_are(backend):
    values = np.float32([[1.0, 2.0]])
    found = backend.tensor(values).numpy()
    np.testing.assert_array_equal(found, values, strict=True)


def test_numpy_takes_a_tensor_for_an_array():
    x = ag.Tensor([1.0, 4.0])
    assert np.asarray(x, dtype=np.float32).dtype == np.float32
    assert np.asarray([x, x]).shape == (2, 2)
    assert np.random.default_rng(0).choice(x) in (1.0, 4.0)


def test_what_records_does_not_become_an_array_unasked():
    x = ag.Tensor([1.0], requires_grad=True)
    for call in (lambda: x.numpy(), lambda: np.asarray(x), lambda: np.array([x * 2])):
        with pytest.raises(RuntimeError, match=r"use \.detach\(\)\.numpy\(\)"):
            call()
    assert x.detach().numpy().tolist() == [1.0]


def test_what_is_elsewhere_does_not_become_an_array_unasked(other_backend):
    x = other_backend.tensor([1.0])
    with pytest.raises(TypeError, match=rf"on '{re.escape(other_backend.device)}'; use \.cpu\(\)"):
        np.asarray(x)
    assert np.asarray(x.cpu()).tolist() == [1.0]


# As Python's objects -----------------------------------------------------------------------------


def test_one_element_is_a_number(backend):
    x = backend.tensor([[2.5]])
    assert (x.item(), float(x), int(x), complex(x), bool(x)) == (2.5, 2.5, 2, 2.5 + 0j, True)
    assert type(x.item()) is float
    assert type(backend.tensor(3).item()) is int
    assert not backend.tensor(0.0)


def test_several_elements_are_no_number(backend):
    x = backend.tensor([1.0, 2.0])
    for call in (float, int, complex, ag.Tensor.item):
        with pytest.raises(ValueError, match=r"one element, got shape \(2,\)"):
            call(x)
    for each in (x, x[:0]):
        with pytest.raises(ValueError, match=r"truth of a Tensor of shape .* is ambiguous"):
            bool(each)


def test_an_integer_is_an_index(backend):
    assert [10, 20, 30][backend.tensor(1)] == 20
    assert list(range(backend.tensor(2))) == [0, 1]
    for wrong in (backend.tensor(1.0), backend.tensor([1])):
        with pytest.raises(TypeError, match="only an integer Tensor of no dimensions is an index"):
            operator.index(wrong)


def test_length_and_iteration(backend):
    x = backend.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert len(x) == 2
    first, second = x
    assert (backend.numpy(first).tolist(), backend.numpy(second).tolist()) == ([1, 2], [3, 4])
    (first * second).sum().backward()
    assert backend.numpy(x.grad).tolist() == [[3, 4], [1, 2]]
    assert [each.item() for row in x.detach() for each in row] == [1, 2, 3, 4]
    for call in (len, iter):
        with pytest.raises(TypeError, match="no dimensions has no length"):
            call(backend.tensor(1.0))


def test_tolist(backend):
    assert backend.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert backend.tensor(1.5).tolist() == 1.5


def test_equality_is_by_element_and_hashing_by_identity(backend):
    x, y = backend.tensor([1.0, 2.0]), backend.tensor([1.0, 3.0])
    assert (x == y).tolist() == [True, False]
    assert (x != y).tolist() == [False, True]
    assert (x == 1.0).tolist() == [True, False]
    assert (x == backend.array([1.0, 3.0])).tolist() == [True, False]
    assert {x: 1, y: 2}[y] == 2
    assert len({x, x, y}) == 2


@pytest.mark.parametrize("other", [None, "a", [1.0], (1.0,), {}])
def test_a_tensor_never_equals_what_is_no_array(other):
    x = ag.Tensor([1.0])
    assert (x == other) is False
    assert (x != other) is True


REPRS = [
    ({"data": [1.0, 2.0]}, "Tensor([1., 2.], dtype=float64)"),
    ({"data": 3}, "Tensor(3, dtype=int64)"),
    ({"data": []}, "Tensor([], dtype=float64)"),
    ({"data": [1.0], "requires_grad": True}, "Tensor([1.], dtype=float64, requires_grad=True)"),
    ({"data": [[1.0], [2.0]]}, "Tensor([[1.],\n        [2.]], dtype=float64)"),
]


@pytest.mark.parametrize(("arguments", "expected"), REPRS)
def test_repr(arguments, expected):
    assert repr(ag.Tensor(**arguments)) == expected


def test_repr_says_where_it_is(other_backend):
    x = other_backend.tensor([1.0])
    assert repr(x) == f"Tensor([1.], dtype=float64, device='{other_backend.device}')"


def test_repr_of_many_elements_is_short():
    assert len(repr(ag.zeros(100_000))) < 200


# Operators ---------------------------------------------------------------------------------------

OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "//": operator.floordiv, "%": operator.mod, "**": operator.pow, "@": operator.matmul,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne, "divmod": divmod,
}  # fmt: skip
INTEGER_OPERATORS = {
    "&": operator.and_, "|": operator.or_, "^": operator.xor,
    "<<": operator.lshift, ">>": operator.rshift,
}  # fmt: skip
BOTH = [(name, [3.0, 2.0], [2.0, 4.0]) for name in OPERATORS]
BOTH += [(name, [12, 7], [1, 3]) for name in INTEGER_OPERATORS]


def check(backend, found, expected):
    """Compare Tensors, or pairs of them as divmod gives, with NumPy's result."""
    for one, other in zip(
        *((x if type(x) is tuple else (x,)) for x in (found, expected)), strict=True
    ):
        assert type(one) is ag.Tensor
        np.testing.assert_array_equal(backend.numpy(one), other)


@pytest.mark.parametrize(("name", "left", "right"), BOTH)
def test_operators_are_numpys(backend, name, left, right):
    apply = {**OPERATORS, **INTEGER_OPERATORS}[name]
    expected = apply(np.asarray(left), np.asarray(right))
    x, y = backend.tensor(left), backend.tensor(right)
    check(backend, apply(x, y), expected)
    check(backend, apply(x, y.data), expected)
    if backend.name.startswith("strict"):
        pytest.skip("array-api-strict refuses foreign objects on its right, instead of deferring")
    check(backend, apply(x.data, y), expected)


@pytest.mark.parametrize(("name", "left", "right"), [each for each in BOTH if each[0] != "@"])
def test_operators_take_pythons_numbers_on_both_sides(backend, name, left, right):
    apply = {**OPERATORS, **INTEGER_OPERATORS}[name]
    check(backend, apply(backend.tensor(left), right[0]), apply(np.asarray(left), right[0]))
    check(backend, apply(left[0], backend.tensor(right)), apply(left[0], np.asarray(right)))


@pytest.mark.parametrize("scalar", [np.float64(2.0), np.float32(2.0), np.array(2.0), np.int64(2)])
@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "@"])
def test_numpys_scalars_on_both_sides(name, scalar):
    x = ag.Tensor([3.0, 5.0])
    apply = OPERATORS[name]
    for found, expected in (
        (apply(scalar, x), apply(scalar, x.data)),
        (apply(x, scalar), apply(x.data, scalar)),
    ):
        parts = found if type(found) is tuple else (found,)
        for part, value in zip(parts, np.atleast_2d(expected), strict=True):
            assert type(part) is ag.Tensor
            np.testing.assert_array_equal(part.data, value)


@pytest.mark.parametrize("scalar", [np.float64(2.0), np.float32(2.0), np.int64(2)])
def test_numpys_scalars_are_numbers_on_every_device(backend, scalar):
    x = backend.tensor([3.0, 5.0], requires_grad=True)
    (x * scalar + scalar * x).sum().backward()
    assert backend.numpy(x.grad).tolist() == [2.0 * scalar] * 2


def test_unary_operators(backend):
    x = backend.tensor([-1.5, 2.0])
    for apply in (operator.neg, operator.pos, operator.abs):
        check(backend, apply(x), apply(backend.numpy(x)))
    check(backend, ~backend.tensor([True, False]), np.array([False, True]))
    check(backend, ~backend.tensor([0, 5]), np.array([-1, -6]))


def test_gradients_flow_through_reflected_operators():
    x = ag.Tensor([2.0, 4.0], requires_grad=True)
    (np.ones(2) * 3 - x).sum().backward()
    (1.0 / x).sum().backward()
    (2.0**x).sum().backward()
    (np.array([[1.0, 2.0]]) @ x).sum().backward()
    expected = -1 - 1 / x.data**2 + np.log(2) * 2**x.data + [1.0, 2.0]
    np.testing.assert_allclose(x.grad.data, expected)


@pytest.mark.parametrize("name", ["+", "-", "*", "/", "**", "@", "<"])
@pytest.mark.parametrize("other", [[1.0, 2.0], (1.0, 2.0), "a", None])
def test_operators_refuse_lists_and_the_like_on_both_sides(name, other):
    x = ag.Tensor([1.0, 2.0])
    for arguments in ((x, other), (other, x)):
        with pytest.raises(TypeError, match=type(other).__name__):
            OPERATORS[name](*arguments)


METHODS = [
    ("sum", {"axis": 0}), ("mean", {"axis": 1, "keepdims": True}), ("prod", {}),
    ("max", {"axis": 0}), ("min", {}), ("var", {"axis": 0, "correction": 1}),
    ("std", {"axis": 1}), ("argmax", {}), ("argmin", {"axis": 1}), ("all", {}),
    ("any", {"axis": 0}), ("exp", {}), ("log", {}), ("sqrt", {}), ("tanh", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), METHODS)
def test_methods_are_the_functions_of_the_same_name(name, options):
    x = ag.Tensor([[1.0, 2.0], [4.0, 3.0]])
    np.testing.assert_array_equal(
        getattr(x, name)(**options).data, getattr(ag, name)(x, **options).data, strict=True
    )


def test_reshape_takes_lengths_or_a_shape():
    x = ag.zeros((2, 3))
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == (3, 2)
    assert x.reshape(-1).shape == (6,)


def test_transposes():
    x = ag.zeros((2, 3, 4))
    assert x.mT.shape == (2, 4, 3)
    assert x[0].T.shape == (4, 3)
    with pytest.raises(ValueError, match=r"\.T is for two dimensions, got shape \(2, 3, 4\)"):
        _ = x.T


# Elsewhere ---------------------------------------------------------------------------------------


def test_to_casts_and_moves(backend):
    x = backend.tensor([1.0, 2.0])
    assert x.to(ag.float32).dtype == x.to("float32").dtype == x.to(np.float32).dtype == "float32"
    assert x.to(x.device) is x
    assert x.to(ag.float64) is x
    there = x.cpu()
    assert there.device == "cpu"
    assert there.to(backend.device).device == backend.device
    assert backend.numpy(there.to(backend.device)).tolist() == [1.0, 2.0]


def test_from_device_to_device_and_the_gradient_back():
    strict = [array_api_strict.Device(name) for name in ("CPU_DEVICE", "device1")]
    x, other = (
        ag.Tensor(array_api_strict.ones(2, device=each), requires_grad=True) for each in strict
    )
    y = x.to(other.device)
    assert y.device == "array_api_strict:device1"
    z = (y * other * 3).to("cpu").to(ag.float32)
    (z * ag.Tensor([1.0, 2.0], dtype=ag.float32)).sum().backward()
    for each in (x, other):
        assert (each.grad.device, each.grad.dtype) == (each.device, ag.float64)
        assert each.grad.tolist() == [3.0, 6.0]


@pytest.mark.parametrize(
    "backend", ["cupy-stand-in", pytest.param("cupy", marks=pytest.mark.cuda)], indirect=True
)
def test_cuda_moves_to_a_gpu(backend):
    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    y = x.to(backend.device)
    assert (y.device, x.cuda().device) == (backend.device, "cuda:0")
    (y * y).sum().backward()
    assert (x.grad.device, x.grad.tolist()) == ("cpu", [2.0, 4.0])


# Copies and pickles ------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_deep_copies_and_pickles(backend, copied):
    x = backend.tensor([1.0, 2.0], requires_grad=True, dtype=ag.float32)
    (x * x).sum().backward()
    y = copied(x)
    assert (y.device, y.dtype, y.requires_grad, y.is_leaf) == (x.device, x.dtype, True, True)
    assert (y.tolist(), y.grad.tolist()) == ([1.0, 2.0], [2.0, 4.0])
    (y * 3).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([2.0, 4.0], [5.0, 7.0])
    backend_of_y = y.data
    assert backend_of_y is not x.data


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_parameter_is_copied_with_its_name_and_velocity(backend, copied):
    p = ag.Parameter(backend.array([1.0, 2.0]), name="w")
    p.velocity = backend.tensor([3.0, 4.0])
    q = copied(p)
    assert type(q) is ag.Parameter
    assert (q.name, q.tolist(), q.velocity.tolist()) == ("w", [1.0, 2.0], [3.0, 4.0])
    assert q.velocity.device == q.device == backend.device
    assert q.requires_grad
    frozen = ag.Parameter(backend.array([1.0]), requires_grad=False)
    assert not copied(frozen).requires_grad


def test_copies_share_no_memory():
    x = ag.Tensor([1.0, 2.0])
    assert not np.shares_memory(copy.deepcopy(x).data, x.data)


def test_a_copied_list_of_tensors_shares_as_the_list_did():
    x = ag.Tensor([1.0])
    first, second = copy.deepcopy([x, x])
    assert first is second


def test_only_leaves_are_copied():
    y = ag.Tensor([1.0], requires_grad=True) * 2
    for copied in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"only a leaf can be .*use \.detach\(\)"):
            copied(y)
        copied(y.detach())
    with pytest.raises(TypeError, match=r"copy\.deepcopy\(\)"):
        copy.copy(y)


# Parameters --------------------------------------------------------------------------------------


def test_a_parameter_is_a_tensor_that_requires_a_gradient(backend):
    p = ag.Parameter(backend.array([1.0, 2.0]), name="weight")
    assert isinstance(p, ag.Tensor)
    assert (p.requires_grad, p.name, p.device) == (True, "weight", backend.device)
    assert repr(p).startswith("Parameter([1., 2.], dtype=float64, name='weight'")
    assert ag.Parameter([1.0]).name is None
    assert type(p * 2) is ag.Tensor


@pytest.mark.parametrize(
    ("data", "dtype"),
    [([1, 2], "float32"), (1, "float32"), (0.5, "float32"), (np.float64([1.0]), "float64"),
     (ag.Tensor([1.0]), "float64")],
)  # fmt: skip
def test_numbers_become_parameters_of_the_default_dtype(data, dtype):
    assert ag.Parameter(data).dtype == dtype
    assert ag.Parameter(data, dtype="float64").dtype == "float64"


def test_the_default_dtype_can_be_chosen():
    ag.set_default_dtype(ag.float64)
    try:
        assert ag.Parameter([1.0]).dtype == ag.float64
    finally:
        ag.set_default_dtype(ag.float32)


def test_the_velocity_starts_at_zero_like_the_parameter(backend):
    p = ag.Parameter(backend.array(np.float32([[1.0, 2.0]])))
    v = p.velocity
    assert (v.shape, v.dtype, v.device) == (p.shape, p.dtype, p.device)
    assert backend.numpy(v).tolist() == [[0.0, 0.0]]
    assert p.velocity is v


def test_no_gradient_flows_into_the_velocity():
    p, x = ag.Parameter([1.0, 2.0]), ag.Tensor(np.float32([3.0, 4.0]), requires_grad=True)
    assert not p.velocity.requires_grad
    p.velocity = p * x
    assert not p.velocity.requires_grad
    (p * p.velocity).sum().backward()
    assert p.grad.tolist() == [3.0, 8.0]
    assert p.velocity.grad is None
    assert x.grad is None
    p.velocity = None
    assert p.velocity.tolist() == [0.0, 0.0]


def test_a_velocity_of_another_shape_or_place_is_refused():
    p = ag.Parameter([1.0, 2.0])
    for wrong in (ag.zeros(3), ag.Tensor(array_api_strict.zeros(2))):
        with pytest.raises(ValueError, match=r"velocity of a parameter of shape \(2,\) on 'cpu'"):
            p.velocity = wrong


def test_a_number_is_formatted_like_a_number():
    assert f"{ag.Tensor(3.14159):.2f}" == "3.14"
    assert f"{ag.Tensor(2.0)}" == str(ag.Tensor(2.0))
    with pytest.raises(TypeError, match="format"):
        f"{ag.Tensor([1.0, 2.0]):.2f}"


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (np.zeros(3), TypeError, "must be a Tensor or None, got ndarray"),
        (ag.Tensor([1.0]), ValueError, r"shape \(3,\), .*; got \(1,\)"),
        (ag.Tensor([1.0, 1.0, 1.0], dtype=ag.float32), ValueError, "float64 .* float32"),
    ],
)
def test_grad_takes_only_what_fits(value, error, words):
    x = ag.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    with pytest.raises(error, match=words):
        x.grad = value
    assert x.grad is None
    x.grad = ag.Tensor([1.0, 1.0, 1.0])
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("array", [np.array([1, 2]), np.array([True, False]), np.array(["a", "b"])])
def test_data_that_requires_a_gradient_stays_floating_point(array):
    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"floating-point|numbers"):
        x.data = array
    assert x.tolist() == [1.0, 2.0]


def test_grad_and_velocity_follow_the_data():
    p = ag.Parameter([1.0, 2.0])
    (p * p).sum().backward()
    assert p.velocity.dtype == p.grad.dtype == ag.float32
    p.data = p.data.astype("float64")
    assert p.velocity.dtype == p.grad.dtype == ag.float64
    assert p.grad.tolist() == [2.0, 4.0]


def test_a_parameter_has_memory_of_its_own():
    for source in (np.zeros(3), ag.zeros(3), np.broadcast_to(np.zeros(1), 3)):
        first, second = ag.Parameter(source), ag.Parameter(source)
        first.data += 1
        assert second.tolist() == np.asarray(source).tolist() == [0.0, 0.0, 0.0]


def test_a_parameter_is_changed_in_place_only_while_nothing_is_recorded():
    p = same = ag.Parameter([1.0])
    with pytest.raises(RuntimeError, match=r"requires a gradient.*agrad\.no_grad"):
        p *= 2
    with ag.no_grad():
        p -= 0.5 * p
    assert p is same
    p.data *= 4
    assert p.tolist() == [2.0]
    assert p.requires_grad


@pytest.mark.parametrize("convert", [int, float, complex, math.log])
def test_a_number_that_loses_its_gradient_is_warned_of(convert):
    x = ag.Tensor(2.0, requires_grad=True)
    with pytest.warns(UserWarning, match=r"has no gradient; use \.item\(\)"):
        assert convert(x) == convert(2.0)
    assert convert(x.detach()) == convert(x.item()) == convert(2.0)


def test_a_complex_gradient_of_a_real_tensor_is_refused():
    x = ag.Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="float64 can't be of complex128"):
        (x * 2).backward(ag.Tensor([1j]))


def test_real_and_imag_are_the_parts():
    z = ag.Tensor([1 + 2j], requires_grad=True)
    (z.real * 3 + z.imag).sum().backward()
    assert (z.real.tolist(), z.imag.tolist(), z.grad.tolist()) == ([1.0], [2.0], [3 + 1j])


def test_numbers_of_either_byte_order_are_taken():
    assert ag.Tensor(np.array([1.0, 2.0], dtype=">f8")).dtype == ag.float64
    with pytest.raises(TypeError, match="numbers"):
        ag.Tensor("text")
