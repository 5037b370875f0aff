"""PyTorch's arrays: its own versions of what the standard lacks."""

from typing import Any

from agrad.backends.generic import Array, Backend

__all__ = ["TorchBackend"]


class TorchBackend(Backend):
    """PyTorch on one device, without its own autograd."""

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

    def axpy(self, alpha: float, x: Array, y: Array) -> Array:
        return y.add_(x, alpha=alpha)

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
        return x[self._index(key)]

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        size = self.zeros(shape, dtype=self.bool).numel()
        came_from = self.reshape(self.arange(size), shape)[self._index(key)]
        result = self.zeros((size,), dtype=values.dtype)
        result.index_add_(0, came_from.reshape(-1), values.reshape(-1))
        return result.reshape(shape)

    def _index(self, key: Any) -> Any:
        """Return an index with its integers as int64: PyTorch takes uint8 for a mask."""
        if isinstance(key, tuple):
            return tuple(self._index(each) for each in key)
        masks = self.bool, self.int64
        return key.long() if hasattr(key, "dtype") and key.dtype not in masks else key
