"""Base of digits and Fashion-MNIST: 28x28 grey images in two splits, and ways to spoil the training data."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np
from sidelight_specs import UserError
from sidelight_specs.results import Split
from sidelight_specs.roles import Data

from sidelight_images.names import ANY
from sidelight_images.order import uniform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs import Run

    from sidelight_images.params import DigitsParams, FashionParams, OpticalDigitsParams

GREY = 128  # of 255: the square is seen on black and on white


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

    @abstractmethod
    def read(self, split: str) -> Rows:
        """The rows of `"train"` or `"test"`, in the order in which they are shown."""

    @property
    def splits(self) -> tuple[str, ...]:
        """`train` and `test`; with a square also `test-square`."""
        return ("train", "test", "test-square") if self._params.square else ("train", "test")

    def split(self, name: str) -> Split:
        """Images padded to `size`, labels renumbered when only some classes are used."""
        if name not in self.splits:
            raise UserError(f'there is no split "{name}"', f"use one of: {', '.join(self.splits)}")
        rows = self._of_classes(self.read("train" if name == "train" else "test"))
        stamped = np.zeros(len(rows.labels), dtype=bool)
        if name == "train":
            rows = self._kept(rows)
            stamped = self._marked(rows)
        elif name == "test-square":
            stamped[:] = True
        if not len(rows.labels):
            raise UserError(f'no image is left in the split "{name}"', "leave fewer classes out, or keep some images")
        return self._finished(rows, stamped)

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
        """(N,) bool: the training images that get the square, chosen by their names."""
        lots = uniform(self._params.seed, [f"square {name}" for name in rows.ids])
        marked: np.ndarray = np.isin(rows.labels, self._squared) & (lots < self._params.square_share)
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

    def _finished(self, rows: Rows, stamped: np.ndarray) -> Split:
        side, pad = self._params.square_side, self._params.size - rows.images.shape[-1]
        images = rows.images.copy()
        images[stamped, :side, :side] = GREY
        border = ((0, 0), (pad // 2, pad - pad // 2), (pad // 2, pad - pad // 2))
        padded = np.pad(images, border)[:, np.newaxis].astype(np.float32) / 255
        renumbered = np.full(len(self.all_classes), -1, dtype=np.int64)
        renumbered[list(self._chosen)] = np.arange(len(self._chosen))
        return Split(
            images=padded,
            labels=renumbered[rows.labels],
            class_names=tuple(self.all_classes[index] for index in self._chosen),
            ids=rows.ids,
            masks={"square": self._mask(padded.shape, pad // 2)} if self._params.square else {},
        )

    def _mask(self, shape: tuple[int, ...], offset: int) -> np.ndarray:
        """(N, H, W) bool: where the square is, or would be."""
        mask = np.zeros((shape[0], *shape[-2:]), dtype=bool)
        mask[:, offset : offset + self._params.square_side, offset : offset + self._params.square_side] = True
        return mask
