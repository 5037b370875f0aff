"""agrad's own CUDA kernels: they compile, and give what the plain versions give.

Values are computed by the kernels themselves: on a GPU where there is one, else on the host (see
tests/cuda_on_host.py).
"""

import importlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import agrad as ag
from agrad.backends import Backend, backend_of
from agrad.nn import functional as F
from agrad.nn.functional.normalization import _STANDARDIZE
from tests.conftest import PLACES

RNG = np.random.default_rng(0)
FOLDER = Path(ag.backends.__file__).parent
FILES = sorted(path.name for path in FOLDER.glob("*.cu"))
TOLERANCE = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13}


@pytest.fixture
def own(place):
    return backend_of(place.array(np.zeros(1)))


@pytest.fixture
def plain(own):
    """The same library without anything that agrad knows about it."""
    return Backend(own.library, own.device, own.name)


@pytest.fixture
def launches(monkeypatch):
    """The names of the kernels that are launched: a list that grows. On the stand-in."""
    enter, *args = PLACES["cupy-stand-in"]
    with enter(*args):
        kernel = importlib.import_module("cupy").RawKernel
        launch, names = kernel.__call__, []

        def watched(self, *args):
            names.append(self.name)
            return launch(self, *args)

        monkeypatch.setattr(kernel, "__call__", watched)
        yield names


def same(place, result, expected, dtype):
    result, expected = place.numpy(result), place.numpy(expected)
    assert result.dtype == dtype
    assert result.shape == expected.shape
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


# They compile ------------------------------------------------------------------------------------


def compile_cuda(source, options, arch, folder):
    """Compile by NVRTC, as CuPy does, or by nvcc; return what it says that is wrong."""
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except Exception as error:
        nvcc = shutil.which("nvcc")
        if nvcc is None:
            pytest.skip(f"there is neither NVRTC ({error}) nor nvcc")
        (folder / "kernels.cu").write_text(source)
        command = [nvcc, "-cubin", f"-arch=sm_{arch}", *options, "-o", "kernels.cubin"]
        done = subprocess.run(
            [*command, "kernels.cu"], cwd=folder, capture_output=True, text=True, check=False
        )
        return done.stderr if done.returncode else ""
    program = nvrtc.createProgram(source, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*options, f"-arch=compute_{arch}"))
    except nvrtc.NVRTCError:
        return nvrtc.getProgramLog(program) or "it doesn't compile"
    finally:
        nvrtc.destroyProgram(program)
    return ""


@pytest.mark.parametrize("arch", [75, 90])
@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize("file", FILES)
def test_the_kernels_compile(file, real, arch, tmp_path):
    source = (FOLDER / file).read_text()
    options = (f"-DREAL={real}", "-DMOST=100", "-std=c++17")
    assert compile_cuda(source, options, arch, tmp_path) == ""
    broken = source.replace("blockDim.x", "blockDim.width")
    assert "width" in compile_cuda(broken, options, arch, tmp_path)


def _kernel_of_all(fusion):
    """Return a kernel that has each expression of joined calls once."""
    masks = ("greater", "greater_equal", "less", "less_equal")
    names = [name for name in fusion.EXPRESSIONS if name not in masks]
    steps = [(name, ("x0", "-1.5")) for name in masks]
    steps += [
        (name, (f"t{i % 4}" if name == "where" else "x0", "x1", "2.0"))
        for i, name in enumerate(names)
    ]
    function = fusion.joined(tuple(steps), 2)
    return next(cell.cell_contents for cell in function.__closure__)


@pytest.mark.parametrize("real", ["float", "double"])
def test_what_the_elementwise_kernels_run_compiles(real, tmp_path, monkeypatch):
    enter, *args = PLACES["cupy-stand-in"]
    with enter(*args):
        module = importlib.import_module("agrad.backends.cupy")
        kernels = [module._axpy(), module.cuda_kernels._relu_x()]
        kernels += [_kernel_of_all(module.cuda_fusion)]
    for kernel in kernels:
        # CuPy puts the body into a loop, where the parameters have these types
        parameters = [f"const T& {each.name}" for each in kernel.in_params]
        parameters += [f"T& {each.name}" for each in kernel.out_params]
        source = (
            f"typedef {real} T;\n__device__ void f({', '.join(parameters)}) {{ "
            f"{kernel.operation}; }}"
        )
        assert compile_cuda(source, ("-std=c++17",), 90, tmp_path) == ""


# Rows of scores ----------------------------------------------------------------------------------

