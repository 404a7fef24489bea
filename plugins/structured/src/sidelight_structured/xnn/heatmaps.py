"""Where each x-feature is, by the heatmap method that the user names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Heatmap, Targets

from sidelight_structured.xnn.unit_classifier import XFeature

if TYPE_CHECKING:
    import torch
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Explainer

    from sidelight_structured.xnn.state import Learned

FAINT = 0.05
"""An x-feature that fires less than this, where 1 is its usual strength, has no place."""


def places(
    method: Explainer, classifier: Classifier, learned: Learned, images: torch.Tensor, x_features: np.ndarray, run: Run
) -> tuple[np.ndarray, np.ndarray | None]:
    """A heatmap of each x-feature in each image; 0 everywhere where the x-feature does not fire.

    One x-feature of one image at a time: each is asked about a classifier of its own.

    Args:
        method: a heatmap explainer of the classifier.
        classifier: the explained classifier.
        learned: the explanation network.
        images: (N, C, H, W).
        x_features: (N, n), their x-features.
        run: shows progress.

    Returns:
        (N, n, H, W) float32, and the (N,) passes that they took, None where the method does not count them.

    Raises:
        UserError: the method gives something other than heatmaps for the predicted class.
    """
    maps = np.zeros((*x_features.shape, *images.shape[-2:]), dtype=np.float32)
    passes: np.ndarray | None = np.zeros(len(images), dtype=np.float32)
    for row, index in run.progress(np.argwhere(x_features >= FAINT).tolist(), "heatmaps"):
        part = XFeature(classifier, learned.layer, learned.network, index, float(x_features[row, index]))
        found = _heatmap(method.about(part), images[row : row + 1])
        maps[row, index] = found.values[0]
        if passes is None or found.passes is None:
            passes = None
        else:
            passes[row] += found.passes[0]
    return maps, passes


def _heatmap(method: Explainer, image: torch.Tensor) -> Heatmap:
    """Why is the x-feature present (class 1) and not absent (class 0)?"""
    found = method.explain(image, Targets(predicted=np.array([1]), probe=np.array([0])))
    if not isinstance(found, Heatmap) or found.answers == "probe":
        what = f"a {found.kind}" + (" for the probe" if isinstance(found, Heatmap) else "")
        raise UserError(
            f"the component under `heatmap` gives {what}",
            "Name an explainer that gives heatmaps for the predicted class: needs: {heatmap: ID}.",
        )
    return found
