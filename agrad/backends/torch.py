"""PyTorch's arrays: its own versions of what the standard lacks."""

import math
from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any

from agrad.backends.generic import Array, Backend, has_integers
from agrad.backends.special import Special

__all__ = ["TorchBackend"]


class TorchSpecial(Special):
    """PyTorch's own special functions, what it lacks made of them, and else SciPy's."""

    def find(self, name: str) -> Any:
        return getattr(self.xp.library.special, name, None) or super().find(name)

    def ndtr(self, x: Array) -> Array:
        return self.erfc(x * -math.sqrt(0.5)) / 2  # PyTorch's own has no digits left below -6

    # PyTorch has only the logarithm of the gamma function's size.

    def gamma(self, x: Array) -> Array:
        return self._sign(x) * self.gammaln(x).exp()

    def beta(self, a: Array, b: Array) -> Array:
        return self._sign(a) * self._sign(b) * self._sign(a + b) * self.betaln(a, b).exp()

    def betaln(self, a: Array, b: Array) -> Array:
        return self.gammaln(a) + self.gammaln(b) - self.gammaln(a + b)

    def _sign(self, x: Array) -> Array:
        """Return the gamma function's sign: it changes at 0, -1, -2, ..., where there is none."""
        sign = 1 - 2 * x.clamp(max=0).floor().remainder(2)
        return sign.where((x >= 0) | (x != x.floor()), math.nan)


