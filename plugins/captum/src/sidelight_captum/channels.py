"""From one value for each channel to one for each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_captum.params import Channels


def one_channel(attributions: Tensor, channels: Channels) -> Tensor:
    """(N, C, H, W) to (N, H, W): the signed sum over the channels, or their largest magnitude.

    The sum keeps completeness: pixels of an integrated gradient still add up to the difference of the scores. The
    maximum is what Simonyan et al. 2013, section 3.1, show of a gradient, whose sign says only whether a
    *brighter* pixel would raise the score.
    """
    return attributions.sum(dim=1) if channels == "sum" else attributions.abs().amax(dim=1)
