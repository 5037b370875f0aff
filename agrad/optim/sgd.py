"""Stochastic gradient descent, in order of increasing complexity."""

from collections.abc import Iterable
from typing import Any

from agrad.autograd import wrap
from agrad.backends import Array, Backend
from agrad.optim.optimizer import Optimizer, Params
from agrad.tensor import Parameter, Tensor

__all__ = ["SGD", "MomentumSGD"]


class SGD(Optimizer):
    """Gradient descent: θ ← θ - ε ∇L; with momentum γ ← μγ + (1-τ) ∇L, then θ ← θ - ε γ.

    The first γ is ∇L itself.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    momentum : float
        μ, how much of γ stays from step to step.
    dampening : float
        τ, how much of the gradient is left out of γ.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    nesterov : bool
        Whether to take ∇L + μγ in place of γ.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum
    in deep learning", ICML 2013.

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

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        self._check_numbers(group, "lr", "momentum", "dampening", "weight_decay")
        if group["nesterov"] and not (group["momentum"] and not group["dampening"]):
            raise ValueError(
                "SGD: nesterov needs a momentum and no dampening, got "
                f"momentum={group['momentum']!r} and dampening={group['dampening']!r}"
            )

    def _update(
        self,
        backend: Backend,
        group: dict[str, Any],
        params: list[Parameter],
        gradients: list[Array],
    ) -> None:
        lr, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]
        arrays = [p._data for p in params]
        if decay:
            if group["maximize"]:
                decay = -decay  # as all is turned round below
            gradients = [
                backend.call(_decayed, g, p, decay) for g, p in zip(gradients, arrays, strict=True)
            ]
        if momentum and group["maximize"]:
            gradients = [backend.call(_turned, g) for g in gradients]
        if not momentum:
            new = backend.axpy_all(lr if group["maximize"] else -lr, gradients, arrays)
        elif not group["dampening"] and not group["nesterov"]:
            buffers = [self._buffer(p, backend) for p in params]
            velocities = [buffer._data for buffer in buffers]
            velocities, new = backend.momentum_all(momentum, lr, gradients, velocities, arrays)
            for buffer, velocity in zip(buffers, velocities, strict=True):
                buffer._data = velocity
        else:
            directions = [
                backend.call(self._go, p, g, group) for p, g in zip(params, gradients, strict=True)
            ]
            new = backend.axpy_all(-lr, directions, arrays)
        for p, array in zip(params, new, strict=True):
            p._data = array

    def _buffer(self, p: Parameter, backend: Backend) -> Tensor:
        """Return γ of a parameter, zeros at first."""
        state = self.state[p]
        buffer: Tensor | None = state.get("momentum_buffer")
        if buffer is None:
            buffer = wrap(backend.zeros_like(p._data), backend)
        elif buffer._backend is not backend or buffer._data.dtype != p._data.dtype:  # p was moved
            buffer = buffer.to(backend).to(p._data.dtype)
        state["momentum_buffer"] = buffer
        return buffer

    def _go(self, xp: Backend, p: Parameter, g: Any, group: dict[str, Any]) -> Array:
        """Return the direction in which a parameter goes, with dampening or Nesterov's."""
        momentum, is_first = group["momentum"], "momentum_buffer" not in self.state[p]
        buffer, g = self._buffer(p, xp), xp.normalize(g)
        if is_first:
            new = xp.asarray(g, copy=True)
        else:
            new = xp.normalize(momentum * buffer._data + (1 - group["dampening"]) * g)
        buffer._data = new
        return g + momentum * new if group["nesterov"] else new


def _decayed(xp: Any, g: Any, p: Array, decay: float) -> Array:
    return xp.normalize(g) + decay * p


def _turned(xp: Any, g: Any) -> Array:
    return -xp.normalize(g)


class MomentumSGD(Optimizer):
    """Gradient descent with momentum: γ ← μγ + ∇L, then θ ← θ - ε γ.

    The velocity γ is the parameter's ``velocity``, zeros at first.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
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

    def __init__(self, params: Params, lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    def _check_group(self, group: dict[str, Any]) -> None:
        momentum = group["momentum"]
        self._check_numbers(group, "lr", "momentum")
        if group["momentum"] >= 1:
            raise ValueError(f"MomentumSGD: momentum must be less than 1, got {momentum!r}")

    @property
    def momentum(self) -> float:
        """How much of the velocity stays, if there is one group of parameters."""
        return self._only_group("momentum")["momentum"]  # type: ignore[no-any-return]

    @momentum.setter
    def momentum(self, value: float) -> None:
        self._only_group("momentum")["momentum"] = value

    def _update(
        self,
        backend: Backend,
        group: dict[str, Any],
        params: list[Parameter],
        gradients: list[Array],
    ) -> None:
        velocities = [p.velocity for p in params]
        new_velocities, new = backend.momentum_all(
            group["momentum"],
            group["lr"],
            gradients,
            [v._data for v in velocities],
            [p._data for p in params],
        )
        for p, v, velocity, array in zip(params, velocities, new_velocities, new, strict=True):
            v._data, p._data = velocity, array

    def _written_tensors(self) -> Iterable[Tensor]:
        yield from self.params
        yield from (p._velocity for p in self.params if p._velocity is not None)

    def _state_of(self, p: Parameter) -> dict[str, Any]:
        return {} if p._velocity is None else {"momentum_buffer": p._velocity}

    def _set_state(self, p: Parameter, values: dict[str, Any]) -> None:
        p.velocity = values.get("momentum_buffer")
