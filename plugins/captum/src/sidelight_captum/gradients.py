"""The score's gradient with respect to the pixels, a few images at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import captum.attr

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_captum.attribution import Score


def gradient(score: Score, images: Tensor, pairs: Tensor) -> Tensor:
    """(N, C, H, W), the signed gradient of each image's score (captum's `Saliency` without the absolute value)."""
    # captum warns of inputs that do not require gradients, and marks them; it gets a leaf of its own instead
    pixels = images.detach().clone().requires_grad_()
    found: Tensor = captum.attr.Saliency(score).attribute(pixels, abs=False, additional_forward_args=(pairs,))
    return found.detach()
