"""Adversarial training of StyleGAN2 (Karras et al. 2020, sections 2.3, 3 and appendix B).

A step: the logistic loss in D, whose images are augmented (`augmentation`), lazily R1; the non-saturating loss in G,
lazily the path length penalty; the moving average of G's weights. On request a made image is compared with a real one
of its class in place of both losses, and D has R2 beside R1 (Huang et al. 2024, R3GAN). Losses are `losses`; z noise,
w = mapping(z), y labels, x images.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from sidelight_toolkit.muon import Muon, is_matrix
from sidelight_toolkit.seeding import generator
from sidelight_toolkit.training import minibatches

from sidelight_stylegan2.networks.discriminator import Discriminator
from sidelight_stylegan2.networks.pixels import clip
from sidelight_stylegan2.networks.synthesis import Network
from sidelight_stylegan2.training.augmentation import AdaptiveProbability, augment
from sidelight_stylegan2.training.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    mode_seeking_loss,
    path_lengths,
    path_penalty,
    relativistic_loss,
)
from sidelight_stylegan2.training.steps import averaging_decay, descend, precision, recorded_steps

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from sidelight_specs import Run
    from torch import Tensor

    from sidelight_stylegan2.networks.architecture import Architecture
    from sidelight_stylegan2.params import GeneratorParams

CURVES = ("generator", "discriminator", "real", "fake", "r1", "r2", "path length", "augmentation")
"""Recorded at every step: both losses; mean logits of real and of made images; the regularisers, which keep their
values until they are computed again; the probability of augmentations."""
CENTER_DECAY = 0.995  # of the running mean of w
PATH_DECAY = 0.99  # of the running mean of path lengths
PATH_BATCH_DIVISOR = 2  # path lengths take half a batch (Karras et al. 2020, appendix B)
SLOWEST = 0.05  # factor of the learning rates at the end, where they fall


class Training:
    """A training under way.

    Args:
        learner: the networks, changed in place.
        images: (N, C, H, W) in [-1, 1].
        labels: (N,) class indices, or None without classes.
        params: options.
        run: the kernel.
    """

    def __init__(
        self, learner: Learner, images: Tensor, labels: Tensor | None, params: GeneratorParams, run: Run
    ) -> None:
        self._learner, self._images, self._labels, self._params, self._run = learner, images, labels, params, run
        self._random = generator(run, "training", run.device)
        size = min(params.batch, len(images))
        self._rows = minibatches(len(images), size, run.rng("minibatches"))
        self._count = size
        self._architecture = learner.generator.architecture
        self._is_relativistic = params.loss == "relativistic"
        self._terms: dict[str, float | Tensor] = dict.fromkeys(CURVES, 0.0)

    def steps(self) -> dict[str, np.ndarray]:
        """Take all steps, or those that an interrupted training has left.

        Returns:
            (steps,) float32 for each of `CURVES`.

        Raises:
            SidelightError: a loss is not finite; it names the step.
        """
        stateful = {**self._learner.stateful, "random": self._random, "minibatches": self._rows}
        return recorded_steps(self._run, self._params.steps, "training", self._step, self._terms, stateful)

    def _step(self, step: int) -> None:
        params = self._params
        self._learner.scale_rates(rate_factor(step, params.steps, params.decay))
        has_penalty = bool(params.r1 or params.r2)
        self._train_discriminator(has_penalty and params.r1_every == 1)
        if has_penalty and params.r1_every > 1 and step % params.r1_every == 0:
            self._regularise_gradient()
        self._train_generator()
        if params.path and step % params.path_every == 0:
            self._regularise_path()
        self._learner.update_average(averaging_decay(step, self._count, self._params.average))

    def _train_discriminator(self, is_penalised: bool) -> None:
        """Descend D's loss; with the gradient penalties where they are due at every step."""
        images, labels = self._real()
        with torch.no_grad():
            made, made_labels = self._made(self._count, labels if self._is_relativistic else None)
            images, made = self._augmented(images), self._augmented(made)
        for x in (images, made):
            x.requires_grad_(is_penalised)
        real = self._discriminate(images, labels)  # logits, (B, 1)
        fake = self._discriminate(made, made_labels)
        loss = relativistic_loss(real, fake) if self._is_relativistic else discriminator_loss(real, fake)
        penalty = self._penalty(real, images, fake, made) if is_penalised else 0.0
        descend(loss + penalty, self._learner.discriminator_optimizer)
        if self._params.augment:
            # the loss leaves open where the logits of pairs lie: no sign but that of their difference means anything
            self._learner.augmentation.update(real - fake if self._is_relativistic else real)
        self._terms["augmentation"] = self._learner.augmentation.p
        self._terms |= {"discriminator": loss.detach(), "real": real.detach().mean(), "fake": fake.detach().mean()}

    def _regularise_gradient(self) -> None:
        images, labels = self._real()
        images = self._augmented(images).requires_grad_()  # the gradient at what D sees
        made: Tensor | None = None
        fake: Tensor | None = None
        if self._params.r2:
            with torch.no_grad():
                made, made_labels = self._made(self._count)
                made = self._augmented(made)
            fake = self._discriminate(made.requires_grad_(), made_labels)
        penalty = self._penalty(self._discriminate(images, labels), images, fake, made)
        # lazy regularisation: computed every k steps, with k times the weight
        descend(penalty * self._params.r1_every, self._learner.discriminator_optimizer)

    def _penalty(self, real: Tensor, images: Tensor, fake: Tensor | None, made: Tensor | None) -> Tensor:
        """gamma_1 R1 + gamma_2 R2 of logits and of the images that they are of."""
        params, penalty = self._params, torch.zeros((), device=images.device)
        if params.r1:
            r1 = params.r1 * gradient_penalty(real, images)
            penalty, self._terms["r1"] = penalty + r1, r1.detach()
        if params.r2 and fake is not None and made is not None:
            r2 = params.r2 * gradient_penalty(fake, made)
            penalty, self._terms["r2"] = penalty + r2, r2.detach()
        return penalty

    def _train_generator(self) -> None:
        self._learner.discriminator.requires_grad_(False)  # D's own gradients are not needed here
        seeking, real, labels = self._params.mode_seeking, None, None
        if self._is_relativistic:
            partners, labels = self._real()
            with torch.no_grad():
                real = self._discriminate(self._augmented(partners), labels)
        if seeking:
            images, labels, z = self._made_pairs(labels)
            penalty = seeking * mode_seeking_loss(images, z)
            real = None if real is None else real[: len(images) // 2].repeat(2, 1)  # one partner for both of a pair
        else:
            images, labels = self._made(self._count, labels)
            penalty = torch.zeros((), device=images.device)
        fake = self._discriminate(self._augmented(images), labels)
        loss = generator_loss(fake) if real is None else relativistic_loss(fake, real)
        self._learner.discriminator.requires_grad_(True)
        descend(loss + penalty, *self._learner.generator_optimizers)
        self._terms["generator"] = loss.detach()

    def _regularise_path(self) -> None:
        w, _ = self._mapped(max(1, self._count // PATH_BATCH_DIVISOR))
        w = w if w.requires_grad else w.requires_grad_()  # without a mapping network nothing before w is learned
        images = self._unclipped(w)  # clipping's gradients are for a loss, and J is none's
        lengths = path_lengths(images, w, self._normal(*images.shape))  # |J^T y|, (B,)
        mean = self._learner.update_path_mean(lengths, PATH_DECAY)  # a
        penalty = self._params.path * path_penalty(lengths, mean)
        descend(penalty * self._params.path_every, *self._learner.generator_optimizers)
        self._terms["path length"] = lengths.detach().mean()

    def _real(self) -> tuple[Tensor, Tensor | None]:
        rows = torch.from_numpy(next(self._rows)).to(self._images.device)
        images = self._images[rows]
        if self._params.flip:
            flip = (self._uniform(len(rows)) < 0.5).to(images.device)
            images = torch.where(flip[:, None, None, None], images.flip(3), images)
        return images, None if self._labels is None else self._labels[rows]

    def _made(self, count: int, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Images, of these labels or of drawn ones, and their labels."""
        w, labels = self._mapped(count, labels)
        return self._draw(w), labels

    def _made_pairs(self, labels: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
        """Images, labels and z of pairs for mode seeking: the second half of the batch has the classes of the first."""
        pairs = max(1, self._count // 2)
        labels = self._drawn_labels(pairs) if labels is None else labels[:pairs]
        labels = None if labels is None else labels.repeat(2)
        z = self._normal(2 * pairs, self._architecture.z)
        w = self._learner.generator.map(z, labels)
        self._learner.generator.mapping.update_center(w[:, 0], CENTER_DECAY)
        return self._draw(w), labels, z

    def _drawn_labels(self, count: int) -> Tensor | None:
        """Labels drawn from the data."""
        if self._labels is None:
            return None
        rows = torch.randint(len(self._labels), (count,), generator=self._random, device=self._random.device)
        return self._labels[rows.to(self._labels.device)]

    def _mapped(self, count: int, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """w of random z and of labels, by default drawn from the data; for some images of two z (style mixing)."""
        labels = self._drawn_labels(count) if labels is None else labels
        network, z = self._learner.generator, self._architecture.z
        w = network.map(self._normal(count, z), labels)  # (B, inputs, d)
        network.mapping.update_center(w[:, 0], CENTER_DECAY)
        if not self._params.mixing:
            return w, labels
        return torch.where(self._mixed(count), network.map(self._normal(count, z), labels), w), labels

    def _mixed(self, count: int) -> Tensor:
        """Inputs that follow the second z, (B, inputs, 1) bool: from a random one on, for `mixing` of the images."""
        inputs = self._architecture.inputs
        crossover = torch.randint(1, inputs, (count,), generator=self._random, device=self._random.device)
        is_mixed = self._uniform(count) < self._params.mixing
        crossover = torch.where(is_mixed, crossover, inputs)
        return (torch.arange(inputs, device=crossover.device) >= crossover[:, None])[:, :, None].to(self._images.device)

    def _draw(self, w: Tensor) -> Tensor:
        images = self._unclipped(w)
        return clip(images) if self._params.clip else images

    def _unclipped(self, w: Tensor) -> Tensor:
        with precision(self._images.device, self._params.precision):
            images: Tensor = self._learner.generator(w, self._random)
        return images

    def _augmented(self, images: Tensor) -> Tensor:
        return augment(images, self._learner.augmentation.p, self._params.augment, self._random)

    def _discriminate(self, images: Tensor, labels: Tensor | None) -> Tensor:
        with precision(self._images.device, self._params.precision):
            logits: Tensor = self._learner.discriminator(images.contiguous(memory_format=torch.channels_last), labels)
        return logits

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._random, device=self._random.device).to(self._images.device)

    def _uniform(self, count: int) -> Tensor:
        return torch.rand(count, generator=self._random, device=self._random.device)


def rate_factor(step: int, steps: int, decay: float) -> float:
    """Factor of the learning rates: 1, and over the last `decay` of the steps falling linearly to `SLOWEST`."""
    left = (steps - step) / steps
    return 1.0 if left >= decay else SLOWEST + (1 - SLOWEST) * left / decay


class Learner:
    """All that is learned: G, D, the average of G, the optimizers, the mean path length, p of augmentations.

    Args:
        architecture: sizes of the networks.
        params: learning rates, and intervals of the regularisers.
        device: of the networks. Their weights are drawn from torch's global CPU stream.
    """

    def __init__(self, architecture: Architecture, params: GeneratorParams, device: str) -> None:
        self.generator = _on_device(Network(architecture), device)
        self.discriminator = _on_device(Discriminator(architecture, deviation=params.deviation), device)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.generator.synthesis.modulated_by(params.modulation)
        self.path_mean = torch.zeros((), device=device)
        self.augmentation = AdaptiveProbability(params.target, params.ramp)
        every = params.path_every if params.path else 0
        by_muon = is_matrix if params.optimizer == "muon" else lambda _: False
        weights = list(self.generator.parameters())
        self.generator_optimizer = _adam([weight for weight in weights if not by_muon(weight)], params.rate, every)
        self.matrix_optimizer: Muon | None = None
        if params.optimizer == "muon":
            dtype = torch.bfloat16 if params.precision == "bfloat16" else torch.float32
            matrices = [weight for weight in weights if is_matrix(weight)]
            self.matrix_optimizer = Muon([{"params": matrices, "lr": params.rate}], dtype)
        # penalties of every step are part of D's loss
        every = params.r1_every if params.r1_every > 1 else 0
        self.discriminator_optimizer = _adam(self.discriminator.parameters(), params.discriminator_rate, every)
        self._rates = {optimizer: optimizer.param_groups[0]["lr"] for optimizer in self._optimizers.values()}

    @property
    def generator_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam, and Muon where it moves the matrices."""
        return [optimizer for optimizer in (self.generator_optimizer, self.matrix_optimizer) if optimizer is not None]

    def scale_rates(self, factor: float) -> None:
        """Set the learning rates to this factor times those of the beginning."""
        for optimizer, rate in self._rates.items():
            for group in optimizer.param_groups:
                group["lr"] = factor * rate

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the average towards the generator: decay * average + (1 - decay) * generator."""
        torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 1 - decay)
        for old, new in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            old.copy_(new)

    def update_path_mean(self, lengths: torch.Tensor, decay: float) -> torch.Tensor:
        """Running mean of path lengths after (N,) new ones; it begins with the first lengths.

        Beginning with 0, it would ask for images that do not move with w at all, until it has caught up: for hundreds
        of steps.
        """
        mean = lengths.detach().mean()
        # chosen on the device, so that the host need not wait for it
        mean = torch.where(self.path_mean == 0, mean, torch.lerp(mean, self.path_mean, decay))
        self.path_mean.copy_(mean)
        return mean

    @property
    def stateful(self) -> dict[str, Any]:
        """Whatever a step changes."""
        others = {"path mean": self.path_mean, "augmentation": self.augmentation}
        return {**self._networks, **self._optimizers, **others}

    @property
    def _networks(self) -> dict[str, torch.nn.Module]:
        return {name: getattr(self, name) for name in ("generator", "discriminator", "average")}

    @property
    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        names = ("generator_optimizer", "matrix_optimizer", "discriminator_optimizer")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def _on_device(network: Any, device: str) -> Any:
    """Channels innermost in memory: convolutions on a CPU are faster so."""
    return network.to(device=device, memory_format=torch.channels_last)


def _adam(weights: Iterable[torch.nn.Parameter], rate: float, every: int) -> torch.optim.Adam:
    """Adam for lazy regularisation: a regulariser every k steps is one more step, for which the settings make up."""
    c = every / (every + 1) if every else 1.0  # Karras et al. 2020, appendix B
    return torch.optim.Adam(weights, lr=rate * c, betas=(0.0, 0.99**c), eps=1e-8)
