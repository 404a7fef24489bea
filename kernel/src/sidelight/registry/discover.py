"""Discovery of plugins from the entry points of every installed distribution. Nothing is imported.

One entry point is one component (group `sidelight.v1.ROLE`), kind, command or observer; its value is the plugin's light
module. A file that cannot be read is recorded as a fault and the walk goes on. `index` keeps the answer of `scan`
until a distribution is added, removed or changed.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import attrs
from attrs import frozen
from sidelight_specs.files import refuse_special
from sidelight_specs.hooks import EXTENSIONS, GROUP_PREFIX
from sidelight_specs.roles import ROLES

from sidelight import cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from importlib.metadata import Distribution

PREFIX = "sidelight-"
"""Optional start of a distribution's name; recipes leave it out."""
_ANY_VERSION = re.compile(r"sidelight\.v(?P<version>\d+)\.(?P<role>.+)")
_KNOWN = GROUP_PREFIX.removeprefix("sidelight.v").rstrip(".")
_ORDER = {name: index for index, name in enumerate((*ROLES, *EXTENSIONS))}


def normalise(distribution: str) -> str:
    """A distribution's name as PEP 503 normalises it: lower case, runs of `-`, `_` and `.` as one hyphen."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def plugin_name(distribution: str) -> str:
    """Name of a distribution in recipes: normalised, without `sidelight-`."""
    return normalise(distribution).removeprefix(PREFIX)


@frozen
class PluginEntry:
    """One entry point of a plugin, as metadata announces it; nothing was imported to know this.

    Args:
        role: a role, or `kind`, `command`, `observer`.
        name: the component's name.
        use: how a recipe names it, `PLUGIN/COMPONENT`.
        distribution: the distribution's name, as it writes it.
        version: the distribution's version.
        module: the light module to import.
        flaw: why it cannot be loaded as the metadata stands; empty when it is in order.
        fix: what to do about the flaw, where that is not for its authors.
    """

    role: str
    name: str
    use: str
    distribution: str
    version: str
    module: str
    flaw: str = ""
    fix: str = ""


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
        return f"{self.distribution}{f' ({self.file})' if self.file else ''}: {self.message}"


@frozen
class Index:
    """Everything installed that is announced to Sidelight.

    Args:
        entries: ordered by role and use.
        faults: files, groups and roles that cannot be understood.
        stamp: of all metadata, where that is known.
    """

    entries: tuple[PluginEntry, ...] = ()
    faults: tuple[Fault, ...] = ()
    stamp: str = ""


def index() -> Index:
    """The entry points on `sys.path`, from the cache while all metadata are as they were."""
    stamp = metadata_stamp()
    value = cache.get("installed", stamp)
    if value is None:
        scanned = scan()
        value = [[attrs.astuple(one) for one in group] for group in (scanned.entries, scanned.faults)]
        cache.put("installed", stamp, value)
    entries, faults = value
    return Index(tuple(PluginEntry(*one) for one in entries), tuple(Fault(*one) for one in faults), stamp)


def metadata_stamp() -> str:
    """Stamp of all that `scan` reads, without reading it."""
    files: list[str] = []
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as items:
                infos = [item.path for item in items if item.name.endswith((".dist-info", ".egg-info", "EGG-INFO"))]
        except OSError:  # a zip, or nothing
            infos = [folder]
        files += [name for info in infos for name in (info, f"{info}/entry_points.txt", f"{info}/METADATA")]
    finders = [type(finder).__qualname__ for finder in sys.meta_path]  # they may know of distributions elsewhere
    return cache.stamp(files, sys.version, *finders)


def scan(path: Sequence[str] | None = None) -> Index:
    """Read the entry points of every distribution; of two with one name the first on the path counts.

    Args:
        path: folders to look in, `sys.path` when None.
    """
    from importlib import metadata  # takes as long to import as an answer from the cache

    entries: list[PluginEntry] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    for distribution in metadata.distributions(path=list(sys.path if path is None else path)):
        name = normalise(_stem(_folder(distribution)))
        if name in seen or name.startswith("~"):  # pip renames what it could not remove to `~name`
            continue
        seen.add(name)
        for announced in _read(distribution):
            if isinstance(announced, Fault):
                faults.append(announced)
            else:
                entries.append(announced)
    ordered = sorted(entries, key=lambda entry: (_ORDER[entry.role], entry.use, entry.distribution))
    return Index(tuple(ordered), tuple(faults))


def parse(text: str) -> dict[str, dict[str, str]]:
    """The text of an `entry_points.txt` as group to name to value.

    importlib.metadata reads such files as well, but passes over what it cannot read; the parser of entrypoints tells.

    Raises:
        configparser.Error: it is no such file.
    """
    import entrypoints

    # Percent signs and a section called DEFAULT mean nothing special in this format.
    parser = entrypoints.CaseSensitiveConfigParser(delimiters=("=",), interpolation=None, default_section="")
    parser.read_string(text, source="entry_points.txt")
    return {group: dict(parser[group]) for group in parser.sections()}


def _read(distribution: Distribution) -> Iterator[PluginEntry | Fault]:
    """Entries of one distribution, and its faults."""
    from configparser import Error

    try:
        _refuse_special(distribution)
        groups = parse(distribution.read_text("entry_points.txt") or "")
    except (Error, ValueError, OSError) as error:
        name, _ = _identity(distribution)
        message = f"cannot read the entry points: {' '.join(str(error).split())}"
        yield Fault(name, _file(distribution), message)
        return
    ours = {group: entries for group, entries in groups.items() if group.startswith("sidelight.")}
    if ours:
        yield from _announced(distribution, ours)


def _announced(distribution: Distribution, groups: Mapping[str, Mapping[str, str]]) -> Iterator[PluginEntry | Fault]:
    name, version = _identity(distribution)
    seen = set()
    # The known contract goes first: a plugin that also speaks another one is in order.
    for group in sorted(groups, key=lambda text: not text.startswith(GROUP_PREFIX)):
        match = _ANY_VERSION.fullmatch(group)
        if not match or match["role"] not in _ORDER:
            known = f"known are {GROUP_PREFIX}ROLE with ROLE one of {', '.join(ROLES)}"
            yield Fault(name, _file(distribution), f'unknown entry point group "{group}"; {known}')
            continue
        flaw, fix = "", ""
        if not group.startswith(GROUP_PREFIX):
            flaw = f"it is written for version {match['version']} of the plugin contract, this Sidelight knows {_KNOWN}"
            fix = "install the versions of Sidelight and of this plugin that belong together"
        for component, value in groups[group].items():
            why = flaw or _module_flaw(value, component)
            if not why or (match["role"], component) not in seen:
                use = f"{plugin_name(name)}/{component}"
                yield PluginEntry(match["role"], component, use, name, version, value.strip(), why, fix)
            seen.add((match["role"], component))


def _module_flaw(value: str, component: str) -> str:
    """Why an entry point's value is not the dotted name of a module, if it is not."""
    import entrypoints

    try:
        point = entrypoints.EntryPoint.from_string(value, component)
    except entrypoints.BadEntryPoint:
        return f"its entry point {value!r} is not the name of a module"
    if point.object_name or point.extras:
        return f"its entry point {value!r} must be a module alone, without object or extras"
    return ""


