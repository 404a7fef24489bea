"""StylEx as a generator: G and E that were trained with the classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import NotFittedError, UserError
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Trainable
from sidelight_stylegan2.generator import StyleSpace
from sidelight_stylegan2.networks.architecture import Architecture, checked_widths, default_widths, levels_for
from sidelight_stylegan2.networks.pixels import from_pixels
from sidelight_stylegan2.training.checkpoints import digest, trained_in_parts, under
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches
from sidelight_toolkit.modules import load_state_arrays, state_arrays
from sidelight_toolkit.perceptual import lite0_distance, lpips_distance, lpips_or, no_distance
from sidelight_toolkit.seeding import seeded

from sidelight_stylex.condition import Condition, spread
from sidelight_stylex.learner import Learner
from sidelight_stylex.networks import Networks
from sidelight_stylex.training import Material, Training

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Data
    from sidelight_stylegan2.networks.synthesis import Network
    from sidelight_toolkit.perceptual import Distance
    from torch import Tensor

    from sidelight_stylex.params import GeneratorParams

SHEET = 16
"""Images on a sheet."""
PRIOR_IMAGES = 4096
"""Training images of which the distribution of w is taken."""
KEPT = ("generator", "encoder", "discriminator")


class StylEx(StyleSpace, Trainable):
    """Latents are (inputs, d): what the encoder reads in an image, with the classifier's answer, for every layer."""

    def __init__(self, params: GeneratorParams, *, classifier: Classifier, run: Run) -> None:
        self.params, self.classifier, self.run = params, classifier, run
        self._networks: Networks | None = None
        self._curves: dict[str, np.ndarray] = {}

    @property
    def networks(self) -> Networks:
        """All that was learned; raises `NotFittedError` before there is anything."""
        if self._networks is None:
            raise NotFittedError("stylex/generator was not trained; call fit or load_state first")
        return self._networks

    @property
    def network(self) -> Network:
        """The averaged generator."""
        return self.networks.generator

    def fit(self, data: Data) -> None:
        """Train for `steps` minibatches in `checkpoints` parts, each of which is kept."""
        split = data.split("train")
        material = self._material(torch.from_numpy(split.images))
        architecture = self._architecture(material)
        state = trained_in_parts(
            self.run,
            self.params.checkpoints,
            digest(split),
            lambda: self._begin(architecture, material.condition),
            lambda learner, part: self._trained(learner, material, part),
        )
        with seeded(self.run, "weights"):
            networks = Networks(architecture, material.condition, self.params)
        for part in KEPT:
            name = part if part == "discriminator" else f"average_{part}"
            load_state_arrays(getattr(networks, part), under(name, state.arrays))
        self._become(networks, state.curves)
        shown = material.images[:PRIOR_IMAGES]
        networks.prior.fit(in_batches(self._read, shown, self.params.classifier_batch))
        self._show(shown[:SHEET].to(self.run.device))

    def state(self) -> State:
        """The networks, their sizes, and the learning curves."""
        networks = self.networks
        return State(arrays=state_arrays(networks), settings=networks.settings(), curves=self._curves)

    def load_state(self, state: State) -> None:
        """Rebuild the networks."""
        with seeded(self.run, "weights"):
            networks = Networks.from_settings(state.settings, self.params)
        load_state_arrays(networks, state.arrays)
        self._become(networks, dict(state.curves))

    def _become(self, networks: Networks, curves: dict[str, np.ndarray]) -> None:
        networks.eval().requires_grad_(False)
        self._networks = networks.to(device=self.run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._curves = curves

    def _begin(self, architecture: Architecture, condition: Condition) -> Learner:
        with seeded(self.run, "weights"):
            return Learner(Networks(architecture, condition, self.params), self.params, self.run.device)

    def _trained(self, learner: Learner, material: Material, part: int) -> dict[str, np.ndarray]:
        first, last = (self.params.steps * edge // self.params.checkpoints for edge in (part - 1, part))
        return Training(learner, material, self.params, self.run, part).steps(range(first, last))

    def _material(self, images: Tensor) -> Material:
        def answered(part: Tensor) -> Tensor:
            return self.classifier.class_logits(part.to(self.run.device)).cpu()

        def answered_mirrored(part: Tensor) -> Tensor:
            return answered(part.flip(3))

        logits = in_batches(answered, images, self.params.classifier_batch)
        mirrored = in_batches(answered_mirrored, images, self.params.classifier_batch) if self.params.flip else logits
        condition = Condition(self.params.condition, logits.shape[1], spread(logits))
        return Material(images, logits, mirrored, self.classifier, condition, self._distance())

    def _distance(self) -> Distance:
        """As the options say; what was taken is told to the user."""
        choice, device = self.params.perceptual, self.run.device
        if choice == "none" or not self.params.perceptual_weight:
            return no_distance()
        if choice == "lpips":
            return lpips_distance(device)
        if choice == "efficientnet-lite":
            return lite0_distance(device)
        return lpips_or(lambda: lite0_distance(device), self.run)

    def _architecture(self, material: Material) -> Architecture:
        params = self.params
        channels, height, width = material.images.shape[1:]
        levels = levels_for((channels, height, width), params.shuffle)
        if height // params.shuffle < 2 ** (len(params.encoder_widths) - 1):
            raise UserError(
                f"encoder_widths: {len(params.encoder_widths)} widths halve the images more often than "
                f"{height // params.shuffle} pixels allow",
                "name fewer",
            )
        length = params.latent + material.condition.length
        return Architecture(
            image_channels=channels,
            widths=checked_widths(params.widths, levels) or default_widths(levels, params.base, params.widest),
            z=length,
            w=length,
            mapping=0,
            noise=False,
            shuffle=params.shuffle,
        )

    def encode(self, images: Tensor) -> Tensor:
        """w = [E(x), C(x)]: (N, C, H, W) in [0, 1] to (N, inputs, d)."""
        return self._for_all_inputs(self._read(images))

    def _read(self, images: Tensor) -> Tensor:
        """w, (N, d)."""
        images = images.to(self.run.device)
        networks = self.networks
        found = networks.encoder(from_pixels(images).contiguous(memory_format=torch.channels_last))
        return torch.cat([found, networks.condition.of(self.classifier.class_logits(images))], 1)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """w of a Gaussian fitted to those of the training images, truncated."""
        length = self.network.architecture.w
        noise = to_tensor(rng.standard_normal((n, length), dtype="float32"), self.run)
        return self._for_all_inputs(self.networks.prior(noise, self.params.truncation))

    def _for_all_inputs(self, w: Tensor) -> Tensor:
        return w[:, None].repeat(1, self.network.architecture.inputs, 1)

    def _show(self, images: Tensor) -> None:
        """Keep some training images, what becomes of them, and as many samples."""
        with torch.no_grad():
            again = self.synthesize(self.encode(images))
            drawn = self.synthesize(self.sample(len(images), self.run.rng("samples")))
        for name, sheet in (("training images", images), ("reconstructions", again), ("samples", drawn)):
            ids = tuple(f"{name} {place}" for place in range(len(sheet)))
            self.run.emit(name, Split(images=to_array(sheet), ids=ids))
