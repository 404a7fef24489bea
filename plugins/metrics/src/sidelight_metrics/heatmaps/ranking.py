"""What the metrics of heatmaps share: the check, the grid that is ranked, and what a curve shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import Heatmap
from sidelight_toolkit.images import upsample_cells

from sidelight_metrics.predictions import class_logits, probabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier

Shows = Literal["softmax", "logit", "value"]


def checked_heatmap(explanation: Artifact, images: torch.Tensor) -> Heatmap:
    """The explanation, if it is a heatmap of these images; raises a SidelightError otherwise."""
    if not isinstance(explanation, Heatmap):
        raise SidelightError(f"this metric measures heatmaps, not a {explanation.kind!r}")
    expected = (len(images), *images.shape[-2:])
    if explanation.values.shape != expected:
        raise SidelightError(f"heatmap values of shape {explanation.values.shape}, images ask for {expected}")
    if not np.isfinite(explanation.values).all():
        raise SidelightError("the heatmap holds values that are no numbers, and pixels cannot be ranked by them")
    return explanation


def ranked_values(heatmap: Heatmap, cells: int | None) -> np.ndarray:
    """(N, h, w) what is ranked: the pixels, or the cells of a `cells` x `cells` grid whose borders are soft.

    A heatmap that was made on such a grid gives back its own values. Otherwise a cell's value is the mean of the
    pixels that it shows, each counting as much as the cell shows it.
    """
    if cells is None or cells >= min(heatmap.values.shape[-2:]):
        return heatmap.values
    values = torch.from_numpy(heatmap.values).double()
    of_axis = _fit if heatmap.resolution == (cells, cells) else _means
    rows, columns = (of_axis(_tents(cells, side)) for side in values.shape[-2:])
    ranked: np.ndarray = (rows @ values @ columns.mT).numpy()
    return ranked


def _tents(cells: int, side: int) -> torch.Tensor:
    """(cells, side) how much each pixel of an axis shows each cell."""
    each = torch.eye(cells, dtype=torch.float64).view(cells, 1, cells, 1)
    return upsample_cells(each, (side, 1))[:, 0, :, 0]


def _fit(tents: torch.Tensor) -> torch.Tensor:
    """(cells, side) from pixels to the cells that they were interpolated from, by least squares."""
    fitted: torch.Tensor = torch.linalg.pinv(tents.mT)
    return fitted


def _means(tents: torch.Tensor) -> torch.Tensor:
    """(cells, side) from pixels to their means."""
    return tents / tents.sum(1, keepdim=True)


def shows(classifier: Classifier, score: Literal["softmax", "logit"]) -> Shows:
    """What a curve shows of this classifier: a regression has neither probabilities nor logits."""
    return "value" if classifier.task == "regression" else score


def answered_score(
    classifier: Classifier, heatmap: Heatmap, targets: Targets, row: int, shown: Shows, batch: int
) -> Callable[[torch.Tensor], np.ndarray]:
    """Images to the score that the heatmap of image `row` answers: of one class, or of the predicted and the probe."""
    predicted, probe = int(targets.predicted[row]), int(targets.probe[row])

    def score(images: torch.Tensor) -> np.ndarray:
        logits = class_logits(classifier, images, batch)
        if shown == "value":
            return logits[:, 0]
        if heatmap.answers == "contrast":
            logits = logits[:, [predicted, probe]]
            return probabilities(logits)[:, 0] if shown == "softmax" else logits[:, 0] - logits[:, 1]
        scores = probabilities(logits) if shown == "softmax" else logits
        return scores[:, probe if heatmap.answers == "probe" else predicted]

    return score
