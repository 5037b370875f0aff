"""Windows that slide over the spatial axes of an array: what convolution and pooling share.

Arrays are of shape (batch, channels, *size). `Windows` says how large the windows are and where
they lie; `unfold_windows` gives what each of them shows, and `fold_windows` is its transpose. Each
is the rule of the other, so derivatives of any order are windows again.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from numbers import Integral
from typing import Any, NamedTuple

from agrad.autograd import Primitive, record
from agrad.backends import Backend
from agrad.ops import asarray, reshape
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = [
    "FOLD",
    "UNFOLD",
    "Windows",
    "batched",
    "call",
    "fold_windows",
    "pad",
    "spread",
    "to_ints",
    "unbatched",
    "unfold_windows",
]


class Windows(NamedTuple):
    """How windows lie over an array, for each of its spatial axes.

    Parameters
    ----------
    kernel : tuple of int
        How many elements a window has.
    stride : tuple of int
        How far it is from one window to the next.
    padding : tuple of (int, int)
        How many elements are thought to stand before the first and after the last.
    dilation : tuple of int
        How far it is from one element of a window to the next.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """How many elements there are from a window's first to its last."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def counts(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return how many windows fit into an array along each axis; less than 1 if none does."""
        return tuple(
            (n + low + high - extent) // stride + 1
            for n, (low, high), extent, stride in zip(
                size, self.padding, self.extents, self.stride, strict=True
            )
        )

    def check(self, function: str, size: Sequence[int]) -> None:
        """Raise an error if no window fits into an array."""
        if min(self.counts(size)) < 1:
            raise ValueError(
                f"{function}: a window of size {self.extents} (kernel and dilation) doesn't fit "
                f"into an input of size {tuple(size)} with padding {self.padding}"
            )

    def keys(self, counts: Sequence[int]) -> Iterator[tuple[slice, ...]]:
        """Yield, for each element of a window, where it lies in the padded array in all windows."""
        for offset in product(*map(range, self.kernel)):
            yield tuple(
                slice(i * d, i * d + (n - 1) * s + 1, s)
                for i, d, n, s in zip(offset, self.dilation, counts, self.stride, strict=True)
            )

    def tile(self, size: Sequence[int]) -> bool:
        """Return whether each element of an array lies in exactly one window."""
        return (
            self.kernel == self.stride
            and all(d == 1 or k == 1 for d, k in zip(self.dilation, self.kernel, strict=True))
            and not any(map(any, self.padding))
            and all(n % k == 0 for n, k in zip(size, self.kernel, strict=True))
        )


def call(xp: Any, primitive: Primitive, *arrays: Any, **options: Any) -> Any:
    """Run a function inside a rule: on raw arrays the backend's own, on Tensors a recorded call."""
    if isinstance(xp, Backend):
        return xp.bound[primitive].forward(*arrays, **options)
    return record(primitive, arrays, **options)


def pad(xp: Any, x: Any, padding: Sequence[tuple[int, int]], value: float = 0) -> Any:
    """Return an array with a value before and after it on its last axes; cut off if negative."""
    first = x.ndim - len(padding)
    for axis, (low, high) in enumerate(padding, first):
        if low > 0 or high > 0:
            parts = [x]
            for length, place in ((low, 0), (high, 2)):
                if length > 0:
                    shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
                    parts.insert(place, xp.full(shape, value, dtype=x.dtype))
            x = xp.concat(parts, axis=axis)
        if low < 0 or high < 0:
            key = [slice(None)] * x.ndim
            key[axis] = slice(max(-low, 0), x.shape[axis] - max(-high, 0))
            x = x[tuple(key)]
    return x


def spread(xp: Any, x: Any, stride: Sequence[int]) -> Any:
    """Return an array with its elements `stride` apart on its last axes, zeros between them."""
    first = x.ndim - len(stride)
    for axis, step in enumerate(stride, first):
        n = x.shape[axis]
        if step > 1 and n:
            x = xp.expand_dims(x, axis=axis + 1)
            zeros = (*x.shape[: axis + 1], step - 1, *x.shape[axis + 2 :])
            x = xp.concat([x, xp.zeros(zeros, dtype=x.dtype)], axis=axis + 1)
            x = xp.reshape(x, (*x.shape[:axis], n * step, *x.shape[axis + 2 :]))
            key = [slice(None)] * x.ndim
            key[axis] = slice(0, (n - 1) * step + 1)
            x = x[tuple(key)]
    return x


