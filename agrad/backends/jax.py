"""JAX's arrays, which can't be written to."""

from typing import Any

from agrad.backends.generic import Array, Backend

__all__ = ["JAXBackend"]


class JAXBackend(Backend):
    """JAX on one device. An update in place gives a new array."""

    def own(self, array: Array) -> Array:
        return array

    def getitem(self, x: Array, key: Any) -> Array:
        return x[key]

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        return self.zeros(shape, dtype=values.dtype).at[key].add(values)
