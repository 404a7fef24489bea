"""A split of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image
from sidelight_specs.blocks import Block, Overlay, Picture, Table
from sidelight_specs.errors import SidelightError
from sidelight_specs.lazy import LazyImages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@attrs.frozen(eq=False, kw_only=True)
class Split(Artifact):
    """Images with what is known about them.

    Args:
        images: (N, C, H, W) float32 in [0, 1]: an array, or `LazyImages` that stand for one and are read when indexed.
        labels: (N,) int64 class indices into `class_names`, or float32 values for regression; None where unknown.
        class_names: the names of the classes, in index order; empty for regression.
        ids: N short names, for captions and for finding an image again.
        factors: ground-truth factors, name to (N,) float32; empty where unknown.
        masks: ground-truth part masks, name to (N, H, W) bool; empty where unknown.
    """

    kind: ClassVar[str] = "split"

    images: np.ndarray = per_image("N C H W", low=0, high=1)
    labels: np.ndarray | None = per_image("N", numbers="label", default=None)
    class_names: tuple[str, ...] = ()
    ids: tuple[str, ...] = per_image(default=())
    factors: dict[str, np.ndarray] = per_image("N", factory=dict)
    masks: dict[str, np.ndarray] = per_image("N H W", numbers="bool", factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, rows: Iterable[int] | None = None, count: int | None = None) -> Split:
        """The split, or some rows of it, with its images in memory; lazy images that cannot be read are left out.

        Args:
            rows: in this order; all when None.
            count: so many readable images are enough; all when None.

        Raises:
            UserError: none of the images can be read.
        """
        return self.read_rows(rows, count)[1]

    def read_rows(self, rows: Iterable[int] | None = None, count: int | None = None) -> tuple[list[int], Split]:
        """As `read`, with the rows that could be read."""
        if isinstance(self.images, LazyImages):
            kept, images = self.images.read(rows, count)
            return kept, attrs.evolve(self.take(kept), images=images)
        kept = list(range(len(self)) if rows is None else rows)[:count]
        return kept, self if rows is None and len(kept) == len(self) else self.take(kept)

    def batches(self, size: int) -> Iterator[Split]:
        """The split in parts of at most `size` images, in memory one at a time; lazy images are read as by `read`."""
        if isinstance(self.images, LazyImages):
            for kept, images in self.images.batches(size):
                yield attrs.evolve(self.take(kept), images=images)
        else:
            for start in range(0, len(self), size):
                yield self.take(range(start, min(start + size, len(self))))

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: integer labels are indices into `class_names`."""
        super().validate(images, classes)
        known = len(self.class_names)
        if known and self.labels is not None and self.labels.dtype.kind != "f" and len(self.labels):
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= known:
                raise SidelightError(f"labels run from {low} to {high}, there are {known} classes")

    def view(self, index: int) -> tuple[Block, ...]:
        """The image with its label, its factors, and its masks."""
        label = self._label(index)
        identity = self.ids[index] if self.ids else f"image {index}"
        blocks: list[Block] = [Picture(self.images[index], caption=f"{identity}: {label}" if label else identity)]
        if self.factors:
            rows = tuple((factor, f"{values[index]:.4g}") for factor, values in self.factors.items())
            blocks.append(Table(("factor", "value"), rows))
        blocks += [
            Overlay(masks[index].astype(np.float32), self.images[index], caption=name, mask=True)
            for name, masks in self.masks.items()
        ]
        return tuple(blocks)

    def _label(self, index: int) -> str:
        if self.labels is None:
            return ""
        value = self.labels[index]
        return self.class_names[int(value)] if self.class_names and self.labels.dtype.kind != "f" else f"{value:g}"
