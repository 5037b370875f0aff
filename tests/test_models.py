"""The report's networks: their sizes, what they begin with, and what they compute."""

import numpy as np
import pytest

import agrad as ag
from agrad.models import ConvNetwork, DeepNetwork, LinearNetwork
from agrad.random import Generator

# How to make each, and the shapes of its parameters
NETWORKS = {
    "linear": (lambda **o: LinearNetwork(784, 10, **o), [(10, 784), (10,)]),
    "deep": (
        lambda **o: DeepNetwork(784, 10, hidden_dim=100, n_layers=2, **o),
        [(100, 784), (100,), (10, 100), (10,)],
    ),
    "deep, tanh": (
        lambda **o: DeepNetwork(784, 10, 100, 2, tanh=True, **o),
        [(100, 784), (100,), (10, 100), (10,)],
    ),
    "deep, four layers": (
        lambda **o: DeepNetwork(784, 10, 30, 4, **o),
        [(30, 784), (30,), (30, 30), (30,), (30, 30), (30,), (10, 30), (10,)],
    ),
    "deep, one layer": (lambda **o: DeepNetwork(784, 10, 100, 1, **o), [(10, 784), (10,)]),
}
NUMBERS = {"linear": 7850, "deep": 79510, "deep, tanh": 79510}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_of_the_reports_shapes(name):
    make, shapes = NETWORKS[name]
    parameters = list(make().parameters())
    assert [p.shape for p in parameters] == shapes
    assert {p.dtype for p in parameters} == {ag.float32}
    if name in NUMBERS:
        assert sum(p.size for p in parameters) == NUMBERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_biases_begin_as_zeros_and_weights_spread_as_their_activation_wants(name):
    relu = name.startswith("deep") and "tanh" not in name
    for p in NETWORKS[name][0](generator=Generator(0)).parameters():
        if p.ndim == 1:
            assert not p.data.any()
        else:
            n_out, n_in = p.shape
            bound = (6 / (n_in if relu else n_in + n_out)) ** 0.5
            assert 0.97 * bound < abs(p.data).max() <= bound


@pytest.mark.parametrize("name", NETWORKS)
def test_a_seed_gives_the_same_network_on_every_backend(name, backend):
    make, _ = NETWORKS[name]
    ag.manual_seed(3)
    net = make(device=backend.tensor(0.0).device)
    ag.manual_seed(3)
    for p, q in zip(net.parameters(), make().parameters(), strict=True):
        assert p.device == backend.device
        np.testing.assert_array_equal(backend.numpy(p), q.data)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_generator_of_ones_own_leaves_the_default_one_alone(name):
    make, _ = NETWORKS[name]
    ag.manual_seed(0)
    expected = next(make().parameters()).tolist()
    ag.manual_seed(0)
    own = next(make(generator=Generator(1)).parameters()).tolist()
    assert own != expected
    assert next(make().parameters()).tolist() == expected


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 5, 4)])
@pytest.mark.parametrize(
    ("net", "activation"),
    [
        (LinearNetwork(4, 3, dtype=ag.float64), None),
        (DeepNetwork(4, 3, 6, 1, dtype=ag.float64), None),
        (DeepNetwork(4, 3, 6, 2, dtype=ag.float64), lambda x: np.maximum(x, 0)),
        (DeepNetwork(4, 3, 6, 3, dtype=ag.float64), lambda x: np.maximum(x, 0)),
        (DeepNetwork(4, 3, 6, 3, tanh=True, dtype=ag.float64), np.tanh),
    ],
    ids=["linear", "one layer", "two layers", "three layers", "tanh"],
)
def test_scores_are_those_of_numpy_by_hand(net, activation, shape):
    x = np.random.default_rng(0).normal(size=shape)
    parameters = [np.random.default_rng(1).normal(size=p.shape) for p in net.parameters()]
    net.load_state_dict(dict(zip(net.state_dict(), parameters, strict=True)))
    z = net(ag.Tensor(x))
    layers = list(zip(parameters[::2], parameters[1::2], strict=True))
    for i, (W, b) in enumerate(layers):
        x = (activation(x) if i else x) @ W.T + b
    assert z.shape == (*shape[:-1], 3)
    np.testing.assert_allclose(z.detach().numpy(), x, rtol=1e-12)


def test_the_data_type_is_the_one_asked_for():
    for make, _ in NETWORKS.values():
        assert {p.dtype for p in make(dtype="float64").parameters()} == {ag.float64}


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", None])
def test_sizes_that_are_no_positive_integers_are_refused(wrong):
    for make in (
        lambda: LinearNetwork(wrong, 10),
        lambda: LinearNetwork(784, wrong),
        lambda: DeepNetwork(wrong, 10, 100, 2),
        lambda: DeepNetwork(784, wrong, 100, 2),
        lambda: DeepNetwork(784, 10, wrong, 2),
        lambda: DeepNetwork(784, 10, 100, wrong),
    ):
        with pytest.raises(ValueError, match="must be a positive integer") as error:
            make()
        assert repr(wrong) in str(error.value)


@pytest.mark.parametrize("name", NETWORKS)
def test_images_of_another_size_are_refused(name):
    net = NETWORKS[name][0]()
    with pytest.raises(ValueError, match=r"\(28, 28\)"):
        net(ag.zeros((28, 28), dtype=ag.float32))


def test_its_repr_shows_the_layers():
    assert repr(DeepNetwork(4, 3, 6, 2)) == (
        "DeepNetwork(\n"
        "  (layers): ModuleList(\n"
        "    (0): Linear(in_features=4, out_features=6, bias=True)  # 30 parameters\n"
        "    (1): Linear(in_features=6, out_features=3, bias=True)  # 21 parameters\n"
        "  )  # 51 parameters\n"
        ")  # 51 parameters"
    )


# The network that convolves ----------------------------------------------------------------------


def test_a_network_that_convolves_gives_what_its_layers_give_one_after_the_other():
    net = ConvNetwork((2, 9, 8), 5, channels=(3, 4), generator=Generator(0))
    x = ag.random.Generator(1).normal(0, 1, (6, 2, 9, 8), dtype=ag.float32)
    expected = x
    for convolution, normalization in zip(net.convolutions, net.normalizations, strict=True):
        shown = ag.nn.functional.max_pool2d(convolution(expected), 2)
        batch_mean = shown.mean(axis=(0, 2, 3), keepdims=True)
        deviation = ag.sqrt(ag.var(shown, axis=(0, 2, 3), keepdims=True) + normalization.eps)
        expected = ag.maximum((shown - batch_mean) / deviation, 0)
    assert expected.shape == (6, 4, 2, 2)
    expected = net.last(expected.reshape(6, 16)).detach().numpy()
    np.testing.assert_allclose(net(x).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    net.eval()
    both = [net(each).detach().numpy() for each in (x, x.reshape(6, -1))]
    np.testing.assert_array_equal(*both)
    one = net(x[0]).detach().numpy()
    assert one.shape == (5,)
    np.testing.assert_allclose(one, both[0][0], rtol=1e-5, atol=1e-6)


def test_images_of_another_size_and_ones_too_small_are_refused_by_it():
    net = ConvNetwork((1, 28, 28), 10)
    for shape in ((3, 28, 28), (5, 1, 28, 27), (783,)):
        with pytest.raises(ValueError, match=r"images of shape \(1, 28, 28\), or vectors of 784"):
            net(ag.zeros(shape, dtype=ag.float32))
    with pytest.raises(ValueError, match="an image of 7x28 can't be halved 3 times"):
        ConvNetwork((1, 7, 28), 10)
