"""Routines: the Python code that runs a program.

A `Routine` writes the source of one flat function over raw arrays, with a line for each call. Where
the library's arrays can be written to, it plans their memory (see `StepPlanner`): arrays on the
way are made once, beforehand; one that isn't needed any more gives its memory to a later one; and
a Tensor's new values are computed in the memory of its old ones.
"""

import math
import operator
from collections.abc import Callable, Iterable
from functools import partial
from types import MethodType
from typing import Any

from agrad.backends import Array, Backend, StepPlanner, Writing, is_array
from agrad.backends.recorder import UPDATES, Call, Symbol, TracedNumber, replace_traced, traced_in
from agrad.program import Program, Results, Source, Value, grad_array

__all__ = ["Routine"]


_SYMBOLS = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.pow: "**",
    operator.matmul: "@",
}


class _Place:
    """Memory of a backend's, for several values one after the other."""

    def __init__(self, planner: StepPlanner, like: Array) -> None:
        self.planner = planner
        self.memory = planner.memory(like)
        self.nbytes = like.nbytes


class Routine:
    """The source of a program as a Python function, and the function.

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
    graph : object or None
        What the work on arrays is captured by; its `reason` says why it isn't, if it couldn't be.
    """

    graph: Any = None

    def __init__(self, program: Program, results: Results) -> None:
        self.program = program
        self.results = results
        self.calls = program.calls
        self.updated = {program.stand_in(value): source for source, value in results.data}
        self.goals: dict[Value, Symbol] = {}  # the old values of Tensors, in whose memory to be
        self.places: dict[Value, _Place] = {}  # who has which memory now
        self._find_uses()
        self._merge_products()
        self._move_updates()
        self._find_goals()

        self.bound: dict[str, Any] = {"inf": math.inf, "nan": math.nan}
        self._names: dict[Any, str] = {}
        self.texts: dict[Value, str] = {}  # of values that are in the array of another one
        self.fixed: dict[Value, Array] = {}  # arrays that are the same ones in each run
        self._free: list[_Place] = []
        self._variables: set[Value] = set()  # who is in a variable of its own
        self._given: set[Value] = set()  # whose memory somebody has already got
        self.lines: list[str] = []
        self.begin()
        for call in self.calls:
            self.call(call)
        self.finish()
        self.source = self.write()
        exec(compile(self.source, "<recorded step>", "exec"), self.bound)
        self.run = self.bound["step"]

    # Which values live how long ------------------------------------------------------------------

    def _find_uses(self) -> None:
        """Find which values share memory, and the last call that uses each."""
        self.bases: dict[Value, Value] = {}  # of what shares memory with an earlier value: that
        self.last: dict[Value, int] = {}  # the position of the last call that uses it or its memory
        self.positions: dict[Call, int] = {}
        for position, call in enumerate(self.calls):
            self.positions[call] = position
            for value in self.program.inputs(call):
                self.last[value] = position
            if isinstance(call.out, Symbol) and call.out.base is not None:
                self.bases[call.out] = self.program.stand_in(call.out.base)
        for value in self.results.values():
            self.last[self.program.stand_in(value)] = len(self.calls)
        for value, base in self.bases.items():
            self.last[base] = max(self.last.get(base, 0), self.last.get(value, 0))
        self._dying: dict[int, list[Value]] = {}
        for value, position in self.last.items():
            self._dying.setdefault(position, []).append(value)

    def old(self, new: Any) -> Symbol | None:
        """Return the value that a Tensor had before a new one, which is like it."""
        old = self.program.sources.get(self.updated.get(new))
        return old if isinstance(old, Symbol) else None

    def _overwrites(self, call: Call, value: Value) -> bool:
        """Return whether a call's result may have the memory of one of its arguments."""
        base = self.bases.get(value, value)
        inputs = (x for x in self.program.inputs(call) if x is not value)
        if self.last[base] != self.positions[call] or any(
            self.bases.get(x, x) is base for x in inputs
        ):
            return False  # somebody needs it
        if base.call is None:  # a Tensor's own is for its new value alone; others stay as they are
            return base is self.goals.get(call.out, self.old(call.out))
        return base.ndim > 0  # without dimensions it may be a scalar, which can't be written to

    def _operands(self, call: Call) -> list[Value]:
        """Return the arguments whose memory a call's result may have."""
        if _adds(call):
            operands = [call.args[-1]]
        elif call.name == "setitem":
            operands = [call.args[0]]
        else:
            writing = self._writing(call)
            operands = list(traced_in(writing.args)) if writing and writing.in_place else []
        found = map(self.program.stand_in, operands)
        return [x for x in found if _alike(x, call.out) and self._overwrites(call, x)]

    def _writing(self, call: Call) -> Writing | None:
        planner = _planner(call.out)
        if planner is None or call.out in self.bases or call.out.shape is None:
            return None
        return planner.writing(call.function, call.args, call.kwargs)

    # The order of the calls ----------------------------------------------------------------------

    def _merge_products(self) -> None:
        """Let products that are added to something be added as they are made."""
        uses: dict[Value, int] = {}
        for call in self.calls:
            for value in self.program.inputs(call):
                uses[value] = uses.get(value, 0) + 1
        written: set[Value] = set()  # what products are added to as they are made
        for call in list(self.calls):
            planner = _planner(call.out)
            if call.name != "axpy" or planner is None:
                continue
            alpha, product, y = map(self.program.stand_in, call.args)
            maker = product.call
            given = self.last[product] == len(self.calls)
            if maker is None or given or uses[product] > 1 or not self._operands(call):
                continue
            # It is made later then, when what it is made of must not have been written to
            made_of = {self.bases.get(x, x) for x in self.program.inputs(maker)}
            targets = written | {self.bases.get(y, y)}
            add = planner.adding(maker.name, maker.args, y)
            if add is not None and made_of.isdisjoint(targets):
                written = targets
                merged = Call(f"axpy_{maker.name}", add, (alpha, *maker.args, y), {})
                merged.out, call.out.call = call.out, merged
                self.calls[self.calls.index(call)] = merged
                self.calls.remove(maker)
                self._find_uses()

    def _move_updates(self) -> None:
        """Let what is added to Tensors be added as early as it can be, to be done with it."""
        self.calls.sort(key=lambda call: not isinstance(call.out, TracedNumber))
        for call in list(self.calls):
            if not self.is_update(call):
                continue
            old = self.program.stand_in(call.args[-1])
            inputs = {x.call for x in self.program.inputs(call)}
            position = self.calls.index(call)
            while position > 0:
                before = self.calls[position - 1]
                reads = (self.bases.get(x, x) is old for x in self.program.inputs(before))
                if before.effect or before in inputs or any(reads):
                    break
                position -= 1
            self.calls.remove(call)
            self.calls.insert(position, call)
        self._find_uses()

    def is_update(self, call: Call) -> bool:
        """Return whether a call adds something to a Tensor whose old values nobody needs then.

        So it can be added in place, as optimizers do it.
        """
        if not _adds(call):
            return False
        y = self.program.stand_in(call.args[-1])
        return y is self.old(call.out) and self._overwrites(call, y)

    def _find_goals(self) -> None:
        """Find which values can be computed in the memory of a Tensor that gets them."""
        for call in reversed(self.calls):
            new = call.out
            if _planner(new) is None:
                continue
            if new not in self.goals:
                old = self.old(new)
                if old is None or not self._can_be_in(new, old):
                    continue
                self.goals[new] = old
            # So can what it is made of, from where on the old values aren't needed
            for x in self._operands(call):
                if self._can_be_in(x, self.goals[new]):
                    self.goals[x] = self.goals[new]
                    break

    def _can_be_in(self, new: Value, old: Symbol) -> bool:
        """Return whether a value can be written into the memory that a Tensor's old one has."""
        call = new.call
        if call is None:
            return False
        self.goals[new] = old
        operands = self._operands(call)
        del self.goals[new]
        if any(x is old for x in operands):
            return True
        if self.last[old] >= self.positions[call]:
            return False
        if _adds(call) or call.name == "setitem":
            return any(self._can_be_in(x, old) for x in operands)
        return self._writing(call) is not None

    # Text ----------------------------------------------------------------------------------------

    def bind(self, wish: str, value: Any) -> str:
        """Return the name by which the source knows an object."""
        if value.__class__ is MethodType:  # each look at it gives a new object
            key: Any = id(value.__self__), value.__func__
        else:
            key = id(value)
        if key not in self._names:
            name = self._names[key] = self.program.name(wish.replace(".", "_"))
            self.bound[name] = value
        return self._names[key]

    def text(self, value: Any) -> str:
        """Return a value or an argument as Python source."""
        if isinstance(value, (Symbol, TracedNumber)):
            value = self.program.stand_in(value)
            return self.texts.get(value) or self.program.names[value]
        if isinstance(value, tuple):
            parts = ", ".join(map(self.text, value))
            if hasattr(value, "_fields"):
                return f"{self.bind(type(value).__name__, type(value))}({parts})"
            return f"({parts}{',' * (len(value) == 1)})"
        if isinstance(value, list):
            return f"[{', '.join(map(self.text, value))}]"
        if value is ...:
            return "..."
        if isinstance(value, (bool, int, float, complex, str, slice, type(None))):
            return repr(value)
        kind = "constant" if is_array(value) else type(value).__name__
        return self.bind(getattr(value, "name", kind), value)

    def arguments(self, args: Iterable[Any], kwargs: dict[str, Any]) -> str:
        """Return the arguments of a call as Python source."""
        named = [f"{name}={self.text(value)}" for name, value in kwargs.items()]
        return ", ".join([*map(self.text, args), *named])

    def tensor(self, source: Source) -> str:
        """Return the Tensor that a value is read from, or written to, as Python source."""
        if source.owner is None:
            return f"leaves[{source.key}]"
        return self.bind("tensor", source.owner)

    # The lines -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Read the inputs."""
        for source, value in self.program.sources.items():
            if source.kind == "grad":  # which may not be an array yet
                text = f"{self.bind('grad_array', grad_array)}({self.tensor(source)})"
            else:
                owner = "owner" if source.kind == "item" else "tensor"
                text = source.text(partial(self.bind, owner))
            self.lines.append(f"{self.program.names[value]} = {text}")
        for value in self.program.constants:
            self.bound[self.program.names[value]] = value.constant

    def call(self, call: Call) -> None:
        """Make one call, in the way that needs the least memory."""
        if not (
            self._update(call) or self._overwrite(call) or self._view(call) or self._write(call)
        ):
            self._plain(call)
        done = []
        for value in self._dying.get(self.positions[call], ()):
            if value in self.places:
                self._free.append(self.places.pop(value))
            elif value in self._variables:
                self._variables.remove(value)
                done.append(self.text(value))
        if done:
            self.lines.append(f"del {', '.join(done)}")

    def _line(self, wish: str, function: Any, args: Any, kwargs: Any, target: str = "") -> None:
        if function in _SYMBOLS:
            left, right = map(self.text, args)
            left = f"({left})" if left.startswith("-") else left  # -2 ** x is -(2 ** x)
            self.lines.append(f"{target}{left} {_SYMBOLS[function]} {right}")
            return
        if function is operator.neg:
            self.lines.append(f"{target}-{self.text(args[0])}")
            return
        name = self.bind(_name_of(function) or wish, function)
        self.lines.append(f"{target}{name}({self.arguments(args, kwargs)})")

    def _plain(self, call: Call) -> None:
        """Let a call make a new array."""
        target = ""
        if call.out is not None:
            self._variables.add(call.out)
            target = f"{self.text(call.out)} = "
        function, args, kwargs = call.function, call.args, call.kwargs
        if self.is_update(call):  # by the library's own way, if it has one
            function = _real(call.out).axpy
        elif (planner := _planner(call.out)) is not None:
            function, args, kwargs = planner.shortcut(function, args, kwargs)
        self._line(call.name, function, args, kwargs, target)

    def _update(self, call: Call) -> bool:
        """Let a call that changes many arrays change them where they are."""
        if call.name == "pick" and self.program.stand_in(call.out) in self.texts:
            return True  # such a call has made it already
        if call.name not in UPDATES:
            return False
        real, lists = _real(call.out), call.args[-UPDATES[call.name] :]
        targets = [self.program.stand_in(x) for each in lists for x in each]
        picks = {c.args[1]: c.out for c in self.calls if c.name == "pick" and c.args[0] is call.out}
        inputs = [self.bases.get(x, x) for x in self.program.inputs(call)]
        for i, old in enumerate(targets):
            is_its = i in picks and self.old(picks[i]) is old and inputs.count(old) == 1
            if not is_its or self.last[old] > self.positions[call]:
                return False
        self._line(call.name, getattr(real, call.name), call.args, {})
        for i, new in picks.items():
            self.texts[new] = self.text(targets[i])
        return True

    def _overwrite(self, call: Call) -> bool:
        """Let a call that changes an array change it where it is."""
        if _planner(call.out) is None or not (_adds(call) or call.name == "setitem"):
            return False
        operands = self._operands(call)
        if not operands:
            return False
        if call.name == "setitem":
            self.lines.append("{}[{}] = {}".format(*map(self.text, call.args)))
        elif call.name == "axpy":
            planner, (_, x, y) = _planner(call.out), map(self.program.stand_in, call.args)
            add = planner and planner.adding("axpy", (x,), y)
            self._line("axpy", add or _real(call.out).axpy, call.args, {})
        else:
            self._line(call.name, call.function, call.args, {})
        self._hand_on(operands[0], call.out)
        return True

    def _hand_on(self, value: Value, new: Any) -> None:
        """Let a value have the array of another one that isn't needed any more."""
        self.texts[new] = self.text(value)
        if value in self.fixed:
            self.fixed[new] = self.fixed[value]
        base = self.bases.get(value, value)
        if base in self.places:
            self.places[new] = self.places.pop(base)
        if value in self._variables:
            self._variables.remove(value)
            self._variables.add(new)

    def _view(self, call: Call) -> bool:
        """Make a view of an array that is always the same now, once and for all."""
        inputs = self.program.inputs(call)
        if call.out not in self.bases or not all(x in self.fixed for x in inputs):
            return False

        def fixed(value: Value) -> Array:
            return self.fixed[self.program.stand_in(value)]

        real = _real(call.out)
        args, kwargs = replace_traced((call.args, call.kwargs), fixed)
        array = real.normalize(call.function(*args, **kwargs))
        if real.memory(array) not in [real.memory(self.fixed[x]) for x in inputs]:
            return False
        self._fix(call.out, array)
        return True

    def _fix(self, value: Any, array: Array) -> None:
        self.fixed[value] = self.bound[self.program.names[value]] = array

    def _write(self, call: Call) -> bool:
        """Let a call write into an array that is there."""
        writing, new = self._writing(call), call.out
        if writing is None or new.ndim == 0:  # numbers are faster than arrays
            return False
        function, args, kwargs, _ = writing
        if new in self.goals:
            self.texts[new] = self.text(self.goals[new])
        elif self._is_given(new):
            self._variables.add(new)
            self._line(call.name, function, args, kwargs, f"{self.text(new)} = ")
            return True
        else:
            operands = [x for x in self._operands(call) if self.bases.get(x, x) in self.places]
            if operands:
                self._hand_on(operands[0], new)
            else:
                planner = _planner(new)
                assert planner is not None
                place = self.places[new] = self._place(planner, new)
                self._fix(new, planner.array(place.memory, new))
        self.lines.append(
            f"{self.bind(_name_of(function), function)}"
            f"({self.arguments(args, kwargs)}, out={self.text(new)})"
        )
        return True

    def _place(self, planner: StepPlanner, like: Array) -> _Place:
        """Return memory for an array: the smallest that is free, or new."""
        fitting = [p for p in self._free if p.planner is planner and p.nbytes >= like.nbytes]
        if not fitting:
            return _Place(planner, like)
        best = min(fitting, key=lambda place: place.nbytes)
        self._free.remove(best)
        return best

    def _is_given(self, value: Value) -> bool:
        """Return whether somebody outside gets an array itself."""
        results = [*self.results.outputs, *(grad for _, grad in self.results.grads)]
        return any(x is not None and self.program.stand_in(x) is value for x in results)

    def finish(self) -> None:
        """Write what has changed, and return what is wanted."""
        outputs = [self.fresh(value) for value in self.results.outputs]
        grads = ["None" if g is None else self.fresh(g) for _, g in self.results.grads]
        late = []
        for source, new in self.results.data:
            value: Any = self.program.stand_in(new)
            tensor, old = self.tensor(source), self.program.sources.get(source)
            if old is not None and self.text(value) == self.text(old):
                continue  # it is in its memory already
            is_own = self.updated[value] == source  # not that of another one which gets it too
            if is_own and value.call is not None and self.is_update(value.call):
                text = self.text(value)
            else:
                backend = self.bind("backend", _real(value))
                replace = self.bind("replace", _replace)
                text = self.text(value) if value in self.places else self.fresh(value)
                text = f"{replace}({backend}, {tensor}._data, {text})"
            late.append(f"{tensor}._data = {text}")
        for (source, _), grad in zip(self.results.grads, grads, strict=True):
            late.append(f"{self.tensor(source)}._grad = {grad}")
        for owner, name, number in self.results.numbers:
            late.append(f"{self.bind('owner', owner)}[{name!r}] = {self.text(number)}")
        self.lines += [*late, f"return [{', '.join(outputs)}]"]

    def write(self) -> str:
        """Return the source, made of the lines."""
        return function_text("step", "leaves", self.lines)

    def fresh(self, value: Value) -> str:
        """Return a result in memory that is nobody else's."""
        value = self.program.stand_in(value)
        name = self.text(value)
        if isinstance(value, TracedNumber):
            return name
        if value in self._variables and value not in self.bases and value not in self._given:
            self._given.add(value)
            return name
        new = self.program.name("copy")
        self.lines.append(
            f"{new} = {self.bind('asarray', _real(value).asarray)}({name}, copy=True)"
        )
        return new


