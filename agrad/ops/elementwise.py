"""Element-wise functions: each output element comes from the input elements at its place.

Arguments broadcast against each other. Each function stands beside its rules: ``g`` is the
gradient of the output, and a rule's further parameters are what it keeps for the backward pass.
"""

import cmath
import math
from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, record, record_view
from agrad.ops.casting import cast_up, casting
from agrad.ops.data_types import as_tensor, conjugate
from agrad.ops.searching import where
from agrad.typing import TensorLike

if TYPE_CHECKING:
    from agrad.tensor import Tensor

# Arithmetic --------------------------------------------------------------------------------------

_ADD = Primitive(
    "add",
    x1=lambda xp, g: g,
    x2=lambda xp, g: g,
)


def add(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the sum, x1 + x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.add(ag.Tensor([1, 2]), 10).tolist()
    [11, 12]
    """
    return record(_ADD, (x1, x2))


_SUBTRACT = Primitive(
    "subtract",
    x1=lambda xp, g: g,
    x2=lambda xp, g: -g,
)


def subtract(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the difference, x1 - x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.subtract(ag.Tensor([1, 2]), 10).tolist()
    [-9, -8]
    """
    return record(_SUBTRACT, (x1, x2))


_MULTIPLY = Primitive(
    "multiply",
    x1=lambda xp, g, x2: g * x2,
    x2=lambda xp, g, x1: g * x1,
)


def multiply(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the product, x1 * x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.multiply(ag.Tensor([[1], [2]]), ag.Tensor([3, 4])).tolist()
    [[3, 4], [6, 8]]
    """
    return record(_MULTIPLY, (x1, x2))


_DIVIDE = Primitive(
    "divide",
    x1=lambda xp, g, x2: g / x2,
    x2=lambda xp, g, x2, out: -g * out / x2,
)


def divide(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the quotient, x1 / x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted, floating-point data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.divide(ag.Tensor([1.0, 2.0]), 4).tolist()
    [0.25, 0.5]
    """
    return record(_DIVIDE, (x1, x2))


_FLOOR_DIVIDE = Primitive("floor_divide", x1=None, x2=None)


def floor_divide(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the quotient rounded down, x1 // x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.floor_divide(ag.Tensor([7, -7]), 2).tolist()
    [3, -4]
    """
    return record(_FLOOR_DIVIDE, (x1, x2))


_REMAINDER = Primitive(
    "remainder",
    x1=lambda xp, g: g,
    x2=lambda xp, g, x1, x2: -g * (x1 // x2),
)


def remainder(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the remainder of x1 / x2 with the sign of x2, x1 % x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Notes
    -----
    It jumps where x1 is a multiple of x2. The derivatives there are those beside the jump: 1 with
    respect to x1, -floor(x1 / x2) with respect to x2.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.remainder(ag.Tensor([7, -7]), 3).tolist()
    [1, 2]
    """
    return record(_REMAINDER, (x1, x2))


def _as_g(xp: Any, x: Any, g: Any) -> Any:
    """Cast an argument to the gradient's data type: integers would overflow in a formula."""
    return (
        x if isinstance(x, (int, float, complex)) or x.dtype == g.dtype else xp.astype(x, g.dtype)
    )


def _pow_x1(xp: Any, g: Any, x1: Any, x2: Any) -> Any:
    if isinstance(x2, (int, float, complex)):
        return g * (x2 * x1 ** (x2 - 1 if x2 else 1))
    # 0 ** 0 is constantly 1 in its base; the formula would make it 0 * 0 ** -1, which is NaN.
    x2 = _as_g(xp, x2, g)
    constant = xp.logical_and(x1 == 0, x2 == 0)
    return g * (x2 * x1 ** xp.where(constant, xp.ones_like(x2), x2 - 1))


def _pow_x2(xp: Any, g: Any, x1: Any, x2: Any, out: Any) -> Any:
    # 0 ** x2 is constantly 0 for x2 > 0, though log(0) is -inf.
    if isinstance(x1, complex):
        return g * out * cmath.log(x1) if x1 else g * out * 0.0
    if isinstance(x1, (int, float)):
        return g * out * math.log(x1) if x1 > 0 else g * out * (0.0 if x1 == 0 else math.nan)
    x1 = _as_g(xp, x1, g)
    zero = x1 == 0
    return g * out * xp.where(zero, xp.zeros_like(x1), xp.log(xp.where(zero, xp.ones_like(x1), x1)))


_POW = Primitive("pow", x1=_pow_x1, x2=_pow_x2)


def pow(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the power, x1 ** x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Notes
    -----
    At x1 = 0 the derivative with respect to x1 is 0 for an exponent of 0, and infinite for one
    between 0 and 1; that with respect to x2 is 0 for x2 >= 0. Where x1 < 0, the derivative with
    respect to x2 is NaN, since at exponents nearby the power is no real number.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.pow(ag.Tensor([1.0, 2.0, 3.0]), 2).tolist()
    [1.0, 4.0, 9.0]
    """
    if casting.state:
        x1, x2 = cast_up(x1), cast_up(x2)
    return record(_POW, (x1, x2))


_NEGATIVE = Primitive("negative", x=lambda xp, g: -g)


def negative(x: TensorLike, /) -> "Tensor":
    """Return -x.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.negative(ag.Tensor([1, -2])).tolist()
    [-1, 2]
    """
    return record(_NEGATIVE, (x,))


_POSITIVE = Primitive("positive", x=lambda xp, g: g)


def positive(x: TensorLike, /) -> "Tensor":
    """Return +x, a Tensor of the same values.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.positive(ag.Tensor([1, -2])).tolist()
    [1, -2]
    """
    return record(_POSITIVE, (x,))


_ABS = Primitive("abs", x=lambda xp, g, x: g * conjugate(xp, xp.sign(x)))


def abs(x: TensorLike, /) -> "Tensor":
    """Return the absolute value, for complex numbers a real one; its derivative at 0 is taken as 0.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.abs(ag.Tensor([-1.5, 2.0])).tolist()
    [1.5, 2.0]
    """
    return record(_ABS, (x,))


_SIGN = Primitive("sign", x=None)


def _complex_sign_x(xp: Any, g: Any, x: Any, out: Any) -> Any:
    # Of z / |z| only what is perpendicular to z changes it; at 0 the derivative is taken as 0.
    size = xp.abs(x)
    zero = size == 0
    g = g / xp.where(zero, xp.ones_like(size), size)
    turn = g - xp.conj(out) * xp.real(g * out)
    return xp.where(zero, xp.zeros_like(turn), turn)


_COMPLEX_SIGN = Primitive("sign", x=_complex_sign_x)


def sign(x: TensorLike, /) -> "Tensor":
    """Return -1, 0 or 1 by the sign of x; for complex numbers x / abs(x), and 0 for 0.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; it requires no gradient unless it is complex.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.sign(ag.Tensor([-1.5, 0.0, 2.0])).tolist()
    [-1.0, 0.0, 1.0]
    >>> ag.sign(ag.Tensor([3 + 4j])).tolist()
    [(0.6+0.8j)]
    """
    x = as_tensor(x)
    return record(_COMPLEX_SIGN if x.dtype.is_complex else _SIGN, (x,))


# Complex numbers ---------------------------------------------------------------------------------
# Rules work with the conjugate of what users see as the gradient: see `run_backward`.

_CONJ = Primitive("conj", x=lambda xp, g: xp.conj(g))


def conj(x: TensorLike, /) -> "Tensor":
    """Return the complex conjugate.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; `x` itself if it isn't complex.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.conj(ag.Tensor([1 + 2j])).tolist()
    [(1-2j)]
    """
    x = as_tensor(x)
    return record(_CONJ, (x,)) if x.dtype.is_complex else x


_REAL = Primitive("real", x=lambda xp, g: g)


def real(x: TensorLike, /) -> "Tensor":
    """Return the real part.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `x`, and the data type of its parts; `x` itself if it isn't complex.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.real(ag.Tensor([1 + 2j])).tolist()
    [1.0]
    """
    x = as_tensor(x)
    return record_view(_REAL, x) if x.dtype.is_complex else x


_IMAG = Primitive("imag", x=lambda xp, g, x_dtype: xp.astype(g, x_dtype) * -1j)
_IMAG_OF_REAL = Primitive("imag", lambda xp, x: xp.zeros_like(x), x=None)


def imag(x: TensorLike, /) -> "Tensor":
    """Return the imaginary part.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `x`, and the data type of its parts; zeros if it isn't complex.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.imag(ag.Tensor([1 + 2j])).tolist()
    [2.0]
    """
    x = as_tensor(x)
    return record_view(_IMAG, x) if x.dtype.is_complex else record(_IMAG_OF_REAL, (x,))


_SQUARE = Primitive("square", x=lambda xp, g, x: g * (2 * x))


def square(x: TensorLike, /) -> "Tensor":
    """Return x * x.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.square(ag.Tensor([-3, 2])).tolist()
    [9, 4]
    """
    if casting.state:
        x = cast_up(x)
    return record(_SQUARE, (x,))


_SQRT = Primitive("sqrt", x=lambda xp, g, out: g / (2 * out))


def sqrt(x: TensorLike, /) -> "Tensor":
    """Return the square root; its derivative at 0 is infinite.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.sqrt(ag.Tensor([4.0, 9.0])).tolist()
    [2.0, 3.0]
    """
    return record(_SQRT, (x,))


_RECIPROCAL = Primitive("reciprocal", x=lambda xp, g, out: -g * out * out)


def reciprocal(x: TensorLike, /) -> "Tensor":
    """Return 1 / x.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.reciprocal(ag.Tensor([4.0, 0.5])).tolist()
    [0.25, 2.0]
    """
    if casting.state:
        x = cast_up(x)
    return record(_RECIPROCAL, (x,))


# Exponentials and logarithms ---------------------------------------------------------------------

_EXP = Primitive("exp", x=lambda xp, g, out: g * out)


def exp(x: TensorLike, /) -> "Tensor":
    """Return e to the power x.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.exp(ag.Tensor([0.0, 1.0]))
    Tensor([1.        , 2.71828183], dtype=float64)
    """
    if casting.state:
        x = cast_up(x)
    return record(_EXP, (x,))


_EXPM1 = Primitive("expm1", x=lambda xp, g, out: g * (out + 1))


def expm1(x: TensorLike, /) -> "Tensor":
    """Return exp(x) - 1, exact also for small x.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.expm1(ag.Tensor([0.0, 1e-20])).tolist()
    [0.0, 1e-20]
    """
    if casting.state:
        x = cast_up(x)
    return record(_EXPM1, (x,))


_LOG = Primitive("log", x=lambda xp, g, x: g / x)


def log(x: TensorLike, /) -> "Tensor":
    """Return the natural logarithm: -inf at 0, NaN below.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.log(ag.Tensor([1.0, 2.0]))
    Tensor([0.        , 0.69314718], dtype=float64)
    """
    if casting.state:
        x = cast_up(x)
    return record(_LOG, (x,))


_LOG1P = Primitive("log1p", x=lambda xp, g, x: g / (1 + x))


def log1p(x: TensorLike, /) -> "Tensor":
    """Return log(1 + x), exact also for small x.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.log1p(ag.Tensor([0.0, 1e-20])).tolist()
    [0.0, 1e-20]
    """
    if casting.state:
        x = cast_up(x)
    return record(_LOG1P, (x,))


_LOG2 = Primitive("log2", x=lambda xp, g, x: g / (x * math.log(2)))


def log2(x: TensorLike, /) -> "Tensor":
    """Return the logarithm to base 2: -inf at 0, NaN below.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.log2(ag.Tensor([1.0, 8.0])).tolist()
    [0.0, 3.0]
    """
    if casting.state:
        x = cast_up(x)
    return record(_LOG2, (x,))


_LOG10 = Primitive("log10", x=lambda xp, g, x: g / (x * math.log(10)))


def log10(x: TensorLike, /) -> "Tensor":
    """Return the logarithm to base 10: -inf at 0, NaN below.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.log10(ag.Tensor([1.0, 100.0])).tolist()
    [0.0, 2.0]
    """
    if casting.state:
        x = cast_up(x)
    return record(_LOG10, (x,))


_LOGADDEXP = Primitive(
    "logaddexp",
    x1=lambda xp, g, x1, out: g * xp.exp(x1 - out),
    x2=lambda xp, g, x2, out: g * xp.exp(x2 - out),
)


def logaddexp(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return log(exp(x1) + exp(x2)), without overflow.

    Parameters
    ----------
    x1, x2 : Tensor
        Floating-point, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.logaddexp(ag.Tensor([1000.0]), 1000.0)  # 1000 + log(2)
    Tensor([1000.69314718], dtype=float64)
    """
    return record(_LOGADDEXP, (x1, x2))


# Trigonometry and hyperbolic functions -----------------------------------------------------------

_SIN = Primitive("sin", x=lambda xp, g, x: g * xp.cos(x))


def sin(x: TensorLike, /) -> "Tensor":
    """Return the sine.

    Parameters
    ----------
    x : Tensor
        Angles in radians; floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.sin(ag.Tensor([0.0, 1.0]))
    Tensor([0.        , 0.84147098], dtype=float64)
    """
    return record(_SIN, (x,))


_COS = Primitive("cos", x=lambda xp, g, x: -g * xp.sin(x))


def cos(x: TensorLike, /) -> "Tensor":
    """Return the cosine.

    Parameters
    ----------
    x : Tensor
        Angles in radians; floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.cos(ag.Tensor([0.0, 1.0]))
    Tensor([1.        , 0.54030231], dtype=float64)
    """
    return record(_COS, (x,))


_TAN = Primitive("tan", x=lambda xp, g, out: g * (1 + out * out))


def tan(x: TensorLike, /) -> "Tensor":
    """Return the tangent.

    Parameters
    ----------
    x : Tensor
        Angles in radians; floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.tan(ag.Tensor([0.0, 1.0]))
    Tensor([0.        , 1.55740772], dtype=float64)
    """
    if casting.state:
        x = cast_up(x)
    return record(_TAN, (x,))


_ASIN = Primitive("asin", x=lambda xp, g, x: g / xp.sqrt(1 - x * x))


def asin(x: TensorLike, /) -> "Tensor":
    """Return the arc sine, in radians; its derivative at -1 and 1 is infinite.

    Parameters
    ----------
    x : Tensor
        From -1 to 1, elsewhere the result is NaN; floating-point, of any shape.

    Returns
    -------
    Tensor
        From -π/2 to π/2, of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.asin(ag.Tensor([0.0, 1.0]))
    Tensor([0.        , 1.57079633], dtype=float64)
    """
    if casting.state:
        x = cast_up(x)
    return record(_ASIN, (x,))


_ACOS = Primitive("acos", x=lambda xp, g, x: -g / xp.sqrt(1 - x * x))


def acos(x: TensorLike, /) -> "Tensor":
    """Return the arc cosine, in radians; its derivative at -1 and 1 is infinite.

    Parameters
    ----------
    x : Tensor
        From -1 to 1, elsewhere the result is NaN; floating-point, of any shape.

    Returns
    -------
    Tensor
        From 0 to π, of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.acos(ag.Tensor([0.0, 1.0]))
    Tensor([1.57079633, 0.        ], dtype=float64)
    """
    if casting.state:
        x = cast_up(x)
    return record(_ACOS, (x,))


_ATAN = Primitive("atan", x=lambda xp, g, x: g / (1 + x * x))


def atan(x: TensorLike, /) -> "Tensor":
    """Return the arc tangent, in radians.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        From -π/2 to π/2, of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.atan(ag.Tensor([0.0, 1.0]))
    Tensor([0.        , 0.78539816], dtype=float64)
    """
    return record(_ATAN, (x,))


def _over_squares(xp: Any, g: Any, x1: Any, x2: Any) -> Any:
    """Return g * x1 / (x1**2 + x2**2)."""
    x1, x2 = _as_g(xp, x1, g), _as_g(xp, x2, g)
    return g * x1 / (x1 * x1 + x2 * x2)


_ATAN2 = Primitive(
    "atan2",
    x1=lambda xp, g, x1, x2: _over_squares(xp, g, x2, x1),
    x2=lambda xp, g, x1, x2: -_over_squares(xp, g, x1, x2),
)


def atan2(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the angle of the point (x2, x1), in radians.

    Parameters
    ----------
    x1, x2 : Tensor
        The point's height and its distance to the right; floating-point, of shapes that broadcast.

    Returns
    -------
    Tensor
        From -π to π, of the broadcast shape and the promoted data type.

    Notes
    -----
    At the point (0, 0) the derivatives are NaN.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.atan2(ag.Tensor([1.0, -1.0]), ag.Tensor([1.0, -1.0]))
    Tensor([ 0.78539816, -2.35619449], dtype=float64)
    """
    return record(_ATAN2, (x1, x2))


_HYPOT = Primitive(
    "hypot",
    x1=lambda xp, g, x1, out: g * x1 / out,
    x2=lambda xp, g, x2, out: g * x2 / out,
)


def hypot(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the length of the vector (x1, x2), without overflow.

    Parameters
    ----------
    x1, x2 : Tensor
        Floating-point, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Notes
    -----
    At (0, 0) the derivatives are NaN.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.hypot(ag.Tensor([3.0]), 4.0).tolist()
    [5.0]
    """
    return record(_HYPOT, (x1, x2))


_SINH = Primitive("sinh", x=lambda xp, g, x: g * xp.cosh(x))


def sinh(x: TensorLike, /) -> "Tensor":
    """Return the hyperbolic sine.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.sinh(ag.Tensor([0.0, 1.0]))
    Tensor([0.        , 1.17520119], dtype=float64)
    """
    if casting.state:
        x = cast_up(x)
    return record(_SINH, (x,))


_COSH = Primitive("cosh", x=lambda xp, g, x: g * xp.sinh(x))


def cosh(x: TensorLike, /) -> "Tensor":
    """Return the hyperbolic cosine.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.cosh(ag.Tensor([0.0, 1.0]))
    Tensor([1.        , 1.54308063], dtype=float64)
    """
    if casting.state:
        x = cast_up(x)
    return record(_COSH, (x,))


_TANH = Primitive("tanh", x=lambda xp, g, out: g * (1 - out * out))


def tanh(x: TensorLike, /) -> "Tensor":
    """Return the hyperbolic tangent.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.tanh(ag.Tensor([0.0, 1.0]))
    Tensor([0.        , 0.76159416], dtype=float64)
    """
    return record(_TANH, (x,))


_ASINH = Primitive("asinh", x=lambda xp, g, x: g / xp.sqrt(x * x + 1))


def asinh(x: TensorLike, /) -> "Tensor":
    """Return the inverse hyperbolic sine.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.asinh(ag.Tensor([0.0, 1.0]))
    Tensor([0.        , 0.88137359], dtype=float64)
    """
    return record(_ASINH, (x,))


# One root of the product would have the wrong sign for half of the complex numbers.
_ACOSH = Primitive("acosh", x=lambda xp, g, x: g / (xp.sqrt(x - 1) * xp.sqrt(x + 1)))


def acosh(x: TensorLike, /) -> "Tensor":
    """Return the inverse hyperbolic cosine; its derivative at 1 is infinite.

    Parameters
    ----------
    x : Tensor
        At least 1, elsewhere the result is NaN; floating-point, of any shape.

    Returns
    -------
    Tensor
        Not negative, of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.acosh(ag.Tensor([1.0, 2.0]))
    Tensor([0.       , 1.3169579], dtype=float64)
    """
    return record(_ACOSH, (x,))


_ATANH = Primitive("atanh", x=lambda xp, g, x: g / (1 - x * x))


def atanh(x: TensorLike, /) -> "Tensor":
    """Return the inverse hyperbolic tangent; it is infinite at -1 and 1.

    Parameters
    ----------
    x : Tensor
        From -1 to 1, elsewhere the result is NaN; floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.atanh(ag.Tensor([0.0, 0.5]))
    Tensor([0.        , 0.54930614], dtype=float64)
    """
    return record(_ATANH, (x,))


# Greater and smaller -----------------------------------------------------------------------------


def _where_larger(xp: Any, g: Any, x1: Any, x2: Any) -> Any:
    """Return g where x1 > x2, half of it where they are equal, else 0."""
    return xp.where(x1 > x2, g, xp.where(x1 == x2, g / 2, xp.zeros_like(g)))


_MAXIMUM = Primitive(
    "maximum",
    x1=lambda xp, g, x1, x2: _where_larger(xp, g, x1, x2),
    x2=lambda xp, g, x1, x2: _where_larger(xp, g, x2, x1),
)


def maximum(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the greater of the two; where they are equal, each gets half the gradient.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.maximum(ag.Tensor([1.0, 5.0]), 3.0).tolist()
    [3.0, 5.0]
    """
    return record(_MAXIMUM, (x1, x2))


_MINIMUM = Primitive(
    "minimum",
    x1=lambda xp, g, x1, x2: _where_larger(xp, g, x2, x1),
    x2=lambda xp, g, x1, x2: _where_larger(xp, g, x1, x2),
)


def minimum(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the smaller of the two; where they are equal, each gets half the gradient.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.minimum(ag.Tensor([1.0, 5.0]), 3.0).tolist()
    [1.0, 3.0]
    """
    return record(_MINIMUM, (x1, x2))


def clip(
    x: TensorLike, /, min: TensorLike | None = None, max: TensorLike | None = None
) -> "Tensor":
    """Return x with what is under `min` or above `max` replaced by it.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.
    min, max : Tensor, number or None
        The bounds, which broadcast against `x`; None for none.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Notes
    -----
    A replaced element's gradient goes to its bound. An element equal to a bound isn't replaced, and
    keeps its gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.clip(ag.Tensor([-2.0, 0.5, 3.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    x = positive(x) if min is None and max is None else x
    x = x if min is None else where(less(x, min), min, x)
    return x if max is None else where(greater(x, max), max, x)


_COPYSIGN = Primitive(
    "copysign",
    x1=lambda xp, g, x1, out: g * xp.sign(x1) * xp.sign(out),
    x2=None,
)


def copysign(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return x1 with the sign of x2.

    Parameters
    ----------
    x1 : Tensor
        The sizes; floating-point.
    x2 : Tensor
        The signs, of a shape that broadcasts against that of `x1`; no gradient reaches it.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type.

    Notes
    -----
    The derivative at x1 = 0 is taken as 0.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.copysign(ag.Tensor([1.0, -2.0]), -0.0).tolist()
    [-1.0, -2.0]
    """
    return record(_COPYSIGN, (x1, x2))


_NEXTAFTER = Primitive("nextafter", x1=None, x2=None)


def nextafter(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the next number after x1 towards x2 that the data type can hold.

    Parameters
    ----------
    x1, x2 : Tensor
        Floating-point, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nextafter(ag.Tensor([1.0]), 2.0).tolist()
    [1.0000000000000002]
    """
    return record(_NEXTAFTER, (x1, x2))


# Rounding and tests: none requires a gradient ----------------------------------------------------

_CEIL = Primitive("ceil", x=None)


def ceil(x: TensorLike, /) -> "Tensor":
    """Return x rounded up.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.ceil(ag.Tensor([-1.5, 0.5, 1.5, 2.5])).tolist()
    [-1.0, 1.0, 2.0, 3.0]
    """
    return record(_CEIL, (x,))


_FLOOR = Primitive("floor", x=None)


def floor(x: TensorLike, /) -> "Tensor":
    """Return x rounded down.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.floor(ag.Tensor([-1.5, 0.5, 1.5, 2.5])).tolist()
    [-2.0, 0.0, 1.0, 2.0]
    """
    return record(_FLOOR, (x,))


_ROUND = Primitive("round", x=None)


def round(x: TensorLike, /) -> "Tensor":
    """Return x rounded to the nearest integer, halves to the even one.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.round(ag.Tensor([-1.5, 0.5, 1.5, 2.5])).tolist()
    [-2.0, 0.0, 2.0, 2.0]
    """
    return record(_ROUND, (x,))


_TRUNC = Primitive("trunc", x=None)


def trunc(x: TensorLike, /) -> "Tensor":
    """Return x rounded towards zero.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.trunc(ag.Tensor([-1.5, 0.5, 1.5, 2.5])).tolist()
    [-1.0, 0.0, 1.0, 2.0]
    """
    return record(_TRUNC, (x,))


_ISFINITE = Primitive("isfinite", x=None)


def isfinite(x: TensorLike, /) -> "Tensor":
    """Return whether x is a finite number.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `x`, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.isfinite(ag.Tensor([1.0, float("inf"), float("nan")])).tolist()
    [True, False, False]
    """
    return record(_ISFINITE, (x,))


_ISINF = Primitive("isinf", x=None)


def isinf(x: TensorLike, /) -> "Tensor":
    """Return whether x is infinite, of either sign.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `x`, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.isinf(ag.Tensor([1.0, float("inf"), float("nan")])).tolist()
    [False, True, False]
    """
    return record(_ISINF, (x,))


_ISNAN = Primitive("isnan", x=None)


def isnan(x: TensorLike, /) -> "Tensor":
    """Return whether x is NaN, not a number.

    Parameters
    ----------
    x : Tensor
        Numeric, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `x`, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.isnan(ag.Tensor([1.0, float("inf"), float("nan")])).tolist()
    [False, False, True]
    """
    return record(_ISNAN, (x,))


_SIGNBIT = Primitive("signbit", x=None)


def signbit(x: TensorLike, /) -> "Tensor":
    """Return whether the sign of x is negative; that of -0.0 is.

    Parameters
    ----------
    x : Tensor
        Floating-point, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `x`, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.signbit(ag.Tensor([1.0, 0.0, -0.0])).tolist()
    [False, False, True]
    """
    return record(_SIGNBIT, (x,))


# Comparisons, logic and bits: none requires a gradient -------------------------------------------

_EQUAL = Primitive("equal", x1=None, x2=None)


def equal(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 == x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.equal(ag.Tensor([1, 2, 3]), 2).tolist()
    [False, True, False]
    """
    return record(_EQUAL, (x1, x2))


_NOT_EQUAL = Primitive("not_equal", x1=None, x2=None)


def not_equal(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 != x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.not_equal(ag.Tensor([1, 2, 3]), 2).tolist()
    [True, False, True]
    """
    return record(_NOT_EQUAL, (x1, x2))


_LESS = Primitive("less", x1=None, x2=None)


def less(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 < x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.less(ag.Tensor([1, 2, 3]), 2).tolist()
    [True, False, False]
    """
    return record(_LESS, (x1, x2))


_LESS_EQUAL = Primitive("less_equal", x1=None, x2=None)


def less_equal(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 <= x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.less_equal(ag.Tensor([1, 2, 3]), 2).tolist()
    [True, True, False]
    """
    return record(_LESS_EQUAL, (x1, x2))


_GREATER = Primitive("greater", x1=None, x2=None)


def greater(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 > x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.greater(ag.Tensor([1, 2, 3]), 2).tolist()
    [False, False, True]
    """
    return record(_GREATER, (x1, x2))


_GREATER_EQUAL = Primitive("greater_equal", x1=None, x2=None)


def greater_equal(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 >= x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Numeric, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.greater_equal(ag.Tensor([1, 2, 3]), 2).tolist()
    [False, True, True]
    """
    return record(_GREATER_EQUAL, (x1, x2))


_LOGICAL_AND = Primitive("logical_and", x1=None, x2=None)


def logical_and(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether both are true.

    Parameters
    ----------
    x1, x2 : Tensor
        Bools, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.logical_and(ag.Tensor([False, False, True]), ag.Tensor([False, True, True])).tolist()
    [False, False, True]
    """
    return record(_LOGICAL_AND, (x1, x2))


_LOGICAL_OR = Primitive("logical_or", x1=None, x2=None)


def logical_or(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether at least one is true.

    Parameters
    ----------
    x1, x2 : Tensor
        Bools, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.logical_or(ag.Tensor([False, False, True]), ag.Tensor([False, True, True])).tolist()
    [False, True, True]
    """
    return record(_LOGICAL_OR, (x1, x2))


_LOGICAL_XOR = Primitive("logical_xor", x1=None, x2=None)


def logical_xor(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether exactly one is true.

    Parameters
    ----------
    x1, x2 : Tensor
        Bools, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.logical_xor(ag.Tensor([False, False, True]), ag.Tensor([False, True, True])).tolist()
    [False, True, False]
    """
    return record(_LOGICAL_XOR, (x1, x2))


_BITWISE_AND = Primitive("bitwise_and", x1=None, x2=None)


def bitwise_and(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the bits set in both, x1 & x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Integers or bools, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.bitwise_and(ag.Tensor([0b0011]), 0b0101).tolist()
    [1]
    """
    return record(_BITWISE_AND, (x1, x2))


_BITWISE_OR = Primitive("bitwise_or", x1=None, x2=None)


def bitwise_or(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the bits set in one or both, x1 | x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Integers or bools, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.bitwise_or(ag.Tensor([0b0011]), 0b0101).tolist()
    [7]
    """
    return record(_BITWISE_OR, (x1, x2))


_BITWISE_XOR = Primitive("bitwise_xor", x1=None, x2=None)


def bitwise_xor(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the bits set in exactly one, x1 ^ x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Integers or bools, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.bitwise_xor(ag.Tensor([0b0011]), 0b0101).tolist()
    [6]
    """
    return record(_BITWISE_XOR, (x1, x2))


_BITWISE_LEFT_SHIFT = Primitive("bitwise_left_shift", x1=None, x2=None)


def bitwise_left_shift(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return x1 * 2**x2, x1 << x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Integers, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.bitwise_left_shift(ag.Tensor([1, 3]), 2).tolist()
    [4, 12]
    """
    return record(_BITWISE_LEFT_SHIFT, (x1, x2))


_BITWISE_RIGHT_SHIFT = Primitive("bitwise_right_shift", x1=None, x2=None)


def bitwise_right_shift(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return x1 // 2**x2, x1 >> x2.

    Parameters
    ----------
    x1, x2 : Tensor
        Integers, of shapes that broadcast against each other.

    Returns
    -------
    Tensor
        Of the broadcast shape and the promoted data type; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.bitwise_right_shift(ag.Tensor([4, 13]), 2).tolist()
    [1, 3]
    """
    return record(_BITWISE_RIGHT_SHIFT, (x1, x2))


_LOGICAL_NOT = Primitive("logical_not", x=None)


def logical_not(x: TensorLike, /) -> "Tensor":
    """Return whether x is false.

    Parameters
    ----------
    x : Tensor
        Bools, of any shape.

    Returns
    -------
    Tensor
        Of the shape of `x`, of bools; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.logical_not(ag.Tensor([False, True])).tolist()
    [True, False]
    """
    return record(_LOGICAL_NOT, (x,))


_BITWISE_INVERT = Primitive("bitwise_invert", x=None)


def bitwise_invert(x: TensorLike, /) -> "Tensor":
    """Return the bits flipped, ~x.

    Parameters
    ----------
    x : Tensor
        Integers or bools, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`; it requires no gradient.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.bitwise_invert(ag.Tensor([0, 5])).tolist()
    [-1, -6]
    """
    return record(_BITWISE_INVERT, (x,))
