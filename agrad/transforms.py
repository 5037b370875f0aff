"""Functions of functions: from a function of Tensors, make the one that gives its derivatives.

All of them rest on one thing: the gradient of a result with respect to some inputs, by
`run_backward`. Where one of them is used inside another, or on Tensors that require a gradient
themselves, the rules run over agrad, and what comes out can be differentiated again.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, Literal

from agrad import ops
from agrad.autograd import (
    Edge,
    Leaf,
    Node,
    Primitive,
    enable_grad,
    is_grad_enabled,
    no_grad,
    record,
    run_backward,
    wrap,
)
from agrad.backends import is_array, is_number
from agrad.ops.casting import casting
from agrad.random import default_generator
from agrad.tensor import Tensor
from agrad.typing import TensorLike
from agrad.writes import checksum

__all__ = [
    "checkpoint",
    "custom_vjp",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]


# Trees: Tensors in nested lists, tuples, dicts and dataclasses --------------------------------


def _flatten(tree: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """Return the leaves of a tree, and the function that puts others in their places."""
    if isinstance(tree, Tensor) or is_number(tree) or is_array(tree):
        return [tree], lambda leaves: leaves[0]
    try:
        import optree
    except ImportError as error:
        raise ImportError(
            f"{type(tree).__name__} as an argument or result needs optree, which can't be imported "
            f'({error}). Install it with: pip install "agrad[trees]"'
        ) from None
    leaves, structure = optree.tree_flatten(tree, namespace="agrad")
    unknown = {type(x) for x in leaves if is_dataclass(x) and not isinstance(x, Tensor)}
    if unknown:
        for kind in unknown:
            _register(optree, kind)
        return _flatten(tree)
    return list(leaves), lambda new: optree.tree_unflatten(structure, new)


def _register(optree: Any, kind: type) -> None:
    """Tell optree how to take a dataclass apart."""
    names = [field.name for field in fields(kind)]
    optree.register_pytree_node(
        kind,
        lambda x: ([getattr(x, name) for name in names], None, names),
        lambda _, values: kind(**dict(zip(names, values, strict=True))),
        namespace="agrad",
    )


# The gradient of one result --------------------------------------------------------------------


class _Depth(threading.local):
    value = 0


_depth = _Depth()  # how many of these functions are at work in this thread, one in the other


class _Run:
    """One call of a function whose derivative is wanted.

    Parameters
    ----------
    arguments : sequence
        What the function is called with, trees of Tensors.
    """

    def __init__(self, name: str, arguments: Sequence[Any]) -> None:
        self.name = name
        flat = [_flatten(argument) for argument in arguments]
        given = [self._as_tensor(x) for leaves, _ in flat for x in leaves]
        self.nested = _depth.value > 0 or any(x.requires_grad for x in given)
        with enable_grad():
            self.starts = [_fresh(x) for x in given]
            # What the function gets, and may change in place
            self.inputs = [record(_IDENTITY, (x,)) for x in self.starts]
        self._sizes = [len(leaves) for leaves, _ in flat]
        self._builders = [build for _, build in flat]

    def _as_tensor(self, x: Any) -> Tensor:
        tensor = ops.asarray(x)
        if not tensor.dtype.is_differentiable:
            raise TypeError(
                f"{self.name} needs arguments of a floating-point type, got {tensor.dtype!r}; give "
                "argnums for those to differentiate, or cast it"
            )
        return tensor

    def trees(self, values: Sequence[Any]) -> list[Any]:
        """Put a value for each input into the form of the arguments."""
        result, start = [], 0
        for size, build in zip(self._sizes, self._builders, strict=True):
            result.append(build(values[start : start + size]))
            start += size
        return result

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the function, recorded."""
        _depth.value += 1
        try:
            with enable_grad():
                return function(*args, **kwargs)
        finally:
            _depth.value -= 1

    def tensor(self, out: Any) -> Tensor:
        """Return a result of the function, which must be a Tensor."""
        if not isinstance(out, Tensor):
            raise TypeError(
                f"{self.name} needs a function that gives a Tensor, got {type(out).__name__}"
            )
        return out

    def scalar(self, out: Any) -> Tensor:
        """Return a result of the function, which must be a single number."""
        if self.tensor(out).size != 1:
            raise TypeError(
                f"{self.name} needs a function whose result is a Tensor of one element, got shape "
                f"{out.shape}; for others there are jacobian and vjp"
            )
        return self.real(out)

    def real(self, out: Any) -> Tensor:
        """Return a result of the function, which must not be complex."""
        if self.tensor(out).dtype.is_complex:
            raise TypeError(
                f"{self.name} needs a function whose result is real, got {out.dtype}; take "
                "agrad.real, agrad.imag or agrad.abs of it, or use vjp or jvp"
            )
        return self.tensor(out)

    def result(self, out: Any) -> Any:
        """Return what the function gave; without the graph, unless someone outside needs it."""
        if self.nested:
            return out
        leaves, build = _flatten(out)
        return build([x.detach() if isinstance(x, Tensor) else x for x in leaves])


