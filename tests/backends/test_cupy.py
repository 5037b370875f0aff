"""The CUDA path: on CuPy's stand-in, with two pretend devices, and on a GPU where there is one.

Everything happens on a device that is not the current one, where the machine has two: whatever
forgets to switch is refused by the stand-in.
"""

import copy
import pickle
import threading

import numpy as np
import pytest

import agrad as ag
from agrad import Tensor
from agrad.nn import functional as F
from tests.conftest import why_no_gpu
from tests.cupy_stand_in import installed

REAL = pytest.param(
    "a GPU", marks=[pytest.mark.cuda, pytest.mark.skipif(bool(why_no_gpu()), reason=why_no_gpu())]
)


@pytest.fixture(params=["the stand-in", REAL])
def cupy(request):
    """CuPy, or its stand-in; device 0 is the current one, before and after."""
    if request.param == "a GPU":
        import cupy

        yield cupy
        assert cupy.cuda.runtime.getDevice() == 0
    else:
        with installed(devices=2) as module:
            yield module
            assert module.cuda.runtime.getDevice() == 0


@pytest.fixture
def stand_in():
    with installed(devices=2) as module:
        yield module


@pytest.fixture
def device(cupy):
    """A device that isn't the current one, if there are two."""
    return f"cuda:{cupy.cuda.runtime.getDeviceCount() - 1}"


def check_home(tensor, device, cupy):
    """Check that a Tensor is a CuPy array on a device, and says so."""
    assert tensor.device == device
    assert type(tensor.data) is cupy.ndarray
    assert f"cuda:{tensor.data.device.id}" == device


# Making and moving -------------------------------------------------------------------------------

MAKERS = {
    "a number": lambda d: Tensor(1.5, device=d),
    "a list": lambda d: Tensor([1.0, 2.0], device=d),
    "a NumPy array": lambda d: Tensor(np.ones((2, 3)), device=d),
    "a Tensor": lambda d: Tensor(Tensor([1.0]), device=d, requires_grad=True),
    "a data type": lambda d: Tensor([1, 2], dtype=ag.float32, device=d),
    "Parameter": lambda d: ag.Parameter([1.0], device=d),
    "velocity": lambda d: ag.Parameter([1.0], device=d).velocity,
    "asarray": lambda d: ag.asarray([1.0], device=d),
    "zeros": lambda d: ag.zeros((2, 3), device=d),
    "ones": lambda d: ag.ones(3, dtype="float32", device=d),
    "empty": lambda d: ag.empty((2,), device=d),
    "full": lambda d: ag.full((2,), 3.0, device=d),
    "arange": lambda d: ag.arange(3, device=d),
    "linspace": lambda d: ag.linspace(0, 1, 3, device=d),
    "eye": lambda d: ag.eye(3, device=d),
    "zeros_like": lambda d: ag.zeros_like(Tensor([1.0], device=d)),
    "ones_like": lambda d: ag.ones_like(Tensor([1.0], device=d)),
    "uniform": lambda d: ag.random.Generator(0).uniform(0, 1, (3,), device=d),
    "normal": lambda d: ag.random.Generator(0).normal(0, 1, (3,), device=d),
    "permutation": lambda d: ag.random.Generator(0).permutation(5, device=d),
    "to": lambda d: Tensor([1.0]).to(d),
    "cuda": lambda d: Tensor([1.0]).cuda(int(d[-1])),
    "to_device": lambda d: ag.to_device(Tensor([1.0]), d),
    "Linear": lambda d: ag.nn.Linear(3, 2, device=d).weight,
    "Module.to": lambda d: ag.nn.Linear(3, 2).to(d).bias,
    "state_dict": lambda d: ag.nn.Linear(3, 2, device=d).state_dict()["weight"],
    "kaiming_init": lambda d: ag.nn.init.kaiming_init(ag.zeros((3, 2), device=d)),
    "zero_init": lambda d: ag.nn.init.zero_init(ag.empty((3,), device=d)),
    "deepcopy": lambda d: copy.deepcopy(Tensor([1.0], device=d)),
    "pickle": lambda d: pickle.loads(pickle.dumps(Tensor([1.0], device=d))),
}


