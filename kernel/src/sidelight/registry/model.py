"""What is known of installed components: before a plugin is imported, after it, and when it cannot be used."""

from __future__ import annotations

import re
from typing import Literal

from attrs import field, frozen
from sidelight_specs import ComponentDescriptor

PREFIX = "sidelight-"
"""What a distribution's name may start with; recipes leave it out."""


def normalise(distribution: str) -> str:
    """A distribution's name as PEP 503 normalises it: lower case, runs of `-`, `_` and `.` as one hyphen."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def plugin_name(distribution: str) -> str:
    """How recipes call a distribution: its normalised name without `sidelight-`."""
    return normalise(distribution).removeprefix(PREFIX)


@frozen
class Entry:
    """One component as its distribution's metadata announces it; nothing was imported to know this.

    Args:
        role: one of `sidelight_specs.descriptors.ROLES`.
        name: the component's name.
        use: how a recipe names it, `PLUGIN/COMPONENT`.
        distribution: the distribution's name, as it writes it.
        version: the distribution's version.
        module: the light module to import.
    """

    role: str
    name: str
    use: str
    distribution: str
    version: str
    module: str


@frozen
class Fault:
    """Something wrong with what is installed, that concerns no single component or more than one.

    Args:
        distribution: the distribution at fault.
        file: the file at fault, or empty.
        message: what is wrong, a sentence without a full stop.
    """

    distribution: str
    file: str
    message: str

    def __str__(self) -> str:
        place = f" ({self.file})" if self.file else ""
        return f"{self.distribution}{place}: {self.message}"


@frozen(eq=False)
class Available:
    """A component that can be used.

    Args:
        use, role: what was asked for.
        descriptor: what the plugin says of it.
        distribution, version: where it comes from.
        code: digest of the distribution's files, so that changed code makes a new store key.
    """

    use: str
    role: str
    descriptor: ComponentDescriptor
    distribution: str
    version: str
    code: str


@frozen(eq=False)
class Unavailable:
    """A component that cannot be used.

    Args:
        kind: `unknown` (nothing installed announces it), `broken` (installed, does not load) or `blocked` (by policy).
        message: what is wrong, a sentence without a full stop.
        suggestion: what to do about it; may be empty.
        cause: the exception behind a broken component, for `--debug`.
    """

    kind: Literal["unknown", "broken", "blocked"]
    message: str
    suggestion: str
    cause: BaseException | None = field(default=None, repr=False)
