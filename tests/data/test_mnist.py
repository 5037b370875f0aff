"""MNIST and Fashion-MNIST: from a folder, from a mirror, and what is refused."""

import gzip
import hashlib
import importlib
import shutil
import subprocess
import sys
import threading
from dataclasses import FrozenInstanceError
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from agrad.data import Dataset, Splits, fashion_mnist, mnist
from agrad.tensor import Tensor

# Not `import agrad.data.mnist`: that name is the function, which hides its module.
module = importlib.import_module("agrad.data.mnist")

DATA = Path(__file__).parents[2] / "scripts" / "data" / "mnist"
NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
LOADERS = pytest.mark.parametrize("load", [mnist, fashion_mnist])


def numbers(tensor):
    return np.asarray(tensor.data)


@pytest.fixture(scope="module")
def splits():
    return mnist(DATA)


@pytest.fixture
def folder(tmp_path):
    """A folder of our own that has MNIST."""
    for name in NAMES:
        shutil.copy(DATA / f"{name}.gz", tmp_path)
    return tmp_path


# What is loaded ----------------------------------------------------------------------------


def test_the_repository_has_the_original_files():
    # The MD5 sums of the original distribution, uncompressed
    sums = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
    for name, expected in sums.items():
        content = gzip.decompress((DATA / f"{name}.gz").read_bytes())
        assert hashlib.md5(content).hexdigest() == expected
        assert expected in (DATA / "LICENSE.md").read_text(encoding="utf-8")


def test_there_are_50000_10000_and_10000_images_of_28_by_28(splits):
    assert isinstance(splits, Splits)
    assert splits._fields == ("train", "dev", "test")
    for part, count in zip(splits, (50_000, 10_000, 10_000), strict=True):
        assert isinstance(part, Dataset)
        assert len(part) == count
        assert part.images.shape == (count, 28, 28)
        assert part.labels.shape == (count,)


def test_images_are_float32_from_0_to_1_and_labels_int64_from_0_to_9(splits):
    for part in splits:
        assert isinstance(part.images, Tensor)
        assert isinstance(part.labels, Tensor)
        images, labels = numbers(part.images), numbers(part.labels)
        assert (images.dtype, labels.dtype) == (np.float32, np.int64)
        assert (images.min(), images.max()) == (0, 1)
        assert (labels.min(), labels.max()) == (0, 9)


def test_pixels_are_the_files_bytes_over_255(splits):
    for part, name, first in (
        (splits.train, "train-images-idx3-ubyte.gz", 0),
        (splits.dev, "train-images-idx3-ubyte.gz", 50_000),
        (splits.test, "t10k-images-idx3-ubyte.gz", 0),
    ):
        content = gzip.decompress((DATA / name).read_bytes())
        for index in (0, 1, len(part) - 1):
            start = 16 + 784 * (first + index)
            expected = [each / 255 for each in content[start : start + 784]]
            image = numbers(part.images)[index].reshape(-1)
            np.testing.assert_array_equal(image, np.array(expected, dtype=np.float32))


def test_the_training_images_have_the_well_known_mean_and_deviation(splits):
    images = np.concatenate([numbers(splits.train.images), numbers(splits.dev.images)])
    assert images.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    assert images.std(dtype=np.float64) == pytest.approx(0.3081, abs=5e-5)


