"""Initial values for parameters, written in place.

Each draws on the host from the given generator, or from the one that `agrad.manual_seed` seeds, so
that a seed gives the same weights on every device.
"""

import math

from agrad.random import Generator, default_generator
from agrad.tensor import Tensor

__all__ = ["glorot_init", "kaiming_init", "zero_init"]


def zero_init(tensor: Tensor) -> Tensor:
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
    >>> ag.nn.init.zero_init(ag.Parameter([1.0, 2.0])).tolist()
    [0.0, 0.0]
    """
    return _write(tensor, 0.0)


def glorot_init(tensor: Tensor, *, generator: Generator | None = None) -> Tensor:
    r"""Fill a Tensor with draws from U(-a, a), a = sqrt(6 / (fan_in + fan_out)).

    So the variance of the values going forward and of the gradients going back stays about the
    same from layer to layer, where the activation is nearly linear around zero, like tanh.

    Parameters
    ----------
    tensor : Tensor
        Weights of shape (fan_out, fan_in), or (out, in, ...) of a convolution, whose fans count
        the places of its window as well. It is changed in place.
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
    >>> w = ag.nn.init.glorot_init(ag.Parameter(ag.zeros((2, 4))))
    >>> bool((abs(w) <= 1).all())  # sqrt(6 / (2 + 4)) = 1
    True
    """
    fan_in, fan_out = _fans(tensor)
    return _uniform(tensor, math.sqrt(6 / (fan_in + fan_out)), generator)


def kaiming_init(tensor: Tensor, *, generator: Generator | None = None) -> Tensor:
    r"""Fill a Tensor with draws from U(-a, a), a = sqrt(6 / fan_in).

    Their variance is 2 / fan_in: the paper's equation 10, in the uniform form. So the values going
    forward keep their size from layer to layer where ReLU sets half of them to zero.

    Parameters
    ----------
    tensor : Tensor
        Weights of shape (fan_out, fan_in), or (out, in, ...) of a convolution, whose fans count
        the places of its window as well. It is changed in place.
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
    K. He, X. Zhang, S. Ren and J. Sun, "Delving deep into rectifiers: surpassing human-level
    performance on ImageNet classification", ICCV 2015, equation 10.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.nn.init.kaiming_init(ag.Parameter(ag.zeros((2, 6))))
    >>> bool((abs(w) <= 1).all())  # sqrt(6 / 6) = 1
    True
    """
    fan_in, _ = _fans(tensor)
    return _uniform(tensor, math.sqrt(6 / fan_in), generator)


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs each output of a layer has, and how many outputs each input."""
    if tensor.ndim < 2 or tensor.size == 0:
        raise ValueError(
            "this initializer is for weights of shape (out, in) or (out, in, ...), none of them "
            f"zero; got {tensor.shape}"
        )
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def _uniform(tensor: Tensor, bound: float, generator: Generator | None) -> Tensor:
    draws = (generator or default_generator).uniform(
        -bound, bound, tensor.shape, dtype=tensor.dtype, device=tensor.device
    )
    return _write(tensor, draws._data)


def _write(tensor: Tensor, values: object) -> Tensor:
    tensor.data = tensor._backend.assign(tensor._data, ..., values)
    return tensor
