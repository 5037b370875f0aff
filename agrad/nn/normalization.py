"""Normalization layers."""

from collections.abc import Sequence

from agrad.autograd import no_grad
from agrad.dtypes import get_default_dtype
from agrad.nn.functional.normalization import (
    as_shape,
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    rms_norm,
)
from agrad.nn.functional.settings import check_number, check_size
from agrad.nn.module import Module
from agrad.ops import asarray, ones, reshape, zeros
from agrad.tensor import Parameter, Tensor
from agrad.typing import DTypeLike, Shape

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "LocalResponseNorm",
    "RMSNorm",
]


def _parameter(
    name: str, shape: Shape, value: float, dtype: DTypeLike, device: str | None
) -> Parameter:
    dtype = get_default_dtype() if dtype is None else dtype
    made = (ones if value else zeros)(shape, dtype=dtype, device=device)
    return Parameter(made, name=name)


class LayerNorm(Module):
    """Normalize the features of each example: see `functional.layer_norm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The lengths of the last axes, over which mean and variance are taken.
    eps : float
        What is added to the variance.
    elementwise_affine : bool
        Whether there is a weight.
    bias : bool
        Whether there is also a bias.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.

    Attributes
    ----------
    weight, bias : Parameter or None
        Of shape normalized_shape; ones and zeros at first.

    Raises
    ------
    ValueError
        If a length isn't a positive integer, or what comes in has other last axes.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.LayerNorm(4)
    >>> layer(ag.ones((2, 3, 4), dtype=ag.float32)).shape
    (2, 3, 4)
    >>> layer
    LayerNorm((4,), eps=1e-05, elementwise_affine=True)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> None:
        self.normalized_shape = as_shape("LayerNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        if elementwise_affine:
            self.weight = _parameter("weight", self.normalized_shape, 1, dtype, device)
            if bias:
                self.bias = _parameter("bias", self.normalized_shape, 0, dtype, device)

    def forward(self, input: Tensor) -> Tensor:
        """Return the input normalized.

        Parameters
        ----------
        input : Tensor
            Of shape ``(..., *normalized_shape)``, on the device of the parameters.

        Returns
        -------
        Tensor
            Of the shape of `input`.
        """
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class RMSNorm(Module):
    """Divide the features of each example by their root mean square: see `functional.rms_norm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The lengths of the last axes, over which the mean is taken.
    eps : float, optional
        What is added to the mean; the data type's own eps if not given.
    elementwise_affine : bool
        Whether there is a weight.
    dtype, device
        As for `LayerNorm`.

    Attributes
    ----------
    weight : Parameter or None
        Of shape normalized_shape, ones at first.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.RMSNorm(4)(ag.ones((2, 4), dtype=ag.float32)).shape
    (2, 4)
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> None:
        self.normalized_shape = as_shape("RMSNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight: Parameter | None = None
        if elementwise_affine:
            self.weight = _parameter("weight", self.normalized_shape, 1, dtype, device)

    def forward(self, input: Tensor) -> Tensor:
        """Return the input divided by its root mean square.

        Parameters
        ----------
        input : Tensor
            Of shape ``(..., *normalized_shape)``, on the device of the parameters.

        Returns
        -------
        Tensor
            Of the shape of `input`.
        """
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Normalize groups of channels of each example: see `functional.group_norm`.

    Parameters
    ----------
    num_groups : int
        In how many groups the channels are.
    num_channels : int
        How many there are; a multiple of `num_groups`.
    eps : float
        What is added to the variance.
    affine : bool
        Whether there are a weight and a bias.
    dtype, device
        As for `LayerNorm`.

    Attributes
    ----------
    weight, bias : Parameter or None
        Of shape (num_channels,); ones and zeros at first.

    Raises
    ------
    ValueError
        If the channels can't be grouped so, or what comes in has another number of them.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.GroupNorm(2, 6)(ag.ones((5, 6, 3), dtype=ag.float32)).shape
    (5, 6, 3)
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> None:
        check_size("GroupNorm", "num_groups", num_groups)
        check_size("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ValueError(
                "GroupNorm: num_channels must be a multiple of num_groups, got "
                f"{num_channels!r} and {num_groups!r}"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        if affine:
            self.weight = _parameter("weight", (num_channels,), 1, dtype, device)
            self.bias = _parameter("bias", (num_channels,), 0, dtype, device)

    def forward(self, input: Tensor) -> Tensor:
        """Return the input normalized.

        Parameters
        ----------
        input : Tensor
            Of shape (N, num_channels, ...), on the device of the parameters.

        Returns
        -------
        Tensor
            Of the shape of `input`.
        """
        x = asarray(input)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ValueError(
                f"GroupNorm needs an input of shape (N, {self.num_channels}, ...); got "
                f"{tuple(x.shape)}"
            )
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


class LocalResponseNorm(Module):
    """Divide by what neighbouring channels have at the same place.

    See `functional.local_response_norm`.

    Parameters
    ----------
    size : int
        How many channels, itself among them.
    alpha, beta, k : float
        α, β and k.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.LocalResponseNorm(2)(ag.ones((4, 3, 5, 5))).shape
    (4, 3, 5, 5)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        check_size("LocalResponseNorm", "size", size)
        for name, value in (("alpha", alpha), ("beta", beta), ("k", k)):
            check_number("LocalResponseNorm", name, value)
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """Return the input normalized.

        Parameters
        ----------
        input : Tensor
            Of shape (N, C, ...), with one more axis at least.

        Returns
        -------
        Tensor
            Of the shape of `input`.
        """
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class _RunningNorm(Module):
    """What batch and instance normalization have in common: values that run along in training."""

    _shapes: tuple[str, ...]  # what may come in, the shortest first

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        dtype: DTypeLike,
        device: str | None,
    ) -> None:
        name = type(self).__name__
        check_size(name, "num_features", num_features)
        check_number(name, "eps", eps, least=0)
        if momentum is not None:
            check_number(name, "momentum", momentum, least=0, most=1)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight: Parameter | None = None
        self.bias: Parameter | None = None
        if affine:
            self.weight = _parameter("weight", (num_features,), 1, dtype, device)
            self.bias = _parameter("bias", (num_features,), 0, dtype, device)
        dtype = get_default_dtype() if dtype is None else dtype
        track = track_running_stats
        shape = (num_features,)
        self.register_buffer(
            "running_mean", zeros(shape, dtype=dtype, device=device) if track else None
        )
        self.register_buffer(
            "running_var", ones(shape, dtype=dtype, device=device) if track else None
        )
        self.register_buffer(
            "num_batches_tracked", zeros((), dtype="int64", device=device) if track else None
        )

    def _check_input(self, x: Tensor) -> None:
        shape = tuple(x.shape)
        fits = any(len(shape) == each.count(",") + 1 for each in self._shapes)
        if not fits or shape[self._channel_axis(x)] != self.num_features:
            wanted = " or ".join(self._shapes).replace("C", str(self.num_features))
            raise ValueError(f"{type(self).__name__} needs an input of shape {wanted}; got {shape}")

    def _channel_axis(self, x: Tensor) -> int:
        return 1

    def _momentum(self) -> float | Tensor:
        """Count a batch, and return how far the running values are to move."""
        assert self.num_batches_tracked is not None
        with no_grad():
            self.num_batches_tracked[...] = self.num_batches_tracked + 1
        if self.momentum is not None:
            return self.momentum
        assert self.running_mean is not None
        return 1 / self.num_batches_tracked.to(self.running_mean.dtype)  # the mean of all so far

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype, device)

    def forward(self, input: Tensor) -> Tensor:
        """Return the input normalized: in training by the batch, otherwise by the running values.

        Parameters
        ----------
        input : Tensor
            Of shape (N, num_features, ...), on the device of the parameters.

        Returns
        -------
        Tensor
            Of the shape of `input`.
        """
        self._check_input(input)
        mean, var = self.running_mean, self.running_var
        moves = self.training and mean is not None
        momentum = self._momentum() if moves else 0.0
        by_batch = self.training or mean is None
        return batch_norm(input, mean, var, self.weight, self.bias, by_batch, momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    """Normalize each channel over a batch of vectors or sequences: see `functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        The number of channels C.
    eps : float
        What is added to the variance.
    momentum : float or None
        How far the running values move with each batch in training. None: they are the mean of
        those of all batches so far.
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        Whether there are running values; without them it always normalizes by the batch.
    dtype : dtype or str, optional
        The data type of the parameters and running values; the default one (float32) if not given.
    device : str, optional
        Where they are; the CPU if not given.

    Attributes
    ----------
    weight, bias : Parameter or None
        Of shape (num_features,); ones and zeros at first.
    running_mean, running_var : Tensor or None
        Of shape (num_features,); zeros and ones at first.
    num_batches_tracked : Tensor or None
        How many batches there were in training.

    Raises
    ------
    ValueError
        If the number of features isn't a positive integer, or what comes in doesn't fit.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.BatchNorm1d(3)
    >>> layer(ag.ones((5, 3), dtype=ag.float32)).shape
    (5, 3)
    >>> list(layer.state_dict())
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """

    _shapes = ("(N, C)", "(N, C, L)")


class BatchNorm2d(_BatchNorm):
    """Normalize each channel over a batch of images: see `functional.batch_norm`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, dtype, device
        As for `BatchNorm1d`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.BatchNorm2d(3)(ag.ones((5, 3, 4, 4), dtype=ag.float32)).shape
    (5, 3, 4, 4)
    """

    _shapes = ("(N, C, H, W)",)


class BatchNorm3d(_BatchNorm):
    """Normalize each channel over a batch of volumes: see `functional.batch_norm`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, dtype, device
        As for `BatchNorm1d`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.BatchNorm3d(3)(ag.ones((5, 3, 2, 4, 4), dtype=ag.float32)).shape
    (5, 3, 2, 4, 4)
    """

    _shapes = ("(N, C, D, H, W)",)


class _InstanceNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype, device)

    def _channel_axis(self, x: Tensor) -> int:
        return 0 if len(x.shape) == self._shapes[0].count(",") + 1 else 1

    def _momentum(self) -> float | Tensor:
        return 0.0 if self.momentum is None else self.momentum  # as in PyTorch, none are counted

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with each channel of each example normalized.

        Parameters
        ----------
        input : Tensor
            Of shape (N, num_features, ...), or of one example without the N.

        Returns
        -------
        Tensor
            Of the shape of `input`.
        """
        self._check_input(input)
        mean, var = self.running_mean, self.running_var
        by_example = self.training or mean is None
        single = self._channel_axis(input) == 0
        x = reshape(input, (1, *input.shape)) if single else input
        momentum = self._momentum()
        y = instance_norm(x, mean, var, self.weight, self.bias, by_example, momentum, self.eps)
        return reshape(y, input.shape) if single else y


class InstanceNorm1d(_InstanceNorm):
    """Normalize each channel of each sequence: see `functional.instance_norm`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, dtype, device
        As for `BatchNorm1d`; but unless told otherwise there are neither parameters nor running
        values.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.InstanceNorm1d(3)(ag.ones((5, 3, 4), dtype=ag.float32)).shape
    (5, 3, 4)
    """

    _shapes = ("(C, L)", "(N, C, L)")


class InstanceNorm2d(_InstanceNorm):
    """Normalize each channel of each image: see `functional.instance_norm`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, dtype, device
        As for `InstanceNorm1d`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.InstanceNorm2d(3)(ag.ones((5, 3, 4, 4), dtype=ag.float32)).shape
    (5, 3, 4, 4)
    """

    _shapes = ("(C, H, W)", "(N, C, H, W)")


class InstanceNorm3d(_InstanceNorm):
    """Normalize each channel of each volume: see `functional.instance_norm`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, dtype, device
        As for `InstanceNorm1d`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.InstanceNorm3d(3)(ag.ones((5, 3, 2, 4, 4), dtype=ag.float32)).shape
    (5, 3, 2, 4, 4)
    """

    _shapes = ("(C, D, H, W)", "(N, C, D, H, W)")
