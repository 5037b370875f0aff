"""compile: record a training step once, and replay the raw calls that it made.

The first calls of a compiled function run it as it is, over recorders instead of the arrays' own
libraries (see agrad/backends/recorder.py). When two recordings in a row agree, the program that is
in them takes the function's place, for arguments of these shapes and data types.
"""

import functools
import gc
import threading
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, cast

from agrad.autograd import Leaf, Node, Variable, is_grad_enabled, wrap
from agrad.backends import (
    Array,
    Backend,
    Recorder,
    Tape,
    Traced,
    TracedNumber,
    backend_of,
    default_backend,
    get_float32_matmul_precision,
    is_array,
    recording,
)
from agrad.backends.recorder import replace_traced
from agrad.dtypes import get_default_dtype
from agrad.graphs import routine_for
from agrad.guards import Conditions, Guards, Watcher
from agrad.ops.casting import casting_state
from agrad.optim.optimizer import Optimizer
from agrad.program import Program, Results, Source
from agrad.tensor import Parameter
from agrad.writes import Writer, note_write

__all__ = ["Compiled", "compile"]

P = ParamSpec("P")
R = TypeVar("R")

_STATIC = (bool, str, bytes, type(None))
_NUMBERS = (int, float, complex)
_TRIES = 5  # recordings of one signature, one after the other, until two agree
_MANY = 16  # recordings that are too many to be meant


# Recording ----------------------------------------------------------------------------------------


class _Lifted:
    """A Tensor whose array is a recorder's for the time of a recording, and what it was before."""

    def __init__(self, tensor: Variable, source: Source, recorder: Recorder) -> None:
        self.tensor = tensor
        self.source = source
        self.data = tensor._data
        self.backend = tensor._backend
        self.node = tensor._node
        self.grad = tensor._grad
        self.origin = getattr(tensor, "_origin", None)
        self.views = getattr(tensor, "_views", None)
        self.traced = tensor._data = Traced(recorder, self.data, source=source)
        tensor._backend = recorder
        if isinstance(self.node, Leaf):
            self.node.backend = recorder
        if self.grad is not None and not isinstance(self.grad, Variable):
            raw = self.backend.normalize(self.grad)
            grad_source = Source("grad", source.owner, source.key)
            tensor._grad = Traced(recorder, raw, source=grad_source)
        self.traced_grad = tensor._grad

    def put_back(self) -> None:
        """Make the Tensor what it was."""
        tensor = self.tensor
        del self.traced, self.traced_grad
        tensor._data = self.data
        tensor._backend = self.backend
        tensor._node = self.node
        tensor._grad = self.grad
        if isinstance(self.node, Leaf):
            self.node.backend = self.backend
        for name, value in (("_origin", self.origin), ("_views", self.views)):
            if value is not None:
                setattr(tensor, name, value)
            elif hasattr(tensor, name):
                delattr(tensor, name)


