"""What was written to in place, and when: so that no gradient is computed from changed arrays.

A rule reads what it kept when `backward` runs. If it was written to in between, the gradient would
mix old values with new ones; the engine asks here, and refuses.

Nodes of the graph and writes are numbered by one clock, so comparing two numbers tells which came
first. What Tensors and optimizers write is noted at once. What users write into a raw array that
they got from a Tensor can't be seen, so the array's values are compared with those it had then.
"""

import zlib
from collections.abc import Hashable, Iterable
from itertools import count
from sys import getrefcount
from typing import Any

from agrad.backends import Array, Backend

__all__ = ["changed_since", "checksum", "hand_out", "latest", "next_number", "note_write"]

next_number = count().__next__


class _Latest:
    """The number of the latest write, or of the latest array handed out."""

    number = -1


latest = _Latest()
# By what a backend calls the memory. Memory that is freed may be had again by another array, which
# does no harm: whoever kept that one did so later than the number here.
_written: dict[Hashable, int] = {}
# When memory was handed out, and the checksum of what it held
_handed: dict[Hashable, list[tuple[int, int]]] = {}


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
    memory = backend.memory(array)
    if memory is None or not backend.reads_values:  # on a GPU it would stop the queue
        return
    whole = backend.whole(array)
    spare = holders + 2 + (whole is array)  # this function's, getrefcount's own, and `whole`
    if backend.counts_holders and getrefcount(array) <= spare and getrefcount(whole) <= spare:
        return
    number = latest.number = next_number()
    sums = _handed.setdefault(memory, [])
    digest = checksum(backend, whole)
    if sums and sums[-1][1] == digest:
        sums.pop()
    sums.append((number, digest))


def changed_since(number: int, backend: Backend, array: Array) -> bool:
    """Return whether an array that someone kept at a time has been written to later."""
    memory = backend.memory(array)
    if _written.get(memory, -1) > number:
        return True
    # As it was when it was first handed out since then
    first = next((digest for n, digest in _handed.get(memory, ()) if n > number), None)
    return first is not None and first != checksum(backend, backend.whole(array))


def checksum(backend: Backend, array: Array) -> int:
    """Return a number that is another one, but for a chance of 1 in 2**32, for other values."""
    return zlib.crc32(backend.to_host(array).tobytes())
