"""What all optimizers have in common."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any, ClassVar

from agrad.autograd import enable_grad, wrap
from agrad.backends import Array, Backend, is_array
from agrad.ops import zeros_like
from agrad.tensor import Parameter, Tensor
from agrad.writes import Writer

__all__ = ["FormulaOptimizer", "Optimizer", "Params"]

#: What optimizers take: Parameters, pairs of a name and a Parameter, or groups as dicts
Params = Iterable[Parameter] | Iterable[tuple[str, Parameter]] | Iterable[dict[str, Any]]


class Optimizer(Writer):
    """Changes parameters by their gradients.

    Parameters
    ----------
    params : iterable of Parameter, of (str, Parameter), or of dict
        What to change, such as ``module.parameters()`` or ``module.named_parameters()``. Or groups
        with settings of their own: dicts with "params", and what differs from the defaults.
    defaults : dict
        The settings, such as the learning rate "lr", of groups that don't name their own.

    Attributes
    ----------
    param_groups : list of dict
        For each group its Parameters as "params", and its settings: "lr" and others. They may be
        changed between steps.
    state : dict
        For each Parameter that has been changed what the optimizer remembers of it, by name.
    defaults : dict
        The settings that it was made with.

    Raises
    ------
    ValueError
        If there are no parameters, one comes twice, or a setting is out of its range.
    TypeError
        If one is not a Parameter.

    Notes
    -----
    An optimizer of one's own gives ``defaults`` to this constructor, and defines `step`.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.nn.Sequential(ag.nn.Linear(3, 2), ag.nn.Linear(2, 1))
    >>> groups = [{"params": net[0].parameters()}, {"params": net[1].parameters(), "lr": 0.01}]
    >>> optimizer = ag.optim.SGD(groups, lr=0.1)
    >>> [group["lr"] for group in optimizer.param_groups]
    [0.1, 0.01]
    """

    #: Whether complex parameters can be changed
    _takes_complex: ClassVar[bool] = True

    #: Which parts of the state are numbers, where other libraries may have arrays of no dimensions
    _numbers: ClassVar[tuple[str, ...]] = ("step",)

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise TypeError(
                f"{type(self).__name__} changes a list of Parameters, got {type(params).__name__}; "
                "give it module.parameters(), or a list"
            )
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Parameter, dict[str, Any]] = defaultdict(dict)
        given: list[Any] = list(params)
        is_grouped = given and all(isinstance(each, dict) for each in given)
        for group in given if is_grouped else [{"params": given}]:
            self.add_param_group(group)
        if not self.params:
            raise ValueError(f"{type(self).__name__} got no parameters")

    @property
    def params(self) -> list[Parameter]:
        """The Parameters of all groups."""
        return [p for group in self.param_groups for p in group["params"]]

    @property
    def lr(self) -> float:
        """The learning rate ε, if there is one group of parameters."""
        return self._only_group("lr")["lr"]  # type: ignore[no-any-return]

    @lr.setter
    def lr(self, value: float) -> None:
        self._only_group("lr")["lr"] = value

    def _only_group(self, name: str) -> dict[str, Any]:
        if len(self.param_groups) != 1:
            raise ValueError(
                f"{type(self).__name__} has {len(self.param_groups)} groups of parameters, each "
                f"with its own {name}: see optimizer.param_groups[i][{name!r}]"
            )
        return self.param_groups[0]

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add Parameters with settings of their own.

        Parameters
        ----------
        param_group : dict
            The "params", and settings that differ from the defaults.

        Raises
        ------
        ValueError
            If it has no "params", one of them is there already, or a setting is out of range.
        TypeError
            If it is no dict, or one is not a Parameter.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"{name}: a group is a dict, got {type(param_group).__name__}")
        if "params" not in param_group:
            raise ValueError(f'{name}: a group needs "params", got {sorted(param_group)}')
        given = param_group["params"]
        if isinstance(given, (set, frozenset)):
            raise TypeError(f"{name}: a set of parameters has no order; give it a list")
        each = [given] if isinstance(given, Tensor) else list(given)
        are_pairs = bool(each) and all(
            isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], str) for x in each
        )
        params = [x[1] for x in each] if are_pairs else each
        for p in params:
            if not isinstance(p, Parameter):
                raise TypeError(
                    f"{name} changes Parameters, got {type(p).__name__}; "
                    "give it module.parameters(), or a list of Parameters"
                )
            if p.dtype.is_complex and not self._takes_complex:
                raise TypeError(
                    f"{name} changes real parameters, got one of {p.dtype}; split it into two, "
                    "for its real and its imaginary part"
                )
        if len(set(map(id, [*self.params, *params]))) < len(self.params) + len(params):
            raise ValueError(f"{name} got the same Parameter twice")
        group = {**self.defaults, **param_group, "params": params}
        if are_pairs:
            group["param_names"] = [x[0] for x in each]
        self._check_group(group)
        self.param_groups.append(group)

    def _check_group(self, group: dict[str, Any]) -> None:
        """Check the settings of a group, and make them what steps take."""
        if "lr" in group:
            self._check_numbers(group, "lr")

    def _check_numbers(self, group: dict[str, Any], *names: str) -> None:
        for name in names:
            group[name] = self._check(name, group[name])

    def _check(self, name: str, value: float) -> float:
        if not (isinstance(value, Real) and math.isfinite(value) and value >= 0):
            raise ValueError(f"{type(self).__name__}: {name} must be a number >= 0, got {value!r}")
        return float(value)

    def _check_betas(self, group: dict[str, Any]) -> None:
        betas = group["betas"]
        is_pair = isinstance(betas, (tuple, list)) and len(betas) == 2
        if not is_pair or not all(isinstance(b, Real) and 0 <= float(b) < 1 for b in betas):
            raise ValueError(
                f"{type(self).__name__}: betas must be two numbers from 0 to below 1, got {betas!r}"
            )
        group["betas"] = float(betas[0]), float(betas[1])

    def _written_tensors(self) -> Iterable[Tensor]:
        return self.params

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change each parameter that has a gradient, in place where its library allows it.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss anew with its gradients, before the change.

        Returns
        -------
        object
            What the closure gave; None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_device: dict[Backend, tuple[list[Parameter], list[Array]]] = {}
            for p in group["params"]:
                g = p._grad
                if g is not None:
                    here = by_device.get(p._backend)
                    if here is None:
                        here = by_device[p._backend] = [], []
                    here[0].append(p)
                    here[1].append(g._data if isinstance(g, Tensor) else g)
            for backend, (params, gradients) in by_device.items():
                self._update(backend, group, params, gradients)
        self._note_writes()
        return loss

    def _update(
        self,
        backend: Backend,
        group: dict[str, Any],
        params: list[Parameter],
        gradients: list[Array],
    ) -> None:
        """Change those parameters of a group that are on one device, by their raw gradients.

        These are as `run_backward` left them: for `Backend.axpy_all` and its kin, or to be made
        arrays by `Backend.normalize`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, before the next backward pass adds new ones.

        Parameters
        ----------
        set_to_none : bool
            Whether ``grad`` becomes None; with False it becomes zeros where there is one.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p._grad is not None:
                    p._grad = zeros_like(p.detach())

    # What is saved -------------------------------------------------------------------------------

    def _state_of(self, p: Parameter) -> dict[str, Any]:
        return self.state.get(p, {})

    def _set_state(self, p: Parameter, values: dict[str, Any]) -> None:
        self.state[p] = values

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the settings and of what is remembered, for `load_state_dict`.

        Returns
        -------
        dict
            "param_groups" with the groups' settings, where "params" are the numbers of the
            parameters; and "state", by these numbers, with Tensors and numbers by name.

        Examples
        --------
        >>> import agrad as ag
        >>> ag.optim.SGD([ag.Parameter([1.0])], lr=0.1).state_dict()["param_groups"][0]["params"]
        [0]
        """
        numbers = {p: i for i, p in enumerate(self.params)}
        states = ((i, self._state_of(p)) for p, i in numbers.items())
        return {
            "state": {
                i: {name: _copied(value) for name, value in state.items()}
                for i, state in states
                if state
            },
            "param_groups": [
                {**group, "params": [numbers[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and what is remembered from what `state_dict` gave.

        Parameters
        ----------
        state_dict : mapping
            Of an optimizer of the same kind, with groups of as many parameters. Its arrays may be
            of any library; they are moved to the parameters' devices, and cast to their types.

        Raises
        ------
        TypeError
            If it is no such mapping.
        ValueError
            If its groups are others, or of another kind of optimizer. Nothing has been changed.
        """
        name = type(self).__name__
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise TypeError(
                f'{name}.load_state_dict takes a mapping with "state" and "param_groups", as '
                f"state_dict gives it; got {type(state_dict).__name__}"
            )
        saved = state_dict["param_groups"]
        sizes, own = ([len(each["params"]) for each in x] for x in (saved, self.param_groups))
        if sizes != own:
            raise ValueError(
                f"{name}.load_state_dict: the entry has groups of {sizes} parameters, the "
                f"optimizer of {own}"
            )
        # Switches that are off by default may be younger than what was saved
        needed = [key for key, value in self.defaults.items() if value is not False]
        missing = sorted({key for each in saved for key in needed if key not in each})
        if missing:
            raise ValueError(
                f"{name}.load_state_dict: the entry is of another kind of optimizer, it has no "
                f"{', '.join(missing)}"
            )
        numbers = [number for each in saved for number in each["params"]]
        by_number = dict(zip(numbers, self.params, strict=True))
        states = {
            by_number[number]: {
                key: self._restored(key, value, by_number[number]) for key, value in state.items()
            }
            for number, state in state_dict["state"].items()
            if number in by_number
        }
        for group, new in zip(self.param_groups, saved, strict=True):
            group.update({key: value for key, value in new.items() if key != "params"})
        for p in self.params:
            self._set_state(p, states.get(p, {}))

    def _restored(self, name: str, value: Any, p: Parameter) -> Any:
        """Return a part of a saved state as one of this optimizer's, for a parameter."""
        if isinstance(value, (list, tuple)):
            return [self._restored(name, each, p) for each in value]
        if not (isinstance(value, Tensor) or is_array(value)):
            return value
        tensor = Tensor(value)
        if name in self._numbers:
            return tensor.item()
        tensor = tensor.detach().to(p._backend)
        tensor = tensor.to(p.dtype) if tensor.dtype.is_floating else tensor
        return Tensor(p._backend.asarray(tensor._data, copy=True))


