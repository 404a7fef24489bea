"""Heatmaps of states: the grid's cells, upsampled to the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_attention.tokens import TokenLayer


def cells_of(state: Tensor, layer: TokenLayer) -> Tensor:
    """(N, h, w) values of the grid's cells; special tokens are left out."""
    return state[:, layer.special : -1].reshape(-1, *layer.grid)


def upsample(coarse: Tensor, images: Tensor) -> Tensor:
    """(N, h, w) to the images' (N, H, W), bilinearly; the outer edges of cells and pixels coincide."""
    return functional.interpolate(coarse[:, None], size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
