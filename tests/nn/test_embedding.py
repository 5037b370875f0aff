"""Embeddings: rows by number, the padding row, and numbers that are out of range."""

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare, compare_functions, fill, on_backend, torch, twin
from agrad.nn import functional as F

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")

TABLE = np.random.default_rng(0).normal(size=(5, 3))
NUMBERS = {
    "one": np.array(3),
    "several": np.array([1, 4, 1]),
    "a batch": np.array([[0, 1, 1], [4, 4, 0]]),
    "none": np.zeros((0,), int),
}


@needs_torch
@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("padding", [None, 1, -1])
@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_values_and_gradients_are_pytorchs(numbers, padding):
    second = NUMBERS[numbers].size > 0
    compare_functions(
        lambda i, w: F.embedding(i, w * w, padding),
        lambda i, w: torch.nn.functional.embedding(i, w * w, padding),
        [NUMBERS[numbers], TABLE],
        second=second,
    )


def test_every_backend_gives_what_numpy_gives(backend):
    on_backend(lambda i, w: F.embedding(i, w, 1), [NUMBERS["a batch"], TABLE], backend)


@needs_torch
def test_the_module_takes_pytorchs_weights_and_does_the_same():
    module = fill(ag.nn.Embedding(5, 3, padding_idx=-2, dtype="float64"))
    other = twin(module, torch.nn.Embedding(5, 3, padding_idx=-2))
    compare(module, other, [np.array([[0, 3], [3, 2]])], second=False)


def test_the_padding_row_begins_as_zeros_and_gets_no_gradient():
    layer = ag.nn.Embedding(4, 2, padding_idx=1)
    assert layer.weight[1].tolist() == [0.0, 0.0]
    layer([0, 1, 1]).sum().backward()
    assert layer.weight.grad.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]
    assert repr(layer) == "Embedding(4, 2, padding_idx=1)"


def test_a_row_that_is_looked_up_several_times_gets_all_gradients():
    layer = ag.nn.Embedding(3, 2)
    layer([2, 0, 2, 2]).sum().backward()
    assert layer.weight.grad.tolist() == [[1, 1], [0, 0], [3, 3]]


def test_initial_weights_are_normal_and_depend_on_the_generator_alone():
    first, second = (ag.nn.Embedding(200, 50, generator=ag.random.Generator(3)) for _ in range(2))
    assert bool((first.weight == second.weight).all())
    assert first.weight.dtype == ag.float32
    assert abs(first.weight.mean().item()) < 0.05
    assert abs(first.weight.std().item() - 1) < 0.05


@pytest.mark.parametrize("numbers", [[0, 5], [-1], 5])
def test_numbers_out_of_range_are_named(numbers):
    wrong = -1 if numbers == [-1] else 5
    with pytest.raises(ValueError, match=f"embedding: {wrong} is out of range for a table of 5"):
        ag.nn.Embedding(5, 3)(numbers)


def test_numbers_out_of_range_are_named_in_recorded_steps_too():
    step = ag.compile(lambda numbers: F.embedding(numbers, ag.Tensor(TABLE)))
    for _ in range(3):
        step(ag.Tensor([4]))
    with pytest.raises(ValueError, match="embedding: 7 is out of range"):
        step(ag.Tensor([7]))


def test_what_is_no_number_of_a_row_is_refused():
    with pytest.raises(TypeError, match="embedding: indices must be integers"):
        F.embedding(ag.Tensor([1.0]), TABLE)
    with pytest.raises(ValueError, match="embedding needs a weight of shape"):
        F.embedding([1], TABLE[0])
    for padding in (5, -6, 1.0):
        with pytest.raises(ValueError, match="padding_idx must be the number of one of 5 rows"):
            ag.nn.Embedding(5, 3, padding)
        with pytest.raises(ValueError, match="padding_idx must be the number of one of 5 rows"):
            F.embedding([1], TABLE, padding)
    for sizes in ((0, 3), (5, 0), (5, 1.5)):
        with pytest.raises(ValueError, match="must be a positive integer"):
            ag.nn.Embedding(*sizes)
