"""LPIPS's weights on this machine: their place, and a mistake for `check` where they are missing. Imports no torch."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_specs.facts import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

VGG16 = "vgg16-397923af.pth"
"""ImageNet weights of LPIPS's backbone, as torchvision names the file."""
INSTALL = "pip install lpips torchvision"


def backbone_file() -> Path:
    """The backbone's weights in `torch.hub.get_dir()`, found without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or str(Path(cache) / "torch")
    return Path(home).expanduser() / "hub" / "checkpoints" / VGG16


def download_hint(file: Path) -> str:
    """Instruction for a missing backbone; Sidelight downloads nothing."""
    return f"download it from download.pytorch.org/models/{VGG16} to {file.parent}"


def lpips_mistakes(option: str) -> Iterator[Mistake]:
    """A missing package or backbone, as a mistake of `option`."""
    if find_spec("lpips") is None:
        yield Mistake("LPIPS cannot be computed: the package lpips is not installed", INSTALL, option)
    elif not backbone_file().is_file():
        message = f"LPIPS cannot be computed: its backbone {VGG16} is not on this machine"
        yield Mistake(message, download_hint(backbone_file()), option)


def distance_files(perceptual: str) -> list[str]:
    """The backbone of LPIPS, where a perceptual distance by choice is that."""
    return [str(backbone_file())] if perceptual == "lpips" or distance_fingerprint(perceptual) else []


def distance_fingerprint(perceptual: str) -> str:
    """Fingerprint of a perceptual distance by choice: `auto` is another distance once LPIPS is on this machine."""
    return "LPIPS" if perceptual == "auto" and next(lpips_mistakes("perceptual"), None) is None else ""
