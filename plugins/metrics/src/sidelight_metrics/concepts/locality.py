"""Over how many parts of an image a concept spreads (Li Fuxin et al. 2021, section 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Measurement, Measurements
from sidelight_specs.roles import Metric
from sidelight_toolkit.arrays import to_array

from sidelight_metrics.concepts import concepts
from sidelight_metrics.segments import masks_of, patches

if TYPE_CHECKING:
    from sidelight_specs import Run
    from sidelight_specs.artifacts import Artifact
    from sidelight_specs.results import Targets
    from sidelight_specs.roles import Data
    from torch import Tensor

    from sidelight_metrics.params import LocalityParams


class Locality(Metric):
    """The entropy of each heatmap over parts, as the number of equal parts that have it."""

    def __init__(self, params: LocalityParams, *, data: Data | None = None, run: Run) -> None:
        self._params, self._data, self._run = params, data, run

    def measure(self, explanation: Artifact, images: Tensor, targets: Targets) -> Measurements:
        """`parts in an image` and `parts over the images`; NaN where no concept has a heatmap that is not empty."""
        del targets
        found = concepts(explanation)
        masks, settings = self._parts(images)
        if found.heatmaps is None:
            self._run.warn("locality: the concepts come without heatmaps, so nothing can be said of their places")
            shares = np.full((*found.activations.shape, 1), np.nan)
        else:
            shares = np.stack([_shares(maps, masks[row]) for row, maps in enumerate(_checked(found.heatmaps, images))])
        in_images, over_images = spread(shares)
        return Measurements(
            items=(
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
                    better="lower",
                    unit="parts",
                    help="The same of a concept's mean heatmap over all images: low where it keeps to the same parts.",
                    settings=settings,
                ),
            )
        )

    def _parts(self, images: Tensor) -> tuple[np.ndarray, dict[str, str]]:
        """(N, P, H, W) bool masks, and what they are."""
        named = masks_of(self._data, self._params.parts, to_array(images))
        if named:
            return np.stack(list(named.values()), axis=1), {"parts": ", ".join(named)}
        height, width = images.shape[-2:]
        grid = min(self._params.grid, height, width)
        masks = np.broadcast_to(patches(height, width, grid), (len(images), grid * grid, height, width))
        return masks, {"parts": f"{grid}x{grid} patches"}


def _checked(heatmaps: np.ndarray, images: Tensor) -> np.ndarray:
    if heatmaps.shape[0] != len(images) or heatmaps.shape[2:] != tuple(images.shape[-2:]):
        raise SidelightError(f"heatmaps of shape {heatmaps.shape} do not fit images of shape {tuple(images.shape)}")
    return heatmaps


def _shares(heatmaps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """(n, P + 1) how each heatmap's positive values divide over the parts and the rest; NaN for an empty heatmap.

    A pixel that belongs to several parts counts in each of them.
    """
    amounts = heatmaps.clip(0).astype(np.float64)
    everywhere = np.concatenate([masks, ~masks.any(axis=0, keepdims=True)])
    inside = np.einsum("nhw,phw->np", amounts, everywhere)
    total = inside.sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(inside, total, out=np.full_like(inside, np.nan), where=total > 0)
    return shares


def spread(shares: np.ndarray) -> tuple[np.ndarray, float]:
    """The effective number of parts in each image (N,) and over the images, from shares (N, n, P); NaN is left out."""
    present = ~np.isnan(shares[..., 0])
    counts = np.where(present, _effective(np.nan_to_num(shares)), 0.0).sum(axis=1)
    in_images = np.divide(counts, present.sum(1), out=np.full(len(shares), np.nan), where=present.any(axis=1))
    often = present.any(axis=0)
    if not often.any():
        return in_images.astype(np.float32), float("nan")
    mean = np.nan_to_num(shares).sum(axis=0)[often] / present.sum(axis=0)[often, None]
    return in_images.astype(np.float32), float(_effective(mean).mean())


def _effective(shares: np.ndarray) -> np.ndarray:
    """e to the entropy of the last axis."""
    terms = shares * np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    effective: np.ndarray = np.exp(-terms.sum(axis=-1))
    return effective