def _refuse_special(distribution: Distribution) -> None:
    """Raise an OSError where a file of the metadata is a pipe, which reading would wait for."""
    path = getattr(distribution, "_path", None)
    if isinstance(path, Path):  # not inside a zip
        for name in ("entry_points.txt", "METADATA", "PKG-INFO"):
            with suppress(FileNotFoundError, NotADirectoryError):
                refuse_special(path / name)


def _identity(distribution: Distribution) -> tuple[str, str]:
    """Name and version: from the metadata, or from the folder's name where there is none to read."""
    folder = _folder(distribution)
    name, version = _stem(folder), PurePath(folder).stem.partition("-")[2].partition("-")[0] or "unknown"
    try:
        _refuse_special(distribution)
        metadata = distribution.metadata
        return str(metadata["Name"] or name), str(metadata["Version"] or version)
    except Exception:  # whatever a broken METADATA makes of the parser
        return name, version


def _folder(distribution: Distribution) -> str:
    path = getattr(distribution, "_path", None)  # private, yet the only way to say which file is at fault
    return str(path.name) if path is not None else f"{distribution.name}.dist-info"


def _file(distribution: Distribution) -> str:
    path = getattr(distribution, "_path", None)
    return str(path / "entry_points.txt") if path is not None else ""


def _stem(folder: str) -> str:
    return PurePath(folder).stem.partition("-")[0]
