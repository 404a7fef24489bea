"""Interventions on a discrete code of a layer (Gat et al. 2022)."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import per_image
from sidelight_specs.blocks import Block, Pair, Table
from sidelight_specs.results.explanation import Explanation


@attrs.frozen(eq=False, kw_only=True)
class Intervention(Explanation):
    """For each image its layer as a boolean code, and what flipping some of the bits makes of it.

    The classifier's logits are of the decoded layer, from there on: no picture was classified.

    Args:
        codes: (N, n) bool, the code of each image's layer.
        flipped: (N, n) bool, the bits that were flipped.
        before: (N, C, H, W) float32 in [0, 1], the concept image of the code.
        after: (N, C, H, W) float32 in [0, 1], the concept image of the code with the bits flipped.
        logits: (N, K) float32, the classifier on the explained images.
        logits_before: (N, K) float32, the rest of the classifier on the decoded code.
        logits_after: (N, K) float32, the same with the bits flipped.
        changed: (N,) bool, whether the flip does what was wanted; otherwise it is the best that was found.
        singles: (N, n) float32, by how much flipping each bit alone lowers the lead of the class, in logits.
    """

    kind: ClassVar[str] = "intervention"

    codes: np.ndarray = per_image("N n", numbers="bool")
    flipped: np.ndarray = per_image("N n", numbers="bool")
    before: np.ndarray = per_image("N C H W", low=0, high=1)
    after: np.ndarray = per_image("N C H W", low=0, high=1)
    logits: np.ndarray = per_image("N K")
    logits_before: np.ndarray = per_image("N K")
    logits_after: np.ndarray = per_image("N K")
    changed: np.ndarray = per_image("N", numbers="bool")
    singles: np.ndarray = per_image("N n")

    def view(self, index: int) -> tuple[Block, ...]:
        """Concept images before and after the flip, the flipped bits, and the logits."""
        result = "" if self.changed[index] else "the flip does not do what was wanted: the best that was found"
        bits = np.flatnonzero(self.flipped[index])
        flips = tuple((int(bit), int(self.codes[index, bit]), f"{self.singles[index, bit]:.3f}") for bit in bits)
        columns = self.logits[index], self.logits_before[index], self.logits_after[index]
        logits = tuple(
            (f"{{class {k}}}", *(f"{value:.3f}" for value in row)) for k, row in enumerate(zip(*columns, strict=True))
        )
        return (
            Pair(self.before[index], self.after[index], caption=result, captions=("code", "flipped code")),
            Table(("bit", "value before", "lead lost by this flip alone, logits"), flips),
            Table(("class", "logit of the image", "of the decoded code", "of the flipped code"), logits),
        )
