"""The explainer `by-hand`: what a user changed in the explorer, image by image (Kirchler et al. 2022, figure 1c)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from sidelight_specs.roles import Explainer

from sidelight_explorer.explainers.before_after import Changed, image_attributes
from sidelight_explorer.explainers.session_edits import Edits, edits_of
from sidelight_explorer.models import Models
from sidelight_explorer.session.latent_edit import Point
from sidelight_explorer.session.saved import read_session

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.results import ImageAttributes, Targets
    from sidelight_specs.roles import Classifier, Generator, Inverter
    from torch import Tensor

    from sidelight_explorer._params import ByHandParams


class ByHand(Explainer):
    """The edits of a saved session, beside the image that each began with, with the hypothesis and its verdict."""

    def __init__(
        self, params: ByHandParams, *, classifier: Classifier, generator: Generator, inverter: Inverter, run: Run
    ) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator, self._inverter = classifier, generator, inverter
        self._models = Models(generator, {}, params.batch, run.device)

    def explain(self, images: Tensor, targets: Targets) -> ImageAttributes:
        """The session's edits of each image; none where it has none of this image.

        Raises:
            UserError: the session cannot be read, is of another generator, or has no edits.
        """
        edits, latents = self._edits, self._inverter.invert(images).latents
        asked = list(zip(latents, targets.probe.tolist(), strict=True))
        rows = [self._changed(edits, one, probe) for one, probe in self._run.progress(asked, "making edits")]
        pool = [edit.towards(probe) for probe in sorted(set(targets.probe.tolist())) for edit in edits.all]
        return image_attributes(self._classifier, images, rows, pool=pool, most=edits.most, batch=self._params.batch)

    @cached_property
    def _edits(self) -> Edits:
        place = self._params.session
        return edits_of(read_session(place, self._generator), place) if place else Edits(())

    def _changed(self, edits: Edits, latents: np.ndarray, probe: int) -> Changed:
        found = edits.of(latents)
        with torch.no_grad():
            pictures = self._models.images([Point(latents), *(edit.point for edit in found)])
        return Changed(pictures[0], pictures[1:], tuple(edit.towards(probe) for edit in found))
