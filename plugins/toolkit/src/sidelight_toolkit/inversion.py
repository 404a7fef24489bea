"""Inversion by a generator's own encoder, and inversions that are kept image by image."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sidelight_specs.results import Inversion
from sidelight_specs.roles import Inverter

from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch, in_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight_specs import Run
    from sidelight_specs.roles import Generator
    from torch import Tensor


class EncoderInverter(Inverter):
    """Takes the latents that the generator's encoder gives, `batch` images at a time."""

    def __init__(self, generator: Generator, batch: int | Batch) -> None:
        self._generator, self._batch = generator, batch

    def encode(self, images: Tensor) -> Tensor:
        """Latents of (N, C, H, W), without their reconstructions."""
        return self._generator.encode(images)

    def invert(self, images: Tensor) -> Inversion:
        """One forward pass of the encoder and one of the generator; cheap, so nothing is cached."""
        latents = in_batches(self._generator.encode, images, self._batch, "encoding")
        return measured(self._generator, images, latents, self._batch)


def measured(generator: Generator, images: Tensor, latents: Tensor, batch: int | Batch) -> Inversion:
    """The inversion with these latents: their reconstructions, and how far these are from the images."""
    made = in_batches(generator.synthesize, latents, batch, "drawing")
    error = (images - made).square().mean((1, 2, 3))
    return Inversion(latents=to_array(latents), reconstructions=to_array(made), error=to_array(error))


def inverted_once(
    run: Run,
    name: str,
    images: Tensor,
    batch: int | Batch,
    invert: Callable[[Tensor], Inversion],
    *,
    limit: int | None = None,
    each_takes: int = 1,
) -> Inversion:
    """`invert(images)`, `batch` images at a time, where no image is inverted twice, whatever it is asked with.

    Each image's answer is kept by itself as soon as its batch is done, so that a run that was killed loses one batch.
    An answer must not depend on the other images of its batch, except for rounding.

    Args:
        run: of the inverter.
        name: of what is kept, one for each way in which this inverter inverts.
        images: (N, C, H, W), N > 0.
        batch: rows at a time; bounds the memory.
        invert: from (n, C, H, W) to their inversion; not called where all is known.
        limit: of the rows, as for `Batch.each`.
        each_takes: rows of an image, likewise.
    """
    answers = [_kept(run, name, image) for image in images]
    missing = [row for row, answer in enumerate(answers) if answer is None]

    def keep(part: slice) -> None:
        rows = missing[part]
        found = invert(images[rows])
        for position, row in enumerate(rows):
            answers[row] = run.cached((name, images[row]), partial(found.take, [position]))

    batches = batch if isinstance(batch, Batch) else Batch(batch, run, batch)
    batches.each(keep, len(missing), name, limit, each_takes=each_takes, shown=False)
    return Inversion.concat([answer for answer in answers if answer is not None])


class _NotKept(Exception):
    pass


def _kept(run: Run, name: str, image: Tensor) -> Inversion | None:
    """The answer that an earlier call kept."""

    def absent() -> Inversion:
        raise _NotKept

    try:
        return run.cached((name, image), absent)
    except _NotKept:
        return None
