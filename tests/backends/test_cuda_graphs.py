"""Recorded steps on a GPU run as CUDA graphs: they give what the steps themselves give.

On a GPU where there is one, else on the stand-in for CuPy, where capturing puts calls down instead
of making them, and a launch makes them again on the same memory.
"""

import importlib
import threading
import warnings

import numpy as np
import pytest

import agrad as ag
from agrad.backends import backend_of
from agrad.nn import functional as F
from tests.conftest import PLACES

RNG = np.random.default_rng(0)


def graphs(step):
    """Return what a recorded step is captured by, for each of its programs."""
    return [each._graph for found in step._steps.values() for each in found]


def numbers(result):
    """Return all arrays in a result, as NumPy has them."""
    if isinstance(result, ag.Tensor):
        return [result.detach().cpu().numpy()]
    return [array for each in result or () for array in numbers(each)]


def compare(place, make, arguments, captured=True, tolerance=2e-4):
    """Run a step and its recording side by side, and return the recording.

    `make` is given the device, and returns a step and the Tensors that it changes.
    """
    step, tensors = make(place.device)
    recorded, others = make(place.device)
    recorded = ag.compile(recorded)
    for args in arguments:
        args = [ag.Tensor(place.array(x)) if isinstance(x, np.ndarray) else x for x in args]
        results = [*numbers(recorded(*args)), *numbers(others)]
        for found, expected in zip(
            results, [*numbers(step(*args)), *numbers(tensors)], strict=True
        ):
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance / 10)
    if captured:
        assert [each.reason for each in graphs(recorded)] == [None]
    return recorded


def batches(n, *shape, classes=3):
    return [
        (RNG.normal(size=shape).astype("f4"), RNG.integers(0, classes, shape[0])) for _ in range(n)
    ]


# Networks ----------------------------------------------------------------------------------------

NETWORKS = {
    "MLP": (lambda nn: [nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3)], (6, 8)),
    "convnet": (
        lambda nn: [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)],
        (3, 1, 6, 6),
    ),
    "normalization": (
        lambda nn: [nn.Linear(8, 6), nn.LayerNorm(6), nn.GELU("tanh"), nn.Linear(6, 3)],
        (6, 8),
    ),
}
OPTIMIZERS = {
    "SGD": lambda params: ag.optim.SGD(params, 0.1),
    "momentum": lambda params: ag.optim.SGD(params, 0.1, momentum=0.9),
    "Adam": lambda params: ag.optim.Adam(params, 0.01),
    "RMSprop": lambda params: ag.optim.RMSprop(params, 0.01),
}


def training(network, optimizer):
    """Return what makes a step of a training, of the kind that `compare` takes."""

    def make(device):
        ag.manual_seed(0)
        model = ag.nn.Sequential(*NETWORKS[network][0](ag.nn)).to(device)
        chosen = OPTIMIZERS[optimizer](model.parameters())

        def step(images, classes, lr):
            loss = F.cross_entropy(model(images), classes)
            chosen.zero_grad()
            loss.backward()
            chosen.param_groups[0]["lr"] = lr
            chosen.step()
            return loss, model[0].weight.grad

        return step, list(model.parameters())

    return make


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_captured_training_is_the_training_itself(network, optimizer, place):
    data = batches(7, *NETWORKS[network][1])
    rates = [0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.02]
    compare(
        place,
        training(network, optimizer),
        [(*batch, rate) for batch, rate in zip(data, rates, strict=True)],
    )


def test_dropout_draws_anew_in_each_launch(place):
    x = ag.Tensor(place.array(np.ones((50, 20), "f4")))
    step = ag.compile(lambda x: F.dropout(x, 0.5))
    results = [step(x).numpy() for _ in range(6)]
    assert [each.reason for each in graphs(step)] == [None]
    assert all(set(np.unique(each)) == {0, 2} for each in results)
    assert len({each.tobytes() for each in results}) == 6


