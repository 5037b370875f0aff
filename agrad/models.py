"""The networks of the lab report."""

from itertools import pairwise
from typing import Any

from agrad.nn import Linear, Module, ModuleList, init
from agrad.nn import functional as F
from agrad.random import Generator
from agrad.tensor import Tensor
from agrad.typing import DTypeLike

__all__ = ["DeepNetwork", "LinearNetwork"]


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
