"""Assignment: writing into a part of a Tensor, in place or into a copy.

``t[key] = value`` changes `t`, and with it every view of `t` and the Tensor that `t` is a view of.
Where no gradient is wanted, it writes into their memory. Where one is, they get a new array and new
nodes: the graph follows, and the old array stays as it was for the rules that have kept it.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from agrad.autograd import (
    Leaf,
    Node,
    Origin,
    Primitive,
    Variable,
    is_grad_enabled,
    record,
)
from agrad.backends import Array, Backend, has_integers
from agrad.ops.creation import asarray
from agrad.ops.data_types import astype, conjugate
from agrad.ops.indexing import raw_key
from agrad.typing import Shape, TensorLike
from agrad.writes import note_write

if TYPE_CHECKING:
    from agrad.tensor import Tensor


def _setitem_value(xp: Any, g: Any, key: Any, wins: Any) -> Any:
    g = xp.getitem(g, key)
    return g if wins is None else xp.where(wins, g, xp.zeros_like(g))


# Wherever an element was replaced, the old one has no influence any more.
_RULES: dict[str, Any] = {
    "x": lambda xp, g, key: xp.setitem(g, key, 0),
    "value": _setitem_value,
}
_SETITEM = Primitive("setitem", lambda xp, x, value, key, wins: xp.setitem(x, key, value), **_RULES)
_ASSIGN = Primitive("setitem", lambda xp, x, value, key, wins: xp.assign(x, key, value), **_RULES)


def setitem(x: TensorLike, key: Any, value: TensorLike, /) -> "Tensor":
    """Return x with other values in ``[key]``; x itself stays as it is.

    Parameters
    ----------
    x : Tensor
        Of any shape and data type.
    key : int, slice, None, ..., array of bools or of integers, or a tuple of these
        Where: as for `getitem`. Of several values for one place one counts, in NumPy the last.
    value : Tensor or number
        Of a shape that broadcasts to that of ``x[key]``. It is cast to the data type of `x`.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Raises
    ------
    TypeError
        If the value can't be cast to the data type of `x`, or the key is made of anything else.
    IndexError
        If an index is out of bounds.
    RuntimeError
        If the value or an index is on another device than `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.setitem(ag.Tensor([1, 2, 3]), slice(1, None), ag.Tensor([20, 30])).tolist()
    [1, 20, 30]
    """
    x = asarray(x)
    value, key, wins = _prepare(x, key, value)
    return record(_SETITEM, (x, value), key=key, wins=wins)


def _prepare(x: "Tensor", key: Any, value: TensorLike) -> "tuple[Tensor, Any, Array | None]":
    """Return what is to be assigned, as a Tensor, and where, and which of several values counts."""
    value = _of_dtype(x, value)
    key = raw_key(key, x._backend)
    may_repeat = value.requires_grad and has_integers(key)
    return value, key, x._backend.call(_winners, key, x.shape) if may_repeat else None


def _of_dtype(x: "Tensor", value: TensorLike) -> "Tensor":
    """Return a value as a Tensor of the device and data type of x."""
    if not hasattr(value, "dtype"):
        value = asarray(value, device=x.device)
    value = asarray(value)
    if value._backend is not x._backend:
        raise RuntimeError(
            f"the Tensor is on {x.device!r} and what is assigned to it on {value.device!r}; "
            f"move that with .to({x.device!r})"
        )
    if value.dtype.rank > x.dtype.rank:
        raise TypeError(
            f"values of {value.dtype} can't be assigned to a Tensor of {x.dtype}; cast them first, "
            f"with .to(agrad.{x.dtype})"
        )
    return astype(value, x.dtype, copy=False)


def _winners(xp: Backend, key: Any, shape: Shape) -> Array:
    """Return which of the values for a key stay: where it names a cell several times, one does."""
    cells = xp.zeros(shape, dtype=xp.int64)
    places = xp.getitem(cells, key)
    size = math.prod(places.shape)
    numbers = xp.reshape(xp.arange(size, dtype=xp.int64), places.shape)
    return xp.getitem(xp.assign(cells, key, numbers), key) == numbers


# In place --------------------------------------------------------------------------------------


def assign(tensor: "Tensor", key: Any, value: TensorLike) -> None:
    """Do ``tensor[key] = value``."""
    value, key, wins = _prepare(tensor, key, value)
    family = _Family(tensor, value)
    primitive = _SETITEM if family.recorded else _ASSIGN
    family.become(record(primitive, (tensor, value), key=key, wins=wins))


def update(
    tensor: "Tensor", function: Callable[[Any, Any], "Tensor"], other: TensorLike
) -> "Tensor":
    """Do ``tensor += other``, if the function is `add`, and return the Tensor."""
    value = function(tensor, other)
    if value.shape != tensor.shape:
        raise ValueError(
            f"a Tensor of shape {tensor.shape} can't become one of shape {value.shape} in place; "
            "write t = t + x instead of t += x"
        )
    value = _of_dtype(tensor, value)
    family = _Family(tensor, value)
    if not family.recorded:
        value = record(_ASSIGN, (tensor, value), key=..., wins=None)
    family.become(value)
    return tensor


class _Family:
    """A Tensor that is to be changed, and all that share its memory: its base and their views."""

    def __init__(self, tensor: "Tensor", value: "Tensor") -> None:
        self.lineage: list[Variable] = [tensor]  # it, what it is a view of, and so on
        while (origin := _origin(self.lineage[-1])) is not None:
            self.lineage.append(origin.parent)
        self.root = self.lineage[-1]
        wanted = value.requires_grad or any(each._node is not None for each in self.lineage)
        self.recorded = wanted and is_grad_enabled()
        for view, whole in zip(self.lineage, self.lineage[1:], strict=False):
            if math.prod(view._data.shape) > math.prod(whole._data.shape):
                raise RuntimeError(
                    "a view made by broadcasting can't be changed in place, since several of its "
                    "elements are one in memory: change a copy, t = agrad.asarray(t, copy=True)"
                )
        if self.recorded and any(isinstance(each._node, Leaf) for each in self.lineage):
            what = "a Tensor" if tensor is self.root else "a view of a Tensor"
            raise RuntimeError(
                f"{what} that requires a gradient, and isn't the result of a function, can't be "
                "changed in place while gradients are recorded: change a copy, "
                "t = agrad.asarray(t, copy=True), or do it under agrad.no_grad()"
            )

    def become(self, new: "Tensor") -> None:
        """Let the Tensor become another, and its family follow."""
        # Which part each is of the next, noted before any of them is changed
        views = [_View.of(child._origin) for child in self.lineage[:-1]]
        self._take_over(self.lineage[0], new)
        for child, parent, view in zip(self.lineage, self.lineage[1:], views, strict=False):
            if self.recorded or not _share_memory(child, parent):
                whole = record(_REPLACE_PART, (parent, child), view=view)
                if not self.recorded:
                    whole = record(_ASSIGN, (parent, whole), key=..., wins=None)
                self._take_over(parent, whole)
        self._renew_views()

    def _take_over(self, tensor: Variable, new: Variable) -> None:
        """Give a Tensor the array and, if the change is recorded, the node of another."""
        if not self.recorded:
            note_write(tensor)
            tensor._data = new._data
            return
        tensor._data = new._data
        old, tensor._node = tensor._node, new._node
        if isinstance(old, Node) and old.retained is not None and isinstance(new._node, Node):
            old.retained = None
            new._node.retain(tensor)

    def _renew_views(self) -> None:
        """Make all views anew from what the root has become."""
        waiting = [self.root]
        while waiting:
            tensor = waiting.pop()
            for reference in getattr(tensor, "_views", ()):
                view = reference()
                if view is None or view._origin.parent is not tensor:
                    continue
                origin = view._origin
                if origin.data is not tensor._data or not _share_memory(view, tensor):
                    new = record(origin.primitive, (tensor,), **origin.options)
                    self._take_over(view, new)
                    view._origin = origin._replace(data=tensor._data)
                waiting.append(view)


def _origin(tensor: Variable) -> Origin | None:
    """Return what a Tensor is a view of, if it is one and still is."""
    origin: Origin | None = getattr(tensor, "_origin", None)
    return origin if origin is not None and origin.parent._data is origin.data else None


def _share_memory(x1: Variable, x2: Variable) -> bool:
    """Return whether a write to one is known to be one to the other."""
    memory = x1._backend.memory(x1._data)
    return memory is not None and memory == x2._backend.memory(x2._data)


class _View(NamedTuple):
    """Which part of its parent a view is: by which function it was taken."""

    primitive: Primitive
    options: dict[str, Any]
    saved: tuple[Any, ...]  # what its rule keeps

    @classmethod
    def of(cls, origin: Origin) -> "_View":
        primitive, options = origin.primitive, origin.options
        return cls(primitive, options, primitive.savers[0](None, (origin.data,), options))

    def take(self, xp: Any, x: Any) -> Any:
        """Take the same part of another array."""
        if self.primitive.forward is None:
            return getattr(xp, self.primitive.name)(x, **self.options)
        return self.primitive.forward(xp, x, **self.options)

    def put(self, xp: Any, part: Any) -> Any:
        """Return zeros with a part in its place: the gradient of taking it."""
        rule: Any = self.primitive.rules[0]
        return conjugate(xp, rule(xp, conjugate(xp, part), *self.saved))

    def replace(self, xp: Any, x: Any, part: Any) -> Any:
        """Return x with another part in its place."""
        if part.dtype != x.dtype:  # the real or imaginary part of each element
            return x - self.put(xp, self.take(xp, x)) + self.put(xp, part)
        return xp.where(self.put(xp, xp.ones_like(part)) != 0, self.put(xp, part), x)

    def keep(self, xp: Any, x: Any) -> Any:
        """Return x with zeros in the part's place."""
        return self.replace(xp, x, xp.zeros_like(self.take(xp, x)))


_REPLACE_PART = Primitive(
    "setitem",
    lambda xp, x, part, view: view.replace(xp, x, part),
    # Rules work with conjugates, which matters for the imaginary part.
    x=lambda xp, g, view: conjugate(xp, view.keep(xp, conjugate(xp, g))),
    part=lambda xp, g, view: conjugate(xp, view.take(xp, conjugate(xp, g))),
)
