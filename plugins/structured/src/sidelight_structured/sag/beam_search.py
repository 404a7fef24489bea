"""Diverse beam search for minimal sufficient explanations (MSEs): sets of patches that keep the prediction (4.1).

A set is sufficient if its confidence, the class probability with only these patches visible over that of the full
image, reaches the threshold; it is minimal if no patch can be left out. Two moves take turns by the passes that they
have spent:

- the beam: the most confident insufficient sets grow by one patch, as in the authors' code. It finds small sets, and
  many that are alike;
- a restart: patches of explanations found are taken away, or put last, and the rest is reduced from the top to a
  minimal set. It finds sets unlike those found, and large ones in few passes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sidelight_structured.sag.patches import PatchSet


class OutOfPasses(Exception):
    """The search has scored as many sets as it may."""


class BeamSearch:
    """One search; ends when its passes are spent, or when neither move finds anything to score.

    Args:
        confidence: scores sets of patches, one pass for each.
        order: the patches, most promising first.
        threshold: confidence at which a set is sufficient.
        width: sets that grow at a time.
        candidates: patches that a set may grow by: the first ones of the order that it does not hold.
        overlap: patches that a restart lets a new explanation share with each of the others, at most.
        passes: distinct sets to score; None for no limit.
    """

    def __init__(
        self,
        confidence: Callable[[Iterable[PatchSet]], dict[PatchSet, float]],
        order: Sequence[int],
        *,
        threshold: float = 0.9,
        width: int = 3,
        candidates: int = 15,
        overlap: int = 1,
        passes: int | None = None,
    ) -> None:
        self._confidence = confidence
        self._order = tuple(order)
        self._threshold = threshold
        self._width = width
        self._candidates = candidates
        self._overlap = overlap
        self._passes = passes
        self._known: dict[PatchSet, float] = {}
        self._explanations: dict[PatchSet, None] = {}  # in the order of their discovery
        self._pool: dict[PatchSet, float] = {frozenset(): 0.0}  # insufficient sets that have not grown yet
        self._grown: set[PatchSet] = set()
        self._tried: set[tuple[int, ...]] = set()  # what restarts have begun from

    def run(self) -> tuple[PatchSet, ...]:
        """All minimal sufficient sets of the search, smallest first.

        With `width`, `candidates` and `passes` unbounded these are all that there are. More passes only add sets, or
        replace one by its subsets.
        """
        with suppress(OutOfPasses):
            self._search()
        minimal = [
            patches for patches in self._explanations if not any(other < patches for other in self._explanations)
        ]
        return tuple(sorted(minimal, key=lambda patches: (len(patches), sorted(patches))))

    def _search(self) -> None:
        both = (self._restart, self._grow)  # the first restart reduces the whole image
        spent, moves = dict.fromkeys(both, 0), list(both)
        while moves:
            move = min(moves, key=spent.__getitem__)
            before = len(self._known)
            if move():
                moves = list(both)  # what one move found gives the other something to do again
            elif move == self._restart and self._add_neighbours():
                moves = [self._grow]
            else:
                moves.remove(move)
            spent[move] += len(self._known) - before

    def _grow(self) -> bool:
        """Grow the `width` most confident sets of the pool by a patch; False where the pool is empty."""
        beam = _best_first(self._pool)[: self._width]
        grown = {patches: None for state in beam for patches in self._successors(state)}
        # supersets of an explanation are sufficient, but not minimal
        scores = self._score(patches for patches in grown if not self._is_explained(patches))
        for state in beam:
            del self._pool[state]
        self._grown.update(beam)
        for patches in _best_first(scores):
            if patches in self._grown or self._is_explained(patches):
                continue
            if scores[patches] >= self._threshold:
                self._add(minimal_subset(patches, self._threshold, self._score))
            else:
                self._pool[patches] = scores[patches]
        return bool(beam)

    def _add_neighbours(self) -> bool:
        """Let sets grow that lack one patch of an explanation, whose scores are known; False where there are none.

        They lead to explanations as small, but alike: they wait until no restart finds unlike ones.
        """
        lacking = [patches - {patch} for patches in self._explanations for patch in sorted(patches)]
        new = [
            patches
            for patches in lacking
            if patches in self._known and patches not in self._grown and patches not in self._pool
            if not self._is_explained(patches)
        ]
        self._pool.update((patches, self._known[patches]) for patches in new)
        return bool(new)

    def _successors(self, state: PatchSet) -> list[PatchSet]:
        unused = [patch for patch in self._order if patch not in state]
        return [state | {patch} for patch in unused[: self._candidates]]

    def _restart(self) -> bool:
        """Reduce what remains without explanations found to a new one; False where no new remainder is sufficient.

        The remainder holds at most 0, 1, ... `overlap` patches of each; at last it is the whole image, with the patches
        that the most explanations hold at the end of the order.
        """
        for shared in (*range(self._overlap + 1), None):
            remainder = tuple(self._remainder(shared))
            if remainder and remainder not in self._tried:
                self._tried.add(remainder)
                patches = frozenset(remainder)
                if self._score([patches])[patches] >= self._threshold:
                    self._reduce(remainder)
                    return True
        return False

    def _remainder(self, shared: int | None) -> list[int]:
        """Patches, in order, without those of a choice of explanations of which `shared` each may stay; None: all."""
        if shared is None:
            held = _counts(self._order, self._explanations)
            return sorted(self._order, key=held.__getitem__)
        chosen: list[PatchSet] = []
        for patches in sorted(self._explanations, key=len):  # greedy: the smallest leave most of the image
            if all(len(patches & other) <= shared for other in chosen):
                chosen.append(patches)
        held = _counts(self._order, chosen)
        rank = {patch: index for index, patch in enumerate(self._order)}
        # a patch that several of them hold stays first, so that the least is taken away from the image
        removed = {
            patch
            for patches in chosen
            for patch in sorted(patches, key=lambda patch: (-held[patch], rank[patch]))[shared:]
        }
        return [patch for patch in self._order if patch not in removed]

    def _reduce(self, order: Sequence[int]) -> None:
        """Reduce these patches to an explanation: first to a prefix that suffices, which bisection finds."""

        def is_sufficient(count: int) -> bool:
            patches = frozenset(order[:count])
            return count == len(order) or self._score([patches])[patches] >= self._threshold

        count = _first(is_sufficient, len(order))
        self._add(minimal_subset(frozenset(order[:count]), self._threshold, self._score))

    def _add(self, explanation: PatchSet) -> None:
        self._explanations.setdefault(explanation)
        self._pool = {patches: score for patches, score in self._pool.items() if not explanation <= patches}

    def _is_explained(self, patches: PatchSet) -> bool:
        return any(explanation <= patches for explanation in self._explanations)

    def _score(self, sets: Iterable[PatchSet]) -> dict[PatchSet, float]:
        """Confidence of each set, each scored once.

        Raises:
            OutOfPasses: not all of them may be scored any more.
        """
        wanted = list(dict.fromkeys(sets))
        new = [patches for patches in wanted if patches not in self._known]
        room = len(new) if self._passes is None else self._passes - len(self._known)
        self._known.update(self._confidence(new[:room]))
        if len(new) > room:
            raise OutOfPasses
        return {patches: self._known[patches] for patches in wanted}


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
        # as many of the least needed patches go together as bisection finds; one alone is known to be dispensable
        trials = [frozenset.intersection(*sufficient[:count]) for count in range(1, len(sufficient) + 1)]

        def fails(index: int, trials: list[PatchSet] = trials) -> bool:
            return index == len(trials) or confidence([trials[index]])[trials[index]] < threshold

        patches = trials[_first(fails, len(trials)) - 1]


def _first(holds: Callable[[int], bool], last: int) -> int:
    """The first of 1 ... `last` at which `holds`, by doubling and bisection; it does at `last`.

    Where it holds now and then, one at which it does and before which it does not.
    """
    low, high = 0, 1
    while high < last and not holds(high):
        low, high = high, min(2 * high, last)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _counts(order: Iterable[int], sets: Iterable[PatchSet]) -> dict[int, int]:
    """The number of sets that hold each patch."""
    return {patch: sum(patch in patches for patches in sets) for patch in order}


def _best_first(scores: dict[PatchSet, float]) -> list[PatchSet]:
    return sorted(scores, key=lambda patches: (-scores[patches], sorted(patches)))
