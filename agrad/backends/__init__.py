"""Which backend an array, or a device's name, belongs to.

These are the only rooms that know an array library by name.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import array_api_compat

from agrad.backends import numpy_conv as numpy_conv
from agrad.backends import numpy_layers as numpy_layers
from agrad.backends.generic import (
    AdamNumbers,
    Array,
    Backend,
    Bound,
    StepPlanner,
    Writing,
    has_integers,
    matmul_precision,
)
from agrad.backends.numpy import CPU, default_rng, is_number
from agrad.backends.numpy_steps import NumPySteps
from agrad.backends.recorder import Recorder, Tape, Traced, TracedNumber, recording

__all__ = [
    "CPU",
    "AdamNumbers",
    "Array",
    "Backend",
    "Bound",
    "NumPySteps",
    "Recorder",
    "StepPlanner",
    "Tape",
    "Traced",
    "TracedNumber",
    "Writing",
    "backend_for",
    "backend_of",
    "backend_of_dlpack",
    "default_backend",
    "default_rng",
    "device_kind",
    "get_default_device",
    "get_float32_matmul_precision",
    "has_integers",
    "is_array",
    "is_number",
    "known_devices",
    "library_folders",
    "recording",
    "set_default_device",
    "set_float32_matmul_precision",
]

# Other people's libraries, by library and device, once an array of theirs has been seen
_seen: dict[tuple[Any, Any], Backend] = {}


def is_array(value: Any) -> bool:
    """Return whether the value is a raw array of a library that follows the standard."""
    if type(value) is CPU.array_type:
        return True
    # agrad's Tensors follow the standard too, but they are no raw arrays.
    is_tensor = isinstance(getattr(value, "_backend", None), Backend)
    return not is_tensor and array_api_compat.is_array_api_obj(value)


def backend_of(array: Any) -> Backend:
    """Return the backend that a raw array belongs to.

    Raises
    ------
    TypeError
        If it is not an array of a library that follows the standard.
    """
    if type(array) is Traced:
        return array.recorder
    return _recorded(_backend_of(array))


def _recorded(backend: Backend) -> Backend:
    """Return what records a backend's calls while a step is recorded, else the backend."""
    return backend if recording.tape is None else recording.tape.recorder(backend)


def _backend_of(array: Any) -> Backend:
    if type(array) is CPU.array_type or array_api_compat.is_numpy_array(array):
        return CPU
    if not is_array(array):
        raise TypeError(
            f"expected an array or a number, got {type(array).__name__}; "
            "wrap lists and tuples in Tensor(...)"
        )
    if array_api_compat.is_cupy_array(array):
        from agrad.backends.cupy import cuda

        return cuda(array.device.id)
    library = array_api_compat.array_namespace(array)
    device = array_api_compat.device(array)
    if (library, device) not in _seen:
        kind: type[Backend] = Backend
        if array_api_compat.is_torch_array(array):
            from agrad.backends.torch import TorchBackend as kind
        elif array_api_compat.is_jax_array(array):
            from agrad.backends.jax import JAXBackend as kind
        elif array_api_compat.is_dask_array(array):
            from agrad.backends.dask import DaskBackend as kind
        name = library.__name__.removeprefix("array_api_compat.").partition(".")[0]
        _seen[library, device] = kind(library, device, f"{name}:{_device_name(device)}")
    return _seen[library, device]


def backend_for(device: str | Backend) -> Backend:
    """Return the backend of a device: "cpu", "cuda:1", "torch:cpu", or a Tensor's ``device``.

    Raises
    ------
    ValueError
        If there is no device of that name.
    ImportError
        If the library that it belongs to is not installed: CuPy for "cuda".
    RuntimeError
        If it is a GPU, and CuPy can't use it.
    """
    return device if isinstance(device, Backend) else _recorded(_backend_for(device))


