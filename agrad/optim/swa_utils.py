"""Averages of a network's weights, over the steps of its training."""

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any, Literal

from agrad.autograd import no_grad
from agrad.nn.functional.settings import check_number
from agrad.nn.module import Module
from agrad.nn.normalization import _BatchNorm
from agrad.ops import astype, zeros
from agrad.optim.lr_scheduler import LRScheduler, Numbers
from agrad.optim.optimizer import Optimizer
from agrad.tensor import Tensor

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

#: Gives the new average of the old one, the weights now, and the number of those in it so far
AvgFn = Callable[[Tensor, Tensor, int], Tensor]
#: Writes new averages into lists of Tensors
MultiAvgFn = Callable[[Sequence[Tensor], Sequence[Tensor], int], None]


def get_ema_avg_fn(decay: float = 0.999) -> AvgFn:
    """Return a function for the exponential moving average of one Tensor.

    Parameters
    ----------
    decay : float
        How much of the average stays from step to step, from 0 to 1.

    Returns
    -------
    callable
        ``f(average, now, count)`` gives ``decay * average + (1 - decay) * now``.

    Raises
    ------
    ValueError
        If `decay` is out of its range.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.optim.swa_utils.get_ema_avg_fn(0.75)(ag.Tensor(4.0), ag.Tensor(8.0), 1).item()
    5.0
    """
    check_number("get_ema_avg_fn", "decay", decay, least=0, most=1)
    return lambda average, now, _: average + (1 - decay) * (now - average)


