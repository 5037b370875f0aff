"""Element-wise functions, of real and complex numbers."""

from cases.table import between, case, complex_between, complexes, floats, ints

# Where each function of one argument is defined and smooth
UNARY = {
    "abs": (-2, 2), "acos": (-0.9, 0.9), "acosh": (1.2, 3), "asin": (-0.9, 0.9), "asinh": (-2, 2),
    "atan": (-2, 2), "atanh": (-0.9, 0.9), "cos": (-3, 3), "cosh": (-2, 2), "exp": (-2, 2),
    "expm1": (-2, 2), "log": (0.1, 3), "log10": (0.1, 3), "log1p": (-0.9, 3), "log2": (0.1, 3),
    "negative": (-2, 2), "positive": (-2, 2), "reciprocal": (0.3, 2), "sin": (-3, 3),
    "sinh": (-2, 2), "sqrt": (0.1, 3), "square": (-2, 2), "tan": (-1.2, 1.2), "tanh": (-2, 2),
}  # fmt: skip
for name, (low, high) in UNARY.items():
    for shape in [(2, 3), (), (0, 2)]:
        case(name, lambda xp, x, n=name: getattr(xp, n)(x), between(low, high, *shape))

BINARY = {
    "add": (-2, 2), "subtract": (-2, 2), "multiply": (-2, 2), "divide": (0.5, 2), "pow": (0.5, 2),
    "atan2": (-2, 2), "copysign": (-2, 2), "hypot": (-2, 2), "logaddexp": (-2, 2),
    "maximum": (-2, 2), "minimum": (-2, 2), "remainder": (0.3, 5),
}  # fmt: skip
BROADCASTS = [
    ((2, 3), (2, 3)),
    ((), ()),
    ((2, 3), (3,)),
    ((1,), (2, 3)),
    ((2, 1), (1, 3)),
    ((), (2, 2)),
    ((0, 2), (1, 2)),
]
for name, (low, high) in BINARY.items():
    for one, two in BROADCASTS:
        inputs = between(low, high, *one), between(low, high, *two)
        case(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), *inputs)

# With Python's numbers on either side
no_remainder = {"reference": "PyTorch has no gradient for number % tensor"}
for number in (2, 0.5):
    case("add", lambda xp, x, n=number: x + n, (2, 3))
    case("add", lambda xp, x, n=number: n + x, (2, 3))
    case("subtract", lambda xp, x, n=number: x - n, (2, 3))
    case("subtract", lambda xp, x, n=number: n - x, (2, 3))
    case("multiply", lambda xp, x, n=number: x * n, (2, 3))
    case("multiply", lambda xp, x, n=number: n * x, (2, 3))
    case("divide", lambda xp, x, n=number: x / n, (2, 3))
    case("divide", lambda xp, x, n=number: n / x, between(0.5, 2, 2, 3))
    case("remainder", lambda xp, x, n=number: x % n, between(0.1, 3, 2, 3))
    case("remainder", lambda xp, x, n=number: n % x, between(0.3, 3, 2, 3), without=no_remainder)
for exponent in (0, 1, 2, 3, -1, -2, 0.5, 2.5):
    case("pow", lambda xp, x, n=exponent: x**n, between(0.5, 2, 2, 3))
for base in (2, 0.5, 1, 0):
    case("pow", lambda xp, x, n=base: n**x, between(0.5, 2, 2, 3))
case("maximum", lambda xp, x: xp.maximum(x, 0.25), (2, 3))
case("minimum", lambda xp, x: xp.minimum(0.25, x), (2, 3))
case("atan2", lambda xp, x: xp.atan2(x, 0.25), (2, 3))

# Negative bases and zeros: x**0 is 1 and 0**x is 0 with derivatives of 0, not NaN
case("pow", lambda xp, x: x**2, floats([-1.5, 0.0, 2.0]))
case("pow", lambda xp, x: x**3, floats([-1.5, 0.0, 2.0]))
case("pow", lambda xp, x: x**1, floats([-1.5, 0.0, 2.0]))
case("pow", lambda xp, x: x**0, floats([-1.5, 0.0, 2.0]))
case("pow", lambda xp, x, n: x ** xp.astype(n, x.dtype), floats([-1.5, 0.0, 2.0]), ints([2, 2, 0]))

case("clip", lambda xp, x: xp.clip(x, -0.5, 1), (2, 3))
case("clip", lambda xp, x: xp.clip(x, min=0.0), (2, 3))
case("clip", lambda xp, x: xp.clip(x, max=0.0), (2, 3))
case("clip", lambda xp, x, y, z: xp.clip(x, y, z), (2, 3), between(-1, -0.5, 3), between(0.5, 1, 3))

# Complex numbers: by PyTorch's convention, dL/dRe + i dL/dIm

for name in (*UNARY, "sign"):
    if name != "abs":
        case(name, lambda xp, x, n=name: getattr(xp, n)(x), complex_between(0.2, 2, 2, 3))
for name in ("abs", "conj", "real", "imag", "sign"):
    case(name, lambda xp, x, n=name: getattr(xp, n)(x), complex_between(-2, 2, 2, 3))
    if name != "sign":  # array_api_compat warns at 0; see test_elementwise.py
        zeros = complexes([0, 1 + 1j])
        case(name, lambda xp, x, n=name: getattr(xp, n)(x), zeros, smooth=False)
for name in ("add", "subtract", "multiply", "divide", "pow"):
    one, two = complex_between(0.2, 2, 2, 1), complex_between(0.2, 2, 3)
    case(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), one, two)
    case(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), one, between(0.2, 2, 3))
    case(name, lambda xp, x, y, n=name: getattr(xp, n)(x, y), between(0.2, 2, 2, 1), two)
case("pow", lambda xp, x: x**3, complex_between(-2, 2, 3))
case("pow", lambda xp, x: x ** (1 + 2j), complex_between(0.2, 2, 3))
case("pow", lambda xp, x: (1 + 2j) ** x, complex_between(-2, 2, 3))
case("pow", lambda xp, x: 2.0**x, complex_between(-2, 2, 3))
case("real", lambda xp, x: xp.real(x * xp.conj(x)), complex_between(-2, 2, 3))
case("real", lambda xp, x: xp.real(xp.astype(x, xp.complex128) * 2j * xp.exp(1j * x)), (3,))
case("sum", lambda xp, x: xp.sum(x, axis=0), complex_between(-2, 2, 2, 3))
case("mean", lambda xp, x: xp.mean(x), complex_between(-2, 2, 2, 3))
case("prod", lambda xp, x: xp.prod(x, axis=1), complex_between(-2, 2, 2, 3))
case("cumulative_prod", lambda xp, x: xp.cumulative_prod(x), complex_between(-2, 2, 4))
case("matmul", lambda xp, x, y: x @ y, complex_between(-2, 2, 2, 3), complex_between(-2, 2, 3, 2))
case("matmul", lambda xp, x, y: x @ y, complex_between(-2, 2, 3), complex_between(-2, 2, 3))
case("getitem", lambda xp, x, i: x[i], complex_between(-2, 2, 4), ints([0, 2, 2]))
no_mixture = {"reference": "PyTorch's where has no gradient for real beside complex numbers"}
case(
    "where",
    lambda xp, x, y: xp.where(xp.real(x) > 0, x, y),
    complex_between(-2, 2, 4),
    (4,),
    without=no_mixture,
)
