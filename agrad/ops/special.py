"""Special functions, by SciPy's names, as a module: ``agrad.special``.

Those that are made of the standard's functions are written here. The others are the array
library's own: see ``agrad/backends/special.py``.
"""

import math
from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, is_grad_enabled, record
from agrad.backends import is_number
from agrad.ops.casting import cast_up, casting
from agrad.ops.creation import asarray
from agrad.ops.data_types import as_floating
from agrad.ops.elementwise import add, subtract
from agrad.ops.manipulation import squeeze
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

__all__ = [
    "beta",
    "betainc",
    "betaln",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "expit",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "kl_div",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "rel_entr",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
    "zeta",
]


def _floating(x: TensorLike) -> "Tensor":
    """Return real or complex numbers, of no short type under autocast: SciPy knows none."""
    return as_floating(cast_up(x) if casting.state else x)


def _pair(x: TensorLike, y: TensorLike) -> "tuple[Tensor, Tensor]":
    """Return two arguments as floating-point Tensors; a number takes the other's data type."""
    if is_number(x) and not is_number(y):
        y = _floating(y)
        return asarray(x, dtype=y.dtype, device=y.device), y
    x = _floating(x)
    if is_number(y):
        return x, asarray(y, dtype=x.dtype, device=x.device)
    return x, _floating(y)


def _refuse_complex(function: str, *tensors: "Tensor") -> None:
    if any(x.dtype.is_complex for x in tensors):
        raise TypeError(f"{function} is for real numbers, got {[x.dtype for x in tensors]}")


def _refuse_gradient(function: str, name: str, x: "Tensor") -> None:
    if x.requires_grad and is_grad_enabled():
        raise NotImplementedError(
            f"{function} has no derivative with respect to {name}, which requires a gradient here; "
            f"pass {name}.detach() to take it as a constant"
        )


# The error function and the normal distribution --------------------------------------------------

_SLOPE = 2 / math.sqrt(math.pi)  # of erf at 0


_ERF = Primitive(
    "erf",
    lambda xp, x: xp.special.erf(x),
    x=lambda xp, g, x: g * (xp.exp(-x * x) * _SLOPE),
)


def erf(x: TensorLike, /) -> "Tensor":
    """Return the error function: 2/sqrt(π) times the integral of exp(-t²) from 0 to x.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.erf(ag.Tensor([0.0, 1.0])).tolist()
    [0.0, 0.8427007929497148]
    """
    return record(_ERF, (_floating(x),))


_ERFC = Primitive(
    "erfc",
    lambda xp, x: xp.special.erfc(x),
    x=lambda xp, g, x: g * (xp.exp(-x * x) * -_SLOPE),
)


def erfc(x: TensorLike, /) -> "Tensor":
    """Return 1 - erf(x), exact also where that is tiny.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.erfc(ag.Tensor([0.0, 1.0])).to(ag.float32)
    Tensor([1.       , 0.1572992], dtype=float32)
    """
    return record(_ERFC, (_floating(x),))


_ERFCX = Primitive(
    "erfcx",
    lambda xp, x: xp.special.erfcx(x),
    x=lambda xp, g, x, out: g * (x * out * 2 - _SLOPE),
)


def erfcx(x: TensorLike, /) -> "Tensor":
    """Return exp(x²) * erfc(x), which neither overflows nor vanishes for great x.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.erfcx(ag.Tensor([0.0, 1000.0])).tolist()
    [1.0, 0.0005641893014533876]
    """
    return record(_ERFCX, (_floating(x),))


_ERFINV = Primitive(
    "erfinv",
    lambda xp, x: xp.special.erfinv(x),
    x=lambda xp, g, out: g * (xp.exp(out * out) / _SLOPE),
)


