"""That the stand-in for CuPy is as strict as CuPy, that array_api_compat takes it for CuPy, and
that it leaves things as it found them.
"""

import copy
import importlib
import importlib.util
import inspect
import json
import operator
import pickle
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import array_api_compat
import array_api_compat.numpy
import numpy as np
import pytest

from tests.cupy_stand_in import installed


@pytest.fixture
def cp() -> Iterator[Any]:
    with installed(devices=2) as module:
        yield module


@pytest.fixture
def a(cp: Any) -> Any:
    return cp.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))


@pytest.fixture
def other(cp: Any) -> Any:
    """An array on the device that is not the current one."""
    with cp.cuda.Device(1):
        return cp.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))


# Arrays ------------------------------------------------------------------------------------------


def test_an_array_is_no_numpy_array(cp: Any, a: Any) -> None:
    assert not isinstance(a, np.ndarray)
    assert type(a) is cp.ndarray
    assert (a.shape, a.dtype, a.ndim, a.size, a.nbytes) == ((2, 3), np.float32, 2, 6, 24)
    assert (a.strides, a.itemsize, a.T.shape, a.mT.shape) == ((12, 4), 4, (3, 2), (3, 2))


@pytest.mark.parametrize("convert", [np.asarray, np.float32, np.ascontiguousarray])
def test_values_reach_the_host_only_by_get(a: Any, convert: Any) -> None:
    with pytest.raises(TypeError, match=r"Implicit conversion.*Please use `.get\(\)`"):
        convert(a)


def test_get_set_item_and_asnumpy_move_values(cp: Any, a: Any) -> None:
    host = a.get()
    assert isinstance(host, np.ndarray)
    np.testing.assert_array_equal(cp.asnumpy(a), host)
    host[0, 0] = 9  # a copy, not a view
    assert a[0, 0].item() == 0
    a.set(host)
    assert a[0, 0].item() == 9
    assert a.tolist() == [[9, 1, 2], [3, 4, 5]]
    out = np.empty((2, 3), np.float32)
    assert a.get(out=out) is out
    np.testing.assert_array_equal(out, host)


def test_set_and_get_take_arrays_of_the_same_dtype_and_shape_alone(a: Any) -> None:
    with pytest.raises(TypeError, match=r"Only numpy\.ndarray can be set"):
        a.set([1, 2])
    with pytest.raises(TypeError, match="float64 array cannot be set to float32 array"):
        a.set(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="Shape mismatch"):
        a.set(np.zeros((3, 2), np.float32))
    with pytest.raises(RuntimeError, match="non-contiguous"):
        a[:, ::2].set(np.zeros((2, 2), np.float32))
    with pytest.raises(TypeError, match="cannot be obtained"):
        a.get(out=np.zeros((2, 3)))


def test_item_needs_one_element_and_takes_no_index(a: Any) -> None:
    with pytest.raises(ValueError, match="size 1"):
        a.item()
    with pytest.raises(TypeError):
        a.item(0)


def test_results_of_no_dimensions_stay_arrays(cp: Any, a: Any) -> None:
    for each in (
        a[0, 0],
        a.sum(),
        cp.max(a),
        a[0, 0] + 1,
        cp.add(1, 2),
        a @ a.T @ a[:, 0] @ a[:, 0],
    ):
        assert type(each) is cp.ndarray
        assert each.shape == ()
    assert float(a[1, 2]) == 5
    assert int(a[1, 2]) == 5
    assert bool(a[1, 2])


def test_an_array_is_no_index_of_python_and_no_key_of_a_dict(cp: Any) -> None:
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        operator.index(cp.asarray(1))
    with pytest.raises(TypeError, match="unhashable"):
        hash(cp.asarray(1))


def test_the_truth_of_many_elements_is_ambiguous(cp: Any, a: Any) -> None:
    with pytest.raises(ValueError, match="ambiguous"):
        bool(a)
    with pytest.warns(DeprecationWarning, match="empty array"):
        assert not cp.zeros(0)


def test_base_is_none_for_results_and_the_owner_for_views(cp: Any, a: Any) -> None:
    for each in (a, a + 1, a.copy(), a.sum(axis=0), a[[0]], cp.zeros(2), a.astype(np.float64)):
        assert each.base is None
        assert each.flags.owndata
    for each in (a[0], a.T, a.reshape(3, 2), a.ravel(), a[0][1:], cp.expand_dims(a, 0), a.view()):
        assert each.base is a
        assert not each.flags.owndata
        assert cp.shares_memory(each, a)


def test_views_are_views_even_of_nothing(cp: Any, a: Any) -> None:
    assert a[:0].base is a
    assert cp.reshape(a[:0], (3, 0)).base is a
    assert cp.ascontiguousarray(a) is a
    assert cp.ascontiguousarray(a.T).base is None


def test_a_diagonal_and_parts_can_be_written(cp: Any) -> None:
    x = cp.zeros((2, 2))
    cp.diagonal(x)[...] = 1
    x.diagonal(1).fill(2)
    assert x.tolist() == [[1, 2], [0, 1]]
    assert cp.real(x) is x
    cp.imag(x)[...] = 1  # all zeros, and nobody else's
    z = cp.zeros(2, dtype=np.complex64)
    cp.imag(z)[...] = 1
    z.real[0] = 2
    assert z.tolist() == [2 + 1j, 1j]


def test_flags_are_only_about_layout(cp: Any, a: Any) -> None:
    assert a.flags.c_contiguous
    assert a.T.flags["F_CONTIGUOUS"]
    assert not hasattr(a.flags, "writeable")
    assert (a.T + 1).flags.c_contiguous  # NumPy's result would keep the layout of a.T


def test_new_memory_is_not_zero(cp: Any) -> None:
    assert np.isnan(cp.empty(3).get()).all()
    assert np.isnan(cp.ndarray((2,), np.float32).get()).all()
    assert (cp.empty(3, dtype=int).get() != 0).all()
    assert np.isnan(cp.empty_like(cp.zeros(3)).get()).all()


def test_there_are_no_dtypes_but_numbers(cp: Any) -> None:
    for values, dtype in (([None], None), (["a"], None), ([1], object), ([1], np.longdouble)):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            cp.asarray(values, dtype=dtype)
    with pytest.raises(ValueError, match="Unsupported dtype object"):
        cp.zeros(2, dtype=object)


