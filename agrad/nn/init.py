"""Initial values for parameters, written in place.

Each draws on the host from the given generator, or from the one that `agrad.manual_seed` seeds, so
that a seed gives the same weights on every device.
"""

import math
from numbers import Number
from typing import Any

from agrad.linalg import diagonal, qr
from agrad.nn.functional.settings import check_number, check_size
from agrad.ops import eye, reshape, sign, where, zeros
from agrad.random import Generator, default_generator
from agrad.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "glorot_init",
    "kaiming_init",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zero_init",
    "zeros_",
]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill a Tensor with draws from U(a, b).

    Parameters
    ----------
    tensor : Tensor
        It is changed in place.
    a, b : float
        The bounds.
    generator : Generator, optional
        Where the numbers come from.

    Returns
    -------
    Tensor
        The same one.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.uniform_(ag.Parameter(ag.zeros((2, 3))), 1, 2)
    >>> bool(((w >= 1) & (w <= 2)).all())
    True
    """
    _check("uniform_", tensor, a=a, b=b)
    source = generator or default_generator
    return _write(tensor, source.uniform(a, b, tensor.shape, **_place(tensor)))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill a Tensor with draws from the normal distribution.

    Parameters
    ----------
    tensor : Tensor
        It is changed in place.
    mean, std : float
        Its mean and its standard deviation.
    generator : Generator, optional
        Where the numbers come from.

    Returns
    -------
    Tensor
        The same one.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.normal_(ag.Parameter(ag.zeros((2, 3))), std=0.02).shape
    (2, 3)
    """
    _check("normal_", tensor, mean=mean, std=std)
    check_number("normal_", "std", std, least=0)
    source = generator or default_generator
    return _write(tensor, source.normal(mean, std, tensor.shape, **_place(tensor)))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fill a Tensor with draws from the normal distribution, drawn again while outside of [a, b].

    Parameters
    ----------
    tensor : Tensor
        It is changed in place.
    mean, std : float
        The mean and the standard deviation of the whole distribution.
    a, b : float
        The bounds.
    generator : Generator, optional
        Where the numbers come from.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If hardly a draw would be inside: the bounds are over four standard deviations away.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.trunc_normal_(ag.Parameter(ag.zeros((20, 30))), std=1, a=-1, b=1)
    >>> bool((abs(w) <= 1).all())
    True
    """
    _check("trunc_normal_", tensor, mean=mean, std=std, a=a, b=b)
    if not (a < b and std > 0 and a - mean < 4 * std and mean - b < 4 * std):
        raise ValueError(
            f"trunc_normal_: hardly a draw from N({mean}, {std}**2) is between a={a} and b={b}"
        )
    source = generator or default_generator
    values = source.normal(mean, std, tensor.shape, device="cpu", dtype="float64")
    while bool((outside := (values < a) | (values > b)).any()):
        again = source.normal(mean, std, tensor.shape, device="cpu", dtype="float64")
        values = where(outside, again, values)
    return _write(tensor, values.to(tensor.dtype).to(tensor.device))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill a Tensor with a number.

    Parameters
    ----------
    tensor : Tensor
        It is changed in place.
    val : float
        The number.

    Returns
    -------
    Tensor
        The same one.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.constant_(ag.Parameter([1.0, 2.0]), 3).tolist()
    [3.0, 3.0]
    """
    _check("constant_", tensor)
    if not isinstance(val, Number):
        raise TypeError(f"constant_: val must be a number, got {val!r}")
    tensor.data = tensor._backend.assign(tensor._data, ..., val)
    return tensor


