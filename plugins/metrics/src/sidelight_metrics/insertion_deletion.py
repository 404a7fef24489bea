"""Insertion and deletion (Petsiuk et al. 2018, section 4.3, with the blurred baseline of Qi et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import Heatmap, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.baselines import baseline, blur_of

from sidelight_metrics.answers import class_logits, probabilities
from sidelight_metrics.curves import area, counts, curve, ranks

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics._params import InsertionDeletionParams


class InsertionDeletion(Metric):
    """Areas under the class's score while pixels come into a baseline, or leave for it, most important first."""

    def __init__(self, params: InsertionDeletionParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`insertion` and `deletion` with their curves, for the side of the question that the heatmap answers.

        Raises:
            SidelightError: the explanation is no heatmap of the images' size, or holds values that are no numbers.
        """
        heatmap = _checked(explanation, images)
        taken = counts(heatmap.values[0].size, self._params.step)
        share = taken / heatmap.values[0].size
        curves = np.stack(
            [
                self._both(images[row], heatmap.values[row], taken, self._score(heatmap, targets, row))
                for row in self._run.progress(range(len(images)), "insertion, deletion")
            ]
        )
        settings = self._settings(heatmap, images)
        return Measurements(
            items=(
                self._measurement("insertion", "higher", share, curves[:, 0], settings),
                self._measurement("deletion", "lower", share, curves[:, 1], settings),
            )
        )

    def _both(
        self, image: Tensor, values: np.ndarray, taken: np.ndarray, score: Callable[[Tensor], np.ndarray]
    ) -> np.ndarray:
        """(2, T) scores of one image: insertion, deletion."""
        absent = baseline(image[None], self._params.baseline)[0]
        order, points = (torch.from_numpy(part).to(image.device) for part in (ranks(values), taken))
        ways = ((absent, image), (image, absent))
        return np.stack([curve(score, *way, order, points, self._params.batch) for way in ways])

    def _score(self, heatmap: Heatmap, targets: Targets, row: int) -> Callable[[Tensor], np.ndarray]:
        """Images to what the curve shows: of one class, or of the predicted class against the probe."""
        predicted, probe = int(targets.predicted[row]), int(targets.probe[row])

        def score(images: Tensor) -> np.ndarray:
            logits = class_logits(self._classifier, images, self._params.batch)
            if self._shows == "value":
                return logits[:, 0]
            if heatmap.answers == "contrast":
                logits = logits[:, [predicted, probe]]
                return probabilities(logits)[:, 0] if self._shows == "softmax" else logits[:, 0] - logits[:, 1]
            shown = probabilities(logits) if self._shows == "softmax" else logits
            return shown[:, probe if heatmap.answers == "probe" else predicted]

        return score

    @property
    def _shows(self) -> str:
        return "value" if self._classifier.task == "regression" else self._params.score

    def _settings(self, heatmap: Heatmap, images: Tensor) -> dict[str, str]:
        size, sigma = blur_of(*images.shape[-2:])
        blur = f"blur, kernel {size}, sigma {sigma:.3g} pixels"
        return {
            "baseline": blur if self._params.baseline == "blur" else self._params.baseline,
            "step": f"{self._params.step:g} of the pixels",
            "score": self._shows,
            "rule": self._params.rule,
            "class": heatmap.answers,
        }

    def _measurement(
        self, name: str, better: str, share: np.ndarray, curves: np.ndarray, settings: dict[str, str]
    ) -> Measurement:
        way = "come into the baseline" if name == "insertion" else "are replaced by the baseline"
        shown = {"softmax": "probability", "logit": "logits", "value": self._classifier.class_names[0]}
        return Measurement(
            name=name,
            values=np.array([area(share, line, self._params.rule) for line in curves], dtype=np.float32),
            better="higher" if better == "higher" else "lower",
            unit=shown[self._shows],
            help=f"Mean score while the heatmap's pixels {way}, most important first.",
            settings=settings,
            curve_x=share.astype(np.float32),
            curve_y=curves.astype(np.float32),
        )


def _checked(explanation: Artifact, images: Tensor) -> Heatmap:
    if not isinstance(explanation, Heatmap):
        raise SidelightError(f"insertion-deletion measures heatmaps, not a {explanation.kind!r}")
    expected = (len(images), *images.shape[-2:])
    if explanation.values.shape != expected:
        raise SidelightError(f"heatmap values of shape {explanation.values.shape}, images ask for {expected}")
    if not np.isfinite(explanation.values).all():
        raise SidelightError("the heatmap holds values that are no numbers, and pixels cannot be ranked by them")
    return explanation
