"""Linear algebra: every combination of shapes, errors that name them, and what the table of
test_rules.py can't say: where derivatives end.
"""

import inspect
import math

import array_api_strict
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


# The linalg extension ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ag.linalg.__all__)
def test_signatures_are_the_standards(name):
    """Names, kinds and defaults are those of array-api-strict."""
    wanted = inspect.signature(getattr(array_api_strict.linalg, name)).parameters.values()
    found = inspect.signature(getattr(ag.linalg, name)).parameters.values()
    assert [(p.name, p.kind, p.default) for p in found] == [
        (p.name, p.kind, p.default) for p in wanted
    ]


def test_all_names_of_the_extension_are_there():
    assert [name for name in dir(array_api_strict.linalg) if name in ag.linalg.__all__] == sorted(
        ag.linalg.__all__
    )
    for name in ("matmul", "matrix_transpose", "outer", "tensordot", "vecdot"):
        assert getattr(ag, name) is getattr(ag.linalg, name)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("eig", ("eigenvalues", "eigenvectors")),
        ("eigh", ("eigenvalues", "eigenvectors")),
        ("qr", ("Q", "R")),
        ("slogdet", ("sign", "logabsdet")),
        ("svd", ("U", "S", "Vh")),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_results_have_names_and_data_types(name, fields, dtype):
    x = ag.Tensor(np.eye(2), dtype=dtype)
    result = getattr(ag.linalg, name)(x)
    assert result._fields == fields
    for field, value in zip(fields, result, strict=True):
        kind = str(x.dtype)
        if field in ("S", "logabsdet") or (field, name) == ("eigenvalues", "eigh"):
            kind = {"complex64": "float32", "complex128": "float64"}.get(kind, kind)
        if name == "eig":
            kind = {"float32": "complex64", "float64": "complex128"}.get(kind, kind)
        assert value.dtype == kind


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 2, 3)])
@pytest.mark.parametrize("is_complex", [False, True])
def test_decompositions_multiply_to_what_they_were_made_from(shape, is_complex, backend):
    rng = np.random.default_rng(0)
    array = rng.normal(size=shape) + 1j * rng.normal(size=shape) * is_complex
    x = backend.tensor(array if is_complex else array.real)

    def check(result, expected):
        np.testing.assert_allclose(backend.numpy(result), expected, rtol=1e-10, atol=1e-10)

    array = backend.numpy(x)
    u, s, vh = ag.linalg.svd(x, full_matrices=False)
    check((u * s[..., None, :]) @ vh, array)
    u, s, vh = ag.linalg.svd(x)
    k = s.shape[-1]
    assert u.shape == (*shape[:-1], shape[-2])
    assert vh.shape == (*shape[:-2], shape[-1], shape[-1])
    check((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], array)
    for mode in ("reduced", "complete"):
        q, r = ag.linalg.qr(x, mode=mode)
        check(q @ r, array)
    gram = x @ ag.conj(x).mT + ag.asarray(backend.array(np.eye(shape[-2])))
    w, q = ag.linalg.eigh(gram)
    check((q * w[..., None, :]) @ ag.conj(q).mT, backend.numpy(gram))
    lower, upper = (ag.linalg.cholesky(gram, upper=upper) for upper in (False, True))
    check(lower @ ag.conj(lower).mT, backend.numpy(gram))
    check(ag.conj(upper).mT @ upper, backend.numpy(gram))
    w, v = ag.linalg.eig(gram)
    check(v * w[..., None, :], backend.numpy(ag.astype(gram, v.dtype) @ v))


@pytest.mark.parametrize("name", ["eigvals", "eigvalsh", "svdvals"])
def test_values_alone_are_those_of_the_decomposition(name, backend):
    array = np.array([[2.0, 1.0], [1.0, 5.0]])
    alone, recorded = (
        getattr(ag.linalg, name)(backend.tensor(array, requires_grad=flag))
        for flag in (False, True)
    )
    assert not alone.requires_grad
    assert recorded.requires_grad
    assert alone.dtype == recorded.dtype
    values = (backend.numpy(each) for each in (alone, recorded))
    np.testing.assert_allclose(*map(np.sort, values), rtol=1e-14)
    with ag.no_grad():
        assert not getattr(ag.linalg, name)(recorded[:, None] * recorded).requires_grad


