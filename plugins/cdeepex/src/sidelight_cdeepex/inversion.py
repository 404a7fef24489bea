"""Inversion of a generator: latents z0 that reproduce an image (CDeepEx, section 3.3, equation 1 and algorithm 2).

Feghahati, Shelton, Pazzani and Tang 2020, "CDeepEx: Contrastive Deep Explanations". With the generator G, an image I
and the classifier's cross-entropy CE against the class that it gives I:

    z0 = argmin ||G(z) - I||^2 + w CE(G(z)) + v ||z||^2                                                  (equation 1)

from several starts z ~ N(0, 1). The term with v is ours: without it a search may end where G was never trained. A
generator with an encoder gives z0 in one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError
from sidelight_specs.results import Inversion
from sidelight_specs.roles import Inverter
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch, in_batches, slices
from sidelight_toolkit.inversion import EncoderInverter, inverted_once
from sidelight_toolkit.training import triangular
from torch.nn import functional

from sidelight_cdeepex.params import ENCODED_ON_CPU, SEARCHES_ON_CPU

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_cdeepex.params import EncoderParams, OptimiseParams


class OptimisedInversion(Inverter):
    """Gradient descent on equation 1 from several random starts, of which the best is kept.

    The starts are the same for every image, so that an image's answer does not depend on its neighbours.
    """

    def __init__(self, params: OptimiseParams, *, classifier: Classifier, generator: Generator, run: Run) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator = classifier, generator
        self._batch = Batch(params.batch, run, SEARCHES_ON_CPU)

    def invert(self, images: Tensor) -> Inversion:
        """The latents of the lowest cost, and the error that each start reached.

        Raises:
            UserError: the generator makes images of another shape.
        """
        check_shape(images, self._generator)
        starts = self._starts_per_image
        return inverted_once(self._run, "inversion", images, self._batch, self._invert, each_takes=starts)

    @property
    def _starts_per_image(self) -> int:
        """S."""
        return self._params.starts if self._params.start is None else 1

    def _invert(self, images: Tensor) -> Inversion:
        starts = self._starts()  # (S, k)
        labels = in_batches(self._classifier.class_logits, images, self._batch, "classifying").argmax(1)
        pairs = torch.arange(len(images) * len(starts), device=images.device)  # (N S,): every image from every start
        rows, columns = pairs // len(starts), pairs % len(starts)
        results = [
            self._search(starts[columns[batch]], images[rows[batch]], labels[rows[batch]])
            for batch in slices(len(pairs), self._batch.rows("inversion"))
        ]
        z, cost = (torch.cat(parts) for parts in zip(*results, strict=True))
        z, cost = z.reshape(len(images), *starts.shape), cost.reshape(len(images), len(starts))  # (N, S, k), (N, S)
        return self._measure(images, z, cost.argmin(1))

    def _starts(self) -> Tensor:
        """(S, k), z ~ N(0, 1); start number `start` alone is the one that it is among several."""
        start, count = self._params.start, self._params.starts
        z = self._generator.sample(count if start is None else start + 1, self._run.rng("starts"))
        return z if start is None else z[-1:]

    def _search(self, z: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """For each row the z (n, k) of the lowest cost (n,) over all steps."""
        best, lowest = z.clone(), torch.full_like(z[:, 0], torch.inf)
        z = z.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([z], self._params.rate)
        for step in self._run.progress(range(self._params.steps + 1), "inverting"):
            cost = self._cost(z, images, labels)
            (z.grad,) = torch.autograd.grad(cost.sum(), z)  # rows do not touch each other
            better = cost.detach() < lowest
            best = torch.where(better[:, None], z.detach(), best)
            lowest = torch.where(better, cost.detach(), lowest)
            optimizer.param_groups[0]["lr"] = self._params.rate * triangular(step, self._params.steps + 1)
            optimizer.step()
        return best, lowest

    def _cost(self, z: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """(n,): equation 1."""
        made = self._generator.synthesize(z)
        cost = (made - images).square().flatten(1).sum(1) + self._params.prior * z.square().sum(1)  # v ||z||^2
        if self._params.misclassification:
            cross_entropy = functional.cross_entropy(self._classifier.class_logits(made), labels, reduction="none")
            cost = cost + self._params.misclassification * cross_entropy  # w CE
        return cost

    def _measure(self, images: Tensor, z: Tensor, best: Tensor) -> Inversion:
        """The result, its errors measured on the images of the returned latents z (N, S, k); `best` (N,) of S."""
        made = in_batches(self._generator.synthesize, z.flatten(0, 1), self._batch, "drawing")
        made = made.reshape(*z.shape[:2], *images.shape[1:])  # (N, S, C, H, W)
        errors = (made - images[:, None]).square().mean((2, 3, 4))
        chosen = torch.arange(len(images), device=images.device), best
        return Inversion(
            latents=to_array(z[chosen]),
            reconstructions=to_array(made[chosen]),
            error=to_array(errors[chosen]),
            starts=to_array(errors),
        )


class EncoderInversion(EncoderInverter):
    """Latents by one pass of the generator's encoder (section 3.3: "the encoder half of the VAE")."""

    def __init__(self, params: EncoderParams, *, generator: Generator, run: Run) -> None:
        super().__init__(generator, Batch(params.batch, run, ENCODED_ON_CPU))


def check_shape(images: Tensor, generator: Generator) -> None:
    """Raises a UserError where the generator makes images of another shape than (N, C, H, W) `images` have."""
    shape, made = tuple(images.shape[1:]), tuple(generator.image_shape)
    if shape != made:
        raise UserError(
            f"the images have the shape {shape} (channels, height, width), and the generator makes {made}",
            "give the data the generator's size, or train the generator on these data",
        )
