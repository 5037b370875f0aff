"""Adam and its relatives, in order of increasing complexity.

All keep running means of the gradient, m ← β₁m + (1-β₁) ∇L, and of its square,
v ← β₂v + (1-β₂) ∇L². Both begin with 0; dividing by 1 - βᵗ makes up for that in step t.
"""

from typing import Any

from agrad.backends import AdamNumbers, Array, Backend
from agrad.optim.optimizer import FormulaOptimizer, Params
from agrad.tensor import Parameter

__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]


def _zeros(xp: Any, p: Array, *names: str) -> dict[str, Any]:
    """Return what is remembered of a parameter at first: the number of steps, and zeros."""
    return {"step": 0, **{name: xp.zeros_like(p) for name in names}}


def _next_mean(g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
    beta1, _ = group["betas"]
    state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * g
    return state["exp_avg"]


def _next_square(g: Array, state: dict[str, Any], group: dict[str, Any]) -> Array:
    _, beta2 = group["betas"]
    state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * (g * g)
    return state["exp_avg_sq"]


class Adam(FormulaOptimizer):
    """Divides the mean gradient by its root mean square: θ ← θ - ε m̂ / (√v̂ + e).

    m and v are the running means of ∇L and ∇L²; m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ).

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    betas : (float, float)
        β₁ and β₂, how much of m and of v stays from step to step.
    eps : float
        e, against division by 0.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    amsgrad : bool
        Whether to take the greatest v so far.
    maximize : bool
        Whether to make the loss greater.
    decoupled_weight_decay : bool
        Whether to subtract ελθ from θ instead, as `AdamW` does.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015. AMSGrad:
    S. J. Reddi, S. Kale, S. Kumar, "On the convergence of Adam and beyond", ICLR 2018.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # the first step is as long as the learning rate
    >>> round(w.item(), 6)
    0.9
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else [])]
        return _zeros(xp, p, *names)

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        beta1, beta2 = group["betas"]
        step = state["step"] = state["step"] + 1
        mean, square = _next_mean(g, state, group), _next_square(g, state, group)
        if group["amsgrad"]:
            square = state["max_exp_avg_sq"] = xp.maximum(state["max_exp_avg_sq"], square)
        # Numbers are divided before arrays are
        scale = 1 - beta1**step
        root = xp.sqrt(square) * (scale / (1 - beta2**step) ** 0.5)
        return mean / (root + scale * group["eps"])

    def _update(
        self,
        backend: Backend,
        group: dict[str, Any],
        params: list[Parameter],
        gradients: list[Array],
    ) -> None:
        if backend.adam_all is not None and not group["amsgrad"]:
            self._go_together(backend, group, params, gradients)
        else:
            super()._update(backend, group, params, gradients)

    def _go_together(
        self,
        backend: Backend,
        group: dict[str, Any],
        params: list[Parameter],
        gradients: list[Array],
    ) -> None:
        """Change all parameters at once that have taken as many steps."""
        by_step: list[tuple[int, list[Any]]] = []
        for p, g in zip(params, gradients, strict=True):
            values = backend.call(self._remembered, p, group)
            step = values["step"] + 1
            # Compared, and not looked up, so that recorded steps know what this depends on
            alike = next((members for other, members in by_step if other == step), None)
            if alike is None:
                by_step.append((step, alike := []))
            alike.append((p, g, values["exp_avg"], values["exp_avg_sq"], p._data))
        assert backend.adam_all is not None
        for step, members in by_step:
            alike, *arrays = map(list, zip(*members, strict=True))
            new = backend.adam_all(self._numbers_of(step, group), *arrays)
            for p, m, v, data in zip(alike, *new, strict=True):
                state, p._data = self.state[p], data
                state["exp_avg"]._data, state["exp_avg_sq"]._data, state["step"] = m, v, step

    def _numbers_of(self, step: int, group: dict[str, Any]) -> AdamNumbers:
        beta1, beta2 = group["betas"]
        scale, decay, is_decoupled = (
            1 - beta1**step,
            group["weight_decay"],
            self._is_decoupled(group),
        )
        return AdamNumbers(
            beta1=beta1,
            beta2=beta2,
            root=scale / (1 - beta2**step) ** 0.5,
            eps=scale * group["eps"],
            lr=self._rate(group),
            sign=-1.0 if group["maximize"] else 1.0,
            coupled=0.0 if is_decoupled else decay,
            decoupled=decay if is_decoupled else 0.0,
        )


class AdamW(Adam):
    """Adam whose weight decay is decoupled: θ ← θ - ε (m̂ / (√v̂ + e) + λθ).

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    betas : (float, float)
        β₁ and β₂, how much of m and of v stays from step to step.
    eps : float
        e, against division by 0.
    weight_decay : float
        λ, how much is taken from the parameters.
    amsgrad : bool
        Whether to take the greatest v so far.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # 1 - 0.1 * (1 + 0.5 * 1)
    >>> round(w.item(), 6)
    0.85
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
        )


