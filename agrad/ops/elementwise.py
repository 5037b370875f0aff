"""Element-wise functions: each output element comes from the input elements at its place.

Arguments broadcast against each other. Each function stands beside its rules: ``g`` is the
gradient of the output, and a rule's further parameters are what it keeps for the backward pass.
"""

import math
from typing import TYPE_CHECKING, Any

from agrad.autograd import Primitive, record
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
    """Return the sum, x1 + x2."""
    return record(_ADD, (x1, x2))


_SUBTRACT = Primitive(
    "subtract",
    x1=lambda xp, g: g,
    x2=lambda xp, g: -g,
)


def subtract(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the difference, x1 - x2."""
    return record(_SUBTRACT, (x1, x2))


_MULTIPLY = Primitive(
    "multiply",
    x1=lambda xp, g, x2: g * x2,
    x2=lambda xp, g, x1: g * x1,
)


def multiply(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the product, x1 * x2."""
    return record(_MULTIPLY, (x1, x2))


_DIVIDE = Primitive(
    "divide",
    x1=lambda xp, g, x2: g / x2,
    x2=lambda xp, g, x2, out: -g * out / x2,
)


def divide(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the quotient, x1 / x2."""
    return record(_DIVIDE, (x1, x2))


_FLOOR_DIVIDE = Primitive("floor_divide", x1=None, x2=None)


def floor_divide(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the quotient rounded down, x1 // x2; it requires no gradient."""
    return record(_FLOOR_DIVIDE, (x1, x2))


_REMAINDER = Primitive(
    "remainder",
    x1=lambda xp, g: g,
    x2=lambda xp, g, x1, x2: -g * xp.floor(x1 / x2),
)


def remainder(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the remainder of x1 / x2 with the sign of x2, x1 % x2."""
    return record(_REMAINDER, (x1, x2))


def _pow_x1(xp: Any, g: Any, x1: Any, x2: Any) -> Any:
    # x1 ** -1 would make 0 * inf where the exponent is zero, and the derivative is 0 there.
    if isinstance(x2, (int, float)):
        return g * (x2 * x1 ** (x2 - 1 if x2 else 1))
    return g * (x2 * x1 ** xp.where(x2 == 0, xp.ones_like(x2), x2 - 1))


def _pow_x2(xp: Any, g: Any, x1: Any, x2: Any, out: Any) -> Any:
    # 0 ** x2 is constantly 0 for x2 > 0, though log(0) is -inf.
    if isinstance(x1, (int, float)):
        return g * out * math.log(x1) if x1 > 0 else g * out * (0.0 if x1 == 0 else math.nan)
    zero = x1 == 0
    return g * out * xp.where(zero, xp.zeros_like(x1), xp.log(xp.where(zero, xp.ones_like(x1), x1)))


_POW = Primitive("pow", x1=_pow_x1, x2=_pow_x2)


def pow(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the power, x1 ** x2."""
    return record(_POW, (x1, x2))


_NEGATIVE = Primitive("negative", x=lambda xp, g: -g)


def negative(x: TensorLike, /) -> "Tensor":
    """Return -x."""
    return record(_NEGATIVE, (x,))


_POSITIVE = Primitive("positive", x=lambda xp, g: g)


def positive(x: TensorLike, /) -> "Tensor":
    """Return +x."""
    return record(_POSITIVE, (x,))


_ABS = Primitive("abs", x=lambda xp, g, x: g * xp.sign(x))


def abs(x: TensorLike, /) -> "Tensor":
    """Return the absolute value, abs(x); its derivative at 0 is taken as 0."""
    return record(_ABS, (x,))


_SIGN = Primitive("sign", x=None)


def sign(x: TensorLike, /) -> "Tensor":
    """Return -1, 0 or 1 by the sign of x; it requires no gradient."""
    return record(_SIGN, (x,))


_SQUARE = Primitive("square", x=lambda xp, g, x: g * (2 * x))


def square(x: TensorLike, /) -> "Tensor":
    """Return x * x."""
    return record(_SQUARE, (x,))


_SQRT = Primitive("sqrt", x=lambda xp, g, out: g / (2 * out))


def sqrt(x: TensorLike, /) -> "Tensor":
    """Return the square root; its derivative at 0 is infinite."""
    return record(_SQRT, (x,))


_RECIPROCAL = Primitive("reciprocal", x=lambda xp, g, out: -g * out * out)


def reciprocal(x: TensorLike, /) -> "Tensor":
    """Return 1 / x."""
    return record(_RECIPROCAL, (x,))

# Exponentials and logarithms ---------------------------------------------------------------------

_EXP = Primitive("exp", x=lambda xp, g, out: g * out)


def exp(x: TensorLike, /) -> "Tensor":
    """Return e to the power x."""
    return record(_EXP, (x,))


_EXPM1 = Primitive("expm1", x=lambda xp, g, out: g * (out + 1))


def expm1(x: TensorLike, /) -> "Tensor":
    """Return exp(x) - 1, exact also for small x."""
    return record(_EXPM1, (x,))


_LOG = Primitive("log", x=lambda xp, g, x: g / x)


def log(x: TensorLike, /) -> "Tensor":
    """Return the natural logarithm."""
    return record(_LOG, (x,))


_LOG1P = Primitive("log1p", x=lambda xp, g, x: g / (1 + x))


def log1p(x: TensorLike, /) -> "Tensor":
    """Return log(1 + x), exact also for small x."""
    return record(_LOG1P, (x,))


_LOG2 = Primitive("log2", x=lambda xp, g, x: g / (x * math.log(2)))


def log2(x: TensorLike, /) -> "Tensor":
    """Return the logarithm to base 2."""
    return record(_LOG2, (x,))


_LOG10 = Primitive("log10", x=lambda xp, g, x: g / (x * math.log(10)))


def log10(x: TensorLike, /) -> "Tensor":
    """Return the logarithm to base 10."""
    return record(_LOG10, (x,))


_LOGADDEXP = Primitive(
    "logaddexp",
    x1=lambda xp, g, x1, out: g * xp.exp(x1 - out),
    x2=lambda xp, g, x2, out: g * xp.exp(x2 - out),
)


def logaddexp(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return log(exp(x1) + exp(x2)), without overflow."""
    return record(_LOGADDEXP, (x1, x2))

# Trigonometry and hyperbolic functions -----------------------------------------------------------

_SIN = Primitive("sin", x=lambda xp, g, x: g * xp.cos(x))


def sin(x: TensorLike, /) -> "Tensor":
    """Return the sine of x, in radians."""
    return record(_SIN, (x,))


_COS = Primitive("cos", x=lambda xp, g, x: -g * xp.sin(x))


def cos(x: TensorLike, /) -> "Tensor":
    """Return the cosine of x, in radians."""
    return record(_COS, (x,))


_TAN = Primitive("tan", x=lambda xp, g, out: g * (1 + out * out))


def tan(x: TensorLike, /) -> "Tensor":
    """Return the tangent of x, in radians."""
    return record(_TAN, (x,))


_ASIN = Primitive("asin", x=lambda xp, g, x: g / xp.sqrt(1 - x * x))


def asin(x: TensorLike, /) -> "Tensor":
    """Return the arc sine, in radians."""
    return record(_ASIN, (x,))


_ACOS = Primitive("acos", x=lambda xp, g, x: -g / xp.sqrt(1 - x * x))


def acos(x: TensorLike, /) -> "Tensor":
    """Return the arc cosine, in radians."""
    return record(_ACOS, (x,))


_ATAN = Primitive("atan", x=lambda xp, g, x: g / (1 + x * x))


def atan(x: TensorLike, /) -> "Tensor":
    """Return the arc tangent, in radians."""
    return record(_ATAN, (x,))


_ATAN2 = Primitive(
    "atan2",
    x1=lambda xp, g, x1, x2: g * x2 / (x1 * x1 + x2 * x2),
    x2=lambda xp, g, x1, x2: -g * x1 / (x1 * x1 + x2 * x2),
)


def atan2(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the angle of the point (x2, x1), in radians between -pi and pi."""
    return record(_ATAN2, (x1, x2))


_HYPOT = Primitive(
    "hypot",
    x1=lambda xp, g, x1, out: g * x1 / out,
    x2=lambda xp, g, x2, out: g * x2 / out,
)


def hypot(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the length of the vector (x1, x2), without overflow."""
    return record(_HYPOT, (x1, x2))


_SINH = Primitive("sinh", x=lambda xp, g, x: g * xp.cosh(x))


def sinh(x: TensorLike, /) -> "Tensor":
    """Return the hyperbolic sine."""
    return record(_SINH, (x,))


_COSH = Primitive("cosh", x=lambda xp, g, x: g * xp.sinh(x))


def cosh(x: TensorLike, /) -> "Tensor":
    """Return the hyperbolic cosine."""
    return record(_COSH, (x,))


_TANH = Primitive("tanh", x=lambda xp, g, out: g * (1 - out * out))


def tanh(x: TensorLike, /) -> "Tensor":
    """Return the hyperbolic tangent."""
    return record(_TANH, (x,))


_ASINH = Primitive("asinh", x=lambda xp, g, x: g / xp.sqrt(x * x + 1))


def asinh(x: TensorLike, /) -> "Tensor":
    """Return the inverse hyperbolic sine."""
    return record(_ASINH, (x,))


_ACOSH = Primitive("acosh", x=lambda xp, g, x: g / xp.sqrt(x * x - 1))


def acosh(x: TensorLike, /) -> "Tensor":
    """Return the inverse hyperbolic cosine."""
    return record(_ACOSH, (x,))


_ATANH = Primitive("atanh", x=lambda xp, g, x: g / (1 - x * x))


def atanh(x: TensorLike, /) -> "Tensor":
    """Return the inverse hyperbolic tangent."""
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
    """Return the greater of the two; where they are equal, each gets half the gradient."""
    return record(_MAXIMUM, (x1, x2))


_MINIMUM = Primitive(
    "minimum",
    x1=lambda xp, g, x1, x2: _where_larger(xp, g, x2, x1),
    x2=lambda xp, g, x1, x2: _where_larger(xp, g, x1, x2),
)


def minimum(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the smaller of the two; where they are equal, each gets half the gradient."""
    return record(_MINIMUM, (x1, x2))


def clip(
    x: TensorLike, /, min: TensorLike | None = None, max: TensorLike | None = None
) -> "Tensor":
    """Return x with what is under `min` or above `max` replaced by it."""
    x = positive(x) if min is None and max is None else x
    x = x if min is None else where(less(x, min), min, x)
    return x if max is None else where(greater(x, max), max, x)


_COPYSIGN = Primitive(
    "copysign",
    x1=lambda xp, g, x1, out: g * xp.sign(x1) * xp.sign(out),
    x2=None,
)


def copysign(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return x1 with the sign of x2."""
    return record(_COPYSIGN, (x1, x2))


_NEXTAFTER = Primitive("nextafter", x1=None, x2=None)


def nextafter(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the next number after x1 towards x2; it requires no gradient."""
    return record(_NEXTAFTER, (x1, x2))

# Rounding and tests: none requires a gradient ----------------------------------------------------

_CEIL = Primitive("ceil", x=None)


def ceil(x: TensorLike, /) -> "Tensor":
    """Return x rounded up."""
    return record(_CEIL, (x,))


_FLOOR = Primitive("floor", x=None)


def floor(x: TensorLike, /) -> "Tensor":
    """Return x rounded down."""
    return record(_FLOOR, (x,))


_ROUND = Primitive("round", x=None)


def round(x: TensorLike, /) -> "Tensor":
    """Return x rounded to the nearest integer, halves to even."""
    return record(_ROUND, (x,))


_TRUNC = Primitive("trunc", x=None)


def trunc(x: TensorLike, /) -> "Tensor":
    """Return x rounded towards zero."""
    return record(_TRUNC, (x,))


_ISFINITE = Primitive("isfinite", x=None)


def isfinite(x: TensorLike, /) -> "Tensor":
    """Return whether x is finite."""
    return record(_ISFINITE, (x,))


_ISINF = Primitive("isinf", x=None)


def isinf(x: TensorLike, /) -> "Tensor":
    """Return whether x is infinite."""
    return record(_ISINF, (x,))


_ISNAN = Primitive("isnan", x=None)


def isnan(x: TensorLike, /) -> "Tensor":
    """Return whether x is not a number."""
    return record(_ISNAN, (x,))


_SIGNBIT = Primitive("signbit", x=None)


def signbit(x: TensorLike, /) -> "Tensor":
    """Return whether the sign of x is negative, -0.0 included."""
    return record(_SIGNBIT, (x,))

# Comparisons, logic and bits: none requires a gradient -------------------------------------------

_EQUAL = Primitive("equal", x1=None, x2=None)


def equal(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 == x2."""
    return record(_EQUAL, (x1, x2))


_NOT_EQUAL = Primitive("not_equal", x1=None, x2=None)


def not_equal(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 != x2."""
    return record(_NOT_EQUAL, (x1, x2))


_LESS = Primitive("less", x1=None, x2=None)


def less(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 < x2."""
    return record(_LESS, (x1, x2))


_LESS_EQUAL = Primitive("less_equal", x1=None, x2=None)


def less_equal(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 <= x2."""
    return record(_LESS_EQUAL, (x1, x2))


_GREATER = Primitive("greater", x1=None, x2=None)


def greater(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 > x2."""
    return record(_GREATER, (x1, x2))


_GREATER_EQUAL = Primitive("greater_equal", x1=None, x2=None)


def greater_equal(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether x1 >= x2."""
    return record(_GREATER_EQUAL, (x1, x2))


_LOGICAL_AND = Primitive("logical_and", x1=None, x2=None)


def logical_and(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether both are true."""
    return record(_LOGICAL_AND, (x1, x2))


_LOGICAL_OR = Primitive("logical_or", x1=None, x2=None)


def logical_or(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether one is true."""
    return record(_LOGICAL_OR, (x1, x2))


_LOGICAL_XOR = Primitive("logical_xor", x1=None, x2=None)


def logical_xor(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return whether exactly one is true."""
    return record(_LOGICAL_XOR, (x1, x2))


_BITWISE_AND = Primitive("bitwise_and", x1=None, x2=None)


def bitwise_and(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the bits set in both, x1 & x2."""
    return record(_BITWISE_AND, (x1, x2))


_BITWISE_OR = Primitive("bitwise_or", x1=None, x2=None)


def bitwise_or(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the bits set in one or both, x1 | x2."""
    return record(_BITWISE_OR, (x1, x2))


_BITWISE_XOR = Primitive("bitwise_xor", x1=None, x2=None)


def bitwise_xor(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return the bits set in exactly one, x1 ^ x2."""
    return record(_BITWISE_XOR, (x1, x2))


_BITWISE_LEFT_SHIFT = Primitive("bitwise_left_shift", x1=None, x2=None)


def bitwise_left_shift(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return x1 * 2**x2, x1 << x2."""
    return record(_BITWISE_LEFT_SHIFT, (x1, x2))


_BITWISE_RIGHT_SHIFT = Primitive("bitwise_right_shift", x1=None, x2=None)


def bitwise_right_shift(x1: TensorLike, x2: TensorLike, /) -> "Tensor":
    """Return x1 // 2**x2, x1 >> x2."""
    return record(_BITWISE_RIGHT_SHIFT, (x1, x2))


_LOGICAL_NOT = Primitive("logical_not", x=None)


def logical_not(x: TensorLike, /) -> "Tensor":
    """Return whether x is false."""
    return record(_LOGICAL_NOT, (x,))


_BITWISE_INVERT = Primitive("bitwise_invert", x=None)


def bitwise_invert(x: TensorLike, /) -> "Tensor":
    """Return the bits flipped, ~x."""
    return record(_BITWISE_INVERT, (x,))