def test_asarray_copies_numpy_arrays_and_returns_its_own(cp: Any, a: Any) -> None:
    host = np.zeros(3)
    array = cp.asarray(host)
    host[0] = 1
    assert array[0].item() == 0
    assert cp.asarray(a) is a
    assert cp.array(a) is not a
    assert cp.array(a, copy=False) is a
    assert cp.asarray(a, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        cp.array(a, dtype=np.float64, copy=False)


def test_asarray_makes_one_array_of_many_but_does_not_mix(cp: Any, a: Any) -> None:
    assert cp.asarray([a[0], a[1]]).shape == (2, 3)
    with pytest.raises(TypeError):
        cp.asarray([a[0, 0], 1.0])


def test_astype_takes_none_of_numpys_options(a: Any) -> None:
    assert a.astype(np.float32, copy=False) is a
    assert a.astype(np.float32) is not a
    with pytest.raises(TypeError, match="casting is not supported"):
        a.astype(np.int32, casting="unsafe")


def test_pickles_and_copies_have_the_same_values(a: Any) -> None:
    for each in (pickle.loads(pickle.dumps(a)), copy.copy(a), copy.deepcopy(a)):
        assert type(each) is type(a)
        assert each is not a
        np.testing.assert_array_equal(each.get(), a.get())


def test_no_other_library_can_read_the_memory(a: Any) -> None:
    assert a.__dlpack_device__() == (2, 0)
    with pytest.raises(BufferError):
        np.from_dlpack(a)


# Operators and functions -------------------------------------------------------------------------

BINARY = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.lt,
    operator.eq,
    operator.ne,
]


@pytest.mark.parametrize("apply", BINARY)
def test_operators_give_what_numpy_gives(cp: Any, a: Any, apply: Any) -> None:
    host, b = a.get() + 1, (a + 1)[::-1]
    for ours, numpys in (
        (apply(a + 1, b), apply(host, host[::-1])),
        (apply(a + 1, 2), apply(host, 2)),
        (apply(2.5, a + 1), apply(2.5, host)),
        (apply(np.float32(2), a + 1), apply(np.float32(2), host)),
        (apply(a + 1, np.float64(2)), apply(host, np.float64(2))),  # a strong float64
    ):
        assert type(ours) is cp.ndarray
        assert ours.dtype == numpys.dtype
        np.testing.assert_allclose(ours.get(), numpys, rtol=1e-6)


def test_unary_and_bitwise_operators(cp: Any, a: Any) -> None:
    np.testing.assert_array_equal((-a).get(), -a.get())
    np.testing.assert_array_equal(abs(-a).get(), a.get())
    np.testing.assert_array_equal((~(a > 2)).get(), a.get() <= 2)
    np.testing.assert_array_equal(((a > 1) & (a < 4)).get(), (a.get() > 1) & (a.get() < 4))
    np.testing.assert_array_equal((a @ a.T).get(), a.get() @ a.get().T)


@pytest.mark.parametrize("apply", [*BINARY, operator.matmul])
def test_operators_refuse_numpy_arrays(a: Any, apply: Any) -> None:
    host = a.get()
    for left, right in ((a, host), (host, a)):
        with pytest.raises(TypeError, match=r"numpy\.ndarray"):
            apply(left, right)


@pytest.mark.parametrize("apply", [operator.add, operator.lt, operator.matmul])
def test_operators_refuse_lists(a: Any, apply: Any) -> None:
    with pytest.raises(TypeError):
        apply(a, [1, 2, 3])


@pytest.mark.parametrize(
    "apply", [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow]
)
def test_in_place_operators_write_and_refuse_numpy_arrays(a: Any, apply: Any) -> None:
    want = apply(a.get(), 2)
    assert apply(a, 2) is a
    np.testing.assert_array_equal(a.get(), want)
    with pytest.raises(TypeError, match=r"Unsupported type <class 'numpy\.ndarray'>"):
        apply(a, a.get())


def test_an_in_place_operator_does_not_cast_down(cp: Any) -> None:
    integers = cp.arange(3)
    with pytest.raises(TypeError, match="Cannot cast"):
        integers += 0.5


class Wrapper:
    """Like a Tensor: it has its own operators, and ``__array_ufunc__ = None`` says so."""

    __array_ufunc__ = None

    def __radd__(self, x: Any) -> str:
        return "reflected"

    __rmatmul__ = __rpow__ = __gt__ = __radd__

    def __eq__(self, x: object) -> Any:
        return "reflected"

    __hash__ = None  # type: ignore[assignment]


def test_an_operator_defers_to_what_has_no_array_ufunc(a: Any) -> None:
    wrapper = Wrapper()
    assert a + wrapper == "reflected"
    assert a @ wrapper == "reflected"
    assert a**wrapper == "reflected"
    assert (a < wrapper) == "reflected"
    assert (a == wrapper) == "reflected"


def test_an_in_place_operator_never_defers(a: Any) -> None:
    with pytest.raises(TypeError, match="Unsupported type"):
        a += Wrapper()


def test_an_operator_does_not_ask_other_strangers_unless_they_rank_higher(a: Any) -> None:
    class Stranger:
        __radd__ = Wrapper.__radd__

    with pytest.raises(TypeError, match="returned NotImplemented"):
        a + Stranger()
    Stranger.__array_priority__ = 101  # type: ignore[attr-defined]
    assert a + Stranger() == "reflected"


def test_nothing_equals_what_is_no_number(cp: Any, a: Any) -> None:
    assert not (a == None).any()  # noqa: E711
    assert (a != object()).all()


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("exp", TypeError),
        ("add", TypeError),
        ("where", AttributeError),
        ("sum", AttributeError),
        ("mean", AttributeError),
        ("reshape", AttributeError),
        ("concatenate", TypeError),
        ("stack", TypeError),
        ("matmul", TypeError),
        ("expand_dims", TypeError),
        ("cumsum", TypeError),
        ("all", TypeError),
        ("astype", TypeError),
        ("zeros_like", AttributeError),
        ("searchsorted", NotImplementedError),
    ],
)
def test_functions_refuse_lists_and_numpy_arrays(
    cp: Any, a: Any, function: str, error: type[Exception]
) -> None:
    arguments = {
        "add": lambda x: (x, a),
        "where": lambda x: (x, a, a),
        "reshape": lambda x: (x, (6,)),
        "concatenate": lambda x: ([a, x],),
        "stack": lambda x: ([a, x],),
        "matmul": lambda x: (x, a),
        "expand_dims": lambda x: (x, 0),
        "astype": lambda x: (x, np.float64),
        "searchsorted": lambda x: (x, a[0]),
    }.get(function, lambda x: (x,))
    with pytest.raises(error):
        getattr(cp, function)(*arguments([[1.0, 2.0, 3.0]]))
    with pytest.raises(TypeError):
        getattr(cp, function)(*arguments(np.ones((2, 3))))