def erfinv(x: TensorLike, /) -> "Tensor":
    """Return the inverse of erf.

    Parameters
    ----------
    x : Tensor
        Between -1 and 1, of any shape; for others the result is NaN.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.erfinv(ag.Tensor([0.0, 0.5, 1.0])).tolist()
    [0.0, 0.4769362762044699, inf]
    """
    return record(_ERFINV, (_floating(x),))


_DENSITY = 1 / math.sqrt(2 * math.pi)  # of the standard normal distribution at 0


_NDTR = Primitive(
    "ndtr",
    lambda xp, x: xp.special.ndtr(x),
    x=lambda xp, g, x: g * (xp.exp(-x * x / 2) * _DENSITY),
)


def ndtr(x: TensorLike, /) -> "Tensor":
    """Return the probability that a standard normal variable is at most x.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.ndtr(ag.Tensor([0.0, 1.0])).tolist()
    [0.5, 0.8413447460685429]
    """
    return record(_NDTR, (_floating(x),))


_NDTRI = Primitive(
    "ndtri",
    lambda xp, x: xp.special.ndtri(x),
    x=lambda xp, g, out: g * (xp.exp(out * out / 2) / _DENSITY),
)


def ndtri(x: TensorLike, /) -> "Tensor":
    """Return the inverse of ndtr: the quantiles of the standard normal distribution.

    Parameters
    ----------
    x : Tensor
        Probabilities, of any shape; for others the result is NaN.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.ndtri(ag.Tensor([0.0, 0.5, 0.975])).tolist()
    [-inf, 0.0, 1.959963984540054]
    """
    return record(_NDTRI, (_floating(x),))


def _log_ndtr_x(xp: Any, g: Any, x: Any) -> Any:
    # The density over the probability, exp(-x²/2) / sqrt(2π) / ndtr(x), of which both may vanish
    return g * (math.sqrt(2 / math.pi) / xp.special.erfcx(x * -math.sqrt(0.5)))


_LOG_NDTR = Primitive(
    "log_ndtr",
    lambda xp, x: xp.special.log_ndtr(x),
    x=_log_ndtr_x,
)


def log_ndtr(x: TensorLike, /) -> "Tensor":
    """Return log(ndtr(x)), exact also where ndtr(x) is tiny.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.log_ndtr(ag.Tensor([0.0, -1000.0])).tolist()
    [-0.6931471805599453, -500007.8266948122]
    """
    return record(_LOG_NDTR, (_floating(x),))


# Gamma and beta functions ------------------------------------------------------------------------

_GAMMA = Primitive(
    "gamma",
    lambda xp, x: xp.special.gamma(x),
    x=lambda xp, g, x, out: g * out * xp.special.digamma(x),
)


def gamma(x: TensorLike, /) -> "Tensor":
    """Return the gamma function: (x - 1)! for whole numbers.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Notes
    -----
    The poles are at 0, -1, -2, ...; whether infinity or NaN is returned there differs from library
    to library.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.gamma(ag.Tensor([1.0, 5.0])).tolist()
    [1.0, 24.0]
    """
    return record(_GAMMA, (_floating(x),))


_GAMMALN = Primitive(
    "gammaln",
    lambda xp, x: xp.special.gammaln(x),
    x=lambda xp, g, x: g * xp.special.digamma(x),
)


def gammaln(x: TensorLike, /) -> "Tensor":
    """Return the logarithm of the gamma function's absolute value.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Notes
    -----
    At 0, -1, -2, ... it is infinite.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.gammaln(ag.Tensor([1.0, 1000.0])).tolist()
    [0.0, 5905.220423209181]
    """
    return record(_GAMMALN, (_floating(x),))


_DIGAMMA = Primitive(
    "digamma",
    lambda xp, x: xp.special.digamma(x),
    x=lambda xp, g, x: g * xp.special.polygamma(1, x),
)


