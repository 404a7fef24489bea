"""Catalog of everything installed: which components there are, and whether one may be used.

Listing reads package metadata alone. `lookup` imports the light module of the one plugin that it is asked about.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Literal

from attrs import field, frozen
from sidelight_specs import SidelightError, kinds
from sidelight_specs.hooks import EXTENSIONS, KIND
from sidelight_specs.host import Available
from sidelight_specs.roles import ROLES

from sidelight.registry.discover import PREFIX, Fault, Index, PluginEntry, index, normalise, plugin_name
from sidelight.registry.load import Failure, Loader
from sidelight.registry.policy import Policy, policy_file, read_policy
from sidelight.underway import doing, patience

_USE = re.compile(r"(?P<plugin>[A-Za-z0-9][A-Za-z0-9._-]*)/(?P<component>[^/\s]+)")


def installed() -> Catalog:
    """The catalog of this Python environment, under the user's policy.

    Raises:
        UserError: the policy file cannot be read.
    """
    catalog = Catalog(index(), read_policy(policy_file()))
    kinds.use_loader(catalog.load_kind)
    return catalog


@frozen(eq=False)
class Unavailable:
    """A component that cannot be used.

    Args:
        kind: `unknown` (nothing installed announces it), `broken` (installed, does not load) or `blocked` (by policy).
        message: what is wrong, a sentence without a full stop.
        fix: what to do about it; may be empty.
        cause: the exception behind a broken component, for `--debug`.
    """

    kind: Literal["unknown", "broken", "blocked"]
    message: str
    fix: str
    cause: BaseException | None = field(default=None, repr=False)


class Catalog:
    """Answers for components by name.

    Args:
        index: what is installed.
        policy: what may be loaded; everything when None.
    """

    def __init__(self, index: Index, policy: Policy | None = None) -> None:
        self.index = index
        self._policy = policy or Policy()
        self._loader = Loader()
        self._by_use: dict[tuple[str, str], list[PluginEntry]] = defaultdict(list)
        for entry in index.entries:
            self._by_use[entry.use, entry.role].append(entry)

    def entries(self) -> tuple[PluginEntry, ...]:
        """Every installed component, also broken and blocked ones, ordered by role and use."""
        return tuple(entry for entry in self.index.entries if entry.role in ROLES)

    def extensions(self, *groups: str) -> tuple[PluginEntry, ...]:
        """Kinds, commands and observers, or those of one group, in the order of their names."""
        return tuple(entry for entry in self.index.entries if entry.role in (groups or EXTENSIONS))

    def problems(self) -> tuple[Fault, ...]:
        """Faults in the metadata of installed distributions, and names that several of them claim."""
        rivals = (self._allowed(use, role) for use, role in self._by_use)
        return (*self.index.faults, *(_clash(entries) for entries in rivals if len(entries) > 1))

    def lookup(self, use: str, role: str) -> Available | Unavailable:
        """A component by its name in a recipe; imports its plugin's light module, once.

        Args:
            use: `PLUGIN/COMPONENT`.
            role: the name of a role.
        """
        entry = self._find(use, role)
        descriptor = entry if isinstance(entry, Unavailable) else self._load(entry)
        if isinstance(entry, Unavailable) or isinstance(descriptor, Unavailable):
            return descriptor
        return Available(use, role, descriptor, entry.distribution, entry.version)

    def load(self, entry: PluginEntry) -> Any:
        """The class of a kind, a `Command`, or the module of an observer.

        Raises:
            SidelightError: its plugin is broken or blocked.
        """
        loaded = self._blocked(entry) or self._load(entry)
        if isinstance(loaded, Unavailable):
            raise SidelightError(f"{loaded.message}\n  fix: {loaded.fix}") from loaded.cause
        return loaded

    def kind_names(self) -> set[str]:
        """Names of the kinds of results that are installed; nothing is imported."""
        return {entry.name for entry in self.extensions(KIND)}

    def load_kind(self, name: str) -> None:
        """Register the kind of that name; nothing where no plugin announces it.

        Raises:
            SidelightError: its plugin is broken or blocked.
        """
        entry = next((entry for entry in self.extensions(KIND) if entry.name == name), None)
        if entry is not None:  # of several the first counts; `sidelight plugins` names the others as broken
            kinds.register(self.load(entry))

    def refusal(self, entry: PluginEntry) -> Unavailable | None:
        """Why one of `entries()` cannot be used, as far as metadata and policy tell; nothing is imported."""
        answer = self._blocked(entry) or self._find(entry.use, entry.role)
        return answer if isinstance(answer, Unavailable) else None

    def missing(self, use: str, role: str | None) -> Unavailable:
        """The answer for a name that no entry announces, under one role or (None) under any.

        Unreadable metadata counts as broken, not unknown: they may announce it.
        """
        plugin = use.partition("/")[0]
        faults = [fault for fault in self.index.faults if plugin_name(fault.distribution) == plugin]
        if faults and all(plugin_name(entry.distribution) != plugin for entry in self.entries()):
            return Unavailable("broken", str(faults[0]), _reinstall(faults[0].distribution))
        noun = (role or "component").replace("_", " ")
        return Unavailable("unknown", f'no {noun} "{use}" is installed', _hint(use, role, self.entries()))

    def _find(self, use: str, role: str) -> PluginEntry | Unavailable:
        """The one entry that a name means; nothing is imported."""
        announced, allowed = self._by_use.get((use, role), []), self._allowed(use, role)
        if len(allowed) > 1:
            return Unavailable("broken", _clash(allowed).message, "uninstall one, or deny one in a policy file")
        if not allowed:
            return (self._blocked(announced[0]) if announced else None) or self.missing(use, role)
        flaw = Failure(allowed[0].flaw, fix=allowed[0].fix)
        return broken(allowed[0], flaw) if flaw.why else allowed[0]

    def _load(self, entry: PluginEntry) -> Any:
        try:
            with doing(f'"{entry.use}" ({entry.distribution} {entry.version}): loading {entry.module}', patience()):
                loaded = self._loader.component(entry.module, entry.role, entry.name)
        except RuntimeError as error:  # only now does it show that the plugin closed descriptors
            loaded = Failure(f"importing {entry.module}: {error}")
        return broken(entry, loaded) if isinstance(loaded, Failure) else loaded

    def _allowed(self, use: str, role: str) -> list[PluginEntry]:
        return [entry for entry in self._by_use.get((use, role), []) if not self._policy.blocks(entry)]

    def _blocked(self, entry: PluginEntry) -> Unavailable | None:
        line = self._policy.blocks(entry)
        if not line:
            return None
        message = f'"{entry.use}" ({entry.distribution} {entry.version}) is blocked by the policy: {line}'
        return Unavailable("blocked", message, "use another component, or change the policy if it is yours to change")


def broken(entry: PluginEntry, failure: Failure) -> Unavailable:
    """The answer for an installed component that does not load."""
    message = f'"{entry.use}" is installed ({entry.distribution} {entry.version}) but broken: {failure.why}'
    if failure.missing and failure.missing != entry.module.partition(".")[0]:
        fix = f"it needs {failure.missing}; `pip install {entry.distribution}` installs the dependencies it declares"
    else:
        fix = failure.fix or _reinstall(entry.distribution)
    return Unavailable("broken", message, fix, failure.cause)


def _clash(entries: list[PluginEntry]) -> Fault:
    rivals = " and ".join(f"{entry.distribution} {entry.version}" for entry in entries)
    noun = entries[0].role.replace("_", " ")
    return Fault(entries[0].distribution, "", f'the {noun} "{entries[0].use}" is announced by {rivals}')


def _reinstall(distribution: str) -> str:
    return f"reinstall or upgrade {distribution}, or tell its authors; `pip uninstall {distribution}` removes it"


def _hint(use: str, role: str | None, entries: tuple[PluginEntry, ...]) -> str:
    """Similar names for one that nobody announces, or the distribution that would bring it."""
    elsewhere = [entry.role for entry in entries if entry.use == use]
    if elsewhere:
        return f'"{use}" is {with_article(elsewhere[0])}, not {with_article(role or "component")}'
    match = _USE.fullmatch(use)
    is_plugin = any(plugin_name(entry.distribution) == normalise(use) for entry in entries)
    close = [] if is_plugin else _close(use, [entry.use for entry in entries if role in (None, entry.role)])
    if close:
        return "did you mean " + " or ".join(f'"{name}"' for name in close) + "?"
    if not match and not is_plugin:
        return "name it PLUGIN/COMPONENT; `sidelight plugins` lists what is installed"
    plugin = normalise(match["plugin"] if match else use)
    own = [entry for entry in entries if plugin_name(entry.distribution) == plugin]
    if own:
        fitting = [entry.use for entry in own if entry.role == role] or [entry.use for entry in own]
        return f"{own[0].distribution} {own[0].version} has {', '.join(fitting)}"
    return (
        f'no plugin "{plugin}" is installed; one of Sidelight\'s own comes with `pip install {PREFIX}{plugin}`, '
        f"any other with the distribution {plugin}"
    )


def _close(use: str, uses: list[str]) -> list[str]:
    """Up to three names that may have been meant: similar spellings, then the same component elsewhere."""
    import difflib

    component = use.rpartition("/")[2]
    similar = difflib.get_close_matches(use, uses, n=3, cutoff=0.75)
    return list(dict.fromkeys([*similar, *(name for name in uses if name.rpartition("/")[2] == component)]))[:3]


def with_article(role: str) -> str:
    """A role with its article: `an inverter`, `data`."""
    noun = role.replace("_", " ")
    return noun if noun == "data" else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
