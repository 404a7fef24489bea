"""Concept images by a generator G in place of a decoder: as sharp as G draws, and of the image in question.

The g of Gat et al. 2022 sees the layer alone (equation 2), which knows little of an image: its pictures are blurred
means. Here the layer's code moves the latents w of a generator with an encoder E, by a linear map M that is fitted
once, and what the layer does not know stays as it is:

    M = argmin mean_i |w_i - w_mean - M^T u_i|^2 + ridge |M|^2    over training images i, w_i = E(x_i), in closed form
    u = (phi' - mean) / scale                                     the decoded layer, centred, as one number each
    g(phi') = G(w_mean + M^T u)                                   the average image with what the layer knows
    pair    = G(E(x)), G(E(x) + M^T (u(psi) - u(phi')))           with `keep_image`: the image, before and after

Symbols are those of `concepts.discrete_vae`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from sidelight_specs import NotFittedError
from sidelight_specs.results import Measurement, Measurements, Split, State
from sidelight_specs.roles import Generator, Trainable
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.checkpoints import gathered

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_intervention.concepts.discrete_vae import DiscreteConcepts
    from sidelight_intervention.decoder.network import Shape
    from sidelight_intervention.params import ConceptLatentsParams

SHEET = 16  # images of each kind that are emitted after the training
NOT_FITTED = "concept-latents was not fitted; call fit or load_state first"


class LinearMap(NamedTuple):
    """M with its means.

    Attributes:
        weights: M, (S, P), P the size of the flattened latents.
        mean: w_mean, (P,).
        centre: mean of phi', (S,).
        scale: root mean square of phi' - centre over images and coordinates, ().
    """

    weights: Tensor
    mean: Tensor
    centre: Tensor
    scale: Tensor

    def offsets(self, layer: Tensor) -> Tensor:
        """phi' (N, S) to M^T u, (N, P)."""
        return (layer - self.centre) / self.scale @ self.weights


def fit_linear_map(layer: Tensor, latents: Tensor, ridge: float) -> LinearMap:
    """Ridge regression from phi' (N, S) to w (N, P), solved in double precision by whichever side is smaller.

    `ridge` is of the mean over images, so that its strength does not depend on their number.
    """
    centre, mean = layer.mean(0), latents.mean(0)
    scale = (layer - centre).square().mean().sqrt().clamp_min(1e-12)
    u, w = ((layer - centre) / scale).double(), (latents - mean).double()
    penalty = max(ridge, 1e-8) * len(u)
    if u.shape[1] <= len(u):
        weights = torch.linalg.solve(u.T @ u + penalty * torch.eye(u.shape[1]).to(u), u.T @ w)
    else:  # M = U^T (U U^T + penalty)^-1 W: a layer of thousands of values
        weights = u.T @ torch.linalg.solve(u @ u.T + penalty * torch.eye(len(u)).to(u), w)
    return LinearMap(weights.float(), mean, centre, scale)