def digamma(x: TensorLike, /) -> "Tensor":
    """Return the derivative of gammaln.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Notes
    -----
    The poles are at 0, -1, -2, ...; whether infinity or NaN is returned there differs from library
    to library.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.digamma(ag.Tensor([1.0, 2.0])).tolist()
    [-0.5772156649015329, 0.42278433509846713]
    """
    return record(_DIGAMMA, (_floating(x),))


psi = digamma  # SciPy's own name for it, by which SciPy's other functions look for it


_POLYGAMMA = Primitive(
    "polygamma",
    lambda xp, x, n: xp.special.polygamma(n, x),
    x=lambda xp, g, x, n: g * xp.special.polygamma(n + 1, x),
)


def polygamma(n: int, x: TensorLike, /) -> "Tensor":
    """Return the n-th derivative of digamma.

    Parameters
    ----------
    n : int
        Which derivative; 0 for digamma itself.
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Raises
    ------
    TypeError
        If `n` isn't an int.
    ValueError
        If `n` is negative.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.polygamma(2, ag.Tensor([1.0, 2.0])).to(ag.float32)
    Tensor([-2.4041138, -0.4041138], dtype=float32)
    """
    if not isinstance(n, int):
        raise TypeError(f"polygamma: n must be an int, got {type(n).__name__}")
    if n < 0:
        raise ValueError(f"polygamma: n must not be negative, got {n}")
    return record(_POLYGAMMA, (_floating(x),), n=n)


def _beta_slope(xp: Any, x: Any, other: Any) -> Any:
    """Return the derivative of betaln."""
    return xp.special.digamma(x) - xp.special.digamma(x + other)


_BETA = Primitive(
    "beta",
    lambda xp, a, b: xp.special.beta(a, b),
    a=lambda xp, g, a, b, out: g * out * _beta_slope(xp, a, b),
    b=lambda xp, g, a, b, out: g * out * _beta_slope(xp, b, a),
)


def beta(a: TensorLike, b: TensorLike, /) -> "Tensor":
    """Return the beta function, gamma(a) * gamma(b) / gamma(a + b).

    Parameters
    ----------
    a, b : Tensor
        Real, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.beta(ag.Tensor([1.0, 2.0]), 3.0).tolist()
    [0.3333333333333333, 0.08333333333333333]
    """
    return record(_BETA, _pair(a, b))


_BETALN = Primitive(
    "betaln",
    lambda xp, a, b: xp.special.betaln(a, b),
    a=lambda xp, g, a, b: g * _beta_slope(xp, a, b),
    b=lambda xp, g, a, b: g * _beta_slope(xp, b, a),
)


def betaln(a: TensorLike, b: TensorLike, /) -> "Tensor":
    """Return the logarithm of the beta function's absolute value.

    Parameters
    ----------
    a, b : Tensor
        Real, of shapes that broadcast against each other.


    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.betaln(ag.Tensor([1.0, 2.0]), 1.0).tolist()
    [0.0, -0.6931471805599453]
    """
    return record(_BETALN, _pair(a, b))


def _gamma_density(xp: Any, a: Any, x: Any) -> Any:
    """Return the density of the gamma distribution: x**(a-1) * exp(-x) / gamma(a)."""
    return xp.exp(_xlogy(xp, a - 1, x) - x - xp.special.gammaln(a))


_GAMMAINC = Primitive(
    "gammainc",
    lambda xp, a, x: xp.special.gammainc(a, x),
    a=None,
    x=lambda xp, g, a, x: g * _gamma_density(xp, a, x),
)


def gammainc(a: TensorLike, x: TensorLike, /) -> "Tensor":
    """Return the regularized lower incomplete gamma function.

    Parameters
    ----------
    a : Tensor
        Positive.
    x : Tensor
        Not negative; of a shape that broadcasts against that of `a`.


    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type: the integral of t**(a-1) * exp(-t) from
        0 to x, divided by gamma(a); between 0 and 1.

    Raises
    ------
    NotImplementedError
        If `a` requires a gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.gammainc(ag.Tensor([1.0, 2.0]), 1.0).tolist()
    [0.6321205588285577, 0.2642411176571153]
    """
    a, x = _pair(a, x)
    _refuse_gradient("gammainc", "a", a)
    return record(_GAMMAINC, (a, x))


