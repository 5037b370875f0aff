"""A recorder: a namespace that writes down the calls it is asked for, beside making them.

It stands between agrad and an array library while `agrad.compile` records a step. Its arrays, of
class `Traced`, each have a value and know the call that made them; so functions and rules, which
are written over any namespace, leave behind the list of raw calls that a step makes.
"""

import gc
import math
import operator
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, NoReturn

from agrad.backends.generic import Array, Backend, has_masks

__all__ = [
    "ELEMENTWISE",
    "UPDATES",
    "Call",
    "Recorder",
    "Symbol",
    "Tape",
    "Traced",
    "TracedNumber",
    "recording",
    "refuse",
    "replace_traced",
    "symbol_of",
    "traced_in",
]


class _Recording(threading.local):
    tape: "Tape | None" = None


#: Its ``tape`` is what this thread's calls are written on, or None
recording = _Recording()


class Call:
    """One call of a step: what was called, with what, and what came out.

    Parameters
    ----------
    name : str
        The function's name in the namespace: "add", "linalg.inv", "getitem".
    function : callable
        The library's own function, or a method of its backend.
    args, kwargs
        Its arguments, with Traced arrays and numbers among them.
    effect : bool
        Whether to make it even if nobody uses what it gives.
    """

    __slots__ = ("args", "effect", "function", "kwargs", "name", "out")

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        effect: bool = False,
    ) -> None:
        self.name = name
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.effect = effect
        # What came out: a Symbol, a TracedNumber, or None. Several results have one Symbol, which
        # calls of "pick" take apart.
        self.out: Any = None

    def inputs(self) -> "Iterator[Any]":
        """Yield the symbols and numbers that it is made of."""
        yield from traced_in((self.args, self.kwargs))


class Tape:
    """The calls of a step, in their order."""

    busy = False  # whether a library's own code is running

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.pinned: set[Any] = set()  # the sources of numbers that the step needed to know
        # What the step asked of numbers: a function, its arguments, and whether it was true
        self.decisions: list[tuple[Callable[..., bool], tuple[Any, ...], bool]] = []
        # The arrays that somebody still has
        self.live: weakref.WeakValueDictionary[int, Traced] = weakref.WeakValueDictionary()
        self._recorders: dict[Backend, Recorder] = {}

    def recorder(self, backend: Backend) -> "Recorder":
        """Return the backend that records what it makes another one do."""
        if isinstance(backend, Recorder):
            return backend
        if backend not in self._recorders:
            self._recorders[backend] = Recorder(backend, self)
        return self._recorders[backend]

    def lift(self, inputs: Any) -> Any:
        """Return a function's arguments as ones that can be recorded."""
        raise NotImplementedError

    def run(self, recorder: "Recorder", call: Call) -> Any:
        """Make a call and write it down, unless it gives the same in each run."""
        inputs = list(call.inputs())
        self.busy = True
        try:
            out = call.function(*_values(call.args), **_values(call.kwargs))
        finally:
            self.busy = False
        if not call.effect and all(each.is_constant for each in inputs):
            return recorder.traced(out, None, inputs)
        call.args = replace_traced(call.args, symbol_of)
        call.kwargs = replace_traced(call.kwargs, symbol_of)
        self.calls.append(call)
        return recorder.traced(out, call, inputs)


