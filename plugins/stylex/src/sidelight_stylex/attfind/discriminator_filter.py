"""The discriminator that a StylEx generator was trained against, as a judge of single pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_stylegan2.networks.discriminator import GROUP
from sidelight_stylegan2.networks.pixels import from_pixels
from sidelight_toolkit.batching import in_batches

from sidelight_stylex.networks import Networks
from sidelight_stylex.params import GeneratorParams

if TYPE_CHECKING:
    from sidelight_stylex.attfind.style_effects import Models

COMPANIONS = GROUP - 1


class Judge:
    """Logits of being real.

    The discriminator looks at `GROUP` images at a time, at how much they differ. Each picture is therefore judged among
    the same companions, so that its judgement does not depend on what else is asked.

    Args:
        models: the generator has been trained against a discriminator (`has_judge`).
        companions: (COMPANIONS, C, H, W) pictures of the data.
    """

    def __init__(self, models: Models, companions: torch.Tensor) -> None:
        networks = _networks_of(models)
        assert networks is not None
        self._models, self._companions, self._network = models, companions, networks.discriminator

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
    params = getattr(models.generator, "params", None)
    learned = isinstance(params, GeneratorParams) and params.adversarial > 0 and params.autoencoder < 1
    return learned and _networks_of(models) is not None


def _networks_of(models: Models) -> Networks | None:
    """Those of a `StylEx`, or of one that was kept in a zoo."""
    found = getattr(models.generator, "networks", None)
    return found if isinstance(found, Networks) else None
