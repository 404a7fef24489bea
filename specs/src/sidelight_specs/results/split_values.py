"""Values that a regression predicts for a whole split, or for a sample of it, beside the true ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, per_image
from sidelight_specs.blocks import Block, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results.data import Split


@attrs.frozen(eq=False, kw_only=True)
class SplitValues(Artifact):
    """Predicted and true values of the N images of a split.

    Args:
        index: (N,) int64, rows of the split, ascending; images that cannot be read are absent.
        predicted: (N,) float32, in the unit of the labels.
        labels: (N,) float32, the true values.
        split_size: images of the split, of which these N may be a sample; None where unknown.
    """

    kind: ClassVar[str] = "split-values"

    index: np.ndarray = per_image("N", numbers="int", low=0)
    predicted: np.ndarray = per_image("N")
    labels: np.ndarray = per_image("N")
    split_size: int | None = None

    @classmethod
    def of(
        cls, logits: np.ndarray, split: Split, index: Sequence[int] | np.ndarray, split_size: int | None = None
    ) -> SplitValues:
        """From the (N, 1) answers of a regression about the N labelled images of a split, or of a part of it."""
        assert split.labels is not None, "without labels there is nothing to hold the values against"
        return cls(
            index=np.asarray(index, dtype=np.int64),
            predicted=logits[:, 0].astype(np.float32),
            labels=split.labels.astype(np.float32),
            split_size=split_size,
        )

    def __len__(self) -> int:
        return len(self.index)

    @property
    def residuals(self) -> np.ndarray:
        """(N,) float64 predicted minus true value."""
        return np.asarray(self.predicted.astype(np.float64) - self.labels)

    def worst(self, count: int) -> np.ndarray:
        """(n,) int64 positions of the largest residuals, the largest first; at most `count`."""
        return np.argsort(-np.abs(self.residuals), kind="stable")[:count].astype(np.int64)

    def view(self, index: int) -> tuple[Block, ...]:
        """Mean absolute residual."""
        del index
        if not len(self):
            return ()
        return (Text(f"mean absolute residual of {len(self):,} images: {np.abs(self.residuals).mean():.3g}"),)
