"""Counterfactual images."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from sidelight_specs.artifacts import array, per_image
from sidelight_specs.results.explanation import Explanation


@attrs.frozen(eq=False, kw_only=True)
class Counterfactual(Explanation):
    """For each image, the image that would have been answered differently.

    Args:
        images: (N, C, H, W) float32 in [0, 1].
        logits_before: (N, K) float32, the classifier on the explained images.
        logits_after: (N, K) float32, the classifier on `images`, as re-measured at the end.
        converged: (N,) bool; a search that failed is kept with False and is never shown as an answer.
        constraints: name to (N,) float32: by how much each family of constraints is violated, in nats of
            log-likelihood; 0 where it holds. Empty where the method has none.
        tolerance: the violation, in nats, up to which a constraint counts as holding.
        path_images: (N, T, C, H, W) float32, images along the search from the start to the answer; None where there
            is no path.
        path_logits: (N, T, K) float32, the classifier along the path.
        path_steps: (T,) int64, the step of the search at which each image of the path was taken.
        path_names: N tuples of T names: what was changed to reach each image of the path, empty where nothing was;
            None where changes have no names.
        latents: (N, ...) float32, the generator's latents of `images`; None for methods without a generator.
        start_latents: (N, ...) float32, the latents that the search started from.
    """

    kind: ClassVar[str] = "counterfactual"

    images: np.ndarray = per_image("N C H W", low=0, high=1)
    logits_before: np.ndarray = per_image("N K")
    logits_after: np.ndarray = per_image("N K")
    converged: np.ndarray = per_image("N", numbers="bool")
    constraints: dict[str, np.ndarray] = per_image("N", factory=dict)
    tolerance: float = 0.05
    path_images: np.ndarray | None = per_image("N T C H W", low=0, high=1, default=None)
    path_logits: np.ndarray | None = per_image("N T K", default=None)
    path_steps: np.ndarray | None = array("T", numbers="int", default=None)
    path_names: tuple[tuple[str, ...], ...] | None = per_image(default=None)
    latents: np.ndarray | None = per_image("N ...", default=None)
    start_latents: np.ndarray | None = per_image("N ...", default=None)
