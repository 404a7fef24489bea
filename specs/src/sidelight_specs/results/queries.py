"""Comparative queries about occluded images (Shitole et al. 2021): of which of two is the class still said?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
import numpy as np

from sidelight_specs.artifacts import Artifact, array
from sidelight_specs.blocks import Block, Pair, Text
from sidelight_specs.digests import digest_of
from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_SHOWN = 6  # pairs of a view
_ARRAYS = ("versions", "visible", "predicted", "answers", "probability", "probabilities")  # a row for each pair


@attrs.frozen(eq=False, kw_only=True)
class ComparativeQueries(Artifact):
    """Q pairs of occluded versions of explained images, with the classifier's answers.

    The first version of a pair is still classified as the whole image is, the second is not; whoever asks mixes them.
    Both show equally many patches. The answers are those about the stored pixels.

    Args:
        image: digest of the explained image of each pair, as `digest_of` gives it for the (C, H, W) float32 array.
        versions: (Q, 2, C, H, W) uint8.
        visible: (Q, 2, P) bool, the patches that each version shows, row-major over the grid.
        grid: rows and columns of patches, P in all.
        soft: whether patches are tents that overlap (as `AttentionGraph.soft`), or squares.
        baseline: the name of what hides the other patches.
        predicted: (Q,) int64, the class X that the classifier says of the whole image.
        answers: (Q, 2) int64, the class that it says of each version.
        probability: (Q,) float32, of X on the whole image.
        probabilities: (Q, 2) float32, of X on each version.
    """

    kind: ClassVar[str] = "comparative-queries"

    image: tuple[str, ...]
    versions: np.ndarray = array("Q 2 C H W", numbers="int", low=0, high=255)
    visible: np.ndarray = array("Q 2 P", numbers="bool")
    grid: tuple[int, int]
    soft: bool = True
    baseline: str = ""
    predicted: np.ndarray = array("Q", numbers="int", low=0)
    answers: np.ndarray = array("Q 2", numbers="int", low=0)
    probability: np.ndarray = array("Q", low=0, high=1)
    probabilities: np.ndarray = array("Q 2", low=0, high=1)

    def __len__(self) -> int:
        return len(self.image)

    def _sizes(self) -> dict[str, int]:
        return {"Q": len(self.image), "P": self.grid[0] * self.grid[1]}

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: the first version keeps the class, the second does not, and both show as much."""
        super().validate(images, classes)
        if self.versions.dtype != np.uint8:
            raise SidelightError(f"versions holds {self.versions.dtype}, not uint8")
        kept = self.answers == self.predicted[:, None]  # (Q, 2)
        if not (kept[:, 0] & ~kept[:, 1]).all():
            raise SidelightError(
                "answers: the first version of a pair keeps the predicted class and the second does not"
            )
        counts = self.visible.sum(2)
        if (counts[:, 0] != counts[:, 1]).any():
            raise SidelightError("visible: the versions of a pair show different numbers of patches")

    def of(self, image: np.ndarray) -> np.ndarray:
        """(q,) int64, the pairs about an explained image (C, H, W)."""
        digest = digest_of(np.ascontiguousarray(image))
        return np.flatnonzero([one == digest for one in self.image])

    def select(self, pairs: Sequence[int] | np.ndarray) -> Self:
        """Some of the pairs, in the order given."""
        rows = list(map(int, pairs))
        chosen: dict[str, Any] = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return attrs.evolve(self, image=tuple(self.image[row] for row in rows), **chosen)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All pairs of at least one artifact with the same grid and baseline."""
        arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
        return attrs.evolve(parts[0], image=tuple(one for part in parts for one in part.image), **arrays)

    @classmethod
    def example(cls, images: np.ndarray, classes: int) -> Self:
        """One pair for each image: the upper half, and the lower half, over black."""
        levels = np.rint(images * 255).astype(np.uint8)
        versions = np.stack([levels, levels], axis=1)
        half = images.shape[-2] // 2
        versions[:, 0, :, half:], versions[:, 1, :, :half] = 0, 0
        count = len(images)
        return cls(
            image=tuple(digest_of(np.ascontiguousarray(image)) for image in images),
            versions=versions,
            visible=np.tile([[True, False], [False, True]], (count, 1, 1)),
            grid=(2, 1),
            soft=False,
            baseline="black",
            predicted=np.zeros(count, dtype=np.int64),
            answers=np.tile(np.array([0, min(1, classes - 1)]), (count, 1)),
            probability=np.full(count, 0.9, dtype=np.float32),
            probabilities=np.tile(np.array([0.8, 0.2], dtype=np.float32), (count, 1)),
        )

    def view(self, index: int) -> tuple[Block, ...]:
        """The first pairs, whatever the index, with the class's probabilities."""
        del index
        shown = range(min(len(self), MOST_SHOWN))
        text = f"{len(self)} pairs of occluded versions; the classifier still says the class of the first of each alone"
        return (Text(text), *(self._pair(row) for row in shown))

    def _pair(self, row: int) -> Pair:
        first, second = self.probabilities[row]
        whole = f"{{class {self.predicted[row]}}}: {self.probability[row]:.0%} on the whole image"
        captions = (f"still: {first:.0%}", f"{{class {self.answers[row, 1]}}}: {second:.0%}")
        return Pair(self.versions[row, 0], self.versions[row, 1], caption=whole, captions=captions)
