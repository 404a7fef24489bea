"""What components gave, checked before it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sidelight_specs import Artifact, SidelightError
from sidelight_specs.results import Split

if TYPE_CHECKING:
    from sidelight.recipe.model import ResolvedComponent


def check_split_images(split: Any, component: ResolvedComponent) -> Split:
    """The images of a split, as every component may rely on.

    Raises:
        SidelightError: not float32 (N, C, H, W) in [0, 1], or labels and names that do not fit.
    """
    if not isinstance(split, Split):
        raise _wrong(component, f"gave a {type(split).__name__}, not a Split")
    images = split.images
    if images.ndim != 4 or images.dtype != np.float32 or not len(images):
        found = f"{images.dtype} images of shape {images.shape}"
        raise _wrong(component, f"gave {found}, not float32 (N, C, H, W)")
    if not (images.min() >= 0 and images.max() <= 1):
        raise _wrong(component, f"gave values from {images.min()} to {images.max()}, not within [0, 1]")
    check_rows(split, len(images), component)
    return split


def check_kind(artifact: Any, kind: str, rows: int | None, component: ResolvedComponent) -> Artifact:
    """An artifact of the announced kind, with one row for each image where `rows` is given.

    Raises:
        SidelightError: it is something else.
    """
    if not isinstance(artifact, Artifact) or artifact.kind != kind:
        found = artifact.kind if isinstance(artifact, Artifact) else type(artifact).__name__
        raise _wrong(component, f"gave {found!r}, not {kind!r}")
    if rows is not None:
        check_rows(artifact, rows, component)
    return artifact


def check_rows(artifact: Artifact, rows: int, component: ResolvedComponent) -> None:
    """Every field that runs over the images has `rows` rows.

    Raises:
        SidelightError: one has not; it is named.
    """
    for name, found in artifact.rows().items():
        if found != rows:
            raise _wrong(component, f"gave {found} rows of {name!r} for {rows} images")


def check_logits(logits: np.ndarray, rows: int, component: ResolvedComponent) -> np.ndarray:
    """Finite (N, K) logits.

    Raises:
        SidelightError: of another shape, or NaN or infinite.
    """
    if logits.ndim != 2 or len(logits) != rows:
        raise _wrong(component, f"gave logits of shape {logits.shape} for {rows} images")
    if not np.isfinite(logits).all():
        raise _wrong(component, "gave logits that are NaN or infinite")
    return logits


def _wrong(component: ResolvedComponent, what: str) -> SidelightError:
    return SidelightError(f"{component.use} {what}")
