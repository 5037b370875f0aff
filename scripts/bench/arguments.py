"""What the benchmarks' options may be."""

import argparse


def positive_int(text: str) -> int:
    """Read a whole number that is at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def positive_float(text: str) -> float:
    """Read a number above 0."""
    value = float(text)
    if not value > 0:  # nor NaN
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return value
