"""Table 2: the cosine between what the classifier and what the pictures take from a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import in_batches

from sidelight_intervention.fisher import cosine
from sidelight_intervention.information import of_classifier, of_pictures
from sidelight_intervention.layer_fidelity import measured_split

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention._params import SharedInformationParams
    from sidelight_intervention.concept_decoder import ConceptDecoder


class SharedInformation(Metric):
    """cos(I(g), I(f_K)), the input of g being phi' and that of f_K phi; it does not depend on the explained images."""

    def __init__(self, params: SharedInformationParams, *, data: Data, generator: ConceptDecoder, run: Run) -> None:
        self.params, self.data, self.generator, self.run = params, data, generator, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """One cosine, between means over the split's images."""
        del explanation, images, targets
        return self.run.cached("table 2", self._table)  # the same for every explanation

    def _table(self) -> Measurements:
        split, dvae = measured_split(self.data, self.params), self.generator.dvae
        layer = dvae.read(torch.from_numpy(split.images))
        decoded = in_batches(
            lambda part: dvae.decode(dvae.encode(part.to(self.run.device))).cpu(), layer, dvae.params.classifier_batch
        )
        found = cosine(of_pictures(self.generator, decoded, self.run), of_classifier(dvae, layer, self.run))
        return Measurements(
            items=(
                Measurement(
                    name="shared information",
                    values=np.array([found], dtype=np.float32),
                    better="higher",
                    unit="cosine",
                    help="How alike the pictures and the classifier divide their attention between the layer's "
                    "coordinates: the cosine of the two vectors of functional Fisher information.",
                    settings={"images": f"{len(split)} of split {self.params.split}"},
                ),
            )
        )
