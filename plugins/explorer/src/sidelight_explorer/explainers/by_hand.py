"""The explainer `by-hand`: a user's edits in the explorer, image by image (Kirchler et al. 2021, figure 1c)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from sidelight_specs.results import Measurements
from sidelight_specs.roles import Explainer
from sidelight_toolkit.batching import Batch

from sidelight_explorer._params import CLASSIFIED_ON_CPU
from sidelight_explorer.explainers.before_after import BeforeAfter, image_attributes
from sidelight_explorer.explainers.session_edits import SessionEdits, hypothesis_tests, session_edits
from sidelight_explorer.latent_edit import LatentEdit
from sidelight_explorer.layered import LayeredGenerator
from sidelight_explorer.models import Models
from sidelight_explorer.session.file import load_session

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.results import ImageAttributes, Targets
    from sidelight_specs.roles import Classifier, Generator, Inverter
    from torch import Tensor

    from sidelight_explorer._params import ByHandParams
    from sidelight_explorer.session.file import SavedSession


class ByHand(Explainer):
    """The edits of a saved session beside their source images, with hypothesis and verdict."""

    def __init__(
        self, params: ByHandParams, *, classifier: Classifier, generator: Generator, inverter: Inverter, run: Run
    ) -> None:
        self._params, self._run = params, run
        self._batch = Batch(params.batch, run, CLASSIFIED_ON_CPU)
        self._classifier, self._generator, self._inverter = classifier, LayeredGenerator(generator), inverter
        self._models = Models(self._generator, {}, self._batch.rows("drawing"), run.device)

    def explain(self, images: Tensor, targets: Targets) -> ImageAttributes:
        """The session's edits of each image; images without any stay unchanged.

        Raises:
            UserError: the session cannot be read, is of another generator, or has no edits.
        """
        inverted = self._inverter.invert(images).latents
        if self._tests.items:
            self._run.emit("hypotheses", self._tests)
        edits, latents = self._edits, inverted.reshape(len(images), *self._generator.latent_shape)
        pairs = list(zip(latents, targets.probe.tolist(), strict=True))
        rows = [self._before_after(edits, w, probe) for w, probe in self._run.progress(pairs, "making edits")]
        # an edit is listed once for each probe class, because its effect is measured on that class's logit
        pool = [edit.with_target(probe) for probe in sorted(set(targets.probe.tolist())) for edit in edits.all]
        return image_attributes(self._classifier, images, rows, pool=pool, most=edits.most, batch=self._batch)

    @cached_property
    def _saved(self) -> SavedSession | None:
        return load_session(self._params.session, self._generator) if self._params.session else None

    @cached_property
    def _edits(self) -> SessionEdits:
        return session_edits(self._saved, self._params.session) if self._saved else SessionEdits(())

    @cached_property
    def _tests(self) -> Measurements:
        return hypothesis_tests(self._saved.session) if self._saved else Measurements()

    def _before_after(self, edits: SessionEdits, latents: np.ndarray, probe: int) -> BeforeAfter:
        matching = edits.of(latents)
        with torch.no_grad():
            images = self._models.images([LatentEdit(latents), *(edit.edited for edit in matching)])  # (1 + k, C, H, W)
        return BeforeAfter(images[0], images[1:], tuple(edit.with_target(probe) for edit in matching))
