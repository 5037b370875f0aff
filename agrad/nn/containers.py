"""Modules that hold others: lists, dicts, and one after the other."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, Self, TypeVar, overload

from agrad.nn.module import Module
from agrad.tensor import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]

T = TypeVar("T")


class _List(Module, Generic[T]):
    """A list whose items are found under their numbers."""

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._list: list[T] = []
        self.extend(items)

    def _items(self) -> Iterable[tuple[str, Any]]:
        for name, value in vars(self).items():  # a subclass may have attributes of its own
            if name == "_list":
                yield from ((str(i), item) for i, item in enumerate(self._list))
            else:
                yield name, value

    def _check(self, item: T) -> T:
        raise NotImplementedError

    def append(self, item: T) -> Self:
        """Add an item at the end, and return the list.

        Parameters
        ----------
        item : Module or Parameter
            As the list's kind asks for.

        Raises
        ------
        TypeError
            If it is of another kind.
        """
        self._list.append(self._check(item))
        return self

    def extend(self, items: Iterable[T]) -> Self:
        """Add several items at the end, and return the list.

        Parameters
        ----------
        items : iterable of Module or of Parameter
            As the list's kind asks for.

        Raises
        ------
        TypeError
            If one is of another kind.
        """
        if not isinstance(items, Iterable):
            raise TypeError(f"{type(self).__name__} takes a list, got {type(items).__name__}")
        self._list += [self._check(item) for item in items]
        return self

    def __len__(self) -> int:
        return len(self._list)

    def __iter__(self) -> Iterator[T]:
        return iter(self._list)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> T | Self:
        if not isinstance(index, slice):
            return self._list[index]
        part = type(self)()
        part._list = self._list[index]
        return part

    def __setitem__(self, index: int, item: T) -> None:
        self._list[index] = self._check(item)


class ModuleList(_List[Module]):
    """A list of modules, found under their numbers.

    Parameters
    ----------
    items : iterable of Module, optional
        What is in it at first.

    Raises
    ------
    TypeError
        If an item is not a Module.

    Examples
    --------
    >>> import agrad as ag
    >>> layers = ag.nn.ModuleList([ag.nn.Linear(2, 3), ag.nn.Linear(3, 1)])
    >>> [name for name, _ in layers.named_parameters()]
    ['0.weight', '0.bias', '1.weight', '1.bias']
    """

    def _check(self, item: Module) -> Module:
        return _of_kind(self, item, Module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Put a module at a place of the list, or at its end.

        Parameters
        ----------
        name : str
            The number of the place, as text.
        module : Module
            What is put there.

        Raises
        ------
        TypeError
            If it is no Module.
        ValueError
            If the name is no such number.
        """
        numbers = [str(i) for i in range(len(self) + 1)]
        if name not in numbers:
            raise ValueError(
                f"add_module: the modules of a {type(self).__name__} are named by their numbers; "
                f"the next one is {numbers[-1]!r}, got {name!r}"
            )
        item = _of_kind(self, module, Module)
        self._list[int(name) : int(name) + 1] = [item]


class ParameterList(_List[Parameter]):
    """A list of parameters, found under their numbers.

    Parameters
    ----------
    items : iterable of Parameter, optional
        What is in it at first.

    Raises
    ------
    TypeError
        If an item is not a Parameter.

    Examples
    --------
    >>> import agrad as ag
    >>> weights = ag.nn.ParameterList([ag.Parameter(1.0), ag.Parameter(2.0)])
    >>> len(weights), [name for name, _ in weights.named_parameters()]
    (2, ['0', '1'])
    """

    def _check(self, item: Parameter) -> Parameter:
        return _of_kind(self, item, Parameter)


