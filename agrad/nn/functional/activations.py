"""Activations: functions between the layers of a network."""

import math
from typing import Any, Literal

from agrad import ops
from agrad.autograd import Primitive, record
from agrad.dtypes import dtype
from agrad.ops import (
    abs,
    asarray,
    astype,
    clip,
    divide,
    getitem,
    less_equal,
    multiply,
    negative,
    reshape,
    subtract,
    tanh,
    where,
)
from agrad.ops.casting import cast_down, cast_up, casting
from agrad.ops.data_types import as_floating
from agrad.ops.special import ndtr
from agrad.random import Generator, default_generator
from agrad.tensor import Tensor
from agrad.typing import TensorLike

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]

# Where functions have a corner, the derivative there is PyTorch's. Sums of max(x, 0) and min(x, 0)
# stand for `where`, which NumPy takes long for where signs can't be foreseen.

# Straight lines with corners ---------------------------------------------------------------------

_RELU = Primitive(
    "relu",
    lambda xp, x: xp.maximum(x, 0),
    fused=True,
    x=lambda xp, g, out: xp.where(out > 0, g, xp.zeros_like(g)),
)


def relu(x: TensorLike, /) -> Tensor:
    """Return max(x, 0); the derivative at 0 is taken as 0.

    Parameters
    ----------
    x : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `x`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import relu
    >>> relu(Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return record(_RELU, (x,))


def _hardtanh_x(xp: Any, g: Any, out: Any, low: float, high: float) -> Any:
    return xp.where(xp.logical_and(out > low, out < high), g, xp.zeros_like(g))


_HARDTANH = Primitive(
    "hardtanh",
    lambda xp, x, low, high: xp.clip(x, low, high),
    x=_hardtanh_x,
)


def hardtanh(input: TensorLike, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Return x, but at least `min_val` and at most `max_val`.

    The derivative is 0 at both; `agrad.clip` takes it as 1 there.

    Parameters
    ----------
    input : Tensor
        Of any shape.
    min_val, max_val : float
        The bounds.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `min_val` is greater than `max_val`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import hardtanh
    >>> hardtanh(Tensor([-3.0, 0.5, 3.0])).tolist()
    [-1.0, 0.5, 1.0]
    """
    if not min_val <= max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is greater than max_val {max_val}")
    return record(_HARDTANH, (as_floating(input),), low=float(min_val), high=float(max_val))


def relu6(input: TensorLike) -> Tensor:
    """Return min(max(x, 0), 6); the derivative at 0 and 6 is taken as 0.

    Parameters
    ----------
    input : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import relu6
    >>> relu6(Tensor([-1.0, 2.0, 8.0])).tolist()
    [0.0, 2.0, 6.0]
    """
    return hardtanh(input, 0.0, 6.0)


_LEAKY_RELU = Primitive(
    "leaky_relu",
    lambda xp, x, slope: xp.maximum(x, 0) + xp.minimum(x, 0) * slope,
    x=lambda xp, g, x, slope: xp.where(x > 0, g, g * slope),
)


def leaky_relu(input: TensorLike, negative_slope: float = 0.01) -> Tensor:
    """Return x where it is positive, and x times a slope elsewhere.

    Parameters
    ----------
    input : Tensor
        Of any shape.
    negative_slope : float
        The derivative where x isn't positive.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import leaky_relu
    >>> leaky_relu(Tensor([-1.0, 2.0]), 0.1).tolist()
    [-0.1, 2.0]
    """
    return record(_LEAKY_RELU, (as_floating(input),), slope=float(negative_slope))


