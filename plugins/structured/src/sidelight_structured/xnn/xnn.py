"""Explanation network (XNN): a prediction as a weighted sum of a few learned x-features.

Li Fuxin et al. 2021, From Heatmaps to Structured Explanations of Image Classifiers, section 2. The network is attached
to a layer of the classifier: logits y = v E(Z) + constant, where Z (N, S) is the layer's output, E (N, n) the
x-features and v (K, n) the read-out; `srae.py` has the network and its loss, `training.py` its training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from attrs import field, frozen
from sidelight_specs import NotFittedError, UserError
from sidelight_specs.results import Concepts, State
from sidelight_specs.roles import Explainer, Trainable
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.layers import collect, find_layer
from sidelight_toolkit.modules import state_arrays

from sidelight_structured.xnn.heatmaps import x_feature_heatmaps
from sidelight_structured.xnn.quality import quality, substitute
from sidelight_structured.xnn.srae import ExplanationNetwork
from sidelight_structured.xnn.training import encode, rebuilt_dimensions, strongest, train_with_restarts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sidelight_specs import Run
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Classifier, Data

    from sidelight_structured.params import XnnParams

REFERENCE = 1000
"""Held-out images whose x-features go with every explanation, to show the usual range of each."""
OWN_PASSES = 1
"""Passes for an image's x-features and logits, beside those of the heatmaps."""
NAMED_CLASSES = 20
"""Classes that an error lists."""


