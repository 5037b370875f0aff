"""Hooks of modules: functions that see what goes in and comes out, forwards and backwards."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from agrad.ops import positive
from agrad.tensor import Tensor

if TYPE_CHECKING:
    from agrad.nn.module import Module

__all__ = ["Hooks"]

Hook = Callable[..., Any]


class Hooks:
    """The hooks of one module, and how it is called with them.

    Attributes
    ----------
    before : dict
        ``hook(module, args)``, which may return other arguments.
    after : dict
        ``hook(module, args, output)``, which may return another output.
    backward : dict
        ``hook(module, grad_input, grad_output)``, which may return another grad_input.
    """

    def __init__(self) -> None:
        self.before: dict[int, Hook] = {}
        self.after: dict[int, Hook] = {}
        self.backward: dict[int, Hook] = {}

    def call(self, module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the module, and the hooks before and after it."""
        for hook in tuple(self.before.values()):
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        gradients = _Gradients(module, tuple(self.backward.values())) if self.backward else None
        if gradients is not None:
            args = gradients.watch_inputs(args)
        output = module.forward(*args, **kwargs)
        for hook in tuple(self.after.values()):
            changed = hook(module, args, output)
            if changed is not None:
                output = changed
        return output if gradients is None else gradients.watch_outputs(output)


class _Gradients:
    """The gradients of one call's outputs and inputs, collected until the hooks can see them."""

    def __init__(self, module: "Module", hooks: tuple[Hook, ...]) -> None:
        self.module = module
        self.hooks = hooks
        self.inputs: list[Tensor | None] = []
        self.outputs: list[Tensor | None] = []
        self.missing = 0  # inputs whose gradient hasn't come yet

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return arguments whose gradients are noted when they come."""
        watched = []
        for i, x in enumerate(args):
            self.inputs.append(None)
            if isinstance(x, Tensor) and x.requires_grad:
                x = positive(x)  # a node of its own, which no other use of x has
                x.register_hook(partial(self._input_came, i))
                self.missing += 1
            watched.append(x)
        return tuple(watched)

    def watch_outputs(self, output: Any) -> Any:
        """Return an output, or a tuple of them, whose gradients are noted when they come."""
        if isinstance(output, tuple):
            return tuple(self._watch_output(each) for each in output)
        return self._watch_output(output)

    def _watch_output(self, output: Any) -> Any:
        i = len(self.outputs)
        self.outputs.append(None)
        if not isinstance(output, Tensor) or not output.requires_grad:
            return output
        output = positive(output)
        output.register_hook(partial(self._output_came, i))
        return output

    def _output_came(self, i: int, g: Tensor) -> None:
        self.outputs[i] = g
        if self.missing == 0:  # no input has a gradient
            self._run()

    def _input_came(self, i: int, g: Tensor) -> Tensor | None:
        self.inputs[i] = g
        self.missing -= 1
        return self._run(i) if self.missing == 0 else None

    def _run(self, i: int | None = None) -> Tensor | None:
        """Call the hooks; return what the last of them gives for the i-th input."""
        result = None
        for hook in self.hooks:
            changed = hook(self.module, tuple(self.inputs), tuple(self.outputs))
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            others = (k for k, x in enumerate(self.inputs) if k != i and x is not None)
            if i is None or any(changed[k] is not self.inputs[k] for k in others):
                raise RuntimeError(
                    f"a backward hook of {type(self.module).__name__} can change the gradient of "
                    "one input alone, and this module has "
                    f"{sum(x is not None for x in self.inputs)} with a gradient"
                )
            result = self.inputs[i] = changed[i]
        return result
