"""Fourier transforms: the standard's ``fft`` extension.

A discrete Fourier transform multiplies by a symmetric matrix, so that its gradient is the same
transform of the output's gradient. Only where half of the coefficients are left out, because they
are the conjugates of the others, some of them must be counted twice: see `_scale_pairs`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agrad.autograd import Primitive, record
from agrad.ops.creation import arange, asarray, zeros
from agrad.ops.data_types import as_floating, astype
from agrad.ops.elementwise import conj
from agrad.ops.indexing import getitem
from agrad.ops.manipulation import concat, normalize, roll
from agrad.typing import DTypeLike, TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]

Norm: TypeAlias = Literal["backward", "ortho", "forward"]

# The norm of a transform whose conjugate is the other one's inverse
_SWAPPED: dict[Norm, Norm] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


# From complex numbers to complex numbers ---------------------------------------------------------

_FFT = Primitive(
    "fft",
    lambda xp, x, axis, norm: xp.fft.fft(x, axis=axis, norm=norm),
    x=lambda xp, g, axis, norm: xp.fft.fft(g, axis=axis, norm=norm),
)


def fft(
    x: TensorLike, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward"
) -> "Tensor":
    """Return the discrete Fourier transform along an axis.

    With w = exp(-2πi/n), coefficient k is the sum over j of ``x[j] * w**(j*k)``.

    Parameters
    ----------
    x : Tensor
        Complex or real, of at least one dimension.
    n : int, optional
        The length of the transform: the axis is cut to it, or filled up with zeros. By default
        that of the axis.
    axis : int
        The axis.
    norm : {"backward", "ortho", "forward"}
        What is divided by: nothing, sqrt(n), or n.

    Returns
    -------
    Tensor
        Complex, of the precision of `x`, and of its shape but for the axis, of length `n`.

    Raises
    ------
    ValueError
        If `n` is less than 1, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.fft(ag.Tensor([1.0, 0.0, -1.0, 0.0])).tolist()
    [0j, (2+0j), 0j, (2+0j)]
    """
    x, axis = _fitted("fft", _complex(x), n, axis, norm)
    return record(_FFT, (x,), axis=axis, norm=norm)


_IFFT = Primitive(
    "ifft",
    lambda xp, x, axis, norm: xp.fft.ifft(x, axis=axis, norm=norm),
    x=lambda xp, g, axis, norm: xp.fft.ifft(g, axis=axis, norm=norm),
)


def ifft(
    x: TensorLike, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward"
) -> "Tensor":
    """Return the inverse of `fft` along an axis.

    Parameters
    ----------
    x : Tensor
        Complex or real, of at least one dimension.
    n : int, optional
        The length of the transform: the axis is cut to it, or filled up with zeros. By default
        that of the axis.
    axis : int
        The axis.
    norm : {"backward", "ortho", "forward"}
        That of the `fft` which it inverts: it is divided by n, sqrt(n), or nothing.

    Returns
    -------
    Tensor
        Complex, of the precision of `x`, and of its shape but for the axis, of length `n`.

    Raises
    ------
    ValueError
        If `n` is less than 1, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.ifft(ag.Tensor([0.0, 2.0, 0.0, 2.0])).tolist()
    [(1+0j), 0j, (-1+0j), 0j]
    """
    x, axis = _fitted("ifft", _complex(x), n, axis, norm)
    return record(_IFFT, (x,), axis=axis, norm=norm)


_FFTN = Primitive(
    "fftn",
    lambda xp, x, axes, norm: xp.fft.fftn(x, axes=axes, norm=norm),
    x=lambda xp, g, axes, norm: xp.fft.fftn(g, axes=axes, norm=norm),
)


def fftn(
    x: TensorLike,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
) -> "Tensor":
    """Return the discrete Fourier transform along several axes.

    Parameters
    ----------
    x : Tensor
        Complex or real.
    s : sequence of int, optional
        The length of the transform along each of the axes, which are cut to it or filled up with
        zeros; -1 leaves one as it is. It needs `axes`. By default they are all left as they are.
    axes : sequence of int, optional
        The axes, each named once; by default all.
    norm : {"backward", "ortho", "forward"}
        What is divided by: nothing, the square root of the product of the lengths, or the product.

    Returns
    -------
    Tensor
        Complex, of the precision of `x`, and of its shape but for the axes, of lengths `s`.

    Raises
    ------
    ValueError
        If a length is less than 1, an axis is named twice, the lengths and axes aren't equally
        many, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.fftn(ag.Tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[(10+0j), (-2+0j)], [(-4+0j), 0j]]
    """
    x, places = _fitted_all("fftn", _complex(x), s, axes, norm)
    return record(_FFTN, (x,), axes=places, norm=norm) if places else x


_IFFTN = Primitive(
    "ifftn",
    lambda xp, x, axes, norm: xp.fft.ifftn(x, axes=axes, norm=norm),
    x=lambda xp, g, axes, norm: xp.fft.ifftn(g, axes=axes, norm=norm),
)


def ifftn(
    x: TensorLike,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
) -> "Tensor":
    """Return the inverse of `fftn` along several axes.

    Parameters
    ----------
    x : Tensor
        Complex or real.
    s : sequence of int, optional
        The length of the transform along each of the axes, which are cut to it or filled up with
        zeros; -1 leaves one as it is. It needs `axes`. By default they are all left as they are.
    axes : sequence of int, optional
        The axes, each named once; by default all.
    norm : {"backward", "ortho", "forward"}
        That of the `fftn` which it inverts: it is divided by the product of the lengths, its square
        root, or nothing.

    Returns
    -------
    Tensor
        Complex, of the precision of `x`, and of its shape but for the axes, of lengths `s`.

    Raises
    ------
    ValueError
        If a length is less than 1, an axis is named twice, the lengths and axes aren't equally
        many, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.ifftn(ag.Tensor([[10.0, -2.0], [-4.0, 0.0]])).tolist()
    [[(1+0j), (2+0j)], [(3+0j), (4+0j)]]
    """
    x, places = _fitted_all("ifftn", _complex(x), s, axes, norm)
    return record(_IFFTN, (x,), axes=places, norm=norm) if places else x


# From real numbers to the first half of the coefficients, and back -------------------------------
#
# The coefficients of n real numbers come in pairs, k and n - k, that are each other's conjugates.
# `rfft` gives one of each pair, and 0 and (for even n) n/2, which are real and their own partners.
# `irfft` takes these n // 2 + 1, and sees nothing of the imaginary parts of the ones without.


def _scale_pairs(xp: Any, x: Any, factor: float, n: int, axis: int) -> Any:
    """Multiply the coefficients that have a partner by a factor."""
    end = (n + 1) // 2

    def part(start: int, stop: int | None) -> Any:
        return x[(slice(None),) * axis + (slice(start, stop), ...)]

    return xp.concat([part(0, 1), part(1, end) * factor, part(end, None)], axis=axis)


def _rfft_x(xp: Any, g: Any, x_shape: tuple[int, ...], axis: int, norm: Norm) -> Any:
    # dL = Re(Σ_k g[k] Σ_j w^jk dx[j]), so x[j] gets Re(Σ_k g[k] w^jk). The inverse transform gives
    # that of conj(g), but counts each coefficient with a partner twice.
    n = x_shape[axis]
    halved = _scale_pairs(xp, xp.conj(g), 0.5, n, axis)
    return xp.fft.irfft(halved, n=n, axis=axis, norm=_SWAPPED[norm])


_RFFT = Primitive("rfft", lambda xp, x, axis, norm: xp.fft.rfft(x, axis=axis, norm=norm), x=_rfft_x)


def rfft(
    x: TensorLike, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward"
) -> "Tensor":
    """Return the discrete Fourier transform of real numbers along an axis.

    Of the n coefficients the first n // 2 + 1 are returned: the others are their conjugates.

    Parameters
    ----------
    x : Tensor
        Real, of at least one dimension.
    n : int, optional
        The length of the transform: the axis is cut to it, or filled up with zeros. By default
        that of the axis.
    axis : int
        The axis.
    norm : {"backward", "ortho", "forward"}
        What is divided by: nothing, sqrt(n), or n.

    Returns
    -------
    Tensor
        Complex, of the precision of `x`, and of its shape but for the axis, of length n // 2 + 1.

    Raises
    ------
    TypeError
        If `x` is complex.
    ValueError
        If `n` is less than 1, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.rfft(ag.Tensor([1.0, 0.0, -1.0, 0.0])).tolist()
    [0j, (2+0j), 0j]
    """
    x, axis = _fitted("rfft", _real("rfft", x), n, axis, norm)
    return record(_RFFT, (x,), axis=axis, norm=norm)


def _irfft_x(xp: Any, g: Any, n: int, axis: int, norm: Norm) -> Any:
    # x[j] is Σ_k c[k] Re(X[k] w^-jk) / n, where c is 2 for a coefficient with a partner, else 1:
    # so X[k] gets c[k] Σ_j g[j] w^-jk / n.
    spectrum = xp.conj(xp.fft.rfft(g, axis=axis, norm=_SWAPPED[norm]))
    return _scale_pairs(xp, spectrum, 2.0, n, axis)


_IRFFT = Primitive(
    "irfft", lambda xp, x, n, axis, norm: xp.fft.irfft(x, n=n, axis=axis, norm=norm), x=_irfft_x
)


def irfft(
    x: TensorLike, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward"
) -> "Tensor":
    """Return the inverse of `rfft` along an axis: real numbers.

    Parameters
    ----------
    x : Tensor
        Complex or real, of at least one dimension: the first n // 2 + 1 coefficients. The imaginary
        part of the first, and for even n of the last, is not looked at.
    n : int, optional
        The length of the result: the axis of `x` is cut to n // 2 + 1, or filled up with zeros. By
        default 2 * (m - 1), where m is that of the axis; for an odd length it must be given.
    axis : int
        The axis.
    norm : {"backward", "ortho", "forward"}
        That of the `rfft` which it inverts: it is divided by n, sqrt(n), or nothing.

    Returns
    -------
    Tensor
        Real, of the precision of `x`, and of its shape but for the axis, of length `n`.

    Raises
    ------
    ValueError
        If `n` is less than 1, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.irfft(ag.Tensor([0.0, 2.0, 0.0])).tolist()
    [1.0, 0.0, -1.0, 0.0]
    """
    x, axis, n = _fitted_half("irfft", _complex(x), n, axis, norm)
    return record(_IRFFT, (x,), n=n, axis=axis, norm=norm)


def rfftn(
    x: TensorLike,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
) -> "Tensor":
    """Return the discrete Fourier transform of real numbers along several axes.

    It is `rfft` along the last of the axes, and `fftn` along the others.

    Parameters
    ----------
    x : Tensor
        Real, of at least one dimension.
    s : sequence of int, optional
        The length of the transform along each of the axes, which are cut to it or filled up with
        zeros; -1 leaves one as it is. It needs `axes`. By default they are all left as they are.
    axes : sequence of int, optional
        The axes, each named once; by default all.
    norm : {"backward", "ortho", "forward"}
        What is divided by: nothing, the square root of the product of the lengths, or the product.

    Returns
    -------
    Tensor
        Complex, of the precision of `x`, and of its shape but for the axes, of lengths `s`, the
        last one of ``s[-1] // 2 + 1``.

    Raises
    ------
    TypeError
        If `x` is complex.
    ValueError
        If there is no axis, a length is less than 1, an axis is named twice, the lengths and axes
        aren't equally many, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.rfftn(ag.Tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[(10+0j), (-2+0j)], [(-4+0j), 0j]]
    """
    x, places = _fitted_all("rfftn", _real("rfftn", x), s, axes, norm)
    *others, last = _at_least_one("rfftn", places)
    return fftn(rfft(x, axis=last, norm=norm), axes=others, norm=norm)


def irfftn(
    x: TensorLike,
    /,
    *,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: Norm = "backward",
) -> "Tensor":
    """Return the inverse of `rfftn` along several axes: real numbers.

    Parameters
    ----------
    x : Tensor
        Complex or real, of at least one dimension.
    s : sequence of int, optional
        The length of the result along each of the axes. `x` is cut to it or filled up with zeros,
        along the last of them to ``s[-1] // 2 + 1``. It needs `axes`. By default, and where it is
        -1, the last becomes 2 * (m - 1), where m is its length, and the others stay.
    axes : sequence of int, optional
        The axes, each named once; by default all.
    norm : {"backward", "ortho", "forward"}
        That of the `rfftn` which it inverts: it is divided by the product of the lengths, its
        square root, or nothing.

    Returns
    -------
    Tensor
        Real, of the precision of `x`, and of its shape but for the axes, of lengths `s`.

    Raises
    ------
    ValueError
        If there is no axis, a length is less than 1, an axis is named twice, the lengths and axes
        aren't equally many, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.irfftn(ag.Tensor([[10.0, -2.0], [-4.0, 0.0]])).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    x = _complex(x)
    lengths, places = _lengths("irfftn", x, s, axes)
    *others, last = _at_least_one("irfftn", places)
    n = None if s is None or s[-1] == -1 else lengths[-1]
    x, _, n = _fitted_half("irfftn", x, n, last, norm)  # first what is cut away
    x = ifftn(x, s=lengths[:-1], axes=others, norm=norm)
    return record(_IRFFT, (x,), n=n, axis=last, norm=norm)