class Xnn(Explainer, Trainable):
    """One explanation network for the logits of all explained classes.

    The x-features are shared by the classes; each class reads them out with weights of its own. A network for one
    class against the rest, as the authors trained it, is the same with a single name in `classes`.
    """

    def __init__(
        self,
        params: XnnParams,
        *,
        classifier: Classifier,
        heatmap: Callable[[Classifier], Explainer] | None = None,
        run: Run,
    ) -> None:
        self._params = params
        self._classifier = classifier
        self._heatmap = heatmap
        self._run = run
        self._state: XnnState | None = None

    def fit(self, data: Data) -> None:
        """Minimise equation 1 on the training split; emit its quality on the test split as `held-out`."""
        images = self._images(data, "train")
        name = find_layer(self._classifier, self._params.layer, images[:1].to(self._run.device))
        classes = explained_classes(self._params.classes, self._classifier)
        layer, logits = self._layer_and_logits(name, images)  # Z, (N, S), and y, (N, K)
        network, curves = train_with_restarts(layer, logits, classes, self._params, self._run)
        rows, values = strongest(encode(network, layer, self._run.device), self._params.exemplars)
        self._state = XnnState(
            layer=name,
            classes=classes,
            network=network,
            exemplars=to_array(images[rows]),
            exemplar_activations=to_array(values),
            reference=self._held_out(data, name, network, classes)[:REFERENCE],
            curves=curves,
        )

    def _images(self, data: Data, split: str) -> torch.Tensor:
        return torch.from_numpy(data.split(split).read(count=self._params.images).images)

    def _layer_and_logits(self, layer: str, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return collect(self._classifier, layer, images, self._params.classifier_batch, self._run)

    def _held_out(self, data: Data, name: str, network: ExplanationNetwork, classes: tuple[int, ...]) -> np.ndarray:
        """Measure the network on the test split (the training split if there is none); its x-features (N, n)."""
        split = "test" if "test" in data.splits else "train"
        layer, logits = self._layer_and_logits(name, self._images(data, split))
        x_features = encode(network, layer, self._run.device)
        approximated = network.logits(x_features.to(self._run.device)).cpu()  # v E + constant, (N, k)
        images = f"the {len(layer):,} images of the {split} split"
        rebuilt = rebuilt_dimensions(network, layer, self._run.device)
        self._run.emit("held-out", quality(logits, approximated, x_features, rebuilt, classes, images))
        return to_array(x_features)

    def state(self) -> State:
        """The network, its exemplars and the terms of the loss."""
        return self._fitted.to_state()

    def load_state(self, state: State) -> None:
        """Rebuild the network."""
        self._state = XnnState.from_state(state, self._run.device)

    @property
    def _fitted(self) -> XnnState:
        if self._state is None:
            raise NotFittedError("the explanation network was not trained yet")
        return self._state

    def explain(self, images: torch.Tensor, targets: Targets) -> Concepts:
        """Contribution of each x-feature to the logit of the predicted class, and its heatmap.

        A class that the network does not explain gets contributions of 0, and a warning.
        """
        state = self._fitted
        layer, logits = self._layer_and_logits(state.layer, images)
        x_features = encode(state.network, layer, self._run.device)  # E, (N, n)
        approximated = state.network.logits(x_features.to(self._run.device)).cpu()  # v E + constant, (N, k)
        weights, constants = self._readout(logits.shape[1])
        self._warn_of_other_classes(targets)
        activations = to_array(x_features)
        contributions = weights[targets.predicted] * activations  # v_c * E, summing to y_c - constant_c
        maps, passes = self._heatmaps(images, activations, contributions)  # (N, n, H, W), (N,)
        return Concepts(
            names=tuple(f"x-feature {number}" for number in range(1, activations.shape[1] + 1)),
            activations=activations,
            contributions=contributions,
            heatmaps=maps,
            exemplars=state.exemplars if self._params.exemplars else None,
            constant=constants[targets.predicted],
            logits=to_array(substitute(logits, approximated, state.classes)),
            weights=weights,
            exemplar_activations=state.exemplar_activations if self._params.exemplars else None,
            reference=state.reference,
            answers="predicted",
            passes=passes,
        )

    def _readout(self, outputs: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights (K, n) and constants (K,) of all classes, 0 for those that are not explained."""
        state = self._fitted
        weights = np.zeros((outputs, state.network.sizes[-1]), dtype=np.float32)
        constants = np.zeros(outputs, dtype=np.float32)
        weights[list(state.classes)] = to_array(state.network.weights)  # the network has rows for its k classes only
        constants[list(state.classes)] = to_array(state.network.constant)
        return weights, constants

    def _warn_of_other_classes(self, targets: Targets) -> None:
        others = sorted(set(targets.predicted.tolist()) - set(self._fitted.classes))
        if others:
            names = ", ".join(self._classifier.class_names[index] for index in others)
            self._run.warn(f"images predicted as {names}: the explanation network was not trained for these classes")

    def _heatmaps(
        self, images: torch.Tensor, activations: np.ndarray, contributions: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self._heatmap is None:
            return None, np.full(len(images), OWN_PASSES, dtype=np.float32)
        layer, network, params = self._fitted.layer, self._fitted.network, self._params
        shown = np.ones(activations.shape, dtype=bool)
        if params.heatmaps is not None:
            ranks = (-np.abs(contributions)).argsort(1, kind="stable").argsort(1)  # (N, n), 0 for the largest
            shown = ranks < params.heatmaps
        maps, passes = x_feature_heatmaps(
            self._heatmap, self._classifier, layer, network, images, activations, shown, params.gain, self._run
        )
        return maps, None if passes is None else passes + OWN_PASSES


@frozen(eq=False)
class XnnState:
    """A trained explanation network and the arrays that explanations show with it.

    Args:
        layer: the classifier's layer that it is attached to.
        classes: the k classes whose logits it gives.
        network: trained, frozen.
        exemplars: (n, M, C, H, W), the training images in which each x-feature fires most.
        exemplar_activations: (n, M), its values there.
        reference: (R, n), x-features of held-out images.
        curves: the terms of the loss over the training.
    """

    layer: str
    classes: tuple[int, ...]
    network: ExplanationNetwork
    exemplars: np.ndarray
    exemplar_activations: np.ndarray
    reference: np.ndarray
    curves: dict[str, np.ndarray] = field(factory=dict)

    def to_state(self) -> State:
        """Arrays and text for the store."""
        arrays = {f"network.{name}": array for name, array in state_arrays(self.network).items()}
        arrays |= {name: getattr(self, name) for name in ("exemplars", "exemplar_activations", "reference")}
        settings = {
            "layer": self.layer,
            "classes": " ".join(map(str, self.classes)),
            "sizes": " ".join(map(str, self.network.sizes)),
        }
        return State(arrays=arrays, settings=settings, curves=self.curves)

    @classmethod
    def from_state(cls, state: State, device: str) -> XnnState:
        """The inverse of `to_state`."""
        sizes = tuple(int(item) for item in state.settings["sizes"].split())
        weights = {
            name.removeprefix("network."): torch.from_numpy(array.copy())
            for name, array in state.arrays.items()
            if name.startswith("network.")
        }
        return cls(
            layer=state.settings["layer"],
            classes=tuple(int(item) for item in state.settings["classes"].split()),
            network=ExplanationNetwork.from_state(sizes, weights).to(device),
            exemplars=state.arrays["exemplars"],
            exemplar_activations=state.arrays["exemplar_activations"],
            reference=state.arrays["reference"],
            curves=state.curves,
        )


def explained_classes(names: Sequence[str], classifier: Classifier) -> tuple[int, ...]:
    """The indices of the classes with these names; of all classes if there are none.

    Raises:
        UserError: the classifier has no class of a name.
    """
    known = classifier.class_names
    if not names:
        return tuple(range(len(known)))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f"classes: the classifier knows no class {', '.join(unknown)}",
            f"choose among {', '.join(known[:NAMED_CLASSES])}{' ...' if len(known) > NAMED_CLASSES else ''}",
        )
    return tuple(known.index(name) for name in names)
