"""Inversion by optimisation (Karras et al. 2020, appendix D; w for each layer: Abdal et al. 2019, Image2StyleGAN).

Symbols: mu_w average w; sigma_w root of the mean squared distance of w from it; t part of the steps done, 0 to 1.
The noise images of appendix D are not optimised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from sidelight_specs.roles import Inverter
from sidelight_toolkit.batching import Batch, at_once, pixels_limit
from sidelight_toolkit.inversion import inverted_once, measured
from sidelight_toolkit.perceptual import Distance, no_distance
from sidelight_toolkit.seeding import generator

from sidelight_stylegan2.descent import Descent, chosen_distance, expect_shape
from sidelight_stylegan2.params import PROJECTED_ON_CPU

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Inversion
    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_stylegan2.params import ProjectParams

Space = Literal["w", "w+"]
DESCENT_PIXELS = 1 << 18
"""Pixels of the images optimised at a time, at most: 4 of 256 pixels, whose features take .73 GB each (config-f)."""
NOISY = 0.75  # part of the steps with noise (appendix D)


class Project(Inverter):
    """Moves w by Adam until the generator's image is like the given one, in pixels and in a perceptual distance."""

    def __init__(
        self, params: ProjectParams, *, generator: Generator, classifier: Classifier | None = None, run: Run
    ) -> None:
        self._params, self._generator, self._classifier, self._run = params, generator, classifier, run
        self._batch = Batch(params.batch, run, PROJECTED_ON_CPU)

    def invert(self, images: Tensor) -> Inversion:
        """Optimise each image, once: its answer is kept.

        Raises:
            UserError: the images are not of the generator's shape.
        """
        return self.invert_into(images, self._params.latents)

    def invert_into(self, images: Tensor, space: Space) -> Inversion:
        """The same into a given space: `w`, one for all layers, or `w+`, one each."""
        expect_shape(images, self._generator.image_shape)
        distance = self._distance(images)  # `auto` depends on the machine: answers are kept for each distance
        name = f"project, {space}, {distance.name}"
        limit = pixels_limit(self._generator.image_shape, DESCENT_PIXELS)
        return inverted_once(
            self._run, name, images, self._batch, lambda part: self._optimise(part, space, distance), limit=limit
        )

    def _optimise(self, images: Tensor, space: Space, distance: Distance) -> Inversion:
        p, inputs = self._params, self._generator.latent_shape[0]
        center, spread = self._w_statistics()
        # one w for all layers is (N, 1, d) while it is moved
        start = (center.mean(1, keepdim=True) if space == "w" else center).repeat(len(images), 1, 1)
        random = generator(self._run, "noise", self._run.device)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=random, device=random.device).to(start)

        def noise(t: float) -> Tensor:
            """One for all images: the result of an image does not depend on its neighbours."""
            return drawn(1, inputs, start.shape[2]) * self._noise_scale(t, spread)

        def synthesize(w: Tensor) -> Tensor:
            return self._generator.synthesize(w.expand(-1, inputs, -1))

        descent = Descent(synthesize, distance, p.pixels, p.weight, p.rate, self._run)
        w = descent(images, start, p.steps, noise).expand(-1, inputs, -1).contiguous()
        return measured(self._generator, images, w, at_once(self._batch.rows("drawing"), self._generator.image_shape))

    def _w_statistics(self) -> tuple[Tensor, float]:
        """mu_w, (1, inputs, d), and sigma_w, over one input."""
        with torch.no_grad():
            w = self._generator.sample(self._params.samples, self._run.rng("average w"))
            center = w.mean(0, keepdim=True)
            spread = (w - center).square().sum(2).mean().sqrt()
        return center, float(spread)

    def _noise_scale(self, t: float, spread: float) -> float:
        """sigma_w * noise * max(0, 1 - t / 0.75)^2."""
        return spread * self._params.noise * max(0.0, 1 - t / NOISY) ** 2

    def _distance(self, images: Tensor) -> Distance:
        if not self._params.weight:
            return no_distance()
        return chosen_distance(self._params.perceptual, self._classifier, images, self._run)
