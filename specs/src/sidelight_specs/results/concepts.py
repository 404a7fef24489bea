"""Concepts: a few features that a prediction is made of."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import array, per_image
from sidelight_specs.blocks import Block, Overlay, Plot, Strip
from sidelight_specs.results.explanation import Explanation


@attrs.frozen(eq=False, kw_only=True)
class Concepts(Explanation):
    """The concepts in N images and what each contributes.

    Args:
        names: n concept names.
        activations: (N, n) float32, how strongly each concept is present.
        contributions: (N, n) float32, what each adds to the class's score, in logits.
        heatmaps: (N, n, H, W) float32, where each concept is; None where the method has no place for it.
        exemplars: (n, M, C, H, W) float32, images in which each concept is strongest; None where there are none.
        constant: (N,) float32, the class's score without any concept: with the sum of the contributions it is the
            score as the concepts alone give it; None where contributions do not add up to a score.
        logits: (N, K) float32, the logits of all classes as the concepts alone give them; None where they do not.
        weights: (K, n) float32, what one unit of a concept adds to each class's logit; None where it is not constant.
        exemplar_activations: (n, M) float32, how strong each concept is in its exemplars; None without exemplars.
        reference: (R, n) float32, activations in images of the data other than the explained ones, for what can only
            be said over many images; None where there are none.
    """

    kind: ClassVar[str] = "concepts"

    names: tuple[str, ...]
    activations: np.ndarray = per_image("N n")
    contributions: np.ndarray = per_image("N n")
    heatmaps: np.ndarray | None = per_image("N n H W", default=None)
    exemplars: np.ndarray | None = array("n M C H W", low=0, high=1, default=None)
    constant: np.ndarray | None = per_image("N", default=None)
    logits: np.ndarray | None = per_image("N K", default=None)
    weights: np.ndarray | None = array("K n", default=None)
    exemplar_activations: np.ndarray | None = array("n M", default=None)
    reference: np.ndarray | None = array("R n", default=None)

    def _sizes(self) -> dict[str, int]:
        return {"n": len(self.names)}

    def view(self, index: int) -> tuple[Block, ...]:
        """Contributions strongest first, then each concept's heatmap and exemplars in that order."""
        order = np.argsort(-np.abs(self.contributions[index]), kind="stable")
        names = tuple(self.names[concept] for concept in order)
        bars = {"contribution": self.contributions[index][order], "activation": self.activations[index][order]}
        blocks: list[Block] = [Plot(names, bars, y_label="logits", style="bar")]
        for concept in order:
            caption = f"{self.names[concept]}: {self.contributions[index, concept]:+.3f}"
            if self.heatmaps is not None:
                blocks.append(Overlay(self.heatmaps[index, concept], signed=True, caption=caption))
            if self.exemplars is not None:
                blocks.append(Strip(self.exemplars[concept], caption=f"exemplars of {self.names[concept]}"))
        return tuple(blocks)