def test_numpys_functions_call_ours(cp: Any, a: Any) -> None:
    for each in (np.exp(a), np.sum(a, axis=0), np.concatenate([a, a]), np.linalg.norm(a)):
        assert type(each) is cp.ndarray
    with pytest.raises(TypeError, match="Unsupported type"):
        np.add(a, np.ones(3))
    with pytest.raises(TypeError, match="no implementation found"):
        np.busday_count(a, a)


@pytest.mark.parametrize(
    "call",
    [
        lambda cp, a: cp.sum(a, where=a > 0),
        lambda cp, a: a.sum(initial=1),
        lambda cp, a: cp.exp(a, where=a > 0),
        lambda cp, a: cp.clip(a, min=0, max=1),
        lambda cp, a: cp.take(a, 0, mode="clip"),
        lambda cp, a: cp.einsum("ij->i", a, order="C"),
        lambda cp, a: cp.add(a),
        lambda cp, a: cp.zeros(2, device=0),
        lambda cp, a: cp.zeros_like(a, subok=True),
    ],
)
def test_functions_lack_numpys_other_arguments(cp: Any, a: Any, call: Any) -> None:
    with pytest.raises(TypeError):
        call(cp, a)


def test_sorting_has_one_kind(cp: Any, a: Any) -> None:
    assert cp.sort(a, kind="stable").tolist() == a.tolist()
    with pytest.raises(ValueError, match="kind can only be None or 'stable'"):
        cp.argsort(a, kind="quicksort")


def test_out_is_written_and_returned(cp: Any, a: Any) -> None:
    out = cp.empty((2, 3), dtype=np.float32)
    assert cp.exp(a, out=out) is out
    np.testing.assert_allclose(out.get(), np.exp(a.get()), rtol=1e-6)
    assert cp.add(a, 1, out) is out
    np.testing.assert_array_equal(out.get(), a.get() + 1)
    total = cp.empty(3, dtype=np.float32)
    assert cp.sum(a, axis=0, out=total) is total
    np.testing.assert_array_equal(total.get(), a.get().sum(axis=0))


def test_out_must_be_an_array_of_the_right_shape_and_kind(cp: Any, a: Any) -> None:
    with pytest.raises(ValueError, match="Out shape is mismatched"):
        cp.exp(a, out=cp.empty(3, dtype=np.float32))
    with pytest.raises(TypeError, match="Cannot cast"):
        cp.exp(a, out=cp.empty((2, 3), dtype=int))
    with pytest.raises(TypeError, match="Unsupported type"):
        cp.exp(a, out=np.empty((2, 3), np.float32))
    with pytest.raises(TypeError, match=r"must be cupy\.ndarray"):
        cp.exp(a, out=1.0)
    with pytest.raises(TypeError):
        cp.sum(a, axis=0, out=[0, 0, 0])
    out = cp.empty((2, 3), dtype=np.float32)
    with pytest.raises(ValueError, match="both a positional and keyword argument"):
        cp.exp(a, out, out=out)
    with pytest.raises(ValueError, match="one per ufunc output"):
        cp.exp(a, out=(out, out))


def test_a_gpu_warns_of_nothing(cp: Any, a: Any) -> None:
    assert np.isnan((a / 0).get()[0, 0])  # with warnings as errors
    assert np.isinf(cp.log(a).get()[0, 0])
    assert np.isinf(cp.prod(cp.full(5, 1e38, dtype=np.float32)).get())
    assert np.isnan(cp.std(a[:1], axis=0, ddof=1).get()).all()


def test_argmax_has_a_dtype(cp: Any, a: Any) -> None:
    assert cp.argmax(a, 1, np.int32).dtype == np.int32
    assert a.argmax(1, None, np.int32).dtype == np.int32  # the method has `out` first
    assert a.argmax().dtype == np.int64


def test_special_functions_are_ufuncs(cp: Any, a: Any) -> None:
    pytest.importorskip("scipy")
    special = importlib.import_module("cupyx.scipy.special")
    assert special.erf(a).dtype == np.float32
    assert special.erf(a)[0, 1].item() == pytest.approx(0.8427008)
    with pytest.raises(TypeError, match="Unsupported type"):
        special.erf([1.0])
    with pytest.raises(AttributeError):
        special.no_such_function  # noqa: B018


# Indexing ----------------------------------------------------------------------------------------

ROWS = np.asarray([1, 0, 1])


@pytest.mark.parametrize(
    "key",
    [
        0,
        -1,
        (0, 1),
        slice(None, None, -1),
        (Ellipsis, 0),
        (None, 0, None),
        (slice(1), slice(1, 3)),
        [1, 0],
        ([0, 1], [2, 0]),
        ROWS,
        (slice(None), ROWS),
        (ROWS[:, None], None, ROWS),
        np.asarray([True, False]),
        (slice(None), [True, False, True]),
        [],
        np.asarray(1),
        True,
    ],
    ids=repr,
)
def test_indexing_reads_and_writes_what_numpy_does(cp: Any, a: Any, key: Any) -> None:
    host = a.get()
    want = host[key]
    entries = key if isinstance(key, tuple) else (key,)
    ours = tuple(cp.asarray(each) if isinstance(each, np.ndarray) else each for each in entries)
    for index in (key, ours):  # NumPy arrays are taken, too
        result = a[index]
        assert type(result) is cp.ndarray
        np.testing.assert_array_equal(result.get(), want)
        copies = any(isinstance(each, list | np.ndarray | bool) for each in entries)
        assert (result.base is None) == copies
    a[key] = 7
    host[key] = 7
    np.testing.assert_array_equal(a.get(), host)
    a[key] = cp.asarray(-np.ones_like(want))
    host[key] = -1
    np.testing.assert_array_equal(a.get(), host)


