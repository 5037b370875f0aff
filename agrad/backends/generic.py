"""Any array library that follows the Array API standard.

A `Backend` is one library on one device. It is the ``xp`` that every function and every rule is
written over: all functions of the library are its attributes, and beside them stand the few that
the standard lacks, here in their generic versions, made of standard functions alone. A library
that can do better has a file of its own next to this one.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NamedTuple

from agrad import dtypes

__all__ = ["Backend", "Bound"]

Array = Any  # a raw array of whichever library
_CREATION = frozenset(("arange", "empty", "eye", "full", "linspace", "ones", "zeros"))


class Bound(NamedTuple):
    """A function of agrad and its rules, made ready for one backend: ``xp`` is filled in."""

    forward: Callable[..., Array]
    rules: tuple[Callable[..., Array] | None, ...]


class _Bindings(dict[Any, Bound]):
    """What a backend runs for each function, made when it is first called."""

    def __init__(self, backend: "Backend") -> None:
        self.backend = backend

    def __missing__(self, primitive: Any) -> Bound:
        bound = self[primitive] = self.backend.make_bound(primitive)
        return bound


class Backend:
    """One array library on one device, as a namespace.

    Parameters
    ----------
    library : module
        The namespace, as ``array_api_compat.array_namespace`` gives it.
    device : object
        The library's own name for the device.
    name : str
        The name that users see and give: "cpu", "cuda:0", "torch:cpu".
    """

    #: The type that every raw array must have; None if the library has several.
    array_type: type | None = None

    #: Whether reading a value costs nothing but the reading; on a GPU it would stop the queue.
    reads_values = True

    #: Faster versions of composite functions and of their rules, by name: "nll", "nll.z".
    kernels: ClassVar[dict[str, Callable[..., Array]]] = {}

    def __init__(self, library: Any, device: Any, name: str) -> None:
        self.library = library
        self.device = device
        self.name = name
        self.bound = _Bindings(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self.library, name)
        if name in _CREATION:
            value = partial(value, device=self.device)
        setattr(self, name, value)  # found at once the next time
        return value

    def __repr__(self) -> str:
        return f"<agrad backend {self.name!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        from agrad.backends import backend_for

        return backend_for, (self.name,)

    # What the engine runs ------------------------------------------------------------------

    def make_bound(self, primitive: Any) -> Bound:
        """Return the calls that this backend makes for a function of agrad and for its rules."""
        name = primitive.name
        kernels = self.kernels if primitive.fused else {}
        if name in kernels:
            forward = partial(kernels[name], self)
        elif primitive.forward is None:
            forward = getattr(self, name)
        else:
            forward = partial(primitive.forward, self)
        rules = (
            rule and partial(kernels.get(f"{name}.{argument}", rule), self)
            for argument, rule in zip(primitive.arguments, primitive.rules, strict=True)
        )
        return Bound(self.bind(forward), tuple(rule and self.bind(rule) for rule in rules))

    def bind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Make a function run where this backend's arrays are; most libraries see to it."""
        return function

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run ``function(xp, *args)`` on this backend's device."""
        return self.bind(function)(self, *args)

    # Arrays in and out ---------------------------------------------------------------------

    def dtype(self, dtype: Any) -> Any:
        """Return the library's own data type for one of any library, or for a name."""
        name = dtypes.dtype(dtype).name
        try:
            return getattr(self, name)
        except AttributeError:
            raise TypeError(f"the library behind device {self.name!r} has no {name}") from None

    def asarray(self, data: Any, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return `data` (numbers, lists, an array of this library) as an array on this device."""
        return self.library.asarray(data, dtype=dtype, copy=copy, device=self.device)

    def from_host(self, array: Array) -> Array:
        """Return a NumPy array's values as an array of this backend."""
        return self.asarray(array, copy=True)

    def to_host(self, array: Array) -> Array:
        """Return an array's values as a NumPy array."""
        from agrad.backends.numpy import to_numpy

        return to_numpy(array)

    def normalize(self, result: Any) -> Array:
        """Return what a function gave as an array: some give scalars for zero dimensions."""
        return result

    # What the standard lacks -----------------------------------------------------------------

    def own(self, array: Array) -> Array:
        """Return an array that shares its memory with no other; a copy if that can't be known."""
        return self.library.asarray(array, copy=True)

    def assign(self, target: Array, value: Array) -> Array:
        """Write `value` into `target` and return it; a new array where writing is forbidden."""
        try:
            target[...] = value
        except TypeError:  # JAX
            return self.broadcast_to(self.asarray(value, dtype=target.dtype), target.shape)
        return target

    def bounds(self, array: Array) -> tuple[int, int]:
        """Return the smallest and the greatest of some integers; (0, 0) if there are none."""
        if 0 in array.shape:
            return 0, 0
        return int(self.min(array)), int(self.max(array))

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        """Return ``y + alpha * x``, written into `y` where the library allows it."""
        y += alpha * x
        return y

    def outer(self, x1: Array, x2: Array) -> Array:
        """Return the outer product of two vectors."""
        return x1[:, None] * x2[None, :]

    def getitem(self, x: Array, key: Any) -> Array:
        """Return ``x[key]``, where the axes that the key doesn't name are taken whole."""
        keys = key if isinstance(key, tuple) else (key,)
        kinds = [_kind(each) for each in keys]
        if kinds[-1:] == ["integers"] and set(kinds[:-1]) <= {"all"}:  # x[:, indices] is take
            indices = self.reshape(keys[-1], (-1,))
            axis = len(keys) - 1
            taken = self.take(x, indices, axis=axis)
            return self.reshape(taken, (*x.shape[:axis], *keys[-1].shape, *x.shape[axis + 1 :]))
        if "..." in kinds or "mask" in kinds or "integers" in kinds:
            return x[key]
        return x[(*keys, ...)]  # the standard wants the axes that remain to be named

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        """Return zeros of `shape` with `values` added at ``[key]``: the transpose of indexing.

        Where the key names a cell several times, its values add up.
        """
        # Indexing the cells' own numbers with the key tells which cell each value came from.
        cells = self.arange(math.prod(shape))
        came_from = self.reshape(self.getitem(self.reshape(cells, shape), key), (1, -1))
        zero = self.zeros((), dtype=values.dtype)
        hits = self.where(cells[:, None] == came_from, self.reshape(values, (1, -1)), zero)
        return self.reshape(self.sum(hits, axis=1, dtype=values.dtype), shape)

    def softmax(self, x: Array, axis: int = -1) -> Array:
        """Return exp(x) / sum(exp(x)) along an axis."""
        e = self.exp(x - self.max(x, axis=axis, keepdims=True))
        return e / self.sum(e, axis=axis, keepdims=True)

    def log_softmax(self, x: Array, axis: int = -1) -> Array:
        """Return log(softmax(x)) along an axis."""
        x = x - self.max(x, axis=axis, keepdims=True)
        return x - self.log(self.sum(self.exp(x), axis=axis, keepdims=True))

    def to_device(self, array: Array, target: "Backend") -> Array:
        """Return the array's values as an array of another backend."""
        return array if target is self else target.from_host(self.to_host(array))


def _kind(key: Any) -> str:
    """Return what kind of index one part of a key is."""
    if key is ...:
        return "..."
    if hasattr(key, "dtype"):
        return "mask" if dtypes.dtype(key.dtype).name == "bool" else "integers"
    return "all" if key == slice(None) else "other"
