"""What was written to in place, and when: so that no gradient is computed from changed arrays.

A rule reads what it kept when `backward` runs. If it was written to in between, the gradient would
mix old values with new ones; the engine asks here, and refuses.

Nodes of the graph and writes are numbered by one clock, so comparing two numbers tells which came
first. What Tensors and optimizers write is noted at once. What users write into a raw array that
they got from a Tensor can't be seen, so the array's values are compared with those it had then.
"""

import weakref
import zlib
from collections.abc import Hashable, Iterable
from itertools import count
from sys import getrefcount
from typing import Any, NamedTuple

from agrad.backends import Array, Backend

__all__ = ["changed_since", "hand_out", "latest", "next_number", "note_write"]

next_number = count().__next__


class _Handed(NamedTuple):
    """An array that a user got, and a checksum of what it held."""

    number: int
    array: "weakref.ref[Array]"
    checksum: int


class _Latest:
    """The number of the latest write, or of the latest array handed out."""

    number = -1


latest = _Latest()
# By what a backend calls the memory. Memory that is freed may be had again by another array, which
# does no harm: whoever kept that one did so later than the number here.
_written: dict[Hashable, int] = {}
_handed: dict[Hashable, _Handed] = {}


def note_write(tensors: Iterable[Any]) -> None:
    """Note that the arrays of Tensors have just been written to in place."""
    number = latest.number = next_number()
    for tensor in tensors:
        memory = tensor._backend.memory(tensor._data)
        if memory is not None:
            _written[memory] = number


def hand_out(backend: Backend, array: Array, holders: int) -> None:
    """Note that a user gets a raw array, who may write into it.

    Parameters
    ----------
    backend : Backend
        The array's.
    array : array
        The array.
    holders : int
        How many references to it the caller knows of. Without any others, no rule has kept it, and
        nothing needs to be done.
    """
    if getrefcount(array) <= holders + 2:  # this function's, and getrefcount's own
        return
    memory = backend.memory(array)
    if memory is None or not backend.reads_values:  # on a GPU it would stop the queue
        return
    latest.number = next_number()
    _handed[memory] = _Handed(latest.number, weakref.ref(array), _checksum(backend, array))


def changed_since(number: int, backend: Backend, array: Array, until: int | None = None) -> bool:
    """Return whether an array that someone kept at a time has been written to later."""
    memory = backend.memory(array)
    written = _written.get(memory, -1)
    if written > number and (until is None or written < until):
        return True
    handed = _handed.get(memory)
    if handed is None or handed.number < number:
        return False
    held = handed.array()
    return held is not None and _checksum(backend, held) != handed.checksum


def _checksum(backend: Backend, array: Array) -> int:
    return zlib.crc32(backend.to_host(array).tobytes())