def get_swa_avg_fn() -> AvgFn:
    """Return a function for the mean of one Tensor over all steps.

    Returns
    -------
    callable
        ``f(average, now, count)`` gives ``average + (now - average) / (count + 1)``.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.optim.swa_utils.get_swa_avg_fn()(ag.Tensor(4.0), ag.Tensor(8.0), 3).item()
    5.0
    """
    return lambda average, now, count: average + (now - average) / (count + 1)


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAvgFn:
    """Return a function for the exponential moving averages of many Tensors, in place.

    Parameters
    ----------
    decay : float
        How much of the averages stays from step to step, from 0 to 1.

    Returns
    -------
    callable
        ``f(averages, now, count)``, for `AveragedModel`.

    Raises
    ------
    ValueError
        If `decay` is out of its range.

    Examples
    --------
    >>> import agrad as ag
    >>> average = ag.Tensor([4.0])
    >>> ag.optim.swa_utils.get_ema_multi_avg_fn(0.75)([average], [ag.Tensor([8.0])], 1)
    >>> average.tolist()
    [5.0]
    """
    return _of_each(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> MultiAvgFn:
    """Return a function for the means of many Tensors over all steps, in place.

    Returns
    -------
    callable
        ``f(averages, now, count)``, for `AveragedModel`.

    Examples
    --------
    >>> import agrad as ag
    >>> average = ag.Tensor([4.0])
    >>> ag.optim.swa_utils.get_swa_multi_avg_fn()([average], [ag.Tensor([8.0])], 3)
    >>> average.tolist()
    [5.0]
    """
    return _of_each(get_swa_avg_fn())


def _of_each(function: AvgFn) -> MultiAvgFn:
    def average_all(averages: Sequence[Tensor], now: Sequence[Tensor], count: int) -> None:
        with no_grad():
            for average, new in zip(averages, now, strict=True):
                average[...] = astype(function(average, new, count), average.dtype)

    return average_all


class AveragedModel(Module):
    """A copy of a network whose weights are the average of the network's, step by step.

    Parameters
    ----------
    model : Module
        The network; it is copied.
    device : str, optional
        Where the copy is; where the network is if not given.
    avg_fn : callable, optional
        The average of one Tensor, such as `get_ema_avg_fn` gives; the mean if nothing is given.
    multi_avg_fn : callable, optional
        The averages of many Tensors, such as `get_ema_multi_avg_fn` gives.
    use_buffers : bool
        Whether to average the buffers too, rather than to copy them.

    Attributes
    ----------
    module : Module
        The copy.
    n_averaged : Tensor
        How many networks' weights are in the average.

    Raises
    ------
    TypeError
        If the network is no Module.
    ValueError
        If both functions are given.

    References
    ----------
    P. Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI
    2018.

    Examples
    --------
    >>> import agrad as ag
    >>> from agrad.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
    >>> net = ag.nn.Linear(1, 1)
    >>> average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    >>> for value in (4.0, 8.0):
    ...     net.weight.data[...] = value  # or a step of training
    ...     average.update_parameters(net)
    >>> average.module.weight.item()
    5.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: str | None = None,
        avg_fn: AvgFn | None = None,
        multi_avg_fn: MultiAvgFn | None = None,
        use_buffers: bool = False,
    ) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"AveragedModel averages a Module, got {type(model).__name__}")
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel takes one of avg_fn and multi_avg_fn, got both")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", zeros((), dtype="int64", device=device))
        if multi_avg_fn is None:
            multi_avg_fn = get_swa_multi_avg_fn() if avg_fn is None else _of_each(avg_fn)
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the copy gives.

        Parameters
        ----------
        *args, **kwargs
            What the network takes.

        Returns
        -------
        Tensor
            Or whatever the network gives.
        """
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Add the weights that a network has now to the average; the first are taken as they are.

        Parameters
        ----------
        model : Module
            The network that this one was made of.

        Raises
        ------
        ValueError
            If its parameters or buffers are others.
        """
        averages: list[Tensor] = list(self.module.parameters())
        now: list[Tensor] = [p.detach() for p in model.parameters()]
        buffers, new = (list(each.buffers()) for each in (self.module, model))
        if [x.shape for x in (*averages, *buffers)] != [x.shape for x in (*now, *new)]:
            raise ValueError(
                "AveragedModel: the model has other parameters or buffers than the one that this "
                "was made of"
            )
        if self.use_buffers:
            averages, now, buffers, new = averages + buffers, now + new, [], []
        now, new = (
            [x.to(own.device) for x, own in zip(xs, owns, strict=True)]
            for xs, owns in ((now, averages), (new, buffers))
        )
        count = int(self.n_averaged.item())
        with no_grad():
            if count:
                self.multi_avg_fn(averages, now, count)
            else:
                buffers, new = averages + buffers, now + new
            for own, value in zip(buffers, new, strict=True):
                own[...] = value
            self.n_averaged[...] = count + 1


def update_bn(loader: Iterable[Any], model: Module, device: str | None = None) -> None:
    """Compute the statistics of batch normalization anew, for weights that are averages.

    Parameters
    ----------
    loader : iterable
        Gives batches, or tuples of them and other things.
    model : Module
        The network; it runs in training mode on each batch.
    device : str, optional
        Where to move the batches.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.nn.BatchNorm1d(1)
    >>> ag.optim.swa_utils.update_bn([ag.Tensor([[1.0], [3.0]], dtype=ag.float32)], net)
    >>> net.running_mean.tolist()
    [2.0]
    """
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    modes = [(module, module.training) for module in model.modules()]
    if not layers:
        return
    with no_grad():
        for layer in layers:
            layer.momentum = None  # the mean over all batches
            values = (
                (layer.running_mean, 0),
                (layer.running_var, 1),
                (layer.num_batches_tracked, 0),
            )
            for buffer, value in values:
                if buffer is not None:
                    buffer[...] = value
        try:
            model.train()
            for batch in loader:
                x = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(x if device is None else x.to(device))
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
            for module, mode in modes:
                module.training = mode


class SWALR(LRScheduler):
    """Lets the learning rate go to a constant one, for averaging from then on.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates to set.
    swa_lr : float, or list of float
        The constant one, for all groups or for each.
    anneal_epochs : int
        How many epochs it takes.
    anneal_strategy : {"cos", "linear"}
        Whether it goes as a cosine, or in a line.
    last_epoch : int
        The number of the last epoch, to go on after it; -1 to begin.

    Examples
    --------
    >>> import agrad as ag
    >>> optimizer = ag.optim.SGD([ag.Parameter(1.0)], lr=1.0)
    >>> schedule = ag.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2)
    >>> schedule.step()
    >>> round(optimizer.lr, 6)
    0.75
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Numbers,
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        self._set_optimizer(optimizer)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"SWALR: anneal_strategy must be cos or linear, got {anneal_strategy!r}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: anneal_epochs must be an integer >= 0, got {anneal_epochs!r}")
        for group, rate in zip(
            optimizer.param_groups, self._numbers_for_groups("swa_lr", swa_lr, least=0), strict=True
        ):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self.anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _part(self, epoch: int) -> float:
        """Return how much of the way is done in an epoch."""
        if epoch >= self.anneal_epochs:
            return 1.0
        part = max(0, epoch) / self.anneal_epochs
        return (1 - math.cos(math.pi * part)) / 2 if self.anneal_strategy == "cos" else part

    def _first_lr(self) -> list[float]:
        names = ("lr",) if self.anneal_epochs else ("swa_lr",)
        return [group[names[0]] for group in self.optimizer.param_groups]

    def get_lr(self) -> list[float]:
        before, now = self._part(self.last_epoch - 1), self._part(self.last_epoch)
        rates = []
        for group in self.optimizer.param_groups:
            rate, goal = group["lr"], group["swa_lr"]
            first = goal if before == 1 else (rate - before * goal) / (1 - before)
            rates.append(goal * now + first * (1 - now))
        return rates