@pytest.mark.parametrize(("network", "kernels", "products"), [("MLP", 8, 5), ("convnet", 12, 5)])
def test_a_captured_training_is_few_launches(network, kernels, products):
    enter, *args = PLACES["cupy-stand-in"]
    with enter(*args) as place:
        data = batches(5, *NETWORKS[network][1])
        step = compare(place, training(network, "Adam"), [(*batch, 0.1) for batch in data])
        [graph] = graphs(step)
        names = [function.__qualname__ for function, *_ in graph._graph.calls]
    assert sum(name.endswith("__call__") for name in names) == kernels
    assert sum("captures" in name or "library" in name for name in names) == products


@pytest.mark.parametrize("precision", ["highest", "high"])
def test_mixed_precision_is_captured_too(precision, place):
    def make(device):
        step, params = training("MLP", "SGD")(device)

        def mixed(*args):
            with ag.amp.autocast("cuda"):
                return step(*args)

        return mixed if precision == "highest" else step, params

    ag.set_float32_matmul_precision(precision)
    try:
        arguments = [(*batch, 0.1) for batch in batches(6, 6, 8)]
        compare(place, make, arguments, tolerance=5e-3)
    finally:
        ag.set_float32_matmul_precision("highest")


def test_another_precision_is_captured_anew(place):
    step = ag.compile(lambda x: x @ x)
    for precision in ("highest", "high", "highest"):
        ag.set_float32_matmul_precision(precision)
        for _ in range(5):
            step(ag.Tensor(place.array(np.eye(3, dtype="f4"))))
    assert [each.reason for each in graphs(step)] == [None, None]


# What differs from run to run --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_numbers_are_those_of_the_call(dtype, place):
    def make(device):
        return lambda x, a, b: (x * a + b, ag.maximum(x, b), x > a), []

    x = RNG.integers(-9, 9, (4, 3)).astype(dtype)
    compare(place, make, [(x, 0.5 * i, i - 2) for i in range(7)])


def test_numbers_of_one_call_have_the_data_type_of_its_arrays(place):
    def make(device):
        return lambda x, y, a: (x * a, y * a), []

    x, y = RNG.normal(size=4).astype("f4"), RNG.normal(size=4)
    compare(place, make, [(x, y, 1 / (3 + i)) for i in range(6)])


def test_arguments_of_another_layout_give_the_same(place):
    def make(device):
        return lambda x: x @ x + ag.sum(x, axis=0), []

    x = RNG.normal(size=(4, 4))
    compare(place, make, [(x,), (x,), (x,), (x.T,), (x.T + 1,), (np.flip(x),)])


def test_results_stay_what_they_are(place):
    step = ag.compile(lambda x: (x + 1, x.T))
    xs = [ag.Tensor(place.array(np.full((2, 3), i, "f4"))) for i in range(6)]
    results = [step(x) for x in xs]
    assert [each.reason for each in graphs(step)] == [None]
    for i, (one, other) in enumerate(results):
        np.testing.assert_array_equal(one.numpy(), np.full((2, 3), i + 1))
        np.testing.assert_array_equal(other.numpy(), np.full((3, 2), i))


def test_gradients_that_add_up_are_read_where_they_are(place):
    def make(device):
        w = ag.Parameter(ag.ones(3, dtype=ag.float32, device=device))

        def step(x):
            (w * x).sum().backward()
            return w.grad

        return step, [w]

    compare(place, make, [(np.full(3, i, "f4"),) for i in range(8)], captured=False)


def test_old_values_of_what_is_written_to_can_be_returned(place):
    def make(device):
        a, b = (ag.Tensor(ag.full(3, i, dtype=ag.float32, device=device)) for i in range(2))

        def step(x):
            before = a + 0
            new_a, new_b = b + x, a + 0
            a[...] = new_a
            b[...] = new_b
            return before, a

        return step, [a, b]

    compare(place, make, [(np.full(3, i, "f4"),) for i in range(7)])


def test_tensors_that_change_places_do_so_in_each_launch(place):
    def make(device):
        first = np.arange(4, dtype="f4").reshape(2, 2)
        a, b, c, d = (ag.Tensor(place.array(first + i)) for i in range(4))

        def step(x):
            a.data, b.data = b.data, a.data
            c.data, d.data = d.data.T, (c + x).data.T
            return a + b + c + d

        return step, [a, b, c, d]

    x = np.arange(4, dtype="f4").reshape(2, 2)
    compare(place, make, [(x + i,) for i in range(7)])