SHAPES = [(5,), (3, 4), (2, 3, 5), (1, 1), (0, 3), (9, 33), (3, 1025), (1, 100_000)]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_is_the_plain_one(name, shape, dtype, place, own, plain):
    x = (3 * RNG.normal(size=shape)).astype(dtype)
    result = own.bind(getattr(own, name))(place.array(x))
    # In float16 the plain version loses digits; in float64 neither does
    expected = own.bind(getattr(plain, name))(place.array(x.astype("float64")))
    same(place, result, expected, dtype)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax_takes_views_and_other_axes(axis, name, place, own, plain):
    x = RNG.normal(size=(6, 8))
    for view in (lambda a: a.T, lambda a: a[::2, 1::3], lambda a: a[:, ::-1], lambda a: a[:, None]):
        results = [
            own.bind(getattr(each, name))(view(place.array(x)), axis=axis) for each in (own, plain)
        ]
        same(place, *results, "float64")


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_great_scores_and_infinities(name, place, own, plain):
    x = np.array(
        [
            [1e4, 0, -1e4],
            [-1e4, 0, 1e4],
            [0, -np.inf, 1],
            [-np.inf] * 3,
            [np.inf, 0, 1],
            [np.nan, 0, 1],
            [0] * 3,
        ]
    )
    results = [own.bind(getattr(each, name))(place.array(x)) for each in (own, plain)]
    same(place, *results, "float64")


def loss_and_gradient(backend, place, z, gold, scale, g):
    """Return the loss of rows of scores, and its gradient, as one backend computes them."""
    bound = backend.make_bound(F._NLL)
    raw = place.array(gold) if isinstance(gold, np.ndarray) else gold
    key = (raw,) if z.ndim == 1 else (place.array(np.arange(len(z))), raw)
    loss = bound.forward(z, key=key, scale=scale)
    g = g(loss.shape).astype(str(loss.dtype))
    return loss, bound.rules[0](place.array(g), z, key, scale)


