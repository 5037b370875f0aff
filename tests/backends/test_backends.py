"""Which backend an array belongs to, which one a device's name means, and errors that say why."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import agrad as ag
from agrad import backends
from agrad.backends import CPU, backend_for, backend_of, is_array
from tests.cupy_stand_in import installed


@pytest.fixture
def stand_in(request):
    """CuPy's stand-in, on as many pretend devices as the test asks for."""
    with installed(devices=request.param) as cupy:
        yield cupy


def test_an_array_belongs_to_its_library_and_device(backend):
    array = backend.array(np.zeros(2))
    found = backend_of(array)
    assert found.name == backend.device
    assert backend_of(backend.array(np.zeros(3))) is found
    assert backend_for(found.name) is found
    assert backend_for(found) is found
    assert is_array(array)
    assert ag.Tensor(array).device == found.name
    assert ag.Tensor([1.0], device=found.name).device == found.name


def test_a_backend_survives_pickling_and_copying(backend):
    found = backend_of(backend.array(np.zeros(2)))
    assert pickle.loads(pickle.dumps(found)) is found
    assert copy.deepcopy(found) is found


@pytest.mark.parametrize("value", [1.0, None, "cpu", [1.0], (np.ones(1),), {}], ids=repr)
def test_what_is_no_array_belongs_nowhere(value):
    assert not is_array(value)
    with pytest.raises(TypeError, match=f"expected an array .* got {type(value).__name__}"):
        backend_of(value)


def test_the_cpu_is_numpys():
    assert backend_for("cpu") is backend_of(np.ones(1)) is CPU
    assert CPU.library is np


@pytest.mark.parametrize(
    "name",
    [
        "gpu",
        "CPU",
        "cpu:0",
        "",
        "cuda:",
        "cuda:-1",
        "cuda:one",
        "cuda: 1",
        "cuda:1:2",
        "cudax",
        0,
        None,
    ],
)
def test_an_unknown_device_is_named_with_the_known_ones(name):
    with pytest.raises(ValueError, match="there is no device") as error:
        backend_for(name)
    assert repr(name) in str(error.value)
    assert "known are 'cpu', 'cuda', 'cuda:<number>'" in str(error.value)
    assert "\n" not in str(error.value)


def test_libraries_that_were_seen_are_among_the_known_ones(backend):
    found = backend_of(backend.array(np.zeros(1)))
    with pytest.raises(ValueError, match="there is no device 'nowhere'") as error:
        backend_for("nowhere")
    assert repr(found.name) in str(error.value) or found.name.startswith("cuda")


# Without CuPy, without a GPU ---------------------------------------------------------------------

USES = {
    "Tensor": lambda device: ag.Tensor([1.0], device=device),
    "to": lambda device: ag.Tensor([1.0]).to(device),
    "zeros": lambda device: ag.zeros((2,), device=device),
    "Linear": lambda device: ag.nn.Linear(2, 1, device=device),
    "Module.to": lambda device: ag.nn.Linear(2, 1).to(device),
    "Generator": lambda device: ag.random.Generator(0).uniform(0, 1, (2,), device=device),
}


@pytest.fixture
def without_cupy(monkeypatch):
    """Make the import of CuPy fail, as where it isn't installed."""

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "cupy":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in list(sys.modules):
        if name.startswith(("cupy", "agrad.backends.cupy", "array_api_compat.cupy")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Blocker(), *sys.meta_path])


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1"])
@pytest.mark.parametrize("use", USES)
def test_without_cupy_the_error_says_what_installs_it(use, device, without_cupy):
    with pytest.raises(ImportError) as error:
        USES[use](device)
    message = str(error.value)
    assert message.startswith(f"device '{device}' needs CuPy")
    assert "No module named 'cupy'" in message
    assert 'pip install "agrad[cuda13]" (CUDA 13) or "agrad[cuda12]" (CUDA 12)' in message
    assert "\n" not in message


@pytest.mark.parametrize("stand_in", [0], indirect=True)
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1"])
@pytest.mark.parametrize("use", USES)
def test_without_a_driver_the_error_says_so_in_one_line(use, device, stand_in):
    with pytest.raises(RuntimeError) as error:
        USES[use](device)
    message = str(error.value)
    assert f"CuPy {stand_in.__version__} is installed, but no GPU can be used" in message
    assert "driver version is insufficient" in message
    assert "\n" not in message


@pytest.mark.parametrize("stand_in", [2], indirect=True)
def test_without_any_gpu_the_error_says_so_in_one_line(stand_in, monkeypatch):
    monkeypatch.setattr(stand_in.cuda.runtime, "getDeviceCount", lambda: 0)
    with pytest.raises(RuntimeError, match="is installed, but it finds no GPU") as error:
        ag.Tensor([1.0], device="cuda")
    assert "\n" not in str(error.value)


def test_the_real_cupy_without_a_gpu_says_so_in_one_line():
    cupy = pytest.importorskip("cupy", reason="CuPy isn't installed")
    try:
        usable = cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        usable = False
    if usable:
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError) as error:
        ag.Tensor([1.0], device="cuda")
    assert str(error.value).startswith(f"CuPy {cupy.__version__} is installed, but")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("stand_in", [1, 2], indirect=True)
@pytest.mark.parametrize("use", USES)
def test_a_gpu_of_another_number_is_refused(use, stand_in):
    count = stand_in.cuda.runtime.getDeviceCount()
    with pytest.raises(RuntimeError) as error:
        USES[use](f"cuda:{count}")
    assert str(error.value) == f"there is no device 'cuda:{count}': this machine has {count} GPU(s)"


def test_importing_agrad_imports_no_array_library_but_numpy():
    others = ("cupy", "torch", "jax", "dask", "array_api_strict")
    code = f"import sys, agrad; print([m for m in {others} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Libraries by name -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("torch", "torch:cpu"),
        ("jax:cpu", "jax:cpu:0"),
        ("jax:cpu:0", "jax:cpu:0"),
        ("array_api_strict", "array_api_strict:CPU_DEVICE"),
        ("array_api_strict:device1", "array_api_strict:device1"),
    ],
)
def test_a_library_is_imported_when_its_device_is_named(name, device):
    pytest.importorskip(device.partition(":")[0])
    code = f"import agrad; agrad.set_default_device({name!r}); print(agrad.zeros(2).device)"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == (
        f"{device}\n"
    )


@pytest.mark.parametrize("name", ["jax:nowhere", "jax:cpu:999", "array_api_strict:nowhere"])
def test_a_librarys_unknown_device_is_named(name):
    pytest.importorskip(name.partition(":")[0])
    with pytest.raises(ValueError, match=f"no device '{name}': .* says"):
        backend_for(name)


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "array_api_strict", None)
    monkeypatch.setattr(backends, "_seen", {})
    with pytest.raises(ImportError, match="'array_api_strict:device2' needs array_api_strict"):
        backend_for("array_api_strict:device2")


def test_a_tensor_is_no_raw_array():
    assert not is_array(ag.Tensor([1.0]))
    with pytest.raises(TypeError, match="got Tensor"):
        backend_of(ag.Tensor([1.0]))
