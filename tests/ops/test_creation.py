"""Creating Tensors: the values of NumPy's functions, on the device that was asked for."""

import array_api_compat.numpy as xp
import numpy as np
import pytest

import agrad as ag

# What is called, and with what
CALLS = [
    ("zeros", (2, 3)),
    ("zeros", 3),
    ("ones", ()),
    ("ones", (0, 2)),
    ("full", (2,), 1.5),
    ("full", (2, 2), 7),
    ("arange", 5),
    ("arange", 2, 8),
    ("arange", 2, 3, 0.25),
    ("arange", 5, 0, -2),
    ("linspace", 0.0, 1.0, 5),
    ("linspace", 1.0, 1.0, 1),
    ("eye", 3),
    ("eye", 2, 3),
]


@pytest.mark.parametrize(("name", "args"), [(name, args) for name, *args in CALLS])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_numpys(backend, name, args, dtype):
    backend.array(0.0)
    device = backend.tensor(0.0).device  # from now on agrad knows the device by its name
    made = getattr(ag, name)(*args, dtype=dtype, device=device)
    assert (made.dtype, made.device, made.requires_grad) == (dtype, device, False)
    np.testing.assert_array_equal(
        backend.numpy(made), getattr(xp, name)(*args, dtype=getattr(xp, dtype)), strict=True
    )


@pytest.mark.parametrize("k", [-1, 0, 2])
def test_eye_moves_its_diagonal(backend, k):
    device = backend.tensor(0.0).device
    made = ag.eye(3, 4, k=k, dtype=ag.float32, device=device)
    np.testing.assert_array_equal(backend.numpy(made), np.eye(3, 4, k=k))


def test_linspace_without_its_end():
    assert ag.linspace(0.0, 1.0, 4, endpoint=False).tolist() == [0.0, 0.25, 0.5, 0.75]


def test_by_default_floats_are_the_librarys_on_the_cpu():
    for made in (ag.zeros(2), ag.ones(2), ag.linspace(0, 1, 3), ag.eye(2), ag.empty(2)):
        assert (made.device, made.dtype) == ("cpu", ag.float64)
    assert ag.arange(3).dtype == ag.int64


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_the_like_functions_take_shape_dtype_and_device(backend, dtype):
    like = backend.tensor([[1, 2, 3]], dtype=dtype)
    made = {"zeros_like": 0, "ones_like": 1, "full_like": 5}
    for name, value in made.items():
        new = getattr(ag, name)(like, *[value] * (name == "full_like"))
        assert (new.shape, new.dtype, new.device) == (like.shape, like.dtype, like.device)
        assert backend.numpy(new).tolist() == [[value] * 3]
    empty = ag.empty_like(like)
    assert (empty.shape, empty.dtype, empty.device) == (like.shape, like.dtype, like.device)


def test_the_like_functions_can_be_told_another_dtype_or_device(backend):
    x = backend.tensor([1.0, 2.0])
    assert ag.ones_like(x, dtype=ag.float32).dtype == ag.float32
    assert ag.ones_like(x, dtype=ag.float32).device == x.device
    assert ag.zeros_like(x, device="cpu").device == "cpu"


def test_what_is_made_like_a_tensor_requires_no_gradient():
    x = ag.Tensor([1.0], requires_grad=True)
    made = [ag.zeros_like(x), ag.ones_like(x), ag.full_like(x, 2.0), ag.empty_like(x)]
    assert [each.requires_grad for each in made] == [False] * 4


def test_full_of_a_tensor_or_an_array(backend):
    value = backend.tensor(1.5, requires_grad=True)
    made = ag.full((2, 3), value)
    assert (made.shape, made.dtype, made.device) == ((2, 3), ag.float64, value.device)
    assert backend.numpy(made).tolist() == [[1.5] * 3] * 2
    (made * backend.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert backend.numpy(value.grad).tolist() == 12.0
    assert ag.full(2, value, dtype=ag.int64).dtype == ag.int64
    assert ag.full(2, value, device="cpu").device == "cpu"
    raw = ag.full(2, backend.array(True))
    assert (raw.device, raw.requires_grad) == (value.device, False)
    assert backend.numpy(raw).tolist() == [True, True]
    like = ag.full_like(backend.tensor([1.0, 2.0], dtype="float32"), value)
    assert (like.shape, like.dtype, like.requires_grad) == ((2,), ag.float32, True)


def test_full_of_a_tensor_has_memory_of_its_own():
    value = ag.Tensor([1.0])
    made = ag.full((2, 1), value)
    made[0] = 5.0
    assert (made.tolist(), value.tolist()) == ([[5.0], [1.0]], [1.0])


def test_empty_has_the_shape_it_was_asked_for():
    made = ag.empty((2, 0, 3), dtype=ag.float32)
    assert (made.shape, made.dtype) == ((2, 0, 3), ag.float32)


def test_asarray_keeps_a_tensor_in_the_graph():
    x = ag.Tensor([1.0, 2.0], requires_grad=True)
    assert ag.asarray(x) is x
    for same in (ag.asarray(x, copy=True), ag.asarray(x, dtype=ag.float32)):
        x.grad = None
        same.backward(ag.ones_like(same))
        assert x.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("copy", "shares"), [(None, True), (False, True), (True, False)])
def test_asarray_copies_when_told_to(copy, shares):
    array = np.ones(3)
    for source in (array, ag.Tensor(array)):
        assert np.shares_memory(ag.asarray(source, copy=copy).data, array) is shares


def test_asarray_makes_tensors_of_numbers_and_lists():
    assert ag.asarray(2.5).item() == 2.5
    assert ag.asarray([[1, 2]], dtype=ag.float32).tolist() == [[1.0, 2.0]]
    assert ag.asarray([1, 2], dtype=ag.float32).dtype == ag.float32


