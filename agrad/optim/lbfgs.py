"""L-BFGS: a quasi-Newton method for whole problems, without minibatches."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from agrad.autograd import enable_grad, wrap
from agrad.backends import Array, Backend
from agrad.optim.optimizer import Optimizer, Params
from agrad.tensor import Parameter, Tensor

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Goes in the direction -H ∇L, where H is made of the last changes of θ and ∇L.

    Each step takes several iterations, and calls the closure in each. It reads the loss, so it
    can't be part of a recorded step.

    Parameters
    ----------
    params : iterable of Parameter, or of (str, Parameter)
        What to change: one group, all on one device.
    lr : float
        How far to go in the direction; with a line search, how far to try at first.
    max_iter : int
        How many iterations a step takes at most.
    max_eval : int, optional
        How many calls of the closure; ``max_iter * 5 // 4`` if not given.
    tolerance_grad : float
        It stops where no element of the gradient is greater.
    tolerance_change : float
        It stops where neither the loss nor any element changes by more.
    history_size : int
        How many changes are remembered.
    line_search_fn : {None, "strong_wolfe"}
        Whether to look for a length that fulfills the strong Wolfe conditions.

    References
    ----------
    J. Nocedal, S. J. Wright, "Numerical optimization", 2nd edition, 2006: algorithms 7.4 and 7.5,
    and 3.5 and 3.6 for the line search.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([-1.0, 2.0], dtype=ag.float64)
    >>> optimizer = ag.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(4):
    ...     loss = optimizer.step(closure)
    >>> [round(x, 5) for x in w.tolist()]
    [1.0, 1.0]
    """

    _takes_complex = False
    _numbers = ("t", "ro", "H_diag", "prev_loss")

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: Literal["strong_wolfe"] | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: dict[str, Any]) -> None:
        self._check_numbers(group, "lr", "tolerance_grad", "tolerance_change")
        for name in ("max_iter", "max_eval", "history_size"):
            if not isinstance(group[name], int) or group[name] < 1:
                raise ValueError(f"LBFGS: {name} must be a positive integer, got {group[name]!r}")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(
                "LBFGS: line_search_fn must be None or strong_wolfe, got "
                f"{group['line_search_fn']!r}"
            )
        if self.param_groups:
            raise ValueError("LBFGS takes one group of parameters, got several")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Go several iterations.

        Parameters
        ----------
        closure : callable
            Computes the loss anew with its gradients, and returns it.

        Returns
        -------
        Tensor or float
            The loss that the closure gave at first.

        Raises
        ------
        TypeError
            If there is no closure.
        ValueError
            If the parameters are on several devices.
        """
        if closure is None:
            raise TypeError("LBFGS.step needs a closure that computes the loss and its gradients")
        [group] = self.param_groups
        params = group["params"]
        backend = params[0]._backend
        if any(p._backend is not backend for p in params):
            raise ValueError("LBFGS: all parameters must be on one device")
        state = self.state[params[0]]
        first_loss = self._evaluate(closure)
        state["func_evals"] = state.get("func_evals", 0) + 1
        state.setdefault("n_iter", 0)
        backend.call(self._iterate, closure, _number(first_loss), group, state)
        return first_loss

    def _evaluate(self, closure: Callable[[], Any]) -> Any:
        with enable_grad():
            return closure()

    def _iterate(
        self,
        xp: Backend,
        closure: Callable[[], Any],
        first_loss: float,
        group: dict[str, Any],
        state: dict[str, Any],
    ) -> None:
        """Go from iteration to iteration, until there is reason to stop."""
        search = _Search(self, xp, closure, first_loss)
        if search.largest(search.gradient) <= group["tolerance_grad"]:
            return
        tolerance, evaluations = group["tolerance_change"], 1
        memory = _Memory(state, group["history_size"])
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            g, loss = search.gradient, search.loss
            if state["n_iter"] == 1:
                memory.direction = -g
                length = min(1.0, 1.0 / float(xp.sum(xp.abs(g)))) * group["lr"]
            else:
                memory.add(search, g)
                memory.direction = memory.newton(search, g)
                length = group["lr"]
            memory.gradient, memory.loss, memory.length = g, loss, length
            d = memory.direction
            slope = search.dot(g, d)
            if slope > -tolerance:  # it goes down no more
                break
            calls = 0
            if group["line_search_fn"] is not None:
                left = group["max_eval"] - evaluations
                point, calls = _strong_wolfe(search, d, length, slope, left, tolerance)
                search.loss, search.gradient, memory.length = point.loss, point.gradient, point.t
                search.move(point.t, d)
            else:
                search.move(length, d)
                if iteration != group["max_iter"]:
                    search.evaluate()
                    calls = 1
            evaluations += calls
            state["func_evals"] += calls
            if (
                evaluations >= group["max_eval"]
                or search.largest(search.gradient) <= group["tolerance_grad"]
                or search.largest(d) * memory.length <= tolerance
                or abs(search.loss - loss) < tolerance
            ):
                break
        memory.save(state, xp)


def _number(loss: Any) -> float:
    return float(loss.item() if isinstance(loss, Tensor) else loss)


class _Search:
    """The loss and the gradient at the parameters, which are moved as one vector."""

    def __init__(
        self, optimizer: LBFGS, backend: Backend, closure: Callable[[], Any], loss: float
    ) -> None:
        self.optimizer = optimizer
        self.xp = backend
        self.closure = closure
        self.params: list[Parameter] = optimizer.params
        self.loss = loss
        self.gradient = self._gradient()

    def _gradient(self) -> Array:
        """Return the gradients of all parameters as one vector, which is nobody else's."""
        xp, parts = self.xp, []
        for p in self.params:
            grad = p.grad
            raw = xp.zeros_like(p._data) if grad is None else grad._data
            parts.append(xp.reshape(raw, (-1,)))
        return xp.asarray(xp.concat(parts), copy=True)

    def evaluate(self) -> None:
        """Compute the loss and the gradient where the parameters are now."""
        self.loss = _number(self.optimizer._evaluate(self.closure))
        self.gradient = self._gradient()

    def dot(self, x1: Array, x2: Array) -> float:
        """Return the product of two vectors."""
        return float(self.xp.sum(x1 * x2))

    def largest(self, x: Array) -> float:
        """Return the greatest absolute value in a vector."""
        return float(self.xp.max(self.xp.abs(x)))

    def move(self, length: float, direction: Array) -> None:
        """Add a vector to the parameters."""
        xp, start = self.xp, 0
        for p in self.params:
            part = xp.reshape(direction[start : start + p.size], p._data.shape)
            p._data = xp.axpy(length, part, p._data)
            start += p.size
        self.optimizer._note_writes()

    def values(self) -> list[Array]:
        """Return copies of the parameters."""
        return [self.xp.asarray(p._data, copy=True) for p in self.params]

    def put_back(self, values: list[Array]) -> None:
        """Make the parameters what they were."""
        for p, value in zip(self.params, values, strict=True):
            p._data = self.xp.assign(p._data, ..., value)
        self.optimizer._note_writes()


