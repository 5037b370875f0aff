"""What a recorded step takes for granted: the Python values that its code reads.

A recording holds the numbers, flags and objects that the step's code found in variables and
attributes. While a step is recorded, this module finds out which those are; before each replay it
looks whether they are still the same.
"""

import gc
import sys
import sysconfig
import weakref
from collections.abc import Callable, Sequence
from dis import get_instructions
from enum import Enum
from functools import partial
from operator import is_
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from agrad.autograd import Variable
from agrad.backends import Backend, library_folders
from agrad.backends.recorder import recording, refuse
from agrad.dtypes import DType
from agrad.nn.hooks import Hooks
from agrad.nn.module import Module
from agrad.optim.optimizer import Optimizer

__all__ = ["Conditions", "Guards", "Watcher"]

_MISSING = object()
_READS = ("LOAD_GLOBAL", "LOAD_NAME")
_HOME = str(Path(__file__).parent)
_STDLIB = sysconfig.get_path("stdlib")
_SITE = sysconfig.get_path("purelib")
_PLAIN = (bool, int, float, complex, str, bytes, type(None), range, slice, DType, Enum)
_OPAQUE = (Backend, BuiltinFunctionType, CodeType, FrameType, weakref.ref)
_LARGEST = 10_000  # of a list or dict, so that a data set isn't looked through before each step


def _is_foreign(file: str) -> bool:
    """Return whether code is agrad's own, an array library's or the standard library's."""
    if file.startswith(_HOME):
        return True
    in_stdlib = file.startswith(_STDLIB) and not file.startswith(_SITE)
    return in_stdlib or file.startswith((_HOME, "<frozen", *library_folders()))


def _is_foreign_module(name: str) -> bool:
    """Return whether a module is not the user's: built in, agrad's own, or installed."""
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return name != "__main__"
    return _is_foreign(file) or file.startswith(_SITE)


class _Cell:
    """A variable of an enclosing function, to be looked up as in a dict."""

    def __init__(self, cell: Any) -> None:
        self.cell = cell

    def get(self, key: str, default: Any) -> Any:
        try:
            return self.cell.cell_contents
        except ValueError:  # not assigned yet, or deleted
            return default


class Conditions:
    """Conditions that are looked at before each replay, as one function made from their source."""

    def __init__(self) -> None:
        self.bound: dict[str, Any] = {"is_": is_, "same": _same}
        self._names: dict[int, str] = {}
        self._texts: list[str] = []

    def bind(self, value: Any) -> str:
        """Return the name by which the source knows an object."""
        if id(value) not in self._names:
            name = self._names[id(value)] = f"v{len(self._names)}"
            self.bound[name] = value
        return self._names[id(value)]

    def key(self, value: Any) -> str:
        """Return a key of a dict as source."""
        return repr(value) if type(value) in (str, int) else self.bind(value)

    def add(self, text: str) -> None:
        """Add one, as source about ``leaves``, the arguments of the step."""
        if text not in self._texts:
            self._texts.append(text)

    def function(self) -> Callable[[Sequence[Any]], bool]:
        """Return ``function(leaves)``, which tells whether all of them hold."""
        lines = ["def fits(leaves):", "  try:"]
        lines += (f"    if not ({text}): return False" for text in self._texts)
        errors = "ArithmeticError, LookupError, TypeError, ValueError"
        lines += [f"  except ({errors}): return False", "  return True"]
        exec(compile("\n".join(lines), "<conditions of a recorded step>", "exec"), self.bound)
        return cast("Callable[[Sequence[Any]], bool]", self.bound["fits"])


