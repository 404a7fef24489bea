"""The learned state of a trainable component."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact


@attrs.frozen(eq=False, kw_only=True)
class State(Artifact):
    """Weights and what is needed to rebuild the network that they belong to.

    Args:
        arrays: name to weight, as in a torch state dict.
        settings: plain facts learned from the data: numbers of classes and channels, class names, image size.
        curves: name to (T,) float32, the course of training, for the report.
    """

    kind: ClassVar[str] = "state"

    arrays: dict[str, np.ndarray] = attrs.field(factory=dict)
    settings: dict[str, str] = attrs.field(factory=dict)
    curves: dict[str, np.ndarray] = attrs.field(factory=dict)