class _Recording(Tape):
    """One recorded run of a step.

    Tensors that the step finds get traced arrays, and numbers of optimizers become traced ones,
    until the run is over.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lifted: dict[int, _Lifted] = {}
        # Entries of dicts: what they were, and what they are for the time of the recording
        self.numbers: list[tuple[dict[Any, Any], str, Any, Any]] = []
        self.optimizers: list[Optimizer] = []

    def lift(self, inputs: Any) -> Any:
        """Let the calls that use a Tensor from outside the step be written down."""
        for x in inputs:
            if isinstance(x, Variable):
                self.lift_tensor(x)
        if not any(isinstance(x, Variable) or is_array(x) for x in inputs):
            return [x.pin() if isinstance(x, TracedNumber) else x for x in inputs]
        return inputs

    def lift_tensor(self, tensor: Variable, source: Source | None = None) -> None:
        """Put a traced array in the place of a Tensor's own, and of those that hang on to it."""
        if isinstance(tensor._backend, Recorder):
            return
        if isinstance(tensor._node, Node):
            raise RuntimeError(
                f"a recorded step can't use a Tensor of shape {tuple(tensor._data.shape)} that was "
                "computed outside of it and requires a gradient: use its .detach(), or compute it "
                "inside the step"
            )
        recorder = self.recorder(tensor._backend)
        source = source or Source("data", tensor)
        self.lifted[id(tensor)] = _Lifted(tensor, source, recorder)
        if isinstance(tensor._grad, Variable):
            self.lift_tensor(tensor._grad, Source("grad", source.owner, source.key))
        if isinstance(tensor, Parameter) and tensor._velocity is not None:
            self.lift_tensor(tensor._velocity)

    def lift_numbers(self, optimizer: Optimizer) -> None:
        """Let an optimizer's numbers, and tuples of them, differ from run to run."""
        self.optimizers.append(optimizer)
        for scope in _scopes(optimizer):
            for name, value in tuple(scope.items()):
                if not isinstance(name, str) or name.startswith("_"):
                    continue
                if type(value) in _NUMBERS:
                    scope[name] = self._number(value, scope, name)
                elif type(value) is tuple and all(type(each) in _NUMBERS for each in value):
                    scope[name] = tuple(
                        self._number(each, scope, name, i) for i, each in enumerate(value)
                    )
                else:
                    continue
                self.numbers.append((scope, name, value, scope[name]))

    def _number(self, value: Any, scope: dict[Any, Any], *key: Any) -> TracedNumber:
        return TracedNumber(self, value, source=Source("item", scope, key))

    def argument(self, leaf: Any, position: int) -> Any:
        """Return an argument as one whose use is written down."""
        if isinstance(leaf, Variable):
            self.lift_tensor(leaf, Source("data", None, position))
            return leaf
        source = Source("leaf", None, position)
        if type(leaf) in _NUMBERS:
            return TracedNumber(self, leaf, source=source)
        if is_array(leaf):
            recorder = backend_of(leaf)
            assert isinstance(recorder, Recorder)
            return Traced(recorder, leaf, source=source)
        return leaf

    def put_back(self) -> None:
        """Make everything that was lifted what it was before."""
        for lifted in self.lifted.values():
            lifted.put_back()
        for optimizer in self.optimizers:
            for scope in _scopes(optimizer):  # there may be new ones
                for name, value in scope.items():
                    if isinstance(value, TracedNumber):
                        scope[name] = value.value
        for scope, name, value, _ in self.numbers:
            scope[name] = value

    def forget(self) -> None:
        """Let go of the arrays of this run; a tape is full of cycles and may stay for a while."""
        self.lifted.clear()

    def release(self, tensor: Variable) -> None:
        """Give a Tensor that was made in the step a real array."""
        backend = tensor._backend
        if isinstance(backend, Recorder) and backend.tape is self:
            tensor._backend = backend.actual
            tensor._data = backend.actual.own(backend.actual.normalize(tensor._data.value))
            tensor._node = None

    def refuse_overlaps(self, program: Program, changes: "_Changes") -> None:
        """Raise an error if a Tensor that is written to shares its memory with another one."""
        used = [each for each in self.lifted.values() if each.source in program.sources]
        for changed, _ in changes.data:
            memory = changed.backend.memory(changed.data)
            for other in used:
                if other is changed or memory is None:
                    continue
                if other.backend.memory(other.data) == memory:
                    raise RuntimeError(
                        "a recorded step can't write to a Tensor that shares its memory with "
                        f"another one that it uses (of shapes {tuple(changed.data.shape)} and "
                        f"{tuple(other.data.shape)}): copy one, agrad.asarray(t, copy=True)"
                    )

    def leaks(self) -> list[Variable]:
        """Return the Tensors made in the step that are still alive."""

        if self.live:
            gc.collect()
        traced = list(self.live.values())
        holders = gc.get_referrers(*traced) if traced else []
        return [each for each in holders if issubclass(type(each), Variable)]


