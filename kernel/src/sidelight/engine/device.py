"""Choice of the device, without importing torch where it is the CPU."""

from __future__ import annotations

import ctypes
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from sidelight_specs import UserError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

DTYPE = "float32"


def resolve_device(wanted: str = "auto") -> str:
    """The torch device string for `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.

    Raises:
        UserError: another word, or a device that torch does not have here.
    """
    if wanted == "auto":
        return "cuda:0" if _has_nvidia_driver() and _torch_has("cuda", 0) else "cpu"
    parts = re.fullmatch(r"(cpu|cuda|mps)(?::(\d+))?", wanted)
    if not parts:
        raise UserError(f"device {wanted!r} is not known", "Choose auto, cpu, cuda, cuda:N or mps.")
    kind, index = parts[1], int(parts[2] or 0)
    if kind != "cpu" and not _torch_has(kind, index):
        raise UserError(f"torch finds no device {wanted!r} on this machine", "Use --device auto, or --device cpu.")
    return f"cuda:{index}" if kind == "cuda" else kind


def likely_kind() -> str:
    """`cuda` or `cpu`: what `auto` most likely comes to, without importing torch."""
    return "cuda" if _has_nvidia_driver() else "cpu"


def _has_nvidia_driver() -> bool:
    if _torch_version().endswith("+cpu"):
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return "+cpu"


def _torch_has(kind: str, index: int) -> bool:
    torch = load_torch()
    if kind == "cuda":
        return bool(index < torch.cuda.device_count())
    return bool(torch.backends.mps.is_available())


def load_torch() -> Any:
    """The torch module: the only place where the kernel imports it.

    Raises:
        UserError: it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        fix = "Install it with `pip install 'sidelight[torch]'`."
        raise UserError(f"this recipe needs torch, which cannot be imported ({error})", fix) from error
    return torch


def as_images(images: np.ndarray, device: str) -> Tensor:
    """A float32 tensor on `device` that does not share the array's memory."""
    torch = load_torch()
    tensor: Tensor = torch.tensor(images, dtype=getattr(torch, DTYPE), device=device)
    return tensor
