"""Attention: values, gradients and masks are PyTorch's, in the function and in the module."""

import math

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare, compare_functions, fill, on_backend, torch, twin
from agrad.nn import functional as F

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
pytestmark = pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


MAY = np.array([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0]], bool)
BLIND = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], bool)
QKV = [(2, 3, 4), (2, 5, 4), (2, 5, 6)]

# Shapes of Q, K and V, and what else is given
CASES = {
    "plain": (QKV, {}),
    "heads": ([(2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)], {}),
    "one query each": ([(3, 4), (5, 4), (5, 6)], {}),
    "scale": (QKV, {"scale": 0.3}),
    "causal": (QKV, {"is_causal": True}),
    "causal, more queries than keys": ([(6, 4), (3, 4), (3, 4)], {"is_causal": True}),
    "mask of bools": (QKV, {"attn_mask": MAY}),
    "mask that hides all keys from a query": (QKV, {"attn_mask": BLIND}),
    "mask of numbers": (QKV, {"attn_mask": draw(3, 5, seed=9)}),
    "mask for each of the batch": (QKV, {"attn_mask": draw(2, 1, 5, seed=9)}),
    "mask of -inf": (QKV, {"attn_mask": np.where(BLIND, 0.5, -math.inf)}),
    "more heads of queries": (
        [(2, 4, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)],
        {"enable_gqa": True, "is_causal": True},
    ),
}


def attention(module, make, options):
    options = {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    return lambda q, k, v: module.scaled_dot_product_attention(q, k, v, **options)


@needs_torch
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_pytorchs(case):
    shapes, options = CASES[case]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        compare_functions(
            attention(F, ag.asarray, options),
            attention(torch.nn.functional, torch.tensor, options),
            [draw(*shape, seed=i) for i, shape in enumerate(shapes)],
        )


@pytest.mark.parametrize(
    "case", ["heads", "causal", "mask that hides all keys from a query", "mask of -inf"]
)
def test_every_backend_gives_what_numpy_gives(case, backend):
    shapes, options = CASES[case]

    def function(q, k, v):
        return attention(F, lambda x: ag.asarray(x).to(q.device), options)(q, k, v)

    on_backend(function, [draw(*shape, seed=i) for i, shape in enumerate(shapes)], backend)


@needs_torch
def test_a_mask_of_numbers_is_trained_where_it_requires_a_gradient():
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        compare_functions(
            F.scaled_dot_product_attention,
            torch.nn.functional.scaled_dot_product_attention,
            [*(draw(*shape) for shape in QKV), draw(3, 5, seed=9)],
        )


def test_single_precision_stays_single_precision_whatever_the_mask():
    q, k, v = (ag.Tensor(draw(*shape), dtype="float32") for shape in QKV)
    for mask in (MAY, draw(3, 5)):
        assert F.scaled_dot_product_attention(q, k, v, ag.asarray(mask)).dtype == ag.float32
    assert F.scaled_dot_product_attention(q, k, v, is_causal=True).dtype == ag.float32


def test_dropped_weights_are_made_up_for_by_the_others():
    values = ag.ones((1000, 1))
    q = ag.zeros((50, 2))
    y = F.scaled_dot_product_attention(
        q, ag.zeros((1000, 2)), values, dropout_p=0.5, generator=ag.random.Generator(0)
    )
    assert abs(y.mean().item() - 1) < 0.05
    assert len(set(y[:, 0].tolist())) > 5


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        ([(3, 4), (5, 3), (5, 6)], {}, r"needs query, key and value .*\(3, 4\), \(5, 3\)"),
        ([(3, 4), (5, 4), (6, 6)], {}, "needs query, key and value of shapes"),
        ([(4,), (5, 4), (5, 6)], {}, "needs query, key and value of shapes"),
        (QKV, {"attn_mask": np.ones((4, 5))}, r"mask of shape \(4, 5\) doesn't broadcast"),
        (QKV, {"attn_mask": np.ones((2, 2, 3, 5))}, "doesn't broadcast to"),
        (QKV, {"attn_mask": MAY, "is_causal": True}, "attn_mask or is_causal, not both"),
        (
            [(2, 3, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)],
            {"enable_gqa": True},
            "heads of the query must be a multiple",
        ),
    ],
)
def test_what_doesnt_fit_is_named(shapes, options, message):
    with pytest.raises(ValueError, match=message):
        attention(F, ag.asarray, options)(*(ag.ones(shape) for shape in shapes))


