"""Adversarial training (Karras et al. 2020): logistic loss, lazy R1 and path length, style mixing, averaging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.seeding import generator
from sidelight_toolkit.training import minibatches

from sidelight_stylegan2.training.losses import (
    discriminator_loss,
    generator_loss,
    path_lengths,
    path_penalty,
    r1_penalty,
)
from sidelight_stylegan2.training.steps import averaging_decay, descend, noted_steps, precision

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_stylegan2.params import GeneratorParams
    from sidelight_stylegan2.training.learner import Learner

CURVES = ("generator", "discriminator", "real", "fake", "r1", "path length")
"""What is noted at every step: both losses; the mean logits of real and of made images; the regularisers, each kept
until it is computed again."""
CENTER_DECAY = 0.995
PATH_DECAY = 0.99
"""Of the running means of w and of path lengths, for each time that they are computed."""
PATH_SHARE = 2
"""Path lengths are computed for this fraction of a batch (Karras et al. 2020, appendix B)."""
SLOWEST = 0.05
"""What is left of the learning rates at the end, where they fall."""


class Training:
    """One stretch of training, with random streams of its own.

    Args:
        learner: the networks, changed in place.
        images: (N, C, H, W) in [-1, 1].
        labels: (N,) class indices, or None without classes.
        params: how to train.
        run: the kernel.
        part: the number of the stretch; two stretches of the same number draw the same numbers.
    """

    def __init__(
        self, learner: Learner, images: Tensor, labels: Tensor | None, params: GeneratorParams, run: Run, part: int
    ) -> None:
        self._learner, self._images, self._labels, self._params, self._run = learner, images, labels, params, run
        self._random = generator(run, f"training {part}")
        size = min(params.batch, len(images))
        self._rows: Iterator[np.ndarray] = minibatches(len(images), size, run.rng(f"minibatches {part}"))
        self._count, self._part = size, part
        self._facts = learner.generator.architecture
        self._noted = dict.fromkeys(CURVES, 0.0)

    def steps(self, steps: range) -> dict[str, np.ndarray]:
        """Train; the numbers count from the beginning of the whole training.

        Returns:
            (T,) float32 for each of `CURVES`.

        Raises:
            SidelightError: a loss is not finite; it names the step.
        """
        label = f"training {self._part} of {self._params.checkpoints}"
        return noted_steps(self._run, steps, label, self._step, self._noted)

    def _step(self, step: int) -> None:
        params = self._params
        self._learner.slow_down(slowed(step, params.steps, params.decay))
        self._discriminate()
        if params.r1 and step % params.r1_every == 0:
            self._penalise_gradient()
        self._generate()
        if params.path and step % params.path_every == 0:
            self._penalise_path()
        self._learner.follow(averaging_decay(step, self._count, self._params.average))

    def _discriminate(self) -> None:
        images, labels = self._real()
        with torch.no_grad():
            made, classes = self._made(self._count)
        real, fake = self._judge(images, labels), self._judge(made, classes)
        loss = discriminator_loss(real, fake)
        descend(loss, self._learner.discriminator_optimizer)
        self._noted |= {"discriminator": loss.item(), "real": real.mean().item(), "fake": fake.mean().item()}

    def _penalise_gradient(self) -> None:
        images, labels = self._real()
        images.requires_grad_()
        penalty = self._params.r1 * r1_penalty(self._judge(images, labels), images)
        descend(penalty * self._params.r1_every, self._learner.discriminator_optimizer)
        self._noted["r1"] = penalty.item()

    def _generate(self) -> None:
        self._learner.discriminator.requires_grad_(False)
        loss = generator_loss(self._judge(*self._made(self._count)))
        self._learner.discriminator.requires_grad_(True)
        descend(loss, self._learner.generator_optimizer)
        self._noted["generator"] = loss.item()

    def _penalise_path(self) -> None:
        w, _ = self._mapped(max(1, self._count // PATH_SHARE))
        w = w if w.requires_grad else w.requires_grad_()  # without a mapping network nothing before w is learned
        images = self._drawn(w)
        lengths = path_lengths(images, w, self._normal(*images.shape))
        mean = self._learner.follow_path(lengths, PATH_DECAY)
        penalty = self._params.path * path_penalty(lengths, mean)
        descend(penalty * self._params.path_every, self._learner.generator_optimizer)
        self._noted["path length"] = lengths.mean().item()

    def _real(self) -> tuple[Tensor, Tensor | None]:
        rows = torch.from_numpy(next(self._rows)).to(self._images.device)
        images = self._images[rows]
        if self._params.flip:
            mirrored = (torch.rand(len(rows), generator=self._random) < 0.5).to(images.device)
            images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        return images, None if self._labels is None else self._labels[rows]

    def _made(self, count: int) -> tuple[Tensor, Tensor | None]:
        w, labels = self._mapped(count)
        return self._drawn(w), labels

    def _mapped(self, count: int) -> tuple[Tensor, Tensor | None]:
        """w of random z and classes that follow the data, in some cases of two z (style mixing)."""
        labels = None
        if self._labels is not None:
            chosen = torch.randint(len(self._labels), (count,), generator=self._random)
            labels = self._labels[chosen.to(self._labels.device)]
        network, facts = self._learner.generator, self._facts
        w = network.map(self._normal(count, facts.z), labels)
        network.mapping.follow(w[:, 0], CENTER_DECAY)
        if not self._params.mixing:
            return w, labels
        return torch.where(self._later(count), network.map(self._normal(count, facts.z), labels), w), labels

    def _later(self, count: int) -> Tensor:
        """(N, inputs, 1): which inputs follow the second z: from a random one on; none in 1 - `mixing` of images."""
        inputs = self._facts.inputs
        crossing = torch.randint(1, inputs, (count,), generator=self._random)
        mixed = torch.rand(count, generator=self._random) < self._params.mixing
        crossing = torch.where(mixed, crossing, inputs)
        return (torch.arange(inputs) >= crossing[:, None])[:, :, None].to(self._images.device)

    def _drawn(self, w: Tensor) -> Tensor:
        with precision(self._images.device, self._params.precision):
            images: Tensor = self._learner.generator(w, self._random)
        return images

    def _judge(self, images: Tensor, labels: Tensor | None) -> Tensor:
        with precision(self._images.device, self._params.precision):
            logits: Tensor = self._learner.discriminator(images.contiguous(memory_format=torch.channels_last), labels)
        return logits

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._random).to(self._images.device)


def slowed(step: int, steps: int, decay: float) -> float:
    """Factor of the learning rates: 1, and over the last share `decay` of the steps down to `SLOWEST`, linearly."""
    left = (steps - step) / steps
    return 1.0 if left >= decay else SLOWEST + (1 - SLOWEST) * left / decay