def test_a_view_of_one_element_can_be_written(a: Any) -> None:
    a[0, 1][...] = 8
    assert a[0, 1].item() == 8


@pytest.mark.parametrize("key", [2, -3, (0, 3), (0, 0, 0), 1.5, "x", (Ellipsis, Ellipsis)])
def test_what_is_no_index_raises(a: Any, key: Any) -> None:
    with pytest.raises(IndexError):
        a[key]


def test_arrays_of_floats_and_masks_of_another_shape_are_no_indices(cp: Any, a: Any) -> None:
    with pytest.raises(IndexError, match="integer or boolean"):
        a[cp.asarray([0.0])]
    with pytest.raises(IndexError, match="boolean"):
        a[cp.asarray([True, False, True])]


def test_nothing_dimensional_has_no_nonzero(cp: Any) -> None:
    assert cp.nonzero(cp.asarray([0, 1]))[0].tolist() == [1]
    with pytest.raises(ValueError, match="0d arrays"):
        cp.nonzero(cp.asarray(1))


def test_einsum_has_a_dtype(cp: Any, a: Any) -> None:
    assert cp.einsum("ij,kj->ik", a, a).tolist() == (a @ a.T).tolist()
    assert cp.einsum("ij->i", a, dtype=np.float64).dtype == np.float64


def test_entries_of_index_arrays_wrap_around(cp: Any, a: Any) -> None:
    assert a[[2, 3, -3]].tolist() == a[[0, 1, 1]].tolist()
    assert a[:, [4]].tolist() == a[:, [1]].tolist()
    assert a[None, ..., cp.asarray([3])].tolist() == a[None, ..., [0]].tolist()
    assert cp.take(a, cp.asarray([7])).tolist() == [1]
    assert cp.take_along_axis(a, cp.asarray([[5], [-4]]), axis=1).tolist() == [[2], [5]]
    a[[3]] = 0
    assert a[1].tolist() == [0, 0, 0]


def test_a_numpy_array_is_assigned_to_index_arrays_alone(cp: Any, a: Any) -> None:
    a[[0]] = np.ones((1, 3))
    a[cp.asarray([False, True])] = [2, 2, 2]
    assert a.tolist() == [[1, 1, 1], [2, 2, 2]]
    for value in (np.ones(3), [1, 2, 3]):
        with pytest.raises(ValueError, match=r"non-scalar numpy\.ndarray cannot be used for fill"):
            a[0] = value
    a[[1]] = cp.ones((1, 1, 1, 3))  # axes of length one may come first
    assert a[1].tolist() == [1, 1, 1]
    a[0] = np.float64(3)
    assert a[0].tolist() == [3, 3, 3]


def test_one_number_is_assigned_to_by_a_mask(cp: Any) -> None:
    x = cp.asarray(1.0)
    x[x > 2] = 5  # as array_api_compat's sign does
    assert x.item() == 1
    x[x < 2] = cp.asarray([5.0])
    assert x.item() == 5


def test_an_assignment_casts(cp: Any) -> None:
    integers = cp.zeros(2, dtype=int)
    integers[:] = cp.asarray([1.5, -1.5])
    assert integers.tolist() == [1, -1]


def test_which_value_a_repeated_index_stores_is_not_numpys_choice(cp: Any) -> None:
    x = cp.zeros(2)
    x[[0, 0, 1]] = cp.asarray([1.0, 2.0, 3.0])
    assert x.tolist() == [1, 3]


def test_at_adds_at_repeated_indices(cp: Any, a: Any) -> None:
    x = cp.zeros((2, 3), dtype=np.float32)
    cp.add.at(x, (cp.asarray([0, 0, 1]), slice(None)), cp.asarray([1.0, 2.0, 3.0]))
    assert x.tolist() == [[2, 4, 6], [1, 2, 3]]
    cp.add.at(x, cp.asarray([True, False]), 1)
    cp.add.at(x, (slice(None), 0), cp.asarray([10.0, 20.0]))
    assert x.tolist() == [[13, 5, 7], [21, 2, 3]]
    cp.maximum.at(x, ([0, 0], [0, 1]), 9)
    assert x.tolist() == [[13, 9, 7], [21, 2, 3]]


def test_scatter_add_is_deprecated(cp: Any) -> None:
    cupyx = importlib.import_module("cupyx")
    x = cp.zeros(2)
    for scatter in (cupyx.scatter_add, cp.ndarray.scatter_add):
        with pytest.warns(DeprecationWarning, match=r"use `cupy\.add\.at` instead"):
            scatter(x, cp.asarray([1, 1]), 1)
    assert x.tolist() == [0, 4]


@pytest.mark.parametrize("dtype", ["int8", "bool", "complex64"])
def test_at_needs_a_dtype_with_atomics(cp: Any, dtype: str) -> None:
    with pytest.raises(TypeError, match=r"cupy\.add\.at only supports int32, int64, float16"):
        cp.add.at(cp.zeros(2, dtype=dtype), cp.asarray([0]), 1)


def test_few_ufuncs_have_at_and_reduce(cp: Any, a: Any) -> None:
    with pytest.raises(NotImplementedError, match=r"`cupy_multiply\.at` is not supported yet"):
        cp.multiply.at(a, [0], 1)
    with pytest.raises(NotImplementedError, match=r"`cupy_maximum\.reduce` is not supported"):
        cp.maximum.reduce(a)
    assert cp.add.reduce(a).tolist() == [3, 5, 7]
    assert cp.multiply.accumulate(a, axis=1).tolist() == [[0, 0, 0], [3, 12, 60]]
    assert cp.add.outer(a[0], a[1]).shape == (3, 3)


# Linear algebra ----------------------------------------------------------------------------------


def test_linear_algebra_is_for_arrays(cp: Any) -> None:
    for function in (cp.linalg.inv, cp.linalg.svd, cp.linalg.eigh):
        with pytest.raises(cp.linalg.LinAlgError, match=r"only supports cupy\.ndarray"):
            function(np.eye(2))


def test_a_singular_matrix_raises_nothing(cp: Any) -> None:
    assert np.isnan(cp.linalg.inv(cp.zeros((2, 2))).get()).all()
    assert np.isnan(cp.linalg.solve(cp.zeros((2, 2)), cp.ones(2)).get()).all()
    assert np.isnan(cp.linalg.cholesky(-cp.eye(2)).get()).all()


