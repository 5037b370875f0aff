"""Routines that do their work on arrays in one launch, where the backend knows how.

On a GPU it takes longer to launch most calls than to do them. There a routine has two functions:
one for the work on arrays, which the backend captures (see agrad/backends/cuda_graphs.py), and one
for the rest.
"""

from typing import Any

from agrad.backends import Backend
from agrad.backends.recorder import ELEMENTWISE, UPDATES, Call, Symbol, TracedNumber
from agrad.fusion import join_elementwise
from agrad.program import Program, Results, Source, Value
from agrad.routine import Routine, function_text

__all__ = ["routine_for"]


def routine_for(program: Program, results: Results) -> Routine:
    """Return the routine that runs a program best."""
    backend = _graph_backend(program, results)
    if backend is None:
        return Routine(program, results)
    if backend.joined is not None:
        join_elementwise(program, backend)
    return _GraphRoutine(program, results, backend)


def _graph_backend(program: Program, results: Results) -> Backend | None:
    """Return the backend that can do all of a program's work on arrays in one launch, or None."""
    values: list[Any] = [*program.sources.values(), *program.constants]
    for call in program.calls:
        if isinstance(call.out, TracedNumber):
            continue
        inputs = program.inputs(call)
        has_numbers = any(isinstance(x, TracedNumber) for x in inputs)
        is_known = call.name in ELEMENTWISE or call.name in UPDATES
        # What a Fourier transform works in belongs to CuPy's plan for it, which may go one day
        if (has_numbers and not is_known) or call.name.startswith("fft."):
            return None
        values += (x for x in (call.out, *inputs) if isinstance(x, Symbol))
    backends = {x.recorder.actual for x in values if isinstance(x, Symbol)}
    # Arguments are other arrays each time
    writes_arguments = any(source.owner is None for source, _ in results.data)
    if len(backends) != 1 or writes_arguments:
        return None
    [backend] = backends
    return None if backend.graph is None else backend


class _GraphRoutine(Routine):
    """A routine of two functions: the work on arrays, and what is around it.

    Parameters
    ----------
    program, results
        As of a `Routine`.
    backend : Backend
        What all arrays belong to.
    """

    def __init__(self, program: Program, results: Results, backend: Backend) -> None:
        self.backend = backend
        self._work = program.name("work")
        self._launch = program.name("graph")
        self._work_lines: list[str] = []
        self._kinds: list[str] = []  # of the arguments of the work
        self._parameters: list[str] = []
        self._arguments: list[str] = []
        self._numbers: dict[tuple[Value, str], str] = {}  # parameters for numbers, by data type
        self._targets: dict[Source, str] = {}  # the arrays of Tensors that are written to
        self._returned: list[str] = []
        super().__init__(program, results)
        assert backend.graph is not None
        self.graph = backend.graph(self.bound[self._work], self._kinds)
        self.bound[self._launch] = self.graph

    def begin(self) -> None:
        super().begin()
        written = [source for source, _ in self.results.data]
        for source, value in self.program.sources.items():
            if isinstance(value, TracedNumber):
                continue
            name = self.program.names[value]
            if source in written:
                self._targets[source] = name
            elif source.kind != "data" or source.owner is None:
                self._add(name, "input")
            else:
                self._add(name, "tensor")
        for source in written:
            if source not in self._targets:
                name = self._targets[source] = self.program.name("target")
                self.lines.append(f"{name} = {self.tensor(source)}._data")
        for name in self._targets.values():
            self._add(name, "target")

    def _add(self, name: str, kind: str, argument: str | None = None) -> None:
        """Give the work one more argument."""
        self._parameters.append(name)
        self._kinds.append(kind)
        self._arguments.append(argument or name)

    def call(self, call: Call) -> None:
        if call.name == "check":  # it looks at values, which the backend doesn't
            return
        if isinstance(call.out, TracedNumber) or call.name == "draw":
            super().call(call)
            if call.name == "draw":
                self._add(self.text(call.out), "input")
            return
        inputs = dict.fromkeys(self.program.inputs(call))
        numbers = [x for x in inputs if isinstance(x, TracedNumber)]
        self.texts.update([(x, self._number(x, call)) for x in numbers])
        around, self.lines = self.lines, self._work_lines
        super().call(call)
        self.lines = around
        for x in numbers:
            del self.texts[x]

    def _number(self, x: TracedNumber, call: Call) -> str:
        """Return the parameter for a number: an array of the data type that it becomes there."""
        dtype = "float64"
        if call.name not in UPDATES:
            inputs = self.program.inputs(call)
            dtypes = [each.dtype for each in inputs if isinstance(each, Symbol)]
            dtype = str(self.backend.result_type(*dtypes, x.value))
        if (x, dtype) not in self._numbers:
            name = self._numbers[x, dtype] = self.program.name(f"{self.text(x)}_{dtype}")
            self._add(name, dtype, self.text(x))
        return self._numbers[x, dtype]

    def finish(self) -> None:
        before, self.lines = self.lines, []
        outputs = [self.fresh(value) for value in self.results.outputs]
        grads = ["None" if g is None else self.fresh(g) for _, g in self.results.grads]
        assign, news = self.bind("assign", self.backend.assign), []
        for source, new in self.results.data:
            value = self.program.stand_in(new)
            text, target = self.text(value), self._targets[source]
            if text == target:
                continue  # it is in its memory already
            if value.call is None or value in self.bases:  # in memory that may be written to first
                text = self._copied(text)
            news.append(f"{assign}({target}, ..., {text})")
        self._work_lines += [*news, f"return ({''.join(f'{name}, ' for name in self._returned)})"]
        for (source, _), grad in zip(self.results.grads, grads, strict=True):
            self.lines.append(f"{self.tensor(source)}._grad = {grad}")
        for owner, name, number in self.results.numbers:
            self.lines.append(f"{self.bind('owner', owner)}[{name!r}] = {self.text(number)}")
        given = "".join(f"{name}, " for name in self._returned)
        target = f"{given.rstrip()} = " if given else ""
        launch = f"{target}{self._launch}({', '.join(self._arguments)})"
        self.lines = [*before, launch, *self.lines, f"return [{', '.join(outputs)}]"]

    def fresh(self, value: Value) -> str:
        value = self.program.stand_in(value)
        name = self.text(value)
        if isinstance(value, TracedNumber):
            return name
        base = self.bases.get(value, value)
        if base.call is None and base.source in self._targets:  # it will have been written to
            name = self._copied(name)
        if name not in self._returned:
            self._returned.append(name)
        new = self.program.name("copy")
        asarray = self.bind("asarray", self.backend.asarray)
        self.lines.append(f"{new} = {asarray}({name}, copy=True)")
        return new

    def _copied(self, name: str) -> str:
        """Return what to call a copy that the work makes."""
        new = self.program.name("copy")
        asarray = self.bind("asarray", self.backend.asarray)
        self._work_lines.append(f"{new} = {asarray}({name}, copy=True)")
        return new

    def write(self) -> str:
        work = function_text(self._work, ", ".join(self._parameters), self._work_lines)
        return f"{work}\n{super().write()}"