def function_text(name: str, parameters: str, lines: Iterable[str]) -> str:
    """Return the source of a function."""
    return f"def {name}({parameters}):\n" + "".join(f"    {line}\n" for line in lines)


def _adds(call: Call) -> bool:
    """Return whether a call adds something to its last argument."""
    return call.name.startswith("axpy") and call.name not in UPDATES


def _name_of(function: Callable[..., Any]) -> str:
    """Return what to call a function: "add", or "add.reduce"."""
    name: str = getattr(function, "__name__", "")
    owner: Any = getattr(function, "__self__", None)
    return f"{owner.__name__}.{name}" if hasattr(owner, "reduce") else name


def _real(value: Any) -> Backend:
    backend: Backend = value.recorder.actual
    return backend


def _planner(value: Any) -> StepPlanner | None:
    return _real(value).planner if isinstance(value, Symbol) else None


def _alike(x1: Any, x2: Any) -> bool:
    """Return whether two arrays have the same shape, data type and layout."""
    if not (isinstance(x1, Symbol) and x1.shape == x2.shape and x1.dtype == x2.dtype):
        return False
    planner = _planner(x1)
    return planner is None or x1.strides == x2.strides


def _replace(backend: Backend, old: Array, new: Array) -> Array:
    """Return an array with new values, written into its memory where that is allowed."""
    return new if backend.memory(old) is None else backend.assign(old, ..., new)
