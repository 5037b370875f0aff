"""Recurrent networks: values, gradients and states are PyTorch's, in layers and in cells."""

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare, fill, on_backend, torch, twin

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using backward.. with create_graph=True",
    "ignore:dropout option adds dropout after all but last",
    "ignore:LSTM with projections",
)

KINDS = ["RNN", "LSTM", "GRU"]
SETTINGS = {
    "plain": {},
    "batch first": {"batch_first": True},
    "two layers": {"num_layers": 2},
    "no bias": {"bias": False},
    "both directions": {"bidirectional": True},
    "all of it": {"bidirectional": True, "num_layers": 2, "batch_first": True, "bias": False},
}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def make(nn, kind, **settings):
    return getattr(nn, kind)(3, 4, **settings)


def pair(kind, **settings):
    module = fill(make(ag.nn, kind, **settings).to(ag.float64))
    return module, twin(module, make(torch.nn, kind, **settings))


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SETTINGS)
def test_layers_do_what_pytorchs_do(kind, name):
    module, other = pair(kind, **SETTINGS[name])
    compare(module, other, [draw(5, 2, 3)], rtol=1e-9)


def with_state(module, x, *state):
    return module(x, state if len(state) > 1 else state[0])


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("single", [False, True], ids=["batch", "one sequence"])
def test_layers_begin_with_the_state_they_are_given(kind, single):
    module, other = pair(kind, num_layers=2, bidirectional=True)
    shape = (4, 4) if single else (4, 2, 4)
    states = [draw(*shape, seed=i) for i in range(2 if kind == "LSTM" else 1)]
    x = draw(5, 3) if single else draw(5, 2, 3)
    compare(module, other, [x, *states], with_state, second=False, rtol=1e-9)
    compare(module, other, [x], second=False, rtol=1e-9)


@needs_torch
def test_relu_networks_do_what_pytorchs_do():
    module, other = pair("RNN", nonlinearity="relu")
    compare(module, other, [draw(5, 2, 3)], rtol=1e-9)


@needs_torch
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstms_with_projections_do_what_pytorchs_do(bidirectional):
    module, other = pair("LSTM", num_layers=2, proj_size=2, bidirectional=bidirectional)
    compare(module, other, [draw(5, 2, 3)], second=False, rtol=1e-9)
    runs = 4 if bidirectional else 2
    states = [draw(runs, 2, 2, seed=1), draw(runs, 2, 4, seed=2)]
    compare(module, other, [draw(5, 2, 3), *states], with_state, second=False, rtol=1e-9)


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(2, 3), (3,)], ids=["batch", "one vector"])
def test_cells_do_what_pytorchs_do(kind, bias, shape):
    module, other = pair(f"{kind}Cell", bias=bias)
    states = [draw(*shape[:-1], 4, seed=i) for i in range(2 if kind == "LSTM" else 1)]
    compare(module, other, [draw(*shape), *states], with_state, rtol=1e-9)
    compare(module, other, [draw(*shape)], second=False, rtol=1e-9)


@needs_torch
def test_relu_cells_do_what_pytorchs_do():
    module, other = pair("RNNCell", nonlinearity="relu")
    compare(module, other, [draw(2, 3), draw(2, 4)], with_state, rtol=1e-9)


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_is_pytorchs_to_rounding(kind):
    module = fill(make(ag.nn, kind, num_layers=2))
    other = twin(module, make(torch.nn, kind, num_layers=2)).float()
    x = draw(30, 2, 3).astype("float32")
    out, _ = module(ag.Tensor(x))
    assert out.dtype == ag.float32
    expected = other(torch.tensor(x))[0].detach().numpy()
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_backend_gives_what_numpy_gives(kind, backend):
    module = fill(make(ag.nn, f"{kind}Cell").to(ag.float64)).to(backend.device)
    host = fill(make(ag.nn, f"{kind}Cell").to(ag.float64))

    def function(x, *state):
        return with_state(host if x.device == "cpu" else module, x, *state)

    states = [draw(2, 4, seed=i) for i in range(2 if kind == "LSTM" else 1)]
    on_backend(function, [draw(2, 3), *states], backend)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", ["array_api_strict:CPU_DEVICE", "torch:cpu"])
def test_layers_give_on_other_libraries_what_they_give_on_numpy(kind, device):
    if device.startswith("torch"):
        pytest.importorskip("torch", reason="PyTorch isn't installed")
    module = fill(make(ag.nn, kind, bidirectional=True).to(ag.float64))
    expected = module(ag.Tensor(draw(3, 2, 3)))[0].detach().numpy()
    module.to(device)
    out, _ = module(ag.Tensor(draw(3, 2, 3)).to(device))
    np.testing.assert_allclose(out.detach().cpu().numpy(), expected, rtol=1e-10)


def test_gates_at_their_limits_make_no_noise():
    for kind in KINDS:
        cell = make(ag.nn, f"{kind}Cell", dtype="float64")
        x = ag.Tensor(draw(2, 3) * 1e6, requires_grad=True)
        out = cell(x)
        sum(y.sum() for y in (out if isinstance(out, tuple) else (out,))).backward()
        assert bool(ag.isfinite(x.grad).all())


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_begin_as_pytorchs_do(kind):
    module = getattr(ag.nn, kind)(30, 25, generator=ag.random.Generator(0))
    for parameter in module.parameters():
        assert abs(parameter).max() <= 0.2
        assert abs(parameter.std().item() - 0.2 / np.sqrt(3)) < 0.02