class _Changes:
    """What a recorded step has changed.

    Attributes
    ----------
    data : list of (_Lifted, _Result)
        The Tensors with new values.
    grads : list of (_Lifted, _Result or None)
        The Tensors with other gradients.
    numbers : list of (dict, str, TracedNumber or number)
        The entries of dicts with other numbers, or with other tuples of them.
    """

    def __init__(self, tape: _Recording) -> None:
        self.data: list[tuple[_Lifted, _Result]] = []
        self.grads: list[tuple[_Lifted, _Result | None]] = []
        self.numbers: list[tuple[Any, str, Any]] = []
        for lifted in tape.lifted.values():
            tensor = lifted.tensor
            if isinstance(tensor._node, Node):
                raise RuntimeError(
                    f"a recorded step made a Tensor of shape {tuple(tensor._data.shape)}, which "
                    "comes from outside of it, depend on one that requires a gradient: assign the "
                    ".detach() of that, or do it under agrad.no_grad()"
                )
            if (tensor._node is None) != (lifted.node is None):
                raise RuntimeError(
                    "a recorded step can't change whether a Tensor of shape "
                    f"{tuple(tensor._data.shape)} requires a gradient: do it outside of the step, "
                    "or change it back inside"
                )
            if tensor._data is not lifted.traced:
                self._check_kind(lifted, tensor._data)
                self.data.append((lifted, _Result(tensor._data)))
            if tensor._grad is not lifted.traced_grad:
                grad = tensor._grad
                grad = grad._data if isinstance(grad, Variable) else grad
                self.grads.append((lifted, None if grad is None else _Result(grad)))
        for scope, name, _, lifted_number in tape.numbers:
            if scope.get(name) is not lifted_number:
                self.numbers.append((scope, name, scope.get(name)))

    def _check_kind(self, lifted: _Lifted, new: Traced) -> None:
        """Refuse an array that the memory of the old one can't take."""
        old, backend = lifted.traced, new.recorder.actual
        if backend is not lifted.backend or new.dtype != old.dtype:
            raise RuntimeError(
                f"a recorded step can't make a Tensor of {old.dtype} on {lifted.backend.name!r} "
                f"one of {new.dtype} on {backend.name!r}: do it before the first call"
            )

    def apply(self) -> None:
        """Make them outside the recording, where everything has been put back."""
        data = [(lifted, new.copy()) for lifted, new in self.data]  # read before written to
        for lifted, array in data:
            tensor, backend = lifted.tensor, lifted.backend
            if backend.memory(tensor._data) is None:
                tensor._data = array
            else:
                tensor._data = backend.assign(tensor._data, ..., array)
                note_write(tensor)
        for lifted, grad in self.grads:
            lifted.tensor._grad = None if grad is None else grad.copy()
        for scope, name, number in self.numbers:
            scope[name] = replace_traced(number, lambda traced: traced.value)


def _scopes(optimizer: Optimizer) -> Iterator[dict[Any, Any]]:
    """Yield the dicts of an optimizer that have numbers in them."""
    yield vars(optimizer)
    yield from optimizer.param_groups
    yield from optimizer.state.values()


class _Result:
    """What a recording came to: an array, and the tape's symbol for it."""

    def __init__(self, traced: Traced) -> None:
        self.symbol = traced.symbol
        self.backend = traced.recorder.actual
        self.value = traced.value

    def copy(self) -> Array:
        return self.backend.asarray(self.backend.normalize(self.value), copy=True)


# The recorded step --------------------------------------------------------------------------------


