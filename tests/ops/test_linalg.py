"""Matrix products: every combination of shapes, and errors that name them."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agrad as ag


@given(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_side=3, max_dims=2))
def test_matmul_of_any_shapes(shapes):
    """The gradient g is taken through x @ y as <g, dx @ y> and <g, x @ dy> demand."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes.input_shapes]
    x, y = (ag.Tensor(each, requires_grad=True) for each in arrays)
    out = x @ y
    np.testing.assert_allclose(out.data, arrays[0] @ arrays[1], rtol=1e-12, atol=1e-12)
    g = rng.normal(size=out.shape)
    out.backward(g)
    dx, dy = (rng.normal(size=shape) for shape in shapes.input_shapes)
    assert np.sum(x.grad.data * dx) == pytest.approx(np.sum(g * (dx @ arrays[1])))
    assert np.sum(y.grad.data * dy) == pytest.approx(np.sum(g * (arrays[0] @ dy)))


@given(st.data())
def test_tensordot_over_any_axes(data):
    """It sums over pairs of axes, as numpy.einsum does."""
    lengths = {axis: data.draw(st.integers(0, 3), axis) for axis in "abcd"}
    letters = st.lists(st.sampled_from(sorted(lengths)), unique=True, max_size=3)
    one, two = data.draw(letters), data.draw(letters)
    both = [each for each in one if each in two]
    x, y = (np.random.default_rng(0).normal(size=[lengths[a] for a in axes]) for axes in (one, two))
    axes = tuple(one.index(a) for a in both), tuple(two.index(a) - len(two) for a in both)
    free = [a for a in one + two if a not in both]
    expected = np.einsum(f"{''.join(one)},{''.join(two)}->{''.join(free)}", x, y)
    found = ag.tensordot(x, y, axes=axes).data
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("axes", "words"), [(1, r"\(2, 3\) and \(2, 3\)"), (((0,), (1,)), "match")]
)
def test_tensordot_of_shapes_that_do_not_match(axes, words):
    x = ag.zeros((2, 3))
    with pytest.raises(ValueError, match=words):
        ag.tensordot(x, x, axes=axes)


@pytest.mark.parametrize("axes", [((2,), (0,)), ((0,), (-3,)), ((0, 0), (0, 1)), 3])
def test_tensordot_over_axes_that_are_not_there_or_named_twice(axes):
    x = ag.zeros((2, 2))
    with pytest.raises((IndexError, ValueError), match=r"out of bounds|named twice"):
        ag.tensordot(x, x, axes=axes)


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((), (2,)), ((2,), (3,))])
def test_matmul_of_shapes_that_do_not_match(backend, shapes):
    x, y = (backend.tensor(np.zeros(shape)) for shape in shapes)
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        x @ y


def test_outer_takes_vectors(backend):
    x, y = backend.tensor([1.0, 2.0]), backend.tensor([3.0, 4.0, 5.0])
    assert backend.numpy(ag.outer(x, y)).tolist() == [[3, 4, 5], [6, 8, 10]]
