"""Distributions of this release of Sidelight, so that a message names none that does not exist.

The kernel's metadata list them: its extra `all` requires every one.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata

KERNEL = "sidelight"
_REQUIRED = re.compile(r"""(?P<name>[\w.-]+).*;\s*extra\s*==\s*['"]all['"]""")


@cache
def distributions() -> frozenset[str]:
    """Names of this release's distributions; none where the kernel is not installed."""
    try:
        required = metadata.requires(KERNEL) or []
    except metadata.PackageNotFoundError:
        return frozenset()
    return frozenset({KERNEL, *(match["name"] for text in required if (match := _REQUIRED.match(text)))})


def how_to_install(distribution: str) -> str:
    """The command that installs one of Sidelight's own distributions; for any other, that its authors have it."""
    if distribution in distributions():
        return f"pip install {distribution}"
    return f"{distribution} is none of Sidelight's own; install it from where its authors publish it"
