"""A stand-in for CuPy, so that the CUDA path is tested on machines without a GPU.

It is a module with CuPy's names whose arrays hold NumPy arrays inside, on pretend devices:

    with installed(devices=2) as cupy:
        ...  # here `import cupy` finds the stand-in, and array_api_compat takes it for CuPy

It was written from CuPy 14.2's behaviour, and aims to refuse whatever CuPy refuses, with the same
type of exception and much the same words:

- NumPy arrays, lists and other foreign objects in operators and functions; turning an array into a
  NumPy array without saying so (``.get()``); arguments that CuPy's functions don't have;
- a kernel (whatever reads or writes values) on an array of another device than the current one,
  where CuPy would allow it, with a warning, if the two cards can reach each other's memory;
- dtypes that CuPy lacks, unsafe casts into ``out=``, ``at`` and ``reduce`` of the ufuncs that lack
  them, kernel arguments of inconsistent dtypes, writing to a kernel's input.

And it does what CuPy does where NumPy does otherwise: there are no array scalars, ``base`` is None
for every result, entries of index arrays that are out of bounds wrap around, an assignment to
repeated indices stores any one of the values (here the first; NumPy's is the last), a singular
matrix has an inverse of NaN. Memory from ``empty`` holds NaN, lest somebody take it for zero.

Where CuPy lets a NumPy array through by accident (``cupy.sum(a)`` is ``a.sum()``), or moves one to
the GPU unasked (``cupy.tril``), the stand-in refuses it: only ``array`` and its like, indices, and
values assigned to indices take NumPy arrays.

A `RawKernel` is compiled for the host and runs there, thread by thread; without g++ the test that
comes to it is skipped.

What it can't show: the GPU's own rounding (an `ElementwiseKernel` runs here statement by statement
over whole arrays, in their dtypes), what threads that run at once do to each other, streams and
asynchrony, the use of memory, speed, and whatever of CuPy is not named below.
"""

import contextlib
import ctypes
import functools
import importlib.machinery
import inspect
import math
import operator
import re
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests import cublas_on_host, cuda_on_host

__all__ = ["install", "installed", "uninstall"]

Host = np.ndarray[Any, Any]

# Devices -----------------------------------------------------------------------------------------

_ERRORS = {
    900: "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
    901: "cudaErrorStreamCaptureInvalidated: operation failed due to a previous error",
    35: "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
}


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA runtime, by its number."""

    def __init__(self, status: int) -> None:
        super().__init__(_ERRORS[status])
        self.status = status


class _Driver:
    """The pretend machine: how many devices it has, and which is current in each thread."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.thread = threading.local()

    def get_count(self) -> int:
        if not self.count:  # as on a machine without a driver
            raise CUDARuntimeError(35)
        return self.count

    def get_current(self) -> int:
        self.get_count()
        return int(getattr(self.thread, "device", 0))

    def set_current(self, index: int) -> None:
        if not 0 <= index < self.get_count():
            raise CUDARuntimeError(101)
        self.thread.device = index

    @property
    def stream(self) -> "Stream":
        """The stream that kernels go to from this thread."""
        return getattr(self.thread, "stream", Stream.null)

    @property
    def left(self) -> list[int]:
        """The devices to come back to at the end of this thread's ``with`` blocks."""
        if not hasattr(self.thread, "left"):
            self.thread.left = []
        return self.thread.left  # type: ignore[no-any-return]


_driver = _Driver(0)  # `install` brings another


@functools.total_ordering
class Device:
    """A device by its number. Like CuPy's it has no hash, so it can't be a key of a dict."""

    def __init__(self, device: Any = None) -> None:
        self.id = _driver.get_current() if device is None else int(device)

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> "Device":
        _driver.left.append(_driver.get_current())
        _driver.set_current(self.id)
        return self

    def __exit__(self, *exc: object) -> None:
        _driver.set_current(_driver.left.pop())

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    compute_capability = "90"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __lt__(self, other: object) -> bool:
        return self.id < other.id if isinstance(other, Device) else NotImplemented

    def use(self) -> "Device":
        _driver.set_current(self.id)
        return self

    def synchronize(self) -> None:
        with self:
            pass


class Stream:
    """A stream in name only: what is put on it has happened at once, unless it is capturing."""

    null: "Stream"
    calls: "list[tuple[Any, ...]] | None" = None  # what has been captured so far
    is_invalid = is_inside = False

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        self.ptr = 0 if null else id(self)
        self.device_id = -1 if null else _driver.get_current()

    def __enter__(self) -> "Stream":
        self.before = _driver.stream
        return self.use()

    def __exit__(self, *exc: object) -> None:
        _driver.thread.stream = self.before

    def begin_capture(self, mode: int | None = None) -> None:
        if not self.ptr:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        self.calls, self.is_invalid = [], False

    def end_capture(self) -> "Graph":
        calls, self.calls = self.calls, None
        if calls is None or self.is_invalid:
            raise CUDARuntimeError(901)
        return Graph(calls)

    def is_capturing(self) -> bool:
        return self.calls is not None

    def use(self) -> "Stream":
        current = _driver.get_current()
        if self.device_id not in (-1, current):
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id})"
                f" does not match with the current device ({current})"
            )
        _driver.thread.stream = self
        return self

    def synchronize(self) -> None:
        if self.calls is not None:
            self.is_invalid = True
            raise CUDARuntimeError(900)

    def record(self, event: "Event | None" = None) -> "Event":
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: "Event") -> None:
        pass


Stream.null = Stream(null=True)


class Graph:
    """Calls that have been captured: a launch makes them again, on the same memory."""

    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self.calls = calls

    def launch(self, stream: Stream | None = None) -> None:
        for function, args, kwargs, results in self.calls:
            for host, new in zip(results, _arrays_in(function(*args, **kwargs)), strict=True):
                if not np.may_share_memory(host, new._host):
                    host[...] = new._host


def _captures(function: Callable[[], None]) -> bool:
    """Capture a call of cuBLAS where the current stream is capturing; return whether it is."""
    calls = _driver.stream.calls
    if calls is not None:
        calls.append((function, (), {}, []))
    return calls is not None


def _file(name: str) -> str:
    if name != "__file__":
        raise AttributeError(name)
    return cublas_on_host.library(_captures)


def _arrays_in(value: Any) -> "list[ndarray]":
    if isinstance(value, list | tuple):
        return [array for each in value for array in _arrays_in(each)]
    return [value] if isinstance(value, ndarray) else []


def _kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function be captured, instead of run, where the current stream is capturing."""

    @functools.wraps(function)
    def launch(*args: Any, **kwargs: Any) -> Any:
        stream = _driver.stream
        if stream.calls is None or stream.is_inside:  # what it calls itself is part of it
            return function(*args, **kwargs)
        stream.is_inside = True
        given = _arrays_in((args, tuple(kwargs.values())))
        values = [each._host.copy() for each in given]
        try:
            result = function(*args, **kwargs)
        except Exception:
            stream.is_invalid = True
            raise
        finally:
            stream.is_inside = False
            for each, value in zip(given, values, strict=True):
                if each._host.flags.writeable:
                    each._host[...] = value  # nothing has been run yet
        results = _arrays_in(result)
        for each in results:
            if each._base is None and not any(each is other for other in given):
                _poison(each._host)
        # Their memory, since `shape` may be set later
        stream.calls.append((function, args, kwargs, [each._host for each in results]))
        return result

    return launch


def _waits(function: Callable[..., Any], error: Exception | None = None) -> Callable[..., Any]:
    """Make a function be refused where the current stream is capturing."""

    @functools.wraps(function)
    def wait(*args: Any, **kwargs: Any) -> Any:
        stream = _driver.stream
        if stream.calls is not None:
            stream.is_invalid = True
            raise error or RuntimeError(
                "the current stream is capturing, so synchronous API calls are disallowed"
            )
        return function(*args, **kwargs)

    return wait


_NO_CUBLAS = NotImplementedError(
    "calling cuBLAS API during stream capture is currently unsupported"
)
_JOINS = ("concatenate", "concat", "stack")
_CUBLAS = ("matmul", "dot", "vdot", "inner", "tensordot", "einsum")


def _joins(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function refuse more than 8 arrays where the current stream is capturing.

    CuPy joins those by a table, which it copies to the card.
    """
    refusing = _waits(function, RuntimeError("the current stream is capturing, so H2D transfers"))

    @functools.wraps(function)
    def join(tup: Any, *args: Any, **kwargs: Any) -> Any:
        return (refusing if len(tup) > 8 else function)(tup, *args, **kwargs)

    return join


class ExternalStream(Stream):
    """A stream that another library made."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        self.ptr, self.device_id = ptr, device_id


class Event:
    """A moment on a stream."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self.moment = math.nan

    def record(self, stream: Stream | None = None) -> None:
        self.moment = time.perf_counter()

    def synchronize(self) -> None:
        pass


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Return the milliseconds between two events."""
    return 1000 * (end_event.moment - start_event.moment)


class MemoryPool:
    """A memory pool that holds nothing."""

    def used_bytes(self) -> int:
        return 0

    total_bytes = n_free_blocks = used_bytes

    def free_all_blocks(self) -> None:
        pass

    def malloc(self, size: int) -> Any:
        raise NotImplementedError("the stand-in for CuPy has no memory of its own to give")


@contextlib.contextmanager
def using_allocator(allocator: Any = None) -> Iterator[None]:
    """Let arrays' memory come from somewhere: here it doesn't."""
    yield


class MemoryPointer:
    """Where an array's values start."""

    def __init__(self, ptr: int, device_id: int) -> None:
        self.ptr, self.device_id, self.device = ptr, device_id, Device(device_id)


# What goes into a kernel, and what comes out -----------------------------------------------------


