"""CUDA graphs: work on arrays that is captured once, and launched as a whole from then on.

A graph does always the same with the same memory, so whatever may differ from run to run has to lie
in memory of the graph's own: arguments are copied there, and so are numbers.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import cupy
import numpy as np

from agrad.backends import cuda_blas, cuda_kernels
from agrad.backends.generic import Array

__all__ = ["Graph"]

# How often to capture anew, where no graph is launched as often as it takes to be worth that
_MOST_CAPTURES, _WORTHWHILE = 8, 100
_WORD = 16  # bytes, for each number
# How far results may be from those of the same work not captured, beside their length as vectors.
# CuPy multiplies stacks otherwise than cuBLAS does in TF32 or with float16; what is forgotten in a
# graph shows more than that.
_TOLERANCE = {"e": 2e-2, "f": 2e-2, "d": 1e-6, "F": 2e-2, "D": 1e-6}
# How often to try how far other roundings lead, and how much farther still is near
_NUDGES, _SLACK = 3, 10


class Graph:
    """A function of arrays and numbers, captured as a CUDA graph.

    The first call makes it as it is, so that all kernels get compiled. The second captures it, and
    tries with other values whether the graph does what the function does: if not, or if it can't be
    captured, it is called as it is from then on, and `reason` says why.

    Parameters
    ----------
    device : Device
        Where its arrays are.
    work : callable
        The function. It gives a tuple of arrays, and may write to arrays that it gets.
    kinds : sequence
        What each argument is: "input", an array that is another one each time; "tensor", one that
        mostly is the same; "target", such a one that is written to; or the data type of a number.

    Attributes
    ----------
    reason : str or None
        Why it is not captured.
    """

    def __init__(self, device: Any, work: Callable[..., Any], kinds: Sequence[str]) -> None:
        self.device = device
        self.work = work
        self.kinds = list(kinds)
        self.reason: str | None = None
        self._is_warm = False
        self._captures = self._launches = 0
        self._stream: Any = None  # where the graph was launched last
        self._release()

    def _release(self) -> None:
        """Let go of the graph, and of all memory that is its own."""
        self._graph: Any = None
        self._results: tuple[Array, ...] = ()
        self._kept: list[Any] = []  # of each argument: what stands for it in the graph
        self._numbers: Any = None
        self._workspace: Any = None
        self._pool: Any = None
        self._latest = b""  # numbers that are where the graph reads them

    def __call__(self, *args: Any) -> tuple[Array, ...]:
        """Return the results; they are the graph's own arrays, which the next call writes to."""
        if self.reason is not None or not self._is_warm:
            self._is_warm = True
            return self.work(*args)  # type: ignore[no-any-return]
        with self.device:
            stream = cupy.cuda.get_current_stream()
            if self._stream not in (None, stream):  # what is still read there is written to here
                stream.wait_event(self._stream.record())
            self._stream = stream
            if not self._is_captured(args) and not self._prepare(args):
                return self.work(*args)  # type: ignore[no-any-return]
            try:
                self._put(args)
            except OverflowError:  # a number that its arrays' data type lacks
                return self.work(*args)  # type: ignore[no-any-return]
            self._graph.launch()
            self._launches += 1
        return self._results

    # What goes in --------------------------------------------------------------------------------

    def _is_captured(self, args: Sequence[Any]) -> bool:
        """Return whether there is a graph for these arguments."""
        return self._graph is not None and all(
            x is own
            for kind, x, own in zip(self.kinds, args, self._kept, strict=True)
            if kind in ("tensor", "target")
        )

    def _put(self, args: Sequence[Any]) -> None:
        """Copy arguments to where the graph reads them."""
        words = self._words(args)
        for kind, x, own in zip(self.kinds, args, self._kept, strict=True):
            if kind == "input":
                own[...] = x
        if words != self._latest:
            self._latest = words
            cuda_kernels.put_numbers(words, self._numbers)

    def _words(self, args: Sequence[Any]) -> bytes:
        """Return the numbers as they stand in the graph's memory."""
        words = bytearray()
        for kind, x in zip(self.kinds, args, strict=True):
            if kind not in _ARRAYS:
                if type(x) is not int and "int" in kind:  # it was one when it was recorded
                    raise OverflowError(f"{x} is none of {kind}")
                words += np.array(x, dtype=kind).tobytes().ljust(_WORD, b"\0")
        return bytes(words)

    # Capturing -----------------------------------------------------------------------------------

    def _prepare(self, args: Sequence[Any]) -> bool:
        """Capture the work anew; return whether that went well."""
        self._captures = 1 if self._launches >= _WORTHWHILE else self._captures + 1
        self._launches = 0
        if self._graph is not None:  # what is another array now may be so again
            for i, (x, own) in enumerate(zip(args, self._kept, strict=True)):
                if self.kinds[i] == "tensor" and x is not own:
                    self.kinds[i] = "input"
        self._release()
        if self._captures > _MOST_CAPTURES:
            self.reason = "arrays that it uses are others too often"
            return False
        cupy.get_default_memory_pool().free_all_blocks()  # the graph's memory is none of its
        targets = [x for kind, x in zip(self.kinds, args, strict=True) if kind == "target"]
        # A stream of its own, since the default one can't be captured
        stream = cupy.cuda.Stream(non_blocking=True)
        stream.wait_event(cupy.cuda.get_current_stream().record())
        is_right = False
        with stream:
            before = [x.copy() for x in targets]
            try:
                self._capture(args, stream)
                wrong = self._compare(args, targets, before)
                is_right = wrong is None
            except Exception as error:  # whatever it is: the work can be done without a graph
                self.reason = f"{type(error).__name__}: {error}"
            else:
                if wrong:
                    self.reason = f"as a CUDA graph it gave other values: {wrong}"
                    warnings.warn(
                        f"a recorded step isn't run as a CUDA graph, since {self.reason}; without "
                        "it is right, but slower. Please report this",
                        RuntimeWarning,
                        stacklevel=2,
                    )
            finally:  # also if it has been interrupted
                _write(targets, before)
                stream.synchronize()
                if not is_right:
                    self._release()
        return is_right

    def _capture(self, args: Sequence[Any], stream: Any) -> None:
        kinds = self.kinds
        count = sum(kind not in _ARRAYS for kind in kinds)
        self._numbers = cupy.zeros(_WORD * count, dtype=cupy.uint8)
        self._latest = b""
        places = iter(range(0, _WORD * count, _WORD))
        self._kept = [
            x.copy()
            if kind == "input"
            else x
            if kind in _ARRAYS
            else _number_at(self._numbers, next(places), kind)
            for kind, x in zip(kinds, args, strict=True)
        ]
        self._put(args)
        # Memory that nobody else gets, as long as the graph lives
        self._pool, self._workspace = cupy.cuda.MemoryPool(), cuda_blas.workspace()
        with cupy.cuda.using_allocator(self._pool.malloc), cuda_blas.direct(self._workspace):
            self.work(*self._kept)  # for what the libraries do at first
            stream.synchronize()
            stream.begin_capture()
            try:
                self._results = self.work(*self._kept)
            except BaseException:
                with suppress(Exception):
                    stream.end_capture()
                raise
            self._graph = stream.end_capture()

    def _compare(
        self, args: Sequence[Any], targets: Sequence[Array], before: Sequence[Array]
    ) -> str | None:
        """Return what the graph does otherwise than the work; with other inputs and numbers."""
        trial = [
            _other(x) if kind == "input" or kind not in _ARRAYS else x
            for kind, x in zip(self.kinds, args, strict=True)
        ]
        starts = [*(0 for _ in self._results), *map(cupy.asnumpy, before)]
        with cupy.cuda.using_allocator(self._pool.malloc):  # which has enough by now
            _write(targets, before)
            expected = [*map(cupy.asnumpy, self.work(*trial)), *map(cupy.asnumpy, targets)]
            # What may come of rounding alone: that is all there is to the gradient of a bias before
            # a normalization, and Adam's step for it is as long as any
            noise = [0.0] * len(expected)
            for i in range(1, 1 + _NUDGES):
                nudged = [_nudged(x, i) for x in before]
                _write(targets, nudged)
                nearby = self.work(
                    *(
                        x if kind == "target" else _nudged(x, i)
                        for kind, x in zip(self.kinds, trial, strict=True)
                    )
                )
                found = [*map(cupy.asnumpy, nearby), *map(cupy.asnumpy, targets)]
                shifts = [*(0 for _ in nearby), *map(cupy.asnumpy, nudged)]
                noise = [
                    max(most, _distance(_moved(x, shift, start), y))
                    for most, x, shift, start, y in zip(
                        noise, found, shifts, starts, expected, strict=True
                    )
                ]
            del nearby
        _write(targets, before)
        self._put(trial)
        self._graph.launch()
        found = [*map(cupy.asnumpy, self._results), *map(cupy.asnumpy, targets)]
        for x, y, start, most in zip(found, expected, starts, noise, strict=True):
            if not _are_close(x, y, start, most):
                return f"an array of shape {x.shape} and {x.dtype}"
        return None


