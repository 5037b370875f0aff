"""Activations as modules."""

from typing import Literal

from agrad.dtypes import get_default_dtype
from agrad.nn import functional as F
from agrad.nn.module import Module
from agrad.ops import full
from agrad.random import Generator
from agrad.tensor import Parameter, Tensor
from agrad.typing import DTypeLike

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class ReLU(Module):
    """max(x, 0), element by element.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReLU()(ag.Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0)."""
        return F.relu(x)


class ReLU6(Module):
    """min(max(x, 0), 6), element by element.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReLU6()(ag.Tensor([-1.0, 2.0, 8.0])).tolist()
    [0.0, 2.0, 6.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return relu6(x)."""
        return F.relu6(x)


class LeakyReLU(Module):
    """x where it is positive, and x times a slope elsewhere.

    Parameters
    ----------
    negative_slope : float
        The derivative where x isn't positive.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.LeakyReLU(0.1)(ag.Tensor([-1.0, 2.0])).tolist()
    [-0.1, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Return leaky_relu(x)."""
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """x where it is positive, and x times a slope elsewhere, which is trained.

    Parameters
    ----------
    num_parameters : int
        1 for one slope; or the number of channels, for what is of shape (batch, channels, ...).
    init : float
        The slopes at first.
    dtype : dtype or str, optional
        The data type of the slopes; the default one (float32) if not given.
    device : str, optional
        Where they are; the default device if not given.

    Attributes
    ----------
    weight : Parameter
        The slopes, of shape (num_parameters,).

    Raises
    ------
    ValueError
        If `num_parameters` isn't a positive integer, or doesn't fit the channels that come in.

    References
    ----------
    K. He et al., "Delving deep into rectifiers", 2015, section 2.1.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.PReLU()(ag.Tensor([-1.0, 2.0])).tolist()
    [-0.25, 2.0]
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> None:
        if not isinstance(num_parameters, int) or num_parameters < 1:
            raise ValueError(
                f"PReLU: num_parameters must be a positive integer, got {num_parameters!r}"
            )
        dtype = get_default_dtype() if dtype is None else dtype
        self.num_parameters = num_parameters
        slopes = full((num_parameters,), init, dtype=dtype, device=device)
        self.weight = Parameter(slopes, name="weight")

    def forward(self, x: Tensor) -> Tensor:
        """Return x, times the slopes where it isn't positive."""
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """x where it is positive, and x times a slope elsewhere, which is random in training.

    Parameters
    ----------
    lower, upper : float
        What the slopes are between: drawn for each element in training, else their mean.
    generator : Generator, optional
        Where the slopes come from.

    Raises
    ------
    ValueError
        If `lower` is greater than `upper`.

    References
    ----------
    B. Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.RReLU(0.25, 0.75).eval()(ag.Tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(
        self, lower: float = 1 / 8, upper: float = 1 / 3, *, generator: Generator | None = None
    ) -> None:
        if not lower <= upper:
            raise ValueError(f"RReLU: lower {lower} is greater than upper {upper}")
        self.lower = lower
        self.upper = upper
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return x, times random slopes (in training) where it isn't positive."""
        return F.rrelu(x, self.lower, self.upper, self.training, generator=self.generator)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}"


