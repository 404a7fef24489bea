"""Drawing one image again and again, each time with one coordinate of its style vector changed.

Before the changed layer everything stays as it was, so that a StyleGAN2 network is resumed at that layer; and its image
is the sum of what the to-RGB layers draw, so that a change of one of these takes no convolution at all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from sidelight_stylegan2.networks.filtering import upsample
from sidelight_stylegan2.networks.network import Network

from sidelight_stylex.attfind.fused_layers import FoldedToRgb, folded, pixels

if TYPE_CHECKING:
    from sidelight_specs.roles import Generator
    from sidelight_stylegan2.networks.synthesis import Synthesis
    from torch import Tensor

    from sidelight_stylex.attfind.fused_layers import Layer


class Redrawing(ABC):
    """Images with changed styles. `prepare` says of which image, `changed` draws it."""

    @abstractmethod
    def prepare(self, styles: Tensor) -> None:
        """Take the image of (S,) styles as the one to change."""

    @abstractmethod
    def changed(self, layer: int, channels: Tensor, values: Tensor) -> Tensor:
        """The image with one channel of a layer set to a value, in each of B ways.

        Args:
            layer: index into `style_layers`.
            channels: (B,) int64, within the layer.
            values: (B,) what the channel's style is set to.

        Returns:
            (B, C, H, W) in [0, 1].
        """


def redrawing_of(generator: Generator) -> Redrawing:
    """The fastest way to draw with this generator."""
    network = getattr(generator, "network", None)  # a StyleSpace has one, and so has one that was kept in a zoo
    return Resumed(network) if isinstance(network, Network) else FromTheBeginning(generator)


class FromTheBeginning(Redrawing):
    """For any generator with a style space."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        sizes = [layer.channels for layer in generator.style_layers]
        self._starts = [sum(sizes[:place]) for place in range(len(sizes))]

    def prepare(self, styles: Tensor) -> None:
        """Keep the styles."""
        self._styles = styles

    def changed(self, layer: int, channels: Tensor, values: Tensor) -> Tensor:
        """Draw B style vectors."""
        styles = self._styles.repeat(len(channels), 1)
        styles[torch.arange(len(channels)), self._starts[layer] + channels] = values
        with torch.no_grad():
            return self._generator.synthesize_styles(styles)


class Resumed(Redrawing):
    """For a StyleGAN2 network."""

    def __init__(self, network: Network) -> None:
        synthesis: Synthesis = network.synthesis
        self._channels, self._start = synthesis.channels, synthesis.constant[None]
        self._layers: list[Layer] = folded(network)
        self._shuffle = network.architecture.shuffle

    @torch.no_grad()
    def prepare(self, styles: Tensor) -> None:
        """Draw it once and keep what every layer was given, and the image."""
        self._styles = [part[None] for part in torch.split(styles, self._channels)]
        self._features, self._images = [self._start], list[torch.Tensor | None]([None])
        for layer, style in zip(self._layers, self._styles, strict=True):
            features, image = self._features[-1], self._images[-1]
            if isinstance(layer, FoldedToRgb):
                image = layer.joined(features, style, image)
            else:
                features = layer(features, style, owned=False)
            self._features.append(features)
            self._images.append(image)

    @torch.no_grad()
    def changed(self, layer: int, channels: Tensor, values: Tensor) -> Tensor:
        """Draw from the layer on."""
        kind = self._layers[layer]
        if isinstance(kind, FoldedToRgb):
            return self._recoloured(layer, kind, channels, values)
        styles = self._styles[layer].repeat(len(channels), 1)
        styles[torch.arange(len(channels)), channels] = values
        features, image = kind(self._features[layer], styles, owned=False), self._images[layer]
        for later, style in zip(self._layers[layer + 1 :], self._styles[layer + 1 :], strict=True):
            if isinstance(later, FoldedToRgb):
                image = later.joined(features, style, image)
            else:
                features = later(features, style, owned=True)
        assert image is not None, "the last layer is a to-RGB layer"
        return pixels(image, self._shuffle)

    def _recoloured(self, place: int, layer: FoldedToRgb, channels: Tensor, values: Tensor) -> Tensor:
        change = layer.change(self._features[place], self._styles[place], channels, values)
        for later in self._layers[place + 1 :]:
            change = upsample(change, later.taps) if isinstance(later, FoldedToRgb) else change
        whole = self._images[-1]
        assert whole is not None, "the last layer is a to-RGB layer"
        return pixels(change.add_(whole), self._shuffle)