def test_the_first_labels_are_the_well_known_ones(splits):
    assert numbers(splits.train.labels)[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert numbers(splits.test.labels)[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_the_dev_labels_are_the_last_10000_training_labels(splits):
    content = gzip.decompress((DATA / "train-labels-idx1-ubyte.gz").read_bytes())
    assert numbers(splits.dev.labels).tolist() == list(content[-10_000:])


def test_each_class_has_its_well_known_count(splits):
    train, dev, test = (np.bincount(numbers(part.labels)).tolist() for part in splits)
    assert train == [4932, 5678, 4968, 5101, 4859, 4506, 4951, 5175, 4842, 4988]
    assert dev == [991, 1064, 990, 1030, 983, 915, 967, 1090, 1009, 961]
    assert test == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# A data set --------------------------------------------------------------------------------


@pytest.fixture
def small():
    return Dataset(Tensor(np.arange(12.0).reshape(3, 2, 2)), Tensor(np.array([7, 8, 9])))


def test_an_index_gives_an_image_and_its_label(small):
    for index in (0, 2, -1):
        image, label = small[index]
        np.testing.assert_array_equal(numbers(image), numbers(small.images)[index])
        assert int(label) == [7, 8, 9][index]


@pytest.mark.parametrize("index", [slice(1, 3), slice(None), np.array([2, 0]), slice(0, 0)])
def test_a_slice_or_an_array_gives_images_and_their_labels(small, index):
    images, labels = small[index]
    np.testing.assert_array_equal(numbers(images), numbers(small.images)[index])
    np.testing.assert_array_equal(numbers(labels), numbers(small.labels)[index])


def test_a_loop_gives_every_image_with_its_label(small):
    assert [int(label) for _, label in small] == [7, 8, 9]


def test_a_data_set_can_be_moved_to_a_device(small):
    moved = small.to("cpu")
    assert isinstance(moved, Dataset)
    np.testing.assert_array_equal(numbers(moved.images), numbers(small.images))
    np.testing.assert_array_equal(numbers(moved.labels), numbers(small.labels))


def test_moving_a_data_set_moves_images_and_labels():
    class Elsewhere:
        def __init__(self, where):
            self.shape, self.where = (3,), where

        def to(self, device):
            return Elsewhere(device)

    moved = Dataset(Elsewhere("cpu"), Elsewhere("cpu")).to("cuda:1")
    assert (moved.images.where, moved.labels.where) == ("cuda:1", "cuda:1")


def test_images_without_a_label_each_are_refused(small):
    with pytest.raises(ValueError, match=r"images of shape \(3, 2, 2\) and labels of shape \(2,\)"):
        Dataset(small.images, small.labels[:2])


def test_a_data_set_can_not_be_changed_or_compared_by_value(small):
    with pytest.raises(FrozenInstanceError):
        small.labels = small.images
    assert small == small
    assert small != Dataset(small.images, small.labels)


# From a folder -----------------------------------------------------------------------------


@LOADERS
def test_files_may_be_plain_or_compressed_and_the_folder_a_string(folder, load):
    for name in ("train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"):
        packed = folder / f"{name}.gz"
        (folder / name).write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    train, _, test = load(str(folder))
    assert numbers(train.labels)[:4].tolist() == [5, 0, 4, 1]
    assert numbers(test.labels)[:4].tolist() == [7, 2, 1, 0]


def test_the_home_folder_may_be_written_as_a_tilde(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))  # Windows
    assert len(mnist(f"~/{folder.name}").test) == 10_000


@LOADERS
def test_the_missing_files_are_listed_with_the_folder(folder, load):
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load(folder)
    message = str(caught.value)
    assert f"no train-labels-idx1-ubyte, t10k-images-idx3-ubyte (plain or .gz) in {folder}" in (
        message
    )
    assert {mnist: "MNIST", fashion_mnist: "Fashion-MNIST"}[load] == message.partition(":")[0]
    assert "train-images" not in message
    assert "not a folder" not in message


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere, which is not a folder") as caught:
        mnist(tmp_path / "nowhere")
    assert all(name in str(caught.value) for name in NAMES)


def test_a_file_in_place_of_the_folder_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte\.gz, which is not a fo"):
        mnist(folder / "train-images-idx3-ubyte.gz")


def test_a_damaged_file_is_named(folder):
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz: damaged gzip file"):
        mnist(folder)


def idx(shape, content, code=0x08):
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    return gzip.compress(bytes([0, 0, code, len(shape)]) + sizes + content, compresslevel=1)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("train-images-idx3-ubyte", (59_999, 28, 28), "(60000, 28, 28)"),
        ("train-images-idx3-ubyte", (60_000, 784), "(60000, 28, 28)"),
        ("train-labels-idx1-ubyte", (59_999,), "(60000,)"),
        ("t10k-images-idx3-ubyte", (10_000, 32, 32), "(10000, 28, 28)"),
        ("t10k-images-idx3-ubyte", (10_000,), "(10000, 28, 28)"),
        ("t10k-labels-idx1-ubyte", (60_000,), "(10000,)"),
        ("t10k-labels-idx1-ubyte", (10_000, 1), "(10000,)"),
    ],
)
def test_a_file_of_another_shape_is_refused(folder, name, shape, expected):
    path = folder / f"{name}.gz"
    path.write_bytes(idx(shape, bytes(int(np.prod(shape)))))
    with pytest.raises(ValueError, match="expected shape") as caught:
        mnist(folder)
    assert str(caught.value) == (
        f"{path}: expected shape {expected} of uint8, found shape {shape} of uint8"
    )