class Watcher:
    """Finds out which variables and attributes the code of a step reads.

    Parameters
    ----------
    function : callable
        The step.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.names: set[str] = set()  # of attributes and global variables in the code
        self.roots: list[tuple[Any, str, str]] = []  # a scope, a name in it, and what to call it
        self.objects: list[weakref.ref[Any]] = []  # what methods were called on
        self._codes: set[CodeType] = set()
        self._ids: set[int] = set()
        self._add_function(function, getattr(function, "__name__", "step"))

    def _add_function(self, function: Any, path: str) -> None:
        if isinstance(function, MethodType):
            self._add_object(function.__self__)
            function = function.__func__
        if isinstance(function, FunctionType):
            self._add_code(function.__code__, function.__globals__)
            self._add_variables(function)
        elif isinstance(function, partial):
            for value in (*function.args, *function.keywords.values()):
                self.roots.append(({path: value}, path, f"an argument that {path} was given"))
            self._add_function(function.func, path)
        elif isinstance(function, Module):
            self._add_object(function)
        elif hasattr(function, "__dict__"):  # an object with __call__
            self._add_object(function)
            self._add_function(type(function).__call__, path)

    def _add_code(self, code: CodeType, variables: dict[str, Any]) -> None:
        self._codes.add(code)
        self.names.update(code.co_names)
        path = code.co_qualname
        globals_read = {each.argval for each in get_instructions(code) if each.opname in _READS}
        for name in sorted(globals_read):
            if name in variables:
                self.roots.append((variables, name, f"{name}, in {path}"))
        for inner in code.co_consts:  # functions and comprehensions written inside it
            if isinstance(inner, CodeType) and inner not in self._codes:
                self._add_code(inner, variables)

    def _add_variables(self, function: FunctionType) -> None:
        """Watch the variables of enclosing functions, and the arguments' defaults."""
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            self.roots.append((_Cell(cell), name, f"{name}, in {function.__qualname__}"))
        arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = function.__defaults__ or ()
        for name, value in zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True):
            self._add_default(name, value, function)
        for name, value in (function.__kwdefaults__ or {}).items():
            self._add_default(name, value, function)

    def _add_default(self, name: str, value: Any, function: FunctionType) -> None:
        """Watch what an argument is that isn't given; which that is can't change by itself."""
        self.roots.append(({name: value}, name, f"{name}, in {function.__qualname__}"))

    def _add_object(self, value: Any) -> None:
        if id(value) in self._ids or isinstance(value, (Variable, *_PLAIN, *_OPAQUE)):
            return
        try:
            self.objects.append(weakref.ref(value))
        except TypeError:
            return
        self._ids.add(id(value))

    @property
    def size(self) -> int:
        """How much it has found so far."""
        return len(self._codes)

    def __enter__(self) -> "Watcher":
        self._before = sys.getprofile()
        self._new: dict[CodeType, FrameType | None] = {}
        sys.setprofile(self._event)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(self._before)
        if self._new:
            for function in gc.get_referrers(*self._new):
                if isinstance(function, FunctionType) and function.__code__ in self._new:
                    self._add_variables(function)
        self.objects = [each for each in self.objects if each() is not None]
        self._ids = {id(each()) for each in self.objects}  # others may get those of the dead

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        if recording.tape is None or recording.tape.busy:
            return
        code = frame.f_code
        if event == "c_call" and argument is print and not _is_foreign(code.co_filename):
            sys.setprofile(self._before)
            refuse("print", "later calls would print nothing; return the value, print it outside")
        if event != "call" or code in self._codes or _is_foreign(code.co_filename):
            return
        if any(getattr(callback, "__code__", None) is code for callback in gc.callbacks):
            return  # the garbage collector calls it, at any time
        self._new[code] = None
        self._add_code(code, frame.f_globals)
        for name in code.co_varnames[: code.co_argcount][:1]:  # self
            value = frame.f_locals.get(name)
            if hasattr(value, "__dict__"):
                self._add_object(value)


