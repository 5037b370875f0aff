"""Data types: one object each, whichever library holds the array."""

import copy
import pickle

import array_api_strict
import numpy as np
import pytest

import agrad as ag
from agrad import dtypes

NAMES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float32", "float64", "complex64", "complex128",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_each_is_equal_to_its_namesakes_and_to_no_other(name):
    one = getattr(ag, name)
    others = [getattr(ag, each) for each in NAMES if each != name]
    for same in (name, np.dtype(name), getattr(np, name), getattr(array_api_strict, name)):
        assert one == same
        assert dtypes.dtype(same) is one
        assert not any(each == same for each in others)
    assert np.dtype(name) == one
    assert name == one
    assert hash(one) == hash(name)
    assert (repr(one), str(one)) == (f"agrad.{name}", name)
    assert one.is_floating == name.startswith("float")
    assert one.is_integer == ("int" in name)


@pytest.mark.parametrize("name", ["bool", "int64", "float32", "float64"])
def test_every_librarys_dtypes_are_known(backend, name):
    x = backend.tensor(np.ones(2, dtype=name))
    assert x.dtype is getattr(ag, name)
    assert x.dtype == x.data.dtype


def test_torchs_dtypes_that_the_standard_lacks():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = ag.Tensor(torch.ones(2, dtype=torch.bfloat16), requires_grad=True)
    assert (x.dtype.name, x.dtype.is_floating) == ("bfloat16", True)
    (x * 2).sum().backward()
    assert x.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("kind", [bool, int, float, complex])
def test_pythons_types_stand_for_the_dtypes_that_numpy_gives_them(kind):
    assert dtypes.dtype(kind) == np.dtype(kind).name


@pytest.mark.parametrize("wrong", ["float31", "", "cpu", str, None, 3])
def test_what_is_no_dtype_is_refused(wrong):
    with pytest.raises(TypeError, match="is no data type of the Array API; known are bool, int8"):
        dtypes.dtype(wrong)
    assert not dtypes.is_dtype(wrong)


def test_a_dtype_is_not_equal_to_what_is_no_dtype():
    assert ag.float32 != "cpu"
    assert ag.float32 != 32
    assert ag.float32 is not None


def test_copies_and_pickles_are_the_same_object():
    assert pickle.loads(pickle.dumps(ag.float32)) is ag.float32
    assert copy.deepcopy(ag.float32) is ag.float32


def test_a_dtype_that_the_library_lacks_is_refused():
    x = ag.Tensor(array_api_strict.ones(2))
    with pytest.raises(TypeError, match="'array_api_strict:CPU_DEVICE' has no bfloat16"):
        x.to("bfloat16")


def test_the_default_is_float32_until_another_is_chosen():
    assert ag.get_default_dtype() is ag.float32
    try:
        ag.set_default_dtype("float64")
        assert ag.get_default_dtype() is ag.float64
        for wrong in (ag.int32, "bool", complex):
            with pytest.raises(TypeError, match="must be a floating-point type"):
                ag.set_default_dtype(wrong)
        assert ag.get_default_dtype() is ag.float64
    finally:
        ag.set_default_dtype(ag.float32)
