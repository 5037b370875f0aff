"""Fourier transforms."""

from typing import Any

from cases.indexing import pytorch
from cases.table import between, case, complex_between

for name in ("fft", "ifft", "irfft", "hfft", "rfft", "ihfft"):

    def transform(xp: Any, x: Any, function: str = name, **options: Any) -> Any:
        return getattr(xp.fft, function)(x, **options)

    drawn = between if name in ("rfft", "ihfft") else complex_between
    for options in (
        {}, {"norm": "ortho"}, {"norm": "forward"}, *({"n": n} for n in (1, 2, 3, 5, 6)),
    ):  # fmt: skip
        case(f"fft.{name}", lambda xp, x, o=options, f=transform: f(xp, x, **o), drawn(-2, 2, 4))
    for axis in (0, 1, -2):
        case(
            f"fft.{name}",
            lambda xp, x, a=axis, f=transform: f(xp, x, axis=a),
            drawn(-2, 2, 3, 2, 2),
        )
    case(
        f"fft.{name}",
        lambda xp, x, f=transform: f(xp, x, n=3),
        drawn(-2, 2, 0, 2),
        without=dict.fromkeys(pytorch, "Not all builds of PyTorch can transform nothing"),
    )
for name in ("fftn", "ifftn", "rfftn", "irfftn"):

    def transform(xp: Any, x: Any, function: str = name, **options: Any) -> Any:
        return getattr(xp.fft, function)(x, **options)

    drawn = between if name == "rfftn" else complex_between
    for norm in ("backward", "ortho", "forward"):
        case(f"fft.{name}", lambda xp, x, f=transform, n=norm: f(xp, x, norm=n), drawn(-2, 2, 2, 3))
        case(
            f"fft.{name}",
            lambda xp, x, f=transform, n=norm: f(xp, x, s=(3, 4), axes=(2, 0), norm=n),
            drawn(-2, 2, 2, 2, 3),
        )
    for axes in ((0,), (1, 0), (-1, -2)):
        case(f"fft.{name}", lambda xp, x, f=transform, a=axes: f(xp, x, axes=a), drawn(-2, 2, 2, 3))
for name in ("fftshift", "ifftshift"):
    for axes in (None, 0, (1,), (0, 2)):
        case(
            f"fft.{name}",
            lambda xp, x, n=name, a=axes: getattr(xp.fft, n)(x, axes=a),
            (3, 2, 3),
        )