def _backend_for(device: str) -> Backend:
    if device == "cpu":
        return CPU
    if isinstance(device, str):
        kind, _, index = device.partition(":")
        if kind == "cuda" and (index.isdecimal() or device == "cuda"):
            try:
                from agrad.backends.cupy import cuda
            except ImportError as error:
                raise ImportError(
                    f"device {device!r} needs CuPy, which can't be imported ({error}). Install it "
                    'with: pip install "agrad[cuda13]" (CUDA 13) or "agrad[cuda12]" (CUDA 12)'
                ) from None
            return cuda(int(index) if index else None)
        for backend in _seen.values():
            if backend.name == device:
                return backend
        if kind in _OPENERS:
            return _backend_of(_open(kind, index, device))
    known = ["'cpu'", "'cuda'", "'cuda:<number>'", *(repr(each.name) for each in _seen.values())]
    raise ValueError(
        f"there is no device {device!r}; known are {', '.join(known)}, and those of "
        f"{', '.join(_OPENERS)}, such as 'torch:cpu'. Another library's devices are known once a "
        "Tensor has been made of an array of it"
    )


def backend_of_dlpack(producer: Any) -> Backend:
    """Return the backend for an array that is only known by DLPack: NumPy on a CPU, else CuPy.

    Raises
    ------
    AttributeError
        If it has no ``__dlpack_device__``.
    BufferError
        If it is neither in the memory of the host nor of a CUDA device.
    """
    kind, index = producer.__dlpack_device__()
    if kind == 1:  # DLPack's numbers: kDLCPU, and kDLCUDA
        return CPU
    if kind == 2:
        return backend_for(f"cuda:{index}")
    raise BufferError(f"agrad has no library for arrays on DLPack's device ({kind}, {index})")


# Libraries by name, for devices of which no array has been seen yet -------------------------------


def _open_torch(device: str) -> Array:
    torch = import_module("torch")
    return torch.empty(0, device=device or None)


def _open_jax(device: str) -> Array:
    jax = import_module("jax")
    platform = device.partition(":")[0] or None
    found = [each for each in jax.devices(platform) if device in ("", platform, str(each))]
    if not found:
        raise ValueError(f"JAX has {', '.join(map(str, jax.devices(platform)))}")
    return jax.device_put(jax.numpy.empty(0), found[0])


def _open_strict(device: str) -> Array:
    strict = import_module("array_api_strict")
    return strict.empty(0, device=strict.Device(device) if device else None)


def _open_dask(device: str) -> Array:
    if device not in ("", "cpu"):
        raise ValueError("Dask has 'cpu' alone")
    return import_module("dask.array").empty(0)


_OPENERS = {
    "torch": _open_torch,
    "jax": _open_jax,
    "dask": _open_dask,
    "array_api_strict": _open_strict,
}


def library_folders() -> tuple[str, ...]:
    """Return where the code of those array libraries is that have been imported."""
    names = ("numpy", "array_api_compat", "cupy", *_OPENERS)
    files = (getattr(sys.modules.get(name), "__file__", None) for name in names)
    return tuple(str(Path(file).parent) for file in files if file)


def _open(library: str, device: str, name: str) -> Array:
    """Return an empty array on a device of a library, which tells the rest."""
    try:
        return _OPENERS[library](device)
    except ImportError as error:
        raise ImportError(
            f"device {name!r} needs {library}, which can't be imported ({error})"
        ) from None
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"there is no device {name!r}: {library} says {reason!r}") from error


# Where new Tensors go -----------------------------------------------------------------------------

_default: Backend = CPU


def default_backend() -> Backend:
    """Return the backend of the default device."""
    return _recorded(_default)