class _Step(Writer):
    """A recorded step: its program, and what that takes for granted."""

    def __init__(
        self,
        tape: _Recording,
        changes: _Changes,
        program: Program,
        results: Results,
        form: "_Form",
        guards: Guards,
        leaves: Sequence[Any],
    ) -> None:
        self.form = form
        # Whether the step would do the same with other arguments, as things are then
        conditions = Conditions()
        _add_modes(conditions)
        _add_arguments(conditions, leaves)
        unread = {id(lifted) for lifted, _ in changes.grads if lifted.grad is not None}
        changed_tensors = {id(lifted) for lifted, _ in changes.data}
        # The memory of Tensors that aren't arguments, and of those of them that are written to
        used: dict[int, Hashable] = {}
        written: dict[int, Hashable] = {}
        for lifted in tape.lifted.values():
            source = lifted.source
            reads_grad = Source("grad", source.owner, source.key) in program.sources
            if source.kind == "data":
                needs_same = reads_grad or id(lifted) not in unread
                is_changed = id(lifted) in changed_tensors
                held = _Held(lifted, [used, written] if is_changed else [used])
                held.add_to(conditions, lifted, needs_same)
                if source.owner is None and changes.data:
                    memory = f"{conditions.bind(lifted.backend.memory)}(leaves[{source.key}]._data)"
                    others = conditions.bind(used if is_changed else written)
                    conditions.add(f"{memory} not in {others}.values()")
        for source in tape.pinned:
            value = conditions.bind(source.read(leaves))
            conditions.add(f"{conditions.bind(source)}.read(leaves) == {value}")
        for function, args, answer in tape.decisions:
            asked = ", ".join(_number_text(conditions, each) for each in args)
            conditions.add(f"{conditions.bind(function)}({asked}) is {answer}")
        found = set(map(id, guards.tensors))
        for i, leaf in enumerate(leaves):
            if id(leaf) in found:
                conditions.add(f"leaves[{i}] is {conditions.bind(leaf)}")
            elif isinstance(leaf, Variable) and leaf._node is not None:  # two would get a gradient
                conditions.add(f"id(leaves[{i}]) not in {conditions.bind(found)}")
        guards.add_to(conditions)
        self.fits = conditions.function()
        # A gradient that the step has made and used up itself isn't kept
        changed = {source for source, _ in results.data}
        returned = set(map(program.stand_in, results.outputs))
        grads = []
        for (lifted, _), (source, grad) in zip(changes.grads, results.grads, strict=True):
            is_read = Source("grad", source.owner, source.key) in program.sources
            used_up = lifted.grad is not None and not is_read and lifted.source in changed
            is_returned = grad is not None and program.stand_in(grad) in returned
            grads.append((source, None if used_up and not is_returned else grad))
        results = results._replace(grads=grads)
        program = Program(tape.calls, results.values(), program.wishes)
        routine = routine_for(program, results)
        self._source, self.run, self._graph = routine.source, routine.run, routine.graph
        self.written = [source for source, _ in results.data]

    @property
    def source(self) -> str:
        """The program as Python code."""
        reason = None if self._graph is None else self._graph.reason
        note = "" if reason is None else f"# not captured as a graph: {reason}\n"
        return note + self._source

    def replay(self, leaves: Sequence[Any]) -> Any:
        """Run the program."""
        outputs = self.run(leaves)
        if self.written:
            self._note_writes()
            for source in self.written:
                if source.owner is None:
                    note_write(source.tensor(leaves))
        return self.form.build(outputs, leaves)

    def _written_tensors(self) -> Iterable[Any]:
        return [source.owner for source in self.written if source.owner is not None]


def _number_text(conditions: Conditions, number: Any) -> str:
    """Return how to compute a number anew, as source."""
    if not isinstance(number, TracedNumber):
        return conditions.bind(number)
    if number.call is None:
        source: Source = number.source
        return source.text(conditions.bind)
    args = ", ".join(_number_text(conditions, each) for each in number.call.args)
    return f"{conditions.bind(number.call.function)}({args})"


def _add_modes(conditions: Conditions) -> None:
    """Add that the settings that hold for every call are those of now."""
    for mode in _MODES:
        conditions.add(f"{conditions.bind(mode)}() is {conditions.bind(mode())}")