def _check_device(array: "ndarray") -> None:
    current = _driver.get_current()
    if array._device_id != current:
        raise ValueError(
            f"The device where the array resides ({array._device_id}) is different from the "
            f"current device ({current}). Peer access is unavailable between these devices."
        )


def _check_dtype(dtype: Any) -> np.dtype[Any]:
    found: np.dtype[Any] = np.dtype(dtype)
    if found.char not in "?bhilqBHILQefdFD" and found.name != "bfloat16":
        raise ValueError(f"Unsupported dtype {found}")
    return found


def _unsupported(value: Any) -> TypeError:
    return TypeError(f"Unsupported type {type(value)}")


def _operand(value: Any) -> Any:
    """Return a kernel's argument, which may be an array or a scalar, as NumPy takes it."""
    if hasattr(value, "__cupy_get_ndarray__"):
        value = value.__cupy_get_ndarray__()
    if isinstance(value, ndarray):
        _check_device(value)
        return value._host
    if type(value) in (int, float, bool, complex) or isinstance(value, np.generic):
        return value
    raise _unsupported(value)


def _output(value: Any) -> Any:
    """Return an array that a kernel is to write to as NumPy takes it; None stays None."""
    if value is not None and _operand(value) is value:
        raise TypeError("Output arguments type must be cupy.ndarray")
    return None if value is None else _operand(value)


def _new(host: Any, device: int | None = None, base: "ndarray | None" = None) -> "ndarray":
    """Return a NumPy array as one of ours, of the current device unless told otherwise."""
    array = object.__new__(ndarray)
    array._device_id = _driver.get_current() if device is None else device
    array._host = np.asarray(host)
    _check_dtype(array._host.dtype)
    array._base = base
    return array


def _view(host: Any, of: "ndarray") -> "ndarray":
    return _new(host, of._device_id, of if of._base is None else of._base)


def _poison(host: Host) -> Host:
    """Fill memory that nobody has written to yet with what will be noticed."""
    host.fill(np.iinfo(host.dtype).max if host.dtype.kind in "iu" else np.nan)
    return host


def _wrap(result: Any, views_of: list["ndarray"] | None = None) -> Any:
    """Return what NumPy gave with our arrays in place of its arrays and scalars.

    Given `views_of`, results are expected to be views of those arrays; one that is not has been
    copied, which takes a kernel.
    """
    if isinstance(result, tuple | list):
        items = [_wrap(each, views_of) for each in result]
        return items if type(result) is list else tuple(items)
    result = np.asarray(result)
    for array in views_of or ():
        if result is array._host:
            return array
        if not result.size or np.may_share_memory(result, array._host):
            return _view(result, array)
    for array in views_of or ():
        _check_device(array)
    return _new(result)


# The array ---------------------------------------------------------------------------------------


class Flags:
    """The flags that CuPy's arrays have; there is no ``writeable``."""

    def __init__(self, array: "ndarray") -> None:
        self.c_contiguous = array._host.flags.c_contiguous
        self.f_contiguous = array._host.flags.f_contiguous
        self.fnc, self.forc = array._host.flags.fnc, array._host.flags.forc
        self.owndata = array.base is None

    def __getitem__(self, name: str) -> bool:
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return bool(getattr(self, name.lower()))


class ndarray:
    """An array on a device. It has what `cupy.ndarray` has, and lacks what that lacks."""

    __slots__ = ("__weakref__", "_base", "_device_id", "_host")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Any, dtype: Any = float, order: str = "C") -> None:
        self._device_id = _driver.get_current()
        self._host = _poison(np.empty(shape, _check_dtype(dtype), order))  # type: ignore[call-overload]
        self._base: ndarray | None = None

    # What is known without a kernel

    base = property(lambda self: self._base)
    data = property(lambda self: MemoryPointer(self._host.ctypes.data, self._device_id))
    device = property(lambda self: Device(self._device_id))
    dtype = property(lambda self: self._host.dtype)
    flags = property(Flags)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    strides = property(lambda self: self._host.strides)
    T = property(lambda self: self if self.ndim < 2 else self.transpose())
    mT = property(lambda self: self.swapaxes(-1, -2))
    real = property(lambda self: _view(self._host.real, self) if self.dtype.kind == "c" else self)

    @property
    def imag(self) -> "ndarray":
        if self.dtype.kind == "c":
            return _view(self._host.imag, self)
        return _new(np.zeros_like(self._host))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._host.shape)

    @shape.setter
    def shape(self, shape: Any) -> None:
        try:
            self._host = self._host.reshape(shape, copy=False)
        except ValueError:
            raise AttributeError("Incompatible shape for in-place modification.") from None

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator["ndarray"]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> "ndarray":
        shape = shape[0] if len(shape) == 1 else shape
        return _wrap(self._host.reshape(shape, order=order, copy=copy), [self])  # type: ignore[no-any-return, call-overload]

    def transpose(self, *axes: Any) -> "ndarray":
        return _view(self._host.transpose(*axes), self)

    def view(self, dtype: Any = None, type: Any = None) -> "ndarray":
        return _view(self._host.view() if dtype is None else self._host.view(dtype), self)

    # To the host, from anywhere

    def __array__(self, dtype: Any = None) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> Host:
        if out is None:
            return np.array(self._host, order=order)  # type: ignore[call-overload, no-any-return]
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if self.dtype != out.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")
        if self.shape != out.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {self.shape}, got: {out.shape}")
        out[...] = self._host
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if self.dtype != arr.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if self.shape != arr.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not self._host.flags.forc:
            raise RuntimeError("Cannot set to non-contiguous array")
        self._host[...] = arr

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._device_id  # 2 is CUDA

    def __dlpack__(self, **kwargs: Any) -> Any:
        raise BufferError("the stand-in for CuPy has no GPU memory to share")

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self._host.item()

    def tolist(self) -> Any:
        return self._host.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        return self._host.tobytes(order)

    def __bool__(self) -> bool:
        if not self.size:
            warnings.warn(
                "The truth value of an empty array is ambiguous.", DeprecationWarning, stacklevel=2
            )
            return False
        if self.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. "
                "Use a.any() or a.all()"
            )
        return bool(self._host.item())

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __complex__(self) -> complex:
        return complex(self._host)

    def __repr__(self) -> str:
        return repr(self._host)

    def __str__(self) -> str:
        return str(self._host)

    def __format__(self, spec: str) -> str:
        return format(self._host, spec)

    def __reduce__(self) -> tuple[Any, ...]:
        return array, (self.get(order="A"),)

    # Copies

    def _astype(self, dtype: Any, order: Any, copy: bool | None) -> "ndarray":
        dtype = np.dtype(dtype)
        same_order = order in (None, "K", "A") or self.flags[f"{order}_CONTIGUOUS"]
        if not copy and dtype == self.dtype and same_order:
            return self
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        if self.size:
            _check_device(self)
        with np.errstate(all="ignore"):
            return _new(self._host.astype(dtype, order=order or "K"))

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: Any = None,
        subok: Any = None,
        copy: bool = True,
    ) -> "ndarray":
        if casting is not None:
            raise TypeError("casting is not supported yet")
        if subok is not None:
            raise TypeError("subok is not supported yet")
        return self._astype(dtype, order, True if copy else None)

    def copy(self, order: str = "C") -> "ndarray":
        """Return a copy on the current device, wherever the array is."""
        moves = self.size and self._device_id != _driver.get_current()
        if moves and order in (None, "K") and not self._host.flags.forc:
            raise NotImplementedError("CuPy cannot copy non-contiguous array between devices.")
        return _new(np.array(self._host, order=order))  # type: ignore[call-overload]

    def __copy__(self) -> "ndarray":
        return self.copy()

    def __deepcopy__(self, memo: Any) -> "ndarray":
        with self.device:
            return self.copy()

    def flatten(self, order: Any = "C") -> "ndarray":
        return self.copy(order).ravel(order)  # type: ignore[attr-defined, no-any-return]

    # In place

    def fill(self, value: Any) -> None:
        _check_device(self)
        if isinstance(value, ndarray):
            if value.shape != ():
                raise ValueError("non-scalar cupy.ndarray cannot be used for fill")
            value = _operand(value)
        value = np.asarray(value, dtype=self.dtype)
        if value.shape != ():
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self._host.fill(value)

    def sort(self, axis: int = -1, kind: str | None = None) -> None:
        self[...] = _FUNCTIONS["sort"](self, axis, kind)

    def put(self, indices: Any, values: Any, mode: str = "wrap") -> None:
        if mode not in ("raise", "wrap", "clip"):
            raise ValueError("clipmode not understood")
        _check_device(self)
        values = array(values, dtype=self.dtype)
        np.put(self._host, _operand(array(indices)), _operand(values), mode)  # type: ignore[arg-type]

    # Indexing

    def _key(self, key: Any) -> tuple[tuple[Any, ...], bool]:
        """Return an index as NumPy takes it, and whether it makes a copy."""
        entries = list(key) if isinstance(key, tuple) else [key]
        axes = []  # how many axes each entry stands for
        for i, entry in enumerate(entries):
            if entry is None or entry is Ellipsis:
                axes.append(0)
            elif isinstance(entry, slice) or (
                isinstance(entry, int | np.integer) and not isinstance(entry, bool)
            ):
                axes.append(1)
            elif isinstance(entry, float | complex | str):
                raise IndexError(
                    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and "
                    "integer or boolean arrays are valid indices"
                )
            else:
                entry = array(entry, copy=None) if not isinstance(entry, ndarray) else entry
                if isinstance(entries[i], list | tuple) and not entry.size:
                    entry = entry.astype(np.int32)
                if entry.dtype.kind not in "biu":
                    raise IndexError(
                        "arrays used as indices must be of integer or boolean type. "
                        f"(actual: {entry.dtype.type})"
                    )
                entries[i] = _operand(entry)
                axes.append(entry.ndim if entry.dtype.kind == "b" else 1)
        if not any(entry is Ellipsis for entry in entries):
            entries.append(Ellipsis)
            axes.append(0)
        copies, axis = False, 0
        for i, entry in enumerate(entries):
            if isinstance(entry, np.ndarray):
                copies = True
                if entry.dtype.kind != "b" and axis < self.ndim and self.shape[axis]:
                    entries[i] = entry % self.shape[axis]  # what is out of bounds wraps around
            axis += axes[i] if entry is not Ellipsis else max(self.ndim - sum(axes), 0)
        return tuple(entries), copies

    def __getitem__(self, key: Any) -> "ndarray":
        entries, copies = self._key(key)
        if not copies:
            return _view(self._host[entries], self)
        _check_device(self)
        return _new(np.array(self._host[entries], order="C"))

    def __setitem__(self, key: Any, value: Any) -> None:
        _check_device(self)
        entries, copies = self._key(key)
        if not copies:
            target = _view(self._host[entries], self)
            if not isinstance(value, ndarray):
                target.fill(value)
                return
            with np.errstate(all="ignore"):
                target._host[...] = _operand(value)
            return
        values = self._values(value)
        places = np.arange(self.size).reshape(self.shape)[entries]
        if isinstance(value, ndarray):  # it may have more axes, if their length is one
            values = values.reshape(values.shape[max(values.ndim - places.ndim, 0) :])
        values = np.broadcast_to(values, places.shape)
        if any(isinstance(each, np.ndarray) and each.dtype != bool for each in entries):
            # Which value stays where an index is repeated is undefined; it is the last in NumPy,
            # so that here it is the first
            backwards = (slice(None, None, -1),) * places.ndim
            values, places = values[backwards], places[backwards]
            entries = np.unravel_index(places, self.shape)
        self._host[entries] = values

    def _values(self, value: Any) -> Any:
        """Return what is to be stored at indices, where CuPy casts whatever it is given."""
        if not isinstance(value, ndarray):
            value = array(value, dtype=self.dtype)
        return _operand(value.astype(self.dtype, copy=False))

    def _scatter_op(self, slices: Any, value: Any, op: str) -> None:
        name, dtypes = _SCATTER[op]
        _check_device(self)
        entries, copies = self._key(slices)
        if not copies:
            target = self[slices]
            _FUNCTIONS[name](target, value, target)
            return
        masked = all(each.dtype == bool for each in entries if isinstance(each, np.ndarray))
        if not masked and self.dtype.name not in dtypes:
            raise TypeError(f"cupy.{name}.at only supports {', '.join(dtypes)} as data type")
        getattr(np, name).at(self._host, entries, self._values(value))

    # Foreign functions

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.get("out", ())
        if out:
            if len(out) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            kwargs["out"] = out[0]
        name = ufunc.__name__
        function = _FUNCTIONS.get(name) or _special(name)
        if method != "__call__":
            function = getattr(function, method, None)
        if function is None:
            return NotImplemented
        for each in (*inputs, *out):
            if not isinstance(each, ndarray | np.ndarray | np.generic) and type(each) not in (
                int,
                float,
                bool,
                complex,
            ):
                return NotImplemented
        if name in _COMPARISONS.values():  # to which NumPy hands its scalars as arrays
            inputs = tuple(
                each.item() if isinstance(each, np.ndarray) and not each.ndim else each
                for each in inputs
            )
        return function(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module: Any = {"numpy": _FUNCTIONS, "numpy.linalg": _LINALG, "numpy.fft": _FFT}.get(
            func.__module__, {}
        )
        function = module.get(func.__name__)
        if function is None or not all(issubclass(each, ndarray | np.ndarray) for each in types):
            return NotImplemented
        return function(*args, **kwargs)


_COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}