_GAMMAINCC = Primitive(
    "gammaincc",
    lambda xp, a, x: xp.special.gammaincc(a, x),
    a=None,
    x=lambda xp, g, a, x: -g * _gamma_density(xp, a, x),
)


def gammaincc(a: TensorLike, x: TensorLike, /) -> "Tensor":
    """Return the regularized upper incomplete gamma function, 1 - gammainc(a, x).

    Parameters
    ----------
    a : Tensor
        Positive.
    x : Tensor
        Not negative; of a shape that broadcasts against that of `a`.


    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type, exact also where it is tiny.

    Raises
    ------
    NotImplementedError
        If `a` requires a gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.gammaincc(ag.Tensor([1.0, 2.0]), 0.0).tolist()
    [1.0, 1.0]
    """
    a, x = _pair(a, x)
    _refuse_gradient("gammaincc", "a", a)
    return record(_GAMMAINCC, (a, x))


def _beta_density(xp: Any, a: Any, b: Any, x: Any) -> Any:
    """Return the density of the beta distribution: x**(a-1) * (1-x)**(b-1) / beta(a, b)."""
    logarithm = _xlogy(xp, a - 1, x) + _xlogy(xp, b - 1, 1 - x)
    return xp.exp(logarithm - xp.special.betaln(a, b))


_BETAINC = Primitive(
    "betainc",
    lambda xp, a, b, x: xp.special.betainc(a, b, x),
    a=None,
    b=None,
    x=lambda xp, g, a, b, x: g * _beta_density(xp, a, b, x),
)


def betainc(a: TensorLike, b: TensorLike, x: TensorLike, /) -> "Tensor":
    """Return the regularized incomplete beta function.

    The distributions of Student's t and of the F statistic are made of it.

    Parameters
    ----------
    a, b : Tensor
        Positive.
    x : Tensor
        Between 0 and 1; of a shape that broadcasts against those of `a` and `b`.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type: the integral of t**(a-1) * (1-t)**(b-1)
        from 0 to x, divided by beta(a, b); between 0 and 1.

    Raises
    ------
    NotImplementedError
        If `a` or `b` requires a gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.betainc(1.0, 2.0, ag.Tensor([0.25, 0.5])).tolist()
    [0.4375, 0.75]
    """
    like = next((_floating(each) for each in (x, a, b) if not is_number(each)), _floating(x))
    a, b, x = (
        asarray(each, dtype=like.dtype, device=like.device) if is_number(each) else _floating(each)
        for each in (a, b, x)
    )
    _refuse_gradient("betainc", "a", a)
    _refuse_gradient("betainc", "b", b)
    return record(_BETAINC, (a, b, x))


_ZETA = Primitive(
    "zeta",
    lambda xp, x, q: xp.special.zeta(x, q),
    x=None,
    q=lambda xp, g, x, q: -g * x * xp.special.zeta(x + 1, q),
)


def zeta(x: TensorLike, q: TensorLike, /) -> "Tensor":
    """Return the Hurwitz zeta function: the sum of (q + k)**-x over k = 0, 1, 2, ...

    Parameters
    ----------
    x : Tensor
        Greater than 1.
    q : Tensor
        Positive; of a shape that broadcasts against that of `x`. With 1 it is Riemann's zeta
        function.


    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Raises
    ------
    NotImplementedError
        If `x` requires a gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.zeta(ag.Tensor([2.0, 4.0]), 1.0).to(ag.float32)
    Tensor([1.644934 , 1.0823232], dtype=float32)
    """
    x, q = _pair(x, q)
    _refuse_gradient("zeta", "x", x)
    return record(_ZETA, (x, q))


