"""Joint training of generator, encoder and discriminator (Lang et al. 2021, StylEx, section 3.2, equation 1).

Symbols are those of `networks` and `losses`. A step draws x, computes w = [E(x), c(x)] and x' = G(w), descends
L_rec + L_cls + L_adv + L_reg in G and E, then the logistic loss and, lazily, R1 in D.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import attrs
import torch
from sidelight_specs.roles import Classifier
from sidelight_stylegan2.networks.pixels import from_pixels, to_pixels
from sidelight_stylegan2.training.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    path_lengths,
    path_penalty,
)
from sidelight_stylegan2.training.steps import averaging_decay, descend, precision, recorded_steps
from sidelight_toolkit.devices import minibatch, resident
from sidelight_toolkit.images import resize
from sidelight_toolkit.muon import Muon, is_matrix
from sidelight_toolkit.perceptual import Distance
from sidelight_toolkit.seeding import generator
from sidelight_toolkit.training import minibatches
from torch import Tensor

from sidelight_stylex.losses import divergence, edge_loss, pixel_loss, square_loss, w_loss
from sidelight_stylex.networks import Condition

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from sidelight_specs import Run

    from sidelight_stylex.networks import Networks
    from sidelight_stylex.params import GeneratorParams

CURVES = ("pixels", "squares", "edges", "perceptual", "classifier", "w", "adversarial", "discriminator", "r1")
"""Recorded at every step: terms without their weights; one that is not computed at a step keeps its value."""
PATH_CURVE = "path length"
"""Recorded too where the path length penalty has a weight: mean |J^T y| of the images of the last such step."""
PATH_DECAY = 0.99  # of the running mean of path lengths (Karras et al. 2020)
PATH_BATCH_DIVISOR = 2  # path lengths take half a batch (Karras et al. 2020, appendix B)
WARM_UP = 100  # steps until learning rates are full
LAST = 0.01  # factor of the learning rates at the end: details come only when rates are low


@attrs.frozen(eq=False)
class TrainingData:
    """Images with the classifier's answers.

    Args:
        images: (N, C, h, w) in [0, 1], on the CPU, reduced to the size of the networks.
        logits: (N, K), the classifier on them.
        mirrored_logits: (N, K), the classifier on them mirrored; only read where `flip` is on.
        classifier: in evaluation mode; gradients pass through it, its weights get none.
        condition: c(x), the form of its answer in w.
        distance: of L_LPIPS.
        size: (H, W) of the images that the classifier sees.
    """

    images: Tensor
    logits: Tensor
    mirrored_logits: Tensor
    classifier: Classifier
    condition: Condition
    distance: Distance
    size: tuple[int, int]


@attrs.frozen(eq=False)
class Batch:
    """x in [0, 1] and in [-1, 1], C(x), w and x'."""

    pixels: Tensor
    images: Tensor
    logits: Tensor
    w: Tensor
    made: Tensor


