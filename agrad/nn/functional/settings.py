"""Settings of layers and functions, checked: what is none is named, with whose setting it is."""

import math
from numbers import Integral, Real
from typing import Any

__all__ = ["check_number", "check_size"]


def check_number(
    who: str, name: str, value: Any, least: float = -math.inf, most: float = math.inf
) -> None:
    """Raise an error if a setting is no number between two, or NaN."""
    is_number = isinstance(value, Real)
    if not is_number:
        raise TypeError(f"{who}: {name} must be a number, got {value!r}")
    if not (value >= least and value <= most):  # so that a recording keeps questions, no value
        span = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        wanted = "a number other than NaN" if least == -math.inf else span
        raise ValueError(f"{who}: {name} must be {wanted}, got {value!r}")


def check_size(who: str, name: str, value: Any) -> None:
    """Raise an error if a setting is no positive integer."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{who}: {name} must be a positive integer, got {value!r}")
