"""Samples of a generator as data, and their latents: images whose inversion is known.

    z_i  from the prior,   x_i = G(z_i)                 i = 0 ... count - 1

Questions about samples need no inversion by search; `sampled-latents` finds z_i again, and refuses other images.
Samples of a stream of their own train another network: the generator stands for data that nobody has to hand on.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs import UserError
from sidelight_specs.lazy import LazyImages
from sidelight_specs.results import Inversion, Split
from sidelight_specs.roles import Data, Inverter
from sidelight_toolkit.arrays import to_array, to_tensor
from sidelight_toolkit.batching import in_batches

from sidelight_faces import sample_ids

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.roles import Generator
    from torch import Tensor

    from sidelight_faces.params import SampledLatentsParams, SamplesParams

SPLIT, TRAIN = "test", "train"
STREAMS = {SPLIT: 0, TRAIN: 4}  # of one seed; 1 to 3 are those of `sidelight_toolkit.drawn_latents`


class Samples(Data):
    """Images of latents drawn from a generator's prior."""

    def __init__(self, params: SamplesParams, *, generator: Generator, run: Run) -> None:
        self._params, self._generator, self._run = params, generator, run

    @property
    def splits(self) -> tuple[str, ...]:
        """`test`, and `train` where a number of training samples is given."""
        return (TRAIN, SPLIT) if self._params.train else (SPLIT,)

    def split(self, name: str) -> Split:
        """(N, C, H, W) images without labels; those of `train` are drawn when they are read, and not kept."""
        if name not in self.splits:
            fix = f"use {SPLIT}" if name != TRAIN else "set data.train to the number of training samples"
            raise UserError(f'split: samples have no split "{name}"', fix)
        latents, batch = self.latents(name), self._params.batch
        if name == SPLIT:
            return Split(images=self._drawn(latents), ids=sample_ids(name, len(latents)))

        @lru_cache(maxsize=1)  # rows are mostly read in order; a whole batch, so that a row has the same bits always
        def images_of(number: int) -> np.ndarray:
            return self._drawn(latents[number * batch : (number + 1) * batch])

        images: Any = LazyImages(  # stands for an array
            (len(latents), *self._generator.image_shape),
            lambda row: images_of(row // batch)[row % batch],
            progress=self._run.progress,
        )
        return Split(images=images, ids=sample_ids(name, len(latents)))

    def latents(self, split: str = SPLIT) -> Tensor:
        """(N, *latent_shape) of a split, the same at every call, independent of those of the other."""
        count = self._params.train if split == TRAIN else self._params.count
        seed, stream = self._params.seed, STREAMS[split]
        rng = np.random.default_rng((seed, stream) if stream else seed)
        return self._params.scale * self._generator.sample(count, rng)

    def _drawn(self, latents: Tensor) -> np.ndarray:
        images = to_array(in_batches(self._generator.synthesize, latents, self._params.batch))
        clipped: np.ndarray = np.clip(images, 0, 1)  # rounding may leave [0, 1] by a bit
        return clipped


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
                f"image {far[0]} is no sample of the split {SPLIT}: it differs from the nearest by {error[far[0]]:.2g}",
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
