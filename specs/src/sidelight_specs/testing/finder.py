"""A toy attribute finder: sets every style coordinate of a generator to a low and to a high value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch

from sidelight_specs.results import Attribute, Attributes
from sidelight_specs.roles import AttributeFinder

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier, Generator

ENDS = (-5.0, 7.0)
"""Styles at which a factor of the toy generator has 5% and 95% of its range."""


def moved(styles: torch.Tensor, attribute: Attribute) -> torch.Tensor:
    """A copy of styles (N, S) with the attribute changed."""
    others, coordinate = styles.clone(), attribute.coordinate
    others[:, coordinate] = styles[:, coordinate] + attribute.shift if attribute.value is None else attribute.value
    return others


class ToyFinder(AttributeFinder):
    """Of each coordinate the end that raises the target's mean logit more, strongest coordinate first."""

    def __init__(self, classifier: Classifier, generator: Generator) -> None:
        self._classifier, self._generator = classifier, generator

    def find(self, latents: torch.Tensor, target: int) -> Attributes:
        """One attribute for each coordinate, measured on all latents."""
        with torch.no_grad():
            styles = self._generator.styles(latents)
            before = self._logits(styles)[:, target]
            pairs = [
                max(
                    (self._measured(styles, before, coordinate, end, target) for end in ENDS),
                    key=lambda pair: pair[0].effect,
                )
                for coordinate in range(styles.shape[1])
            ]
        pairs.sort(key=lambda pair: -pair[0].effect)
        return Attributes(
            answers="probe",
            attributes=tuple(attribute for attribute, _ in pairs),
            effects=np.stack([effects for _, effects in pairs]),
        )

    def _measured(
        self, styles: torch.Tensor, before: torch.Tensor, coordinate: int, end: float, target: int
    ) -> tuple[Attribute, np.ndarray]:
        attribute = Attribute(
            name=f"coordinate {coordinate}, {'up' if end > 0 else 'down'}",
            coordinate=coordinate,
            channel=coordinate,
            direction=1 if end > 0 else -1,
            shift=float((end - styles[:, coordinate]).mean()),
            target=target,
            value=end,
        )
        effects = (self._logits(moved(styles, attribute))[:, target] - before).numpy()
        return attrs.evolve(attribute, effect=float(effects.mean())), effects

    def _logits(self, styles: torch.Tensor) -> torch.Tensor:
        return self._classifier.class_logits(self._generator.synthesize_styles(styles))
