"""Every function's value and its first and second derivatives, on every array library.

How each function is called is written in the package `cases`, one file a chapter.
"""

import math
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import array_api_compat.numpy
import numpy as np
import pytest
import scipy.special

import agrad as ag
from cases import CASES, FLAT, Case, Drawn

# What is tested elsewhere, for it makes arrays, moves them, or doesn't take any
ELSEWHERE = {
    "test_creation.py": [
        "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like",
        "linspace", "ones", "ones_like", "zeros", "zeros_like",
    ],
    "test_constants.py": ["e", "inf", "nan", "newaxis", "pi"],
    "test_data_types.py": [
        "can_cast", "finfo", "iinfo", "isdtype", "result_type", "to_device",
    ],
    "test_inspection.py": ["__array_namespace_info__"],
    "test_fft.py": ["fft.fftfreq", "fft.rfftfreq"],
    "test_manipulation.py": ["broadcast_shapes"],
}  # fmt: skip

# What a case gives -------------------------------------------------------------------------------


class Numbers(NamedTuple):
    """A case's value and derivatives, for a random gradient g and random directions v."""

    value: np.ndarray
    first: list[np.ndarray]  # J'g: the gradient with respect to each floating-point input
    second: list[np.ndarray]  # the gradient of v'J'g with respect to each
    along: np.ndarray  # Jv: the gradient of v'J'g with respect to g


def is_float(x: np.ndarray) -> bool:
    return x.dtype in (np.float64, np.complex128)


def cotangent(value: np.ndarray) -> np.ndarray:
    drawn = Drawn(value.shape, 0.5, 2, is_complex=np.iscomplexobj(value))
    return drawn.draw(np.random.default_rng(1))


def directions(arrays: list[np.ndarray]) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    drawn = (Drawn(x.shape, -1, 1, np.iscomplexobj(x)) for x in arrays if is_float(x))
    return [x.draw(rng) for x in drawn]


def inner(xp: Any, x: Any, y: Any) -> Any:
    """Return the sum of the products of two arrays' elements, of complex ones part by part."""
    if ag.dtypes.dtype(x.dtype).is_complex:
        return xp.sum(xp.real(xp.conj(x) * y))
    return xp.sum(x * y)


def compute(case: Case, arrays: list[np.ndarray], place: Any) -> Numbers:
    """Run a case on Tensors of a place, with the rules over raw arrays and over Tensors."""
    inputs = [place.tensor(x, requires_grad=is_float(x)) for x in arrays]
    variables = [x for x in inputs if x.requires_grad]
    out = case.call(ag, *inputs)
    assert out.device == place.device
    value = place.numpy(out)
    g = place.tensor(cotangent(value), requires_grad=True)

    out.backward(g, retain_graph=True)
    first = [take_gradient(x, place) for x in variables]

    out.backward(g, create_graph=True)
    total = 0
    for x, v, expected in zip(variables, directions(arrays), first, strict=True):
        if x.grad is not None:
            total = total + inner(ag, x.grad, place.tensor(v))
        np.testing.assert_allclose(take_gradient(x, place), expected, rtol=1e-13, atol=1e-13)
    total.backward()
    second = [take_gradient(x, place) for x in variables]
    return Numbers(value, first, second, take_gradient(g, place))


def take_gradient(x: ag.Tensor, place: Any) -> np.ndarray:
    g, x.grad = x.grad, None
    if g is None:  # the output doesn't depend on it
        return np.zeros(x.shape, dtype=str(x.dtype))
    assert (g.shape, g.dtype, g.device) == (x.shape, x.dtype, x.device)
    return place.numpy(g)


class OnNumPy:
    device = "cpu"
    tensor = staticmethod(ag.Tensor)

    @staticmethod
    def numpy(x: ag.Tensor) -> np.ndarray:
        return x.data


@cache
def on_numpy(name: str) -> Numbers:
    return compute(CASES[name], CASES[name].arrays(), OnNumPy)


