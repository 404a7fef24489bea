"""Table 2: similarity of the information that the classifier and the pictures take from a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import in_batches

from sidelight_intervention.decoder.fisher import cosine
from sidelight_intervention.decoder.information import of_classifier, of_pictures, principal_axes, share_along
from sidelight_intervention.metrics.layer_fidelity import measured_split

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
    from sidelight_intervention.params import SharedInformationParams


class SharedInformation(Metric):
    """cos(I(g), I(f_K)), the input of g being phi' and that of f_K phi; it does not depend on the explained images."""

    def __init__(self, params: SharedInformationParams, *, data: Data, generator: ConceptDecoder, run: Run) -> None:
        self.params, self.data, self.generator, self.run = params, data, generator, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """The cosine by coordinates and along the directions of phi', and the share of I(g) that lies along these."""
        del explanation, images, targets
        return self.run.cached("table 2", self._table)  # the same for every explanation

    def _table(self) -> Measurements:
        split, dvae = measured_split(self.data, self.params), self.generator.dvae
        layer = dvae.read(torch.from_numpy(split.images))
        decoded = in_batches(
            lambda part: dvae.decode(dvae.encode(part.to(self.run.device))).cpu(), layer, dvae.params.classifier_batch
        )
        axes = principal_axes(decoded.to(self.run.device), self.run)
        settings = {"images": f"{len(split)} of split {self.params.split}"}
        along = settings | {"directions": f"{len(axes)} of {layer.shape[1]}"}
        share = share_along(self.generator, decoded, self.run, self.params.points, axes)
        by_coordinate = self._pair(layer, decoded, None)
        by_axis = self._pair(layer, decoded, axes)
        variances = (decoded.to(axes) @ axes.T).var(0)
        per_deviation = [vector * variances for vector in by_axis]
        facts = (
            (
                "shared information",
                self._cosine(*by_coordinate),
                "cosine",
                "Cosine of the functional Fisher information that the classifier and the pictures take from each "
                "coordinate of the layer.",
                settings,
            ),
            (
                "shared information, decoded",
                self._cosine(*by_axis),
                "cosine",
                "The same along the principal directions that the decoded layer varies along, where there are several.",
                along,
            ),
            (
                "shared information, by deviation",
                self._cosine(*per_deviation),
                "cosine",
                "The same, of the information in one standard deviation of the decoded layer along each direction.",
                along,
            ),
            (
                "information in the pictures",
                share,
                "share of the information",
                "Share of the pictures' information along these directions; the rest shows in no picture.",
                along,
            ),
        )
        return Measurements(
            items=tuple(
                Measurement(
                    name=name,
                    values=np.array([value], dtype=np.float32),
                    better="higher",
                    unit=unit,
                    help=text,
                    settings=where,
                )
                for name, value, unit, text, where in facts
            )
        )

    def _pair(self, layer: Tensor, decoded: Tensor, axes: Tensor | None) -> tuple[Tensor, Tensor]:
        """I(g) and I(f_K), along the coordinates or the axes."""
        pictures = of_pictures(self.generator, decoded, self.run, self.params.points, axes)
        return pictures, of_classifier(self.generator.dvae, layer, self.run, axes)

    def _cosine(self, pictures: Tensor, classifier: Tensor) -> float:
        if len(pictures) < 2:
            return float("nan")  # a cosine of single numbers is 1 whatever they are
        found = cosine(pictures, classifier)
        if np.isnan(found):
            self.run.warn("the pictures or the classifier take no information from the layer; there is no cosine")
        return found
