"""MNIST and Fashion-MNIST: 70,000 images of 28x28 pixels in 10 classes each."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from agrad.backends import Array
from agrad.data.idx import read_idx
from agrad.tensor import Tensor

__all__ = ["Dataset", "Splits", "fashion_mnist", "mnist"]


@dataclass(frozen=True, eq=False)  # eq: comparing Tensors gives a Tensor, not a yes or no
class Dataset:
    """Images and their labels: ``images[i]`` shows a thing of class ``labels[i]``.

    Parameters
    ----------
    images : Tensor
        The images, along the first axis: of shape (n, height, width), say.
    labels : Tensor
        The label of each, shape (n,).

    Raises
    ------
    ValueError
        If there are not as many labels as images.

    Examples
    --------
    >>> digits = Dataset(Tensor([[[0.0, 0.5]], [[1.0, 0.0]]]), Tensor([7, 3]))
    >>> len(digits)
    2
    >>> image, label = digits[0]
    >>> image.shape, int(label)
    ((1, 2), 7)
    >>> images, labels = digits[:2]
    >>> images.shape, labels.shape
    ((2, 1, 2), (2,))
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if self.images.shape[0] != self.labels.shape[0]:
            raise ValueError(
                f"expected one label per image, got images of shape {self.images.shape} "
                f"and labels of shape {self.labels.shape}"
            )

    def __len__(self) -> int:
        """Return the number of images."""
        return int(self.labels.shape[0])

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        """Return the images and the labels at an index, a slice or an array of indices."""
        return self.images[index], self.labels[index]

    def to(self, device: str) -> "Dataset":
        """Return the data set on a device, such as "cpu" or "cuda"."""
        return Dataset(self.images.to(device), self.labels.to(device))


class Splits(NamedTuple):
    """A data set in three parts.

    Parameters
    ----------
    train : Dataset
        To train on.
    dev : Dataset
        To compare settings by, and to know when to stop.
    test : Dataset
        To report on at the end, once.
    """

    train: Dataset
    dev: Dataset
    test: Dataset


def mnist(root: str | os.PathLike[str] | None = None) -> Splits:
    """Load MNIST: handwritten digits, 28x28 pixels, with the digit as the label.

    Parameters
    ----------
    root : str or path, optional
        A folder that has the four files ``train-images-idx3-ubyte``,
        ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``,
        each plain or with ``.gz`` at the end. By default they are downloaded once (11 MB) and
        kept in the user's cache folder.

    Returns
    -------
    Splits
        ``train`` (the first 50,000 training images), ``dev`` (the last 10,000) and ``test``
        (10,000), on the CPU. Images are float32 of shape (n, 28, 28), from 0 (background) to 1
        (ink); labels are int64 of shape (n,), 0 to 9.

    Raises
    ------
    FileNotFoundError
        If `root` lacks one of the files.
    ValueError
        If a file is damaged, or doesn't hold what MNIST's file of that name does.
    ImportError
        If `root` is not given and pooch, which downloads, is not installed.
    OSError
        If no mirror gave a file.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86 (1998).

    Examples
    --------
    >>> train, dev, test = mnist("scripts/data/mnist")  # agrad's repository has a copy
    >>> train.images.shape, dev.images.shape, test.images.shape
    ((50000, 28, 28), (10000, 28, 28), (10000, 28, 28))
    >>> image, label = train[0]
    >>> int(label)
    5
    """
    return _load(_MNIST, root)


def fashion_mnist(root: str | os.PathLike[str] | None = None) -> Splits:
    """Load Fashion-MNIST: clothes, in MNIST's sizes and formats, and harder to tell apart.

    The classes are 0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt,
    7 sneaker, 8 bag, 9 ankle boot.

    Parameters
    ----------
    root : str or path, optional
        A folder that has the four files, named as for `mnist`. By default they are downloaded
        once (31 MB) and kept in the user's cache folder.

    Returns
    -------
    Splits
        As for `mnist`.

    Raises
    ------
    FileNotFoundError, ValueError, ImportError, OSError
        As for `mnist`.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", https://arxiv.org/abs/1708.07747.

    Examples
    --------
    >>> train, dev, test = fashion_mnist()  # doctest: +SKIP
    """
    return _load(_FASHION_MNIST, root)


