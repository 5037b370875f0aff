"""The table of what is in a network."""

import agrad as ag
from agrad import nn


def test_it_has_each_modules_output_and_parameters():
    net = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Sequential(nn.Linear(100, 10)))
    lines = nn.summary(net, (8, 784)).splitlines()
    rows = [line.split("  ") for line in lines[2:-2]]
    found = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert found == [
        ["0", "Linear", "(8, 100)", "78,500"],
        ["1", "ReLU", "(8, 100)", "0"],
        ["2.0", "Linear", "(8, 10)", "1,010"],
        ["2", "Sequential", "(8, 10)", "0"],
        ["Sequential", "(8, 10)", "0"],
    ]
    assert lines[-1] == "79,510 parameters, 79,510 of them trained"


def test_shared_and_frozen_parameters_are_counted_once_and_told_apart():
    shared = nn.Linear(4, 4)
    shared.bias.requires_grad = False
    assert nn.summary(nn.Sequential(shared, shared), (1, 4)).endswith(
        "20 parameters, 16 of them trained"
    )


def test_it_leaves_the_network_as_it_was():
    net = nn.Sequential(nn.Linear(3, 2, dtype="float64"), nn.ReLU())
    net[1].training = False
    nn.summary(net, (1, 3))
    assert (net.training, net[0].training, net[1].training) == (True, True, False)
    calls = []
    net[0].register_forward_hook(lambda *args: calls.append(1))
    net(ag.zeros((1, 3), dtype="float64"))
    assert calls == [1]
    assert all(p.grad is None for p in net.parameters())