class ConceptLatents(Generator, Trainable):
    """g by a generator's latents. Its own latents are the codes z of a trained `dvae`."""

    def __init__(self, params: ConceptLatentsParams, *, dvae: DiscreteConcepts, generator: Generator, run: Run) -> None:
        self._params, self.dvae, self._generator, self._run = params, dvae, generator, run
        self._fitted: LinearMap | None = None

    def fit(self, data: Data) -> None:
        """Fit M on the training split, with dvae and generator as they are; emits R2 of w on further images."""
        params, split = self._params, data.split("train")
        layer, latents = self._layer_and_latents(split, params.images + params.validation)
        # data with fewer images than both ask for: a quarter is held out at most
        held_out = min(params.validation, max(len(layer) - params.images, len(layer) // 4))
        count = len(layer) - held_out
        self._fitted = fit_linear_map(layer[:count], latents[:count], params.ridge)
        if held_out:
            self._run.emit("concept latents", self._quality(layer[count:], latents[count:]))
        self._emit_sheets(torch.from_numpy(split.read(count=SHEET).images))

    def _layer_and_latents(self, split: Split, most: int) -> tuple[Tensor, Tensor]:
        """phi' (N, S) and w (N, P) of the first images of a split, of which one batch is in memory at a time."""
        size, first = self._params.synthesis_batch, split.take(range(min(most, len(split))))
        batches = self._run.progress(first.batches(size), "encoding images", -(-len(first) // size))
        with gathered(self._run, "latents") as parts:
            for number, batch in enumerate(batches):
                if number < parts.done:  # by an interrupted training
                    continue
                images = torch.from_numpy(batch.images)
                with torch.no_grad():
                    layer = self.dvae.decode(self.dvae.latents(images))
                parts.append(layer, self._latents(images).flatten(1))
        layers, latents = (torch.cat(tensors).to(self._run.device) for tensors in zip(*parts.rows, strict=True))
        return layers, latents

    def _latents(self, images: Tensor) -> Tensor:
        """E(x), (N, *latent_shape of the generator)."""

        def encode(batch: Tensor) -> Tensor:
            return self._generator.encode(batch.to(self._run.device))

        return in_batches(encode, images, self._params.synthesis_batch)

    def _quality(self, layer: Tensor, latents: Tensor) -> Measurements:
        residual = latents - self._map.mean - self._map.offsets(layer)
        r2 = 1 - float(residual.square().sum()) / float((latents - self._map.mean).square().sum().clamp_min(1e-12))
        text = "Share of the variance of the latents over held-out training images that the layer's code tells (R2)."
        value = np.array([r2], dtype=np.float32)
        settings = {"images": str(len(latents))}
        item = Measurement(
            name="R2 of latents", values=value, better="neither", unit="share", help=text, settings=settings
        )
        return Measurements(items=(item,))

    @property
    def _map(self) -> LinearMap:
        if self._fitted is None:
            raise NotFittedError(NOT_FITTED)
        return self._fitted

    def state(self) -> State:
        """M and its means."""
        return State(arrays={name: to_array(value) for name, value in self._map._asdict().items()})

    def load_state(self, state: State) -> None:
        """As `state` gave it."""
        self._fitted = LinearMap(**{name: to_tensor(state.arrays[name], self._run) for name in LinearMap._fields})

    @property
    def image_shape(self) -> Shape:
        """The generator's."""
        shape: Shape = self._generator.image_shape
        return shape

    @property
    def latent_shape(self) -> tuple[int]:
        """(n,), the bits of a code."""
        return (self.dvae.bits,)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """Codes whose bits are on with the dvae's prior probability."""
        bits = rng.random((n, self.dvae.bits)) < self.dvae.prior
        return to_tensor(bits.astype(np.float32), self._run)

    def synthesize(self, latents: Tensor) -> Tensor:
        """g(phi'): codes (N, n) to the average image with what the code knows, (N, C, H, W) in [0, 1]."""
        return self._draw(self._map.mean + self._map.offsets(self.dvae.decode(latents)))

    def _draw(self, latents: Tensor) -> Tensor:
        """G of flattened latents (N, P)."""
        return self._generator.synthesize(latents.reshape(-1, *self._generator.latent_shape))

    def images_of(self, codes: Tensor) -> Tensor:
        """`synthesize` of many codes, without gradients and in batches."""
        return in_batches(self.synthesize, codes, self._params.synthesis_batch)

    def pair(self, images: Tensor, codes: Tensor, flipped: Tensor) -> tuple[Tensor, Tensor]:
        """Images of codes and flipped codes (N, n), with the images' (N, C, H, W) own remaining latents if kept."""
        if not self._params.keep_image:
            return self.images_of(codes), self.images_of(flipped)
        before = self._latents(images).flatten(1)
        # u(psi) - u(phi'): the map is linear, so that the difference of the offsets is the offset of the difference
        moved = self._map.offsets(self.dvae.decode(flipped)) - self._map.offsets(self.dvae.decode(codes))
        batch = self._params.synthesis_batch
        return in_batches(self._draw, before, batch), in_batches(self._draw, before + moved, batch)

    def encode(self, images: Tensor) -> Tensor:
        """The codes of images, each bit at its likelier value."""
        return self.dvae.latents(images)

    def _emit_sheets(self, images: Tensor) -> None:
        codes = self.dvae.latents(images)
        before, after = self.pair(images, codes, 1 - codes)
        for name, sheet in (
            ("concept images: training images", images),
            ("concept images of their codes", before),
            ("concept images of their codes with all bits flipped", after),
        ):
            ids = tuple(f"{number}" for number in range(len(sheet)))
            self._run.emit(name, Split(images=to_array(sheet), ids=ids))