def test_an_unknown_device_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"no device 'gpu'; known are 'cpu', 'cuda'"):
        ag.zeros(2, device="gpu")


# DLPack ------------------------------------------------------------------------------------------


class Producer:
    """An array of a library that agrad has never met: all it has is DLPack."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


def test_from_dlpack_leaves_an_array_with_its_library(backend):
    array = backend.array([1.0, 2.0])
    x = ag.from_dlpack(array)
    assert x.device == backend.device
    if not backend.name.startswith("strict"):  # whose arrays are never the same object
        assert x.data is array
        assert ag.from_dlpack(x).data is array
    assert ag.from_dlpack(x, copy=True).data is not array
    assert backend.numpy(ag.from_dlpack(array, copy=True)).tolist() == [1.0, 2.0]


def test_from_dlpack_brings_an_array_to_numpy(backend):
    x = ag.from_dlpack(backend.array([1.0, 2.0]), device="cpu")
    assert x.device == "cpu"
    assert x.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(("copy", "shares"), [(None, True), (False, True), (True, False)])
def test_numpy_and_pytorch_share_memory(copy, shares):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.zeros(2)
    x = ag.from_dlpack(theirs, device="cpu", copy=copy)
    theirs[0] = 7
    assert x.tolist() == [7.0 if shares else 0.0, 0.0]


def test_an_unknown_librarys_array_becomes_numpys():
    array = np.zeros(2)
    x = ag.from_dlpack(Producer(array))
    array[0] = 7
    assert (x.device, x.tolist()) == ("cpu", [7.0, 0.0])
    copy = ag.from_dlpack(Producer(array), copy=True)
    array[0] = 8
    assert copy.tolist() == [7.0, 0.0]


def test_what_knows_nothing_of_dlpack_is_refused():
    with pytest.raises(AttributeError, match="__dlpack_device__"):
        ag.from_dlpack([1.0])


def test_a_device_without_a_library_is_refused():
    class OnMetal(Producer):
        def __dlpack_device__(self):
            return 8, 0

    with pytest.raises(BufferError, match=r"device \(8, 0\)"):
        ag.from_dlpack(OnMetal(np.zeros(2)))


def test_other_libraries_take_a_tensor():
    x = ag.Tensor(np.zeros(2))
    theirs = np.from_dlpack(x)
    theirs[0] = 7
    assert x.tolist() == [7.0, 0.0]
    assert x.__dlpack_device__() == theirs.__dlpack_device__()
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.from_dlpack(x)[1] = 8
    assert x.tolist() == [7.0, 8.0]
    assert torch.from_dlpack(ag.Tensor(torch.ones(2))).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("take", [np.from_dlpack, ag.from_dlpack])
def test_a_gradient_isnt_lost_to_another_library(take):
    x = ag.Tensor([1.0], requires_grad=True)
    with pytest.raises(BufferError, match="detach"):
        take(x)
    assert take(x.detach()).tolist() == [1.0]


def test_asarray_copies_from_another_library_too():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.zeros(2)
    for source in (theirs, ag.Tensor(theirs)):
        x = ag.asarray(source, device="cpu", copy=True)
        theirs += 1
        assert x.tolist() == (theirs - 1).tolist()
    with pytest.raises(ValueError, match="copy=False"):
        ag.asarray(theirs, device="cpu", copy=False)
    with pytest.raises(ValueError, match="copy=False"):
        ag.asarray(ag.Tensor([1.0]), dtype=ag.float32, copy=False)


# The default device ------------------------------------------------------------------------------


@pytest.fixture
def default(backend):
    device = backend.tensor(0.0).device
    ag.set_default_device(device)
    yield device
    ag.set_default_device("cpu")


def test_new_tensors_go_to_the_default_device(default):
    assert ag.get_default_device() == default
    made = [
        ag.zeros(2),
        ag.arange(3),
        ag.asarray([1.0]),
        ag.asarray(1.0),
        ag.Tensor([1, 2]),
        ag.Parameter([1.0]),
        ag.nn.Linear(2, 1).weight,
        ag.random.Generator(0).normal(0, 1, (2,)),
        ag.random.Generator(0).permutation(3),
    ]
    assert {x.device for x in made} == {default}
    assert ag.zeros(2, device="cpu").device == "cpu"


def test_arrays_stay_where_they_are(default):
    assert ag.Tensor(np.zeros(2)).device == "cpu"
    assert ag.zeros_like(np.zeros(2)).device == "cpu"


def test_an_unknown_default_device_is_refused():
    with pytest.raises(ValueError, match="no device 'nowhere'"):
        ag.set_default_device("nowhere")
    assert ag.get_default_device() == "cpu"


# Grids -------------------------------------------------------------------------------------------


def test_meshgrid_refuses_what_is_no_vector():
    assert ag.meshgrid() == ()
    with pytest.raises(ValueError, match=r"needs vectors, got shapes \[\(2, 2\)\]"):
        ag.meshgrid(ag.zeros((2, 2)))
    with pytest.raises(ValueError, match="indexing must be 'xy' or 'ij'"):
        ag.meshgrid(ag.zeros(2), indexing="yx")


@pytest.mark.parametrize("make", [ag.asarray, ag.Tensor, lambda x: ag.asarray([x, x])])
def test_a_list_with_a_tensor_that_requires_a_gradient_is_refused(make):
    t = ag.Tensor(1.0, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"agrad\.stack"):
        make([t, 2.0])
    with ag.no_grad():
        assert ag.asarray([t, 2.0]).tolist() == [1.0, 2.0]
    assert ag.asarray([t.detach(), 2.0]).tolist() == [1.0, 2.0]