def zeros_(tensor: Tensor) -> Tensor:
    """Fill a Tensor with zeros, as is usual for biases.

    Parameters
    ----------
    tensor : Tensor
        It is changed in place.

    Returns
    -------
    Tensor
        The same one.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.zeros_(ag.Parameter([1.0, 2.0])).tolist()
    [0.0, 0.0]
    """
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill a Tensor with ones.

    Parameters
    ----------
    tensor : Tensor
        It is changed in place.

    Returns
    -------
    Tensor
        The same one.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.ones_(ag.Parameter([3.0, 2.0])).tolist()
    [1.0, 1.0]
    """
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: ones on its diagonal, zeros elsewhere.

    Parameters
    ----------
    tensor : Tensor
        Of two dimensions. It is changed in place.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If it has not two dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.eye_(ag.Parameter(ag.zeros((2, 3)))).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    _check("eye_", tensor)
    if tensor.ndim != 2:
        raise ValueError(f"eye_ is for matrices, got shape {tuple(tensor.shape)}")
    return _write(tensor, eye(*tensor.shape, **_place(tensor)))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weights of a convolution so that it gives as many channels as it can unchanged.

    Parameters
    ----------
    tensor : Tensor
        Of shape (out, in / groups, ...), with one to three dimensions of windows. It is changed in
        place.
    groups : int
        The groups of the convolution.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If the shape is another one, or the groups don't divide the channels.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.dirac_(ag.Parameter(ag.zeros((1, 1, 3)))).tolist()
    [[[0.0, 1.0, 0.0]]]
    """
    _check("dirac_", tensor)
    check_size("dirac_", "groups", groups)
    if tensor.ndim not in (3, 4, 5) or tensor.shape[0] % groups:
        raise ValueError(
            "dirac_ is for weights of shape (out, in / groups, ...) with one to three more "
            f"dimensions, of which groups={groups} divides out; got {tuple(tensor.shape)}"
        )
    outputs = tensor.shape[0] // groups
    values = zeros(tensor.shape, dtype=tensor.dtype, device="cpu")
    middle = tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for i in range(min(outputs, tensor.shape[1])):
            values[(group * outputs + i, i, *middle)] = 1
    return _write(tensor, values.to(tensor.device))


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    r"""Fill a Tensor with draws from U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)).

    So the variance of the values going forward and of the gradients going back stays about the
    same from layer to layer, where the activation is nearly linear around zero, like tanh.

    Parameters
    ----------
    tensor : Tensor
        Weights of shape (fan_out, fan_in), or (out, in, ...) of a convolution, whose fans count
        the places of its window as well. It is changed in place.
    gain : float
        A factor; see `calculate_gain`.
    generator : Generator, optional
        Where the numbers come from.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If the Tensor has fewer than two dimensions.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, equation 16.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.xavier_uniform_(ag.Parameter(ag.zeros((2, 4))))
    >>> bool((abs(w) <= 1).all())  # sqrt(6 / (2 + 4)) = 1
    True
    """
    _check("xavier_uniform_", tensor, gain=gain)
    bound = gain * math.sqrt(6 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator=generator)


