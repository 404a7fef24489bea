"""Error of an inversion: how well a generator reproduces the images, and whether the classifier agrees.

MSE  = mean over channels and pixels of (G(z) - x)^2, in squared brightness      lower is better
PSNR = -10 log10 MSE, in dB (the images' range is 1)                             higher is better
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs.results import Inversion, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch
from sidelight_toolkit.options import IMAGES_ON_CPU

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.predictions import class_logits

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier
    from torch import Tensor

    from sidelight_metrics.params import BatchParams


class InversionError(Metric):
    """Error of the reconstruction, measured again, and the classifier's agreement on both images."""

    def __init__(self, params: BatchParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._batch = Batch(params.batch, run, IMAGES_ON_CPU)

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`MSE`, `PSNR` and `agreement` (of a regression, `value difference`)."""
        del targets
        inversion = expect_kind(explanation, Inversion)
        difference = inversion.reconstructions.astype(np.float64) - to_array(images)
        error = (difference**2).mean(axis=(1, 2, 3))
        with np.errstate(divide="ignore"):  # an exact reconstruction has an infinite PSNR
            psnr = -10 * np.log10(error)
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
                    values=psnr.astype(np.float32),
                    better="higher",
                    unit="dB",
                    help="Peak signal-to-noise ratio, -10 log10 MSE; infinite, and left out of the mean, where exact.",
                ),
                self._agreement(inversion, images),
            )
        )

    def _agreement(self, inversion: Inversion, images: Tensor) -> Measurement:
        both = (images, to_tensor(inversion.reconstructions, self._run))
        before, after = (class_logits(self._classifier, one, self._batch) for one in both)
        if self._classifier.task == "regression":
            return Measurement(
                name="value difference",
                values=np.abs(after - before)[:, 0].astype(np.float32),
                better="lower",
                unit=self._classifier.class_names[0],
                help="Distance between the classifier's values of image and reconstruction.",
            )
        return Measurement(
            name="agreement",
            values=(before.argmax(1) == after.argmax(1)).astype(np.float32),
            better="higher",
            unit="share of images",
            help="The classifier's most likely class is the same for image and reconstruction.",
        )
