"""Insertion and deletion (Petsiuk et al. 2018, RISE, section 4.3) over several baselines.

    insertion = area under s(b + m (x - b)), higher is better: pixels come into the baseline, most important first
    deletion  = area under s(x + m (b - x)), lower is better: pixels are replaced by the baseline in the same order

x is the image, b the baseline, m the mask of the pixels taken so far, from none to all; s is the class's probability,
its logit, or a regression's value. Schedules, baselines and area rules are in `insertion_deletion_presets`.

The score of a hidden pixel depends on the baseline: a blurred flat square is still a square, so deletion over a blur
calls a map that marks it useless. The area is therefore taken over each baseline; the number is the mean, and reports
show the range and say where the order of explanations depends on the baseline.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.curves import composed_curves, ranks
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_metrics.heatmaps.insertion_deletion_presets import blur_text, preset_of
from sidelight_metrics.heatmaps.ranking import checked_heatmap, explained_score, ranked_values, score_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Heatmap, Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.heatmaps.insertion_deletion_presets import Baseline
    from sidelight_metrics.heatmaps.ranking import ScoreKind
    from sidelight_metrics.params import InsertionDeletionParams

NAMES = ("insertion", "deletion")
LABEL = "insertion, deletion"


class InsertionDeletion(Metric):
    """Areas under the class's score while pixels come into a baseline, or leave for it, most important first."""

    def __init__(self, params: InsertionDeletionParams, *, classifier: Classifier, run: Run) -> None:
        names = params.baselines
        if not names or len(set(names)) < len(names):
            raise UserError(f"baselines {list(names)} are empty or repeat one", "name each baseline once")
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)
        self._preset = preset_of(params, self._noise)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`insertion` and `deletion` with their mean curves, for the side of the question that the heatmap answers.

        Raises:
            SidelightError: the explanation is no finite heatmap of the images' size.
        """
        heatmap = checked_heatmap(explanation, images)
        values = ranked_values(heatmap, self._params.cells)
        taken = self._preset.schedule(*values.shape[-2:])

        def of_rows(rows: slice) -> np.ndarray:
            return self._curves(images[rows], values[rows], taken, heatmap, targets, rows)

        curves = np.concatenate(self._batch.each(of_rows, len(images), LABEL, each_takes=len(taken)))
        ratio = taken / values[0].size  # (T,), the horizontal axis; curves are (N, B, 2, T)
        settings = self._settings(heatmap, images)
        items = tuple(
            self._measurement(name, ratio, curves[:, :, column], settings) for column, name in enumerate(NAMES)
        )
        return Measurements(items=items)

    @property
    def _score(self) -> ScoreKind:
        return score_kind(self._classifier, self._params.score)

    def _curves(
        self, images: Tensor, values: np.ndarray, taken: np.ndarray, heatmap: Heatmap, targets: Targets, rows: slice
    ) -> np.ndarray:
        """(n, B, 2, T) scores: images, baselines, insertion and deletion, points."""
        batch, numbers = self._batch.rows(LABEL), np.arange(rows.start, rows.stop)
        row = numbers[0] if len(images) == 1 else numbers.repeat(len(taken))
        score = explained_score(self._classifier, heatmap, targets, row, self._score, batch)
        orders = torch.from_numpy(np.stack([ranks(each) for each in values])).to(images.device)  # (n, h, w)
        points = torch.from_numpy(taken).to(images.device)

        def inserted(baseline: Baseline, image: Tensor, mask: Tensor) -> Tensor:
            return baseline.insertion(image, mask)  # b + m (x - b)

        def deleted(baseline: Baseline, image: Tensor, mask: Tensor) -> Tensor:
            return baseline.deletion(image, 1 - mask)  # x + m (b - x): visible is what has not been taken

        def curves(baseline: Baseline, fill: Callable[[Baseline, Tensor, Tensor], Tensor]) -> np.ndarray:
            fills = [partial(fill, baseline, image) for image in images]
            return composed_curves(score, fills, orders, points, images[0], batch)  # (n, T)

        sides = [[curves(baseline, fill) for fill in (inserted, deleted)] for baseline in self._preset.baselines]
        return np.moveaxis(np.array(sides), 2, 0)

    def _noise(self, image: Tensor) -> Tensor:
        """(C, H, W) unit noise, the same for every image, mask and explanation, so that comparisons are paired."""
        noise = self._run.rng("imputation").standard_normal(tuple(image.shape))
        return torch.from_numpy(noise).to(image)

    def _settings(self, heatmap: Heatmap, images: Tensor) -> dict[str, str]:
        preset, cells = self._preset, self._params.cells
        blur = blur_text(*images.shape[-2:])
        names = (baseline.detail or baseline.name for baseline in preset.baselines)
        settings = {
            "baseline": "; ".join(blur if name == "blur" else name for name in names),
            "step": preset.step,
            "score": self._score,
            "rule": preset.rule,
            "class": heatmap.answers,
        }
        return settings if cells is None else {**settings, "cells": f"{cells} x {cells}"}

    def _measurement(self, name: str, ratio: np.ndarray, curves: np.ndarray, settings: dict[str, str]) -> Measurement:
        action = "come into the baseline" if name == "insertion" else "are replaced by the baseline"
        units = {"softmax": "probability", "logit": "logits", "value": self._classifier.class_names[0]}
        baselines = self._preset.baselines
        areas = np.array([[self._preset.area(ratio, line) for line in image] for image in curves])  # (N, B)
        several = len(baselines) > 1
        over = f", mean over {len(baselines)} baselines" if several else ""
        variants = {one.name: areas[:, index].astype(np.float32) for index, one in enumerate(baselines)}
        return Measurement(
            name=name,
            values=areas.mean(1).astype(np.float32),
            better="higher" if name == "insertion" else "lower",
            unit=units[self._score],
            help=f"Mean score while the heatmap's pixels {action}, most important first{over}.",
            settings=settings,
            curve_x=ratio.astype(np.float32),
            curve_y=curves.mean(1).astype(np.float32),  # (N, T), mean over baselines
            variants=variants if several else {},
            varied="baseline" if several else "",
        )
