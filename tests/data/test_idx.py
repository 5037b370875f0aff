"""Reading IDX files: what is stored comes back, and everything else is refused."""

import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest

from agrad.data import read_idx

# Type code: how struct packs it, NumPy's name, and six values with both ends of the range
TYPES = {
    0x08: ("B", "uint8", [0, 1, 127, 128, 254, 255]),
    0x09: ("b", "int8", [-128, -1, 0, 1, 2, 127]),
    0x0B: ("h", "int16", [-(2**15), -1, 0, 1, 256, 2**15 - 1]),
    0x0C: ("i", "int32", [-(2**31), -1, 0, 1, 65536, 2**31 - 1]),
    0x0D: ("f", "float32", [-math.inf, -1.5, -0.0, 2.0**-149, 1.5, 2.0**127]),
    0x0E: ("d", "float64", [-math.inf, -1.5, -0.0, 5e-324, 0.1, 1e308]),
}


def header(code, shape, zeros=b"\0\0"):
    return zeros + struct.pack(f">BB{len(shape)}I", code, len(shape), *shape)


def idx(code, shape, values):
    return header(code, shape) + struct.pack(f">{len(values)}{TYPES[code][0]}", *values)


DIGITS = idx(0x08, (2, 3), [1, 2, 3, 4, 5, 6])


@pytest.fixture(params=[bytes, gzip.compress], ids=["plain", "gzip"])
def pack(request):
    return request.param


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (1, 3, 2)])
@pytest.mark.parametrize("code", TYPES)
def test_what_is_stored_comes_back(tmp_path, pack, code, shape):
    _, name, values = TYPES[code]
    for stored in [values] if shape else [[each] for each in values]:
        path = tmp_path / "file"
        path.write_bytes(pack(idx(code, shape, stored)))
        array = read_idx(path)
        assert array.dtype == np.dtype(name)
        assert array.dtype.isnative
        assert array.shape == shape
        np.testing.assert_array_equal(array, np.array(stored, dtype=name).reshape(shape))


def test_the_last_dimension_runs_fastest(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DIGITS)
    assert read_idx(path).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("shape", [(0,), (0, 28, 28), (3, 0)])
def test_an_array_without_elements_keeps_its_shape(tmp_path, pack, shape):
    path = tmp_path / "file"
    path.write_bytes(pack(header(0x0D, shape)))
    array = read_idx(path)
    assert (array.shape, array.dtype) == (shape, np.float32)


@pytest.mark.parametrize("code", TYPES)
def test_the_array_can_be_written_to(tmp_path, code):
    path = tmp_path / "file"
    path.write_bytes(idx(code, (6,), TYPES[code][2]))
    array = read_idx(path)
    array[0] = 7
    assert array[0] == 7


def test_the_name_does_not_say_whether_it_is_compressed(tmp_path):
    (tmp_path / "plain.gz").write_bytes(DIGITS)
    (tmp_path / "compressed").write_bytes(gzip.compress(DIGITS))
    for name in ("plain.gz", "compressed"):
        assert read_idx(tmp_path / name).shape == (2, 3)


def test_the_path_may_be_a_string(tmp_path):
    (tmp_path / "file").write_bytes(DIGITS)
    assert read_idx(str(tmp_path / "file")).shape == (2, 3)


def test_an_array_of_several_chunks_comes_back(tmp_path, pack):
    values = np.arange(600_001, dtype=">i4")  # 2.4 MB, and no whole number of chunks
    path = tmp_path / "file"
    path.write_bytes(pack(header(0x0C, values.shape) + values.tobytes()))
    np.testing.assert_array_equal(read_idx(path), values)