def hfft(
    x: TensorLike, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward"
) -> "Tensor":
    """Return the discrete Fourier transform of a signal with Hermitian symmetry: real numbers.

    The signal's elements j and n - j are each other's conjugates, and `x` has its first half.

    Parameters
    ----------
    x : Tensor
        Complex or real, of at least one dimension: the signal's first n // 2 + 1 elements. The
        imaginary part of the first, and for even n of the last, is not looked at.
    n : int, optional
        The length of the result: the axis of `x` is cut to n // 2 + 1, or filled up with zeros. By
        default 2 * (m - 1), where m is that of the axis; for an odd length it must be given.
    axis : int
        The axis.
    norm : {"backward", "ortho", "forward"}
        What is divided by: nothing, sqrt(n), or n.

    Returns
    -------
    Tensor
        Real, of the precision of `x`, and of its shape but for the axis, of length `n`.

    Raises
    ------
    ValueError
        If `n` is less than 1, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.hfft(ag.Tensor([1.0, 1j, 0.0])).tolist()
    [1.0, 3.0, 1.0, -1.0]
    """
    _check_norm("hfft", norm)
    return irfft(conj(x), n=n, axis=axis, norm=_SWAPPED[norm])


def ihfft(
    x: TensorLike, /, *, n: int | None = None, axis: int = -1, norm: Norm = "backward"
) -> "Tensor":
    """Return the inverse of `hfft` along an axis: the first half of a signal.

    Parameters
    ----------
    x : Tensor
        Real, of at least one dimension.
    n : int, optional
        The length of the transform: the axis is cut to it, or filled up with zeros. By default
        that of the axis.
    axis : int
        The axis.
    norm : {"backward", "ortho", "forward"}
        That of the `hfft` which it inverts: it is divided by n, sqrt(n), or nothing.

    Returns
    -------
    Tensor
        Complex, of the precision of `x`, and of its shape but for the axis, of length n // 2 + 1.

    Raises
    ------
    TypeError
        If `x` is complex.
    ValueError
        If `n` is less than 1, or there is no such norm.
    IndexError
        If there is no such axis.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.ihfft(ag.Tensor([1.0, 3.0, 1.0, -1.0])).tolist()
    [(1-0j), 1j, -0j]
    """
    _check_norm("ihfft", norm)
    return conj(rfft(_real("ihfft", x), n=n, axis=axis, norm=_SWAPPED[norm]))