def test_solve_does_not_broadcast_its_batches(cp: Any) -> None:
    matrices = cp.asarray(np.stack([np.eye(2)] * 3))
    assert cp.linalg.solve(matrices, cp.ones((3, 2, 1))).shape == (3, 2, 1)
    with pytest.raises(ValueError, match="b must have"):
        cp.linalg.solve(matrices, cp.ones((2, 1)))


# Devices -----------------------------------------------------------------------------------------


def test_devices_are_equal_by_number_and_have_no_hash(cp: Any) -> None:
    device = cp.cuda.Device(1)
    assert device == cp.cuda.Device(1) == cp.cuda.Device(device)
    assert device != cp.cuda.Device(0)
    assert device != 1
    assert cp.cuda.Device() == cp.cuda.Device(0)
    assert repr(device) == "<CUDA Device 1>"
    with pytest.raises(TypeError, match="unhashable"):
        hash(device)


def test_with_blocks_nest_and_use_stays(cp: Any) -> None:
    current = cp.cuda.runtime.getDevice
    assert current() == 0
    with cp.cuda.Device(1):
        assert current() == cp.cuda.get_device_id() == 1
        with cp.cuda.Device(0):
            assert current() == 0
        assert current() == 1
    assert current() == 0
    cp.cuda.Device(1).use()
    assert current() == 1
    cp.cuda.runtime.setDevice(0)
    assert current() == 0
    cp.cuda.Device(1).synchronize()
    assert current() == 0


def test_each_thread_has_its_current_device(cp: Any) -> None:
    seen = []
    thread = threading.Thread(target=lambda: seen.append(cp.cuda.runtime.getDevice()))
    with cp.cuda.Device(1):
        thread.start()
        thread.join()
    assert seen == [0]


@pytest.mark.parametrize("index", [-1, 2])
def test_a_device_that_is_not_there(cp: Any, index: int) -> None:
    assert cp.cuda.runtime.getDeviceCount() == 2
    device = cp.cuda.Device(index)
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="invalid device ordinal"):
        device.use()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError), device:
        pass
    assert cp.cuda.runtime.getDevice() == 0


def test_new_arrays_are_on_the_current_device(cp: Any, a: Any) -> None:
    with cp.cuda.Device(1) as device:
        b = cp.ones(3)
        assert b.device == cp.arange(3).device == cp.asarray([1]).device == device
        assert (b + 1).device == b.sum().device == b[[0]].device == device
        assert a.device == cp.cuda.Device(0)
        assert cp.zeros_like(a).device == device  # not where `a` is
        assert cp.empty_like(a).device == device


@pytest.mark.parametrize(
    "kernel",
    [
        lambda cp, x: x + 1,
        lambda cp, x: -x,
        lambda cp, x: x @ x.T,
        lambda cp, x: x < 1,
        lambda cp, x: operator.iadd(x, 1),
        lambda cp, x: cp.exp(x),
        lambda cp, x: cp.exp(cp.zeros((2, 3)), out=x),
        lambda cp, x: cp.where(x > 0, x, 0),
        lambda cp, x: cp.where(cp.ones((2, 3), dtype=bool), x, 0),
        lambda cp, x: x.sum(),
        lambda cp, x: cp.max(x, axis=0),
        lambda cp, x: cp.sum(cp.zeros((2, 3), dtype=np.float32), axis=1, out=x[:, 0]),
        lambda cp, x: cp.concatenate([x, x]),
        lambda cp, x: cp.stack([cp.zeros((2, 3)), x]),
        lambda cp, x: cp.asarray([x, x]),
        lambda cp, x: x[[0]],
        lambda cp, x: x[x.astype(bool)],
        lambda cp, x: cp.zeros(3)[x[0].view(np.int32)],
        lambda cp, x: operator.setitem(x, 0, 1),
        lambda cp, x: operator.setitem(x, [0], 1),
        lambda cp, x: operator.setitem(cp.zeros((2, 3)), slice(None), x),
        lambda cp, x: operator.setitem(cp.zeros((2, 3)), [0], x[:1]),
        lambda cp, x: cp.add.at(x, [0], 1),
        lambda cp, x: cp.add.at(cp.zeros((2, 3)), [0], x[:1]),
        lambda cp, x: x.astype(np.float64),
        lambda cp, x: x.fill(0),
        lambda cp, x: x.T.reshape(6),
        lambda cp, x: cp.ravel(x.T),
        lambda cp, x: x.sort(),
        lambda cp, x: cp.linalg.norm(x),
        lambda cp, x: cp.fft.fft(x),
        lambda cp, x: cp.ElementwiseKernel("T x", "T y", "y = x", "id")(x),
    ],
)
def test_a_kernel_needs_the_arrays_device_to_be_current(cp: Any, other: Any, kernel: Any) -> None:
    with pytest.raises(ValueError, match=r"\(1\) is different from the current device \(0\)"):
        kernel(cp, other)
    with cp.cuda.Device(1):
        kernel(cp, other)


def test_views_and_attributes_need_no_device(cp: Any, other: Any) -> None:
    one = cp.cuda.Device(1)
    for view in (other[0], other.T, other.reshape(6), other[:, None], cp.squeeze(other[:1])):
        assert view.device == one
        assert view.base is not None
    assert cp.broadcast_to(other, (4, 2, 3)).device == one
    assert other[:0].T.device == one
    assert other.get().shape == (2, 3)
    assert other[0, 1].item() == 1
    assert float(other[0, 1]) == 1


def test_copies_move_to_the_current_device(cp: Any, other: Any) -> None:
    zero = cp.cuda.Device(0)
    for moved in (cp.asarray(other), cp.array(other), other.copy(), cp.asarray(other.T)):
        assert moved.device == zero
    assert cp.asarray(other, dtype=np.float64).dtype == np.float64
    assert other.T[1:].copy().tolist() == other.get().T[1:].tolist()
    assert copy.deepcopy(other).device == cp.cuda.Device(1)


def test_asarray_moves_no_array_with_gaps(cp: Any, other: Any) -> None:
    for gaps in (other[:, ::2], cp.broadcast_to(other[0], (2, 3))):
        with pytest.raises(NotImplementedError, match="cannot copy non-contiguous array"):
            cp.asarray(gaps)


