"""What is done to the gradients and the values of many parameters at once."""

import math
from collections.abc import Iterable
from typing import Any

from agrad.autograd import no_grad
from agrad.linalg import vector_norm
from agrad.nn.functional.settings import check_number
from agrad.ops import clip, concat, minimum, reshape, result_type, stack, zeros
from agrad.tensor import Tensor

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
    "parameters_to_vector",
    "vector_to_parameters",
]


def _list(parameters: Iterable[Tensor] | Tensor, function: str) -> list[Tensor]:
    is_one = isinstance(parameters, Tensor) or not isinstance(parameters, Iterable)
    each: list[Any] = [parameters] if is_one else list(parameters)
    for p in each:
        if not isinstance(p, Tensor):
            raise TypeError(
                f"{function} takes Parameters, got {type(p).__name__}; give it module.parameters()"
            )
    return each


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Multiply all gradients by one number, so that their norm is at most a given one.

    Call it after ``backward()`` and before ``optimizer.step()``. The norm is that of all
    gradients together, as if they were one vector.

    Parameters
    ----------
    parameters : iterable of Parameter, or one
        Whose gradients to change, in place; those without one are left out.
    max_norm : float
        The greatest norm, at least 0; infinity only to measure it.
    norm_type : float
        Which norm: 2 for the root of the sum of squares, ``float("inf")`` for the greatest, ...
    error_if_nonfinite : bool
        Whether to look if the norm is infinite or NaN, and raise an error then.

    Returns
    -------
    Tensor
        The norm that they had, of no dimensions.

    Raises
    ------
    TypeError, ValueError
        If a setting is no such number.
    RuntimeError
        If the norm is infinite or NaN, and `error_if_nonfinite` is given.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0, 1.0])
    >>> (w * ag.Tensor([3.0, 4.0], dtype=ag.float32)).sum().backward()
    >>> ag.nn.utils.clip_grad_norm_([w], max_norm=1.0).item()
    5.0
    >>> [round(x, 4) for x in w.grad.tolist()]
    [0.6, 0.8]
    """
    check_number("clip_grad_norm_", "max_norm", max_norm, least=0)
    present = _gradients(parameters, "clip_grad_norm_")
    total = _total_norm("clip_grad_norm_", present, norm_type, error_if_nonfinite)
    _clip(present, max_norm, total)
    return total


def get_total_norm(
    tensors: Iterable[Tensor] | Tensor, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Return the norm of several Tensors together, as if they were one vector.

    Parameters
    ----------
    tensors : iterable of Tensor, or one
        Such as the gradients of all parameters.
    norm_type, error_if_nonfinite
        As for `clip_grad_norm_`.

    Returns
    -------
    Tensor
        Of no dimensions.

    Raises
    ------
    TypeError, ValueError
        If a setting is no such number.
    RuntimeError
        If the norm is infinite or NaN, and `error_if_nonfinite` is given.

    Examples
    --------
    >>> import agrad as ag
    >>> ag.nn.utils.get_total_norm([ag.Tensor([3.0]), ag.Tensor([[4.0]])]).item()
    5.0
    """
    each = _list(tensors, "get_total_norm")
    return _total_norm("get_total_norm", each, norm_type, error_if_nonfinite)


def clip_grads_with_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, total_norm: Tensor
) -> None:
    """Multiply all gradients as `clip_grad_norm_` does, by a norm that is known already.

    Parameters
    ----------
    parameters : iterable of Parameter, or one
        Whose gradients to change, in place; those without one are left out.
    max_norm : float
        The greatest norm, at least 0.
    total_norm : Tensor
        Their norm, as from `get_total_norm`.

    Raises
    ------
    TypeError, ValueError
        If `max_norm` is no such number.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0])
    >>> (w * 8).sum().backward()
    >>> ag.nn.utils.clip_grads_with_norm_([w], max_norm=1.0, total_norm=ag.Tensor(4.0))
    >>> round(w.grad.item(), 4)
    2.0
    """
    check_number("clip_grads_with_norm_", "max_norm", max_norm, least=0)
    _clip(_gradients(parameters, "clip_grads_with_norm_"), max_norm, total_norm)


