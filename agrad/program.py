"""Programs: what is left of a recorded step, and the Python code that runs it.

A `Program` is made of a tape's calls: those whose results nobody uses are dropped, those that are
made twice are made once, and the rest becomes the source of one flat function over raw arrays.
"""

import math
from collections.abc import Sequence
from types import FunctionType
from typing import Any, NamedTuple

from agrad.autograd import Variable
from agrad.backends import Array, Backend
from agrad.backends.recorder import Call, Traced, TracedNumber, WholeKernel

__all__ = ["Program", "Results", "Routine", "Source", "Value"]

Value = Traced | TracedNumber


class Source:
    """Where a value that differs from run to run is read from.

    Parameters
    ----------
    kind : {"leaf", "data", "grad", "attribute"}
        An argument of the step itself; the array or the gradient of a Tensor; or a number that is
        an attribute of an object.
    owner : object
        The Tensor, or the object. None if it is an argument of the step.
    key : int or str
        The argument's number, or the attribute's name.
    """

    __slots__ = ("key", "kind", "owner")

    def __init__(self, kind: str, owner: Any, key: Any = None) -> None:
        self.kind = kind
        self.owner = owner
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        return self.kind, id(self.owner), self.key

    def tensor(self, leaves: Sequence[Any]) -> Any:
        """Return the Tensor that it is about."""
        return leaves[self.key] if self.owner is None else self.owner

    def read(self, leaves: Sequence[Any]) -> Any:
        """Return the value that it has now."""
        if self.kind == "leaf":
            return leaves[self.key]
        if self.kind == "attribute":
            return vars(self.owner)[self.key]
        tensor = self.tensor(leaves)
        return tensor._data if self.kind == "data" else grad_array(tensor)


class Program:
    """The calls of a step that are needed, in order, with names for what they give.

    Parameters
    ----------
    calls : sequence of Call
        All that were made.
    results : sequence of Traced or TracedNumber
        What is wanted of them.
    names : mapping
        What to call the inputs, by their source.
    """

    def __init__(
        self, calls: Sequence[Call], results: Sequence[Value], names: dict[Any, str]
    ) -> None:
        self.wishes = names
        self._taken: dict[str, int] = {}
        self._same: dict[Value, Value] = {}  # what stands for a value that was made twice
        self.calls = self._without_repeats(_needed(calls, results))
        self.results = [self.stand_in(each) for each in results]
        self.sources: dict[Any, Value] = {}
        self.constants: list[Traced] = []
        self.names: dict[Value, str] = {}
        for value in (*(v for call in self.calls for v in self.inputs(call)), *self.results):
            if value in self.names or value.call is not None:
                continue
            if value.source is not None:
                self.sources[value.source] = value
                self.names[value] = self.name(names.get(value.source, "x"))
            else:
                self.constants.append(value)  # type: ignore[arg-type]
                self.names[value] = self.name("c")
        for call in self.calls:
            if call.out is not None:
                self.names[call.out] = self.name("t")
        # All that tells it from another; without the arrays, which may be forgotten
        self._facts = list(self.sources), self._lines(), list(map(self._frozen, self.constants))

    def name(self, wish: str) -> str:
        """Return a name that nothing else in the program has."""
        number = self._taken.get(wish, -1) + 1
        self._taken[wish] = number
        return f"{wish}{number}" if number or wish in ("t", "c", "x") else wish

    def stand_in(self, value: Value) -> Value:
        """Return the value that stands for another one that is the same."""
        return self._same.get(value, value)

    def inputs(self, call: Call) -> list[Value]:
        """Return the values that a call is made of."""
        return [self.stand_in(each) for each in call.inputs()]

    def _without_repeats(self, calls: Sequence[Call]) -> list[Call]:
        found: dict[Any, Call] = {}
        kept = []
        for call in calls:
            key = None if call.effect or call.name == "to_device" else self._key(call)
            if key is None or key not in found:
                kept.append(call)
                if key is not None:
                    found[key] = call
                continue
            if call.out is not None and (same := found[key].out) is not None:
                self._same[call.out] = same
        return kept

    def _key(self, call: Call) -> Any:
        """Return what two calls have in common that give the same; None if it can't be told."""
        out = call.out
        place = out.recorder if isinstance(out, Traced) else None
        try:
            key = place, call.name, self._frozen(call.args), self._frozen(call.kwargs)
            hash(key)
        except TypeError:
            return None
        return key

    def _frozen(self, value: Any) -> Any:
        """Return nested arguments as something that can be compared."""
        if isinstance(value, Traced) and value.is_constant:
            host = value.recorder.real.to_host(value.value)
            return "constant", host.shape, str(host.dtype), host.tobytes()
        if isinstance(value, (Traced, TracedNumber)):
            return self.stand_in(value)
        if isinstance(value, (tuple, list)):
            return (type(value), *map(self._frozen, value))
        if isinstance(value, dict):
            return tuple((key, self._frozen(each)) for key, each in value.items())
        if isinstance(value, slice):
            return "slice", value.start, value.stop, value.step
        if isinstance(value, float):
            return "float", repr(value)  # -0.0 and 0.0 are two
        return type(value), value

    # To compare it with another ------------------------------------------------------------------

    def same_as(self, other: "Program") -> bool:
        """Return whether another recording gave the same program."""
        return self._facts == other._facts

    def _lines(self) -> list[Any]:
        return [
            *(
                (call.name, self._named(call.args), self._named(call.kwargs), _kind(call.out))
                for call in self.calls
            ),
            *map(self._named, self.results),
        ]

    def _named(self, value: Any) -> Any:
        """Return nested arguments with names for values."""
        if isinstance(value, (Traced, TracedNumber)):
            return "a value", self.names[self.stand_in(value)]
        if isinstance(value, (tuple, list)):
            return (type(value), *map(self._named, value))
        if isinstance(value, dict):
            return tuple((key, self._named(each)) for key, each in value.items())
        return value.__qualname__ if isinstance(value, FunctionType) else repr(value)


