"""Fourier transforms: the standard's extension; see `agrad.ops.fft` for how they are made."""

from agrad.ops.fft import *
from agrad.ops.fft import __all__ as __all__
