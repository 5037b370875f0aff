"""Module: what networks are built from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, Self

from agrad import dtypes
from agrad.nn.hooks import Hooks
from agrad.ops import zeros_like
from agrad.tensor import Parameter, RemovableHandle, Tensor
from agrad.typing import DTypeLike

# The ids of the modules that the `repr` at work has shown, each with what is in it
_shown: ContextVar[set[int] | None] = ContextVar("_shown", default=None)

__all__ = ["IncompatibleKeys", "Module"]


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` found to be missing and left over."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A network or a part of one: parameters, and a `forward` that uses them.

    Assign parameters and other modules to attributes, alone or in lists, tuples and dicts; they
    are found there. Calling the module calls its `forward`.

    Attributes
    ----------
    training : bool
        True in training, False in evaluation; see `train` and `eval`.

    Examples
    --------
    >>> import agrad as ag
    >>> class Scale(ag.nn.Module):
    ...     def __init__(self):
    ...         self.factor = ag.Parameter(2.0)
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> scale = Scale()
    >>> scale(ag.Tensor(3.0)).item()
    6.0
    >>> [name for name, _ in scale.named_parameters()]
    ['factor']
    """

    training = True
    _buffers: dict[str, bool] | None = None  # their names, and whether `state_dict` has them
    _hooks: Hooks | None = None  # most modules have none, and pay nothing for them

    def __setattr__(self, name: str, value: Any) -> None:
        fits = value is None or isinstance(value, Parameter)
        if not fits and isinstance(vars(self).get(name), Parameter):
            raise TypeError(  # for it would no longer be trained, without a word
                f"{name!r} of this {type(self).__name__} is a Parameter, and can't become a "
                f"{type(value).__name__}: wrap it in agrad.Parameter, or write the values into "
                f"the one that is there, `with agrad.no_grad(): module.{name}[...] = values`"
            )
        object.__setattr__(self, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's output; to be defined by each kind of module.

        Parameters
        ----------
        *args, **kwargs
            What the module was called with.

        Returns
        -------
        Tensor
            Or whatever the module gives.

        Raises
        ------
        NotImplementedError
            If a kind of module doesn't define it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is not None:
            return self._hooks.call(self, args, kwargs)
        return self.forward(*args, **kwargs)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a function before each `forward`.

        Parameters
        ----------
        hook : callable
            ``hook(module, args)``; what it returns, unless None, takes the arguments' place.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook away.
        """
        return RemovableHandle(self._own_hooks().before, _callable(hook))

    def register_forward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a function after each `forward`.

        Parameters
        ----------
        hook : callable
            ``hook(module, args, output)``; what it returns, unless None, takes the output's place.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook away.

        Examples
        --------
        >>> import agrad as ag
        >>> layer = ag.nn.Linear(3, 2)
        >>> handle = layer.register_forward_hook(lambda module, args, out: print(out.shape))
        >>> _ = layer(ag.ones((5, 3), dtype=ag.float32))
        (5, 2)
        >>> handle.remove()
        """
        return RemovableHandle(self._own_hooks().after, _callable(hook))

    def register_full_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a function when the gradients of a call's inputs have been computed.

        Parameters
        ----------
        hook : callable
            ``hook(module, grad_input, grad_output)`` gets two tuples of Tensors, with None where
            there is no gradient. What it returns, unless None, takes the place of grad_input, if
            that has one gradient.

        Returns
        -------
        RemovableHandle
            Its ``remove()`` takes the hook away.
        """
        return RemovableHandle(self._own_hooks().backward, _callable(hook))

    def _own_hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make a Tensor that isn't trained an attribute, which goes where the parameters go.

        Parameters
        ----------
        name : str
            The attribute's name.
        tensor : Tensor or None
            Its value; None if there is none, for now.
        persistent : bool
            Whether `state_dict` has it.

        Raises
        ------
        TypeError
            If it is no Tensor, or a Parameter.
        ValueError
            If the name has a dot, is no name, or is taken.

        Examples
        --------
        >>> import agrad as ag
        >>> class Centered(ag.nn.Module):
        ...     def __init__(self):
        ...         self.register_buffer("mean", ag.zeros(2))
        >>> list(Centered().state_dict())
        ['mean']
        """
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"register_buffer: a buffer's name must be a name, got {name!r}")
        if name not in (self._buffers or ()) and hasattr(self, name):
            raise ValueError(f"register_buffer: this {type(self).__name__} has {name!r} already")
        if tensor is not None and (not isinstance(tensor, Tensor) or isinstance(tensor, Parameter)):
            raise TypeError(f"register_buffer takes a Tensor or None, got {type(tensor).__name__}")
        if self._buffers is None:
            self._buffers = {}
        self._buffers[name] = persistent
        setattr(self, name, tensor)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make a Parameter an attribute, as assigning it does.

        Parameters
        ----------
        name : str
            The attribute's name.
        param : Parameter or None
            Its value; None if there is none, for now.

        Raises
        ------
        TypeError
            If it is no Parameter.
        ValueError
            If the name is empty, has a dot, or is that of something else.

        Examples
        --------
        >>> import agrad as ag
        >>> module = ag.nn.Module()
        >>> module.register_parameter("scale", ag.Parameter(2.0))
        >>> module.scale.item()
        2.0
        """
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"register_parameter takes a Parameter or None, got {type(param).__name__}; wrap "
                "an array in agrad.Parameter"
            )
        self._check_name("register_parameter", "parameter", name, Parameter)
        setattr(self, name, param)

    def add_module(self, name: str, module: "Module | None") -> None:
        """Make a module an attribute, as assigning it does.

        Parameters
        ----------
        name : str
            The attribute's name.
        module : Module or None
            Its value; None if there is none, for now.

        Raises
        ------
        TypeError
            If it is no Module.
        ValueError
            If the name is empty, has a dot, or is that of something else.

        Examples
        --------
        >>> import agrad as ag
        >>> net = ag.nn.Module()
        >>> for i in range(2):
        ...     net.add_module(f"layer{i}", ag.nn.Linear(3, 3))
        >>> [name for name, _ in net.named_children()]
        ['layer0', 'layer1']
        """
        _check_module("add_module", module)
        self._check_name("add_module", "module", name, Module)
        setattr(self, name, module)

    def register_module(self, name: str, module: "Module | None") -> None:
        """Make a module an attribute: another name of `add_module`.

        Parameters
        ----------
        name, module
            As for `add_module`.
        """
        self.add_module(name, module)

    def _check_name(self, function: str, what: str, name: str, kind: type) -> None:
        """Raise an error if nothing of a kind can be an attribute of this name."""
        if not isinstance(name, str) or not name or "." in name:
            raise ValueError(f"{function}: a {what}'s name must be a text without dots: {name!r}")
        is_taken = hasattr(self, name) or name in (self._buffers or ())
        if is_taken and not isinstance(vars(self).get(name, 0), (kind, type(None))):
            raise ValueError(f"{function}: this {type(self).__name__} has {name!r} already")

    # What is in it -----------------------------------------------------------------------------

    def _items(self) -> Iterable[tuple[str, Any]]:
        """Return what it holds, with the names under which parameters and modules are known."""
        return vars(self).items()

    def _by_every_name(self) -> dict[str, Tensor]:
        """Return the parameters and persistent buffers inside, by every name they have.

        Raises
        ------
        ValueError
            If two of them have the same name.
        """
        found: dict[str, Tensor] = {}
        for name, p in _walk(self, "", set(), every_name=True):
            if isinstance(p, Tensor) and found.setdefault(name, p) is not p:
                raise ValueError(
                    f"two parameters in this {type(self).__name__} are named {name!r}; give their "
                    "attributes or dict keys other names"
                )
        return found

    def named_modules(self) -> "Iterator[tuple[str, Module]]":
        """Yield this module and those inside, each once, with its dotted name.

        Returns
        -------
        iterator of (str, Module)
            The name is that of the attribute, then those inside it: "encoder.0". Its own is "".

        Examples
        --------
        >>> import agrad as ag
        >>> net = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.ReLU())

        >>> [name for name, _ in net.named_modules()]
        ['', '0', '1']
        """
        inside = _walk(self, "", set(), every_name=False)
        return ((name, m) for name, m in inside if isinstance(m, Module))

    def modules(self) -> "Iterator[Module]":
        """Yield this module and those inside, each once.

        Returns
        -------
        iterator of Module
        """
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters inside, each once even when shared, with its dotted name.

        Returns
        -------
        iterator of (str, Parameter)
            The name is the first under which it is found.

        Examples
        --------
        >>> import agrad as ag
        >>> net = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.ReLU())

        >>> [name for name, _ in net.named_parameters()]
        ['0.weight', '0.bias']
        """
        inside = _walk(self, "", set(), every_name=False)
        return ((name, p) for name, p in inside if isinstance(p, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters inside, each once even when shared.

        Returns
        -------
        iterator of Parameter
            In the order in which they were assigned.

        Examples
        --------
        >>> import agrad as ag
        >>> [p.shape for p in ag.nn.Linear(2, 3).parameters()]
        [(3, 2), (3,)]
        """
        return (parameter for _, parameter in self.named_parameters())

    def named_children(self) -> "Iterator[tuple[str, Module]]":
        """Yield the modules that this one holds itself, each once, with its name.

        Returns
        -------
        iterator of (str, Module)
        """
        seen: set[int] = set()
        for key, item in self._items():
            for name, module in _outermost(item, key, set()):
                if id(module) not in seen:
                    seen.add(id(module))
                    yield name, module

    def children(self) -> "Iterator[Module]":
        """Yield the modules that this one holds itself, each once.

        Returns
        -------
        iterator of Module

        Examples
        --------
        >>> import agrad as ag
        >>> net = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.Sequential(ag.nn.ReLU()))

        >>> [type(module).__name__ for module in net.children()]
        ['Linear', 'Sequential']
        """
        return (module for _, module in self.named_children())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the buffers inside, each once even when shared, with its dotted name.

        Returns
        -------
        iterator of (str, Tensor)
        """
        inside = _walk(self, "", set(), every_name=False)
        return (
            (name, b)
            for name, b in inside
            if isinstance(b, Tensor) and not isinstance(b, Parameter)
        )

    def buffers(self) -> Iterator[Tensor]:
        """Yield the buffers inside, each once even when shared.

        Returns
        -------
        iterator of Tensor
        """
        return (buffer for _, buffer in self.named_buffers())

    def get_submodule(self, target: str) -> "Module":
        """Return the module inside that has a dotted name.

        Parameters
        ----------
        target : str
            One of the names that `named_modules` gives, such as "encoder.0"; "" for this one.

        Returns
        -------
        Module

        Raises
        ------
        AttributeError
            If there is none.

        Examples
        --------
        >>> import agrad as ag
        >>> net = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.Sequential(ag.nn.ReLU()))
        >>> net.get_submodule("1.0")
        ReLU()
        """
        found = _at(self, target)
        if not isinstance(found, Module):
            raise AttributeError(_none_named(self, "module", target, found))
        return found

    def get_parameter(self, target: str) -> Parameter:
        """Return the Parameter inside that has a dotted name.

        Parameters
        ----------
        target : str
            One of the names that `named_parameters` gives, such as "encoder.0.weight".

        Returns
        -------
        Parameter

        Raises
        ------
        AttributeError
            If there is none.

        Examples
        --------
        >>> import agrad as ag
        >>> net = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.ReLU())
        >>> net.get_parameter("0.bias").shape
        (3,)
        """
        found = _at(self, target)
        if not isinstance(found, Parameter):
            raise AttributeError(_none_named(self, "parameter", target, found))
        return found

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer inside that has a dotted name.

        Parameters
        ----------
        target : str
            One of the names that `named_buffers` gives, such as "1.running_mean".

        Returns
        -------
        Tensor

        Raises
        ------
        AttributeError
            If there is none.

        Examples
        --------
        >>> import agrad as ag
        >>> net = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.BatchNorm1d(3))
        >>> net.get_buffer("1.running_mean").tolist()
        [0.0, 0.0, 0.0]
        """
        path, _, name = target.rpartition(".")
        owner, found = _at(self, path), _at(self, target)
        buffers = owner._buffers if isinstance(owner, Module) else None
        if not isinstance(found, Tensor) or name not in (buffers or ()):
            raise AttributeError(_none_named(self, "buffer", target, found))
        return found

    def apply(self, function: "Callable[[Module], object]") -> Self:
        """Call a function with each module inside, and with this one at last.

        Parameters
        ----------
        function : callable
            ``function(module)``, to initialize its parameters, say.

        Returns
        -------
        Module
            The module itself.

        Examples
        --------
        >>> import agrad as ag
        >>> net = ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.ReLU())

        >>> net = net.apply(lambda module: print(type(module).__name__))
        Linear
        ReLU
        Sequential
        """
        for module in list(_children_first(self, set())):
            function(module)
        return self

    # Its state ---------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set it and all modules inside to training, or with False to evaluation.

        Parameters
        ----------
        mode : bool
            What their ``training`` becomes.

        Returns
        -------
        Module
            The module itself.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.nn.Linear(2, 3).train(False).training
        False
        """
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set it and all modules inside to evaluation.

        Returns
        -------
        Module
            The module itself.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.nn.Linear(2, 3).eval().training
        False
        """
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, before the next backward pass adds new ones.

        Parameters
        ----------
        set_to_none : bool
            Whether ``grad`` becomes None; with False it becomes zeros where there is one.
        """
        for parameter in self.parameters():
            is_kept = not set_to_none and parameter.grad is not None
            parameter.grad = zeros_like(parameter.detach()) if is_kept else None

    def to(self, device: Any = None, dtype: DTypeLike = None) -> Self:
        """Move all parameters and buffers to a device, or cast them to a data type, in place.

        Their gradients and velocities go with them; optimizers that hold them go on working.
        Buffers of integers and bools are moved, but keep their data type.

        Parameters
        ----------
        device : str or dtype, optional
            A device ("cpu", "cuda:1"); or, alone, a data type (``agrad.float64``).
        dtype : dtype or str, optional
            The data type.

        Returns
        -------
        Module
            The module itself.

        Raises
        ------
        TypeError
            If it is a data type that isn't floating-point. Nothing has been changed.
        ValueError
            If there is no such device.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.nn.Linear(2, 3).to(ag.float64).weight.dtype
        agrad.float64
        >>> ag.nn.Linear(2, 3).to("cpu", ag.float64).weight.dtype
        agrad.float64
        """
        if dtype is None and dtypes.is_dtype(device):
            device, dtype = None, device
        if dtype is not None and not dtypes.dtype(dtype).is_floating:
            raise TypeError(
                f"to(): parameters must stay floating-point, got {dtypes.dtype(dtype)!r}"
            )
        inside = [x for _, x in _walk(self, "", set(), every_name=False) if isinstance(x, Tensor)]
        moved = []  # all of them, before one is changed
        for x in inside:
            new = x.detach() if device is None else x.detach().to(device)
            moved.append(new if dtype is None or not x.dtype.is_floating else new.to(dtype))
        for x, new in zip(inside, moved, strict=True):
            x._replace(new._data, new._backend)
        return self

    def cpu(self) -> Self:
        """Move all parameters and buffers to the CPU, in place; see `to`.

        Returns
        -------
        Module
            The module itself.
        """
        return self.to("cpu")

    def cuda(self, device: int | None = None) -> Self:
        """Move all parameters and buffers to a GPU, in place; see `to`.

        Parameters
        ----------
        device : int, optional
            The GPU's number; that of the current one by default.

        Returns
        -------
        Module
            The module itself.
        """
        return self.to("cuda" if device is None else f"cuda:{device}")

    def half(self) -> Self:
        """Cast all floating-point parameters and buffers to float16, in place; see `to`.

        Returns
        -------
        Module
            The module itself.
        """
        return self.to(dtype=dtypes.float16)

    def float(self) -> Self:
        """Cast all floating-point parameters and buffers to float32, in place; see `to`.

        Returns
        -------
        Module
            The module itself.
        """
        return self.to(dtype=dtypes.float32)

    def double(self) -> Self:
        """Cast all floating-point parameters and buffers to float64, in place; see `to`.

        Returns
        -------
        Module
            The module itself.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.nn.Linear(2, 3).double().weight.dtype
        agrad.float64
        """
        return self.to(dtype=dtypes.float64)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let all parameters inside require gradients or, with False, be frozen.

        Parameters
        ----------
        requires_grad : bool
            What their ``requires_grad`` becomes.

        Returns
        -------
        Module
            The module itself.

        Examples
        --------
        >>> import agrad as ag
        >>> layer = ag.nn.Linear(2, 3).requires_grad_(False)
        >>> layer.weight.requires_grad
        False
        """
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """Return a copy of each parameter's and persistent buffer's values, by its dotted name.

        A shared one stands under each of its names.

        Returns
        -------
        dict of str to Tensor
            Each on the parameter's device, of its data type. They require no gradient.

        Raises
        ------
        ValueError
            If two parameters have the same name, by dict keys such as 1 and "1".

        Examples
        --------
        >>> import agrad as ag
        >>> list(ag.nn.Sequential(ag.nn.Linear(2, 3), ag.nn.ReLU()).state_dict())
        ['0.weight', '0.bias']
        """
        return {
            name: Tensor(p._backend.asarray(p._data, copy=True))
            for name, p in self._by_every_name().items()
        }

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> "IncompatibleKeys":
        """Write values that `state_dict` gave, or arrays of any library, in place.

        Parameters
        ----------
        state_dict : mapping of str to Tensor or array
            A value for each parameter and persistent buffer, of its shape; it is cast to its data
            type and moved to its device. They may be the module's own: all are read first.
        strict : bool
            Whether each must have an entry, and each entry must be for one. Shapes must fit anyway.

        Returns
        -------
        IncompatibleKeys
            The names in ``missing_keys`` and in ``unexpected_keys``.

        Raises
        ------
        TypeError
            If it is no mapping.
        ValueError
            If an entry is missing, unexpected, of the wrong shape or no array of real numbers. The
            message names them all, and no parameter has been changed. Also if two parameters have
            the same name.

        Examples
        --------
        >>> import agrad as ag
        >>> a, b = ag.nn.Linear(2, 3), ag.nn.Linear(2, 3)
        >>> b.load_state_dict(a.state_dict())
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
        >>> bool((a.weight == b.weight).all())
        True
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(
                "load_state_dict takes a mapping of names to arrays, as state_dict gives it; got "
                f"{type(state_dict).__name__}"
            )
        own = self._by_every_name()
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        problems = []
        if strict:
            problems += [f"missing: {name}" for name in missing]
            problems += [f"unexpected: {name}" for name in unexpected]
        values = {}
        for name, parameter in own.items():
            if name not in state_dict:
                continue
            entry = state_dict[name]
            try:
                value = Tensor(entry)
            except (TypeError, ValueError):
                problems.append(f"no array of real numbers: {name} ({type(entry).__name__})")
                continue
            if value.dtype.name.startswith("complex"):
                problems.append(f"no array of real numbers: {name} ({value.dtype})")
            elif value.shape != parameter.shape:
                problems.append(
                    f"wrong shape: {name} is {parameter.shape}, the entry {value.shape}"
                )
            values[name] = value
        if problems:
            raise ValueError(
                f"the entries don't fit this {type(self).__name__}:\n  " + "\n  ".join(problems)
            )
        copies = []  # all are read before one is written, for they may be each other's values
        for name, value in values.items():
            p = own[name]
            moved = value.to(p._backend).to(p.dtype)
            copies.append((p, p._backend.asarray(moved._data, copy=True)))
        for p, array in copies:
            p.data = p._backend.assign(p._data, ..., array)
        return IncompatibleKeys(missing, unexpected)

    def __repr__(self) -> str:
        name = type(self).__name__
        inside = [each for key, item in self._items() for each in _outermost(item, key, set())]
        if not inside:
            return f"{name}({self.extra_repr()}){self._count() if _shown.get() is not None else ''}"
        shown = _shown.get()
        if shown is None:  # the outermost module
            token = _shown.set(set())
            try:
                return repr(self)
            finally:
                _shown.reset(token)
        if id(self) in shown:  # modules may refer to each other
            return f"{name}(...)"
        shown.add(id(self))
        lines = "\n".join(f"({key}): {module!r}" for key, module in inside).replace("\n", "\n  ")
        return f"{name}({self.extra_repr()}\n  {lines}\n){self._count()}"

    def _count(self) -> str:
        """Return what `repr` says of how many parameters there are inside."""
        count = sum(p.size for p in self.parameters())
        return f"  # {count:,} parameters" if count else ""

    def extra_repr(self) -> str:
        """Return what `repr` shows of the module's own settings; kinds of modules define it.

        Returns
        -------
        str
            Such as "2, 3, bias=False"; "" if there is nothing to show.

        Examples
        --------
        >>> import agrad as ag
        >>> class Scale(ag.nn.Module):
        ...     def __init__(self, factor):
        ...         self.factor = factor
        ...
        ...     def extra_repr(self):
        ...         return f"factor={self.factor}"
        >>> Scale(2)
        Scale(factor=2)
        """
        return ""


