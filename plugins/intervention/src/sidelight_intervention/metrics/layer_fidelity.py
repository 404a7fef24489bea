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

from sidelight_intervention.concepts.single_flips import flip_bit
from sidelight_intervention.flip_search import FlipSet, margin, minimal_flip_set
from sidelight_intervention.metrics import measured_split

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention.concepts.discrete_vae import DiscreteConcepts
    from sidelight_intervention.params import LayerFidelityParams

EXACT = 2  # sets of up to so many bits are all tried, as `concept-flip` does by default
BY_FEWEST = "Images for which some set of bits was found whose flip changes the class."
BY_ONE = "Images with a bit whose flip changes the class."
BY_ALL = "Images whose class changes when every bit is flipped."
IDENTITY = (
    " With an odd decoder this reflects the layer about the centre; with the centre on the boundary and a linear head "
    "every image changes its class, whatever was learned."
)
ACCURACY = "Images that the classifier gets right."
DECODED = "Images that the classifier's head gets right from the code."
AGREEMENT = (
    "Images to which the layer and its code give the same class; a code that is the same for all images agrees in as "
    "many as the setting says."
)


class LayerFidelity(Metric):
    """The numbers of table 1, over a split of the data: they do not depend on the explained images."""

    def __init__(self, params: LayerFidelityParams, *, data: Data, dvae: DiscreteConcepts, run: Run) -> None:
        self._params, self._data, self._dvae, self._run = params, data, dvae, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """Smallest flips, flips of one bit and of all, accuracies with and without the code, agreement."""
        del explanation, images, targets
        return self._run.cached("table 1", self._table)  # the same for every explanation

    def _table(self) -> Measurements:
        split = measured_split(self._data, self._params)
        if split.labels is None:
            raise SidelightError("layer-fidelity: the data has no labels, so that there is no accuracy")
        dvae, device = self._dvae, self._run.device
        layer = dvae.read(torch.from_numpy(split.images))  # phi, (N, S)
        codes = in_batches(lambda batch: dvae.encode(batch.to(device)), layer, dvae.batch)  # z, (N, n)
        of_layer = in_batches(lambda batch: dvae.head(batch.to(device)), layer, dvae.batch).argmax(1)
        of_code = dvae.logits_of(codes).argmax(1)
        truth = torch.from_numpy(split.labels).to(of_code)
        constant = float(torch.bincount(of_layer).max()) / len(of_layer)
        by_all = dvae.logits_of(1 - codes).argmax(1) != of_code
        settings = {"images": f"{len(split)} of split {self._params.split}"}
        agreement = settings | {"of a constant": f"{constant:.1%}"}
        return Measurements(
            items=(
                *self._smallest(codes),
                _share("changed by one bit", self._by_one(codes, of_code), "neither", BY_ONE, settings),
                _share("changed by all bits", by_all, "higher", BY_ALL + (IDENTITY if dvae.is_odd else ""), settings),
                _share("accuracy, layer", of_layer == truth, "neither", ACCURACY, settings),
                _share("accuracy, decoded", of_code == truth, "higher", DECODED, settings),
                _share("agreement", of_layer == of_code, "higher", AGREEMENT, agreement),
            )
        )

    def _by_one(self, codes: Tensor, classes: Tensor) -> Tensor:
        """(N,) bool."""
        changes = torch.zeros_like(classes, dtype=torch.bool)
        for bit in self._run.progress(range(codes.shape[1]), "flipping"):
            changes |= self._dvae.logits_of(flip_bit(codes, bit)).argmax(1) != classes
        return changes

    def _smallest(self, codes: Tensor) -> tuple[Measurement, ...]:
        """Sizes of the smallest flips of the first images, and of how many a flip was found at all."""
        searched = codes[: self._params.searched]
        if not len(searched):
            return ()
        classes = self._dvae.logits_of(searched).argmax(1)
        results = [
            self._flip_set(searched[row], classes[row : row + 1])
            for row in self._run.progress(range(len(searched)), "searching")
        ]
        changed = torch.tensor([result.changed for result in results])
        sizes = torch.tensor([int(result.flipped.sum()) for result in results])[changed].double()
        settings = {"images": f"{len(searched)} of split {self._params.split}", "bits": str(codes.shape[1])}
        if len(sizes):
            settings["range"] = f"{int(sizes.min())} to {int(sizes.max())}"
        size = Measurement(
            name="bits to flip",
            values=np.array([float(sizes.mean()) if len(sizes) else np.nan], dtype=np.float32),
            whole=True,
            unit="bits",
            help="Mean size of the smallest set of bits whose flip changes the class, where one was found.",
            settings=settings,
            limits=Measurement(name="", values=sizes.numpy()).interval,
        )
        return size, _share("changed by the fewest bits", changed, "higher", BY_FEWEST, settings)

    def _flip_set(self, code: Tensor, predicted: Tensor) -> FlipSet:
        """For a code (n,) with its class (1,)."""
        return minimal_flip_set(
            lambda codes: margin(self._dvae.logits_of(codes), predicted.expand(len(codes))), code, EXACT
        )


def _share(
    name: str, holds: Tensor, better: Literal["higher", "lower", "neither"], text: str, settings: dict[str, str]
) -> Measurement:
    return Measurement(
        name=name,
        values=np.array([float(holds.float().mean())], dtype=np.float32),
        whole=True,
        better=better,
        unit="share of images",
        help=text,
        settings=settings,
        limits=Measurement(name="", values=to_array(holds.float())).interval,
    )
