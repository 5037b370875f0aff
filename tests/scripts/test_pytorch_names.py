"""The page of PyTorch's names: nothing that is missing is passed over."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
torch = pytest.importorskip("torch", reason="PyTorch isn't installed")


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("pytorch_names")


def test_the_page_in_the_docs_is_what_the_script_writes(script, tmp_path):
    page = (ROOT / "docs" / "pytorch_names.md").read_text()
    version = torch.__version__.partition("+")[0]
    if f"PyTorch {version} " not in page:
        pytest.skip(f"the page is of another PyTorch than {version}")
    script.main(["--out", str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text() == page


def test_what_agrad_lacks_is_named_as_missing(script, monkeypatch):
    there, missing = script.compare()["torch.optim"]
    assert "Adam" in there
    assert "Adam" not in missing
    monkeypatch.delattr("agrad.optim.Adam")
    there, missing = script.compare()["torch.optim"]
    assert "Adam" not in there
    assert "Adam" in missing


def test_every_chapter_has_names_of_classes_or_functions_alone(script):
    for chapter in script.LEFT_ASIDE:
        names = script.public_names(chapter)
        assert len(names) >= 5
        module = importlib.import_module(chapter)
        assert all(callable(getattr(module, name)) for name in names)