class Guards:
    """The values that the code of a step finds, as they are now.

    Attributes
    ----------
    tensors : list of Tensor
        Those among them.
    optimizers : list of Optimizer
        Those among them.
    """

    def __init__(self, watcher: Watcher, arguments: Any) -> None:
        self.tensors: list[Any] = []
        self.optimizers: list[Optimizer] = []
        self._entries: list[tuple[Any, Any, Any, str]] = []
        self._names = watcher.names
        self._seen: dict[int, Any] = {}
        for scope, name, path in watcher.roots:
            self._watch(scope, name, path)
        for reference in watcher.objects:
            value = reference()
            if value is not None:
                self._look_into(value, type(value).__name__)
        for argument in arguments:
            self._look_into(argument, "an argument")

    def _watch(self, scope: Any, name: Any, path: str) -> None:
        value = scope.get(name, _MISSING)
        self._entries.append((scope, name, value, path))
        self._look_into(value, path)

    def _look_into(self, value: Any, path: str) -> None:
        if isinstance(value, (*_PLAIN, *_OPAQUE)) or id(value) in self._seen:
            return
        self._seen[id(value)] = value  # also keeps it alive, and so its id its own
        if isinstance(value, Variable):
            self.tensors.append(value)
        elif isinstance(value, (list, tuple, set, frozenset)):
            if len(value) <= _LARGEST:
                if not isinstance(value, (tuple, frozenset)):
                    self._entries.append((_Items(value), None, tuple(value), path))
                for each in value:
                    self._look_into(each, path)
        elif isinstance(value, dict):
            if len(value) <= _LARGEST:
                self._entries.append((_Items(value), None, tuple(value), path))
                for key in tuple(value):
                    shown = type(key).__name__ if isinstance(key, Variable) else repr(key)
                    self._watch(value, key, f"{path}[{shown}]")
        elif isinstance(value, MethodType):
            self._look_into(value.__self__, path)
        elif isinstance(value, (ModuleType, type)):
            name = value.__name__ if isinstance(value, ModuleType) else value.__module__
            if not _is_foreign_module(name):
                self._watch_names(vars(value), path)
                for base in getattr(value, "__bases__", ()):
                    self._look_into(base, path)
        elif isinstance(value, FunctionType):
            return
        elif hasattr(value, "__dict__"):
            if isinstance(value, Hooks):
                for name, hooks in vars(value).items():
                    self._look_into(hooks, f"{path}.{name}")
            if isinstance(value, Optimizer):
                self.optimizers.append(value)
            if isinstance(value, (Module, Optimizer)):
                for name in tuple(vars(value)):
                    if not name.startswith("_wrote"):
                        self._watch(vars(value), name, f"{path}.{name}")
            self._watch_names(vars(value), path)
            for name in (*self._names, "training", "_hooks"):  # the class has them, so far
                if isinstance(getattr(type(value), name, _MISSING), _PLAIN):
                    self._watch(vars(value), name, f"{path}.{name}")
            self._look_into(type(value), path)

    def _watch_names(self, scope: Any, path: str) -> None:
        for name in self._names:
            if name in scope:
                self._watch(scope, name, f"{path}.{name}")

    def changed(self) -> str | None:
        """Return the name of something that isn't as it was, or None."""
        for scope, name, value, path in self._entries:
            now = scope.get(name, _MISSING)
            if now is not value and not _same(now, value):
                return path
        return None

    def add_to(self, conditions: "Conditions") -> None:
        """Add that nothing has changed."""
        for scope, name, value, _ in self._entries:
            if isinstance(scope, _Items):
                container, items = map(conditions.bind, (scope.container, value))
                conditions.add(f"len({container}) == {len(value)}")
                conditions.add(f"all(map(is_, {container}, {items}))")
                continue
            value_text = conditions.bind(value)
            if value is _MISSING:
                now = f"{conditions.bind(scope)}.get({conditions.key(name)}, {value_text})"
                conditions.add(f"{now} is {value_text}")
                continue
            if isinstance(scope, _Cell):
                now = f"{conditions.bind(scope.cell)}.cell_contents"
            else:
                now = f"{conditions.bind(scope)}[{conditions.key(name)}]"
            conditions.add(f"({now} is {value_text} or same({now}, {value_text}))")

    def skip(self, scope: Any, name: str) -> None:
        """Stop watching a value: the recording reads it anew each time."""
        self._entries = [e for e in self._entries if not (e[0] is scope and e[1] == name)]


class _Items:
    """What is in a list or a set, or which keys a dict has."""

    def __init__(self, container: Any) -> None:
        self.container = container

    def get(self, key: None, default: Any) -> tuple[Any, ...]:
        return tuple(self.container)


def _same(now: Any, before: Any) -> bool:
    if type(now) is not type(before):
        return False
    if isinstance(now, tuple):
        return len(now) == len(before) and all(
            x is y or _same(x, y) for x, y in zip(now, before, strict=True)
        )
    return isinstance(now, _PLAIN) and bool(now == before)
