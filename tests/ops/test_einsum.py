"""einsum against NumPy's, with strings made at random, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agrad as ag

LENGTHS = {"a": 1, "b": 2, "c": 3, "d": 2, "D": 4}


@st.composite
def calls(draw):
    """Return a string, and the shapes of operands that fit it."""
    letters = st.lists(st.sampled_from(sorted(LENGTHS)), max_size=3)
    dots = draw(st.booleans())
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 4))):
        names = draw(letters)
        # An axis may have the length 1 instead, but not on a diagonal.
        shape = [
            1 if names.count(i) == 1 and draw(st.integers(0, 9)) == 0 else LENGTHS[i] for i in names
        ]
        if dots and draw(st.booleans()):
            more = draw(st.sampled_from([(), (2,), (3, 2), (1, 2), (3, 1)]))
            place = draw(st.integers(0, len(names)))
            names.insert(place, "...")
            shape[place:place] = more
        terms.append("".join(names))
        shapes.append(tuple(shape))
    subscripts = ",".join(terms)
    if draw(st.booleans()):
        found = sorted(set(subscripts) - set(",."))
        output = draw(st.permutations(found))[: draw(st.integers(0, len(found)))]
        if "..." in subscripts:
            output.insert(draw(st.integers(0, len(output))), "...")
        subscripts += "->" + "".join(output)
    return subscripts, shapes


@settings(max_examples=300)
@given(calls())
def test_any_string_gives_what_numpy_gives(call):
    subscripts, shapes = call
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    out = ag.einsum(subscripts, *arrays)
    expected = np.einsum(subscripts, *arrays)
    assert out.shape == expected.shape
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-10, atol=1e-12)


@settings(max_examples=60)
@given(calls())
def test_gradients_are_pytorchs(call):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    subscripts, shapes = call
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    theirs = [torch.tensor(x, requires_grad=True) for x in arrays]
    ours = [ag.Tensor(x, requires_grad=True) for x in arrays]
    (torch.einsum(subscripts, *theirs) ** 2).sum().backward()
    (ag.einsum(subscripts, *ours) ** 2).sum().backward()
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-9, atol=1e-11)


def test_a_matrix_product_is_one_function():
    x = ag.Tensor(np.ones((2, 3)), requires_grad=True)
    y = ag.Tensor(np.ones((3, 4)), requires_grad=True)
    out = ag.einsum("ij,jk->ik", x, y)
    assert out._node.primitive.name == "matmul"
    assert [parent for parent, *_ in out._node.edges] == [x._node, y._node]


@pytest.mark.parametrize(
    ("subscripts", "shapes", "most"),
    [
        ("ij,jk,kl->il", [(100, 1), (1, 100), (100, 1)], 100),  # not (xy)z, but x(yz)
        ("ij,kl->", [(10, 10), (10, 10)], 1),  # the product of two sums
        ("ij,kj->k", [(10, 10), (10, 10)], 10),
    ],
)
def test_nothing_great_is_made_where_it_need_not_be(subscripts, shapes, most):
    inputs = [ag.Tensor(np.ones(shape), requires_grad=True) for shape in shapes]
    out = ag.einsum(subscripts, *inputs)
    np.testing.assert_array_equal(
        out.detach().numpy(), np.einsum(subscripts, *(np.ones(shape) for shape in shapes))
    )
    leaves = [x._node for x in inputs]
    waiting = [out._node]
    while waiting:
        node = waiting.pop()
        # A multiplication; the others only arrange what is there.
        if node.primitive.name in ("matmul", "multiply"):
            assert np.prod(node.shape) <= most
        waiting += [parent for parent, *_ in node.edges if parent not in leaves]


def test_integers_keep_their_type(backend):
    x = backend.tensor(np.array([[1, 2], [3, 4]], dtype="int32"))
    for subscripts in ("ij->j", "ij,jk->ik", "ii", "ij,ij->"):
        out = ag.einsum(subscripts, *[x] * (1 + subscripts.count(",")))
        assert out.dtype == ag.int32
        expected = np.einsum(subscripts, *[[[1, 2], [3, 4]]] * (1 + subscripts.count(",")))
        np.testing.assert_array_equal(backend.numpy(out), expected)


def test_the_result_is_not_the_operand():
    x = ag.Tensor([[1.0, 2.0]])
    out = ag.einsum("ij->ij", x)
    assert out is not x
    np.testing.assert_array_equal(out.numpy(), x.numpy())


WRONG = [
    ("ij,jk", [(2, 3)], "has 2 terms, for 1 operands"),
    ("ij->k", [(2, 3)], "no operand has the result's 'k'"),
    ("ij->ii", [(2, 3)], "the result names 'i' twice"),
    ("ij", [(2,)], "'ij' names 2 axes of an operand that has 1"),
    ("i", [(2, 3)], "'i' names 1 axes of an operand that has 2"),
    ("ij,jk->ik", [(2, 3), (4, 5)], "index 'j' has lengths 3 and 4"),
    ("ii", [(2, 3)], "index 'i' has lengths 2 and 3 in one operand"),
    ("...i,...i", [(2, 3), (4, 3)], r"index '...0' has lengths 2 and 4"),
    ("...i->i", [(2, 3)], "the result lacks the axes of '...'"),
    ("i1->i", [(2, 3)], "'i1' must be made of letters"),
    ("...i...", [(2, 3)], "must be made of letters and at most one"),
    ("i->j->k", [(2,)], "'j->k' must be made of letters"),
]


@pytest.mark.parametrize(("subscripts", "shapes", "message"), WRONG)
def test_what_is_refused(subscripts, shapes, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        ag.einsum(subscripts, *map(ag.zeros, shapes))


def test_the_subscripts_come_first():
    with pytest.raises(TypeError, match="subscripts first"):
        ag.einsum(ag.eye(2), "ii")