def test_raw_arrays_of_what_is_written_to_have_the_old_values(place):
    held = ag.Tensor(place.array(np.zeros(3, "f4")))

    @ag.compile
    def step(x):
        before, turned = held.data, held.data[::-1]
        held[...] = x
        return before, turned

    for i in range(6):
        x = np.arange(3, dtype="f4") + i
        expected = held.numpy().copy()
        before, turned = step(ag.Tensor(place.array(x)))
        if i > 2:
            np.testing.assert_array_equal(place.numpy(before), expected)
            np.testing.assert_array_equal(place.numpy(turned), expected[::-1])
        np.testing.assert_array_equal(held.numpy(), x)
    assert [each.reason for each in graphs(step)] == [None]


def test_arguments_that_are_written_to_are_changed(place):
    step = ag.compile(lambda x: x.__iadd__(1))
    for i in range(6):
        x = ag.Tensor(place.array(np.full(3, i, "f4")))
        step(x)
        np.testing.assert_array_equal(x.numpy(), np.full(3, i + 1))
    assert graphs(step) == [None]


def test_a_number_that_is_no_operand_is_that_of_the_call(place):
    def make(device):
        return lambda x, a: x + ag.full((3,), a, dtype=ag.float32, device=device), []

    step = compare(place, make, [(np.ones(3, "f4"), 0.5 * i) for i in range(7)], captured=False)
    assert graphs(step) == [None]


def test_what_is_moved_to_the_host_is_moved_in_each_call(place):
    def make(device):
        return lambda x: x.cpu() + 1, []

    step = compare(place, make, [(np.full(3, i),) for i in range(6)], captured=False)
    assert graphs(step) == [None]


def test_a_tensor_that_gets_another_array_is_read_where_that_is(place):
    held = ag.Tensor(place.array(np.zeros(3, "f4")))
    step = ag.compile(lambda x, n: x * n + held)
    for i in range(12):
        held.data = place.array(np.full(3, i, "f4"))
        x = ag.Tensor(place.array(np.ones(3, "f4")))
        np.testing.assert_array_equal(step(x, 5).numpy(), np.full(3, i + 5))
    [graph] = graphs(step)
    assert graph.reason is None  # it is copied like an argument from then on
    assert graph._captures == 2


def test_a_tensor_that_is_turned_is_read_as_it_lies(place):
    held = ag.Tensor(place.array(np.arange(4, dtype="f4").reshape(2, 2)))
    step = ag.compile(lambda x: x + held)
    for i in range(7):
        held.data = held.data.T
        x = ag.Tensor(place.array(np.full((2, 2), i, "f4")))
        np.testing.assert_array_equal(step(x).numpy(), i + held.numpy())


def test_a_parameter_that_gets_another_array_is_changed_where_that_is(place):
    w = ag.Parameter(ag.Tensor(place.array(np.zeros((2, 2), "f4"))))
    optimizer = ag.optim.SGD([w], 1.0)

    @ag.compile
    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()

    x = np.arange(4, dtype="f4").reshape(2, 2)
    for i in range(20):
        if i % 2:
            w.data = place.array(np.full((2, 2), i, "f4"))
        before = w.detach().numpy()
        step(ag.Tensor(place.array(x)))
        np.testing.assert_array_equal(w.detach().numpy(), before - x)
    assert "# not captured as a graph: arrays that it uses are others too often" in step.program()


def test_a_parameter_may_get_another_array_now_and_then(monkeypatch, place):
    backend_of(place.array(np.zeros(1)))
    graphs_module = importlib.import_module("agrad.backends.cuda_graphs")
    monkeypatch.setattr(graphs_module, "_WORTHWHILE", 3)
    w = ag.Tensor(place.array(np.zeros(2, "f4")))
    step = ag.compile(lambda x: w.__iadd__(x).sum())
    x = ag.Tensor(place.array(np.ones(2, "f4")))
    for i in range(12):  # more often than a graph would be captured anew in a row
        w.data = place.array(np.full(2, i, "f4"))
        for k in range(5):
            assert step(x).item() == 2 * (i + k + 1)
    assert [each.reason for each in graphs(step)] == [None]