# Frequencies -------------------------------------------------------------------------------------


def fftfreq(
    n: int, /, *, d: float = 1.0, dtype: DTypeLike = None, device: str | None = None
) -> "Tensor":
    """Return the frequencies of the coefficients that `fft` gives.

    Parameters
    ----------
    n : int
        The length of the transform.
    d : float
        The distance between two samples, in any unit.
    dtype : dtype or str, optional
        A real floating-point data type; by default the library's own choice, float64 for NumPy.
    device : str, optional
        Where to make it; the CPU by default.

    Returns
    -------
    Tensor
        Of shape (n,): cycles per unit of `d`, first 0, then the positive ones, then the negative
        ones, beginning with the lowest. For even n, n/2 stands among the negative.

    Raises
    ------
    ValueError
        If `n` is less than 1.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.fftfreq(4, d=0.5).tolist()
    [0.0, 0.5, -1.0, -0.5]
    """
    _check_length("fftfreq", n)
    cycles = [arange(0, (n + 1) // 2, device=device), arange(-(n // 2), 0, device=device)]
    return _frequencies(concat(cycles), n * d, dtype)


def rfftfreq(
    n: int, /, *, d: float = 1.0, dtype: DTypeLike = None, device: str | None = None
) -> "Tensor":
    """Return the frequencies of the coefficients that `rfft` gives.

    Parameters
    ----------
    n : int
        The length of the transform.
    d : float
        The distance between two samples, in any unit.
    dtype : dtype or str, optional
        A real floating-point data type; by default the library's own choice, float64 for NumPy.
    device : str, optional
        Where to make it; the CPU by default.

    Returns
    -------
    Tensor
        Of shape (n // 2 + 1,): cycles per unit of `d`, from 0 up.

    Raises
    ------
    ValueError
        If `n` is less than 1.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.rfftfreq(4, d=0.5).tolist()
    [0.0, 0.5, 1.0]
    """
    _check_length("rfftfreq", n)
    return _frequencies(arange(0, n // 2 + 1, device=device), n * d, dtype)


def _frequencies(cycles: "Tensor", duration: float, dtype: DTypeLike) -> "Tensor":
    """Return how many cycles there are in a unit of time, as floating-point numbers."""
    if dtype is None:
        dtype = zeros((), device=cycles.device).dtype
    return astype(cycles, dtype) / duration


def fftshift(x: TensorLike, /, *, axes: int | Sequence[int] | None = None) -> "Tensor":
    """Return coefficients in the order of their frequencies, with 0 in the middle.

    Parameters
    ----------
    x : Tensor
        In the order in which `fft` gives them.
    axes : int or sequence of int, optional
        The axes; all of them by default.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`. Along an axis of length n, 0 stands at n // 2.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.fftshift(ag.fft.fftfreq(5, d=0.2)).tolist()
    [-2.0, -1.0, 0.0, 1.0, 2.0]
    """
    x = asarray(x)
    places = _places(axes, x.ndim)
    return roll(x, tuple(x.shape[a] // 2 for a in places), axis=places)


def ifftshift(x: TensorLike, /, *, axes: int | Sequence[int] | None = None) -> "Tensor":
    """Undo `fftshift`.

    Parameters
    ----------
    x : Tensor
        In the order that `fftshift` gives.
    axes : int or sequence of int, optional
        The axes; all of them by default.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`, in the order that `fft` gives.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.fft.ifftshift(ag.Tensor([-2.0, -1.0, 0.0, 1.0, 2.0])).tolist()
    [0.0, 1.0, 2.0, -2.0, -1.0]
    """
    x = asarray(x)
    places = _places(axes, x.ndim)
    return roll(x, tuple(-(x.shape[a] // 2) for a in places), axis=places)


# Bringing arguments into form --------------------------------------------------------------------


def _complex(x: TensorLike) -> "Tensor":
    """Return real numbers as complex ones of their precision."""
    tensor = as_floating(x)
    if tensor.dtype.is_complex:
        return tensor
    return astype(tensor, "complex128" if tensor.dtype == "float64" else "complex64")


def _real(name: str, x: TensorLike) -> "Tensor":
    """Return real numbers, and refuse complex ones."""
    tensor = as_floating(x)
    if tensor.dtype.is_complex:
        raise TypeError(
            f"{name} needs real numbers, got {tensor.dtype!r}; for complex ones there is fft"
        )
    return tensor


def _check_norm(name: str, norm: str) -> None:
    if norm not in _SWAPPED:
        raise ValueError(f"{name}: norm must be 'backward', 'ortho' or 'forward', got {norm!r}")


def _check_length(name: str, n: int) -> None:
    if n < 1:
        raise ValueError(f"{name}: the length of the transform must be at least 1, got {n}")


def _resize(x: "Tensor", n: int, axis: int) -> "Tensor":
    """Cut an axis to a length, or fill it up with zeros."""
    length = x.shape[axis]
    if n < length:
        return getitem(x, (slice(None),) * axis + (slice(n), ...))
    if n > length:
        shape = (*x.shape[:axis], n - length, *x.shape[axis + 1 :])
        return concat([x, zeros(shape, dtype=x.dtype, device=x.device)], axis=axis)
    return x


def _fitted(name: str, x: "Tensor", n: int | None, axis: int, norm: str) -> "tuple[Tensor, int]":
    """Check the arguments of a transform along one axis, and bring x to its length."""
    _check_norm(name, norm)
    (axis,) = normalize(axis, x.ndim)
    n = x.shape[axis] if n is None else n
    _check_length(name, n)
    return _resize(x, n, axis), axis


def _fitted_half(
    name: str, x: "Tensor", n: int | None, axis: int, norm: str
) -> "tuple[Tensor, int, int]":
    """Do the same for a transform from half of the coefficients to n numbers; return n as well."""
    _check_norm(name, norm)
    (axis,) = normalize(axis, x.ndim)
    n = 2 * (x.shape[axis] - 1) if n is None else n
    _check_length(name, n)
    return _resize(x, n // 2 + 1, axis), axis, n


def _places(axes: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Return axes as distinct numbers from 0 to ndim - 1; all of them for None."""
    if axes is None:
        return tuple(range(ndim))
    return normalize(axes if isinstance(axes, int) else tuple(axes), ndim)


def _lengths(
    name: str, x: "Tensor", s: Sequence[int] | None, axes: Sequence[int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the lengths of a transform along several axes, and the axes."""
    if s is not None and axes is None:
        raise ValueError(f"{name}: the lengths s={tuple(s)} need axes that they are the lengths of")
    places = _places(axes, x.ndim)
    lengths = tuple(x.shape[a] for a in places)
    if s is not None:
        if len(s) != len(places):
            raise ValueError(f"{name}: {len(s)} lengths, s={tuple(s)}, for {len(places)} axes")
        lengths = tuple(old if n == -1 else n for n, old in zip(s, lengths, strict=True))
    for n in lengths:
        _check_length(name, n)
    return lengths, places


def _fitted_all(
    name: str, x: "Tensor", s: Sequence[int] | None, axes: Sequence[int] | None, norm: str
) -> "tuple[Tensor, tuple[int, ...]]":
    """Check the arguments of a transform along several axes, and bring x to its lengths."""
    _check_norm(name, norm)
    lengths, places = _lengths(name, x, s, axes)
    for n, axis in zip(lengths, places, strict=True):
        x = _resize(x, n, axis)
    return x, places


def _at_least_one(name: str, axes: tuple[int, ...]) -> tuple[int, ...]:
    if not axes:
        raise ValueError(f"{name} needs at least one axis")
    return axes
