"""Autoencoders: a generator with an encoder, trained to reproduce images (CDeepEx, section 4.4)."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.modules import training_mode
from sidelight_toolkit.seeding import generator
from sidelight_toolkit.training import minibatches, train
from torch import nn

from sidelight_cdeepex.generators.base import LearnedGenerator
from sidelight_cdeepex.generators.networks import CodeNetwork, DecoderNetwork

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_cdeepex.generators.networks import Shape
    from sidelight_cdeepex.params import AutoencoderParams


class Autoencoder(LearnedGenerator):
    """Base class: a subclass chooses the encoder and the loss."""

    _params: AutoencoderParams

    def __init__(self, params: AutoencoderParams, *, run: Run) -> None:
        super().__init__(params, run=run)

    @abstractmethod
    def encoder(self, shape: Shape) -> nn.Module:
        """A fresh encoder of images (C, H, W)."""

    @abstractmethod
    def loss(self, networks: nn.ModuleDict, images: Tensor, noise: torch.Generator) -> Tensor:
        """() for one minibatch (n, C, H, W); `noise` is the source of all randomness."""

    def networks(self, shape: Shape) -> nn.ModuleDict:
        """Encoder and decoder."""
        decoder = DecoderNetwork(shape, self._params.latent, self._params.width)
        return nn.ModuleDict({"encoder": self.encoder(shape), "decoder": decoder})

    def learn(self, networks: nn.ModuleDict, images: Tensor) -> dict[str, np.ndarray]:
        """Minimise the loss by Adam for `steps` minibatches."""
        params, noise = self._params, generator(self._run, "latent noise", self._run.device)

        def loss(indices: np.ndarray) -> Tensor:
            return self.loss(networks, images[torch.from_numpy(indices)], noise)

        optimizer = torch.optim.Adam(networks.parameters(), params.rate)
        batches = minibatches(len(images), params.batch, self._run.rng("minibatches"))
        label, stateful = f"training {self.name}", {"networks": networks, "latent noise": noise}
        with training_mode(networks):
            return {"loss": train(self._run, loss, optimizer, batches, params.steps, label, stateful=stateful)}

    def sheets(self, images: Tensor) -> dict[str, Tensor]:
        """Beside the training images their reconstructions."""
        reconstructions = self.decode(self.encode(images))
        return {"training images": images, "reconstructions": reconstructions, **super().sheets(images)}


class Ae(Autoencoder):
    """A plain autoencoder: reproduces images from k numbers, without a prior on them."""

    name = "ae"

    def encoder(self, shape: Shape) -> nn.Module:
        """One head, whose outputs are standardised."""
        return CodeNetwork(shape, self._params.latent, self._params.width)

    def loss(self, networks: nn.ModuleDict, images: Tensor, noise: torch.Generator) -> Tensor:
        """The squared distance between images and reconstructions, the mean over the minibatch."""
        del noise
        reconstructions = networks["decoder"](networks["encoder"](images))
        loss: Tensor = (reconstructions - images).square().flatten(1).sum(1).mean()  # E ||G(z) - x||^2
        return loss

    def encode(self, images: Tensor) -> Tensor:
        """The code, (N, k)."""
        codes: Tensor = self._trained()[1]["encoder"](self.reduce(images))
        return codes