def _defers(x: ndarray, y: Any) -> bool:
    """Return whether ``x <op> y`` is left to y's reflected operator: NEP 13, as CuPy reads it."""
    if hasattr(y, "__array_ufunc__"):
        return y.__array_ufunc__ is None
    return bool(x.__array_priority__ < getattr(y, "__array_priority__", 0))


def _define_operators() -> None:
    """Give the array its operators.

    As in CuPy, an operator with another array is our ufunc's business; with anything else NumPy's
    ufunc is called, which finds our ``__array_ufunc__``. The reflected ones are the last chance
    that Python gives, and the in-place ones never defer.
    """

    def binary(ufunc: "ufunc") -> tuple[Any, Any, Any]:
        def forward(x: ndarray, y: Any) -> Any:
            if isinstance(y, ndarray):
                return ufunc(x, y)
            return NotImplemented if _defers(x, y) else ufunc.numpy(x, y)

        def reflected(y: ndarray, x: Any) -> Any:
            return ufunc(x, y)

        def in_place(x: ndarray, y: Any) -> Any:
            return ufunc(x, y, x)

        return forward, reflected, in_place

    for operator_name, name in {
        "add": "add",
        "sub": "subtract",
        "mul": "multiply",
        "truediv": "true_divide",
        "floordiv": "floor_divide",
        "mod": "remainder",
        "pow": "power",
        "lshift": "left_shift",
        "rshift": "right_shift",
        "and": "bitwise_and",
        "or": "bitwise_or",
        "xor": "bitwise_xor",
    }.items():
        for prefix, method in zip(("", "r", "i"), binary(_FUNCTIONS[name]), strict=True):
            setattr(ndarray, f"__{prefix}{operator_name}__", method)

    for operator_name, name in {"divmod": "divmod", "matmul": "matmul"}.items():
        forward, reflected, _ = binary(_FUNCTIONS[name])  # there is no @=, it makes a new array
        setattr(ndarray, f"__{operator_name}__", forward)
        setattr(ndarray, f"__r{operator_name}__", reflected)

    for operator_name, name in {
        "neg": "negative",
        "pos": "positive",
        "abs": "absolute",
        "invert": "invert",
    }.items():
        setattr(ndarray, f"__{operator_name}__", lambda x, name=name: _FUNCTIONS[name](x))

    def comparison(ufunc: "ufunc", never: bool | None) -> Any:
        def compare(x: ndarray, y: Any) -> Any:
            if isinstance(y, ndarray):
                return ufunc(x, y)
            if _defers(x, y):
                return NotImplemented
            equality: Any = type(y).__eq__
            if never is not None and (y is None or equality is object.__eq__):
                return _new(np.full(x.shape, never))  # such an object equals no number
            return ufunc.numpy(x, y)

        return compare

    for operator_name, name in _COMPARISONS.items():
        never = {"eq": False, "ne": True}.get(operator_name)
        setattr(ndarray, f"__{operator_name}__", comparison(_FUNCTIONS[name], never))


# Ufuncs ------------------------------------------------------------------------------------------


