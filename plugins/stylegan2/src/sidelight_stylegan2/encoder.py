"""An encoder for a generator that stays as it is, and hybrid inversion (Zhu et al. 2016, Zhu et al. 2020).

A generator makes its own training pairs: latents w and their images G(w). With the latents' mean mu and deviation
sigma over samples, the encoder E gives w = mu + sigma E(x) and learns

    r |E(G(w)) - (w - mu) / sigma|^2 + p |G(E(x)) - x|^2 / u_p + q d(G(E(x)), x) / u_q

on samples (x = G(w)), and without the first term on training images, which samples may not resemble (in-domain GAN
inversion, Zhu et al. 2020, trains on images alone). u_p and u_q are the distances of two samples. `refine` goes on from
the encoder's answer by descent on the same two distances, then in units of their values at the start (iGAN, Zhu et al.
2016, section 4.1).
"""

from __future__ import annotations

import itertools
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch
from sidelight_specs import NotFittedError, SidelightError
from sidelight_specs.results import State
from sidelight_specs.roles import Inverter, Trainable
from sidelight_toolkit.arrays import to_tensor
from sidelight_toolkit.batching import in_batches, slices
from sidelight_toolkit.images import resize
from sidelight_toolkit.inversion import inverted_once, measured
from sidelight_toolkit.modules import load_state_arrays, state_arrays, training_mode
from sidelight_toolkit.perceptual import Distance, no_distance
from sidelight_toolkit.seeding import seeded
from sidelight_toolkit.training import minibatches, train
from torch import Tensor, nn

from sidelight_stylegan2.descent import SMALLEST_UNIT, Descent, chosen_distance, expect_shape, reduced
from sidelight_stylegan2.networks.encoder import ResidualEncoder
from sidelight_stylegan2.networks.pixels import from_pixels

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Inversion
    from sidelight_specs.roles import Classifier, Data, Generator

    from sidelight_stylegan2.params import EncoderParams

SMALLEST_DEVIATION = 1e-6  # of a latent that does not vary
PAIRS = 64  # samples whose distances from one another are the units


