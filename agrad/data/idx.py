"""IDX, the file format of MNIST: a short header, then one array's elements."""

import gzip
import os
import struct
import zlib
from io import BufferedIOBase
from math import prod

from agrad.backends import CPU, Array

__all__ = ["read_idx"]

# What the header's third byte says the elements are; they are stored big-endian
_TYPES = {
    0x08: "uint8",
    0x09: "int8",
    0x0B: "int16",
    0x0C: "int32",
    0x0D: "float32",
    0x0E: "float64",
}

_CHUNK = 1 << 20  # bytes


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Read the array that a file in IDX format holds, gzip-compressed or plain.

    The header is two zero bytes, a type code, the number of dimensions, and the size of each
    dimension as a big-endian uint32. The elements follow, the last dimension running fastest.

    Parameters
    ----------
    path : str or path
        The file. Whether it is compressed is seen from its first bytes, not from its name.

    Returns
    -------
    ndarray
        A NumPy array of the stored shape and dtype (uint8, int8, int16, int32, float32 or
        float64), in the machine's own byte order.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a valid IDX file: another format, cut short, too long, or damaged.

    References
    ----------
    The format is described at the end of http://yann.lecun.com/exdb/mnist/.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3]) + bytes([5, 0, 4]))
    ...     read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            return _parse(gzip.GzipFile(fileobj=file) if compressed else file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{os.fspath(path)}: damaged gzip file: {error}") from error
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error


def _parse(file: BufferedIOBase) -> Array:
    """Read an array from an IDX file that is open at its start."""
    header = _read_up_to(file, 4)
    if not header.startswith(b"\0\0"):
        raise ValueError(
            "not an IDX file: expected two zero bytes at its start, "
            f"found {header[:2].hex(' ') or 'nothing'}"
        )
    if len(header) < 4:
        raise ValueError(f"header cut short: expected 4 bytes, found {len(header)}")
    _, code, ndim = struct.unpack(">HBB", header)
    if code not in _TYPES:
        known = ", ".join(f"0x{each:02X} ({name})" for each, name in _TYPES.items())
        raise ValueError(f"unknown type code 0x{code:02X}; expected one of {known}")

    sizes = _read_up_to(file, 4 * ndim)
    if len(sizes) < 4 * ndim:
        raise ValueError(
            f"header cut short: expected {4 * ndim} bytes for the sizes of {ndim} dimensions, "
            f"found {len(sizes)}"
        )
    shape = struct.unpack(f">{ndim}I", sizes)

    dtype = CPU.library.dtype(_TYPES[code])  # NumPy's class: CPU.dtype gives no byte orders
    expected = prod(shape) * dtype.itemsize
    data = _read_up_to(file, expected)
    # Reading on to the end counts what is too much, and lets gzip compare its checksum.
    found = len(data) + sum(map(len, iter(lambda: file.read(_CHUNK), b"")))
    if found != expected:
        raise ValueError(
            f"{'data cut short' if found < expected else 'too much data'}: expected {expected} "
            f"bytes for shape {shape} of {dtype.name}, found {found}"
        )
    stored = CPU.frombuffer(data, dtype=dtype.newbyteorder(">")).reshape(shape)
    return stored.astype(dtype, copy=False)


def _read_up_to(file: BufferedIOBase, count: int) -> bytearray:
    """Read `count` bytes, or the fewer that are left.

    Goes chunk by chunk, since `file.read(count)` would set aside `count` bytes of memory before it
    knows whether they exist, and a damaged header can ask for any number.
    """
    data = bytearray()
    while chunk := file.read(min(_CHUNK, count - len(data))):
        data += chunk
    return data