@pytest.mark.parametrize("how", MAKERS)
def test_what_is_made_on_a_device_is_there(how, cupy, device):
    made = MAKERS[how](device)
    check_home(made, device, cupy)
    if how != "empty":
        expected = MAKERS[how]("cpu") if how != "cuda" else Tensor([1.0])
        assert made.dtype == expected.dtype
        if how not in ("Linear", "Module.to", "state_dict", "kaiming_init"):
            np.testing.assert_array_equal(made.data.get(), expected.data)


def test_cuda_without_a_number_is_the_current_device(cupy, device):
    assert Tensor([1.0], device="cuda").device == "cuda:0"
    with cupy.cuda.Device(int(device[-1])):
        assert Tensor([1.0], device="cuda").device == device
        assert Tensor([1.0]).cuda().device == device
        check_home(Tensor([1.0], device="cuda:0") * 2, "cuda:0", cupy)


def test_a_cupy_array_stays_where_it_is(cupy, device):
    with cupy.cuda.Device(int(device[-1])):
        raw = cupy.asarray(np.array([1.0, 2.0]))
    tensor = Tensor(raw)
    assert tensor.data is raw
    check_home(tensor * 2, device, cupy)


def test_a_gradient_travels_back_the_way_the_tensor_came(cupy, device):
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x.to(device)
    z = (y * y).to("cuda:0")
    out = (z * z).cpu().sum()
    assert [t.device for t in (y, z, out)] == [device, "cuda:0", "cpu"]
    y.retain_grad()
    out.backward()
    np.testing.assert_allclose(x.grad.numpy(), [4, 32])  # 4 x**3
    assert x.grad.device == "cpu"
    check_home(y.grad, device, cupy)

    x.grad = None
    (x.to(device) ** 3).sum().cpu().backward(create_graph=True)
    first, x.grad = x.grad, None
    first.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [6, 12])  # 6 x


def test_values_come_to_the_host_when_asked_for(cupy, device):
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], device=device)
    for host in (x.numpy(), x.cpu().data, x.to("cpu").data):
        assert type(host) is np.ndarray
        np.testing.assert_array_equal(host, [[1, 2], [3, 4]])
    assert x.tolist() == [[1, 2], [3, 4]]
    assert x.sum().item() == float(x.sum()) == int(x.sum()) == 10
    assert bool(x[0, 0] == 1)
    assert [row.tolist() for row in x] == x.tolist()
    assert range(5)[x.to(ag.int64)[0, 1]] == 2
    assert repr(x) == f"Tensor([[1., 2.],\n        [3., 4.]], dtype=float64, device='{device}')"
    assert repr(ag.Parameter([1.0], name="w", device=device)) == (
        f"Parameter([1.], dtype=float32, name='w', device='{device}', requires_grad=True)"
    )


def test_nothing_comes_to_the_host_unasked(cupy, device):
    x = Tensor([1.0, 2.0], device=device)
    with pytest.raises(TypeError, match=rf"this Tensor is on '{device}'; use .cpu\(\)"):
        np.asarray(x)
    for other in (Tensor([1.0, 2.0]), np.array([1.0, 2.0])):
        for act in (
            lambda y: x + y,
            lambda y: y * x,
            lambda y: ag.where(x > 1, x, y),
            lambda y: ag.concat([x, Tensor(y)]),
            lambda y: x @ y,
            lambda y: x.backward(y) if x.requires_grad else x + y,
        ):
            with pytest.raises(RuntimeError) as error:
                act(other)
            assert f"'{device}'" in str(error.value)
            assert "'cpu'" in str(error.value)


def test_two_gpus_in_one_call_are_an_error_that_names_both(stand_in):
    x, y = Tensor([1.0], device="cuda:0"), Tensor([1.0], device="cuda:1")
    for act in (lambda: x + y, lambda: ag.matmul(x, y), lambda: x[Tensor([0], device="cuda:1")]):
        with pytest.raises(RuntimeError) as error:
            act()
        assert "'cuda:0'" in str(error.value)
        assert "'cuda:1'" in str(error.value)


# Functions and gradients -------------------------------------------------------------------------

