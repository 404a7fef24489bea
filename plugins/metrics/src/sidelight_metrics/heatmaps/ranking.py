"""Cells ranked by a heatmap, and the score that its curve follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import Heatmap
from sidelight_toolkit.images import upsample_cells

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.predictions import class_logits, probabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

ScoreKind = Literal["softmax", "logit", "value"]


def checked_heatmap(explanation: Artifact, images: torch.Tensor) -> Heatmap:
    """The explanation, if it is a finite heatmap of these images.

    Raises:
        SidelightError: it is of another kind or size, or not finite.
    """
    heatmap = expect_kind(explanation, Heatmap)
    expected = (len(images), *images.shape[-2:])
    if heatmap.values.shape != expected:
        raise SidelightError(f"the heatmap has values of shape {heatmap.values.shape}, {expected} was expected")
    if not np.isfinite(heatmap.values).all():
        raise SidelightError("the heatmap is not finite, so its pixels cannot be ranked")
    return heatmap


def ranked_values(heatmap: Heatmap, cells: int | None) -> np.ndarray:
    """(N, h, w) values to rank: those of the pixels, or of a `cells` x `cells` grid with soft borders.

    A heatmap that was made on such a grid gives back its own values. Otherwise a cell's value is the mean of the
    pixels that it shows, weighted by how much it shows them.
    """
    if cells is None or cells >= min(heatmap.values.shape[-2:]):
        return heatmap.values
    values = torch.from_numpy(heatmap.values).double()
    rows, columns = (_tents(cells, side) for side in values.shape[-2:])
    if heatmap.resolution == (cells, cells):
        # values = R' v C, interpolated from cells v by tents R (h, H) and C (w, W): least squares gives v back
        rows, columns = torch.linalg.pinv(rows.mT), torch.linalg.pinv(columns.mT)
    else:
        rows, columns = rows / rows.sum(1, keepdim=True), columns / columns.sum(1, keepdim=True)
    ranked: np.ndarray = (rows @ values @ columns.mT).numpy()  # (cells, H) (N, H, W) (W, cells)
    return ranked


def _tents(cells: int, side: int) -> torch.Tensor:
    """(cells, side) bilinear weight of each cell at each pixel of an axis."""
    each = torch.eye(cells, dtype=torch.float64).view(cells, 1, cells, 1)
    return upsample_cells(each, (side, 1))[:, 0, :, 0]


def score_kind(classifier: Classifier, score: Literal["softmax", "logit"]) -> ScoreKind:
    """Quantity that a curve shows of this classifier: a regression has neither probabilities nor logits."""
    return "value" if classifier.task == "regression" else score


def explained_score(
    classifier: Classifier, heatmap: Heatmap, targets: Targets, row: int | np.ndarray, kind: ScoreKind, batch: int
) -> Callable[[torch.Tensor], np.ndarray]:
    """Images to the score that the heatmap of image `row` explains: of one class, or of the predicted and the probe.

    Args:
        classifier: gives logits.
        heatmap: says which side it answers.
        targets: of all explained images.
        row: the image that all are variants of, or (n,) that of each.
        kind: of score.
        batch: images in one pass.
    """
    predicted, probe = targets.predicted[row], targets.probe[row]

    def score(images: torch.Tensor) -> np.ndarray:
        logits, each = class_logits(classifier, images, batch), np.arange(len(images))
        if kind == "value":
            return logits[:, 0]
        if heatmap.answers == "contrast":  # the other classes do not take part
            logits = np.stack([logits[each, predicted], logits[each, probe]], axis=1)
            return probabilities(logits)[:, 0] if kind == "softmax" else logits[:, 0] - logits[:, 1]
        scores = probabilities(logits) if kind == "softmax" else logits
        result: np.ndarray = scores[each, probe if heatmap.answers == "probe" else predicted]
        return result

    return score
