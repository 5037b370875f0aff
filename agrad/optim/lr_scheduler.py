"""Schedules of learning rates.

A schedule is made for an optimizer, and sets the "lr" of its groups at once. Call ``step()`` after
each epoch, or after each of the optimizer's steps, outside of recorded steps.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from types import FunctionType
from typing import Any, ClassVar, Literal

from agrad.optim.optimizer import Optimizer
from agrad.tensor import Tensor

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

Numbers = float | Sequence[float]


class LRScheduler:
    """Sets the learning rates of an optimizer's groups, from epoch to epoch.

    A kind of it defines `get_lr`; or `factor`, by which the first learning rate is multiplied in
    an epoch.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Attributes
    ----------
    last_epoch : int
        The number of the epoch that the learning rates are for.
    base_lrs : list of float
        The groups' first learning rates.

    Raises
    ------
    TypeError
        If it is given no Optimizer.
    ValueError
        If it is to go on, but the groups don't know their first learning rates.
    """

    optimizer: Optimizer

    #: Whether what happens in an epoch is still to happen where a schedule goes on with that one.
    #: It is for those that change the rate in few epochs; of the others the rate has changed.
    _changes_when_going_on: ClassVar[bool] = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self._set_optimizer(optimizer)
        if not isinstance(last_epoch, int) or last_epoch < -1:
            raise ValueError(
                f"{type(self).__name__}: last_epoch must be an integer >= -1, got {last_epoch!r}"
            )
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise ValueError(
                    f"{type(self).__name__}: to go on after an epoch, group {i} needs "
                    '"initial_lr"; load the optimizer\'s state_dict first'
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._begin()

    def _set_optimizer(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{type(self).__name__} sets the rates of an Optimizer, got "
                f"{type(optimizer).__name__}"
            )
        self.optimizer = optimizer

    def _begin(self) -> None:
        """Set the learning rates of the first epoch, or of the one to go on with."""
        self.last_epoch += 1
        if self.last_epoch == 0:
            self._set(self._first_lr())
        elif self._changes_when_going_on:
            self._set(self.get_lr())
        else:
            self._set([group["lr"] for group in self.optimizer.param_groups])

    def _first_lr(self) -> list[float]:
        """Return the learning rates of epoch 0, made of those that the groups have."""
        return [group["lr"] * self.factor(0) for group in self.optimizer.param_groups]

    def _restart(self) -> None:
        """Begin once more with epoch 0, whatever the learning rates are now."""
        self.last_epoch = 0
        self._set([base * self.factor(0) for base in self.base_lrs])

    def _set(self, rates: Iterable[float]) -> None:
        self._last_lr = list(rates)
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate

    def factor(self, epoch: int) -> float:
        """Return what the first learning rate is multiplied by in an epoch."""
        raise NotImplementedError(f"{type(self).__name__} must define factor() or get_lr()")

    def get_lr(self) -> list[float]:
        """Return the groups' learning rates in ``last_epoch``, made of those that they have now.

        So what several schedules do, or users, adds up.
        """
        before, now = self.factor(self.last_epoch - 1), self.factor(self.last_epoch)
        groups = self.optimizer.param_groups
        if now == before:
            return [group["lr"] for group in groups]
        if before:
            return [group["lr"] * (now / before) for group in groups]
        later = [group["lr"] for group in groups[len(self.base_lrs) :]]
        return [base * now for base in self.base_lrs + later]

    def get_last_lr(self) -> list[float]:
        """Return the learning rates that it has set last, one for each group."""
        return self._last_lr

    def step(self) -> None:
        """Go on to the next epoch."""
        self.last_epoch += 1
        self._set(self.get_lr())

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to go on, for `load_state_dict`.

        Returns
        -------
        dict
            All attributes but for the optimizer, which has a state_dict of its own, and functions.
        """
        return {name: _saved(value) for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave. The optimizer's own is to be loaded into that.

        Parameters
        ----------
        state_dict : mapping
            Of a schedule of the same kind, made with the same arguments.

        Raises
        ------
        TypeError
            If it is no mapping.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                f"{type(self).__name__}.load_state_dict takes a mapping, as state_dict gives it; "
                f"got {type(state_dict).__name__}"
            )
        for name, value in state_dict.items():
            setattr(self, name, _loaded(value, getattr(self, name, None)))

    def _for_groups(self, name: str, values: Any) -> list[Any]:
        """Return a setting for each group, of one for all or of a list."""
        n = len(self.optimizer.param_groups)
        if not isinstance(values, (list, tuple)):
            return [values] * n
        if len(values) != n:
            raise ValueError(
                f"{type(self).__name__}: {name} must be one for all groups, or one for each of "
                f"the {n}; got {len(values)}"
            )
        return list(values)

    def _numbers_for_groups(self, name: str, values: Any, least: float = -math.inf) -> list[Any]:
        """Return a number for each group, of one for all or of a list."""
        return [_number(self, name, each, least) for each in self._for_groups(name, values)]