GOLD = np.array([2, 0, 3])

# A function of x, of shape (3, 4), and y, of shape (4,)
FUNCTIONS = {
    "broadcast +": lambda x, y: x + y,
    "broadcast * both ways": lambda x, y: x[:, :1] * y,
    "reflected": lambda x, y: 1.0 - x / (2.0 + y * y),
    "power": lambda x, y: (x * x) ** 1.5 + 2.0**y,
    "@": lambda x, y: x @ y,
    "@ transposed": lambda x, y: x @ x.T,
    "exp log sqrt": lambda x, y: ag.exp(x) + ag.log(x * x + 1) + ag.sqrt(y * y + 1),
    "sin atan2": lambda x, y: ag.sin(x) * ag.atan2(x, y),
    "maximum": lambda x, y: ag.maximum(x, y) - ag.minimum(x, 0.5),
    "where": lambda x, y: ag.where(x > y, x * x, y),
    "clip abs": lambda x, y: ag.clip(x, -0.5, 0.5) + abs(y),
    "sum": lambda x, y: x.sum(axis=0) * y.sum(),
    "mean var": lambda x, y: x.mean(axis=1, keepdims=True) + ag.var(x, axis=0),
    "max": lambda x, y: x.max(axis=1) + y.max(),
    "prod": lambda x, y: ag.prod(x, axis=0),
    "cumulative_sum": lambda x, y: ag.cumulative_sum(x, axis=1),
    "reshape": lambda x, y: (x.reshape(2, 6) * 2).reshape(-1),
    "concat stack": lambda x, y: ag.concat([x, ag.stack([y, y * y])]),
    "slice": lambda x, y: x[1:, ::2] * 3,
    "integers": lambda x, y: x[ag.Tensor([0, 2, 0], device=x.device)],
    "list": lambda x, y: x[[0, 2, 0]] * y,
    "mask": lambda x, y: x[x > 0],
    "relu tanh": lambda x, y: F.relu(x) + F.tanh(y),
    "softmax": lambda x, y: F.softmax(x) * F.log_softmax(y),
    "affine_transform": lambda x, y: F.affine_transform(y, x, x[:, 0]),
    "affine_transform of a batch": lambda x, y: F.affine_transform(x, x, y[:3]),
    "nll": lambda x, y: F.nll(x, Tensor(GOLD, device=x.device)) + F.nll(y, 1),
    "nll, class on the card": lambda x, y: F.nll(y, Tensor(GOLD, device=x.device)[1]),
    "nll, list": lambda x, y: F.cross_entropy(x, [2, 0, 3], reduction="none"),
    "cast": lambda x, y: x.to(ag.float32).to(ag.float64) * y,
}


