"""Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 28x28, from four IDX files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import UserError

from sidelight_images._idx import read_idx
from sidelight_images._order import interleaved, uniform
from sidelight_images._params import GARMENTS
from sidelight_images.labelled import LabelledImages, Rows

if TYPE_CHECKING:
    from sidelight_images._params import FashionParams

PREFIX = {"train": "train", "test": "t10k"}
GET_IT = (
    "install Debian's package dataset-fashion-mnist, or fetch the four files train-images-idx3-ubyte.gz, "
    "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz from "
    "https://github.com/zalandoresearch/fashion-mnist and name their folder with `path`"
)


class Fashion(LabelledImages):
    """Kinds of clothing, in the split that its authors made."""

    params: FashionParams
    all_classes = GARMENTS

    def read(self, split: str) -> Rows:
        """The rows of one pair of files, interleaved."""
        images = read_idx(self._file(split, "images-idx3-ubyte"), 3)
        labels = read_idx(self._file(split, "labels-idx1-ubyte"), 1).astype(np.int64)
        if len(images) != len(labels) or images.shape[1:] != (28, 28) or labels.max(initial=0) >= len(GARMENTS):
            raise UserError(f"the {split} files in {self.params.path} are not those of Fashion-MNIST", GET_IT)
        ids = tuple(f"fashion-{split}-{number}" for number in range(len(labels)))
        return Rows(images, labels, ids).where(interleaved(labels, uniform(self.params.seed, ids)))

    def fingerprint(self) -> str:
        """Sizes and times of the four files."""
        paths = [self._file(split, kind) for split in PREFIX for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
        return " ".join(f"{path.name}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in paths)

    def _file(self, split: str, kind: str) -> Path:
        folder = Path(self.params.path).expanduser()
        name = f"{PREFIX[split]}-{kind}"
        found = next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
        if found is None:
            raise UserError(f"Fashion-MNIST: neither {name}.gz nor {name} is in {folder}", GET_IT)
        return found
