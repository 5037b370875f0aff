"""A table of what is in a network."""

from collections.abc import Sequence
from typing import Any

from agrad.autograd import no_grad
from agrad.nn.module import Module
from agrad.ops import zeros
from agrad.tensor import Tensor
from agrad.typing import DTypeLike

__all__ = ["summary"]


def summary(
    model: Module, input_shape: Sequence[int], *, dtype: DTypeLike = None, device: str | None = None
) -> str:
    """Return a table of a network's modules: the shapes that they give, and their parameters.

    The network is run once, in evaluation mode, on zeros.

    Parameters
    ----------
    model : Module
        The network.
    input_shape : tuple of int
        The shape of what it takes, the batch included.
    dtype, device
        Of what it takes; those of its first parameter if not given.

    Returns
    -------
    str
        A line for each module that was called, in the order of the calls, and the sum. A parameter
        that is shared is counted where it first stands.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.nn.Sequential(ag.nn.Linear(784, 100), ag.nn.ReLU(), ag.nn.Linear(100, 10))
    >>> print(ag.nn.summary(net, (1, 784)))
    name  module      output    parameters
    --------------------------------------
    0     Linear      (1, 100)      78,500
    1     ReLU        (1, 100)           0
    2     Linear      (1, 10)        1,010
          Sequential  (1, 10)            0
    --------------------------------------
    79,510 parameters, 79,510 of them trained
    """
    parameters = list(model.parameters())
    if parameters:
        dtype = parameters[0].dtype if dtype is None else dtype
        device = parameters[0].device if device is None else device
    counted: set[int] = set()
    rows: list[tuple[str, str, str, str]] = []

    def note(name: str, module: Module, output: Any) -> None:
        own = [p for key, p in module._items() if id(p) in left and id(p) not in counted]
        counted.update(map(id, own))
        rows.append((name, type(module).__name__, _shape(output), f"{sum(p.size for p in own):,}"))

    left = set(map(id, parameters))
    modes = [(module, module.training) for module in model.modules()]
    handles = [
        module.register_forward_hook(lambda m, args, output, name=name: note(name, m, output))
        for name, module in model.named_modules()
    ]
    try:
        with no_grad():
            model.eval()(zeros(tuple(input_shape), dtype=dtype, device=device))
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
    trained = sum(p.size for p in parameters if p.requires_grad)
    total = f"{sum(p.size for p in parameters):,} parameters, {trained:,} of them trained"
    return _table([("name", "module", "output", "parameters"), *rows], total)


def _shape(output: Any) -> str:
    if isinstance(output, Tensor):
        return str(tuple(output.shape))
    if isinstance(output, (tuple, list)):
        return f"({', '.join(map(_shape, output))})"
    return type(output).__name__


def _table(rows: list[tuple[str, str, str, str]], end: str) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if i == 3 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = "-" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:], rule, end])