def _copied(value: Any) -> Any:
    """Return a part of the state that later steps don't change."""
    if isinstance(value, Tensor):
        return Tensor(value._backend.asarray(value._data, copy=True))
    return [_copied(each) for each in value] if isinstance(value, list) else value


# From how many elements on a parameter is changed part by part, and how many these have
_LARGE = 1 << 17
_BLOCK = 1 << 13


class FormulaOptimizer(Optimizer):
    """An optimizer that is a formula over raw arrays: θ ← θ - ε d, with a direction d for each θ.

    A kind of it defines `_initial` and `_direction`. The settings "weight_decay" (λ) and "maximize"
    are seen to here: ∇L becomes ∇L + λθ; or, where ``decoupled``, d becomes d + λθ.
    """

    _takes_complex = False

    #: Whether each element goes its own way
    _is_elementwise: ClassVar[bool] = True

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        self._check_numbers(group, *({"eps", "weight_decay"} & set(group)))
        if "betas" in group:
            self._check_betas(group)

    def _initial(self, xp: Any, p: Array, group: dict[str, Any]) -> dict[str, Any]:
        """Return what is remembered of a parameter before its first step: arrays and numbers."""
        raise NotImplementedError

    def _direction(
        self, xp: Any, g: Array, p: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        """Return d for a parameter and its gradient, and put what is to remember into `state`."""
        raise NotImplementedError

    def _rate(self, group: dict[str, Any]) -> float:
        return group["lr"]  # type: ignore[no-any-return]

    def _is_decoupled(self, group: dict[str, Any]) -> bool:
        return bool(group.get("decoupled_weight_decay", False))

    def _update(
        self,
        backend: Backend,
        group: dict[str, Any],
        params: list[Parameter],
        gradients: list[Array],
    ) -> None:
        left, directions = [], []
        for p, g in zip(params, gradients, strict=True):
            values = backend.call(self._remembered, p, group)
            if not backend.call(self._go_in_blocks, p, g, values, group):
                left.append(p)
                directions.append(backend.call(self._go, p, g, values, group))
        new = backend.axpy_all(-self._rate(group), directions, [p._data for p in left])
        for p, array in zip(left, new, strict=True):
            p._data = array

    def _remembered(self, xp: Backend, p: Parameter, group: dict[str, Any]) -> dict[str, Any]:
        """Return what is remembered of a parameter as raw arrays and numbers."""
        data, state = p._data, self.state[p]
        if not state:
            for name, value in self._initial(xp, data, group).items():
                is_number = isinstance(value, Real) and not is_array(value)
                state[name] = value if is_number else wrap(value, xp)
        values = {}
        for name, value in state.items():
            if isinstance(value, Tensor):
                if value._backend is not xp or value._data.dtype != data.dtype:  # p was moved
                    value = state[name] = value.to(xp).to(data.dtype)
                values[name] = value._data
            else:
                values[name] = value
        return values

    def _go(
        self, xp: Backend, p: Parameter, g: Any, values: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        """Return the direction in which a parameter goes, and remember what is to be remembered."""
        d = self._formula(xp, xp.normalize(g), p._data, values, group)
        state = self.state[p]
        for name, value in values.items():
            tensor = state[name]
            if isinstance(tensor, Tensor):
                tensor._data = xp.normalize(value)
            else:
                state[name] = value
        return d

    def _go_in_blocks(
        self, xp: Backend, p: Parameter, g: Any, values: dict[str, Any], group: dict[str, Any]
    ) -> bool:
        """Change a large parameter part by part, so that what is on the way stays in the cache.

        Where it can't be, or needn't, return False.
        """
        size, data = math.prod(p._data.shape), p._data
        writes = xp.reads_values and self._is_elementwise and xp.memory(data) is not None
        if size < _LARGE or not writes:
            return False
        state = self.state[p]
        arrays = {name: x for name, x in values.items() if isinstance(state[name], Tensor)}
        try:  # views, for they are written to
            parts = {name: xp.reshape(x, (size,), copy=False) for name, x in arrays.items()}
            theta = xp.reshape(data, (size,), copy=False)
        except ValueError:
            return False
        gradient = xp.reshape(xp.normalize(g), (size,))
        for start in range(0, size, _BLOCK):
            part = slice(start, start + _BLOCK)
            block, new = theta[part], {**values, **{name: x[part] for name, x in parts.items()}}
            d = self._formula(xp, gradient[part], block, new, group)
            for name, x in parts.items():
                xp.assign(x, part, new[name])
            xp.axpy(-self._rate(group), d, block)
        state.update({name: x for name, x in new.items() if name not in arrays})
        return True

    def _formula(
        self, xp: Backend, g: Array, p: Array, values: dict[str, Any], group: dict[str, Any]
    ) -> Array:
        """Return the direction, with what all kinds of optimizers have in common."""
        if group.get("maximize"):
            g = -g
        decay, is_decoupled = group.get("weight_decay", 0), self._is_decoupled(group)
        if decay and not is_decoupled:
            g = g + decay * p
        d = self._direction(xp, g, p, values, group)
        return d + decay * p if decay and is_decoupled else d