def run(function, device):
    """Return the result, the gradients, and the gradients of gradients, checked to be at home."""
    rng = np.random.default_rng(0)
    x, y = (Tensor(rng.normal(size=s), device=device, requires_grad=True) for s in [(3, 4), (4,)])
    out = function(x, y)
    u = Tensor(np.cos(np.arange(out.size)).reshape(out.shape), device=device)
    out.backward(u)
    first = [x.grad, y.grad]
    x.grad = y.grad = None
    (function(x, y) * u).sum().backward(create_graph=True)
    again = [x.grad, y.grad]
    x.grad = y.grad = None
    slope = (0 * x).sum() + (0 * y).sum()
    for i, g in enumerate(again, 2):
        slope = slope if g is None else slope + (g * g).sum() * float(i)
    slope.backward()
    return [out, *first, *again, x.grad, y.grad]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_and_gradients_are_the_cpus(name, cupy, device):
    results = run(FUNCTIONS[name], device)
    for result, expected in zip(results, run(FUNCTIONS[name], "cpu"), strict=True):
        assert (result is None) == (expected is None)
        if result is not None:
            check_home(result, device, cupy)
            np.testing.assert_allclose(result.data.get(), expected.data, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape", [(2, 3, 4), (5, 2, 3, 4), (0, 3, 4), (2, 3, 0)])
def test_a_stack_times_a_matrix_is_one_product(shape, cupy, device, monkeypatch):
    """Tensor cores serve no others in CuPy, and layers of sequences multiply by one matrix."""
    rng, ndims = np.random.default_rng(0), []
    x, W = (rng.random(each).astype("float32") for each in (shape, (5, shape[-1])))
    own = cupy.matmul
    monkeypatch.setattr(
        cupy, "matmul", lambda *args: ndims.append([a.ndim for a in args]) or own(*args)
    )
    X, V = (Tensor(each, device=device, requires_grad=True) for each in (x, W))
    y = X @ V.T
    z = F.linear(X, V, ag.zeros(5, dtype="float32", device=device))
    (y + z).sum().backward()
    assert [2, 2] in ndims
    assert [len(shape), 2] not in ndims
    for product in (y, z):
        np.testing.assert_allclose(product.data.get(), x @ W.T, rtol=1e-5)
    np.testing.assert_allclose(X.grad.data.get(), 2 * np.ones((*shape[:-1], 5)) @ W, rtol=1e-5)
    np.testing.assert_allclose(
        V.grad.data.get(), 2 * np.ones((5, 1)) * x.sum(axis=tuple(range(len(shape) - 1))), rtol=1e-5
    )


def test_gradients_accumulate_on_the_device(cupy, device):
    x = Tensor([1.0, 2.0], device=device, requires_grad=True)
    for expected in ([2, 4], [4, 8], [6, 12]):
        (x * x).sum().backward()
        check_home(x.grad, device, cupy)
        assert x.grad.tolist() == expected
    y = x * 2
    (y.sum() + (y * y).sum()).backward()  # two paths meet
    assert x.grad.tolist() == [16, 30]


def test_hooks_see_gradients_on_the_device(cupy, device):
    x = Tensor([1.0, 2.0], device=device, requires_grad=True)
    seen = []

    def double(g):
        seen.append(g)
        return g * 2

    y = x * x
    x.register_hook(double)
    y.register_hook(double)
    y.sum().backward()
    for g in seen:
        check_home(g, device, cupy)
    assert [g.tolist() for g in seen] == [[1, 1], [4, 8]]
    assert x.grad.tolist() == [8, 16]


def test_a_graph_made_in_one_thread_is_walked_in_another(cupy, device):
    x = Tensor([1.0, 2.0], device=device, requires_grad=True)
    y = (x * x).sum()
    errors = []

    def walk():  # here device 0 is the current one, as in each new thread
        try:
            y.backward()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=walk)
    thread.start()
    thread.join()
    assert not errors
    check_home(x.grad, device, cupy)
    assert x.grad.tolist() == [2, 4]


# Training ----------------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": lambda params: ag.optim.SGD(params, lr=0.1),
    "MomentumSGD": lambda params: ag.optim.MomentumSGD(params, lr=0.1, momentum=0.9),
}


def step(model, optimizer, images, labels):
    loss = F.nll(model(images), labels)
    optimizer.zero_grad()
    loss.backward(1.0)
    optimizer.step()


