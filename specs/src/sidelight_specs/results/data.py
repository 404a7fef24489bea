"""A split of a data set."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image


@attrs.frozen(eq=False, kw_only=True)
class Split(Artifact):
    """Images with what is known about them.

    Args:
        images: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64 class indices into `class_names`, or float32 values for regression; None where unknown.
        class_names: the names of the classes, in index order; empty for regression.
        ids: N short names, for captions and for finding an image again.
        factors: ground-truth factors, name to (N,) float32; empty where unknown.
        masks: ground-truth part masks, name to (N, H, W) bool; empty where unknown.
    """

    kind: ClassVar[str] = "split"

    images: np.ndarray = per_image()
    labels: np.ndarray | None = per_image(default=None)
    class_names: tuple[str, ...] = ()
    ids: tuple[str, ...] = per_image(default=())
    factors: dict[str, np.ndarray] = per_image(factory=dict)
    masks: dict[str, np.ndarray] = per_image(factory=dict)

    def __len__(self) -> int:
        return len(self.images)
