"""Common ground of the attribution methods: the gradient of the score y, and one value for each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import captum.attr

if TYPE_CHECKING:
    from sidelight_toolkit.score import Score
    from torch import Tensor

    from sidelight_captum.params import Channels


def gradient(score: Score, images: Tensor, pairs: Tensor) -> Tensor:
    """dy/dx, (N, C, H, W), signed (captum's `Saliency` without the absolute value)."""
    # captum warns of inputs that do not require gradients, and marks them; it gets a leaf of its own instead
    pixels = images.detach().clone().requires_grad_()
    result: Tensor = captum.attr.Saliency(score).attribute(pixels, abs=False, additional_forward_args=(pairs,))
    return result.detach()


def one_channel(attributions: Tensor, channels: Channels) -> Tensor:
    """(N, C, H, W) to (N, H, W): the signed sum over the channels, or their largest magnitude.

    The sum keeps completeness: pixels of an integrated gradient still add up to the difference of the scores. The
    maximum is the map of Simonyan et al. 2013, section 3.1; the sign of a plain gradient says only whether a
    *brighter* pixel would raise the score.
    """
    return attributions.sum(dim=1) if channels == "sum" else attributions.abs().amax(dim=1)