def test_a_stream_belongs_to_a_device(cp: Any) -> None:
    with cp.cuda.Device(1):
        stream = cp.cuda.Stream()
        with stream:
            stream.record().synchronize()
    with pytest.raises(RuntimeError, match="does not match with the current device"):
        stream.use()


def test_without_a_driver_nothing_works_but_importing() -> None:
    with installed(devices=0) as cp:
        assert not cp.cuda.is_available()
        error = cp.cuda.runtime.CUDARuntimeError
        assert issubclass(error, RuntimeError)
        for call in (
            cp.cuda.runtime.getDeviceCount,
            cp.cuda.runtime.getDevice,
            cp.cuda.Device,
            cp.cuda.Device(0).use,
            lambda: cp.zeros(2),
            lambda: cp.asarray([1]),
            lambda: cp.asarray(np.ones(2)),
            lambda: cp.add(1, 2),
        ):
            with pytest.raises(error, match="cudaErrorInsufficientDriver") as caught:
                call()
            assert caught.value.status == 35


# Elementwise kernels -----------------------------------------------------------------------------

X, G = np.asarray([-1.0, 0.5, 2.0], np.float32), np.asarray([1.0, 2.0, 3.0], np.float32)


@pytest.mark.parametrize(
    ("body", "want"),
    [
        ("y = x > 0 ? g : 0", np.where(X > 0, G, 0)),
        ("y = x > 1 ? g : x > 0 ? x : -1.0f", np.asarray([-1, 0.5, 3])),
        ("y = exp(x) + expf(g)", np.exp(X) + np.exp(G)),
        ("y = (x + g) * 2 - g / 4", (X + G) * 2 - G / 4),
        ("y = g - x - 1", G - X - 1),
        ("y = -x * !(x > 0 && g < 3 || x < -2)", -X * np.asarray([1, 0, 1])),
        ("T t = x * x; t += g; y = sqrt(t)", np.sqrt(X * X + G)),
        ("const float a = 3, b = a * 2; y = a + b", np.full(3, 9)),
        ("y = x; y *= g; y -= 1", X * G - 1),
        ("y = max(x, (T)0) + min(g, T(2)) + fmax(x, g)", X.clip(0) + G.clip(None, 2) + G),
        ("y = static_cast<int>(x)", np.trunc(X)),
        ("y = pow(g, 2) * rsqrt(g) * tanh(x) / fabs(x)", G**1.5 * np.tanh(X) / abs(X)),
        ("y = 1 / 2 + (int)g / 2 + -7 / 2 + (-7) % 4", np.asarray([0, 1, 1]) - 6),  # as C does
        ("/* twice */ y = 2 * x // x + x", 2 * X),
        ("y = 1e-3f + 2.5e1", np.full(3, 25.001)),
        ("y = isnan(x / 0 * 0) ? 1 : 0", np.ones(3)),
    ],
)
def test_a_kernel_computes_what_its_body_says(cp: Any, body: str, want: Any) -> None:
    kernel = cp.ElementwiseKernel("T x, T g", "T y", body, "kernel")
    y = kernel(cp.asarray(X), cp.asarray(G))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.get(), want, rtol=1e-6)


def test_a_local_variable_keeps_its_value(cp: Any) -> None:
    swap = cp.ElementwiseKernel("", "T x, T y", "T old = x; x = y; y = old", "swap")
    x, y = cp.asarray(X), cp.asarray(G)
    swap(x, y)
    np.testing.assert_array_equal(x.get(), G)
    np.testing.assert_array_equal(y.get(), X)


def test_a_kernel_writes_its_outputs_in_place_and_returns_them(cp: Any) -> None:
    step = cp.ElementwiseKernel(
        "T g, T lr, T mu", "T p, T v", "v = mu * v + g; p -= lr * v", "momentum"
    )
    p, v = cp.ones((2, 3), dtype=np.float32), cp.ones((2, 3), dtype=np.float32)
    result = step(cp.full(3, 2, dtype=np.float32), 0.1, 0.5, p, v)
    assert type(result) is tuple
    assert result[0] is p
    assert result[1] is v
    np.testing.assert_allclose(v.get(), np.full((2, 3), 2.5))
    np.testing.assert_allclose(p.get(), np.full((2, 3), 0.75))
    axpy = cp.ElementwiseKernel("T alpha, T x", "T y", "y += alpha * x", "axpy")
    column = p[:, 1]
    assert axpy(np.float64(2), cp.ones(2, dtype=np.float32), column) is column
    np.testing.assert_allclose(p.get()[:, 1], 2.75)
    silent = cp.ElementwiseKernel("T x", "T y", "y = x", "silent", no_return=True)
    assert silent(p, v) is None


def test_an_output_that_is_not_given_holds_nothing_yet(cp: Any) -> None:
    kernel = cp.ElementwiseKernel("T x", "T y", "y += x", "add")
    assert np.isnan(kernel(cp.ones(2)).get()).all()


def test_a_kernels_letters_stand_for_one_dtype(cp: Any) -> None:
    kernel = cp.ElementwiseKernel("T x, T g", "T y", "y = x + g", "add")
    single, double = cp.ones(2, dtype=np.float32), cp.ones(2)
    assert kernel(single, 2).dtype == np.float32
    assert kernel(single, np.float64(2)).dtype == np.float32  # a scalar is cast
    times = cp.ElementwiseKernel("T x, T g", "T y", "y = x * g", "times")
    assert times(cp.arange(4), 2.7).tolist() == [0, 2, 4, 6]
    with pytest.raises(OverflowError):
        kernel(cp.ones(2, dtype=np.uint8), 300)
    with pytest.raises(TypeError, match=r"Type is mismatched\. g float64 float32 T"):
        kernel(single, double)
    with pytest.raises(TypeError, match=r"Type is mismatched\. x float32 float64 T"):
        kernel(single, single, double)  # the output decides first
    fixed = cp.ElementwiseKernel("float32 x, S n", "float64 y", "y = x * n", "scale")
    assert fixed(single, cp.arange(2)).dtype == np.float64
    with pytest.raises(TypeError, match=r"Type is mismatched\. x float64 float32"):
        fixed(double, cp.arange(2))
    with pytest.raises(KeyError, match="S"):
        fixed(single, 2)  # nothing says what S is


