"""Samples of a generator as data, and their latents: images whose inversion is known.

    z_i  from the prior,   x_i = G(z_i)                 i = 0 ... count - 1

Questions about samples need no inversion by search; `sampled-latents` finds z_i again, and refuses other images.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Inversion, Split
from sidelight_specs.roles import Data, Inverter
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Generator
    from torch import Tensor

    from sidelight_faces.params import SampledLatentsParams, SamplesParams

SPLIT = "test"


class Samples(Data):
    """Images of latents drawn from a generator's prior."""

    def __init__(self, params: SamplesParams, *, generator: Generator, run: Run) -> None:
        self._params, self._generator, self._run = params, generator, run

    @property
    def splits(self) -> tuple[str, ...]:
        """`test`; nothing is trained on samples."""
        return (SPLIT,)

    def split(self, name: str) -> Split:
        """(count, C, H, W) images without labels, named `sample 0`, `sample 1`, ..."""
        if name != SPLIT:
            raise UserError(f'split: samples have no split "{name}"', f"use {SPLIT}")
        images = to_array(in_batches(self._generator.synthesize, self.latents(), self._params.batch))
        ids = tuple(f"sample {number}" for number in range(len(images)))
        return Split(images=np.clip(images, 0, 1), ids=ids)  # rounding may leave [0, 1] by a bit

    def latents(self) -> Tensor:
        """(count, *latent_shape), the same at every call."""
        rng = np.random.default_rng(self._params.seed)
        return self._generator.sample(self._params.count, rng)


class SampledLatents(Inverter):
    """Latents of images that are samples of the recipe's data."""

    def __init__(self, params: SampledLatentsParams, *, data: Samples, generator: Generator, run: Run) -> None:
        self._params, self._data, self._generator, self._run = params, data, generator, run

    def invert(self, images: Tensor) -> Inversion:
        """The latents that each image was drawn from.

        Raises:
            UserError: an image is no sample of the data.
        """
        latents, drawn = self._drawn
        rows, error = _nearest(to_array(images), drawn)
        far = np.flatnonzero(error > self._params.tolerance)
        if len(far):
            raise UserError(
                f"image {far[0]} is no sample of the data: it differs from the nearest by {error[far[0]]:.2g}",
                "explain images of this data, or invert others by cdeepex/optimise",
            )
        chosen = latents[rows.tolist()]
        made = in_batches(self._generator.synthesize, chosen, self._params.batch)
        square = (made - to_tensor(to_array(images), self._run)).square().mean((1, 2, 3))
        return Inversion(latents=to_array(chosen), reconstructions=to_array(made).clip(0, 1), error=to_array(square))

    @cached_property
    def _drawn(self) -> tuple[Tensor, np.ndarray]:
        """Latents (count, *latent_shape) and images (count, C, H, W) of all samples."""
        return self._data.latents(), self._data.split(SPLIT).images


def _nearest(images: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) row of the sample nearest to each image, and (N,) mean squared difference to it."""
    if images.shape[1:] != drawn.shape[1:]:
        raise UserError(
            f"the images are {images.shape[1:]}, the samples {drawn.shape[1:]}", "explain images of this data"
        )
    flat = drawn.reshape(len(drawn), -1)
    distances = [np.square(flat - image.reshape(-1)).mean(1) for image in images]  # one image at a time: bounded memory
    rows = np.array([distance.argmin() for distance in distances], dtype=np.int64)
    return rows, np.array([distance.min() for distance in distances], dtype=np.float32)
