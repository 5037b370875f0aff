"""Any array library that follows the Array API standard.

A `Backend` is one library on one device. It is the ``xp`` that every function and every rule is
written over: all functions of the library are its attributes, and beside them stand the few that
the standard lacks, here in their generic versions, made of standard functions alone. A library
that can do better has a file of its own next to this one.
"""

import math
from collections.abc import Callable, Collection, Hashable, Sequence
from functools import cached_property, partial
from typing import Any, ClassVar, NamedTuple

from agrad import dtypes

__all__ = [
    "AdamNumbers",
    "Backend",
    "Bound",
    "StepPlanner",
    "Writing",
    "has_integers",
    "has_masks",
    "matmul_precision",
]

Array = Any  # a raw array of whichever library
_CREATION = frozenset(("arange", "empty", "eye", "full", "linspace", "ones", "zeros"))


class _MatmulPrecision:
    """How exactly products of float32 are computed, for backends that are made later too."""

    chosen: str | None = None  # until somebody chooses, a library does as it does


matmul_precision = _MatmulPrecision()


class Bound(NamedTuple):
    """A function of agrad and its rules, made ready for one backend: ``xp`` is filled in."""

    forward: Callable[..., Array]
    rules: tuple[Callable[..., Array] | None, ...]


class Writing(NamedTuple):
    """How to make a call that writes what it gives into an array that is there already.

    That is ``function(*args, **kwargs, out=array)``. If it is `in_place`, this may be the array of
    an argument that has its shape and data type.
    """

    function: Callable[..., Array]
    args: Any
    kwargs: dict[str, Any]
    in_place: bool


