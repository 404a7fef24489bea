"""From factors to images and part masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sidelight_images.faces import eyes, glasses, hair, head, mouth, scene
from sidelight_images.faces.pose import Portrait

if TYPE_CHECKING:
    from collections.abc import Iterator

PIXELS_AT_ONCE = 64 * 64 * 32  # drawn together: their arrays fit into a processor's cache, whatever the images' size


def chunks(count: int, size: int) -> Iterator[slice]:
    """Slices of the faces that are drawn together."""
    step = max(1, PIXELS_AT_ONCE // (size * size))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def draw(table: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A few faces: (N, 3, size, size) float32 in [0, 1], and (N, size, size) uint8 indices into `names.FACE_PARTS`.

    A pure function of each row of `table` (see `factors.as_table`): the same row gives the same picture, bit by bit,
    whatever stands beside it. Values are multiples of 1/255, so that a picture saved as PNG and read again is the same.
    Holds some 20 arrays of N x size x size; callers go by `chunks`.
    """
    portrait = Portrait(table, size)
    # painter's algorithm: from back to front
    scene.background(portrait)
    locks = hair.hair_of(portrait)
    hair.back(portrait, locks)
    scene.clothes(portrait)
    head.neck(portrait)
    head.ears(portrait)
    head.face(portrait)
    mouth.beard(portrait)
    head.nose(portrait)
    mouth.mouth(portrait)
    eyes.eyes(portrait)
    hair.front(portrait, locks)
    eyes.brows(portrait)
    glasses.glasses(portrait)
    eight_bit = np.rint(255 * portrait.canvas.colours.clip(0, 1))
    return eight_bit / np.float32(255), portrait.canvas.owner


def render(table: np.ndarray, size: int) -> np.ndarray:
    """(N, 3, size, size) float32 in [0, 1], drawn a few at a time."""
    images = np.empty((len(table), 3, size, size), dtype=np.float32)
    for rows in chunks(len(table), size):
        images[rows] = draw(table[rows], size)[0]
    return images