class _Dict(Module, Generic[T]):
    """A dict whose items are found under their keys."""

    def __init__(self, items: Mapping[str, T] | Iterable[tuple[str, T]] = ()) -> None:
        self._dict: dict[str, T] = {}
        self.update(items)

    def _items(self) -> Iterable[tuple[str, Any]]:
        for name, value in vars(self).items():  # a subclass may have attributes of its own
            if name == "_dict":
                yield from self._dict.items()
            else:
                yield name, value

    def _check(self, item: T) -> T:
        raise NotImplementedError

    def update(self, items: Mapping[str, T] | Iterable[tuple[str, T]]) -> None:
        """Set several items.

        Parameters
        ----------
        items : mapping, or iterable of pairs
            Keys, and Modules or Parameters, as the dict's kind asks for.

        Raises
        ------
        TypeError
            If these are no pairs, a key is no text, or an item is of another kind. Nothing has been
            changed.
        """
        name = type(self).__name__
        try:
            given = dict(items)
        except (TypeError, ValueError):
            raise TypeError(
                f"{name} takes a dict, or pairs of a key and an item; got {items!r}"
            ) from None
        pairs = [(key, self._check(item)) for key, item in given.items()]
        for key, _ in pairs:
            if not isinstance(key, str):
                raise TypeError(f"{name}: a key must be a str, got {key!r}")
        self._dict.update(pairs)

    def __len__(self) -> int:
        return len(self._dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._dict)

    def __contains__(self, key: object) -> bool:
        return key in self._dict

    def __getitem__(self, key: str) -> T:
        return self._dict[key]

    def __setitem__(self, key: str, item: T) -> None:
        self.update({key: item})

    def __delitem__(self, key: str) -> None:
        del self._dict[key]

    def keys(self) -> Iterable[str]:
        """Return the keys."""
        return self._dict.keys()

    def values(self) -> Iterable[T]:
        """Return the items."""
        return self._dict.values()

    def items(self) -> Iterable[tuple[str, T]]:
        """Return the keys, each with its item."""
        return self._dict.items()


class ModuleDict(_Dict[Module]):
    """A dict of modules, found under their keys.

    Parameters
    ----------
    items : mapping of str to Module, or iterable of pairs, optional
        What is in it at first.

    Raises
    ------
    TypeError
        If an item is not a Module, or a key no text.

    Examples
    --------
    >>> import agrad as ag
    >>> heads = ag.nn.ModuleDict({"digit": ag.nn.Linear(3, 10), "sign": ag.nn.Linear(3, 1)})
    >>> [name for name, _ in heads.named_parameters()]
    ['digit.weight', 'digit.bias', 'sign.weight', 'sign.bias']
    """

    def _check(self, item: Module) -> Module:
        return _of_kind(self, item, Module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Set an item.

        Parameters
        ----------
        name : str
            Its key.
        module : Module
            What is put there.

        Raises
        ------
        TypeError
            If the key is no text, or it is no Module.
        """
        self.update({name: _of_kind(self, module, Module)})


class ParameterDict(_Dict[Parameter]):
    """A dict of parameters, found under their keys.

    Parameters
    ----------
    items : mapping of str to Parameter, or iterable of pairs, optional
        What is in it at first.

    Raises
    ------
    TypeError
        If an item is not a Parameter, or a key no text.

    Examples
    --------
    >>> import agrad as ag
    >>> scales = ag.nn.ParameterDict({"x": ag.Parameter(1.0), "y": ag.Parameter(2.0)})
    >>> list(scales.state_dict())
    ['x', 'y']
    """

    def _check(self, item: Parameter) -> Parameter:
        return _of_kind(self, item, Parameter)


def _of_kind(container: Module, item: Any, kind: type[T]) -> T:
    if not isinstance(item, kind):
        raise TypeError(
            f"{type(container).__name__} holds {kind.__name__}s, got {type(item).__name__}"
        )
    return item


class Sequential(ModuleList):
    """Modules that are called one after the other, each on what the one before gave.

    Parameters
    ----------
    *modules : Module
        In the order in which they are called.

    Raises
    ------
    TypeError
        If one is not a Module.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.nn.Sequential(ag.nn.Linear(4, 3), ag.nn.ReLU(), ag.nn.Linear(3, 2))
    >>> net(ag.ones((5, 4), dtype=ag.float32)).shape
    (5, 2)
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """Return what the last module gives.

        Parameters
        ----------
        x : Tensor
            What the first module is called on.

        Returns
        -------
        Tensor
            Of the shape that the last module gives.
        """
        for module in self._list:
            x = module(x)
        return x
