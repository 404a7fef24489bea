"""Drawing one image many times, each time with one style coordinate changed.

Layers before the changed one give what they gave before, so a StyleGAN2 network resumes there. Its image is the sum of
what the to-RGB layers draw, so a change of one of their coordinates takes no convolution at all.

Symbols, as in Karras et al. 2020: w weights, (out, in, k, k); s style of a layer, (B, in); x features, (B, in, H, W).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from sidelight_stylegan2.networks.filtering import upsample, upsampling_convolution
from sidelight_stylegan2.networks.layers import GAIN, SLOPE
from sidelight_stylegan2.networks.modulation import EPSILON
from sidelight_stylegan2.networks.synthesis import Network, StyledConvolution
from sidelight_toolkit.images import resize
from torch.nn import functional

if TYPE_CHECKING:
    from sidelight_specs.roles import Generator
    from sidelight_stylegan2.networks.synthesis import ToRgb
    from torch import Tensor


class ImageSynthesis(ABC):
    """Draws changes of one image at a time: `begin` takes the image, `changed` draws it with a coordinate changed."""

    @abstractmethod
    def begin(self, styles: Tensor) -> None:
        """Take the image of (S,) styles as the one to change."""

    @abstractmethod
    def changed(self, layer: int, channels: Tensor, values: Tensor) -> Tensor:
        """The image B times, each time with one channel of a layer's style set to a value.

        Args:
            layer: index into `style_layers`.
            channels: (B,) int64, within the layer.
            values: (B,).

        Returns:
            (B, C, H, W) in [0, 1].
        """


def synthesis_of(generator: Generator) -> ImageSynthesis:
    """The fastest synthesis for a generator: cached for StyleGAN2 networks, also those from a zoo."""
    network = getattr(generator, "network", None)
    if not isinstance(network, Network):
        return FullSynthesis(generator)
    return CachedSynthesis(network, generator.image_shape[1:])


class FullSynthesis(ImageSynthesis):
    """Draws every change from the first layer on, with any generator that has a style space."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        channels = [layer.channels for layer in generator.style_layers]
        self._starts = [sum(channels[:layer]) for layer in range(len(channels))]

    def begin(self, styles: Tensor) -> None:
        """Keep the styles."""
        self._styles = styles

    def changed(self, layer: int, channels: Tensor, values: Tensor) -> Tensor:
        """Set the channel in B copies of the styles, and draw them."""
        styles = self._styles.repeat(len(channels), 1)  # (B, S)
        styles[torch.arange(len(channels)), self._starts[layer] + channels] = values
        with torch.no_grad():
            return self._generator.synthesize_styles(styles)


class CachedSynthesis(ImageSynthesis):
    """Keeps what every layer of a StyleGAN2 network is given for the image, and resumes at the changed layer.

    Args:
        network: of the generator.
        size: (H, W) of the generator's images; what the network draws is enlarged to it.
    """

    @torch.no_grad()
    def __init__(self, network: Network, size: tuple[int, int]) -> None:
        self._size = size
        synthesis, clamp = network.synthesis, network.architecture.clamp
        self._channels, self._constant = synthesis.channels, synthesis.constant[None]
        self._layers: list[FusedConvolution | FusedToRgb] = [
            FusedConvolution(layer, clamp) if isinstance(layer, StyledConvolution) else FusedToRgb(layer, clamp)
            for layer in synthesis.stack
        ]
        self._shuffle = network.architecture.shuffle

    @torch.no_grad()
    def begin(self, styles: Tensor) -> None:
        """Draw the image once; keep the features and the image so far that each layer is given."""
        self._styles = [style[None] for style in torch.split(styles, self._channels)]
        self._features, self._images = [self._constant], list[torch.Tensor | None]([None])
        for layer, style in zip(self._layers, self._styles, strict=True):
            features, image = self._features[-1], self._images[-1]
            if isinstance(layer, FusedToRgb):
                image = layer.add_to(image, features, style)
            else:
                features = layer(features, style, in_place=False)
            self._features.append(features)
            self._images.append(image)

    @torch.no_grad()
    def changed(self, layer: int, channels: Tensor, values: Tensor) -> Tensor:
        """Draw from the changed layer on."""
        first = self._layers[layer]
        if isinstance(first, FusedToRgb):
            return self._recoloured(layer, first, channels, values)
        styles = self._styles[layer].repeat(len(channels), 1)  # (B, in)
        styles[torch.arange(len(channels)), channels] = values
        # cached features stay as they are; those of later layers belong to this batch and are overwritten
        features, image = first(self._features[layer], styles, in_place=False), self._images[layer]
        for later, style in zip(self._layers[layer + 1 :], self._styles[layer + 1 :], strict=True):
            if isinstance(later, FusedToRgb):
                image = later.add_to(image, features, style)
            else:
                features = later(features, style, in_place=True)
        assert image is not None, "the last layer is a to-RGB layer"
        return self._pixels(image)

    def _recoloured(self, index: int, layer: FusedToRgb, channels: Tensor, values: Tensor) -> Tensor:
        """The image plus the change of one to-RGB layer, upsampled as often as the layers after it do."""
        change = layer.change(self._features[index], self._styles[index], channels, values)
        for later in self._layers[index + 1 :]:
            change = upsample(change, later.taps) if isinstance(later, FusedToRgb) else change
        image = self._images[-1]
        assert image is not None, "the last layer is a to-RGB layer"
        return self._pixels(change.add_(image))

    def _pixels(self, image: Tensor) -> Tensor:
        """Images in about [-1, 1], squares of pixels as channels, to [0, 1]."""
        pixels = functional.pixel_shuffle(image, self._shuffle).mul(0.5).add_(0.5).clamp_(0, 1)
        return resize(pixels, self._size)


