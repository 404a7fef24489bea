"""Sentences of the answer, with what they rest on, and their words for counts, shares and names.

measured     the classifier was asked, or a metric computed the number
heuristic    a rule of thumb: it may mislead
not scored   nothing in the recipe tells
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sidelight_specs.intervals import wilson_interval

from sidelight_report.document.phrases import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Basis = Literal["measured", "heuristic", "not scored", ""]
Claim = dict[str, Any]
Tile = dict[str, Any]
Counts = dict[str, tuple[int, int]]

WITH_INTERVAL = 2  # different counts in one sentence that get intervals; more would hide the counts
MOST_NAMED = 4  # explainers in one sentence
FEWEST_FOR_INTERVAL = 3  # images, as for `Measurement.interval`
_THIN = "\u202f"  # between a number and its percent sign


def claim(text: str, basis: Basis, *links: str) -> Claim:
    """One sentence or two; `links` are ids of the page, the evidence first."""
    return {"text": text, "basis": basis, "links": list(links)}


def tile(shows: str, link: str, caption: str, note: str, **place: Any) -> Tile:
    """A picture of the answer: by `place` the page finds it in the evidence."""
    return {"shows": shows, "link": link, "caption": caption, "note": note, **place}


def listed(counts: Mapping[str, tuple[int, int]], what: str) -> str:
    """`8 of 8 images (68 to 100 %) by cdeepex and 7 of 8 (53 to 98 %) by xgems`; equal counts are told once."""
    by_count = dict[tuple[int, int], list[str]]()
    for key, count in counts.items():
        by_count.setdefault(count, []).append(key)
    with_interval = len(by_count) <= WITH_INTERVAL
    told = [
        f"{hits} of {count}{'' if place else f' {what}'}{interval(hits, count) * with_interval} by {some(keys)}"
        for place, ((hits, count), keys) in enumerate(by_count.items())
    ]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def share(hits: int, count: int) -> str:
    """`7 of 8 (53 to 98 %)`."""
    return f"{hits} of {count}{interval(hits, count)}"


def interval(hits: float, count: int) -> str:
    """` (53 to 98 %)`, 95 % by Wilson; empty for fewer than three."""
    if count < FEWEST_FOR_INTERVAL:
        return ""
    low, high = wilson_interval(hits, count)
    return f" ({100 * low:.0f} to {100 * high:.0f}{_THIN}%)"


def some(names: Sequence[str]) -> str:
    """Several names in words, the first `MOST_NAMED` of more."""
    if len(names) < 2:
        return "".join(names)
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, what: str) -> str:
    """`1 image`, `8 images`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def percent(value: float) -> str:
    """A probability; never 0 or 100 % for what is neither."""
    if 0 < value < 0.005:
        return f"under 1{_THIN}%"
    return f"over 99{_THIN}%" if 0.995 <= value < 1 else f"{100 * value:.0f}{_THIN}%"


def signed(value: float) -> str:
    """A number with its sign."""
    return f"+{plain(value)}" if value > 0 else plain(value)


def correlation(value: float) -> str:
    """A correlation to two digits."""
    return f"{value:.2f}".replace("-", "\u2212")


def between(ends: Iterable[float] | None, write: Any = plain) -> str:
    """` (0.52 to 0.79)`; empty without an interval."""
    return "" if ends is None else f" ({' to '.join(map(write, ends))})"
