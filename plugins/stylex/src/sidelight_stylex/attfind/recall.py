"""Recall of a search that measured some coordinates only, estimated from a random sample of those that it left out.

Symbols:

    A   coordinates that the search found
    L   coordinates that it left out: at some turn not measured on every image left, and not found
    D   those of them that would have won a turn: on the images left at that turn one of their directions raises the
        class more, on average, than the pair that was chosen; or at all, where the search ended for want of such a pair
    m   of the L, drawn at random without replacement and measured on every image of X
    h   of the m, those that would have won a turn

    recall = A / (A + D)

h is hypergeometric: P(H = i | D) = C(D, i) C(L - D, m - i) / C(L, m). The interval of D inverts its two one-sided
tests, as Clopper and Pearson 1934 do for the binomial distribution, here for a finite population:

    D_low  = min { D : P(H >= h | D) > alpha / 2 },   D_high = max { D : P(H <= h | D) > alpha / 2 }

It covers D in 1 - alpha of all draws at least, whatever the effects are. With h = 0 its upper end is about 3.7 L / m: a
recall near 1 is certified only where much of what was left out is measured.

A turn is taken as the search went: what a missed coordinate would have changed in the turns after it is not followed.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs.results import RecallCertificate

if TYPE_CHECKING:
    from collections.abc import Callable

ALPHA = 0.05


@attrs.frozen(eq=False)
class Turn:
    """One turn of a search.

    Args:
        left: (N,) bool, the images left.
        best: mean effect on them of the pair that was chosen; 0 where none was, because no mean was above it.
    """

    left: np.ndarray
    best: float


def turns_of(chosen: np.ndarray, explained: np.ndarray, count: int) -> list[Turn]:
    """The turns of a search that found A pairs.

    Args:
        chosen: (A, N) effects of the pairs, as the selection rule counts them, in their order of discovery.
        explained: (A, N) bool, the images that each took out.
        count: pairs wanted; a search that found fewer had one more turn where images were left.
    """
    left, turns = np.ones(explained.shape[1], dtype=bool), list[Turn]()
    for effects, newly in zip(chosen, explained, strict=True):
        turns.append(Turn(left, float(effects[left].mean(dtype=np.float64))))
        left = left & ~newly
    if len(chosen) < count and left.any():
        turns.append(Turn(left, 0.0))
    return turns


def would_win(delta: np.ndarray, turns: list[Turn], either_direction: bool) -> np.ndarray:
    """(c, 2) bool: the pairs of c coordinates that would have won a turn.

    Args:
        delta: (N, c, 2) effects, as the selection rule counts them.
        turns: of the search.
        either_direction: a coordinate that raises the class in both directions may be chosen (not by footnote 4).
    """
    won = np.zeros(delta.shape[1:], dtype=bool)
    for turn in turns:
        mean = delta[turn.left].mean(axis=0, dtype=np.float64)  # Delta-bar[s, d] on the images left, (c, 2)
        if not either_direction:
            mean[(mean > 0).all(axis=1)] = 0
        won |= mean > turn.best
    return won


def certificate(target: int, found: int, left_out: int, sampled: int, missed: int) -> RecallCertificate:
    """The recall and its interval, of A, L, m and h.

    Without anything found, the recall is 1 where nothing was missed, and 0 otherwise.
    """
    low, high = misses_interval(left_out, sampled, missed)
    estimate = missed * left_out / sampled if sampled else 0.0

    def recall(misses: float) -> float:
        return found / (found + misses) if found else float(not misses)

    return RecallCertificate(
        target=target,
        found=found,
        left_out=left_out,
        sampled=sampled,
        missed=missed,
        recall=recall(estimate),
        low=recall(high),
        high=recall(low),
    )


def misses_interval(left_out: int, sampled: int, missed: int, alpha: float = ALPHA) -> tuple[int, int]:
    """D_low and D_high of L, m and h; whole numbers, by exact arithmetic."""
    most = left_out - (sampled - missed)  # h of the m were missed, and any of those not drawn may be

    def at_most(misses: int) -> float:  # P(H <= h | D)
        return _at_most(missed, left_out, sampled, misses)

    def at_least(misses: int) -> float:  # P(H >= h | D)
        return 1 - _at_most(missed - 1, left_out, sampled, misses)

    # P(H >= h | D) rises with D, and P(H <= h | D) falls
    low = _first(lambda misses: at_least(misses) > alpha / 2, missed, most)
    high = _first(lambda misses: at_most(misses) <= alpha / 2, missed, most + 1) - 1
    return low, high


def _at_most(missed: int, left_out: int, sampled: int, misses: int) -> float:
    """P(H <= h | D); the ratio of whole numbers is rounded once."""
    fewest = max(0, sampled - (left_out - misses))
    total, ways = 0, comb(misses, fewest) * comb(left_out - misses, sampled - fewest)
    for i in range(fewest, missed + 1):
        total += ways
        # to C(D, i + 1) C(L - D, m - i - 1), without remainder: whole binomials of thousands take seconds each time
        ways = ways * (misses - i) * (sampled - i) // ((i + 1) * (left_out - misses - sampled + i + 1))
    return total / comb(left_out, sampled)


def _first(holds: Callable[[int], bool], start: int, stop: int) -> int:
    """The smallest number from `start` for which a condition holds that goes on to hold; `stop` where none below does.

    By bisection.
    """
    while start < stop:
        middle = (start + stop) // 2
        start, stop = (start, middle) if holds(middle) else (middle + 1, stop)
    return start
