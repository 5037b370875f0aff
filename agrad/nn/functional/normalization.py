"""Normalization: values shifted and scaled, over a batch or over features."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from agrad.autograd import Primitive, no_grad, record
from agrad.nn.functional.padding import pad
from agrad.nn.functional.pooling import avg_pool2d
from agrad.nn.functional.settings import check_size
from agrad.ops import (
    add,
    asarray,
    astype,
    divide,
    finfo,
    mean,
    multiply,
    reshape,
    sqrt,
    subtract,
    var,
)
from agrad.ops.casting import cast_up, casting
from agrad.tensor import Tensor
from agrad.typing import Shape, TensorLike

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "rms_norm",
]

# Both are one node each: as several, they would keep and go through four arrays of the size of x
# instead of two. With r = 1 / sqrt(var(x) + eps) and y = (x - mean(x)) r, every x moves the mean
# and the variance of all; what that takes off a gradient g is mean(g) and y mean(g y).


def _standardize(xp: Any, x: Any, axis: tuple[int, ...], eps: float) -> Any:
    centered = x - xp.mean(x, axis=axis, keepdims=True)
    return centered / xp.sqrt(xp.mean(centered * centered, axis=axis, keepdims=True) + eps)


def _standardize_x(xp: Any, g: Any, x: Any, out: Any, axis: tuple[int, ...], eps: float) -> Any:
    spread = xp.sqrt(xp.var(x, axis=axis, keepdims=True) + eps)
    g = g - xp.mean(g, axis=axis, keepdims=True)
    return (g - out * xp.mean(g * out, axis=axis, keepdims=True)) / spread


_STANDARDIZE = Primitive("standardize", _standardize, fused=True, x=_standardize_x)


def _by_rms(xp: Any, x: Any, axis: tuple[int, ...], eps: float) -> Any:
    return x / xp.sqrt(xp.mean(x * x, axis=axis, keepdims=True) + eps)


def _by_rms_x(xp: Any, g: Any, x: Any, out: Any, axis: tuple[int, ...], eps: float) -> Any:
    rms = xp.sqrt(xp.mean(x * x, axis=axis, keepdims=True) + eps)
    return (g - out * xp.mean(g * out, axis=axis, keepdims=True)) / rms


_BY_RMS = Primitive("divide_by_rms", _by_rms, fused=True, x=_by_rms_x)


def _affine(x: Tensor, weight: TensorLike | None, bias: TensorLike | None) -> Tensor:
    """Return weight * x + bias, of which either may be missing."""
    if weight is not None:
        x = multiply(x, weight)
    return x if bias is None else add(x, bias)


def _check_affine(
    who: str, weight: TensorLike | None, bias: TensorLike | None, shape: Shape
) -> None:
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and tuple(asarray(value).shape) != tuple(shape):
            raise ValueError(
                f"{who} needs a {name} of shape {tuple(shape)}, got {tuple(asarray(value).shape)}"
            )


def _last_axes(who: str, x: Tensor, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """Return the axes of the features, checked."""
    shape = as_shape(who, normalized_shape)
    if len(shape) > x.ndim or tuple(x.shape[x.ndim - len(shape) :]) != shape:
        raise ValueError(
            f"{who} needs an input whose last axes are {shape}, got one of shape {tuple(x.shape)}"
        )
    return tuple(range(-len(shape), 0))


def as_shape(who: str, normalized_shape: int | Sequence[int]) -> Shape:
    sizes: Any = normalized_shape
    given: tuple[Any, ...] = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
    if not given or not all(isinstance(n, Integral) and int(n) > 0 for n in given):
        raise ValueError(
            f"{who}: normalized_shape must be a positive integer or several, got "
            f"{normalized_shape!r}"
        )
    return tuple(int(n) for n in given)


# Over the features of each example ---------------------------------------------------------------


def layer_norm(
    input: TensorLike,
    normalized_shape: int | Sequence[int],
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias, over the last axes.

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape ``(..., *normalized_shape)``.
    normalized_shape : int or sequence of int
        The lengths of the axes that mean and variance are taken over.
    weight, bias : Tensor, optional
        Of shape normalized_shape.
    eps : float
        What is added to the variance.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If the shapes don't fit.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016, equation 4.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.functional.layer_norm(ag.Tensor([[1.0, 3.0], [0.0, 10.0]]), 2, eps=0).tolist()
    [[-1.0, 1.0], [-1.0, 1.0]]
    """
    if casting.state:
        input = cast_up(input)
    x = asarray(input)
    axes = _last_axes("layer_norm", x, normalized_shape)
    _check_affine("layer_norm", weight, bias, x.shape[axes[0] :])
    return _affine(record(_STANDARDIZE, (x,), axis=axes, eps=eps), weight, bias)


