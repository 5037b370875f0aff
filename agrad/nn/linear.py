"""Linear layers."""

from agrad.dtypes import get_default_dtype
from agrad.nn import init
from agrad.nn.functional import affine_transform
from agrad.nn.module import Module
from agrad.ops import empty, matmul, matrix_transpose
from agrad.random import Generator
from agrad.tensor import Parameter, Tensor
from agrad.typing import DTypeLike

__all__ = ["Linear"]


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
            if not isinstance(length, int) or length < 1:
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
        if self.bias is not None:
            return affine_transform(x, self.weight, self.bias)
        if x.shape[-1:] != (self.in_features,):
            raise ValueError(
                f"Linear needs x of shape (..., {self.in_features}) for its weight of shape "
                f"{self.weight.shape}; got {tuple(x.shape)}"
            )
        return matmul(x, matrix_transpose(self.weight))

    def _settings(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