@pytest.mark.parametrize("name", ["eigvals", "eigvalsh", "svdvals"])
@pytest.mark.parametrize("diagonal", [[1.0, 1.0, 1.0], [2.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("unit", [1, 1 + 0j])
def test_gradients_of_values_that_are_equal(name, diagonal, unit, backend):
    """The sum of their squares is a smooth function, whose gradient is 2x, equal or not."""
    array = np.diag(diagonal) * unit
    x = backend.tensor(array, requires_grad=True)
    values = getattr(ag.linalg, name)(x)
    ag.sum(ag.real(values * values)).backward()
    np.testing.assert_allclose(backend.numpy(x.grad), 2 * array, atol=1e-14)


@pytest.mark.parametrize(("name", "field"), [("eigh", 1), ("eig", 1), ("svd", 0), ("svd", 2)])
def test_gradients_of_vectors_of_equal_values_are_not_finite(name, field):
    x = ag.Tensor(np.eye(2), requires_grad=True)
    vectors = getattr(ag.linalg, name)(x)[field]
    with np.errstate(all="ignore"):
        ag.real(vectors)[0, 1].backward()
    assert not np.isfinite(x.grad.data).all()


@pytest.mark.parametrize("name", ["eigh", "cholesky"])
def test_gradients_of_symmetric_matrices_are_symmetric(name):
    rng = np.random.default_rng(0)
    array = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    x = ag.Tensor(array @ array.conj().T + np.eye(3), requires_grad=True)
    result = getattr(ag.linalg, name)(x)
    out = result if name == "cholesky" else ag.abs(result.eigenvectors)
    ag.sum(ag.real(out * rng.normal(size=(3, 3)))).backward()
    assert np.abs(x.grad.data).max() > 0.01
    np.testing.assert_allclose(x.grad.data, x.grad.data.conj().T, atol=1e-14)


def test_vectors_beyond_the_singular_values_have_no_gradient(backend):
    x = backend.tensor(np.arange(6.0).reshape(3, 2) ** 2, requires_grad=True)
    u, s, _ = ag.linalg.svd(x)
    ag.sum(u[:, 2:] ** 3).backward(retain_graph=True)
    assert not backend.numpy(x.grad).any()
    ag.sum(s).backward()
    assert backend.numpy(x.grad).any()


def test_complete_qr_of_a_tall_matrix_has_no_gradient(backend):
    x = backend.tensor(np.arange(6.0).reshape(3, 2) ** 2, requires_grad=True)
    q, _ = ag.linalg.qr(x, mode="complete")
    assert q.shape == (3, 3)
    with pytest.raises(NotImplementedError, match=r'3 x 2 .* use mode="reduced"'):
        ag.sum(q).backward()


def test_the_determinant_of_a_large_matrix_does_not_overflow_as_a_logarithm():
    x = ag.Tensor(np.eye(400) * -10.0, requires_grad=True)
    sign, logabsdet = ag.linalg.slogdet(x)
    logabsdet.backward()
    assert sign.item() == 1
    assert logabsdet.item() == pytest.approx(400 * math.log(10))
    np.testing.assert_allclose(x.grad.data, np.eye(400) / -10)


def test_the_determinant_of_nearly_singular_matrices():
    """The gradient is the transposed adjugate, here by hand, however small a value is."""
    for small in (1.0, 1e-8, 1e-160, 0.0):
        x = ag.Tensor([[small, 2.0], [0.0, 3.0]], requires_grad=True)
        ag.linalg.det(x).backward(create_graph=True)
        np.testing.assert_allclose(x.grad.tolist(), [[3, 0], [-2, small]], rtol=1e-12, atol=1e-12)
        g, x.grad = x.grad[0, 0] * 2 + x.grad[1, 0], None
        g.backward()
        np.testing.assert_allclose(x.grad.tolist(), [[0, -1], [0, 2]], rtol=1e-12, atol=1e-12)


def test_a_power_of_0_has_a_gradient_of_0(backend):
    x = backend.tensor(np.full((2, 2), np.inf), requires_grad=True)
    out = ag.linalg.matrix_power(x, 0)
    assert backend.numpy(out).tolist() == [[1, 0], [0, 1]]
    ag.sum(out).backward()
    assert backend.numpy(x.grad).tolist() == [[0, 0], [0, 0]]


def test_ranks_by_a_tolerance_for_each_matrix(backend):
    x = backend.tensor(np.array([np.diag([1.0, 0.1, 0.01])] * 3))
    rtol = backend.tensor(np.array([0.5, 0.05, 0.005]))
    assert backend.numpy(ag.linalg.matrix_rank(x, rtol=rtol)).tolist() == [1, 2, 3]
    assert backend.numpy(ag.linalg.matrix_rank(x[:, :0])).tolist() == [0, 0, 0]
    pinv = ag.linalg.pinv(x, rtol=rtol)
    assert backend.numpy(ag.linalg.matrix_rank(pinv)).tolist() == [1, 2, 3]


def test_products_of_small_integers_stay_small():
    x = ag.Tensor([1, 2, 3], dtype="int8")
    assert ag.vecdot(x, x).dtype == "int8"
    assert ag.linalg.cross(x, x).dtype == "int8"
    assert ag.linalg.trace(x[:, None] * x).dtype == "int64"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: ag.linalg.det(x), r"det needs square matrices .*\(2, 3\)"),
        (lambda x: ag.linalg.inv(x[0]), r"inv needs square matrices .*\(3,\)"),
        (lambda x: ag.linalg.diagonal(x[0]), r"diagonal needs matrices .*\(3,\)"),
        (lambda x: ag.linalg.svd(x[0]), "svd needs matrices"),
        (lambda x: ag.linalg.solve(x, x), "solve needs square matrices"),
        (lambda x: ag.linalg.solve(x[:, :2], 1.0), "got a number"),
        (lambda x: ag.linalg.cross(x[:, :2], x[:, :2]), r"3 elements along axis -1.*\(2, 2\)"),
        (lambda x: ag.vecdot(x, x[:, :1]), "lengths 3 and 1 along axis -1"),
        (lambda x: ag.linalg.matrix_norm(x, ord=3), "ord must be .* got 3"),
        (lambda x: ag.linalg.qr(x, mode="raw"), "mode must be"),
    ],
)
def test_errors_name_what_was_wrong(call, words, backend):
    with pytest.raises(ValueError, match=words):
        call(backend.tensor(np.ones((2, 3))))


@pytest.mark.parametrize("ord", [1, 1.5, 2, 3])
def test_all_derivatives_of_a_norm_at_0_are_0(ord):
    x = ag.Tensor([0.0, 0.0])
    norm = ag.hessian(lambda x: ag.linalg.vector_norm(x, ord=ord))
    assert norm(x).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("n", [1.5, 2.0, "2"])
def test_a_power_that_is_no_int_is_refused(n):
    with pytest.raises(TypeError, match="n must be an int"):
        ag.linalg.matrix_power(ag.eye(2), n)


@pytest.mark.parametrize("shape", [(3,), (1, 2), (2, 3, 1)])
def test_right_hand_sides_that_do_not_fit_are_named(shape):
    with pytest.raises(ValueError, match=r"don't fit matrices of shape \(2, 2\)"):
        ag.linalg.solve(ag.eye(2), ag.zeros(shape))


def test_tensordot_over_less_than_no_axes():
    with pytest.raises(ValueError, match="negative"):
        ag.tensordot(ag.eye(2), ag.eye(2), axes=-1)
