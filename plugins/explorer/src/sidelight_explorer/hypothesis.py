"""Statistics and verdict of a hypothesis about a classifier: "this edit raises the score".

    x_i              change of the score of image i by the edit, i = 1 .. n
    m, [low, high]   mean of x and its 95 % interval (Student's t over the images: a paired comparison)
    c_k              mean change over the same images by random edit k of equal size, k = 1 .. K
    p = (1 + #{k: |c_k| >= |m|}) / (1 + K)     rank of the edit among the random ones, for each kind of equal size
    least            smallest change that matters, stated with the expectation, before the test

The rule, for the expectation "up" ("down": with all signs changed):

    supported          low > least, and p <= 0.05 for every kind of equal size
    contradicted       high < least
    not established    otherwise, and always of fewer than 5 images

and for "none":

    supported          -least < low and high < least
    contradicted       low > least or high < -least, and p <= 0.05 for every kind of equal size
    not established    otherwise

The page has the same statistics (`web/hypothesis.js`), for pages without a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np
from sidelight_specs.intervals import student_quantile, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

Expected = Literal["up", "down", "none"]
Verdict = Literal["supported", "contradicted", "not established"]
Size = Literal["w", "image"]

FEWEST = 5  # images: an interval of fewer rests on the normal distribution alone
LEVEL = 0.05  # of the rank among random edits: 19 of them are the fewest that can show anything
SIZES: dict[Size, str] = {"w": "in W", "image": "in the image"}


@attrs.frozen
class Control:
    """One random edit of all images.

    Args:
        size: what it has in common with the edit: the length of the shift in W, or the change of the image.
        change: mean change of the score.
        turned: share of the images whose answer changed; 0 for a regression.
        moved: mean root mean square change of the pixels, in [0, 1].
    """

    size: Size
    change: float
    turned: float = 0.0
    moved: float = 0.0


@attrs.frozen
class Compared:
    """An edit among random edits of one kind of equal size.

    Args:
        size: the kind.
        count: K.
        as_large: random edits that change the mean score by as much, in either direction.
        largest: largest mean change by a random edit, without its sign.
    """

    size: Size
    count: int
    as_large: int
    largest: float

    @property
    def rank(self) -> float:
        """p: share of the edits, this one included, that change the score by as much."""
        return (1 + self.as_large) / (1 + self.count)


@attrs.frozen
class Outcome:
    """Result of testing a hypothesis.

    Args:
        expected: of the score, stated before the test.
        least: smallest change that matters, in units of the score.
        count: n.
        mean, low, high: mean change and its 95 % interval.
        compared: one for each kind of equal size.
        verdict: by the rule.
        reason: why, in words, without the numbers.
    """

    expected: Expected
    least: float
    count: int
    mean: float
    low: float
    high: float
    compared: tuple[Compared, ...]
    verdict: Verdict
    reason: str

    def __str__(self) -> str:
        """The verdict with its numbers, in two sentences."""
        against = [
            f"{one.as_large} of {one.count} random edits as large {SIZES[one.size]} change it as much (largest "
            f"{fixed(one.largest)})"
            for one in self.compared
        ]
        numbers = f"mean change {signed(self.mean)} (95 % interval {signed(self.low)} to {signed(self.high)})"
        beside = f"; {'; '.join(against)}" if against else ""
        return f"{self.verdict.capitalize()}: {self.reason}. {self.count} images, {numbers}{beside}."


@attrs.frozen
class Group:
    """The change within one group of images.

    Args:
        name: of the group.
        count: images.
        mean, low, high: mean change and its 95 % interval; the interval of one image is unknown, and NaN.
        turned: images whose answer changed.
    """

    name: str
    count: int
    mean: float
    low: float
    high: float
    turned: int


def mean_interval(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """Mean of n values and its 95 % interval by Student's t; NaN for the interval of a single value.

    Raises:
        ValueError: there are no values.
    """
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        raise ValueError("there are no values to take the mean of")
    mean = float(array.mean())
    if len(array) < 2:
        return mean, float("nan"), float("nan")
    half = student_quantile(len(array) - 1) * float(array.std(ddof=1)) / float(np.sqrt(len(array)))
    return mean, mean - half, mean + half


def turned_interval(turned: Sequence[bool] | np.ndarray) -> tuple[int, float, float]:
    """Images that turned, and the 95 % interval of their share (Wilson 1927); (0, 0, 1) of none."""
    hits = int(np.sum(turned))
    return (hits, *wilson_interval(hits, len(turned))) if len(turned) else (0, 0.0, 1.0)


def judge(
    before: Sequence[float] | np.ndarray,
    after: Sequence[float] | np.ndarray,
    controls: Sequence[Control],
    expected: Expected,
    least: float,
) -> Outcome:
    """The verdict of the rule.

    Args:
        before: (n,) scores of the images.
        after: (n,) scores of the same images after the edit.
        controls: random edits of equal size.
        expected: of the score.
        least: smallest change that matters, in units of the score; at least 0.
    """
    changes = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)  # x, (n,)
    mean, low, high = mean_interval(changes)
    compared = tuple(_compare(controls, size, mean) for size in SIZES if any(one.size == size for one in controls))
    verdict, reason = _rule(len(changes), mean, low, high, compared, expected, least)
    return Outcome(expected, least, len(changes), mean, low, high, compared, verdict, reason)


def _compare(controls: Sequence[Control], size: Size, mean: float) -> Compared:
    changes = [abs(one.change) for one in controls if one.size == size]
    return Compared(size, len(changes), sum(change >= abs(mean) for change in changes), max(changes))


def _rule(
    count: int, mean: float, low: float, high: float, compared: tuple[Compared, ...], expected: Expected, least: float
) -> tuple[Verdict, str]:
    if count < FEWEST:
        return "not established", f"fewer than {FEWEST} images say nothing"
    if expected == "none":
        if -least < low and high < least:
            return "supported", f"the score changes by less than {shortest(least)}"
        if low <= least and high >= -least:
            return "not established", f"the interval holds changes below and above {shortest(least)}"
        verb = "rises" if mean > 0 else "falls"
        return _against_random(compared, "contradicted", f"the score {verb} by more than {shortest(least)}")
    verb, opposite, bare = ("rises", "falls", "rise") if expected == "up" else ("falls", "rises", "fall")
    if expected == "down":
        low, high = -high, -low
    if high < -least:
        return "contradicted", f"the score {opposite} instead"
    if high < least:
        return "contradicted", f"the score does not {bare} by {shortest(least)}"
    if low > least:
        return _against_random(compared, "supported", f"the score {verb} by more than {shortest(least)}")
    return "not established", f"the interval holds changes below and above {shortest(least)}"


def _against_random(compared: tuple[Compared, ...], verdict: Verdict, reason: str) -> tuple[Verdict, str]:
    """The verdict, if the edit does more than random edits of equal size."""
    if not compared or min(one.count for one in compared) < 1 / LEVEL - 1:
        return "not established", f"{reason}, but fewer than {round(1 / LEVEL) - 1} random edits stand beside it"
    if any(one.rank > LEVEL for one in compared):
        return "not established", f"{reason}, but random edits of equal size do as much"
    return verdict, f"{reason}, and by more than with random edits of equal size"


def by_group(
    before: Sequence[float] | np.ndarray,
    after: Sequence[float] | np.ndarray,
    turned: Sequence[bool] | np.ndarray,
    groups: Sequence[str | None],
) -> tuple[Group, ...]:
    """The changes of each named group, in order of the names; `turned` may be empty."""
    changes = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    found = []
    for name in sorted({group for group in groups if group is not None}):
        rows = [row for row, group in enumerate(groups) if group == name]
        hits = sum(bool(turned[row]) for row in rows) if len(turned) else 0
        found.append(Group(name, len(rows), *mean_interval(changes[rows]), hits))
    return tuple(found)


def fixed(value: float) -> str:
    """Two digits behind the point, three significant ones below 0.1, with a true minus sign."""
    if not np.isfinite(value):
        return "\u2013"
    text = f"{value:.2f}" if abs(value) >= 0.095 or value == 0 else f"{value:.3f}"
    return text.replace("-", "\u2212" if float(text) else "")


def shortest(value: float) -> str:
    """Six significant digits without zeros at the end: a number that somebody chose, and that a rule compares with."""
    if not np.isfinite(value):
        return fixed(value)
    magnitude = int(np.floor(np.log10(abs(value)))) if value else 0
    text = f"{value:.{min(12, max(0, 5 - magnitude))}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "\u2212")


def signed(value: float) -> str:
    """Like `fixed`, with a plus sign."""
    text = fixed(value)
    return f"+{text}" if value > 0 and float(text) else text