def _gradients(parameters: Iterable[Tensor] | Tensor, function: str) -> list[Tensor]:
    gradients = [p.grad for p in _list(parameters, function)]
    return [g for g in gradients if g is not None]


def _total_norm(
    function: str, tensors: list[Tensor], norm_type: float, error_if_nonfinite: bool
) -> Tensor:
    order: Any = norm_type
    order = math.inf if order == "inf" else order
    check_number(function, "norm_type", order)
    if not tensors:
        return zeros(())
    with no_grad():
        norms = [vector_norm(x, ord=order) for x in tensors]
        together = [n.to(norms[0].device) for n in norms]
        dtype = result_type(*together)
        total = vector_norm(stack([n.to(dtype) for n in together]), ord=order)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(
            f"{function}: the norm of the gradients is {total.item()}; without "
            "error_if_nonfinite=True they would have been multiplied by NaN or 0"
        )
    return total


def _clip(gradients: list[Tensor], max_norm: float, total: Tensor) -> None:
    with no_grad():
        factor = minimum(max_norm / (total + 1e-6), 1.0)
        for g in gradients:
            dtype = g.real.dtype if g.dtype.is_complex else g.dtype
            g *= factor.to(g.device).to(dtype)


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Bring each element of all gradients between ``-clip_value`` and ``clip_value``.

    Call it after ``backward()`` and before ``optimizer.step()``.

    Parameters
    ----------
    parameters : iterable of Parameter, or one
        Whose gradients to change, in place; those without one are left out.
    clip_value : float
        The greatest absolute value, at least 0.

    Raises
    ------
    TypeError, ValueError
        If it is no such number.

    Examples
    --------
    >>> import agrad as ag
    >>> w = ag.Parameter([1.0, 1.0])
    >>> (w * ag.Tensor([-3.0, 0.5], dtype=ag.float32)).sum().backward()
    >>> ag.nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad.tolist()
    [-1.0, 0.5]
    """
    check_number("clip_grad_value_", "clip_value", clip_value, least=0)
    with no_grad():
        for g in _gradients(parameters, "clip_grad_value_"):
            g[...] = clip(g, -clip_value, clip_value)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all parameters as one vector, one after the other; gradients go through it.

    Parameters
    ----------
    parameters : iterable of Parameter
        Of any shapes, all on one device.

    Returns
    -------
    Tensor
        Of as many elements as all of them have.

    Raises
    ------
    ValueError
        If there are none.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.nn.Linear(3, 2)
    >>> ag.nn.utils.parameters_to_vector(net.parameters()).shape
    (8,)
    """
    each = _list(parameters, "parameters_to_vector")
    if not each:
        raise ValueError("parameters_to_vector got no parameters")
    return concat([reshape(p, (-1,)) for p in each])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the elements of a vector into parameters, as `parameters_to_vector` gave them.

    Parameters
    ----------
    vec : Tensor
        Of as many elements as all parameters have, on their device.
    parameters : iterable of Parameter
        What to write into.

    Raises
    ------
    TypeError
        If the vector is no Tensor.
    ValueError
        If it has another number of elements. Nothing has been changed.

    Examples
    --------
    >>> import agrad as ag
    >>> net = ag.nn.Linear(2, 1)
    >>> ag.nn.utils.vector_to_parameters(ag.Tensor([1.0, 2.0, 3.0]), net.parameters())
    >>> net.weight.tolist(), net.bias.tolist()
    ([[1.0, 2.0]], [3.0])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters takes a Tensor, got {type(vec).__name__}")
    each = _list(parameters, "vector_to_parameters")
    size = sum(p.size for p in each)
    if vec.shape != (size,):
        raise ValueError(
            f"vector_to_parameters: the parameters have {size} elements, the vector is of shape "
            f"{vec.shape}"
        )
    start = 0
    with no_grad():
        for p in each:
            p[...] = reshape(vec[start : start + p.size], p.shape)
            start += p.size
