"""The data: imports no torch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from sidelight_specs.lazy import BrokenImageError, LazyImages
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

from sidelight_toy.log import called


class Squares(Data):
    def __init__(self, params, *, run):
        self.params = params

    @property
    def splits(self):
        return ("train", "test")

    def fingerprint(self):
        return Path(self.params.file).read_text() if self.params.file else ""

    def split(self, name):
        called(f"split {name}")
        count, size = (30, self.params.size) if name == "train" else (9, self.params.size)
        labels = np.arange(count, dtype=np.int64) % 3
        images = np.full((count, 1, size, size), 0.1, np.float32)
        images[np.arange(count), 0, labels % size, labels % size] = 0.9
        ids = tuple(f"{name}/{index}" for index in range(count))
        if self.params.lazy:
            read = partial(self.read, images)
            images = LazyImages(images.shape, read, left_out=lambda _: called("left out"))
        return Split(images=images, labels=labels, class_names=("a", "b", "c"), ids=ids)

    def read(self, images, row):
        called(f"read {row}")
        if row == self.params.broken:
            raise BrokenImageError(f"image {row} is broken", "mend it")
        return images[row]
