"""Inversion by optimisation (Karras et al. 2020, appendix D; w for each layer: Abdal et al. 2019, Image2StyleGAN).

Symbols: mu_w average w; sigma_w root of the mean squared distance of w from it; t part of the steps done, 0 to 1.
The noise images of appendix D are not optimised.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

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

RAMP_UP, RAMP_DOWN = 0.05, 0.25  # of the learning rate, parts of the steps (appendix D)
NOISY = 0.75  # part of the steps with noise (appendix D)
SMALLEST_UNIT = 1e-6  # a distance that is smaller at the start is not divided by it


class Project(Inverter):
    """Moves w by Adam until the generator's image is like the given one, in pixels and in a perceptual distance.

    Each distance is taken in units of its value at the start, so that weights mean the same for every distance.
    """

    def __init__(
        self, params: ProjectParams, *, generator: Generator, classifier: Classifier | None = None, run: Run
    ) -> None:
        self._params, self._generator, self._classifier, self._run = params, generator, classifier, run

    def invert(self, images: Tensor) -> Inversion:
        """Optimise each image; the result is cached.

        Raises:
            UserError: the images are not of the generator's shape.
        """
        if tuple(images.shape[1:]) != tuple(self._generator.image_shape):
            raise UserError(
                f"the images are {tuple(images.shape[1:])}, the generator makes {tuple(self._generator.image_shape)}",
                "use the data that the generator was trained on",
            )
        return self._run.cached(("project", images), lambda: self._invert(images))

    def _invert(self, images: Tensor) -> Inversion:
        distance, (center, spread) = self._distance(images), self._w_statistics()
        batches = [images[rows] for rows in slices(len(images), self._params.batch)]
        latents = torch.cat([self._optimise(batch, distance, center, spread) for batch in batches])
        made = in_batches(self._generator.synthesize, latents, self._params.batch)
        error = (images - made).square().mean((1, 2, 3))
        return Inversion(latents=to_array(latents), reconstructions=to_array(made), error=to_array(error))

    def _w_statistics(self) -> tuple[Tensor, float]:
        """mu_w, (1, inputs, d), and sigma_w, over one input."""
        with torch.no_grad():
            w = self._generator.sample(self._params.samples, self._run.rng("average w"))
            center = w.mean(0, keepdim=True)
            spread = (w - center).square().sum(2).mean().sqrt()
        return center, float(spread)

    def _optimise(self, images: Tensor, distance: Distance, center: Tensor, spread: float) -> Tensor:
        """w of a batch, (N, inputs, d)."""
        is_shared = self._params.latents == "w"
        inputs = center.shape[1]
        w = (center.mean(1, keepdim=True) if is_shared else center).repeat(len(images), 1, 1)
        w.requires_grad_()
        optimizer = torch.optim.Adam([w], lr=self._params.rate, betas=(0.9, 0.999))
        random = generator(self._run, "noise")
        with torch.no_grad():
            features = distance.features(images)
            start = self._distances(images, features, distance, w.expand(-1, inputs, -1))
            units = [term.clamp_min(SMALLEST_UNIT) for term in start]
        for step in self._run.progress(range(self._params.steps), "projecting"):
            t = step / self._params.steps
            # one noise for all images: the result of an image does not depend on its neighbours
            noise = torch.randn(1, inputs, w.shape[2], generator=random).to(w) * self._noise_scale(t, spread)
            terms = self._distances(images, features, distance, w + noise)
            weighted = zip((self._params.pixels, self._params.weight), terms, units, strict=False)
            loss = torch.stack([weight * (term / unit).sum() for weight, term, unit in weighted]).sum()
            (w.grad,) = torch.autograd.grad(loss, w)
            optimizer.param_groups[0]["lr"] = self._params.rate * rate_factor(t)
            optimizer.step()
        return w.detach().expand(-1, inputs, -1).contiguous()

    def _distances(self, images: Tensor, features: list[Tensor], distance: Distance, w: Tensor) -> list[Tensor]:
        """Squared pixel difference and, with features, the perceptual distance, each (N,)."""
        made = self._generator.synthesize(w)
        terms = [(made - images).square().mean((1, 2, 3))]
        return [*terms, distance.between(distance.features(made), features)] if features else terms

    def _noise_scale(self, t: float, spread: float) -> float:
        """sigma_w * noise * max(0, 1 - t / 0.75)^2."""
        return spread * self._params.noise * max(0.0, 1 - t / NOISY) ** 2

    def _distance(self, images: Tensor) -> Distance:
        """The perceptual distance; for `auto` a warning names the choice."""
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
            raise UserError("perceptual: the recipe has no classifier that shows activations", "set perceptual to none")
        return classifier_distance(self._classifier, images)


def rate_factor(t: float) -> float:
    """Factor of the learning rate: linear ramp up, cosine ramp down (appendix D)."""
    down = min(1.0, (1 - t) / RAMP_DOWN)
    return min(1.0, (t + 1e-3) / RAMP_UP) * (0.5 - 0.5 * math.cos(down * math.pi))
