"""The engine: record each call, then walk the record backwards.

A function of agrad is a `Primitive`: a name and, for each of its array arguments, a rule that
turns the gradient of the output into the gradient of that argument. `record` runs a function on
the raw arrays and, where a gradient will be wanted, leaves a `Node` behind that says how the
output was made. `backward` starts at an output and hands gradients from node to node until they
reach the leaves: the Tensors that the user made.

Both rules and functions are written over a namespace ``xp``. With a library as ``xp`` they run on
raw arrays; with agrad itself they run on Tensors, and give gradients that can be differentiated
again.
"""

import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from functools import partial
from heapq import heappop, heappush
from sys import getrefcount
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar, cast

from agrad.backends import (
    Array,
    Backend,
    TracedNumber,
    backend_of,
    default_backend,
    is_array,
    is_number,
    recording,
)
from agrad.dtypes import dtype as as_dtype
from agrad.writes import changed_since, latest, next_number

if TYPE_CHECKING:
    from agrad.tensor import Tensor

__all__ = [
    "Primitive",
    "Variable",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "record",
    "record_view",
    "run_backward",
]

Rule = Callable[..., Any]
Saver = Callable[[Array, Sequence[Array], dict[str, Any]], tuple[Any, ...]]
Function = TypeVar("Function", bound=Callable[..., Any])
Hook = Callable[["Tensor"], "Tensor | None"]

_new = object.__new__


# What is recorded -------------------------------------------------------------------------------


class Primitive:
    """A function with a rule for the gradient of each of its arrays.

    Parameters
    ----------
    name : str
        Its name. Without a `forward`, the function of this name in the array library is run.
    forward : callable, optional
        ``forward(xp, *arrays, **options)`` returns the output array.
    fused : bool
        Backends may run a version of their own, of the function or of a rule: see their `kernels`.
    variadic : bool
        The function takes any number of arrays, and the one rule serves each of them; it may ask
        for the array's ``position`` among them.
    **rules : callable or None
        For each array argument, in order, ``rule(xp, g, ...)``: the gradient with respect to that
        argument, given the gradient ``g`` of the output. None if there is none.

    Notes
    -----
    A rule's further parameters say what is kept for it until the backward pass, by name: an array
    argument, the output ``out``, an option, or only ``<argument>_shape`` or ``<argument>_dtype``.
    What no rule asks for isn't kept. A rule may return ``g`` itself, but no array that was kept.
    It may return the gradient in the output's shape and data type: summing it over broadcast axes,
    and casting it, is the engine's work.

    Examples
    --------
    >>> multiply = Primitive(
    ...     "multiply",
    ...     x1=lambda xp, g, x2: g * x2,
    ...     x2=lambda xp, g, x1: g * x1,
    ... )
    >>> multiply.keeps
    (('x2',), ('x1',))
    """

    __slots__ = (
        "arguments",
        "forward",
        "fused",
        "has_rules",
        "keeps",
        "name",
        "rules",
        "savers",
        "variadic",
    )

    def __init__(
        self,
        name: str,
        forward: Callable[..., Array] | None = None,
        /,
        *,
        fused: bool = False,
        variadic: bool = False,
        **rules: Rule | None,
    ) -> None:
        self.name = name
        self.forward = forward
        self.fused = fused
        self.variadic = variadic
        self.arguments = tuple(rules)
        self.rules = tuple(rules.values())
        self.has_rules = any(self.rules)
        self.keeps = tuple(_parameters(rule)[2:] if rule else () for rule in self.rules)
        self.savers: list[Saver] = [partial(self._first_save, i) for i in range(len(rules))]

    def _first_save(
        self, position: int, out: Array, arrays: Sequence[Array], options: dict[str, Any]
    ) -> tuple[Any, ...]:
        """Pick out what a rule keeps, and make the function that does it from now on."""
        names = self.keeps[position]
        own = {"out", *(f"{a}{end}" for a in self.arguments for end in ("", "_shape", "_dtype"))}
        for name in names:
            if name not in own and name not in options:
                raise TypeError(
                    f"the rule of {self.name} for its argument {self.arguments[position]} asks for "
                    f"{name!r}, which is none of its arguments ({', '.join(self.arguments)}), nor "
                    f"'out', nor an option of the call ({', '.join(options) or 'there are none'})"
                )
        if self.variadic and self.arguments[0] in names:
            raise TypeError(f"the rule of {self.name} can't keep its arrays, whose number varies")
        self.savers[position] = self._make_saver(names)
        return self.savers[position](out, arrays, options)

    def _make_saver(self, names: tuple[str, ...]) -> Saver:
        """Return a function that picks out what a rule keeps.

        It is made from source, as ``collections.namedtuple`` does, because it runs in every call:
        for ``("x2", "out", "axis")`` it gives ``(arrays[1], out, options["axis"])``.
        """
        places = {name: f"arrays[{i}]" for i, name in enumerate(self.arguments)}
        values = []
        for name in names:
            argument, _, attribute = name.rpartition("_")
            if argument in places and attribute in ("shape", "dtype"):
                values.append(f"{places[argument]}.{attribute}")
            elif name == "out":
                values.append("out")
            else:
                values.append(places.get(name, f"options[{name!r}]"))
        source = f"lambda out, arrays, options: ({''.join(f'{value}, ' for value in values)})"
        return cast(Saver, eval(compile(source, __file__, "eval")))

    def __repr__(self) -> str:
        return f"<agrad function {self.name}>"