_MODES = (
    *(is_grad_enabled, get_default_dtype, default_backend),
    *(casting_state, get_float32_matmul_precision),
)


def _add_arguments(conditions: Conditions, leaves: Sequence[Any]) -> None:
    """Add that the arguments are alike: what they are, and which of them are one and the same."""
    conditions.add(f"len(leaves) == {len(leaves)}")
    tensors: dict[int, int] = {}
    for i, leaf in enumerate(leaves):
        text = f"leaves[{i}]"
        if not (
            isinstance(leaf, Variable) or type(leaf) in (*_STATIC, *_NUMBERS) or is_array(leaf)
        ):
            conditions.add(f"{text} is {conditions.bind(leaf)}")
            continue
        conditions.add(f"{text}.__class__ is {conditions.bind(type(leaf))}")
        if isinstance(leaf, Variable):
            for number, other in tensors.items():
                conditions.add(f"{text} is {'' if number == id(leaf) else 'not '}leaves[{other}]")
            tensors.setdefault(id(leaf), i)
        elif type(leaf) in _STATIC:
            conditions.add(f"{text} == {conditions.bind(leaf)}")
        elif is_array(leaf):
            backend = backend_of(leaf)
            conditions.add(f"{conditions.bind(backend_of)}({text}) is {conditions.bind(backend)}")
            _add_array(conditions, text, leaf, backend)


def _add_array(conditions: Conditions, text: str, array: Array, backend: Backend) -> None:
    """Add that an array has the shape, data type and layout of another one."""
    conditions.add(f"{text}.shape == {conditions.bind(array.shape)}")
    conditions.add(f"{text}.dtype == {conditions.bind(array.dtype)}")
    if backend.planner is not None:
        layout = conditions.bind(backend.planner.layout)
        conditions.add(f"{layout}({text}) == {conditions.bind(backend.planner.layout(array))}")


class _Held:
    """The array of a Tensor that a recorded step uses; it may get another one that is alike.

    Its memory must be no other Tensor's, for calls have been moved past each other that write to
    the one and read the other; `memories` are where that of each Tensor is noted.
    """

    def __init__(self, lifted: _Lifted, memories: Sequence[dict[int, Hashable]]) -> None:
        self.data = lifted.data
        self.backend = lifted.backend
        self.memories = memories if lifted.source.owner is not None else ()
        self._note(self.backend.memory(self.data))
        conditions = Conditions()
        _add_array(conditions, "leaves", lifted.data, lifted.backend)
        self._is_alike = conditions.function()

    def follows(self, tensor: Variable) -> bool:
        """Return whether a Tensor that has got another array is still one for the step."""
        if tensor._backend is not self.backend or not self._is_alike(tensor._data):
            return False
        memory = self.backend.memory(tensor._data)
        if memory in self.memories[0].values():
            return False
        self.data = tensor._data
        self._note(memory)
        return True

    def _note(self, memory: Hashable) -> None:
        for each in self.memories if memory is not None else ():
            each[id(self)] = memory

    def add_to(self, conditions: Conditions, lifted: _Lifted, needs_same_grad: bool) -> None:
        """Add that the Tensor is as it was recorded, but for its values."""
        source = lifted.source
        if source.owner is None:
            tensor = f"leaves[{source.key}]"
            conditions.add(f"{tensor}._backend is {conditions.bind(self.backend)}")
            _add_array(conditions, f"{tensor}._data", lifted.data, lifted.backend)
        else:
            tensor, held = conditions.bind(source.owner), conditions.bind(self)
            conditions.add(f"({tensor}._data is {held}.data or {held}.follows({tensor}))")
        velocity = getattr(lifted.tensor, "_velocity", None)
        if velocity is not None:  # of another one the step would know nothing
            conditions.add(f"{tensor}._velocity is {conditions.bind(velocity)}")
        node = f"{tensor}._node"
        if lifted.node is None:
            conditions.add(f"{node} is None")
        elif not lifted.node.hooks:
            conditions.add(f"{node} is not None and not {node}.hooks")
        else:
            hooks = conditions.bind(_hooks)
            conditions.add(f"{hooks}({node}) == {conditions.bind(_hooks(lifted.node))}")
        if needs_same_grad:
            conditions.add(f"{tensor}._grad is {'' if lifted.grad is None else 'not '}None")