# What the windows show, and back -----------------------------------------------------------------


def _unfold(xp: Any, x: Any, windows: Windows) -> Any:
    counts = windows.counts(x.shape[2:])
    lead = (slice(None), slice(None))
    if windows.tile(x.shape[2:]):
        n = len(counts)
        split = [part for pair in zip(counts, windows.kernel, strict=True) for part in pair]
        x = xp.reshape(x, (*x.shape[:2], *split))
        x = xp.permute_dims(x, (0, 1, *range(3, 3 + 2 * n, 2), *range(2, 2 + 2 * n, 2)))
        return xp.reshape(x, (*x.shape[:2], math.prod(windows.kernel), *counts))
    x = pad(xp, x, windows.padding)
    return xp.stack([x[lead + key] for key in windows.keys(counts)], axis=2)


def _fold(xp: Any, y: Any, windows: Windows, size: tuple[int, ...]) -> Any:
    counts = y.shape[3:]
    n = len(counts)
    if windows.tile(size):
        y = xp.reshape(y, (*y.shape[:2], *windows.kernel, *counts))
        order = [axis for i in range(n) for axis in (2 + n + i, 2 + i)]
        return xp.reshape(xp.permute_dims(y, (0, 1, *order)), (*y.shape[:2], *size))
    lead = (slice(None), slice(None))
    total = None
    for i, key in enumerate(windows.keys(counts)):
        part = spread(xp, y[(*lead, i, ...)], windows.stride)
        margins = tuple(
            (each.start - low, length + low - each.stop)
            for each, length, (low, _) in zip(key, size, windows.padding, strict=True)
        )
        part = pad(xp, part, margins)
        total = part if total is None else total + part
    return total


UNFOLD: Primitive = Primitive(
    "unfold_windows",
    _unfold,
    fused=True,
    x=lambda xp, g, x_shape, windows: call(xp, FOLD, g, windows=windows, size=tuple(x_shape[2:])),
)
FOLD: Primitive = Primitive(
    "fold_windows",
    _fold,
    fused=True,
    y=lambda xp, g, windows: call(xp, UNFOLD, g, windows=windows),
)


def unfold_windows(xp: Any, x: Any, windows: Windows) -> Any:
    """Return what each window shows, of shape (batch, channels, elements, *counts)."""
    return call(xp, UNFOLD, x, windows=windows)


def fold_windows(xp: Any, y: Any, windows: Windows, size: tuple[int, ...]) -> Any:
    """Return an array of the given size, to which each window has added what it shows."""
    return call(xp, FOLD, y, windows=windows, size=size)


# Arguments ---------------------------------------------------------------------------------------


def to_ints(function: str, name: str, value: Any, n: int, least: int = 1) -> tuple[int, ...]:
    """Return an argument that is one integer, or one for each of n axes, as n integers."""
    values = (value,) * n if isinstance(value, Integral) else value
    if isinstance(values, (list, tuple)) and len(values) == 1:
        values = tuple(values) * n
    if not isinstance(values, (list, tuple)) or len(values) != n:
        axes = f" or {n} of them" if n > 1 else ""
        raise ValueError(f"{function}: {name} must be an integer{axes}, got {value!r}")
    for each in values:
        if not isinstance(each, Integral) or isinstance(each, bool):
            raise TypeError(f"{function}: {name} must be an integer, got {each!r}")
        if each < least:
            raise ValueError(f"{function}: {name} must be at least {least}, got {value!r}")
    return tuple(int(each) for each in values)


def batched(function: str, x: TensorLike, n: int) -> tuple[Tensor, bool]:
    """Return x as (batch, channels, *size), and whether it had a batch."""
    x = asarray(x)
    if x.ndim not in (n + 1, n + 2):
        size = ", ".join(("depth", "height", "width")[-n:])
        raise ValueError(
            f"{function} needs an input of shape (batch, channels, {size}) or "
            f"(channels, {size}); got {x.shape}"
        )
    return (x, True) if x.ndim == n + 2 else (reshape(x, (1, *x.shape)), False)


def unbatched(x: Tensor, had_batch: bool) -> Tensor:
    """Take off the axis again that `batched` has added."""
    return x if had_batch else reshape(x, x.shape[1:])
