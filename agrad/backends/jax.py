"""JAX's arrays, which can't be written to."""

import math
from functools import cached_property
from typing import Any

from agrad.backends.generic import Array, Backend
from agrad.backends.special import Special

__all__ = ["JAXBackend"]


class JAXSpecial(Special):
    """JAX's own special functions."""

    def find(self, name: str) -> Any:
        import jax.scipy.special

        return getattr(jax.scipy.special, name)

    # Where JAX's own lose digits, or, as erfcx of great numbers, give 0

    def betaln(self, a: Array, b: Array) -> Array:
        return self.gammaln(a) + self.gammaln(b) - self.gammaln(a + b)

    def erfcx(self, x: Array) -> Array:
        xp = self.xp
        great = x > (25 if x.dtype == xp.float64 else 8)
        own = self.find("erfcx")(xp.where(great, 0.0, x))
        # The asymptotic series: Abramowitz and Stegun, 7.1.23
        x = xp.where(great, x, 1.0)
        series = xp.zeros_like(x)
        for k in range(7, 0, -1):
            series = (1 + series) * (1 - 2 * k) / (2 * x * x)
        return xp.where(great, (1 + series) / (x * math.sqrt(math.pi)), own)

    def log_ndtr(self, x: Array) -> Array:
        xp = self.xp
        low = xp.where(x < -1, x, -1.0)
        tail = xp.log(self.erfcx(low * -math.sqrt(0.5)) / 2) - low * low / 2
        rest = xp.log1p(self.erfc(xp.maximum(x, -1.0) * math.sqrt(0.5)) / -2)
        return xp.where(x < -1, tail, rest)


class JAXBackend(Backend):
    """JAX on one device. An update in place gives a new array."""

    @cached_property
    def special(self) -> Any:
        return JAXSpecial(self)

    def own(self, array: Array) -> Array:
        return array

    def memory(self, array: Array) -> None:
        return None

    def assign(self, target: Array, key: Any, value: Any) -> Array:
        return target.at[key].set(value)

    def cumulative_prod(self, x: Array, *, axis: int, dtype: Any = None) -> Array:
        if dtype is None:  # its own leaves small integers as they are, unlike its prod
            dtype = self.library.prod(self.library.zeros(0, dtype=x.dtype)).dtype
        return self.library.cumulative_prod(x, axis=axis, dtype=dtype)

    def searchsorted(self, x1: Array, x2: Array, *, side: str = "left") -> Array:
        found = self.library.searchsorted(x1, x2, side=side)
        return found.astype(self.library.int_)  # its own int32, where indices are int64 elsewhere

    def getitem(self, x: Array, key: Any) -> Array:
        return x[key]

    def scatter_add(self, values: Array, key: Any, shape: tuple[int, ...]) -> Array:
        return self.zeros(shape, dtype=values.dtype).at[key].add(values)
