"""Images before and after changes, as `ImageAttributes`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs.results import Attribute, ImageAttributes
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import Batch, in_batches
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.roles import Classifier


@attrs.frozen(eq=False)
class BeforeAfter:
    """One image and its k changes.

    Args:
        before: (C, H, W), the reconstruction.
        after: (k, C, H, W), the reconstruction with each change made alone.
        changes: k attributes.
    """

    before: Tensor
    after: Tensor
    changes: tuple[Attribute, ...]


def image_attributes(
    classifier: Classifier,
    images: Tensor,
    rows: Sequence[BeforeAfter],
    *,
    pool: Sequence[Attribute],
    most: int,
    batch: int | Batch,
) -> ImageAttributes:
    """Changes of N images with the logits before and after.

    Args:
        classifier: scores all images.
        images: (N, C, H, W), the originals.
        rows: N of them.
        pool: all changes that occur, whichever images are explained.
        most: changes of each image in the result; rows with fewer are padded with `before`.
        batch: images classified at a time.
    """

    def logits(pictures: Tensor) -> np.ndarray:
        with torch.no_grad():
            return to_array(in_batches(classifier.class_logits, pictures, batch, "classifying"))

    before = torch.stack([row.before for row in rows])  # (N, C, H, W)
    padding = [row.before.expand(most - len(row.after), -1, -1, -1) for row in rows]
    after = torch.stack([torch.cat([row.after, pad]) for row, pad in zip(rows, padding, strict=True)])
    chosen = np.full((len(rows), most), -1, dtype=np.int64)  # -1: padding
    for index, row in enumerate(rows):
        chosen[index, : len(row.changes)] = [pool.index(change) for change in row.changes]
    return ImageAttributes(
        answers="probe",
        attributes=tuple(pool),
        chosen=chosen,
        before=to_array(before),
        after=to_array(after),
        logits=logits(images),
        logits_before=logits(before),
        logits_after=logits(after.flatten(0, 1)).reshape(len(rows), most, -1),
    )