def trained(device, optimizer, tanh, batch, steps=20):
    """Return a network's parameters after some steps, on images that lie on its device."""
    ag.manual_seed(0)
    model = ag.models.DeepNetwork(6, 4, hidden_dim=5, n_layers=3, tanh=tanh, device=device)
    model.to(ag.float64)
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    rng = np.random.default_rng(1)
    images = Tensor(rng.normal(size=(30, 6)), device=device)
    labels = Tensor(rng.integers(0, 4, 30), device=device)
    order = ag.random.Generator(2).permutation(30, device=device)
    for i in range(steps):
        chosen = order[i] if batch == 1 else order[i : i + batch]
        step(model, optimizer, images[chosen], labels[chosen])
    return list(model.parameters())


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("tanh", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_gives_the_cpus_weights(optimizer, tanh, batch, cupy, device):
    there = trained(device, optimizer, tanh, batch)
    here = trained("cpu", optimizer, tanh, batch)
    start = trained("cpu", optimizer, tanh, batch, steps=0)
    for p, q, before in zip(there, here, start, strict=True):
        check_home(p, device, cupy)
        check_home(p.grad, device, cupy)
        check_home(p.velocity, device, cupy)
        np.testing.assert_allclose(p.data.get(), q.data, rtol=1e-9, atol=1e-12)
        assert not np.allclose(q.data, before.data)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_write_into_the_parameters_own_memory(optimizer, dtype, cupy, device):
    w = ag.Parameter(np.ones((3, 2)), dtype=dtype, device=device)
    kept, velocity = w.data, w.velocity.data
    chosen = OPTIMIZERS[optimizer]([w])
    for _ in range(2):
        w.grad = ag.ones((3, 2), dtype=dtype, device=device)
        chosen.step()
    assert w.data is kept
    assert w.velocity.data is velocity
    expected = 1 - 0.1 * (2 if optimizer == "SGD" else 1 + 1.9)
    np.testing.assert_allclose(w.data.get(), np.full((3, 2), expected), rtol=1e-6)


def test_a_network_moves_between_devices_and_goes_on_training(cupy, device):
    def train(moves):
        ag.manual_seed(0)
        model = ag.nn.Linear(3, 2, dtype=ag.float64)
        optimizer = ag.optim.MomentumSGD(model.parameters(), lr=0.1, momentum=0.9)
        for where in moves:
            model.to(where)
            x = ag.ones((3,), dtype=ag.float64, device=where)
            F.nll(model(x), 1).backward()  # adds to the gradient that moved along
            optimizer.step()
        return model

    moved = train(["cpu", device, "cuda:0", device, "cpu"])
    for p, q in zip(moved.parameters(), train(["cpu"] * 5).parameters(), strict=True):
        assert p.device == p.grad.device == p.velocity.device == "cpu"
        np.testing.assert_allclose(p.data, q.data, rtol=1e-12)


@pytest.fixture
def waits(stand_in, monkeypatch):
    """What made the host wait for the device: a list that grows."""
    made = []

    def watch(owner, name):
        original = getattr(owner, name)

        def watched(*args, **kwargs):
            made.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, watched)

    reads = "get item tolist tobytes __bool__ __int__ __float__ __index__ __repr__ __array__"
    for name in filter(lambda each: hasattr(stand_in.ndarray, each), reads.split()):
        watch(stand_in.ndarray, name)
    for owner in (stand_in.cuda.Device, stand_in.cuda.Stream):
        watch(owner, "synchronize")
    watch(stand_in, "asnumpy")
    return made


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_step_makes_the_host_wait(optimizer, batch, waits):
    trained("cuda:1", optimizer, False, batch)
    assert waits == []
    Tensor([1.0], device="cuda:1").item()
    assert waits  # the watch works


def test_classes_as_python_numbers_dont_make_the_host_wait_either(waits):
    model = ag.nn.Linear(3, 2, device="cuda:1")
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    step(model, optimizer, ag.ones((3,), dtype=ag.float32, device="cuda:1"), 1)
    step(model, optimizer, ag.ones((2, 3), dtype=ag.float32, device="cuda:1"), [1, 0])
    assert waits == []
    with pytest.raises(ValueError, match="class 2 is out of range"):
        step(model, optimizer, ag.ones((3,), dtype=ag.float32, device="cuda:1"), 2)


# Recorded steps ----------------------------------------------------------------------------------


def test_a_recorded_step_names_the_kernels_that_it_runs(stand_in):
    model = ag.nn.Sequential(
        ag.nn.Conv1d(1, 2, 3), ag.nn.ReLU(), ag.nn.MaxPool1d(2), ag.nn.Flatten(), ag.nn.Linear(4, 3)
    ).to("cuda:1")
    optimizer = ag.optim.SGD(model.parameters(), lr=0.1)
    recorded = ag.compile(lambda images, labels: step(model, optimizer, images, labels))
    labels = ag.asarray([1, 0], device="cuda:1")
    for _ in range(4):
        recorded(ag.ones((2, 1, 6), dtype=ag.float32, device="cuda:1"), labels)
    program = recorded.program()
    for name in ("conv_bias", "max_pool", "affine_transform", "nll_z", "max_pool_x", "relu_x"):
        assert f" {name}(" in program
    assert "on_device" not in program
