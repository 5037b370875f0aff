"""Mixed precision: types as PyTorch's autocast gives them, and scales as its GradScaler's."""

import math
import pickle
import sys
import threading
import types

import numpy as np
import pytest

import agrad as ag
from agrad.nn import functional as F
from tests.conftest import PARAMS, PLACES, cupy_stand_in, why_no_gpu

HAVE_FLOAT16 = ("numpy", "cupy-stand-in", "cupy", "torch")  # JAX too, which takes long to begin
RNG = np.random.default_rng(0)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _the_same_numbers_for_each_test():
    RNG.bit_generator.state = START


@pytest.fixture(params=[each for each in PARAMS if each.values[0] in HAVE_FLOAT16])
def place(request):
    """Libraries that have float16."""
    enter, *args = PLACES[request.param]
    with enter(*args) as found:
        yield found


def array(*shape, dtype="float32"):
    return (RNG.random(shape) * 0.5 + 0.25).astype(dtype)


# What is computed in which type ------------------------------------------------------------------


def _torch_type(function, shapes, dtypes):
    """Return the type that PyTorch's autocast for CUDA gives; no GPU is needed to find it."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        tensors = [
            torch.empty(shape, dtype=getattr(torch, dtype), device="cuda")
            for shape, dtype in zip(shapes, dtypes, strict=True)
        ]
        torch.set_autocast_enabled("cuda", True)
        torch.set_autocast_dtype("cuda", torch.float16)
        try:
            return str(function(*tensors).dtype).removeprefix("torch.")
        finally:
            torch.set_autocast_enabled("cuda", False)


M, V, CLASSES = (4, 4), (4,), ("classes", 4)

# The function, PyTorch's if it is written otherwise, and the shapes; a "*" stands for float32
SAME = {
    **{
        name: (lambda xp, name=name: getattr(xp, name), [M])
        for name in (
            *("exp", "expm1", "log", "log10", "log1p", "log2", "reciprocal", "sinh", "cosh"),
            *("asin", "acos", "tan", "tanh", "sin", "cos", "sqrt", "abs", "square", "sum", "prod"),
            *("mean", "var"),
        )
    },
    **{
        f"F.{name}": (lambda xp, name=name: getattr(xp.nn.functional, name), [M])
        for name in (
            *("relu", "relu6", "gelu", "silu", "mish", "elu", "selu", "leaky_relu", "softplus"),
            *("softsign", "tanhshrink", "hardtanh", "hardswish", "sigmoid", "logsigmoid", "glu"),
            *("normalize", "dropout", "pdist"),
        )
    },
    **{
        f"F.{name}": (lambda xp, name=name: getattr(xp.nn.functional, name), [M, M])
        for name in (
            *("l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss", "hinge_embedding_loss"),
            *("soft_margin_loss", "poisson_nll_loss", "multilabel_soft_margin_loss"),
            *("binary_cross_entropy_with_logits", "cross_entropy", "cosine_similarity"),
            "pairwise_distance",
        )
    },
    **{
        f"F.{name} of classes": (
            lambda xp, name=name: getattr(xp.nn.functional, name),
            [M, CLASSES],
        )
        for name in ("cross_entropy", "nll_loss", "multi_margin_loss")
    },
    "x ** 2": (lambda xp: lambda x: x**2, [M]),
    "2 ** x": (lambda xp: lambda x: 2**x, [M]),
    "x ** y": (lambda xp: lambda x, y: x**y, [M, M]),
    "x @ y": (lambda xp: lambda x, y: x @ y, [M, "*", M]),
    "x @ vector": (lambda xp: lambda x, y: x @ y, [M, "*", V]),
    "stack @ y": (lambda xp: lambda x, y: x @ y, [(2, 4, 4), "*", M]),
    "einsum": (lambda xp: lambda x, y: xp.einsum("ij,jk->k", x, y), [M, "*", M]),
    "einsum of one": (lambda xp: lambda x: xp.einsum("ij->i", x), [M]),
    "x + y": (lambda xp: lambda x, y: x + y, [M, "*", M]),
    "vector_norm": (lambda xp: xp.linalg.vector_norm, [M]),
    "matrix_norm": (lambda xp: xp.linalg.matrix_norm, [M]),
    "matrix_power": (lambda xp: lambda x: xp.linalg.matrix_power(x, 3), [M]),
    "softmax": (lambda xp: lambda x: xp.nn.functional.softmax(x, 0), [M]),
    "log_softmax": (lambda xp: lambda x: xp.nn.functional.log_softmax(x, 0), [M]),
    "F.linear": (lambda xp: xp.nn.functional.linear, [M, "*", M, "*", V]),
    "F.linear without a bias": (lambda xp: xp.nn.functional.linear, [M, "*", M]),
    "F.prelu": (lambda xp: xp.nn.functional.prelu, [M, "*", (1,)]),
    "F.rms_norm": (lambda xp: lambda *x: xp.nn.functional.rms_norm(x[0], (4,), x[1]), [M, "*", V]),
    "F.rms_norm without a weight": (lambda xp: lambda x: xp.nn.functional.rms_norm(x, (4,)), [M]),
    "F.nll_loss, one by one": (
        lambda xp: lambda *x: xp.nn.functional.nll_loss(*x, reduction="none"),
        [M, CLASSES],
    ),
    "F.layer_norm": (lambda xp: lambda *x: xp.nn.functional.layer_norm(x[0], (4,), *x[1:]), [M, V]),
    "F.group_norm": (lambda xp: lambda *x: xp.nn.functional.group_norm(x[0], 2, *x[1:]), [M, V]),
    "F.batch_norm": (lambda xp: xp.nn.functional.batch_norm, [M, "*", V, "*", V, "*", V, "*", V]),
    "F.instance_norm": (lambda xp: xp.nn.functional.instance_norm, [(2, 3, 4)]),
    "F.local_response_norm": (
        lambda xp: lambda x: xp.nn.functional.local_response_norm(x, 2),
        [(2, 3, 4)],
    ),
    "F.interpolate": (
        lambda xp: lambda x: xp.nn.functional.interpolate(x, scale_factor=2),
        [(2, 3, 4)],
    ),
    "F.max_pool1d": (lambda xp: lambda x: xp.nn.functional.max_pool1d(x, 2), [(2, 3, 4)]),
    "F.avg_pool1d": (lambda xp: lambda x: xp.nn.functional.avg_pool1d(x, 2), [(2, 3, 4)]),
    "F.cosine_embedding_loss": (lambda xp: xp.nn.functional.cosine_embedding_loss, [M, M, V]),
    "F.margin_ranking_loss": (lambda xp: xp.nn.functional.margin_ranking_loss, [V, V, V]),
    "F.triplet_margin_loss": (lambda xp: xp.nn.functional.triplet_margin_loss, [M, M, M]),
    "attention": (lambda xp: xp.nn.functional.scaled_dot_product_attention, [(2, 3, 4)] * 3),
    **{
        f"F.conv{kind}{n}d": (
            lambda xp, name=f"conv{kind}{n}d": getattr(xp.nn.functional, name),
            [(2, 3, *(3,) * n), "*", (3, 3, *(2,) * n), "*", (3,)],
        )
        for kind in ("", "_transpose")
        for n in (1, 2, 3)
    },
}


def _arguments(shapes, dtype):
    """Return the shapes and data types of arguments."""
    dtypes = []
    for i, shape in enumerate(shapes):
        kind = "int64" if shape[0] == "classes" else dtype
        if shape != "*":
            dtypes.append("float32" if i and shapes[i - 1] == "*" else kind)
    shapes = [shape[1:] if shape[0] == "classes" else shape for shape in shapes if shape != "*"]
    return shapes, dtypes


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("name", SAME)
def test_results_have_the_types_of_pytorchs(name, dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    function, shapes = SAME[name]
    shapes, dtypes = _arguments(shapes, dtype)
    tensors = [
        ag.Tensor(np.zeros(shape, int) if kind == "int64" else array(*shape, dtype=kind))
        for shape, kind in zip(shapes, dtypes, strict=True)
    ]
    with ag.amp.autocast("cpu"):
        result = function(ag)(*tensors)
    assert result.dtype == _torch_type(function(torch), shapes, dtypes)


def test_where_results_differ_from_pytorchs():
    x, short = (ag.Tensor(array(4, 4, dtype=dtype)) for dtype in ("float32", "float16"))
    with ag.amp.autocast("cpu"):
        assert ag.tensordot(x, x, axes=1).dtype == ag.float16  # a matrix product as others are
        assert F.bilinear(x, x, ag.reshape(x, (1, 4, 4))).dtype == ag.float16
        assert ag.vecdot(x, x).dtype == ag.float32  # which isn't faster in float16
        assert ag.special.erf(short).dtype == ag.float32  # SciPy has none for float16
        assert F.binary_cross_entropy(short, short).dtype == ag.float32  # PyTorch's is an error
        assert F.nll(short, [0] * 4).dtype == ag.float32
        assert ag.linalg.matrix_norm(short, ord="nuc").dtype == ag.float32  # again an error
        assert F.gaussian_nll_loss(short, short, short).dtype == ag.float32
        assert F.instance_norm(ag.stack([short]), use_input_stats=True).dtype == ag.float16


@pytest.mark.parametrize("call", [ag.sum, ag.prod, ag.cumulative_sum, ag.cumulative_prod])
def test_a_type_that_is_asked_for_is_given(call):
    x = ag.Tensor(array(4, dtype="float16"))
    with ag.amp.autocast("cpu"):
        assert call(x).dtype == ag.float32
        assert call(x, dtype=ag.float16).dtype == ag.float16


def test_ctc_loss_is_computed_in_float32():
    log_p = ag.astype(F.log_softmax(ag.Tensor(array(5, 2, 3)), -1), ag.float16)
    with ag.amp.autocast("cpu"):
        loss = F.ctc_loss(log_p, [[1], [2]], [5, 5], [1, 1])
    assert loss.dtype == ag.float32
    assert loss.item() == F.ctc_loss(log_p.to(ag.float32), [[1], [2]], [5, 5], [1, 1]).item()


def test_what_is_computed_in_float32_reaches_beyond_float16():
    row = np.array([300.0, 400.0, 50000.0, 60000.0])
    x = ag.Tensor(np.stack([row, row]).astype("float16"))
    normal = (row[0] - row.mean()) / row.std()
    with ag.amp.autocast("cpu"):
        results = {
            "sum": (ag.sum(x), 2 * row.sum()),
            "square": (ag.square(x)[0, 0], 300**2),
            "pow": ((x**2)[0, 1], 400**2),
            "exp": (ag.exp(x[0, 0] / 5), math.exp(60)),
            "norm": (ag.linalg.vector_norm(x[0]), np.linalg.norm(row)),
            "mse_loss": (F.mse_loss(x, 0 * x), (row**2).mean()),
            "layer_norm": (F.layer_norm(x, 4)[0, 0], normal),
            "multi_margin_loss": (F.multi_margin_loss(ag.stack([-x[0, 3], x[0, 3]]), 0), 60000),
            "instance_norm": (F.instance_norm(ag.stack([x]))[0, 0, 0], normal),
            "batch_norm": (F.batch_norm(x.T, None, None, training=True)[0, 0], normal),
        }
    for name, (result, expected) in results.items():
        assert result.item() == pytest.approx(expected, rel=2e-3), name


@pytest.mark.parametrize("dtype", ["float64", "complex64", "int64"])
def test_products_with_other_types_are_left_alone(dtype):
    x, y = ag.Tensor(array(3, 3, dtype="float32")), ag.Tensor(np.eye(3).astype(dtype))
    with ag.amp.autocast("cpu"):
        product = x @ y
        assert (y @ y).dtype == dtype
    assert product.dtype == (x @ y).dtype
    np.testing.assert_array_equal(product.tolist(), (x @ y).tolist())
    double = ag.Tensor(1.0 + 2.0**-40)
    with ag.amp.autocast("cpu"):
        assert ag.exp(double).item() == math.exp(double.item())
        assert (ag.linalg.vector_norm(double)).dtype == ag.float64


def test_raw_arrays_lists_and_numbers_are_taken_too():
    x = array(2, 2)
    with ag.amp.autocast("cpu"):
        assert ag.matmul(x, x).dtype == ag.float16
        with pytest.raises(TypeError, match="wrap lists"):  # as without autocast
            ag.matmul([[1.0]], [[2.0]])
        assert ag.einsum("ij,jk", [[1.0]], x[:1]).dtype == ag.float64
        assert ag.exp(x.astype("float16")).dtype == ag.float32
        assert ag.exp(1.0).dtype == ag.float64
        assert np.exp(ag.Tensor(x.astype("float16"))).dtype == ag.float32


NETWORKS = {
    "perceptron": lambda: ag.nn.Sequential(
        ag.nn.Linear(6, 5), ag.nn.GELU(), ag.nn.LayerNorm(5), ag.nn.Linear(5, 3)
    ),
    "convolutions": lambda: ag.nn.Sequential(
        ag.nn.Unflatten(1, (2, 3)),
        ag.nn.Conv1d(2, 4, 2),
        ag.nn.BatchNorm1d(4),
        ag.nn.ReLU(),
        ag.nn.ConvTranspose1d(4, 2, 2),
    ),
    "recurrent": lambda: ag.nn.LSTM(6, 4, proj_size=2),
    "attention": lambda: ag.nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_gradients_in_float32_that_are_near(place, name):
    ag.manual_seed(0)
    network = NETWORKS[name]().to(place.device)
    x = place.tensor(array(4, 6))
    gradients = []
    for enabled in (False, True):
        network.zero_grad()
        with ag.amp.autocast(place.device, enabled=enabled):
            y = network(x)
            y = y[0] if isinstance(y, tuple) else y
            loss = F.mse_loss(y, ag.zeros(y.shape, dtype=ag.float32, device=place.device))
        loss.backward()
        assert loss.dtype == ag.float32
        assert {p.grad.dtype for p in network.parameters()} == {ag.float32}
        gradients.append([place.numpy(p.grad) for p in network.parameters()])
    for exact, found in zip(*gradients, strict=True):
        size = max(np.abs(exact).max(), 0.1)
        np.testing.assert_allclose(found, exact, atol=0.02 * size)
    assert any((a != b).any() for a, b in zip(*gradients, strict=True))


def test_weights_of_recurrent_layers_are_cast_once():
    layer, x = ag.nn.GRU(3, 2), ag.Tensor(array(7, 3))
    with ag.amp.autocast("cpu"):
        y, _ = layer(x)
    casts, waiting, seen = 0, [y._node], set()
    while waiting:
        node = waiting.pop()
        if node in seen or not hasattr(node, "edges"):
            continue
        seen.add(node)
        casts += node.primitive.name == "astype"
        waiting += [parent for parent, _, _ in node.edges]
    assert 4 <= casts < 12  # four parameters, and the state at each place


def test_values_are_those_of_pytorchs_autocast():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, W, b = array(5, 300), array(4, 300), array(4)
    own = [ag.Tensor(each, requires_grad=True) for each in (x, W, b)]
    others = [torch.tensor(each, requires_grad=True) for each in (x, W, b)]
    with ag.amp.autocast("cpu", dtype="float16"):
        y = F.linear(*own)
    with torch.autocast("cpu", dtype=torch.float16):
        z = torch.nn.functional.linear(*others)
    assert str(z.dtype) == f"torch.{y.dtype}" == "torch.float16"
    np.testing.assert_allclose(y.tolist(), z.detach().numpy(), rtol=2e-3)
    (y * 3).sum().backward()
    (z * 3).sum().backward()
    for one, two in zip(own, others, strict=True):
        assert one.grad.dtype == ag.float32
        np.testing.assert_allclose(one.grad.tolist(), two.grad.numpy(), rtol=2e-3)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_bfloat16_where_the_library_has_it(name):
    enter, *args = PLACES[name]
    with enter(*args) as place:
        W = place.tensor(array(3, 3), requires_grad=True)
        with ag.amp.autocast(place.device, dtype=ag.bfloat16):
            y = W @ place.tensor(array(3, 3))
            loss = F.cross_entropy(y, ag.asarray([0, 1, 2], device=place.device))
        assert (y.dtype, loss.dtype) == (ag.bfloat16, ag.float32)
        loss.backward()
        assert W.grad.dtype == ag.float32


# Where it holds ----------------------------------------------------------------------------------


def product_type(device="cpu"):
    x = ag.ones((2, 2), dtype=ag.float32, device=device)
    return str((x @ x).dtype)


def test_contexts_are_nested_and_restored():
    on, off = ag.amp.autocast("cpu"), ag.amp.autocast("cpu", enabled=False)
    with on:
        with off:
            assert product_type() == "float32"
            with on:  # the same once more
                assert product_type() == "float16"
            assert product_type() == "float32"
        assert product_type() == "float16"
        with ag.amp.autocast("torch", dtype="bfloat16"):
            assert product_type() == "float16"
    assert product_type() == "float32"
    with pytest.raises(KeyError), on:
        raise KeyError
    assert product_type() == "float32"


def test_each_type_of_device_has_its_own():
    enter, *args = PLACES["cupy-stand-in"]
    with enter(*args):
        with ag.amp.autocast("cuda"):
            types = [product_type(device) for device in ("cpu", "cuda:0", "cuda:1")]
            assert types == ["float32", "float16", "float16"]
            for device, kind in (("cpu", "float16"), ("cuda:0", "float32")):
                assert ag.exp(ag.ones(1, dtype=ag.float16, device=device)).dtype == kind
            with ag.amp.autocast("cpu"), ag.amp.autocast("cuda:1", enabled=False):
                assert product_type("cpu") == "float16"
                assert product_type("cuda:1") == "float32"
        assert product_type("cuda:1") == "float32"


def test_it_holds_for_the_current_thread():
    types = []
    with ag.amp.autocast("cpu"):
        thread = threading.Thread(target=lambda: types.append(product_type()))
        thread.start()
        thread.join()
    assert types == ["float32"]


def test_it_decorates_functions():
    @ag.amp.autocast("cpu")
    def inside(depth=2):
        return inside(depth - 1) if depth else product_type()

    assert (inside(), inside.__name__, product_type()) == ("float16", "inside", "float32")

    def later():
        yield product_type()

    with pytest.raises(TypeError, match="autocast can't decorate a generator"):
        ag.amp.autocast("cpu")(later)


def test_the_backward_pass_goes_by_what_was_recorded():
    W, x = ag.Parameter(array(3, 3)), array(3, 3)
    gradients = []
    for inside in (False, True):
        W.grad = None
        with ag.amp.autocast("cpu"):
            y = (W @ x).sum()
            if inside:
                y.backward()
        if not inside:
            y.backward()
        gradients.append(W.grad.tolist())
    assert gradients[0] == gradients[1]


def test_checkpoints_run_again_as_they_ran():
    W = ag.Parameter(array(3, 3))
    x = ag.Tensor(array(3, 3))
    gradients = []
    for run in (lambda: x @ W, lambda: ag.checkpoint(lambda x: x @ W, x)):
        W.grad = None
        with ag.amp.autocast("cpu"):
            y = run()
        assert y.dtype == ag.float16
        y.sum().backward()
        gradients.append(W.grad.tolist())
    assert gradients[0] == gradients[1]
    assert product_type() == "float32"


def test_gradients_of_gradients():
    W = ag.Tensor(array(3, 3))

    def loss(W):
        return F.mse_loss(ag.tanh(W @ W), ag.zeros((3, 3), dtype=ag.float32))

    exact, found = ag.hvp(loss, W, W), ag.hvp(ag.amp.autocast("cpu")(loss), W, W)
    assert (exact != found).any()
    assert found.dtype == ag.float32
    np.testing.assert_allclose(found.tolist(), exact.tolist(), atol=0.02)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("gpu",), ValueError, "no devices of type 'gpu'; known are cpu, cuda"),
        ((None,), ValueError, "no devices of type None"),
        (("cpu", "float32"), ValueError, "float16 or bfloat16 as the short type, got float32"),
        (("cpu", "half"), TypeError, "'half' is no data type"),
        (("cpu", "bfloat16"), TypeError, "'cpu' has no bfloat16; it has float16"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        ag.amp.autocast(*arguments)


def test_libraries_without_short_types_are_refused():
    x = ag.ones((2, 2), dtype=ag.float32, device="array_api_strict:CPU_DEVICE")
    with pytest.raises(TypeError, match="has no float16; nor another short type"):
        ag.amp.autocast(x.device)
    ag.amp.autocast(x.device, enabled=False)


# Recorded steps ----------------------------------------------------------------------------------


def test_a_step_is_not_replayed_in_another_precision():
    layer, x = ag.nn.Linear(3, 2), ag.Tensor(array(4, 3))
    step = ag.compile(lambda x: layer(x).detach())
    for _ in range(4):
        for enabled in (False, True):
            with ag.amp.autocast("cpu", enabled=enabled):
                assert step(x).dtype == ("float16" if enabled else "float32")
    assert step.program().count("def ") == 2  # they are kept beside each other


def training(wrap, scaled, steps=8):
    """Return losses, scales and weights of some steps with autocast inside."""
    ag.manual_seed(0)
    rng = np.random.default_rng(0)
    network = ag.nn.Sequential(ag.nn.Linear(6, 8), ag.nn.ReLU(), ag.nn.Linear(8, 3))
    optimizer = ag.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    scaler = ag.amp.GradScaler("cpu", init_scale=8, growth_interval=2, enabled=scaled)

    def forward(x, y):
        optimizer.zero_grad()
        with ag.amp.autocast("cpu"):
            loss = F.cross_entropy(network(x), y)
        scaler.scale(loss).backward()
        if not scaled:
            optimizer.step()
        return loss

    step, values = wrap(forward), []
    x = ag.Tensor(rng.standard_normal((4, 6)).astype("float32"))
    y = ag.Tensor(rng.integers(0, 3, 4))
    for _ in range(steps):
        values += [step(x, y).item(), scaler.get_scale()]
        if scaled:
            scaler.step(optimizer)
            scaler.update()
    return values, network[0].weight.tolist(), step


@pytest.mark.parametrize("scaled", [False, True])
def test_a_recorded_step_does_what_the_step_does(scaled):
    values, weights, _ = training(lambda step: step, scaled)
    same_values, same_weights, step = training(ag.compile, scaled)
    assert "astype" in step.program()  # which isn't empty
    np.testing.assert_allclose(same_values, values, rtol=1e-5)
    np.testing.assert_allclose(same_weights, weights, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["step", "unscale_"])
def test_a_recorded_step_that_looks_at_gradients_is_refused(method):
    w = ag.Parameter([1.0])
    optimizer, scaler = ag.optim.SGD([w], 0.1), ag.amp.GradScaler("cpu")
    scaler.scale(w)

    def step():
        scaler.scale(w * 2.0).backward()
        getattr(scaler, method)(optimizer)

    with pytest.raises(RuntimeError, match=f"can't call GradScaler.{method} .*test_amp.py, line"):
        ag.compile(step)()


# Scaling -----------------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": lambda xp, ps: xp.optim.SGD(ps, lr=0.1, momentum=0.9),
    "Adam": lambda xp, ps: xp.optim.Adam(ps, lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("seed", range(3))
def test_scalers_do_what_pytorchs_do(name, seed):
    """With gradients that are infinite or NaN now and then, and scales that grow in between."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(seed)
    start = [rng.standard_normal(shape).astype("float32") for shape in ((3,), (2, 2), ())]
    own = [ag.Parameter(x) for x in start]
    others = [torch.nn.Parameter(torch.tensor(x)) for x in start]
    settings = {"init_scale": 3.0, "growth_factor": 4.0, "backoff_factor": 0.3}
    settings["growth_interval"] = 2
    sides = [
        (ag, own, OPTIMIZERS[name](ag, own), ag.amp.GradScaler("cpu", **settings)),
        (torch, others, OPTIMIZERS[name](torch, others), torch.amp.GradScaler("cpu", **settings)),
    ]
    for i in range(14):
        gradients = [rng.standard_normal(x.shape).astype("float32") for x in start]
        if rng.random() < 0.35:
            gradients[rng.integers(2)].flat[0] = rng.choice([np.inf, -np.inf, np.nan])
        left_out = rng.integers(3) if i % 3 == 0 else None
        before_step, replace = rng.random() < 0.4, i == 9
        for xp, params, optimizer, scaler in sides:
            scale = scaler.get_scale()
            loss = sum((p * 0).sum() for p in params)
            scaler.scale(loss)
            for k, (p, g) in enumerate(zip(params, gradients, strict=True)):
                p.grad = None if k == left_out else xp.asarray(g * np.float32(scale))
            if before_step:
                scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update(5.0 if replace else None)
        (_, _, _, one), (_, _, _, two) = sides
        assert one.state_dict() == pytest.approx(two.state_dict(), rel=1e-6)
        for p, q in zip(own, others, strict=True):
            np.testing.assert_allclose(p.tolist(), q.tolist(), rtol=2e-5, atol=1e-6)
            if p.grad is not None:
                np.testing.assert_allclose(p.grad.tolist(), q.grad.tolist(), rtol=1e-5)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