# MultiheadAttention ------------------------------------------------------------------------------

HIDDEN = np.array([[0, 0, 1, 1, 0], [0, 1, 0, 0, 1]], bool)  # of 2 examples with 5 keys
MAY_NOT = np.array([[0, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 1]], bool)
EACH = np.stack([MAY_NOT, MAY_NOT[::-1], MAY_NOT[:, ::-1], MAY_NOT & False])

# Settings, what the call gets beside, and the lengths of keys and values
MODULES = {
    "plain": ({}, {}, (8, 8)),
    "batch first": ({"batch_first": True}, {}, (8, 8)),
    "no bias": ({"bias": False}, {}, (8, 8)),
    "other lengths": ({"kdim": 5, "vdim": 3}, {}, (5, 3)),
    "other lengths, no bias": ({"kdim": 5, "vdim": 3, "bias": False}, {}, (5, 3)),
    "one more key": ({"add_bias_kv": True}, {"key_padding_mask": HIDDEN}, (8, 8)),
    "a key of zeros": ({"add_zero_attn": True}, {"attn_mask": MAY_NOT}, (8, 8)),
    "both": ({"add_zero_attn": True, "add_bias_kv": True}, {}, (8, 8)),
    "padding": ({}, {"key_padding_mask": HIDDEN}, (8, 8)),
    "padding of numbers": ({}, {"key_padding_mask": draw(2, 5, seed=3)}, (8, 8)),
    "mask": ({"batch_first": True}, {"attn_mask": MAY_NOT}, (8, 8)),
    "mask of numbers": ({}, {"attn_mask": draw(3, 5, seed=3)}, (8, 8)),
    "mask for each head": ({}, {"attn_mask": EACH}, (8, 8)),
    "mask and padding": ({}, {"attn_mask": MAY_NOT, "key_padding_mask": HIDDEN}, (8, 8)),
    "weights of each head": ({}, {"average_attn_weights": False}, (8, 8)),
    "no weights": ({"batch_first": True}, {"need_weights": False}, (8, 8)),
}


def call(options):
    def run(module, *inputs):
        make = ag.asarray if isinstance(module, ag.nn.Module) else torch.tensor
        given = {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
        return module(*inputs, **given)

    return run


@needs_torch
@pytest.mark.parametrize("name", MODULES)
def test_modules_do_what_pytorchs_do(name):
    settings, options, (kdim, vdim) = MODULES[name]
    module = fill(ag.nn.MultiheadAttention(8, 2, dtype="float64", **settings))
    other = twin(module, torch.nn.MultiheadAttention(8, 2, **settings))
    arrays = [draw(3, 2, 8), draw(5, 2, kdim, seed=1), draw(5, 2, vdim, seed=2)]
    if settings.get("batch_first"):
        arrays = [x.swapaxes(0, 1) for x in arrays]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        compare(module, other, arrays, call(options), rtol=1e-9)


@needs_torch
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_and_single_examples_do_what_pytorchs_do(batch_first, causal):
    module = fill(ag.nn.MultiheadAttention(8, 4, batch_first=batch_first, dtype="float64"))
    other = twin(module, torch.nn.MultiheadAttention(8, 4, batch_first=batch_first))
    mask = np.triu(np.ones((3, 3), bool), 1) if causal else None
    options = {"attn_mask": mask, "is_causal": causal}
    for shape in ((3, 8), (2, 3, 8) if batch_first else (3, 2, 8)):
        compare(module, other, [draw(*shape)], lambda m, x: call(options)(m, x, x, x), rtol=1e-9)


def test_is_causal_needs_no_mask():
    module = ag.nn.MultiheadAttention(8, 2, dtype="float64")
    x = ag.Tensor(draw(3, 2, 8))
    mask = ag.nn.Transformer.generate_square_subsequent_mask(3)
    expected, _ = module(x, x, x, attn_mask=mask)
    for options in ({}, {"attn_mask": mask}):
        out, _ = module(x, x, x, is_causal=True, **options)
        np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)


def test_where_nothing_may_be_looked_at_zeros_are_found_and_gradients_stay_finite():
    module = ag.nn.MultiheadAttention(8, 2, dtype="float64")
    x = ag.Tensor(draw(3, 1, 8), requires_grad=True)
    out, weights = module(x, x, x, key_padding_mask=ag.ones((1, 3), dtype="bool"))
    assert bool((out == module.out_proj.bias).all())
    assert bool((weights == 0).all())
    out.sum().backward()
    for tensor in (x, *module.parameters()):
        assert bool(ag.isfinite(tensor.grad).all())


