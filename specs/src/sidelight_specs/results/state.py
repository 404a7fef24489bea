"""The learned state of a trainable component."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, array
from sidelight_specs.blocks import Block, Plot


@attrs.frozen(eq=False, kw_only=True)
class State(Artifact):
    """Weights and what is needed to rebuild the network that they belong to.

    Args:
        arrays: name to weight, as in a torch state dict; NaN only in what a component measured and keeps for itself,
            never in what it learned (`diverged`).
        settings: plain facts learned from the data: numbers of classes and channels, class names, image size.
        curves: name to (T,) float32, the course of training, for the report.
    """

    kind: ClassVar[str] = "state"

    arrays: dict[str, np.ndarray] = array(numbers="any", nan=True, factory=dict)
    settings: dict[str, str] = attrs.field(factory=dict)
    curves: dict[str, np.ndarray] = array(nan=True, factory=dict)

    @property
    def diverged(self) -> tuple[str, ...]:
        """The names of arrays with NaN: training has diverged."""
        return tuple(name for name, array in self.arrays.items() if array.dtype.kind == "f" and np.isnan(array).any())

    def view(self, index: int) -> tuple[Block, ...]:
        """One plot a training curve, whatever the index; curves of one length and unit are not merged."""
        del index
        return tuple(
            Plot(np.arange(len(curve)), {name: curve}, x_label="evaluation", y_label=name)
            for name, curve in self.curves.items()
        )
