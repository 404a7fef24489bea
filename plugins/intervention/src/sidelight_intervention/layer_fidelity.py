"""Table 1: whether flips change the class, and whether the code keeps what the layer knew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.batching import in_batches

from sidelight_intervention.flips import flipped

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Split, Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention._params import LayerFidelityParams
    from sidelight_intervention.dvae import Dvae


def measured_split(data: Data, params: LayerFidelityParams) -> Split:
    """The images that a metric of a whole data set looks at."""
    split = data.split(params.split)
    return split.take(range(min(len(split), params.images)))


class LayerFidelity(Metric):
    """The numbers of table 1, over a split of the data: they do not depend on the explained images."""

    def __init__(self, params: LayerFidelityParams, *, data: Data, dvae: Dvae, run: Run) -> None:
        self.params, self.data, self.dvae, self.run = params, data, dvae, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """Changed by all bits, changed by one bit, accuracies with and without the code, agreement."""
        del explanation, images, targets
        return self.run.cached("table 1", self._table)  # the same for every explanation

    def _table(self) -> Measurements:
        split = measured_split(self.data, self.params)
        if split.labels is None:
            raise SidelightError("layer-fidelity: the data has no labels, so that there is no accuracy")
        layer = self.dvae.read(torch.from_numpy(split.images))
        batch, device = self.dvae.params.classifier_batch, self.run.device
        codes = in_batches(lambda part: self.dvae.encode(part.to(device)), layer, batch)
        original = in_batches(lambda part: self.dvae.rest(part.to(device)), layer, batch).argmax(1)
        said = self.dvae.logits_of(codes).argmax(1)
        truth = torch.from_numpy(split.labels).to(said)
        by_all = self.dvae.logits_of(1 - codes).argmax(1) != said
        facts = (
            ("changed by all bits", by_all, "higher", "Images whose class changes when every bit is flipped."),
            (
                "changed by one bit",
                self._by_one(codes, said),
                "neither",
                "Images with a bit whose flip changes the class.",
            ),
            ("accuracy, layer", original == truth, "neither", "Images that the classifier gets right."),
            (
                "accuracy, decoded",
                said == truth,
                "higher",
                "Images that the rest of the classifier gets right from the code.",
            ),
            ("agreement", original == said, "higher", "Images to which the layer and its code give the same class."),
        )
        settings = {"images": f"{len(split)} of split {self.params.split}"}
        return Measurements(
            items=tuple(
                Measurement(
                    name=name,
                    values=np.array([float(holds.float().mean())], dtype=np.float32),
                    better=better,  # type: ignore[arg-type]
                    unit="share of images",
                    help=text,
                    settings=settings,
                )
                for name, holds, better, text in facts
            )
        )

    def _by_one(self, codes: Tensor, said: Tensor) -> Tensor:
        changes = torch.zeros_like(said, dtype=torch.bool)
        for bit in self.run.progress(range(codes.shape[1]), "flipping"):
            changes |= self.dvae.logits_of(flipped(codes, bit)).argmax(1) != said
        return changes