def test_weights_are_dropped_in_training_alone():
    module = ag.nn.MultiheadAttention(8, 2, dropout=0.5, generator=ag.random.Generator(0))
    x = ag.ones((20, 1, 8), dtype="float32")
    _, weights = module(x, x, x, average_attn_weights=False)
    assert 0.4 < (weights == 0).to(ag.float64).mean().item() < 0.6
    _, weights = module.eval()(x, x, x)
    assert not bool((weights == 0).any())


def test_parameters_begin_as_pytorchs_do():
    module = ag.nn.MultiheadAttention(64, 4, add_bias_kv=True)
    bound = math.sqrt(6 / (64 + 3 * 64))
    assert abs(module.in_proj_weight).max() <= bound
    assert abs(module.in_proj_weight.std().item() - bound / math.sqrt(3)) < 0.01
    assert abs(module.out_proj.weight).max() <= 1 / 8
    assert abs(module.out_proj.weight.std().item() - 1 / 8 / math.sqrt(3)) < 0.01
    for bias in (module.in_proj_bias, module.out_proj.bias):
        assert bool((bias == 0).all())
    assert abs(module.bias_k.std().item() - math.sqrt(2 / (64 + 64))) < 0.04


def test_recorded_steps_give_the_same():
    modules = []
    for compile in (lambda f: f, ag.compile):
        module = ag.nn.MultiheadAttention(8, 2, dtype="float64", generator=ag.random.Generator(0))
        optimizer = ag.optim.SGD(module.parameters(), 0.1)

        def step(x, module=module, optimizer=optimizer):
            optimizer.zero_grad()
            out, _ = module(x, x, x, is_causal=True)
            loss = (out * out).sum()
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = compile(step)
        modules.append([step(ag.Tensor(draw(3, 2, 8, seed=i))).item() for i in range(5)])
    np.testing.assert_allclose(*modules, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attn_mask": np.ones((3, 4), bool)}, r"attn_mask must be of shape \(3, 5\) or \(4, 3, 5"),
        ({"key_padding_mask": np.ones((3, 5))}, r"key_padding_mask must be of shape \(2, 5\)"),
        ({"length": 7}, r"needs query, key and value of shapes \(L, N, 8\), \(S, N, 8\)"),
        ({"batch": 3}, "needs query, key and value of shapes"),
    ],
)
def test_what_doesnt_fit_the_module_is_named(options, message):
    key = ag.ones((5, options.pop("batch", 2), options.pop("length", 8)), dtype="float32")
    query = ag.ones((3, 2, 8), dtype="float32")
    options = {name: ag.asarray(value) for name, value in options.items()}
    with pytest.raises(ValueError, match=f"MultiheadAttention.*{message}"):
        ag.nn.MultiheadAttention(8, 2)(query, key, key, **options)


def test_settings_that_dont_fit_are_named():
    with pytest.raises(ValueError, match="embed_dim must be a multiple of num_heads, got 8 and 3"):
        ag.nn.MultiheadAttention(8, 3)
    with pytest.raises(ValueError, match="MultiheadAttention: dropout must be a probability"):
        ag.nn.MultiheadAttention(8, 2, dropout=1.5)


@pytest.mark.parametrize("dtype", ["int64", "complex128"])
def test_masks_that_are_neither_bools_nor_real_numbers_are_refused(dtype):
    x = ag.Tensor(np.ones((2, 4, 6)))
    attention = ag.nn.MultiheadAttention(6, 2, batch_first=True, dtype="float64")
    ones = ag.ones((4, 4), dtype=dtype)
    message = "must be of bools, or of real numbers that are added .* got " + dtype
    with pytest.raises(TypeError, match=f"scaled_dot_product_attention: attn_mask {message}"):
        F.scaled_dot_product_attention(x, x, x, ones)
    with pytest.raises(TypeError, match=f"MultiheadAttention: attn_mask {message}"):
        attention(x, x, x, attn_mask=ones)
    with pytest.raises(TypeError, match=f"MultiheadAttention: key_padding_mask {message}"):
        attention(x, x, x, key_padding_mask=ones[:2])
