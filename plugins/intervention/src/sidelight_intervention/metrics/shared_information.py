"""Table 2: similarity of the information that the classifier and the concept images take from a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import in_batches

from sidelight_intervention.decoder.fisher import (
    classifier_information,
    cosine,
    decoder_information,
    information_along,
    principal_axes,
)
from sidelight_intervention.metrics import measured_split

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention.decoder.concept_decoder import ConceptDecoder
    from sidelight_intervention.params import SharedInformationParams


class SharedInformation(Metric):
    """cos(I(g), I(f_K)), g at phi' and f_K at phi; it does not depend on the explained images."""

    def __init__(self, params: SharedInformationParams, *, data: Data, generator: ConceptDecoder, run: Run) -> None:
        self._params, self._data, self._generator, self._run = params, data, generator, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """The cosine by coordinates and along the directions of phi', and the ratio of I(g) that lies along these."""
        del explanation, images, targets
        return self._run.cached("table 2", self._table)  # the same for every explanation

    def _table(self) -> Measurements:
        split, dvae, device = measured_split(self._data, self._params), self._generator.dvae, self._run.device
        layer = dvae.read(torch.from_numpy(split.images))  # phi, (N, S)
        decoded = in_batches(lambda batch: dvae.decode(dvae.encode(batch.to(device))).cpu(), layer, dvae.batch)  # phi'
        axes = principal_axes(decoded.to(device), self._run)  # (p, S)
        ratio = information_along(self._generator.network, decoded, self._run, self._params.points, axes)
        by_coordinate = self._information(layer, decoded, None)
        by_axis = self._information(layer, decoded, axes)
        variances = (decoded.to(axes) @ axes.T).var(0)  # of phi' along the axes, (p,)
        settings = {"images": f"{len(split)} of split {self._params.split}"}
        along = settings | {"directions": f"{len(axes)} of {layer.shape[1]}"}
        return Measurements(
            items=(
                _measurement(
                    "shared information",
                    self._cosine(*by_coordinate),
                    "Cosine of the functional Fisher information that the classifier and the pictures take from each "
                    "coordinate of the layer.",
                    settings,
                ),
                _measurement(
                    "shared information, decoded",
                    self._cosine(*by_axis),
                    "The same along the principal directions that the decoded layer varies along, where there are "
                    "several.",
                    along,
                ),
                _measurement(
                    "shared information, by deviation",
                    self._cosine(*(information * variances for information in by_axis)),
                    "The same, of the information in one standard deviation of the decoded layer along each direction.",
                    along,
                ),
                _measurement(
                    "information in the pictures",
                    ratio,
                    "Share of the pictures' information along these directions; the rest shows in no picture.",
                    along,
                    unit="share of the information",
                ),
            )
        )

    def _information(self, layer: Tensor, decoded: Tensor, axes: Tensor | None) -> tuple[Tensor, Tensor]:
        """I(g) and I(f_K), along the coordinates or the axes."""
        of_decoder = decoder_information(self._generator.network, decoded, self._run, self._params.points, axes)
        return of_decoder, classifier_information(self._generator.dvae, layer, self._run, axes)

    def _cosine(self, of_decoder: Tensor, of_classifier: Tensor) -> float:
        if len(of_decoder) < 2:
            return float("nan")  # a cosine of single numbers is 1 whatever they are
        result = cosine(of_decoder, of_classifier)
        if np.isnan(result):
            self._run.warn("the pictures or the classifier take no information from the layer; there is no cosine")
        return result


def _measurement(name: str, value: float, text: str, settings: dict[str, str], unit: str = "cosine") -> Measurement:
    return Measurement(
        name=name,
        values=np.array([value], dtype=np.float32),
        whole=True,
        better="higher",
        unit=unit,
        help=text,
        settings=settings,
    )