# Logistic functions ------------------------------------------------------------------------------

_EXPIT = Primitive(
    "expit",
    lambda xp, x: xp.special.expit(x),
    x=lambda xp, g, out: g * (out * (1 - out)),
)


def expit(x: TensorLike, /) -> "Tensor":
    """Return the logistic function, 1 / (1 + exp(-x)), without overflow.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`, between 0 and 1.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.expit(ag.Tensor([0.0, -1000.0])).tolist()
    [0.5, 0.0]
    """
    x = _floating(x)
    _refuse_complex("expit", x)
    return record(_EXPIT, (x,))


def _log_expit(xp: Any, x: Any) -> Any:
    return xp.minimum(x, xp.zeros_like(x)) - xp.log1p(xp.exp(-xp.abs(x)))


_LOG_EXPIT = Primitive(
    "log_expit",
    _log_expit,
    x=lambda xp, g, x: g * xp.special.expit(-x),
)


def log_expit(x: TensorLike, /) -> "Tensor":
    """Return log(expit(x)), exact also where expit(x) is tiny or nearly 1.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.log_expit(ag.Tensor([0.0, -1000.0])).tolist()
    [-0.6931471805599453, -1000.0]
    """
    x = _floating(x)
    _refuse_complex("log_expit", x)
    return record(_LOG_EXPIT, (x,))


_LOGIT = Primitive(
    "logit",
    lambda xp, x: xp.special.logit(x),
    x=lambda xp, g, x: g / (x * (1 - x)),
)


def logit(x: TensorLike, /) -> "Tensor":
    """Return the inverse of expit, log(x / (1 - x)).

    Parameters
    ----------
    x : Tensor
        Probabilities, of any shape; for others the result is NaN.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.logit(ag.Tensor([0.0, 0.5, 1.0])).tolist()
    [-inf, 0.0, inf]
    """
    return record(_LOGIT, (_floating(x),))


# Entropy and its kin -----------------------------------------------------------------------------


def _harmless(xp: Any, x: Any, y: Any, edge: int) -> Any:
    """Return y, and edge + 1 where x is 0 and the logarithm would be infinite or none."""
    harmful = (x == 0) & ((y <= edge) | (y == math.inf))
    return xp.where(harmful, xp.full_like(y, edge + 1.0), y)


def _xlogy(xp: Any, x: Any, y: Any) -> Any:
    return x * xp.log(_harmless(xp, x, y, 0))


_XLOGY = Primitive(
    "xlogy",
    _xlogy,
    x=lambda xp, g, x, y: g * xp.log(_harmless(xp, x, y, 0)),
    y=lambda xp, g, x, y: g * x / _harmless(xp, x, y, 0),
)


def xlogy(x: TensorLike, y: TensorLike, /) -> "Tensor":
    """Return x * log(y), and 0 wherever x is 0.

    Parameters
    ----------
    x, y : Tensor
        Real, of shapes that broadcast against each other.


    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Notes
    -----
    Where x is 0 and y isn't positive, or infinite, both derivatives are taken as 0. Where y is NaN
    the result is NaN.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.xlogy(ag.Tensor([0.0, 2.0]), ag.Tensor([0.0, 1.0])).tolist()
    [0.0, 0.0]
    """
    return record(_XLOGY, _pair(x, y))


_XLOG1PY = Primitive(
    "xlog1py",
    lambda xp, x, y: x * xp.log1p(_harmless(xp, x, y, -1)),
    x=lambda xp, g, x, y: g * xp.log1p(_harmless(xp, x, y, -1)),
    y=lambda xp, g, x, y: g * x / (_harmless(xp, x, y, -1) + 1),
)