def _saved(value: Any) -> Any:
    """Return an attribute as what can be saved: None for a function, its attributes for others."""
    if isinstance(value, LRScheduler):
        return value.state_dict()
    if isinstance(value, (list, tuple)):
        return [_saved(each) for each in value]
    if isinstance(value, FunctionType) or not callable(value):
        return None if callable(value) else value
    return dict(getattr(value, "__dict__", {}))


def _loaded(value: Any, own: Any) -> Any:
    """Return an attribute made of what was saved and of what it is."""
    if isinstance(own, LRScheduler):
        own.load_state_dict(value)
        return own
    if isinstance(own, list) and isinstance(value, list) and len(own) == len(value):
        return [_loaded(each, mine) for each, mine in zip(value, own, strict=True)]
    if callable(own):
        vars(own).update(value or {})
        return own
    return value


def _check_positive(schedule: LRScheduler, name: str, value: Any) -> None:
    if not isinstance(value, int) or value < 1:
        raise ValueError(
            f"{type(schedule).__name__}: {name} must be a positive integer, got {value!r}"
        )


def _number(schedule: LRScheduler, name: str, value: Any, least: float = -math.inf) -> Any:
    if not isinstance(value, Real):
        raise TypeError(f"{type(schedule).__name__}: {name} must be a number, got {value!r}")
    if not (math.isfinite(value) and float(value) >= least):
        wanted = "a finite number" if least == -math.inf else f"a number >= {least:g}"
        raise ValueError(f"{type(schedule).__name__}: {name} must be {wanted}, got {value!r}")
    return value


# By functions -------------------------------------------------------------------------------------