def _parameters(function: Any) -> tuple[str, ...]:
    if not isinstance(function, FunctionType):
        raise TypeError(f"a rule must be a plain function, got {function!r}")
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


Edge = tuple["Node | Leaf", int, tuple[Any, ...]]


class Node:
    """How an array was made: by which function, from what, with what kept for the rules.

    An edge is ``(parent, position, saved)``: the node of an argument that needs a gradient, which
    argument of the function it was, and what its rule keeps. ``edges`` is None once the graph has
    been freed.
    """

    __slots__ = (
        "backend",
        "dtype",
        "edges",
        "hooks",
        "index",
        "primitive",
        "retained",
        "rules",
        "shape",
    )

    def __init__(
        self,
        primitive: Primitive,
        backend: Backend,
        rules: tuple[Rule | None, ...],
        out: Array,
        edges: "list[Edge]",
    ) -> None:
        self.index = next_number()
        self.primitive = primitive
        self.backend = backend
        self.rules = rules  # bound to the backend
        self.shape = out.shape
        self.dtype = out.dtype
        self.edges: list[Edge] | None = edges
        self.hooks: dict[int, Hook] | None = None
        self.retained: weakref.ref[Variable] | None = None

    def retain(self, tensor: "Variable") -> None:
        """Also give the gradient to the Tensor of this node, which isn't a leaf."""
        self.retained = weakref.ref(tensor)


class Leaf:
    """Where the graph begins: a Tensor that the user made, and whose gradient is wanted.

    It knows its Tensor by a weak reference: a gradient that nobody can read isn't kept, and no
    reference cycle arises.
    """

    __slots__ = ("backend", "dtype", "hooks", "index", "is_complex", "shape", "tensor")

    def __init__(self, tensor: "Variable") -> None:
        self.index = next_number()
        self.tensor = weakref.ref(tensor)
        self.backend = tensor._backend
        self.shape = tensor._data.shape
        self.dtype = tensor._data.dtype
        self.is_complex = as_dtype(self.dtype).is_complex
        self.hooks: dict[int, Hook] | None = None


