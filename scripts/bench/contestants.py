"""One training step of a ReLU network: by agrad, and by those that it is compared with.

All do the same, in float32: the forward pass, the mean cross-entropy, its gradient, and a step of
gradient descent. They begin with the same weights and get the same batches; `prepare` has each of
them take three steps, and refuses one that comes to other weights.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
from machine import CORES

import agrad as ag
from agrad.nn.functional import nll

Array = np.ndarray[Any, Any]
IN, OUT, LR = 784, 10, 0.01


@dataclass(frozen=True)
class Problem:
    """A network of affine layers, 784 → hidden → ... → 10, and the batches that it is shown."""

    batch: int = 1
    layers: int = 2
    hidden: int = 100

    def weights(self) -> list[Array]:
        """Return W, of shape (outputs, inputs), and b of each layer: new arrays of the same values.

        The values keep their size from layer to layer, however many there are.
        """
        rng = np.random.default_rng(1)
        sizes = [IN, *[self.hidden] * (self.layers - 1), OUT]
        shapes = [shape for n, m in pairwise(sizes) for shape in ((m, n), (m,))]
        return [
            rng.normal(0, (2 / shape[-1]) ** 0.5 if len(shape) == 2 else 0.1, shape).astype("f4")
            for shape in shapes
        ]

    @cached_property
    def batches(self) -> list[tuple[Array, Array]]:
        """Some batches of random images and classes; a batch of 1 is a vector and a number."""
        rng = np.random.default_rng(0)
        count = min(64, max(4, 4096 // self.batch))
        x = rng.random((count, self.batch, IN), dtype=np.float32)
        y = rng.integers(0, OUT, (count, self.batch))
        if self.batch == 1:
            x, y = x[:, 0], y[:, 0]
        return list(zip(x, y, strict=True))


@dataclass(frozen=True)
class Contestant:
    """One that takes steps: `step(i)` on the i-th batch, and `weights()` as `Problem` has them."""

    step: Callable[[int], object]
    weights: Callable[[], Iterable[Any]]


# agrad -------------------------------------------------------------------------------------------


def _agrad_step(problem: Problem) -> tuple[Callable[[ag.Tensor, Any], ag.Tensor], ag.nn.Module]:
    model = ag.models.DeepNetwork(IN, OUT, problem.hidden, problem.layers)
    with ag.no_grad():
        for parameter, value in zip(model.parameters(), problem.weights(), strict=True):
            parameter[...] = value
    optimizer = ag.optim.SGD(model.parameters(), LR)

    def step(image: ag.Tensor, label: Any) -> ag.Tensor:
        loss = nll(model(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, model


def agrad_eager(problem: Problem) -> Contestant:
    train, model = _agrad_step(problem)
    batches = [(ag.Tensor(x), ag.Tensor(y) if y.ndim else int(y)) for x, y in problem.batches]
    return Contestant(
        lambda i: train(*batches[i % len(batches)]),
        lambda: [p.detach().numpy() for p in model.parameters()],
    )


def agrad_recorded(problem: Problem) -> Contestant:
    if not hasattr(ag, "compile"):
        raise ImportError("this agrad has no compile")
    train, model = _agrad_step(problem)
    train = ag.compile(train)
    batches = [(ag.Tensor(x), ag.Tensor(y)) for x, y in problem.batches]
    return Contestant(
        lambda i: train(*batches[i % len(batches)]),
        lambda: [p.detach().numpy() for p in model.parameters()],
    )


def recorded_step(
    problem: Problem,
) -> tuple[list[tuple[ag.Tensor, ag.Tensor]], Callable[[Any], Any], str]:
    """Return the batches of a recorded step, the function that takes one, and its source."""
    train, _ = _agrad_step(problem)
    step = ag.compile(train)
    batches = [(ag.Tensor(x), ag.Tensor(y)) for x, y in problem.batches]
    for i in range(3):
        step(*batches[i % len(batches)])
    return batches, step.routines()[0], step.program()


# By hand -----------------------------------------------------------------------------------------


def numpy_by_hand(problem: Problem) -> Contestant:
    weights = problem.weights()
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    batches = problem.batches

    def one(i: int) -> Any:
        x, label = batches[i % len(batches)]
        inputs = [x]
        W, b = layers[0]
        z = W @ x + b
        for W, b in layers[1:]:
            inputs.append(np.maximum(z, 0))
            z = W @ inputs[-1] + b
        p = np.exp(z - z.max())
        p /= p.sum()
        loss = -np.log(p[label])
        p[label] -= 1
        g = p
        for k in reversed(range(len(layers))):
            (W, b), x = layers[k], inputs[k]
            g_x = (W.T @ g) * (x > 0) if k else None
            W -= LR * np.outer(g, x)
            b -= LR * g
            g = g_x
        return loss

    def many(i: int) -> Any:
        x, labels = batches[i % len(batches)]
        inputs = [x]
        W, b = layers[0]
        z = x @ W.T + b
        for W, b in layers[1:]:
            inputs.append(np.maximum(z, 0))
            z = inputs[-1] @ W.T + b
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        rows = np.arange(len(labels))
        loss = -np.log(p[rows, labels]).mean()
        p[rows, labels] -= 1
        p /= len(labels)
        g = p
        for k in reversed(range(len(layers))):
            (W, b), x = layers[k], inputs[k]
            g_x = (g @ W) * (x > 0) if k else None
            W -= LR * (g.T @ x)
            b -= LR * g.sum(axis=0)
            g = g_x
        return loss

    return Contestant(one if problem.batch == 1 else many, lambda: weights)


Update = Callable[[Array], Any]


def _planned(problem: Problem, make_update: Callable[[Array, Array], Update]) -> Contestant:
    """Return a step that makes no array of its own: each call writes to one made beforehand.

    ``make_update(W, g)`` returns what takes g xᵀ from W, given a layer's input x.
    """
    weights = problem.weights()
    batches, batch = problem.batches, problem.batch
    single = batch == 1

    def buffers(dtype: str) -> list[Array]:
        return [np.empty(b.shape if single else (batch, *b.shape), dtype) for b in weights[1::2]]

    outputs, gradients, positive = buffers("f4"), buffers("f4"), buffers("?")
    first, *rest = zip([W.T for W in weights[::2]], weights[1::2], outputs, strict=True)
    sums = gradients if single else [np.empty_like(b) for b in weights[1::2]]
    updates = [make_update(W, g) for W, g in zip(weights[::2], gradients, strict=True)]
    back = list(zip(weights[::2], weights[1::2], gradients, sums, updates, strict=True))[::-1]
    below = list(zip(outputs, gradients, positive, strict=True))[-2::-1]
    z, p = outputs[-1], gradients[-1]
    rows, ones, column = np.arange(batch), np.ones(batch, "f4"), np.empty((batch, 1), "f4")

    def loss_of_one(label: Any) -> Any:
        np.subtract(z, np.maximum.reduce(z), out=p)
        np.exp(p, out=p)
        np.divide(p, np.add.reduce(p), out=p)
        loss = -np.log(p[label])
        p[label] -= 1
        return loss

    def loss_of_many(labels: Array) -> Any:
        np.maximum.reduce(z, axis=1, keepdims=True, out=column)
        np.subtract(z, column, out=p)
        np.exp(p, out=p)
        np.add.reduce(p, axis=1, keepdims=True, out=column)
        np.divide(p, column, out=p)
        loss = -np.log(p[rows, labels]).mean()
        p[rows, labels] -= 1
        return loss

    loss_of = loss_of_one if single else loss_of_many

    def step(i: int) -> Any:
        image, label = batches[i % len(batches)]
        W_T, b, out = first
        np.add(np.dot(image, W_T, out=out), b, out=out)
        for W_T, b, x in rest:
            np.maximum(out, 0, out=out)
            np.add(np.dot(out, W_T, out=x), b, out=x)
            out = x
        loss = loss_of(label)
        np.multiply(p, LR / batch, out=p)  # here, where it is least work; all that follows has it
        for (W, b, g, total, update), (x, g_x, mask) in zip(
            back, [*below, (image, None, None)], strict=True
        ):
            if g_x is not None:
                np.dot(g, W, out=g_x)
                np.multiply(g_x, np.greater(x, 0, out=mask), out=g_x)
            update(x)
            np.subtract(b, g if single else np.dot(ones, g, out=total), out=b)
        return loss

    return Contestant(step, lambda: weights)


def numpy_planned(problem: Problem) -> Contestant:
    def make_update(W: Array, g: Array) -> Update:
        product = np.empty_like(W)
        if problem.batch == 1:
            column = g[:, None]
            return lambda x: np.subtract(W, np.multiply(column, x, out=product), out=W)
        return lambda x: np.subtract(W, np.dot(g.T, x, out=product), out=W)

    return _planned(problem, make_update)


def best_by_hand(problem: Problem) -> Contestant:
    """As `numpy_planned`, but BLAS adds the products to the weights as it multiplies."""
    from scipy.linalg.blas import sgemm, sger

    def make_update(W: Array, g: Array) -> Update:
        W_T, g_T = W.T, g.T
        if problem.batch == 1:
            return lambda x: sger(-1, x, g, a=W_T, overwrite_a=1)
        return lambda x: sgemm(-1, x.T, g_T, 1, W_T, trans_b=1, overwrite_c=1)

    return _planned(problem, make_update)


# The peers ---------------------------------------------------------------------------------------


def pytorch_eager(problem: Problem) -> Contestant:
    import torch

    torch.set_num_threads(CORES)
    sizes = [IN, *[problem.hidden] * (problem.layers - 1), OUT]
    modules: list[Any] = []
    for n, m in pairwise(sizes):
        modules += [torch.nn.Linear(n, m), torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), problem.weights(), strict=True):
            parameter.copy_(torch.from_numpy(value))
    optimizer = torch.optim.SGD(model.parameters(), LR)
    batches = [(torch.as_tensor(x), torch.as_tensor(y)) for x, y in problem.batches]

    def step(i: int) -> Any:
        image, label = batches[i % len(batches)]
        loss = torch.nn.functional.cross_entropy(model(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return Contestant(step, lambda: [p.detach().numpy() for p in model.parameters()])


def _jax(problem: Problem, transposed: bool, **options: Any) -> Contestant:
    import jax
    import jax.numpy as jnp

    def turned(W: Any) -> Any:
        return W.T if transposed else W

    def affine(x: Any, W: Any, b: Any) -> Any:
        return x @ turned(W.T) + b

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        z = affine(x, *weights[:2])
        for W, b in zip(weights[2::2], weights[3::2], strict=True):
            z = affine(jax.nn.relu(z), W, b)
        log_p = jax.nn.log_softmax(z)
        return -log_p[y] if y.ndim == 0 else -jnp.take_along_axis(log_p, y[:, None], 1).mean()

    @partial(jax.jit, **options)
    def update(weights: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights, x, y)
        return loss, [w - LR * g for w, g in zip(weights, gradients, strict=True)]

    weights = [jnp.asarray(turned(w)) for w in problem.weights()]
    batches = [(jnp.asarray(x), jnp.asarray(y)) for x, y in problem.batches]

    def step(i: int) -> Any:
        loss, weights[:] = update(weights, *batches[i % len(batches)])
        return jax.block_until_ready((loss, weights))

    return Contestant(step, lambda: [turned(w) for w in weights])


def jax_jit(problem: Problem) -> Contestant:
    return _jax(problem, transposed=False)


def jax_tuned(problem: Problem) -> Contestant:
    """As `jax_jit`, with weights given up to be overwritten, in the layout that is faster."""
    return _jax(problem, transposed=problem.batch == 1, donate_argnums=0)


def hips_autograd(problem: Problem) -> Contestant:
    import autograd.numpy as anp
    from autograd import value_and_grad

    def loss_of(weights: Any, x: Any, target: Any) -> Any:
        z = anp.dot(x, weights[0]) + weights[1]
        for W, b in zip(weights[2::2], weights[3::2], strict=True):
            z = anp.dot(anp.maximum(z, 0), W) + b
        shifted = z - anp.max(z, axis=-1, keepdims=True)
        log_p = shifted - anp.log(anp.sum(anp.exp(shifted), axis=-1, keepdims=True))
        return anp.sum(log_p * target)

    # Weights as (inputs, outputs) are what its users write, and save a node each
    weights = [w.T.copy() for w in problem.weights()]
    targets = -np.eye(OUT, dtype="f4") / np.float32(problem.batch)
    batches = [(x, targets[y]) for x, y in problem.batches]
    slope = value_and_grad(loss_of)

    def step(i: int) -> Any:
        loss, gradients = slope(weights, *batches[i % len(batches)])
        for w, g in zip(weights, gradients, strict=True):
            w -= LR * g
        return loss

    return Contestant(step, lambda: [w.T for w in weights])


def mygrad(problem: Problem) -> Contestant:
    import mygrad as mg
    from mygrad.nnet import relu, softmax_crossentropy

    mg.turn_memory_guarding_off()  # as its manual advises where speed counts
    weights = [mg.tensor(w.T.copy()) for w in problem.weights()]
    batches = [(np.atleast_2d(x), np.atleast_1d(y)) for x, y in problem.batches]

    def step(i: int) -> Any:
        x, labels = batches[i % len(batches)]
        z = mg.matmul(x, weights[0]) + weights[1]
        for W, b in zip(weights[2::2], weights[3::2], strict=True):
            z = mg.matmul(relu(z), W) + b
        loss = softmax_crossentropy(z, labels)
        loss.backward()
        for w in weights:
            w.data -= LR * w.grad
            w.null_grad()
        return loss

    return Contestant(step, lambda: [w.data.T for w in weights])


CONTESTANTS: dict[str, Callable[[Problem], Contestant]] = {
    "agrad eager": agrad_eager,
    "agrad recorded": agrad_recorded,
    "NumPy by hand": numpy_by_hand,
    "NumPy planned": numpy_planned,
    "best by hand": best_by_hand,
    "PyTorch eager": pytorch_eager,
    "JAX jit": jax_jit,
    "JAX tuned": jax_tuned,
    "HIPS autograd": hips_autograd,
    "MyGrad": mygrad,
}


def prepare(
    problem: Problem, names: Iterable[str] = CONTESTANTS
) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return those contestants that are installed, and why the others are left out.

    Raises
    ------
    RuntimeError
        If after three steps one has other weights than NumPy by hand has.
    """
    reference = numpy_by_hand(problem)
    for i in range(3):
        reference.step(i)
    ready, missing = {}, {}
    for name in names:
        try:
            contestant = CONTESTANTS[name](problem)
        except ImportError as error:
            missing[name] = str(error)
            continue
        for i in range(3):
            contestant.step(i)
        check(name, contestant, reference, problem)
        ready[name] = contestant
    return ready, missing


def check(name: str, contestant: Contestant, reference: Contestant, problem: Problem) -> None:
    """Raise an error if the weights have changed otherwise than those of the reference."""
    rows = zip(contestant.weights(), reference.weights(), problem.weights(), strict=True)
    for i, (got, expected, first) in enumerate(rows):
        deviation = np.abs(np.asarray(got) - expected).max()
        changed = np.abs(expected - first).max()
        rounding = 4 * np.finfo(np.float32).eps * np.abs(first).max()
        if not deviation <= 1e-4 * changed + rounding:
            raise RuntimeError(
                f"{name} doesn't compute what NumPy by hand does: after three steps of {problem}, "
                f"its weights {i} are {deviation:.2g} off, where the steps changed them by "
                f"{changed:.2g}"
            )
