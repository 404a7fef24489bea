"""Joining what an attribute finder found for several target classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from sidelight_specs import SidelightError
from sidelight_specs.results import Attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight_specs.results import Explanation

    from sidelight.recipe.model import ResolvedComponent

_PER_ATTRIBUTE = (
    "effects",
    "before",
    "after",
    "probabilities",
    "paths",
    "opposite_before",
    "opposite_after",
    "opposite_probabilities",
    "scores",
    "explained",
)


def join_attributes(found: Sequence[Explanation], component: ResolvedComponent) -> Attributes:
    """One list, target class by target class; each class's attributes stay in their order, which is their rank.

    Where the number of example images differs, only as many as all classes have are kept. A class without attributes
    is passed over.

    Raises:
        SidelightError: arrays of different shapes.
    """
    every = [part for part in found if isinstance(part, Attributes)]
    parts = [part for part in every if part.attributes] or every[:1]
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {
        name: _join([getattr(part, name) for part in parts], name, component) for name in _PER_ATTRIBUTE
    }
    attributes = tuple(attribute for part in parts for attribute in part.attributes)
    directions = [part.directions for part in parts if part.directions is not None]
    joined["directions"] = np.concatenate(directions) if len(directions) == len(parts) else None
    return attrs.evolve(parts[0], attributes=attributes, **joined)


def _join(arrays: list[np.ndarray | None], name: str, component: ResolvedComponent) -> np.ndarray | None:
    present = [array for array in arrays if array is not None]
    if len(present) < len(arrays):
        return None
    shared = min((array.shape[1] for array in present if array.ndim > 1), default=0)
    try:
        return np.concatenate([array[:, :shared] if array.ndim > 1 else array for array in present])
    except ValueError as error:
        raise SidelightError(f"{component.use}: {name!r} of several classes cannot be joined: {error}") from error
