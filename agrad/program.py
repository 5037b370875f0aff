"""Programs: what is left of a recorded step.

A `Program` is made of a tape's calls: those whose results nobody uses are dropped, and those that
are made twice are made once. How it is run is told in agrad/routine.py.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import getitem
from types import FunctionType
from typing import Any, NamedTuple

from agrad.autograd import Variable
from agrad.backends import Array
from agrad.backends.recorder import Call, Symbol, TracedNumber, traced_in

__all__ = ["Program", "Results", "Source", "Value", "grad_array"]

Value = Symbol | TracedNumber


class Source:
    """Where a value that differs from run to run is read from.

    Parameters
    ----------
    kind : {"leaf", "data", "grad", "item"}
        An argument of the step itself; the array or the gradient of a Tensor; or a number in a
        dict, such as the attributes of an object, or in a tuple there.
    owner : object
        The Tensor, or the dict. None if it is an argument of the step.
    key : int or tuple
        The argument's number; or the number's key in the dict, and its place in the tuple there.
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

    def text(self, bind: Callable[[Any], str]) -> str:
        """Return how to read the value as Python source; `bind` gives the owner a name in it."""
        if self.owner is None:
            leaf = f"leaves[{self.key}]"
            return leaf if self.kind == "leaf" else f"{leaf}._{self.kind}"
        if self.kind == "item":
            return bind(self.owner) + "".join(f"[{key!r}]" for key in self.key)
        return f"{bind(self.owner)}._{self.kind}"

    def read(self, leaves: Sequence[Any]) -> Any:
        """Return the value that it has now."""
        if self.kind == "leaf":
            return leaves[self.key]
        if self.kind == "item":
            return reduce(getitem, self.key, self.owner)
        tensor = self.tensor(leaves)
        return tensor._data if self.kind == "data" else grad_array(tensor)


class Program:
    """The calls of a step that are needed, in order, with names for what they give.

    Parameters
    ----------
    calls : sequence of Call
        All that were made.
    results : sequence of Symbol or TracedNumber
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
        self.constants: list[Symbol] = []
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
        # All that tells it from another
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
        place = out.recorder if isinstance(out, Symbol) else None
        try:
            key = place, call.name, self._frozen(call.args), self._frozen(call.kwargs)
            hash(key)
        except TypeError:
            return None
        return key

    def _frozen(self, value: Any) -> Any:
        """Return nested arguments as something that can be compared."""
        if isinstance(value, Symbol) and value.is_constant:
            host = value.recorder.actual.to_host(value.constant)
            return "constant", host.shape, str(host.dtype), host.tobytes()
        if isinstance(value, (Symbol, TracedNumber)):
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
        if isinstance(value, (Symbol, TracedNumber)):
            return "a value", self.names[self.stand_in(value)]
        if isinstance(value, (tuple, list)):
            return (type(value), *map(self._named, value))
        if isinstance(value, dict):
            return tuple((key, self._named(each)) for key, each in value.items())
        return value.__qualname__ if isinstance(value, FunctionType) else repr(value)


def _kind(out: Any) -> Any:
    if isinstance(out, Symbol) and out.shape is not None:  # of several results it is
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
    outputs : list of Symbol or TracedNumber
        What the step returns.
    data : list of (Source, Symbol)
        The Tensors that get new values.
    grads : list of (Source, Symbol or None)
        The Tensors whose ``grad`` changes.
    numbers : list of (dict, str, TracedNumber or number)
        The entries of dicts that get another number, or another tuple of them.
    """

    outputs: list[Value]
    data: list[tuple[Source, Symbol]]
    grads: list[tuple[Source, Symbol | None]]
    numbers: list[tuple[Any, str, Any]]

    def values(self) -> list[Value]:
        """Return all that the program must compute."""
        values = [
            *self.outputs,
            *(value for _, value in self.data),
            *(value for _, value in self.grads),
            *(value for _, _, value in self.numbers),
        ]
        return list(traced_in(values))


def grad_array(tensor: Variable) -> Array:
    """Return a Tensor's gradient as a raw array."""
    grad = tensor._grad
    return grad._data if isinstance(grad, Variable) else tensor._backend.normalize(grad)
