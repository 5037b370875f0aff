"""Special functions, by SciPy's names; see `agrad.ops.special` for how they are made."""

from agrad.ops.special import *
from agrad.ops.special import __all__ as __all__
