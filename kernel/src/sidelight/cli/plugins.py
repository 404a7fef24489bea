"""`sidelight plugins`: every installed component, kind, command and observer, and whether it works."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
from sidelight_specs.hooks import COMMAND, EXTENSIONS, KIND
from sidelight_specs.roles import ROLES

from sidelight.cli.frame import built_in
from sidelight.registry.policy import installed_hash

if TYPE_CHECKING:
    import argparse

    from sidelight.cli.host import KernelHost
    from sidelight.registry.load import State

SPECS = "sidelight-specs"
_EMPTY = "no component is installed; plugins are packages whose names usually begin with sidelight-"
_HEADINGS = ("COMPONENT", "ROLE", "DISTRIBUTION", "VERSION", "STATE", "SUMMARY")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `sidelight plugins`."""
    parser.add_argument(
        "--role", choices=(*ROLES, *EXTENSIONS), help="components of one role alone, or kinds, commands, observers"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument(
        "--no-load",
        action="store_true",
        help="read package metadata alone; plugins in order are then `unchecked`",
    )
    parser.add_argument(
        "--hashes",
        action="store_true",
        help="list distributions, each with the hash that a policy can allow or deny",
    )


def run(arguments: argparse.Namespace, host: KernelHost) -> int:
    """List components; a broken one is named in the answer and is no error of this command."""
    if arguments.hashes:
        return _list_hashes(host, as_json=arguments.json)
    entries = host.installed()
    if arguments.role:
        chosen = [entry for entry in entries if entry.role == arguments.role]
    else:  # the built-in kinds are no news to anybody
        chosen = [entry for entry in entries if entry.distribution != SPECS]
    states = _with_rivals(host.catalog.states(chosen, load=not arguments.no_load))
    if arguments.json:
        _write_json(states, host)
    else:
        _write(states, host)
    return 0


def _with_rivals(states: tuple[State, ...]) -> tuple[State, ...]:
    """Commands and kinds whose name is taken are broken: a built-in one counts first, then the first in the list."""
    taken = {(COMMAND, name): "sidelight" for name in built_in()}
    checked = []
    for state in states:
        entry, key = state.entry, (state.entry.role, state.entry.name)
        owner = taken.setdefault(key, entry.distribution) if entry.role in (COMMAND, KIND) else entry.distribution
        if owner != entry.distribution:
            why = f'the {entry.role} "{entry.name}" of {entry.distribution} {entry.version} is taken by {owner}'
            state = attrs.evolve(state, state="broken", summary="", why=why, fix="tell its authors to rename it")
        checked.append(state)
    return tuple(checked)


def _list_hashes(host: KernelHost, *, as_json: bool) -> int:
    """The distributions that announce something, each with its version and hash."""
    found = sorted({(one.distribution, one.version) for one in host.installed()})
    rows = [(name, version, installed_hash(name)) for name, version in found if name != SPECS]
    if as_json:
        host.write_json([dict(zip(("distribution", "version", "hash"), row, strict=True)) for row in rows])
    else:
        cells = [(name, version, digest or "none: editable, or unreadable") for name, version, digest in rows]
        host.write_table(("DISTRIBUTION", "VERSION", "HASH"), cells)
    return 0


def _write_json(states: tuple[State, ...], host: KernelHost) -> None:
    names = ("use", "role", "distribution", "version", "module")
    components = [
        {name: getattr(state.entry, name) for name in names}
        | {name: getattr(state, name) for name in ("state", "summary", "why", "fix")}
        for state in states
    ]
    problems = [attrs.asdict(fault) for fault in host.catalog.problems()]
    host.write_json({"components": components, "problems": problems})


def _write(states: tuple[State, ...], host: KernelHost) -> None:
    if not states:
        host.write(_EMPTY)
    else:
        entries = [(state.entry, state) for state in states]
        rows = [
            (one.use, one.role, one.distribution, one.version, state.state, state.summary) for one, state in entries
        ]
        host.write_table(_HEADINGS, rows)
    for heading in ("broken", "blocked"):
        reasons = [state for state in states if state.state == heading]
        if reasons:
            host.write(f"\n{heading}:")
        for state in reasons:
            host.write(f"  {state.why}\n    fix: {state.fix}")
    faults = host.problems()
    if faults:
        host.write("\n".join(("\nproblems with installed distributions:", *(f"  {fault}" for fault in faults))))
    if states:
        counts = Counter(state.state for state in states)
        host.write("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()))
