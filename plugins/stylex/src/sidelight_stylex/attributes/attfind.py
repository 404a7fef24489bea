"""AttFind: the style coordinates that a classifier reads a class by (StylEx, section 3.3, algorithm 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array

from sidelight_stylex.attributes.candidates import race, screened
from sidelight_stylex.attributes.changes import DIRECTIONS, Changes
from sidelight_stylex.attributes.naming import coordinates_of, measured_attribute
from sidelight_stylex.attributes.presenting import Presenter, kept
from sidelight_stylex.attributes.selection import Choice, as_released, by_paper

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex._params import AttFindParams

RELEASED_LIMIT = 1.0
"""Logits by which an image is explained in the authors' notebook."""


class AttFind(AttributeFinder):
    """Sets each coordinate to its observed extremes and keeps those that raise the target's logit most."""

    def __init__(
        self,
        params: AttFindParams,
        *,
        classifier: Classifier,
        generator: Generator,
        data: Data | None = None,
        inverter: Inverter | None = None,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._presenter = Presenter(params, classifier, generator, data, inverter, run)

    def find(self, latents: Tensor, target: int) -> Attributes:
        """Attributes of the images that the classifier does not take for the target, by mean effect on these.

        Effects are measured on what the generator makes of the latents.

        Raises:
            UserError: there is no such class.
        """
        return kept(self._run, latents, target, lambda: self._found(latents, target))

    def _found(self, latents: Tensor, target: int) -> Attributes:
        material = self._presenter.material(latents, target)
        if not len(material.rows):
            return self._presenter.nothing(material)
        styles = material.styles[torch.from_numpy(material.rows)]
        changes = Changes(self._presenter.models, styles, material.ranges, target)
        coordinates = self._measured(changes, styles, material.ranges, target)
        chosen = self._chosen(changes.measured, coordinates, to_array(styles), material.ranges)
        if not chosen:
            return self._presenter.nothing(material)
        effects = np.stack([changes.measured[:, choice.coordinate, choice.direction] for choice in chosen])
        order = np.argsort(-effects.mean(axis=1, dtype=np.float64), kind="stable")
        layers = self._presenter.models.generator.style_layers
        found = [
            measured_attribute(layers, chosen[place], effects[place], styles, material.ranges, target)
            for place in order
        ]
        return self._presenter.attributes(material, found, effects[order])

    def _measured(self, changes: Changes, styles: Tensor, ranges: np.ndarray, target: int) -> np.ndarray:
        """Measure, and say which coordinates are known on all images."""
        params, models = self._params, self._presenter.models
        coordinates = coordinates_of(models.generator.style_layers, params.rule == "released")
        if params.mode == "exact":
            changes.measure(range(len(styles)), coordinates)
            return coordinates
        if params.mode == "screened":
            coordinates = screened(models, styles, ranges, target, coordinates, params.candidates)
        return race(changes, coordinates, params.attributes, self._run.rng("order of the images"))

    def _chosen(
        self, measured: np.ndarray, coordinates: np.ndarray, start: np.ndarray, ranges: np.ndarray
    ) -> list[Choice]:
        """The rule, on moves that go the way they are named: an extreme of the data may lie inside of these images."""
        moves = (ranges[coordinates] - start[:, coordinates].mean(axis=0)[:, None]) * DIRECTIONS
        known = np.where(moves > 0, measured[:, coordinates], 0)
        params = self._params
        if params.rule == "released":
            limit = RELEASED_LIMIT if params.threshold is None else params.threshold
            chosen = as_released(known, params.attributes, limit)
        else:
            threshold = np.inf if params.threshold is None else params.threshold
            chosen = by_paper(known, params.attributes, threshold)
        return [Choice(int(coordinates[choice.coordinate]), choice.direction) for choice in chosen]