def _kind(out: Any) -> Any:
    if isinstance(out, Traced):
        return out.recorder.name, out.shape, str(out.dtype)
    return type(out).__name__


def _needed(calls: Sequence[Call], results: Sequence[Value]) -> list[Call]:
    """Return the calls that the results are made by, and those that have an effect."""
    wanted = {each.call for each in results}
    kept = []
    for call in reversed(calls):
        if call in wanted or call.effect:
            kept.append(call)
            wanted.update(each.call for each in call.inputs())
    return kept[::-1]


class Results(NamedTuple):
    """What a program is run for.

    Attributes
    ----------
    outputs : list of Traced or TracedNumber
        What the step returns.
    data : list of (Source, Traced)
        The Tensors that get new values.
    grads : list of (Source, Traced or None)
        The Tensors whose ``grad`` changes.
    numbers : list of (object, str, TracedNumber or number)
        The attributes that get another number.
    """

    outputs: list[Value]
    data: list[tuple[Source, Traced]]
    grads: list[tuple[Source, Traced | None]]
    numbers: list[tuple[Any, str, Any]]

    def values(self) -> list[Value]:
        """Return all that the program must compute."""
        values = [
            *self.outputs,
            *(value for _, value in self.data),
            *(value for _, value in self.grads),
            *(value for _, _, value in self.numbers),
        ]
        return [value for value in values if isinstance(value, (Traced, TracedNumber))]