class ufunc:
    """A universal function: NumPy's, with CuPy's checks and CuPy's fewer options."""

    def __init__(self, name: str, numpy_ufunc: Any) -> None:
        self.name = self.__name__ = name
        self.numpy = numpy_ufunc
        self.nin, self.nout, self.nargs = numpy_ufunc.nin, numpy_ufunc.nout, numpy_ufunc.nargs

    def __repr__(self) -> str:
        return f"<ufunc {self.name!r}>"

    @_kernel
    def __call__(
        self,
        *args: Any,
        out: Any = None,
        dtype: Any = None,
        casting: Any = "same_kind",
        **kwargs: Any,
    ) -> Any:
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        outs = args[self.nin :]
        if out is not None:
            if outs:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            outs = out if isinstance(out, tuple) else (out,)
            if len(outs) != self.nout:
                raise ValueError("'out' must be a tuple of arrays, one per ufunc output")
        _driver.get_current()
        operands = [_operand(each) for each in args[: self.nin]]
        outputs = [_output(each) for each in outs] + [None] * (self.nout - len(outs))
        given = [each for each in outputs if each is not None]
        shape = np.broadcast_shapes(*(np.shape(each) for each in (*operands, *given)))
        if any(each.shape != shape for each in given):
            raise ValueError("Out shape is mismatched")
        with np.errstate(all="ignore"):  # a GPU warns of nothing
            results = self.numpy(
                *operands, out=tuple(outputs), dtype=dtype, casting=casting, order="C"
            )
        if self.nout == 1:
            return outs[0] if given else _new(results)
        return tuple(
            _new(result) if output is None else outs[i]
            for i, (result, output) in enumerate(zip(results, outputs, strict=True))
        )

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        A, B = array(A), array(B)
        return self(A.reshape(A.shape + (1,) * B.ndim), B, **kwargs)

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        op = {name: op for op, (name, _) in _SCATTER.items()}.get(self.name.removeprefix("cupy_"))
        if op is None:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        a._scatter_op(indices, b, op)

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        method = {"cupy_add": "sum", "cupy_multiply": "prod"}.get(self.name)
        if method is None:
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return getattr(array, method)(axis, dtype, out, keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        method = {"cupy_add": "cumsum", "cupy_multiply": "cumprod"}.get(self.name)
        if method is None:
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return getattr(array, method)(axis, dtype, out)


# NumPy's name for each, which is CuPy's own name too, and CuPy's other names
_UFUNCS = """
absolute/abs add arccos/acos arccosh/acosh arcsin/asin arcsinh/asinh arctan/atan arctan2/atan2
arctanh/atanh bitwise_and bitwise_count bitwise_or bitwise_xor cbrt ceil conjugate/conj copysign
cos cosh deg2rad/radians divmod equal exp exp2 expm1 fabs float_power floor floor_divide fmax fmin
fmod frexp gcd greater greater_equal heaviside hypot invert/bitwise_not/bitwise_invert isfinite
isinf isnan lcm ldexp left_shift/bitwise_left_shift less less_equal log log10 log1p log2 logaddexp
logaddexp2 logical_and logical_not logical_or logical_xor maximum minimum modf multiply negative
nextafter not_equal positive power/pow rad2deg/degrees reciprocal remainder/mod
right_shift/bitwise_right_shift rint sign signbit sin sinh sqrt square subtract tan tanh
true_divide/divide trunc
"""

# The ufuncs with ``at``, by CuPy's name of the operation, and the dtypes that have atomics for it
_SCATTER = {
    "add": ("add", ("int32", "int64", "float16", "float32", "float64", "uint32", "uint64")),
    "sub": ("subtract", ("int32", "uint32")),
    "max": ("maximum", ("int32", "int64", "float32", "float64", "uint32", "uint64")),
    "min": ("minimum", ("int32", "int64", "float32", "float64", "uint32", "uint64")),
    "and": ("bitwise_and", ("int32", "int64", "uint32", "uint64")),
    "or": ("bitwise_or", ("int32", "int64", "uint32", "uint64")),
    "xor": ("bitwise_xor", ("int32", "int64", "uint32", "uint64")),
}


def _special(name: str) -> ufunc | None:
    """Return a ufunc of cupyx.scipy.special, computed by SciPy, if that is installed."""
    try:
        import scipy.special
    except ImportError:
        return None
    own = scipy.special._ufuncs
    found = own._zeta if name == "zeta" else getattr(scipy.special, name, None)
    return ufunc(f"cupyx_scipy_special_{name}", found) if isinstance(found, np.ufunc) else None


# Functions, made from their signatures -----------------------------------------------------------
#
# The lists are CuPy's signatures, annotated with what CuPy takes for an array argument. The rest
# is the same for every function: bind the arguments, unwrap them, call NumPy, wrap the result.
#
#   Self      an array, whose method or attribute CuPy goes straight for
#   Array     an array
#   Arrays    a sequence of arrays
#   Peer      an array on whatever device: only its shape and dtype are looked at
#   Operand   an array, a scalar, or None
#   Indices   an array, a scalar, a list, or a NumPy array;  Counts: all but the last
#   Matrix, Only, Out    an array, or else an exception of a type of its own


def _take(kind: str, value: Any, argument: str, function: str, arrays: list[ndarray]) -> Any:
    """Return an argument as NumPy takes it, having added the arrays in it to `arrays`."""
    if isinstance(value, ndarray):
        arrays.append(value)
        return value._host
    if value is None and kind in ("Operand", "Out"):
        return None
    if kind == "Arrays" and isinstance(value, str):  # the subscripts of einsum
        return value
    if kind == "Arrays" and isinstance(value, list | tuple):
        items = [_take("Operand", each, argument, function, arrays) for each in value]
        if not all(isinstance(each, np.ndarray) for each in items):
            raise TypeError("Only cupy arrays can be concatenated")
        return items
    if kind == "Matrix":
        raise np.linalg.LinAlgError("cupy.linalg only supports cupy.ndarray")
    if isinstance(value, np.ndarray) and kind != "Indices":
        raise _unsupported(value)
    if kind in ("Indices", "Counts"):
        return np.asarray(value, dtype=int)
    if kind == "Operand":
        return _operand(value)
    if kind in ("Self", "Peer"):
        attribute = function if hasattr(ndarray, function) else "ndim"
        raise AttributeError(f"{type(value).__name__!r} object has no attribute {attribute!r}")
    if kind == "Only":
        raise NotImplementedError(f"Only int or ndarray are supported for {argument}")
    if kind == "Out":
        raise TypeError("Output arguments type must be cupy.ndarray")
    raise TypeError(
        f"Argument {argument!r} has incorrect type "
        f"(expected cupy._core.core._ndarray_base, got {type(value).__name__})"
    )


def _function(line: str, module: Any, own: dict[str, Any], views: bool) -> Any:
    """Return the function of a line such as ``sum(a: Self, axis=None)``."""
    name = line.partition("(")[0]
    space: dict[str, Any] = {}
    exec(f"from __future__ import annotations\ndef {line}: ...", space)
    signature = inspect.signature(space[name])
    parameters = signature.parameters
    kinds = {p.name: p.annotation for p in parameters.values() if p.annotation is not p.empty}
    variadic = {p.name for p in parameters.values() if p.kind is p.VAR_POSITIONAL}
    call = own.get(name) or getattr(module, name)
    by_name = name in own and not variadic

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments
        out = given.get("out")
        arrays: list[ndarray] = []
        for argument, kind in kinds.items():
            if argument not in given:
                continue
            value = given[argument]
            found = [] if kind == "Peer" else arrays
            if argument in variadic:
                value = tuple(_take(kind, each, argument, name, found) for each in value)
            else:
                value = _take(kind, value, argument, name, found)
            given[argument] = value
        if not views:
            _driver.get_current()
            for each in arrays:
                _check_device(each)
        with np.errstate(all="ignore"):
            result = call(**given) if by_name else call(*bound.args, **bound.kwargs)
        return _wrap(result, arrays if views else None) if out is None else out

    function = _kernel(function)
    if name in _CUBLAS or (module is np.linalg and name != "norm"):
        function = _waits(function, _NO_CUBLAS)
    if name in _JOINS:
        function = _joins(function)
    function.__name__ = function.__qualname__ = name
    function.__module__ = "cupy"
    function.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[p.replace(annotation=p.empty) for p in parameters.values()]
    )
    return function


def _functions(
    lines: str, module: Any = np, own: dict[str, Any] | None = None, views: bool = False
) -> dict[str, Any]:
    made = [_function(line, module, own or {}, views) for line in lines.split("\n") if line]
    return {each.__name__: each for each in made}


_VIEW_LINES = """
reshape(a: Self, newshape, order='C', *, copy=None)
ravel(a: Self, order='C')
transpose(a: Self, axes=None)
permute_dims(a: Self, axes=None)
matrix_transpose(x: Self, /)
swapaxes(a: Self, axis1, axis2)
moveaxis(a: Array, source, destination)
rollaxis(a: Array, axis, start=0)
expand_dims(a: Array, axis)
squeeze(a: Self, axis=None)
broadcast_to(array: Array, shape)
broadcast_arrays(*args: Array)
atleast_1d(*arys: Array)
atleast_2d(*arys: Array)
atleast_3d(*arys: Array)
flip(a: Self, axis=None)
fliplr(a: Self)
flipud(a: Self)
rot90(a: Self, k=1, axes=(0, 1))
diagonal(a: Self, offset=0, axis1=0, axis2=1)
split(ary: Self, indices_or_sections, axis=0)
array_split(ary: Array, indices_or_sections, axis=0)
hsplit(ary: Self, indices_or_sections)
vsplit(ary: Self, indices_or_sections)
dsplit(ary: Self, indices_or_sections)
ascontiguousarray(a: Array, dtype=None)
asfortranarray(a: Array, dtype=None)
real(val: Array)
imag(val: Array)
"""