def prelu(input: TensorLike, weight: TensorLike) -> Tensor:
    """Return x where it is positive, and x times a slope elsewhere, which can be trained.

    Parameters
    ----------
    input : Tensor
        Of shape (batch, channels, ...); of any shape if there is one slope.
    weight : Tensor
        The slopes: one, or of shape (channels,).

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If the slopes don't fit the channels.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import prelu
    >>> prelu(Tensor([[-1.0, -1.0]]), Tensor([0.5, 0.25])).tolist()
    [[-0.5, -0.25]]
    """
    x, weight = as_floating(input), asarray(weight)
    if casting.state:
        x, weight = cast_down(x, weight)
    if weight.size != 1:
        if weight.ndim != 1 or x.ndim < 2 or x.shape[1] != weight.shape[0]:
            raise ValueError(
                "prelu needs one slope, or one for each channel of (batch, channels, ...); got "
                f"slopes of shape {weight.shape} for {x.shape}"
            )
        weight = reshape(weight, (-1,) + (1,) * (x.ndim - 2))
    elif weight.ndim:
        weight = reshape(weight, ())
    return where(less_equal(x, 0), multiply(weight, x), x)


def rrelu(
    input: TensorLike,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Return x where it is positive, and x times a slope elsewhere, which is random in training.

    Parameters
    ----------
    input : Tensor
        Of any shape.
    lower, upper : float
        What the slopes are between: drawn for each element in training, else their mean.
    training : bool
        Whether to draw slopes.
    generator : Generator, optional
        Where they come from.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `lower` is greater than `upper`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import rrelu
    >>> rrelu(Tensor([-1.0, 2.0]), 0.25, 0.75).tolist()
    [-0.5, 2.0]
    """
    if not lower <= upper:
        raise ValueError(f"rrelu: lower {lower} is greater than upper {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    x = as_floating(input)
    generator = default_generator if generator is None else generator
    slopes = generator.uniform(lower, upper, x.shape, dtype=x.dtype, device=x.device)
    return where(less_equal(x, 0), multiply(slopes, x), x)


def threshold(input: TensorLike, threshold: float, value: float) -> Tensor:
    """Return x where it is greater than a threshold, and a value elsewhere.

    Parameters
    ----------
    input : Tensor
        Of any shape.
    threshold, value : float
        Where x isn't greater than the one, it becomes the other.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import threshold
    >>> threshold(Tensor([0.5, 2.0]), 1.0, -1.0).tolist()
    [-1.0, 2.0]
    """
    x = asarray(input)
    return where(less_equal(x, threshold), value, x)


def softshrink(input: TensorLike, lambd: float = 0.5) -> Tensor:
    """Return x moved towards 0 by `lambd`, and 0 where it is nearer.

    Parameters
    ----------
    input : Tensor
        Of any shape.
    lambd : float
        How far; at least 0.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `lambd` is negative.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import softshrink
    >>> softshrink(Tensor([-2.0, 0.25, 2.0])).tolist()
    [-1.5, 0.0, 1.5]
    """
    if not lambd >= 0:
        raise ValueError(f"softshrink: lambd must be at least 0, got {lambd}")
    x = as_floating(input)
    return subtract(x, clip(x, -lambd, lambd))


def hardshrink(input: TensorLike, lambd: float = 0.5) -> Tensor:
    """Return x, but 0 where it is no farther from 0 than `lambd`.

    Parameters
    ----------
    input : Tensor
        Of any shape.
    lambd : float
        How far.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import hardshrink
    >>> hardshrink(Tensor([-2.0, 0.25, 2.0])).tolist()
    [-2.0, 0.0, 2.0]
    """
    x = as_floating(input)
    return where(less_equal(abs(x), lambd), 0.0, x)


def hardsigmoid(input: TensorLike) -> Tensor:
    """Return x/6 + 1/2, but at least 0 and at most 1: near the logistic function, and cheap.

    Parameters
    ----------
    input : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import hardsigmoid
    >>> hardsigmoid(Tensor([-4.0, 0.0, 1.5, 4.0])).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    return divide(relu6(as_floating(input) + 3), 6)


def hardswish(input: TensorLike) -> Tensor:
    """Return x times hardsigmoid(x): near `silu`, and cheap.

    Parameters
    ----------
    input : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    References
    ----------
    A. Howard et al., "Searching for MobileNetV3", 2019, section 5.2.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import hardswish
    >>> hardswish(Tensor([0.0, 1.5, 4.0])).tolist()
    [0.0, 1.125, 4.0]
    """
    x = as_floating(input)
    return multiply(x, hardsigmoid(x))


# Exponentials ------------------------------------------------------------------------------------


def _elu_x(xp: Any, g: Any, x: Any, alpha: float, scale: float, input_scale: float) -> Any:
    below = xp.exp(xp.minimum(x, 0) * input_scale) * (alpha * input_scale * scale)
    return g * xp.where(x > 0, xp.full_like(x, scale), below)


_ELU = Primitive(
    "elu",
    lambda xp, x, alpha, scale, input_scale: (
        xp.maximum(x, 0) * scale + xp.expm1(xp.minimum(x, 0) * input_scale) * (alpha * scale)
    ),
    x=_elu_x,
)


def elu(input: TensorLike, alpha: float = 1.0) -> Tensor:
    """Return x where it is positive, and alpha * (exp(x) - 1) elsewhere.

    Parameters
    ----------
    input : Tensor
        Of any shape.
    alpha : float
        The function tends to -alpha.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    References
    ----------
    D.-A. Clevert et al., "Fast and accurate deep network learning by exponential linear units",
    2015.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import elu
    >>> elu(Tensor([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """
    return record(_ELU, (as_floating(input),), alpha=float(alpha), scale=1.0, input_scale=1.0)


_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def selu(input: TensorLike) -> Tensor:
    """Return `elu` with the alpha and the scale that keep mean 0 and variance 1 in a deep network.

    Parameters
    ----------
    input : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    References
    ----------
    G. Klambauer et al., "Self-normalizing neural networks", 2017, equation 14.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import selu
    >>> selu(Tensor([0.0, 1.0])).tolist()
    [0.0, 1.0507009873554805]
    """
    x = as_floating(input)
    return record(_ELU, (x,), alpha=_SELU_ALPHA, scale=_SELU_SCALE, input_scale=1.0)


def celu(input: TensorLike, alpha: float = 1.0) -> Tensor:
    """Return x where it is positive, and alpha * (exp(x / alpha) - 1) elsewhere.

    Parameters
    ----------
    input : Tensor
        Of any shape.
    alpha : float
        The function tends to -alpha; its derivative is continuous. It must be positive.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `alpha` isn't positive.

    References
    ----------
    J. T. Barron, "Continuously differentiable exponential linear units", 2017.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import celu
    >>> celu(Tensor([-1000.0, 2.0]), 0.5).tolist()
    [-0.5, 2.0]
    """
    if not alpha > 0:
        raise ValueError(f"celu: alpha must be positive, got {alpha}")
    x = as_floating(input)
    return record(_ELU, (x,), alpha=float(alpha), scale=1.0, input_scale=1 / alpha)


# For which -x, at most, exp(x) is finite
_GREATEST_POWER = {"float16": 11.0, "float64": 709.0}


def _without_overflow(xp: Any, x: Any) -> Any:
    """Return x, or the smallest number for which exp(-x) is finite."""
    return xp.maximum(x, -_GREATEST_POWER.get(dtype(x.dtype).name, 88.0))


def _sigmoid(xp: Any, x: Any) -> Any:
    return 1 / (1 + xp.exp(-_without_overflow(xp, x)))


_SIGMOID = Primitive(
    "sigmoid",
    _sigmoid,
    x=lambda xp, g, out: g * (out * (1 - out)),
)


def sigmoid(input: TensorLike) -> Tensor:
    """Return the logistic function, 1 / (1 + exp(-x)), without overflow.

    Parameters
    ----------
    input : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`, between 0 and 1.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import sigmoid
    >>> sigmoid(Tensor([0.0, 1000.0])).tolist()
    [0.5, 1.0]
    """
    return record(_SIGMOID, (as_floating(input),))


def _log_1_plus_exp(xp: Any, x: Any) -> Any:
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


_LOGSIGMOID = Primitive(
    "logsigmoid",
    lambda xp, x: -_log_1_plus_exp(xp, -x),
    x=lambda xp, g, x: g * _sigmoid(xp, -x),
)


def logsigmoid(input: TensorLike) -> Tensor:
    """Return log(sigmoid(x)), exact also where sigmoid(x) is tiny or nearly 1.

    Parameters
    ----------
    input : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import logsigmoid
    >>> logsigmoid(Tensor([0.0, -1000.0])).tolist()
    [-0.6931471805599453, -1000.0]
    """
    return record(_LOGSIGMOID, (as_floating(input),))


def _softplus(xp: Any, x: Any, beta: float, threshold: float) -> Any:
    y = x * beta
    return xp.where(y > threshold, x, _log_1_plus_exp(xp, y) / beta)


def _softplus_x(xp: Any, g: Any, x: Any, beta: float, threshold: float) -> Any:
    y = x * beta
    return xp.where(y > threshold, g, g * _sigmoid(xp, y))


_SOFTPLUS = Primitive("softplus", _softplus, x=_softplus_x)


def softplus(input: TensorLike, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + exp(beta * x)) / beta, a smooth `relu`, without overflow.

    Parameters
    ----------
    input : Tensor
        Real, of any shape.
    beta : float
        How near the corner of `relu` is; not 0.
    threshold : float
        Where beta * x is greater, the result is x itself.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `beta` is 0.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import softplus
    >>> softplus(Tensor([0.0, 1000.0])).tolist()
    [0.6931471805599453, 1000.0]
    """
    if beta == 0:
        raise ValueError("softplus: beta can't be 0")
    if casting.state:
        input = cast_up(input)
    x = as_floating(input)
    return record(_SOFTPLUS, (x,), beta=float(beta), threshold=float(threshold))


def _silu(xp: Any, x: Any) -> Any:
    x = _without_overflow(xp, x)
    return x / (1 + xp.exp(-x))


def _silu_x(xp: Any, g: Any, x: Any) -> Any:
    x = _without_overflow(xp, x)
    s = 1 / (1 + xp.exp(-x))
    return g * (s * (1 + x * (1 - s)))


_SILU = Primitive("silu", _silu, x=_silu_x)


def silu(input: TensorLike) -> Tensor:
    """Return x * sigmoid(x), also called swish.

    Parameters
    ----------
    input : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    References
    ----------
    D. Hendrycks and K. Gimpel, "Gaussian error linear units", 2016.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import silu
    >>> silu(Tensor([0.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """
    return record(_SILU, (as_floating(input),))


def mish(input: TensorLike) -> Tensor:
    """Return x * tanh(softplus(x)).

    Parameters
    ----------
    input : Tensor
        Real, of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    References
    ----------
    D. Misra, "Mish: a self regularized non-monotonic activation function", 2019.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import mish
    >>> mish(Tensor([0.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """
    x = as_floating(input)
    if casting.state and (wide := cast_up(x)) is not x:
        return astype(mish(wide), x.dtype)
    return multiply(x, tanh(softplus(x)))


_GELU_SLOPE = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


def _gelu_argument(x: Any) -> Any:
    return (x + x * x * x * _GELU_CUBIC) * _GELU_SLOPE


def _gelu_tanh_x(xp: Any, g: Any, x: Any) -> Any:
    t = xp.tanh(_gelu_argument(x))
    slope = (1 + x * x * (3 * _GELU_CUBIC)) * _GELU_SLOPE
    return g * ((1 + t + x * ((1 - t * t) * slope)) * 0.5)


_GELU_TANH = Primitive(
    "gelu_tanh",
    lambda xp, x: x * (1 + xp.tanh(_gelu_argument(x))) * 0.5,
    x=_gelu_tanh_x,
)


def gelu(input: TensorLike, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """Return x times the probability that a standard normal number is smaller than x.

    Parameters
    ----------
    input : Tensor
        Real, of any shape.
    approximate : {"none", "tanh"}
        "tanh" takes x/2 * (1 + tanh(sqrt(2/π) * (x + 0.044715 x³))), which is quicker.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If there is no such approximation.
    ImportError
        If the array library has no error function and SciPy is not installed; "tanh" needs neither.

    References
    ----------
    D. Hendrycks and K. Gimpel, "Gaussian error linear units", 2016.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import gelu
    >>> round(gelu(Tensor(1.0)).item(), 4), round(gelu(Tensor(1.0), "tanh").item(), 4)
    (0.8413, 0.8412)
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    x = as_floating(input)
    if casting.state and (wide := cast_up(x)) is not x:
        return astype(gelu(wide, approximate), x.dtype)
    if approximate == "tanh":
        return record(_GELU_TANH, (x,))
    return multiply(x, ndtr(x))


def softsign(input: TensorLike) -> Tensor:
    """Return x / (1 + abs(x)).

    Parameters
    ----------
    input : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`, between -1 and 1.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import softsign
    >>> softsign(Tensor([-1.0, 3.0])).tolist()
    [-0.5, 0.75]
    """
    x = as_floating(input)
    return divide(x, abs(x) + 1)


def tanhshrink(input: TensorLike) -> Tensor:
    """Return x - tanh(x).

    Parameters
    ----------
    input : Tensor
        Of any shape.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import tanhshrink
    >>> tanhshrink(Tensor([0.0, 1000.0])).tolist()
    [0.0, 999.0]
    """
    x = as_floating(input)
    return subtract(x, tanh(x))


# Along an axis -----------------------------------------------------------------------------------


def glu(input: TensorLike, dim: int = -1) -> Tensor:
    """Return the first half of x times sigmoid of its second half.

    Parameters
    ----------
    input : Tensor
        Of an even length along the axis.
    dim : int
        The axis that is halved.

    Returns
    -------
    Tensor
        Of the shape of `input`, but half as long along the axis.

    Raises
    ------
    ValueError
        If there is no such axis, or its length is odd.

    References
    ----------
    Y. N. Dauphin et al., "Language modeling with gated convolutional networks", 2016, equation 1.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import glu
    >>> glu(Tensor([1.0, 2.0, 0.0, 0.0])).tolist()
    [0.5, 1.0]
    """
    x = as_floating(input)
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"glu: there is no axis {dim} in the shape {x.shape}")
    half, odd = divmod(x.shape[dim], 2)
    if odd:
        raise ValueError(f"glu: axis {dim} of the shape {x.shape} must have an even length")
    before = (slice(None),) * (dim % x.ndim)
    value = getitem(x, (*before, slice(None, half)))
    return multiply(value, sigmoid(getitem(x, (*before, slice(half, None)))))


def softmax(input: TensorLike, dim: int = -1) -> Tensor:
    """Return exp(x) / Σ exp(x) along an axis: `agrad.softmax` at PyTorch's names.

    Parameters
    ----------
    input : Tensor
        x, of at least one dimension.
    dim : int
        The axis.

    Returns
    -------
    Tensor
        Of the shape and data type of x.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import softmax
    >>> softmax(Tensor([[0.0, 0.0], [1000.0, 0.0]]), dim=1).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    return ops.softmax(input, axis=dim)


def log_softmax(input: TensorLike, dim: int = -1) -> Tensor:
    """Return log(softmax(x)) along an axis: `agrad.log_softmax` at PyTorch's names.

    Parameters
    ----------
    input : Tensor
        x, of at least one dimension.
    dim : int
        The axis.

    Returns
    -------
    Tensor
        Of the shape and data type of x.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import log_softmax
    >>> log_softmax(Tensor([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """
    return ops.log_softmax(input, axis=dim)


def softmin(input: TensorLike, dim: int = -1) -> Tensor:
    """Return softmax(-x) along an axis.

    Parameters
    ----------
    input : Tensor
        Floating-point.
    dim : int
        The axis along which the results add up to 1.

    Returns
    -------
    Tensor
        Probabilities, of the shape and data type of `input`.

    Examples
    --------
    >>> from agrad import Tensor
    >>> from agrad.nn.functional import softmin
    >>> softmin(Tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """
    return softmax(negative(asarray(input)), dim)
