"""Attributes that move the classifier on single images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Block, Pair, Text
from sidelight_specs.errors import SidelightError
from sidelight_specs.results.attributes import Attribute, check_attributes
from sidelight_specs.results.explanation import Explanation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@attrs.frozen(eq=False, kw_only=True)
class ImageAttributes(Explanation):
    """For each image the attributes that change what the classifier says of it, each changed alone.

    Args:
        attributes: the pool that they are chosen from: of every class that is asked about, in the order of the
            classes, all its attributes.
        chosen: (N, k) int64, for each image indices into `attributes`, strongest first; -1 where none is left.
        before: (N, C, H, W) float32 in [0, 1], the generator's reconstruction of each image; with `reconstructions`
            the image itself.
        after: (N, k, C, H, W) float32 in [0, 1], `before` with each chosen attribute changed; `before` where none is
            left.
        logits: (N, K) float32, the classifier on the explained images.
        logits_before: (N, K) float32, the classifier on `before`.
        logits_after: (N, k, K) float32, the classifier on `after`.
        reconstructions: (N, C, H, W) float32 in [0, 1], the generator's, where what a change of attributes does to them
            is added to the image itself, so that details that the generator does not draw stay; None elsewhere.
    """

    kind: ClassVar[str] = "image-attributes"

    attributes: tuple[Attribute, ...] = ()
    chosen: np.ndarray = per_image("N k", numbers="int", low=-1)
    before: np.ndarray = per_image("N C H W", low=0, high=1)
    after: np.ndarray = per_image("N k C H W", low=0, high=1)
    logits: np.ndarray = per_image("N K")
    logits_before: np.ndarray = per_image("N K")
    logits_after: np.ndarray = per_image("N k K")
    reconstructions: np.ndarray | None = per_image("N C H W", low=0, high=1, default=None)

    def view(self, index: int) -> tuple[Block, ...]:
        """The reconstruction beside each chosen attribute changed, strongest first."""
        blocks: list[Block] = []
        for rank, chosen in enumerate(self.chosen[index]):
            if chosen < 0:  # fewer attributes than places
                break
            attribute = self.attributes[chosen]
            raised = self.logits_after[index, rank, attribute.target] - self.logits_before[index, attribute.target]
            caption = f"{attribute.name}: {raised:+.3f} logits of {{class {attribute.target}}}"
            blocks.append(Pair(self.before[index], self.after[index, rank], caption))
        return tuple(blocks) or (Text("no attribute changes the classifier on this image"),)

    @classmethod
    def concat(cls, shards: Sequence[Self]) -> Self:
        """Join shards along the images. Their pools may be of different classes; the joined one is of all of them."""
        distinct = dict.fromkeys(attribute for shard in shards for attribute in shard.attributes)
        pool = sorted(distinct, key=lambda attribute: attribute.target)
        indices = {attribute: index for index, attribute in enumerate(pool)}
        return super().concat([shard._pointing_into(indices) for shard in shards])

    def _pointing_into(self, indices: Mapping[Attribute, int]) -> Self:
        index = np.array([*(indices[attribute] for attribute in self.attributes), -1], dtype=np.int64)
        return attrs.evolve(self, attributes=tuple(indices), chosen=index[self.chosen])

    def validate(self, images: tuple[int, ...] | None = None, classes: int | None = None) -> None:
        """Beside the forms: targets are classes, and what is chosen is in the pool."""
        super().validate(images, classes)
        check_attributes(self.attributes, classes)
        if self.chosen.max(initial=-1) >= len(self.attributes):
            raise SidelightError(f"chosen names attribute {self.chosen.max()}, there are {len(self.attributes)}")
