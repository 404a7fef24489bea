"""Facts of files that need no torch: the header of a checkpoint, and whether LPIPS's network is on this machine."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_specs.facts import Mistake

from sidelight_stylegan2.networks.architecture import Architecture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs.facts import Shape

LPIPS_TRUNK = "vgg16-397923af.pth"
"""The ImageNet weights that LPIPS works with, as torchvision names the file."""
LARGEST_HEADER = 4 << 20
"""Bytes of a safetensors header up to which it is read."""


def shape_of_file(path: Path) -> Shape | None:
    """(C, H, W) of the images of a generator in a `.safetensors` of this plugin; None for any other file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if path.suffix != ".safetensors" or length > LARGEST_HEADER:
                return None
            return Architecture.from_settings(json.loads(file.read(length))["__metadata__"]).image_shape
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def lpips_trunk() -> Path:
    """Folder of torch's downloads: `torch.hub.get_dir()`, without torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or str(Path(cache) / "torch")
    return Path(home).expanduser() / "hub" / "checkpoints" / LPIPS_TRUNK


def lpips_mistakes(option: str) -> Iterator[Mistake]:
    """LPIPS where its package or its network is missing; nothing is downloaded."""
    if find_spec("lpips") is None:
        message = "LPIPS cannot be computed: the package lpips is not installed"
        yield Mistake(message, "pip install 'sidelight-stylegan2[lpips]'", option)
    elif not lpips_trunk().is_file():
        message = f"LPIPS cannot be computed: its network {LPIPS_TRUNK} is not on this machine"
        yield Mistake(message, f"download it from download.pytorch.org/models/{LPIPS_TRUNK} to {lpips_trunk().parent}",
                      option)  # fmt: skip
