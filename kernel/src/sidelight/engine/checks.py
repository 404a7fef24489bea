"""Checks of results before they are kept."""

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
    if not isinstance(images, np.ndarray) or images.ndim != 4 or images.dtype != np.float32 or not len(images):
        found = f"{getattr(images, 'dtype', type(images).__name__)} images of shape {np.shape(images)}"
        raise _wrong(component, f"gave {found}, not float32 (N, C, H, W)")
    check_valid(split, component)
    return split


def check_kind(
    artifact: Any,
    kind: str,
    component: ResolvedComponent,
    images: tuple[int, ...] | None = None,
    classes: int | None = None,
) -> Artifact:
    """A valid artifact of the announced kind.

    Args:
        artifact: what the component gave.
        kind: what it should be.
        component: who gave it.
        images: shape (N, C, H, W) of the images that it is about.
        classes: the number of columns of class logits.

    Raises:
        SidelightError: it is something else.
    """
    if not isinstance(artifact, Artifact) or artifact.kind != kind:
        found = artifact.kind if isinstance(artifact, Artifact) else type(artifact).__name__
        raise _wrong(component, f"gave {found!r}, not {kind!r}")
    check_valid(artifact, component, images, classes)
    return artifact


def check_valid(
    artifact: Any,
    component: ResolvedComponent,
    images: tuple[int, ...] | None = None,
    classes: int | None = None,
    name: str = "",
) -> None:
    """Any artifact, by its kind's own rules; `name` is that of a by-product.

    Raises:
        SidelightError: it is invalid; component and field are named.
    """
    called = f" as {name!r}" if name else ""
    if not isinstance(artifact, Artifact):
        raise _wrong(component, f"gave a {type(artifact).__name__}{called}, not an artifact")
    try:
        artifact.validate(images, classes)
    except Exception as error:  # a stranger's rules may fail in their own way
        said = str(error) if isinstance(error, SidelightError) else f"{type(error).__name__}: {error}"
        raise _wrong(component, f"gave an invalid {artifact.kind}{called}: {said}") from error


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
    return SidelightError(f"{component.title} {what}")