class StepPlanner:
    """What a library whose arrays can be written to offers to recorded steps.

    With `agrad.compile`, the arrays that a step makes on its way are made once, beforehand. What is
    called `like` or ends up in `args` is an array, or a recorder's `Symbol` of one: it has a shape,
    a data type, and strides that tell how it lies in memory.
    """

    #: The backend's kernels as calls of a recorder, ``function(recorder, *args)``
    unfolded: ClassVar[dict[str, Callable[..., Any]]] = {}

    def writing(self, function: Any, args: Any, kwargs: Any) -> Writing | None:
        """Return how a call can write into an array, None if it can't."""
        raise NotImplementedError

    def shortcut(self, function: Any, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
        """Return a call that gives the same as another one, sooner."""
        return function, args, kwargs

    def adding(self, name: str, args: Any, y: Any) -> Callable[..., Array] | None:
        """Return ``function(alpha, *args, y)``, which adds to y what a call of `name` gives.

        With the name "axpy" it adds the one argument itself. `args` and `y` are like those that it
        will be called with.
        """
        raise NotImplementedError

    def memory(self, like: Any) -> Any:
        """Return new memory for an array."""
        raise NotImplementedError

    def array(self, memory: Any, like: Any) -> Array:
        """Return an array of another one's shape, data type and layout, in some memory."""
        raise NotImplementedError

    def layout(self, array: Array) -> Any:
        """Return how the elements of an array lie in memory."""
        raise NotImplementedError


class _Bindings(dict[Any, Bound]):
    """What a backend runs for each function, made when it is first called."""

    def __init__(self, backend: "Backend") -> None:
        self.backend = backend

    def __missing__(self, primitive: Any) -> Bound:
        bound = self[primitive] = self.backend.make_bound(primitive)
        return bound


class AdamNumbers(NamedTuple):
    """The numbers of a step of Adam, which changes g, m, v and p one after the other.

    ``g = sign * g + coupled * p``, ``m = beta1 * m + (1 - beta1) * g``,
    ``v = beta2 * v + (1 - beta2) * g**2``, and
    ``p -= lr * (m / (root * sqrt(v) + eps) + decoupled * p)``.
    """

    beta1: float
    beta2: float
    root: float
    eps: float
    lr: float
    sign: float
    coupled: float
    decoupled: float


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

    #: Whether the references to an array tell who else holds its memory
    counts_holders = False

    #: Whether `whole` gives the same object each time
    one_whole = False

    #: Whether `axpy_all` and its kin take less time than to change one array after the other
    updates_together = False

    #: The names of elementwise calls that ``joined(steps, inputs)`` makes one function of, as
    #: `cuda_fusion.joined` does
    joinable: Collection[str] = ()
    joined: Callable[..., Callable[..., Array]] | None = None

    #: ``graph(work, kinds)`` returns ``work(*args)`` as one launch, as `cuda_graphs.Graph` has it;
    #: None if there is no such thing
    graph: Callable[[Callable[..., Any], Sequence[str]], Any] | None = None

    #: How recorded steps can have their memory planned; None if they can't
    planner: StepPlanner | None = None

    #: Faster versions of composite functions and of their rules, by name: "nll", "nll.z".
    kernels: ClassVar[dict[str, Callable[..., Array]]] = {}

    def __init__(self, library: Any, device: Any, name: str) -> None:
        self.library = library
        self.device = device
        self.name = name
        self.kind = name.partition(":")[0]  # "cuda" of "cuda:1"
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

    @cached_property
    def special(self) -> Any:
        """The special functions (erf, ...), by SciPy's names."""
        from agrad.backends.special import Special

        return Special(self)

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

    def check(self, function: Callable[..., None], *args: Any) -> None:
        """Run ``function(xp, *args)``, which raises an error for wrong values in arrays.

        On a GPU it isn't run, since looking at values would hold up the queue.
        """
        if self.reads_values:
            function(self, *args)

    def draw(self, function: Callable[..., Array]) -> Array:
        """Run ``function(xp)``, which gives another array each time."""
        return self.call(function)

    def set_matmul_precision(self, precision: str) -> None:
        """Compute products of float32 as exactly as is said, where the library leaves a choice."""

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

    def from_dlpack(self, producer: Any, copy: bool | None = None) -> Array:
        """Return what DLPack gives of an array of another library, on this device."""
        options = {} if copy is None else {"copy": copy}
        return self.asarray(self.library.from_dlpack(producer, **options))

    def normalize(self, result: Any) -> Array:
        """Return what a function gave as an array: some give scalars for zero dimensions."""
        return result

    # Where libraries differ from the standard ------------------------------------------------

    def expm1(self, x: Array) -> Array:
        """Return exp(x) - 1; of complex infinities too, where most libraries give NaN."""
        out = self.library.expm1(x)
        if not dtypes.dtype(x.dtype).is_complex:
            return out
        return self.where(self.isfinite(x), out, self.exp(x) - 1)

    def floor_divide(self, x1: Any, x2: Any) -> Array:
        """Return floor(x1 / x2); of infinities too, where most libraries give NaN, or -1."""
        out = self.library.floor_divide(x1, x2)
        if not dtypes.dtype(out.dtype).is_floating:
            return out
        quotient = x1 / x2
        by_infinity = self.isinf(x2) if hasattr(x2, "dtype") else self.asarray(math.isinf(x2))
        out = self.where(self.isinf(quotient) & self.isnan(out), quotient, out)
        return self.where(by_infinity & (quotient == 0), quotient, out)

    # What the standard lacks -----------------------------------------------------------------

    def own(self, array: Array) -> Array:
        """Return an array that shares its memory with no other; a copy if that can't be known."""
        return self.library.asarray(array, copy=True)

    def memory(self, array: Array) -> Hashable:
        """Return what tells an array's memory from others'; None if agrad never writes to it."""
        return None

    def whole(self, array: Array) -> Array:
        """Return the array whose memory an array shows a part of."""
        return array

    def may_share(self, x1: Array, x2: Array) -> bool:
        """Return whether the result x1 of a view function counts as a view of its argument x2.

        So it does where nothing is ever written to: a change gives both new arrays.
        """
        return True

    def assign(self, target: Array, key: Any, value: Any) -> Array:
        """Write `value` into ``target[key]`` and return it.

        Here it is a new array: who shares memory with whom is not known of every library, and some
        forbid writing.
        """
        if hasattr(value, "dtype") and value.dtype != target.dtype:
            value = self.astype(value, target.dtype)
        result = self.library.asarray(target, copy=True)
        try:
            result[_full_key(key)] = value
        except (TypeError, IndexError):  # it can't be written to, or not by such a key
            return self._assigned(target, key, value)
        return result

    def _assigned(self, target: Array, key: Any, value: Any) -> Array:
        """Do the same by standard functions alone."""
        places = self.getitem(self.reshape(self.arange(math.prod(target.shape)), target.shape), key)
        if 0 in places.shape:
            return target
        values = self.broadcast_to(self.asarray(value, dtype=target.dtype), places.shape)
        # The number of the value that goes to each cell, the last if there are several; or -1
        cells = self.arange(math.prod(target.shape))
        hits = cells[:, None] == self.reshape(places, (1, -1))
        source = self.max(self.where(hits, self.arange(hits.shape[1])[None, :], -1), axis=1)
        taken = self.take(self.reshape(values, (-1,)), self.abs(source), axis=0)
        return self.where(
            self.reshape(source >= 0, target.shape), self.reshape(taken, target.shape), target
        )

    def setitem(self, x: Array, key: Any, value: Any) -> Array:
        """Return a new array that is x but for `value` in ``[key]``."""
        writable = self.memory(x) is not None  # else `assign` makes a copy itself
        return self.assign(self.asarray(x, copy=True) if writable else x, key, value)

    def bounds(self, array: Array) -> tuple[int, int]:
        """Return the smallest and the greatest of some integers; (0, 0) if there are none."""
        if 0 in array.shape:
            return 0, 0
        return int(self.min(array)), int(self.max(array))

    def are_below(self, array: Array, n: int) -> bool:
        """Return whether some integers are all from 0 to n - 1."""
        smallest, greatest = self.bounds(array)
        return smallest >= 0 and greatest < n

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        """Return ``y + alpha * x``, written into `y` where agrad knows the library."""
        return self.asarray(y + alpha * x, dtype=y.dtype)

    def axpy_all(self, alpha: float, xs: Sequence[Array], ys: Sequence[Array]) -> list[Array]:
        """Do what `axpy` does for each x and y, such as all gradients and parameters."""
        return [self.axpy(alpha, x, y) for x, y in zip(xs, ys, strict=True)]

    def momentum_all(
        self,
        momentum: float,
        lr: float,
        gs: Sequence[Array],
        vs: Sequence[Array],
        ps: Sequence[Array],
    ) -> tuple[list[Array], list[Array]]:
        """Return ``v = momentum * v + g`` and ``p - lr * v`` for each g, velocity and parameter.

        The velocities are written in place where the library allows it, the parameters as by
        `axpy`.
        """
        scaled = []
        for v in vs:
            v *= momentum
            scaled.append(v)
        new = self.axpy_all(1, gs, scaled)
        return new, self.axpy_all(-lr, new, ps)

    #: ``adam_all(numbers, gs, ms, vs, ps)``, if there is a faster way than to change one parameter
    #: after the other: it returns the new m, v and p, like `momentum_all`
    adam_all: Callable[..., tuple[list[Array], list[Array], list[Array]]] | None = None

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
        return x[_full_key(key)]

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


def _full_key(key: Any) -> Any:
    """Return an index that names all axes, as the standard wants it."""
    keys = key if isinstance(key, tuple) else (key,)
    return (*keys, ...) if {_kind(each) for each in keys} <= {"all", "other"} else key


def has_integers(key: Any) -> bool:
    """Return whether an index has arrays of integers: only these can name a cell several times."""
    return any(_kind(each) == "integers" for each in (key if isinstance(key, tuple) else (key,)))


def has_masks(key: Any) -> bool:
    """Return whether an index has arrays of bools: then the shape of the result depends on them."""
    return any(_kind(each) == "mask" for each in (key if isinstance(key, tuple) else (key,)))


def _kind(key: Any) -> str:
    """Return what kind of index one part of a key is."""
    if key is ...:
        return "..."
    if hasattr(key, "dtype"):
        return "mask" if dtypes.dtype(key.dtype).name == "bool" else "integers"
    return "all" if key == slice(None) else "other"
