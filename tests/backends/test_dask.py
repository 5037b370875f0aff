"""Dask: nothing is computed before values are read, chunks stay chunks, and shapes are known."""

import weakref

import numpy as np
import pytest

import agrad as ag

dask = pytest.importorskip("dask", reason="Dask is not installed")
da = pytest.importorskip("dask.array", reason="Dask is not installed")


@pytest.fixture
def asleep():
    """Make every computation an error; `with asleep.awake():` allows it again."""

    def refuse(*args, **kwargs):
        raise AssertionError("something was computed")

    class Asleep:
        awake = staticmethod(lambda: dask.config.set(scheduler="synchronous"))

    with dask.config.set(scheduler=refuse):
        with pytest.raises(AssertionError, match="computed"):
            da.ones(1).compute()
        yield Asleep


X = np.random.default_rng(0).uniform(0.5, 1.5, (6, 4))


def lazy(values=X, chunks=(2, 4)):
    return da.from_array(np.asarray(values), chunks=chunks)


# What waits ------------------------------------------------------------------------------------

FUNCTIONS = {
    "elementwise": lambda x: ag.tanh(x * x + 1) / x,
    "broadcasting": lambda x: x * x[0] + x[:, :1],
    "reductions": lambda x: ag.mean(x, axis=0) * ag.std(x) + ag.max(x) + ag.prod(x, axis=1)[0],
    "matmul": lambda x: x.T @ x,
    "softmax": lambda x: ag.log_softmax(x) + ag.softmax(x, axis=0),
    "shapes": lambda x: ag.concat([ag.reshape(x, (4, 6)), ag.flip(x).T]),
    "slices": lambda x: x[1:5:2, None, ::-1] * x[-1, 2],
    "integers": lambda x: x[[5, 0, 5]] ** 2,
    "pairs of integers": lambda x: x[[0, 1, 0], [2, 2, 2]] ** 2,
    "take_along_axis": lambda x: ag.take_along_axis(x, ag.argsort(x, axis=0), axis=0) ** 2,
    "sort": lambda x: ag.sort(x, axis=0) ** 3,
    "cumulative_sum": lambda x: ag.cumulative_sum(x, axis=0) ** 2,
    "where": lambda x: ag.where(x > 1, x**3, x),
}


def derivatives(function, array):
    x = ag.Tensor(array, requires_grad=True)
    (function(x) ** 2).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    (first**2).sum().backward()
    return first, x.grad


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nothing_is_computed_until_values_are_read(name, asleep):
    function = FUNCTIONS[name]
    found = derivatives(function, lazy())
    for tensor in found:
        assert (tensor.device, tensor.shape) == ("dask:cpu", X.shape)
        with pytest.raises(AssertionError, match="computed"):
            tensor.detach().numpy()
    with asleep.awake():
        for tensor, expected in zip(found, derivatives(function, X), strict=True):
            np.testing.assert_allclose(tensor.detach().numpy(), expected.data, rtol=1e-11)


def test_values_are_read_by_every_way_there_is(asleep):
    x = ag.Tensor(lazy())
    total = x.sum()
    reads = [
        lambda: x.numpy(), lambda: x.tolist(), lambda: total.item(), lambda: float(total),
        lambda: bool(total > 0), lambda: repr(x), lambda: x.cpu(),
    ]  # fmt: skip
    for read in reads:
        with pytest.raises(AssertionError, match="computed"):
            read()
    with asleep.awake():
        assert float(total) == pytest.approx(X.sum())
        assert type(x.cpu().data) is np.ndarray
        np.testing.assert_array_equal(x.numpy(), X)


def test_a_step_of_training_waits_too(asleep):
    w = ag.Parameter(lazy(np.ones((4, 2)), chunks=2))
    optimizer = ag.optim.SGD([w], lr=0.5)
    for _ in range(2):
        w.grad = None
        ((ag.Tensor(lazy()) @ w) ** 2).mean().backward()
        optimizer.step()
    assert isinstance(w.data, da.Array)
    with asleep.awake():
        expected = np.ones((4, 2))
        for _ in range(2):
            expected -= 0.5 * X.T @ (X @ expected) * 2 / 12
        np.testing.assert_allclose(w.detach().numpy(), expected)


# Chunks ----------------------------------------------------------------------------------------