_LINES = """
empty(shape, dtype=float, order='C')
zeros(shape, dtype=float, order='C')
ones(shape, dtype=float, order='C')
full(shape, fill_value: Operand, dtype=None, order='C')
empty_like(prototype: Peer, dtype=None, order='K', subok=None, shape=None)
zeros_like(a: Peer, dtype=None, order='K', subok=None, shape=None)
ones_like(a: Peer, dtype=None, order='K', subok=None, shape=None)
full_like(a: Peer, fill_value: Operand, dtype=None, order='K', subok=None, shape=None)
eye(N, M=None, k=0, dtype=float, order='C')
identity(n, dtype=float)
arange(start, stop=None, step=1, dtype=None)
linspace(start: Operand, stop: Operand, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
logspace(start: Operand, stop: Operand, num=50, endpoint=True, base=10.0, dtype=None, axis=0)
tri(N, M=None, k=0, dtype=float)
indices(dimensions, dtype=int)
tril_indices(n, k=0, m=None)
triu_indices(n, k=0, m=None)
diag_indices(n, ndim=2)
hanning(M)
hamming(M)
diag(v: Array, k=0)
tril(m: Array, k=0)
triu(m: Array, k=0)
meshgrid(*xi: Array, **kwargs)
concatenate(tup: Arrays, axis=0, out: Out=None, *, dtype=None, casting='same_kind')
concat(tup: Arrays, axis=0, out: Out=None, *, dtype=None, casting='same_kind')
stack(tup: Arrays, axis=0, out: Out=None, *, dtype=None, casting='same_kind')
hstack(tup: Arrays, *, dtype=None, casting='same_kind')
vstack(tup: Arrays, *, dtype=None, casting='same_kind')
dstack(tup: Arrays)
column_stack(tup: Arrays)
tile(A: Array, reps)
repeat(a: Self, repeats: Counts, axis=None)
roll(a: Self, shift, axis=None)
pad(array: Self, pad_width, mode='constant', **kwargs)
append(arr: Array, values: Array, axis=None)
unique_all(x: Self)
unique_counts(x: Self)
unique_inverse(x: Self)
unique_values(x: Self)
unique(ar: Self, return_index=False, return_inverse=False, return_counts=False, axis=None, *,\
 equal_nan=True)
sum(a: Self, axis=None, dtype=None, out: Out=None, keepdims=False)
prod(a: Self, axis=None, dtype=None, out: Out=None, keepdims=False)
mean(a: Self, axis=None, dtype=None, out: Out=None, keepdims=False)
var(a: Self, axis=None, dtype=None, out: Out=None, ddof=0, keepdims=False)
std(a: Self, axis=None, dtype=None, out: Out=None, ddof=0, keepdims=False)
amax(a: Self, axis=None, out: Out=None, keepdims=False)
amin(a: Self, axis=None, out: Out=None, keepdims=False)
max(a: Self, axis=None, out: Out=None, keepdims=False)
min(a: Self, axis=None, out: Out=None, keepdims=False)
ptp(a: Self, axis=None, out: Out=None, keepdims=False)
all(a: Array, axis=None, out: Out=None, keepdims=False)
any(a: Array, axis=None, out: Out=None, keepdims=False)
nansum(a: Array, axis=None, dtype=None, out: Out=None, keepdims=False)
nanprod(a: Array, axis=None, dtype=None, out: Out=None, keepdims=False)
nanmax(a: Array, axis=None, out: Out=None, keepdims=False)
nanmin(a: Array, axis=None, out: Out=None, keepdims=False)
nanmean(a: Self, axis=None, dtype=None, out: Out=None, keepdims=False)
median(a: Array, axis=None, out: Out=None, overwrite_input=False, keepdims=False)
average(a: Array, axis=None, weights: Operand=None, returned=False, *, keepdims=False)
cumsum(a: Array, axis=None, dtype=None, out: Out=None)
cumprod(a: Array, axis=None, dtype=None, out: Out=None)
cumulative_sum(x: Array, /, *, axis=None, dtype=None, out: Out=None, include_initial=False)
cumulative_prod(x: Array, /, *, axis=None, dtype=None, out: Out=None, include_initial=False)
diff(a: Array, n=1, axis=-1, prepend: Operand=None, append: Operand=None)
trapezoid(y: Array, x: Operand=None, dx=1.0, axis=-1)
argmax(a: Self, axis=None, dtype=None, out: Out=None, keepdims=False)
argmin(a: Self, axis=None, dtype=None, out: Out=None, keepdims=False)
argsort(a: Self, axis=-1, kind=None)
sort(a: Self, axis=-1, kind=None)
argpartition(a: Self, kth, axis=-1)
partition(a: Self, kth, axis=-1)
searchsorted(a: Only, v: Only, side='left', sorter: Operand=None)
nonzero(a: Array)
flatnonzero(a: Array)
argwhere(a: Array)
count_nonzero(a: Array, axis=None)
where(condition: Self, x: Operand=None, y: Operand=None)
clip(a: Self, a_min: Operand, a_max: Operand, out: Out=None)
around(a: Array, decimals=0, out: Out=None)
round(a: Array, decimals=0, out: Out=None)
nan_to_num(x: Operand, copy=True, nan=0.0, posinf=None, neginf=None)
angle(z: Operand, deg=False)
sinc(x: Operand)
i0(x: Operand)
isclose(a: Operand, b: Operand, rtol=1e-05, atol=1e-08, equal_nan=False)
allclose(a: Operand, b: Operand, rtol=1e-05, atol=1e-08, equal_nan=False)
array_equal(a1: Self, a2: Self, equal_nan=False)
isin(element: Self, test_elements: Self, assume_unique=False, invert=False)
take(a: Self, indices: Indices, axis=None, out: Out=None)
take_along_axis(a: Self, indices: Self, axis)
compress(condition: Indices, a: Self, axis=None, out: Out=None)
bincount(x: Self, weights: Operand=None, minlength=None)
dot(a: Self, b: Array, out: Out=None)
vdot(a: Self, b: Self)
inner(a: Self, b: Self)
outer(a: Self, b: Self, out: Out=None)
kron(a: Operand, b: Operand)
tensordot(a: Self, b: Self, axes=2)
cross(a: Array, b: Array, axisa=-1, axisb=-1, axisc=-1, axis=None)
trace(a: Self, offset=0, axis1=0, axis2=1, dtype=None, out: Out=None)
einsum(*operands: Arrays, **kwargs)
matmul(*args: Array, axes=None, axis=None, keepdims=False, casting='same_kind', dtype=None,\
 signature=None, order='K', out: Out=None)
"""

# The methods that are functions too: the same ones, or with CuPy's other order of arguments
_SHARED_METHODS = """
sum prod mean var std max min ptp all any argsort argpartition cumsum cumprod round trace take
repeat nonzero searchsorted dot swapaxes squeeze ravel diagonal
"""
_METHOD_LINES = """
argmax(a: Array, axis=None, out: Out=None, dtype=None, keepdims=False)
argmin(a: Array, axis=None, out: Out=None, dtype=None, keepdims=False)
clip(a: Array, min: Operand=None, max: Operand=None, out: Out=None)
conj(a: Array)
conjugate(a: Array)
"""

_LINALG_LINES = """
cholesky(a: Matrix)
cond(x: Self, p=None)
cross(x1: Self, x2: Self, /, *, axis=-1)
det(a: Self)
eig(a: Matrix)
eigh(a: Matrix, UPLO='L')
eigvals(a: Matrix)
eigvalsh(a: Matrix, UPLO='L')
inv(a: Matrix)
lstsq(a: Matrix, b: Matrix, rcond=None)
matrix_power(M: Matrix, n)
matrix_rank(M: Matrix, tol=None)
norm(x: Self, ord=None, axis=None, keepdims=False)
pinv(a: Matrix, rcond: Operand=1e-15)
qr(a: Matrix, mode='reduced')
slogdet(a: Self)
solve(a: Matrix, b: Matrix)
svd(a: Matrix, full_matrices=True, compute_uv=True)
tensorinv(a: Matrix, ind=2)
tensorsolve(a: Matrix, b: Matrix, axes=None)
"""

_FFT_LINES = """
fft(a: Array, n=None, axis=-1, norm=None)
ifft(a: Array, n=None, axis=-1, norm=None)
rfft(a: Array, n=None, axis=-1, norm=None)
irfft(a: Array, n=None, axis=-1, norm=None)
hfft(a: Array, n=None, axis=-1, norm=None)
ihfft(a: Array, n=None, axis=-1, norm=None)
fft2(a: Array, s=None, axes=(-2, -1), norm=None)
ifft2(a: Array, s=None, axes=(-2, -1), norm=None)
rfft2(a: Array, s=None, axes=(-2, -1), norm=None)
irfft2(a: Array, s=None, axes=(-2, -1), norm=None)
fftn(a: Array, s=None, axes=None, norm=None)
ifftn(a: Array, s=None, axes=None, norm=None)
rfftn(a: Array, s=None, axes=None, norm=None)
irfftn(a: Array, s=None, axes=None, norm=None)
fftshift(x: Array, axes=None)
ifftshift(x: Array, axes=None)
fftfreq(n, d=1.0)
rfftfreq(n, d=1.0)
"""

_STRIDE_LINES = """
as_strided(x: Array, shape=None, strides=None)
sliding_window_view(x: Array, window_shape, axis=None, *, subok=False, writeable=False)
"""


# Where NumPy's function of that name does otherwise ----------------------------------------------


