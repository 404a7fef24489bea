"""Making a sufficient set of patches minimal (section 4.1): no patch of it can be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sidelight_structured.sag.patches import PatchSet


def minimal(
    patches: PatchSet, threshold: float, confidence: Callable[[Iterable[PatchSet]], dict[PatchSet, float]]
) -> PatchSet:
    """Leave patches out, the least needed first, until leaving out any one more makes the set insufficient.

    A sweep over all patches says which are not needed by themselves. The 1, 2, 4 ... least needed of these go together
    where what is left is still sufficient, and the next sweep looks again, so that the last one shows minimality.

    Args:
        patches: a sufficient set.
        threshold: a set is sufficient at this confidence.
        confidence: scores sets of patches.
    """
    while True:
        without = confidence(patches - {patch} for patch in sorted(patches))
        spare = [rest for rest, value in without.items() if value >= threshold]
        if not spare:
            return patches
        spare.sort(key=lambda rest: (-without[rest], sorted(patches - rest)))
        patches = _smallest([_common(spare[:count]) for count in _doublings(len(spare))], threshold, confidence)


def _doublings(most: int) -> list[int]:
    """1, 2, 4 ... and `most`."""
    counts = [1]
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return counts


def _common(sets: list[PatchSet]) -> PatchSet:
    """What all sets, each of which lacks one patch, still have."""
    return frozenset.intersection(*sets)


def _smallest(
    shrinking: list[PatchSet], threshold: float, confidence: Callable[[Iterable[PatchSet]], dict[PatchSet, float]]
) -> PatchSet:
    """The smallest sufficient one; the first is known to be sufficient."""
    values = confidence(shrinking)
    return next(patches for patches in reversed(shrinking) if values[patches] >= threshold)