class Variable:
    """The engine's half of a Tensor: an array, its gradient, and how it was made."""

    __slots__ = ("__weakref__", "_backend", "_data", "_grad", "_node", "_origin", "_views")

    _data: Array
    _backend: Backend
    _node: Node | Leaf | None  # a Leaf or a Node if and only if it requires a gradient
    # None; or the raw gradient that `backward` left, its memory nobody else's, as a rule gave it
    # (see `run_backward`); or a Tensor, once somebody has read `grad` or assigned one
    _grad: Any
    # Only views have the one and Tensors with views the other, so that no result pays for them
    _origin: "Origin"
    _views: "list[weakref.ref[Variable]]"

    #: The class of all results; agrad.tensor puts Tensor here when it defines it.
    result_type: ClassVar[type["Variable"]]


def wrap(data: Array, backend: Backend, node: Node | Leaf | None = None) -> "Tensor":
    """Return a Tensor of a raw array, at once and unchecked."""
    tensor = _new(Variable.result_type)
    tensor._data = data
    tensor._backend = backend
    tensor._node = node
    tensor._grad = None
    return tensor  # type: ignore[return-value]


# Recording --------------------------------------------------------------------------------------


class ThreadSetting(threading.local):
    """What is set for a thread: `state` now, and what to go back to, innermost last."""

    def __init__(self, state: Any) -> None:
        self.state = state
        self.before: list[Any] = []


# Whether calls are recorded
_mode = ThreadSetting(True)
_delivery = threading.Lock()  # adding to a grad is reading and writing, which mustn't interleave


def is_grad_enabled() -> bool:
    """Return whether calls in this thread are recorded.

    Examples
    --------
    >>> import agrad as ag
    >>> with ag.no_grad():
    ...     ag.is_grad_enabled()
    False
    """
    return _mode.state  # type: ignore[no-any-return]


_LATER = 0x20 | 0x80 | 0x200  # the flags of generators, coroutines and async generators


class Context(ContextDecorator):
    """A context in which a thread's setting is another one; also a decorator of functions."""

    setting: ThreadSetting

    def inside(self) -> Any:
        """Return what the setting is inside."""
        raise NotImplementedError

    def __enter__(self) -> None:
        self.setting.before.append(self.setting.state)
        self.setting.state = self.inside()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.setting.state = self.setting.before.pop()

    def __call__(self, function: Function) -> Function:
        if getattr(function, "__code__", None) and function.__code__.co_flags & _LATER:
            raise TypeError(
                f"{type(self).__name__} can't decorate a generator or an async function, whose "
                f"body runs later; write `with {type(self).__name__}():` inside it"
            )
        return super().__call__(function)


class _SetMode(Context):
    """A context in which calls of this thread are, or are not, recorded."""

    setting = _mode
    recording: bool

    def __new__(cls, function: Any = None) -> Any:
        mode = super().__new__(cls)
        return mode if function is None else mode(function)  # @no_grad, without parentheses

    def inside(self) -> bool:
        return self.recording


class no_grad(_SetMode):
    """Record nothing inside: for evaluation, and for changing parameters. Also a decorator.

    It holds for the current thread.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([1.0, 2.0], requires_grad=True)
    >>> with ag.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    >>> @ag.no_grad()
    ... def evaluate(x):
    ...     return x * 2
    >>> evaluate(x).requires_grad
    False
    """

    recording = False