class ELU(Module):
    """x where it is positive, and alpha * (exp(x) - 1) elsewhere.

    Parameters
    ----------
    alpha : float
        The function tends to -alpha.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ELU()(ag.Tensor([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """Return elu(x)."""
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class SELU(Module):
    """`ELU` with the alpha and the scale that keep mean 0 and variance 1 in a deep network.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.SELU()(ag.Tensor([0.0, 1.0])).tolist()
    [0.0, 1.0507009873554805]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return selu(x)."""
        return F.selu(x)


class CELU(Module):
    """x where it is positive, and alpha * (exp(x / alpha) - 1) elsewhere.

    Parameters
    ----------
    alpha : float
        The function tends to -alpha; it must be positive.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.CELU(0.5)(ag.Tensor([-1000.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """Return celu(x)."""
        return F.celu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x times the probability that a standard normal number is smaller than x.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        "tanh" takes a formula that is quicker, and nearly the same.

    Examples
    --------
    >>> import agrad as ag
    >>> round(ag.nn.GELU("tanh")(ag.Tensor(1.0)).item(), 4)
    0.8412
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Return gelu(x)."""
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x * sigmoid(x), also called swish.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.SiLU()(ag.Tensor([0.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return silu(x)."""
        return F.silu(x)


class Mish(Module):
    """x * tanh(softplus(x)).

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Mish()(ag.Tensor([0.0, 1000.0])).tolist()
    [0.0, 1000.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return mish(x)."""
        return F.mish(x)


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, a smooth `ReLU`.

    Parameters
    ----------
    beta : float
        How near the corner of `ReLU` is; not 0.
    threshold : float
        Where beta * x is greater, the result is x itself.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Softplus()(ag.Tensor([0.0, 1000.0])).tolist()
    [0.6931471805599453, 1000.0]
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = beta
        self.threshold = threshold

    def forward(self, x: Tensor) -> Tensor:
        """Return softplus(x)."""
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """x / (1 + abs(x)).

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Softsign()(ag.Tensor([-1.0, 3.0])).tolist()
    [-0.5, 0.75]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return softsign(x)."""
        return F.softsign(x)


class Sigmoid(Module):
    """The logistic function, 1 / (1 + exp(-x)).

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Sigmoid()(ag.Tensor([0.0, 1000.0])).tolist()
    [0.5, 1.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return sigmoid(x)."""
        return F.sigmoid(x)


class LogSigmoid(Module):
    """log(sigmoid(x)), exact also where sigmoid(x) is tiny or nearly 1.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.LogSigmoid()(ag.Tensor([0.0, -1000.0])).tolist()
    [-0.6931471805599453, -1000.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return logsigmoid(x)."""
        return F.logsigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent, element by element.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Tanh()(ag.Tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return tanh(x)."""
        return F.tanh(x)


class Tanhshrink(Module):
    """x - tanh(x).

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Tanhshrink()(ag.Tensor([0.0, 1000.0])).tolist()
    [0.0, 999.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return tanhshrink(x)."""
        return F.tanhshrink(x)


class Softshrink(Module):
    """x moved towards 0 by `lambd`, and 0 where it is nearer.

    Parameters
    ----------
    lambd : float
        How far; at least 0.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Softshrink()(ag.Tensor([-2.0, 0.25, 2.0])).tolist()
    [-1.5, 0.0, 1.5]
    """

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, x: Tensor) -> Tensor:
        """Return softshrink(x)."""
        return F.softshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return f"lambd={self.lambd}"


class Hardshrink(Module):
    """x, but 0 where it is no farther from 0 than `lambd`.

    Parameters
    ----------
    lambd : float
        How far.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Hardshrink()(ag.Tensor([-2.0, 0.25, 2.0])).tolist()
    [-2.0, 0.0, 2.0]
    """

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, x: Tensor) -> Tensor:
        """Return hardshrink(x)."""
        return F.hardshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return f"lambd={self.lambd}"


class Hardtanh(Module):
    """x, but at least `min_val` and at most `max_val`.

    Parameters
    ----------
    min_val : float
        The smallest result.
    max_val : float
        The greatest.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Hardtanh()(ag.Tensor([-3.0, 0.5, 3.0])).tolist()
    [-1.0, 0.5, 1.0]
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, x: Tensor) -> Tensor:
        """Return hardtanh(x)."""
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Hardsigmoid(Module):
    """x/6 + 1/2, but at least 0 and at most 1: near `Sigmoid`, and cheap.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Hardsigmoid()(ag.Tensor([-4.0, 0.0, 4.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return hardsigmoid(x)."""
        return F.hardsigmoid(x)


class Hardswish(Module):
    """x times hardsigmoid(x): near `SiLU`, and cheap.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Hardswish()(ag.Tensor([0.0, 1.5, 4.0])).tolist()
    [0.0, 1.125, 4.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return hardswish(x)."""
        return F.hardswish(x)


class Threshold(Module):
    """x where it is greater than a threshold, and a value elsewhere.

    Parameters
    ----------
    threshold : float
        What x must be greater than, to stay.
    value : float
        What it becomes elsewhere.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Threshold(1.0, -1.0)(ag.Tensor([0.5, 2.0])).tolist()
    [-1.0, 2.0]
    """

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold = threshold
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        """Return threshold(x)."""
        return F.threshold(x, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"


class _AlongAxis(Module):
    """An activation that needs to know along which axis."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class GLU(_AlongAxis):
    """The first half of x times sigmoid of its second half, which makes it half as long.

    Parameters
    ----------
    dim : int
        The axis that is halved.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.GLU()(ag.Tensor([1.0, 2.0, 0.0, 0.0])).tolist()
    [0.5, 1.0]
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return glu(x)."""
        return F.glu(x, self.dim)


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along an axis.

    Parameters
    ----------
    dim : int
        The axis along which the results add up to 1; it must be named.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Softmax(dim=-1)(ag.Tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return softmax(x)."""
        return F.softmax(x, self.dim)


class LogSoftmax(_AlongAxis):
    """log(softmax(x)) along an axis.

    Parameters
    ----------
    dim : int
        The axis along which the probabilities add up to 1; it must be named.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.LogSoftmax(dim=-1)(ag.Tensor([1000.0, 0.0])).tolist()
    [0.0, -1000.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return log_softmax(x)."""
        return F.log_softmax(x, self.dim)


class Softmin(_AlongAxis):
    """softmax(-x) along an axis.

    Parameters
    ----------
    dim : int
        The axis along which the results add up to 1; it must be named.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Softmin(dim=-1)(ag.Tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return softmin(x)."""
        return F.softmin(x, self.dim)


class Softmax2d(Module):
    """Softmax over the channels of images, for each pixel.

    Raises
    ------
    ValueError
        If x isn't of shape (batch, channels, height, width) or (channels, height, width).

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Softmax2d()(ag.zeros((2, 1, 1))).tolist()
    [[[0.5]], [[0.5]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return softmax over the third axis from the end."""
        if x.ndim not in (3, 4):
            raise ValueError(
                "Softmax2d needs x of shape (batch, channels, height, width), or without the "
                f"batch; got {x.shape}"
            )
        return F.softmax(x, -3)
