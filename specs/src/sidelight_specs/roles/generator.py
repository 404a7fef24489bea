"""The role `generator`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

import attrs

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@attrs.frozen
class StyleLayer:
    """One layer of a style space.

    Args:
        name: `"16x16 conv 1"`.
        channels: how many coordinates of the flat style vector it holds, in order.
        kind: convolution or to-RGB.
        resolution: height and width of the feature map that it modulates, in pixels.
    """

    name: str
    channels: int
    kind: Literal["conv", "to-rgb"] = "conv"
    resolution: int = 0


class Generator(ABC):
    """A map from latents to images."""

    @property
    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images that it makes."""

    @property
    @abstractmethod
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one latent: (k,) with `latent.z`, (layers, d) with `latent.w`."""

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """n latents drawn from the prior: (n, *latent_shape) float32. Same stream, same latents."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the classes that samples can be drawn of; empty where the generator is not class-conditional."""
        return ()

    def sample_of(self, condition: int, n: int, rng: np.random.Generator) -> Tensor:
        """n latents of one class, an index of `conditions`: (n, *latent_shape) float32.

        Same stream, same latents; another class of the same stream is another sample of the same noise.
        """
        raise SidelightError(f"{type(self).__name__} is not class-conditional")

    @abstractmethod
    def synthesize(self, latents: Tensor) -> Tensor:
        """Images of latents: (N, *latent_shape) to (N, C, H, W) float32 in [0, 1]. Deterministic."""

    def encode(self, images: Tensor) -> Tensor:
        """Latents of images in one forward pass (capability `encoder`): (N, C, H, W) to (N, *latent_shape)."""
        raise SidelightError(f"{type(self).__name__} has no encoder")

    @property
    def style_layers(self) -> tuple[StyleLayer, ...]:
        """The layers of the style space, in the order of the flat style vector (capability `latent.style`)."""
        raise SidelightError(f"{type(self).__name__} has no style space")

    def styles(self, latents: Tensor) -> Tensor:
        """The style vector of latents (capability `latent.style`): (N, *latent_shape) to (N, S)."""
        raise SidelightError(f"{type(self).__name__} has no style space")

    def synthesize_styles(self, styles: Tensor) -> Tensor:
        """Images of style vectors (capability `latent.style`): (N, S) to (N, C, H, W) in [0, 1]."""
        raise SidelightError(f"{type(self).__name__} has no style space")