_ARRAYS = ("input", "tensor", "target")


def _number_at(memory: Array, start: int, dtype: str) -> Array:
    """Return an array without dimensions in some memory."""
    size = cupy.dtype(dtype).itemsize
    return memory[start : start + size].view(dtype).reshape(())


def _write(targets: Sequence[Array], values: Sequence[Array]) -> None:
    for x, value in zip(targets, values, strict=True):
        x[...] = value


def _other(x: Any) -> Any:
    """Return another argument that is as good: less, or, if it is of integers, upside down."""
    if isinstance(x, cupy.ndarray):
        if x.dtype.char in _TOLERANCE:
            return x * x.dtype.type(0.75)
        return x[::-1] if x.ndim else x
    return 0.75 * x if isinstance(x, (float, complex)) else x


def _nudged(x: Any, steps: int) -> Any:
    """Return an argument of nearly the same values, whose results are rounded otherwise."""
    if not isinstance(x, cupy.ndarray) or x.dtype.char not in _TOLERANCE:
        return x
    return x * x.dtype.type(1 + steps * float(np.finfo(x.dtype).eps))


def _are_close(x: Any, y: Any, start: Any, noise: float = 0.0) -> bool:
    """Return whether two arrays are the same, up to rounding, in how far they are from a third.

    `noise` is how far the second was from itself with other roundings.
    """
    most = _SLACK * noise
    if x.dtype.char in _TOLERANCE:
        step = _length(_moved(y, start, 0))
        most += _TOLERANCE[x.dtype.char] * step + float(np.finfo(x.dtype).eps) * _length(y)
    return _distance(x, y) <= most


def _moved(x: Any, old: Any, new: Any) -> Any:
    """Return an array moved as far as a second one is from a third, exactly; if it is of floats."""
    if x.dtype.char not in _TOLERANCE:
        return x
    with np.errstate(invalid="ignore"):
        return x.astype(np.result_type(x.dtype, "float64")) - old + new


def _distance(x: Any, y: Any) -> float:
    """Return how far apart two arrays are: infinitely, if they can't differ by rounding alone."""
    if y.dtype.char not in _TOLERANCE:
        return 0.0 if np.array_equal(x, y) else math.inf
    if not np.array_equal(np.isfinite(x), np.isfinite(y)):
        return math.inf
    return _length(_moved(x, y, 0))


def _length(x: Any) -> float:
    """Return the length of an array as a vector, as far as it is finite."""
    finite = x[np.isfinite(x)]
    return float(np.linalg.norm(finite.astype(np.result_type(x.dtype, "float64"))))
