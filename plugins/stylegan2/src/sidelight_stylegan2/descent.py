"""Descent: latents by Adam, until the generator's image is like the given one in pixels and in a perceptual distance.

    min over w of  p |G(w) - x|^2 / u_p + q d(G(w), x) / u_q

Each distance is taken in units u of its value at the start, so that its weight means the same for every distance. The
steps' sizes follow Karras et al. 2020, appendix D.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import torch
from sidelight_specs import Run, UserError
from sidelight_toolkit.images import resize
from sidelight_toolkit.perceptual import Distance, classifier_distance, lpips_distance, lpips_or, no_distance
from torch import Tensor

if TYPE_CHECKING:
    from sidelight_specs.roles import Classifier

LARGEST = 256  # side of the images whose perceptual distance is taken: its networks were made for such
RAMP_UP, RAMP_DOWN = 0.05, 0.25  # of the learning rate, parts of the steps (appendix D)
SMALLEST_UNIT = 1e-6  # a distance that is smaller at the start is not divided by it


@attrs.frozen(eq=False)
class Descent:
    """Minimises the sum above by Adam.

    Args:
        synthesize: from what is moved, (N, ...), to images (N, C, H, W).
        distance: d; one without features is left out.
        pixels: p.
        weight: q.
        rate: highest learning rate.
        run: shows progress.
    """

    synthesize: Callable[[Tensor], Tensor]
    distance: Distance
    pixels: float
    weight: float
    rate: float
    run: Run

    def __call__(
        self, images: Tensor, start: Tensor, steps: int, noise: Callable[[float], Tensor] | None = None
    ) -> Tensor:
        """The moved variables, from `start` (N, ...), after that many steps.

        Args:
            images: (N, C, H, W).
            start: (N, ...); for each image, whose answer does not depend on the others.
            steps: T.
            noise: from the part of the steps that is done, 0 to 1, to what is added for one step, (1, ...).
        """
        w = start.detach().clone().requires_grad_()
        optimizer = torch.optim.Adam([w], lr=self.rate, betas=(0.9, 0.999))
        with torch.no_grad():
            features = self.distance.features(reduced(images))
            units = [term.clamp_min(SMALLEST_UNIT) for term in self._distances(images, features, w)]
        for step in self.run.progress(range(steps), "projecting"):
            t = step / steps
            terms = self._distances(images, features, w + noise(t) if noise else w)
            weighted = zip((self.pixels, self.weight), terms, units, strict=False)
            loss = torch.stack([weight * (term / unit).sum() for weight, term, unit in weighted]).sum()
            (w.grad,) = torch.autograd.grad(loss, w)
            optimizer.param_groups[0]["lr"] = self.rate * rate_factor(t)
            optimizer.step()
        return w.detach()

    def _distances(self, images: Tensor, features: list[Tensor], w: Tensor) -> list[Tensor]:
        """Squared pixel difference and, with features, the perceptual distance, each (N,)."""
        made = self.synthesize(w)
        terms = [(made - images).square().mean((1, 2, 3))]
        return [*terms, self.distance.between(self.distance.features(reduced(made)), features)] if features else terms


def reduced(images: Tensor) -> Tensor:
    """(N, C, H, W) with a longer side of at most 256 pixels."""
    height, width = images.shape[2:]
    scale = min(1.0, LARGEST / max(height, width))
    return resize(images, (round(height * scale), round(width * scale)))


def rate_factor(t: float) -> float:
    """Factor of the learning rate: linear ramp up, cosine ramp down (appendix D)."""
    down = min(1.0, (1 - t) / RAMP_DOWN)
    return min(1.0, (t + 1e-3) / RAMP_UP) * (0.5 - 0.5 * math.cos(down * math.pi))


def chosen_distance(choice: str, classifier: Classifier | None, images: Tensor, run: Run) -> Distance:
    """The perceptual distance of the option `perceptual`; for `auto` a warning names the choice.

    Raises:
        UserError: what was asked for is not there.
    """
    if choice == "none":
        return no_distance()
    if choice == "lpips":
        return lpips_distance(run.device)
    if choice == "classifier":
        if classifier is None:
            raise UserError("perceptual: the recipe has no classifier that shows activations", "set perceptual to none")
        return classifier_distance(classifier, images)
    return lpips_or(lambda: classifier_distance(classifier, images) if classifier else no_distance(), run)


def expect_shape(images: Tensor, shape: tuple[int, ...]) -> None:
    """Raise a `UserError` unless (N, C, H, W) images have the generator's shape (C, H, W)."""
    if tuple(images.shape[1:]) != tuple(shape):
        raise UserError(
            f"the images are {tuple(images.shape[1:])}, the generator makes {tuple(shape)}",
            "use the data that the generator was trained on",
        )
