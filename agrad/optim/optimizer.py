"""What all optimizers have in common."""

import math
from collections.abc import Iterable
from numbers import Real

from agrad.backends import Array, Backend
from agrad.tensor import Parameter, Tensor
from agrad.writes import Writer

__all__ = ["Optimizer"]


class Optimizer(Writer):
    """Changes parameters by their gradients.

    Parameters
    ----------
    params : iterable of Parameter
        What to change, such as ``module.parameters()``.
    lr : float
        The learning rate ε, not negative.

    Raises
    ------
    ValueError
        If there are no parameters, one comes twice, or the rate is negative or not finite.
    TypeError
        If one is not a Parameter.
    """

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise TypeError(
                f"{type(self).__name__} changes a list of Parameters, got {type(params).__name__}; "
                "give it module.parameters(), or a list"
            )
        self.params = list(params)
        if not self.params:
            raise ValueError(f"{type(self).__name__} got no parameters")
        for p in self.params:
            if not isinstance(p, Parameter):
                raise TypeError(
                    f"{type(self).__name__} changes Parameters, got {type(p).__name__}; "
                    "give it module.parameters(), or a list of Parameters"
                )
        if len(set(map(id, self.params))) < len(self.params):
            raise ValueError(f"{type(self).__name__} got the same Parameter twice")
        self.lr = self._check("lr", lr)

    def _check(self, name: str, value: float) -> float:
        if not (isinstance(value, Real) and math.isfinite(value) and value >= 0):
            raise ValueError(f"{type(self).__name__}: {name} must be a number >= 0, got {value!r}")
        return float(value)

    def _written_tensors(self) -> Iterable[Tensor]:
        return self.params

    def step(self) -> None:
        """Change each parameter that has a gradient, in place where its library allows it."""
        by_device: dict[Backend, tuple[list[Parameter], list[Array]]] = {}
        for p in self.params:
            g = p._grad
            if g is not None:
                here = by_device.get(p._backend)
                if here is None:
                    here = by_device[p._backend] = [], []
                here[0].append(p)
                here[1].append(g._data if isinstance(g, Tensor) else g)
        for backend, (params, gradients) in by_device.items():
            self._update(backend, params, gradients)
        self._note_writes()

    def _update(self, backend: Backend, params: list[Parameter], gradients: list[Array]) -> None:
        """Change those parameters that are on one device, by their raw gradients.

        These are as `run_backward` left them: for `Backend.axpy_all` and its kin, or to be made
        arrays by `Backend.normalize`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step()")

    def zero_grad(self) -> None:
        """Forget the gradients, before the next backward pass adds new ones."""
        for p in self.params:
            p._grad = None
