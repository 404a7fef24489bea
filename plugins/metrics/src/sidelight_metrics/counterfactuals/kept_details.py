"""Share of the generator in a counterfactual that keeps details of the image.

    x' = x + (g' - g), clamped         x the image, x' its counterfactual, g and g' the generator's before and after
    details kept = sqrt(mean (x' - g')^2), in brightness           what the generator does not draw
    change shown = |x' - x|_2 / |g' - g|_2                       1 by construction, less where clamping cuts
    effect alone = (d(g) - d(g')) / (d(x) - d(x'))         d = s_predicted - s_probe, in nats; 1 if details play no part

An effect alone near 0 says that the classifier is moved by the change only together with details of the image that the
generator has never seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Counterfactual, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_metrics.counterfactuals import converged_only
from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.predictions import class_logits, sides

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import BatchParams

LEAST_EFFECT = 0.01  # nats; the ratio to a smaller effect is noise


class KeptDetails(Metric):
    """Details kept, change shown, and the effect that the generator's own images have."""

    def __init__(self, params: BatchParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`details kept`, `change shown` and `effect alone`; NaN where the search failed.

        Raises:
            UserError: the counterfactuals are the generator's own images.
        """
        result = expect_kind(explanation, Counterfactual)
        if result.generated is None:
            raise UserError("these counterfactuals keep no details of the images", "take the metric out")
        shown = to_array(images).astype(np.float64), result.images.astype(np.float64)  # x and x'
        drawn = result.generated[:, 0].astype(np.float64), result.generated[:, 1].astype(np.float64)  # g and g'
        details = np.sqrt(_per_image((shown[1] - drawn[1]) ** 2))
        sizes = [np.sqrt(_per_image((after - before) ** 2)) for before, after in (shown, drawn)]
        effects = [self._gap(before, targets) - self._gap(after, targets) for before, after in (shown, drawn)]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(sizes[1] > 0, sizes[0] / sizes[1], np.nan)
            alone = np.where(np.abs(effects[0]) > LEAST_EFFECT, effects[1] / effects[0], np.nan)
        return Measurements(
            items=(
                Measurement(
                    name="details kept",
                    values=converged_only(details, result),
                    better="neither",
                    unit="brightness",
                    help="Root mean square of what the answer has and the generator does not draw.",
                ),
                Measurement(
                    name="change shown",
                    values=converged_only(ratio, result),
                    better="higher",
                    unit="times the generator's change",
                    help="Size of the change beside that of the generator's own; below 1 where brightness is cut.",
                ),
                Measurement(
                    name="effect alone",
                    values=converged_only(alone, result),
                    better="higher",
                    unit="times the answer's effect",
                    help="Effect of the generator's own images on the gap of the two classes beside the answer's.",
                ),
            )
        )

    def _gap(self, images: np.ndarray, targets: Targets) -> np.ndarray:
        """d of (N, C, H, W) images, (N,)."""
        tensor = to_tensor(images.astype(np.float32), self._run)
        return sides(class_logits(self._classifier, tensor, self._batch), targets).gap


def _per_image(values: np.ndarray) -> np.ndarray:
    """(N, C, H, W) to means, (N,)."""
    means: np.ndarray = values.mean(axis=(1, 2, 3))
    return means
