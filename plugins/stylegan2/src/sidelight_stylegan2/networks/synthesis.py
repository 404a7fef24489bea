"""The StyleGAN2 generator with skip connections (Karras et al. 2020, section 2 and figure 7b).

Symbols: z normal noise; w intermediate latent, one for each input of the synthesis network, (N, inputs, d); s = A(w)
style of a layer, one number for each of its input channels; x features; `image` the sum of the to-RGB layers so far.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import nn
from torch.nn import functional

from sidelight_stylegan2.networks.architecture import FIRST
from sidelight_stylegan2.networks.filtering import kernel, upsample
from sidelight_stylegan2.networks.layers import Linear, activate
from sidelight_stylegan2.networks.mapping import Mapping
from sidelight_stylegan2.networks.modulation import FORMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sidelight_stylegan2.networks.architecture import Architecture, Modulation

NoiseSource = Literal["constant", "none"] | torch.Generator
"""The noise image of each layer that is kept with the weights, no noise, or fresh noise from a random stream."""


class Network(nn.Module):
    """z to w to styles to images in about [-1, 1]."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.mapping = Mapping(architecture)
        self.synthesis = Synthesis(architecture)

    def map(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, z) to w, the same for every input of the synthesis network: (N, inputs, d)."""
        w: Tensor = self.mapping(z, labels)
        return w[:, None].expand(-1, self.architecture.inputs, -1)

    def forward(self, w: Tensor, noise: NoiseSource = "constant") -> Tensor:
        """(N, inputs, d) to (N, C, H, W), about [-1, 1]."""
        images: Tensor = self.synthesis(self.synthesis.styles(w), noise)
        return images


class Synthesis(nn.Module):
    """A constant, then for each level two convolutions (one at 4x4) and a to-RGB layer.

    `layers` are in the order of the style space: 4x4 conv, 4x4 to-RGB, 8x8 conv 0, 8x8 conv 1, 8x8 to-RGB, ...
    `inputs` gives for each layer the index of its w, `resolutions` its height and width.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self._shuffle = architecture.shuffle
        self.constant = nn.Parameter(torch.randn(architecture.widths[0], FIRST, FIRST))
        self.layers = nn.ModuleList()
        self.inputs: list[int] = []
        self.resolutions: list[int] = []
        for level in range(len(architecture.widths)):
            self._add_level(level, architecture)

    def _add_level(self, level: int, architecture: Architecture) -> None:
        size, width = FIRST * 2**level, architecture.widths[level]
        layers: list[nn.Module] = []
        if level:
            layers.append(StyledConvolution(architecture.widths[level - 1], width, size, architecture, up=True))
        layers.append(StyledConvolution(width, width, size, architecture, up=False))
        layers.append(ToRgb(width, architecture.image_channels * architecture.shuffle**2, architecture))
        # a to-RGB layer shares its w with the first convolution of the next level
        first = max(0, 2 * level - 1)
        self.layers.extend(layers)
        self.inputs += [first + index for index in range(len(layers))]
        self.resolutions += [size] * len(layers)

    @property
    def stack(self) -> list[StyledConvolution | ToRgb]:
        """The layers, typed."""
        return cast("list[StyledConvolution | ToRgb]", list(self.layers))

    @property
    def channels(self) -> list[int]:
        """Style coordinates of each layer, one for each of its input channels."""
        return [layer.affine.weight.shape[0] for layer in self.stack]

    def modulated_by(self, form: Modulation) -> None:
        """Choose the form of modulated convolution; the results are equal."""
        for layer in self.stack:
            layer.modulation = form

    def styles(self, w: Tensor) -> list[Tensor]:
        """s = A(w) of each layer: (N, inputs, d) to (N, channels of the layer)."""
        return [layer.affine(w[:, index]) for layer, index in zip(self.stack, self.inputs, strict=True)]

    def forward(self, styles: Sequence[Tensor], noise: NoiseSource = "constant") -> Tensor:
        """Images of styles.

        Args:
            styles: one (N, channels) for each layer.
            noise: its source.

        Returns:
            (N, C, H, W), about [-1, 1], float32.
        """
        # channels innermost in memory: convolutions on a CPU are faster so
        x = self.constant.expand(len(styles[0]), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        image: Tensor | None = None
        for layer, s in zip(self.stack, styles, strict=True):
            if isinstance(layer, ToRgb):
                image = layer(x, s, image)
            else:
                x = layer(x, s, noise)
        assert image is not None, "the last layer is a to-RGB layer"
        return functional.pixel_shuffle(image, self._shuffle)


class StyledConvolution(nn.Module):
    """A modulated 3x3 convolution, noise, bias and leaky ReLU (Karras et al. 2020, figure 2c)."""

    taps: Tensor | None
    noise: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, architecture: Architecture, up: bool) -> None:
        super().__init__()
        self.affine = Linear(architecture.w, inputs, bias=1.0)  # A; styles begin at 1
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(())) if architecture.noise else None
        if architecture.noise:
            self.register_buffer("noise", torch.randn(size, size))
        self.register_buffer("taps", kernel(architecture.taps) if up else None, persistent=False)
        self.modulation: Modulation = "features"
        self._clamp = architecture.clamp

    def forward(self, x: Tensor, s: Tensor, noise: NoiseSource) -> Tensor:
        """(N, in, H, W) features and (N, in) styles to (N, out, H, W), or twice H and W."""
        y = FORMS[self.modulation](x, self.weight, s, True, self.taps)
        # noise and bias after demodulation (figure 2c)
        y = activate(self._with_noise(y, noise) + self.bias[:, None, None].to(y.dtype))
        return y if self._clamp is None else y.clamp(-self._clamp, self._clamp)

    def _with_noise(self, y: Tensor, source: NoiseSource) -> Tensor:
        if self.strength is None or source == "none":
            return y
        if isinstance(source, torch.Generator):
            # one noise image for all channels; drawn on the generator's device, so that devices agree
            noise = torch.randn(len(y), 1, *y.shape[2:], generator=source, device=source.device)
            return y + (noise.to(y.device) * self.strength).to(y.dtype)
        return y + (self.noise * self.strength).to(y.dtype)


class ToRgb(nn.Module):
    """A modulated 1x1 convolution to image channels, without demodulation, added to the upsampled image so far."""

    taps: Tensor

    def __init__(self, inputs: int, outputs: int, architecture: Architecture) -> None:
        super().__init__()
        self.affine = Linear(architecture.w, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("taps", kernel(architecture.taps), persistent=False)
        self.modulation: Modulation = "features"
        self._clamp = architecture.clamp

    def forward(self, x: Tensor, s: Tensor, image: Tensor | None) -> Tensor:
        """(N, in, H, W) features, (N, in) styles and an image of half the size to (N, out, H, W), float32."""
        weight = self.weight / math.sqrt(self.weight.shape[1])  # equalised: nothing is demodulated here
        drawn = FORMS[self.modulation](x, weight, s, False).float() + self.bias[:, None, None]
        drawn = drawn if self._clamp is None else drawn.clamp(-self._clamp, self._clamp)
        if image is None:
            return drawn
        with torch.autocast(drawn.device.type, enabled=False):
            return upsample(image, self.taps) + drawn
