"""Stochastic gradient descent, in order of increasing complexity."""

from collections.abc import Iterable

from agrad.backends import Array, Backend
from agrad.optim.optimizer import Optimizer
from agrad.tensor import Parameter, Tensor

__all__ = ["SGD", "MomentumSGD"]


class SGD(Optimizer):
    """Gradient descent: θ ← θ - ε ∇L.

    Parameters
    ----------
    params : iterable of Parameter
        What to change.
    lr : float
        The learning rate ε.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.SGD([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # 1 - 0.5 * 2
    >>> w.tolist()
    [0.0]
    """

    def _update(self, backend: Backend, params: list[Parameter], gradients: list[Array]) -> None:
        new = backend.axpy_all(-self.lr, gradients, [p._data for p in params])
        for p, array in zip(params, new, strict=True):
            p._data = array


class MomentumSGD(Optimizer):
    """Gradient descent with momentum: γ ← μγ + ∇L, then θ ← θ - ε γ.

    The velocity γ is the parameter's ``velocity``, zeros at first.

    Parameters
    ----------
    params : iterable of Parameter
        What to change.
    lr : float
        The learning rate ε.
    momentum : float
        μ, how much of the velocity stays from step to step; at least 0 and less than 1.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Computational Mathematics and Mathematical Physics 4(5), 1964.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.MomentumSGD([w], lr=0.25, momentum=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()  # velocity 2, then 0.5 * 2 + 1
    >>> w.tolist()
    [0.0]
    """

    def __init__(self, params: Iterable[Parameter], lr: float, momentum: float) -> None:
        super().__init__(params, lr)
        self.momentum = self._check("momentum", momentum)
        if self.momentum >= 1:
            raise ValueError(f"MomentumSGD: momentum must be less than 1, got {momentum!r}")

    def _update(self, backend: Backend, params: list[Parameter], gradients: list[Array]) -> None:
        velocities = [p.velocity for p in params]
        new_velocities, new = backend.momentum_all(
            self.momentum,
            self.lr,
            gradients,
            [v._data for v in velocities],
            [p._data for p in params],
        )
        for p, v, velocity, array in zip(params, velocities, new_velocities, new, strict=True):
            v._data, p._data = velocity, array

    def _written_tensors(self) -> Iterable[Tensor]:
        yield from self.params
        yield from (p._velocity for p in self.params if p._velocity is not None)