def _hooks(node: Any) -> tuple[int, ...]:
    return tuple(node.hooks) if node is not None and node.hooks else ()


class _Form:
    """What a step returns: the form of it, and what each part is; the arrays go to `outputs`."""

    def __init__(self, tape: _Recording, result: Any, outputs: list[Any]) -> None:
        self.parts: list[tuple[str, Any]] = []
        leaves: list[Any] = []
        self.structure = _flatten(result, leaves)
        for leaf in leaves:
            if isinstance(leaf, Variable) and id(leaf) in tape.lifted:
                self.parts.append(("same", tape.lifted[id(leaf)].source))
            elif isinstance(leaf, Variable):
                if isinstance(leaf._node, Node) and leaf._node.edges is not None:
                    raise RuntimeError(
                        f"a recorded step returned a Tensor of shape {tuple(leaf._data.shape)} "
                        "whose gradient is still to come: call backward() inside the step, or "
                        "return its .detach()"
                    )
                self.parts.append(("tensor", leaf._backend.actual))
                outputs.append(leaf._data)
            elif isinstance(leaf, (Traced, TracedNumber)):
                self.parts.append(("array", None))
                outputs.append(leaf)
            else:
                self.parts.append(("value", leaf))
        self.is_tensor = self.structure is None and self.parts[0][0] == "tensor"

    def build(self, outputs: Sequence[Any], leaves: Sequence[Any]) -> Any:
        """Return what the step returns, from what its program gave."""
        if self.is_tensor:  # as most are
            [(_, backend)], [output] = self.parts, outputs
            return wrap(backend.normalize(output), backend)
        each = iter(outputs)
        built = []
        for kind, what in self.parts:
            if kind == "tensor":
                built.append(wrap(what.normalize(next(each)), what))
            elif kind == "array":
                built.append(next(each))
            else:
                built.append(what.tensor(leaves) if kind == "same" else what)
        return _build(self.structure, iter(built))


def _flatten(value: Any, leaves: list[Any]) -> Any:
    """Collect the leaves of nested tuples, lists and dicts, and return the form without them."""
    if type(value) is dict:
        return dict, tuple((key, _flatten(each, leaves)) for key, each in value.items())
    if type(value) in (tuple, list) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return type(value), tuple(_flatten(each, leaves) for each in value)
    leaves.append(value)
    return None


def _build(structure: Any, leaves: Iterator[Any]) -> Any:
    """Put leaves into a form that `_flatten` has given."""
    if structure is None:
        return next(leaves)
    kind, parts = structure
    if kind is dict:
        return {key: _build(part, leaves) for key, part in parts}
    built = [_build(part, leaves) for part in parts]
    return kind(*built) if hasattr(kind, "_fields") else kind(built)


def _describe(leaves: Sequence[Any]) -> tuple[Any, ...]:
    """Return what must be alike for two calls to make the same program."""
    described: list[Any] = []
    first: dict[int, int] = {}
    for position, leaf in enumerate(leaves):
        if isinstance(leaf, Variable):
            data = leaf._data
            same_as = first.setdefault(id(leaf), position)
            needs = leaf._node is not None
            described.append((same_as, leaf._backend, tuple(data.shape), data.dtype, needs))
        elif type(leaf) in _STATIC:
            described.append((type(leaf), leaf))
        elif type(leaf) in _NUMBERS:
            described.append(type(leaf))
        elif is_array(leaf):
            described.append((backend_of(leaf), tuple(leaf.shape), leaf.dtype))
        else:
            described.append(("object", id(leaf)))
    return tuple(described)


