"""Transformers do what PyTorch's do, with its weights and its masks."""

import numpy as np
import pytest

import agrad as ag
from against_pytorch import compare, fill, torch, twin

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Using backward.. with create_graph=True",
    "ignore:enable_nested_tensor is True",
)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


SETTINGS = {
    "plain": {},
    "gelu, norm first": {"activation": "gelu", "norm_first": True},
    "batch first, no bias": {"batch_first": True, "bias": False},
    "eps": {"layer_norm_eps": 0.1},
}
CAUSAL = np.triu(np.ones((3, 3), bool), 1)
HIDDEN = np.array([[0, 0, 1], [0, 0, 0]], bool)


def encoder(nn, **settings):
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, **settings)


def decoder(nn, **settings):
    return nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, **settings)


def call(**options):
    def run(module, *inputs):
        make = ag.asarray if isinstance(module, ag.nn.Module) else torch.tensor
        given = {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
        return module(*inputs, **given)

    return run


def check(module, other, shapes, batch_first=False, second=True, **options):
    module = fill(module.to(ag.float64))
    other = twin(module, other)
    arrays = [draw(*shape, seed=i) for i, shape in enumerate(shapes)]
    if batch_first:
        arrays = [x.swapaxes(0, 1) for x in arrays]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        compare(module, other, arrays, call(**options), second=second, rtol=1e-7, atol=1e-9)


@needs_torch
@pytest.mark.parametrize("name", SETTINGS)
def test_encoder_layers_do_what_pytorchs_do(name):
    settings = SETTINGS[name]
    check(
        encoder(ag.nn, **settings),
        encoder(torch.nn, **settings),
        [(3, 2, 8)],
        settings.get("batch_first", False),
    )


@needs_torch
def test_encoder_layers_take_pytorchs_masks():
    check(encoder(ag.nn), encoder(torch.nn), [(3, 2, 8)], src_mask=CAUSAL)
    check(encoder(ag.nn), encoder(torch.nn), [(3, 2, 8)], src_key_padding_mask=HIDDEN)


@needs_torch
@pytest.mark.parametrize("name", SETTINGS)
def test_decoder_layers_do_what_pytorchs_do(name):
    settings = SETTINGS[name]
    check(
        decoder(ag.nn, **settings),
        decoder(torch.nn, **settings),
        [(3, 2, 8), (5, 2, 8)],
        settings.get("batch_first", False),
        second=False,
    )


@needs_torch
def test_decoder_layers_take_pytorchs_masks():
    check(
        decoder(ag.nn),
        decoder(torch.nn),
        [(3, 2, 8), (3, 2, 8)],
        second=False,
        tgt_mask=CAUSAL,
        memory_key_padding_mask=HIDDEN,
    )


@needs_torch
def test_stacks_do_what_pytorchs_do():
    def make(nn):
        return nn.TransformerEncoder(encoder(nn), 2, nn.LayerNorm(8))

    check(make(ag.nn), make(torch.nn), [(3, 2, 8)], second=False, mask=CAUSAL)

    def make_decoder(nn):
        return nn.TransformerDecoder(decoder(nn), 2)

    check(make_decoder(ag.nn), make_decoder(torch.nn), [(3, 2, 8), (5, 2, 8)], second=False)


@needs_torch
@pytest.mark.parametrize("batch_first", [False, True])
def test_whole_transformers_do_what_pytorchs_do(batch_first):
    def make(nn):
        return nn.Transformer(8, 2, 1, 1, 16, 0.0, batch_first=batch_first)

    shapes = [(5, 2, 8), (3, 2, 8)]
    check(make(ag.nn), make(torch.nn), shapes, batch_first, second=False, tgt_mask=CAUSAL)


@needs_torch
def test_single_precision_is_pytorchs_to_rounding():
    module = fill(ag.nn.TransformerEncoder(encoder(ag.nn, activation="gelu"), 2))
    other = twin(module, torch.nn.TransformerEncoder(encoder(torch.nn, activation="gelu"), 2))
    x = draw(20, 3, 8).astype("float32")
    own = ag.Tensor(x, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    out, expected = module(own), other.float()(theirs)
    (out * out * out).sum().backward()
    (expected * expected * expected).sum().backward()
    assert out.dtype == own.grad.dtype == ag.float32
    for got, wanted in ((out.detach(), expected.detach()), (own.grad, theirs.grad)):
        scale = abs(wanted.numpy()).max()
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-5, atol=1e-5 * scale)


@needs_torch
def test_the_causal_mask_is_pytorchs():
    own = ag.nn.Transformer.generate_square_subsequent_mask(4, dtype="float32")
    theirs = torch.nn.Transformer.generate_square_subsequent_mask(4)
    np.testing.assert_array_equal(own.numpy(), theirs.numpy())


def test_is_causal_needs_no_mask():
    layer = encoder(ag.nn).to(ag.float64)
    x = ag.Tensor(draw(3, 2, 8))
    by_mask = layer(x, ag.asarray(CAUSAL)).detach().numpy()
    np.testing.assert_allclose(layer(x, is_causal=True).detach().numpy(), by_mask, rtol=1e-12)
    assert abs(layer(x).detach().numpy() - by_mask).max() > 1e-3


def test_a_stacks_layers_begin_alike_but_have_weights_of_their_own():
    generator = ag.random.Generator(0)
    layer = ag.nn.TransformerEncoderLayer(8, 2, 16, generator=generator)
    first, second = ag.nn.TransformerEncoder(layer, 2).layers
    assert first.linear1.weight is not second.linear1.weight
    assert bool((first.linear1.weight == second.linear1.weight).all())
    assert first.dropout.generator is second.dropout.generator is generator


def test_dropout_is_for_training_alone():
    model = ag.nn.Transformer(8, 2, 1, 1, 16, 0.5, generator=ag.random.Generator(0))
    x = ag.ones((3, 2, 8), dtype="float32")
    assert bool((model(x, x) != model(x, x)).any())
    model.eval()
    assert bool((model(x, x) == model(x, x)).all())


def test_activations_may_be_functions_but_not_any_name():
    layer = ag.nn.TransformerEncoderLayer(8, 2, 16, activation=ag.nn.functional.silu)
    assert layer(ag.ones((3, 8), dtype="float32")).shape == (3, 8)
    with pytest.raises(ValueError, match="TransformerEncoderLayer: activation must be 'relu'"):
        ag.nn.TransformerEncoderLayer(8, 2, activation="sine")


@pytest.mark.parametrize("kind", ["TransformerEncoder", "TransformerDecoder"])
def test_what_is_copied_must_be_a_layer_not_its_class(kind):
    with pytest.raises(TypeError, match=f"{kind} needs a layer, a Module, to copy; got <class"):
        getattr(ag.nn, kind)(ag.nn.TransformerEncoderLayer, 2)


@pytest.mark.parametrize("device", ["array_api_strict:CPU_DEVICE", "torch:cpu"])
def test_other_libraries_give_what_numpy_gives(device):
    if device.startswith("torch"):
        pytest.importorskip("torch", reason="PyTorch isn't installed")
    layer = fill(encoder(ag.nn).to(ag.float64))
    x, mask = draw(3, 2, 8), CAUSAL
    expected = layer(ag.Tensor(x), ag.asarray(mask)).detach().numpy()
    layer.to(device)
    out = layer(ag.Tensor(x).to(device), ag.asarray(mask).to(device))
    np.testing.assert_allclose(out.detach().cpu().numpy(), expected, rtol=1e-10)


def test_recorded_steps_give_what_eager_ones_give():
    losses = []
    for compile in (lambda f: f, ag.compile):
        generator = ag.random.Generator(0)
        layer = ag.nn.TransformerEncoderLayer(8, 2, 16, generator=generator, dtype="float64")
        optimizer = ag.optim.SGD(layer.parameters(), 0.01)

        def step(x, layer=layer, optimizer=optimizer):
            optimizer.zero_grad()
            out = layer(x, is_causal=True)
            loss = (out * out * out).sum()
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = compile(step)
        losses.append([step(ag.Tensor(draw(3, 2, 8, seed=i))).item() for i in range(5)])
    np.testing.assert_allclose(*losses, rtol=1e-10)
