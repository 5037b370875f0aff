"""Mixed precision: products in a short type, all else in float32, and losses scaled for it."""

import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, TypeVar

from agrad.autograd import Context, no_grad
from agrad.backends import backend_for, device_kind, is_array, known_devices, recording
from agrad.backends.recorder import refuse
from agrad.dtypes import dtype as as_dtype
from agrad.dtypes import float16, float32
from agrad.ops import all, finfo, isfinite, stack
from agrad.ops.casting import SHORT, State, casting, with_type
from agrad.optim.optimizer import Optimizer
from agrad.tensor import Tensor
from agrad.typing import DTypeLike

__all__ = ["GradScaler", "autocast"]

Outputs = TypeVar("Outputs")


class autocast(Context):
    """Inside, matrix products and convolutions take float32 as a short type. Also a decorator.

    Parameters
    ----------
    device_type : str
        For arrays where: "cpu", "cuda", or another library's name, such as "torch". A Tensor's
        ``device`` stands for all devices of its type.
    dtype : {float16, bfloat16}, optional
        The short type; float16 if not given. It is the library's: NumPy and CuPy have no bfloat16.
    enabled : bool
        With False, functions inside do as they do without it.

    Raises
    ------
    TypeError
        If `dtype` is no data type, or the library doesn't have it.
    ValueError
        If there are no such devices, or the data type isn't a short one.

    See Also
    --------
    GradScaler : Keeps small gradients from becoming 0 in float16.

    Notes
    -----
    Parameters stay float32, and so do their gradients: the casts are functions with a derivative.
    Run the forward pass and the loss inside; the backward pass goes by what was recorded.

    It holds for the current thread. Which functions compute in which type is listed in
    :doc:`/mixed_precision`.

    References
    ----------
    P. Micikevicius et al., "Mixed precision training", ICLR 2018.

    Examples
    --------
    >>> import agrad as ag
    >>> layer, x = ag.nn.Linear(3, 2), ag.ones((4, 3), dtype=ag.float32)
    >>> with ag.amp.autocast("cpu", dtype=ag.float16):
    ...     y = layer(x)
    ...     loss = ag.nn.functional.mse_loss(y, ag.zeros((4, 2), dtype=ag.float32))
    >>> y.dtype, loss.dtype
    (agrad.float16, agrad.float32)
    >>> loss.backward()
    >>> layer.weight.grad.dtype
    agrad.float32
    """

    setting = casting

    def __init__(self, device_type: str, dtype: DTypeLike = None, enabled: bool = True) -> None:
        self.device_type = device_kind(device_type)
        self.dtype = float16 if dtype is None else as_dtype(dtype)
        self.enabled = bool(enabled)
        if self.dtype not in SHORT:
            raise ValueError(
                f"autocast takes {' or '.join(map(str, SHORT))} as the short type, got {self.dtype}"
            )
        if self.enabled:
            for device in known_devices():
                if device_kind(device) == self.device_type:
                    self._check_library(device)

    def _check_library(self, device: str) -> None:
        try:
            backend_for(device).dtype(self.dtype)
        except TypeError as error:
            others = [str(each) for each in SHORT if hasattr(backend_for(device), each.name)]
            has = f"it has {others[0]}" if others else "nor another short type"
            raise TypeError(f"autocast: {error}; {has}") from None

    def inside(self) -> State:
        return with_type(casting.state, self.device_type, self.dtype if self.enabled else None)


_READY, _UNSCALED, _STEPPED = "ready", "unscaled", "stepped"


class _Progress:
    """How far a step of one optimizer is, and whether its gradients were finite."""

    def __init__(self) -> None:
        self.stage = _READY
        self.finite: list[Tensor] = []  # of no dimensions, one on each device
        self._found: bool | None = None

    def found_nonfinite(self) -> bool:
        """Return whether a gradient was infinite or NaN; the first time, read it."""
        if self._found is None:
            self._found = not min(bool(each) for each in self.finite)
        return self._found


