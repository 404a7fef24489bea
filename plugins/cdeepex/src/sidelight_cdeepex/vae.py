"""A variational autoencoder (Kingma and Welling 2013) as generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Generator, Trainable
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.seeding import generator, seeded
from sidelight_toolkit.training import minibatches, train
from torch import nn

from sidelight_cdeepex.networks import DecoderNetwork, EncoderNetwork, divergence, reparameterise

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_cdeepex._params import VaeParams
    from sidelight_cdeepex.networks import Shape


class Vae(Generator, Trainable):
    """Learns to reproduce images from k numbers that are close to standard normal."""

    def __init__(self, params: VaeParams, *, run: Run) -> None:
        self._params, self._run = params, run
        self._shape: Shape | None = None
        self._networks: nn.ModuleDict | None = None
        self._losses = np.zeros(0, np.float32)

    @property
    def image_shape(self) -> Shape:
        """That of the training images."""
        if self._shape is None:
            raise NotFittedError("vae was not trained; call fit or load_state first")
        return self._shape

    @property
    def latent_shape(self) -> tuple[int]:
        """(k,)."""
        return (self._params.latent,)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """Standard normal latents."""
        return to_tensor(rng.standard_normal((n, self._params.latent), dtype=np.float32), self._run)

    def synthesize(self, latents: Tensor) -> Tensor:
        """The mean of p(x | z)."""
        images: Tensor = self._trained()["decoder"](latents)
        return images

    def encode(self, images: Tensor) -> Tensor:
        """The mean of q(z | x)."""
        mean: Tensor = self._trained()["encoder"](images)[0]
        return mean

    def fit(self, data: Data) -> None:
        """Maximise the evidence lower bound with p(x | z) = N(G(z), `variance`), for `steps` minibatches."""
        images = to_tensor(data.split("train").images, self._run)
        shape = (images.shape[1], images.shape[2], images.shape[3])
        networks = self._build(shape)
        noise = generator(self._run, "latent noise")

        def loss(indices: np.ndarray) -> Tensor:
            return self._loss(networks, images[torch.from_numpy(indices)], noise)

        optimizer = torch.optim.Adam(networks.parameters(), self._params.rate)
        batches = minibatches(len(images), self._params.batch, self._run.rng("minibatches"))
        with training_mode(networks):
            self._losses = train(self._run, loss, optimizer, batches, self._params.steps, "training vae")
        self._shape, self._networks = shape, networks
        self._show(images)

    def state(self) -> State:
        """Weights, image shape and learning curve."""
        channels, height, width = self.image_shape
        return State(
            arrays=state_arrays(self._trained()),
            settings={"channels": str(channels), "height": str(height), "width": str(width)},
            curves={"loss": self._losses},
        )

    def load_state(self, state: State) -> None:
        """Rebuild the networks of the same parameters."""
        shape = (int(state.settings["channels"]), int(state.settings["height"]), int(state.settings["width"]))
        networks = self._build(shape)
        load_state_arrays(networks, state.arrays)
        self._shape, self._networks, self._losses = shape, networks, state.curves["loss"]

    def _trained(self) -> nn.ModuleDict:
        if self._networks is None:
            raise NotFittedError("vae was not trained; call fit or load_state first")
        return self._networks

    def _build(self, shape: Shape) -> nn.ModuleDict:
        with seeded(self._run, "weights"):
            parts = {
                "encoder": EncoderNetwork(shape, self._params.latent, self._params.width),
                "decoder": DecoderNetwork(shape, self._params.latent, self._params.width),
            }
        return nn.ModuleDict(parts).to(device=self._run.device, dtype=getattr(torch, self._run.dtype))

    def _loss(self, networks: nn.ModuleDict, images: Tensor, noise: torch.Generator) -> Tensor:
        """The negative evidence lower bound per image, in nats, up to a constant."""
        mean, log_variance = networks["encoder"](images)
        drawn = torch.randn(mean.shape, generator=noise).to(mean)
        restored = networks["decoder"](reparameterise(mean, log_variance, drawn))
        misfit = (restored - images).square().flatten(1).sum(1) / (2 * self._params.variance)
        loss: Tensor = (misfit + self._params.beta * divergence(mean, log_variance)).mean()
        return loss

    def _show(self, images: Tensor) -> None:
        """Keep some images, their reconstructions and as many draws from the prior."""
        shown = images[:_SHEET]
        restored = in_batches(lambda part: self.synthesize(self.encode(part)), shown, _SHEET)
        drawn = in_batches(self.synthesize, self.sample(len(shown), self._run.rng("samples")), _SHEET)
        for name, sheet in (("training images", shown), ("reconstructions", restored), ("samples", drawn)):
            ids = tuple(f"{name} {place}" for place in range(len(sheet)))
            self._run.emit(name, Split(images=to_array(sheet), ids=ids))


_SHEET = 16
"""Images on a sheet."""
