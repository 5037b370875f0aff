"""Linear layers: W x + b, what they begin with, and what they refuse."""

import numpy as np
import pytest

import agrad as ag
from agrad import nn
from agrad.random import Generator


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (1, 3), (2, 5, 3)])
def test_a_layer_gives_w_x_plus_b(shape, bias, backend):
    layer = nn.Linear(3, 2, bias, dtype=ag.float64)
    W, b = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]), np.array([10.0, -10.0])
    layer.load_state_dict({"weight": W, "bias": b} if bias else {"weight": W})
    layer.to(backend.tensor(0.0).device)
    x = np.arange(np.prod(shape)).reshape(shape) / 7
    y = layer(backend.tensor(x))
    assert y.shape == (*shape[:-1], 2)
    np.testing.assert_allclose(backend.numpy(y), x @ W.T + (b if bias else 0), rtol=1e-14)

    y.sum().backward()  # of all outputs: each row of dW is the sum of the inputs, db their number
    rows = x.reshape(-1, 3)
    np.testing.assert_allclose(backend.numpy(layer.weight.grad), [rows.sum(axis=0)] * 2)
    if bias:
        np.testing.assert_allclose(backend.numpy(layer.bias.grad), [len(rows)] * 2)


def test_weights_begin_as_glorots_and_biases_as_zeros():
    layer = nn.Linear(200, 100, generator=Generator(0))
    expected = nn.init.glorot_init(ag.zeros((100, 200), dtype=ag.float32), generator=Generator(0))
    np.testing.assert_array_equal(layer.weight.data, expected.data)
    np.testing.assert_array_equal(layer.bias.data, np.zeros(100))


def test_the_same_seed_gives_the_same_layer():
    layers = []
    for seed in (3, 3, 4):
        ag.manual_seed(seed)
        layers.append(nn.Linear(4, 3).weight.tolist())
    assert layers[0] == layers[1] != layers[2]


def test_the_parameters_are_named_and_of_the_asked_for_shapes():
    layer = nn.Linear(3, 2)
    assert [(name, p.name, p.shape) for name, p in layer.named_parameters()] == [
        ("weight", "weight", (2, 3)),
        ("bias", "bias", (2,)),
    ]
    without = nn.Linear(3, 2, bias=False)
    assert without.bias is None
    assert [name for name, _ in without.named_parameters()] == ["weight"]


@pytest.mark.parametrize(
    ("asked", "default", "expected"),
    [
        (None, ag.float32, ag.float32),
        (None, ag.float64, ag.float64),
        (ag.float64, ag.float32, ag.float64),
        ("float32", ag.float64, ag.float32),
        (np.float64, ag.float32, ag.float64),
    ],
)
def test_the_data_type_is_the_one_asked_for_or_the_default(asked, default, expected):
    ag.set_default_dtype(default)
    try:
        layer = nn.Linear(3, 2, dtype=asked)
    finally:
        ag.set_default_dtype(ag.float32)
    assert {p.dtype for p in layer.parameters()} == {expected}


def test_a_layer_is_made_on_the_device_asked_for(backend):
    layer = nn.Linear(3, 2, device=backend.tensor(0.0).device)
    assert {p.device for p in layer.parameters()} == {backend.device}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4,), (5, 2), ()])
def test_inputs_of_another_length_are_refused(shape, bias):
    with pytest.raises(ValueError, match=r"\(2, 3\)") as error:
        nn.Linear(3, 2, bias)(ag.zeros(shape, dtype=ag.float32))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("length", [0, -1, 2.0, "2", None])
def test_lengths_that_are_no_positive_integers_are_refused(length):
    for name, lengths in [("in_features", (length, 2)), ("out_features", (2, length))]:
        with pytest.raises(ValueError, match=f"{name} must be a positive integer") as error:
            nn.Linear(*lengths)
        assert repr(length) in str(error.value)


def test_its_repr_tells_its_settings():
    assert repr(nn.Linear(3, 2)) == "Linear(in_features=3, out_features=2, bias=True)"
    assert repr(nn.Linear(3, 2, False)) == "Linear(in_features=3, out_features=2, bias=False)"


# Bilinear and Identity ---------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(), (5,), (2, 5)])
def test_a_bilinear_layer_gives_pytorchs_values_and_gradients(batch, bias):
    torch = pytest.importorskip("torch", reason="PyTorch isn't installed")
    ours = ag.nn.Bilinear(3, 4, 2, bias=bias, dtype="float64")
    theirs = torch.nn.Bilinear(3, 4, 2, bias=bias, dtype=torch.float64)
    ours.load_state_dict({name: p.detach().numpy() for name, p in theirs.named_parameters()})
    rng = np.random.default_rng(0)
    x1, x2, g = (rng.normal(size=(*batch, n)) for n in (3, 4, 2))
    a = [ag.Tensor(x, requires_grad=True) for x in (x1, x2)]
    b = [torch.tensor(x, requires_grad=True) for x in (x1, x2)]
    out, expected = ours(*a), theirs(*b)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    out.backward(ag.Tensor(g))
    expected.backward(torch.tensor(g))
    for x, y in zip([*a, *ours.parameters()], [*b, *theirs.parameters()], strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-10, atol=1e-12)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ag.nn.Bilinear(0, 1, 1), "Bilinear: in1_features must be a positive integer"),
        (lambda: ag.nn.Bilinear(1, 1, 1.5), "out_features must be a positive integer, got 1.5"),
        (
            lambda: ag.nn.Bilinear(3, 4, 2)(ag.ones((5, 3)), ag.ones((6, 4))),
            r"bilinear needs inputs .*got \(5, 3\), \(6, 4\) and \(2, 3, 4\)",
        ),
        (
            lambda: ag.nn.Bilinear(3, 4, 2)(ag.ones((5, 4)), ag.ones((5, 4))),
            r"got \(5, 4\), \(5, 4\) and \(2, 3, 4\)",
        ),
    ],
)
def test_bilinear_layers_say_what_does_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_identity_gives_what_it_gets():
    x = ag.ones(3)
    assert ag.nn.Identity()(x) is x
