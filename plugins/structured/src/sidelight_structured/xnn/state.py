"""What an explanation network has learned, and how it is kept."""

from __future__ import annotations

import numpy as np
import torch
from attrs import field, frozen
from sidelight_specs.results import State
from sidelight_toolkit.modules import state_arrays

from sidelight_structured.xnn.srae import ExplanationNetwork

_NETWORK = "network."


@frozen(eq=False)
class Learned:
    """An explanation network with what belongs to it.

    Args:
        layer: the classifier's layer that it is attached to.
        classes: the k classes whose logits it gives.
        network: trained, frozen.
        exemplars: (n, M, C, H, W), the training images in which each x-feature fires most.
        exemplar_activations: (n, M), how much it fires there.
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

    def state(self) -> State:
        """To be kept."""
        arrays = {_NETWORK + name: array for name, array in state_arrays(self.network).items()}
        kept = {name: getattr(self, name) for name in ("exemplars", "exemplar_activations", "reference")}
        settings = {
            "layer": self.layer,
            "classes": " ".join(map(str, self.classes)),
            "sizes": " ".join(map(str, self.network.sizes)),
        }
        return State(arrays={**arrays, **kept}, settings=settings, curves=self.curves)

    @classmethod
    def of(cls, state: State, device: str) -> Learned:
        """From what was kept."""
        classes = tuple(int(item) for item in state.settings["classes"].split())
        sizes = tuple(int(item) for item in state.settings["sizes"].split())
        weights = {
            name.removeprefix(_NETWORK): torch.from_numpy(array.copy())
            for name, array in state.arrays.items()
            if name.startswith(_NETWORK)
        }
        return cls(
            layer=state.settings["layer"],
            classes=classes,
            network=ExplanationNetwork.holding(sizes, weights).to(device),
            exemplars=state.arrays["exemplars"],
            exemplar_activations=state.arrays["exemplar_activations"],
            reference=state.arrays["reference"],
            curves=state.curves,
        )
