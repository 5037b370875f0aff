"""Clipping of gradients, and parameters as a vector: PyTorch's values, on every library."""

import math

import numpy as np
import pytest

import agrad as ag
from agrad.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

SHAPES = [(3, 2), (4,), ()]
RNG = np.random.default_rng(0)
GRADIENTS = [RNG.normal(size=shape) for shape in SHAPES]


def parameters(put=ag.Tensor, dtype="float64"):
    params = [ag.Parameter(put(np.ones(shape, dtype=dtype))) for shape in SHAPES]
    for p, g in zip(params, GRADIENTS, strict=True):
        p.grad = put(np.asarray(g.astype(dtype)))
    return params


@needs_torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm_type", [2.0, 1, 3.5, float("inf")])
@pytest.mark.parametrize("max_norm", [0.1, 2, 100.0])
def test_clipping_the_norm_gives_pytorchs_gradients_and_norm(max_norm, norm_type, dtype):
    params = parameters(dtype=dtype)
    twins = [torch.ones(shape, requires_grad=True) for shape in SHAPES]
    twins = [t.detach().to(getattr(torch, dtype)).requires_grad_() for t in twins]
    for t, g in zip(twins, GRADIENTS, strict=True):
        t.grad = torch.tensor(g.astype(dtype))
    norm = clip_grad_norm_(params, max_norm, norm_type)
    theirs = torch.nn.utils.clip_grad_norm_(twins, max_norm, norm_type)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(norm.item(), theirs.item(), rtol=tolerance)
    assert norm.dtype == getattr(ag, dtype)
    for p, t in zip(params, twins, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), t.grad.numpy(), rtol=tolerance)


@needs_torch
@pytest.mark.parametrize("value", [0.1, 0.7, 10])
def test_clipping_values_gives_pytorchs_gradients(value):
    params = parameters()
    twins = [torch.ones(shape, dtype=torch.float64, requires_grad=True) for shape in SHAPES]
    for t, g in zip(twins, GRADIENTS, strict=True):
        t.grad = torch.tensor(g)
    assert clip_grad_value_(params, value) is None
    torch.nn.utils.clip_grad_value_(twins, value)
    for p, t in zip(params, twins, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), t.grad.numpy())


def test_each_library_clips_alike(backend):
    params, own = parameters(backend.tensor), parameters()
    norm, expected = (clip_grad_norm_(each, 0.5) for each in (params, own))
    np.testing.assert_allclose(backend.numpy(norm), expected.numpy(), rtol=1e-12)
    for each in (params, own):
        clip_grad_value_(each, 0.1)
    for p, q in zip(params, own, strict=True):
        np.testing.assert_allclose(backend.numpy(p.grad), q.grad.numpy(), rtol=1e-12)
        assert p.grad.device == backend.device


def test_gradients_on_several_devices_have_one_norm():
    device = "array_api_strict:CPU_DEVICE"
    here, there = ag.Parameter([1.0]), ag.Parameter(ag.Tensor([1.0]).to(device))
    here.grad = ag.Tensor([3.0], dtype="float32")
    there.grad = ag.Tensor([4.0]).to(device)
    assert clip_grad_norm_([here, there], 1.0).item() == 5
    np.testing.assert_allclose([here.grad.item(), there.grad.item()], [0.6, 0.8], rtol=1e-6)


def test_gradients_are_clipped_in_place_and_one_parameter_will_do():
    w = ag.Parameter([1.0, 1.0])
    w.grad = held = ag.Tensor([3.0, 4.0], dtype="float32")
    clip_grad_norm_(w, 1.0)
    assert held is w.grad
    np.testing.assert_allclose(held.tolist(), [0.6, 0.8], rtol=1e-6)
    clip_grad_value_(w, 0.7)
    np.testing.assert_allclose(held.tolist(), [0.6, 0.7], rtol=1e-6)


@needs_torch
@pytest.mark.parametrize("norm_type", [2.0, 1, float("inf")])
@pytest.mark.parametrize("max_norm", [0.1, 100.0])
def test_a_norm_that_is_known_clips_as_pytorchs(max_norm, norm_type):
    params = parameters()
    twins = [torch.ones(shape, dtype=torch.float64, requires_grad=True) for shape in SHAPES]
    for t, g in zip(twins, GRADIENTS, strict=True):
        t.grad = torch.tensor(g)
    norm = get_total_norm([p.grad for p in params], norm_type)
    theirs = torch.nn.utils.get_total_norm([t.grad for t in twins], norm_type)
    np.testing.assert_allclose(norm.item(), theirs.item(), rtol=1e-12)
    clip_grads_with_norm_(params, max_norm, norm)
    torch.nn.utils.clip_grads_with_norm_(twins, max_norm, theirs)
    for p, t in zip(params, twins, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), t.grad.numpy(), rtol=1e-12)
    assert get_total_norm([]).item() == 0
    with pytest.raises(RuntimeError, match="get_total_norm: the norm of the gradients is nan"):
        get_total_norm([ag.Tensor([math.nan])], error_if_nonfinite=True)
    with pytest.raises(ValueError, match="clip_grads_with_norm_: max_norm must be at least 0"):
        clip_grads_with_norm_(params, -1, norm)


