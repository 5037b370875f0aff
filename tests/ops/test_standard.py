"""Every name of the standard: its signature, its value, and its derivatives on drawn inputs.

The names come from array-api-strict, which has those of the standard and no others. One table says
how each is called: with which shapes (also of no dimensions, of no elements, and broadcast), axes,
options, and real and complex numbers. Inputs stay away from kinks and poles, so that finite
differences tell the derivatives. A name that is missing from the table fails a test.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import array_api_compat.numpy
import array_api_strict
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import agrad as ag

NUMPY = array_api_compat.numpy
EXAMPLES = {"slopes": 25, "torch": 8, "jax": 1}  # for each name


def drawing(examples: int) -> settings:
    """Return settings that draw the same examples in each run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# The standard's names ----------------------------------------------------------------------------


def standard_names() -> dict[str, Any]:
    """Return the standard's names and what array-api-strict has there: "sum", "linalg.det", ..."""
    own = {"ArrayAPIStrictFlags", "Device", "__version__"}  # its own, not the standard's
    own |= {name for name in array_api_strict.__all__ if name.endswith("array_api_strict_flags")}
    found = {}
    with array_api_strict.ArrayAPIStrictFlags(api_version="2025.12"):
        for name in sorted(set(array_api_strict.__all__) - own):
            found[name] = getattr(array_api_strict, name)
        for extension in ("linalg", "fft"):
            module = getattr(array_api_strict, extension)
            for name in module.__all__:
                found[f"{extension}.{name}"] = getattr(module, name)
    return found


STANDARD = standard_names()
# Of 2025.12, and not yet in array-api-strict
NEW = [name for name in ("linalg.eig", "linalg.eigvals") if name not in STANDARD]


def at(xp: Any, name: str) -> Any:
    """Return what a namespace has under a name, such as "sum" or "linalg.det"."""
    for part in name.split("."):
        xp = getattr(xp, part)
    return xp


# Drawing inputs ----------------------------------------------------------------------------------


class Call(NamedTuple):
    """A call with its inputs: ``function(xp, *inputs)`` gives one array."""

    function: Callable[..., Any]
    inputs: Sequence[np.ndarray]  # floating-point or complex
    can: bool = True  # whether other libraries can do it, too


class Domain(NamedTuple):
    """Where numbers are drawn from; `signed` adds their negatives."""

    low: float
    high: float
    signed: bool = False


ANY = Domain(0, 2, signed=True)
SMALL = Domain(0, 1, signed=True)
NOT_ZERO = Domain(0.2, 2, signed=True)
POSITIVE = Domain(0.3, 2)
REAL, COMPLEX = False, True
EITHER = st.booleans()


