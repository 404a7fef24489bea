"""How well a generator reproduces the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor

from sidelight_metrics.predictions import class_logits

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import InversionParams


class InversionError(Metric):
    """Error of the reconstruction, re-measured, and what the classifier makes of it."""

    def __init__(self, params: InversionParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`MSE`, `PSNR` and `agreement` (or, of a regression, `value difference`).

        Raises:
            SidelightError: the explanation is no inversion.
        """
        if not isinstance(explanation, Inversion):
            raise SidelightError(f"inversion measures inversions, not a {explanation.kind!r}")
        difference = explanation.reconstructions.astype(np.float64) - to_array(images)
        error = (difference**2).mean(axis=(1, 2, 3))
        with np.errstate(divide="ignore"):
            ratio = -10 * np.log10(error)
        return Measurements(
            items=(
                Measurement(
                    name="MSE",
                    values=error.astype(np.float32),
                    better="lower",
                    unit="squared brightness",
                    help="Mean squared difference between image and reconstruction, over channels and pixels.",
                ),
                Measurement(
                    name="PSNR",
                    values=ratio.astype(np.float32),
                    better="higher",
                    unit="dB",
                    help="Peak signal-to-noise ratio, -10 log10 MSE; infinite, and left out of the mean, where exact.",
                ),
                self._agreement(explanation, images),
            )
        )

    def _agreement(self, inversion: Inversion, images: Tensor) -> Measurement:
        pictures = (images, to_tensor(inversion.reconstructions, self._run))
        before, after = (class_logits(self._classifier, part, self._params.batch) for part in pictures)
        if self._classifier.task == "regression":
            return Measurement(
                name="value difference",
                values=np.abs(after - before)[:, 0].astype(np.float32),
                better="lower",
                unit=self._classifier.class_names[0],
                help="How far the classifier's values of image and reconstruction lie apart.",
            )
        return Measurement(
            name="agreement",
            values=(before.argmax(1) == after.argmax(1)).astype(np.float32),
            better="higher",
            unit="share of images",
            help="The classifier's most likely class is the same for image and reconstruction.",
        )