class LambdaLR(LRScheduler):
    """Multiplies the first learning rate by what a function of the epoch gives.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    lr_lambda : callable, or list of callable
        The function, or one for each group.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> schedule.step()
    >>> optimizer.lr
    0.5
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self._set_optimizer(optimizer)
        self.lr_lambdas = self._for_groups("lr_lambda", lr_lambda)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(
                    f"{type(self).__name__}: lr_lambda must be a function of the epoch, got "
                    f"{type(function).__name__}"
                )
        super().__init__(optimizer, last_epoch)

    def _begin(self) -> None:
        self.step()

    def _restart(self) -> None:
        self.last_epoch = 0
        self._set(self.get_lr())

    def get_lr(self) -> list[float]:
        functions = self._for_groups("lr_lambda", self.lr_lambdas)
        pairs = zip(self.base_lrs, functions, strict=True)
        return [base * function(self.last_epoch) for base, function in pairs]


class MultiplicativeLR(LambdaLR):
    """Multiplies the learning rate in each epoch by what a function of the epoch gives.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    lr_lambda : callable, or list of callable
        The function, or one for each group. It isn't asked for epoch 0.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> for _ in range(2):
    ...     schedule.step()
    >>> optimizer.lr
    0.25
    """

    def _begin(self) -> None:
        self.last_epoch += 1
        self._set([group["lr"] for group in self.optimizer.param_groups])

    def get_lr(self) -> list[float]:
        functions = self._for_groups("lr_lambda", self.lr_lambdas)
        pairs = zip(self.optimizer.param_groups, functions, strict=True)
        return [group["lr"] * function(self.last_epoch) for group, function in pairs]


# By formulas --------------------------------------------------------------------------------------


class StepLR(LRScheduler):
    """Multiplies the learning rate by γ every few epochs.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    step_size : int
        How many epochs.
    gamma : float
        γ.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> optimizer.lr
    0.25
    """

    _changes_when_going_on = True

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        _check_positive(self, "step_size", step_size)
        self.step_size = step_size
        self.gamma = _number(self, "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float(self.gamma ** (epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """Multiplies the learning rate by γ at certain epochs.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    milestones : iterable of int
        The epochs; one that comes several times counts as often.
    gamma : float
        γ.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> optimizer.lr
    0.25
    """

    _changes_when_going_on = True

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(milestones, Iterable):
            raise TypeError(f"MultiStepLR: milestones must be a list of epochs, got {milestones!r}")
        self.milestones = sorted(_number(self, "each of milestones", each) for each in milestones)
        self.gamma = _number(self, "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float(self.gamma ** bisect_right(self.milestones, epoch))


class ConstantLR(LRScheduler):
    """Multiplies the learning rate by a factor in the first epochs.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    factor : float
        The factor, greater than 0 and at most 1.
    total_iters : int
        How many epochs.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> rates = [optimizer.lr]
    >>> for _ in range(3):
    ...     schedule.step()
    ...     rates.append(optimizer.lr)
    >>> rates
    [0.5, 0.5, 1.0, 1.0]
    """

    _changes_when_going_on = True

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        _check_positive(self, "total_iters", total_iters)
        if not 0 < _number(self, "factor", factor) <= 1:
            raise ValueError(f"ConstantLR: factor must be above 0 and at most 1, got {factor!r}")
        self.first_factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return self.first_factor if epoch < self.total_iters else 1.0


class LinearLR(LRScheduler):
    """Multiplies the learning rate by a factor that goes from one number to another in a line.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    start_factor : float
        The factor in epoch 0, greater than 0 and at most 1.
    end_factor : float
        The factor at the end, from 0 to 1.
    total_iters : int
        The epoch from which on it stays the same.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> schedule.step()
    >>> optimizer.lr
    0.75
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        _check_positive(self, "total_iters", total_iters)
        if not 0 < _number(self, "start_factor", start_factor) <= 1:
            raise ValueError(
                f"LinearLR: start_factor must be above 0 and at most 1, got {start_factor!r}"
            )
        if not 0 <= _number(self, "end_factor", end_factor) <= 1:
            raise ValueError(f"LinearLR: end_factor must be from 0 to 1, got {end_factor!r}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        part = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * part


class ExponentialLR(LRScheduler):
    """Multiplies the learning rate by γ in each epoch.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    gamma : float
        γ.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> for _ in range(2):
    ...     schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = _number(self, "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float(self.gamma**epoch)

    def get_lr(self) -> list[float]:
        return [group["lr"] * self.gamma for group in self.optimizer.param_groups]


class PolynomialLR(LRScheduler):
    """Lets the learning rate fall to 0 as a power of what is left: (1 - t / T)ᵖ in epoch t.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    total_iters : int
        T, the epoch in which it is 0.
    power : float
        p.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> for _ in range(2):
    ...     schedule.step()
    >>> optimizer.lr
    0.25
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        _check_positive(self, "total_iters", total_iters)
        self.total_iters = total_iters
        self.power = _number(self, "power", power, least=0)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float((1 - min(epoch, self.total_iters) / self.total_iters) ** self.power)


class CosineAnnealingLR(LRScheduler):
    """Lets the learning rate swing between the first one and a smallest one, as a cosine.

    In epoch t it is ε₀ + (ε - ε₀) (1 + cos(π t / T)) / 2.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    T_max : int
        T, the epoch in which it is smallest.
    eta_min : float
        ε₀, the smallest learning rate.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> schedule.step()
    >>> round(optimizer.lr, 6)
    0.5
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        _check_positive(self, "T_max", T_max)
        self.T_max = T_max
        self.eta_min = _number(self, "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2

    def get_lr(self) -> list[float]:
        least, now = self.eta_min, self.factor(self.last_epoch)
        if (self.last_epoch - 1) % (2 * self.T_max) == self.T_max:  # it comes from the smallest
            pairs = zip(self.optimizer.param_groups, self.base_lrs, strict=True)
            return [group["lr"] + (base - least) * now for group, base in pairs]
        ratio = now / self.factor(self.last_epoch - 1)
        return [least + (group["lr"] - least) * ratio for group in self.optimizer.param_groups]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Lets the learning rate fall as a cosine, again and again.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    T_0 : int
        How many epochs the first fall takes.
    T_mult : int
        By what each further fall takes longer.
    eta_min : float
        The smallest learning rate.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> rates = [optimizer.lr]
    >>> for _ in range(3):
    ...     schedule.step()
    ...     rates.append(round(optimizer.lr, 6))
    >>> rates
    [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        _check_positive(self, "T_0", T_0)
        _check_positive(self, "T_mult", T_mult)
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = _number(self, "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def _begin(self) -> None:
        self.step()

    def _restart(self) -> None:
        self.last_epoch = 0
        self._set(self.get_lr())

    def factor(self, epoch: int) -> float:
        length = self.T_0
        if self.T_mult == 1:
            epoch %= length
        while epoch >= length:
            epoch -= length
            length *= self.T_mult
        return (1 + math.cos(math.pi * epoch / length)) / 2

    def get_lr(self) -> list[float]:
        least, now = self.eta_min, self.factor(self.last_epoch)
        return [least + (base - least) * now for base in self.base_lrs]


# Cycles, which change the momentum too ------------------------------------------------------------


class _Cycle(LRScheduler):
    """A schedule that also sets the momentum: "momentum", or the first of "betas"."""

    cycle_momentum: bool

    def _check_momentum(self) -> None:
        if self.cycle_momentum and not {"momentum", "betas"} & set(self.optimizer.defaults):
            raise ValueError(
                f"{type(self).__name__}: {type(self.optimizer).__name__} has no momentum; give "
                "cycle_momentum=False"
            )

    def _set_momentum(self, group: dict[str, Any], value: float) -> None:
        if "betas" in self.optimizer.defaults:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value

    def _begin(self) -> None:
        self.step()

    def _restart(self) -> None:
        self.last_epoch = 0
        self._set(self.get_lr())


class CyclicLR(_Cycle):
    """Lets the learning rate go up and down in lines, and the momentum down and up.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    base_lr, max_lr : float, or list of float
        The smallest and the greatest learning rate, for all groups or for each.
    step_size_up : int
        How many steps it goes up.
    step_size_down : int, optional
        How many steps it goes down; as many as up if not given.
    mode : {"triangular", "triangular2", "exp_range"}
        Whether all cycles are of the same height, each half as high as the one before, or γ to
        the power of the step as high.
    gamma : float
        γ.
    scale_fn : callable, optional
        The height, instead of `mode`.
    scale_mode : {"cycle", "iterations"}
        Whether `scale_fn` is given the number of the cycle, from 1 on, or of the step.
    cycle_momentum : bool
        Whether to set the momentum too.
    base_momentum, max_momentum : float, or list of float
        The smallest and the greatest momentum, for all groups or for each.
    last_epoch : int
        The number of the last step, to go on after it; -1 to begin.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], momentum=0.9)
    >>> schedule = ag.optim.lr_scheduler.CyclicLR(optimizer, 0.0, 1.0, step_size_up=2)
    >>> rates = [optimizer.lr]
    >>> for _ in range(4):
    ...     schedule.step()
    ...     rates.append(optimizer.lr)
    >>> rates
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Numbers,
        max_lr: Numbers,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Numbers = 0.8,
        max_momentum: Numbers = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self._set_optimizer(optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(
                f"CyclicLR: mode must be triangular, triangular2 or exp_range, got {mode!r}"
            )
        base_lrs = self._numbers_for_groups("base_lr", base_lr)
        self.max_lrs = self._numbers_for_groups("max_lr", max_lr)
        _check_positive(self, "step_size_up", step_size_up)
        if step_size_down is not None:
            _check_positive(self, "step_size_down", step_size_down)
        self.step_size_up = step_size_up
        self.total_size = step_size_up + (
            step_size_up if step_size_down is None else step_size_down
        )
        self.mode = mode
        self.gamma = _number(self, "gamma", gamma)
        self.scale_fn = scale_fn
        self.scale_mode = scale_mode
        self.cycle_momentum = cycle_momentum
        self._check_momentum()
        self.base_momentums = self._numbers_for_groups("base_momentum", base_momentum)
        self.max_momentums = self._numbers_for_groups("max_momentum", max_momentum)
        if last_epoch == -1:
            for rate, group in zip(base_lrs, optimizer.param_groups, strict=True):
                group["lr"] = group["initial_lr"] = rate
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs  # as PyTorch: the groups may have begun with others

    def _scale(self, cycle: int) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.mode == "triangular2":
            return float(0.5 ** (cycle - 1))
        return float(self.gamma**self.last_epoch) if self.mode == "exp_range" else 1.0

    def get_lr(self) -> list[float]:
        cycle = self.last_epoch // self.total_size + 1
        x = self.last_epoch % self.total_size
        if x <= self.step_size_up:
            part = x / self.step_size_up
        else:
            part = (self.total_size - x) / (self.total_size - self.step_size_up)
        height = part * self._scale(cycle)
        if self.cycle_momentum:
            bounds = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (least, most) in zip(self.optimizer.param_groups, bounds, strict=True):
                self._set_momentum(group, most - (most - least) * height)
        pairs = zip(self.base_lrs, self.max_lrs, strict=True)
        return [least + (most - least) * height for least, most in pairs]


class OneCycleLR(_Cycle):
    """Lets the learning rate go up once, and far down; and the momentum down and up.

    It begins with max_lr / div_factor, and ends with that divided by final_div_factor.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    max_lr : float, or list of float
        The greatest learning rate, for all groups or for each.
    total_steps : int, optional
        How many steps there will be.
    epochs, steps_per_epoch : int, optional
        They can be given instead.
    pct_start : float
        In which part of the steps it goes up.
    anneal_strategy : {"cos", "linear"}
        Whether it goes as a cosine, or in a line.
    cycle_momentum : bool
        Whether to set the momentum too.
    base_momentum, max_momentum : float, or list of float
        The smallest and the greatest momentum, for all groups or for each.
    div_factor, final_div_factor : float
        What the greatest and the first learning rate are divided by.
    three_phase : bool
        Whether it first goes down to the first learning rate, in as many steps as it went up.
    last_epoch : int
        The number of the last step, to go on after it; -1 to begin.

    Raises
    ------
    ValueError
        If the number of steps isn't given, or in `step`, when there are no more.

    References
    ----------
    L. N. Smith, N. Topin, "Super-convergence: very fast training of neural networks using large
    learning rates", 2018.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.Adam([ag.Parameter(1.0)])
    >>> schedule = ag.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> for _ in range(2):
    ...     schedule.step()
    >>> optimizer.lr
    1.0
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Numbers,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: Numbers = 0.85,
        max_momentum: Numbers = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self._set_optimizer(optimizer)
        if total_steps is None:
            _check_positive(self, "total_steps, or epochs and steps_per_epoch,", epochs)
            _check_positive(self, "steps_per_epoch", steps_per_epoch)
            total_steps = epochs * steps_per_epoch  # type: ignore[operator]
        _check_positive(self, "total_steps", total_steps)
        if not 0 <= _number(self, "pct_start", pct_start) <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be from 0 to 1, got {pct_start!r}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"OneCycleLR: anneal_strategy must be cos or linear, got {anneal_strategy!r}"
            )
        self.total_steps = total_steps
        self.pct_start = pct_start
        self.anneal_strategy = anneal_strategy
        self.three_phase = three_phase
        self.cycle_momentum = cycle_momentum
        self._check_momentum()
        greatest = self._numbers_for_groups("max_lr", max_lr, least=0)
        base_momentums = self._numbers_for_groups("base_momentum", base_momentum)
        max_momentums = self._numbers_for_groups("max_momentum", max_momentum)
        for name, divisor in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            if not _number(self, name, divisor) > 0:
                raise ValueError(f"OneCycleLR: {name} must be above 0, got {divisor!r}")
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group["max_lr"] = greatest[i]
                group["initial_lr"] = greatest[i] / div_factor
                group["min_lr"] = group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    group["max_momentum"] = max_momentums[i]
                    group["base_momentum"] = base_momentums[i]
        super().__init__(optimizer, last_epoch)

    def _phases(self) -> list[tuple[float, str, str]]:
        """Return the last step of each phase, and the names of its last rate and momentum."""
        top = self.pct_start * self.total_steps - 1
        end = self.total_steps - 1
        phases = [(top, "max_lr", "base_momentum")]
        if self.three_phase:
            phases.append((2 * top, "initial_lr", "max_momentum"))
        return [*phases, (end, "min_lr", "max_momentum")]

    def _between(self, first: float, last: float, part: float) -> float:
        if self.anneal_strategy == "linear":
            return first + (last - first) * part
        return last + (first - last) * (1 + math.cos(math.pi * part)) / 2

    def get_lr(self) -> list[float]:
        if self.last_epoch >= self.total_steps + 1:
            raise ValueError(
                f"OneCycleLR was made for {self.total_steps} steps, and this is one more"
            )
        start, first, first_momentum = 0.0, "initial_lr", "max_momentum"
        for end, last, last_momentum in self._phases():
            if self.last_epoch <= end or last == "min_lr":
                break
            start, first, first_momentum = end, last, last_momentum
        part = (self.last_epoch - start) / (end - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                momentum = self._between(group[first_momentum], group[last_momentum], part)
                self._set_momentum(group, momentum)
        return [
            self._between(group[first], group[last], part) for group in self.optimizer.param_groups
        ]


# By a measure -------------------------------------------------------------------------------------


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the learning rate by a factor when a measure has stopped getting better.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    mode : {"min", "max"}
        Whether smaller is better, or greater.
    factor : float
        The factor, less than 1.
    patience : int
        For how many epochs it may be no better.
    threshold : float
        By how much it must be better to count as better.
    threshold_mode : {"rel", "abs"}
        Whether that is a part of the best so far, or a difference.
    cooldown : int
        How many epochs don't count after a change.
    min_lr : float, or list of float
        The smallest learning rate, for all groups or for each.
    eps : float
        Smaller changes aren't made.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)
    >>> optimizer.lr
    0.5
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: Numbers = 0,
        eps: float = 1e-8,
    ) -> None:
        self._set_optimizer(optimizer)
        if not _number(self, "factor", factor, least=0) < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be less than 1, got {factor!r}")
        for name, count in (("patience", patience), ("cooldown", cooldown)):
            if not isinstance(count, int) or count < 0:
                raise ValueError(
                    f"ReduceLROnPlateau: {name} must be an integer >= 0, got {count!r}"
                )
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode must be min or max, got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"ReduceLROnPlateau: threshold_mode must be rel or abs, got {threshold_mode!r}"
            )
        self.mode = mode
        self.reduction = factor
        self.patience = patience
        self.threshold: float = _number(self, "threshold", threshold, least=0)
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self._numbers_for_groups("min_lr", min_lr, least=0)
        self.min_lr = min_lr
        self.eps = _number(self, "eps", eps, least=0)
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self.last_epoch = 0
        self._set([group["lr"] for group in optimizer.param_groups])

    def _is_better(self, value: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        margin = self.threshold
        if self.threshold_mode == "rel":
            margin = self.threshold * self.best if math.isfinite(self.best) else 0.0
        return sign * value > sign * self.best + margin

    def step(self, metrics: float | Tensor) -> None:  # type: ignore[override]
        """Go on to the next epoch.

        Parameters
        ----------
        metrics : float or Tensor
            The measure after this epoch, such as the loss on data for validation.

        Raises
        ------
        TypeError
            If it is no number.
        """
        try:
            value = float(metrics.item() if isinstance(metrics, Tensor) else metrics)
        except (TypeError, ValueError):
            raise TypeError(
                f"ReduceLROnPlateau.step takes a number, such as a loss; got {metrics!r}"
            ) from None
        self.last_epoch += 1
        if self._is_better(value):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
            pairs = zip(rates, self._for_groups("min_lr", self.min_lr), strict=True)
            lower = [max(rate * self.reduction, least) for rate, least in pairs]
            rates = [
                new if old - new > self.eps else old for old, new in zip(rates, lower, strict=True)
            ]
        self._set(rates)


# Of other schedules -------------------------------------------------------------------------------


class _Several(LRScheduler):
    """A schedule made of others for the same optimizer."""

    _schedulers: list[LRScheduler]

    def _set_schedulers(self, schedulers: Sequence[LRScheduler], optimizer: Any) -> None:
        name = type(self).__name__
        self._schedulers = list(schedulers)
        if not self._schedulers:
            raise ValueError(f"{name} needs at least one schedule")
        for each in self._schedulers:
            if not isinstance(each, LRScheduler) or isinstance(each, ReduceLROnPlateau):
                raise TypeError(
                    f"{name} takes schedules that need no measure, got {type(each).__name__}"
                )
        self._set_optimizer(self._schedulers[0].optimizer if optimizer is None else optimizer)
        if any(each.optimizer is not self.optimizer for each in self._schedulers):
            raise ValueError(f"{name}: all schedules must be for the same optimizer")


class SequentialLR(_Several):
    """Goes by one schedule after the other.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    schedulers : list of LRScheduler
        The schedules, for this optimizer.
    milestones : list of int
        The epochs in which the second begins, the third, and so on.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> parts = [ConstantLR(optimizer, factor=0.5), ExponentialLR(optimizer, gamma=0.25)]
    >>> schedule = SequentialLR(optimizer, parts, milestones=[1])
    >>> rates = [optimizer.lr]
    >>> for _ in range(2):
    ...     schedule.step()
    ...     rates.append(optimizer.lr)
    >>> rates
    [0.5, 1.0, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self._set_schedulers(schedulers, optimizer)
        if len(milestones) != len(self._schedulers) - 1:
            raise ValueError(
                f"SequentialLR needs a milestone between each two schedules: got "
                f"{len(self._schedulers)} schedules and {len(milestones)} milestones"
            )
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        # Each schedule has set the rates of its own epoch 0: only the first one's are to stay
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for each in self._schedulers:
            _undo(each)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._begin()
        self._last_lr = first.get_last_lr()

    def _begin(self) -> None:
        self._schedulers[0]._begin()
        self._last_lr = self._schedulers[0].get_last_lr()

    def step(self) -> None:
        self.last_epoch += 1
        number = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[number]
        if number > 0 and self._milestones[number - 1] == self.last_epoch:
            scheduler._restart()
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo(schedule: LRScheduler) -> None:
    """Take back the step into the first epoch, of a schedule and of those that it is made of."""
    if isinstance(schedule, _Several):
        for each in schedule._schedulers:
            _undo(each)
    else:
        schedule.last_epoch -= 1


class ChainedScheduler(_Several):
    """Goes by several schedules at a time: their factors are multiplied.

    Parameters
    ----------
    schedulers : sequence of LRScheduler
        The schedules, for one optimizer. They are stepped in this order.
    optimizer : Optimizer, optional
        Their optimizer.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> parts = [ConstantLR(optimizer, factor=0.5), ExponentialLR(optimizer, gamma=0.25)]
    >>> schedule = ChainedScheduler(parts)
    >>> schedule.step()
    >>> optimizer.lr
    0.125
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        self._set_schedulers(schedulers, optimizer)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _begin(self) -> None:
        for each in self._schedulers:
            each._begin()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _restart(self) -> None:
        for each in self._schedulers:
            each._restart()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def step(self) -> None:
        for each in self._schedulers:
            each.step()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]