REFUSED = {
    "empty": (b"", "not an IDX file: expected two zero bytes at its start, found nothing"),
    "another format": (
        b"\x89PNG\r\n\x1a\n",
        "not an IDX file: expected two zero bytes at its start, found 89 50",
    ),
    "second byte not zero": (
        header(0x08, (1,), zeros=b"\0\1") + b"x",
        "not an IDX file: expected two zero bytes at its start, found 00 01",
    ),
    "no type code": (b"\0\0", "header cut short: expected 4 bytes, found 2"),
    "no number of dimensions": (b"\0\0\x08", "header cut short: expected 4 bytes, found 3"),
    "unknown type": (
        header(0x0A, (1,)) + b"x",
        "unknown type code 0x0A; expected one of 0x08 (uint8), 0x09 (int8), 0x0B (int16), "
        "0x0C (int32), 0x0D (float32), 0x0E (float64)",
    ),
    "sizes missing": (
        header(0x08, (2, 3))[:9],
        "header cut short: expected 8 bytes for the sizes of 2 dimensions, found 5",
    ),
    "no data": (
        header(0x0B, (2, 3)),
        "data cut short: expected 12 bytes for shape (2, 3) of int16, found 0",
    ),
    "a byte short": (
        DIGITS[:-1],
        "data cut short: expected 6 bytes for shape (2, 3) of uint8, found 5",
    ),
    "a byte long": (
        DIGITS + b"x",
        "too much data: expected 6 bytes for shape (2, 3) of uint8, found 7",
    ),
    "megabytes long": (
        DIGITS + bytes(3_000_000),
        "too much data: expected 6 bytes for shape (2, 3) of uint8, found 3000006",
    ),
    "an empty array's data": (
        header(0x08, (0, 3)) + b"xyz",
        "too much data: expected 0 bytes for shape (0, 3) of uint8, found 3",
    ),
    "more dimensions than NumPy has": (header(0x08, (1,) * 200) + b"x", "dimension"),
    "sizes that NumPy can't hold": (header(0x08, (0, *[2**32 - 1] * 3)), "array is too big"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_valid_idx_file_is_refused(tmp_path, pack, case):
    content, problem = REFUSED[case]
    path = tmp_path / "some-file"
    path.write_bytes(pack(content))
    with pytest.raises(ValueError, match="some-file") as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)


def test_a_file_cut_short_anywhere_is_refused(tmp_path, pack):
    path = tmp_path / "some-file"
    whole = pack(DIGITS)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="some-file: "):
            read_idx(path)


def test_a_damaged_gzip_file_is_refused(tmp_path):
    path = tmp_path / "some-file.gz"
    whole = gzip.compress(DIGITS)
    refused = 0
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        try:
            array = read_idx(path)
        except ValueError as error:
            refused += str(error).startswith(f"{path}: ")
        else:
            # The header's date may change without harm; the numbers may not.
            assert array.tolist() == [[1, 2, 3], [4, 5, 6]]
            assert at in range(4, 10)
    assert refused >= len(whole) - 6


def damage(at):
    whole = bytearray(gzip.compress(DIGITS))
    whole[at] ^= 1
    return bytes(whole)


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(DIGITS)[:-1],  # EOFError inside gzip
        damage(-5),  # the checksum
        damage(-1),  # the length
        damage(2),  # the compression method
        damage(10),  # the compressed data: zlib.error
        gzip.compress(DIGITS) + b"more",
    ],
    ids=["cut short", "checksum", "length", "method", "data", "something after it"],
)
def test_the_error_says_that_the_gzip_file_is_damaged(tmp_path, content):
    path = tmp_path / "some-file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="some-file: damaged gzip file: "):
        read_idx(path)


@pytest.mark.parametrize(
    "shape", [(2**32 - 1,), (2**32 - 1, 2**32 - 1), (60_000, 2**20), (2**32 - 1,) * 255]
)
def test_absurd_sizes_take_no_memory(tmp_path, pack, shape):
    path = tmp_path / "some-file"
    path.write_bytes(pack(header(0x0E, shape) + bytes(100)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"some-file: data cut short.*found 100$"):
            read_idx(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6


def test_a_gzip_file_far_longer_than_its_header_says_takes_no_memory(tmp_path):
    path = tmp_path / "some-file"
    path.write_bytes(gzip.compress(DIGITS + bytes(100_000_000), compresslevel=1))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="too much data"):
            read_idx(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such-file"):
        read_idx(tmp_path / "no-such-file")
