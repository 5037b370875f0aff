"""Which backend an array, or a device's name, belongs to.

These are the only rooms that know an array library by name.
"""

from typing import Any

import array_api_compat

from agrad.backends.generic import Array, Backend, Bound
from agrad.backends.numpy import CPU, default_rng, is_number

__all__ = [
    "CPU",
    "Array",
    "Backend",
    "Bound",
    "backend_for",
    "backend_of",
    "default_rng",
    "is_array",
    "is_number",
]

# Other people's libraries, by library and device, once an array of theirs has been seen
_seen: dict[tuple[Any, Any], Backend] = {}


def is_array(value: Any) -> bool:
    """Return whether the value is a raw array of a library that follows the standard."""
    return type(value) is CPU.array_type or array_api_compat.is_array_api_obj(value)


def backend_of(array: Any) -> Backend:
    """Return the backend that a raw array belongs to.

    Raises
    ------
    TypeError
        If it is not an array of a library that follows the standard.
    """
    if type(array) is CPU.array_type or array_api_compat.is_numpy_array(array):
        return CPU
    if not array_api_compat.is_array_api_obj(array):
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
        name = library.__name__.removeprefix("array_api_compat.").partition(".")[0]
        _seen[library, device] = kind(library, device, f"{name}:{_device_name(device)}")
    return _seen[library, device]


def backend_for(device: str | Backend) -> Backend:
    """Return the backend of a device: "cpu", "cuda", "cuda:1", or a Tensor's ``device``.

    Raises
    ------
    ValueError
        If there is no device of that name.
    ImportError
        If it is a GPU, and CuPy is not installed.
    RuntimeError
        If it is a GPU, and CuPy can't use it.
    """
    if isinstance(device, Backend):
        return device
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
    known = ["'cpu'", "'cuda'", "'cuda:<number>'", *(repr(each.name) for each in _seen.values())]
    raise ValueError(
        f"there is no device {device!r}; known are {', '.join(known)}. A library's devices are "
        "known once a Tensor has been made of an array of it"
    )


def _device_name(device: Any) -> str:
    """Return "cpu" for torch.device('cpu'), "CPU_DEVICE" for Device('CPU_DEVICE')."""
    text = str(device)
    return text.split("'")[1] if "'" in text else text