@pytest.mark.parametrize("kind", ["Adam", "RMSprop", "Adagrad", "Adafactor", "Muon", "Lion"])
def test_a_step_with_overflow_changes_nothing(kind, bad):
    W = ag.Parameter(array(3, 2))
    make = getattr(ag.optim, kind)
    optimizer, scaler = make([W], lr=0.1), ag.amp.GradScaler("cpu", growth_interval=1)
    for factor in (1.0, bad):
        optimizer.zero_grad()
        scaler.scale((W * W).sum()).backward()
        W.grad *= factor
        before = W.tolist(), repr(optimizer.state_dict()), scaler.get_scale()
        scaler.step(optimizer)
        after = W.tolist(), repr(optimizer.state_dict())
        scaler.update()
        changed = before[0] != after[0], before[1] != after[1]
        if factor == 1.0:
            assert changed[0]
            assert scaler.get_scale() == 2 * before[2]
        else:
            assert changed == (False, False)
            assert scaler.get_scale() == before[2] / 2


def test_scaling_on_every_library(backend):
    W, b = (ag.Parameter(backend.array(array(*shape))) for shape in ((3, 2), (2,)))
    start = backend.numpy(W).copy()
    optimizer = ag.optim.SGD([W, b], lr=0.5)
    scaler = ag.amp.GradScaler(backend.device, init_scale=1024.0)
    (W.sum() + 2 * b.sum()).backward()
    plain = backend.numpy(W.grad).copy()
    optimizer.zero_grad()
    scaler.scale(W.sum() + 2 * b.sum()).backward()
    np.testing.assert_array_equal(backend.numpy(W.grad), 1024 * plain)
    scaler.unscale_(optimizer)
    np.testing.assert_array_equal(backend.numpy(W.grad), plain)
    scaler.step(optimizer)
    scaler.update()
    np.testing.assert_allclose(backend.numpy(W), start - 0.5)
    W.grad = ag.Tensor(backend.array(np.full((3, 2), np.nan, "float32")))
    scaler.step(optimizer)
    scaler.update()
    np.testing.assert_allclose(backend.numpy(W), start - 0.5)
    assert scaler.get_scale() == 512
    loss = scaler.scale(W.sum())
    assert (loss.device, loss.dtype) == (W.device, ag.float32)
    np.testing.assert_allclose(backend.numpy(loss), 512 * backend.numpy(W).sum(), rtol=1e-5)