def _gradients(
    out: Tensor, inputs: Sequence[Tensor], seed: Tensor, *, higher: bool, keep: bool = False
) -> list[Tensor]:
    """Return the gradients of `out` with respect to inputs, zeros where it doesn't depend on one.

    With `higher` they are recorded; with `keep` the graph stays, to be walked again.
    """
    wanted = [x._node for x in inputs if x._node is not None]  # all of them
    found: dict[Any, Any] = {}
    if wanted and out._node is not None and out._node.index >= wanted[0].index:  # else it is older
        with enable_grad():
            found = run_backward(
                out,
                seed if higher else seed._data,
                retain_graph=keep,
                over=ops if higher else None,
                wanted=wanted,
            )
    gradients: list[Tensor] = []
    for x, node in zip(inputs, wanted, strict=True):
        g = found.get(node)
        if g is None:
            g = ops.zeros_like(x)
        elif higher:
            with enable_grad():
                g = ops.positive(g)  # nobody else's
        elif not higher:
            g = wrap(x._backend.asarray(g, copy=True), x._backend)
        gradients.append(g)
    return gradients


_IDENTITY = Primitive("identity", lambda xp, x: x, x=lambda xp, g: g)


def _fresh(x: Tensor) -> Tensor:
    """Return a Tensor of the same values that is a new input of the graph."""
    if x.requires_grad:
        return record(_IDENTITY, (x,))  # linked to where it comes from
    tensor = wrap(x._data, x._backend)
    tensor._node = Leaf(tensor)
    return tensor


# Gradients of scalars -----------------------------------------------------------------------------


