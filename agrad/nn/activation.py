"""Activations as modules."""

from agrad.nn import functional as F
from agrad.nn.module import Module
from agrad.tensor import Tensor

__all__ = ["ReLU", "Tanh"]


class ReLU(Module):
    """max(x, 0), element by element.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.ReLU()(ag.Tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return max(x, 0).

        Parameters
        ----------
        x : Tensor
            Of any shape.

        Returns
        -------
        Tensor
            Of the shape and data type of `x`.
        """
        return F.relu(x)


class Tanh(Module):
    """The hyperbolic tangent, element by element.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Tanh()(ag.Tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return tanh(x).

        Parameters
        ----------
        x : Tensor
            Of any shape.

        Returns
        -------
        Tensor
            Of the shape and data type of `x`.
        """
        return F.tanh(x)
