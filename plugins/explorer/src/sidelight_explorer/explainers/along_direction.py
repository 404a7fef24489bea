"""The explainer `along-direction`: images shifted along the automated direction (Kirchler et al. 2022, figure 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_tensor

from sidelight_explorer.explainers.before_after import Changed, image_attributes

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attribute, ImageAttributes, Targets
    from sidelight_specs.roles import Classifier, Generator, Inverter
    from torch import Tensor

    from sidelight_explorer._params import AlongParams
    from sidelight_explorer.directions import LatentDirections, Way


class AlongDirection(Explainer):
    """Every image by all shifts towards the class asked about, the longest first."""

    def __init__(
        self,
        params: AlongParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        attribute_finder: LatentDirections,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator = classifier, generator
        self._inverter, self._finder = inverter, attribute_finder

    def explain(self, images: Tensor, targets: Targets) -> ImageAttributes:
        """The reconstruction of each image, and it shifted along the direction of its probe class."""
        ways = {probe: self._finder.way(probe) for probe in sorted(set(targets.probe.tolist()))}
        latents = to_tensor(self._inverter.invert(images).latents, self._run)
        asked = list(zip(latents, targets.probe.tolist(), strict=True))
        rows = [self._shifted(one, ways[probe]) for one, probe in self._run.progress(asked, "shifting")]
        pool = [_told(change) for way in ways.values() for change in way.towards]
        most = max(len(way.towards) for way in ways.values())
        return image_attributes(self._classifier, images, rows, pool=pool, most=most, batch=self._params.batch)

    def _shifted(self, latents: Tensor, way: Way) -> Changed:
        direction = to_tensor(way.direction, self._run)
        places = [latents, *(latents + change.shift * direction for change in way.towards)]
        with torch.no_grad():
            pictures = self._generator.synthesize(torch.stack(places))
        return Changed(pictures[0], pictures[1:], tuple(map(_told, way.towards)))


def _told(change: Attribute) -> Attribute:
    """How far, in words: what is moved is no single coordinate."""
    return attrs.evolve(change, shift=0.0, layer=f"shifted by {change.shift:.2g} along the direction")