class _Memory:
    """What an `LBFGS` remembers: the last changes of the parameters (s) and of the gradient (y)."""

    def __init__(self, state: dict[str, Any], size: int) -> None:
        self.size = size
        self.s: list[Array] = [each._data for each in state.get("old_stps", [])]
        self.y: list[Array] = [each._data for each in state.get("old_dirs", [])]
        self.rho: list[float] = list(state.get("ro", []))  # 1 / (s · y) of each
        self.scale: float = state.get("H_diag", 1.0)  # of the H that is made better by them
        self.length: float = state.get("t", 1.0)
        self.loss: float = state.get("prev_loss", 0.0)
        self.direction: Array = state["d"]._data if "d" in state else None
        self.gradient: Array = state["prev_flat_grad"]._data if "d" in state else None

    def add(self, search: _Search, g: Array) -> None:
        """Remember the last change, if the loss is convex along it."""
        s, y = self.direction * self.length, g - self.gradient
        product = search.dot(y, s)
        if product > 1e-10:
            if len(self.s) == self.size:
                del self.s[0], self.y[0], self.rho[0]
            self.s.append(s)
            self.y.append(y)
            self.rho.append(1.0 / product)
            self.scale = product / search.dot(y, y)

    def newton(self, search: _Search, g: Array) -> Array:
        """Return -H g, without ever making H: first through the changes backwards, then again."""
        changes = list(zip(self.s, self.y, self.rho, strict=True))
        q, alphas = -g, []
        for s, y, rho in reversed(changes):
            alpha = search.dot(s, q) * rho
            q = q - alpha * y
            alphas.append(alpha)
        r = q * self.scale
        for (s, y, rho), alpha in zip(changes, reversed(alphas), strict=True):
            r = r + (alpha - search.dot(y, r) * rho) * s
        return r

    def save(self, state: dict[str, Any], xp: Backend) -> None:
        """Put all of it into the optimizer's state."""
        state["d"] = wrap(self.direction, xp)
        state["t"] = self.length
        state["old_dirs"] = [wrap(y, xp) for y in self.y]
        state["old_stps"] = [wrap(s, xp) for s in self.s]
        state["ro"] = self.rho
        state["H_diag"] = self.scale
        state["prev_flat_grad"] = wrap(self.gradient, xp)
        state["prev_loss"] = self.loss


