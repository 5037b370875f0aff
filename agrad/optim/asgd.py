"""Stochastic gradient descent whose steps become shorter, with the average of where it has been."""

from typing import Any

from agrad.backends import Array
from agrad.optim.optimizer import FormulaOptimizer, Params

__all__ = ["ASGD"]


class ASGD(FormulaOptimizer):
    """Averaged SGD: θ ← θ - ηₜ (∇L + lθ), and an average ā ← ā + μₜ (θ - ā) of all θ.

    Here ηₜ = ε / (1 + lεt)ᵃ after the step number t, and μₜ = 1 / max(1, t - t₀). The average isn't
    used in the steps: it is for the end, in ``optimizer.state[p]["ax"]``.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε, which is η in the first step.
    lambd : float
        l, how much of the parameters is taken away, and how fast steps become shorter.
    alpha : float
        a, the power by which they do.
    t0 : float
        t₀, after how many steps the average begins; until then it is θ.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM
    Journal on Control and Optimization 30, 1992.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.ASGD([w], lr=0.25, lambd=0.0, t0=1)
    >>> for _ in range(3):  # w becomes 0.5, 0.25 and 0.125
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> optimizer.state[w]["ax"].tolist()  # of w from the second step on
    [0.125]
    """

    _numbers = ("step", "eta", "mu")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        self._check_numbers(group, "lambd", "alpha", "t0")

    def _rate(self, group: dict[str, Any]) -> float:
        return 1.0  # each parameter has its own, η

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0, "eta": group["lr"], "mu": 1.0, "ax": xp.zeros_like(p)}

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        lr, lambd = group["lr"], group["lambd"]
        step = state["step"] = state["step"] + 1
        d = state["eta"] * (g + lambd * p)
        average = state["ax"]
        state["ax"] = average + state["mu"] * (p - d - average)
        state["eta"] = lr / (1 + lambd * lr * step) ** group["alpha"]
        state["mu"] = 1 / max(1, step - group["t0"])
        return d
