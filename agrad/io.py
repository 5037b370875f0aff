"""Files: state dicts and checkpoints as safetensors, which many libraries read, without pickle."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from agrad.backends import is_array
from agrad.nn.module import Module
from agrad.ops import to_device
from agrad.tensor import Tensor

__all__ = ["load", "save"]

_STRUCTURE = "agrad"  # where the form of a checkpoint stands in the file's metadata
_PLAIN = (bool, int, float, str, type(None))


def save(
    obj: Any, path: str | os.PathLike[str], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a module's weights, or a checkpoint, to a file in the format safetensors.

    A dict of Tensors, as `Module.state_dict` gives it, becomes the file that other libraries write
    and read: PyTorch's ``safetensors.torch.load_file`` gives it back. Anything deeper keeps its
    form as well, for `load`.

    Parameters
    ----------
    obj : Module, or nested dicts, lists and tuples of Modules, Tensors, numbers, texts and None
        A module stands for its state dict, an array for a Tensor. A checkpoint may be
        ``{"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3,
        "generator": agrad.random.default_generator.state}``.
    path : str or path
        The file. If it is there it is replaced, once the new one is whole.
    metadata : mapping of str to str, optional
        Texts that go into the file's head.

    Raises
    ------
    ImportError
        If the package safetensors isn't installed.
    FileNotFoundError
        If there is no such folder.
    TypeError
        If something is of another kind. Nothing has been written.

    References
    ----------
    https://github.com/huggingface/safetensors describes the format.

    Examples
    --------
    >>> import tempfile, pathlib, agrad as ag
    >>> model = ag.nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.safetensors"
    ...     ag.save(model, path)
    ...     state = ag.load(path)
    >>> sorted(state)
    ['bias', 'weight']
    """
    library = _safetensors()
    if isinstance(obj, Module):
        obj = obj.state_dict()
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"save takes what to save, and then a path; got a path of {type(path).__name__}"
        )
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"there is no folder {os.fspath(Path(path).parent)!r} to save in")
    arrays: dict[str, Any] = {}
    structure = _take_apart(obj, "", arrays)
    texts = dict(metadata or {})
    is_flat = isinstance(obj, Mapping) and set(obj) == set(arrays)
    if not is_flat:
        texts[_STRUCTURE] = json.dumps(structure)
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        library.save_file(arrays, temporary, metadata=texts or None)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], *, device: str | None = None) -> Any:
    """Read a file that `save`, or another library, has written in the format safetensors.

    Parameters
    ----------
    path : str or path
        The file.
    device : str, optional
        Where to put the Tensors; the default device if not given.

    Returns
    -------
    dict of str to Tensor
        Or what was saved, if that was something deeper.

    Raises
    ------
    ImportError
        If the package safetensors isn't installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it isn't in that format.

    Examples
    --------
    See `save`.
    """
    library = _safetensors()
    import safetensors

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {os.fspath(path)!r} to load")
    try:
        with safetensors.safe_open(path, framework="np") as file:
            texts = file.metadata() or {}
        arrays = library.load_file(path)
    except (safetensors.SafetensorError, TypeError, KeyError) as error:
        raise ValueError(f"can't load {os.fspath(path)!r} as safetensors: {error}") from None
    tensors = {
        name: Tensor(array) if device is None else to_device(Tensor(array), device)
        for name, array in arrays.items()
    }
    if _STRUCTURE not in texts:
        return tensors
    return _put_together(json.loads(texts[_STRUCTURE]), tensors)


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            f"files of weights need the package safetensors ({error}): pip install safetensors"
        ) from None
    return safetensors.numpy


def _take_apart(value: Any, name: str, arrays: dict[str, Any]) -> Any:
    """Collect the arrays by their dotted names, and return the form around them, for JSON."""
    if isinstance(value, Module):
        value = value.state_dict()
    if isinstance(value, Tensor) or is_array(value):
        tensor = value if isinstance(value, Tensor) else Tensor(value)
        while name in arrays:  # keys may have dots themselves
            name += "_"
        arrays[name] = tensor._backend.to_host(tensor._data).copy(order="C")
        return {"tensor": name}
    if isinstance(value, Mapping):
        inside = f"{name}." if name else ""
        pairs = []
        for key, each in value.items():
            if not isinstance(key, (str, int)):
                raise TypeError(f"save: a key must be a str or an int, got {key!r}")
            pairs.append([key, _take_apart(each, f"{inside}{key}", arrays)])
        return {"dict": pairs}
    if type(value) in (list, tuple):
        inside = f"{name}." if name else ""
        each = [_take_apart(x, f"{inside}{i}", arrays) for i, x in enumerate(value)]
        return {type(value).__name__: each}
    if isinstance(value, _PLAIN):
        return {"value": value}
    raise TypeError(
        "save takes Modules, and nested dicts, lists and tuples of Tensors, arrays, numbers, texts "
        f"and None; got {type(value).__name__} at {name or 'the top'!r}"
    )


def _put_together(form: Any, tensors: dict[str, Tensor]) -> Any:
    [(kind, value)] = form.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {key: _put_together(each, tensors) for key, each in value}
    if kind in ("list", "tuple"):
        each = (_put_together(x, tensors) for x in value)
        return list(each) if kind == "list" else tuple(each)
    return value
