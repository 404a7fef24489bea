"""Directions that are found without a classifier, as attributes: what `pca-directions` and `closed-form` share.

Symbols: v_k (d,) direction k, of length 1; sigma_k standard deviation of samples along it; a shift of `reach` gives
w + reach sigma_k v_k in the layers that are shifted (GANSpace, section 3.3: E(v_k, first-last)).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs import UserError
from sidelight_specs.results import Attribute
from sidelight_specs.roles import AttributeFinder
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import slices
from sidelight_toolkit.drawn_latents import drawn_latents

from sidelight_explorer.latent_shifts import ShiftEffects
from sidelight_explorer.layered import LayeredGenerator

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.results import Attributes
    from sidelight_specs.roles import Classifier, Generator
    from torch import Tensor

    from sidelight_explorer._params import ComponentParams

SAMPLED = 500  # latents sampled at a time: 18 MB of a StyleGAN2 of 1024 pixels


@attrs.frozen(eq=False)
class Components:
    """Directions, the most important first.

    Args:
        vectors: v_k, (K, d) float32 of length 1; the largest component of each is positive.
        shares: what each accounts for, (K,), falling; 1 is all of it.
        deviations: sigma_k, (K,).
    """

    vectors: np.ndarray
    shares: np.ndarray
    deviations: np.ndarray


class ComponentsFinder(AttributeFinder):
    """Shifts both ways along each direction, with their effects where there is a classifier."""

    def __init__(
        self, params: ComponentParams, *, generator: Generator, run: Run, classifier: Classifier | None = None
    ) -> None:
        self._params, self._run = params, run
        self._classifier, self._generator = classifier, LayeredGenerator(generator)

    @abstractmethod
    def components(self) -> Components:
        """The first `components` directions; the same for every class."""

    @abstractmethod
    def label(self, number: int, share: float) -> str:
        """Name of direction `number`, counted from 1."""

    def samples(self) -> Tensor:
        """Samples of the generator that shifts are measured on, for `latents: samples`: (N, *latent_shape)."""
        return drawn_latents(self._generator.original, self._params)

    def find(self, latents: Tensor, target: int) -> Attributes:
        """Both shifts along each direction, in the order of the directions, with their effects on class `target`."""
        found = self.components()
        changes, directions = [], []
        for number, share in enumerate(found.shares):
            direction = self._across(found.vectors[number])
            # a shift of one layer by `reach` sigma; the direction has length 1 over all layers that are shifted
            shift = self._params.reach * float(found.deviations[number]) * np.sqrt(len(self.shifted))
            for sign in (1, -1):
                change = Attribute(
                    name=f"{self.label(number + 1, float(share))} {sign:+.0%}",
                    coordinate=int(np.abs(direction).argmax()),
                    direction=sign,
                    shift=sign * float(shift),
                    target=target,
                )
                changes.append(change)
                directions.append(direction)
        effects = ShiftEffects(self._classifier, self._generator, self._params.batch, self._run)
        layered = self._generator.layers_of(latents)
        measured = effects.measured(layered, target, changes, np.stack(directions), self._params.examples)
        return attrs.evolve(
            measured,
            scores=np.repeat(found.shares, 2).astype(np.float32),
            drawn=self._params.drawn if self._params.is_drawn else "",
            unsupervised=True,
        )

    @property
    def shifted(self) -> range:
        """Layers that are shifted.

        Raises:
            UserError: the generator has fewer.
        """
        count = int(self._generator.latent_shape[0])
        first, last = self._params.layers or (1, count)
        if last > count:
            raise UserError(
                f"layers: there is no layer {last}, the generator has {count}", f"use 1 to {count}, or leave layers out"
            )
        return range(first - 1, last)

    def _across(self, vector: np.ndarray) -> np.ndarray:
        """v_k in the layers that are shifted and 0 in the others, of length 1: (layers, d)."""
        across = np.zeros(self._generator.latent_shape, np.float32)
        across[list(self.shifted)] = vector / np.sqrt(len(self.shifted))
        return across

    def _sampled(self) -> np.ndarray:
        """w of `train` samples, (N, d) float32: the mean over layers, which are equal in a sample."""
        rng = self._run.rng("samples")
        parts = []
        for batch in slices(self._params.train, SAMPLED):
            with torch.no_grad():
                parts.append(to_array(self._generator.sample(batch.stop - batch.start, rng).mean(1)))
        return np.concatenate(parts)


def oriented(vectors: np.ndarray) -> np.ndarray:
    """(K, d) with the largest component of each row positive: eigenvectors have no sign of their own."""
    rows = np.arange(len(vectors))
    largest = vectors[rows, np.abs(vectors).argmax(1)]
    return vectors * np.where(largest < 0, -1.0, 1.0)[:, None]
