"""Weights of models held once by all workers of a run on a machine, as private maps of one file.

A worker builds its models as ever. Then each large block of memory that their tensors lie in is written to a file under
the digest of its bytes, unless another worker was first, and the tensors move into a map of that file. Pages are copied
when somebody writes to them, so that a model can do with its weights what it likes.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import sys
from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sidelight_specs.fingerprint import fingerprint

from sidelight.engine.guard import FIXED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LEAST = 1 << 16  # bytes of a block: smaller ones are not worth a descriptor


class SharedWeights:
    """The components of a worker whose weights are shared, and the folder of the files."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._shared = folder, dict[Any, int]()

    def share(self, alive: Mapping[Any, Any]) -> None:
        """Share the weights of live components, each once."""
        for component, instance in alive.items():
            is_new = self._shared.get(component) != id(instance)  # also one that was built anew after a disturbance
            if is_new and component.role in FIXED:  # others may change arrays that their tensors are views of
                self._shared[component] = id(instance)
                if share_weights(instance, self._folder):
                    _trim()


def share_weights(instance: Any, folder: Path) -> int:
    """Move the tensors of a component into maps of files that other processes map too.

    Args:
        instance: a live component.
        folder: of the files; they may be removed while they are mapped.

    Returns:
        Bytes that are shared now; 0 where there is no torch, no room for the files, or nothing large on the CPU.
    """
    torch, shared = sys.modules.get("torch"), 0
    if torch is None:
        return 0
    blocks: dict[int, list[Any]] = {}  # address to the tensors of a block: views, and weights of several layers
    for tensor in fingerprint({"": (instance, True)}).held:
        if isinstance(tensor, torch.Tensor) and _can_move(torch, tensor):
            blocks.setdefault(tensor.untyped_storage().data_ptr(), []).append(tensor)
    for tensors in blocks.values():
        storage = tensors[0].untyped_storage()
        # ValueError: the file is shorter than the block; RuntimeError: torch refuses another memory for a tensor
        with suppress(OSError, ValueError, RuntimeError):
            block = _map(folder, torch.empty(0, dtype=torch.uint8).set_(storage).numpy())
            moved = torch.frombuffer(block, dtype=torch.uint8).untyped_storage()
            for tensor in tensors:
                place = tensor.storage_offset(), tensor.shape, tensor.stride()
                tensor.data = torch.empty(0, dtype=tensor.dtype).set_(moved, *place)
            shared += storage.nbytes()
    return shared


def _trim() -> None:
    """Give freed memory back to the system, which the C library of Linux keeps where it is not told to."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _can_move(torch: Any, tensor: Any) -> bool:
    """True for plain tensors in this process's own memory."""
    is_plain = tensor.device.type == "cpu" and tensor.layout is torch.strided and not tensor.is_quantized
    is_lazy = tensor.is_conj() or tensor.is_neg()  # its values are those of the memory with another sign
    if not is_plain or is_lazy or tensor.is_inference() or type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return False
    return bool(tensor.untyped_storage().nbytes() >= _LEAST)


def _map(folder: Path, data: Any) -> mmap.mmap:
    """A private map of the file that holds these bytes, which is written where it is missing."""
    path = folder / hashlib.blake2b(data, digest_size=20).hexdigest()
    if not path.is_file():
        folder.mkdir(exist_ok=True)
        draft = folder / token_hex(8)
        try:
            draft.write_bytes(data)
            with suppress(FileExistsError):  # the first one stays: it is mapped already
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), len(data), access=mmap.ACCESS_COPY)