def value_and_grad(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that gives a function's value and its gradient.

    Parameters
    ----------
    function : callable
        Its result is a Tensor of one element; with `has_aux`, a pair of that and anything else.
    argnums : int or tuple of int
        The positional arguments to differentiate by: Tensors, arrays, numbers, or lists, tuples,
        dicts and dataclasses of them (by ``optree``, the extra ``trees``).
    has_aux : bool
        Whether the function returns something else beside its value.

    Returns
    -------
    callable
        It gives ``(value, gradient)``, the gradient in the form of the argument, or a tuple of them
        for several; with `has_aux`, ``((value, aux), gradient)``. The ``grad`` of Tensors stays as
        it was.

    Raises
    ------
    TypeError
        If the result isn't a Tensor of one element, or an argument isn't of a floating-point type.

    Notes
    -----
    Value and gradient can be differentiated again where this is done inside another of these
    functions, or where one of the arguments requires a gradient. Otherwise they are constants, also
    with respect to Parameters that the function uses without getting them as arguments: for a
    penalty on a gradient, give an argument that requires one, or use `argnums`.

    Examples
    --------
    >>> import agrad as ag
    >>> f = ag.value_and_grad(lambda x: (x**2).sum())
    >>> value, gradient = f(ag.Tensor([1.0, 2.0]))
    >>> value.item(), gradient.tolist()
    (5.0, [2.0, 4.0])
    """
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)

    @wraps(function)
    def derivative(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        if not all(-len(args) <= i < len(args) for i in numbers):
            raise TypeError(f"grad: argnums is {argnums}, but {len(args)} arguments were given")
        run = _Run("grad", [args[i] for i in numbers])
        args_ = list(args)
        for i, tree in zip(numbers, run.trees(run.inputs), strict=True):
            args_[i] = tree
        out = run.call(function, *args_, **kwargs)
        value, aux = out if has_aux else (out, None)
        value = run.scalar(value)
        seed = ops.ones_like(value)
        gradients = run.trees(_gradients(value, run.starts, seed, higher=run.nested))
        gradient = tuple(gradients) if isinstance(argnums, tuple) else gradients[0]
        value = run.result(value)
        return ((value, run.result(aux)) if has_aux else value), gradient

    return derivative


def grad(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """Return a function that gives the gradient of a function.

    Parameters
    ----------
    function, argnums, has_aux
        As for `value_and_grad`.

    Returns
    -------
    callable
        It gives the gradient; with `has_aux`, ``(gradient, aux)``.

    Raises
    ------
    TypeError
        As `value_and_grad`.

    Examples
    --------
    >>> import agrad as ag
    >>> cube = lambda x: x**3
    >>> ag.grad(cube)(2.0).item(), ag.grad(ag.grad(cube))(2.0).item()  # 3 x**2 and 6 x
    (12.0, 12.0)
    """
    both = value_and_grad(function, argnums, has_aux=has_aux)

    @wraps(function)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return derivative


# Products with the Jacobian ---------------------------------------------------------------------


def vjp(
    function: Callable[..., Any], *primals: Any
) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return a function's result, and the function that multiplies by its Jacobian from the left.

    Parameters
    ----------
    function : callable
        Its result is a Tensor, or a tree of Tensors.
    *primals : Tensor or tree of Tensors
        What it is called with.

    Returns
    -------
    out : Tensor or tree
        The function's result.
    pull : callable
        ``pull(cotangent)``, with a cotangent in the form of `out`, gives a tuple: for each primal
        the vector-Jacobian product, in its form. It may be called several times.

    Raises
    ------
    TypeError
        If a primal isn't of a floating-point type.
    ValueError
        If a cotangent is of another shape than the result.

    Examples
    --------
    >>> import agrad as ag
    >>> out, pull = ag.vjp(lambda x: x**2, ag.Tensor([1.0, 2.0]))
    >>> out.tolist(), pull(ag.Tensor([1.0, 10.0]))[0].tolist()
    ([1.0, 4.0], [2.0, 40.0])
    """
    run = _Run("vjp", primals)
    out = run.call(function, *run.trees(run.inputs))
    leaves, _ = _flatten(out)

    def pull(cotangent: Any) -> tuple[Any, ...]:
        with enable_grad():
            total = _inner(leaves, _flatten(cotangent)[0], "cotangent")
        higher, seed = run.nested or _depth.value > 0, ops.ones_like(total)
        return tuple(run.trees(_gradients(total, run.starts, seed, higher=higher, keep=True)))

    return run.result(out), pull


def _inner(tensors: Sequence[Tensor], vectors: Sequence[Any], name: str) -> Tensor:
    """Return the sum of all products of the elements of two lists of Tensors, its real part."""
    if len(tensors) != len(vectors):
        raise ValueError(f"expected {len(tensors)} {name}s, got {len(vectors)}")
    total: Any = 0.0
    for tensor, vector in zip(tensors, vectors, strict=True):
        vector = ops.asarray(vector)
        if vector.shape != tensor.shape:
            raise ValueError(f"the {name} must be of shape {tensor.shape}, got {vector.shape}")
        if tensor.dtype.is_complex:
            total = total + ops.sum(ops.real(ops.conj(vector) * tensor))
        elif vector.dtype.is_complex:
            raise TypeError(f"the {name} of a Tensor of {tensor.dtype} can't be complex")
        else:
            total = total + ops.sum(tensor * vector)
    return ops.asarray(total)


def jvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Return a function's result, and its Jacobian times a vector: the derivative along it.

    Parameters
    ----------
    function : callable
        Its result is a Tensor.
    primals : sequence of Tensors or trees of Tensors
        What it is called with.
    tangents : sequence of the same form
        The vector.

    Returns
    -------
    out : Tensor
        The function's result.
    tangent : Tensor
        The Jacobian-vector product, of its shape.

    Raises
    ------
    TypeError
        If a primal isn't of a floating-point type.
    ValueError
        If a tangent is of another shape than its primal.

    Notes
    -----
    The product with the Jacobian from the left, uᵀJ, is linear in u; its own derivative by u along
    the vector is J times the vector. So the rules for reverse mode give forward mode too.

    Examples
    --------
    >>> import agrad as ag
    >>> out, tangent = ag.jvp(lambda x: x**2, [ag.Tensor([1.0, 2.0])], [ag.Tensor([1.0, 10.0])])
    >>> tangent.tolist()
    [2.0, 40.0]
    """
    run = _Run("jvp", primals)
    out = run.tensor(run.call(function, *run.trees(run.inputs)))
    push = _pushforward(run, out)
    flat = [x for tangent in tangents for x in _flatten(tangent)[0]]
    return run.result(out), push(flat)


def _pushforward(run: _Run, out: Tensor) -> Callable[[Sequence[Any]], Tensor]:
    """Return the function that multiplies the Jacobian of `out` by a vector."""
    u = wrap(ops.zeros_like(out)._data, out._backend)
    u._node = Leaf(u)
    transposed = _gradients(out, run.starts, u, higher=True)  # uᵀJ, recorded

    def push(tangents: Sequence[Any]) -> Tensor:
        with enable_grad():
            total = _inner(transposed, tangents, "tangent")
        higher, seed = run.nested or _depth.value > 0, ops.ones_like(total)
        return _gradients(total, [u], seed, higher=higher, keep=True)[0]

    return push


# Whole Jacobians -------------------------------------------------------------------------------


def jacobian(
    function: Callable[..., Any],
    argnum: int = 0,
    *,
    mode: Literal["auto", "forward", "reverse"] = "auto",
) -> Callable[..., Tensor]:
    """Return a function that gives the Jacobian: the derivative of each output by each input.

    Parameters
    ----------
    function : callable
        Its result is a Tensor.
    argnum : int
        The argument to differentiate by, a Tensor.
    mode : {"auto", "forward", "reverse"}
        Column by column, or row by row; by default whichever are fewer.

    Returns
    -------
    callable
        It gives a Tensor of the shape of the output followed by that of the input.

    Raises
    ------
    TypeError
        If the result isn't a Tensor, or the argument isn't of a floating-point type.
    ValueError
        If there is no such mode.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.jacobian(lambda x: x**2)(ag.Tensor([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f"mode must be 'auto', 'forward' or 'reverse', got {mode!r}")

    @wraps(function)
    def derivative(*args: Any, **kwargs: Any) -> Tensor:
        run = _Run("jacobian", [args[argnum]])
        (x,) = run.inputs
        run.real(x)
        args_ = list(args)
        args_[argnum] = x
        out = run.real(run.call(function, *args_, **kwargs))
        shape = (*out.shape, *x.shape)
        if not out.size or not x.size:
            return ops.zeros(shape, dtype=x.dtype, device=x.device)
        if mode == "forward" or (mode == "auto" and x.size < out.size):
            push = _pushforward(run, out)
            columns = [push([unit]) for unit in _units(x)]
            return ops.reshape(ops.stack(columns, axis=-1), shape)
        rows = [
            _gradients(out, run.starts, unit, higher=run.nested, keep=True)[0]
            for unit in _units(out)
        ]
        return ops.reshape(ops.stack(rows), shape)

    return derivative


def _units(like: Tensor) -> list[Tensor]:
    """Return, for each element of a Tensor, the Tensor that is 1 there and 0 elsewhere."""
    eye = ops.eye(like.size, dtype=like.dtype, device=like.device)
    return [ops.reshape(row, like.shape) for row in ops.unstack(eye)]


def hessian(function: Callable[..., Any], argnum: int = 0) -> Callable[..., Tensor]:
    """Return a function that gives the Hessian: the second derivatives of a scalar function.

    Parameters
    ----------
    function : callable
        Its result is a Tensor of one element.
    argnum : int
        The argument to differentiate by, a Tensor.

    Returns
    -------
    callable
        It gives a Tensor of the shape of the argument, twice.

    Raises
    ------
    TypeError
        As `grad`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.hessian(lambda x: x[0] ** 2 * x[1])(ag.Tensor([1.0, 2.0])).tolist()
    [[4.0, 2.0], [2.0, 0.0]]
    """
    return jacobian(grad(function, argnum), argnum, mode="reverse")


def hvp(function: Callable[..., Any], x: TensorLike, vector: TensorLike) -> Tensor:
    """Return the Hessian of a scalar function times a vector, without making the Hessian.

    Parameters
    ----------
    function : callable
        Of one Tensor; its result is a Tensor of one element.
    x : Tensor
        Where to take the Hessian.
    vector : Tensor
        Of the shape of `x`.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Raises
    ------
    TypeError
        As `grad`.
    ValueError
        If the vector is of another shape than `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.hvp(lambda x: (x**3).sum(), ag.Tensor([1.0, 2.0]), ag.Tensor([1.0, 10.0])).tolist()
    [6.0, 120.0]
    """
    gradient = grad(function)
    product: Tensor = grad(lambda x: _inner([gradient(x)], [vector], "vector"))(x)
    return product


# Rules and the lack of them -------------------------------------------------------------------


def custom_vjp(
    function: Callable[..., Any], /, **rules: Callable[..., Any] | None
) -> Callable[..., Tensor]:
    """Return a differentiable function made of a function of raw arrays and rules of one's own.

    Parameters
    ----------
    function : callable
        ``function(xp, *arrays, **options)`` returns an array; ``xp`` is the arrays' library.
    **rules : callable or None
        For each array argument, in order, ``rule(xp, g, ...)``: see `autograd.Primitive`. Rules
        that are written over ``xp`` can be differentiated again.

    Returns
    -------
    callable
        A function of Tensors.

    Examples
    --------
    >>> import agrad as ag
    >>> exp = ag.custom_vjp(lambda xp, x: xp.exp(x), x=lambda xp, g, out: g * out)
    >>> ag.grad(exp)(0.0).item()
    1.0
    """
    by_argument: dict[str, Any] = dict(rules)
    primitive = Primitive(getattr(function, "__name__", "custom"), function, **by_argument)

    @wraps(function)
    def differentiable(*arrays: TensorLike, **options: Any) -> Tensor:
        return record(primitive, arrays, **options)

    return differentiable


def stop_gradient(x: TensorLike, /) -> Tensor:
    """Return x as a constant: no gradient goes through it.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.

    Returns
    -------
    Tensor
        Of the same array.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.grad(lambda x: x * ag.stop_gradient(x))(3.0).item()
    3.0
    """
    return ops.asarray(x).detach()


# Time for memory ------------------------------------------------------------------------------


def checkpoint(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function without keeping what its gradient needs: backward runs it again.

    Parameters
    ----------
    function : callable
        Its result is a Tensor, or a tree of Tensors. What it draws from
        ``agrad.random.default_generator`` is drawn alike when it is run again.
    *args, **kwargs
        What it is called with. Tensors that it uses otherwise get their gradients too.

    Returns
    -------
    Tensor or tree of Tensors
        The function's result, which requires a gradient whether or not it depends on something that
        does. Of all that was computed on the way nothing is kept.

    Raises
    ------
    RuntimeError
        In the backward pass, if what the function used has been changed in place since.

    Notes
    -----
    Where a chain of n steps needs the memory of n, checkpoints after each √n of them make it 2√n,
    for one more forward pass (T. Chen et al., "Training Deep Nets with Sublinear Memory Cost",
    2016).

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor(2.0, requires_grad=True)
    >>> ag.checkpoint(lambda x: ag.exp(ag.sin(x)) ** 2, x).backward()
    >>> bool(abs(x.grad - 2 * ag.cos(x) * ag.exp(ag.sin(x)) ** 2) < 1e-12)
    True
    """
    if not is_grad_enabled():
        return function(*args, **kwargs)
    run = _Rerun(function, args, kwargs)
    with no_grad():
        out = function(*args, **kwargs)
    leaves, build = _flatten(out)
    leaves = [ops.asarray(x) for x in leaves]
    smooth = [i for i, x in enumerate(leaves) if x.dtype.is_differentiable]

    def again(out: Any) -> list[Tensor]:
        found, _ = _flatten(out)
        return [ops.asarray(found[i]) for i in smooth]

    if len(smooth) == 1:
        leaves[smooth[0]] = run.result(leaves[smooth[0]], lambda out: again(out)[0])
    elif smooth:
        # A node has one output. So they are packed: all their gradients are in when it runs.
        with no_grad():
            packed = ops.concat([leaves[i] for i in smooth], axis=None)
        packed = run.result(packed, lambda out: ops.concat(again(out), axis=None))
        start = 0
        for i in smooth:
            x = leaves[i]
            part = ops.reshape(packed[start : start + x.size], x.shape)
            part = part if x.dtype.is_complex else ops.real(part)
            leaves[i] = ops.astype(part, x.dtype, copy=False)
            start += x.size
    return build(leaves)


class _Rerun:
    """A call that can be made again, as it was made at first."""

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> None:
        self.function = function
        self.args = [_snapshot(x) for x in args]
        self.kwargs = {name: _snapshot(x) for name, x in kwargs.items()}
        self.random_state = default_generator.state
        self.casting_state = casting.state

    def result(self, out: Tensor, select: Callable[[Any], Tensor]) -> Tensor:
        """Return a result with a node that makes the call again when it is asked for its edges."""
        backend, shape = out._backend, out.shape
        before = checksum(backend, out._data) if backend.reads_values else None

        def again() -> Tensor:
            result = select(self.call_again())
            same = before is None or checksum(backend, result._data) == before
            if result.shape != shape or not same:
                raise RuntimeError(
                    "checkpoint: run again, the function gives another result than in the forward "
                    "pass, so something that it uses has been changed since (in place, or in a "
                    "list, dict or module); call backward() before that, or change a copy"
                )
            return result

        return wrap(out._data, backend, _Postponed(out, again))

    def call_again(self) -> Any:
        """Make the call again, recorded."""
        now, default_generator.state = default_generator.state, self.random_state
        casts_now, casting.state = casting.state, self.casting_state
        try:
            with enable_grad():
                return self.function(*self.args, **self.kwargs)
        finally:
            default_generator.state, casting.state = now, casts_now


def _snapshot(x: Any) -> Any:
    """Return a Tensor that goes on being what x is now, though x be changed in place."""
    return wrap(x._data, x._backend, x._node) if isinstance(x, Tensor) else x


class _Postponed(Node):
    """A node that finds out how its array was made when it is asked for its edges.

    What the call makes then are younger nodes, which stand on the nodes that the call's inputs have
    in the graph. So the walk goes on through them as if they had been there from the start.
    """

    __slots__ = ("_again",)

    def __init__(self, out: Tensor, again: Callable[[], Tensor]) -> None:
        self._again: Callable[[], Tensor] | None = again
        backend = out._backend
        super().__init__(_IDENTITY, backend, backend.bound[_IDENTITY].rules, out._data, [])

    @property
    def edges(self) -> list[Edge] | None:
        if self._again is None:
            return None
        node = self._again()._node
        return [] if node is None else [(node, 0, ())]

    @edges.setter
    def edges(self, edges: list[Edge] | None) -> None:
        if edges is None:  # the graph is freed
            self._again = None