def _like(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return an ``empty_like`` or its like without `subok`, which CuPy does not support."""

    def like(subok: Any = None, **kwargs: Any) -> Any:
        if subok is not None:
            raise TypeError("subok is not supported yet")
        prototype = kwargs.pop("prototype") if "prototype" in kwargs else kwargs.pop("a")
        return function(prototype, subok=False, **kwargs)

    return like


def _extremum(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return argmax or argmin with the dtype that CuPy's have."""

    def extremum(dtype: Any = None, **kwargs: Any) -> Any:
        return np.asarray(function(**kwargs)).astype(dtype or np.int64)

    return extremum


def _sorted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a sorting function, of which CuPy has but one kind."""

    def sort(a: Any, axis: Any = -1, kind: str | None = None) -> Any:
        if kind not in (None, "stable"):
            raise ValueError("kind can only be None or 'stable'")
        return function(a, axis=axis, kind="stable")

    return sort


def _solver(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives NaN where NumPy's raises LinAlgError, as CuPy's does not."""

    def solve(a: Any, b: Any = None) -> Any:
        if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
            raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
        if b is not None and b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:  # nothing broadcasts
            raise ValueError(
                "a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b"
            )
        operands = (a,) if b is None else (a, b)
        try:
            return function(*operands)
        except np.linalg.LinAlgError:
            return np.full(operands[-1].shape, np.nan, np.result_type(*operands, np.float32))

    return solve


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that doesn't warn of an empty slice."""

    def quiet(**kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return function(**kwargs)

    return quiet


def _einsum(*operands: Any, dtype: Any = None, optimize: Any = False) -> Any:
    return np.einsum(*operands, dtype=dtype, optimize=optimize)


def _diagonal(a: Any, **kwargs: Any) -> Any:
    diagonal = np.diagonal(a, **kwargs)
    diagonal.flags.writeable = a.flags.writeable  # NumPy's is read-only, CuPy's is not
    return diagonal


def _take_along_axis(a: Any, indices: Any, axis: Any) -> Any:
    size = a.size if axis is None else a.shape[axis]
    return np.take_along_axis(a, indices % size if size else indices, axis)


def _broadcast_arrays(*args: Any) -> Any:
    shape = np.broadcast_shapes(*(each.shape for each in args))
    return tuple(np.broadcast_to(each, shape) for each in args)


_OWN: dict[str, Any] = {
    "empty": lambda **kwargs: _poison(np.empty(**kwargs)),
    "empty_like": _like(lambda *args, **kwargs: _poison(np.empty_like(*args, **kwargs))),
    "zeros_like": _like(np.zeros_like),
    "ones_like": _like(np.ones_like),
    "full_like": _like(np.full_like),
    "argmax": _extremum(np.argmax),
    "argmin": _extremum(np.argmin),
    "argsort": _sorted(np.argsort),
    "sort": _sorted(np.sort),
    "take": functools.partial(np.take, mode="wrap"),
    "take_along_axis": _take_along_axis,
    "diagonal": _diagonal,
    "broadcast_arrays": _broadcast_arrays,
    "einsum": _einsum,
    **{name: _quiet(getattr(np, name)) for name in ("mean", "var", "std", "nanmean", "median")},
    "imag": lambda val: val.imag if val.dtype.kind == "c" else np.zeros_like(val),
}
_OWN_LINALG = {
    "inv": _solver(np.linalg.inv),
    "solve": _solver(np.linalg.solve),
    "cholesky": _solver(np.linalg.cholesky),
}

_FUNCTIONS: dict[str, Any] = {
    **_functions(_LINES, own=_OWN),
    **_functions(_VIEW_LINES, own=_OWN, views=True),
}
for _names in _UFUNCS.split():
    _own_name, *_others = _names.split("/")
    _ufunc = ufunc(f"cupy_{_own_name}", getattr(np, _own_name))
    _FUNCTIONS |= dict.fromkeys((_own_name, *_others), _ufunc)
_FUNCTIONS["matmul"].numpy = np.matmul
_LINALG = _functions(_LINALG_LINES, np.linalg, _OWN_LINALG)
_FFT = _functions(_FFT_LINES, np.fft)

_KERNELS = "_astype copy fill put __getitem__ __setitem__ _scatter_op reshape"
_WAITING = "get set item tolist tobytes __bool__ __int__ __float__ __complex__"
for _name in _KERNELS.split():
    setattr(ndarray, _name, _kernel(getattr(ndarray, _name)))
for _name in _WAITING.split():
    setattr(ndarray, _name, _waits(getattr(ndarray, _name)))
for _name in _SHARED_METHODS.split():
    setattr(ndarray, _name, _FUNCTIONS[_name])
for _name, _method in _functions(_METHOD_LINES, own=_OWN).items():
    setattr(ndarray, _name, _method)
_define_operators()


# Functions of no signature above -----------------------------------------------------------------


@_kernel
def array(
    obj: Any,
    dtype: Any = None,
    copy: bool | None = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """Return an object as an array on the current device."""
    if subok:
        raise NotImplementedError
    if hasattr(obj, "__cupy_get_ndarray__"):
        obj = obj.__cupy_get_ndarray__()
    if isinstance(obj, ndarray):
        dtype = obj.dtype if dtype is None else dtype
        if obj._device_id == _driver.get_current():
            result = obj._astype(dtype, order, copy)
        else:
            result = obj.copy(order or "K")._astype(dtype, "K", None)
        return result if ndmin <= result.ndim else result[(None,) * (ndmin - result.ndim)]
    if isinstance(obj, list | tuple) and obj and _all_arrays(obj):
        host = np.array(_hosts(obj), dtype)
    else:
        host = _from_host(obj, dtype, order or "K")
    host = host.astype(host.dtype.newbyteorder("="), copy=False)
    return _new(host.reshape((1,) * (ndmin - host.ndim) + host.shape))


@_waits
def _from_host(obj: Any, dtype: Any, order: str) -> Host:
    return np.array(obj, dtype, order=order)  # type: ignore[call-overload, no-any-return]


def _all_arrays(obj: Any) -> bool:
    if isinstance(obj, list | tuple):
        return bool(obj) and all(_all_arrays(each) for each in obj)
    return isinstance(obj, ndarray)


def _hosts(obj: Any) -> Any:
    return [_hosts(each) for each in obj] if isinstance(obj, list | tuple) else _operand(obj)


def asarray(
    a: Any,
    dtype: Any = None,
    order: Any = None,
    *,
    copy: bool | None = None,
    blocking: bool = False,
) -> ndarray:
    """Return an object as an array on the current device; itself, if it is one."""
    return array(a, dtype, copy, order)


def astype(x: Any, dtype: Any, /, *, copy: bool = True) -> ndarray:
    """Return an array in another dtype."""
    if not isinstance(x, ndarray):
        raise TypeError(f"Input should be a CuPy array. It is a {type(x)} instead.")
    return x.astype(dtype, copy=copy)


def _copy(a: Any, order: str = "K") -> Any:
    return a.copy(order=order)


def asnumpy(
    a: Any, stream: Any = None, order: Any = "C", out: Any = None, *, blocking: bool = True
) -> Host:
    """Return anything as a NumPy array."""
    if isinstance(a, ndarray):
        return a.get(stream, order, out, blocking)
    host = np.asarray(a, order=order)
    if out is None:
        return host
    out[...] = host
    return out  # type: ignore[no-any-return]


def get_array_module(*args: Any) -> types.ModuleType:
    """Return the stand-in if one of the arguments is one of its arrays, else NumPy."""
    ours = any(isinstance(each, ndarray) for each in args)
    return sys.modules["cupy"] if ours else np


def result_type(*arrays_and_dtypes: Any) -> Any:
    """Return the dtype that arrays, scalars and dtypes are promoted to."""
    return np.result_type(
        *(each.dtype if isinstance(each, ndarray) else each for each in arrays_and_dtypes)
    )


def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """Return whether a dtype, or an array's, can be cast to another."""
    return np.can_cast(from_.dtype if isinstance(from_, ndarray) else from_, to, casting)


@_kernel
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = None) -> None:
    """Write an array or a scalar to an array, perhaps only where a mask is true."""
    _check_device(dst)
    mask = True if where is None else _operand(where)
    np.copyto(dst._host, _operand(src), casting, mask)


@_kernel
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    """Write values at indices along an axis."""
    _check_device(arr)
    indices = _operand(indices) % (arr.size if axis is None else arr.shape[axis])
    np.put_along_axis(arr._host, indices, _operand(values), axis)


def _shares(function: Any) -> Any:
    def shares(a: Any, b: Any, max_work: Any = None) -> Any:
        return function(a._host, b._host)

    return shares


def _host(x: Any) -> Any:
    """Return what functions look at that read no values, such as `ndim`."""
    return x._host if isinstance(x, ndarray) else x


def _scatter(op: str) -> Any:
    def scatter(a: Any, slices: Any, value: Any) -> None:
        warnings.warn(
            f"`ndarray.scatter_{op}` is deprecated. Please use `cupy.{_SCATTER[op][0]}.at` instead",
            DeprecationWarning,
            stacklevel=2,
        )
        a._scatter_op(slices, value, op)

    return scatter


for _op in ("add", "max", "min"):
    setattr(ndarray, f"scatter_{_op}", _scatter(_op))


class Unavailable:
    """What compiles CUDA code of a kind that the stand-in can't run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "the stand-in for CuPy runs ElementwiseKernel and RawKernel alone"
        )


class RawKernel:
    """A kernel in CUDA's own language, compiled for the host: see `tests.cuda_on_host`."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
        self.code, self.name, self.options, self.__name__ = code, name, options, name

    @_kernel
    def __call__(self, grid: Any, block: Any, args: Any) -> None:
        grid, block = (tuple(max(1, each) for each in dims) for dims in (grid, block))
        given = [_raw_argument(each) for each in args]
        if sum(map(ctypes.sizeof, given)) > 4096:  # CUDA 12.1 allows more, for cards since Volta
            raise CompileException(f"{self.name}: formal parameter space overflowed")
        cuda_on_host.launch(self.code, self.options, self.name, grid, block, given)


def _raw_argument(value: Any) -> Any:
    """Return a raw kernel's argument as it comes to the kernel: arrays are bare pointers."""
    if value is None:
        return ctypes.c_void_p(0)
    if isinstance(value, ndarray):
        return ctypes.c_void_p(_operand(value).ctypes.data)
    if type(value) in (bool, int, float):
        kinds: dict[type, Any] = {
            bool: ctypes.c_bool,
            int: ctypes.c_longlong,
            float: ctypes.c_double,
        }
        return kinds[type(value)](value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.size == 1):
        return (ctypes.c_char * value.nbytes).from_buffer_copy(value.tobytes())
    if isinstance(value, np.ndarray):
        raise TypeError(
            "You are trying to pass a numpy.ndarray of shape "
            f"{value.shape} as a kernel parameter. Only numpy.ndarrays of size one can be passed "
            "by value."
        )
    raise _unsupported(value)


# Elementwise kernels -----------------------------------------------------------------------------


class CompileException(Exception):
    """CUDA's compiler would refuse the kernel."""


class ParameterInfo:
    """A parameter of a kernel, such as ``T x`` or ``float32 y``."""

    def __init__(self, text: str) -> None:
        words = text.split()
        if len(words) < 2:
            raise Exception(f"Syntax error: {text}")
        *keywords, kind, self.name = words
        self.ctype = kind
        self.dtype = None if len(kind) == 1 else np.dtype(kind)
        if "raw" in keywords:
            raise NotImplementedError("the stand-in for CuPy has no raw parameters")
        for keyword in keywords:
            if keyword != "_non_const":
                raise Exception(f'Unknown keyword "{keyword}"')


def _parameters(text: str) -> tuple[ParameterInfo, ...]:
    return tuple(ParameterInfo(each) for each in text.strip().split(",")) if text else ()


class ElementwiseKernel:
    """A kernel of one's own, run by NumPy."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        reduce_dims: bool = True,
        preamble: str = "",
        no_return: bool = False,
        return_tuple: bool = False,
        **kwargs: Any,
    ) -> None:
        if not re.fullmatch(r"[a-zA-Z_]\w*", name):
            raise ValueError(f'Invalid kernel name: "{name}"')
        if preamble or kwargs.keys() - {"options"}:
            raise NotImplementedError("the stand-in for CuPy runs the body of a kernel alone")
        self.in_params, self.out_params = _parameters(in_params), _parameters(out_params)
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.nargs = self.nin + self.nout
        self.operation, self.name, self.__name__ = operation, name, name
        self.no_return, self.return_tuple = no_return, return_tuple
        if any(each.name == "i" for each in self.in_params + self.out_params):
            raise ValueError("Can not use 'i' as a parameter name")

    @_kernel
    def __call__(self, *args: Any, size: int = -1, stream: Any = None, **kwargs: Any) -> Any:
        if kwargs.pop("block_size", 128) <= 0:
            raise ValueError("block_size must be greater than zero")
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        _driver.get_current()
        operands = [_operand(each) for each in args]
        ours = [each for each in operands if isinstance(each, np.ndarray)]
        if size != -1:
            raise ValueError("Specified 'size' can be used only if all of the ndarray are 'raw'.")
        if not ours:
            raise ValueError("Loop size is undecided.")
        shape = np.broadcast_shapes(*(each.shape for each in ours))

        ins, outs = operands[: self.nin], operands[self.nin :]
        letters = self._bind(ins, outs)
        if outs:
            if not all(isinstance(each, np.ndarray) for each in outs):
                raise TypeError("Output arguments type must be cupy.ndarray")
            if any(each.shape != shape for each in outs):
                raise ValueError("Out shape is mismatched")
            results = args[self.nin :]
        else:
            results = tuple(
                ndarray(shape, each.dtype or letters[each.ctype]) for each in self.out_params
            )
            outs = [each._host for each in results]

        values = {}
        for parameter, value in zip(self.in_params, ins, strict=True):
            if not isinstance(value, np.ndarray):  # a scalar is cast, an array never
                value = np.asarray(value, parameter.dtype or letters[parameter.ctype])[()]
            values[parameter.name] = value
        written = {each.name: out for each, out in zip(self.out_params, outs, strict=True)}
        with np.errstate(all="ignore"):
            _Body(self.operation, values | written, set(written), letters).run()

        if self.no_return:
            return None
        return results[0] if self.nout == 1 and not self.return_tuple else tuple(results)

    def _bind(self, ins: list[Any], outs: list[Any]) -> dict[str, np.dtype[Any]]:
        """Return the dtype that each letter stands for: outputs first, scalars not at all."""
        letters: dict[str, np.dtype[Any]] = {}
        pairs = [*zip(self.out_params, outs, strict=False), *zip(self.in_params, ins, strict=True)]
        for parameter, value in pairs:
            if not isinstance(value, np.ndarray):
                continue
            if parameter.dtype is not None:
                if value.dtype != parameter.dtype:
                    raise TypeError(
                        f"Type is mismatched. {parameter.name} {value.dtype} {parameter.dtype}"
                    )
            elif letters.setdefault(parameter.ctype, value.dtype) != value.dtype:
                raise TypeError(
                    f"Type is mismatched. {parameter.name} {value.dtype} "
                    f"{letters[parameter.ctype]} {parameter.ctype}"
                )
        for parameter in self.in_params + self.out_params:
            if parameter.dtype is None and parameter.ctype not in letters:
                raise KeyError(parameter.ctype)  # as bare as CuPy's
        return letters


def _is_integer(*values: Any) -> bool:
    return all(np.asarray(each).dtype.kind in "iub" for each in values)


def _divide(a: Any, b: Any) -> Any:
    """Divide as C does: integers towards zero."""
    if not _is_integer(a, b):
        return operator.truediv(a, b)
    return np.sign(a) * np.sign(b) * (abs(a) // abs(b))


def _remainder(a: Any, b: Any) -> Any:
    return a - b * _divide(a, b)


def _elementwise(function: Callable[[float], float]) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        return np.vectorize(function, otypes=[float])(x).astype(np.result_type(x, np.float32))

    return call


_C_OPERATORS: list[dict[str, Callable[[Any, Any], Any]]] = [  # from the loosest to the tightest
    {"||": np.logical_or},
    {"&&": np.logical_and},
    {"|": operator.or_},
    {"^": operator.xor},
    {"&": operator.and_},
    {"==": operator.eq, "!=": operator.ne},
    {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge},
    {"<<": operator.lshift, ">>": operator.rshift},
    {"+": operator.add, "-": operator.sub},
    {"*": operator.mul, "/": _divide, "%": _remainder},
]
_C_ASSIGNMENTS = {
    f"{symbol}=": call for level in _C_OPERATORS[2:] for symbol, call in level.items()
}
_C_UNARY: dict[str, Callable[[Any], Any]] = {
    "-": operator.neg,
    "+": operator.pos,
    "!": np.logical_not,
    "~": operator.invert,
}
_C_OF_NUMPY = """
exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan sinh cosh tanh abs fabs floor ceil trunc
rint fmin fmax fmod hypot copysign isnan isinf isfinite signbit
"""
_C_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in _C_OF_NUMPY.split()},
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "pow": np.power,
    "min": np.minimum,
    "max": np.maximum,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": _elementwise(math.erf),
    "erfc": _elementwise(math.erfc),
}
_C_TYPES = {
    "bool": np.bool_,
    "char": np.int8,
    "short": np.int16,
    "int": np.int32,
    "long": np.int64,
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "size_t": np.uint64,
    "const": None,
    "auto": None,
}
_C_TOKEN = re.compile(
    r"""\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fFlLuU]*
    |(?P<name>[A-Za-z_]\w*)
    |(?P<symbol>\|\||&&|<<=?|>>=?|[-+*/%&|^<>=!]=|[-+*/%&|^<>=!?:;,()~]))""",
    re.VERBOSE,
)


class _Body:
    """A kernel's body: assignments, declarations and expressions of C, each over whole arrays."""

    def __init__(
        self,
        source: str,
        values: dict[str, Any],
        outputs: set[str],
        letters: dict[str, np.dtype[Any]],
    ) -> None:
        self.values, self.outputs = values, outputs
        self.types: dict[str, Any] = {**_C_TYPES, **letters}
        self.locals: dict[str, Any] = {}
        self.tokens: list[tuple[str, str]] = []
        source = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL).strip()
        position = 0
        while position < len(source):
            found = _C_TOKEN.match(source, position)
            if not found:
                raise NotImplementedError(f"the stand-in can't read {source[position:]!r}")
            self.tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            position = found.end()
        self.tokens.append(("end", ""))

    # Reading

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[min(ahead, len(self.tokens) - 1)][1]

    def accept(self, *symbols: str) -> bool:
        if self.peek() in symbols:
            del self.tokens[0]
            return True
        return False

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise NotImplementedError(f"the stand-in expected {symbol!r}, not {self.peek()!r}")

    def read_name(self) -> str:
        kind, name = self.tokens.pop(0)
        if kind != "name":
            raise NotImplementedError(f"the stand-in expected a name, not {name!r}")
        return name

    def read_type(self) -> Any:
        """Return the dtype that the next words name; None for auto."""
        dtype = None
        while self.peek() in self.types:
            dtype = self.types[self.peek()] or dtype
            del self.tokens[0]
        return dtype

    # Running

    def run(self) -> None:
        while self.peek():
            if not self.accept(";"):
                self.statement()

    def statement(self) -> None:
        if self.peek() in self.types:
            dtype = self.read_type()
            while True:
                name = self.read_name()
                self.locals[name] = dtype
                self.assign(name, self.expression() if self.accept("=") else math.nan)
                if not self.accept(","):
                    break
        else:
            if self.peek() in ("if", "for", "while", "do", "switch", "return"):
                raise NotImplementedError(f"the stand-in can't run {self.peek()!r}")
            name = self.read_name()
            update = _C_ASSIGNMENTS.get(self.peek())
            if update:
                del self.tokens[0]
                self.assign(name, update(self.look_up(name), self.expression()))
            else:
                self.expect("=")
                self.assign(name, self.expression())
        if self.peek():
            self.expect(";")

    def look_up(self, name: str) -> Any:
        if name in ("i", "_ind"):
            raise NotImplementedError("the stand-in has no loop index")
        if name not in self.values:
            raise CompileException(f'identifier "{name}" is undefined')
        return self.values[name]

    def assign(self, name: str, value: Any) -> None:
        if name in self.locals:
            dtype = self.locals[name]
            self.values[name] = np.array(value, dtype)
        elif name in self.outputs:
            self.values[name][...] = value
        else:
            self.look_up(name)
            raise CompileException(f'expression must be a modifiable lvalue: "{name}" is an input')

    def expression(self) -> Any:
        condition = self.binary(0)
        if not self.accept("?"):
            return condition
        chosen = self.expression()
        self.expect(":")
        return np.where(np.asarray(condition, bool), chosen, self.expression())

    def binary(self, level: int) -> Any:
        if level == len(_C_OPERATORS):
            return self.unary()
        value = self.binary(level + 1)
        while self.peek() in _C_OPERATORS[level]:
            call = _C_OPERATORS[level][self.tokens.pop(0)[1]]
            value = call(value, self.binary(level + 1))
        return value

    def unary(self) -> Any:
        if self.peek() in _C_UNARY:
            return _C_UNARY[self.tokens.pop(0)[1]](self.unary())
        if self.peek() == "(" and self.peek(1) in self.types:
            self.expect("(")
            dtype = self.read_type()
            self.expect(")")
            return np.asarray(self.unary()).astype(dtype)
        return self.primary()

    def primary(self) -> Any:
        if self.accept("("):
            value = self.expression()
            self.expect(")")
            return value
        kind, text = self.tokens[0]
        if kind == "number":
            del self.tokens[0]
            return int(text) if text.isdecimal() else float(text)
        if text == "static_cast":
            del self.tokens[0]
            self.expect("<")
            dtype = self.read_type()
            self.expect(">")
            return np.asarray(self.primary()).astype(dtype)
        if text in self.types:
            dtype = self.read_type()
            return np.asarray(self.primary()).astype(dtype)
        name = self.read_name()
        if name in ("true", "false"):
            return name == "true"
        if not self.accept("("):
            return self.look_up(name)
        function = _C_FUNCTIONS.get(name) or _C_FUNCTIONS.get(name.removesuffix("f"))
        if function is None:
            raise NotImplementedError(f"the stand-in has no C function {name!r}")
        arguments = []
        while not self.accept(")"):
            arguments.append(self.expression())
            self.accept(",")
        return function(*arguments)


