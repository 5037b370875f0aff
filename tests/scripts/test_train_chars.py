"""The script that trains a transformer on characters: it learns, writes, and says what is wrong."""

import importlib
import math
import re
from pathlib import Path

import numpy as np
import pytest

import agrad as ag

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")
SCRIPTS = Path(__file__).parents[2] / "scripts"
SMALL = "--batch-size 4 --context 8 --d-model 8 --heads 2 --layers 1 --report 10 --sample 20"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("train_chars")


@pytest.fixture
def one_thread():
    """Let PyTorch use one thread: with several, matrices as small as these take it far longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def alphabet(tmp_path):
    """A text that says the same again and again."""
    path = tmp_path / "text.txt"
    path.write_text("abcdefgh" * 100, encoding="utf-8")
    return path


def test_the_text_is_there_in_every_install(script):
    text = script.read(None)
    assert len(text) > 100_000
    assert 'The "if" statement' in text


def test_it_learns_what_comes_next_and_writes_it(script, alphabet, capsys):
    options = f"--text {alphabet} --steps 150 --lr 0.02 --temperature 0.1 --eager"
    losses = script.main([*SMALL.split(), *options.split()])
    assert len(losses) == 150
    assert losses[0] > 1
    assert losses[-1] < 0.1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("800 characters, 8 kinds; ")
    assert lines[1].split() == ["Step", "Loss", "Held", "out", "Bits", "each"]
    step, loss, held, bits = lines[16].split()
    assert step == "150"
    assert float(loss) == pytest.approx(np.mean(losses[-10:]), abs=1e-3)
    assert float(bits) == pytest.approx(float(held) / math.log(2), abs=1e-3)
    assert re.fullmatch(r"[\d,]+ characters per second", lines[17])
    assert lines[18] == "abcdefgh" * 2 + "abcd"  # after 8 characters of the text


def test_a_recorded_run_gives_the_losses_of_an_eager_one(script, alphabet):
    options = [*SMALL.split(), *f"--text {alphabet} --steps 5 --dropout 0.1".split()]
    recorded = script.main([*options, "--dtype", "float64"])
    eager = script.main([*options, "--dtype", "float64", "--eager"])
    np.testing.assert_allclose(recorded, eager, rtol=1e-10)


def test_the_same_seed_gives_the_same_losses(script, alphabet):
    options = [*SMALL.split(), *f"--text {alphabet} --steps 3 --eager".split()]
    assert script.main([*options, "--seed", "3"]) == script.main([*options, "--seed", "3"])
    assert script.main([*options, "--seed", "4"]) != script.main([*options, "--seed", "3"])


def pytorch_losses(state, sizes, batches, lr):
    """Train the same model in PyTorch, from the same weights, and return its losses."""
    n_chars, context, d_model, heads, layers = sizes

    class CharModel(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.token = torch.nn.Embedding(n_chars, d_model)
            self.place = torch.nn.Embedding(context, d_model)
            layer = torch.nn.TransformerEncoderLayer(
                d_model, heads, 4 * d_model, 0.0, "gelu", batch_first=True, norm_first=True
            )
            norm = torch.nn.LayerNorm(d_model)
            self.body = torch.nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
            self.head = torch.nn.Linear(d_model, n_chars)

        def forward(self, chars):
            x = self.token(chars) + self.place.weight[: chars.shape[1]]
            mask = torch.nn.Transformer.generate_square_subsequent_mask(
                chars.shape[1], dtype=x.dtype
            )
            return self.head(self.body(x, mask, is_causal=True))

    model = CharModel()
    values = {name: torch.tensor(value.numpy()) for name, value in state.items()}
    model.to(values["head.weight"].dtype).load_state_dict(values)
    optimizer = torch.optim.AdamW(model.parameters(), lr)
    losses = []
    for batch in batches:
        chars = torch.tensor(batch.numpy())
        scores = model(chars[:, :-1]).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(scores, chars[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@needs_torch
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-8), ("float32", 1e-5)])
def test_the_losses_of_200_steps_are_pytorchs(
    script, one_thread, dtype, tolerance, record_property
):
    text = script.read(None)[:20_000]
    chars = sorted(set(text))
    numbers = ag.asarray([chars.index(char) for char in text], dtype="int64")
    sizes = len(chars), 16, 16, 2, 2
    ag.manual_seed(0)
    model = script.CharModel(*sizes).to(dtype)
    state = model.state_dict()
    optimizer = ag.optim.AdamW(model.parameters(), 0.003)

    def data():
        return script.batches(numbers, 16, 4, 0)

    own = list(script.train(model, optimizer, data(), 200, compiled=False))
    batches = [batch for batch, _ in zip(data(), range(200), strict=False)]
    theirs = pytorch_losses(state, sizes, batches, 0.003)
    difference = max(abs(a - b) / b for a, b in zip(own, theirs, strict=True))
    record_property("largest relative difference of a loss", difference)
    print(f"largest relative difference of 200 losses in {dtype}: {difference:.1e}")
    assert difference < tolerance
    assert np.mean(own[-20:]) < 0.85 * np.mean(own[:20])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--text missing.txt", "missing.txt"),
        ("--context 100", "must have at least 2000 characters"),
        ("--context 8 --d-model 9 --heads 2", "embed_dim must be a multiple of num_heads"),
        ("--context 8 --dropout 2", "dropout must be a probability"),
        ("--context 8 --device moon", "moon"),
    ],
)
def test_what_it_cant_do_is_said_in_a_line(script, alphabet, options, message):
    with pytest.raises(SystemExit, match=message) as error:
        script.main(["--text", str(alphabet), *options.split()])
    assert str(error.value).startswith("train_chars.py: ")


def test_what_is_no_size_is_refused(script, capsys):
    with pytest.raises(SystemExit):
        script.main(["--steps", "0"])
    assert "must be at least 1, got 0" in capsys.readouterr().err
