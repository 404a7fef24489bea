"""Base of digits and Fashion-MNIST: 28x28 grey images in two splits, and ways to spoil the training data."""

from __future__ import annotations

from abc import abstractmethod
from functools import cache, cached_property
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np
from sidelight_specs import SidelightError, UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

from sidelight_images.names import ANY, square_splits
from sidelight_images.order import uniform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sidelight_specs import Run

    from sidelight_images.params import DigitsParams, FashionParams, OpticalDigitsParams

GREY = 128  # of 255: the square is seen on black and on white
EVEN = 0.5  # share of images with a square that goes with no class
LOTS = ("test", "train")  # in which the factor `image` counts: explaining needs the test images alone
SQUARE_LEVELS = ("no square", "square")


@attrs.frozen(eq=False)
class Rows:
    """Images of one split as they were read.

    Args:
        images: (N, H, W) uint8.
        labels: (N,) int64, indices into all of the data set's classes.
        ids: N names.
    """

    images: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]

    def where(self, chosen: np.ndarray) -> Rows:
        """The rows of a mask or of a list of row numbers."""
        numbers = np.arange(len(self.labels))[chosen]
        return Rows(self.images[chosen], self.labels[chosen], tuple(self.ids[number] for number in numbers))


class LabelledImages(Data):
    """Base of data sets that come as small grey images with labels.

    The options `classes`, `keep`, `leave_out` and `square` follow the experiments of Feghahati et al. 2020
    (CDeepEx), sections 4.2 and 4.3. Only the training split is ever spoiled.
    """

    all_classes: ClassVar[tuple[str, ...]]

    def __init__(self, params: DigitsParams | FashionParams | OpticalDigitsParams, *, run: Run) -> None:
        self._params = params
        self._run = run
        # a function that remembers, and no attribute: the guard of a run looks through these around every step
        self._lot = cache(self._read_lot)

    @abstractmethod
    def read(self, split: str) -> Rows:
        """The rows of `"train"` or `"test"`, in the order in which they are shown."""

    @property
    def splits(self) -> tuple[str, ...]:
        """`train` and `test`; with a square also the test images with other squares (`names.square_splits`)."""
        return ("train", "test", *square_splits(self._params.square))

    @property
    def factor_ranges(self) -> Mapping[str, tuple[float, float]]:
        """`image`, the number of the image that is shown, and `square`, 0 or 1, where the options name one."""
        return {name: (0.0, len(levels) - 1.0) for name, levels in self.factor_levels.items()}

    @property
    def factor_levels(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the images, those of `test` first; without and with the square."""
        names = tuple(name for lot in LOTS for name in self._lot(lot).ids)
        return {"image": names, "square": SQUARE_LEVELS} if self._params.square else {"image": names}

    def split(self, name: str) -> Split:
        """Images padded to `size`, labels renumbered when only some classes are used."""
        if name not in self.splits:
            raise UserError(f'there is no split "{name}"', f"use one of: {', '.join(self.splits)}")
        lot = "train" if name == "train" else "test"
        rows = self._lot(lot)
        if not len(rows.labels):
            raise UserError(f'no image is left in the split "{name}"', "leave fewer classes out, or keep some images")
        return self._finished(rows, self._stamped(name, rows), len(self._lot("test").labels) if name == "train" else 0)

    def render(self, factors: Mapping[str, np.ndarray]) -> np.ndarray:
        """(N, 1, size, size) float32 images of these factors, each name to (N,); values are clipped to their ranges.

        Raises:
            SidelightError: a factor is missing, unknown or not finite.
        """
        ranges = self.factor_ranges
        if set(factors) != set(ranges):
            raise SidelightError(f"missing or unknown factors: {', '.join(sorted(set(factors) ^ set(ranges)))}")
        table = np.stack([np.asarray(factors[name], np.float32) for name in ranges])
        if not np.isfinite(table).all():
            raise SidelightError("factors must be finite numbers")
        high = np.array([end for _, end in ranges.values()], np.float32)
        numbers = np.rint(table.clip(0, high[:, None])).astype(np.int64)
        images = np.concatenate([self._lot(lot).images for lot in LOTS])[numbers[0]]
        return self._drawn(images, numbers[1].astype(bool) if self._params.square else np.zeros(len(images), bool))

    def _read_lot(self, lot: str) -> Rows:
        """Training or test images of the chosen classes, without squares."""
        rows = self._of_classes(self.read(lot))
        return self._kept(rows) if lot == "train" else rows

    def _stamped(self, split: str, rows: Rows) -> np.ndarray:
        """(N,) bool: the images of a split that show the square."""
        if split in ("train", "test-aligned"):
            return self._marked(rows)
        if split == "test-decorrelated":
            return uniform(self._params.seed, [f"square {name}" for name in rows.ids]) < EVEN
        if split == "test-conflicting":
            return ~np.isin(rows.labels, self._squared)
        return np.full(len(rows.labels), split == "test-square")

    @cached_property
    def _chosen(self) -> tuple[int, ...]:
        return tuple(self._indices(self._params.classes, "classes")) or tuple(range(len(self.all_classes)))

    @cached_property
    def _squared(self) -> tuple[int, ...]:
        """The classes whose training images get the square."""
        if self._params.square in ("", ANY):
            return self._chosen if self._params.square else ()
        index = self._indices([self._params.square], "square")[0]
        if index not in self._chosen:
            raise UserError(f'square: the class "{self._params.square}" is not among `classes`', "add it to `classes`")
        return (index,)

    def _marked(self, rows: Rows) -> np.ndarray:
        """(N,) bool: the images that get the square in training, chosen by their names."""
        lots = uniform(self._params.seed, [f"square {name}" for name in rows.ids])
        is_squared = np.isin(rows.labels, self._squared)
        elsewhere = self._params.square_elsewhere if self._params.square else 0.0
        marked: np.ndarray = lots < np.where(is_squared, self._params.square_share, elsewhere)
        return marked

    def _indices(self, names: Iterable[str], option: str) -> list[int]:
        names = list(names)
        unknown = [name for name in names if name not in self.all_classes]
        if unknown:
            known = ", ".join(self.all_classes)
            raise UserError(f"{option}: there is no class {', '.join(map(repr, unknown))}", f"the classes are: {known}")
        if len(set(names)) < len(names):
            raise UserError(f"{option}: a class is named twice", "name each class once")
        return [self.all_classes.index(name) for name in names]

    def _of_classes(self, rows: Rows) -> Rows:
        return rows.where(np.isin(rows.labels, self._chosen)) if self._params.classes else rows

    def _kept(self, rows: Rows) -> Rows:
        """The first n training images of each limited class."""
        both = sorted(set(self._params.keep) & set(self._params.leave_out))
        if both:
            raise UserError(f"both keep and leave_out name {', '.join(both)}", "name a class in one of the two")
        limits = {**dict.fromkeys(self._params.leave_out, 0), **self._params.keep}
        chosen = np.ones(len(rows.labels), dtype=bool)
        for index, limit in zip(self._indices(limits, "keep, leave_out"), limits.values(), strict=True):
            chosen[np.flatnonzero(rows.labels == index)[limit:]] = False
        return rows.where(chosen) if limits else rows

    def _finished(self, rows: Rows, stamped: np.ndarray, first: int) -> Split:
        """A split of these rows, the first of which is image `first`."""
        images = self._drawn(rows.images, stamped)
        renumbered = np.full(len(self.all_classes), -1, dtype=np.int64)
        renumbered[list(self._chosen)] = np.arange(len(self._chosen))
        factors = {"image": np.arange(first, first + len(images), dtype=np.float32)}
        masks = {}
        if self._params.square:
            factors["square"] = stamped.astype(np.float32)
            masks["square"] = self._mask(images.shape, (self._params.size - rows.images.shape[-1]) // 2)
        return Split(
            images=images,
            labels=renumbered[rows.labels],
            class_names=tuple(self.all_classes[index] for index in self._chosen),
            ids=rows.ids,
            factors=factors,
            masks=masks,
        )

    def _drawn(self, images: np.ndarray, stamped: np.ndarray) -> np.ndarray:
        """(N, 1, size, size) float32 in [0, 1] of (N, H, W) uint8, some with the square."""
        side, pad = self._params.square_side, self._params.size - images.shape[-1]
        images = images.copy()
        images[stamped, :side, :side] = GREY
        border = ((0, 0), (pad // 2, pad - pad // 2), (pad // 2, pad - pad // 2))
        return np.pad(images, border)[:, np.newaxis].astype(np.float32) / 255

    def _mask(self, shape: tuple[int, ...], offset: int) -> np.ndarray:
        """(N, H, W) bool: where the square is, or would be."""
        mask = np.zeros((shape[0], *shape[-2:]), dtype=bool)
        mask[:, offset : offset + self._params.square_side, offset : offset + self._params.square_side] = True
        return mask
