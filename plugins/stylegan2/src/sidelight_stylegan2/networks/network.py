"""Generator network: mapping and synthesis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from sidelight_stylegan2.networks.mapping import Mapping
from sidelight_stylegan2.networks.synthesis import Synthesis

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_stylegan2.networks.architecture import Architecture
    from sidelight_stylegan2.networks.synthesis import NoiseSource


class Network(nn.Module):
    """z to w to styles to images in about [-1, 1]."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.mapping = Mapping(architecture)
        self.synthesis = Synthesis(architecture)

    def map(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, z) to w, the same for every input of the synthesis network: (N, inputs, d)."""
        w: Tensor = self.mapping(z, labels)
        return w[:, None].expand(-1, self.architecture.inputs, -1)

    def forward(self, w: Tensor, noise: NoiseSource = "constant") -> Tensor:
        """(N, inputs, d) to (N, C, H, W), about [-1, 1]."""
        images: Tensor = self.synthesis(self.synthesis.styles(w), noise)
        return images