def xlog1py(x: TensorLike, y: TensorLike, /) -> "Tensor":
    """Return x * log(1 + y), exact also for tiny y, and 0 wherever x is 0.

    Parameters
    ----------
    x, y : Tensor
        Real, of shapes that broadcast against each other.


    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Notes
    -----
    Where x is 0 and y isn't greater than -1, or infinite, both derivatives are taken as 0.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.xlog1py(ag.Tensor([0.0, 2.0]), ag.Tensor([-1.0, 1e-20])).tolist()
    [0.0, 2e-20]
    """
    return record(_XLOG1PY, _pair(x, y))


def _entr(xp: Any, x: Any) -> Any:
    positive = xp.where(x <= 0, xp.ones_like(x), x)
    value = 0 - positive * xp.log(positive)
    return xp.where(x < 0, xp.full_like(x, -math.inf), value)


_ENTR = Primitive(
    "entr",
    _entr,
    x=lambda xp, g, x: -g * (xp.log(x) + 1),
)


def entr(x: TensorLike, /) -> "Tensor":
    """Return -x * log(x), whose sum over probabilities is their entropy.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; 0 for 0, -inf for negative
        numbers.

    Notes
    -----
    The derivative is infinite at 0.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.entr(ag.Tensor([0.0, 0.5, -1.0])).tolist()
    [0.0, 0.34657359027997264, -inf]
    """
    x = _floating(x)
    _refuse_complex("entr", x)
    return record(_ENTR, (x,))


