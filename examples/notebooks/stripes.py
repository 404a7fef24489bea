"""Crops of photographs: a small patch of stripes alone tells the class, a patch of noise tells nothing.

Photographs are those of scikit-image. The notebooks explain networks that were trained on such images (`train.py`).
"""

from __future__ import annotations

from functools import cache

import numpy as np

SIZE, PATCH, CLASSES = 48, 12, ("rows", "columns", "checks")


@cache
def photographs() -> list[np.ndarray]:
    """(H, W, 3) in [0, 1], reduced so that crops show things and not textures."""
    from skimage import data, transform

    names = ("astronaut", "chelsea", "coffee", "rocket")
    return [transform.rescale(getattr(data, name)() / 255.0, 0.4, anti_aliasing=True, channel_axis=2) for name in names]


def draw(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, 48, 48, 3) uint8, labels (N,), and masks (N, 48, 48) of the stripes."""
    y, x = np.mgrid[:PATCH, :PATCH]
    patterns = [0.5 + 0.45 * (-1.0) ** each for each in (y // 2, x // 2, x // 2 + y // 2)]
    labels = rng.integers(0, len(CLASSES), count)
    images, masks = [], np.zeros((count, SIZE, SIZE), bool)
    for index, label in enumerate(labels):
        photo = photographs()[rng.integers(len(photographs()))]
        top, left = (rng.integers(0, side - SIZE + 1) for side in photo.shape[:2])
        image = photo[top : top + SIZE, left : left + SIZE].copy()
        (a, b), (c, d) = _two_places(rng)
        image[a : a + PATCH, b : b + PATCH] = patterns[label][..., None]
        image[c : c + PATCH, d : d + PATCH] = rng.uniform(0.05, 0.95, (PATCH, PATCH))[..., None]
        masks[index, a : a + PATCH, b : b + PATCH] = True
        images.append(image)
    return np.rint(np.stack(images).clip(0, 1) * 255).astype(np.uint8), labels, masks


def _two_places(rng: np.random.Generator) -> tuple[tuple[int, int], tuple[int, int]]:
    """Corners of two patches that do not touch."""
    while True:
        (a, b), (c, d) = rng.integers(0, SIZE - PATCH + 1, (2, 2)).tolist()
        if abs(a - c) > PATCH or abs(b - d) > PATCH:
            return (a, b), (c, d)