class TorchBackend(Backend):
    """PyTorch on one device, without its own autograd."""

    @cached_property
    def special(self) -> Any:
        return TorchSpecial(self)

    def asarray(self, data: Any, dtype: Any = None, copy: bool | None = None) -> Array:
        return super().asarray(self._plain(data), dtype=dtype, copy=copy)

    def normalize(self, result: Any) -> Array:
        return self._plain(result)

    def _plain(self, data: Any) -> Any:
        """Return arrays that PyTorch would record calls for, or its Parameters, as plain arrays."""
        kind = self.library.Tensor
        if isinstance(data, kind) and (type(data) is not kind or data.requires_grad):
            return data.detach()
        return data

    def from_host(self, array: Array) -> Array:
        return self.library.asarray(array.copy(), device=self.device)

    def to_host(self, array: Array) -> Array:
        if array.dtype == self.bfloat16:  # NumPy has no such type
            array = array.float()
        return array.detach().cpu().resolve_conj().resolve_neg().numpy()

    def own(self, array: Array) -> Array:
        return array.clone() if array._is_view() else array

    def memory(self, array: Array) -> Hashable:
        return int(array.untyped_storage().data_ptr()) or None  # empty arrays have none

    def whole(self, array: Array) -> Array:
        storage = array.untyped_storage()
        return self.library.empty(0, dtype=self.uint8, device=array.device).set_(storage)

    def may_share(self, x1: Array, x2: Array) -> bool:
        return x1._is_view() and self.memory(x1) == self.memory(x2)

    def assign(self, target: Array, key: Any, value: Any) -> Array:
        value = self.asarray(value, dtype=target.dtype)
        if self.memory(value) == self.memory(target):  # PyTorch would read what it has just written
            value = value.clone()
        axes, key = self._forwards(target.shape, key)
        if axes or has_integers(key):
            return target.copy_(self._assigned_last(target, axes, key, value))
        target[key] = value
        return target

    def _assigned_last(self, target: Array, axes: list[int], key: Any, value: Array) -> Array:
        """Return a new array where, of several values for one place, the last one stands.

        PyTorch writes them in parallel, so one or another would be left.
        """
        cells = self.library.arange(target.numel(), device=target.device).reshape(target.shape)
        places = (cells.flip(axes) if axes else cells)[key]
        numbers = self.library.arange(places.numel(), device=target.device)
        source = self.library.full_like(cells, -1).reshape(-1)
        source.scatter_reduce_(0, places.reshape(-1), numbers, "amax")
        values = value.broadcast_to(places.shape).reshape(-1)
        result = target.reshape(-1).clone()
        result[source >= 0] = values[source[source >= 0]]
        return result.reshape(target.shape)

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        return y.add_(x, alpha=alpha)

    def log1p(self, x: Array) -> Array:
        if not x.is_complex():
            return self.library.log1p(x)
        return self.library.where(x.isfinite(), self.library.log1p(x), (x + 1).log())

    def remainder(self, x1: Any, x2: Any) -> Array:
        out = self.library.remainder(x1, x2)
        if not out.is_floating_point():
            return out
        sign = x2 if hasattr(x2, "dtype") else self.asarray(x2, dtype=out.dtype)
        return self.library.where(out == 0, self.library.copysign(out, sign), out)

    def unique_all(self, x: Array) -> tuple[Array, Array, Array, Array]:
        torch = self.library
        ranks = x
        if x.is_complex():  # which PyTorch can't sort: by the real parts, then by the imaginary
            _, major = torch.unique(x.real, return_inverse=True)
            steps, minor = torch.unique(x.imag, return_inverse=True)
            ranks = major * len(steps) + minor
        _, inverse, counts = torch.unique(ranks, return_inverse=True, return_counts=True)
        # In order of their values, equal elements in their own order: the first is the first.
        order = torch.argsort(inverse.reshape(-1), stable=True)
        indices = order[counts.cumsum(0) - counts]
        return x.reshape(-1)[indices], indices, inverse, counts

    def positive(self, x: Array) -> Array:
        return x.clone()  # PyTorch's own returns x itself

    def conj(self, x: Array) -> Array:
        return self.library.conj_physical(x)  # its conj only marks the array, which DLPack refuses

    def imag(self, x: Array) -> Array:
        return self.library.imag(x).resolve_neg()

    def where(self, condition: Any, x1: Any, x2: Any) -> Array:
        if not hasattr(condition, "dtype"):
            condition = self.asarray(condition, dtype=self.bool)
        return self.library.where(condition, x1, x2)

    def count_nonzero(self, x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
        if axis == ():  # to PyTorch that means all axes
            return (x != 0).long()
        return self.library.count_nonzero(x, axis=axis, keepdims=keepdims)

    def getitem(self, x: Array, key: Any) -> Array:
        axes, key = self._forwards(x.shape, key)
        return x.flip(axes)[key] if axes else x[key]

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        size = math.prod(shape)
        came_from = self.getitem(self.reshape(self.arange(size), shape), key)
        result = self.zeros((size,), dtype=values.dtype)
        result.index_add_(0, came_from.reshape(-1), values.reshape(-1))
        return result.reshape(shape)

    def _forwards(self, shape: Sequence[int], key: Any) -> tuple[list[int], Any]:
        """Return which axes a key takes backwards, and the key for when they are turned round.

        For PyTorch's indexing has no negative steps.
        """
        keys = key if isinstance(key, tuple) else (key,)
        if not any(isinstance(each, slice) and (each.step or 1) < 0 for each in keys):
            return [], self._index(key)
        lengths = [_axes_of(each, self.bool) for each in keys]
        result, axes, axis = [], [], 0
        for each, length in zip(keys, lengths, strict=True):
            if isinstance(each, slice) and (each.step or 1) < 0:
                n = shape[axis]
                start, stop, step = each.indices(n)
                axes.append(axis)
                each = slice(n - 1 - start, n - 1 - stop, -step)
            result.append(each)
            axis += len(shape) - sum(lengths) if each is ... else length
        return axes, self._index(tuple(result))

    def _index(self, key: Any) -> Any:
        """Return an index with its integers as int64: PyTorch takes uint8 for a mask."""
        if isinstance(key, tuple):
            return tuple(self._index(each) for each in key)
        masks = self.bool, self.int64
        return key.long() if hasattr(key, "dtype") and key.dtype not in masks else key


def _axes_of(key: Any, mask: Any) -> int:
    """Return how many axes a part of an index takes: ``...`` those that the others leave."""
    if key is None or key is ...:
        return 0
    return key.ndim if hasattr(key, "dtype") and key.dtype == mask else 1