class GradScaler:
    """Multiply losses by a large number, and divide gradients by it, so that none becomes 0.

    The smallest numbers of float16 are 6e-8 and their like, and many gradients are smaller. Where
    the large number was too large, and a gradient is infinite or NaN, the optimizer's step is left
    out and the number made smaller.

    Parameters
    ----------
    device : str
        Which type of device the losses are on, as for `autocast`. It is only looked at whether
        there is such a one: the scale goes where the losses are.
    init_scale : float
        The number at the start.
    growth_factor : float
        What it is multiplied by after so many steps, one after the other, with finite gradients.
    backoff_factor : float
        What it is multiplied by after a step that was left out.
    growth_interval : int
        After how many steps it grows.
    enabled : bool
        With False, `scale` and `unscale_` do nothing, and `step` is the optimizer's.

    Raises
    ------
    ValueError
        If there are no such devices, or a setting makes no sense.

    Notes
    -----
    Each step reads one value from each device: whether all gradients are finite. The rest of the
    work stays on the device. In a recorded step (see `agrad.compile`) there may be `scale` alone,
    and the others after it.

    NumPy warns where numbers overflow, and the first steps' gradients may:
    ``numpy.errstate(over="ignore")`` is the way not to see that.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0, 2.0])
    >>> optimizer, scaler = ag.optim.SGD([w], lr=0.25), ag.amp.GradScaler("cpu")
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     scaler.scale(loss).backward()
    ...     scaler.step(optimizer)
    ...     scaler.update()
    >>> w.tolist()
    [0.25, 0.5]
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        device_kind(device)
        _check("init_scale", init_scale, lambda x: x > 0, "positive")
        _check("growth_factor", growth_factor, lambda x: x > 1, "above 1")
        _check("backoff_factor", backoff_factor, lambda x: 0 < x < 1, "between 0 and 1")
        if not isinstance(growth_interval, int) or growth_interval < 1:
            raise ValueError(
                f"GradScaler: growth_interval must be a positive integer, got {growth_interval!r}"
            )
        self._enabled = bool(enabled)
        self._scale = float(init_scale)
        self._growth_factor = float(growth_factor)
        self._backoff_factor = float(backoff_factor)
        self._growth_interval = growth_interval
        self._growth_tracker = 0  # how many steps with finite gradients there were in a row
        # The scale as a Tensor on each device. It gets new arrays and stays the same Tensor, so
        # that recorded steps follow it.
        self._factors: dict[str, Tensor] = {}
        self._progress: dict[Optimizer, _Progress] = {}

    def scale(self, outputs: Outputs) -> Outputs:
        """Return losses times the scale: call their ``backward()``.

        Parameters
        ----------
        outputs : Tensor, or iterable of Tensors
            The losses. Lists and tuples may be nested.

        Returns
        -------
        Tensor or iterable
            Of the same form.

        Raises
        ------
        TypeError
            If it is something else.
        """
        if not self._enabled:
            return outputs
        given: Any = outputs
        if isinstance(given, Tensor):
            return given * self._factor(given)  # type: ignore[return-value]
        if is_array(given) or isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(
                f"GradScaler.scale takes a Tensor, or several, got {type(given).__name__}"
            )
        scaled: Any = map(self.scale, given)
        scaled = type(given)(scaled) if isinstance(given, (list, tuple)) else scaled
        return scaled  # type: ignore[no-any-return]

    def _factor(self, loss: Tensor) -> Tensor:
        device = loss.device
        if device not in self._factors:
            self._factors[device] = Tensor(self._scale, dtype=float32, device=device)
        return self._factors[device]

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide an optimizer's gradients by the scale, to look at or change them before `step`.

        Parameters
        ----------
        optimizer : Optimizer
            Whose. If it isn't called, `step` does it.

        Raises
        ------
        RuntimeError
            If it was called for this optimizer since the last `update`, there are no gradients, or
            no loss has been scaled.
        ValueError
            If a parameter is float16, and so its gradient: keep parameters in float32.

        Examples
        --------
        >>> import agrad as ag
        >>> w = ag.Parameter([3.0])
        >>> optimizer, scaler = ag.optim.SGD([w], lr=1.0), ag.amp.GradScaler("cpu")
        >>> scaler.scale(w * 8.0).backward()
        >>> scaler.unscale_(optimizer)
        >>> ag.nn.utils.clip_grad_norm_([w], max_norm=1.0).item()
        8.0
        >>> scaler.step(optimizer)
        >>> scaler.update()
        >>> round(w.item(), 4)
        2.0
        """
        if not self._enabled:
            return
        progress = self._begin("unscale_", optimizer)
        if progress.stage == _UNSCALED:
            raise RuntimeError(
                "GradScaler.unscale_ has been called for this optimizer already since the last "
                "update(): its gradients would be divided twice"
            )
        params = [p for group in optimizer.param_groups for p in group["params"]]
        params = [p for p in params if p.grad is not None]
        if not params:
            raise RuntimeError(
                "GradScaler: no parameter of this optimizer has a gradient; call "
                "scaler.scale(loss).backward() before unscale_() and step()"
            )
        if any(p.dtype == float16 for p in params):
            raise ValueError(
                "GradScaler can't divide gradients in float16, where they have been rounded to 0 "
                "already: keep parameters in float32, and let autocast cast them"
            )
        finite: dict[str, list[Tensor]] = {}
        with no_grad():
            for p in params:
                finite.setdefault(p.device, []).append(all(isfinite(p.grad)))
                p.grad *= 1 / self._scale
            progress.finite = [all(stack(each)) for each in finite.values()]
        progress.stage = _UNSCALED

    def _begin(self, function: str, optimizer: Any) -> _Progress:
        """Return how far an optimizer's step is, and check that it may go on."""
        if recording.tape is not None:
            refuse(
                f"call GradScaler.{function}",
                "whether a step is left out depends on values; scale the loss and call backward() "
                "in the recorded step, and the scaler's step() and update() after it",
            )
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"GradScaler.{function} takes an Optimizer, got {type(optimizer).__name__}"
            )
        if not self._factors:
            raise RuntimeError(
                f"GradScaler.{function}: no loss has been scaled; call "
                "scaler.scale(loss).backward() before"
            )
        progress = self._progress.setdefault(optimizer, _Progress())
        if progress.stage == _STEPPED:
            raise RuntimeError(
                f"GradScaler.{function} is called after this optimizer's step; call update() "
                "between steps"
            )
        return progress

    def step(self, optimizer: Optimizer, closure: Callable[[], Any] | None = None) -> Any:
        """Do the optimizer's step, if all its gradients are finite; divide them before.

        Parameters
        ----------
        optimizer : Optimizer
            Whose step.
        closure : callable, optional
            Only if the scaler isn't enabled: the gradients that it makes wouldn't be divided.

        Returns
        -------
        object
            What the optimizer's ``step`` gave; None if it was left out.

        Raises
        ------
        RuntimeError
            If it was called for this optimizer since the last `update`, there are no gradients, no
            loss has been scaled, or there is a closure.
        ValueError
            If a parameter is float16.
        """
        if not self._enabled:
            return optimizer.step(closure)
        if closure is not None:
            raise RuntimeError("GradScaler.step takes no closure: call scale() and backward()")
        progress = self._begin("step", optimizer)
        if progress.stage == _READY:
            self.unscale_(optimizer)
        result = None if progress.found_nonfinite() else optimizer.step()
        progress.stage = _STEPPED
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Make the scale smaller after a step that was left out, or greater after many others.

        Parameters
        ----------
        new_scale : float or Tensor, optional
            What to make it instead.

        Raises
        ------
        RuntimeError
            If no gradients have been looked at since the last time, by `step` or `unscale_`.
        ValueError
            If the new scale isn't a positive number.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            number = new_scale.item() if isinstance(new_scale, Tensor) else new_scale
            _check("the new scale", number, lambda x: x > 0, "positive")
            self._set_scale(float(number))
        else:
            found = [each.found_nonfinite() for each in self._progress.values() if each.finite]
            if not found:
                raise RuntimeError(
                    "GradScaler.update: no gradients have been looked at since the last update(); "
                    "call step(optimizer) before"
                )
            if max(found):
                self._set_scale(self._scale * self._backoff_factor)
                self._growth_tracker = 0
            else:
                self._growth_tracker += 1
                if self._growth_tracker == self._growth_interval:
                    self._growth_tracker = 0
                    if self._scale * self._growth_factor <= finfo(float32).max:
                        self._set_scale(self._scale * self._growth_factor)
        self._progress = {}

    def _set_scale(self, scale: float) -> None:
        self._scale = scale
        for factor in self._factors.values():
            backend = factor._backend
            factor._data = backend.asarray(scale, dtype=backend.dtype(float32))

    def get_scale(self) -> float:
        """Return the scale; 1 if the scaler isn't enabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Return whether the scaler is enabled."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Return the settings and the scale, for `load_state_dict`; call it after `update`.

        Returns
        -------
        dict
            Numbers by PyTorch's names: "scale", "growth_factor", "backoff_factor",
            "growth_interval" and "_growth_tracker". Empty if the scaler isn't enabled.
        """
        if not self._enabled:
            return {}
        return {name: getattr(self, attribute) for name, attribute in _STATE.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, of this scaler or of one of PyTorch's.

        Parameters
        ----------
        state_dict : mapping
            With all the names. If the scaler isn't enabled, it isn't looked at.

        Raises
        ------
        RuntimeError
            If it is empty, as that of a scaler that isn't enabled.
        ValueError
            If a name is missing.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "GradScaler.load_state_dict: the entry is empty, so it is of a scaler that wasn't "
                "enabled"
            )
        missing = [name for name in _STATE if name not in state_dict]
        if missing:
            raise ValueError(f"GradScaler.load_state_dict: the entry has no {', '.join(missing)}")
        for name, attribute in _STATE.items():
            setattr(self, attribute, state_dict[name])
        self._set_scale(float(state_dict["scale"]))


_STATE = {
    "scale": "_scale",
    "growth_factor": "_growth_factor",
    "backoff_factor": "_backoff_factor",
    "growth_interval": "_growth_interval",
    "_growth_tracker": "_growth_tracker",
}


def _check(name: str, value: Any, fits: Callable[[Any], bool], what: str) -> None:
    if not (isinstance(value, Real) and math.isfinite(value) and fits(value)):
        raise ValueError(f"GradScaler: {name} must be a number that is {what}, got {value!r}")