class enable_grad(_SetMode):
    """Record inside, also where a `no_grad` surrounds it. Also a decorator.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([1.0, 2.0], requires_grad=True)
    >>> with ag.no_grad(), ag.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    recording = True


def lift(tensor: Variable) -> None:
    """Let a step that is being recorded see a Tensor before its array and backend are looked at."""
    if recording.tape is not None:
        recording.tape.lift((tensor,))


def record(primitive: Primitive, inputs: Sequence[Any], **options: Any) -> "Tensor":
    """Run a function on Tensors, raw arrays and numbers, and record it if it will be needed.

    Parameters
    ----------
    primitive : Primitive
        The function.
    inputs : sequence of Tensor, array or number
        Its array arguments, all on one device. Numbers take the others' data type.
    **options
        Its further arguments, such as an axis.

    Returns
    -------
    Tensor
        The output; it requires a gradient if an input does, the function has a rule, and no
        `no_grad` is in force.

    Raises
    ------
    RuntimeError
        If the inputs are on two devices.
    TypeError
        If an input is neither a Tensor, nor an array, nor a number.
    """
    if recording.tape is not None:
        inputs = recording.tape.lift(inputs)
    backend: Backend | None = None
    arrays: list[Array] = []
    parents: list[tuple[int, Node | Leaf]] = []  # of the inputs that require a gradient
    for x in inputs:
        if isinstance(x, Variable):
            if x._backend is not backend:
                if backend is not None:
                    raise _two_devices(primitive, inputs)
                backend = x._backend
            if x._node is not None:
                parents.append((len(arrays), x._node))
            arrays.append(x._data)
        else:
            if type(x) not in _NUMBERS:
                if is_number(x):  # NumPy's scalars: numbers, which no device holds
                    x = x.item() if hasattr(x, "item") else float(x)
                else:
                    backend = _backend_of_raw(primitive, inputs, backend, x)
                    if type(x) is not backend.array_type:
                        x = backend.asarray(x)  # numpy.matrix and its like become plain arrays
            arrays.append(x)
    if backend is None:  # numbers alone
        backend = default_backend()
        arrays = [backend.asarray(x) for x in arrays]

    bound = backend.bound[primitive]
    forward = bound.forward
    try:
        out = forward(*arrays, **options) if options else forward(*arrays)
    except Exception as error:
        shapes = ", ".join(str(getattr(x, "shape", x)) for x in arrays)
        error.add_note(f"(raised in agrad's {primitive.name} of {shapes} on {backend.name!r})")
        raise
    if type(out) is not backend.array_type:
        out = backend.normalize(out)
    if not (parents and primitive.has_rules and _mode.state):
        return wrap(out, backend)

    edges: list[Edge] = []
    rules, savers = primitive.rules, primitive.savers
    for position, parent in parents:
        if primitive.variadic:
            options["position"], position = position, 0
        if rules[position] is not None:
            edges.append((parent, position, savers[position](out, arrays, options)))
    return wrap(out, backend, Node(primitive, backend, bound.rules, out, edges) if edges else None)


class Origin(NamedTuple):
    """How a view was made from the Tensor that it shows a part of."""

    parent: Variable
    data: Array  # the parent's at that time: if it has got another one, this is no view any more
    primitive: Primitive
    options: dict[str, Any]


def record_view(primitive: Primitive, x: Any, **options: Any) -> "Tensor":
    """Record a function whose result may share its memory with x, and is then a view of it.

    A change of one shows in the other, and gradients must follow: so each knows of the other.

    Parameters
    ----------
    primitive : Primitive
        The function, of one array. Its rule, with 1 for each element, marks what it has taken.
    x : Tensor, array or number
        Its argument.
    **options
        As for `record`.

    Returns
    -------
    Tensor
        The output, as from `record`.
    """
    out = record(primitive, (x,), **options)
    if isinstance(x, Variable) and out._backend.may_share(out._data, x._data):
        out._origin = Origin(x, x._data, primitive, options)
        views = getattr(x, "_views", None)
        if views is None:
            x._views = views = []
        elif len(views) >= 16 and len(views) & (len(views) - 1) == 0:  # 16, 32, ...: clean up
            views[:] = [view for view in views if view() is not None]
        views.append(weakref.ref(out))
    return out


_NUMBERS = frozenset((bool, int, float, complex, TracedNumber))


def _backend_of_raw(
    primitive: Primitive, inputs: Sequence[Any], backend: Backend | None, x: Any
) -> Backend:
    """Return the backend of a raw array among the inputs, the same as the others'."""
    try:
        found = backend_of(x)
    except TypeError as error:
        raise TypeError(f"{primitive.name}: {error}") from None
    if backend is not None and found is not backend:
        raise _two_devices(primitive, inputs)
    return found


