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
from typing import Any

from agrad.backends import Array, Backend

__all__ = [
    "Writer",
    "changed_since",
    "checksum",
    "hand_out",
    "latest",
    "next_number",
    "note_write",
    "settle",
]

next_number = count().__next__


class _Latest:
    """The number of the latest write, or of the latest array handed out."""

    number = -1


latest = _Latest()
# By what a backend calls the memory. Memory that is freed may be had again by another array, which
# does no harm: whoever kept that one did so later than the number here.
_written: dict[Hashable, int] = {}
_handed: dict[Hashable, "_Handed"] = {}


class _Handed:
    """When some memory was handed out, and the checksums of what it held."""

    def __init__(self, backend: Backend, whole: Array) -> None:
        self.whole = weakref.ref(whole) if backend.one_whole else None
        self.sums: list[tuple[int, int]] = []

    def is_of(self, whole: Array) -> bool:
        """Return whether it is still this memory, and not another's that came in its place."""
        return self.whole is None or self.whole() is whole


def note_write(tensor: Any) -> None:
    """Note that the array of a Tensor has just been written to in place."""
    latest.number = next_number()
    _note(tensor, latest.number)


def _note(tensor: Any, number: int) -> None:
    memory = tensor._backend.memory(tensor._data)
    if memory is not None:  # an optimizer may tell late of what another has written to since
        _written[memory] = max(number, _written.get(memory, -1))


class Writer:
    """Something that writes into many arrays at a time, again and again: an optimizer.

    It notes that it has written, which costs next to nothing. What it has written to is looked up
    when somebody asks, or just before one of its Tensors gets another array.
    """

    _wrote: int | None = None  # when it wrote, if that has not been looked up since

    def _note_writes(self) -> None:
        """Note that it has just written to all of its Tensors."""
        if self._wrote is None:
            _writers.add(self)
        self._wrote = latest.number = next_number()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_wrote"}

    def _written_tensors(self) -> Iterable[Any]:
        raise NotImplementedError

    def _look_up(self) -> None:
        """Note each array that it has written to since this was last done."""
        if self._wrote is not None:
            for tensor in self._written_tensors():
                _note(tensor, self._wrote)
            self._wrote = None

    def __del__(self) -> None:
        self._look_up()


_writers: "weakref.WeakSet[Writer]" = weakref.WeakSet()


def settle() -> None:
    """Look up what the writers have written to."""
    while _writers:
        _writers.pop()._look_up()


def hand_out(backend: Backend, array: Array) -> None:
    """Note that a user gets a Tensor's raw array, and may write into it.

    If nobody but the Tensor holds it, no rule has kept it, and nothing needs to be done.
    """
    memory = backend.memory(array)
    if memory is None or not backend.reads_values:  # on a GPU it would stop the queue
        return
    whole = backend.whole(array)
    spare = 3 + (whole is array)  # the Tensor's, this function's, getrefcount's own, and `whole`
    if backend.counts_holders and getrefcount(array) <= spare and getrefcount(whole) <= spare:
        return
    number = latest.number = next_number()
    handed = _handed.get(memory)
    if handed is None or not handed.is_of(whole):
        handed = _handed[memory] = _Handed(backend, whole)
    sums = handed.sums
    digest = checksum(backend, whole)
    if sums and sums[-1][0] == number - 1:  # no node was made since, so what it held then counts
        digest = sums[-1][1]
    if sums and sums[-1][1] == digest:
        sums.pop()
    sums.append((number, digest))


def changed_since(number: int, backend: Backend, array: Array) -> bool:
    """Return whether an array that someone kept at a time has been written to later."""
    settle()
    memory = backend.memory(array)
    if _written.get(memory, -1) > number:
        return True
    handed = _handed.get(memory)
    if handed is None:
        return False
    # As it was when it was first handed out since then
    first = next((digest for n, digest in handed.sums if n > number), None)
    return first is not None and first != checksum(backend, backend.whole(array))


def checksum(backend: Backend, array: Array) -> int:
    """Return a number that is another one, but for a chance of 1 in 2**32, for other values."""
    return zlib.crc32(backend.to_host(array).tobytes())
