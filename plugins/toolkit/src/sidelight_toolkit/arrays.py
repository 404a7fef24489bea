"""Conversion between numpy arrays, which results hold, and torch tensors, which compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from sidelight_specs import Run


def to_tensor(array: np.ndarray, run: Run) -> torch.Tensor:
    """A tensor on the run's device; floating arrays become the run's dtype, and never share the array's memory."""
    tensor = torch.from_numpy(np.array(array))
    dtype = getattr(torch, run.dtype) if tensor.is_floating_point() else tensor.dtype
    return tensor.to(device=run.device, dtype=dtype)


def to_array(tensor: torch.Tensor) -> np.ndarray:
    """A float32 (or integer, or bool) numpy copy of a tensor, detached and on the CPU."""
    tensor = tensor.detach().cpu()
    return np.array((tensor.float() if tensor.is_floating_point() else tensor).numpy())
