"""What a plugin is built on: the distributions below it that are written for Sidelight as well.

A toolkit, or the technique that another extends: when their code changes, so may the plugin's answers. Torch and
other libraries do not count; their versions are in the run's manifest.
"""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import InvalidRequirement, Requirement

SPECS = "sidelight-specs"


@functools.cache
def foundations(distribution: str) -> tuple[str, ...]:
    """Import names of the distributions that one requires, directly or not, and that themselves require the specs.

    A distribution's package is taken to bear its name, with underscores, which is the rule among plugins.
    """
    found: set[str] = set()
    pending = [distribution]
    while pending:
        below = {name for name in _required(pending.pop()) if SPECS in _required(name)} - found
        found |= below
        pending += below
    return tuple(sorted(name.replace("-", "_") for name in found))


@functools.cache
def _required(distribution: str) -> frozenset[str]:
    """Normalised names of what is required without asking for an extra; nothing where the metadata cannot be read."""
    try:
        texts = requires(distribution) or []
        needed = [Requirement(text) for text in texts]
    except (PackageNotFoundError, InvalidRequirement, OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(
        need.name.lower().replace("_", "-").replace(".", "-")
        for need in needed
        if need.marker is None or need.marker.evaluate({"extra": ""})
    )