def test_dropout_is_between_the_layers_in_training_alone():
    module = ag.nn.GRU(3, 40, num_layers=2, dropout=0.9, generator=ag.random.Generator(0))
    x = ag.ones((4, 2, 3), dtype="float32")
    assert bool((module(x)[0] != module(x)[0]).any())
    assert not bool((module(x)[0] == 0).any())  # nothing is dropped of what comes out
    module.eval()
    assert bool((module(x)[0] == module(x)[0]).all())


def test_a_network_learns_to_remember_the_first_number():
    ag.manual_seed(0)
    network, head = ag.nn.LSTM(1, 8), ag.nn.Linear(8, 1)
    optimizer = ag.optim.Adam([*network.parameters(), *head.parameters()], 0.02)
    generator = ag.random.Generator(0)
    losses = []
    for _ in range(120):
        x = generator.uniform(-1, 1, (6, 32, 1))
        _, (h, _) = network(x)
        loss = ((head(h[0]) - x[0]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_steps_give_what_eager_ones_give(kind):
    results = []
    for compile in (lambda f: f, ag.compile):
        module = fill(make(ag.nn, kind).to(ag.float64))
        optimizer = ag.optim.SGD(module.parameters(), 0.01)

        def step(x, module=module, optimizer=optimizer):
            optimizer.zero_grad()
            out, _ = module(x)
            loss = (out * out).sum()
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = compile(step)
        results.append([step(ag.Tensor(draw(2, 2, 3, seed=i))).item() for i in range(5)])
    np.testing.assert_allclose(*results, rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ag.nn.LSTM(0, 4), "LSTM: input_size must be a positive integer"),
        (lambda: ag.nn.GRU(3, 4, num_layers=0), "GRU: num_layers must be a positive integer"),
        (lambda: ag.nn.RNN(3, 4, nonlinearity="sine"), "RNN: nonlinearity must be 'tanh' or 'relu"),
        (lambda: ag.nn.RNNCell(3, 4, nonlinearity="sine"), "RNNCell: nonlinearity must be"),
        (lambda: ag.nn.LSTM(3, 4, proj_size=4), "proj_size must be an integer from 0 to less than"),
        (lambda: ag.nn.LSTM(3, 4, proj_size="1"), "LSTM: proj_size must be an integer .* got '1'"),
        (lambda: ag.nn.LSTM(3, 4, proj_size=1.5), "LSTM: proj_size must be an integer .* got 1.5"),
        (lambda: ag.nn.LSTM(None, 4), "LSTM: input_size must be a positive integer, got None"),
        (lambda: ag.nn.GRU(3, "4"), "GRU: hidden_size must be a positive integer, got '4'"),
        (lambda: ag.nn.GRU(3, 4, dropout=2), "GRU: dropout must be a probability"),
        (lambda: ag.nn.GRU(3, 4)(ag.ones((5, 2, 2))), r"GRU needs an input of shape \(L, N, 3\)"),
        (
            lambda: ag.nn.GRU(3, 4, batch_first=True)(ag.ones(3)),
            r"GRU needs an input of shape \(N, L, 3\) or \(L, 3\), got \(3,\)",
        ),
        (lambda: ag.nn.GRU(3, 4)(ag.ones((0, 2, 3))), "a sequence of at least one place"),
        (
            lambda: ag.nn.GRU(3, 4)(ag.ones((5, 2, 3)), ag.ones((1, 3, 4))),
            r"GRU needs a first state of shape \(1, 2, 4\); got \(1, 3, 4\)",
        ),
        (
            lambda: ag.nn.LSTM(3, 4)(ag.ones((5, 2, 3)), (ag.ones((1, 2, 4)),)),
            r"LSTM needs a first state of shape \(1, 2, 4\), \(1, 2, 4\)",
        ),
        (
            lambda: ag.nn.LSTM(3, 4)(ag.ones((5, 2, 3)), ag.ones((1, 2, 4))),
            r"LSTM needs a first state of shape \(1, 2, 4\), \(1, 2, 4\); got \(1, 2, 4\)$",
        ),
        (lambda: ag.nn.GRUCell(3, 0), "GRUCell: hidden_size must be a positive integer"),
        (lambda: ag.nn.GRUCell(3, 4)(ag.ones((5, 2))), r"GRUCell needs an input of shape \(N, 3\)"),
        (
            lambda: ag.nn.GRUCell(3, 4)(ag.ones((5, 3)), ag.ones((5, 3))),
            r"GRUCell needs a state of shape \(5, 4\), got \(5, 3\)",
        ),
    ],
)
def test_what_doesnt_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_modules_show_what_isnt_usual():
    assert "LSTM(3, 4)" in repr(ag.nn.LSTM(3, 4))
    assert "GRU(3, 4, num_layers=2, bidirectional=True)" in repr(
        ag.nn.GRU(3, 4, num_layers=2, bidirectional=True)
    )
    assert "RNNCell(3, 4, bias=False, nonlinearity='relu')" in repr(
        ag.nn.RNNCell(3, 4, bias=False, nonlinearity="relu")
    )