def _two_devices(primitive: Primitive, inputs: Sequence[Any]) -> RuntimeError:
    places = []
    for x in inputs:
        if not is_number(x):
            name = x._backend.name if isinstance(x, Variable) else backend_of(x).name
            if name not in places:
                places.append(name)
    first, second = places[:2]
    return RuntimeError(
        f"{primitive.name}: its arrays are on two devices, {first!r} and {second!r}; "
        f"move one of them with .to({first!r}) or .to({second!r})"
    )


# Walking back -----------------------------------------------------------------------------------


def run_backward(
    root: Variable,
    gradient: Any,
    *,
    retain_graph: bool = False,
    over: Any = None,
    wanted: "Sequence[Node | Leaf] | None" = None,
) -> "dict[Node | Leaf, Any]":
    """Walk the graph from `root` to its leaves, and add what arrives to their ``grad``.

    Parameters
    ----------
    root : Tensor
        Where to start; it requires a gradient.
    gradient : array
        The gradient with respect to `root`, of its shape, data type and device; a Tensor if `over`
        is agrad.
    retain_graph : bool
        Keep the graph for another pass; otherwise what each node kept is let go once it has run.
    over : namespace, optional
        The namespace that the rules run over, if not the arrays' own library: agrad's, for
        gradients with a graph of their own.
    wanted : sequence of nodes, optional
        Walk only as far as these, and leave every ``grad`` alone. They must have been made one
        after the other, before anything was made from them.

    Returns
    -------
    dict
        The gradient of each node wanted, None where `root` doesn't depend on it.

    Notes
    -----
    A node's number is higher than those of the nodes it was made from. So the highest number among
    the nodes that wait has got all its gradients in, and is the next to run: a heap is all that
    the walk needs, and a chain of any length runs without recursion.

    The leaves' ``grad`` are written at the very end: an error on the way leaves them as they were.

    What a rule returns may be something that only its backend knows, such as a product that isn't
    multiplied out yet: it has a shape and a data type and can be added to, and `Backend.normalize`
    makes an array of it, where it goes on to a rule, a hook or a user.

    Gradients of complex Tensors are PyTorch's, dL/dRe + i dL/dIm, where users see them. On the way
    their conjugates travel, for which the rule of every holomorphic function is the one that real
    numbers have: dL = Re(g dz) gives ``g * x2`` for ``x1 * x2``, without a conjugate.
    """
    assert root._node is not None
    if as_dtype(root._node.dtype).is_complex:
        gradient = _conjugate(gradient, root._node, over)
    gradients: dict[Node | Leaf, Any] = {root._node: gradient}  # the sums so far, of who waits
    waiting: list[tuple[int, Node]] = []
    if isinstance(root._node, Node):
        waiting.append((-root._node.index, root._node))
    arrived: list[tuple[Variable, Any]] = []
    shared = {id(gradient)}  # arrays that someone else may hold
    found: dict[Node | Leaf, Any] = dict.fromkeys(wanted or ())
    # What is older than the first of those wanted isn't made from them
    oldest = min(node.index for node in found) if found else 0

    while waiting:
        node = heappop(waiting)[1]
        g = gradients.pop(node)
        if over is None and type(g) is not node.backend.array_type:
            g = node.backend.normalize(g)
        if node.hooks is not None:
            g = _run_hooks(node, g, over)
            shared.add(id(g))
        if found and node in found:
            found[node] = _conjugate(g, node, over)
            continue
        if node.retained is not None and (tensor := node.retained()) is not None:
            arrived.append((tensor, _conjugate(g, node, over)))
        edges = node.edges
        if edges is None:
            raise RuntimeError(
                f"backward() ran through this graph before and freed it (at {node.primitive.name})"
                ": run the forward pass again, or give the first backward() retain_graph=True"
            )
        if latest.number > node.index:  # something has been written to since
            _check_unchanged(node, edges)
        if over is not None:
            edges = _with_tensors(node, edges)
        elif not retain_graph:
            node.edges = None
        rules = node.rules if over is None else node.primitive.rules
        for parent, position, saved in edges:
            if oldest and parent.index < oldest:
                continue
            rule: Any = rules[position]
            try:
                part = rule(g, *saved) if over is None else rule(over, g, *saved)
                if part.shape != parent.shape or part.dtype != parent.dtype:
                    part = _fit(part, parent, over)
            except Exception as error:
                error.add_note(
                    f"(raised in the gradient of {node.primitive.name} with respect to its "
                    f"argument {node.primitive.arguments[position]})"
                )
                raise
            if parent in gradients:
                gradients[parent] = _add(gradients[parent], part, parent, over)
            else:
                gradients[parent] = part
                if type(parent) is not Leaf:
                    heappush(waiting, (-parent.index, parent))  # type: ignore[misc]

    # What is left in `gradients` are the leaves.
    if wanted is not None:
        for leaf, g in gradients.items():
            if leaf in found:
                found[leaf] = _conjugate(g, leaf, over)
        return found
    for leaf, g in cast("dict[Leaf, Any]", gradients).items():
        if leaf.hooks is not None:
            g = _run_hooks(leaf, g, over)
            shared.add(id(g))
        tensor = leaf.tensor()
        if tensor is None or tensor._node is None:
            continue
        if tensor._node is not leaf:
            raise RuntimeError(
                f"a Tensor of shape {leaf.shape} was moved or cast between the forward pass and "
                "backward(), or its requires_grad was set anew: run the forward pass again"
            )
        arrived.append((tensor, _conjugate(g, leaf, over) if leaf.is_complex else g))
    with _delivery:
        for tensor, g in arrived:
            if over is not None:
                tensor._grad = _sum_of_own_tensors(tensor, g, shared, over)
            else:
                tensor._grad = _sum_of_own(tensor, g, shared)
    return found