CASES = {
    "one example": ((10,), 3, None),
    "one example, class on the device": ((10,), np.array(3), None),
    "a batch, its mean": ((20, 10), np.int64, 1 / 20),
    "a batch, its sum": ((20, 10), np.int64, 1.0),
    "a batch, each by itself": ((20, 10), np.int64, None),
    "a batch of one": ((1, 10), np.int64, None),
    "a great batch": ((1100, 10), np.int64, 1 / 1100),
    "no examples": ((0, 10), np.int64, 1.0),
    "one class": ((4, 1), np.int64, 0.25),
    "many classes": ((2, 100_000), np.int64, 0.5),
    "int32": ((20, 10), np.int32, 0.05),
    "uint8": ((20, 10), np.uint8, 0.05),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
def test_cross_entropy_is_the_plain_one(case, dtype, place, own, plain):
    shape, gold, scale = CASES[case]
    if isinstance(gold, type):
        gold = RNG.integers(0, min(shape[-1], 200), shape[0]).astype(gold)
    z = (3 * RNG.normal(size=shape)).astype(dtype)
    for g in (np.ones, lambda shape: np.linspace(1, 2, int(np.prod(shape))).reshape(shape)):
        with own.device:
            results = loss_and_gradient(own, place, place.array(z), gold, scale, g)
            wide = place.array(z.astype("float64"))
            expected = loss_and_gradient(plain, place, wide, gold, scale, g)
        for result, each in zip(results, expected, strict=True):
            same(place, result, each, dtype)


def test_cross_entropy_takes_views(place, own, plain):
    z = RNG.normal(size=(8, 12))
    gold = np.array([3, 0, 1])
    g = np.array([1.0, -2.0, 0.5])
    with own.device:
        results = [
            loss_and_gradient(
                each, place, place.array(z)[1:7:2, ::-2], gold, None, lambda _: g[::-1]
            )
            for each in (own, plain)
        ]
    for result, expected in zip(*results, strict=True):
        same(place, result, expected, "float64")


def test_a_class_that_isnt_there_gives_nan_and_touches_nothing_else(place):
    z = place.tensor(RNG.normal(size=(3, 4)), requires_grad=True)
    gold = place.tensor(np.array([1, 4, -1]))
    losses = F.cross_entropy(z, gold, reduction="none")
    losses.backward(ag.ones_like(losses))
    assert np.isnan(place.numpy(losses)).tolist() == [False, True, True]
    assert np.isnan(place.numpy(z.grad)).all(axis=1).tolist() == [False, True, True]
    assert np.isnan(place.numpy(F.cross_entropy(z, gold)))


def test_scores_of_no_classes_are_refused(place):
    z, gold = place.tensor(np.zeros((2, 0))), place.tensor(np.zeros(2, dtype=int))
    with pytest.raises(ValueError, match=r"one class at least; got shape \(2, 0\)"):
        F.cross_entropy(z, gold)


def test_gradients_of_gradients_of_cross_entropy(place):
    def second(tensor):
        z = tensor(np.linspace(-1, 1, 12).reshape(3, 4), requires_grad=True)
        F.cross_entropy(z, tensor(np.array([0, 3, 1]))).backward(create_graph=True)
        (g,), z.grad = [z.grad], None
        (g * g).sum().backward()
        return z.grad

    expected = second(lambda x, requires_grad=False: ag.Tensor(x, requires_grad=requires_grad))
    np.testing.assert_allclose(place.numpy(second(place.tensor)), expected.numpy(), rtol=1e-12)


def test_a_batch_takes_two_launches_forward_and_one_back(launches):
    z = ag.Tensor(np.ones((4, 3)), device="cuda:1", requires_grad=True)
    loss = F.cross_entropy(z, ag.Tensor([0, 1, 2, 0], device="cuda:1"))
    assert launches == ["nll", "scaled_sum"]
    loss.backward()
    assert launches[2:] == ["nll_z"]
    launches.clear()
    F.cross_entropy(z[0], 1).backward()
    F.softmax(z)
    F.log_softmax(z)
    assert launches == ["nll", "nll_z", "softmax", "log_softmax"]


# Normalization -----------------------------------------------------------------------------------

AXES = {
    "the features of examples": ((6, 33), (-1,)),
    "features of two axes": ((2, 5, 3, 7), (-2, -1)),
    "one example": ((40,), (0,)),
    "a batch, for each channel": ((3, 4, 5, 2), (0, 2, 3)),
    "a batch, for each feature": ((300, 3), (0,)),
    "many features": ((2, 3000), (1,)),
    "no examples": ((0, 4), (1,)),
    "no features": ((4, 0), (1,)),
    "all of one value": ((3, 1), (1,)),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", AXES)
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value:RuntimeWarning")
def test_normalization_is_the_plain_one(case, dtype, place, own, plain):
    shape, axis = AXES[case]
    x, g = (RNG.normal(size=shape).astype(dtype) for _ in range(2))
    x += np.asarray(5, dtype)  # the variance is of what is left without the mean
    with own.device:
        results, expected = [], []
        for backend, kind, found in ((own, dtype, results), (plain, "float64", expected)):
            bound = backend.make_bound(_STANDARDIZE)
            raw = place.array(x.astype(kind))
            out = bound.forward(raw, axis=axis, eps=1e-5)
            found += [out, bound.rules[0](place.array(g.astype(kind)), raw, out, axis, 1e-5)]
        for result, each in zip(results, expected, strict=True):
            result, each = place.numpy(result), place.numpy(each)
            assert result.dtype == dtype
            scale = {"float16": 2e-2, "float32": 2e-5, "float64": 1e-12}[dtype]
            np.testing.assert_allclose(result, each, rtol=scale, atol=scale)


def test_normalization_takes_views(place, own, plain):
    x, g = RNG.normal(size=(2, 6, 8))
    with own.device:
        for view in (lambda a: a.T, lambda a: a[::2, 1::3], lambda a: a[:, ::-1]):
            each = [view(place.array(array)) for array in (g, x)]
            bounds = [backend.make_bound(_STANDARDIZE) for backend in (own, plain)]
            outs = [bound.forward(each[1], axis=(1,), eps=1e-3) for bound in bounds]
            same(place, *outs, "float64")
            grads = [
                bound.rules[0](*each, out, (1,), 1e-3)
                for bound, out in zip(bounds, outs, strict=True)
            ]
            same(place, *grads, "float64")


def test_a_layer_norm_takes_one_launch_forward_and_one_back(launches):
    x = ag.Tensor(np.ones((4, 3)), device="cuda:1", requires_grad=True)
    F.layer_norm(x, 3).backward(ag.ones((4, 3), device="cuda:1", dtype=ag.float64))
    assert launches == ["standardize", "standardize_x"]


# Activations -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_gradient_of_relu_is_the_plain_one(dtype, place, own, plain):
    x = np.array([-2, -0.0, 0, 3, np.inf, -np.inf, np.nan, 1e-8, 5], dtype=dtype).reshape(3, 3)
    g = np.array([1, 2, 3, np.inf, 5, np.inf, 7, np.nan, -0.0], dtype=dtype).reshape(3, 3)
    with own.device:
        for view in (lambda a: a, lambda a: a.T[:, ::2]):
            results = [
                each.make_bound(F._RELU).rules[0](view(place.array(g)), view(place.array(x)))
                for each in (own, plain)
            ]
            same(place, *results, dtype)


# Updates -----------------------------------------------------------------------------------------


def arrays(shapes, dtype="float32"):
    return [RNG.normal(size=shape).astype(dtype) for shape in shapes]


GROUPS = {
    "a network": [(100, 784), (100,), (10, 100), (10,)],
    "empty and without dimensions": [(0,), (), (3, 0), (1,)],
    "none": [],
    "more than one launch takes": [(n % 7,) for n in range(230)],
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("group", GROUPS)
def test_updates_are_those_of_each_array_by_itself(group, dtype, place, own):
    gs, vs, ps = (arrays(GROUPS[group], dtype) for _ in range(3))
    put = [[place.array(each) for each in some] for some in (gs, vs, ps)]
    found = own.axpy_all(-0.5, put[0], put[2])
    assert all(a is b for a, b in zip(found, put[2], strict=True))
    for g, p, result in zip(gs, ps, found, strict=True):
        p -= np.asarray(0.5, dtype=dtype) * g
        same(place, result, place.array(p), dtype)
    found = own.momentum_all(0.9, 0.1, *put)
    assert all(a is b for a, b in zip((*found[0], *found[1]), (*put[1], *put[2]), strict=True))
    for g, v, p, new_v, new_p in zip(gs, vs, ps, *found, strict=True):
        v[...] = np.asarray(0.9, dtype=dtype) * v + g
        p -= np.asarray(0.1, dtype=dtype) * v
        same(place, new_v, place.array(v), dtype)
        same(place, new_p, place.array(p), dtype)


def test_arrays_that_differ_are_updated_all_the_same(place, own):
    x, y = arrays([(4, 6), (4, 6)], "float64")
    xs = [place.array(x)[:, ::2], place.array(x).T, place.array(x[0]), place.array(x)]
    ys = [place.array(y)[:, 1::2], place.array(y).T, place.array(y), place.array(y)]
    expected = [y[:, 1::2] + 2 * x[:, ::2], (y + 2 * x).T, y + 2 * x[0], y + 2 * x]
    for result, each in zip(own.axpy_all(2.0, xs, ys), expected, strict=True):
        same(place, result, place.array(each), "float64")
    with pytest.raises(TypeError):
        own.axpy_all(2.0, [place.array(x)], [place.array(y.astype("float32"))])
    gs, vs, ps = ([place.array(each), place.array(each).T] for each in (x, y, x + y))
    new_vs, new_ps = own.momentum_all(0.5, 0.1, gs, vs, ps)
    for v, p, turn in zip(new_vs, new_ps, (np.asarray, np.transpose), strict=True):
        same(place, v, place.array(turn(0.5 * y + x)), "float64")
        same(place, p, place.array(turn(x + y - 0.1 * (0.5 * y + x))), "float64")


def test_a_step_over_all_parameters_is_one_launch(launches):
    own = ag.backends.backend_for("cuda:1")
    shapes = [(100, 784), (100,), (10, 100), (10,)]
    gs, vs, ps = ([own.from_host(each) for each in arrays(shapes)] for _ in range(3))
    own.axpy_all(-0.1, gs, ps)
    own.momentum_all(0.9, 0.1, gs, vs, ps)
    assert launches == ["axpy_all", "momentum_all"]
    launches.clear()
    own.axpy_all(-0.1, gs * 60, ps * 60)  # 240 arrays, 100 at a time
    assert launches == ["axpy_all"] * 3


SETTINGS = {
    "as it comes": {},
    "weight decay": {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
    "decoupled": {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
    "maximize": {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
}


def adams_weights(shapes, settings, dtype, device=None):
    """Return the weights after three steps, in the second of which one has no gradient."""
    rng = np.random.default_rng(0)
    weights, slopes = ([rng.normal(size=s).astype(dtype) for s in shapes] for _ in range(2))
    params = [ag.Parameter(w.copy(), device=device) for w in weights]
    optimizer = ag.optim.Adam(params, **settings)
    for step in range(3):
        for i, (p, slope) in enumerate(zip(params, slopes, strict=True)):
            no_gradient = step == 1 and i == 0
            p.grad = None if no_gradient else ag.Tensor((step + 1) * slope, device=device)
        optimizer.step()
    steps = [optimizer.state[p]["step"] for p in params]
    return [p.detach().cpu().numpy() for p in params], steps


@pytest.mark.parametrize("dtype", TOLERANCE)  # float16 is left to the formula
@pytest.mark.parametrize("settings", SETTINGS)
def test_adams_step_is_the_formulas(settings, dtype, place):
    shapes = [(10, 7), (10,), (), (0, 2)]
    found, steps = adams_weights(shapes, SETTINGS[settings], dtype, place.device)
    expected, _ = adams_weights(shapes, SETTINGS[settings], dtype)
    assert steps == [2, 3, 3, 3]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=10 * TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_a_step_of_adam_is_one_launch_for_all_that_are_alike(launches):
    adams_weights([(3, 2), (3,)], {"weight_decay": 0.1}, "float32", "cuda:1")
    # In the third step one parameter is a step behind
    assert launches == ["adam_all"] * 4
    launches.clear()
    adams_weights([(3, 2), (3,)], {"amsgrad": True}, "float32", "cuda:1")
    assert "adam_all" not in launches


# Recorded steps ----------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": (lambda p: ag.optim.SGD(p, 0.1), "axpy_all"),
    "SGD, momentum": (lambda p: ag.optim.SGD(p, 0.1, momentum=0.9), "momentum_all"),
    "MomentumSGD": (lambda p: ag.optim.MomentumSGD(p, 0.1, 0.9), "momentum_all"),
    "Adam": (lambda p: ag.optim.Adam(p, 0.1), "adam_all"),
    "AdamW": (lambda p: ag.optim.AdamW(p, 0.1), "adam_all"),
}


def training(make, steps, launches, times=1):
    """Return the losses and the weights of a training on the stand-in, and the last launches."""
    ag.manual_seed(0)
    model = ag.nn.Sequential(ag.nn.Linear(3, 4), ag.nn.Tanh(), ag.nn.Linear(4, 2)).to("cuda")
    optimizers = [make(model.parameters()) for _ in range(times)]
    images = ag.Tensor(np.random.default_rng(0).normal(size=(5, 3)).astype("f4")).to("cuda")

    def step(x, lr):
        loss = (model(x) ** 2).mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = lr
            optimizer.step()
        return loss

    step = steps(step)
    losses = [step(images, 0.1 / (1 + i)).item() for i in range(7)]
    launches.clear()
    losses += [step(images, 0.01).item(), step(images, 0.01).item()]
    return losses, [p.detach().numpy() for p in model.parameters()], step


@pytest.mark.parametrize("times", [1, 2])  # then the second needs what the first has made
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_recorded_step_updates_all_parameters_in_one_launch(name, times, launches):
    make, kernel = OPTIMIZERS[name]
    losses, weights, _ = training(make, lambda step: step, launches, times)
    assert launches.count(kernel) == 2 * times
    recorded_losses, recorded_weights, step = training(make, ag.compile, launches, times)
    changes = 2 if "Adam" in name else 1  # of numbers; there is nothing else beside CUDA graphs
    assert launches == ["put_numbers"] * changes
    np.testing.assert_allclose(recorded_losses, losses, rtol=1e-6)
    for one, other in zip(recorded_weights, weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert (f"{kernel}(" in step.program()) == (times == 1)  # else it works on copies


def test_a_recorded_update_leaves_the_old_values_to_who_still_needs_them(launches):
    w, u = (ag.Parameter(ag.Tensor(np.ones(3, "f4")).to("cuda")) for _ in range(2))
    first, second = ag.optim.SGD([w], 0.5), ag.optim.SGD([u], 0.5)

    @ag.compile
    def step(x):
        first.zero_grad()
        second.zero_grad()
        (w * x).sum().backward()
        product = (u * w * x).sum()
        first.step()  # the gradient of u is made of what w was before
        product.backward()
        second.step()

    x = np.arange(3, dtype="f4")
    expected_w, expected_u = np.ones(3, "f4"), np.ones(3, "f4")
    for _ in range(6):
        w.grad = None
        step(ag.Tensor(x).to("cuda"))
        expected_w, expected_u = expected_w - 0.5 * x, expected_u - 0.5 * expected_w * x
        np.testing.assert_array_equal(w.detach().numpy(), expected_w)
        np.testing.assert_array_equal(u.detach().numpy(), expected_u)
