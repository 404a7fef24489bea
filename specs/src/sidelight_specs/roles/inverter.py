"""The role `inverter`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_specs.results import Inversion


class Inverter(ABC):
    """Brings images into a generator's latent space. It gets the generator as a need."""

    @abstractmethod
    def invert(self, images: Tensor) -> Inversion:
        """The latents that reproduce images best.

        An inverter that takes more than one forward pass keeps its answer with `run.cached`, keyed by the images,
        because several components may ask for the same.

        Args:
            images: (N, C, H, W) float32 in [0, 1], of the generator's image shape.

        Returns:
            latents, their reconstructions and the measured error.
        """
