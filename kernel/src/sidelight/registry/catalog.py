"""Catalog of everything installed: which components there are, and whether one may be used.

Listing reads package metadata alone; a file that cannot be read is recorded as a fault. `lookup` imports the light
module of the one plugin that it is asked about.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen
from sidelight_specs import kinds
from sidelight_specs.entry_points import ORDER, PREFIX, Fault, folder_name, normalise, plugin_name, read_entry_points
from sidelight_specs.hooks import KIND
from sidelight_specs.host import Available, Health, Installed
from sidelight_specs.release import distributions, how_to_install
from sidelight_specs.roles import ROLES

from sidelight import cache
from sidelight.registry.load import Loader, Unavailable, broken, load_apart, reinstall
from sidelight.registry.policy import Policy, policy_file, read_policy
from sidelight.underway import doing, patience

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_USE = re.compile(r"(?P<plugin>[A-Za-z0-9][A-Za-z0-9._-]*)/(?P<component>[^/\s]+)")


@frozen
class Index:
    """Entry points ordered by role and use, what of them cannot be understood, and a stamp of all metadata."""

    entries: tuple[Installed, ...] = ()
    faults: tuple[Fault, ...] = ()
    stamp: str = ""


def index() -> Index:
    """The entry points on `sys.path`, from the cache while all metadata are as they were."""
    stamp = cache.metadata_stamp()
    value = cache.get("installed", stamp)
    if value is None:
        scanned = scan()
        value = [[attrs.astuple(one) for one in group] for group in (scanned.entries, scanned.faults)]
        cache.put("installed", stamp, value)
    entries, faults = value
    return Index(tuple(Installed(*one) for one in entries), tuple(Fault(*one) for one in faults), stamp)


def scan(path: Sequence[str] | None = None) -> Index:
    """Read the entry points of every distribution on a path; of two with one name the first counts."""
    from importlib import metadata  # takes as long to import as an answer from the cache

    read: dict[str, list[Installed | Fault]] = {}
    for distribution in metadata.distributions(path=list(sys.path if path is None else path)):
        name = folder_name(distribution)
        if name not in read and not name.startswith("~"):  # pip renames what it could not remove to `~name`
            read[name] = list(read_entry_points(distribution))
    entries = [one for group in read.values() for one in group if isinstance(one, Installed)]
    faults = [one for group in read.values() for one in group if isinstance(one, Fault)]
    return Index(tuple(sorted(entries, key=lambda one: (ORDER[one.role], one.use, one.distribution))), tuple(faults))


class Catalog:
    """Answers for components by name; without a policy everything may be loaded."""

    def __init__(self, index: Index, policy: Policy | None = None, loader: Loader | None = None) -> None:
        self.index, self._policy, self._loader = index, policy or Policy(), loader or Loader()

    def entries(self, *roles: str) -> tuple[Installed, ...]:
        """Entries of some roles, or of `kind`, `command`, `observer`, `recipe`; of all roles when none is given."""
        return tuple(entry for entry in self.index.entries if entry.role in (roles or ROLES))

    @property
    def policy(self) -> Policy:
        """Policy on what may be loaded."""
        return self._policy

    def problems(self) -> tuple[Fault, ...]:
        """Faults in the metadata of installed distributions, and names that several of them claim."""
        names = dict.fromkeys((entry.use, entry.role) for entry in self.index.entries)
        return (*self.index.faults, *(fault for name in names if (fault := self._clash(*name))))

    def lookup(self, use: str, role: str) -> Available:
        """A component by its name in a recipe, or raise `Unavailable`; imports its plugin's light module, once."""
        announced = [entry for entry in self.entries(role) if entry.use == use]
        if not announced:
            raise self.missing(use, role)
        entry = next((entry for entry in announced if not self._policy.blocks(entry)), announced[0])
        return Available(use, role, self.load(entry), entry.distribution, entry.version)

    def usable(self, role: str) -> Iterator[Available]:
        """The components of a role, without those that are broken or blocked."""
        for entry in self.entries(role):
            with suppress(Unavailable):
                yield self.lookup(entry.use, role)

    def load(self, entry: Installed) -> Any:
        """Descriptor of a component, class of a kind, `Command`, module of an observer, or path of a recipe.

        Raises:
            Unavailable: it is broken, or blocked.
        """
        self.check(entry)
        try:
            with doing(f'"{entry.use}" ({entry.distribution} {entry.version}): loading {entry.module}', patience()):
                return self._loader.load(entry)
        except RuntimeError as error:  # only now does it show that the plugin closed descriptors
            raise broken(entry, f"importing {entry.module}: {error}") from None

    def load_kind(self, name: str) -> None:
        """Register the kind of that name, or raise `Unavailable`; nothing where no plugin announces it."""
        named = [entry for entry in self.entries(KIND) if entry.name == name]
        for entry in named[:1]:  # of several the first counts; `sidelight plugins` names the others as broken
            kinds.register(self.load(entry))

    def check(self, entry: Installed) -> None:
        """Raise `Unavailable` for an entry that cannot be used as metadata and policy stand; nothing is imported."""
        if line := self._policy.blocks(entry):
            message = f'"{entry.use}" ({entry.distribution} {entry.version}) is blocked by the policy: {line}'
            fix = "use another component, or change the policy if it is yours to change"
            raise Unavailable("blocked", message, fix)
        if clash := self._clash(entry.use, entry.role):
            raise Unavailable("broken", clash.message, "uninstall one, or deny one in a policy file")
        if entry.flaw:
            raise broken(entry, entry.flaw, entry.fix)

    def states(self, entries: Iterable[Installed], *, load: bool = True) -> tuple[Health, ...]:
        """State of each entry: light modules are loaded in a child process; without `load` they are `unchecked`."""
        states: dict[Installed, Health] = {}
        for entry in entries:
            try:
                self.check(entry)
                states[entry] = Health(entry, "unchecked")
            except Unavailable as reason:
                states[entry] = Health(entry, reason.kind, why=reason.message, fix=reason.fix)
        if load:
            pending = [entry for entry in states if states[entry].state == "unchecked"]
            states |= {state.entry: state for state in load_apart(pending, self.index.stamp)}
        return tuple(states.values())

    def missing(self, use: str, role: str = "") -> Unavailable:
        """The answer for a name that no entry announces, under one role or under any."""
        plugin = use.partition("/")[0]
        faults = [fault for fault in self.index.faults if plugin_name(fault.distribution) == plugin]
        if faults and all(plugin_name(entry.distribution) != plugin for entry in self.entries()):
            # Unreadable metadata counts as broken, not unknown: they may announce it.
            return Unavailable("broken", str(faults[0]), reinstall(faults[0].distribution))
        noun = (role or "component").replace("_", " ")
        return Unavailable("unknown", f'no {noun} "{use}" is installed', _hint(use, role, self.entries()))

    def _clash(self, use: str, role: str) -> Fault | None:
        """A name that the policy leaves to more than one distribution."""
        rivals = [entry for entry in self.entries(role) if entry.use == use and not self._policy.blocks(entry)]
        if len(rivals) < 2:
            return None
        names = " and ".join(f"{entry.distribution} {entry.version}" for entry in rivals)
        return Fault(rivals[0].distribution, "", f'the {role.replace("_", " ")} "{use}" is announced by {names}')


