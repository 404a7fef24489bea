"""Image shape of a `.safetensors` checkpoint, read from its header without torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sidelight_stylegan2.networks.architecture import Architecture

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_specs.facts import Shape

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
