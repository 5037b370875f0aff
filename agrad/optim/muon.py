"""Muon: orthogonal steps for matrices."""

from typing import Any

from agrad.backends import Array
from agrad.optim.optimizer import FormulaOptimizer, Params

__all__ = ["Muon"]

_ADJUSTMENTS = (None, "original", "match_rms_adamw")


class Muon(FormulaOptimizer):
    """Makes the momentum of each matrix orthogonal: θ ← θ - ε (r NS(d) + λθ).

    With m ← μm + (1-μ) ∇L, d is m or, with Nesterov, μm + (1-μ) ∇L. NS is a Newton-Schulz
    iteration, which brings all singular values near to 1, and r makes up for the matrix's shape. It
    is for the hidden matrices of a network; everything else is for another optimizer, such as
    `AdamW`.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change: matrices.
    lr : float
        The learning rate ε.
    weight_decay : float
        λ, how much is taken from the parameters.
    momentum : float
        μ, how much of m stays from step to step.
    nesterov : bool
        Whether to look ahead.
    ns_coefficients : (float, float, float)
        a, b and c of an iteration X ← aX + bSX + cS²X, where S = XXᵀ.
    eps : float
        The smallest norm that is divided by at first.
    ns_steps : int
        How many iterations.
    adjust_lr_fn : {None, "original", "match_rms_adamw"}
        Whether r is √max(1, rows / columns), as None means too, or 0.2 √max(rows, columns).

    Raises
    ------
    ValueError
        If a parameter is no matrix.

    Notes
    -----
    Computed in the parameter's data type, while PyTorch rounds to bfloat16 on the way.

    References
    ----------
    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. J. Liu
    et al., "Muon is scalable for LLM training", 2025.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([[1.0, 0.0], [0.0, 2.0]])
    >>> optimizer = ag.optim.Muon([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.shape
    (2, 2)
    """

    _is_elementwise = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        self._check_numbers(group, "momentum")
        if len(group["ns_coefficients"]) != 3:
            raise ValueError(
                f"Muon: ns_coefficients must be three numbers, got {group['ns_coefficients']!r}"
            )
        if group["adjust_lr_fn"] not in _ADJUSTMENTS:
            raise ValueError(
                f"Muon: adjust_lr_fn must be one of {_ADJUSTMENTS}, got {group['adjust_lr_fn']!r}"
            )
        for p in group["params"]:
            if p.ndim != 2:
                raise ValueError(f"Muon changes matrices, got a parameter of shape {p.shape}")

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return True

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        return {"momentum_buffer": xp.zeros_like(p)}

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        momentum = group["momentum"]
        mean = momentum * state["momentum_buffer"] + (1 - momentum) * g
        state["momentum_buffer"] = mean
        x = momentum * mean + (1 - momentum) * g if group["nesterov"] else mean
        rows, columns = p.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * max(rows, columns) ** 0.5
        else:
            scale = max(1, rows / columns) ** 0.5
        return scale * _orthogonal(xp, x, group)


def _orthogonal(xp: Any, x: Array, group: dict[str, Any]) -> Array:
    """Return a matrix with nearly the singular vectors of x, and singular values near 1."""
    a, b, c = group["ns_coefficients"]
    is_tall = x.shape[0] > x.shape[1]
    if is_tall:
        x = xp.matrix_transpose(x)
    norm = xp.sqrt(xp.sum(x * x))
    x = x / xp.maximum(norm, xp.zeros_like(norm) + group["eps"])
    for _ in range(group["ns_steps"]):
        s = xp.matmul(x, xp.matrix_transpose(x))
        x = a * x + xp.matmul(b * s + c * xp.matmul(s, s), x)
    return xp.matrix_transpose(x) if is_tall else x
