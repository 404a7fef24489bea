"""Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 28x28, from four IDX files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError

from sidelight_images.facts import GET_FASHION, fashion_file, fashion_fingerprint
from sidelight_images.idx import read_idx
from sidelight_images.labelled import LabelledImages, Rows
from sidelight_images.names import GARMENTS
from sidelight_images.order import interleaved, uniform

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_images.params import FashionParams

PREFIX = {"train": "train", "test": "t10k"}


class Fashion(LabelledImages):
    """Kinds of clothing, in the split that its authors made."""

    _params: FashionParams
    all_classes = GARMENTS

    def read(self, split: str) -> Rows:
        """The rows of one pair of files, interleaved."""
        images = read_idx(self._file(split, "images-idx3-ubyte"), 3)
        labels = read_idx(self._file(split, "labels-idx1-ubyte"), 1).astype(np.int64)
        if len(images) != len(labels) or images.shape[1:] != (28, 28) or labels.max(initial=0) >= len(GARMENTS):
            raise UserError(f"the {split} files in {self._params.path} are not those of Fashion-MNIST", GET_FASHION)
        ids = tuple(f"fashion-{split}-{number}" for number in range(len(labels)))
        return Rows(images, labels, ids).where(interleaved(labels, uniform(self._params.seed, ids)))

    def fingerprint(self) -> str:
        """Sizes and times of the four files."""
        return fashion_fingerprint(self._params)

    def _file(self, split: str, kind: str) -> Path:
        return fashion_file(self._params, f"{PREFIX[split]}-{kind}")