def xavier_normal_(
    tensor: Tensor, gain: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    r"""Fill a Tensor with draws from N(0, std²), std = gain sqrt(2 / (fan_in + fan_out)).

    Parameters
    ----------
    tensor, gain, generator
        As for `xavier_uniform_`.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If the Tensor has fewer than two dimensions.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, equation 12.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.xavier_normal_(ag.Parameter(ag.zeros((2, 4)))).shape
    (2, 4)
    """
    _check("xavier_normal_", tensor, gain=gain)
    std = gain * math.sqrt(2 / sum(_fans(tensor)))
    return normal_(tensor, 0.0, std, generator=generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Generator | None = None,
) -> Tensor:
    r"""Fill a Tensor with draws from U(-b, b), b = gain sqrt(3 / fan).

    With the gain sqrt(2) of ReLU their variance is 2 / fan: values going forward keep their size
    from layer to layer where ReLU sets half of them to zero.

    Parameters
    ----------
    tensor : Tensor
        Weights of shape (fan_out, fan_in), or (out, in, ...) of a convolution, whose fans count
        the places of its window as well. It is changed in place.
    a : float
        The slope of a leaky ReLU below zero.
    mode : {"fan_in", "fan_out"}
        Whether the values going forward or the gradients going back are to keep their size.
    nonlinearity : str
        What follows the layer, which `calculate_gain` knows the gain of.
    generator : Generator, optional
        Where the numbers come from.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If the Tensor has fewer than two dimensions, or there is no such mode or nonlinearity.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers: surpassing human-level
    performance on ImageNet classification", ICCV 2015, equations 10 and 14.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.kaiming_uniform_(ag.Parameter(ag.zeros((2, 6))))
    >>> bool((abs(w) <= 1).all())  # sqrt(2) sqrt(3 / 6) = 1
    True
    """
    _check("kaiming_uniform_", tensor, a=a)
    bound = _kaiming_gain(tensor, a, mode, nonlinearity) * math.sqrt(3)
    return uniform_(tensor, -bound, bound, generator=generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    generator: Generator | None = None,
) -> Tensor:
    r"""Fill a Tensor with draws from N(0, std²), std = gain / sqrt(fan).

    Parameters
    ----------
    tensor, a, mode, nonlinearity, generator
        As for `kaiming_uniform_`.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If the Tensor has fewer than two dimensions, or there is no such mode or nonlinearity.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers: surpassing human-level
    performance on ImageNet classification", ICCV 2015, equations 10 and 14.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.kaiming_normal_(ag.Parameter(ag.zeros((2, 6))), mode="fan_out").shape
    (2, 6)
    """
    _check("kaiming_normal_", tensor, a=a)
    std = _kaiming_gain(tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator=generator)


def _kaiming_gain(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """Return the standard deviation that keeps the size of the values."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = _fans(tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return by how much initial weights are larger for what follows their layer.

    Parameters
    ----------
    nonlinearity : str
        "linear", "conv1d" to "conv3d", "conv_transpose1d" to "conv_transpose3d" and "sigmoid"
        (1), "tanh" (5/3), "relu" (sqrt(2)), "leaky_relu" (sqrt(2 / (1 + slope²))), "selu" (3/4).
    param : float, optional
        The slope of a leaky ReLU; 0.01 if not given.

    Returns
    -------
    float
        The gain.

    Raises
    ------
    ValueError
        If it isn't known of this one.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    gains = {
        **dict.fromkeys(_LINEAR, 1.0),
        "sigmoid": 1.0,
        "tanh": 5 / 3,
        "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2)),
        "selu": 3 / 4,
    }
    if nonlinearity not in gains:
        raise ValueError(f"there is no gain for {nonlinearity!r}; there is for {', '.join(gains)}")
    return gains[nonlinearity]


_LINEAR = ["linear", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3))]


def orthogonal_(tensor: Tensor, gain: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill a Tensor, as a matrix of shape (out, rest), with orthonormal rows or columns.

    Parameters
    ----------
    tensor : Tensor
        Of at least two dimensions. It is changed in place.
    gain : float
        A factor.
    generator : Generator, optional
        Where the numbers come from.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If it has fewer than two dimensions.

    References
    ----------
    A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks", ICLR 2014.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.orthogonal_(ag.Parameter(ag.zeros((3, 5))))
    >>> bool((abs(w @ w.T - ag.eye(3, dtype=ag.float32)) < 1e-6).all())
    True
    """
    _check("orthogonal_", tensor, gain=gain)
    _fans(tensor)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    shape = max(rows, columns), min(rows, columns)
    source = generator or default_generator
    q, r = qr(source.normal(0, 1, shape, dtype="float64", device="cpu"))
    q = q * sign(diagonal(r))  # so that all such matrices are equally likely
    q = q if rows >= columns else q.T
    values = reshape(q, tensor.shape) * gain
    return _write(tensor, values.to(tensor.dtype).to(tensor.device))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, *, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix with draws from N(0, std²), and a part of each column with zeros.

    Parameters
    ----------
    tensor : Tensor
        Of two dimensions. It is changed in place.
    sparsity : float
        Which part of each column is zeros, from 0 to 1; rounded up to a number of elements.
    std : float
        The standard deviation of the others.
    generator : Generator, optional
        Where the numbers come from.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If it has not two dimensions, or the part isn't from 0 to 1.

    References
    ----------
    J. Martens, "Deep learning via Hessian-free optimization", ICML 2010, section 5.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.sparse_(ag.Parameter(ag.zeros((10, 4))), 0.75)
    >>> ag.count_nonzero(w, axis=0).tolist()
    [2, 2, 2, 2]
    """
    _check("sparse_", tensor, sparsity=sparsity, std=std)
    if tensor.ndim != 2 or not 0 <= sparsity <= 1:
        raise ValueError(
            "sparse_ is for matrices and a sparsity from 0 to 1; got shape "
            f"{tuple(tensor.shape)} and {sparsity}"
        )
    rows, columns = tensor.shape
    source = generator or default_generator
    values = source.normal(0, std, (rows, columns), dtype=tensor.dtype, device="cpu")
    zeroed = math.ceil(sparsity * rows)
    for column in range(columns):
        values[source.permutation(rows, device="cpu")[:zeroed], column] = 0
    return _write(tensor, values.to(tensor.device))


# The report's three, at its names -----------------------------------------------------------------


def zero_init(tensor: Tensor) -> Tensor:
    """Fill a Tensor with zeros, as is usual for biases: `zeros_` at the report's name.

    Parameters
    ----------
    tensor : Tensor
        It is changed in place.

    Returns
    -------
    Tensor
        The same one.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.init.zero_init(ag.Parameter([1.0, 2.0])).tolist()
    [0.0, 0.0]
    """
    return zeros_(tensor)


def glorot_init(tensor: Tensor, *, generator: Generator | None = None) -> Tensor:
    r"""Fill a Tensor with draws from U(-a, a), a = sqrt(6 / (fan_in + fan_out)).

    It is `xavier_uniform_` at the report's name.

    Parameters
    ----------
    tensor, generator
        As for `xavier_uniform_`.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If the Tensor has fewer than two dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.glorot_init(ag.Parameter(ag.zeros((2, 4))))
    >>> bool((abs(w) <= 1).all())  # sqrt(6 / (2 + 4)) = 1
    True
    """
    return xavier_uniform_(tensor, generator=generator)


def kaiming_init(tensor: Tensor, *, generator: Generator | None = None) -> Tensor:
    r"""Fill a Tensor with draws from U(-a, a), a = sqrt(6 / fan_in).

    It is `kaiming_uniform_` for ReLU, at the report's name.

    Parameters
    ----------
    tensor, generator
        As for `kaiming_uniform_`.

    Returns
    -------
    Tensor
        The same one.

    Raises
    ------
    ValueError
        If the Tensor has fewer than two dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.kaiming_init(ag.Parameter(ag.zeros((2, 6))))
    >>> bool((abs(w) <= 1).all())  # sqrt(6 / 6) = 1
    True
    """
    return kaiming_uniform_(tensor, nonlinearity="relu", generator=generator)


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs each output of a layer has, and how many outputs each input."""
    if tensor.ndim < 2 or tensor.size == 0:
        raise ValueError(
            "this initializer is for weights of shape (out, in) or (out, in, ...), none of them "
            f"zero; got {tensor.shape}"
        )
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def _check(who: str, tensor: Any, **numbers: Any) -> None:
    """Raise an error if there is no Tensor to write into, or a setting is no number."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{who} fills a Tensor, such as layer.weight; got {type(tensor).__name__}")
    for name, value in numbers.items():
        check_number(who, name, value)


def _place(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "device": tensor.device}


def _write(tensor: Tensor, values: Tensor) -> Tensor:
    tensor.data = tensor._backend.assign(tensor._data, ..., values._data)
    return tensor
