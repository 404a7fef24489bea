"""From relevance of what the first layer sees to relevance of the image's pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class Preprocessing:
    """What a network does to images before its first layer: an affine map, such as resizing or normalising.

    Args:
        network: the whole network.
        first: its first layer.
        images: (N, C, H, W), for their shape.
    """

    def __init__(self, network: nn.Module, first: nn.Module, images: Tensor) -> None:
        self._network, self._first = network, first
        # of an affine map f(x) = J x + b: twice the difference between a light and a dark grey image is J 1
        grey = torch.full_like(images[:1], 0.25)
        with torch.no_grad():
            self._taken = 2 * (self(3 * grey) - self(grey))

    def __call__(self, images: Tensor) -> Tensor:
        """(N, c, h, w), what the first layer is given."""
        seen: list[Tensor] = []
        handle = self._first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            self._network(images)
        finally:
            handle.remove()
        return seen[0]

    def handed_back(self, images: Tensor, relevance: Tensor) -> Tensor:
        """(N, C, H, W): every input of the first layer shares its relevance among the pixels it was made of.

        Each gets its share J_ij / sum_k J_ik of the weights, whatever its brightness (the flat rule), so that nothing
        is lost.

        Args:
            images: (N, C, H, W).
            relevance: (N, c, h, w).
        """
        pixels = images.detach().clone().requires_grad_()
        taken = self._taken.expand_as(relevance)
        shares = torch.where(taken.abs() > 1e-6, relevance / taken, torch.zeros_like(relevance))
        with torch.enable_grad():
            (found,) = torch.autograd.grad(self(pixels), pixels, shares)
        return found