def test_parameters_on_several_devices():
    enter, *args = PLACES["cupy-stand-in"]
    with enter(*args):
        p, q = ag.Parameter([1.0]), ag.Parameter(ag.Tensor([1.0], dtype="float32", device="cuda:1"))
        optimizer, scaler = ag.optim.SGD([p, q], lr=1.0), ag.amp.GradScaler(init_scale=4)
        for loss in scaler.scale((p * 0.5, q * 0.25)):
            loss.sum().backward()
        scaler.step(optimizer)
        assert (p.item(), q.item()) == (0.5, 0.75)
        scaler.update()
        q.grad = q.grad * math.inf
        scaler.step(optimizer)
        assert (p.item(), q.item()) == (0.5, 0.75)


def test_training_in_float16_reaches_the_loss_of_float32(place):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((32, 4)).astype("float32")
    y = place.tensor((x[:, :1] * x[:, 1:2]).astype("float32"))
    x = place.tensor(x)
    losses = []
    for enabled in (False, True):
        ag.manual_seed(0)
        network = ag.nn.Sequential(ag.nn.Linear(4, 16), ag.nn.Tanh(), ag.nn.Linear(16, 1))
        network.to(place.device)
        optimizer = ag.optim.Adam(network.parameters(), lr=0.03)
        scaler = ag.amp.GradScaler(place.device, enabled=enabled)
        for _ in range(40):
            optimizer.zero_grad()
            with ag.amp.autocast(place.device, enabled=enabled):
                loss = F.mse_loss(network(x), y)
            with np.errstate(over="ignore", invalid="ignore"):
                scaler.scale(loss * 100).backward()  # at first some overflow
            scaler.step(optimizer)
            scaler.update()
        losses.append(loss.item())
    assert scaler.get_scale() < 2**16
    assert losses[0] < 0.4
    assert losses[1] == pytest.approx(losses[0], abs=0.1)


