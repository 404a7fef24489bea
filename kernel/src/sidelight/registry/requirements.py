"""Requirements of installed distributions, directly or not, as their metadata say."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from sidelight_specs.entry_points import normalise

if TYPE_CHECKING:
    from packaging.requirements import Requirement

SPECS = "sidelight-specs"
_TOOLS = frozenset({"dev", "docs", "lint", "test", "tests", "testing", "verify"})
"""Extras that bring tools for developers, by the names that most distributions give them."""


@functools.cache
def required_with(names: tuple[str, ...]) -> tuple[str, ...]:
    """These distributions and all installed ones that they require, normalised and in order.

    Of plugins, which are what requires the specs, extras count as well, because nobody can tell which of them a run
    uses; not those of tools for developers, nor plugins that an extra brings together: what a run uses of these is
    named. Of other libraries those count that somebody asks for.
    """
    pending = [(normalise(name), frozenset[str]()) for name in names]
    known: dict[str, frozenset[str]] = {}
    while pending:
        name, extras = pending.pop()
        if name in known and extras <= known[name]:
            continue
        needs = requirements(name)
        if needs is None:  # not installed: an extra, or a plugin that is broken
            continue
        if _is_plugin(name):
            extras |= _extras(name) - _TOOLS
        known[name] = extras = known.get(name, frozenset()) | extras
        for need in needs:
            always = need.marker is None or need.marker.evaluate({"extra": ""})
            by_extra = not always and any(need.marker.evaluate({"extra": extra}) for extra in extras)  # type: ignore[union-attr]
            if always or (by_extra and not _is_plugin(need.name)):
                pending.append((normalise(need.name), frozenset(need.extras)))
    return tuple(sorted(known))


@functools.cache
def requirements(name: str) -> tuple[Requirement, ...] | None:
    """Every requirement of an installed distribution, extras' too; None where there is none or it cannot be read."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return tuple(Requirement(text) for text in requires(name) or ())
    except (PackageNotFoundError, InvalidRequirement, OSError, UnicodeDecodeError):
        return None


def _is_plugin(name: str) -> bool:
    """True for the specs and whatever requires them."""
    needs = requirements(name) or ()
    return normalise(name) == SPECS or any(normalise(need.name) == SPECS for need in needs)


def _extras(name: str) -> frozenset[str]:
    from importlib.metadata import metadata

    return frozenset(metadata(name).get_all("Provides-Extra") or ())
