"""Statistics: sums, means and the like over axes."""

from typing import Any

from cases.table import case, complex_between, floats

warns = dict.fromkeys(
    ("var", "std"),
    dict.fromkeys(("torch", "reference"), "PyTorch warns of the variance of no elements"),
)
AXES = [None, 0, -1, (0, 2), (-2,), (-1, 0, 1)]
for name in ("sum", "mean", "prod", "max", "min", "var", "std"):

    def reduction(xp: Any, x: Any, n: str = name, **options: Any) -> Any:
        return getattr(xp, n)(x, **options)

    no_tuples = dict.fromkeys(("torch", "reference"), "PyTorch's prod takes one axis")
    for axis in AXES:
        for keepdims in (False, True):
            case(
                name,
                lambda xp, x, a=axis, k=keepdims, f=reduction: f(xp, x, axis=a, keepdims=k),
                (2, 3, 2),
                without=no_tuples if name == "prod" and isinstance(axis, tuple) else {},
            )
    if name in ("sum", "mean", "prod", "max", "min"):
        case(name, lambda xp, x, f=reduction: f(xp, x), ())
    if name in ("sum", "prod"):
        case(name, lambda xp, x, f=reduction: f(xp, x), (0,))
        case(name, lambda xp, x, f=reduction: f(xp, x, axis=0), (0, 2))
    case(name, lambda xp, x, f=reduction: f(xp, x, axis=1), (0, 2), without=warns.get(name))
for name in ("var", "std"):
    case(name, lambda xp, x, n=name: getattr(xp, n)(x, correction=1), (4,))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=0, correction=1.0), (3, 2))
    case(
        name,
        lambda xp, x, n=name: getattr(xp, n)(x, axis=0),
        complex_between(-2, 2, 3, 2),
        without=dict.fromkeys(("strict", "strict-device1"), "its variance is of real numbers"),
    )
case("sum", lambda xp, x: xp.sum(x, dtype=xp.float64), (2, 3))
case("prod", lambda xp, x: xp.prod(x, dtype=xp.float64), (3,))

one_zero, two_zeros = [[1.5, 0.0, -2.0], [3.0, -1.0, 0.5]], [[1.5, 0.0, 0.0], [3.0, 0.0, 0.5]]
for zeros in (one_zero, two_zeros):
    for axis in (None, 0, 1):
        case("prod", lambda xp, x, a=axis: xp.prod(x, axis=a), floats(zeros))
    for axis in (0, 1):
        case("cumulative_prod", lambda xp, x, a=axis: xp.cumulative_prod(x, axis=a), floats(zeros))
for name in ("cumulative_sum", "cumulative_prod"):

    def scan(xp: Any, x: Any, n: str = name, **options: Any) -> Any:
        return getattr(xp, n)(x, **options)

    case(name, lambda xp, x, f=scan: f(xp, x), (5,))
    case(name, lambda xp, x, f=scan: f(xp, x), (1,))
    case(name, lambda xp, x, f=scan: f(xp, x, axis=0), (3, 2))
    case(name, lambda xp, x, f=scan: f(xp, x, axis=-2), (2, 3, 2))
    case(name, lambda xp, x, f=scan: f(xp, x, axis=0), (0, 2))
    case(name, lambda xp, x, f=scan: f(xp, x, include_initial=True), (4,))
    case(name, lambda xp, x, f=scan: f(xp, x, axis=-1, include_initial=True), (2, 3))

# Ties: those that are equal share the gradient
tied = [[1.0, 3.0, 3.0], [3.0, 0.0, 1.0]]
for name in ("max", "min"):
    for axis in (None, 0, 1):
        case(
            name,
            lambda xp, x, n=name, a=axis: getattr(xp, n)(x, axis=a),
            floats(tied),
            smooth=False,
        )
for name in ("maximum", "minimum"):
    case(
        name,
        lambda xp, x, y, n=name: getattr(xp, n)(x, y),
        floats(tied),
        floats([1.0, 2.0, 3.0]),
        smooth=False,
    )
case("abs", lambda xp, x: xp.abs(x), floats([-1.0, 0.0, 2.0]), smooth=False)
case("clip", lambda xp, x: xp.clip(x, 0.0, 1.0), floats([-1.0, 0.0, 0.5, 1.0, 2.0]), smooth=False)