def test_small_gradients_are_kept_by_scaling():
    x = ag.Tensor(np.full((1, 1), 2.0**-14, "float32"))
    gradients = []
    for scaler in (ag.amp.GradScaler("cpu", enabled=False), ag.amp.GradScaler("cpu")):
        W = ag.Parameter([[1.0]])
        with ag.amp.autocast("cpu"):
            loss = (x @ W).sum() * 2.0**-13
        scaler.scale(loss).backward()
        optimizer = ag.optim.SGD([W], lr=1.0)
        scaler.unscale_(optimizer)
        gradients.append(W.grad.item())
    assert gradients == [0.0, 2.0**-27]


def ready(**settings):
    w = ag.Parameter([1.0, 2.0])
    optimizer, scaler = ag.optim.SGD([w], lr=0.25), ag.amp.GradScaler("cpu", **settings)
    scaler.scale((w * w).sum()).backward()
    return w, optimizer, scaler


def test_the_order_of_calls_is_checked():
    w, optimizer, scaler = ready()
    fresh = ag.amp.GradScaler("cpu")
    for call in (fresh.step, fresh.unscale_):
        with pytest.raises(RuntimeError, match=r"no loss has been scaled"):
            call(optimizer)
    with pytest.raises(RuntimeError, match="no gradients have been looked at"):
        scaler.update()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="called for this optimizer already"):
        scaler.unscale_(optimizer)
    assert w.grad.tolist() == [2.0, 4.0]
    scaler.step(optimizer)
    for call in (scaler.step, scaler.unscale_):
        with pytest.raises(RuntimeError, match="call update"):
            call(optimizer)
    scaler.update()
    with pytest.raises(RuntimeError, match="no gradients have been looked at"):
        scaler.update()
    optimizer.zero_grad()
    with pytest.raises(RuntimeError, match="no parameter of this optimizer has a gradient"):
        scaler.step(optimizer)
    assert w.tolist() == [0.5, 1.0]