def _conjugate(g: Any, node: Node | Leaf, over: Any) -> Any:
    """Turn a gradient that travels into one that users see, or back, if it is complex."""
    if not as_dtype(node.dtype).is_complex:
        return g
    return over.conj(g) if over is not None else node.backend.call(_conj, g)


def _conj(xp: Any, x: Array) -> Array:
    return xp.conj(x)


def _add(total: Any, part: Any, node: Node | Leaf, over: Any) -> Any:
    """Add two gradients of one node."""
    return total + part if over is not None else node.backend.call(_plus, total, part)


def _plus(xp: Any, x1: Array, x2: Array) -> Array:
    return x1 + x2


def _fit(g: Any, node: Node | Leaf, over: Any) -> Any:
    """Bring a gradient to the shape and data type of what it is the gradient of."""
    if over is not None:
        return _sum_to(over, g, node.shape, node.dtype)
    backend = node.backend
    return backend.call(_sum_to, backend.normalize(g), node.shape, node.dtype)


def _sum_to(xp: Any, g: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Sum over the axes that broadcasting added or stretched, and cast to the data type."""
    if g.shape != shape:
        added = g.ndim - len(shape)
        if added < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[added:], strict=True)):
            raise ValueError(f"the rule gave shape {g.shape} for an argument of shape {shape}")
        stretched = (i + added for i, n in enumerate(shape) if n == 1 != g.shape[i + added])
        g = xp.sum(g, axis=(*range(added), *stretched), keepdims=True)
        g = xp.reshape(g, shape)
    if g.dtype == dtype:
        return g
    if as_dtype(g.dtype).is_complex and not as_dtype(dtype).is_complex:
        g = xp.real(g)  # dL = Re(g dx) = Re(g) dx
    return xp.astype(g, dtype)


def _with_tensors(node: Node, edges: Sequence[Edge]) -> list[Edge]:
    """Return a node's edges with the arrays that it kept as Tensors, linked to the graph again."""
    arguments = node.primitive.arguments
    parents = {arguments[position]: parent for parent, position, _ in edges}

    def tensor(name: str, value: Any) -> Any:
        if name == "out":
            return wrap(value, node.backend, node)
        if name in arguments and type(value) not in _NUMBERS:
            return wrap(value, node.backend, parents.get(name))
        return value

    return [
        (parent, position, tuple(map(tensor, node.primitive.keeps[position], saved)))
        for parent, position, saved in edges
    ]


def _check_unchanged(node: Node, edges: Sequence[Edge]) -> None:
    """Raise an error if an array that a node kept was written to in place since."""
    for _, position, saved in edges:
        for name, value in zip(node.primitive.keeps[position], saved, strict=True):
            for each in value if isinstance(value, tuple) else (value,):
                if is_array(each) and changed_since(node.index, node.backend, each):
                    raise RuntimeError(
                        f"{node.primitive.name} kept {name!r}, of shape {tuple(each.shape)}, for "
                        "its gradient, and it has been changed in place since (by an assignment, "
                        "+=, an optimizer's step, or in .data): call backward() before that, "
                        "change a copy (agrad.asarray(t, copy=True)), or run the forward pass again"
                    )


def _run_hooks(node: Node | Leaf, g: Any, over: Any) -> Any:
    """Show a gradient to the hooks of its Tensor; what one returns takes its place."""
    assert node.hooks is not None
    if over is None:
        g = node.backend.normalize(g)
    for hook in tuple(node.hooks.values()):
        seen = _conjugate(g, node, over)
        given = seen if over is not None else wrap(node.backend.normalize(seen), node.backend)
        with enable_grad() if over is not None else no_grad():
            returned = hook(given)
        if returned is None:
            continue
        if not isinstance(returned, Variable):
            raise TypeError(f"a hook must return a Tensor or None, got {type(returned).__name__}")
        wanted = node.backend.name, node.shape, str(node.dtype)
        got = returned._backend.name, returned._data.shape, str(returned._data.dtype)
        if got != wanted:
            raise ValueError(
                "a hook must return a gradient on the device {!r}, of shape {} and data type {}; "
                "got {!r}, {} and {}".format(*wanted, *got)
            )
        g = _conjugate(returned if over is not None else returned._data, node, over)
    return g


def _sum_of_own(tensor: Variable, g: Any, shared: set[int]) -> Any:
    """Add a gradient to what a Tensor's ``grad`` has; the memory is nobody else's."""
    backend, old = tensor._backend, tensor._grad
    if old is None:
        if id(g) in shared:
            return backend.asarray(g, copy=True)
        shared.add(id(g))
        return backend.own(g)
    if isinstance(old, Variable):
        old = old._data  # somebody has it, so it stays as it is
    # `grad`, this function and getrefcount hold it; more than these would be views of its memory
    elif backend.counts_holders and getrefcount(old) <= 3:
        return backend.axpy(1, g, backend.normalize(old))
    return backend.normalize(backend.call(_plus, old, g))


def grad_of(tensor: Variable) -> "Tensor | None":
    """Return a Tensor's gradient as a Tensor, the same each time."""
    if tensor._grad is None or isinstance(tensor._grad, Variable):
        return cast("Tensor | None", tensor._grad)
    with _delivery:
        if not isinstance(tensor._grad, Variable):  # nor has another thread wrapped it just now
            tensor._grad = wrap(tensor._backend.normalize(tensor._grad), tensor._backend)
        return cast("Tensor", tensor._grad)


def _sum_of_own_tensors(tensor: Variable, g: "Tensor", shared: set[int], over: Any) -> "Tensor":
    """Do the same with gradients that have a graph."""
    if tensor._grad is not None:
        if not isinstance(tensor._grad, Variable):
            tensor._grad = wrap(tensor._backend.normalize(tensor._grad), tensor._backend)
        return cast("Tensor", tensor._grad + g)
    if id(g) in shared or hasattr(g, "_origin") or g._backend.own(g._data) is not g._data:
        return cast("Tensor", over.positive(g))
    shared.add(id(g))
    return g
