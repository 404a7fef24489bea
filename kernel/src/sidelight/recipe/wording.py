"""Quotation of values and proposals of corrections in messages."""

from __future__ import annotations

import difflib
from itertools import islice
from typing import TYPE_CHECKING, Any

from sidelight.recipe.model import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 60
_MOST_CANDIDATES = 200
"""Comparing takes time that grows with both; no recipe made by a person comes near."""


def quoted(text: str) -> str:
    """`text` in double quotes, shortened, with unprintable characters escaped."""
    shown = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
    printable = (letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in escaped)
    return f'"{"".join(printable)}"'


def show(data: Any) -> str:
    """A recipe value as its author would recognise it."""
    if isinstance(data, Value):
        return show(data.data)
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
    if len(word) > _LONGEST:
        return ""
    candidates = {name.lower(): name for name in islice(known, most) if len(name) <= _LONGEST}
    near = difflib.get_close_matches(word.lower().replace("_", "-"), candidates, n=1, cutoff=0.6)
    near = near or difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return f"did you mean {quoted(candidates[near[0]])}?" if near else ""