def test_unscaling_alone_is_enough_for_an_update():
    w, optimizer, scaler = ready()
    w.grad *= math.inf
    scaler.unscale_(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2**15


@pytest.mark.parametrize("order", [1, -1])
def test_one_optimizer_with_overflow_makes_the_scale_smaller(order):
    w, optimizer, scaler = ready(growth_interval=1)
    v = ag.Parameter([1.0])
    other = ag.optim.SGD([v], lr=0.25)
    v.grad = ag.Tensor([math.inf], dtype="float32")
    for each in [other, optimizer][::order]:
        scaler.step(each)
    scaler.update()
    assert (v.tolist(), w.tolist(), scaler.get_scale()) == ([1.0], [0.5, 1.0], 2**15)


def test_other_things_are_refused():
    w, optimizer, scaler = ready()
    with pytest.raises(TypeError, match="takes an Optimizer, got Parameter"):
        scaler.step(w)
    with pytest.raises(RuntimeError, match="takes no closure"):
        scaler.step(optimizer, lambda: None)
    for wrong in (3.0, "loss", np.ones(2)):
        with pytest.raises(TypeError, match=r"scale takes a Tensor, or several, got"):
            scaler.scale(wrong)
    short = ag.Parameter(array(2, dtype="float16"))
    short.grad = ag.Tensor(array(2, dtype="float16"))
    with pytest.raises(ValueError, match="keep parameters in float32"):
        scaler.step(ag.optim.SGD([short], lr=0.1))
    for scale in (0.0, math.inf, "1"):
        with pytest.raises(ValueError, match="the new scale must be a number that is positive"):
            scaler.update(scale)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("init_scale", 0.0),
        ("init_scale", math.inf),
        ("growth_factor", 1.0),
        ("growth_factor", "2"),
        ("backoff_factor", 1.0),
        ("backoff_factor", 0.0),
        ("growth_interval", 0),
        ("growth_interval", 2.0),
        ("device", "gpu"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, value):
    with pytest.raises(ValueError, match="device" if setting == "device" else setting):
        ag.amp.GradScaler(**{setting: value})


def test_several_losses_are_scaled_in_their_form():
    scaler = ag.amp.GradScaler("cpu", init_scale=2.0)
    one, two = ag.Tensor([1.0]), ag.Tensor([3.0])
    scaled = scaler.scale([one, (two, one)])
    assert type(scaled[1]) is tuple
    assert [scaled[0].item(), scaled[1][0].item(), scaled[1][1].item()] == [2.0, 6.0, 2.0]
    assert [x.item() for x in scaler.scale(x for x in (one, two))] == [2.0, 6.0]


def test_a_scaler_that_is_not_enabled_does_nothing():
    w = ag.Parameter([1.0])
    optimizer, scaler = ag.optim.SGD([w], lr=0.5), ag.amp.GradScaler("cpu", enabled=False)
    loss = w.sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale_(optimizer)
    assert scaler.step(optimizer, lambda: "given") == "given"
    scaler.update()
    assert (w.item(), scaler.get_scale(), scaler.is_enabled()) == (0.5, 1.0, False)
    assert scaler.state_dict() == {}
    scaler.load_state_dict({"scale": 3.0})
    assert scaler.get_scale() == 1.0


def test_state_is_saved_and_loaded():
    _, optimizer, scaler = ready(growth_interval=3)
    assert scaler.is_enabled()
    scaler.step(optimizer)
    scaler.update()
    state = scaler.state_dict()
    assert state == {
        "scale": 65536.0,
        "growth_factor": 2.0,
        "backoff_factor": 0.5,
        "growth_interval": 3,
        "_growth_tracker": 1,
    }
    other = ag.amp.GradScaler("cpu", init_scale=1.0)
    one = ag.Tensor([1.0])
    assert other.scale(one).item() == 1
    other.load_state_dict(state)
    assert other.state_dict() == state
    assert other.scale(one).item() == 65536
    assert pickle.loads(pickle.dumps(other)).state_dict() == state
    with pytest.raises(RuntimeError, match="empty"):
        other.load_state_dict({})
    with pytest.raises(ValueError, match="has no scale, _growth_tracker"):
        other.load_state_dict({k: v for k, v in state.items() if k in list(state)[1:4]})
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.amp.GradScaler("cpu")
    theirs.load_state_dict(state)
    other.load_state_dict(theirs.state_dict())
    assert other.state_dict() == state


def test_a_scale_does_not_grow_beyond_float32():
    w, optimizer, _ = ready()
    scaler = ag.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=1)
    scaler.scale(w * 0.0)
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**127