def _walk(
    item: Any, name: str, seen: set[int], every_name: bool
) -> "Iterator[tuple[str, Module | Tensor]]":
    """Yield the modules, parameters and buffers in an attribute's value, and what they hold.

    What was seen isn't entered again, so that modules may refer to each other. Where every name is
    wanted, as for `state_dict`, only what it is inside of counts as seen, and buffers that aren't
    persistent are left out.
    """
    items: Iterable[tuple[Any, Any]] | None
    if isinstance(item, Module):
        items = item._items()
    elif isinstance(item, Tensor):
        items = ()
    else:
        items = _contents(item)
    if items is None or id(item) in seen:
        return
    if every_name:
        seen = seen | {id(item)}
    else:
        seen.add(id(item))
    if isinstance(item, (Module, Tensor)):
        yield name, item
    buffers = item._buffers or {} if isinstance(item, Module) else {}
    for key, value in items:
        is_plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
        if is_plain and (key not in buffers or (every_name and not buffers[key])):
            continue
        yield from _walk(value, f"{name}.{key}" if name else str(key), seen, every_name)


def _at(item: Any, target: str) -> Any:
    """Return what a dotted name leads to, from an attribute's value on; None if to nothing."""
    if not isinstance(target, str):
        raise TypeError(f"what is in a module has a text as its name, such as '0'; got {target!r}")
    if not target:
        return item
    items = item._items() if isinstance(item, Module) else _contents(item)
    for key, value in items or ():
        if target == str(key):
            return value
        rest = target.removeprefix(f"{key}.")
        if rest and rest != target:
            found = _at(value, rest)
            if found is not None:  # else another key may fit: a dict's may have dots itself
                return found
    return None


