"""The role `attribute_finder`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_specs.results import Attributes


class AttributeFinder(ABC):
    """Finds latent coordinates that move a classifier. It gets classifier and generator as needs."""

    @abstractmethod
    def find(self, latents: Tensor, target: int) -> Attributes:
        """Attributes that raise the logit of class `target`, strongest first.

        Args:
            latents: (N, *latent_shape) of inverted images.
            target: index of the class to move towards.

        Returns:
            ranked attributes, each with its measured effect.
        """
