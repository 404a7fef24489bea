"""`sidelight plugins`: every installed component, where it comes from, and whether it works."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sidelight_specs.roles import ROLES

from sidelight.cli.failures import DONE
from sidelight.cli.output import write, write_json, write_table
from sidelight.registry.catalog import installed
from sidelight.registry.hashes import installed_hash
from sidelight.registry.survey import survey

if TYPE_CHECKING:
    import argparse

    from sidelight.registry.catalog import Catalog
    from sidelight.registry.model import Fault
    from sidelight.registry.survey import State

_EMPTY = "no component is installed; plugins are packages whose names usually begin with sidelight-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `sidelight plugins`."""
    parser.add_argument("--role", choices=ROLES, help="only the components of one role")
    parser.add_argument("--json", action="store_true", help="write JSON")
    parser.add_argument(
        "--no-load",
        action="store_true",
        help="read package metadata only; a component whose metadata is in order is then `unchecked`. "
        "Without this option each plugin's light module is loaded, in a process apart, to see whether it works",
    )
    parser.add_argument(
        "--hashes",
        action="store_true",
        help="instead of components, list distributions with the hash by which a policy can allow or deny each",
    )


def run(arguments: argparse.Namespace) -> int:
    """List components; a broken one is named in the answer and is no error of this command."""
    catalog = installed()
    if arguments.hashes:
        return _list_hashes(catalog, as_json=arguments.json)
    chosen = [entry for entry in catalog.entries() if arguments.role in (None, entry.role)]
    states = survey(catalog, chosen, load=not arguments.no_load)
    if arguments.json:
        write_json(as_json(states, catalog.problems()))
    else:
        _write(states, catalog.problems())
    return DONE


def _list_hashes(catalog: Catalog, *, as_json: bool) -> int:
    """The distributions that announce components, each with its version and hash."""
    found = sorted({(entry.distribution, entry.version) for entry in catalog.entries()})
    rows = [(name, version, installed_hash(name)) for name, version in found]
    if as_json:
        write_json([{"distribution": name, "version": version, "hash": digest} for name, version, digest in rows])
    else:
        cells = [(name, version, digest or "none: editable, or unreadable") for name, version, digest in rows]
        write_table(("DISTRIBUTION", "VERSION", "HASH"), cells)
    return DONE


def as_json(states: tuple[State, ...], faults: tuple[Fault, ...]) -> dict[str, Any]:
    """The listing as plain values."""
    components = [
        {
            "use": state.entry.use,
            "role": state.entry.role,
            "distribution": state.entry.distribution,
            "version": state.entry.version,
            "module": state.entry.module,
            "state": state.state,
            "summary": state.summary,
            "why": state.why,
            "fix": state.fix,
        }
        for state in states
    ]
    problems = [{"distribution": fault.distribution, "file": fault.file, "message": fault.message} for fault in faults]
    return {"components": components, "problems": problems}


def _write(states: tuple[State, ...], faults: tuple[Fault, ...]) -> None:
    if not states:
        write(_EMPTY)
    else:
        headings = ("COMPONENT", "ROLE", "DISTRIBUTION", "VERSION", "STATE", "SUMMARY")
        write_table(headings, [_row(state) for state in states])
    for state in ("broken", "blocked"):
        _write_reasons(state, [found for found in states if found.state == state])
    if faults:
        write("\nproblems with installed distributions:")
        for fault in faults:
            write(f"  {fault}")
    if states:
        counts = Counter(state.state for state in states)
        write("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()))


def _row(state: State) -> tuple[str, ...]:
    entry = state.entry
    return entry.use, entry.role, entry.distribution, entry.version, state.state, state.summary


def _write_reasons(heading: str, states: list[State]) -> None:
    if not states:
        return
    write(f"\n{heading}:")
    for state in states:
        write(f"  {state.why}")
        write(f"    fix: {state.fix}")
