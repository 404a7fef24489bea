"""The explainer `along-direction`: images shifted along the automated direction (Kirchler et al. 2021, figure 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from sidelight_specs.roles import Explainer
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.batching import Batch

from sidelight_explorer._params import CLASSIFIED_ON_CPU
from sidelight_explorer.explainers.before_after import BeforeAfter, image_attributes
from sidelight_explorer.layered import LayeredGenerator

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attribute, ImageAttributes, Targets
    from sidelight_specs.roles import Classifier, Generator, Inverter
    from torch import Tensor

    from sidelight_explorer._params import AlongParams
    from sidelight_explorer.directions import LatentDirections
    from sidelight_explorer.ganalyze import Ganalyze
    from sidelight_explorer.latent_shifts import ClassShifts


class AlongDirection(Explainer):
    """Every image with all shifts towards its probe class, the longest first."""

    def __init__(
        self,
        params: AlongParams,
        *,
        classifier: Classifier,
        generator: Generator,
        inverter: Inverter,
        attribute_finder: LatentDirections | Ganalyze,
        run: Run,
    ) -> None:
        self._params, self._run = params, run
        self._batch = Batch(params.batch, run, CLASSIFIED_ON_CPU)
        self._classifier, self._generator = classifier, LayeredGenerator(generator)
        self._inverter, self._finder = inverter, attribute_finder

    def explain(self, images: Tensor, targets: Targets) -> ImageAttributes:
        """The reconstruction of each image, and the reconstruction shifted along the direction of its probe class."""
        probes = targets.probe.tolist()
        shifts = {probe: self._finder.class_shifts(probe) for probe in sorted(set(probes))}
        latents = self._generator.layers_of(to_tensor(self._inverter.invert(images).latents, self._run))
        pairs = list(zip(latents, probes, strict=True))
        rows = [self._shift(w, shifts[probe]) for w, probe in self._run.progress(pairs, "shifting")]
        pool = [_in_words(change) for one in shifts.values() for change in one.towards]
        most = max(len(one.towards) for one in shifts.values())
        return image_attributes(self._classifier, images, rows, pool=pool, most=most, batch=self._batch)

    def _shift(self, latents: Tensor, shifts: ClassShifts) -> BeforeAfter:
        direction = to_tensor(shifts.direction, self._run)  # (layers, d)
        shifted = [latents, *(latents + change.shift * direction for change in shifts.towards)]  # w + lambda * v
        with torch.no_grad():
            images = self._generator.synthesize(torch.stack(shifted))
        return BeforeAfter(images[0], images[1:], tuple(map(_in_words, shifts.towards)))


def _in_words(change: Attribute) -> Attribute:
    """The shift as text: a direction is no single coordinate, so that reports cannot describe it by one."""
    return attrs.evolve(change, shift=0.0, layer=f"shifted by {change.shift:.2g} along the direction")