def set_default_device(device: str | Backend) -> None:
    """Choose where new Tensors go when no device is given; the CPU at the start.

    That are those made of numbers and lists, and by creation functions, modules and random
    generators. A raw array stays where it is, as ever.

    Parameters
    ----------
    device : str
        "cpu", "cuda", "torch:cpu", or another Tensor's ``device``.

    Raises
    ------
    ValueError
        If there is no device of that name.
    ImportError
        If the library that it belongs to is not installed.
    RuntimeError
        If it is a GPU, and CuPy can't use it.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.set_default_device("array_api_strict:CPU_DEVICE")
    >>> ag.zeros(2).device
    'array_api_strict:CPU_DEVICE'
    >>> ag.set_default_device("cpu")
    """
    global _default
    _default = device if isinstance(device, Backend) else _backend_for(device)


def get_default_device() -> str:
    """Return where new Tensors go when no device is given.

    Returns
    -------
    str
        The name of the device.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.get_default_device()
    'cpu'
    """
    return _default.name


def known_devices() -> tuple[str, ...]:
    """Return the devices that can be used at once: no library is imported to find more."""
    names = {"cpu": None, _default.name: None}
    names.update((backend.name, None) for backend in _seen.values())
    if "cupy" in sys.modules:
        from agrad.backends.cupy import device_count

        names.update((f"cuda:{index}", None) for index in range(device_count()))
    return tuple(names)


def device_kind(device: str) -> str:
    """Return whose a device is: "cuda" for "cuda:1", "torch" for "torch:cpu", "cpu" for itself.

    Raises
    ------
    ValueError
        If nobody has such devices.
    """
    kind = device.partition(":")[0] if isinstance(device, str) else None
    known = dict.fromkeys([CPU.kind, "cuda", *_OPENERS, *(each.kind for each in _seen.values())])
    if kind not in known:
        raise ValueError(f"there are no devices of type {device!r}; known are {', '.join(known)}")
    return kind


# How exactly products are computed ----------------------------------------------------------------

_PRECISIONS = ("highest", "high", "medium")


def set_float32_matmul_precision(precision: str) -> None:
    """Choose how exactly matrix products of float32 are computed: on GPUs, with TF32 or without.

    Parameters
    ----------
    precision : {"highest", "high", "medium"}
        "highest" computes in float32. With "high" and "medium" CuPy lets tensor cores multiply in
        TF32, where factors keep 10 bits of their fractions instead of 23; sums stay in float32.

    Raises
    ------
    ValueError
        If it is none of these.

    Notes
    -----
    It is for the whole process, and for GPUs that are first used later too. NumPy computes in
    float32 in any case, and PyTorch's and JAX's arrays go by settings of their own. Until it is
    chosen here, CuPy goes by the environment variable ``CUPY_TF32``. Of GPUs without TF32 (before
    Ampere, 2020) CuPy warns, and computes in float32. CuPy 14 uses TF32 for products of two
    matrices, not for those of two stacks of matrices.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.set_float32_matmul_precision("high")
    >>> ag.get_float32_matmul_precision()
    'high'
    >>> ag.set_float32_matmul_precision("highest")
    """
    if precision not in _PRECISIONS:
        raise ValueError(
            f"the precision of products must be one of {', '.join(_PRECISIONS)}; got {precision!r}"
        )
    matmul_precision.chosen = precision
    # If there is no CuPy, the module may be there nonetheless, as far as it could be imported
    made = getattr(sys.modules.get("agrad.backends.cupy"), "made", tuple)
    for backend in (CPU, *_seen.values(), *made()):
        backend.set_matmul_precision(precision)


def get_float32_matmul_precision() -> str:
    """Return how exactly matrix products of float32 are computed.

    Returns
    -------
    str
        What `set_float32_matmul_precision` was given last; "highest" at the start.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.get_float32_matmul_precision()
    'highest'
    """
    return matmul_precision.chosen or _PRECISIONS[0]


def _device_name(device: Any) -> str:
    """Return "cpu" for torch.device('cpu'), "CPU_DEVICE" for Device('CPU_DEVICE')."""
    text = str(device)
    return text.split("'")[1] if "'" in text else text
