"""Files of named arrays: what `numpy.savez` writes, laid out so that it can be mapped; and arrays left in them."""

from __future__ import annotations

import struct
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from sidelight_specs.files import refuse_special
from sidelight_specs.mapped import BLOCK, MappedFile, blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ALIGNMENT = 64  # bytes: the longest vectors that processors load
LEAST_MAPPED = 1 << 18  # bytes of a file; smaller ones are read, because each mapped file keeps a descriptor open
_PADDING = 0xD935  # extra field of a zip archive that aligns the data after it (Android's zipalign)
_LOCAL_HEADER = 30  # bytes, before the name
_ZIP64 = 20  # bytes of the extra field for sizes over 4 GiB


class StoredArray:
    """Stands for an array whose rows are left in files until they are indexed.

    `array[3]`, `array[2:8]` and `array[[5, 1]]` read the rows that they name; `numpy.asarray` reads all.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of values."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("an array that is left in a file is read into a new one")
        array = self.whole()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, slice) and self.ndim:
            start, stop, step = key.indices(len(self))
            if step == 1:
                return self.rows(start, max(start, stop))
        if isinstance(key, int | np.integer) and 0 <= key < len(self):
            row: np.ndarray = self.rows(int(key), int(key) + 1)[0]
            return row
        if isinstance(key, list) and all(isinstance(row, int | np.integer) and row >= 0 for row in key):
            return self.pick(key).whole()
        array: np.ndarray = self.whole()[key]
        return array

    def pick(self, rows: Sequence[int]) -> StoredArray:
        """Some of the rows, still unread."""
        return PickedRows(self, rows)

    def whole(self) -> np.ndarray:
        """All of it, in memory."""
        return self.rows(0, len(self))

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Consecutive rows, in memory."""
        raise NotImplementedError


class FileArray(StoredArray):
    """An array in a file that need not stay open; `offset` is that of its first byte."""

    def __init__(self, path: Path, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.path, self.offset, self.dtype, self.shape = path, offset, dtype, shape

    def whole(self) -> np.ndarray:
        """All of it, in memory."""
        return self._read(self.offset, self.shape)

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Consecutive rows, in memory."""
        row = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        return self._read(self.offset + start * row, (stop - start, *self.shape[1:]))

    def _read(self, offset: int, shape: tuple[int, ...]) -> np.ndarray:
        array = np.fromfile(self.path, self.dtype, int(np.prod(shape)), offset=offset)
        return array.reshape(shape)


class JoinedRows(StoredArray):
    """Arrays one after the other, as `numpy.concatenate` joins them.

    Raises:
        ValueError: their rows have different shapes.
    """

    def __init__(self, parts: Sequence[StoredArray | np.ndarray]) -> None:
        shapes = {part.shape[1:] for part in parts}
        if len(shapes) > 1 or not all(part.ndim for part in parts):
            raise ValueError(f"rows have the shapes {sorted(shapes)}")
        self._parts, self.dtype = list(parts), np.result_type(*(part.dtype for part in parts))
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape = (int(self._starts[-1]), *shapes.pop())

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Consecutive rows, in memory."""
        result = np.empty((stop - start, *self.shape[1:]), self.dtype)
        at = int(np.searchsorted(self._starts, start, "right")) - 1
        while start < stop:
            first, last = self._starts[at : at + 2].tolist()
            high = min(stop, last)
            result[len(result) - (stop - start) :][: high - start] = self._parts[at][start - first : high - first]
            start, at = high, at + 1
        return result


class PickedRows(StoredArray):
    """Some rows of an array, in any order."""

    def __init__(self, source: StoredArray, rows: Sequence[int]) -> None:
        self._source, self._rows, self.dtype = source, np.asarray(rows, dtype=np.int64), source.dtype
        self.shape = (len(self._rows), *source.shape[1:])

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows of these, in memory."""
        rows = self._rows[start:stop].tolist()
        if rows and rows == list(range(rows[0], rows[-1] + 1)):
            return self._source.rows(rows[0], rows[-1] + 1)
        picked = [self._source.rows(row, row + 1) for row in rows]
        return np.concatenate(picked) if picked else np.empty((0, *self.shape[1:]), self.dtype)


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write named arrays as `numpy.savez` does, also those named `file`; a block of each in memory at a time.

    Args:
        path: the file, which is replaced.
        arrays: arrays, or what stands for them: `StoredArray`, `LazyImages`.
    """
    with path.open("wb") as stream, zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            fixed = stream.tell() + _LOCAL_HEADER + len(member.filename.encode()) + _ZIP64
            padding = -(fixed + 4) % ALIGNMENT
            member.extra = struct.pack("<HH", _PADDING, padding) + bytes(padding)
            with archive.open(member, "w", force_zip64=True) as target:
                header = {"descr": npy.dtype_to_descr(array.dtype), "fortran_order": False, "shape": tuple(array.shape)}
                npy.write_array_header_1_0(target, header)
                for block in blocks(array):
                    target.write(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)


def read_arrays(path: Path, *, mapped: bool = False, intact: bool = False) -> dict[str, np.ndarray]:
    """The arrays of a file by their names: in memory and writable, or `mapped` and read-only.

    Mapped are files from 256 KiB on that `write_arrays` wrote; others are read, and read-only all the same. `intact`
    says that the file's bytes were verified already, so that mapping it does not read them.

    Raises:
        Exception: of many types, where the file is damaged.
    """
    refuse_special(path)  # a pipe in its place would never end
    if mapped and path.stat().st_size >= LEAST_MAPPED:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            places = [_place(stream, member) for member in archive.infolist()]
            if None not in places:
                for member in archive.infolist() if not intact else ():
                    with archive.open(member) as content:
                        while content.read(BLOCK):  # compares the checksum at the end
                            pass
                file = MappedFile.of(path)
                return {place[0]: file.array(*place) for place in places if place is not None}
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    for array in arrays.values() if mapped else ():
        array.flags.writeable = False
    return arrays


def find_arrays(path: Path) -> dict[str, StoredArray | np.ndarray]:
    """The arrays of a file by their names, left in it; those that cannot be found there unread are read."""
    refuse_special(path)
    found: dict[str, StoredArray | np.ndarray] = {}
    with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            place = _place(stream, member)
            if place is None or place[4] != "C":
                with np.load(path, allow_pickle=False) as stored:
                    return {name: stored[name] for name in stored.files}
            found[place[0]] = FileArray(path, *place[1:4])
    return found


def _place(stream: Any, member: zipfile.ZipInfo) -> tuple[str, int, np.dtype[Any], tuple[int, ...], str] | None:
    """Name, offset, type, shape and order of an array in an archive; None where it is packed or not aligned."""
    if member.compress_type != zipfile.ZIP_STORED or not member.filename.endswith(".npy"):
        return None
    stream.seek(member.header_offset)
    header = stream.read(_LOCAL_HEADER)
    name, extra = struct.unpack("<HH", header[26:30])
    start = member.header_offset + _LOCAL_HEADER + name + extra
    stream.seek(start)
    version = npy.read_magic(stream)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read is None:
        return None
    shape, fortran, dtype = read(stream)
    offset = stream.tell()
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if offset + int(np.prod(shape, dtype=object)) * dtype.itemsize != start + member.file_size:
        raise ValueError(f"{member.filename} has another size than its header says")
    if offset % max(1, dtype.alignment):
        return None
    return member.filename.removesuffix(".npy"), offset, dtype, shape, "F" if fortran else "C"
