"""What can be asked of agrad as a namespace of the standard."""

import array_api_compat
import pytest

import agrad as ag


@pytest.fixture
def info():
    return ag.__array_namespace_info__()


def test_a_tensor_knows_its_namespace():
    x = ag.Tensor([1.0])
    assert x.__array_namespace__() is ag
    assert x.__array_namespace__(api_version="2025.12") is ag
    assert ag.__array_api_version__ == "2025.12"
    assert array_api_compat.array_namespace(x) is ag
    with pytest.raises(ValueError, match=r"versions 2021\.12, .* got '1999\.01'"):
        x.__array_namespace__(api_version="1999.01")


def test_capabilities(info):
    assert info.capabilities() == {
        "boolean indexing": True,
        "data-dependent shapes": True,
        "max dimensions": 64,
    }


def test_devices_can_be_used(info, backend):
    x = backend.tensor([1.0])
    assert info.default_device() == "cpu"
    assert {"cpu", x.device} <= set(info.devices())
    for device in info.devices():
        assert ag.zeros(2, device=device).device == device


def test_data_types_are_agrads(info, backend):
    device = backend.tensor([1.0]).device
    found = info.dtypes(device=device)
    assert {"bool", "int64", "float32", "complex64"} <= set(found)
    assert all(found[name] is getattr(ag, name) for name in found)
    assert set(info.dtypes(device=device, kind="bool")) == {"bool"}
    assert set(info.dtypes(kind=("signed integer", "bool"))) == {
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
    }


def test_the_default_data_types_are_those_of_new_tensors(info, backend):
    device = backend.tensor([1.0]).device
    found = info.default_dtypes(device=device)
    assert found["real floating"] is ag.zeros(1, device=device).dtype
    assert found["integral"] is ag.asarray([1], device=device).dtype
    assert found["complex floating"] is ag.asarray([1j], device=device).dtype
    assert found["indexing"] is ag.argmax(ag.zeros(1, device=device)).dtype
