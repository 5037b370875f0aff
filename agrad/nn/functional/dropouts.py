"""Dropout: values are zeroed at random in training, so that no unit relies on a few others."""

import math
from numbers import Real

from agrad.ops import asarray, astype, greater_equal, multiply
from agrad.random import Generator, default_generator
from agrad.tensor import Tensor
from agrad.typing import Shape, TensorLike

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

# What SELU gives for -∞, -λα: alpha dropout puts it where a value is dropped
_DROPPED = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717


def check_p(who: str, p: float, name: str = "p") -> None:
    if not isinstance(p, Real) or not 0 <= p <= 1:
        raise ValueError(f"{who}: {name} must be a probability, from 0 to 1; got {p!r}")


def _kept(x: Tensor, shape: Shape, p: float, generator: Generator | None) -> Tensor:
    """Return 1 for what stays and 0 for what is dropped, with probability p."""
    draws = (generator or default_generator).uniform(0, 1, shape, dtype=x.dtype, device=x.device)
    return astype(greater_equal(draws, p), x.dtype)


def _drop(
    who: str, input: TensorLike, p: float, training: bool, generator: Generator | None, free: int
) -> Tensor:
    """Zero elements, or whole channels: of the last `free` axes, all or none is dropped."""
    check_p(who, p)
    x = asarray(input)
    if not training or p == 0:
        return x
    if p == 1:
        return multiply(x, 0.0)
    shape = (*x.shape[: x.ndim - free], *(1,) * free)
    return multiply(x, multiply(_kept(x, shape, p, generator), 1 / (1 - p)))


def _drop_channels(
    who: str,
    input: TensorLike,
    p: float,
    training: bool,
    generator: Generator | None,
    dimensions: int,
) -> Tensor:
    x = asarray(input)
    if x.ndim not in (dimensions + 1, dimensions + 2):
        axes = {1: "C, L", 2: "C, H, W", 3: "C, D, H, W"}[dimensions]
        raise ValueError(f"{who} needs a shape of ({axes}) or (N, {axes}); got {tuple(x.shape)}")
    return _drop(who, x, p, training, generator, dimensions)


def dropout(
    input: TensorLike,
    p: float = 0.5,
    training: bool = True,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Zero each element with probability p, and multiply the others by 1 / (1 - p).

    Parameters
    ----------
    input : Tensor
        Floating-point, of any shape.
    p : float
        The probability that an element is dropped.
    training : bool
        If not, all stays as it is.
    generator : Generator, optional
        Where the random numbers come from.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`, and the same values on average.

    Raises
    ------
    ValueError
        If `p` is no probability.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout: a simple
    way to prevent neural networks from overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import agrad as ag
    >>> y = ag.nn.functional.dropout(ag.ones(1000), 0.25)
    >>> sorted(set(y.tolist()))
    [0.0, 1.3333333333333333]
    """
    return _drop("dropout", input, p, training, generator, 0)


def dropout1d(
    input: TensorLike,
    p: float = 0.5,
    training: bool = True,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Zero each channel with probability p, and multiply the others by 1 / (1 - p).

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (C, L) or (N, C, L).
    p, training, generator
        As for `dropout`.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `p` is no probability, or `input` of another number of dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> y = ag.nn.functional.dropout1d(ag.ones((1, 3, 2)))
    >>> bool((y[:, :, 0] == y[:, :, 1]).all())
    True
    """
    return _drop_channels("dropout1d", input, p, training, generator, 1)


def dropout2d(
    input: TensorLike,
    p: float = 0.5,
    training: bool = True,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Zero each channel with probability p, and multiply the others by 1 / (1 - p).

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (C, H, W) or (N, C, H, W).
    p, training, generator
        As for `dropout`.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `p` is no probability, or `input` of another number of dimensions.

    References
    ----------
    J. Tompson, R. Goroshin, A. Jain, Y. LeCun and C. Bregler, "Efficient object localization using
    convolutional networks", CVPR 2015.

    Examples
    --------
    >>> import agrad as ag
    >>> y = ag.nn.functional.dropout2d(ag.ones((1, 3, 2, 2)))
    >>> bool((y == y[:, :, :1, :1]).all())
    True
    """
    return _drop_channels("dropout2d", input, p, training, generator, 2)


def dropout3d(
    input: TensorLike,
    p: float = 0.5,
    training: bool = True,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Zero each channel with probability p, and multiply the others by 1 / (1 - p).

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (C, D, H, W) or (N, C, D, H, W).
    p, training, generator
        As for `dropout`.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `p` is no probability, or `input` of another number of dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.functional.dropout3d(ag.ones((1, 3, 2, 2, 2))).shape
    (1, 3, 2, 2, 2)
    """
    return _drop_channels("dropout3d", input, p, training, generator, 3)


def alpha_dropout(
    input: TensorLike,
    p: float = 0.5,
    training: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Drop elements so that mean 0 and variance 1 stay, as SELU makes them.

    Each becomes SELU's lowest value with probability p; all are then scaled and shifted.

    Parameters
    ----------
    input : Tensor
        Floating-point, of any shape.
    p : float
        The probability that an element is dropped.
    training : bool
        If not, all stays as it is. As in PyTorch, that is so unless told otherwise.
    generator : Generator, optional
        Where the random numbers come from.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `p` is no probability.

    References
    ----------
    G. Klambauer, T. Unterthiner, A. Mayr and S. Hochreiter, "Self-normalizing neural networks",
    NeurIPS 2017, section 3.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.random.Generator(0).normal(0, 1, (10_000,))
    >>> y = ag.nn.functional.alpha_dropout(x, 0.2, training=True)
    >>> abs(float(y.mean())) < 0.1, abs(float(y.var()) - 1) < 0.1
    (True, True)
    """
    x = asarray(input)
    return _alpha_drop("alpha_dropout", x, p, training, generator, x.shape)


def feature_alpha_dropout(
    input: TensorLike,
    p: float = 0.5,
    training: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Drop whole channels so that mean 0 and variance 1 stay: see `alpha_dropout`.

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (N, C, ...).
    p, training, generator
        As for `alpha_dropout`.

    Returns
    -------
    Tensor
        Of the shape and data type of `input`.

    Raises
    ------
    ValueError
        If `p` is no probability, or `input` has fewer than two dimensions.

    Examples
    --------
    >>> import agrad as ag
    >>> y = ag.nn.functional.feature_alpha_dropout(ag.ones((1, 3, 2)), training=True)
    >>> bool((y[:, :, 0] == y[:, :, 1]).all())
    True
    """
    x = asarray(input)
    if x.ndim < 2:
        raise ValueError(f"feature_alpha_dropout needs a shape of (N, C, ...); got {x.shape}")
    shape = (*x.shape[:2], *(1,) * (x.ndim - 2))
    return _alpha_drop("feature_alpha_dropout", x, p, training, generator, shape)


def _alpha_drop(
    who: str, x: Tensor, p: float, training: bool, generator: Generator | None, shape: Shape
) -> Tensor:
    """Drop elements, or all those for which there is one in an array of the given shape."""
    check_p(who, p)
    if not training or p == 0:
        return x
    if p == 1:
        return multiply(x, 0.0)
    scale = 1 / math.sqrt((1 - p) * (1 + p * _DROPPED**2))
    kept = _kept(x, shape, p, generator)
    return x * (kept * scale) + ((1 - kept) * (scale * _DROPPED) - scale * p * _DROPPED)