def test_what_a_kernel_can_not_be_called_with(cp: Any) -> None:
    kernel = cp.ElementwiseKernel("T x", "T y", "y = x", "same")
    x = cp.ones(2)
    with pytest.raises(TypeError, match="Wrong number of arguments for 'same'"):
        kernel(x, x, x)
    with pytest.raises(TypeError, match="Unsupported type"):
        kernel(np.ones(2))
    with pytest.raises(TypeError, match="Unsupported type"):
        kernel([1.0, 2.0])
    with pytest.raises(ValueError, match="Loop size is undecided"):
        kernel(1.0)
    with pytest.raises(ValueError, match="Out shape is mismatched"):
        kernel(cp.ones((3, 2)), x)
    with pytest.raises(TypeError, match="Output arguments type"):
        kernel(x, 1.0)
    with pytest.raises(TypeError, match="Wrong arguments"):
        kernel(x, out=x)


def test_what_would_not_compile(cp: Any) -> None:
    error = importlib.import_module("cupy.cuda.compiler").CompileException
    for body, message in (
        ("x = 1", "modifiable lvalue"),
        ("y = z", "undefined"),
        ("z = 1", "undef"),
    ):
        with pytest.raises(error, match=message):
            cp.ElementwiseKernel("T x", "T y", body, "wrong")(cp.ones(2))


def test_what_can_not_be_declared(cp: Any) -> None:
    make = cp.ElementwiseKernel
    with pytest.raises(ValueError, match="Can not use 'i'"):
        make("T i", "T y", "y = i")
    with pytest.raises(ValueError, match="Invalid kernel name"):
        make("T x", "T y", "y = x", "two words")
    with pytest.raises(Exception, match="Syntax error"):
        make("x", "T y", "y = x")
    with pytest.raises(Exception, match="Unknown keyword"):
        make("const T x", "T y", "y = x")


def test_what_the_stand_in_can_not_run_says_so(cp: Any) -> None:
    x = cp.ones(2)
    for body in ("if (x > 0) y = x", "y = x[0]", "y = x++", "y = magic(x)", "y = i", "y = (x"):
        with pytest.raises(NotImplementedError):
            cp.ElementwiseKernel("T x", "T y", body)(x)
    with pytest.raises(NotImplementedError, match="raw"):
        cp.ElementwiseKernel("raw T x", "T y", "y = x[0]")
    with pytest.raises(NotImplementedError):
        cp.ElementwiseKernel("T x", "T y", "y = f(x)", preamble="__device__ ...")
    with pytest.raises((NotImplementedError, RuntimeError)):  # where there is no compiler, or one
        cp.RawKernel("...", "name")((1,), (1,), (x,))


# Being CuPy --------------------------------------------------------------------------------------


def test_array_api_compat_takes_it_for_cupy(cp: Any, a: Any) -> None:
    assert array_api_compat.is_cupy_array(a)
    assert array_api_compat.is_array_api_obj(a)
    assert array_api_compat.is_writeable_array(a)
    assert not array_api_compat.is_numpy_array(a)
    xp = array_api_compat.array_namespace(a, a)
    assert xp.__name__ == "array_api_compat.cupy"
    assert xp.asarray is importlib.import_module("array_api_compat.cupy").asarray
    assert array_api_compat.is_cupy_namespace(xp)
    assert array_api_compat.is_cupy_namespace(cp)
    assert array_api_compat.device(a) == cp.cuda.Device(0)
    assert array_api_compat.to_device(a, cp.cuda.Device(1)).device == cp.cuda.Device(1)
    assert xp.__array_namespace_info__().devices() == (cp.cuda.Device(0), cp.cuda.Device(1))
    with pytest.raises(TypeError, match="Multiple namespaces"):
        array_api_compat.array_namespace(a, np.ones(2))


P = np.asarray([[0.5, 2.0, 0.25], [0.75, 1.5, 3.0]], np.float32)
OF_ONE = """
abs exp expm1 log log1p sqrt square tanh sin cos floor ceil round sign isnan isfinite negative
reciprocal sum mean var std max min prod argmax argmin any all argsort sort matrix_transpose
ones_like zeros_like tril triu unstack nonzero unique_values unique_inverse flip
linalg.svdvals linalg.vector_norm linalg.matrix_norm linalg.pinv fft.rfft
"""
OF_TWO = """
add subtract multiply divide pow maximum minimum hypot logaddexp less equal broadcast_arrays
tensordot vecdot
"""
COMPAT = {
    **dict.fromkeys(OF_ONE.split(), (P,)),
    **dict.fromkeys(OF_TWO.split(), (P, P + 1)),
    "cumulative_sum": (P[0],),
    "astype": (P, np.float64),
    "asarray": ([1.0, 2.0],),
    "where": (P > 1, P, 0.0),
    "clip": (P, 0.6, 1.6),
    "concat": ([P, P],),
    "stack": ([P, P],),
    "permute_dims": (P, (1, 0)),
    "expand_dims": (P,),
    "reshape": (P, (3, 2)),
    "repeat": (P, 2),
    "roll": (P, 1),
    "tile": (P, (2, 1)),
    "moveaxis": (P, 0, 1),
    "broadcast_to": (P, (2, 2, 3)),
    "take": (P, np.asarray([1, 0])),
    "take_along_axis": (P, np.asarray([[0], [2]])),
    "searchsorted": (np.arange(3.0), np.asarray([0.5, 1.5])),
    "count_nonzero": (P > 1,),
    "matmul": (P, P.T.copy()),
    "arange": (4,),
    "linspace": (0.0, 1.0, 5),
    "eye": (3,),
    "full": ((2,), 3.0),
    "isdtype": (np.dtype(np.float32), "real floating"),
    "result_type": (P, np.dtype(np.float64)),
    "linalg.inv": (P[:, :2],),
    "linalg.solve": (P[:, :2], P),
    "linalg.det": (P[:, :2],),
    "linalg.qr": (P,),
    "linalg.eigh": (P[:, :2] @ P[:, :2].T,),
    "linalg.cholesky": (P[:, :2] @ P[:, :2].T,),
    "linalg.outer": (P[0], P[1]),
    "linalg.trace": (P,),
    "linalg.diagonal": (P,),
}


