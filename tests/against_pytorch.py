"""Modules of agrad held to those of PyTorch: values, gradients, gradients of gradients, state."""

import numpy as np

import agrad as ag

try:
    import torch
except ImportError:
    torch = None


def fill(module, seed=0):
    """Give all parameters and buffers of numbers other values than those they begin with."""
    rng = np.random.default_rng(seed)
    with ag.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.dtype.is_floating:
                values = rng.uniform(0.2, 0.9, tensor.shape) * rng.choice([-1, 1], tensor.shape)
                values = values if tensor.requires_grad else abs(values)  # a variance, perhaps
                tensor[...] = ag.asarray(values, dtype=tensor.dtype).to(tensor.device)
    return module


def twin(module, other):
    """Load the state of agrad's module into PyTorch's, and back: the names are the same."""
    other = other.double()
    other.load_state_dict(
        {k: torch.tensor(v.cpu().numpy()) for k, v in module.state_dict().items()}
    )
    module.load_state_dict(other.state_dict())
    return other.train(module.training)


def outputs(result):
    """Return what a module gave, which may be nested tuples with None in them, as a list."""
    if isinstance(result, tuple):
        return [each for part in result for each in outputs(part)]
    return [] if result is None else [result]


def derivatives(function, inputs, parameters, make, second):
    """Return the outputs of a function, first gradients and gradients of gradients."""
    rng = np.random.default_rng(7)
    outs = outputs(function(*inputs))
    loss = sum((out * make(rng.normal(size=tuple(out.shape)))).sum() for out in outs)
    wanted = [x for x in (*inputs, *parameters) if x.requires_grad]
    loss.backward(create_graph=second)
    results = {f"output {i}": out for i, out in enumerate(outs)}
    first = [x.grad for x in wanted]
    results |= {f"gradient {i}": g for i, g in enumerate(first) if g is not None}
    if second:
        for x in wanted:
            x.grad = None
        weighted = [(g * g).sum() for g in first if g is not None and g.requires_grad]
        if weighted:  # else it is linear
            sum(weighted).backward()
        grads = {f"second {i}": x.grad for i, x in enumerate(wanted)}
        results |= {name: g for name, g in grads.items() if g is not None}
    return {name: x.detach().cpu().numpy() for name, x in results.items()}


def compare(module, other, arrays, call=None, *, second=True, rtol=1e-10, atol=1e-11):
    """Hold a module of agrad to PyTorch's `other`, called on arrays or by ``call(module, ...)``."""
    call = call or (lambda module, *inputs: module(*inputs))
    wanted = [x.dtype.kind == "f" for x in arrays]
    own = [ag.Tensor(x, requires_grad=w) for x, w in zip(arrays, wanted, strict=True)]
    theirs = [torch.tensor(x, requires_grad=w) for x, w in zip(arrays, wanted, strict=True)]
    names = [name for name, _ in module.named_parameters()]
    parameters = dict(other.named_parameters())
    for x in (*module.parameters(), *other.parameters()):
        x.grad = None
    got = derivatives(
        lambda *x: call(module, *x), own, list(module.parameters()), ag.asarray, second
    )
    expected = derivatives(
        lambda *x: call(other, *x), theirs, [parameters[n] for n in names], torch.tensor, second
    )
    hold(got, expected, rtol, atol)


def compare_functions(function, other, arrays, *, second=True, rtol=1e-10, atol=1e-11):
    """Hold a function of agrad to one of PyTorch."""
    wanted = [x.dtype.kind == "f" for x in arrays]
    own = [ag.Tensor(x, requires_grad=w) for x, w in zip(arrays, wanted, strict=True)]
    theirs = [torch.tensor(x, requires_grad=w) for x, w in zip(arrays, wanted, strict=True)]
    got = derivatives(function, own, [], ag.asarray, second)
    expected = derivatives(other, theirs, [], torch.tensor, second)
    hold(got, expected, rtol, atol)


def hold(got, expected, rtol, atol):
    """Hold results to others, by name; a gradient that is missing is one of zeros."""
    assert got.keys() | expected.keys()
    for name in got.keys() | expected.keys():
        value, wanted = got.get(name, 0.0), expected.get(name, 0.0)
        assert not name.startswith("output") or value.shape == wanted.shape
        np.testing.assert_allclose(value, wanted, rtol=rtol, atol=atol, err_msg=name)


def on_backend(function, arrays, backend, *, rtol=1e-10, atol=1e-11):
    """Hold a function on some backend to the same on NumPy: values and first gradients."""
    results = []
    for put in (ag.Tensor, backend.tensor):
        inputs = [put(x, requires_grad=x.dtype.kind == "f") for x in arrays]
        outs = outputs(function(*inputs))
        sum((out * out).sum() for out in outs).backward()
        grads = [x.grad for x in inputs if x.grad is not None]
        results.append([x.detach().cpu().numpy() for x in (*outs, *grads)])
    for own, other in zip(*results, strict=True):
        np.testing.assert_allclose(other, own, rtol=rtol, atol=atol)
