"""What `agrad.amp.autocast` has functions do to their inputs: cast them down, or up again.

Matrix products and convolutions cast float32 down to a short type, in which libraries multiply
faster. Functions that lose digits in a short type, such as exponentials, sums and losses, cast it
up to float32. All others take what comes.
"""

from functools import cache
from typing import Any

from agrad.autograd import ThreadSetting, Variable
from agrad.backends import is_number
from agrad.dtypes import DType, bfloat16, float16, float32
from agrad.ops.data_types import as_tensor, astype

__all__ = ["SHORT", "State", "cast_down", "cast_up", "casting", "casting_state", "with_type"]

#: Kinds of devices, and the short type that products on each of them take
State = tuple[tuple[str, DType], ...]

SHORT = (float16, bfloat16)


#: Whether inputs are cast in this thread: functions look at its `state` before all else
casting = ThreadSetting(())


def casting_state() -> State:
    """Return the state of this thread: one and the same object for the same."""
    return casting.state  # type: ignore[no-any-return]


@cache
def _same(state: State) -> State:
    return state


def with_type(state: State, kind: str, short: DType | None) -> State:
    """Return a state in which products on a kind of device take a type, or with None their own."""
    types = dict(state)
    types.pop(kind, None)
    if short is not None:
        types[kind] = short
    return _same(tuple(sorted(types.items(), key=lambda each: each[0])))


def _short_type(tensor: Variable) -> DType | None:
    kind = tensor._backend.kind
    return next((short for each, short in casting.state if each == kind), None)


def cast_down(*inputs: Any) -> Any:
    """Return the inputs of a product in the short type.

    They stay as they are if one of them is neither float32 nor of a short type: what is computed
    with a float64 is meant to be exact.
    """
    tensors = [x if x is None or is_number(x) else as_tensor(x) for x in inputs]
    arrays: list[Any] = [x for x in tensors if isinstance(x, Variable)]
    short = _short_type(arrays[0]) if arrays else None
    if short is None or any(x.dtype not in (float32, *SHORT) for x in arrays):
        return inputs
    return [astype(x, short, copy=False) if isinstance(x, Variable) else x for x in tensors]


def cast_up(x: Any) -> Any:
    """Return an input of a short type in float32, and any other as it is."""
    if x is None or is_number(x):
        return x
    tensor = as_tensor(x)
    return x if tensor.dtype not in SHORT or not _short_type(tensor) else astype(tensor, float32)