def test_gradients_are_cut_as_their_arrays_are():
    x = ag.Tensor(lazy(), requires_grad=True)
    ag.sum(ag.exp(-x * x), axis=1).sum().backward()
    assert x.grad.data.chunks == x.data.chunks
    y = ag.Tensor(lazy(chunks=(4, 3)), requires_grad=True)
    with dask.config.set({"array.chunk-size": "64B"}):  # what Dask would choose itself
        (-ag.mean(y)).backward()
    assert y.grad.data.chunks == y.data.chunks


@pytest.mark.parametrize("index", [[0], [1], [0, 0], [5, 1, 2]])
@pytest.mark.parametrize("dtype", ["f8", "c16"])
@pytest.mark.parametrize("rows", [3, 6])
def test_few_indices_give_the_shape_they_should(index, dtype, rows):
    x = ag.Tensor(lazy(X.astype(dtype), chunks=(rows, 2)), requires_grad=True)
    y = ag.take(x, index, axis=0)
    assert y.shape == y.detach().numpy().shape
    np.testing.assert_array_equal(y.detach().numpy(), X[index])
    ag.sum(ag.real(y * y)).backward()
    expected = np.zeros((6, 4))
    np.add.at(expected, index, 2 * X[index])
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_few_chunks_are_in_memory_at_a_time():
    """An array in 64 chunks: its gradient's sum of squares never has more than some of them."""
    seen, alive, most = [], 0, 0

    class Counted(np.ndarray):
        pass

    def make(block_info=None):
        nonlocal alive, most
        chunk = np.full((1000,), 0.5).view(Counted)
        alive += 1
        most = max(most, alive)
        seen.append(1)

        def gone():
            nonlocal alive
            alive -= 1

        weakref.finalize(chunk, gone)
        return chunk

    array = da.map_blocks(make, chunks=((1000,) * 64,), dtype=float, meta=np.empty(0))
    x = ag.Tensor(array, requires_grad=True)
    ag.sum(x**3).backward()
    with dask.config.set(scheduler="synchronous"):
        assert ag.sum(x.grad**2).item() == pytest.approx(64_000 * 0.75**2)
    assert len(seen) == 64
    assert most <= 8


# Shapes that depend on values --------------------------------------------------------------------


def test_a_mask_is_computed_for_the_shape():
    x = ag.Tensor(lazy(), requires_grad=True)
    y = x[x > 1]
    assert y.shape == (int((X > 1).sum()),)
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.where(X > 1, 2 * X, 0))


def test_an_array_of_unknown_shape_is_refused():
    array = lazy()
    with pytest.raises(ValueError, match=r"\(nan,\); find it with \.compute_chunk_sizes\(\)"):
        ag.Tensor(array[array > 1])
    found = ag.Tensor(array[array > 1].compute_chunk_sizes())
    np.testing.assert_array_equal(found.numpy(), X[X > 1])


# Writing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [..., 1, (1, slice(None)), (slice(0, 4, 2), 1), (slice(None), None, 2), (-1, -1)],
    ids=str,
)
@pytest.mark.parametrize("value", ["number", "array"])
def test_assign_gives_a_new_array(key, value):
    backend = ag.Tensor(lazy())._backend
    array, expected = lazy(), X.copy()
    part = 7.0 if value == "number" else np.arange(expected[key].size).reshape(expected[key].shape)
    expected[key] = part
    for given in (part, part if value == "number" else da.asarray(part)):
        np.testing.assert_array_equal(backend.assign(array, key, given).compute(), expected)
    np.testing.assert_array_equal(array.compute(), X)


def test_mixing_with_numpys_arrays_is_refused():
    with pytest.raises(RuntimeError, match="two devices"):
        ag.Tensor(lazy()) * X


def test_dask_arrays_stand_on_either_side():
    x = ag.Tensor(lazy(), requires_grad=True)
    for y in (lazy() * x, x * lazy(), da.exp(x), np.exp(x)):
        assert (type(y), y.device) == (ag.Tensor, "dask:cpu")


def test_the_device_is_known_by_name():
    assert ag.Tensor([1.0], device="dask:cpu").device == "dask:cpu"
    with pytest.raises(ValueError, match="there is no device 'dask:gpu'"):
        ag.zeros(2, device="dask:gpu")
