"""AttFind: the style coordinates that a classifier reads a class by (StylEx, section 3.3, algorithm 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array

from sidelight_stylex.attfind.naming import coordinates_of, measured_attribute
from sidelight_stylex.attfind.search import Presenter, kept
from sidelight_stylex.attfind.selection import as_released, by_paper
from sidelight_stylex.attfind.style_effects import DIRECTIONS, Changes
from sidelight_stylex.attfind.successive_elimination import promised_changes, race, screened

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes
    from sidelight_specs.roles import Classifier, Data, Generator, Inverter
    from torch import Tensor

    from sidelight_stylex.attfind.style_effects import Models
    from sidelight_stylex.params import AttFindParams


THRESHOLDS = {
    # of 48 validation faces each way, the lowest t that costs no sufficiency of the top 5 and 10 (.5 to 4 tried; 1 ends
    # after two attributes one way): 42 and 39 are explained
    "paper": 1.5,
    "released": 1.0,  # the authors' notebook
}
"""Default t, in logits, by rule."""


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
        """Attributes of the images that the classifier does not take for the target, in their order of discovery.

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
        params, models = self._params, self._presenter.models
        search = Search(params, models, styles, material.ranges, target)
        rule = as_released if params.rule == "released" else by_paper
        threshold = THRESHOLDS[params.rule] if params.threshold is None else params.threshold
        selection = rule(search.measure, len(styles), params.attributes, threshold)
        choices = selection.choices
        if not choices:
            return self._presenter.nothing(material)
        # coordinates found late were measured on the images left then; effects are on all
        search.changes.measure(range(len(styles)), np.unique([choice.coordinate for choice in choices]))
        effects = np.stack([search.changes.measured[:, choice.coordinate, choice.direction] for choice in choices])
        layers = models.generator.style_layers
        found = [
            measured_attribute(layers, choice, effect, styles, material.ranges, target)
            for choice, effect in zip(choices, effects, strict=True)
        ]
        return self._presenter.attributes(material, found, effects, explained=selection.explained)


class Search:
    """Delta[x, s, d] on the images that are left, for the rule to choose from.

    Args:
        params: rule and mode.
        models: classifier and generator.
        styles: (N, S) of all images.
        ranges: (S, 2) what coordinates are set to.
        target: index of the class.
    """

    def __init__(self, params: AttFindParams, models: Models, styles: Tensor, ranges: np.ndarray, target: int) -> None:
        self._params = params
        self.changes = Changes(models, styles, ranges, target)
        self._coordinates = coordinates_of(models.generator.style_layers, params.rule == "released")
        self._order = models.run.rng("order of the images").permutation(len(styles))
        # an extreme of the data may lie inside of these images: such a move does not go the way it is named
        moves = (ranges - to_array(styles).mean(axis=0)[:, None]) * DIRECTIONS
        self._forward = moves > 0  # (S, 2)
        self._promised = (
            promised_changes(models, styles, ranges, target) if params.mode == "screened" else np.zeros((0, 0, 2))
        )

    def measure(self, rows: np.ndarray) -> np.ndarray:
        """(n,) rows to (n, S, 2); NaN for coordinates that were given up."""
        params, every = self._params, self._coordinates
        if params.mode == "exact":
            self.changes.measure(rows.tolist(), every)
        else:
            # raced anew on the images that are left: what had no prospect on all of them may have it on these
            order = self._order[np.isin(self._order, rows)]
            if params.mode == "screened":
                every = screened(self._promised[rows], every, params.candidates)
            race(self._counted, order, every, params.attributes, params.rule == "released")
        return self._as_counted(self.changes.measured[rows], self._forward)

    def _counted(self, rows: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
        """(n, c, 2), measured where they were not."""
        return self._as_counted(self.changes.measure(rows.tolist(), coordinates), self._forward[coordinates])

    def _as_counted(self, delta: np.ndarray, forward: np.ndarray) -> np.ndarray:
        counted: np.ndarray = np.where(forward, delta, 0)
        return counted.clip(0) if self._params.rule == "released" else counted
