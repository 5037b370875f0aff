"""Linear layers."""

import math
from numbers import Integral

from agrad.dtypes import get_default_dtype
from agrad.nn import functional as F
from agrad.nn import init
from agrad.nn.module import Module
from agrad.ops import empty
from agrad.random import Generator
from agrad.tensor import Parameter, Tensor
from agrad.typing import DTypeLike

__all__ = ["Bilinear", "Identity", "Linear"]


class Linear(Module):
    """An affine layer: W x + b.

    Parameters
    ----------
    in_features, out_features : int
        The lengths of the vectors that come in and go out; at least 1.
    bias : bool
        Whether there is a b.
    dtype : dtype or str, optional
        The data type of the parameters; the default one (float32) if not given.
    device : str, optional
        Where the parameters are; the CPU if not given.
    generator : Generator, optional
        Where the initial weights come from.

    Attributes
    ----------
    weight : Parameter
        Of shape (out_features, in_features), first filled by `init.glorot_init`.
    bias : Parameter or None
        Of shape (out_features,), zeros at first.

    Raises
    ------
    ValueError
        If a length isn't a positive integer, or what comes in is of another length.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.Linear(3, 2)
    >>> layer(ag.Tensor([1.0, 2.0, 3.0], dtype=ag.float32)).shape
    (2,)
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        for name, length in (("in_features", in_features), ("out_features", out_features)):
            if not isinstance(length, Integral) or length < 1:
                raise ValueError(f"Linear: {name} must be a positive integer, got {length!r}")
        dtype = get_default_dtype() if dtype is None else dtype
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(
            empty((out_features, in_features), dtype=dtype, device=device), name="weight"
        )
        init.glorot_init(self.weight, generator=generator)
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(empty((out_features,), dtype=dtype, device=device), name="bias")
            init.zero_init(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return W x + b, for one vector or for each of a batch.

        Parameters
        ----------
        x : Tensor
            Of shape (..., in_features), on the device of the parameters.

        Returns
        -------
        Tensor
            Of shape (..., out_features).
        """
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module):
    """A layer of two inputs: y_k = x1ᵀ A_k x2 + b_k.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        The lengths of the vectors that come in and go out; at least 1.
    bias : bool
        Whether there is a b.
    dtype, device, generator
        As for `Linear`.

    Attributes
    ----------
    weight : Parameter
        A, of shape (out_features, in1_features, in2_features), first filled from U(-a, a),
        a = 1 / sqrt(in1_features), as `bias` is.
    bias : Parameter or None
        Of shape (out_features,).

    Raises
    ------
    ValueError
        If a length isn't a positive integer, or what comes in is of another length.

    Examples
    --------
    >>> import agrad as ag
    >>> layer = ag.nn.Bilinear(3, 4, 2)
    >>> layer(ag.ones((5, 3), dtype=ag.float32), ag.ones((5, 4), dtype=ag.float32)).shape
    (5, 2)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = None,
        device: str | None = None,
        generator: Generator | None = None,
    ) -> None:
        lengths = {
            "in1_features": in1_features,
            "in2_features": in2_features,
            "out_features": out_features,
        }
        for name, length in lengths.items():
            if not isinstance(length, Integral) or length < 1:
                raise ValueError(f"Bilinear: {name} must be a positive integer, got {length!r}")
        dtype = get_default_dtype() if dtype is None else dtype
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = out_features, in1_features, in2_features
        bound = 1 / math.sqrt(in1_features)
        self.weight = Parameter(empty(shape, dtype=dtype, device=device), name="weight")
        init.uniform_(self.weight, -bound, bound, generator=generator)
        self.bias: Parameter | None = None
        if bias:
            self.bias = Parameter(empty((out_features,), dtype=dtype, device=device), name="bias")
            init.uniform_(self.bias, -bound, bound, generator=generator)

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return x1ᵀ A x2 + b, for two vectors or for each two of a batch.

        Parameters
        ----------
        x1, x2 : Tensor
            Of shapes (..., in1_features) and (..., in2_features).

        Returns
        -------
        Tensor
            Of shape (..., out_features).
        """
        return F.bilinear(x1, x2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """Gives what comes in, to stand where a network may have another layer.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.Identity()(ag.Tensor([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x itself.

        Parameters
        ----------
        x : Tensor
            Of any shape.

        Returns
        -------
        Tensor
            The same one.
        """
        return x
