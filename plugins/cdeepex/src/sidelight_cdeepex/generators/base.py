"""Generators that train on the recipe's data: a decoder from standard normal z (N, k) to images (N, C, H, W)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Generator, Trainable
from sidelight_toolkit.arrays import to_array, to_tensor
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
        """Sheets emitted after the training: these training images, and as many samples from the prior."""
        samples = self.synthesize(self.sample(len(images), self._run.rng("samples")))
        return {"training images": images, "samples": samples}

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
        """G(z)."""
        images: Tensor = self._trained()[1]["decoder"](latents)
        return images

    def fit(self, data: Data) -> None:
        """Build the networks for the training images, and train them."""
        images = to_tensor(data.split("train").images, self._run)
        shape = (images.shape[1], images.shape[2], images.shape[3])
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
        with seeded(self._run, "weights"):
            networks = self.networks(shape)
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