class Adamax(FormulaOptimizer):
    """Adam with the greatest gradient in place of the root mean square: θ ← θ - ε m̂ / u.

    Here u ← max(β₂u, \\|∇L\\| + e).

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    betas : (float, float)
        β₁ and β₂, how much of m and of u stays from step to step.
    eps : float
        e, against division by 0.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7.1.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)
    0.9
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        return _zeros(xp, p, "exp_avg", "exp_inf")

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        beta1, beta2 = group["betas"]
        step = state["step"] = state["step"] + 1
        mean = _next_mean(g, state, group)
        state["exp_inf"] = xp.maximum(beta2 * state["exp_inf"], xp.abs(g) + group["eps"])
        return mean / state["exp_inf"] * (1 / (1 - beta1**step))


class NAdam(FormulaOptimizer):
    """Adam with Nesterov's momentum, which grows from step to step.

    With μₜ = β₁ (1 - 0.96^(tψ) / 2) and Πₜ = μ₁ ⋯ μₜ, in place of m̂ it takes
    (1 - μₜ) ∇L / (1 - Πₜ) + μₜ₊₁ m / (1 - Πₜ₊₁).

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    betas : (float, float)
        β₁ and β₂, how much of m and of v stays from step to step.
    eps : float
        e, against division by 0.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    momentum_decay : float
        ψ, how fast the momentum grows.
    decoupled_weight_decay : bool
        Whether to subtract ελθ from θ instead.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    T. Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.item() < 1
    True
    """

    _numbers = ("step", "mu_product")

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        self._check_numbers(group, "momentum_decay")

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        return {"mu_product": 1.0, **_zeros(xp, p, "exp_avg", "exp_avg_sq")}

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        (beta1, beta2), decay = group["betas"], group["momentum_decay"]
        step = state["step"] = state["step"] + 1
        mu = beta1 * (1 - 0.5 * 0.96 ** (step * decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * decay))
        product = state["mu_product"] = state["mu_product"] * mu
        mean, square = _next_mean(g, state, group), _next_square(g, state, group)
        ahead = ((1 - mu) / (1 - product)) * g + (mu_next / (1 - product * mu_next)) * mean
        return ahead / (xp.sqrt(square * (1 / (1 - beta2**step))) + group["eps"])


class RAdam(FormulaOptimizer):
    """Adam that begins without dividing by the root mean square, while that is uncertain.

    With ρ∞ = 2 / (1 - β₂) - 1 and ρₜ = ρ∞ - 2t β₂ᵗ / (1 - β₂ᵗ): as long as ρₜ is at most 5,
    θ ← θ - ε m̂; then θ ← θ - ε r m̂ √(1 - β₂ᵗ) / (√v + e), where
    r² = (ρₜ - 4) (ρₜ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρₜ).

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change.
    lr : float
        The learning rate ε.
    betas : (float, float)
        β₁ and β₂, how much of m and of v stays from step to step.
    eps : float
        e, against division by 0.
    weight_decay : float
        λ: the gradient becomes ∇L + λθ first.
    decoupled_weight_decay : bool
        Whether to subtract ελθ from θ instead.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    L. Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> optimizer = ag.optim.RAdam([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()  # 1 - 0.25 * 2
    >>> round(w.item(), 6)
    0.5
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        return _zeros(xp, p, "exp_avg", "exp_avg_sq")

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        beta1, beta2 = group["betas"]
        step = state["step"] = state["step"] + 1
        mean, square = _next_mean(g, state, group), _next_square(g, state, group)
        mean = mean * (1 / (1 - beta1**step))
        rho_inf = 2 / (1 - beta2) - 1
        rho = rho_inf - 2 * step * beta2**step / (1 - beta2**step)
        if not rho > 5:
            return mean
        r = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)) ** 0.5
        return mean / (xp.sqrt(square) + group["eps"]) * (r * (1 - beta2**step) ** 0.5)
