"""Joining elementwise calls of a program into one, where the backend can make such a function.

On a GPU each call is a launch, and reads and writes its arrays in the card's memory. A chain of
them whose results on the way nobody else needs does with one launch, one reading and one writing.
"""

from collections import Counter
from math import isfinite
from typing import Any

from agrad.backends import Backend
from agrad.backends.recorder import Call, Symbol, TracedNumber
from agrad.program import Program, Value

__all__ = ["join_elementwise"]

_MOST = 16  # inputs of one function
_FLOATS = ("float32", "float64")


def join_elementwise(program: Program, backend: Backend) -> None:
    """Replace chains of a program's calls by single ones."""
    uses = Counter([x for call in program.calls for x in program.inputs(call)])
    uses.update(program.results)
    order = {call: i for i, call in enumerate(program.calls)}
    chains: dict[Value, list[Call]] = {}  # by what the last call of a chain gives
    for call in program.calls:
        if not _can_join(program, backend, call):
            continue
        chain = []
        used = Counter(program.inputs(call))
        for x, count in used.items():
            # All its uses are here; and it has as many elements, so that none is computed twice
            if x in chains and uses[x] == count and x.shape == call.out.shape:
                chain += chains[x]
        chain = sorted([*chain, call], key=order.__getitem__)
        if len(_inputs(program, chain)) > _MOST:
            chain = [call]
        for each in chain[:-1]:
            chains.pop(each.out, None)
        chains[call.out] = chain
    replaced: dict[Call, Call | None] = {}
    for out, chain in chains.items():
        made_outside = any(_is_bool(x) for x in _inputs(program, chain))
        if len(chain) > 1 and not _is_bool(out) and not made_outside:
            replaced.update(dict.fromkeys(chain))
            replaced[chain[-1]] = _joined(program, backend, chain)
    calls = [replaced.get(call, call) for call in program.calls]
    program.calls = [call for call in calls if call is not None]


def _can_join(program: Program, backend: Backend, call: Call) -> bool:
    """Return whether a call is of floats, and perhaps masks, and all floats have one data type."""
    out = call.out
    if call.name not in backend.joinable or call.kwargs or not isinstance(out, Symbol):
        return False
    inputs = [x for x in program.inputs(call) if isinstance(x, Symbol)]
    dtypes = {str(x.dtype) for x in (out, *inputs)} - {"bool"}
    numbers = (
        isinstance(x, (Symbol, TracedNumber)) or (type(x) in (int, float) and isfinite(x))
        for x in call.args
    )
    return len(dtypes) == 1 and dtypes <= set(_FLOATS) and all(numbers)


def _is_bool(x: Any) -> bool:
    return isinstance(x, Symbol) and str(x.dtype) == "bool"


def _inputs(program: Program, chain: list[Call]) -> list[Value]:
    """Return what a chain is made of."""
    own = {call.out for call in chain}
    found = dict.fromkeys(x for call in chain for x in program.inputs(call))
    return [x for x in found if x not in own]


def _joined(program: Program, backend: Backend, chain: list[Call]) -> Call:
    """Return a chain as one call."""
    inputs = _inputs(program, chain)
    names: dict[Value, str] = {x: f"x{i}" for i, x in enumerate(inputs)}
    steps = []
    for i, call in enumerate(chain):
        texts = tuple(
            names[program.stand_in(x)] if isinstance(x, (Symbol, TracedNumber)) else repr(float(x))
            for x in call.args
        )
        steps.append((call.name, texts))
        names[call.out] = f"t{i}"
    assert backend.joined is not None
    joined = Call("joined", backend.joined(tuple(steps), len(inputs)), tuple(inputs), {})
    joined.out = chain[-1].out
    return joined