# The line search ----------------------------------------------------------------------------------


class _Point(NamedTuple):
    """A point along a direction: how far it is, the loss, the gradient, and its slope there."""

    t: float
    loss: float
    gradient: Array
    slope: float


def _strong_wolfe(
    search: _Search, d: Array, t: float, slope: float, most: int, tolerance: float
) -> tuple[_Point, int]:
    """Return a point where loss and slope are low enough, and how many were looked at.

    The parameters are where they were then.
    """
    start = _Point(0.0, search.loss, search.gradient, slope)
    values = search.values()
    looked_at = 0

    def look(t: float) -> _Point:
        nonlocal looked_at
        looked_at += 1
        search.move(t, d)
        search.evaluate()
        search.put_back(values)
        return _Point(t, search.loss, search.gradient, search.dot(search.gradient, d))

    def is_flat(point: _Point) -> bool:
        return abs(point.slope) <= -0.9 * slope

    def is_too_high(point: _Point) -> bool:
        return point.loss > start.loss + 1e-4 * point.t * slope

    # Go on until there must be such a point between the last two
    before, point, rounds = start, look(t), 0
    while rounds < most:
        if is_too_high(point) or (rounds > 1 and point.loss >= before.loss):
            break
        if is_flat(point):
            return point, looked_at
        if point.slope >= 0:
            break
        t = _cubic_minimum(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10)
        before, point = point, look(t)
        rounds += 1
    else:
        before = start

    # Make the two come closer
    pair = [before, point]
    low = 0 if before.loss <= point.loss else 1
    has_stalled = False
    while rounds < most and abs(pair[1].t - pair[0].t) * search.largest(d) >= tolerance:
        left, right = sorted(each.t for each in pair)
        t = _cubic_minimum(pair[0], pair[1], left, right)
        margin = 0.1 * (right - left)
        is_at_edge = min(right - t, t - left) < margin
        if is_at_edge and (has_stalled or t >= right or t <= left):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            is_at_edge = False
        has_stalled = is_at_edge
        point = look(t)
        rounds += 1
        if is_too_high(point) or point.loss >= pair[low].loss:
            pair[1 - low] = point
            low = 0 if pair[0].loss <= pair[1].loss else 1
            continue
        if not is_flat(point) and point.slope * (pair[1 - low].t - pair[low].t) >= 0:
            pair[1 - low] = pair[low]
        pair[low] = point
        if is_flat(point):
            break
    return pair[low], looked_at


def _cubic_minimum(a: _Point, b: _Point, least: float, most: float) -> float:
    """Return where the cubic through two points with these slopes is lowest, within bounds.

    That is equation 3.59 of Nocedal and Wright.
    """
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return (least + most) / 2
    d2 = math.sqrt(square)
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, least), most)
