"""The role `metric`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Measurements, Targets


class Metric(ABC):
    """Measures explanations of the kinds that its descriptor accepts."""

    @abstractmethod
    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """Named numbers about one explanation.

        Args:
            explanation: an explanation (or `Inversion`) of N images.
            images: (N, C, H, W) float32 in [0, 1], the explained images.
            targets: the question asked of each image.
        """