class Compiled(Generic[P, R]):
    """A function whose calls are recorded and replayed; `compile` makes it.

    Parameters
    ----------
    function : callable
        The step.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        if not callable(function):
            raise TypeError(f"compile needs a function, got {type(function).__name__}")
        functools.update_wrapper(self, function)
        self._function = function
        self._name = getattr(function, "__name__", type(function).__name__)
        self._watcher = Watcher(function)
        self._steps: dict[Any, list[_Step]] = {}
        self._latest: dict[Any, tuple[Program, int]] = {}  # with how many in a row didn't agree
        self._recordings = 0
        self._lock = threading.RLock()  # a program's Tensors are everybody's
        self._recent: _Step | None = None  # if its arguments were no trees

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if recording.tape is not None:  # it is part of another step that is being recorded
            return self._function(*args, **kwargs)
        with self._lock:
            step = self._recent
            if step is not None and not kwargs and step.fits(args):
                return cast(R, step.replay(args))
            leaves: list[Any] = []
            structure = _flatten((args, kwargs), leaves)
            key = structure, tuple(mode() for mode in _MODES), _describe(leaves)
            for step in self._steps.get(key, ()):
                if step.fits(leaves):
                    is_flat = not kwargs and all(part is None for part in structure[1][0][1])
                    self._recent = step if is_flat else None
                    return cast(R, step.replay(leaves))
            return cast(R, self._record(key, structure, leaves))

    def __repr__(self) -> str:
        return f"<recorded step {self._name}>"

    def program(self) -> str:
        """Return the source of the programs that have been recorded so far.

        Returns
        -------
        str
            Python code, a function for each kind of arguments; empty before the second call.
        """
        steps = [step for found in self._steps.values() for step in found]
        return "\n".join(step.source for step in steps)

    def routines(self) -> list[Callable[[Sequence[Any]], list[Any]]]:
        """Return the functions whose source `program` shows.

        Returns
        -------
        list of callable
            Each takes the step's arguments, with all trees flattened, and gives what it returns as
            raw arrays. What it takes for granted isn't checked.
        """
        return [step.run for found in self._steps.values() for step in found]

    def _record(self, key: Any, structure: Any, leaves: Sequence[Any]) -> Any:
        """Run the step once, recorded, and keep its program if it was the same as the last."""
        self._recordings += 1
        if self._recordings == _MANY:
            warnings.warn(
                f"{self._name} has been recorded {_MANY} times, because of new shapes or of other "
                "values of what its code reads, and each time takes as long as many replays: give "
                "it what changes as an argument, a Tensor or a number",
                stacklevel=3,
            )
        size = self._watcher.size
        guards = Guards(self._watcher, [x for x in leaves if not isinstance(x, Variable)])
        tape = _Recording()
        recording.tape = tape
        try:
            with self._watcher:
                given = [tape.argument(leaf, i) for i, leaf in enumerate(leaves)]
                for tensor in guards.tensors:
                    if not isinstance(tensor._node, Node):
                        tape.lift_tensor(tensor)
                for optimizer in guards.optimizers:
                    tape.lift_numbers(optimizer)
                args, kwargs = _build(structure, iter(given))
                result = self._function(*args, **kwargs)
            changes = _Changes(tape)
            outputs: list[Any] = []
            form = _Form(tape, result, outputs)
            outputs = [_Result(x) if isinstance(x, Traced) else x for x in outputs]
        finally:
            recording.tape = None
            tape.put_back()
        del given, args, kwargs, result
        for scope, name, *_ in tape.numbers:
            guards.skip(scope, name)
        leaks = tape.leaks()
        shapes = [tuple(leak._data.shape) for leak in leaks]
        for leak in leaks:
            tape.release(leak)
        del leaks
        results = Results(
            [x.symbol if isinstance(x, _Result) else x for x in outputs],
            [(lifted.source, new.symbol) for lifted, new in changes.data],
            [(lifted.source, grad.symbol if grad else None) for lifted, grad in changes.grads],
            changes.numbers,
        )
        wishes = {lifted.source: _name_of(lifted.tensor) for lifted in tape.lifted.values()}
        program = Program(tape.calls, results.values(), wishes)
        tape.refuse_overlaps(program, changes)

        # Runs in which numbers decided otherwise are runs of other programs
        numbers = frozenset((source, source.read(leaves)) for source in tape.pinned)
        kind = key, numbers, tuple(answer for *_, answer in tape.decisions)
        before, tries = self._latest.get(kind, (None, 0))
        reason = None
        if shapes:
            reason = f"it keeps a Tensor of shape {shapes[0]} that it makes, outside of itself"
        elif (path := guards.changed()) is not None:
            reason = f"it changes {path}"
        elif before is not None and not program.same_as(before):
            reason = "the calls that it makes, or numbers in them, differ from run to run"
        if before is None or reason is not None or self._watcher.size != size:
            if tries + 1 >= _TRIES and reason is not None:
                self._latest.pop(kind, None)
                raise RuntimeError(
                    f"{self._name} can't be recorded, since {reason}. A recorded step may change "
                    "Tensors, parameters and optimizers; everything else belongs outside of it"
                )
            self._latest[kind] = program, tries + 1
            if len(self._latest) > _MANY:  # of a number that is always another one
                del self._latest[next(iter(self._latest))]
        else:
            step = _Step(tape, changes, program, results, form, guards, leaves)
            self._steps.setdefault(key, []).insert(0, step)
            self._latest.pop(kind, None)
        given = [x.copy() if isinstance(x, _Result) else x.value for x in outputs]
        changes.apply()
        tape.forget()
        return form.build(given, leaves)


def _name_of(tensor: Any) -> str:
    name = getattr(tensor, "name", None)
    return name if isinstance(name, str) and name.isidentifier() else "x"


def compile(function: Callable[P, R], /) -> Compiled[P, R]:
    """Return a function that does what a training step does, without the work of recording it.

    Its first calls run the step as it is, and write down the calls into the array library that
    forward and backward pass and update make. When two such recordings agree, later calls only
    replay that list: no Tensors and no graph are made.

    Parameters
    ----------
    function : callable
        The step. It may use Tensors, modules and optimizers from outside, and change them. It gets
        Tensors, arrays, numbers, and nested tuples, lists and dicts of them; and gives such.

    Returns
    -------
    Compiled
        To be called like `function`. Its ``program()`` shows the recorded calls as Python code.

    Raises
    ------
    TypeError
        If it is not a function.
    RuntimeError
        When it is called: if the step reads the value of an array, as ``if`` and ``item()`` do,
        if it changes other things than Tensors and optimizers, or if the calls that it makes differ
        from run to run. The message names the line, or what it changes.

    Notes
    -----
    Arguments of other shapes or data types, and other values of variables and attributes that the
    step's code reads, are recorded anew. Numbers that are arguments, or settings of an optimizer
    such as its learning rate, may differ from call to call; what code decides by them is recorded
    anew where the decision is another one.

    On a GPU, all of the step's work on arrays is captured as a CUDA graph and launched as one,
    where that can be; else the first line of ``program()`` says why it isn't.

    What a recorded step returns has no graph. A gradient that the step makes and that its optimizer
    uses up isn't kept: ``grad`` is None afterwards, unless the step returns it. Python code inside
    the step runs only while it is recorded.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0, 2.0])
    >>> optimizer = ag.optim.SGD([w], lr=0.25)
    >>> @ag.compile
    ... def step(x):
    ...     optimizer.zero_grad()
    ...     loss = ((w - x) ** 2).sum()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [step(ag.Tensor([0.0, 0.0], dtype=ag.float32)).item() for _ in range(4)]
    [5.0, 1.25, 0.3125, 0.078125]
    """
    return Compiled(function)
