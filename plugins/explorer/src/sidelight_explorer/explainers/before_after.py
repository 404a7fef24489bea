"""Images beside what they were changed into, as a result that reports know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from sidelight_specs.results import Attribute, ImageAttributes
from sidelight_toolkit.arrays import to_array
from sidelight_toolkit.batching import in_batches
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.roles import Classifier


@attrs.frozen(eq=False)
class Changed:
    """One image and its changes.

    Args:
        before: (C, H, W), its reconstruction.
        after: (k, C, H, W), the reconstruction with each change made alone.
        changes: k of them.
    """

    before: Tensor
    after: Tensor
    changes: tuple[Attribute, ...]


def image_attributes(
    classifier: Classifier,
    images: Tensor,
    rows: Sequence[Changed],
    *,
    pool: Sequence[Attribute],
    most: int,
    batch: int,
) -> ImageAttributes:
    """The changes of N images with what the classifier says of each picture.

    Args:
        classifier: who is asked.
        images: (N, C, H, W), the originals.
        rows: for each its changes.
        pool: every change that there may be, whichever images are asked about.
        most: changes that every image gets; where there are fewer, `before` fills the rest.
        batch: images classified at a time.
    """

    def asked(pictures: Tensor) -> np.ndarray:
        with torch.no_grad():
            return to_array(in_batches(classifier.class_logits, pictures, batch))

    before = torch.stack([row.before for row in rows])
    after = torch.stack([torch.cat([row.after, row.before.expand(most - len(row.after), -1, -1, -1)]) for row in rows])
    chosen = np.full((len(rows), most), -1, dtype=np.int64)
    for number, row in enumerate(rows):
        chosen[number, : len(row.changes)] = [pool.index(change) for change in row.changes]
    return ImageAttributes(
        answers="probe",
        attributes=tuple(pool),
        chosen=chosen,
        before=to_array(before),
        after=to_array(after),
        logits=asked(images),
        logits_before=asked(before),
        logits_after=asked(after.flatten(0, 1)).reshape(len(rows), most, -1),
    )
