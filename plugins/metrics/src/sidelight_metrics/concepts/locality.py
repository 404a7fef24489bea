"""Locality of concepts (Li Fuxin et al. 2021, section 2.2): the number of segments over which a heatmap spreads.

    parts = exp(-sum_s p_s log p_s),  p_s = share of the heatmap's positive values in segment s       lower is better

The exponential of the entropy is the number of equal parts that would have it. Segments are masks of the data (eyes,
mouth, ...) with what lies outside all of them as one more, or square patches. Masks that leave pixels out also tell how
much of a heatmap lies on them (relevance mass accuracy of Arras et al. 2022).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Concepts, Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.kinds import expect_kind
from sidelight_metrics.segments import masks_of, patches

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import LocalityParams


class Locality(Metric):
    """Effective number of segments of each concept's heatmap."""

    def __init__(self, params: LocalityParams, *, data: Data | None = None, run: Run) -> None:
        self._params, self._data, self._run = params, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`parts in an image`, `parts over the images`, and `inside the parts` where masks leave pixels out.

        NaN where no concept has a heatmap that is not empty.
        """
        del targets
        concepts = expect_kind(explanation, Concepts)
        masks, settings = self._segments(images)
        if concepts.heatmaps is None:
            self._run.warn("locality: the concepts come without heatmaps, so nothing can be said of their places")
            shares = np.full((*concepts.activations.shape, 1), np.nan)
        else:
            _check(concepts.heatmaps, images)
            shares = np.stack([_shares(maps, masks[row]) for row, maps in enumerate(concepts.heatmaps)])  # (N, n, P+1)
        in_images, over_images = spread(shares)
        rest: np.ndarray = np.logical_not(masks.any(axis=1))  # (N, H, W), outside of all parts
        return Measurements(
            items=(
                *_inside(shares, rest, settings),
                Measurement(
                    name="parts in an image",
                    values=in_images,
                    better="lower",
                    unit="parts",
                    help="e to the entropy of a concept's heatmap over the parts of one image, mean over its concepts.",
                    settings=settings,
                ),
                Measurement(
                    name="parts over the images",
                    values=np.array([over_images], dtype=np.float32),
                    whole=True,
                    better="lower",
                    unit="parts",
                    help="The same of a concept's mean heatmap over all images: low where it keeps to the same parts.",
                    settings=settings,
                ),
            )
        )

    def _segments(self, images: Tensor) -> tuple[np.ndarray, dict[str, str]]:
        """(N, P, H, W) bool masks, and their description."""
        named = masks_of(self._data, self._params.parts, to_array(images))
        if named:
            return np.stack(list(named.values()), axis=1), {"parts": ", ".join(named)}
        height, width = images.shape[-2:]
        grid = min(self._params.grid, height, width)
        masks = np.broadcast_to(patches(height, width, grid), (len(images), grid * grid, height, width))
        return masks, {"parts": f"{grid}x{grid} patches"}


def _inside(shares: np.ndarray, rest: np.ndarray, settings: dict[str, str]) -> tuple[Measurement, ...]:
    """Mean over an image's concepts of the share of their heatmaps inside the parts; none where parts cover it all."""
    if not rest.any():
        return ()
    inside = 1 - shares[..., -1]  # (N, n), NaN for an empty heatmap
    present = ~np.isnan(inside)
    total = np.nan_to_num(inside).sum(1)
    mean = np.divide(total, present.sum(1), out=np.full(len(inside), np.nan), where=present.any(1))
    return (
        Measurement(
            name="inside the parts",
            values=mean.astype(np.float32),
            better="higher",
            unit="share of the heatmap",
            help=f"Share of a concept's heatmap on the parts, which cover {1 - rest.mean():.1%} of the pixels; mean "
            "over an image's concepts.",
            settings=settings,
        ),
    )


def _check(heatmaps: np.ndarray, images: Tensor) -> None:
    if heatmaps.shape[0] != len(images) or heatmaps.shape[2:] != tuple(images.shape[-2:]):
        raise SidelightError(f"heatmaps of shape {heatmaps.shape} do not fit images of shape {tuple(images.shape)}")


def _shares(heatmaps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(n, P + 1) shares of each heatmap's positive values in the segments and the rest; NaN for an empty heatmap.

    A pixel that belongs to several segments counts in each of them.
    """
    amounts = heatmaps.clip(0).astype(np.float64)
    everywhere = np.concatenate([masks, ~masks.any(axis=0, keepdims=True)])  # with the rest, (P + 1, H, W)
    inside = np.einsum("nhw,phw->np", amounts, everywhere)
    total = inside.sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(inside, total, out=np.full_like(inside, np.nan), where=total > 0)
    return shares


def spread(shares: np.ndarray) -> tuple[np.ndarray, float]:
    """Effective number of segments in each image (N,) and over the images, from shares (N, n, P); NaN is left out."""
    present = ~np.isnan(shares[..., 0])  # (N, n)
    counts = np.where(present, _effective_number(np.nan_to_num(shares)), 0.0).sum(axis=1)
    in_images = np.divide(counts, present.sum(1), out=np.full(len(shares), np.nan), where=present.any(axis=1))
    fires = present.any(axis=0)  # (n,)
    if not fires.any():
        return in_images.astype(np.float32), float("nan")
    mean = np.nan_to_num(shares).sum(axis=0)[fires] / present.sum(axis=0)[fires, None]
    return in_images.astype(np.float32), float(_effective_number(mean).mean())


def _effective_number(shares: np.ndarray) -> np.ndarray:
    """exp(-sum p log p) over the last axis, with 0 log 0 = 0."""
    terms = shares * np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    effective: np.ndarray = np.exp(-terms.sum(axis=-1))
    return effective
