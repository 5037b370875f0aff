"""Optimizers that go by the sign of the gradient, in order of increasing complexity."""

from typing import Any

from agrad.backends import Array
from agrad.optim.optimizer import FormulaOptimizer, Params

__all__ = ["Lion", "Rprop"]


class Lion(FormulaOptimizer):
    """Goes by the sign of the momentum: θ ← θ - ε (sign(β₁m + (1-β₁) ∇L) + λθ).

    Then m ← β₂m + (1-β₂) ∇L.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε: a third to a tenth of what Adam needs.
    betas : (float, float)
        β₁ and β₂, how much of m counts in a step, and how much stays.
    weight_decay : float
        λ, how much is taken from the parameters.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    X. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.Lion([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.75]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return True

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        return {"exp_avg": xp.zeros_like(p)}

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        (beta1, beta2), mean = group["betas"], state["exp_avg"]
        state["exp_avg"] = beta2 * mean + (1 - beta2) * g
        return xp.sign(beta1 * mean + (1 - beta1) * g)


class Rprop(FormulaOptimizer):
    """Goes by the sign of the gradient, with a step length of its own for each element.

    Where the sign is the one of the last gradient, the length is multiplied by η₊; where it has
    changed, by η₋, and the element stays where it is for one step.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The length of the first step.
    etas : (float, float)
        η₋, between 0 and 1, and η₊, greater than 1.
    step_sizes : (float, float)
        The smallest and the greatest length.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    M. Riedmiller, H. Braun, "A direct adaptive method for faster backpropagation learning: the
    RPROP algorithm", IEEE International Conference on Neural Networks, 1993.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.Rprop([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [0.75]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        (less, more), (smallest, greatest) = group["etas"], group["step_sizes"]
        if not 0 < less < 1 < more:
            raise ValueError(f"Rprop: etas must be 0 < eta- < 1 < eta+, got {group['etas']!r}")
        if not 0 <= smallest <= greatest:
            raise ValueError(
                f"Rprop: step_sizes must be 0 <= smallest <= greatest, got {group['step_sizes']!r}"
            )

    def _rate(self, group: dict[str, Any]) -> float:
        return 1.0

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        zeros = xp.zeros_like(p)
        return {"step": 0, "prev": zeros, "step_size": zeros + group["lr"]}

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        (less, more), (smallest, greatest) = group["etas"], group["step_sizes"]
        state["step"] = state["step"] + 1
        agreement, ones = g * state["prev"], xp.ones_like(g)
        factor = xp.where(agreement > 0, more * ones, ones)
        factor = xp.where(agreement < 0, less * ones, factor)
        size = xp.minimum(xp.maximum(state["step_size"] * factor, smallest * ones), greatest * ones)
        g = xp.where(agreement < 0, xp.zeros_like(g), g)
        state["prev"], state["step_size"] = g, size
        return xp.sign(g) * size