class Reference:
    """Another array library, with the functions that agrad adds to the standard's."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def __getattr__(self, name: str) -> Any:
        return getattr(self.library, name)

    def getitem(self, x: Any, key: Any) -> Any:
        return x[key]

    def setitem(self, x: Any, key: Any, value: Any) -> Any:
        x = self.asarray(x, copy=True) if isinstance(x, np.ndarray) else x.clone()
        x[key] = value
        return x

    def scatter_add(self, values: Any, key: Any, shape: tuple[int, ...]) -> Any:
        cells = np.arange(math.prod(shape)).reshape(shape)[key]
        one_hot = cells.reshape(-1, 1) == np.arange(math.prod(shape))
        return (values.reshape(-1) @ self.asarray(one_hot, dtype=values.dtype)).reshape(shape)

    def softmax(self, x: Any, *, axis: int = -1) -> Any:
        return self.exp(self.log_softmax(x, axis=axis))

    def log_softmax(self, x: Any, *, axis: int = -1) -> Any:
        x = x - self.max(x, axis=axis, keepdims=True)
        return x - self.log(self.sum(self.exp(x), axis=axis, keepdims=True))

    def logsumexp(self, x: Any, **options: Any) -> Any:
        return self.log(self.sum(self.exp(x), **options))

    @property
    def special(self) -> Any:
        return scipy.special if self is NUMPY else self.library.special


NUMPY = Reference(array_api_compat.numpy)


def slopes(
    function: Callable[[list[np.ndarray]], np.ndarray], arrays: list[np.ndarray]
) -> list[np.ndarray]:
    """Return a number's gradient with respect to each floating-point array, by differences."""
    step = 1e-5
    results = []
    for place, x in enumerate(arrays):
        if not is_float(x):
            continue
        result = np.zeros(x.shape, dtype=x.dtype)
        for cell in np.ndindex(x.shape):
            for way in (1, 1j) if np.iscomplexobj(x) else (1,):
                ends = []
                for sign in (1, -1):
                    moved = x.copy()
                    moved[cell] += sign * step * way
                    ends.append(function([*arrays[:place], moved, *arrays[place + 1 :]]))
                result[cell] += way * (ends[0] - ends[1]) / (2 * step)
        results.append(result)
    return results


# What must hold ----------------------------------------------------------------------------------

close = partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-8)
equal = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-10)
every_case = pytest.mark.parametrize("name", CASES)
every_smooth_case = pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.smooth])


@every_case
def test_the_value_is_numpys(name):
    case = CASES[name]
    expected = case.call(NUMPY, *case.arrays())
    value = on_numpy(name).value
    equal(value, expected)
    assert value.shape == expected.shape


@every_smooth_case
def test_the_gradient_is_the_slope(name):
    case = CASES[name]
    g = cotangent(on_numpy(name).value)
    expected = slopes(lambda arrays: inner(NUMPY, g, case.call(NUMPY, *arrays)), case.arrays())
    for gradient, slope in zip(on_numpy(name).first, expected, strict=True):
        close(gradient, slope)


@every_smooth_case
def test_the_second_derivative_is_the_slope_of_the_gradient(name):
    case, arrays = CASES[name], CASES[name].arrays()

    def along(arrays: list[np.ndarray]) -> np.ndarray:
        first = compute(case, arrays, OnNumPy).first
        return sum(inner(NUMPY, g, v) for g, v in zip(first, directions(arrays), strict=True))

    for gradient, slope in zip(on_numpy(name).second, slopes(along, arrays), strict=True):
        close(gradient, slope)


@every_smooth_case
def test_the_derivative_along_a_direction_is_the_slope_there(name):
    case, arrays = CASES[name], CASES[name].arrays()
    steps = iter(directions(arrays))
    moves = [1e-5 * next(steps) if is_float(x) else None for x in arrays]
    ahead, behind = (
        case.call(
            NUMPY, *(x if d is None else x + sign * d for x, d in zip(arrays, moves, strict=True))
        )
        for sign in (1, -1)
    )
    close(on_numpy(name).along, (ahead - behind) / 2e-5)


