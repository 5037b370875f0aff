"""Special functions by SciPy's names, for each array library.

These are the functions that can't be written in the standard's own. A library's own are called;
where there are none, arrays travel through NumPy to SciPy and back.
"""

import math
from typing import Any

from agrad.backends.generic import Array, Backend

__all__ = ["Special", "scipy_special"]


def scipy_special() -> Any:
    """Return SciPy's special functions.

    Raises
    ------
    ImportError
        If SciPy is not installed.
    """
    try:
        import scipy.special
    except ImportError as error:
        raise ImportError(
            f"this function needs SciPy, which can't be imported ({error}). Install it with: "
            'pip install "agrad[special]"'
        ) from None
    return scipy.special


class Special:
    """The special functions of one backend: its attribute ``special``."""

    def __init__(self, xp: Backend) -> None:
        self.xp = xp

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        function = self.find(name)
        setattr(self, name, function)  # found at once the next time
        return function

    def find(self, name: str) -> Any:
        """Return a function that is not written here, from wherever this library has it."""
        from agrad.backends.numpy import CPU

        function = getattr(scipy_special(), name)

        def on_host(*args: Any) -> Array:
            hosts = [self.xp.to_host(x) if hasattr(x, "dtype") else x for x in args]
            return self.xp.from_host(CPU.normalize(function(*hosts)))

        return on_host

    def expit(self, x: Array) -> Array:
        xp = self.xp  # the standard's functions suffice: no overflow, and exact in the tails
        e = xp.exp(-xp.abs(x))
        return xp.where(x < 0, e, xp.ones_like(e)) / (1 + e)

    def polygamma(self, n: int, x: Array) -> Array:
        if n == 0:
            return self.digamma(x)
        return self.zeta(float(n + 1), x) * float((-1) ** (n + 1) * math.factorial(n))
