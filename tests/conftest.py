"""The places that the tests run over: every array library at hand, on every device it has here."""

import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

# Several processes with several threads each would wait for each other. Libraries read it first.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


import array_api_strict
import hypothesis
import numpy as np
import pytest

import agrad as ag


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After each file, spare the garbage collector what is there to stay.

    Tests that look for garbage have it look through all objects, of which thousands of tests have
    many.
    """
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


# A slow machine is no failure
hypothesis.settings.register_profile("agrad", deadline=None)
hypothesis.settings.load_profile("agrad")


@dataclass(frozen=True)
class Place:
    """An array library on one device."""

    name: str  # which parameter of `backend` it is: "numpy", "strict", "torch", ...
    device: str  # what agrad calls the device: "cpu", "cuda:1", "torch:cpu", ...
    put: Any = field(repr=False)  # from a NumPy array to the library's
    get: Any = field(repr=False)  # and back

    def array(self, values: Any) -> Any:
        """Return a raw array of this place, which shares no memory with `values`."""
        return self.put(np.array(values))

    def tensor(self, values: Any, requires_grad: bool = False, dtype: Any = None) -> ag.Tensor:
        """Return a Tensor of a raw array of this place."""
        return ag.Tensor(self.array(values), dtype=dtype, requires_grad=requires_grad)

    def numpy(self, array: Any) -> np.ndarray:
        """Return a raw array or a Tensor of this place as a NumPy array, by the library's ways."""
        return self.get(array.data if isinstance(array, ag.Tensor) else array)


@contextmanager
def on_numpy() -> Iterator[Place]:
    yield Place("numpy", "cpu", put=lambda x: x, get=lambda x: x)


@contextmanager
def on_strict(name: str, device_name: str) -> Iterator[Place]:
    device, host = (array_api_strict.Device(each) for each in (device_name, "CPU_DEVICE"))
    yield Place(
        name,
        f"array_api_strict:{device_name}",
        put=lambda x: array_api_strict.asarray(x, device=device),
        get=lambda x: np.from_dlpack(x.to_device(host)),
    )


@contextmanager
def on_cupy(name: str, index: int) -> Iterator[Place]:
    import cupy

    def put(x: Any) -> Any:
        with cupy.cuda.Device(index):
            return cupy.asarray(x)

    yield Place(name, f"cuda:{index}", put, get=lambda x: x.get())


@contextmanager
def on_gpu() -> Iterator[Place]:
    if why_no_gpu():
        pytest.skip(why_no_gpu())
    with on_cupy("cupy", 0) as place:
        yield place


@contextmanager
def on_cupy_stand_in() -> Iterator[Place]:
    """Its device 1, while 0 is the current one: whoever forgets to switch is found out."""
    with cupy_stand_in().installed(devices=2, keep=True), on_cupy("cupy-stand-in", 1) as place:
        yield place


@contextmanager
def on_torch() -> Iterator[Place]:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    yield Place("torch", "torch:cpu", put=torch.from_numpy, get=lambda x: x.detach().numpy())


@contextmanager
def on_jax() -> Iterator[Place]:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    device = jax.devices("cpu")[0]
    name = f"jax:{device}"
    yield Place("jax", name, put=lambda x: jax.device_put(x, device), get=np.asarray)


@contextmanager
def on_dask() -> Iterator[Place]:
    """In chunks of two along each axis, so that hardly anything fits into one."""
    dask = pytest.importorskip("dask", reason="Dask is not installed")
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    with dask.config.set(scheduler="synchronous"):
        yield Place("dask", "dask:cpu", put=lambda x: da.from_array(x, chunks=2), get=np.asarray)


def cupy_stand_in() -> Any:
    """Return the module tests/cupy_stand_in.py, whichever way pytest imports the tests."""
    name = "tests.cupy_stand_in"
    if name not in sys.modules:
        path = Path(__file__).with_name("cupy_stand_in.py")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@cache
def why_no_gpu() -> str:
    """Return why the tests marked `cuda` can't run here; empty if they can."""
    try:
        import cupy

        return "" if cupy.cuda.runtime.getDeviceCount() else "CuPy finds no GPU"
    except ImportError:
        return "CuPy is not installed"
    except Exception as error:
        return f"CuPy can't use a GPU: {error}"


PLACES = {
    "numpy": (on_numpy,),
    "strict": (on_strict, "strict", "CPU_DEVICE"),
    "strict-device1": (on_strict, "strict-device1", "device1"),
    "cupy-stand-in": (on_cupy_stand_in,),
    "cupy": (on_gpu,),
    "torch": (on_torch,),
    "jax": (on_jax,),
    "dask": (on_dask,),
}
PARAMS = [pytest.param(name, marks=pytest.mark.cuda if name == "cupy" else ()) for name in PLACES]


@pytest.fixture(params=PARAMS)
def backend(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each array library on each of its devices: what holds for one must hold for all."""
    enter, *args = PLACES[request.param]
    with enter(*args) as place:
        yield place


@pytest.fixture(params=PARAMS[1:])
def other_backend(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each array library but NumPy, for what is held to what NumPy gives."""
    enter, *args = PLACES[request.param]
    with enter(*args) as place:
        yield place


@pytest.fixture(params=[each for each in PARAMS if "cupy" in each.values[0]])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """CuPy on a GPU, or its stand-in."""
    enter, *args = PLACES[request.param]
    with enter(*args) as place:
        yield place