# What can't be captured --------------------------------------------------------------------------


def test_what_cannot_be_captured_is_run_as_it_is(place):
    def make(device):
        w = ag.Parameter(2 * ag.eye(3, dtype=ag.float64, device=device))
        optimizer = ag.optim.SGD([w], 0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (ag.linalg.inv(w) * x).sum()
            loss.backward()
            optimizer.step()
            return loss

        return step, [w]

    step = compare(place, make, [(RNG.normal(size=(3, 3)),) for _ in range(7)], captured=False)
    assert step.program().startswith("# not captured as a graph: ")


@pytest.mark.parametrize("fault", ["numbers", "the first numbers", "inputs", "products"])
def test_a_graph_that_gives_other_values_is_not_used(fault, monkeypatch, place):
    w = ag.Parameter(ag.Tensor(place.array(np.ones((3, 3)))))
    optimizer = ag.optim.SGD([w], 0.1)
    kind = type(backend_of(w.data).graph(lambda: (), []))
    blas = importlib.import_module("agrad.backends.cuda_blas")
    if fault == "numbers":
        words = kind._words
        monkeypatch.setattr(kind, "_words", lambda self, args: bytes(len(words(self, args))))
    elif fault == "the first numbers":
        words, first = kind._words, []

        def first_words(self, args):
            first.append(words(self, args))
            return first[0]

        monkeypatch.setattr(kind, "_words", first_words)
    elif fault == "inputs":
        put = kind._put

        def put_nothing(self, args):
            pairs = zip(self.kinds, args, self._kept, strict=True)
            put(self, [own if kind == "input" else x for kind, x, own in pairs])

        monkeypatch.setattr(kind, "_put", put_nothing)
    else:
        monkeypatch.setattr(blas, "_product", lambda x1, x2: x1 * x2)

    @ag.compile
    def step(x, lr):
        optimizer.zero_grad()
        optimizer.param_groups[0]["lr"] = lr
        loss = (x @ w).sum()
        loss.backward()
        optimizer.step()
        return loss

    expected, warned = np.ones((3, 3)), []
    for i in range(7):
        x = RNG.normal(size=(3, 3))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loss = step(ag.Tensor(place.array(x)), 0.1 * i)
        warned += [str(each.message) for each in caught]
        np.testing.assert_allclose(loss.item(), (x @ expected).sum(), rtol=1e-9, atol=1e-9)
        expected = expected - 0.1 * i * x.sum(axis=0)[:, None]
        np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-9)
    [warning] = warned
    assert "isn't run as a CUDA graph, since as a CUDA graph it gave other values" in warning
    assert "gave other values" in step.program()


def test_what_a_graph_gives_is_compared_by_how_far_it_went(place):
    backend_of(place.array(np.zeros(1)))
    are_close = importlib.import_module("agrad.backends.cuda_graphs")._are_close
    start = np.full(100, 1e3)
    step = start + 1e-3
    assert are_close(step * (1 + 1e-15), step, start)
    assert not are_close(start + 1.01e-3, step, start)
    assert are_close(step, start + 1.01e-3, 0)
    assert not are_close(np.where(np.arange(100) == 7, 1, step), np.full(100, np.nan), start)
    assert are_close(np.full(3, np.inf), np.full(3, np.inf), 0)
    assert not are_close(np.array([1, 2]), np.array([1, 3]), 0)


# cuBLAS ------------------------------------------------------------------------------------------

