"""Beam search for minimal sufficient explanations (MSEs): sets of patches that keep the prediction (section 4.1).

A set is sufficient if its confidence, the class probability with only these patches visible over that of the full
image, reaches the threshold; it is minimal if no patch can be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sidelight_structured.sag.patches import PatchScores, PatchSet


@frozen
class BeamSearch:
    """Limits of the search.

    Args:
        threshold: confidence at which a set is sufficient.
        width: distinct sets kept on each level.
        candidates: patches that a set may grow by: the first ones of the order that it does not hold yet.
        most: number of explanations at which the search ends.
    """

    threshold: float = 0.9
    width: int = 3
    candidates: int = 15
    most: int = 10

    def run(self, confidence: PatchScores, order: Sequence[int]) -> tuple[PatchSet, ...]:
        """All minimal sufficient sets of the search, smallest first.

        A level holds insufficient sets. Each grows by one patch; what becomes sufficient is made minimal, the best of
        the rest make the next level. With `width`, `candidates` and `most` unbounded the result is the set of all
        minimal sufficient sets.

        Args:
            confidence: scores sets of patches.
            order: the patches, most promising first.
        """
        explanations: set[PatchSet] = set()
        expanded: set[PatchSet] = set()
        level: list[PatchSet] = [frozenset()]
        while level and len(explanations) < self.most:
            expanded.update(level)
            grown = {patches: None for state in level for patches in self._successors(state, order)}
            # supersets of an explanation are sufficient, but not minimal
            scored = confidence(patches for patches in grown if not _contains_one_of(explanations, patches))
            for patches in self._minimise(scored, explanations, confidence):
                # sets that lack one patch of a new explanation: scored already, and close to other explanations
                scored.update(confidence(patches - {patch} for patch in sorted(patches) if len(patches) > 1))
            unexpanded = {patches: scored[patches] for patches in scored if patches not in expanded}
            level = [patches for patches in _best_first(unexpanded) if scored[patches] < self.threshold][: self.width]
        return tuple(sorted(_without_supersets(explanations), key=lambda patches: (len(patches), sorted(patches))))

    def _successors(self, state: PatchSet, order: Sequence[int]) -> list[PatchSet]:
        unused = [patch for patch in order if patch not in state]
        return [state | {patch} for patch in unused[: self.candidates]]

    def _minimise(
        self, scored: dict[PatchSet, float], explanations: set[PatchSet], confidence: PatchScores
    ) -> list[PatchSet]:
        """New explanations inside the sufficient sets of `scored`; adds them to `explanations`, up to `most`."""
        new: list[PatchSet] = []
        for patches in _best_first(scored):
            if scored[patches] < self.threshold or len(explanations) >= self.most:
                break
            if not _contains_one_of(explanations, patches):
                new.append(minimal_subset(patches, self.threshold, confidence))
                explanations.add(new[-1])
        return new


def minimal_subset(
    patches: PatchSet, threshold: float, confidence: Callable[[Iterable[PatchSet]], dict[PatchSet, float]]
) -> PatchSet:
    """Leave patches out of a sufficient set, the least needed first, until it is minimal.

    Args:
        patches: a sufficient set.
        threshold: confidence at which a set is sufficient.
        confidence: scores sets of patches.
    """
    while True:
        # one sweep: the set without each of its patches; none sufficient proves that the set is minimal
        without = confidence(patches - {patch} for patch in sorted(patches))
        sufficient = [rest for rest, value in without.items() if value >= threshold]
        if not sufficient:
            return patches
        sufficient.sort(key=lambda rest: (-without[rest], sorted(patches - rest)))
        # the 1, 2, 4 ... least needed patches go together; the first trial, one patch, is known to be sufficient
        trials = [frozenset.intersection(*sufficient[:count]) for count in _doublings(len(sufficient))]
        values = confidence(trials)
        patches = next(trial for trial in reversed(trials) if values[trial] >= threshold)


def _doublings(most: int) -> list[int]:
    """1, 2, 4 ... and `most`."""
    counts = [1]
    while counts[-1] < most:
        counts.append(min(2 * counts[-1], most))
    return counts


def _best_first(scored: dict[PatchSet, float]) -> list[PatchSet]:
    return sorted(scored, key=lambda patches: (-scored[patches], sorted(patches)))


def _contains_one_of(explanations: Iterable[PatchSet], patches: PatchSet) -> bool:
    return any(smaller <= patches for smaller in explanations)


def _without_supersets(explanations: set[PatchSet]) -> set[PatchSet]:
    return {patches for patches in explanations if not any(other < patches for other in explanations)}