# The modules -------------------------------------------------------------------------------------

_FROM_NUMPY = """
e euler_gamma inf nan newaxis pi
bool bool_ byte short intc int_ intp longlong int8 int16 int32 int64
ubyte ushort uintc uint uintp ulonglong uint8 uint16 uint32 uint64
half single double float16 float32 float64 csingle cdouble complex64 complex128
complexfloating floating generic inexact integer number signedinteger unsignedinteger
dtype finfo iinfo issubdtype isdtype promote_types broadcast_shapes isscalar iterable
index_exp ndindex s_ get_printoptions set_printoptions printoptions
"""


def _modules() -> dict[str, types.ModuleType]:
    """Return the stand-in's modules by name, made anew."""
    runtime = {
        "CUDARuntimeError": CUDARuntimeError,
        "getDeviceCount": lambda: _driver.get_count(),
        "getDevice": lambda: _driver.get_current(),
        "setDevice": lambda index: _driver.set_current(index),
        "deviceSynchronize": lambda: Device().synchronize(),
        "deviceCanAccessPeer": lambda device, peer: int(device == peer),
        "getDeviceProperties": lambda device: {"name": b"stand-in", "major": 0, "minor": 0},
        "memGetInfo": lambda: (1 << 33, 1 << 33),
    }
    streams = {
        "Stream": Stream,
        "ExternalStream": ExternalStream,
        "Event": Event,
        "get_current_stream": lambda: _driver.stream,
        "get_elapsed_time": get_elapsed_time,
    }
    available = {"is_available": lambda: _driver.count > 0}
    pools = dict.fromkeys(("MemoryPool", "PinnedMemoryPool"), MemoryPool)
    pool, pinned_pool = MemoryPool(), MemoryPool()
    scatters = {f"scatter_{op}": _scatter(op) for op in ("add", "max", "min")}
    main = {
        "__version__": "14.2.0+standin",
        **{name: getattr(np, name) for name in _FROM_NUMPY.split()},
        **_FUNCTIONS,
        **{f.__name__: f for f in (array, asarray, astype, asnumpy, get_array_module)},
        **{f.__name__: f for f in (result_type, can_cast, copyto, put_along_axis)},
        "asanyarray": asarray,
        "copy": _copy,
        "put": lambda a, ind, v, mode="wrap": a.put(ind, v, mode),
        "shares_memory": _shares(np.shares_memory),
        "may_share_memory": _shares(np.may_share_memory),
        "ndim": lambda a: np.ndim(_host(a)),
        "shape": lambda a: np.shape(_host(a)),
        "size": lambda a, axis=None: np.size(_host(a), axis),
        "iscomplexobj": lambda x: np.iscomplexobj(_host(x)),
        "isrealobj": lambda x: np.isrealobj(_host(x)),
        "ndarray": ndarray,
        "ufunc": ufunc,
        "ElementwiseKernel": ElementwiseKernel,
        "RawKernel": RawKernel,
        **dict.fromkeys(("ReductionKernel", "RawModule", "fuse"), Unavailable),
        "AxisError": np.exceptions.AxisError,
        "ComplexWarning": np.exceptions.ComplexWarning,
        "get_default_memory_pool": lambda: pool,
        "get_default_pinned_memory_pool": lambda: pinned_pool,
        **available,
        "__getattr__": _lacks,
    }
    contents: dict[str, dict[str, Any]] = {
        "cupy": main,
        "cupy.cuda": {
            **streams,
            **pools,
            **available,
            "Device": Device,
            "MemoryPointer": MemoryPointer,
            "get_device_id": lambda: _driver.get_current(),
            "using_allocator": using_allocator,
            "Graph": Graph,
        },
        "cupy.cuda.runtime": runtime,
        "cupy.cuda.device": {"Device": Device, "get_device_id": lambda: _driver.get_current()},
        "cupy.cuda.stream": streams,
        "cupy.cuda.compiler": {"CompileException": CompileException},
        "cupy.exceptions": {
            "AxisError": np.exceptions.AxisError,
            "ComplexWarning": np.exceptions.ComplexWarning,
        },
        "cupy._core": _compute_types(),
        "cupy.linalg": {
            **_LINALG,
            "LinAlgError": np.linalg.LinAlgError,
            "matmul": _FUNCTIONS["matmul"],
            **_functions("matrix_transpose(a: Self)", views=True),
        },
        "cupy.fft": _FFT,
        "cupy.lib": {},
        "cupy.lib.stride_tricks": _functions(_STRIDE_LINES, np.lib.stride_tricks, views=True),
        "cupy_backends": {},
        "cupy_backends.cuda": {},
        "cupy_backends.cuda.libs": {},
        "cupy_backends.cuda.libs.cublas": {"__getattr__": _file},
        "cupyx": {
            **scatters,
            **_functions("rsqrt(x: Operand)", own={"rsqrt": _C_FUNCTIONS["rsqrt"]}),
        },
        "cupyx.scipy": {},
        "cupyx.scipy.special": {"__getattr__": _get_special},
    }
    modules = {}
    for name, content in contents.items():
        module = modules[name] = types.ModuleType(name, __doc__)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        module.__path__ = []  # a package, so that an import of what is not there says so
        vars(module).update(content)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    return modules


