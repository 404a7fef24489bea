"""Data on the device of the run where they fit, and minibatches of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np

LARGEST_SHARE = 0.25  # of a GPU's free memory that data may take: networks, gradients and optimizers need the rest


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
