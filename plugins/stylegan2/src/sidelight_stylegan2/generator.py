"""StyleGAN2 as a generator, with its style space (StyleSpace: Wu et al. 2021, section 3)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError
from sidelight_specs.roles import Generator
from sidelight_specs.roles.generator import StyleLayer
from sidelight_toolkit.arrays import to_tensor
from torch.nn import functional

from sidelight_stylegan2.networks.mapping import truncate
from sidelight_stylegan2.networks.pixels import to_pixels
from sidelight_stylegan2.networks.synthesis import ToRgb

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_stylegan2.networks.synthesis import Network
    from sidelight_stylegan2.params import SamplingParams


class StyleSpace(Generator):
    """Draws from w, or from styles, with a subclass's network. Noise images are those kept with the weights.

    A flat style vector holds the styles of all layers, to-RGB layers too, in the order of `style_layers`: what the
    affine layers give, before weights are scaled (StyleSpace: Wu et al. 2021, section 3).
    """

    @property
    @abstractmethod
    def network(self) -> Network:
        """The network, frozen, in evaluation mode, on the run's device; raises `NotFittedError` before there is one."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.network.architecture.image_shape

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(inputs of the synthesis network, d)."""
        return (self.network.architecture.inputs, self.network.architecture.w)

    def synthesize(self, latents: Tensor) -> Tensor:
        """Images of w."""
        return self._images(self.network.synthesis.styles(latents))

    @property
    def style_layers(self) -> tuple[StyleLayer, ...]:
        """Named by their resolution: `4x4 conv`, `4x4 to-RGB`, `8x8 conv 0`, `8x8 conv 1`, `8x8 to-RGB`, ..."""
        synthesis = self.network.synthesis
        kinds = ["to-rgb" if isinstance(layer, ToRgb) else "conv" for layer in synthesis.layers]
        names = [
            _layer_name(index, kind, size)
            for index, (kind, size) in enumerate(zip(kinds, synthesis.resolutions, strict=True))
        ]
        layers = zip(names, synthesis.channels, kinds, synthesis.resolutions, strict=True)
        return tuple(StyleLayer(name, count, kind, size) for name, count, kind, size in layers)  # type: ignore[arg-type]

    def styles(self, latents: Tensor) -> Tensor:
        """(N, S): the styles of all layers."""
        return torch.cat(self.network.synthesis.styles(latents), 1)

    def synthesize_styles(self, styles: Tensor) -> Tensor:
        """Images of flat style vectors."""
        return self._images(list(torch.split(styles, self.network.synthesis.channels, 1)))

    def _images(self, styles: list[Tensor]) -> Tensor:
        return to_pixels(self.network.synthesis(styles))


class StyleGan2(StyleSpace):
    """Samples z, and takes w or z as its latents."""

    _params: SamplingParams
    _run: Run

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(inputs of the synthesis network, d), or (length of z and classes,)."""
        architecture = self.network.architecture
        if self._params.latents == "z":
            return (architecture.z + architecture.classes,)
        return (architecture.inputs, architecture.w)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """Standard normal z, with a class where there are classes; as w, truncated, unless latents are z."""
        return self._latents(self._sampled_z(n, rng, self._params.label))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the classes, where there are classes; `label` does not restrict them."""
        return tuple(f"class {index}" for index in range(self.network.architecture.classes))

    def sample_of(self, condition: int, n: int, rng: np.random.Generator) -> Tensor:
        """Latents of one class; the noise is that of `sample`.

        Raises:
            UserError: there is no such class.
        """
        if not self.conditions:
            raise UserError("the generator is not class-conditional", "draw without a class")
        return self._latents(self._sampled_z(n, rng, condition))

    def synthesize(self, latents: Tensor) -> Tensor:
        """Images of w, or of z by way of the truncated w."""
        return super().synthesize(self._inputs(latents))

    def styles(self, latents: Tensor) -> Tensor:
        """(N, S): the styles of all layers."""
        return super().styles(self._inputs(latents))

    def _inputs(self, latents: Tensor) -> Tensor:
        return self._mapped(latents) if self._params.latents == "z" else latents

    def _mapped(self, z: Tensor) -> Tensor:
        architecture = self.network.architecture
        # z holds the class, one-hot, beside the noise
        w = self.network.map(z[:, : architecture.z], z[:, architecture.z :] if architecture.classes else None)
        return truncate(w, self.network.mapping.center, self._params.truncation, self._params.cutoff)

    def _latents(self, z: Tensor) -> Tensor:
        if self._params.latents == "z":
            return z
        with torch.no_grad():
            return self._mapped(z).contiguous()

    def _sampled_z(self, n: int, rng: np.random.Generator, label: int | None) -> Tensor:
        """z with the class beside it, one-hot; of a class at random where `label` is None."""
        architecture = self.network.architecture
        z = to_tensor(rng.standard_normal((n, architecture.z), dtype="float32"), self._run)
        if not architecture.classes:
            return z
        labels = to_tensor(rng.integers(0, architecture.classes, n), self._run)
        if label is not None:
            labels = torch.full_like(labels, self._label(architecture.classes, label))
        return torch.cat([z, functional.one_hot(labels, architecture.classes).to(z)], 1)

    @staticmethod
    def _label(classes: int, label: int) -> int:
        if label >= classes:
            raise UserError(
                f"label: there is no class {label}, the generator knows {classes}", f"use 0 to {classes - 1}"
            )
        return label


def _layer_name(index: int, kind: str, size: int) -> str:
    if kind == "to-rgb":
        return f"{size}x{size} to-RGB"
    return f"{size}x{size} conv" if index == 0 else f"{size}x{size} conv {(index - 2) % 3}"
