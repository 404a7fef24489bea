"""Insertion and deletion (Petsiuk et al. 2018, section 4.3) over several baselines.

What the score says of a pixel that is gone depends on what stands in its place: a blurred flat square is still a
square, so deletion over a blur calls a map that marks it useless. The areas are taken over each baseline, the number is
their mean, and reports show the range and say where the order of explanations depends on the baseline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.curves import composed_curve, ranks

from sidelight_metrics.heatmaps.insertion_deletion_presets import blur_text, convention_of
from sidelight_metrics.heatmaps.ranking import answered_score, checked_heatmap, ranked_values, shows

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Heatmap, Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.heatmaps.insertion_deletion_presets import Absence, Convention
    from sidelight_metrics.params import InsertionDeletionParams

NAMES = ("insertion", "deletion")


class InsertionDeletion(Metric):
    """Areas under the class's score while pixels come into a baseline, or leave for it, most important first."""

    def __init__(self, params: InsertionDeletionParams, *, classifier: Classifier, run: Run) -> None:
        chosen = params.baselines
        if not chosen or len(set(chosen)) < len(chosen):
            raise UserError(f"baselines {list(chosen)} are empty or repeat one", "name each baseline once")
        self._params, self._classifier, self._run = params, classifier, run
        self._convention = convention_of(params, self._noise)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`insertion` and `deletion` with their mean curves, for the side of the question that the heatmap answers.

        Raises:
            SidelightError: the explanation is no heatmap of the images' size, or holds values that are no numbers.
        """
        heatmap = checked_heatmap(explanation, images)
        values = ranked_values(heatmap, self._params.cells)
        taken = self._convention.taken(*values.shape[-2:])
        rows = self._run.progress(range(len(images)), "insertion, deletion")
        curves = np.stack([self._curves(images[row], values[row], taken, heatmap, targets, row) for row in rows])
        share = taken / values[0].size  # (T,); curves are (N, B, 2, T)
        settings = self._settings(heatmap, images, self._convention)
        items = tuple(
            self._measurement(name, share, curves[:, :, column], settings) for column, name in enumerate(NAMES)
        )
        return Measurements(items=items)

    def _curves(
        self, image: Tensor, values: np.ndarray, taken: np.ndarray, heatmap: Heatmap, targets: Targets, row: int
    ) -> np.ndarray:
        """(B, 2, T) scores of one image: baselines, insertion and deletion, points."""
        shown, batch = shows(self._classifier, self._params.score), self._params.batch
        score = answered_score(self._classifier, heatmap, targets, row, shown, batch)
        order, points = (torch.from_numpy(part).to(image.device) for part in (ranks(values), taken))

        def both(absent: Absence) -> np.ndarray:
            fills: tuple[Callable[[Tensor], Tensor], ...] = (
                lambda gone: absent.insertion(image, gone),  # what has been taken is visible
                lambda gone: absent.deletion(image, 1 - gone),  # what has been taken is hidden
            )
            return np.stack([composed_curve(score, fill, order, points, image, batch) for fill in fills])

        return np.stack([both(absent) for absent in self._convention.absences])

    def _noise(self, image: Tensor) -> Tensor:
        """(C, H, W) unit noise, the same for every image, mask and explanation, so that comparisons are paired."""
        drawn = self._run.rng("imputation").standard_normal(tuple(image.shape))
        return torch.from_numpy(drawn).to(image)

    def _settings(self, heatmap: Heatmap, images: Tensor, convention: Convention) -> dict[str, str]:
        names = (absent.detail or absent.name for absent in convention.absences)
        blur = blur_text(*images.shape[-2:])
        settings = {
            "baseline": "; ".join(blur if name == "blur" else name for name in names),
            "step": convention.step,
            "score": shows(self._classifier, self._params.score),
            "rule": convention.rule,
            "class": heatmap.answers,
        }
        cells = self._params.cells
        return settings if cells is None else {**settings, "cells": f"{cells} x {cells}"}

    def _measurement(self, name: str, share: np.ndarray, curves: np.ndarray, settings: dict[str, str]) -> Measurement:
        way = "come into the baseline" if name == "insertion" else "are replaced by the baseline"
        shown = {"softmax": "probability", "logit": "logits", "value": self._classifier.class_names[0]}
        absences = self._convention.absences
        areas = np.array([[self._convention.area(share, line) for line in image] for image in curves])  # (N, B)
        several = len(absences) > 1
        over = f", mean over {len(absences)} baselines" if several else ""
        return Measurement(
            name=name,
            values=areas.mean(1).astype(np.float32),
            better="higher" if name == "insertion" else "lower",
            unit=shown[shows(self._classifier, self._params.score)],
            help=f"Mean score while the heatmap's pixels {way}, most important first{over}.",
            settings=settings,
            curve_x=share.astype(np.float32),
            curve_y=curves.mean(1).astype(np.float32),
            variants={one.name: areas[:, at].astype(np.float32) for at, one in enumerate(absences)} if several else {},
            varied="baseline" if several else "",
        )
