"""Optimizers that divide by the size of past gradients, in order of increasing complexity."""

from typing import Any

from agrad.backends import Array
from agrad.optim.optimizer import FormulaOptimizer, Params

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


class Adagrad(FormulaOptimizer):
    """Divides by the root of the sum of squares: s ← s + ∇L², then θ ← θ - εₜ ∇L / (√s + e).

    Here εₜ = ε / (1 + (t - 1) η) in the step number t.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    lr_decay : float
        η, how fast the learning rate falls.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    initial_accumulator_value : float
        What s begins with.
    eps : float
        e, against division by 0.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # 1 - 0.5 * 2 / 2
    >>> w.tolist()
    [0.5]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        self._check_numbers(group, "lr_decay", "initial_accumulator_value")

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0, "sum": xp.zeros_like(p) + group["initial_accumulator_value"]}

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        step = state["step"] = state["step"] + 1
        total = state["sum"] = state["sum"] + g * g
        return g / (xp.sqrt(total) + group["eps"]) * (1 / (1 + (step - 1) * group["lr_decay"]))


class RMSprop(FormulaOptimizer):
    """Divides by the root mean square: s ← αs + (1-α) ∇L², then θ ← θ - ε ∇L / (√s + e).

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    alpha : float
        α, how much of s stays from step to step.
    eps : float
        e, against division by 0.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    momentum : float
        μ: of what is subtracted, the sum γ ← μγ + ∇L / (√s + e) is taken instead.
    centered : bool
        Whether to subtract the square of the mean gradient from s: to divide by the deviation.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    T. Tieleman, G. Hinton, "Lecture 6.5: RMSprop", COURSERA: Neural networks for machine learning,
    2012. Centered: A. Graves, "Generating sequences with recurrent neural networks", 2013.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.RMSprop([w], lr=0.1, alpha=0.75)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # 1 - 0.1 * 2 / sqrt(0.25 * 4)
    >>> round(w.item(), 6)
    0.8
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        self._check_numbers(group, "alpha", "momentum")

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        names = ["square_avg"]
        names += ["momentum_buffer"] if group["momentum"] else []
        names += ["grad_avg"] if group["centered"] else []
        return {"step": 0, **{name: xp.zeros_like(p) for name in names}}

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        alpha, momentum = group["alpha"], group["momentum"]
        state["step"] = state["step"] + 1
        square = state["square_avg"] = alpha * state["square_avg"] + (1 - alpha) * (g * g)
        if group["centered"]:
            mean = state["grad_avg"] = alpha * state["grad_avg"] + (1 - alpha) * g
            square = square - mean * mean
        d = g / (xp.sqrt(square) + group["eps"])
        if momentum:
            d = state["momentum_buffer"] = momentum * state["momentum_buffer"] + d
        return d


class Adadelta(FormulaOptimizer):
    """Divides by the root mean square, and multiplies by that of past changes.

    s ← ρs + (1-ρ) ∇L², then d = √(c + e) / √(s + e) ∇L, c ← ρc + (1-ρ) d² and θ ← θ - ε d.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    rho : float
        ρ, how much of s and c stays from step to step.
    eps : float
        e, against division by 0.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    M. D. Zeiler, "ADADELTA: an adaptive learning rate method", 2012.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.Adadelta([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # 1 - sqrt(1e-6) / sqrt(0.1 * 4) * 2
    >>> round(w.item(), 4)
    0.9968
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        rho = group["rho"]
        self._check_numbers(group, "rho")
        if group["rho"] > 1:
            raise ValueError(f"Adadelta: rho must be at most 1, got {rho!r}")

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0, "square_avg": xp.zeros_like(p), "acc_delta": xp.zeros_like(p)}

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        rho, eps, changes = group["rho"], group["eps"], state["acc_delta"]
        state["step"] = state["step"] + 1
        square = state["square_avg"] = rho * state["square_avg"] + (1 - rho) * (g * g)
        d = xp.sqrt(changes + eps) / xp.sqrt(square + eps) * g
        state["acc_delta"] = rho * changes + (1 - rho) * (d * d)
        return d
