"""CUDA graphs: work on arrays that is captured once, and launched as a whole from then on.

A graph does always the same with the same memory, so whatever may differ from run to run has to lie
in memory of the graph's own: arguments are copied there, and so are numbers.
"""

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import cupy
import numpy as np

from agrad.backends import cuda_blas, cuda_kernels
from agrad.backends.generic import Array

__all__ = ["Graph"]

_MOST_CAPTURES = 8
_WORD = 16  # bytes, for each number
# How far results may be from those of the same work not captured, beside their length as vectors.
# CuPy multiplies stacks otherwise than cuBLAS does in TF32 or with float16; what is forgotten in a
# graph shows more than that.
_TOLERANCE = {"e": 2e-2, "f": 2e-2, "d": 1e-6, "F": 2e-2, "D": 1e-6}


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
        self._captures = 0
        self._graph: Any = None
        self._kept: list[Any] = []  # of each argument: what stands for it in the graph
        self._latest = b""  # numbers that are where the graph reads them

    def __call__(self, *args: Any) -> tuple[Array, ...]:
        """Return the results; they are the graph's own arrays, which the next call writes to."""
        if self.reason is not None or not self._is_warm:
            self._is_warm = True
            return self.work(*args)  # type: ignore[no-any-return]
        with self.device:
            if not self._is_captured(args) and not self._prepare(args):
                return self.work(*args)  # type: ignore[no-any-return]
            self._put(args)
            self._graph.launch()
        return self._results  # type: ignore[no-any-return]

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
        for kind, x, own in zip(self.kinds, args, self._kept, strict=True):
            if kind == "input":
                own[...] = x
        words = self._words(args)
        if words != self._latest:
            self._latest = words
            cuda_kernels.put_numbers(words, self._numbers)

    def _words(self, args: Sequence[Any]) -> bytes:
        """Return the numbers as they stand in the graph's memory."""
        words = bytearray()
        for kind, x in zip(self.kinds, args, strict=True):
            if kind not in _ARRAYS:
                words += np.asarray(x).astype(kind).tobytes().ljust(_WORD, b"\0")
        return bytes(words)

    # Capturing -----------------------------------------------------------------------------------

    def _prepare(self, args: Sequence[Any]) -> bool:
        """Capture the work anew; return whether that went well."""
        self._captures += 1
        if self._captures > _MOST_CAPTURES:
            self.reason = "arrays that it uses are others too often"
            return False
        if self._graph is not None:  # what is another array now may be so again
            for i, (x, own) in enumerate(zip(args, self._kept, strict=True)):
                if self.kinds[i] == "tensor" and x is not own:
                    self.kinds[i] = "input"
        self._graph = None
        targets = [x for kind, x in zip(self.kinds, args, strict=True) if kind == "target"]
        # A stream of its own, since the default one can't be captured
        stream = cupy.cuda.Stream(non_blocking=True)
        stream.wait_event(cupy.cuda.get_current_stream().record())
        with stream:
            before = [x.copy() for x in targets]
            try:
                self._capture(args, stream)
                _write(targets, before)
                wrong = self._compare(args, targets, before)
            except (
                Exception
            ) as error:  # whatever it is: the work itself can be done without a graph
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
            _write(targets, before)
            stream.synchronize()
        if self.reason is not None:
            self._graph = None
        return self.reason is None

    def _capture(self, args: Sequence[Any], stream: Any) -> None:
        kinds = self.kinds
        count = sum(kind not in _ARRAYS for kind in kinds)
        if count > cuda_kernels.MOST_NUMBERS:
            raise NotImplementedError(f"{count} numbers are too many")
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
            except Exception:
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
        expected = [*map(cupy.asnumpy, self.work(*trial)), *map(cupy.asnumpy, targets)]
        _write(targets, before)
        self._put(trial)
        self._graph.launch()
        found = [*map(cupy.asnumpy, self._results), *map(cupy.asnumpy, targets)]
        starts = [*(0 for _ in self._results), *map(cupy.asnumpy, before)]
        for x, y, start in zip(found, expected, starts, strict=True):
            if not _are_close(x, y, start):
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


def _are_close(x: Any, y: Any, start: Any) -> bool:
    """Return whether two arrays are the same, up to rounding, in how far they are from a third."""
    if x.dtype.char not in _TOLERANCE:
        return bool(np.array_equal(x, y))
    tolerance, rounding = _TOLERANCE[x.dtype.char], float(np.finfo(x.dtype).eps)
    kind = np.result_type(x.dtype, "float64")
    if not np.array_equal(np.isfinite(x), np.isfinite(y)):
        return False
    start = np.broadcast_to(start, x.shape)
    finite = np.isfinite(y) & np.isfinite(start)
    x, y, start = (each[finite].astype(kind) for each in (x, y, start))
    most = tolerance * np.linalg.norm(y - start) + rounding * np.linalg.norm(y)
    return bool(np.linalg.norm(x - y) <= most)
