"""Files of `torch.save` in both of its formats, the zip archive and the older chain of pickles, read as data."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import torch

from sidelight_toolkit.pickled_tensors import STORAGES, TENSORS, dtype_of
from sidelight_toolkit.pickles import Reader, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sidelight_toolkit.pickles import Makers

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a pickled number: the start of a file of torch before 1.6
ZIP = b"PK\x03\x04"


def read_archive(data: bytes, makers: Makers) -> Any:
    """The object that `torch.save` wrote.

    Args:
        data: the whole file.
        makers: the names that may occur in it.

    Raises:
        RefusedError: the file holds something that is not read.
        ValueError and others: it is damaged.
    """
    return _read_zip(data, makers) if data.startswith(ZIP) else _read_old(data, makers)


def read_weights(path: Path, device: str) -> dict[str, torch.Tensor]:
    """A state dict that `torch.save` wrote, with every tensor inside its storage, which older torch does not compare.

    Raises:
        RefusedError: the file holds something other than tensors by their names.
        ValueError and others: it is damaged.
    """
    weights = read_archive(path.read_bytes(), TENSORS)
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise RefusedError("something other than weights by their names")
    return {str(name): value.to(device) for name, value in weights.items()}


def read_outline(data: bytes, makers: Makers, sizes: Mapping[str, int], folder: str) -> Any:
    """A pickle of an archive with its tensors on the device `meta`, each checked against its storage.

    Args:
        data: the pickle.
        makers: the names that may occur in it.
        sizes: bytes of each member of the archive.
        folder: where the storages lie.

    Raises:
        RefusedError: the pickle holds something that is not read.
        ValueError and others: a storage is not as long as the pickle says, or a tensor leaves it.
    """

    def storage(identity: Any) -> torch.Tensor:
        kind, key, count = _identify(identity)
        dtype = dtype_of(kind)
        _check_length(sizes[f"{folder}/{key}"], dtype, count)
        return torch.empty(count, dtype=dtype, device="meta")

    return Reader(makers, storage).read(data)


def read_storage(data: bytes) -> torch.Tensor:
    """A storage that was pickled inside another pickle, as a flat tensor; it may hold nothing else."""
    flat = read_archive(data, STORAGES)
    if not isinstance(flat, torch.Tensor):
        raise RefusedError(f"a {type(flat).__name__} where a tensor's storage belongs")
    return flat


def _read_zip(data: bytes, makers: Makers) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
            raise RefusedError("compressed members, which torch does not write")
        # members that overlap promise more than the file holds; testzip compares their checksums
        if sum(info.file_size for info in members.values()) > len(data) or archive.testzip() is not None:
            raise ValueError("its members are damaged")
        if members.get("byteorder") and archive.read(members["byteorder"]) != b"little":
            raise RefusedError("numbers in the byte order of another kind of machine")

        def storage(identity: Any) -> torch.Tensor:
            kind, key, count = _identify(identity)
            return _numbers(archive.read(members[f"data/{key}"]), dtype_of(kind), count)

        return Reader(makers, _once(storage)).read(archive.read(members["data.pkl"]))


def _read_old(data: bytes, makers: Makers) -> Any:
    """Pickles one after another (a magic number, a version, facts of the machine, the object, keys), then numbers."""
    if not data.startswith(MAGIC):
        raise ValueError("it does not begin as files of torch.save do")
    file = io.BytesIO(data[len(MAGIC) :])
    storages: dict[str, torch.Tensor] = {}
    Reader({}).read(file), Reader({}).read(file)  # the version, and facts of the machine

    def storage(identity: Any) -> torch.Tensor:
        kind, key, count = _identify(identity)
        dtype = dtype_of(kind)
        if key not in storages:
            if count * dtype.itemsize + sum(flat.nbytes for flat in storages.values()) > len(data):
                raise ValueError("its storages are larger than the file")
            storages[key] = torch.zeros(count, dtype=dtype)  # tensors lie in it; it is filled below
        return storages[key]

    value = Reader(makers, storage).read(file)
    for key in Reader({}).read(file):  # the numbers follow in the order of these keys, each with its length
        flat = storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        flat.copy_(_numbers(file.read(len(flat) * flat.itemsize), flat.dtype, count))
    return value


def _identify(identity: Any) -> tuple[Any, str, int]:
    """Type, key and length of a storage."""
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage" or any(identity[5:]):
        raise RefusedError("a reference that is no tensor storage")
    _, kind, key, _, count = identity[:5]
    if not isinstance(key, str) or not isinstance(count, int) or count < 0:
        raise ValueError("a storage has no key or no length")
    return kind, key, count


def _once(make: Any) -> Any:
    """`make` with a memory by key: several tensors may lie in one storage, which is read once."""
    known: dict[str, torch.Tensor] = {}

    def remembered(identity: Any) -> torch.Tensor:
        key = _identify(identity)[1]
        if key not in known:
            known[key] = make(identity)
        return known[key]

    return remembered


def _numbers(raw: bytes, dtype: torch.dtype, count: int) -> torch.Tensor:
    _check_length(len(raw), dtype, count)
    return torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)


def _check_length(length: int, dtype: torch.dtype, count: int) -> None:
    if length != count * dtype.itemsize:
        raise ValueError(f"a storage holds {length} bytes, {count} elements of {dtype} were promised")
