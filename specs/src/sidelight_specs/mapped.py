"""Arrays that are views of files, and the memory that reading them takes.

A page of a mapped file counts as resident memory from its first use on, until the system wants it back. Who goes over a
whole array takes it in `blocks`, which let go of the pages behind them, so that memory does not follow its size.
"""

from __future__ import annotations

import hashlib
import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK = 1 << 22  # bytes that are read at a time: 4 MiB, more are not faster
_AROUND = 1 << 21  # bytes: with a page that is read Linux maps others around it, none further than a huge page goes
_CAN_LET_GO = hasattr(mmap.mmap, "madvise") and hasattr(mmap, "MADV_DONTNEED")


class MappedFile(mmap.mmap):
    """A file mapped read-only, whose arrays are views of it.

    Attributes:
        path: the file, which may have been removed meanwhile.
        names: the arrays of the file in their order, name to place: offset in bytes, type, shape.
    """

    path: Path
    names: dict[str, tuple[int, str, tuple[int, ...]]]
    address: int  # of the first byte
    digests: dict[Any, str]  # of views, by what they are: the file never changes

    @classmethod
    def of(cls, path: Path) -> MappedFile:
        """Map a file that is not empty."""
        with path.open("rb") as stream:
            mapped = cls(stream.fileno(), 0, access=mmap.ACCESS_READ)
        mapped.path, mapped.names, mapped.digests = path, {}, {}
        mapped.address = np.frombuffer(mapped, np.uint8).__array_interface__["data"][0]
        return mapped

    def array(self, name: str, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any) -> np.ndarray:
        """The array at an offset, read-only."""
        self.names[name] = (offset, dtype.str, shape)
        return np.ndarray(shape, dtype, buffer=self, offset=offset, order=order)

    def place(self, array: np.ndarray) -> tuple[int, int]:
        """First byte of a view, and the byte after its last one, counted in the file."""
        start = array.__array_interface__["data"][0] - self.address
        spans = [(size - 1) * step for size, step in zip(array.shape, array.strides, strict=True)]
        first = start + sum(span for span in spans if span < 0)
        return first, start + sum(span for span in spans if span > 0) + array.itemsize

    def has(self, array: Any) -> bool:
        """True for a view of the file whose items lie side by side."""
        return isinstance(array, np.ndarray) and file_of(array) is self and array.flags.c_contiguous

    def is_whole(self, arrays: dict[str, Any]) -> bool:
        """True if these are all arrays of the file, in its order, so that saving them would give it again."""
        return list(arrays) == list(self.names) and all(
            self.has(array)
            and (self.place(array)[0] if array.size else offset, array.dtype.str, array.shape) == (offset, dtype, shape)
            for array, (offset, dtype, shape) in zip(arrays.values(), self.names.values(), strict=True)
        )


def file_of(array: Any) -> MappedFile | None:
    """The mapped file that an array is a view of; None for one in memory."""
    while array is not None and not isinstance(array, MappedFile):
        array = array.obj if isinstance(array, memoryview) else getattr(array, "base", None)
    return array


def let_go(array: Any) -> None:
    """Give back the memory of a view of a mapped file, and of what lies close to it; it is read again when it is used.

    Nothing happens for other arrays, and on systems without `madvise`.
    """
    mapped = file_of(array) if isinstance(array, np.ndarray) and array.size else None
    if mapped is None or not _CAN_LET_GO:
        return
    first, last = mapped.place(array)
    start, stop = first - first % _AROUND, min(len(mapped), last - last % -_AROUND)
    mapped.madvise(mmap.MADV_DONTNEED, start, stop - start)


def blocks(array: Any, most: int = BLOCK) -> Iterator[np.ndarray]:
    """The rows of an array in their order, as many at a time as take `most` bytes; at least one.

    Args:
        array: with one axis or more, else it comes as a whole; arrays that are not read yet are read block by block.
        most: bytes of a block.
    """
    for part in slices(array, most):
        block = array[part] if part is not None else np.asarray(array)
        yield block
        let_go(block)


def slices(array: Any, most: int = BLOCK) -> Iterator[slice | None]:
    """Places of the same blocks; None for an array without rows, or without items."""
    if not array.shape or not array.size:
        yield None
        return
    row = max(1, array.size // array.shape[0] * array.dtype.itemsize)
    rows = max(1, most // row)
    for start in range(0, array.shape[0], rows):
        yield slice(start, start + rows)


def hash_into(hasher: Any, array: Any) -> None:
    """Update a hash with the bytes of an array in C order, as `tobytes` gives them, a block at a time."""
    for block in blocks(array):
        hasher.update(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)


def content_digest(array: np.ndarray, size: int) -> str:
    """blake2b of the same bytes; that of a view of a file is computed once."""

    def compute() -> str:
        hasher = hashlib.blake2b(digest_size=size)
        hash_into(hasher, array)
        return hasher.hexdigest()

    mapped = file_of(array) if array.flags.c_contiguous and array.size else None
    return compute() if mapped is None else once(mapped, (size, *mapped.place(array)), compute)


def once(mapped: MappedFile, what: Any, compute: Callable[[], str]) -> str:
    """A digest that is kept with the file."""
    if what not in mapped.digests:
        mapped.digests[what] = compute()
    return mapped.digests[what]
