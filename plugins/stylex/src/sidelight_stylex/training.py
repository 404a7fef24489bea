"""Joint training of generator, encoder and discriminator (StylEx, section 3.2, equation 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from sidelight_specs.roles import Classifier
from sidelight_stylegan2.networks.pixels import from_pixels, to_pixels
from sidelight_stylegan2.training.losses import discriminator_loss, generator_loss, r1_penalty
from sidelight_stylegan2.training.steps import averaging_decay, descend, noted_steps, precision
from sidelight_toolkit.perceptual import Distance
from sidelight_toolkit.seeding import generator
from sidelight_toolkit.training import minibatches
from torch import Tensor

from sidelight_stylex.condition import Condition
from sidelight_stylex.losses import divergence, edge_loss, pixel_loss, square_loss, w_loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from sidelight_specs import Run

    from sidelight_stylex.learner import Learner
    from sidelight_stylex.params import GeneratorParams

CURVES = ("pixels", "squares", "edges", "perceptual", "classifier", "w", "adversarial", "discriminator", "r1")
"""What is noted at every step: the terms without their weights; one that is not computed at a step keeps its value."""
WARM_UP = 100
LAST = 0.01
"""Steps until learning rates are full; what they are multiplied by at the end."""


@attrs.frozen(eq=False)
class Material:
    """What a training works on.

    Args:
        images: (N, C, H, W) in [0, 1], on the CPU.
        logits: (N, K), the classifier on them.
        mirrored_logits: (N, K), the classifier on them mirrored; only read where `flip` is on.
        classifier: in evaluation mode; gradients pass through it, its weights get none.
        condition: what of its answer stands in w.
        distance: to a network's eye.
    """

    images: Tensor
    logits: Tensor
    mirrored_logits: Tensor
    classifier: Classifier
    condition: Condition
    distance: Distance


@attrs.frozen(eq=False)
class Batch:
    """Images x in [0, 1] and [-1, 1], C(x), and how the generator reproduces them."""

    pixels: Tensor
    images: Tensor
    logits: Tensor
    w: Tensor
    made: Tensor


class Training:
    """One stretch of training, with random streams of its own, so that it can be repeated to the bit."""

    def __init__(self, learner: Learner, material: Material, params: GeneratorParams, run: Run, part: int) -> None:
        self._learner, self._material, self._params, self._run, self._part = learner, material, params, run, part
        self._size = min(params.batch, len(material.images))
        count = len(material.images)
        self._rows: Iterator[np.ndarray] = minibatches(count, self._size, run.rng(f"minibatches {part}"))
        self._random = generator(run, f"training {part}")
        self._noted = dict.fromkeys(CURVES, 0.0)
        self._joins = round(params.autoencoder * params.steps)

    def steps(self, steps: range) -> dict[str, np.ndarray]:
        """Train; the numbers count from the beginning of the whole training.

        Returns:
            (T,) float32 for each of `CURVES`.

        Raises:
            SidelightError: a term is not finite; it names the step.
        """
        label = f"training {self._part} of {self._params.checkpoints}"
        return noted_steps(self._run, steps, label, self._step, self._noted)

    def _step(self, step: int) -> None:
        self._prepare(step)
        batch, adversary = self._reproduced(), step >= self._joins and self._params.adversarial > 0
        loss = self._reconstruction(batch, step)
        if adversary:
            loss = loss + self._params.adversarial * self._persuasion(batch)
        descend(loss, *self._learner.optimizers.values())
        if adversary:
            self._discriminate(batch, step)
        self._learner.follow(averaging_decay(step, self._size, self._params.average))

    def _prepare(self, step: int) -> None:
        """Learning rates; and whether the encoder's batches are normalised by themselves or by those before."""
        for optimizer in self._learner.optimizers.values():
            for group, rate in zip(optimizer.param_groups, self._rates(step), strict=True):
                group["lr"] = rate
        self._learner.encoder.train(step < round(self._params.batch_statistics * self._params.steps))

    def _rates(self, step: int) -> tuple[float, float]:
        """Full after some steps, then falling linearly: details come only when rates are low."""
        share = min(1.0, (step + 1) / WARM_UP) * (1 + (LAST - 1) * step / self._params.steps)
        return self._params.rate * share, self._params.encoder_rate * share

    def _reproduced(self) -> Batch:
        """x' = G[E(x), C(x)]."""
        rows, device = torch.from_numpy(next(self._rows)), self._run.device
        pixels = self._material.images[rows].to(device)
        logits = self._material.logits[rows].to(device)
        if self._params.flip:
            mirrored = self._mirrored()  # (B,)
            pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
            # C(x) of the picture as it is seen: condition, KL target and the discriminator's label
            logits = torch.where(mirrored[:, None], self._material.mirrored_logits[rows].to(device), logits)
        images = from_pixels(pixels).contiguous(memory_format=torch.channels_last)
        w = self._encoded(images, logits)
        inputs = self._learner.generator.architecture.inputs
        with precision(self._run.device, self._params.precision):
            made = self._learner.generator(w[:, None].expand(-1, inputs, -1), self._random)
        return Batch(pixels, images, logits, w, made)

    def _mirrored(self) -> Tensor:
        return (torch.rand(self._size, generator=self._random) < 0.5).to(self._run.device)

    def _encoded(self, images: Tensor, logits: Tensor) -> Tensor:
        with precision(self._run.device, self._params.precision):
            found = self._learner.encoder(images)
        return torch.cat([found, self._material.condition.of(logits)], 1)

    def _reconstruction(self, batch: Batch, step: int) -> Tensor:
        """All terms that compare x' with x."""
        params, material = self._params, self._material
        loss = self._weighted("pixels", params.pixels, pixel_loss(batch.made, batch.images))
        loss = loss + self._weighted("squares", params.squares, square_loss(batch.made, batch.images))
        loss = loss + self._weighted("edges", params.edges, edge_loss(batch.made, batch.images))
        shown = to_pixels(batch.made)
        loss = loss + self._weighted("perceptual", params.perceptual_weight, self._seen(shown, batch.pixels))
        told = params.w and material.condition.length
        answered = material.classifier.class_logits(shown) if params.classifier or told else batch.logits
        if params.classifier:
            pair = (answered, batch.logits) if params.divergence == "paper" else (batch.logits, answered)
            loss = loss + self._weighted("classifier", params.classifier, divergence(*pair))
        if params.w and step % params.w_every == 0:
            again = self._encoded(batch.made.contiguous(memory_format=torch.channels_last), answered)
            loss = loss + self._weighted("w", params.w * params.w_every, w_loss(again, batch.w))
        return loss

    def _seen(self, made: Tensor, images: Tensor) -> Tensor:
        distance = self._material.distance
        with precision(self._run.device, self._params.precision):
            with torch.no_grad():
                wanted = distance.features(images)
            return distance.between(distance.features(made), wanted).mean()

    def _weighted(self, name: str, weight: float, term: Tensor) -> Tensor:
        self._noted[name] = term.item()
        return weight * term

    def _persuasion(self, batch: Batch) -> Tensor:
        self._learner.discriminator.requires_grad_(False)
        loss = generator_loss(self._judge(batch.made, batch.logits))
        self._learner.discriminator.requires_grad_(True)
        self._noted["adversarial"] = loss.item()
        return loss

    def _discriminate(self, batch: Batch, step: int) -> None:
        """One step of the discriminator on the images that the generator has just made."""
        optimizer = self._learner.discriminator_optimizer
        real = self._judge(batch.images, batch.logits)
        loss = discriminator_loss(real, self._judge(batch.made.detach(), batch.logits))
        descend(loss, optimizer)
        self._noted["discriminator"] = loss.item()
        if self._params.r1 and step % self._params.r1_every == 0:
            images = batch.images.detach().requires_grad_()
            penalty = self._params.r1 * r1_penalty(self._judge(images, batch.logits), images)
            descend(penalty * self._params.r1_every, optimizer)
            self._noted["r1"] = penalty.item()

    def _judge(self, images: Tensor, logits: Tensor) -> Tensor:
        """D is told the classifier's probabilities where the generator is told its answer."""
        told = logits.softmax(1) if self._learner.discriminator.conditioned else None
        with precision(self._run.device, self._params.precision):
            judged: Tensor = self._learner.discriminator(images.contiguous(memory_format=torch.channels_last), told)
        return judged