# How exactly float32 is multiplied ---------------------------------------------------------------


@pytest.fixture
def precision():
    yield
    ag.set_float32_matmul_precision("highest")
    ag.backends.matmul_precision.chosen = None


def test_precision_can_be_chosen_where_cupy_cant_be_imported(precision, monkeypatch):
    name = "agrad.backends.cupy"  # what importers such as pytest's leave there
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    ag.set_float32_matmul_precision("high")
    assert ag.get_float32_matmul_precision() == "high"


def test_precision_of_products(precision):
    assert ag.get_float32_matmul_precision() == "highest"
    for name in ("medium", "high", "highest"):
        ag.set_float32_matmul_precision(name)
        assert ag.get_float32_matmul_precision() == name
        x = ag.Tensor([[1.0 + 2.0**-20]], dtype="float32")
        assert (x @ ag.ones((1, 1), dtype="float32")).item() == 1.0 + 2.0**-20
    for wrong in ("low", None, 1):
        with pytest.raises(ValueError, match="one of highest, high, medium; got"):
            ag.set_float32_matmul_precision(wrong)
    assert ag.get_float32_matmul_precision() == "highest"


def test_precision_goes_to_cupy(precision):
    # Before and after CuPy has been used
    for early in (False, True):
        with cupy_stand_in().installed(devices=1) as cupy:
            compute_type = cupy._core.get_compute_type
            if early:
                ag.set_float32_matmul_precision("high")
                assert compute_type(cupy.float32) == 1  # nobody has used CuPy yet
            ag.ones(1, device="cuda")
            assert compute_type(cupy.float32) == (7 if early else 1)
            for name, number in (("medium", 7), ("highest", 1), ("high", 7)):
                ag.set_float32_matmul_precision(name)
                assert compute_type(cupy.float32) == number


def test_precision_can_be_chosen_without_a_gpu(precision):
    with cupy_stand_in().installed(devices=0):
        with pytest.raises(RuntimeError, match="no GPU can be used"):
            ag.ones(1, device="cuda")
        ag.set_float32_matmul_precision("high")
    assert ag.get_float32_matmul_precision() == "high"


@pytest.mark.cuda
@pytest.mark.skipif(bool(why_no_gpu()), reason=why_no_gpu())
def test_precision_on_a_gpu(precision):
    import cupy

    x = ag.full((128, 128), 1 + 2.0**-14, dtype=ag.float32, device="cuda")
    identity = ag.eye(128, dtype=ag.float32, device="cuda")
    knows_tf32 = int(cupy.cuda.Device().compute_capability) >= 80
    for name, error in (("highest", 0.0), ("high", 2.0**-10), ("highest", 0.0)):
        if name == "highest" or knows_tf32:  # else CuPy warns
            ag.set_float32_matmul_precision(name)
            assert cupy._core.get_compute_type(cupy.float32) == (1 if name == "highest" else 7)
            assert ag.abs(x @ identity - x).max().item() <= error
