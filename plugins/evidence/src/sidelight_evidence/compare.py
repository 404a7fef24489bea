"""Comparison of results that were computed again: equal to the bit, or by how much they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sidelight_specs import Artifact
    from sidelight_specs.results import ClaimResult

MATCHED, WITHIN, DIFFERS = "matched to the bit", "within tolerance", "differs"


@attrs.frozen
class Difference:
    """One result beside the same one computed again.

    Args:
        verdict: `MATCHED`, `WITHIN` or `DIFFERS`.
        share: largest difference of two numbers, as a share of the range of the numbers that it is among; infinity
            where shapes, texts or whole numbers differ.
        where: the field with it.
    """

    verdict: str
    share: float = 0.0
    where: str = ""


def compare(original: Artifact, again: Artifact, tolerance: float, scales: dict[str, float]) -> Difference:
    """Compare two artifacts.

    Args:
        original: the bundle's.
        again: the same, computed again.
        tolerance: the largest share that counts as rounding.
        scales: field to the range of its numbers over all images, `common_scales`.
    """
    if original.digest() == again.digest():
        return Difference(MATCHED)
    ours, theirs = dict(_leaves("", original)), dict(_leaves("", again))
    if type(original) is not type(again) or ours.keys() != theirs.keys():
        return Difference(DIFFERS, np.inf, "kind or fields")
    shares = {name: _share(value, theirs[name], scales.get(name, 0.0)) for name, value in ours.items()}
    where = max(shares, key=lambda name: shares[name])
    return Difference(WITHIN if shares[where] <= tolerance else DIFFERS, shares[where], where)


def compare_claims(original: ClaimResult, again: ClaimResult, tolerance: float) -> Difference:
    """Compare two answers to a claim.

    Their reasons are sentences with rounded numbers, which count only where the numbers themselves are the same.
    """
    scales = common_scales(original, again)
    result = compare(original, again, tolerance, scales)
    if result.where != "reason":
        return result
    rest = compare(attrs.evolve(original, reason=again.reason), again, tolerance, scales)
    return result if rest.verdict == MATCHED else rest


def scales_of(artifact: Artifact) -> dict[str, float]:
    """Range of the numbers of each array of floats, by its field."""
    return {
        name: float(np.ptp(finite))
        for name, value in _leaves("", artifact)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and (finite := value[np.isfinite(value)]).size
    }


def common_scales(original: Artifact, again: Artifact) -> dict[str, float]:
    """Range of the numbers of each array of floats, as far as both bear it out.

    The original's alone would let a forger choose the tolerance: one huge number in an image that nobody draws makes
    every difference a small share of the range.

    Args:
        original: the bundle's, with all rows.
        again: computed by the auditor, perhaps with fewer rows, so that its largest magnitude counts as well.
    """
    most = {
        name: float(np.abs(finite).max())
        for name, value in _leaves("", again)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and (finite := value[np.isfinite(value)]).size
    }
    own = scales_of(again)
    bound = {name: max(most[name], own[name]) for name in own}
    return {name: min(scale, bound.get(name, 0.0)) for name, scale in scales_of(original).items()}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Arrays and plain values of an artifact, by the path of fields to them."""
    if attrs.has(type(value)):
        items = [(field.name, getattr(value, field.name)) for field in attrs.fields(type(value))]
    elif isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, tuple) and any(attrs.has(type(item)) or isinstance(item, np.ndarray) for item in value):
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        yield path, value
        return
    for name, item in items:
        yield from _leaves(f"{path}.{name}" if path else name, item)


def _share(original: Any, again: Any, scale: float) -> float:
    """Largest difference over the range, of a single number over its magnitude; 0 where both are the same."""
    if isinstance(original, tuple) and isinstance(again, tuple) and len(original) == len(again):
        return max((_share(one, other, scale) for one, other in zip(original, again, strict=True)), default=0.0)
    if isinstance(original, float) and isinstance(again, float) and not _is_same(original, again):
        return abs(original - again) / abs(again) if np.isfinite([original, again]).all() and again else np.inf
    if not isinstance(original, np.ndarray) or not isinstance(again, np.ndarray):
        return 0.0 if _is_same(original, again) else np.inf
    if original.dtype != again.dtype or original.shape != again.shape:
        return np.inf
    if original.dtype.kind != "f":
        return 0.0 if np.array_equal(original, again) else np.inf
    if not np.array_equal(np.isfinite(original), np.isfinite(again)):
        return np.inf
    finite = np.isfinite(original)
    most = float(np.abs(original[finite].astype(np.float64) - again[finite]).max(initial=0.0))
    return most / scale if scale else (np.inf if most else 0.0)


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (np.isnan(one) and np.isnan(other))
    return type(one) is type(other) and bool(one == other)
