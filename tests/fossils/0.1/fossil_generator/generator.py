"""Probabilistic principal components: image = mean + components x (scale x z), with z standard normal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import State
from sidelight_specs.roles import Data, Generator, Trainable

if TYPE_CHECKING:
    from sidelight_specs import Run

    from fossil_generator import GeneratorParams


class Generator(Generator, Trainable):
    """A linear generator; the components are found by subspace iteration."""

    image_shape: tuple[int, int, int] = (0, 0, 0)

    def __init__(self, params: GeneratorParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._weights: dict[str, torch.Tensor] = {}

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(latent,)."""
        return (self._params.latent,)

    def fit(self, data: Data) -> None:
        """Learn mean, components and their scales from the split `train`."""
        images = torch.from_numpy(data.split("train").read().images)
        pixels = images.flatten(1)
        mean = pixels.mean(0)
        start = self._run.rng("components").standard_normal((pixels.shape[1], self._params.latent), dtype=np.float32)
        components = torch.from_numpy(start)
        for _ in self._run.progress(range(self._params.steps), "components"):
            components, _ = torch.linalg.qr((pixels - mean).T @ ((pixels - mean) @ components))
        scale = ((pixels - mean) @ components).std(0).clamp(min=1e-4)
        facts = {"image_shape": json.dumps(images.shape[1:])}
        arrays = {"mean": mean.numpy(), "components": components.numpy(), "scale": scale.numpy()}
        self.load_state(State(arrays=arrays, settings=facts))

    def state(self) -> State:
        """Mean, components, scales and the image size."""
        arrays = {name: self._weight(name).cpu().numpy().copy() for name in ("mean", "components", "scale")}
        return State(arrays=arrays, settings={"image_shape": json.dumps(self.image_shape)})

    def load_state(self, state: State) -> None:
        """Become what was fitted."""
        channels, height, width = json.loads(state.settings["image_shape"])
        self.image_shape = (channels, height, width)
        self._weights = {
            name: torch.from_numpy(np.array(array, order="C")).to(self._run.device)
            for name, array in state.arrays.items()
        }

    def sample(self, n: int, rng: np.random.Generator) -> torch.Tensor:
        """(n, latent) standard normal."""
        return torch.from_numpy(rng.standard_normal((n, *self.latent_shape), dtype=np.float32)).to(self._run.device)

    def synthesize(self, latents: torch.Tensor) -> torch.Tensor:
        """(N, latent) to images, cut off at black and white."""
        pixels = self._weight("mean") + (latents * self._weight("scale")) @ self._weight("components").T
        return pixels.clamp(0, 1).reshape(-1, *self.image_shape)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Project onto the components."""
        return ((images.flatten(1) - self._weight("mean")) @ self._weight("components")) / self._weight("scale")

    def _weight(self, name: str) -> torch.Tensor:
        if not self._weights:
            raise NotFittedError("fossil-generator/generator has not been fitted")
        return self._weights[name]
