"""Whole networks: those of the lab report, and one that convolves."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from agrad.nn import BatchNorm2d, Conv2d, Linear, Module, ModuleList, init
from agrad.nn import functional as F
from agrad.ops import reshape
from agrad.random import Generator
from agrad.tensor import Tensor
from agrad.typing import DTypeLike

__all__ = ["ConvNetwork", "DeepNetwork", "LinearNetwork"]


class LinearNetwork(Module):
    """One affine layer: scores z = W x + b.

    Parameters
    ----------
    dim_input, dim_output : int
        The number of inputs and of classes.
    dtype, device, generator
        As for `nn.Linear`.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.models.LinearNetwork(784, 10)
    >>> net(ag.zeros((784,), dtype=ag.float32)).shape
    (10,)
    """

    def __init__(
        self,
        dim_input: int,
        dim_output: int,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.layer = Linear(dim_input, dim_output, dtype=dtype, device=device, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes.

        Parameters
        ----------
        x : Tensor
            Of shape (..., dim_input), on the device of the parameters.

        Returns
        -------
        Tensor
            The raw scores, of shape (..., dim_output).
        """
        z: Tensor = self.layer(x)
        return z


class DeepNetwork(Module):
    """Affine layers with a nonlinearity between them.

    Parameters
    ----------
    dim_input, dim_output : int
        The number of inputs and of classes.
    hidden_dim : int
        The width of the layers between.
    n_layers : int
        The number of affine layers, at least 1: 2 with hidden_dim=100 is 784 → 100 → 10.
    tanh : bool
        Use tanh and `init.glorot_init`, rather than ReLU and `init.kaiming_init`.
    dtype, device, generator
        As for `nn.Linear`.

    Raises
    ------
    ValueError
        If a size isn't a positive integer.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.models.DeepNetwork(784, 10, hidden_dim=100, n_layers=2)
    >>> [p.shape for p in net.parameters()]
    [(100, 784), (100,), (10, 100), (10,)]
    """

    def __init__(
        self,
        dim_input: int,
        dim_output: int,
        hidden_dim: int,
        n_layers: int,
        tanh: bool = False,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(n_layers, int) or n_layers < 1:
            raise ValueError(f"DeepNetwork: n_layers must be a positive integer, got {n_layers!r}")
        self.activation = F.tanh if tanh else F.relu
        sizes = [dim_input, *[hidden_dim] * (n_layers - 1), dim_output]
        options: dict[str, Any] = {"dtype": dtype, "device": device, "generator": generator}
        layers = [Linear(n_in, n_out, **options) for n_in, n_out in pairwise(sizes)]
        if not tanh:
            for layer in layers:
                init.kaiming_init(layer.weight, generator=generator)
        self.layers = ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes.

        Parameters
        ----------
        x : Tensor
            Of shape (..., dim_input), on the device of the parameters.

        Returns
        -------
        Tensor
            The raw scores, of shape (..., dim_output).
        """
        *hidden, last = self.layers
        for layer in hidden:
            x = self.activation(layer(x))
        z: Tensor = last(x)
        return z


class ConvNetwork(Module):
    """Convolutions, each of which halves the image, and an affine layer at the end.

    Each stage is a 3x3 convolution that keeps the size, the greatest of each 2x2 square, batch
    normalization and ReLU.

    Parameters
    ----------
    image_shape : tuple of int
        The channels, the height and the width of an image.
    dim_output : int
        The number of classes.
    channels : sequence of int
        How many channels come out of each stage; their number is that of the stages.
    dtype, device, generator
        As for `nn.Conv2d`.

    Raises
    ------
    ValueError
        If a size isn't a positive integer, or the image is too small to be halved so often.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.models.ConvNetwork((1, 28, 28), 10)
    >>> net(ag.zeros((5, 1, 28, 28), dtype=ag.float32)).shape
    (5, 10)
    >>> net(ag.zeros((5, 784), dtype=ag.float32)).shape  # images as vectors
    (5, 10)
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        dim_output: int,
        channels: Sequence[int] = (32, 64, 64),
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        depth, height, width = image_shape
        halved = [n // 2 ** len(channels) for n in (height, width)]
        if min(halved) < 1:
            raise ValueError(
                f"ConvNetwork: an image of {height}x{width} can't be halved {len(channels)} times"
            )
        options: dict[str, Any] = {"dtype": dtype, "device": device}
        convolutions = [
            # No bias, since the normalization takes off what it would add
            Conv2d(n_in, n_out, 3, padding=1, bias=False, generator=generator, **options)
            for n_in, n_out in pairwise([depth, *channels])
        ]
        self.image_shape = (depth, height, width)
        self.convolutions = ModuleList(convolutions)
        self.normalizations = ModuleList([BatchNorm2d(n, **options) for n in channels])
        self.last = Linear(
            ([depth, *channels][-1]) * prod(halved), dim_output, generator=generator, **options
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes.

        Parameters
        ----------
        x : Tensor
            Of shape (..., channels, height, width), or (..., channels * height * width), on the
            device of the parameters.

        Returns
        -------
        Tensor
            The raw scores, of shape (..., dim_output).
        """
        axes = 3 if tuple(x.shape[-3:]) == self.image_shape else 1
        batch = tuple(x.shape[:-axes])
        if x.shape[len(batch) :] not in (self.image_shape, (prod(self.image_shape),)):
            raise ValueError(
                f"ConvNetwork needs images of shape {self.image_shape}, or vectors of "
                f"{prod(self.image_shape)} pixels; got {tuple(x.shape)}"
            )
        x = reshape(x, (prod(batch), *self.image_shape))
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            x = F.relu(normalization(F.max_pool2d(convolution(x), 2)))
        z: Tensor = self.last(reshape(x, (*batch, prod(x.shape[1:]))))
        return z
