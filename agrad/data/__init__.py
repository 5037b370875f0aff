"""Data sets, and the readers of their file formats."""

from agrad.data.idx import read_idx
from agrad.data.mnist import Dataset, Splits, fashion_mnist, mnist

__all__ = ["Dataset", "Splits", "fashion_mnist", "mnist", "read_idx"]
