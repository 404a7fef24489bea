"""Inversion by gradient descent from several random starts (CDeepEx, equation 1 and algorithm 2)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from sidelight_specs.results import Inversion
from sidelight_specs.roles import Inverter
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches, slices
from sidelight_toolkit.training import triangular
from torch.nn import functional

from sidelight_cdeepex.shapes import check_shape

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_cdeepex.params import OptimiseParams


class Optimise(Inverter):
    """z0 = argmin ||G(z) - I||^2 + w CE(D(G(z)), class of I) + v ||z||^2, the best of several starts z ~ N(0, 1).

    The starts are the same for every image, so that an image's answer does not depend on its neighbours.
    """

    def __init__(self, params: OptimiseParams, *, classifier: Classifier, generator: Generator, run: Run) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator = classifier, generator

    def invert(self, images: Tensor) -> Inversion:
        """The latents with the lowest cost, and the error that each start reached.

        Raises:
            UserError: the generator makes images of another shape.
        """
        check_shape(images, self._generator)
        key = hashlib.sha256(to_array(images).tobytes()).hexdigest()
        return self._run.cached((key, tuple(images.shape)), lambda: self._inversion(images))

    def _inversion(self, images: Tensor) -> Inversion:
        starts = self._starts()
        labels = in_batches(self._classifier.class_logits, images, self._params.batch).argmax(1)
        pairs = torch.arange(len(images) * len(starts), device=images.device)
        rows, places = pairs // len(starts), pairs % len(starts)
        found = [
            self._search(starts[places[part]], images[rows[part]], labels[rows[part]])
            for part in slices(len(pairs), self._params.batch)
        ]
        z, cost = (torch.cat(parts) for parts in zip(*found, strict=True))
        z, cost = z.reshape(len(images), *starts.shape), cost.reshape(len(images), len(starts))
        return self._measured(images, z, cost.argmin(1))

    def _starts(self) -> Tensor:
        """(S, k): where the searches begin."""
        one, count = self._params.start, self._params.starts
        drawn = self._generator.sample(count if one is None else one + 1, self._run.rng("starts"))
        return drawn if one is None else drawn[-1:]

    def _search(self, z: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """For each row the z (n, k) of the lowest cost (n,) that was met."""
        best, lowest = z.clone(), torch.full_like(z[:, 0], torch.inf)
        z = z.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([z], self._params.rate)
        for step in self._run.progress(range(self._params.steps + 1), "inverting"):
            cost = self._cost(z, images, labels)
            (z.grad,) = torch.autograd.grad(cost.sum(), z)
            better = cost.detach() < lowest
            best[better], lowest[better] = z.detach()[better], cost.detach()[better]
            optimizer.param_groups[0]["lr"] = self._params.rate * triangular(step, self._params.steps + 1)
            optimizer.step()
        return best, lowest

    def _cost(self, z: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """(n,): equation 1 with the misclassification cost."""
        made = self._generator.synthesize(z)
        cost = (made - images).square().flatten(1).sum(1) + self._params.prior * z.square().sum(1)
        if self._params.misclassification:
            wrong = functional.cross_entropy(self._classifier.class_logits(made), labels, reduction="none")
            cost = cost + self._params.misclassification * wrong
        return cost

    def _measured(self, images: Tensor, z: Tensor, best: Tensor) -> Inversion:
        """The result, measured on what the generator makes of the latents that are given."""
        made = in_batches(self._generator.synthesize, z.flatten(0, 1), self._params.batch)
        made = made.reshape(*z.shape[:2], *images.shape[1:])
        errors = (made - images[:, None]).square().mean((2, 3, 4))
        chosen = torch.arange(len(images), device=images.device), best
        return Inversion(
            latents=to_array(z[chosen]),
            reconstructions=to_array(made[chosen]),
            error=to_array(errors[chosen]),
            starts=to_array(errors),
        )