def _none_named(module: Module, what: str, target: str, found: Any) -> str:
    """Return the text of an error: a module has no part of a kind that has this name."""
    there = "" if found is None else f"; {target!r} is of type {type(found).__name__}"
    hint = f"named_{what}s() gives the names that there are"
    return f"this {type(module).__name__} has no {what} {target!r}{there}; {hint}"


def _check_module(function: str, module: Any) -> None:
    if module is not None and not isinstance(module, Module):
        raise TypeError(f"{function} takes a Module or None, got {type(module).__name__}")


def _callable(hook: Callable[..., Any]) -> Callable[..., Any]:
    if not callable(hook):
        raise TypeError(f"a hook is a function, got {type(hook).__name__}")
    return hook


def _children_first(item: Any, seen: set[int]) -> Iterator[Module]:
    """Yield the modules in an attribute's value, each after those inside it."""
    items = item._items() if isinstance(item, Module) else _contents(item)
    if items is None or id(item) in seen:
        return
    seen.add(id(item))
    for _, value in items:
        yield from _children_first(value, seen)
    if isinstance(item, Module):
        yield item


def _contents(item: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return what a plain list, tuple or dict holds, by number or key; None for anything else."""
    if isinstance(item, (list, tuple)):
        return enumerate(item)
    return item.items() if isinstance(item, dict) else None


def _outermost(item: Any, name: str, inside: set[int]) -> Iterator[tuple[str, Module]]:
    """Yield the modules in an attribute's value, but not those inside them."""
    if isinstance(item, Module):
        yield name, item
    elif id(item) not in inside:  # a list may hold itself
        for key, value in _contents(item) or ():
            yield from _outermost(value, f"{name}.{key}", inside | {id(item)})