def installed() -> Catalog:
    """The catalog of this Python environment, under the user's policy."""
    found = index()
    if not found.stamp or found.stamp not in _LOADERS:  # what is installed has changed, or nobody has asked yet
        _LOADERS.clear()
    catalog = Catalog(found, read_policy(policy_file()), _LOADERS.setdefault(found.stamp, Loader()))
    kinds.use_loader(catalog.load_kind)
    return catalog


_LOADERS: dict[str, Loader] = {}
"""The loader of this process under the stamp of what is installed: plugins load once, not once for each call."""


def _hint(use: str, role: str, entries: tuple[Installed, ...]) -> str:
    """Similar names for one that nobody announces, or the distribution that would bring it."""
    import difflib

    elsewhere = [entry.role for entry in entries if entry.use == use]
    if elsewhere:
        return f'"{use}" is {with_article(elsewhere[0])}, not {with_article(role or "component")}'
    match = _USE.fullmatch(use)
    plugin = normalise(match["plugin"] if match else use)
    own = [entry for entry in entries if plugin_name(entry.distribution) == plugin]
    if match or not own:  # similar spellings, then the same component elsewhere
        uses = [entry.use for entry in entries if role in ("", entry.role)]
        close = difflib.get_close_matches(use, uses, n=3, cutoff=0.75)
        close += [name for name in uses if name.rpartition("/")[2] == use.rpartition("/")[2]]
        if close:
            return "did you mean " + " or ".join(f'"{name}"' for name in list(dict.fromkeys(close))[:3]) + "?"
    if own:
        fitting = [entry.use for entry in own if entry.role == role] or [entry.use for entry in own]
        return f"{own[0].distribution} {own[0].version} has {', '.join(fitting)}"
    if not match:
        return "name it PLUGIN/COMPONENT; `sidelight plugins` lists what is installed"
    own_name = f"{PREFIX}{plugin}"
    told = how_to_install(own_name) if own_name in distributions() else "it is none of Sidelight's own"
    return f'no plugin "{plugin}" is installed; {told}'


def with_article(role: str) -> str:
    """A role with its article: `an inverter`, `data`."""
    noun = role.replace("_", " ")
    return noun if noun == "data" else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
