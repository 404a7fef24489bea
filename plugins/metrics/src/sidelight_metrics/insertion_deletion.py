"""Insertion and deletion (Petsiuk et al. 2018, section 4.3, with the blurred baseline of Qi et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.baselines import blur_of
from sidelight_toolkit.curves import curve, ranks

from sidelight_metrics.conventions import convention_of
from sidelight_metrics.heatmaps import answered_score, checked_heatmap, ranked_values, shows

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Heatmap, Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics._params import InsertionDeletionParams
    from sidelight_metrics.conventions import Convention


class InsertionDeletion(Metric):
    """Areas under the class's score while pixels come into a baseline, or leave for it, most important first."""

    def __init__(self, params: InsertionDeletionParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`insertion` and `deletion` with their curves, for the side of the question that the heatmap answers.

        Raises:
            SidelightError: the explanation is no heatmap of the images' size, or holds values that are no numbers.
        """
        heatmap = checked_heatmap(explanation, images)
        values = ranked_values(heatmap, self._params.cells)
        convention = convention_of(self._params)
        taken = convention.taken(*values.shape[-2:])
        curves = np.stack(
            [
                self._both(images[row], values[row], taken, convention, self._score(heatmap, targets, row))
                for row in self._run.progress(range(len(images)), "insertion, deletion")
            ]
        )
        share = taken / values[0].size
        settings = self._settings(heatmap, images, convention)
        return Measurements(
            items=tuple(
                self._measurement(name, share, curves[:, column], convention, settings)
                for column, name in enumerate(("insertion", "deletion"))
            )
        )

    def _both(
        self,
        image: Tensor,
        values: np.ndarray,
        taken: np.ndarray,
        convention: Convention,
        score: Callable[[Tensor], np.ndarray],
    ) -> np.ndarray:
        """(2, T) scores of one image: insertion, deletion."""
        order, points = (torch.from_numpy(part).to(image.device) for part in (ranks(values), taken))
        ways = ((convention.start(image), image), (image, convention.end(image)))
        return np.stack([curve(score, *way, order, points, self._params.batch) for way in ways])

    def _score(self, heatmap: Heatmap, targets: Targets, row: int) -> Callable[[Tensor], np.ndarray]:
        shown = shows(self._classifier, self._params.score)
        return answered_score(self._classifier, heatmap, targets, row, shown, self._params.batch)

    def _settings(self, heatmap: Heatmap, images: Tensor, convention: Convention) -> dict[str, str]:
        size, sigma = blur_of(*images.shape[-2:])
        blur = f"blur, kernel {size}, sigma {sigma:.3g} pixels"
        settings = {
            "baseline": blur if convention.baseline == "blur" else convention.baseline,
            "step": convention.step,
            "score": shows(self._classifier, self._params.score),
            "rule": convention.rule,
            "class": heatmap.answers,
        }
        return (
            settings
            if self._params.cells is None
            else {**settings, "cells": f"{self._params.cells} x {self._params.cells}"}
        )

    def _measurement(
        self, name: str, share: np.ndarray, curves: np.ndarray, convention: Convention, settings: dict[str, str]
    ) -> Measurement:
        way = "come into the baseline" if name == "insertion" else "are replaced by the baseline"
        shown = {"softmax": "probability", "logit": "logits", "value": self._classifier.class_names[0]}
        return Measurement(
            name=name,
            values=np.array([convention.area(share, line) for line in curves], dtype=np.float32),
            better="higher" if name == "insertion" else "lower",
            unit=shown[shows(self._classifier, self._params.score)],
            help=f"Mean score while the heatmap's pixels {way}, most important first.",
            settings=settings,
            curve_x=share.astype(np.float32),
            curve_y=curves.astype(np.float32),
        )
