"""The catalog: every installed component, and the answer to "may I use this one?".

Listing reads package metadata alone. `lookup` imports the light module of the one plugin that it is asked about.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sidelight_specs import SidelightError, kinds
from sidelight_specs.hooks import EXTENSIONS, KIND
from sidelight_specs.roles import ROLES

from sidelight.registry.code import code_digest
from sidelight.registry.discover import Index, scan
from sidelight.registry.foundations import foundations
from sidelight.registry.load import Failure, Loader
from sidelight.registry.model import Available, Entry, Fault, Unavailable, plugin_name
from sidelight.registry.policy import Policy, policy_file, read_policy
from sidelight.registry.suggest import unknown
from sidelight.underway import doing, patience

__all__ = ["Available", "Catalog", "Entry", "Fault", "Unavailable", "installed"]


def installed() -> Catalog:
    """The catalog of this Python environment, under the user's policy.

    Raises:
        UserError: the policy file cannot be read.
    """
    catalog = Catalog(scan(), read_policy(policy_file()))
    kinds.use_loader(catalog.load_kind)
    return catalog


class Catalog:
    """Answers for components by name.

    Args:
        index: what is installed.
        policy: what may be loaded; everything when None.
    """

    def __init__(self, index: Index, policy: Policy | None = None) -> None:
        self._index = index
        self._policy = policy or Policy()
        self._loader = Loader()
        self._by_use: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in index.entries:
            self._by_use[entry.use, entry.role].append(entry)

    def entries(self) -> tuple[Entry, ...]:
        """Every installed component, also broken and blocked ones, ordered by role and use."""
        return tuple(entry for entry in self._index.entries if entry.role in ROLES)

    def problems(self) -> tuple[Fault, ...]:
        """What is wrong with the metadata of installed distributions, and which of them claim the same name."""
        rivals = (self._allowed(use, role) for use, role in self._by_use)
        return (*self._index.faults, *(_clash(entries) for entries in rivals if len(entries) > 1))

    def lookup(self, use: str, role: str) -> Available | Unavailable:
        """A component by its name in a recipe; imports its plugin's light module, once.

        Args:
            use: `PLUGIN/COMPONENT`.
            role: one of `sidelight_specs.descriptors.ROLES`.
        """
        entry = self._find(use, role)
        if isinstance(entry, Unavailable):
            return entry
        descriptor = self._load(entry)
        if isinstance(descriptor, Unavailable):
            return descriptor
        behaviour = descriptor.factory.partition(":")[0]
        code = code_digest(behaviour, foundations(entry.distribution))
        return Available(use, role, descriptor, entry.distribution, entry.version, code)

    def kind_names(self) -> set[str]:
        """Names of the kinds of results that are installed; nothing is imported."""
        return {entry.name for entry in self._index.entries if entry.role == KIND}

    def load_kind(self, name: str) -> None:
        """Register the kind of that name; nothing where no plugin announces it.

        Raises:
            SidelightError: its plugin is broken or blocked.
        """
        for entry in self.extensions(KIND):
            if entry.name == name:
                kinds.register(self.load(entry))

    def extensions(self, *groups: str) -> tuple[Entry, ...]:
        """Kinds, commands and observers, or those of one group, in the order of their names."""
        return tuple(entry for entry in self._index.entries if entry.role in (groups or EXTENSIONS))

    def load(self, entry: Entry) -> Any:
        """The class of a kind, a `Command`, or the module of an observer.

        Raises:
            SidelightError: its plugin is broken or blocked.
        """
        loaded = self._blocked(entry) or self._load(entry)
        if isinstance(loaded, Unavailable):
            raise SidelightError(f"{loaded.message}\n  fix: {loaded.suggestion}") from loaded.cause
        return loaded

    def refusal(self, entry: Entry) -> Unavailable | None:
        """Why one of `entries()` cannot be used, as far as metadata and policy tell; nothing is imported."""
        found = self._blocked(entry) or self._find(entry.use, entry.role)
        return found if isinstance(found, Unavailable) else None

    def missing(self, use: str, role: str | None) -> Unavailable:
        """The answer for a name that no entry announces, under one role or (None) under any.

        A distribution whose metadata cannot be read would perhaps announce it: then it is broken, not unknown.
        """
        plugin = use.partition("/")[0]
        legible = any(plugin_name(entry.distribution) == plugin for entry in self.entries())
        faults = [fault for fault in self._index.faults if plugin_name(fault.distribution) == plugin]
        if faults and not legible:
            return Unavailable("broken", str(faults[0]), _reinstall(faults[0].distribution))
        return unknown(use, role, self.entries())

    def _find(self, use: str, role: str) -> Entry | Unavailable:
        """The one entry that a name means; nothing is imported."""
        announced = self._by_use.get((use, role), [])
        if not announced:
            return self.missing(use, role)
        allowed = self._allowed(use, role)
        if len(allowed) > 1:
            return Unavailable("broken", _clash(allowed).message, "uninstall one, or deny one in a policy file")
        flaw = self._index.flaws.get((use, role))
        if allowed and flaw:
            return broken(allowed[0], Failure(flaw.why, fix=flaw.fix))
        return allowed[0] if allowed else self._blocked(announced[0]) or self.missing(use, role)

    def _load(self, entry: Entry) -> Any:
        try:
            with doing(f'"{entry.use}" ({entry.distribution} {entry.version}): loading {entry.module}', patience()):
                found = self._loader.component(entry.module, entry.role, entry.name)
        except RuntimeError as error:  # only now does it show that the plugin closed descriptors
            found = Failure(f"importing {entry.module}: {error}")
        return broken(entry, found) if isinstance(found, Failure) else found

    def _allowed(self, use: str, role: str) -> list[Entry]:
        return [entry for entry in self._by_use[use, role] if not self._policy.blocks(entry)]

    def _blocked(self, entry: Entry) -> Unavailable | None:
        line = self._policy.blocks(entry)
        if not line:
            return None
        message = f'"{entry.use}" ({entry.distribution} {entry.version}) is blocked by the policy: {line}'
        return Unavailable("blocked", message, "use another component, or change the policy if it is yours to change")


def broken(entry: Entry, failure: Failure) -> Unavailable:
    """The answer for an installed component that does not load."""
    message = f'"{entry.use}" is installed ({entry.distribution} {entry.version}) but broken: {failure.why}'
    if failure.missing and failure.missing != entry.module.partition(".")[0]:
        fix = f"it needs {failure.missing}; `pip install {entry.distribution}` installs the dependencies it declares"
    else:
        fix = failure.fix or _reinstall(entry.distribution)
    return Unavailable("broken", message, fix, failure.cause)


def _clash(entries: list[Entry]) -> Fault:
    rivals = " and ".join(f"{entry.distribution} {entry.version}" for entry in entries)
    named = entries[0].role.replace("_", " ")
    return Fault(entries[0].distribution, "", f'the {named} "{entries[0].use}" is announced by {rivals}')


def _reinstall(distribution: str) -> str:
    return f"reinstall or upgrade {distribution}, or tell its authors; `pip uninstall {distribution}` removes it"