@every_case
def test_value_and_gradient_are_pytorchs(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    import array_api_compat.torch

    case = CASES[name]
    if "reference" in case.without:
        pytest.skip(case.without["reference"])
    arrays = case.arrays()
    inputs = [torch.tensor(x, requires_grad=is_float(x)) for x in arrays]
    value = case.call(Reference(array_api_compat.torch), *inputs)
    equal(on_numpy(name).value, value.detach().resolve_conj().numpy())
    value.backward(torch.tensor(cotangent(on_numpy(name).value)))
    variables = [x for x in inputs if x.requires_grad]
    for gradient, x in zip(on_numpy(name).first, variables, strict=True):
        equal(gradient, 0 if x.grad is None else x.grad.resolve_conj().numpy())


@every_case
def test_every_library_gives_what_numpy_gives(name, other_backend):
    case = CASES[name]
    if other_backend.name in case.without:
        pytest.skip(case.without[other_backend.name])
    if other_backend.name == "jax" and not name.endswith("0"):
        pytest.skip("JAX compiles each function for each shape: a tenth of the cases must do")
    if other_backend.name == "dask" and not name.endswith("0"):
        pytest.skip("Dask takes a hundred times as long as NumPy: a tenth of the cases must do")
    hold_to_numpy(name, other_backend)


def hold_to_numpy(name: str, place: Any) -> None:
    """Check a case's numbers on a library against those on NumPy."""
    case = CASES[name]
    result, expected = compute(case, case.arrays(), place), on_numpy(name)
    equal(result.value, expected.value)
    equal(result.along, expected.along)
    for found, wanted in zip(result.first, expected.first, strict=True):
        equal(found, wanted)
    for found, wanted in zip(result.second, expected.second, strict=True):
        equal(found, wanted)


@every_case
def test_single_precision_stays_so(name):
    case, arrays = CASES[name], CASES[name].arrays()
    if {"float64", "complex128"} & {*case.call.__code__.co_names}:
        pytest.skip("it asks for double precision")
    single = {"float64": ag.float32, "complex128": ag.complex64}
    inputs = [ag.Tensor(x, dtype=single.get(str(x.dtype))) for x in arrays]
    assert case.call(ag, *inputs).dtype == single[str(on_numpy(name).value.dtype)]


@every_case
def test_a_result_that_shares_memory_is_known_as_a_view(name):
    """So that a change in place shows in both, and gradients follow."""
    case = CASES[name]
    inputs = [ag.Tensor(x) for x in case.arrays()]
    origin = out = case.call(ag, *inputs)
    while hasattr(origin, "_origin"):
        origin = origin._origin.parent
    for x in inputs:
        if x is not out and np.shares_memory(x.data, out.data):
            assert origin is x


@pytest.mark.parametrize("name", FLAT)
def test_functions_without_a_derivative(name, backend):
    case, arrays = FLAT[name], FLAT[name].arrays()
    if backend.name in case.without:
        pytest.skip(case.without[backend.name])
    expected = case.call(NUMPY, *arrays)
    out = case.call(ag, *(backend.tensor(x, requires_grad=is_float(x)) for x in arrays))
    assert not out.requires_grad
    assert out.device == backend.device
    np.testing.assert_array_equal(backend.numpy(out), expected)
    assert out.dtype == expected.dtype


def test_no_function_is_forgotten():
    tested = [case.function for case in (*CASES.values(), *FLAT.values())]
    tested += [name for names in ELSEWHERE.values() for name in names]
    wanted = set(ag.ops.__all__)
    # Their functions are "linalg.det", unless they are agrad.det, too
    for extension in ("linalg", "fft", "special"):
        names = getattr(ag, extension).__all__
        wanted |= {each if each in wanted else f"{extension}.{each}" for each in names}
    assert sorted(set(tested)) == sorted(wanted)
    files = {path.name: path.read_text() for path in Path(__file__).parent.glob("test_*.py")}
    for file, names in ELSEWHERE.items():
        for each in names:
            assert f"ag.{each}(" in files[file] or f'"{each}"' in files[file]
