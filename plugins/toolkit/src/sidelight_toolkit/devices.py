"""Memory of a device, data on it where they fit, and minibatches of them."""

from __future__ import annotations

from threading import local
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

T = TypeVar("T")

LARGEST_SHARE = 0.25  # of a GPU's free memory that data may take: networks, gradients and optimizers need the rest
_OPEN = local()  # `peaks`: highest allocation so far of each measurement under way in a thread, outermost first


class Memory:
    """Memory of a device, as torch's allocator knows it; known for CUDA devices alone.

    Args:
        device: torch device string.
    """

    def __init__(self, device: str) -> None:
        self._device = device

    @property
    def is_known(self) -> bool:
        """True if free and used memory can be told."""
        return self._device.startswith("cuda")

    def free(self) -> int:
        """Bytes that are free, those that torch holds and does not use included."""
        reserved = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
        return free_memory(self._device) + reserved

    def peak(self, call: Callable[[], T]) -> tuple[T, int]:
        """Result of the call, and the bytes that it had allocated at most beyond those before it."""
        peaks: list[int] = _OPEN.__dict__.setdefault("peaks", [])

        def note() -> None:
            if peaks:
                peaks[-1] = max(peaks[-1], torch.cuda.max_memory_allocated(self._device))

        note()  # of the measurement that this one is part of, whose peak is forgotten by torch now
        before = torch.cuda.memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        peaks.append(0)
        try:
            result = call()
        finally:
            note()
            own = peaks.pop()
            if peaks:
                peaks[-1] = max(peaks[-1], own)
        return result, own - before

    def release(self) -> None:
        """Give back what torch holds and does not use."""
        if self.is_known:
            torch.cuda.empty_cache()


def free_memory(device: str) -> int:
    """Bytes that are free on a device of its own memory; 0 where that cannot be told, or there is none."""
    return torch.cuda.mem_get_info(device)[0] if device.startswith("cuda") else 0


def resident(data: torch.Tensor, device: str) -> torch.Tensor:
    """The data on the device if they take little of its free memory; else where they are."""
    fits = data.nbytes <= LARGEST_SHARE * free_memory(device)
    return data.to(device) if fits else data


def minibatch(data: torch.Tensor, rows: np.ndarray, device: str) -> torch.Tensor:
    """Rows (B,) of the data (N, ...), wherever these are, on the device: (B, ...)."""
    return data[torch.from_numpy(rows).to(data.device)].to(device)
