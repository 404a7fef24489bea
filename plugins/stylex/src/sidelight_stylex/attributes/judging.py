"""The discriminator that a StylEx generator was trained against, as a judge of single pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_stylegan2.clamping import from_pixels
from sidelight_stylegan2.discriminator import GROUP
from sidelight_toolkit.batching import in_batches

from sidelight_stylex.generator import StylEx

if TYPE_CHECKING:
    from sidelight_stylex.attributes.changes import Models

COMPANIONS = GROUP - 1


class Judge:
    """Logits of being real.

    The discriminator looks at `GROUP` images at a time, at how much they differ. Each picture is therefore judged among
    the same companions, so that its judgement does not depend on what else is asked.

    Args:
        models: the generator is a `StylEx`.
        companions: (COMPANIONS, C, H, W) pictures of the data.
    """

    def __init__(self, models: Models, companions: torch.Tensor) -> None:
        assert isinstance(models.generator, StylEx)
        self._models, self._companions = models, companions
        self._network = models.generator.networks.discriminator

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in [0, 1] to (N,)."""
        return in_batches(self._judged, images, max(1, self._models.batch // GROUP))

    def _judged(self, images: torch.Tensor) -> torch.Tensor:
        count = len(images)
        # groups are dealt with a stride: the first of each quarter of the batch, the second of each, ...
        batch = torch.cat([images, self._companions.repeat_interleave(count, 0)])
        told = self._models.ask(batch).softmax(1) if self._network.conditioned else None
        tidy = from_pixels(batch).contiguous(memory_format=torch.channels_last)
        judged: torch.Tensor = self._network(tidy, told)[:count, 0]
        return judged


def has_judge(models: Models) -> bool:
    """Whether there is a discriminator that has learned anything."""
    generator = models.generator
    return isinstance(generator, StylEx) and generator.params.adversarial > 0 and generator.params.autoencoder < 1
