"""StylEx as a generator, trained with the classifier, and its encoder as an inverter (Lang et al. 2021, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import NotFittedError, UserError
from sidelight_specs.results import Split, State
from sidelight_specs.roles import Trainable
from sidelight_stylegan2.generator import StyleSpace
from sidelight_stylegan2.networks.architecture import Architecture, checked_widths, default_widths, levels_for
from sidelight_stylegan2.networks.pixels import from_pixels
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import Batch, in_batches
from sidelight_toolkit.images import resize
from sidelight_toolkit.inversion import EncoderInverter
from sidelight_toolkit.modules import load_state_arrays, state_arrays
from sidelight_toolkit.perceptual import lite0_distance, lpips_distance, lpips_or, no_distance
from sidelight_toolkit.seeding import seeded

from sidelight_stylex.networks import Condition, Networks, root_mean_square
from sidelight_stylex.params import ENCODED_ON_CPU
from sidelight_stylex.training import Learner, Training, TrainingData

if TYPE_CHECKING:
    import numpy as np
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Data, Generator
    from sidelight_stylegan2.networks.discriminator import Discriminator
    from sidelight_stylegan2.networks.synthesis import Network
    from sidelight_toolkit.perceptual import Distance
    from torch import Tensor

    from sidelight_stylex.params import EncoderParams, GeneratorParams

SHEET = 16  # images on a sheet: 4 x 4
SIDES = ("image height", "image width")  # settings of the state
BATCH = 256  # images encoded at a time
PRIOR_IMAGES = 4096  # training images for the Gaussian over w: enough for the covariance of some 50 numbers
SAVED = ("generator", "encoder", "discriminator")


class StylEx(StyleSpace, Trainable):
    """Latents are (inputs, d): w = [E(x), c(x)], the same for every input of the synthesis network.

    With `size`, G, E and D work on reduced images; the classifier sees images at full size, those of G enlarged.
    """

    def __init__(self, params: GeneratorParams, *, classifier: Classifier, run: Run) -> None:
        self._params, self._classifier, self._run = params, classifier, run
        self._networks: Networks | None = None
        self._size: tuple[int, int] = (0, 0)  # (H, W) of the images
        self._curves: dict[str, np.ndarray] = {}

    @property
    def networks(self) -> Networks:
        """G, E, D and the prior; raises `NotFittedError` before there are any."""
        if self._networks is None:
            raise NotFittedError("stylex/generator was not trained; call fit or load_state first")
        return self._networks

    @property
    def network(self) -> Network:
        """The averaged generator."""
        return self.networks.generator

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the training images."""
        return (self.network.architecture.image_channels, *self._size)

    @property
    def trained_discriminator(self) -> Discriminator | None:
        """D, where it joined the training."""
        has_joined = self._params.adversarial > 0 and self._params.autoencoder < 1
        return self.networks.discriminator if has_joined else None

    def class_probabilities(self, images: Tensor) -> Tensor:
        """Condition of D for (N, C, H, W) images: (N, K), by the classifier of the training, not the explained one."""
        with torch.no_grad():
            return self._classifier.class_logits(images).softmax(1)

    def fit(self, data: Data) -> None:
        """Train for `steps` minibatches; an interrupted training continues."""
        training_data = self._training_data(data.split("train"))
        architecture = self._architecture(training_data)
        learner = self._begin(architecture, training_data.condition)
        curves = Training(learner, training_data, self._params, self._run).steps()
        with seeded(self._run, "weights"):
            networks = Networks(architecture, training_data.condition, self._params)
        # averages are kept of G and E; D is kept as it is, for plausibility flags
        for name in SAVED:
            source = name if name == "discriminator" else f"average_{name}"
            load_state_arrays(getattr(networks, name), state_arrays(getattr(learner, source)))
        self._use(networks, curves, training_data.size)
        rows = [slice(start, start + BATCH) for start in range(0, min(PRIOR_IMAGES, len(training_data.images)), BATCH)]
        with torch.no_grad():
            w = [self._encoded(training_data.images[batch], training_data.logits[batch]) for batch in rows]
        networks.prior.fit(torch.cat(w)[:PRIOR_IMAGES])
        self._emit_sheets(training_data.images[:SHEET].to(self._run.device), w[0][:SHEET])

    def state(self) -> State:
        """The networks, their sizes, and the learning curves."""
        settings = self.networks.settings() | dict(zip(SIDES, map(str, self._size), strict=True))
        return State(arrays=state_arrays(self.networks), settings=settings, curves=self._curves)

    def load_state(self, state: State) -> None:
        """Rebuild the networks."""
        with seeded(self._run, "weights"):
            networks = Networks.from_settings(state.settings, self._params)
        load_state_arrays(networks, state.arrays)
        drawn = networks.generator.architecture.size  # checkpoints of earlier versions do not name another size
        height, width = (int(state.settings.get(side, drawn)) for side in SIDES)
        self._use(networks, dict(state.curves), (height, width))

    def _use(self, networks: Networks, curves: dict[str, np.ndarray], size: tuple[int, int]) -> None:
        networks.eval().requires_grad_(False)
        self._networks = networks.to(device=self._run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._curves, self._size = curves, size

    def _images(self, styles: list[Tensor]) -> Tensor:
        return resize(super()._images(styles), self._size)

    def _begin(self, architecture: Architecture, condition: Condition) -> Learner:
        with seeded(self._run, "weights"):
            return Learner(Networks(architecture, condition, self._params), self._params, self._run.device)

    def _training_data(self, split: Split) -> TrainingData:
        """Reduced images with the classifier's answers to full ones, which are in memory a batch at a time."""
        height, width = split.images.shape[2:]
        is_reduced = self._working_side(height, width) < min(height, width)
        whole = split if is_reduced else split.read()
        reduced, logits, mirrored = [], [], []
        for batch in whole.batches(self._params.classifier_batch):
            images = torch.from_numpy(batch.images)
            logits.append(in_batches(self._logits, images, len(images)))
            if self._params.flip:
                mirrored.append(in_batches(self._logits, images.flip(3), len(images)))
            if is_reduced:
                reduced.append(self._reduced(images))
        answers = torch.cat(logits)
        return TrainingData(
            images=torch.cat(reduced) if is_reduced else torch.from_numpy(whole.images),
            logits=answers,
            mirrored_logits=torch.cat(mirrored) if mirrored else answers,
            classifier=self._classifier,
            condition=Condition(self._params.condition, answers.shape[1], root_mean_square(answers)),
            distance=self._distance(),
            size=(height, width),
        )

    def _logits(self, images: Tensor) -> Tensor:
        """The classifier on (N, C, H, W), (N, K) on the CPU."""
        return self._classifier.class_logits(images.to(self._run.device)).cpu()

    def _working_side(self, height: int, width: int) -> int:
        """Side of what the networks see of such images; they are never enlarged."""
        return min(self._params.size or height, height, width)

    def _reduced(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to the size of the networks."""
        side = self._working_side(images.shape[2], images.shape[3])
        return resize(images, (side, side)) if side < min(images.shape[2:]) else images

    def _distance(self) -> Distance:
        """The perceptual distance; for `auto` a warning names the choice."""
        choice, device = self._params.perceptual, self._run.device
        if choice == "none" or not self._params.perceptual_weight:
            return no_distance()
        if choice == "lpips":
            return lpips_distance(device)
        if choice == "efficientnet-lite":
            return lite0_distance(device)
        return lpips_or(lambda: lite0_distance(device), self._run)

    def _architecture(self, data: TrainingData) -> Architecture:
        params = self._params
        channels, height, width = data.images.shape[1:]
        levels = levels_for((channels, height, width), params.shuffle)
        if height // params.shuffle < 2 ** (len(params.encoder_widths) - 1):
            raise UserError(
                f"encoder_widths: {len(params.encoder_widths)} widths halve the images more often than "
                f"{height // params.shuffle} pixels allow",
                "name fewer widths",
            )
        length = params.latent + data.condition.length  # d
        return Architecture(
            image_channels=channels,
            widths=checked_widths(params.widths, levels) or default_widths(levels, params.base, params.widest),
            z=length,
            w=length,
            mapping=0,  # E takes the mapping network's part
            noise=params.noise,
            shuffle=params.shuffle,
        )

    def encode(self, images: Tensor) -> Tensor:
        """w = [E(x), c(x)]: (N, C, H, W) in [0, 1] to (N, inputs, d)."""
        return self._for_all_inputs(self._w(images))

    def _w(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, d)."""
        images = images.to(self._run.device)
        return self._encoded(self._reduced(images), self._classifier.class_logits(images))

    def _encoded(self, images: Tensor, logits: Tensor) -> Tensor:
        """w of (N, C, h, w) reduced images and the classifier's logits (N, K) of the full ones: (N, d)."""
        images, logits, networks = images.to(self._run.device), logits.to(self._run.device), self.networks
        encoded = networks.encoder(from_pixels(images).contiguous(memory_format=torch.channels_last))
        return torch.cat([encoded, networks.condition.of(logits)], 1)

    def sample(self, n: int, rng: np.random.Generator) -> Tensor:
        """w of the Gaussian fitted to the training images, truncated."""
        length = self.network.architecture.w
        noise = to_tensor(rng.standard_normal((n, length), dtype="float32"), self._run)
        return self._for_all_inputs(self.networks.prior(noise, self._params.truncation))

    def _for_all_inputs(self, w: Tensor) -> Tensor:
        return w[:, None].repeat(1, self.network.architecture.inputs, 1)

    def _emit_sheets(self, images: Tensor, w: Tensor) -> None:
        """Emit some reduced training images, reconstructions from their w, and as many samples, at that size."""
        size = (images.shape[2], images.shape[3])
        with torch.no_grad():
            latents = [self._for_all_inputs(w), self.sample(len(images), self._run.rng("samples"))]
            reconstructions, samples = (resize(self.synthesize(one), size) for one in latents)
        sheets = {"training images": images, "reconstructions": reconstructions, "samples": samples}
        for name, sheet in sheets.items():
            ids = tuple(f"{name} {number}" for number in range(len(sheet)))
            self._run.emit(name, Split(images=to_array(sheet), ids=ids))


class Encoder(EncoderInverter):
    """x' = G[E(x), c(x)] (section 3.2)."""

    def __init__(self, params: EncoderParams, *, generator: Generator, run: Run) -> None:
        super().__init__(generator, Batch(params.batch, run, ENCODED_ON_CPU))