def shapes_of(*sides: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Draw shapes of up to three dimensions of these lengths."""
    return st.sampled_from([2, 3, 1, 0]).flatmap(lambda n: st.tuples(*[st.sampled_from(sides)] * n))


seeds = st.integers(0, 2**20)
lengths = st.sampled_from([2, 3, 1, 2, 3, 0, 2, 3])
not_empty = shapes_of(2, 3, 1)
shapes = st.one_of(not_empty, not_empty, shapes_of(2, 3, 0))
stacks = st.sampled_from([(), (2,), (1,), (0,), (), (2,)])


@st.composite
def broadcasting(draw: Any, number: int, max_dims: int = 3) -> list[tuple[int, ...]]:
    """Draw shapes that broadcast against each other."""
    shape = draw(shapes.filter(lambda shape: len(shape) <= max_dims))
    rng = np.random.default_rng(draw(seeds))
    drawn = []
    for _ in range(number):
        stretched = tuple(1 if rng.random() < 0.3 else n for n in shape)
        first = rng.integers(0, len(shape), endpoint=True) if rng.random() < 0.3 else 0
        drawn.append(stretched[first:])
    return drawn


@st.composite
def numbers(draw: Any, shape: Any, domain: Domain = ANY, is_complex: bool = False) -> np.ndarray:
    """Draw an array; of a complex one, both parts are drawn."""
    rng = np.random.default_rng(draw(seeds))

    def part() -> np.ndarray:
        x = rng.uniform(domain.low, domain.high, shape)
        return x * rng.choice([-1.0, 1.0], shape) if domain.signed else x

    return np.asarray(part() + 1j * part() if is_complex else part())


@st.composite
def distinct(draw: Any, shape: Any) -> np.ndarray:
    """Draw real numbers whose absolute values differ by 0.05 at least, and from 0."""
    rng = np.random.default_rng(draw(seeds))
    size = math.prod(shape)
    x = (1 + rng.permutation(size) + rng.uniform(-0.2, 0.2, size)) / 10
    return np.reshape(x * rng.choice([-1.0, 1.0], size), shape)


@st.composite
def axis_of(draw: Any, ndim: int) -> int:
    return draw(st.integers(-ndim, ndim - 1))


@st.composite
def axes_of(draw: Any, ndim: int) -> Any:
    """Draw None for all axes, or one, or several."""
    if ndim == 0:
        return None
    several = hnp.valid_tuple_axes(ndim, min_size=1)
    return draw(st.one_of(st.none(), axis_of(ndim), several))


def count(shape: tuple[int, ...], axis: Any) -> int:
    """Return how many elements a reduction makes one of."""
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis)
    return math.prod(shape[a] for a in axes)


def far_apart(x: np.ndarray, gap: float = 0.1) -> bool:
    """Return whether the numbers along the last axis are."""
    differences = abs(x[..., :, None] - x[..., None, :]) + 9 * np.eye(x.shape[-1])
    return bool(np.all(differences > gap))


# How each name is called -------------------------------------------------------------------------

SMOOTH: dict[str, st.SearchStrategy[Call]] = {}  # names with a derivative
FLAT: dict[str, st.SearchStrategy[Call]] = {}  # names without


def calls(*names: str, table: dict[str, Any] = SMOOTH) -> Any:
    """Enter a function that draws calls in a table, under each of these names."""

    def enter(drawing: Callable[..., Call]) -> Callable[..., Call]:
        for name in names:
            assert name not in SMOOTH, name
            assert name not in FLAT, name
            table[name] = st.composite(drawing)(name)
        return drawing

    return enter


# Element by element

UNARY = {
    "abs": NOT_ZERO, "acos": Domain(0, 0.9, True), "acosh": Domain(1.2, 3), "asin":
    Domain(0, 0.9, True), "asinh": ANY, "atan": ANY, "atanh": Domain(0, 0.9, True), "conj": ANY,
    "cos": ANY, "cosh": ANY, "exp": ANY, "expm1": ANY, "imag": ANY, "log": POSITIVE,
    "log10": POSITIVE, "log1p": Domain(-0.7, 2), "log2": POSITIVE, "negative": ANY,
    "positive": ANY, "real": ANY, "reciprocal": NOT_ZERO, "sin": ANY, "sinh": ANY,
    "sqrt": POSITIVE, "square": ANY, "tan": Domain(0, 1.2, True), "tanh": ANY,
}  # fmt: skip


@calls(*UNARY)
def unary(draw: Any, name: str) -> Call:
    is_complex = name == "imag" or draw(EITHER)  # of a real number, there is no imag
    domain = NOT_ZERO if is_complex else UNARY[name]  # all cuts lie on the two axes
    x = draw(numbers(draw(shapes), domain, is_complex))
    return Call(lambda xp, x: at(xp, name)(x), [x])


# Where the two are drawn from, whether they may be complex, and what must not be near 0
BINARY: dict[str, tuple[Domain, Domain, bool, Any]] = {
    "add": (ANY, ANY, COMPLEX, None),
    "atan2": (NOT_ZERO, NOT_ZERO, REAL, None),
    "copysign": (NOT_ZERO, NOT_ZERO, REAL, None),
    "divide": (ANY, NOT_ZERO, COMPLEX, None),
    "hypot": (NOT_ZERO, NOT_ZERO, REAL, None),
    "logaddexp": (ANY, ANY, REAL, None),
    "maximum": (ANY, ANY, REAL, np.subtract),
    "minimum": (ANY, ANY, REAL, np.subtract),
    "multiply": (ANY, ANY, COMPLEX, None),
    "pow": (POSITIVE, ANY, COMPLEX, None),
    "remainder": (ANY, Domain(0.6, 2, True), REAL, lambda x, y: np.sin(np.pi * x / y)),
    "subtract": (ANY, ANY, COMPLEX, None),
}


@calls(*BINARY)
def binary(draw: Any, name: str) -> Call:
    *domains, can_be_complex, kink = BINARY[name]
    two = draw(broadcasting(2))
    x, y = (
        draw(numbers(shape, domain, can_be_complex and draw(EITHER)))
        for shape, domain in zip(two, domains, strict=True)
    )
    number = draw(st.sampled_from([None, None, None, None, 0, 1]))  # which one is Python's, if any
    if number is not None:
        x, y = (x, y.reshape(-1)[:1]) if number else (x.reshape(-1)[:1], y)
        assume((x, y)[number].size)
    if kink is not None:
        assume(np.all(abs(kink(x, y)) > 0.02))
    if name == "copysign":  # by the sign, there is no derivative
        return Call(lambda xp, x: xp.copysign(x, xp.asarray(y)), [x])
    if number is None:
        return Call(lambda xp, x, y: at(xp, name)(x, y), [x, y])
    # A complex number beside a real array is not in the standard
    assume(np.iscomplexobj((x, y)[1 - number]) or not np.iscomplexobj((x, y)[number]))
    if number == 1:
        return Call(lambda xp, x: at(xp, name)(x, y.item()), [x], can=False)
    return Call(lambda xp, y: at(xp, name)(x.item(), y), [y], can=False)


@calls("clip")
def clip(draw: Any, name: str) -> Call:
    three = draw(broadcasting(3))
    x = draw(numbers(np.broadcast_shapes(*three)))  # the bounds don't stretch it
    low, high = draw(numbers(three[1])), draw(numbers(three[2])) + 2.5
    which = draw(st.integers(0, 3))
    for bound in (low, high):
        assume(np.all(abs(x - bound) > 0.02))
    if which == 0:
        return Call(lambda xp, x, low, high: xp.clip(x, low, high), [x, low, high])
    if which == 1:
        return Call(lambda xp, x, low: xp.clip(x, min=low), [x, low])
    if which == 2:
        return Call(lambda xp, x, high: xp.clip(x, max=high), [x, high])
    assume(np.all(abs(abs(x) - 0.5) > 0.02))
    return Call(lambda xp, x: xp.clip(x, -0.5, 0.5), [x])


@calls("where")
def where(draw: Any, name: str) -> Call:
    one, two, three = draw(broadcasting(3))
    condition = draw(numbers(one)) > 0
    is_complex = draw(EITHER)
    x, y = (draw(numbers(shape, ANY, is_complex)) for shape in (two, three))
    if draw(st.sampled_from([False, False, True])):
        return Call(lambda xp, x: xp.where(xp.asarray(condition), x, 0.5), [x], can=False)
    return Call(lambda xp, x, y: xp.where(xp.asarray(condition), x, y), [x, y])


# Reductions


def options_of(xp: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return options with the data type of a namespace in place of its name."""
    if options.get("dtype") is None:
        return options
    return options | {"dtype": getattr(xp, options["dtype"])}


@st.composite
def dtype_for(draw: Any, x: np.ndarray) -> str | None:
    """Draw a data type of double precision that x can be cast to, or None."""
    return draw(st.sampled_from([None, str(x.dtype), "complex128"]))


def stays(x: np.ndarray, options: dict[str, Any]) -> bool:
    """Return whether the data type stays: PyTorch has no gradient for real numbers made complex."""
    return options.get("dtype") in (None, str(x.dtype))


@calls("sum", "mean", "prod")
def reduction(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    axis = draw(axes_of(len(shape)))
    assume(name != "mean" or count(shape, axis))
    x = draw(numbers(shape, ANY if name != "prod" else SMALL, draw(EITHER)))
    if name == "prod" and draw(EITHER):
        x = x * (abs(x) > 0.3)  # zeros are no poles
    options: dict[str, Any] = {"axis": axis, "keepdims": draw(EITHER)}
    if name != "mean":
        options["dtype"] = draw(dtype_for(x))
    can = stays(x, options) and (name != "prod" or not isinstance(axis, tuple))  # PyTorch: one axis
    return Call(lambda xp, x: at(xp, name)(x, **options_of(xp, options)), [x], can)


@calls("max", "min")
def extreme(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    axis = draw(axes_of(len(shape)))
    assume(count(shape, axis))
    options: dict[str, Any] = {"axis": axis, "keepdims": draw(EITHER)}
    return Call(lambda xp, x: at(xp, name)(x, **options), [draw(distinct(shape))])


@calls("std", "var")
def spread(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    axis = draw(axes_of(len(shape)))
    correction = draw(st.sampled_from([0, 1, 0.5]))
    assume(count(shape, axis) > max(correction, 1))
    can = 0 not in shape and correction in (0, 1)  # PyTorch warns, or refuses
    options: dict[str, Any] = {"axis": axis, "keepdims": draw(EITHER), "correction": correction}
    return Call(lambda xp, x: at(xp, name)(x, **options), [draw(distinct(shape))], can)


@calls("cumulative_sum", "cumulative_prod")
def scan(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    assume(shape)
    axis = draw(st.none() if len(shape) == 1 and draw(EITHER) else axis_of(len(shape)))
    x = draw(numbers(shape, ANY if name == "cumulative_sum" else SMALL, draw(EITHER)))
    if name == "cumulative_prod" and draw(EITHER):
        x = x * (abs(x) > 0.3)
    options: dict[str, Any] = {"axis": axis, "include_initial": draw(EITHER)}
    options["dtype"] = draw(dtype_for(x))
    return Call(lambda xp, x: at(xp, name)(x, **options_of(xp, options)), [x], stays(x, options))


@calls("diff")
def diff(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    assume(shape)
    axis = draw(axis_of(len(shape)))
    is_complex = draw(EITHER)
    ends = [[*shape], [*shape]]
    for end in ends:
        end[axis] = draw(lengths)
    x, before, after = (draw(numbers(each, ANY, is_complex)) for each in (shape, *ends))
    n = draw(st.integers(0, 3))
    if draw(EITHER):
        assume(n or not is_complex)
        return Call(lambda xp, x: xp.diff(x, axis=axis, n=n), [x])
    assume(n)  # without differences, there is nothing to put beside
    return Call(
        lambda xp, x, y, z: xp.diff(x, axis=axis, n=n, prepend=y, append=z), [x, before, after]
    )


# Shapes


@st.composite
def an_array(draw: Any, shapes: st.SearchStrategy[Any] = shapes) -> np.ndarray:
    return draw(numbers(draw(shapes), ANY, draw(EITHER)))


@calls("asarray", "astype", "full", "full_like")
def making(draw: Any, name: str) -> Call:
    x = draw(an_array())
    copy = draw(st.sampled_from([True, None]))
    if name == "asarray":
        return Call(lambda xp, x: xp.asarray(x, copy=copy), [x], can=False)
    if name == "astype":
        widest = "complex128" if np.iscomplexobj(x) or draw(EITHER) else "float64"
        return Call(lambda xp, x: xp.astype(x, getattr(xp, widest), copy=bool(copy)), [x])
    # That the value may be an array is agrad's addition
    x, shape = draw(numbers((), ANY, np.iscomplexobj(x))), x.shape
    if name == "full":
        return Call(lambda xp, x: xp.full(shape, x), [x], can=False)
    like = np.zeros(shape, dtype=x.dtype)
    return Call(lambda xp, x: xp.full_like(xp.asarray(like), x), [x], can=False)


@calls("reshape")
def reshape(draw: Any, name: str) -> Call:
    x = draw(an_array())
    shape = draw(st.sampled_from([(-1,), x.shape[::-1], (*x.shape, 1), (1, *x.shape), (x.size,)]))
    copy = draw(st.sampled_from([None, True]))
    return Call(lambda xp, x: xp.reshape(x, shape, copy=copy), [x], can=copy is None)


@calls("permute_dims", "moveaxis", "matrix_transpose", "linalg.matrix_transpose")
def transposed(draw: Any, name: str) -> Call:
    x = draw(an_array())
    if name.endswith("matrix_transpose"):
        assume(x.ndim >= 2)
        return Call(lambda xp, x: at(xp, name)(x), [x])
    order = tuple(draw(st.permutations(range(x.ndim))))
    if name == "permute_dims":
        order = tuple(a - x.ndim if draw(EITHER) else a for a in order)
        return Call(lambda xp, x: xp.permute_dims(x, order), [x], can=min(order, default=0) >= 0)
    places = draw(hnp.valid_tuple_axes(x.ndim, min_size=0))
    if len(places) == 1 and draw(EITHER):
        return Call(lambda xp, x: xp.moveaxis(x, places[0], order[0]), [x])
    return Call(lambda xp, x: xp.moveaxis(x, places, order[: len(places)]), [x])


@calls("expand_dims", "squeeze")
def ones(draw: Any, name: str) -> Call:
    x = draw(an_array(shapes_of(1, 2, 1, 0)))
    axis: Any
    if name == "expand_dims":
        many = draw(EITHER)
        axis = draw(hnp.valid_tuple_axes(x.ndim + 2, min_size=2, max_size=2))
        if not many:
            axis = draw(axis_of(x.ndim + 1))
        return Call(lambda xp, x: xp.expand_dims(x, axis=axis), [x], can=not many)
    short = [a - back for a, n in enumerate(x.shape) if n == 1 for back in (0, x.ndim)]
    assume(short)
    axis = draw(st.sampled_from(short))
    if draw(EITHER):
        axis = tuple({a % x.ndim: a for a in short}.values())
    return Call(lambda xp, x: xp.squeeze(x, axis=axis), [x])


@calls("broadcast_to", "broadcast_arrays")
def broadcast(draw: Any, name: str) -> Call:
    many = draw(broadcasting(draw(st.integers(1, 3))))
    if name == "broadcast_to":
        shape = np.broadcast_shapes(*many)
        return Call(lambda xp, x: xp.broadcast_to(x, shape), [draw(an_array(st.just(many[0])))])
    is_complex = draw(EITHER)
    inputs = [draw(numbers(shape, ANY, is_complex)) for shape in many]
    return Call(lambda xp, *x: xp.stack(xp.broadcast_arrays(*x)), inputs)


@calls("meshgrid")
def meshgrid(draw: Any, name: str) -> Call:
    number, is_complex = draw(st.integers(1, 3)), draw(EITHER)
    inputs = [draw(numbers((draw(lengths),), ANY, is_complex)) for _ in range(number)]
    indexing = draw(st.sampled_from(["xy", "ij"]))
    return Call(lambda xp, *x: xp.stack(xp.meshgrid(*x, indexing=indexing)), inputs)


@calls("flip", "roll")
def turned(draw: Any, name: str) -> Call:
    x = draw(an_array())
    axis = draw(axes_of(x.ndim))
    if name == "flip":
        return Call(lambda xp, x: xp.flip(x, axis=axis), [x])
    steps = st.integers(-4, 4)
    shift: Any = draw(steps)
    if isinstance(axis, tuple):
        shift = tuple(draw(steps) for _ in axis)
    return Call(lambda xp, x: xp.roll(x, shift, axis=axis), [x])


@calls("concat", "stack")
def joined(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    axis = draw(axis_of(len(shape) + (name == "stack"))) if shape or name == "stack" else None
    parts = [[*shape] for _ in range(draw(st.integers(1, 3)))]
    if name == "concat" and draw(EITHER):
        axis = None
    if name == "concat" and axis is not None:
        for part in parts:
            part[axis] = draw(lengths)
    inputs = [draw(numbers(part, ANY, draw(EITHER))) for part in parts]
    if name == "stack":  # PyTorch's takes one data type
        inputs = [x + 0 * sum(y.reshape(-1)[:1].sum() for y in inputs) for x in inputs]
    return Call(lambda xp, *x: at(xp, name)(x, axis=axis), inputs)


@calls("unstack")
def unstack(draw: Any, name: str) -> Call:
    x = draw(an_array())
    assume(x.ndim)
    axis = draw(axis_of(x.ndim))
    assume(x.shape[axis])
    return Call(lambda xp, x: xp.stack(xp.unstack(x, axis=axis)[::-1]), [x])


@calls("tile", "repeat")
def repeated(draw: Any, name: str) -> Call:
    x = draw(an_array())
    if name == "tile":
        times = tuple(draw(st.lists(st.integers(0, 2), min_size=1, max_size=3)))
        return Call(lambda xp, x: xp.tile(x, times), [x])
    assume(x.ndim)
    axis = draw(st.none() if x.ndim == 1 and draw(EITHER) else axis_of(x.ndim))
    if draw(EITHER):
        number = draw(lengths)
        return Call(lambda xp, x: xp.repeat(x, number, axis=axis), [x])
    each = np.asarray([draw(lengths) for _ in range(x.shape[axis or 0])], dtype=np.int64)
    return Call(lambda xp, x: xp.repeat(x, xp.asarray(each), axis=axis), [x])


@calls("tril", "triu")
def triangle(draw: Any, name: str) -> Call:
    x = draw(an_array())
    assume(x.ndim >= 2)
    k = draw(st.integers(-4, 4))
    return Call(lambda xp, x: at(xp, name)(x, k=k), [x])


# Indexing, sorting, sets


@calls("take", "take_along_axis")
def taking(draw: Any, name: str) -> Call:
    x = draw(an_array())
    assume(x.ndim)
    axis = draw(axis_of(x.ndim))
    size = draw(lengths) if x.shape[axis] else 0
    rng = np.random.default_rng(draw(seeds))
    options = {} if name == "take" and x.ndim == 1 and draw(EITHER) else {"axis": axis}
    shape: Any = (size,)
    if name == "take_along_axis":
        shape = [*x.shape]
        shape[axis] = size
    indices = rng.integers(0, max(x.shape[axis], 1), shape)
    return Call(lambda xp, x: at(xp, name)(x, xp.asarray(indices), **options), [x])


@calls("sort")
def sort(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    assume(shape)
    options: dict[str, Any] = {"axis": draw(axis_of(len(shape))), "descending": draw(EITHER)}
    options["stable"] = draw(EITHER)
    return Call(lambda xp, x: xp.sort(x, **options), [draw(distinct(shape))])


@calls("unique_all", "unique_counts", "unique_inverse", "unique_values")
def unique(draw: Any, name: str) -> Call:
    x = draw(distinct(draw(shapes)))
    if name == "unique_values":
        return Call(lambda xp, x: xp.unique_values(x), [x])
    return Call(lambda xp, x: at(xp, name)(x).values, [x])


# Linear algebra


@st.composite
def matrices(draw: Any, square: bool = True, worst: float = 20) -> np.ndarray:
    """Draw a stack of matrices, of full rank and not too badly conditioned."""
    n = draw(lengths)
    m = n if square else draw(lengths)
    x = draw(numbers((*draw(stacks), n, m), ANY, draw(EITHER)))
    assume(x.size == 0 or np.all(np.linalg.cond(x) < worst))
    return x


def adjoint(xp: Any, x: Any) -> Any:
    return xp.conj(xp.matrix_transpose(x))


def squares(xp: Any, x: Any) -> Any:
    """Return what doesn't depend on the sign or phase of a vector."""
    return xp.real(x * xp.conj(x))


@calls("matmul", "linalg.matmul")
def matmul(draw: Any, name: str) -> Call:
    n, k, m = (draw(lengths) for _ in range(3))
    one, two = draw(broadcasting(2, max_dims=2))
    one, two = (*one, n, k), (*two, k, m)
    vector = draw(st.sampled_from([None, None, 0, 1, 2]))
    one = (k,) if vector in (0, 2) else one
    two = (k,) if vector in (1, 2) else two
    inputs = [draw(numbers(shape, ANY, draw(EITHER))) for shape in (one, two)]
    return Call(lambda xp, x, y: at(xp, name)(x, y), inputs, can=same_type(inputs))


def same_type(inputs: list[np.ndarray]) -> bool:
    """Return whether PyTorch's linear algebra takes them together."""
    return len({x.dtype for x in inputs}) == 1


@calls("vecdot", "linalg.vecdot", "linalg.cross")
def vectors(draw: Any, name: str) -> Call:
    n = 3 if name == "linalg.cross" else draw(lengths)
    two = [(*shape, n) for shape in draw(broadcasting(2, max_dims=2))]
    inputs = [draw(numbers(shape, ANY, draw(EITHER))) for shape in two]
    axis = -1
    if all(x.ndim > 1 for x in inputs) and draw(EITHER):
        axis = -2
        inputs = [np.moveaxis(x, -1, -2).copy() for x in inputs]
    return Call(lambda xp, x, y: at(xp, name)(x, y, axis=axis), inputs, can=same_type(inputs))


@calls("linalg.outer")
def outer(draw: Any, name: str) -> Call:
    inputs = [draw(numbers((draw(lengths),), ANY, draw(EITHER))) for _ in range(2)]
    return Call(lambda xp, x, y: xp.linalg.outer(x, y), inputs)


@calls("tensordot", "linalg.tensordot")
def tensordot(draw: Any, name: str) -> Call:
    few = st.lists(lengths, max_size=2).map(tuple)
    summed, one, two = draw(few), draw(few), draw(few)
    inputs = [
        draw(numbers(shape, ANY, draw(EITHER))) for shape in ((*one, *summed), (*summed, *two))
    ]
    axes: Any = len(summed)
    if draw(EITHER):
        places = []
        for i, x in enumerate(inputs):
            order = draw(st.permutations(range(x.ndim)))
            inputs[i] = np.transpose(x, order).copy()
            old = range(x.ndim)[-axes:] if i == 0 else range(axes)
            places.append(
                [order.index(a) - draw(st.sampled_from([0, x.ndim])) for a in old if axes]
            )
        axes = tuple(places)
    return Call(lambda xp, x, y: at(xp, name)(x, y, axes=axes), inputs, can=same_type(inputs))


@calls("linalg.diagonal", "linalg.trace")
def diagonal(draw: Any, name: str) -> Call:
    x = draw(an_array())
    assume(x.ndim >= 2)
    options: dict[str, Any] = {"offset": draw(st.integers(-4, 4))}
    if name == "linalg.trace":
        options["dtype"] = draw(dtype_for(x))
    return Call(lambda xp, x: at(xp, name)(x, **options_of(xp, options)), [x], stays(x, options))


@calls("linalg.inv", "linalg.slogdet", "linalg.matrix_power", "linalg.det")
def of_square(draw: Any, name: str) -> Call:
    x = draw(matrices(worst=1e99 if name == "linalg.det" else 20))
    if name == "linalg.slogdet":
        return Call(lambda xp, x: xp.multiply(*xp.linalg.slogdet(x)), [x])
    if name == "linalg.matrix_power":
        n = draw(st.sampled_from([1, 2, 3, 5, -1, -2]))
        return Call(lambda xp, x: xp.linalg.matrix_power(x, n), [x])
    if name == "linalg.det" and x.shape[-1] > 1 and draw(EITHER):
        x[..., 0, :] = x[..., 1, :]  # a singular one has a gradient, too
        return Call(lambda xp, x: xp.linalg.det(x), [x], can=not np.iscomplexobj(x))
    return Call(lambda xp, x: at(xp, name)(x), [x])


@calls("linalg.solve")
def solve(draw: Any, name: str) -> Call:
    x = draw(matrices())
    n, kind = x.shape[-1], draw(st.sampled_from(["vector", "matrix", "stack"]))
    shape: tuple[int, ...] = (n,)
    if kind != "vector":
        stack = x.shape[:-2] if kind == "matrix" else draw(st.sampled_from([(), (1,), (2, 1)]))
        shape = (*stack, n, draw(lengths))
    y = draw(numbers(shape, ANY, draw(EITHER)))
    can = same_type([x, y]) and y.ndim != 1  # PyTorch takes some vectors for matrices
    return Call(lambda xp, x, y: xp.linalg.solve(x, y), [x, y], can)


@calls("linalg.cholesky")
def cholesky(draw: Any, name: str) -> Call:
    n = draw(lengths)
    x = draw(numbers((*draw(stacks), n, n + 1), ANY, draw(EITHER)))
    assume(x.size == 0 or np.all(np.linalg.cond(x) < 8))
    upper = draw(EITHER)
    return Call(lambda xp, x: xp.linalg.cholesky(x @ adjoint(xp, x), upper=upper), [x])


@calls("linalg.qr")
def qr(draw: Any, name: str) -> Call:
    x = draw(matrices(square=False))
    n, m = x.shape[-2:]
    k = min(n, m)
    assume(x.size == 0 or np.all(np.linalg.cond(x[..., :k]) < 20))
    part = draw(st.integers(0, 1))
    mode = draw(st.sampled_from(["reduced", "complete"])) if n <= m else "reduced"
    # LAPACK's signs may jump; squares don't show it
    return Call(lambda xp, x: xp.square(xp.linalg.qr(x, mode=mode)[part]), [x])


@calls("linalg.eigh", "linalg.eigvalsh")
def eigh(draw: Any, name: str) -> Call:
    x = draw(matrices(worst=1e99))
    assume(far_apart(np.linalg.eigvalsh(x + adjoint(np, x)), 0.3))
    if name == "linalg.eigvalsh":
        return Call(lambda xp, x: xp.linalg.eigvalsh(x + adjoint(xp, x)), [x])
    if draw(EITHER):
        return Call(lambda xp, x: xp.linalg.eigh(x + adjoint(xp, x))[0], [x])
    return Call(lambda xp, x: squares(xp, xp.linalg.eigh(x + adjoint(xp, x))[1]), [x])


@calls("linalg.eig", "linalg.eigvals")
def eig(draw: Any, name: str) -> Call:
    x = draw(matrices(worst=1e99))
    values, columns = np.linalg.eig(x)
    assume(far_apart(values, 0.5))
    assume(x.size == 0 or np.all(np.linalg.cond(columns) < 10))
    if name == "linalg.eigvals":
        return Call(lambda xp, x: xp.linalg.eigvals(x), [x])
    if draw(EITHER):
        return Call(lambda xp, x: xp.linalg.eig(x)[0], [x])
    return Call(lambda xp, x: squares(xp, 1j * xp.linalg.eig(x)[1]), [x])


def polar(xp: Any, u: Any, s: Any, vh: Any) -> Any:
    """Return what a pair of singular vectors gives whose common phase falls out."""
    return (u * xp.sqrt(s)[..., None, :]) @ vh


@calls("linalg.svd", "linalg.svdvals", "linalg.pinv")
def svd(draw: Any, name: str) -> Call:
    x = draw(matrices(square=False))
    assume(far_apart(np.linalg.svd(x)[1], 0.2))
    assume(np.all(np.linalg.svd(x)[1] > 0.2))
    if name != "linalg.svd":
        return Call(lambda xp, x: at(xp, name)(x), [x])
    part = draw(st.integers(0, 3))
    if part == 3:
        return Call(lambda xp, x: polar(xp, *xp.linalg.svd(x, full_matrices=False)), [x])
    if part == 1 and draw(EITHER):
        return Call(lambda xp, x: xp.linalg.svd(x)[1], [x], can=False)  # JAX refuses
    return Call(lambda xp, x: squares(xp, xp.linalg.svd(x, full_matrices=False)[part] + 0j), [x])


@calls("linalg.matrix_norm")
def matrix_norm(draw: Any, name: str) -> Call:
    x = draw(matrices(square=False))
    ord = draw(st.sampled_from(["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf]))
    assume(x.size or (ord == "fro" and 0 not in x.shape[:-2]))
    for axis in (-1, -2):
        assume(far_apart(np.sum(abs(x), axis=axis)))
    assume(np.all(abs(x) > 0.1))
    assume(far_apart(np.linalg.svd(x)[1], 0.2))
    keepdims = draw(EITHER)
    return Call(lambda xp, x: xp.linalg.matrix_norm(x, ord=ord, keepdims=keepdims), [x])


@calls("linalg.vector_norm")
def vector_norm(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    axis = draw(axes_of(len(shape)))
    ord = draw(st.sampled_from([2, 1, 2, 0, 2, 2.5, 0.5, -1, math.inf, -math.inf]))
    assume(count(shape, axis) or ord in (1, 2))
    x = draw(distinct(shape)) * (1 - 2j if draw(EITHER) else 1)
    options: dict[str, Any] = {"axis": axis, "ord": ord, "keepdims": draw(EITHER)}
    return Call(lambda xp, x: xp.linalg.vector_norm(x, **options), [x], can=bool(x.size and ord))


# Fourier transforms

norms = st.sampled_from(["backward", "ortho", "forward"])


@calls(*(f"fft.{name}" for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")))
def fft(draw: Any, name: str) -> Call:
    shape = draw(shapes_of(2, 3, 4, 5, 1, 0))
    assume(shape)
    axis = draw(axis_of(len(shape)))
    n = draw(st.one_of(st.none(), st.integers(1, 6)))
    least = 2 if name in ("fft.irfft", "fft.hfft") and n is None else 1
    assume(shape[axis] >= least and math.prod(shape) <= 30)
    x = draw(numbers(shape, ANY, name not in ("fft.rfft", "fft.ihfft")))
    options: dict[str, Any] = {"n": n, "axis": axis, "norm": draw(norms)}
    return Call(lambda xp, x: at(xp, name)(x, **options), [x], can=bool(x.size))


@calls("fft.fftn", "fft.ifftn", "fft.rfftn", "fft.irfftn")
def fftn(draw: Any, name: str) -> Call:
    shape = draw(shapes)
    assume(shape)
    axes: Any = draw(st.one_of(st.none(), hnp.valid_tuple_axes(len(shape), min_size=1)))
    places = [*range(len(shape))] if axes is None else axes
    s = None
    if axes is not None and draw(EITHER):
        s = tuple(draw(st.integers(1, 4)) for _ in axes)
    assume(all(shape[a] for a in places))
    assume(name != "fft.irfftn" or s is not None or shape[places[-1]] > 1)
    x = draw(numbers(shape, ANY, name != "fft.rfftn"))
    options: dict[str, Any] = {"s": s, "axes": axes, "norm": draw(norms)}
    return Call(lambda xp, x: at(xp, name)(x, **options), [x], can=bool(x.size))


@calls("fft.fftshift", "fft.ifftshift")
def fftshift(draw: Any, name: str) -> Call:
    x = draw(an_array())
    assume(x.ndim)  # NumPy fails
    axes = draw(axes_of(x.ndim))
    return Call(lambda xp, x: at(xp, name)(x, axes=axes), [x])


# Without a derivative: the inputs still require a gradient


@st.composite
def steps(draw: Any, shape: Any) -> np.ndarray:
    """Draw small multiples of a half, many of them equal."""
    return np.random.default_rng(draw(seeds)).integers(-4, 5, shape) / 2


@calls("ceil", "floor", "round", "trunc", "sign", "signbit", table=FLAT)
@calls("isfinite", "isinf", "isnan", table=FLAT)
def stairs(draw: Any, name: str) -> Call:
    x = draw(steps(draw(shapes)))
    if name.startswith("is") and x.size:
        x.reshape(-1)[0] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return Call(lambda xp, x: at(xp, name)(x), [x])


@calls("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", table=FLAT)
@calls("floor_divide", "nextafter", "isin", table=FLAT)
def comparison(draw: Any, name: str) -> Call:
    x, y = (draw(steps(shape)) for shape in draw(broadcasting(2)))
    if name == "floor_divide":
        y = y + 0.25
    return Call(lambda xp, x, y: at(xp, name)(x, y), [x, y])


@calls(*(f"logical_{name}" for name in ("and", "or", "xor", "not")), table=FLAT)
@calls(*(f"bitwise_{name}" for name in ("and", "or", "xor", "invert")), table=FLAT)
@calls("bitwise_left_shift", "bitwise_right_shift", table=FLAT)
def logic(draw: Any, name: str) -> Call:
    kind = "bool" if name.startswith("logical") else "int64"

    def function(xp: Any, *inputs: Any) -> Any:
        return at(xp, name)(*(xp.astype(abs(x) * 2, getattr(xp, kind)) for x in inputs))

    number = 1 if name.endswith(("not", "invert")) else 2
    return Call(function, [draw(steps(shape)) for shape in draw(broadcasting(number))])


@calls("all", "any", "count_nonzero", table=FLAT)
def truth(draw: Any, name: str) -> Call:
    x = draw(steps(draw(shapes)))
    options: dict[str, Any] = {"axis": draw(axes_of(x.ndim)), "keepdims": draw(EITHER)}
    return Call(lambda xp, x: at(xp, name)(x, **options), [x])


@calls("argmax", "argmin", "argsort", table=FLAT)
def places(draw: Any, name: str) -> Call:
    x = draw(distinct(draw(not_empty)))
    assume(x.ndim)
    options: dict[str, Any] = {"axis": draw(axis_of(x.ndim))}
    options["descending" if name == "argsort" else "keepdims"] = draw(EITHER)
    return Call(lambda xp, x: at(xp, name)(x, **options), [x])


@calls("nonzero", table=FLAT)
def nonzero(draw: Any, name: str) -> Call:
    x = draw(steps(draw(shapes)))
    assume(x.ndim)
    return Call(lambda xp, x: xp.stack(xp.nonzero(x)), [x])


@calls("searchsorted", table=FLAT)
def searchsorted(draw: Any, name: str) -> Call:
    x, y = np.sort(draw(steps((draw(lengths),)))), draw(steps(draw(shapes)))
    side = draw(st.sampled_from(["left", "right"]))
    return Call(lambda xp, x, y: xp.searchsorted(x, y, side=side), [x, y])


@calls("linalg.matrix_rank", table=FLAT)
def matrix_rank(draw: Any, name: str) -> Call:
    x = draw(matrices(square=False, worst=1e99))
    assume(0 not in x.shape[-2:])  # NumPy fails
    return Call(lambda xp, x: xp.linalg.matrix_rank(x), [x])


@calls("empty_like", "ones_like", "zeros_like", table=FLAT)
def like(draw: Any, name: str) -> Call:
    x = draw(an_array())
    if name == "empty_like":  # nobody knows what is in it
        return Call(lambda xp, x: xp.zeros_like(xp.empty_like(x)), [x])
    return Call(lambda xp, x: at(xp, name)(x), [x])


@calls("empty", "ones", "zeros", "eye", "arange", "linspace", table=FLAT)
@calls("fft.fftfreq", "fft.rfftfreq", table=FLAT)
def creation(draw: Any, name: str) -> Call:
    n, m = draw(lengths), draw(lengths)
    function: Callable[..., Any] = {
        "empty": lambda xp: xp.zeros_like(xp.empty((n, m), dtype=xp.float64)),
        "eye": lambda xp: xp.eye(n, m, k=1, dtype=xp.float64),
        "arange": lambda xp: xp.arange(n, n + m, 0.5, dtype=xp.float64),
        "linspace": lambda xp: xp.linspace(n, m, n, dtype=xp.float64),
    }.get(name) or (lambda xp: at(xp, name)(n + 1 if "fft" in name else (n, m), dtype=xp.float64))
    return Call(function, [])


# What takes or gives no arrays; test_creation.py, test_data_types.py, ... say what it does
NO_ARRAYS = [
    "__array_api_version__", "__array_namespace_info__", "broadcast_shapes", "can_cast", "e", "fft",
    "finfo", "from_dlpack", "iinfo", "inf", "isdtype", "linalg", "nan", "newaxis", "pi",
    "result_type", "bool", "complex64", "complex128", "float32", "float64", "int8", "int16",
    "int32", "int64", "uint8", "uint16", "uint32", "uint64",
]  # fmt: skip

# What other libraries haven't, or do otherwise
NO_REFERENCE = {
    **dict.fromkeys(
        ("unique_all", "unique_counts", "unique_inverse", "unique_values"),
        "Elsewhere, the distinct values have no derivative",
    ),
    **dict.fromkeys(("asarray", "full", "full_like"), "Elsewhere, they record nothing"),
}
NOT_IN_JAX = {
    "acosh": "JAX's derivative has the wrong sign where the real part is negative",
    "linalg.eig": "JAX has no derivative of eigenvectors",
}

# What must hold ----------------------------------------------------------------------------------


def test_every_name_is_in_the_table():
    assert sorted([*SMOOTH, *FLAT, *NO_ARRAYS]) == sorted([*STANDARD, *NEW])


@pytest.mark.parametrize("name", [*STANDARD, *NEW])
def test_agrad_has_it(name):
    space, _, short = name.rpartition(".")
    space = at(ag, space) if space else ag
    assert hasattr(space, short)
    assert short in space.__all__ or short.startswith("__")


def parameters(function: Any) -> list[tuple[Any, ...]]:
    """Return each parameter's name, kind and default."""
    found = inspect.signature(function).parameters.values()
    # array-api-strict has an object of its own for a device that isn't given: the array's; so says
    # None in agrad
    not_given = {p.name: None for p in found if type(p.default).__name__ == "Undef"}
    return [(p.name, p.kind.name, not_given.get(p.name, p.default)) for p in found]


@pytest.mark.parametrize("name", [name for name, f in STANDARD.items() if inspect.isroutine(f)])
def test_its_signature_is_the_standards(name):
    expected = parameters(STANDARD[name])
    if name == "expand_dims":
        expected[1] = ("axis", "POSITIONAL_OR_KEYWORD", 0)  # as the standard had it before 2025.12
    assert parameters(at(ag, name)) == expected


def close(found: Any, expected: Any, error: float) -> None:
    """Check each number up to an error relative to the greatest."""
    assert found.shape == expected.shape
    scale = 1 + np.max(abs(expected), initial=0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=error * scale)


def inner(xp: Any, x: Any, y: Any) -> Any:
    """Return the sum of the products of two arrays' elements, of complex ones part by part."""
    return xp.sum(xp.real(xp.conj(x) * y))


def like_random(x: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    part = rng.uniform(0.5, 1.5, x.shape)
    return np.asarray(part - 1j * rng.uniform(0.5, 1.5, x.shape) if np.iscomplexobj(x) else part)


def slope(function: Callable[[float], Any]) -> Any:
    """Return the derivative at 0, by differences of fourth order."""
    h = 3e-4
    near, far = (function(t) - function(-t) for t in (h, 2 * h))
    return (8 * near - far) / (12 * h)


def ahead(inputs: list[np.ndarray], directions: list[np.ndarray], t: float) -> list[np.ndarray]:
    return [x + t * d for x, d in zip(inputs, directions, strict=True)]


def gradients(call: Call, inputs: list[np.ndarray], g: np.ndarray) -> list[np.ndarray]:
    """Return the gradients with respect to the inputs, of the data types of these."""
    tensors = [ag.Tensor(x, requires_grad=True) for x in inputs]
    out = call.function(ag, *tensors)
    assert out.requires_grad
    out.backward(ag.Tensor(g.astype(str(out.dtype))))
    for x in tensors:
        assert x.grad is not None
        assert (x.grad.shape, x.grad.dtype) == (x.shape, x.dtype)
    return [x.grad.data for x in tensors]


def slopes(call: Call, inputs: list[np.ndarray], g: np.ndarray) -> list[np.ndarray]:
    """Return the same by differences."""
    result = [np.zeros_like(x) for x in inputs]
    for place, x in enumerate(inputs):
        for cell in np.ndindex(x.shape):
            for way in (1, 1j) if np.iscomplexobj(x) else (1,):
                step = [np.zeros_like(each) for each in inputs]
                step[place][cell] = way
                along = slope(lambda t, v=step: call.function(NUMPY, *ahead(inputs, v, t)))
                result[place][cell] += way * inner(np, g, along)
    return result


@pytest.mark.parametrize("name", SMOOTH)
@drawing(EXAMPLES["slopes"])
@given(data=st.data())
def test_its_derivatives_are_the_slopes(name, data):
    call = data.draw(SMOOTH[name])
    inputs = [np.array(x) for x in call.inputs]
    tensors = [ag.Tensor(x) for x in inputs]
    value = np.asarray(call.function(NUMPY, *inputs))
    out = call.function(ag, *tensors)
    assert out.dtype == value.dtype
    close(out.data, value, 1e-12)

    # The first derivatives, element by element
    g = like_random(value, 1)
    for found, expected in zip(gradients(call, inputs, g), slopes(call, inputs, g), strict=True):
        close(found, expected, 1e-6)

    # Along a direction
    v = [like_random(x, 2) for x in inputs]
    _, along = ag.jvp(lambda *x: call.function(ag, *x), tensors, [ag.Tensor(x) for x in v])
    close(along.data, slope(lambda t: call.function(NUMPY, *ahead(inputs, v, t))), 1e-6)

    # The second, along two
    def first_along(*x: Any) -> Any:
        _, pull = ag.vjp(lambda *x: call.function(ag, *x), *x)
        pairs = zip(pull(ag.Tensor(g)), v, strict=True)
        return sum(inner(ag, a, ag.Tensor(b)) for a, b in pairs)

    w = [like_random(x, 3) for x in inputs]
    second = ag.grad(first_along, argnums=tuple(range(len(inputs))))(*tensors)
    found = sum(inner(np, a.data, b) for a, b in zip(second, w, strict=True))
    expected = slope(lambda t: first_along(*map(ag.Tensor, ahead(inputs, w, t))).item())
    scale = 1 + sum(np.sum(abs(a.data)) for a in second)
    assert abs(found - expected) <= 1e-6 * scale


@pytest.mark.parametrize("name", SMOOTH)
@drawing(EXAMPLES["torch"])
@given(data=st.data())
def test_single_precision_gives_gradients_of_single_precision(name, data):
    call = data.draw(SMOOTH[name])
    single = {"float64": np.float32, "complex128": np.complex64}
    chosen = [data.draw(EITHER) for _ in call.inputs]
    if not any(chosen):
        chosen = [True for _ in chosen]
    inputs = [
        x.astype(single[str(x.dtype)]) if c else x for x, c in zip(call.inputs, chosen, strict=True)
    ]
    out = call.function(ag, *(ag.Tensor(x) for x in inputs))
    g = like_random(np.zeros(out.shape, dtype=str(out.dtype)), 1)
    found = gradients(call, inputs, g)  # checks their types
    wide = [x.astype(y.dtype) for x, y in zip(inputs, call.inputs, strict=True)]
    for a, b in zip(found, gradients(call, wide, g), strict=True):
        close(a, b, 1e-3)


@pytest.mark.parametrize("name", SMOOTH)
@drawing(EXAMPLES["torch"])
@given(data=st.data())
def test_pytorch_gives_the_same(name, data):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    import array_api_compat.torch

    if name in NO_REFERENCE:
        pytest.skip(NO_REFERENCE[name])
    call = data.draw(SMOOTH[name])
    assume(call.can)
    inputs = [torch.tensor(x, requires_grad=True) for x in call.inputs]
    value = call.function(array_api_compat.torch, *inputs)
    out = call.function(ag, *(ag.Tensor(x) for x in call.inputs))
    close(out.data, value.detach().resolve_conj().numpy(), 1e-10)
    g = like_random(out.data, 1)
    value.backward(torch.tensor(g))
    for found, x in zip(gradients(call, [*call.inputs], g), inputs, strict=True):
        close(found, x.grad.resolve_conj().numpy(), 1e-9)


@pytest.mark.parametrize("name", SMOOTH)
@drawing(EXAMPLES["jax"])
@given(data=st.data())
def test_jax_gives_the_same(name, data):
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    if name in NO_REFERENCE | NOT_IN_JAX:
        pytest.skip((NO_REFERENCE | NOT_IN_JAX)[name])
    call = data.draw(SMOOTH[name])
    assume(call.can and max(x.size for x in call.inputs) > 1)  # it compiles each: one must do
    value, pull = jax.vjp(lambda *x: call.function(jax.numpy, *x), *call.inputs)
    out = call.function(ag, *(ag.Tensor(x) for x in call.inputs))
    close(out.data, np.asarray(value), 1e-10)
    g = like_random(out.data, 1)
    # JAX's gradients are the conjugates of ours
    for found, x in zip(gradients(call, [*call.inputs], g), pull(np.conj(g)), strict=True):
        close(found, np.conj(x), 1e-9)


@pytest.mark.parametrize("name", FLAT)
@drawing(EXAMPLES["slopes"])
@given(data=st.data())
def test_what_has_no_derivative_requires_none(name, data):
    call = data.draw(FLAT[name])
    out = call.function(ag, *(ag.Tensor(x, requires_grad=True) for x in call.inputs))
    expected = np.asarray(call.function(NUMPY, *call.inputs))
    assert isinstance(out, ag.Tensor)
    assert not out.requires_grad
    assert (out.shape, out.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(out.data, expected)