class Training:
    """A training under way."""

    def __init__(self, learner: Learner, data: TrainingData, params: GeneratorParams, run: Run) -> None:
        self._learner, self._data, self._params, self._run = learner, data, params, run
        self._size = min(params.batch, len(data.images))
        self._rows = minibatches(len(data.images), self._size, run.rng("minibatches"))
        self._random = generator(run, "training", run.device)
        tensors = (data.images, data.logits, data.mirrored_logits)
        self._images, self._logits, self._mirrored_logits = (resident(each, run.device) for each in tensors)
        self._terms: dict[str, float | Tensor] = dict.fromkeys((*CURVES, PATH_CURVE) if params.path else CURVES, 0.0)
        self._joins = round(params.autoencoder * params.steps)  # step at which D joins

    def steps(self) -> dict[str, np.ndarray]:
        """Take all steps, or those that an interrupted training has left.

        Returns:
            (steps,) float32 for each of `CURVES`.

        Raises:
            SidelightError: a term is not finite; it names the step.
        """
        stateful = {**self._learner.stateful, "random": self._random, "minibatches": self._rows}
        return recorded_steps(self._run, self._params.steps, "training", self._step, self._terms, stateful)

    def _step(self, step: int) -> None:
        self._set_rates(step)
        batch, is_adversarial = self._reconstruct(), step >= self._joins and self._params.adversarial > 0
        loss = self._reconstruction_loss(batch, step)  # L_rec + L_cls
        if is_adversarial:
            loss = loss + self._params.adversarial * self._adversarial_loss(batch)  # + L_adv
        if self._params.path and step % self._params.path_every == 0:
            # lazy, as that of w; within this step, since steps of Muon are as long for small gradients as for large
            loss = loss + self._params.path * self._params.path_every * self._path_loss(batch)  # + L_reg
        descend(loss, *self._learner.optimizers.values())
        if is_adversarial:
            self._train_discriminator(batch, step)
        self._learner.average(averaging_decay(step, self._size, self._params.average))

    def _set_rates(self, step: int) -> None:
        for optimizer in self._learner.optimizers.values():
            for group, rate in zip(optimizer.param_groups, self._rates(step), strict=True):
                group["lr"] = rate
        # batch statistics at first, then the running ones, which are less noisy
        self._learner.encoder.train(step < round(self._params.batch_statistics * self._params.steps))

    def _rates(self, step: int) -> tuple[float, float]:
        """Learning rates of G and E: full after `WARM_UP` steps, then falling linearly to `LAST`."""
        factor = min(1.0, (step + 1) / WARM_UP) * (1 + (LAST - 1) * step / self._params.steps)
        return self._params.rate * factor, self._params.encoder_rate * factor

    def _reconstruct(self) -> Batch:
        """The next minibatch, with x' = G[E(x), c(x)]."""
        rows, device = next(self._rows), self._run.device
        pixels, logits = minibatch(self._images, rows, device), minibatch(self._logits, rows, device)
        if self._params.flip:
            flip = self._drawn_flips()  # (B,)
            pixels = torch.where(flip[:, None, None, None], pixels.flip(3), pixels)
            # C(x) of the image as it is seen: condition, KL target and the discriminator's label
            logits = torch.where(flip[:, None], minibatch(self._mirrored_logits, rows, device), logits)
        images = from_pixels(pixels).contiguous(memory_format=torch.channels_last)
        w = self._encode(images, logits)  # (B, d)
        inputs = self._learner.generator.architecture.inputs
        with precision(self._run.device, self._params.precision):
            made = self._learner.generator(w[:, None].expand(-1, inputs, -1), self._random)
        return Batch(pixels, images, logits, w, made)

    def _drawn_flips(self) -> Tensor:
        return (torch.rand(self._size, generator=self._random, device=self._random.device) < 0.5).to(self._run.device)

    def _encode(self, images: Tensor, logits: Tensor) -> Tensor:
        """w = [E(x), c(x)]."""
        with precision(self._run.device, self._params.precision):
            encoded = self._learner.encoder(images)
        return torch.cat([encoded, self._data.condition.of(logits)], 1)

    def _reconstruction_loss(self, batch: Batch, step: int) -> Tensor:
        """L_rec + L_cls: all terms that compare x' with x."""
        params, data = self._params, self._data
        loss = self._weighted("pixels", params.pixels, pixel_loss(batch.made, batch.images))  # L_rec^x
        loss = loss + self._weighted("squares", params.squares, square_loss(batch.made, batch.images))
        loss = loss + self._weighted("edges", params.edges, edge_loss(batch.made, batch.images))
        made_pixels = to_pixels(batch.made)
        perceptual = self._perceptual_loss(made_pixels, batch.pixels)  # L_LPIPS
        loss = loss + self._weighted("perceptual", params.perceptual_weight, perceptual)
        needs_logits = params.classifier or (params.w and data.condition.length)
        shown = resize(made_pixels, data.size)  # at the size that C is explained at
        made_logits = data.classifier.class_logits(shown) if needs_logits else batch.logits  # C(x')
        if params.classifier:
            pair = (made_logits, batch.logits) if params.divergence == "paper" else (batch.logits, made_logits)
            loss = loss + self._weighted("classifier", params.classifier, divergence(*pair))  # L_cls
        if params.w and step % params.w_every == 0:
            # lazy: one more pass of E every few steps, weighted by their number
            w = self._encode(batch.made.contiguous(memory_format=torch.channels_last), made_logits)
            loss = loss + self._weighted("w", params.w * params.w_every, w_loss(w, batch.w))  # L_rec^w
        return loss

    def _perceptual_loss(self, made: Tensor, images: Tensor) -> Tensor:
        distance = self._data.distance
        with precision(self._run.device, self._params.precision):
            with torch.no_grad():
                features = distance.features(images)
            return distance.between(distance.features(made), features).mean()

    def _weighted(self, name: str, weight: float, term: Tensor) -> Tensor:
        self._terms[name] = term.detach()
        return weight * term

    def _adversarial_loss(self, batch: Batch) -> Tensor:
        self._learner.discriminator.requires_grad_(False)  # D's own gradients are not needed here
        loss = generator_loss(self._discriminate(batch.made, batch.logits))
        self._learner.discriminator.requires_grad_(True)
        self._terms["adversarial"] = loss.detach()
        return loss

    def _path_loss(self, batch: Batch) -> Tensor:
        """(|J^T y| - a)^2 with J = dG/dw at w of half the batch; it moves G alone."""
        count = max(1, len(batch.w) // PATH_BATCH_DIVISOR)
        inputs = self._learner.generator.architecture.inputs
        w = batch.w[:count, None].detach().repeat(1, inputs, 1).requires_grad_()  # (B/2, inputs, d)
        with precision(self._run.device, self._params.precision):
            images = self._learner.generator(w, self._random)
        direction = torch.randn(images.shape, generator=self._random, device=self._random.device).to(images.device)  # y
        lengths = path_lengths(images, w, direction)  # |J^T y|, (B/2,)
        self._terms[PATH_CURVE] = lengths.detach().mean()
        return path_penalty(lengths, self._learner.update_path_mean(lengths))

    def _train_discriminator(self, batch: Batch, step: int) -> None:
        """One step of D on the images that G has just made."""
        optimizer = self._learner.discriminator_optimizer
        real = self._discriminate(batch.images, batch.logits)
        loss = discriminator_loss(real, self._discriminate(batch.made.detach(), batch.logits))
        descend(loss, optimizer)
        self._terms["discriminator"] = loss.detach()
        if self._params.r1 and step % self._params.r1_every == 0:
            images = batch.images.detach().requires_grad_()
            penalty = self._params.r1 * gradient_penalty(self._discriminate(images, batch.logits), images)
            descend(penalty * self._params.r1_every, optimizer)
            self._terms["r1"] = penalty.detach()

    def _discriminate(self, images: Tensor, logits: Tensor) -> Tensor:
        """D(x), (B, 1), with the classifier's probabilities as its label where G is conditioned."""
        labels = logits.softmax(1) if self._learner.discriminator.conditioned else None
        with precision(self._run.device, self._params.precision):
            realness: Tensor = self._learner.discriminator(images.contiguous(memory_format=torch.channels_last), labels)
        return realness


NETWORKS = ("generator", "encoder", "discriminator", "average_generator", "average_encoder")


class Learner:
    """All that is learned: G, E and D, the averages of the first two, optimizers, and the mean path length.

    Args:
        networks: freshly built.
        params: learning rates.
        device: of the networks.
    """

    def __init__(self, networks: Networks, params: GeneratorParams, device: str) -> None:
        self.generator = _on_device(networks.generator, device)
        self.encoder = _on_device(networks.encoder, device)
        self.discriminator = _on_device(networks.discriminator, device)
        self.average_generator = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.average_encoder = copy.deepcopy(self.encoder).eval().requires_grad_(False)
        self.path_mean = torch.zeros((), device=device)  # a, 0 before the first lengths
        rates = ((self.generator, params.rate), (self.encoder, params.encoder_rate))
        self.optimizers = _optimizers(rates, params)
        # lazy R1 is a step of its own: c = k / (k + 1) (Karras et al. 2020, appendix B)
        c = params.r1_every / (params.r1_every + 1)
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), params.discriminator_rate * c, betas=(0.0, 0.99**c), fused=True
        )

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the averages: decay * average + (1 - decay) * weights. Statistics of batches are copied."""
        for average, network in (
            (self.average_generator, self.generator),
            (self.average_encoder, self.encoder),
        ):
            weights = [weight.detach() for weight in network.parameters()]
            torch._foreach_lerp_(list(average.parameters()), weights, 1 - decay)
            for old, new in zip(average.buffers(), network.buffers(), strict=True):
                old.copy_(new)

    def update_path_mean(self, lengths: Tensor) -> Tensor:
        """a, the running mean of path lengths, after (N,) new ones; it begins with the first lengths."""
        mean = lengths.detach().mean()
        # chosen on the device, so that the host need not wait for it
        mean = torch.where(self.path_mean == 0, mean, torch.lerp(mean, self.path_mean, PATH_DECAY))
        self.path_mean.copy_(mean)
        return mean

    @property
    def stateful(self) -> dict[str, Any]:
        """Whatever a step changes."""
        others = {"discriminator_optimizer": self.discriminator_optimizer, "path_mean": self.path_mean}
        return {**{name: getattr(self, name) for name in NETWORKS}, **self.optimizers, **others}


def _optimizers(
    rates: Sequence[tuple[torch.nn.Module, float]], params: GeneratorParams
) -> dict[str, torch.optim.Optimizer]:
    """Muon for matrices and Adam for biases and the like, or Adam for all; a group for each network at its rate."""
    by_muon = is_matrix if params.optimizer == "muon" else lambda _: False

    def groups(muon: bool) -> list[dict[str, Any]]:
        chosen = [[weight for weight in network.parameters() if by_muon(weight) == muon] for network, _ in rates]
        return [{"params": weights, "lr": rate} for weights, (_, rate) in zip(chosen, rates, strict=True)]

    dtype = torch.bfloat16 if params.precision == "bfloat16" else torch.float32
    adam = torch.optim.Adam(groups(muon=False), betas=(0.9, 0.99), fused=True)
    return {"optimizer": adam, "matrix_optimizer": Muon(groups(muon=True), dtype)}


def _on_device(network: Any, device: str) -> Any:
    """Channels innermost in memory: convolutions on a CPU are faster so."""
    return network.to(device=device, memory_format=torch.channels_last)
