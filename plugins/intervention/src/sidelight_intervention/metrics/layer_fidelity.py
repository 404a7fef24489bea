"""Table 1: flips that change the class, and the accuracy of the layer that the code keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from sidelight_specs import SidelightError
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches

from sidelight_intervention.concepts.single_flips import flipped
from sidelight_intervention.flip_search import Found, fewest, lead_over

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Split, Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention.concepts.dvae import Dvae
    from sidelight_intervention.params import ConceptFactorsParams, LayerFidelityParams, SharedInformationParams

EXACT = 2
"""Sets of up to so many bits are all tried, larger ones grow greedily, as `concept-flip` does by default."""
BY_FEWEST = "Images for which some set of bits was found whose flip changes the class."
BY_ONE = "Images with a bit whose flip changes the class."
BY_ALL = "Images whose class changes when every bit is flipped."
IDENTITY = (
    " With an odd decoder this reflects the layer about the centre; with the centre on the boundary and a linear rest "
    "every image changes its class, whatever was learned."
)
ACCURACY = "Images that the classifier gets right."
DECODED = "Images that the rest of the classifier gets right from the code."
AGREEMENT = (
    "Images to which the layer and its code give the same class; a code that is the same for all images agrees in as "
    "many as the setting says."
)


def measured_split(data: Data, params: LayerFidelityParams | SharedInformationParams | ConceptFactorsParams) -> Split:
    """The images that a metric of a whole data set looks at."""
    split = data.split(params.split)
    return split.take(range(min(len(split), params.images)))


class LayerFidelity(Metric):
    """The numbers of table 1, over a split of the data: they do not depend on the explained images."""

    def __init__(self, params: LayerFidelityParams, *, data: Data, dvae: Dvae, run: Run) -> None:
        self.params, self.data, self.dvae, self.run = params, data, dvae, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """Smallest flips, flips of one bit and of all, accuracies with and without the code, agreement."""
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
        constant = float(torch.bincount(original).max()) / len(original)
        images = {"images": f"{len(split)} of split {self.params.split}"}
        agreement = images | {"of a constant": f"{constant:.1%}"}
        return Measurements(
            items=(
                *self._smallest(codes),
                _share("changed by one bit", self._by_one(codes, said), "neither", BY_ONE, images),
                _share("changed by all bits", self._by_all(codes, said), "higher", self._by_all_help(), images),
                _share("accuracy, layer", original == truth, "neither", ACCURACY, images),
                _share("accuracy, decoded", said == truth, "higher", DECODED, images),
                _share("agreement", original == said, "higher", AGREEMENT, agreement),
            )
        )

    def _by_all(self, codes: Tensor, said: Tensor) -> Tensor:
        return self.dvae.logits_of(1 - codes).argmax(1) != said

    def _by_all_help(self) -> str:
        odd = self.dvae.params.decoder == "odd"
        return BY_ALL + (IDENTITY if odd else "")

    def _by_one(self, codes: Tensor, said: Tensor) -> Tensor:
        changes = torch.zeros_like(said, dtype=torch.bool)
        for bit in self.run.progress(range(codes.shape[1]), "flipping"):
            changes |= self.dvae.logits_of(flipped(codes, bit)).argmax(1) != said
        return changes

    def _smallest(self, codes: Tensor) -> tuple[Measurement, ...]:
        """Sizes of the smallest flips of the first images, and of how many a flip was found at all."""
        searched = codes[: self.params.searched]
        if not len(searched):
            return ()
        said = self.dvae.logits_of(searched).argmax(1)
        found = [
            self._fewest(searched[row], said[row : row + 1])
            for row in self.run.progress(range(len(searched)), "searching")
        ]
        changed = torch.tensor([item.changed for item in found])
        sizes = torch.tensor([int(item.flipped.sum()) for item in found])[changed].double()
        settings = {"images": f"{len(searched)} of split {self.params.split}", "bits": str(codes.shape[1])}
        if len(sizes):
            settings["range"] = f"{int(sizes.min())} to {int(sizes.max())}"
        size = Measurement(
            name="bits to flip",
            values=np.array([float(sizes.mean()) if len(sizes) else np.nan], dtype=np.float32),
            unit="bits",
            help="Mean size of the smallest set of bits whose flip changes the class, where one was found.",
            settings=settings,
            limits=Measurement(name="", values=sizes.numpy()).interval,
        )
        return size, _share("changed by the fewest bits", changed, "higher", BY_FEWEST, settings)

    def _fewest(self, code: Tensor, said: Tensor) -> Found:
        return fewest(lambda codes: lead_over(self.dvae.logits_of(codes), said.expand(len(codes))), code, EXACT)


def _share(
    name: str, holds: Tensor, better: Literal["higher", "lower", "neither"], text: str, settings: dict[str, str]
) -> Measurement:
    return Measurement(
        name=name,
        values=np.array([float(holds.float().mean())], dtype=np.float32),
        better=better,
        unit="share of images",
        help=text,
        settings=settings,
        limits=Measurement(name="", values=to_array(holds.float())).interval,
    )
