"""Entry points of distributions, read without importing anything: for the kernel's catalog and the conformance kit.

One entry point is one component (group `sidelight.v1.ROLE`), kind, command or observer; its value is the plugin's light
module. That of a recipe (`sidelight.v1.recipe`) is the package that holds its file.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from attrs import frozen

from sidelight_specs.files import refuse_special
from sidelight_specs.hooks import EXTENSIONS, GROUP_PREFIX
from sidelight_specs.host import Installed
from sidelight_specs.role_table import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution

PREFIX = "sidelight-"
"""Optional start of a distribution's name; recipes leave it out."""
ORDER = {name: index for index, name in enumerate((*ROLES, *EXTENSIONS))}
_GROUP = re.compile(r"sidelight\.v(?P<version>\d+)\.(?P<role>.+)")
_MODULE = re.compile(r"\w+(\.\w+)*")
_KNOWN = GROUP_PREFIX.removeprefix("sidelight.v").rstrip(".")


@frozen
class Fault:
    """Something wrong with what is installed, that concerns no single component or more than one.

    Args:
        distribution: distribution at fault.
        file: file at fault; empty where names clash.
        message: what is wrong, a sentence without a full stop.
    """

    distribution: str
    file: str
    message: str

    def __str__(self) -> str:
        return f"{self.distribution}{f' ({self.file})' if self.file else ''}: {self.message}"


def normalise(distribution: str) -> str:
    """A distribution's name as PEP 503 normalises it: lower case, runs of `-`, `_` and `.` as one hyphen."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def plugin_name(distribution: str) -> str:
    """Name of a distribution in recipes: normalised, without `sidelight-`."""
    return normalise(distribution).removeprefix(PREFIX)


def metadata_folder(distribution: Distribution) -> Any:
    """The folder of a distribution's metadata, perhaps in a zip."""
    # The attribute is private, yet the only way to say which file is at fault.
    return getattr(distribution, "_path", None) or PurePath(f"{distribution.name}.dist-info")


def folder_name(distribution: Distribution) -> str:
    """The normalised name of a distribution by its metadata's folder, which costs no reading."""
    return normalise(PurePath(metadata_folder(distribution).name).stem.partition("-")[0])


def read_entry_points(distribution: Distribution) -> Iterator[Installed | Fault]:
    """Entries of one distribution, also those that cannot be loaded as they stand, and its faults."""
    folder = metadata_folder(distribution)
    name, _, version = PurePath(folder.name).stem.partition("-")
    file = str(folder / "entry_points.txt")
    try:
        groups = _groups(distribution, folder)
    except (ValueError, OSError) as error:
        yield Fault(normalise(name), file, f"cannot read the entry points: {' '.join(str(error).split())}")
        return
    if groups:
        with suppress(Exception):  # whatever a broken METADATA makes of its parser; the folder says it too
            name, version = distribution.metadata["Name"] or name, distribution.metadata["Version"] or version
    announced = set()
    # The known contract goes first: a plugin that also speaks another one is in order.
    for group in sorted(groups, key=lambda text: not text.startswith(GROUP_PREFIX)):
        match = _GROUP.fullmatch(group)
        if not match or match["role"] not in ORDER:
            known = f"known are {GROUP_PREFIX}ROLE with ROLE one of {', '.join(ROLES)}"
            yield Fault(name, file, f'unknown entry point group "{group}"; {known}')
            continue
        flaw, fix = "", ""
        if not group.startswith(GROUP_PREFIX):
            flaw = f"it is written for version {match['version']} of the plugin contract, this Sidelight knows {_KNOWN}"
            fix = "install the versions of Sidelight and of this plugin that belong together"
        for component, value in groups[group].items():
            why = flaw
            if not flaw and not _MODULE.fullmatch(value):
                why = f"its entry point {value!r} is not the name of a module alone, without object or extras"
            if not why or (match["role"], component) not in announced:
                use = f"{plugin_name(name)}/{component}"
                yield Installed(match["role"], use, name, version or "unknown", value, why, fix)
            announced.add((match["role"], component))


def _groups(distribution: Distribution, folder: Any) -> dict[str, dict[str, str]]:
    """The groups of Sidelight in one distribution's entry points."""
    if isinstance(folder, Path):  # not in a zip
        for name in ("entry_points.txt", "METADATA", "PKG-INFO"):
            with suppress(FileNotFoundError, NotADirectoryError):
                refuse_special(folder / name)  # reading would wait for a pipe
    groups = parse(distribution.read_text("entry_points.txt") or "")
    return {group: points for group, points in groups.items() if group.startswith("sidelight.")}


def parse(text: str) -> dict[str, dict[str, str]]:
    """The text of an `entry_points.txt` as group to name to value.

    importlib.metadata reads such files as well, but passes over what it cannot read; the parser of entrypoints raises.

    Raises:
        ValueError: it is no such file.
    """
    from configparser import Error

    from entrypoints import CaseSensitiveConfigParser

    # Percent signs and a section called DEFAULT mean nothing special in this format.
    parser = CaseSensitiveConfigParser(delimiters=("=",), interpolation=None, default_section="")
    try:
        parser.read_string(text, source="entry_points.txt")
    except Error as error:
        raise ValueError(str(error)) from None
    return {group: dict(parser[group]) for group in parser.sections()}
