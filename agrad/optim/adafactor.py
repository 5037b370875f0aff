"""Adafactor: mean squares of a matrix's gradient kept as those of its rows and of its columns."""

from typing import Any

from agrad.backends import Array
from agrad.optim.optimizer import FormulaOptimizer, Optimizer, Params

__all__ = ["Adafactor"]


class Adafactor(FormulaOptimizer):
    """Divides by the root mean square of the gradient, of which it keeps one row and one column.

    For a matrix, r ← r + β (mean of ∇L² in each row - r) and c ← c + β (mean in each column - c),
    with β = tᵇ in the step number t; then s = r cᵀ / mean(r) and u = ∇L / √s. With fewer than two
    axes s is kept as it is. At last θ ← θ - α u / max(1, rms(u) / d) - ελθ, where
    α = max(e₂, rms(θ)) min(ε, 1/√t).

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change. Of more than two axes the last two are those of a matrix.
    lr : float
        The greatest learning rate ε.
    beta2_decay : float
        b, at most 0.
    eps : (float or None, float)
        e₁, against division by 0, whose square is the smallest s; None for the distance from 1 to
        the next number of the parameter's data type. And e₂, the smallest size that a parameter
        counts as.
    d : float
        The greatest root mean square of u, at least 1.
    weight_decay : float
        λ, how much is taken from the parameters.
    maximize : bool
        Whether to make the loss greater.

    References
    ----------
    N. Shazeer, M. Stern, "Adafactor: adaptive learning rates with sublinear memory cost", ICML
    2018, algorithms 4 and 5.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([[1.0, 1.0], [1.0, 1.0]])
    >>> optimizer = ag.optim.Adafactor([w], lr=0.25)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.tolist()
    [[0.75, 0.75], [0.75, 0.75]]
    >>> optimizer.state[w]["row_var"].shape, optimizer.state[w]["col_var"].shape
    ((2, 1), (1, 2))
    """

    _is_elementwise = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        Optimizer._check_group(self, group)  # here eps is two numbers
        self._check_numbers(group, "d", "weight_decay")
        if group["d"] < 1:
            raise ValueError(f"Adafactor: d must be at least 1, got {group['d']!r}")
        decay, eps = group["beta2_decay"], group["eps"]
        if not isinstance(decay, (int, float)) or not decay <= 0:
            raise ValueError(f"Adafactor: beta2_decay must be a number <= 0, got {decay!r}")
        if not isinstance(eps, (tuple, list)) or len(eps) != 2:
            raise ValueError(f"Adafactor: eps must be two numbers, the first or None; got {eps!r}")
        least, size = eps
        group["eps"] = (
            None if least is None else self._check("eps", least),
            self._check("eps", size),
        )

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return True

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        if p.ndim < 2:
            return {"step": 0, "variance": xp.zeros_like(p)}
        return {
            "step": 0,
            "row_var": xp.zeros_like(p[..., :1]),
            "col_var": xp.zeros_like(p[..., :1, :]),
        }

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        step = state["step"] = state["step"] + 1
        part = step ** group["beta2_decay"]
        least, size = group["eps"]
        least = float(xp.finfo(p.dtype).eps) if least is None else least
        u = g / xp.sqrt(_at_least(xp, _squares(xp, g, part, state, least), least * least))
        too_large = _at_least(xp, _rms(xp, u) * (1 / group["d"]), 1.0)
        lr, most = group["lr"], step**-0.5  # the direction is multiplied by lr
        rate = 1.0 if lr <= most else most / lr
        return u * (_at_least(xp, _rms(xp, p), size) * rate / too_large)


def _squares(xp: Any, g: Array, part: float, state: dict[str, Any], least: float) -> Array:
    """Move the mean squares towards those of a gradient, and return them for each element."""
    squares = g * g
    if g.ndim < 2:
        state["variance"] = state["variance"] + part * (squares - state["variance"])
        return state["variance"]
    rows, columns = (xp.mean(squares, axis=axis, keepdims=True) for axis in (-1, -2))
    rows = state["row_var"] = state["row_var"] + part * (rows - state["row_var"])
    columns = state["col_var"] = state["col_var"] + part * (columns - state["col_var"])
    return rows * columns / _at_least(xp, xp.mean(rows, axis=-2, keepdims=True), least)


def _rms(xp: Any, x: Array) -> Array:
    return xp.sqrt(xp.mean(x * x))


def _at_least(xp: Any, x: Array, least: float) -> Array:
    return xp.maximum(x, xp.zeros_like(x) + least)
