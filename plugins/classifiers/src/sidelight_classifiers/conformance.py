"""What the conformance kit tests this plugin's classifiers with; see `sidelight_specs.testing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from sidelight_specs.testing import Toys
from torch import nn

if TYPE_CHECKING:
    from pathlib import Path


class Shades(nn.Module):
    """Two logits, from the mean brightness of the left and of the right half."""

    def __init__(self) -> None:
        super().__init__()
        self.halves = nn.AdaptiveAvgPool2d((1, 2))
        self.logits = nn.Linear(2, 2)
        nn.init.eye_(self.logits.weight)
        nn.init.zeros_(self.logits.bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 1, H, W) to (N, 2)."""
        logits: torch.Tensor = self.logits(self.halves(images).flatten(1))
        return logits


def exported_shades(folder: Path) -> dict[str, Any]:
    """Export `Shades` for images of 16x16 into a folder; the parameters of `torch` with which it is read."""
    path = folder / "shades.pt2"
    if not path.exists():
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(Shades().eval(), (torch.rand(2, 1, 16, 16),), dynamic_shapes=shapes)
        torch.export.save(program, path)
    return {"path": str(path)}


toys = {
    "efficientnet-lite": Toys(shape=(3, 32, 32)),
    "torch": Toys(example=exported_shades),
}