class Routine:
    """The source of a program as a Python function, and the function.

    Each call of the program is a line that calls the library's function.

    Parameters
    ----------
    program : Program
        What to run.
    results : Results
        What to make of it.

    Attributes
    ----------
    source : str
        The source.
    run : callable
        ``run(leaves)`` takes the step's arguments, with all trees flattened, and gives the outputs.
    """

    def __init__(self, program: Program, results: Results) -> None:
        self.program = program
        self.results = results
        self.bound: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
        self._names: dict[int, str] = {}
        self._given: set[Value] = set()  # whose memory somebody has already got
        self.bases = self._bases()
        self._last = self._last_uses()
        self.updated = {program.stand_in(value): source for source, value in results.data}
        self.lines: list[str] = []
        self.begin()
        for position, call in enumerate(program.calls):
            self.call(call, position)
        self.finish()
        body = "".join(f"    {line}\n" for line in self.lines)
        self.source = f"def step(leaves):\n{body}"
        exec(compile(self.source, "<recorded step>", "exec"), self.bound)
        self.run = self.bound["step"]

    def _last_uses(self) -> dict[Value, int]:
        """Return the position of the last call that uses each value."""
        last: dict[Value, int] = {}
        for position, call in enumerate(self.program.calls):
            for value in self.program.inputs(call):
                last[value] = position
        for value in self.results.values():
            last[self.program.stand_in(value)] = len(self.program.calls)
        for value, base in self.bases.items():
            last[base] = max(last.get(base, 0), last.get(value, 0))
        return last

    def _bases(self) -> dict[Value, Value]:
        """Return for each value that shares its memory with an earlier one which that is."""
        bases: dict[Value, Value] = {}
        for call in self.program.calls:
            for value in self.program.inputs(call):
                if isinstance(call.out, Traced) and _share_memory(call.out, value):
                    bases[call.out] = bases.get(value, value)
        return bases

    def bind(self, wish: str, value: Any) -> str:
        """Return the name by which the source knows an object."""
        if id(value) not in self._names:
            name = self._names[id(value)] = self.program.name(wish)
            self.bound[name] = value
        return self._names[id(value)]

    def text(self, value: Any) -> str:
        """Return a value or an argument as Python source."""
        if isinstance(value, (Traced, TracedNumber)):
            return self.program.names[self.program.stand_in(value)]
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            return f"({', '.join(map(self.text, value))}{',' * (len(value) == 1)})"
        if isinstance(value, list):
            return f"[{', '.join(map(self.text, value))}]"
        if value is ...:
            return "..."
        if isinstance(value, (bool, int, float, complex, str, slice, type(None))):
            return repr(value)
        return self.bind(getattr(value, "name", type(value).__name__), value)

    def arguments(self, call: Call) -> str:
        """Return the arguments of a call as Python source."""
        named = [f"{name}={self.text(value)}" for name, value in call.kwargs.items()]
        return ", ".join([*map(self.text, call.args), *named])

    def tensor(self, source: Source) -> str:
        """Return the Tensor that a value is read from, or written to, as Python source."""
        if source.owner is None:
            return f"leaves[{source.key}]"
        return self.bind("tensor", source.owner)

    # The lines -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Read the inputs."""
        for source, value in self.program.sources.items():
            name = self.program.names[value]
            if source.kind == "leaf":
                text = f"leaves[{source.key}]"
            elif source.kind == "attribute":
                text = f"{self.bind('owner', source.owner)}.{source.key}"
            elif source.kind == "data":
                text = f"{self.tensor(source)}._data"
            else:
                text = f"{self.bind('grad_array', grad_array)}({self.tensor(source)})"
            self.lines.append(f"{name} = {text}")
        for value in self.program.constants:
            self.bound[self.program.names[value]] = value.value

    def call(self, call: Call, position: int) -> None:
        """Make one call."""
        target = "" if call.out is None else f"{self.text(call.out)} = "
        if self.is_update(call.out):
            function = self.bind("axpy", _real(call.out).axpy)
        else:
            function = self.bind(call.name.replace(".", "_"), self.function(call))
        self.lines.append(f"{target}{function}({self.arguments(call)})")
        done = [value for value, last in self._last.items() if last == position and value.call]
        if done:
            self.lines.append(f"del {', '.join(map(self.text, done))}")

    def function(self, call: Call) -> Any:
        """Return what to call; a kernel may leave to `Backend.axpy` what only that needs."""
        if not isinstance(call.function, WholeKernel) or call.out is None:
            return call.function
        calls = self.program.calls
        uses = [use for use in calls if any(v is call.out for v in self.program.inputs(use))]
        if self._last[call.out] < len(calls) and all(self.is_update(use.out) for use in uses):
            return call.function.unfinished
        return call.function

    def is_update(self, new: Value | None) -> bool:
        """Return whether a value is a Tensor's plus something, and the old one isn't needed then.

        So it can be added in place, as optimizers do it.
        """
        if new is None or new.call is None or new.call.name != "axpy" or new not in self.updated:
            return False
        old = self.program.stand_in(new.call.args[2])
        if old.call is not None or old.source != self.updated[new]:
            return False
        calls = self.program.calls
        return self._last[old] < len(calls) and calls[self._last[old]] is new.call

    def finish(self) -> None:
        """Write what has changed, and return what is wanted."""
        outputs = [self.fresh(value) for value in self.results.outputs]
        grads = ["None" if g is None else self.fresh(g) for _, g in self.results.grads]
        late = []
        for source, value in self.results.data:
            tensor = self.tensor(source)
            if self.is_update(self.program.stand_in(value)):
                new = self.text(value)
            else:
                backend = self.bind("backend", _real(value))
                replace = self.bind("replace", _replace)
                new = f"{replace}({backend}, {tensor}._data, {self.fresh(value)})"
            late.append(f"{tensor}._data = {new}")
        for (source, _), grad in zip(self.results.grads, grads, strict=True):
            late.append(f"{self.tensor(source)}._grad = {grad}")
        for owner, name, number in self.results.numbers:
            late.append(f"{self.bind('owner', owner)}.{name} = {self.text(number)}")
        self.lines += [*late, f"return [{', '.join(outputs)}]"]

    def fresh(self, value: Value) -> str:
        """Return a result in memory that is nobody else's."""
        value = self.program.stand_in(value)
        name = self.text(value)
        if isinstance(value, TracedNumber):
            return name
        if value.call is None or value in self.bases or value in self._given:
            new = self.program.name("copy")
            self.lines.append(
                f"{new} = {self.bind('asarray', _real(value).asarray)}({name}, copy=True)"
            )
            return new
        self._given.add(value)
        return name


def grad_array(tensor: Variable) -> Array:
    """Return a Tensor's gradient as a raw array."""
    grad = tensor._grad
    return grad._data if isinstance(grad, Variable) else tensor._backend.normalize(grad)


def _real(value: Any) -> Backend:
    backend: Backend = value.recorder.real
    return backend


def _replace(backend: Backend, old: Array, new: Array) -> Array:
    """Return an array with new values, written into its memory where that is allowed."""
    return new if backend.memory(old) is None else backend.assign(old, ..., new)


def _share_memory(x1: Value, x2: Value) -> bool:
    """Return whether two arrays are known to share memory."""
    if not (isinstance(x1, Traced) and isinstance(x2, Traced)) or x1.recorder is not x2.recorder:
        return False
    real = x1.recorder.real
    both = [x.value for x in (x1, x2)]
    if any(type(value) is not real.array_type and real.array_type for value in both):
        return False
    memory = real.memory(both[0])
    return memory is not None and memory == real.memory(both[1])
