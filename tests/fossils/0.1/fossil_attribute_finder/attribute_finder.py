"""Move one latent coordinate of all images, and measure what that does to a class's logit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Attribute, Attributes
from sidelight_specs.roles import AttributeFinder

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Generator

    from fossil_attribute_finder import AttributeFinderParams


class AttributeFinder(AttributeFinder):
    """An exhaustive search over coordinates and the two directions."""

    def __init__(
        self, params: AttributeFinderParams, *, classifier: Classifier, generator: Generator, run: Run
    ) -> None:
        self._params, self._classifier, self._generator, self._run = params, classifier, generator, run

    @torch.no_grad()
    def find(self, latents: torch.Tensor, target: int) -> Attributes:
        """The strongest coordinates first."""
        before = self._logit(latents, target)
        found = []
        for coordinate in self._run.progress(range(latents[0].numel()), "coordinates"):
            for direction in (1, -1):
                shift = direction * self._params.shift
                moved = latents.clone()
                moved.flatten(1)[:, coordinate] += shift
                effects = (self._logit(moved, target) - before).cpu().numpy()
                name = f"coordinate {coordinate}, {'up' if direction > 0 else 'down'}"
                effect = float(effects.mean())
                attribute = Attribute(
                    name=name, coordinate=coordinate, direction=direction, shift=shift, effect=effect, target=target
                )
                found.append((attribute, effects))
        found.sort(key=lambda pair: -pair[0].effect)
        kept = found[: self._params.count]
        return Attributes(
            attributes=tuple(attribute for attribute, _ in kept), effects=np.stack([effects for _, effects in kept])
        )

    def _logit(self, latents: torch.Tensor, target: int) -> torch.Tensor:
        return self._classifier.class_logits(self._generator.synthesize(latents))[:, target]
