"""Distributions of this release of Sidelight and how to install them, so that a message names none that does not exist.

The kernel's metadata list them: its extra `all` requires every one. While the project's address in these metadata is a
placeholder no package index has them, and messages name the folder of the wheels as well.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata
from urllib.parse import urlsplit

KERNEL = "sidelight"
WHEELS = "DIST is the folder of this release's wheels, which no package index has"
_RESERVED = ("example.org", ".example", ".invalid", ".test")  # hosts of placeholders (RFC 2606)
_REQUIRED = re.compile(r"""(?P<name>[\w.-]+).*;\s*extra\s*==\s*['"]all['"]""")


@cache
def distributions() -> frozenset[str]:
    """Names of this release's distributions; none where the kernel is not installed."""
    try:
        required = metadata.requires(KERNEL) or []
    except metadata.PackageNotFoundError:
        return frozenset()
    return frozenset({KERNEL, *(match["name"] for text in required if (match := _REQUIRED.match(text)))})


@cache
def is_published() -> bool:
    """False while the project's address is a placeholder, or where the kernel is not installed."""
    try:
        addresses = metadata.metadata(KERNEL).get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return False
    hosts = [urlsplit(address.rpartition(" ")[2]).hostname or "" for address in addresses]
    return bool(hosts) and not any(host.endswith(_RESERVED) for host in hosts)


def install_command(*requirements: str) -> str:
    """The pip command for requirements of this release, from the wheels' folder DIST while no index has them."""
    where = () if is_published() else ("--find-links", "DIST")
    return " ".join(("pip install", *where, *requirements))


def how_to_install(*wanted: str, again: bool = False) -> str:
    """The command that installs distributions of Sidelight's own; for any other, that its authors have it."""
    for distribution in wanted:
        if distribution not in distributions():
            return f"{distribution} is none of Sidelight's own; install it from where its authors publish it"
    command = install_command(*(["--force-reinstall"] if again else []), *wanted)
    return command if is_published() else f"{command} ({WHEELS})"
