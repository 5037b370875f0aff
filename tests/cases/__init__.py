"""How every function is called, one file a chapter."""

from cases import elementwise as elementwise
from cases import fft as fft
from cases import flat as flat
from cases import indexing as indexing
from cases import linalg as linalg
from cases import manipulation as manipulation
from cases import searching as searching
from cases import special as special
from cases import statistical as statistical
from cases.table import CASES, FLAT, Case, Drawn

__all__ = ["CASES", "FLAT", "Case", "Drawn"]
