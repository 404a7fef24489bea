"""A Wasserstein generative adversarial network as generator (CDeepEx, sections 3.2 and 4.1)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_toolkit.modules import training_mode
from sidelight_toolkit.seeding import generator, seeded
from sidelight_toolkit.training import minibatches, train
from torch import nn

from sidelight_cdeepex.generators.base import LearnedGenerator
from sidelight_cdeepex.generators.dcgan import CriticNetwork, GeneratorNetwork
from sidelight_cdeepex.generators.wasserstein import Critic, adam, follow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs import Run
    from sidelight_specs.results import State
    from torch import Tensor

    from sidelight_cdeepex.generators.networks import Shape
    from sidelight_cdeepex.params import GanParams


class Gan(LearnedGenerator):
    """Learns to make images from standard normal numbers that a critic cannot tell from the training images."""

    name = "gan"
    _params: GanParams

    def __init__(self, params: GanParams, *, run: Run) -> None:
        super().__init__(params, run=run)

    def networks(self, shape: Shape) -> nn.ModuleDict:
        """The generator; the critic is not kept."""
        return nn.ModuleDict({"decoder": GeneratorNetwork(shape, self._params.latent, self._params.width)})

    def learn(self, networks: nn.ModuleDict, images: Tensor) -> dict[str, np.ndarray]:
        """Arjovsky et al. 2017, algorithm 1; what is kept is the running average of the generator's weights."""
        average, params = networks["decoder"].eval().requires_grad_(False), self._params
        player, critic = deepcopy(average), self._critic(images)
        size = min(params.batch, len(images))
        noise = generator(self._run, "latents")

        def made() -> Tensor:
            latents = torch.randn(size, params.latent, generator=noise)
            fakes: Tensor = player(latents.to(images))
            return fakes

        def loss(rows: np.ndarray) -> Tensor:
            follow(average, player, params.average)
            for part in torch.from_numpy(rows).chunk(params.critic):
                with torch.no_grad():
                    fakes = made()
                critic.step(images[part], fakes)
            return -critic(made()).mean()

        batches = _joined(minibatches(len(images), size, self._run.rng("minibatches")), params.critic)
        with training_mode(player), critic.training():
            losses = train(self._run, loss, adam(player, params.rate), batches, params.steps, "training gan")
        follow(average, player, params.average)
        return {"loss": losses, "distance": np.array(critic.distances, np.float32)}

    def state(self) -> State:
        """Also says what kept the critic Lipschitz."""
        state = super().state()
        state.settings["lipschitz"] = self._params.lipschitz
        return state

    def _critic(self, images: Tensor) -> Critic:
        channels, height, width = images.shape[1:]
        with seeded(self._run, "critic"):
            network = CriticNetwork((channels, height, width), self._params.critic_width)
        return Critic(network.to(images), self._params, generator(self._run, "penalty"))


def _joined(batches: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """`count` minibatches at a time: what the critic sees before a step of the generator."""
    while True:
        yield np.concatenate([next(batches) for _ in range(count)])
