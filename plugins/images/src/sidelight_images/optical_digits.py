"""The 1,797 handwritten digits that come with scikit-learn, drawn at the size of MNIST's."""

from __future__ import annotations

import gzip
import zlib
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from sidelight_specs import UserError

from sidelight_images.labelled import LabelledImages, Rows
from sidelight_images.names import DIGITS
from sidelight_images.order import interleaved, uniform
from sidelight_images.packages import package_file

if TYPE_CHECKING:
    from pathlib import Path

    from sidelight_images.params import OpticalDigitsParams

SIDE, MARGIN = 20, 4  # pixels: MNIST's digits fill 20x20 of 28x28


class OpticalDigits(LabelledImages):
    """Digits of other people, captured differently: 8x8 counts of ink, enlarged, so strokes are soft and thick.

    They are the test set of Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (UCI).
    """

    _params: OpticalDigitsParams
    all_classes = DIGITS

    @cached_property
    def _rows(self) -> Rows:
        table = read_table(package_file("sklearn", "scikit-learn", "datasets/data/digits.csv.gz"))
        labels = table[:, -1].astype(np.int64)
        ids = tuple(f"optical-digit-{number}" for number in range(len(table)))
        order = interleaved(labels, uniform(self._params.seed, ids))
        return Rows(enlarged(table[:, :-1].reshape(-1, 8, 8)), labels, ids).where(order)

    def read(self, split: str) -> Rows:
        """The first `test` rows of the interleaved order are the test split, the others the training split."""
        rows = np.arange(len(self._rows.labels))
        return self._rows.where(rows < self._params.test if split == "test" else rows >= self._params.test)


def enlarged(counts: np.ndarray) -> np.ndarray:
    """(N, 28, 28) uint8 from counts of ink (N, 8, 8) between 0 and 16, by bicubic interpolation."""
    pixels = np.rint(counts * (255 / 16)).astype(np.uint8)
    drawn = [np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for one in pixels]
    return np.pad(np.stack(drawn), ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))


def read_table(path: Path) -> np.ndarray:
    """(1797, 65) uint8: 64 counts of ink and the label in each row.

    Raises:
        UserError: the file is damaged.
    """
    try:
        with gzip.open(path, "rt") as file:
            table = np.loadtxt(file, delimiter=",").astype(np.uint8)
        if table.shape != (1797, 65) or table[:, :-1].max() > 16:
            raise ValueError(f"it holds a table of {table.shape}, (1797, 65) was expected")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}", "pip install --force-reinstall scikit-learn") from error
    return table