def test_complex_gradients_are_clipped_too():
    w = ag.Parameter(np.array([1 + 1j], dtype="complex64"))
    w.grad = ag.Tensor(np.array([3 + 4j], dtype="complex64"))
    assert clip_grad_norm_([w], 1.0).item() == 5
    np.testing.assert_allclose(w.grad.numpy(), [0.6 + 0.8j], rtol=1e-5)


def test_without_gradients_the_norm_is_0():
    w = ag.Parameter([1.0])
    assert clip_grad_norm_([w], 1.0).item() == 0
    clip_grad_value_([w], 1.0)
    assert w.grad is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_norm_that_is_not_finite_is_an_error_if_asked_for(value):
    w = ag.Parameter([1.0, 2.0])
    w.grad = ag.Tensor([value, 1.0], dtype="float32")
    with pytest.raises(RuntimeError, match=f"the norm of the gradients is {value}"):
        clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
    assert w.grad[1].item() == 1
    with np.errstate(invalid="ignore"):
        clip_grad_norm_([w], 1.0)


def test_gradients_are_clipped_in_recorded_steps_too():
    results = []
    for make in (lambda step: step, ag.compile):
        w = ag.Parameter([1.0, -2.0], dtype="float64")
        optimizer = ag.optim.SGD([w], 0.1, momentum=0.9)

        def step(x, most, w=w, optimizer=optimizer):
            optimizer.zero_grad()
            ((w * x) ** 2).sum().backward()
            norm = clip_grad_norm_([w], most)
            clip_grad_value_([w], 0.3)
            optimizer.step()
            return norm

        step = make(step)
        norms = [step(ag.Tensor([i, 1.0]), 0.2 + i / 10).item() for i in range(6)]
        results.append((norms, w.tolist()))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-13)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-13)
    assert step.program().count("def step") == 1


def test_parameters_become_a_vector_and_come_back(backend):
    params = parameters(backend.tensor)
    vector = parameters_to_vector(params)
    assert vector.shape == (11,)
    (vector * vector).sum().backward()  # gradients go through
    for p, g in zip(params, GRADIENTS, strict=True):
        np.testing.assert_allclose(backend.numpy(p.grad), g + 2)
    values = np.arange(11.0)
    vector_to_parameters(backend.tensor(values), params)
    assert [p.size for p in params] == [6, 4, 1]
    again = parameters_to_vector(params)
    np.testing.assert_array_equal(backend.numpy(again.detach()), values)
    assert all(p.is_leaf and p.requires_grad for p in params)


@pytest.mark.parametrize("bad", ["a", None, math.nan, -1])
def test_bounds_that_are_none_are_refused(bad):
    w = ag.Parameter([1.0])
    (w * w).sum().backward()
    errors = TypeError, ValueError
    wanted = "must be at least 0" if isinstance(bad, (int, float)) else "must be a number"
    with pytest.raises(errors, match=f"clip_grad_norm_: max_norm {wanted}, got {bad!r}"):
        clip_grad_norm_([w], bad)
    with pytest.raises(errors, match=f"clip_grad_value_: clip_value {wanted}, got {bad!r}"):
        clip_grad_value_([w], bad)
    if bad != -1:  # there are norms of negative order
        with pytest.raises(errors, match="clip_grad_norm_: norm_type must be a n"):
            clip_grad_norm_([w], 1.0, bad)
    assert w.grad.tolist() == [2]


def test_an_infinite_bound_leaves_the_gradients_as_they_are():
    w = ag.Parameter([1.0, 1.0])
    (w * ag.Tensor([3.0, 4.0], dtype=ag.float32)).sum().backward()
    assert clip_grad_norm_([w], math.inf).item() == 5
    assert clip_grad_norm_([w], math.inf, "inf").item() == 4
    clip_grad_value_([w], math.inf)
    assert w.grad.tolist() == [3, 4]


def test_what_does_not_fit_is_refused():
    layer = ag.nn.Linear(2, 1)
    with pytest.raises(ValueError, match=r"have 3 elements, the vector is of shape \(4,\)"):
        vector_to_parameters(ag.zeros(4), layer.parameters())
    with pytest.raises(TypeError, match="takes a Tensor, got ndarray"):
        vector_to_parameters(np.zeros(3), layer.parameters())
    with pytest.raises(ValueError, match="got no parameters"):
        parameters_to_vector([])
    with pytest.raises(TypeError, match="takes Parameters, got str"):
        clip_grad_norm_(layer.state_dict(), 1.0)


def test_a_network_in_place_of_its_parameters_is_named():
    with pytest.raises(TypeError, match=r"clip_grad_norm_ takes Parameters, got Linear; give it"):
        ag.nn.utils.clip_grad_norm_(ag.nn.Linear(2, 3), 1)
