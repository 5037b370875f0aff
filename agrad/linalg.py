"""Linear algebra: the standard's extension; see `agrad.ops.linalg` for how they are made."""

from agrad.ops.linalg import *
from agrad.ops.linalg import __all__ as __all__