class FusedConvolution:
    """A `StyledConvolution` for drawing alone: one tensor of the size of the features instead of half a dozen.

    Those take as long as the convolution. The gain of the leaky ReLU stands in demodulation and bias, tensors are
    written in place; images are the same up to rounding.
    """

    def __init__(self, layer: StyledConvolution, clamp: float | None) -> None:
        self._weight, self._taps, self._clamp = layer.weight, layer.taps, clamp
        self._energy = layer.weight.square().sum((2, 3)).T.contiguous()  # sum_k w^2, (in, out)
        noise = layer.noise * layer.strength if layer.strength is not None else layer.weight.new_zeros(1, 1)
        self._bias = ((layer.bias[:, None, None] + noise) * GAIN).contiguous()  # (out, H, W)

    def __call__(self, x: Tensor, s: Tensor, in_place: bool) -> Tensor:
        """(1 or B, in, H, W) features and (B, in) styles to (B, out, H, W), or twice H and W.

        Args:
            x: features of the layer before.
            s: style of the layer.
            in_place: x may be overwritten.
        """
        scale = s[:, :, None, None]
        x = x.mul_(scale) if in_place else x * scale  # modulation, eq. 1
        y = self._convolved(x)
        demodulation = torch.rsqrt(s.square() @ self._energy + EPSILON).mul_(GAIN)  # eq. 3, (B, out)
        torch.addcmul(self._bias, y, demodulation[:, :, None, None], out=y)
        functional.leaky_relu_(y, SLOPE)
        return y if self._clamp is None else y.clamp_(-self._clamp, self._clamp)

    def _convolved(self, x: Tensor) -> Tensor:
        if self._taps is None:
            return functional.conv2d(x, self._weight, padding=1)
        return upsampling_convolution(x, self._weight, self._taps)


class FusedToRgb:
    """A `ToRgb` for drawing alone, and the change of its image when one channel's style changes."""

    def __init__(self, layer: ToRgb, clamp: float | None) -> None:
        self._weight = (layer.weight / math.sqrt(layer.weight.shape[1]))[:, :, 0, 0].T.contiguous()  # (in, out)
        self._bias, self._clamp, self.taps = layer.bias, clamp, layer.taps

    def add_to(self, image: Tensor | None, x: Tensor, s: Tensor) -> Tensor:
        """The image so far, at half the size, with this layer's image added."""
        drawn = self._clamped(self._drawn(x, s))
        return drawn if image is None else upsample(image, self.taps) + drawn

    def change(self, x: Tensor, s: Tensor, channels: Tensor, values: Tensor) -> Tensor:
        """Change of the layer's image, B times, each time with one channel's style set to a value.

        Args:
            x: (1, in, H, W).
            s: (1, in).
            channels: (B,) int64.
            values: (B,).

        Returns:
            (B, out, H, W).
        """
        # the layer is linear in s without demodulation: (s' - s)_c w_c x_c
        weight = (values - s[0, channels])[:, None] * self._weight[channels]  # (B, out)
        change = x[0, channels][:, None] * weight[:, :, None, None]
        if self._clamp is None:
            return change
        before = self._drawn(x, s)
        return self._clamped(before + change) - self._clamped(before)

    def _drawn(self, x: Tensor, s: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(count, height * width, channels)
        weights = (s[:, :, None] * self._weight).expand(count, -1, -1)  # w s, (B, in, out)
        return torch.baddbmm(self._bias, pixels, weights).reshape(count, height, width, -1).permute(0, 3, 1, 2)

    def _clamped(self, drawn: Tensor) -> Tensor:
        return drawn if self._clamp is None else drawn.clamp(-self._clamp, self._clamp)
