"""Beam search for minimal sufficient explanations (section 4.1): sets of patches that keep the prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from sidelight_structured.sag.pruning import minimal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sidelight_structured.sag.patches import PatchScores, PatchSet


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

        A level holds insufficient sets. Each grows by one patch; what becomes sufficient is made minimal, the best of
        the rest make the next level. So do the sets that lack one patch of a new explanation, which are known from
        its making and close to other explanations. With `width` and `candidates` unbounded the answer is the set of
        all inclusion-minimal sufficient sets.

        Args:
            confidence: scores sets of patches.
            order: the patches, most promising first.
        """
        found: set[PatchSet] = set()
        grown_before: set[PatchSet] = set()
        level: list[PatchSet] = [frozenset()]
        while level and len(found) < self.most:
            grown_before.update(level)
            grown = {patches: None for state in level for patches in self._successors(state, order)}
            scored = confidence(patches for patches in grown if not _holds_one_of(found, patches))
            for patches in self._made_minimal(scored, found, confidence):
                scored.update(confidence(patches - {patch} for patch in sorted(patches) if len(patches) > 1))
            open_sets = {patches: scored[patches] for patches in scored if patches not in grown_before}
            level = [patches for patches in _best_first(open_sets) if scored[patches] < self.threshold][: self.width]
        return tuple(sorted(_without_supersets(found), key=lambda patches: (len(patches), sorted(patches))))

    def _made_minimal(
        self, scored: dict[PatchSet, float], found: set[PatchSet], confidence: PatchScores
    ) -> list[PatchSet]:
        """The explanations in the sufficient ones of `scored`, added to `found` until there are enough."""
        new: list[PatchSet] = []
        for patches in _best_first(scored):
            if scored[patches] < self.threshold or len(found) >= self.most:
                break
            if not _holds_one_of(found, patches):
                new.append(minimal(patches, self.threshold, confidence))
                found.add(new[-1])
        return new

    def _successors(self, state: PatchSet, order: Sequence[int]) -> list[PatchSet]:
        unused = [patch for patch in order if patch not in state]
        return [state | {patch} for patch in unused[: self.candidates]]


def _best_first(scored: dict[PatchSet, float]) -> list[PatchSet]:
    return sorted(scored, key=lambda patches: (-scored[patches], sorted(patches)))


def _holds_one_of(found: Iterable[PatchSet], patches: PatchSet) -> bool:
    return any(smaller <= patches for smaller in found)


def _without_supersets(found: set[PatchSet]) -> set[PatchSet]:
    return {patches for patches in found if not any(other < patches for other in found)}
