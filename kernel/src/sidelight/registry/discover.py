"""Discovery of installed components from the entry points of every distribution. Nothing is imported.

A component is one entry point: group `sidelight.v1.ROLE`, name = the component, value = the plugin's light module.
A file that cannot be read is recorded as a fault and the walk goes on.
"""

from __future__ import annotations

import configparser
import importlib.metadata
import re
import sys
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import entrypoints
from attrs import field, frozen
from sidelight_specs.hooks import EXTENSIONS, GROUP_PREFIX
from sidelight_specs.roles import ROLES

from sidelight.registry.model import Entry, Fault, normalise, plugin_name
from sidelight.untrusted import refuse_special

if TYPE_CHECKING:
    from collections.abc import Sequence

_ANY_VERSION = re.compile(r"sidelight\.v(?P<version>\d+)\.(?P<role>.+)")
_OURS = "sidelight."
_KNOWN = GROUP_PREFIX.removeprefix("sidelight.v").rstrip(".")


@frozen
class Flaw:
    """Why an entry cannot be loaded, and what to do where that is not for its authors."""

    why: str
    fix: str = ""


@frozen
class Index:
    """Everything installed that announces components.

    Args:
        entries: one for each component, ordered by role and use.
        flaws: (use, role) to why that entry cannot be loaded as its metadata stands.
        faults: files, groups and roles that cannot be understood.
    """

    entries: tuple[Entry, ...] = ()
    flaws: dict[tuple[str, str], Flaw] = field(factory=dict)
    faults: tuple[Fault, ...] = ()


def scan(path: Sequence[str] | None = None) -> Index:
    """Read the entry points of every distribution; of two with one name the first on the path counts.

    Args:
        path: folders to look in, `sys.path` when None.
    """
    draft = _Draft()
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions(path=list(sys.path if path is None else path)):
        folder = _folder(distribution)
        name = normalise(_stem(folder))
        if name in seen or folder.startswith("~"):  # pip renames what it could not remove to `~name`
            continue
        seen.add(name)
        draft.read(distribution, folder)
    order = {name: index for index, name in enumerate((*ROLES, *EXTENSIONS))}
    ordered = sorted(draft.entries, key=lambda entry: (order[entry.role], entry.use, entry.distribution))
    return Index(tuple(ordered), draft.flaws, tuple(draft.faults))


def parse(text: str) -> dict[str, dict[str, str]]:
    """The text of an `entry_points.txt` as group to name to value.

    Raises:
        configparser.Error: it is no such file.
    """
    # Percent signs and a section called DEFAULT mean nothing special in this format.
    parser = entrypoints.CaseSensitiveConfigParser(delimiters=("=",), interpolation=None, default_section="")
    parser.read_string(text, source="entry_points.txt")
    return {group: dict(parser[group]) for group in parser.sections()}


class _Draft:
    """An index under construction."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.flaws: dict[tuple[str, str], Flaw] = {}
        self.faults: list[Fault] = []

    def read(self, distribution: importlib.metadata.Distribution, folder: str) -> None:
        """Add what one distribution announces."""
        try:
            _refuse_special(distribution)
            groups = parse(distribution.read_text("entry_points.txt") or "")
        except (configparser.Error, ValueError, OSError) as error:
            name, _ = _identity(distribution, folder)
            what = " ".join(str(error).split())
            self.faults.append(Fault(name, _file(distribution), f"cannot read the entry points: {what}"))
            return
        ours = {group: entries for group, entries in groups.items() if group.startswith(_OURS)}
        if ours:
            self._add(distribution, folder, ours)

    def _add(
        self, distribution: importlib.metadata.Distribution, folder: str, groups: dict[str, dict[str, str]]
    ) -> None:
        name, version = _identity(distribution, folder)
        # The known contract goes first: a plugin that also speaks another one is in order.
        for group in sorted(groups, key=lambda text: not text.startswith(GROUP_PREFIX)):
            role, flaw = _understand(group)
            if flaw and not role:
                self.faults.append(Fault(name, _file(distribution), flaw.why))
                continue
            for component, value in groups[group].items():
                entry = _entry(role, component, name, version, value)
                self._add_entry(entry, flaw or _module_flaw(value, component))

    def _add_entry(self, entry: Entry, flaw: Flaw | None) -> None:
        same = (entry.distribution, entry.use, entry.role)
        if flaw and any(same == (other.distribution, other.use, other.role) for other in self.entries):
            return
        self.entries.append(entry)
        if flaw:
            self.flaws[entry.use, entry.role] = flaw


def _refuse_special(distribution: importlib.metadata.Distribution) -> None:
    """Raise an OSError where a file of the metadata is a pipe, which reading would wait for."""
    path = getattr(distribution, "_path", None)
    if isinstance(path, Path):  # not inside a zip
        for name in ("entry_points.txt", "METADATA", "PKG-INFO"):
            with suppress(FileNotFoundError, NotADirectoryError):
                refuse_special(path / name)


def _understand(group: str) -> tuple[str, Flaw | None]:
    """The role of a group, empty when it has none, and what is wrong with the group."""
    match = _ANY_VERSION.fullmatch(group)
    if not match or match["role"] not in (*ROLES, *EXTENSIONS):
        known = f"known are {GROUP_PREFIX}ROLE with ROLE one of {', '.join(ROLES)}"
        return "", Flaw(f'unknown entry point group "{group}"; {known}')
    if group.startswith(GROUP_PREFIX):
        return match["role"], None
    why = f"it is written for version {match['version']} of the plugin contract, this Sidelight knows {_KNOWN}"
    return match["role"], Flaw(why, "install the versions of Sidelight and of this plugin that belong together")


def _module_flaw(value: str, component: str) -> Flaw | None:
    """Why an entry point's value is not the dotted name of a module, if it is not."""
    try:
        point = entrypoints.EntryPoint.from_string(value, component)
    except entrypoints.BadEntryPoint:
        return Flaw(f"its entry point {value!r} is not the name of a module")
    if point.object_name or point.extras:
        return Flaw(f"its entry point {value!r} must be a module alone, without object or extras")
    return None


def _entry(role: str, component: str, distribution: str, version: str, value: str) -> Entry:
    use = f"{plugin_name(distribution)}/{component}"
    return Entry(role=role, name=component, use=use, distribution=distribution, version=version, module=value.strip())


def _identity(distribution: importlib.metadata.Distribution, folder: str) -> tuple[str, str]:
    """Name and version: from the metadata, or from the folder's name where there is none to read."""
    try:
        _refuse_special(distribution)
        metadata = distribution.metadata
        return str(metadata["Name"] or _stem(folder)), str(metadata["Version"] or _version(folder))
    except Exception:  # whatever a broken METADATA makes of the parser
        return _stem(folder), _version(folder)


def _folder(distribution: importlib.metadata.Distribution) -> str:
    path = getattr(distribution, "_path", None)  # private, yet the only way to say which file is at fault
    return str(path.name) if path is not None else f"{distribution.name}.dist-info"


def _file(distribution: importlib.metadata.Distribution) -> str:
    path = getattr(distribution, "_path", None)
    return str(path / "entry_points.txt") if path is not None else ""


def _stem(folder: str) -> str:
    return PurePath(folder).stem.partition("-")[0]


def _version(folder: str) -> str:
    return PurePath(folder).stem.partition("-")[2].partition("-")[0] or "unknown"
