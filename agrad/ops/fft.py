"""Fourier transforms: the standard's ``fft`` extension."""
