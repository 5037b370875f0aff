"""Files of weights and checkpoints: what is saved comes back, here and in PyTorch."""

import subprocess
import sys

import numpy as np
import pytest

import agrad as ag
from agrad import nn

pytest.importorskip("safetensors", reason="safetensors isn't installed")

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch isn't installed")


def same(x, y):
    assert x.dtype == y.dtype
    np.testing.assert_array_equal(x.detach().numpy(), y.detach().numpy())


def network(device=None):
    return nn.Sequential(nn.Linear(4, 3, device=device), nn.ReLU(), nn.Linear(3, 2, device=device))


# There and back ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool"],
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_a_tensor_comes_back_as_it_was(shape, dtype, tmp_path):
    x = ag.Tensor((np.random.default_rng(0).random(shape) * 9).astype(dtype))
    ag.save({"x": x}, tmp_path / "file")
    same(ag.load(tmp_path / "file")["x"], x)


def test_a_module_stands_for_its_weights(tmp_path):
    model, other = network(), network()
    ag.save(model, tmp_path / "model.safetensors")
    other.load_state_dict(ag.load(tmp_path / "model.safetensors"))
    x = ag.Tensor(np.ones((5, 4), "float32"))
    same(other(x), model(x))


def test_tensors_whose_memory_has_gaps_or_is_turned_round_are_saved_as_they_look(tmp_path):
    x = ag.Tensor(np.arange(12.0).reshape(3, 4))
    ag.save({"turned": x.T, "part": x[:, ::2]}, str(tmp_path / "file"))
    loaded = ag.load(str(tmp_path / "file"))
    same(loaded["turned"], x.T)
    same(loaded["part"], x[:, ::2])


def test_a_module_in_a_checkpoint_stands_for_its_weights_too(tmp_path):
    net = network()
    ag.save({"nets": [net, None], "epoch": 3}, tmp_path / "file")
    found = ag.load(tmp_path / "file")
    assert found["epoch"] == 3
    assert found["nets"][1] is None
    assert list(found["nets"][0]) == list(net.state_dict())
    for name, value in net.state_dict().items():
        same(found["nets"][0][name], value)


def test_a_checkpoint_keeps_its_form(tmp_path):
    generator = ag.random.Generator(3)
    checkpoint = {
        "model": network().state_dict(),
        "optimizer": {"state": {0: {"step": 3, "velocity": ag.ones(3)}}, "lr": [0.1, 0.01]},
        "generator": generator.state,
        "epoch": 7,
        "best": (0.5, None, True, "a name", float("inf")),
        "raw": np.arange(3),
        "with.dots": {"a": ag.zeros(1)},
        "with": {"dots.a": ag.ones(1)},
    }
    ag.save(checkpoint, tmp_path / "checkpoint")
    loaded = ag.load(tmp_path / "checkpoint")
    assert list(loaded) == list(checkpoint)
    for name, value in checkpoint["model"].items():
        same(loaded["model"][name], value)
    assert loaded["optimizer"]["state"][0]["step"] == 3
    same(loaded["optimizer"]["state"][0]["velocity"], ag.ones(3))
    assert loaded["optimizer"]["lr"] == [0.1, 0.01]
    assert (loaded["epoch"], loaded["best"]) == (7, checkpoint["best"])
    same(loaded["raw"], ag.Tensor(np.arange(3)))
    same(loaded["with.dots"]["a"], ag.zeros(1))
    same(loaded["with"]["dots.a"], ag.ones(1))
    expected = generator.permutation(10).tolist()
    generator.state = loaded["generator"]
    assert generator.permutation(10).tolist() == expected


def test_a_tensor_of_another_device_is_saved_and_one_can_be_loaded_there(tmp_path):
    pytest.importorskip("array_api_strict")
    device = "array_api_strict:CPU_DEVICE"
    model = network(device)
    ag.save(model, tmp_path / "file")
    loaded = ag.load(tmp_path / "file", device=device)
    assert loaded["0.weight"].device == device
    same(ag.load(tmp_path / "file")["0.weight"], model[0].weight.to("cpu"))


def test_texts_of_ones_own_are_in_the_files_head(tmp_path):
    import safetensors

    ag.save(network(), tmp_path / "file", metadata={"author": "me"})
    with safetensors.safe_open(tmp_path / "file", framework="np") as file:
        assert file.metadata() == {"author": "me"}


# To PyTorch and back -----------------------------------------------------------------------------


def mlp(nn):
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (5, 4)


def convnet(nn):
    layers = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(6 * 2 * 2, 3),
    )
    return layers.eval(), (5, 1, 8, 8)


def transformer_block(nn):
    block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return nn.Sequential(block, nn.LayerNorm(8)).eval(), (3, 5, 8)


@needs_torch
@pytest.mark.parametrize("build", [mlp, convnet, transformer_block])
def test_a_file_of_weights_gives_the_same_outputs_in_pytorch_and_the_reverse(build, tmp_path):
    from safetensors.torch import load_file, save_file

    def outputs():
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        with torch.no_grad():
            return ours(ag.Tensor(x)).detach().numpy(), theirs(torch.tensor(x)).numpy()

    (ours, shape), (theirs, _) = build(nn), build(torch.nn)
    ag.save(ours, tmp_path / "ours")
    theirs.load_state_dict(load_file(tmp_path / "ours"))
    np.testing.assert_allclose(*outputs(), rtol=1e-4, atol=1e-5)

    theirs, _ = build(torch.nn)
    with torch.no_grad():
        for tensor in theirs.state_dict().values():  # the running statistics, too
            if tensor.is_floating_point():
                tensor.uniform_(0.1, 1)
    save_file(theirs.state_dict(), tmp_path / "theirs")
    ours.load_state_dict(ag.load(tmp_path / "theirs"))
    np.testing.assert_allclose(*outputs(), rtol=1e-4, atol=1e-5)


# Errors ------------------------------------------------------------------------------------------


def test_what_cannot_be_saved_is_named_and_the_old_file_stays(tmp_path):
    path = tmp_path / "file"
    ag.save({"x": ag.ones(2)}, path)
    with pytest.raises(TypeError, match=r"got set at 'a\.1'"):
        ag.save({"a": [1, {2}]}, path)
    with pytest.raises(TypeError, match=r"a key must be a str or an int, got 1\.5"):
        ag.save({1.5: ag.ones(2)}, path)
    same(ag.load(path)["x"], ag.ones(2))
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_there_is_an_error_and_nothing_is_left(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere. to save in"):
        ag.save({"x": ag.ones(2)}, tmp_path / "nowhere" / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_or_of_another_format_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*missing"):
        ag.load(tmp_path / "missing")
    (tmp_path / "text").write_text("not weights at all, but a text")
    with pytest.raises(ValueError, match=r"can.t load .*text. as safetensors"):
        ag.load(tmp_path / "text")


def test_without_safetensors_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['safetensors'] = None; import agrad as ag\n"
        "try: ag.save({}, 'x')\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install safetensors" in done.stdout


def test_arguments_the_wrong_way_round_are_refused(tmp_path):
    with pytest.raises(TypeError, match="then a path; got a path of Linear"):
        ag.save(str(tmp_path / "x.safetensors"), ag.nn.Linear(2, 3))