def test_a_file_of_another_type_is_refused(folder):
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(idx((10_000,), bytes(10_000), code=0x09))
    with pytest.raises(ValueError, match=r"t10k-labels.* of uint8, found .* of int8"):
        mnist(folder)


def test_a_label_over_9_is_refused(folder):
    labels = bytearray(10_000)
    labels[1234] = 10
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(idx((10_000,), labels))
    with pytest.raises(
        ValueError, match=r"t10k-labels.*: expected labels 0 to 9, found 10 at index 1234"
    ):
        mnist(folder)


# From a mirror -----------------------------------------------------------------------------


class Mirrors:
    """A server on this machine, whose folders stand for mirrors."""

    def __init__(self):
        self.files = {}  # by address: the bytes, or the status of a refusal
        self.asked = []
        mirrors = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirrors.asked.append(self.path)
                content = mirrors.files.get(self.path, 404)
                if isinstance(content, int):
                    self.send_error(content)
                    return
                self.send_response(200)
                # A file marked as cut short is announced longer than it is.
                cut_short = self.path.startswith("/cut-short/")
                self.send_header("Content-Length", str(len(content) + 10 * cut_short))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def mirrors(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Mirrors()
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(pooch.get_logger(), "disabled", True)
    return tmp_path / "cache" / "agrad"


# Two small files stand for a data set, where all that matters is how they travel.
SMALL = {"one": b"the first file", "two": b"the second file"}


def source_of(contents, *addresses):
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return module._Source("Small", "small", addresses, sums)


def serve(mirrors, folder, contents):
    for name, content in contents.items():
        mirrors.files[f"/{folder}/{name}.gz"] = content
    return f"{mirrors.address}/{folder}/"


def everything_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


IN_CACHE = {"small/one.gz": SMALL["one"], "small/two.gz": SMALL["two"]}


@LOADERS
def test_without_a_folder_the_data_come_from_a_mirror_once(mirrors, cache, monkeypatch, load):
    contents = {name: (DATA / f"{name}.gz").read_bytes() for name in NAMES}
    which = {mnist: "_MNIST", fashion_mnist: "_FASHION_MNIST"}[load]
    original = getattr(module, which)
    ours = source_of(contents, serve(mirrors, "good", contents))
    monkeypatch.setattr(module, which, original._replace(mirrors=ours.mirrors, sha256=ours.sha256))
    train, dev, test = load()
    assert (len(train), len(dev), len(test)) == (50_000, 10_000, 10_000)
    assert numbers(test.labels)[:4].tolist() == [7, 2, 1, 0]
    assert sorted(mirrors.asked) == sorted(f"/good/{name}.gz" for name in NAMES)
    kept = {mnist: "mnist", fashion_mnist: "fashion-mnist"}[load]
    assert sorted(everything_in(cache)) == sorted(f"{kept}/{name}.gz" for name in NAMES)

    mirrors.asked.clear()
    assert numbers(load().test.labels)[:4].tolist() == [7, 2, 1, 0]
    assert mirrors.asked == []


def test_the_first_mirror_that_works_is_the_only_one_asked(mirrors, cache):
    source = source_of(SMALL, serve(mirrors, "a", SMALL), serve(mirrors, "b", SMALL))
    paths = module._download(source)
    assert {name: path.read_bytes() for name, path in paths.items()} == SMALL
    assert mirrors.asked == ["/a/one.gz", "/a/two.gz"]


@pytest.mark.parametrize("trouble", ["down", "gone", "broken", "cut-short", "wrong"])
def test_when_a_mirror_fails_the_next_is_used(mirrors, cache, trouble):
    first = {
        "down": "http://127.0.0.1:9/",  # the discard port: nobody listens
        "gone": f"{mirrors.address}/gone/",  # 404
        "broken": serve(mirrors, "broken", dict.fromkeys(SMALL, 500)),
        "cut-short": serve(mirrors, "cut-short", SMALL),
        "wrong": serve(mirrors, "wrong", dict.fromkeys(SMALL, b"<html>please log in</html>")),
    }[trouble]
    source = source_of(SMALL, first, serve(mirrors, "good", SMALL))
    paths = module._download(source)
    assert {name: path.read_bytes() for name, path in paths.items()} == SMALL
    assert everything_in(cache) == IN_CACHE
    assert mirrors.asked[-1] == "/good/two.gz"


def test_when_all_mirrors_fail_the_error_lists_them_and_nothing_is_kept(mirrors, cache):
    wrong = serve(mirrors, "wrong", dict.fromkeys(SMALL, b"<html>please log in</html>"))
    source = source_of(SMALL, "http://127.0.0.1:9/", f"{mirrors.address}/gone/", wrong)
    with pytest.raises(OSError, match="Small: no mirror gave one") as caught:
        module._download(source)
    _, down, gone, other, advice = str(caught.value).splitlines()
    assert down.startswith("  http://127.0.0.1:9/one.gz: ")
    assert "refused" in down.lower()
    assert gone.startswith(f"  {mirrors.address}/gone/one.gz: 404")
    assert other.startswith(f"  {wrong}one.gz: SHA256 hash of downloaded file")
    assert "root=" in advice
    assert everything_in(cache) == {}


def test_a_file_cut_short_on_its_way_is_not_kept(mirrors, cache):
    with pytest.raises(OSError, match="no mirror gave one"):
        module._download(source_of(SMALL, serve(mirrors, "cut-short", SMALL)))
    assert everything_in(cache) == {}


def test_what_came_before_a_failure_is_kept_and_used(mirrors, cache):
    source = source_of(SMALL, serve(mirrors, "a", {"one": SMALL["one"]}))
    with pytest.raises(OSError, match="no mirror gave two"):
        module._download(source)
    serve(mirrors, "a", SMALL)
    mirrors.asked.clear()
    module._download(source)
    assert mirrors.asked == ["/a/two.gz"]
    assert everything_in(cache) == IN_CACHE


def test_a_damaged_file_in_the_cache_is_downloaded_anew(mirrors, cache):
    source = source_of(SMALL, serve(mirrors, "a", SMALL))
    module._download(source)["one"].write_bytes(b"the fir")
    mirrors.asked.clear()
    module._download(source)
    assert mirrors.asked == ["/a/one.gz"]
    assert everything_in(cache) == IN_CACHE


@LOADERS
def test_without_pooch_the_error_says_how_to_install_it(monkeypatch, load):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r'pip install "agrad\[data\]", or give root='):
        load()


def test_without_pooch_a_folder_still_loads(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert len(mnist(DATA).test) == 10_000


def test_pooch_is_imported_only_to_download():
    code = "import sys, agrad.data; sys.exit('pooch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=DATA.parents[2])


@pytest.mark.parametrize("source", [module._MNIST, module._FASHION_MNIST], ids=lambda s: s.name)
def test_each_file_has_a_checksum_and_several_mirrors(source):
    assert list(source.sha256) == NAMES
    assert all(len(bytes.fromhex(each)) == 32 for each in source.sha256.values())
    assert len(set(source.sha256.values())) == 4
    assert len(set(source.mirrors)) >= 2
    assert all(each.startswith("http") and each.endswith("/") for each in source.mirrors)
