"""The synthesis network: from styles to an image, with skip connections (Karras et al. 2020, figure 7b)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import nn
from torch.nn import functional

from sidelight_stylegan2.networks.architecture import FIRST
from sidelight_stylegan2.networks.filtering import kernel, upsample
from sidelight_stylegan2.networks.layers import Linear, activate
from sidelight_stylegan2.networks.modulation import FORMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sidelight_stylegan2.networks.architecture import Architecture, Modulation

NoiseSource = Literal["constant", "none"] | torch.Generator
"""The noise image of each layer that is kept with the weights, no noise, or fresh noise from a random stream."""
Canvas = tuple["Tensor", "Tensor | None"]
"""What passes from layer to layer: features (N, C, H, W), and the image drawn so far (None before the first)."""


class StyledConvolution(nn.Module):
    """A modulated 3x3 convolution, noise, bias and leaky ReLU (Karras et al. 2020, figure 2c)."""

    taps: Tensor | None
    noise: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, architecture: Architecture, up: bool) -> None:
        super().__init__()
        self.affine = Linear(architecture.w, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(())) if architecture.noise else None
        if architecture.noise:
            self.register_buffer("noise", torch.randn(size, size))
        self.register_buffer("taps", kernel(architecture.taps) if up else None, persistent=False)
        self.modulation: Modulation = "features"
        self._clamp = architecture.clamp

    def forward(self, canvas: Canvas, style: Tensor, noise: NoiseSource) -> Canvas:
        """The features convolved; the image stays."""
        features, image = canvas
        y = FORMS[self.modulation](features, self.weight, style, True, self.taps)
        y = activate(self._noisy(y, noise) + self.bias[:, None, None].to(y.dtype))
        return (y if self._clamp is None else y.clamp(-self._clamp, self._clamp)), image

    def _noisy(self, y: Tensor, source: NoiseSource) -> Tensor:
        if self.strength is None or source == "none":
            return y
        if isinstance(source, torch.Generator):
            drawn = torch.randn(len(y), 1, *y.shape[2:], generator=source, device=source.device)
            return y + (drawn.to(y.device) * self.strength).to(y.dtype)
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

    def forward(self, canvas: Canvas, style: Tensor, noise: NoiseSource) -> Canvas:
        """The features stay; the image, in float32, is drawn at their resolution."""
        del noise
        features, image = canvas
        weight = self.weight / math.sqrt(self.weight.shape[1])
        drawn = FORMS[self.modulation](features, weight, style, False).float() + self.bias[:, None, None]
        drawn = drawn if self._clamp is None else drawn.clamp(-self._clamp, self._clamp)
        if image is None:
            return features, drawn
        with torch.autocast(drawn.device.type, enabled=False):
            return features, upsample(image, self.taps) + drawn


class Synthesis(nn.Module):
    """A constant, then for each level two convolutions (one at 4x4) and a to-RGB layer.

    `layers` are in the order of the style space: 4x4 conv, 4x4 to-RGB, 8x8 conv 0, 8x8 conv 1, 8x8 to-RGB, ...
    `inputs` says for each layer which of the w of its input it takes; `resolutions` where it lies.
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
        parts: list[nn.Module] = []
        if level:
            parts.append(StyledConvolution(architecture.widths[level - 1], width, size, architecture, up=True))
        parts.append(StyledConvolution(width, width, size, architecture, up=False))
        first = max(0, 2 * level - 1)
        parts.append(ToRgb(width, architecture.image_channels * architecture.shuffle**2, architecture))
        self.layers.extend(parts)
        self.inputs += [first + place for place in range(len(parts))]
        self.resolutions += [size] * len(parts)

    @property
    def stack(self) -> list[StyledConvolution | ToRgb]:
        """The layers, typed."""
        return cast("list[StyledConvolution | ToRgb]", list(self.layers))

    @property
    def channels(self) -> list[int]:
        """How many style coordinates each layer takes."""
        return [layer.affine.weight.shape[0] for layer in self.stack]

    def modulated_by(self, form: Modulation) -> None:
        """Choose the form of modulated convolution; the results are equal."""
        for layer in self.stack:
            layer.modulation = form

    def styles(self, w: Tensor) -> list[Tensor]:
        """(N, inputs, d) to the style of each layer, (N, channels of the layer)."""
        return [layer.affine(w[:, place]) for layer, place in zip(self.stack, self.inputs, strict=True)]

    def start(self, count: int) -> Canvas:
        """The constant, `count` times, and no image yet. Channels are innermost in memory, which is faster on a CPU."""
        return self.constant.expand(count, -1, -1, -1).contiguous(memory_format=torch.channels_last), None

    def forward(
        self, styles: Sequence[Tensor], noise: NoiseSource = "constant", canvas: Canvas | None = None
    ) -> Tensor:
        """Draw the image of styles.

        Args:
            styles: one (N, channels) for each layer; with `canvas`, for the last layers only.
            noise: where noise comes from.
            canvas: what the layers before gave, where only the last `len(styles)` layers are to be computed: for
                changes of one layer's style, everything before it stays the same.

        Returns:
            (N, C, H, W), about [-1, 1], float32.
        """
        canvas = self.start(len(styles[0])) if canvas is None else canvas
        for layer, style in zip(self.stack[-len(styles) :], styles, strict=True):
            canvas = layer(canvas, style, noise)
        image = canvas[1]
        assert image is not None, "the last layer is a to-RGB layer"
        return functional.pixel_shuffle(image, self._shuffle)

    def canvases(self, styles: Sequence[Tensor], noise: NoiseSource = "constant") -> list[Canvas]:
        """What each layer is given, in the order of the layers."""
        found = [self.start(len(styles[0]))]
        for layer, style in zip(self.stack[:-1], styles[:-1], strict=True):
            found.append(layer(found[-1], style, noise))
        return found