class Encoder(Inverter, Trainable):
    """Learns to invert from samples of the generator and from the training images."""

    def __init__(
        self, params: EncoderParams, *, generator: Generator, classifier: Classifier | None = None, run: Run
    ) -> None:
        self._params, self._generator, self._classifier, self._run = params, generator, classifier, run
        self._network: LatentEncoder | None = None
        self._curves: dict[str, np.ndarray] = {}

    @property
    def network(self) -> LatentEncoder:
        """The encoder, frozen; raises `NotFittedError` before there is one."""
        if self._network is None:
            raise NotFittedError("stylegan2/encoder was not trained; call fit or load_state first")
        return self._network

    def invert(self, images: Tensor) -> Inversion:
        """One pass of the encoder, and `refine` steps of descent for each image, whose answer is then kept.

        Raises:
            UserError: the images are not of the generator's shape.
        """
        expect_shape(images, self._generator.image_shape)
        p, network = self._params, self.network
        if not p.refine:  # cheap, so nothing is kept
            return measured(self._generator, images, in_batches(network, images, p.batch), p.batch)
        descent = Descent(
            lambda units: self._generator.synthesize(network.to_latents(units)),
            self._distance(images),
            p.pixels,
            p.weight,
            p.refine_rate,
            self._run,
        )

        def refined(batch: Tensor) -> Inversion:
            units = descent(batch, in_batches(network.units, batch, p.batch), p.refine)
            return measured(self._generator, batch, network.to_latents(units), p.batch)

        return inverted_once(self._run, f"encoder, {descent.distance.name}", images, p.batch, refined)

    def encode(self, images: Tensor) -> Tensor:
        """Latents of (N, C, H, W) in one pass, which is all of the inversion where `refine` is 0.

        Raises:
            SidelightError: it is not.
        """
        if self._params.refine:
            raise SidelightError("the inverter goes on from its encoder by descent")
        latents: Tensor = self.network(images)
        return latents

    def fit(self, data: Data) -> None:
        """Train for `steps` minibatches.

        Raises:
            UserError: the training images are not of the generator's shape.
        """
        images = self._images(data)
        with seeded(self._run, "weights"):
            network = LatentEncoder(self._generator.image_shape, self._generator.latent_shape, self._params)
        network.describe(self._samples(self._params.samples, "latents"))
        network.to(device=self._run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        with training_mode(network):
            curve = self._train(network, images)
        self._use(network, {"loss": curve})

    def state(self) -> State:
        """The network and its learning curve; its sizes follow from the generator and the options."""
        return State(arrays=state_arrays(self.network), curves=self._curves)

    def load_state(self, state: State) -> None:
        """Rebuild the network."""
        with seeded(self._run, "weights"):
            network = LatentEncoder(self._generator.image_shape, self._generator.latent_shape, self._params)
        load_state_arrays(network, state.arrays)
        network.to(device=self._run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._use(network, dict(state.curves))

    def _use(self, network: LatentEncoder, curves: dict[str, np.ndarray]) -> None:
        self._network, self._curves = network.eval().requires_grad_(False), curves

    def _images(self, data: Data) -> np.ndarray:
        """The training images, (M, C, H, W); without any where samples are enough."""
        if not self._params.images:
            return np.empty((0, *self._generator.image_shape), np.float32)
        images = np.asarray(data.split("train").read(count=self._params.images).images)
        expect_shape(torch.from_numpy(images), self._generator.image_shape)
        return images

    def _train(self, network: LatentEncoder, images: np.ndarray) -> np.ndarray:
        p, rng = self._params, self._run.rng("samples")
        distance = self._distance(self._generator.synthesize(self._samples(1, "units")))
        pixel_unit, perceptual_unit = self._units(distance)
        optimizer = torch.optim.AdamW(network.parameters(), p.rate, weight_decay=0.0)

        def loss_of(rows: np.ndarray) -> Tensor:
            with torch.no_grad():
                w = self._generator.sample(p.batch, rng)
                sampled = self._generator.synthesize(w)
            x = torch.cat([sampled, to_tensor(images[rows], self._run)])  # (n + m, C, H, W)
            units = network.units(x)  # E(x)
            loss = p.regression * (units[: len(w)] - network.to_units(w)).square().mean()
            made = self._generator.synthesize(network.to_latents(units))  # G(E(x))
            loss = loss + p.pixels * (made - x).square().mean() / pixel_unit
            if features := distance.features(reduced(x)):
                between = distance.between(distance.features(reduced(made)), features)
                loss = loss + p.weight * between.mean() / perceptual_unit
            return loss

        no_rows = itertools.repeat(np.empty(0, int))
        batches = minibatches(len(images), p.batch, self._run.rng("images")) if len(images) else no_rows
        stateful = {"network": network, "samples": rng}
        return train(self._run, loss_of, optimizer, batches, p.steps, "training the encoder", stateful=stateful)

    def _units(self, distance: Distance) -> tuple[float, float]:
        """u_p and u_q: mean distances of two samples."""
        w = self._samples(PAIRS, "units")
        pixels, perceptual = [], []
        with torch.no_grad():
            for rows in slices(len(w), self._params.batch):
                images = self._generator.synthesize(w[rows])
                if len(images) == 1:  # the rest of the samples: nothing to compare it with
                    continue
                others = images.roll(1, 0)
                pixels.append((images - others).square().mean((1, 2, 3)))
                if features := distance.features(reduced(images)):
                    perceptual.append(distance.between(features, distance.features(reduced(others))))
        means = [float(torch.cat(values).mean()) if values else 1.0 for values in (pixels, perceptual)]
        return max(means[0], SMALLEST_UNIT), max(means[1], SMALLEST_UNIT)

    def _samples(self, count: int, label: str) -> Tensor:
        with torch.no_grad():
            return self._generator.sample(count, self._run.rng(label))

    def _distance(self, images: Tensor) -> Distance:
        if not self._params.weight:
            return no_distance()
        return chosen_distance(self._params.perceptual, self._classifier, images, self._run)


class LatentEncoder(nn.Module):
    """E: images to latents by way of units, standardised latents.

    Args:
        image_shape: (C, H, W).
        latent_shape: (inputs, d) of a style generator, or (k,).
        params: sizes; with latents `w` units are (N, 1, d), the same for all inputs, otherwise (N, *latent_shape).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, image_shape: tuple[int, int, int], latent_shape: tuple[int, ...], params: EncoderParams) -> None:
        super().__init__()
        is_shared = params.latents == "w" and len(latent_shape) > 1
        self._shape = (1, *latent_shape[1:]) if is_shared else latent_shape
        self._side = working_side(image_shape, params)
        self.network = ResidualEncoder(image_shape[0], self._side, params.widths, prod(self._shape), shuffle=1)
        self.register_buffer("mean", torch.zeros(1, *latent_shape))
        self.register_buffer("deviation", torch.ones(1, *latent_shape))

    @torch.no_grad()
    def describe(self, latents: Tensor) -> None:
        """Take mu and sigma from samples, (N, *latent_shape)."""
        self.mean.copy_(latents.mean(0, keepdim=True))
        self.deviation.copy_(latents.std(0, keepdim=True).clamp_min(SMALLEST_DEVIATION))

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] to latents (N, *latent_shape)."""
        return self.to_latents(self.units(images))

    def units(self, images: Tensor) -> Tensor:
        """E(x), (N, 1, d) or (N, *latent_shape)."""
        x = from_pixels(resize(images, (self._side, self._side)))
        units: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return units.reshape(len(images), *self._shape)

    def to_latents(self, units: Tensor) -> Tensor:
        """w = mu + sigma E(x), (N, *latent_shape)."""
        return self.mean + self.deviation * units

    def to_units(self, latents: Tensor) -> Tensor:
        """(w - mu) / sigma of samples."""
        return (latents - self.mean) / self.deviation


def working_side(image_shape: tuple[int, int, int], params: EncoderParams) -> int:
    """Side of the square that the encoder sees: the longer of the images', at most `size`, in whole halvings."""
    halvings = 2 ** (len(params.widths) - 1)
    side = min(params.size, max(image_shape[1:]))
    return int(max(1, round(side / halvings)) * halvings)
