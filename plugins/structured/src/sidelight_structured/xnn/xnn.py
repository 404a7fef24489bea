"""The explanation network (section 2): a prediction as a sum of a few x-features, each with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import NotFittedError, UserError
from sidelight_specs.results import Concepts
from sidelight_specs.roles import Explainer, Trainable
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.layers import collect, find_layer

from sidelight_structured.xnn.heatmaps import places
from sidelight_structured.xnn.quality import quality, substituted
from sidelight_structured.xnn.restarts import trained
from sidelight_structured.xnn.state import Learned
from sidelight_structured.xnn.training import encoded, strongest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import State, Targets
    from sidelight_specs.roles import Classifier, Data

    from sidelight_structured.params import XnnParams
    from sidelight_structured.xnn.srae import ExplanationNetwork

REFERENCE = 1000
"""Images of the data whose x-features go with every explanation."""


class Xnn(Explainer, Trainable):
    """One explanation network for the logits of all explained classes.

    The x-features are shared by the classes; each class reads them out with weights of its own. A network for one
    class against the rest, as the authors trained it, is the same with a single name in `classes`.
    """

    def __init__(
        self, params: XnnParams, *, classifier: Classifier, heatmap: Explainer | None = None, run: Run
    ) -> None:
        self.params = params
        self.classifier = classifier
        self.heatmap = heatmap
        self.run = run
        self._learned: Learned | None = None

    def fit(self, data: Data) -> None:
        """Minimise equation 1 on the training split; how well it does on the test split is emitted as `held-out`."""
        images = self._images(data, "train")
        name = find_layer(self.classifier, self.params.layer, images[:1].to(self.run.device))
        classes = explained_classes(self.params.classes, self.classifier)
        layer, logits = self._seen(name, images)
        network, curves = trained(layer, logits, classes, self.params, self.run)
        rows, values = strongest(encoded(network, layer, self.run.device), self.params.exemplars)
        self._learned = Learned(
            layer=name,
            classes=classes,
            network=network,
            exemplars=to_array(images[rows]),
            exemplar_activations=to_array(values),
            reference=self._held_out(data, name, network, classes)[:REFERENCE],
            curves=curves,
        )

    def _images(self, data: Data, split: str) -> torch.Tensor:
        return torch.from_numpy(data.split(split).images[: self.params.images])

    def _seen(self, layer: str, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return collect(self.classifier, layer, images, self.params.classifier_batch, self.run)

    def _held_out(self, data: Data, name: str, network: ExplanationNetwork, classes: tuple[int, ...]) -> np.ndarray:
        """The x-features of the test split (of the training split where there is none), after measuring them."""
        split = "test" if "test" in data.splits else "train"
        layer, logits = self._seen(name, self._images(data, split))
        x_features = encoded(network, layer, self.run.device)
        approximated = network.logits(x_features.to(self.run.device)).cpu()
        measured = quality(logits, approximated, x_features, classes, f"the {len(layer):,} images of the {split} split")
        self.run.emit("held-out", measured)
        return to_array(x_features)

    def state(self) -> State:
        """The network, its exemplars and the course of the training."""
        return self._fitted.state()

    def load_state(self, state: State) -> None:
        """Rebuild the network."""
        self._learned = Learned.of(state, self.run.device)

    @property
    def _fitted(self) -> Learned:
        if self._learned is None:
            raise NotFittedError("the explanation network was not trained yet")
        return self._learned

    def explain(self, images: torch.Tensor, targets: Targets) -> Concepts:
        """What each x-feature adds to the logit of the predicted class, and where it is.

        A class that the network does not explain gets contributions of 0, and a warning.
        """
        learned = self._fitted
        layer, logits = self._seen(learned.layer, images)
        x_features = encoded(learned.network, layer, self.run.device)
        approximated = learned.network.logits(x_features.to(self.run.device)).cpu()
        weights, constants = self._readout(logits.shape[1])
        self._warn_of_other_classes(targets)
        strengths = to_array(x_features)
        maps, passes = self._places(images, strengths)
        return Concepts(
            names=tuple(f"x-feature {number}" for number in range(1, strengths.shape[1] + 1)),
            activations=strengths,
            contributions=weights[targets.predicted] * strengths,
            heatmaps=maps,
            exemplars=learned.exemplars if self.params.exemplars else None,
            constant=constants[targets.predicted],
            logits=to_array(substituted(logits, approximated, learned.classes)),
            weights=weights,
            exemplar_activations=learned.exemplar_activations if self.params.exemplars else None,
            reference=learned.reference,
            answers="predicted",
            passes=passes,
        )

    def _readout(self, outputs: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights (K, n) and constants (K,) of all classes, 0 for those that are not explained."""
        learned = self._fitted
        weights = np.zeros((outputs, learned.network.sizes[-1]), dtype=np.float32)
        constants = np.zeros(outputs, dtype=np.float32)
        weights[list(learned.classes)] = to_array(learned.network.weights)
        constants[list(learned.classes)] = to_array(learned.network.constant)
        return weights, constants

    def _warn_of_other_classes(self, targets: Targets) -> None:
        others = sorted(set(targets.predicted.tolist()) - set(self._fitted.classes))
        if others:
            names = ", ".join(self.classifier.class_names[index] for index in others)
            self.run.warn(f"images predicted as {names}: the explanation network was not trained for these classes")

    def _places(self, images: torch.Tensor, strengths: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self.heatmap is None:
            return None, np.ones(len(images), dtype=np.float32)
        maps, passes = places(self.heatmap, self.classifier, self._fitted, images, strengths, self.run)
        return maps, None if passes is None else passes + 1


def explained_classes(names: Sequence[str], classifier: Classifier) -> tuple[int, ...]:
    """The indices of the classes with these names, of all where there are none.

    Raises:
        UserError: the classifier knows no class of a name.
    """
    known = classifier.class_names
    if not names:
        return tuple(range(len(known)))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f"classes: the classifier knows no class {', '.join(unknown)}",
            f"Its classes are {', '.join(known[:20])}{' ...' if len(known) > 20 else ''}.",
        )
    return tuple(known.index(name) for name in names)
