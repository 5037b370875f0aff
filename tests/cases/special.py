"""Special functions."""

from cases.elementwise import BROADCASTS
from cases.table import between, case, floats, ints

for name in ("softmax", "log_softmax"):
    case(name, lambda xp, x, n=name: getattr(xp, n)(x), (4,))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x), (2, 3))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=0), (3, 2))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=-2), (2, 3, 2))
    case(name, lambda xp, x, n=name: getattr(xp, n)(x), floats([1000.0, 1001.0, 999.0]))

for options in ({}, {"axis": 0}, {"axis": (0, -1)}, {"axis": -2, "keepdims": True}):
    case("logsumexp", lambda xp, x, o=options: xp.logsumexp(x, **o), (2, 3, 2))
case("logsumexp", lambda xp, x: xp.logsumexp(x), ())
case("logsumexp", lambda xp, x: xp.logsumexp(x, axis=1), (0, 3))

own = {
    name: {"reference": "PyTorch has no such function"}
    for name in ("gamma", "beta", "betaln", "log_expit", "rel_entr", "kl_div")
}
own |= {"digamma": {"reference": "PyTorch's derivatives have nine digits"}}
SPECIAL = {
    "digamma": (0.3, 4), "entr": (0.1, 3), "erf": (-2, 2), "erfc": (-2, 3), "erfcx": (-2, 3),
    "erfinv": (-0.9, 0.9), "expit": (-4, 4), "gamma": (0.3, 4), "gammaln": (0.3, 4),
    "i0": (-3, 3), "i0e": (0.2, 5), "i1": (-3, 3), "i1e": (-5, -0.2), "log_expit": (-9, 4),
    "log_ndtr": (-9, 3), "logit": (0.1, 0.9), "ndtr": (-3, 3), "ndtri": (0.1, 0.9),
    "sinc": (-2, 2),
}  # fmt: skip
for name, (low, high) in SPECIAL.items():
    for shape in [(2, 3), (), (0, 2)]:
        case(
            f"special.{name}",
            lambda xp, x, n=name: getattr(xp.special, n)(x),
            between(low, high, *shape),
            without=own.get(name),
        )
case("special.gamma", lambda xp, x: xp.special.gamma(x), floats([-0.5, -1.5]), without=own["gamma"])
case("special.i1", lambda xp, x: xp.special.i1(x), floats([0.0, 1.0]))
# PyTorch's second derivative at 0 is 0; that it is -π²/3 is what the slopes tell
case("special.sinc", lambda xp, x: xp.special.sinc(x), floats([0.0, 1e-6, 0.1, -0.15, 0.16]))
for n in range(4):
    case(
        "special.polygamma",
        lambda xp, x, n=n: xp.special.polygamma(n, x),
        between(0.5, 4, 2, 3),
        without=own["digamma"],
    )

BINARY = {
    "beta": ((0.3, 3), (0.3, 3)), "betaln": ((0.3, 3), (0.3, 3)), "kl_div": ((0.1, 3), (0.1, 3)),
    "rel_entr": ((0.1, 3), (0.1, 3)), "xlog1py": ((-2, 2), (-0.8, 3)), "xlogy": ((-2, 2), (0.1, 3)),
}  # fmt: skip
for name, (first, second) in BINARY.items():
    for one, two in BROADCASTS:
        case(
            f"special.{name}",
            lambda xp, x, y, n=name: getattr(xp.special, n)(x, y),
            between(*first, *one),
            between(*second, *two),
            without=own.get(name),
        )
whole = ints([[1], [2], [4]])  # with respect to it there is no derivative
for name, shift in (("gammainc", 0), ("gammaincc", 0), ("zeta", 1)):
    case(
        f"special.{name}",
        lambda xp, a, x, n=name, s=shift: getattr(xp.special, n)(xp.astype(a + s, x.dtype), x),
        whole,
        between(0.5, 3, 2),
    )

case(
    "special.betainc",
    lambda xp, a, x: xp.special.betainc(xp.astype(a, x.dtype), 2.5, x),
    whole,
    between(0.1, 0.9, 2),
    without={"reference": "PyTorch has no such function"},
)
case("special.psi", lambda xp, x: xp.special.psi(x), between(0.3, 4, 2), without=own["digamma"])