SHAPES = [
    *[((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((1, 4), (4, 1))],
    *[((3, 1), (1, 5)), ((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (1, 5, 4, 6))],
    *[((0, 4), (4, 2)), ((3, 0), (0, 2)), ((2, 2, 3, 4), (2, 4, 5)), ((1, 1, 4), (4, 3))],
]
LAYOUTS = {
    "in order": lambda x: x,
    "transposed": lambda x: x.swapaxes(-1, -2).copy().swapaxes(-1, -2) if x.ndim > 1 else x,
    "with gaps": lambda x: x.repeat(2, -1)[..., ::2],
    "rows with gaps": lambda x: x.repeat(2, -2)[..., ::2, :] if x.ndim > 1 else x,
    "backwards": lambda x: x[::-1].copy()[::-1],
}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("layout2", LAYOUTS)
@pytest.mark.parametrize("layout1", LAYOUTS)
def test_products_by_cublas_itself_are_the_products(layout1, layout2, dtype, place):
    own = backend_of(place.array(np.zeros(1)))
    blas = importlib.import_module("agrad.backends.cuda_blas")
    with own.device, blas.direct(blas.workspace()):
        for shape1, shape2 in SHAPES:
            x1, x2 = (RNG.normal(size=shape).astype(dtype) for shape in (shape1, shape2))
            found = own.matmul(LAYOUTS[layout1](place.array(x1)), LAYOUTS[layout2](place.array(x2)))
            expected = x1 @ x2
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype
            tolerance = 1e-2 if dtype == "float16" else 1e-5
            np.testing.assert_allclose(place.numpy(found), expected, rtol=tolerance, atol=tolerance)
        mixed = own.matmul(place.array(np.ones((2, 3), "f4")), place.array(np.ones((3, 2))))
        assert mixed.dtype == np.float64
        with pytest.raises(NotImplementedError, match="complex128 aren't captured"):
            own.matmul(place.array(np.ones((2, 2)) * 1j), place.array(np.ones((2, 2))))
        with pytest.raises(ValueError, match=r"shapes \(2, 3\) and \(2, 3\) don't match"):
            own.matmul(place.array(np.ones((2, 3))), place.array(np.ones((2, 3))))


# What only a card tells apart ---------------------------------------------------------------------


def test_gradients_that_are_rounding_alone_are_no_other_values(place):
    def make(device):
        ag.manual_seed(0)
        model = ag.nn.Sequential(
            *(ag.nn.Linear(8, 6), ag.nn.BatchNorm1d(6), ag.nn.Tanh(), ag.nn.Linear(6, 3))
        ).to(device)
        optimizers = [
            ag.optim.SGD(model[:2].parameters(), 0.1, momentum=0.9),
            ag.optim.Adam(model[2:].parameters(), 0.01),
        ]

        def step(images, classes):
            loss = F.cross_entropy(model(images), classes)
            for each in optimizers:
                each.zero_grad()
            loss.backward()
            for each in optimizers:
                each.step()
            return loss

        return step, [p for i in (1, 3) for p in model[i].parameters()]

    compare(place, make, batches(7, 9, 8))


def test_integers_that_the_data_type_lacks_are_not_cut_off(place):
    def make(device):
        return lambda x, a: (x > a, ag.clip(x, 0, a + 1)), []

    x = np.arange(6, dtype="u1")
    compare(place, make, [(x, a) for a in (3, 3, 3, 2, 1, -1, 299, 4)])


def test_a_setting_that_was_an_integer_may_become_another_number(place):
    def make(device):
        optimizer = ag.optim.SGD([ag.Parameter(ag.ones(2, device=device))], 2)

        def step(x):
            return x * optimizer.param_groups[0]["lr"]

        return step, optimizer

    (step, optimizer), (recorded, other) = make(place.device), make(place.device)
    recorded = ag.compile(recorded)
    x = ag.Tensor(place.array(np.arange(3)))
    for lr in (2, 3, 2, 1, 2, 0.5, 3, 0.25):
        optimizer.param_groups[0]["lr"] = other.param_groups[0]["lr"] = lr
        np.testing.assert_array_equal(recorded(x).numpy(), step(x).numpy())
    assert [each.reason for each in graphs(recorded)] == [None]


def test_there_may_be_any_count_of_numbers(place):
    def make(device):
        w = [ag.Parameter(ag.full(2, i, dtype=ag.float64, device=device)) for i in range(40)]
        optimizer = ag.optim.SGD([{"params": [p], "lr": 0.01 * i} for i, p in enumerate(w)], 0.1)
        weights = [{"params": [p], "weight_decay": 0.01 * i} for i, p in enumerate(w)]
        others = ag.optim.Adam(weights, 0.1)

        def step(x):
            for optim in (optimizer, others):
                optim.zero_grad()
                sum((p * x).sum() for p in w).backward()
                optim.step()

        return step, w

    compare(place, make, [(RNG.normal(size=2),) for _ in range(6)])


@pytest.mark.parametrize("dtype", ["float32", "complex128", "int64"])
def test_signs_are_captured(dtype, place):
    def make(device):
        return ag.sign, []

    x = np.array([-3, 0, 2]).astype(dtype)
    xs = [x, -x, 1j * x if dtype == "complex128" else x[::-1]]
    if dtype == "float32":
        xs.append(np.array([np.nan, -np.inf, -0.0], dtype))
    compare(place, make, [(each,) for each in [x, x, x, *xs]])


def test_many_arrays_are_joined_and_clipped_in_a_graph(place):
    def make(device):
        w = [ag.Parameter(ag.full(2, i / 9, dtype=ag.float32, device=device)) for i in range(11)]
        optimizer = ag.optim.SGD(w, 0.1)

        def step(x):
            optimizer.zero_grad()
            rows = ag.stack([p * x for p in w])
            flat = ag.concat([p * rows for p in w], axis=None)
            (rows.sum() + (flat * flat).sum()).backward()
            norm = ag.nn.utils.clip_grad_norm_(w, 0.5)
            optimizer.step()
            return norm, rows.detach(), ag.concat([rows.detach()] * 70, axis=1)

        return step, w

    compare(place, make, [(RNG.normal(size=2).astype("f4"),) for _ in range(7)])


def test_fourier_transforms_are_not_captured(place):
    def make(device):
        return lambda x: ag.abs(ag.fft.rfft(x)), []

    step = compare(place, make, [(RNG.normal(size=8),) for _ in range(6)], captured=False)
    assert graphs(step) == [None]


def test_a_graph_that_is_not_used_keeps_no_memory(place):
    step = ag.compile(lambda x: ag.linalg.inv(x))
    for _ in range(6):
        step(ag.Tensor(place.array(np.eye(3))))
    [graph] = graphs(step)
    assert graph.reason is not None
    kept = graph._graph, graph._pool, graph._workspace, graph._numbers, *graph._kept
    assert {*kept, *graph._results} == {None}


def test_an_interrupted_capture_has_done_nothing(monkeypatch, place):
    w = ag.Parameter(ag.Tensor(place.array(np.zeros(3))))
    optimizer = ag.optim.SGD([w], 1.0)
    kind = type(backend_of(w.data).graph(lambda: (), []))

    @ag.compile
    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()

    capture = kind._capture

    def interrupt(*args):
        capture(*args)
        raise KeyboardInterrupt

    x = ag.Tensor(place.array(np.ones(3)))
    for i in range(1, 7):
        if i == 4:
            with monkeypatch.context() as patch:
                patch.setattr(kind, "_capture", interrupt)
                with pytest.raises(KeyboardInterrupt):
                    step(x)
        step(x)
        np.testing.assert_array_equal(w.detach().numpy(), np.full(3, -i))
    [graph] = graphs(step)
    assert graph._graph is not None


def test_another_stream_waits_for_the_one_before(monkeypatch, place):
    x = ag.Tensor(place.array(np.ones(3)))
    step = ag.compile(lambda x: x + 1)
    for _ in range(5):
        step(x)
    device = backend_of(x.data).device
    waits = []
    with device:
        cupy = importlib.import_module("cupy")
        one, other = (cupy.cuda.Stream(non_blocking=True) for _ in range(2))
        wait_event = cupy.cuda.Stream.wait_event

        def note(self, event):
            waits.append(self)
            wait_event(self, event)

        monkeypatch.setattr(cupy.cuda.Stream, "wait_event", note)
        for stream in (one, one, other, one):
            with stream:
                step(x)
                stream.synchronize()
    assert waits == [one, other, one]


def test_each_thread_has_a_handle_of_cublas(place):
    own = backend_of(place.array(np.zeros(1)))
    blas = importlib.import_module("agrad.backends.cuda_blas")

    def multiply():
        with own.device, blas.direct(blas.workspace()):
            own.matmul(*(place.array(np.ones((2, 2))) for _ in range(2)))

    multiply()
    before = blas._handle.cache_info().currsize
    thread = threading.Thread(target=multiply)
    thread.start()
    thread.join()
    assert blas._handle.cache_info().currsize == before + 1
