"""Dropout: values are zeroed at random in training, so that no unit relies on a few others."""

from agrad.nn.functional.dropouts import (
    alpha_dropout,
    check_p,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)
from agrad.nn.module import Module
from agrad.random import Generator
from agrad.tensor import Tensor

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]


class _Dropout(Module):
    """What the kinds of dropout have in common."""

    def __init__(self, p: float = 0.5, *, generator: Generator | None = None) -> None:
        check_p(type(self).__name__, p)
        self.p = p
        self.generator = generator

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout(_Dropout):
    """In training, zero each element with probability p, and multiply the others by 1 / (1 - p).

    Parameters
    ----------
    p : float
        The probability that an element is dropped.
    generator : Generator, optional
        Where the random numbers come from; the one that `agrad.manual_seed` seeds if not given.

    Raises
    ------
    ValueError
        If `p` is no probability.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.Dropout(0.5)
    >>> sorted(set(layer(ag.ones(100)).tolist()))
    [0.0, 2.0]
    >>> layer.eval()(ag.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with elements dropped, or in evaluation as it is.

        Parameters
        ----------
        input : Tensor
            Floating-point, of any shape.

        Returns
        -------
        Tensor
            Of the shape and data type of `input`.
        """
        return dropout(input, self.p, self.training, generator=self.generator)


class Dropout1d(_Dropout):
    """In training, zero whole channels with probability p: see `Dropout`.

    Parameters
    ----------
    p, generator
        As for `Dropout`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Dropout1d(0.2)(ag.ones((4, 3, 10))).shape
    (4, 3, 10)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with channels dropped, or in evaluation as it is.

        Parameters
        ----------
        input : Tensor
            Of shape (C, L) or (N, C, L).

        Returns
        -------
        Tensor
            Of the shape and data type of `input`.
        """
        return dropout1d(input, self.p, self.training, generator=self.generator)


class Dropout2d(_Dropout):
    """In training, zero whole channels with probability p: see `Dropout`.

    Parameters
    ----------
    p, generator
        As for `Dropout`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Dropout2d(0.2)(ag.ones((4, 3, 5, 5))).shape
    (4, 3, 5, 5)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with channels dropped, or in evaluation as it is.

        Parameters
        ----------
        input : Tensor
            Of shape (C, H, W) or (N, C, H, W).

        Returns
        -------
        Tensor
            Of the shape and data type of `input`.
        """
        return dropout2d(input, self.p, self.training, generator=self.generator)


class Dropout3d(_Dropout):
    """In training, zero whole channels with probability p: see `Dropout`.

    Parameters
    ----------
    p, generator
        As for `Dropout`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Dropout3d(0.2)(ag.ones((4, 3, 2, 5, 5))).shape
    (4, 3, 2, 5, 5)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with channels dropped, or in evaluation as it is.

        Parameters
        ----------
        input : Tensor
            Of shape (C, D, H, W) or (N, C, D, H, W).

        Returns
        -------
        Tensor
            Of the shape and data type of `input`.
        """
        return dropout3d(input, self.p, self.training, generator=self.generator)


class AlphaDropout(_Dropout):
    """In training, drop elements so that mean 0 and variance 1 stay, as SELU makes them.

    Parameters
    ----------
    p, generator
        As for `Dropout`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.AlphaDropout(0.2).eval()(ag.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with elements dropped, or in evaluation as it is.

        Parameters
        ----------
        input : Tensor
            Floating-point, of any shape.

        Returns
        -------
        Tensor
            Of the shape and data type of `input`.
        """
        return alpha_dropout(input, self.p, self.training, generator=self.generator)


class FeatureAlphaDropout(_Dropout):
    """In training, drop whole channels so that mean 0 and variance 1 stay: see `AlphaDropout`.

    Parameters
    ----------
    p, generator
        As for `Dropout`.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.FeatureAlphaDropout(0.2)(ag.ones((4, 3, 5, 5))).shape
    (4, 3, 5, 5)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with channels dropped, or in evaluation as it is.

        Parameters
        ----------
        input : Tensor
            Floating-point, of shape (N, C, ...).

        Returns
        -------
        Tensor
            Of the shape and data type of `input`.
        """
        return feature_alpha_dropout(input, self.p, self.training, generator=self.generator)