def _both_positive(xp: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Return where both are positive, and both with ones elsewhere."""
    inside = (x > 0) & (y > 0)
    one = xp.ones_like(x + y)
    return inside, xp.where(inside, x, one), xp.where(inside, y, one)


def _rel_entr(xp: Any, x: Any, y: Any) -> Any:
    inside, x1, y1 = _both_positive(xp, x, y)
    # x / y could overflow, and log(x) - log(y) is inexact where they are nearly equal.
    near = xp.abs(x1 - y1) <= y1 / 2
    excess = xp.where(near, x1 - y1, xp.zeros_like(x1)) / y1
    value = x1 * xp.where(near, xp.log1p(excess), xp.log(x1) - xp.log(y1))
    zero = (x == 0) & (y >= 0)
    outside = xp.where(zero, xp.zeros_like(value), xp.full_like(value, math.inf))
    outside = xp.where(xp.isnan(x) | xp.isnan(y), xp.full_like(value, math.nan), outside)
    return xp.where(inside, value, outside)


def _rel_entr_x(xp: Any, g: Any, x: Any, y: Any) -> Any:
    inside, x, y = _both_positive(xp, x, y)
    g = g * (xp.log(x) - xp.log(y) + 1)
    return xp.where(inside, g, xp.zeros_like(g))


def _rel_entr_y(xp: Any, g: Any, x: Any, y: Any) -> Any:
    inside, x, y = _both_positive(xp, x, y)
    g = -g * x / y
    return xp.where(inside, g, xp.zeros_like(g))


_REL_ENTR = Primitive(
    "rel_entr",
    _rel_entr,
    x=_rel_entr_x,
    y=_rel_entr_y,
)


def rel_entr(x: TensorLike, y: TensorLike, /) -> "Tensor":
    """Return x * log(x / y), whose sum over two distributions is their relative entropy.

    Parameters
    ----------
    x, y : Tensor
        Real, of shapes that broadcast against each other.


    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; 0 where x is 0 and y isn't
        negative, and else, unless both are positive, infinity.

    Notes
    -----
    The derivatives are taken as 0 unless both x and y are positive.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.rel_entr(ag.Tensor([0.0, 1.0, 1.0]), ag.Tensor([0.0, 1.0, 0.0])).tolist()
    [0.0, 0.0, inf]
    """
    x, y = _pair(x, y)
    _refuse_complex("rel_entr", x, y)
    return record(_REL_ENTR, (x, y))


def kl_div(x: TensorLike, y: TensorLike, /) -> "Tensor":
    """Return x * log(x / y) - x + y, which is 0 where x equals y, and else positive.

    Parameters
    ----------
    x, y : Tensor
        Real, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; y where x is 0 and y isn't negative, and
        else, unless both are positive, infinity.

    Notes
    -----
    Over two distributions the sum is the same as that of `rel_entr`: it is that with what makes
    each term positive. PyTorch's loss of this name takes logarithms, in the other order.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.kl_div(ag.Tensor([0.0, 1.0]), 1.0).tolist()
    [1.0, 0.0]
    """
    x, y = _pair(x, y)
    return add(subtract(rel_entr(x, y), x), y)


# Sums of exponentials ----------------------------------------------------------------------------


def _logsumexp(xp: Any, x: Any, axis: Any) -> Any:
    if 0 in x.shape:
        return xp.sum(x, axis=axis, keepdims=True) - math.inf  # there is no greatest element
    peak = _finite(xp, xp.max(x, axis=axis, keepdims=True))
    total = xp.sum(xp.exp(x - peak), axis=axis, keepdims=True)
    nothing = total == 0  # where all are -inf; else it is at least 1
    value = xp.log(xp.where(nothing, xp.ones_like(total), total)) + peak
    return xp.where(nothing, xp.full_like(value, -math.inf), value)


def _finite(xp: Any, x: Any) -> Any:
    return xp.where(xp.isfinite(x), x, xp.zeros_like(x))


def _logsumexp_x(xp: Any, g: Any, x: Any, out: Any) -> Any:
    infinite = out == math.inf  # the infinite ones make it so, and the others have no part in it
    shares = xp.exp(xp.where(infinite, xp.zeros_like(x), x - _finite(xp, out)))
    return g * xp.where(infinite, xp.astype(x == out, shares.dtype), shares)


_LOGSUMEXP = Primitive("logsumexp", _logsumexp, x=_logsumexp_x)


def logsumexp(
    x: TensorLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False
) -> "Tensor":
    """Return log(sum(exp(x))) over axes, or of all elements, without overflow.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.
    axis : int or tuple of int, optional
        The axes to reduce; all of them by default.
    keepdims : bool
        Keep these axes, with length 1.

    Returns
    -------
    Tensor
        Without the reduced axes, of the data type of `x`; -inf of no elements, or of such as are
        all -inf.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.logsumexp(ag.Tensor([[1000.0, 1000.0], [0.0, 1.0]]), axis=1).tolist()
    [1000.6931471805599, 1.3132616875182228]
    """
    x = _floating(x)
    if axis is None:
        axis = tuple(range(x.ndim))
    result = record(_LOGSUMEXP, (x,), axis=axis)
    return result if keepdims or axis == () else squeeze(result, axis=axis)


def _softmax_x(xp: Any, g: Any, out: Any, axis: int) -> Any:
    weighted = g * out
    return weighted - out * xp.sum(weighted, axis=axis, keepdims=True)


_SOFTMAX = Primitive("softmax", x=_softmax_x)


def softmax(x: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return exp(x) / sum(exp(x)) along an axis, without overflow.

    Parameters
    ----------
    x : Tensor
        Scores; floating-point. One that is -inf gets the probability 0.
    axis : int
        The axis along which the probabilities add up to 1.

    Returns
    -------
    Tensor
        Probabilities, of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.softmax(ag.Tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    if casting.state:
        x = cast_up(x)
    return record(_SOFTMAX, (x,), axis=axis)


def _log_softmax_x(xp: Any, g: Any, out: Any, axis: int) -> Any:
    return g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True)


_LOG_SOFTMAX = Primitive("log_softmax", x=_log_softmax_x)


def log_softmax(x: TensorLike, /, *, axis: int = -1) -> "Tensor":
    """Return log(softmax(x)) along an axis, exact also where softmax(x) is tiny.

    Parameters
    ----------
    x : Tensor
        Scores; floating-point. One that is -inf stays so.
    axis : int
        The axis along which the probabilities add up to 1.

    Returns
    -------
    Tensor
        Logarithms of probabilities, in nats, of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.log_softmax(ag.Tensor([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """
    if casting.state:
        x = cast_up(x)
    return record(_LOG_SOFTMAX, (x,), axis=axis)


# Bessel functions and others ---------------------------------------------------------------------

_I0 = Primitive(
    "i0",
    lambda xp, x: xp.special.i0(x),
    x=lambda xp, g, x: g * xp.special.i1(x),
)


def i0(x: TensorLike, /) -> "Tensor":
    """Return the modified Bessel function of the first kind and order 0.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.i0(ag.Tensor([0.0, 1.0])).to(ag.float32)
    Tensor([1.       , 1.2660658], dtype=float32)
    """
    return record(_I0, (_floating(x),))


_I0E = Primitive(
    "i0e",
    lambda xp, x: xp.special.i0e(x),
    x=lambda xp, g, x, out: g * (xp.special.i1e(x) - xp.sign(x) * out),
)


def i0e(x: TensorLike, /) -> "Tensor":
    """Return exp(-abs(x)) * i0(x), which doesn't overflow.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.i0e(ag.Tensor([0.0, 1.0])).tolist()
    [1.0, 0.46575960759364043]
    """
    return record(_I0E, (_floating(x),))


def _over_x(xp: Any, value: Any, x: Any, limit: float) -> Any:
    """Return value / x, and the limit where x is 0."""
    zero = x == 0
    ratio = value / xp.where(zero, xp.ones_like(x), x)
    return xp.where(zero, xp.full_like(ratio, limit), ratio)


_I1 = Primitive(
    "i1",
    lambda xp, x: xp.special.i1(x),
    x=lambda xp, g, x, out: g * (xp.special.i0(x) - _over_x(xp, out, x, 0.5)),
)


def i1(x: TensorLike, /) -> "Tensor":
    """Return the modified Bessel function of the first kind and order 1.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.i1(ag.Tensor([0.0, 1.0])).to(ag.float32)
    Tensor([0.       , 0.5651591], dtype=float32)
    """
    return record(_I1, (_floating(x),))


def _i1e_x(xp: Any, g: Any, x: Any, out: Any) -> Any:
    return g * (xp.special.i0e(x) - xp.sign(x) * out - _over_x(xp, out, x, 0.5))


_I1E = Primitive(
    "i1e",
    lambda xp, x: xp.special.i1e(x),
    x=_i1e_x,
)


def i1e(x: TensorLike, /) -> "Tensor":
    """Return exp(-abs(x)) * i1(x), which doesn't overflow.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.i1e(ag.Tensor([0.0, 1.0])).tolist()
    [0.0, 0.2079104153497085]
    """
    return record(_I1E, (_floating(x),))


def _sinc_x(xp: Any, g: Any, x: Any, out: Any) -> Any:
    # (cos(πx) - sinc(x)) / x; near 0, where digits would cancel, the series of sin(u) / u by terms
    square = (x * math.pi) ** 2
    series = xp.zeros_like(x)
    for k in range(8, 0, -1):
        series = series * square + (-1) ** k * 2 * k / math.factorial(2 * k + 1)
    near = square < 0.25
    far = (xp.cos(x * math.pi) - out) / xp.where(near, xp.ones_like(x), x)
    return g * xp.where(near, series * x * math.pi**2, far)


_SINC = Primitive(
    "sinc",
    lambda xp, x: _over_x(xp, xp.sin(x * math.pi), x * math.pi, 1.0),
    x=_sinc_x,
)


def sinc(x: TensorLike, /) -> "Tensor":
    """Return sin(πx) / (πx), and 1 at 0.

    Parameters
    ----------
    x : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.special.sinc(ag.Tensor([0.0, 0.5])).tolist()
    [1.0, 0.6366197723675814]
    """
    return record(_SINC, (_floating(x),))