def _compute_types() -> dict[str, Any]:
    """Return how CuPy sets in which way products are computed; here they know one way alone."""
    types = {"f": 1}  # COMPUTE_TYPE_DEFAULT; 7 is COMPUTE_TYPE_TF32

    def set_compute_type(dtype: Any, compute_type: int) -> None:
        if compute_type not in range(8):
            raise ValueError(f"Unknown compute type: {compute_type}")
        _driver.get_current()  # CuPy asks what the device can do
        types[np.dtype(dtype).char] = compute_type

    def get_compute_type(dtype: Any) -> int:
        return types[np.dtype(dtype).char]

    return {"set_compute_type": set_compute_type, "get_compute_type": get_compute_type}


def _get_special(name: str) -> ufunc:
    found = _special(name)
    if found is None:
        raise AttributeError(f"module 'cupyx.scipy.special' has no attribute {name!r}")
    return found


def _lacks(name: str) -> Any:
    raise AttributeError(f"the stand-in for CuPy has no {name!r}; CuPy itself may have one")


# Putting it in CuPy's place ----------------------------------------------------------------------

_OURS = tuple(
    f"agrad.backends.{name}"
    for name in ("cupy", "cuda_kernels", "cuda_windows", "cuda_blas", "cuda_fusion", "cuda_graphs")
)

# What is CuPy, and what holds on to CuPy's classes from when it was imported
_ROOTS = ("cupy", "cupyx", "cupy_backends", "array_api_compat.cupy", *_OURS)

_PREFIXES = tuple(f"{root}." for root in _ROOTS)

_kept: dict[str, types.ModuleType] = {}  # what `installed(keep=True)` has left for the next time

_installed: list[tuple[_Driver, dict[str, types.ModuleType]]] = []  # what each install replaced


def _take_out() -> dict[str, types.ModuleType]:
    """Take CuPy's modules out of sys.modules and of their packages, and return them."""
    names = [name for name in sys.modules if f"{name}.".startswith(_PREFIXES)]
    taken = {name: sys.modules.pop(name) for name in names}
    for name in taken:
        parent, _, child = name.rpartition(".")
        if child in vars(sys.modules.get(parent, object)):
            delattr(sys.modules[parent], child)
    return taken


def _put_in(modules: dict[str, types.ModuleType]) -> None:
    """Put modules into sys.modules and their packages, and forget what is known of classes."""
    sys.modules.update(modules)
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
    for name, module in list(sys.modules.items()):
        if name.endswith("array_api_compat.common._helpers"):
            for each in vars(module).values():
                if hasattr(each, "cache_clear"):
                    each.cache_clear()


def install(devices: int = 2, modules: dict[str, types.ModuleType] | None = None) -> Any:
    """Put the stand-in in CuPy's place, whether CuPy is installed, imported, or neither.

    Parameters
    ----------
    devices : int, optional
        The number of pretend devices. With none it is like CuPy without a driver: it can be
        imported, but whatever needs a device raises `CUDARuntimeError`.
    modules : dict, optional
        The modules to install, from an earlier time; new ones if not given.

    Returns
    -------
    module
        What ``import cupy`` gives from now on.
    """
    global _driver
    _installed.append((_driver, _take_out()))
    _driver = _Driver(devices)
    _put_in(modules or _modules())
    return sys.modules["cupy"]


def uninstall() -> dict[str, types.ModuleType]:
    """Undo the last `install`, and bring back what was there; return what has been installed."""
    global _driver
    _driver, modules = _installed.pop()
    taken = _take_out()
    _put_in(modules)
    return taken


@contextlib.contextmanager
def installed(devices: int = 2, keep: bool = False) -> Iterator[Any]:
    """Install the stand-in for the length of a ``with`` block; see `install`.

    With `keep` it is the one of the last time, and so are agrad's modules that stand on it: that is
    quicker, and right for whoever changes none of them.
    """
    global _kept
    module = install(devices, _kept if keep else None)
    try:
        yield module
    finally:
        taken = uninstall()
        if keep:
            _kept = taken
