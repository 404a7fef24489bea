"""Inversion by optimisation (Karras et al. 2020, appendix D; w for each layer: Abdal et al. 2019)."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import attrs
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Inversion
from sidelight_specs.roles import Inverter
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches, slices
from sidelight_toolkit.perceptual import Distance, classifier_distance, lpips_distance, lpips_or, no_distance
from sidelight_toolkit.seeding import generator
from torch import Tensor

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Generator

    from sidelight_stylegan2.params import ProjectParams

RISE, FALL, NOISY = 0.05, 0.25, 0.75
"""Shares of the steps: the rate rises at the beginning and falls at the end; noise is added until it falls."""
LEAST = 1e-6
"""Unit of a distance that is smaller than this at the start."""


@attrs.frozen(eq=False)
class Start:
    """Where every search starts.

    Args:
        center: (1, inputs, d) average w.
        spread: root of the mean squared distance of w from it (sigma_w of appendix D), over one input.
    """

    center: Tensor
    spread: float


class Project(Inverter):
    """Moves w by Adam until the generator's image is like the given one, in pixels and to a network's eye.

    Each distance is taken in units of what it is at the start, so that weights mean the same whatever network looks.
    """

    def __init__(
        self, params: ProjectParams, *, generator: Generator, classifier: Classifier | None = None, run: Run
    ) -> None:
        self._params, self._generator, self._classifier, self._run = params, generator, classifier, run

    def invert(self, images: Tensor) -> Inversion:
        """Search for each image; the answer is kept.

        Raises:
            UserError: the images are not of the generator's shape.
        """
        if tuple(images.shape[1:]) != tuple(self._generator.image_shape):
            raise UserError(
                f"the images are {tuple(images.shape[1:])}, the generator makes {tuple(self._generator.image_shape)}",
                "use the data that the generator was trained on",
            )
        digest = hashlib.blake2b(to_array(images).tobytes(), digest_size=16).hexdigest()
        return self._run.cached(("project", digest), lambda: self._inverted(images))

    def _inverted(self, images: Tensor) -> Inversion:
        distance, start = self._distance(images), self._start()
        parts = [images[rows] for rows in slices(len(images), self._params.batch)]
        latents = torch.cat([self._searched(part, distance, start) for part in parts])
        made = in_batches(self._generator.synthesize, latents, self._params.batch)
        error = (images - made).square().mean((1, 2, 3))
        return Inversion(latents=to_array(latents), reconstructions=to_array(made), error=to_array(error))

    def _searched(self, images: Tensor, distance: Distance, start: Start) -> Tensor:
        """(N, inputs, d) for a batch. Noise is the same for every image, so that neighbours do not matter."""
        shared = self._params.latents == "w"
        inputs = start.center.shape[1]
        w = (start.center.mean(1, keepdim=True) if shared else start.center).repeat(len(images), 1, 1)
        w.requires_grad_()
        optimizer = torch.optim.Adam([w], lr=self._params.rate, betas=(0.9, 0.999))
        random = generator(self._run, "noise")
        with torch.no_grad():
            wanted = distance.features(images)
            first = [term.clamp_min(LEAST) for term in self._terms(images, wanted, distance, w.expand(-1, inputs, -1))]
        for step in self._run.progress(range(self._params.steps), "projecting"):
            share = step / self._params.steps
            noise = torch.randn(1, inputs, w.shape[2], generator=random).to(w) * self._noise(share, start.spread)
            terms = self._terms(images, wanted, distance, w + noise)
            weighted = zip((self._params.pixels, self._params.weight), terms, first, strict=False)
            loss = torch.stack([weight * (term / unit).sum() for weight, term, unit in weighted]).sum()
            (w.grad,) = torch.autograd.grad(loss, w)
            optimizer.param_groups[0]["lr"] = self._params.rate * _rate(share)
            optimizer.step()
        return w.detach().expand(-1, inputs, -1).contiguous()

    def _terms(self, images: Tensor, wanted: list[Tensor], distance: Distance, w: Tensor) -> list[Tensor]:
        """How far what is drawn is from the images, each (N,): squared pixels, and to a network's eye where asked."""
        made = self._generator.synthesize(w)
        terms = [(made - images).square().mean((1, 2, 3))]
        return [*terms, distance.between(distance.features(made), wanted)] if wanted else terms

    def _noise(self, share: float, spread: float) -> float:
        """Declines with the square of what is left of the noisy part of the search."""
        return spread * self._params.noise * max(0.0, 1 - share / NOISY) ** 2

    def _start(self) -> Start:
        with torch.no_grad():
            samples = self._generator.sample(self._params.samples, self._run.rng("average w"))
            center = samples.mean(0, keepdim=True)
            spread = (samples - center).square().sum(2).mean().sqrt()
        return Start(center, float(spread))

    def _distance(self, images: Tensor) -> Distance:
        """As the options say; what was taken is told to the user."""
        choice = self._params.perceptual
        if choice == "none" or not self._params.weight:
            return no_distance()
        if choice == "lpips":
            return lpips_distance(self._run.device)
        if choice == "classifier":
            return self._by_classifier(images)
        return lpips_or(lambda: self._by_classifier(images) if self._classifier else no_distance(), self._run)

    def _by_classifier(self, images: Tensor) -> Distance:
        if self._classifier is None:
            raise UserError("perceptual: the recipe has no classifier that shows its activations", "set it to none")
        return classifier_distance(self._classifier, images)


def _rate(share: float) -> float:
    """Up linearly over the first twentieth, down as a cosine over the last quarter."""
    fall = min(1.0, (1 - share) / FALL)
    return min(1.0, (share + 1e-3) / RISE) * (0.5 - 0.5 * math.cos(fall * math.pi))
