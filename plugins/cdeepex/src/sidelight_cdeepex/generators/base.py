"""Generators that train on the recipe's data: a decoder from standard normal z (N, k) to images (N, C, H, W).

With `size`, the networks work on smaller images (N, C, h, w), and G(z) is what the decoder makes, enlarged bilinearly.
Enlarging is linear, so that the composite image of `cdeepex` is I + enlarge(D(z) - D(z0)): the details of I, which the
decoder never saw, stay.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Generator, Trainable
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.images import resize
from sidelight_toolkit.modules import load_state_arrays, state_arrays
from sidelight_toolkit.seeding import seeded

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Data
    from torch import Tensor, nn

    from sidelight_cdeepex.generators.networks import Shape
    from sidelight_cdeepex.params import AutoencoderParams, GanParams

SIDES = ("channels", "height", "width")
SHEET = 16  # images on a sheet
REDUCED = 64  # images reduced at a time


class LearnedGenerator(Generator, Trainable):
    """Base class: a subclass builds its networks, one of them called `decoder`, and trains them."""

    name: ClassVar[str]

    def __init__(self, params: AutoencoderParams | GanParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._shape: Shape | None = None
        self._networks: nn.ModuleDict | None = None
        self._curves: dict[str, np.ndarray] = {}

    @abstractmethod
    def networks(self, shape: Shape) -> nn.ModuleDict:
        """Fresh networks for images (C, H, W): all that the trained state holds."""

    @abstractmethod
    def learn(self, networks: nn.ModuleDict, images: Tensor) -> dict[str, np.ndarray]:
        """Train the networks on (N, C, H, W) images; the learning curves, each (T,) float32."""

    def sheets(self, images: Tensor) -> dict[str, Tensor]:
        """Sheets emitted after the training: these training images, and as many samples from the prior.

        They have the size of the networks, as `images` do.
        """
        return {"training images": images, "samples": self.decode(self.sample(len(images), self._run.rng("samples")))}

    @property
    def image_shape(self) -> Shape:
        """That of the training images."""
        return self._trained()[0]

    @property
    def latent_shape(self) -> tuple[int]:
        """(k,)."""
        return (self._params.latent,)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """z ~ N(0, 1), (n, k)."""
        return to_tensor(rng.standard_normal((n, self._params.latent), dtype=np.float32), self._run)

    def synthesize(self, latents: Tensor) -> Tensor:
        """G(z), at the size of the training images."""
        return resize(self.decode(latents), self.image_shape[1:])

    def decode(self, latents: Tensor) -> Tensor:
        """(N, k) to what the decoder makes, (N, C, h, w) at the size of the networks."""
        images: Tensor = self._trained()[1]["decoder"](latents)
        return images

    def reduce(self, images: Tensor) -> Tensor:
        """(N, C, H, W) images to the size of the networks, (N, C, h, w)."""
        return resize(images, working_size(self.image_shape, self._params.size))

    def fit(self, data: Data) -> None:
        """Build the networks for the training images, and train them."""
        split = data.split("train")
        shape = (split.images.shape[1], split.images.shape[2], split.images.shape[3])
        size = working_size(shape, self._params.size)
        # some at a time: images at full size are many times larger
        batches = (to_tensor(batch.images, self._run) for batch in split.batches(REDUCED))
        images = torch.cat([resize(batch, size) for batch in batches])
        networks = self._build(shape)
        self._curves = self.learn(networks, images)
        networks.eval().requires_grad_(False)
        self._shape, self._networks = shape, networks
        self._emit_sheets(images[:SHEET])

    def state(self) -> State:
        """Weights, image shape and learning curves."""
        shape, networks = self._trained()
        settings = dict(zip(SIDES, map(str, shape), strict=True))
        return State(arrays=state_arrays(networks), settings=settings, curves=self._curves)

    def load_state(self, state: State) -> None:
        """Rebuild the networks of the same parameters."""
        channels, height, width = (int(state.settings[side]) for side in SIDES)
        networks = self._build((channels, height, width))
        load_state_arrays(networks, state.arrays)
        self._shape, self._networks, self._curves = (channels, height, width), networks, dict(state.curves)

    def _build(self, shape: Shape) -> nn.ModuleDict:
        height, width = working_size(shape, self._params.size)
        with seeded(self._run, "weights"):
            networks = self.networks((shape[0], height, width))
        return networks.to(device=self._run.device, dtype=getattr(torch, self._run.dtype))

    def _trained(self) -> tuple[Shape, nn.ModuleDict]:
        if self._shape is None or self._networks is None:
            raise NotFittedError(f"{self.name} was not trained; call fit or load_state first")
        return self._shape, self._networks

    def _emit_sheets(self, images: Tensor) -> None:
        with torch.no_grad():
            sheets = self.sheets(images)
        for name, sheet in sheets.items():
            ids = tuple(f"{name} {number}" for number in range(len(sheet)))
            self._run.emit(name, Split(images=to_array(sheet), ids=ids))


def working_size(shape: Shape, longest: int | None) -> tuple[int, int]:
    """(h, w) of images (C, H, W) reduced until their longer side is `longest`; never enlarged."""
    _, height, width = shape
    ratio = 1.0 if longest is None else min(1.0, longest / max(height, width))
    return max(1, round(height * ratio)), max(1, round(width * ratio))