def rms_norm(
    input: TensorLike,
    normalized_shape: int | Sequence[int],
    weight: TensorLike | None = None,
    eps: float | None = None,
) -> Tensor:
    """Return x / sqrt(mean(x²) + eps) * weight, over the last axes.

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape ``(..., *normalized_shape)``.
    normalized_shape : int or sequence of int
        The lengths of the axes that the mean is taken over.
    weight : Tensor, optional
        Of shape normalized_shape.
    eps : float, optional
        What is added to the mean; the data type's own eps if not given.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If the shapes don't fit.

    References
    ----------
    B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.functional.rms_norm(ag.Tensor([[1.0, 7.0]]), 2, eps=0).tolist()
    [[0.2, 1.4]]
    """
    if casting.state:
        input = cast_up(input)
    x = asarray(input)
    axes = _last_axes("rms_norm", x, normalized_shape)
    _check_affine("rms_norm", weight, None, x.shape[axes[0] :])
    eps = float(finfo(x.dtype).eps) if eps is None else eps
    return _affine(record(_BY_RMS, (x,), axis=axes, eps=eps), weight, None)


def group_norm(
    input: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias, over groups of channels.

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (N, C, ...).
    num_groups : int
        In how many groups the channels are; C is a multiple of it.
    weight, bias : Tensor, optional
        Of shape (C,).
    eps : float
        What is added to the variance.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If the shapes don't fit.

    References
    ----------
    Y. Wu and K. He, "Group normalization", ECCV 2018, equations 1, 2, 6 and 7.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[[1.0], [3.0], [0.0], [10.0]]])
    >>> ag.nn.functional.group_norm(x, 2, eps=0).tolist()
    [[[-1.0], [1.0], [-1.0], [1.0]]]
    """
    if casting.state:
        input = cast_up(input)
    x = asarray(input)
    if x.ndim < 2 or not isinstance(num_groups, int) or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(
            "group_norm needs an input of shape (N, C, ...) with C a multiple of num_groups; got "
            f"{tuple(x.shape)} and {num_groups!r}"
        )
    _check_affine("group_norm", weight, bias, x.shape[1:2])
    size = math.prod(x.shape[1:]) // num_groups
    grouped = reshape(x, (x.shape[0], num_groups, size))
    y = reshape(record(_STANDARDIZE, (grouped,), axis=(-1,), eps=eps), x.shape)
    return _affine_per_channel(y, weight, bias)


def _per_channel(values: TensorLike, ndim: int) -> Tensor:
    """Return one value a channel so that it broadcasts against (N, C, ...)."""
    return reshape(values, (-1, *(1,) * (ndim - 2)))


def _affine_per_channel(x: Tensor, weight: TensorLike | None, bias: TensorLike | None) -> Tensor:
    weight = None if weight is None else _per_channel(weight, x.ndim)
    return _affine(x, weight, None if bias is None else _per_channel(bias, x.ndim))


def local_response_norm(
    input: TensorLike, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Return x / (k + α mean(x²))^β, the mean over neighbouring channels at the same place.

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (N, C, ...), with one more axis at least.
    size : int
        How many channels the mean is over: size // 2 before each, itself, and those after it; where
        there is none it counts as 0.
    alpha, beta, k : float
        α, β and k.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If the shape doesn't fit, or the size isn't a positive integer.

    References
    ----------
    A. Krizhevsky, I. Sutskever and G. E. Hinton, "ImageNet classification with deep convolutional
    neural networks", NeurIPS 2012, section 3.3.

    Examples
    --------
    >>> import agrad as ag
    >>> x = ag.Tensor([[[2.0], [4.0]]])
    >>> ag.nn.functional.local_response_norm(x, 2, alpha=1.0, beta=1.0, k=0.0).tolist()
    [[[1.0], [0.4]]]
    """
    check_size("local_response_norm", "size", size)
    x = asarray(input)
    if x.ndim < 3:
        raise ValueError(
            f"local_response_norm needs an input of shape (N, C, ...) with one more axis at least, "
            f"got {x.shape}"
        )
    channels = reshape(x * x, (x.shape[0], 1, x.shape[1], math.prod(x.shape[2:])))
    around = pad(channels, (0, 0, size // 2, (size - 1) // 2))
    means = reshape(avg_pool2d(around, (size, 1), stride=1), x.shape)
    return divide(x, (k + alpha * means) ** beta)


# Over a batch ------------------------------------------------------------------------------------


def batch_norm(
    input: TensorLike,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias, channel by channel.

    In training mean and variance are those of the batch, and the running ones move towards them;
    otherwise they are the running ones.

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (N, C, ...).
    running_mean, running_var : Tensor or None
        Of shape (C,). In training they are changed in place, unless they are None.
    weight, bias : Tensor, optional
        Of shape (C,).
    training : bool
        Whether to normalize by the batch.
    momentum : float
        How far the running values move: to ``(1 - momentum) * running + momentum * batch``.
    eps : float
        What is added to the variance.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If the shapes don't fit, in training a channel has one value alone, or otherwise there are
        no running values.

    Notes
    -----
    The running variance is made of the unbiased ones, over n - 1; the batch is normalized by the
    one over n.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015, algorithms 1 and 2.

    Examples
    --------
    >>> import agrad as ag
    >>> mean, var = ag.zeros(2), ag.ones(2)
    >>> x = ag.Tensor([[1.0, 0.0], [3.0, 10.0]])
    >>> ag.nn.functional.batch_norm(x, mean, var, training=True, eps=0).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> mean.tolist()  # 0.9 * 0 + 0.1 * the batch's
    [0.2, 0.5]
    """
    x = asarray(input)
    if x.ndim < 2:
        raise ValueError(
            f"batch_norm needs an input of shape (N, C) or (N, C, ...), got {tuple(x.shape)}"
        )
    _check_affine("batch_norm", weight, bias, x.shape[1:2])
    for name, value in (("running_mean", running_mean), ("running_var", running_var)):
        if value is not None and tuple(value.shape) != tuple(x.shape[1:2]):
            raise ValueError(
                f"batch_norm needs a {name} of shape {tuple(x.shape[1:2])}, got "
                f"{tuple(value.shape)}"
            )
    if casting.state and (wide := cast_up(x)) is not x:
        settings = running_mean, running_var, weight, bias, training, momentum, eps
        return astype(batch_norm(wide, *settings), x.dtype)
    axes = (0, *range(2, x.ndim))
    if training:
        count = math.prod(x.shape[a] for a in axes)
        if count == 1:
            raise ValueError(
                "batch_norm: in training each channel needs more than one value, got an input of "
                f"shape {tuple(x.shape)}"
            )
        with no_grad():
            if running_mean is not None:
                _move(running_mean, mean(x, axis=axes), momentum)
            if running_var is not None:
                _move(running_var, var(x, axis=axes, correction=1), momentum)
        y = record(_STANDARDIZE, (x,), axis=axes, eps=eps)
    elif running_mean is None or running_var is None:
        raise ValueError("batch_norm: with training=False it needs running_mean and running_var")
    else:
        centered = subtract(x, _per_channel(running_mean, x.ndim))
        y = divide(centered, _per_channel(sqrt(add(running_var, eps)), x.ndim))
    return _affine_per_channel(y, weight, bias)


def _move(running: Tensor, batch: Tensor, momentum: float | Tensor) -> None:
    """Move a running value towards a batch's, in place."""
    running[...] = running * (1 - momentum) + batch * momentum


def instance_norm(
    input: TensorLike,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    use_input_stats: bool = True,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias, for each channel of each example.

    Parameters
    ----------
    input : Tensor
        Floating-point, of shape (N, C, ...).
    running_mean, running_var : Tensor, optional
        Of shape (C,). With `use_input_stats` they move towards the means of the examples' values.
    weight, bias : Tensor, optional
        Of shape (C,).
    use_input_stats : bool
        Whether to normalize by the example, not by the running values.
    momentum, eps : float
        As for `batch_norm`.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If the shapes don't fit, a channel has one value alone, or without `use_input_stats` there
        are no running values.

    References
    ----------
    D. Ulyanov, A. Vedaldi and V. Lempitsky, "Instance normalization: the missing ingredient for
    fast stylization", 2016, equation 3.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.functional.instance_norm(ag.Tensor([[[1.0, 3.0], [0.0, 10.0]]]), eps=0).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]]]
    """
    x = asarray(input)
    if x.ndim < 3:
        raise ValueError(f"instance_norm needs an input of shape (N, C, ...), got {tuple(x.shape)}")
    if casting.state and (wide := cast_up(x)) is not x:
        settings = running_mean, running_var, weight, bias, use_input_stats, momentum, eps
        return astype(instance_norm(wide, *settings), x.dtype)
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
    _check_affine("instance_norm", weight, bias, x.shape[1:2])
    axes = tuple(range(2, x.ndim))
    if math.prod(x.shape[2:]) == 1:
        raise ValueError(
            "instance_norm: each channel of an example needs more than one value, got an input of "
            f"shape {tuple(x.shape)}"
        )
    with no_grad():
        if running_mean is not None:
            _move(running_mean, mean(mean(x, axis=axes), axis=0), momentum)
        if running_var is not None:
            _move(running_var, mean(var(x, axis=axes, correction=1), axis=0), momentum)
    y = record(_STANDARDIZE, (x,), axis=axes, eps=eps)
    return _affine_per_channel(y, weight, bias)
