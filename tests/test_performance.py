"""What speed rests on, in numbers that no busy machine can change: calls, nodes and memory."""

import gc
import tracemalloc

import numpy as np
import pytest

import agrad as ag
from agrad.autograd import Node
from agrad.nn.functional import nll

KB = 1000
WEIGHTS = 784 * 100 * 4  # bytes


def training_step():
    ag.manual_seed(0)
    model = ag.models.DeepNetwork(784, 10, 100, 2)
    optimizer = ag.optim.SGD(model.parameters(), 0.01)

    def step(x, y):
        loss = nll(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def examples(batch):
    rng = np.random.default_rng(0)
    shape = (batch,) if batch else ()
    x = rng.random((*shape, 784), dtype=np.float32)
    return ag.Tensor(x), ag.Tensor(rng.integers(0, 10, shape))


def allocated(function, *args):
    """Return by how many bytes a call raises the memory at its highest."""
    tracemalloc.start()
    function(*args)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_each_function_leaves_one_node():
    model = ag.models.DeepNetwork(784, 10, 100, 2)
    loss = nll(model(examples(4)[0]), examples(4)[1])
    nodes, waiting = set(), [loss._node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Node) and node not in nodes:
            nodes.add(node)
            waiting += [parent for parent, _, _ in node.edges]
    assert sorted(node.primitive.name for node in nodes) == [
        "affine_transform",
        "affine_transform",
        "nll",
        "relu",
    ]


# Two products a layer, of which the first has no gradient for its input; the bias, ReLU and its
# gradient; some ten calls for the softmax; the updates
@pytest.mark.parametrize(("batch", "calls"), [(0, 31), (64, 33), (300, 32)])
def test_a_recorded_step_makes_few_calls(batch, calls):
    step = ag.compile(training_step())
    for _ in range(3):
        step(*examples(batch))
    lines = step.program().splitlines()
    names = ("transpose", "getitem", "del", "tensor", "return", "def")  # views and the like
    lines = [line.strip().split(" = ")[-1] for line in lines]
    made = [line for line in lines if "(" in line and not line.startswith(names)]
    assert len(made) <= calls
    products = sum("mat" in line or "outer" in line for line in made)
    assert products == (5 if batch == 0 else 7)  # with a batch, biases get theirs by one each


@pytest.mark.parametrize("make", [lambda step: step, ag.compile], ids=["eager", "recorded"])
def test_with_one_example_no_array_as_large_as_the_weights_is_made(make):
    if ag.backends.blas.updates("f") is None:
        pytest.skip("NumPy's BLAS has no ger that is found here")
    step = make(training_step())
    x, y = examples(0)
    for _ in range(4):
        step(x, y)
    assert allocated(step, x, y) < 50 * KB < WEIGHTS


def test_a_step_with_a_batch_makes_what_it_keeps_and_its_gradients():
    step = training_step()
    x, y = examples(1024)
    step(x, y)
    hidden = 1024 * 100 * 4
    # The hidden layer, its gradient and ReLU's mask; the gradients of the weights
    assert allocated(step, x, y) < 3.5 * hidden + WEIGHTS


@pytest.mark.parametrize("make", [lambda step: step, ag.compile], ids=["eager", "recorded"])
def test_nothing_grows_from_step_to_step(make):
    step = make(training_step())
    x, y = examples(8)
    tracemalloc.start()
    for _ in range(150):
        step(x, y)
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(150):
        step(x, y)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 2 * KB


@pytest.mark.parametrize("make", [lambda step: step, ag.compile], ids=["eager", "recorded"])
def test_a_step_leaves_no_reference_cycles(make):
    step = make(training_step())
    x, y = examples(8)
    for _ in range(4):
        step(x, y)
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            step(x, y)
        assert gc.collect() == 0
    finally:
        gc.enable()