@pytest.mark.parametrize("name", COMPAT)
def test_array_api_compat_runs_on_it(cp: Any, name: str) -> None:
    def on_device(value: Any) -> Any:
        if isinstance(value, list) and isinstance(value[0], np.ndarray):
            return [cp.asarray(each) for each in value]
        return cp.asarray(value) if isinstance(value, np.ndarray) else value

    def check(ours: Any, numpys: Any) -> None:
        if isinstance(numpys, tuple):
            assert len(ours) == len(numpys)
            for each in zip(ours, numpys, strict=True):
                check(*each)
        elif isinstance(numpys, np.ndarray | np.generic):
            assert type(ours) is cp.ndarray
            assert ours.dtype == numpys.dtype
            np.testing.assert_allclose(ours.get(), numpys, rtol=1e-5, atol=1e-6)
        else:
            assert ours == numpys

    xp = importlib.import_module("array_api_compat.cupy")
    arguments = COMPAT[name]
    keywords = {"axis": 1} if name in ("take", "expand_dims") else {}
    ours = operator.attrgetter(name)(xp)(*map(on_device, arguments), **keywords)
    check(ours, operator.attrgetter(name)(array_api_compat.numpy)(*arguments, **keywords))


def test_array_api_compats_creation_functions_forget_the_device(cp: Any) -> None:
    xp = importlib.import_module("array_api_compat.cupy")
    one = cp.cuda.Device(1)
    assert xp.asarray([1.0], device=one).device == one
    assert xp.zeros(2, device=one).device == cp.cuda.Device(0)  # so it is with CuPy
    with one:
        assert xp.zeros(2, device=one).device == one


SIGNATURES = """
import inspect, json, cupy, cupy.lib.stride_tricks
modules = dict(zip(NAMES, [cupy, cupy.linalg, cupy.fft, cupy.lib.stride_tricks, cupy.ndarray]))
found = {}
for module, each in modules.items():
    for name in dir(each):
        value = getattr(each, name)
        if isinstance(value, cupy.ufunc):
            found[f"{module}.{name}"] = value.name
            continue
        try:
            signature = inspect.signature(value)
            empty = inspect.Parameter.empty
            found[f"{module}.{name}"] = [
                [p.name, p.kind, None if p.default is empty else repr(p.default)]
                for p in signature.parameters.values()
            ]
        except (TypeError, ValueError):
            found[f"{module}.{name}"] = None
print(json.dumps(found))
"""


def test_functions_have_cupys_names_and_signatures(cp: Any) -> None:
    """Against the real CuPy, where it is installed; it needs no GPU to be asked."""
    names = ["cupy", "cupy.linalg", "cupy.fft", "cupy.lib.stride_tricks", "cupy.ndarray"]
    script = f"NAMES = {names}{SIGNATURES}"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False
    )
    if run.returncode:
        pytest.skip(f"CuPy can't be asked: {run.stderr[-200:]}")
    cupys = json.loads(run.stdout)
    for name in names:
        place = operator.attrgetter(name)(types.SimpleNamespace(cupy=cp))
        for each in vars(place):
            path, value = f"{name}.{each}", getattr(place, each)
            if each.startswith("_"):
                continue
            assert path in cupys
            if isinstance(cupys[path], str):
                assert getattr(value, "name", f"cupy_{each}") == cupys[path]
            elif cupys[path] and inspect.isfunction(value):
                empty = inspect.Parameter.empty
                assert (path, cupys[path]) == (
                    path,
                    [
                        [p.name, p.kind, None if p.default is empty else repr(p.default)]
                        for p in inspect.signature(value).parameters.values()
                    ],
                )


def test_what_it_lacks_says_that_the_stand_in_lacks_it(cp: Any) -> None:
    with pytest.raises(AttributeError, match="the stand-in for CuPy has no 'polyfit'"):
        cp.polyfit  # noqa: B018
    assert not hasattr(cp, "unstack")  # array_api_compat asks


# Coming and going --------------------------------------------------------------------------------


def test_everything_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("cupy"):
            monkeypatch.delitem(sys.modules, name)
    before = types.ModuleType("cupy")
    before.ndarray = type("ndarray", (), {})  # type: ignore[attr-defined]
    compat = types.ModuleType("array_api_compat.cupy")
    monkeypatch.setitem(sys.modules, "cupy", before)
    monkeypatch.setitem(sys.modules, "array_api_compat.cupy", compat)
    monkeypatch.setattr(array_api_compat, "cupy", compat, raising=False)
    loaded = dict(sys.modules)
    theirs = before.ndarray()
    assert array_api_compat.is_cupy_array(theirs)  # now its class is remembered

    with installed() as cp:
        ours = cp.zeros(1)
        assert importlib.import_module("cupy") is cp
        assert importlib.import_module("cupyx.scipy.special").__name__ == "cupyx.scipy.special"
        assert array_api_compat.is_cupy_array(ours)
        assert not array_api_compat.is_cupy_array(theirs)
        assert array_api_compat.array_namespace(ours) is not compat
        assert array_api_compat.cupy is not compat

    assert {name: sys.modules.get(name) for name in loaded} == loaded
    assert [name for name in sys.modules if name.startswith("cupy")] == ["cupy"]
    assert sys.modules["cupy"] is before
    assert array_api_compat.cupy is compat
    assert array_api_compat.is_cupy_array(theirs)
    assert not array_api_compat.is_cupy_array(ours)


def test_it_can_be_installed_within_itself(cp: Any) -> None:
    with installed(devices=3) as inner:
        assert inner is not cp
        assert inner.cuda.runtime.getDeviceCount() == 3
    assert cp.cuda.runtime.getDeviceCount() == 2
    assert sys.modules["cupy"] is cp


def test_it_leaves_when_the_block_fails(cp: Any) -> None:
    with pytest.raises(ZeroDivisionError), installed(devices=1):
        raise ZeroDivisionError
    assert sys.modules["cupy"] is cp


def test_it_is_found_as_a_package(cp: Any) -> None:
    assert importlib.util.find_spec("cupy") is not None
    assert importlib.import_module("cupy.cuda.device").Device is cp.cuda.Device
    assert importlib.util.find_spec("cupy.no_such_module") is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("cupy.no_such_module")
