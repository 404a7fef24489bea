"""The role `attribute_finder`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_specs.results import Attributes


class AttributeFinder(ABC):
    """Finds latent coordinates that move a classifier. It gets classifier and generator as needs.

    With the capability `latents` it works in a latent space of its own, one of a layer of the classifier for example,
    and needs neither generator nor inverter. With the capability `samples` it works on latents that it draws from its
    generator, and needs no inverter.
    """

    @abstractmethod
    def find(self, latents: Tensor, target: int) -> Attributes:
        """Attributes that raise the logit of class `target`, strongest first.

        Args:
            latents: (N, *latent_shape) of inverted images; with `latents`, what `latents(images)` gave, with
                `samples`, what `samples()` gave.
            target: index of the class to move towards.

        Returns:
            ranked attributes, each with its measured effect.
        """

    def latents(self, images: Tensor) -> Tensor:
        """The finder's own latents of images (capability `latents`): (N, C, H, W) to (N, k)."""
        raise SidelightError(f"{type(self).__name__} has no latent space of its own")

    def logits(self, latents: Tensor) -> Tensor:
        """Class logits of its own latents, by which it measures effects (capability `latents`): (N, k) to (N, K)."""
        raise SidelightError(f"{type(self).__name__} has no latent space of its own")

    def samples(self) -> Tensor:
        """Latents drawn from the generator (capability `samples`): (N, *latent_shape), the same at every call."""
        raise SidelightError(f"{type(self).__name__} draws no latents of its own")
