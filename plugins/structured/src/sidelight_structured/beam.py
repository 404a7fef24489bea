"""Beam search for minimal sufficient explanations (section 4.1): sets of patches that keep the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from sidelight_structured.pruning import minimal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidelight_structured.patches import PatchScores, PatchSet


@frozen
class Search:
    """How far the search goes.

    Args:
        threshold: a set is sufficient at this share of the full image's probability.
        width: how many distinct sets each level keeps.
        candidates: how many patches a set may grow by, the first ones of the order that it does not hold yet.
        most: the search ends when so many explanations are known.
    """

    threshold: float = 0.9
    width: int = 3
    candidates: int = 15
    most: int = 10

    def run(self, confidence: PatchScores, order: Sequence[int]) -> tuple[PatchSet, ...]:
        """All minimal sufficient sets that were found, smallest first.

        Level k of the search holds insufficient sets of k patches. Each grows by one patch; what becomes sufficient
        is made minimal, the best of the rest make the next level. With `width` and `candidates` unbounded the
        answer is the set of all inclusion-minimal sufficient sets.

        Args:
            confidence: scores sets of patches.
            order: the patches, most promising first.
        """
        found: set[PatchSet] = set()
        level: list[PatchSet] = [frozenset()]
        while level and len(found) < self.most:
            grown = {patches: None for state in level for patches in self._successors(state, order)}
            scored = confidence(patches for patches in grown if not _holds_one_of(found, patches))
            sufficient = [patches for patches, value in scored.items() if value >= self.threshold]
            for patches in sorted(sufficient, key=lambda patches: (-scored[patches], sorted(patches))):
                if len(found) < self.most and not _holds_one_of(found, patches):
                    found.add(minimal(patches, self.threshold, confidence))
            rest = [patches for patches, value in scored.items() if value < self.threshold]
            level = sorted(rest, key=lambda patches: (-scored[patches], sorted(patches)))[: self.width]
        return tuple(sorted(_without_supersets(found), key=lambda patches: (len(patches), sorted(patches))))

    def _successors(self, state: PatchSet, order: Sequence[int]) -> list[PatchSet]:
        unused = [patch for patch in order if patch not in state]
        return [state | {patch} for patch in unused[: self.candidates]]


def _holds_one_of(found: Iterable[PatchSet], patches: PatchSet) -> bool:
    return any(smaller <= patches for smaller in found)


def _without_supersets(found: set[PatchSet]) -> set[PatchSet]:
    return {patches for patches in found if not any(other < patches for other in found)}
