"""Suggestions for components that are not installed."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from sidelight.registry.model import PREFIX, Unavailable, normalise, plugin_name

if TYPE_CHECKING:
    from sidelight.registry.model import Entry

_SHAPE = re.compile(r"(?P<plugin>[A-Za-z0-9][A-Za-z0-9._-]*)/(?P<component>[^/\s]+)")


def unknown(use: str, role: str | None, entries: tuple[Entry, ...]) -> Unavailable:
    """The answer for a `use` that no entry point announces under that role, or under any when it is None."""
    return Unavailable("unknown", f'no {_noun(role)} "{use}" is installed', _hint(use, role, entries))


def _hint(use: str, role: str | None, entries: tuple[Entry, ...]) -> str:
    elsewhere = [entry.role for entry in entries if entry.use == use]
    if elsewhere:
        return f'"{use}" is {_article(_noun(elsewhere[0]))}, not {_article(_noun(role))}'
    if any(plugin_name(entry.distribution) == normalise(use) for entry in entries):  # a plugin, without a component
        return _source(normalise(use), role, entries)
    uses = [entry.use for entry in entries if role in (None, entry.role)]
    close = _close(use, uses)
    if close:
        return "did you mean " + " or ".join(f'"{name}"' for name in close) + "?"
    match = _SHAPE.fullmatch(use)
    if not match:
        return "name it PLUGIN/COMPONENT; `sidelight plugins` lists what is installed"
    return _source(normalise(match["plugin"]), role, entries)


def _close(use: str, uses: list[str]) -> list[str]:
    """Up to three names that may have been meant: the same component elsewhere, then similar spellings."""
    component = use.rpartition("/")[2]
    same = [name for name in uses if name.rpartition("/")[2] == component]
    similar = difflib.get_close_matches(use, uses, n=3, cutoff=0.75)
    return list(dict.fromkeys([*similar, *same]))[:3]


def _source(plugin: str, role: str | None, entries: tuple[Entry, ...]) -> str:
    """What the plugin has instead, or the distribution that would bring it."""
    installed = [entry for entry in entries if plugin_name(entry.distribution) == plugin]
    if not installed:
        return (
            f'no plugin "{plugin}" is installed; one of Sidelight\'s own comes with `pip install {PREFIX}{plugin}`, '
            f"any other with the distribution {plugin}"
        )
    fitting = [entry.use for entry in installed if entry.role == role] or [entry.use for entry in installed]
    return f"{installed[0].distribution} {installed[0].version} has {', '.join(fitting)}"


def _noun(role: str | None) -> str:
    return (role or "component").replace("_", " ")


def _article(noun: str) -> str:
    return noun if noun == "data" else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