class _Source(NamedTuple):
    """Where a data set comes from."""

    name: str
    folder: str  # inside agrad's cache folder
    mirrors: tuple[str, ...]  # tried in this order
    sha256: dict[str, str]  # of each file, gzip-compressed as the mirrors have it


# Every mirror hands out the same bytes, so one sum per file serves all of them (and makes plain
# http safe).
_MNIST = _Source(
    name="MNIST",
    folder="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    sha256={
        "train-images-idx3-ubyte": (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        "train-labels-idx1-ubyte": (
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        "t10k-images-idx3-ubyte": (
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        "t10k-labels-idx1-ubyte": (
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    },
)

_FASHION_MNIST = _Source(
    name="Fashion-MNIST",
    folder="fashion-mnist",
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    sha256={
        "train-images-idx3-ubyte": (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        "t10k-images-idx3-ubyte": (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    },
)


def _load(source: _Source, root: str | os.PathLike[str] | None) -> Splits:
    """Find or download a data set's four files and read them."""
    files = _download(source) if root is None else _find(source, Path(root).expanduser())
    images, labels = _read(files, "train", 60_000)
    test_images, test_labels = _read(files, "t10k", 10_000)
    return Splits(
        train=_dataset(images[:50_000], labels[:50_000]),
        dev=_dataset(images[50_000:], labels[50_000:]),
        test=_dataset(test_images, test_labels),
    )


def _find(source: _Source, folder: Path) -> dict[str, Path]:
    """Return the path of each file in a folder, which may have it plain or compressed."""
    files = {}
    for name in source.sha256:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                files[name] = path
                break
    missing = [name for name in source.sha256 if name not in files]
    if missing:
        raise FileNotFoundError(
            f"{source.name}: no {', '.join(missing)} (plain or .gz) in {folder.resolve()}"
            f"{'' if folder.is_dir() else ', which is not a folder'}; give root= the folder that "
            "has them, or leave it out to download them"
        )
    return files


def _download(source: _Source) -> dict[str, Path]:
    """Return the path of each file in the cache folder, downloading those that are not there."""
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f"downloading {source.name} needs pooch, which can't be imported ({error}). Install it "
            'with: pip install "agrad[data]", or give root= a folder that has the files'
        ) from error

    def fetch(name: str, sha256: str) -> Path:
        failures = []
        for mirror in source.mirrors:
            url = f"{mirror}{name}.gz"
            try:
                # pooch downloads under another name, and renames only what has the right sum.
                path = pooch.retrieve(
                    url,
                    known_hash=f"sha256:{sha256}",
                    fname=f"{name}.gz",
                    path=pooch.os_cache("agrad") / source.folder,
                )
                return Path(path)
            except (OSError, ValueError) as error:  # no answer or a refusal; the wrong sum
                failures.append(f"\n  {url}: {error}")
        raise OSError(
            f"{source.name}: no mirror gave {name}.gz:{''.join(failures)}\n"
            "Try again later, or give root= a local folder that has the files"
        )

    return {name: fetch(name, sha256) for name, sha256 in source.sha256.items()}


def _read(files: dict[str, Path], part: str, count: int) -> tuple[Array, Array]:
    """Read the images and labels of one part, "train" or "t10k", as they are stored."""
    images_path = files[f"{part}-images-idx3-ubyte"]
    labels_path = files[f"{part}-labels-idx1-ubyte"]
    images, labels = read_idx(images_path), read_idx(labels_path)
    for path, array, shape in (
        (images_path, images, (count, 28, 28)),
        (labels_path, labels, (count,)),
    ):
        if array.shape != shape or array.dtype != "uint8":
            raise ValueError(
                f"{path}: expected shape {shape} of uint8, found shape {array.shape} "
                f"of {array.dtype}"
            )
    if labels.max() > 9:
        at = int(labels.argmax())
        raise ValueError(f"{labels_path}: expected labels 0 to 9, found {labels[at]} at index {at}")
    return images, labels


def _dataset(images: Array, labels: Array) -> Dataset:
    """Make a data set of images whose pixels are bytes."""
    return Dataset(Tensor(images.astype("float32") / 255), Tensor(labels.astype("int64")))
