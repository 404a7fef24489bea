"""Wording of messages: quoted values, lists of names, and "did you mean"."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 60
"""Characters of a quoted value; longer ones would push the rest of a message off the screen."""
_MOST_CANDIDATES = 200
"""Names compared: it takes time that grows with both sides, and no recipe made by a person comes near."""


def quoted(text: str) -> str:
    """`text` in double quotes, shortened, with unprintable characters escaped."""
    escaped = _shortened(text).replace("\\", "\\\\").replace('"', '\\"')
    printable = (letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in escaped)
    return f'"{"".join(printable)}"'


def clean(text: str) -> str:
    """The text with control characters escaped, but for newlines and tabs: safe on a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


def show(data: Any) -> str:
    """A plain value as the author of a recipe would recognise it."""
    if data is None or isinstance(data, bool):
        return {None: "null", True: "true", False: "false"}[data]
    if isinstance(data, str):
        return quoted(data)
    if isinstance(data, (dict, tuple, list)):
        return "a mapping" if isinstance(data, dict) else "a list"
    return _shortened(repr(data))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def listing(names: Iterable[str], limit: int = 12) -> str:
    """`a, b, c`, cut after `limit` names."""
    all_names = list(names)
    more = f" and {len(all_names) - limit} more" if len(all_names) > limit else ""
    return ", ".join(all_names[:limit]) + more


def did_you_mean(word: str, known: Iterable[str], most: int = _MOST_CANDIDATES) -> str:
    """`did you mean "steps"?`, or nothing when no known word is near."""
    near = nearest(word, known, most)
    return f"did you mean {quoted(near)}?" if near else ""


def nearest(word: str, known: Iterable[str], most: int = _MOST_CANDIDATES) -> str:
    """The known word that is spelt most alike; empty when none is near."""
    import difflib  # only where a message needs it

    if len(word) > _LONGEST:
        return ""
    candidates = {name.lower(): name for name in islice(known, most) if len(name) <= _LONGEST}
    for spelling in (word.lower().replace("_", "-"), word.lower()):
        if near := difflib.get_close_matches(spelling, candidates, n=1):
            return candidates[near[0]]
    return ""