def traced_in(value: Any) -> "Iterator[Any]":
    """Yield the arrays, symbols and numbers that are traced, in nested tuples, lists and dicts."""
    if isinstance(value, (Traced, Symbol, TracedNumber)):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from traced_in(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from traced_in(each)


def replace_traced(value: Any, function: Callable[[Any], Any]) -> Any:
    """Return nested tuples, lists and dicts with another thing for each traced one."""
    if isinstance(value, (Traced, Symbol, TracedNumber)):
        return function(value)
    if isinstance(value, (tuple, list)):
        parts = [replace_traced(each, function) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {key: replace_traced(each, function) for key, each in value.items()}
    return value


def _values(value: Any) -> Any:
    return replace_traced(value, lambda traced: traced.value)


_HOME = str(Path(__file__).parents[1])


def user_line() -> str:
    """Return which line of the user's code is running, as "file.py, line 3"."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HOME):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"


def refuse(what: str, instead: str) -> NoReturn:
    """Raise the error for what can't be recorded, naming the user's line."""
    raise RuntimeError(f"a recorded step can't {what} ({user_line()}): {instead}")


_READ = (
    "read the value of an array",
    "what the step does must not depend on values; use agrad.where instead of `if`, return what "
    "you want to see, and read it outside",
)

_SHAPE = (
    "make an array whose shape depends on values",
    "use agrad.where, or multiply by the mask, instead of picking elements out",
)


# Its arrays and numbers ---------------------------------------------------------------------------


class Symbol:
    """What a tape knows of an array: how it was made, but not its values, unless it is a constant.

    Parameters
    ----------
    recorder : Recorder
        Whose it is.
    value : array, or tuple of several results
        What it is in this run.
    call : Call, optional
        What made it. Without a call it is an input of the step, or a constant.
    source : object, optional
        Where an input is read from.
    base : Symbol, optional
        The earliest whose memory it shares.
    """

    __slots__ = ("base", "call", "constant", "dtype", "recorder", "shape", "source", "strides")

    def __init__(
        self,
        recorder: "Recorder",
        value: Any,
        call: Call | None = None,
        source: Any = None,
        base: "Symbol | None" = None,
    ) -> None:
        self.recorder = recorder
        self.call = call
        self.source = source
        self.base = base
        self.constant = value if self.is_constant else None
        is_one = not isinstance(value, tuple)
        self.shape: Any = tuple(value.shape) if is_one else None
        self.dtype: Any = value.dtype if is_one else None
        self.strides: Any = getattr(value, "strides", None)  # how it lies in memory

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in each run."""
        return self.call is None and self.source is None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * int(self.dtype.itemsize)


def symbol_of(value: Any) -> Any:
    """Return what a tape writes down for an array; numbers stay as they are."""
    return value.symbol if isinstance(value, Traced) else value


class Traced:
    """An array in a step that is recorded: its value in this run, and the tape's symbol for it."""

    __slots__ = ("__weakref__", "recorder", "symbol", "value")
    __array_ufunc__ = None  # so that NumPy's arrays leave operators to it

    def __init__(
        self, recorder: "Recorder", value: Array, symbol: Symbol | None = None, source: Any = None
    ) -> None:
        self.recorder = recorder
        self.value = value
        self.symbol = Symbol(recorder, value, source=source) if symbol is None else symbol
        recorder.tape.live[id(self)] = self

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in each run."""
        return self.symbol.is_constant

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return len(self.value.shape)

    @property
    def size(self) -> int:
        return math.prod(self.value.shape)

    @property
    def device(self) -> Any:
        return self.recorder.device

    @property
    def T(self) -> Any:
        return self.recorder.matrix_transpose(self)

    mT = T

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        return self.recorder

    def __getitem__(self, key: Any) -> Any:
        return self.recorder.getitem(self, key)

    def _operator(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        return self.recorder.run(name, function, args, {})

    def __add__(self, other: Any) -> Any:
        return self._operator("add", operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._operator("add", operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self._operator("subtract", operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._operator("subtract", operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self._operator("multiply", operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._operator("multiply", operator.mul, other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._operator("divide", operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._operator("divide", operator.truediv, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._operator("floor_divide", operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._operator("floor_divide", operator.floordiv, other, self)

    def __mod__(self, other: Any) -> Any:
        return self._operator("remainder", operator.mod, self, other)

    def __rmod__(self, other: Any) -> Any:
        return self._operator("remainder", operator.mod, other, self)

    def __pow__(self, other: Any) -> Any:
        return self._operator("pow", operator.pow, self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._operator("pow", operator.pow, other, self)

    def __matmul__(self, other: Any) -> Any:
        return self._operator("matmul", operator.matmul, self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._operator("matmul", operator.matmul, other, self)

    def __and__(self, other: Any) -> Any:
        return self._operator("bitwise_and", operator.and_, self, other)

    def __rand__(self, other: Any) -> Any:
        return self._operator("bitwise_and", operator.and_, other, self)

    def __or__(self, other: Any) -> Any:
        return self._operator("bitwise_or", operator.or_, self, other)

    def __ror__(self, other: Any) -> Any:
        return self._operator("bitwise_or", operator.or_, other, self)

    def __xor__(self, other: Any) -> Any:
        return self._operator("bitwise_xor", operator.xor, self, other)

    def __rxor__(self, other: Any) -> Any:
        return self._operator("bitwise_xor", operator.xor, other, self)

    def __lshift__(self, other: Any) -> Any:
        return self._operator("bitwise_left_shift", operator.lshift, self, other)

    def __rlshift__(self, other: Any) -> Any:
        return self._operator("bitwise_left_shift", operator.lshift, other, self)

    def __rshift__(self, other: Any) -> Any:
        return self._operator("bitwise_right_shift", operator.rshift, self, other)

    def __rrshift__(self, other: Any) -> Any:
        return self._operator("bitwise_right_shift", operator.rshift, other, self)

    def __neg__(self) -> Any:
        return self._operator("negative", operator.neg, self)

    def __pos__(self) -> Any:
        return self._operator("positive", operator.pos, self)

    def __abs__(self) -> Any:
        return self._operator("abs", operator.abs, self)

    def __invert__(self) -> Any:
        return self._operator("bitwise_invert", operator.invert, self)

    def __eq__(self, other: Any) -> Any:
        return self._operator("equal", operator.eq, self, other)

    def __ne__(self, other: Any) -> Any:
        return self._operator("not_equal", operator.ne, self, other)

    def __lt__(self, other: Any) -> Any:
        return self._operator("less", operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return self._operator("less_equal", operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return self._operator("greater", operator.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return self._operator("greater_equal", operator.ge, self, other)

    __hash__ = object.__hash__

    def _read(self, *args: Any, **kwargs: Any) -> NoReturn:
        refuse(*_READ)

    __bool__ = __int__ = __float__ = __complex__ = __index__ = __iter__ = _read
    __array__ = __dlpack__ = __dlpack_device__ = __buffer__ = item = tolist = _read

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        refuse("write into a raw array", "assign to the Tensor instead: t[key] = value")

    def __repr__(self) -> str:
        return f"<array of shape {self.shape} and {self.dtype} in a step that is being recorded>"


class TracedNumber:
    """A Python number that may be another one in the next run, such as a learning rate.

    Arithmetic with it is written down. Code that compares it, or asks whether it is 0, gets the
    answer, and the recording then holds as long as this stays the same. Code that needs its value,
    as `range` does, gets that, and the recording holds for this value alone.
    """

    __slots__ = ("call", "roots", "source", "tape", "value")
    is_constant = False

    def __init__(
        self, tape: Tape, value: Any, call: Call | None = None, source: Any = None
    ) -> None:
        self.tape = tape
        self.value = value
        self.call = call
        self.source = source
        # The inputs that it is made of
        self.roots: set[TracedNumber] = {self}
        if call is not None:
            self.roots = set().union(*(x.roots for x in call.inputs()))

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # so that isinstance tells what kind of number it is
        return type(self.value)

    def pin(self) -> Any:
        """Return its value; the recording holds for that alone from now on."""
        for root in self.roots:
            self.tape.pinned.add(root.source)
        return self.value

    def _operator(self, function: Callable[..., Any], *args: Any) -> Any:
        for each in args:
            if type(each) not in (bool, int, float, complex, TracedNumber):
                return NotImplemented
        call = Call(function.__name__.strip("_"), function, args, {})
        value = function(*_values(args))
        self.tape.calls.append(call)
        call.out = TracedNumber(self.tape, value, call)
        return call.out

    def __add__(self, other: Any) -> Any:
        return self._operator(operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._operator(operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self._operator(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._operator(operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self._operator(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._operator(operator.mul, other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._operator(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._operator(operator.truediv, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._operator(operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._operator(operator.floordiv, other, self)

    def __mod__(self, other: Any) -> Any:
        return self._operator(operator.mod, self, other)

    def __rmod__(self, other: Any) -> Any:
        return self._operator(operator.mod, other, self)

    def __pow__(self, other: Any) -> Any:
        return self._operator(operator.pow, self, other)

    def __rpow__(self, other: Any) -> Any:
        return self._operator(operator.pow, other, self)

    def __neg__(self) -> Any:
        return self._operator(operator.neg, self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return self._operator(operator.abs, self)

    def _decide(self, function: Callable[..., bool], *others: Any) -> Any:
        """Answer a question; the recording holds as long as the answer is the same."""
        for other in others:
            if isinstance(other, Traced):
                return NotImplemented  # its own operator is written down
            if type(other) not in (bool, int, float, complex, TracedNumber):
                return function(self.pin(), *others)
        args = (self, *others)
        answer = function(*_values(args))
        self.tape.decisions.append((function, args, answer))
        return answer

    def __bool__(self) -> bool:
        return bool(self._decide(bool))

    def __eq__(self, other: Any) -> Any:
        return self._decide(operator.eq, other)

    def __ne__(self, other: Any) -> Any:
        return self._decide(operator.ne, other)

    def __lt__(self, other: Any) -> Any:
        return self._decide(operator.lt, other)

    def __le__(self, other: Any) -> Any:
        return self._decide(operator.le, other)

    def __gt__(self, other: Any) -> Any:
        return self._decide(operator.gt, other)

    def __ge__(self, other: Any) -> Any:
        return self._decide(operator.ge, other)

    __hash__ = object.__hash__

    # Whatever else is done needs the value

    def __int__(self) -> int:
        return int(self.pin())

    def __float__(self) -> float:
        return float(self.pin())

    def __complex__(self) -> complex:
        return complex(self.pin())

    def __index__(self) -> int:
        return operator.index(self.pin())

    def __round__(self, *digits: Any) -> Any:
        return round(self.pin(), *digits)

    def __format__(self, spec: str) -> str:
        return format(self.pin(), spec)

    def __repr__(self) -> str:
        return repr(self.pin())

    def __getattr__(self, name: str) -> Any:  # is_integer, real, ...
        if name.startswith("_"):  # somebody asks whether it is an array
            raise AttributeError(name)
        return getattr(self.pin(), name)


Real.register(TracedNumber)


# The namespace ------------------------------------------------------------------------------------

# What tells about data types and shapes, and gives no arrays
_FACTS = frozenset(("broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type"))
_OF_VALUES = frozenset(
    ("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values")
)


# What takes numbers, and gives arrays whose shape doesn't depend on them
ELEMENTWISE = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "floor_divide", "remainder", "pow", "axpy"),
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "where", "clip"),
        *("maximum", "minimum", "atan2", "copysign", "hypot", "logaddexp", "nextafter", "asarray"),
        *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
    )
)


# What writes to arrays in lists at the end of its arguments, and into how many such lists
UPDATES = {"axpy_all": 1, "momentum_all": 2, "adam_all": 3}


def _on_copies(backend: Backend, name: str, *args: Any) -> tuple[Array, ...]:
    """Return all the new arrays that an update gives, and let the old ones be."""
    *others, targets = _split(name, args)
    targets = [[backend.asarray(x, copy=True) for x in each] for each in targets]
    new = getattr(backend, name)(*others, *targets)
    return tuple(x for each in ([new] if UPDATES[name] == 1 else new) for x in each)


def _split(name: str, args: Sequence[Any]) -> list[Any]:
    """Return an update's arguments, with the lists that it writes to as one."""
    count = UPDATES[name]
    return [*args[:-count], list(args[-count:])]


def _pinned(kinds: tuple[type, ...], value: Any) -> Any:
    is_one = isinstance(value, TracedNumber) and type(value.value) in kinds
    return value.pin() if is_one else value


class Recorder(Backend):
    """A backend that makes another one do what it is asked, and writes it down.

    Its arrays are never written to: what writes in place gives a new array instead.
    """

    array_type = Traced
    reads_values = False

    def __init__(self, actual: Backend, tape: Tape) -> None:
        super().__init__(actual.library, actual.device, actual.name)
        self.actual = actual
        self.tape = tape
        self.special = _Extension(self, "special")
        self.linalg = _Extension(self, "linalg")
        self.fft = _Extension(self, "fft")
        if actual.adam_all is not None:
            self.adam_all = partial(self._update_together, "adam_all")  # type: ignore[assignment]
        self.unfolded = actual.planner.unfolded if actual.planner else {}
        whole = {name: _kernel(name, kernel) for name, kernel in actual.kernels.items()}
        self.kernels = {**whole, **self.unfolded}  # type: ignore[misc]

    def run(self, name: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Make a call and write it down."""
        if (
            name not in ELEMENTWISE | UPDATES.keys()
        ):  # an integer may be a length to plan memory for
            kinds = (int, float) if name == "arange" else (int,)
            args, kwargs = replace_traced((args, kwargs), partial(_pinned, kinds))
        return self.tape.run(self, Call(name, self.actual.bind(function), args, kwargs))

    def traced(self, out: Any, call: Call | None, inputs: Sequence[Any]) -> Any:
        """Return what a call gave as arrays of this backend."""
        is_array = hasattr(out, "dtype") and hasattr(out, "shape")
        if is_array:
            out = self.actual.normalize(out)  # NumPy's scalars have no views
        if call is not None and (is_array or isinstance(out, tuple)):
            call.out = Symbol(self, out, call, base=self._base(out, inputs))
        if isinstance(out, tuple):
            each = [self._pick(part, call, i, inputs) for i, part in enumerate(out)]
            return type(out)(*each) if hasattr(out, "_fields") else tuple(each)
        if is_array:
            return Traced(self, out, None if call is None else call.out)
        if call is None or call.effect:
            return out
        if call.name not in _FACTS:
            refuse(*_READ)
        return out

    def _pick(self, part: Any, call: Call | None, position: int, inputs: Sequence[Any]) -> Any:
        """Return one of several results."""
        picked = None
        if call is not None:
            picked = Call("pick", operator.getitem, (call.out, position), {})
            self.tape.calls.append(picked)
        return self.traced(part, picked, inputs)

    def _base(self, value: Any, inputs: Sequence[Any]) -> Symbol | None:
        """Return the earliest array whose memory a call's result shares, as far as is known."""
        memory = self._memory(value)
        for x in inputs:
            if isinstance(x, Traced) and memory is not None and self._memory(x.value) == memory:
                return x.symbol.base or x.symbol
        return None

    def function(self, name: str, found: Any) -> Any:
        """Return a function of the library as one that writes itself down."""
        if not callable(found) or isinstance(found, type):
            return found  # a data type, or a constant

        def recorded(*args: Any, **kwargs: Any) -> Any:
            repeats = traced_in((args[1:], kwargs)) if name == "repeat" else ()
            if name in _OF_VALUES or any(isinstance(each, Traced) for each in repeats):
                refuse(*_SHAPE)
            return self.run(name, found, args, kwargs)

        return recorded

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self.function(name, getattr(self.actual, name))
        setattr(self, name, value)
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return self.actual.__reduce__()

    # Arrays in and out

    def dtype(self, dtype: Any) -> Any:
        return self.actual.dtype(dtype)

    def asarray(self, data: Any, dtype: Any = None, copy: bool | None = None) -> Any:
        if isinstance(data, Traced):
            return data if dtype in (None, data.dtype) else self.astype(data, dtype)
        return self.run("asarray", self.actual.asarray, (data,), {"dtype": dtype, "copy": copy})

    def from_host(self, array: Array) -> Any:
        return Traced(self, self.actual.from_host(array))

    def from_dlpack(self, producer: Any, copy: bool | None = None) -> Any:
        return Traced(self, self.actual.from_dlpack(producer, copy))

    def to_host(self, array: Any) -> Any:
        refuse(*_READ)

    def bounds(self, array: Any) -> Any:
        refuse(*_READ)

    def normalize(self, result: Any) -> Any:
        return result if isinstance(result, Traced) else Traced(self, self.actual.normalize(result))

    def to_device(self, array: Any, target: Backend) -> Any:
        recorder = self.tape.recorder(target)
        if recorder is self:
            return array
        call = Call("to_device", self.actual.to_device, (array, recorder.actual), {})
        return self.tape.run(recorder, call)

    def check(self, function: Callable[..., None], *args: Any) -> None:
        call = Call("check", self.actual.check, (function, *args), {}, effect=True)
        self.tape.run(self, call)

    def draw(self, function: Callable[..., Array]) -> Any:
        return self.tape.run(self, Call("draw", self.actual.draw, (function,), {}, effect=True))

    def may_share(self, x1: Any, x2: Any) -> bool:
        return self.actual.may_share(x1.value, x2.value)

    # Every method of a backend that isn't made of other functions

    def own(self, array: Any) -> Any:
        return array

    def getitem(self, x: Any, key: Any) -> Any:
        if has_masks(key):
            refuse(*_SHAPE)
        return self.run("getitem", self.actual.getitem, (x, key), {})

    def setitem(self, x: Any, key: Any, value: Any) -> Any:
        return self.run("setitem", self.actual.setitem, (x, key, value), {})

    def _check_unshared(self, targets: Sequence[Any], views: bool) -> None:
        """Refuse to write to arrays that several Tensors show, such as one and its detach().

        Each of them would show the change, while here only one gets the new array.
        """
        memories = {memory: x for x in targets if (memory := self._memory(x.value)) is not None}
        if not memories:
            return
        shown = list(targets)
        if views:
            shown = [x for x in self.tape.live.values() if self._memory(x.value) in memories]
        holders: dict[Any, int] = {}
        ids = {id(x): self._memory(x.value) for x in shown}
        for each in gc.get_referrers(*shown):  # it looks through all objects, so once for all
            memory = ids.get(id(getattr(each, "_data", None)))
            if memory is not None:
                holders[memory] = holders.get(memory, 0) + 1
        for memory, count in holders.items():
            if count > 1:
                shape = memories[memory].shape
                refuse(
                    f"write to a Tensor of shape {shape} whose memory another one shares",
                    "a view of it or its detach(); use a copy, agrad.asarray(t, copy=True)",
                )

    def _memory(self, array: Any) -> Any:
        kind = self.actual.array_type
        return self.actual.memory(array) if kind is None or type(array) is kind else None

    def assign(self, target: Any, key: Any, value: Any) -> Any:
        self._check_unshared([target], views=False)  # views are made anew after it
        return self.setitem(target, key, value)

    def axpy(self, alpha: Any, x: Any, y: Any) -> Any:
        return self.axpy_all(alpha, [x], [y])[0]

    def _update_together(self, name: str, *args: Any) -> list[list[Any]]:
        """Write down an update of many arrays as one call, and return the lists of the new ones."""
        *_, targets = _split(name, args)
        self._check_unshared([x for each in targets for x in each], views=True)
        on_copies = partial(_on_copies, self.actual, name)  # here arrays are never written to
        new = iter(self.run(name, on_copies, args, {}))
        return [[next(new) for _ in each] for each in targets]

    def axpy_all(self, alpha: Any, xs: Sequence[Any], ys: Sequence[Any]) -> list[Any]:
        if self.actual.updates_together:
            return self._update_together("axpy_all", alpha, xs, ys)[0]
        self._check_unshared(ys, views=True)
        return [self._added(alpha, x, y) for x, y in zip(xs, ys, strict=True)]

    def _added(self, alpha: Any, x: Any, y: Any) -> Any:
        new_array = partial(Backend.axpy, self.actual)  # the generic one writes to nothing
        return self.run("axpy", new_array, (alpha, x, y), {})

    def momentum_all(
        self, momentum: Any, lr: Any, gs: Sequence[Any], vs: Sequence[Any], ps: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        if self.actual.updates_together:
            velocities, params = self._update_together("momentum_all", momentum, lr, gs, vs, ps)
            return velocities, params
        self._check_unshared([*vs, *ps], views=True)
        new = [self._added(1, g, v * momentum) for g, v in zip(gs, vs, strict=True)]
        return new, [self._added(-lr, v, p) for v, p in zip(new, ps, strict=True)]

    def outer(self, x1: Any, x2: Any) -> Any:
        return self.run("outer", self.actual.outer, (x1, x2), {})

    def softmax(self, x: Any, axis: int = -1) -> Any:
        return self.unfolded.get("softmax", Backend.softmax)(self, x, axis)

    def log_softmax(self, x: Any, axis: int = -1) -> Any:
        return self.unfolded.get("log_softmax", Backend.log_softmax)(self, x, axis)

    def scatter_add(self, values: Any, key: Any, shape: Any) -> Any:
        return self.run("scatter_add", self.actual.scatter_add, (values, key, shape), {})

    def expm1(self, x: Any) -> Any:
        return self.run("expm1", self.actual.expm1, (x,), {})

    def floor_divide(self, x1: Any, x2: Any) -> Any:
        return self.run("floor_divide", self.actual.floor_divide, (x1, x2), {})


def _kernel(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return a kernel as one that writes itself down."""

    def recorded(xp: Recorder, *args: Any, **kwargs: Any) -> Any:
        return xp.run(name, partial(kernel, xp.actual), args, kwargs)

    return recorded


class _Extension:
    """A namespace inside the namespace: linalg, fft, special."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(getattr(self._recorder.actual, self._name), name)
        return self._recorder.function(f"{self._name}.{name}", found)
