"""Casting and moving: the values stay, and the gradient finds its way back."""

import numpy as np
import pytest

import agrad as ag


@pytest.mark.parametrize("start", ["float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("end", ["float32", "float64", "int64", "uint8", "bool"])
def test_astype_casts_as_numpy_does(backend, start, end):
    values = np.asarray([0, 1, 3]).astype(start)
    cast = ag.astype(backend.tensor(values), end)
    assert (cast.dtype, cast.device) == (end, backend.device)
    np.testing.assert_array_equal(backend.numpy(cast), values.astype(end), strict=True)


def test_a_gradient_comes_back_in_the_dtype_it_is_for(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True, dtype=ag.float32)
    y = ag.astype(x, ag.float64)
    (y * y).sum().backward()
    assert x.grad.dtype == ag.float32
    assert backend.numpy(x.grad).tolist() == [2.0, 4.0]


def test_no_gradient_goes_through_integers(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    assert not ag.astype(x, ag.int64).requires_grad
    assert not ag.astype(ag.astype(x, ag.int64), ag.float64).requires_grad


def test_astype_copies_unless_told_otherwise():
    x = ag.Tensor([1.0])
    assert not np.shares_memory(ag.astype(x, ag.float64).data, x.data)
    assert ag.astype(x, ag.float64, copy=False) is x
    assert ag.astype(x, ag.float32, copy=False).dtype == ag.float32


def test_there_and_back_again(backend):
    x = ag.Tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    there = ag.to_device(x, backend.tensor(0.0).device)
    assert there.device == backend.device
    np.testing.assert_array_equal(backend.numpy(there), x.data)
    back = ag.to_device(there * 2, "cpu")
    assert back.device == "cpu"
    (back * back).sum().backward()
    assert x.grad.device == "cpu"
    np.testing.assert_array_equal(x.grad.data, 8 * x.data)


def test_a_gradient_travels_back_to_a_leaf_elsewhere(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    (ag.to_device(x, "cpu") * ag.Tensor([3.0, 4.0])).sum().backward()
    assert x.grad.device == backend.device
    assert backend.numpy(x.grad).tolist() == [3.0, 4.0]


def test_the_second_derivative_travels_too(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    y = ag.to_device(x, "cpu")
    (y * y * y).sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    g.sum().backward()
    assert backend.numpy(x.grad).tolist() == [6.0, 12.0]


def test_where_it_is_already_nothing_happens(backend):
    x = backend.tensor([1.0], requires_grad=True)
    assert ag.to_device(x, x.device) is x


def test_nothing_is_recorded_under_no_grad(backend):
    x = backend.tensor([1.0], requires_grad=True)
    with ag.no_grad():
        assert not ag.to_device(x, "cpu").requires_grad or x.device == "cpu"


def test_an_unknown_dtype_is_refused(backend):
    with pytest.raises(TypeError, match="'float31' is no data type"):
        ag.astype(backend.tensor([1.0]), "float31")


def test_astype_can_move_as_well(backend):
    x = backend.tensor([1.0, 2.0], requires_grad=True)
    there = ag.astype(x, ag.float32, device="cpu")
    assert (there.dtype, there.device) == ("float32", "cpu")
    there.sum().backward()
    assert (x.grad.dtype, x.grad.device) == ("float64", backend.device)


def test_to_device_takes_no_stream():
    with pytest.raises(ValueError, match="takes no stream"):
        ag.Tensor([1.0]).to_device("cpu", stream=1)


FLOATS = ["float32", "float64", "complex64", "complex128"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


@pytest.mark.parametrize("name", [*FLOATS, "float16"])
def test_finfo_is_numpys_in_pythons_numbers(name):
    found, expected = ag.finfo(name), np.finfo(name)
    for each in ("bits", "eps", "max", "min", "smallest_normal"):
        assert getattr(found, each) == getattr(expected, each)
        assert type(getattr(found, each)) is (int if each == "bits" else float)
    assert found.dtype == expected.dtype
    assert found == ag.finfo(ag.zeros(1, dtype=name)) == ag.finfo(np.zeros(1, dtype=name))


def test_finfo_of_bfloat16_is_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    found, expected = ag.finfo(ag.bfloat16), torch.finfo(torch.bfloat16)
    for each in ("bits", "eps", "max", "min", "smallest_normal"):
        assert getattr(found, each) == getattr(expected, each)


@pytest.mark.parametrize("name", INTEGERS)
def test_iinfo_is_numpys(name):
    found, expected = ag.iinfo(name), np.iinfo(name)
    assert (found.bits, found.max, found.min) == (expected.bits, expected.max, expected.min)
    assert found.dtype == name
    assert found == ag.iinfo(ag.zeros(1, dtype=name))


def test_limits_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="see iinfo"):
        ag.finfo(ag.int8)
    for name in ("float32", "bool"):
        with pytest.raises(TypeError, match="see finfo"):
            ag.iinfo(name)


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("bool", ["bool"]),
        ("signed integer", ["int8", "int64"]),
        ("unsigned integer", ["uint8", "uint64"]),
        ("integral", ["int8", "int64", "uint8", "uint64"]),
        ("real floating", ["bfloat16", "float32"]),
        ("complex floating", ["complex64"]),
        ("numeric", ["int8", "int64", "uint8", "uint64", "bfloat16", "float32", "complex64"]),
        (np.float32, ["float32"]),
        (("bool", ag.int8, "complex floating"), ["bool", "int8", "complex64"]),
        ((), []),
    ],
    ids=str,
)
def test_isdtype(kind, members):
    names = ["bool", "int8", "int64", "uint8", "uint64", "bfloat16", "float32", "complex64"]
    assert [name for name in names if ag.isdtype(name, kind)] == members


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no kind 'integer'; there are 'bool', 'signed integer'"):
        ag.isdtype(ag.int8, "integer")


@pytest.mark.parametrize("one", [*FLOATS, *INTEGERS, "bool"])
@pytest.mark.parametrize("two", [*FLOATS, *INTEGERS, "bool"])
def test_promotion_is_numpys(one, two):
    assert ag.result_type(one, two) == np.result_type(one, two)
    assert ag.result_type(ag.zeros(1, dtype=one), two) == np.result_type(one, two)
    if (one in FLOATS) == (two in FLOATS) and (one == "bool") == (two == "bool"):
        assert ag.can_cast(one, two) == np.can_cast(one, two)
    else:
        assert not ag.can_cast(one, two)


@pytest.mark.parametrize("number", [True, 1, 1.5, 1j])
@pytest.mark.parametrize("name", ["bool", "int8", "float32", "float64", "complex64"])
def test_a_number_takes_the_others_data_type(name, number):
    assert ag.result_type(name, number) == np.result_type(np.dtype(name), number)


def test_promotion_needs_no_library_that_has_the_types(backend):
    assert ag.result_type(ag.bfloat16, ag.float16) == ag.float32
    assert ag.result_type(backend.tensor([1.0], dtype="float32"), ag.complex128) == "complex128"


def test_promotion_of_arrays_on_two_devices_is_refused():
    with pytest.raises(TypeError, match="at least one Tensor or data type"):
        ag.result_type(1, 2.0)
    import array_api_strict

    with pytest.raises(RuntimeError, match="devices cpu, array_api_strict:CPU_DEVICE"):
        ag.result_type(np.zeros(1), array_api_strict.zeros(1))
