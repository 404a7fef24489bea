"""The state of every installed component, for `sidelight plugins`.

Light modules are loaded in a child process: the process that lists them imports no plugin, and one that crashes the
interpreter, or never returns, is named like any other broken one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from sidelight.registry.catalog import broken
from sidelight.registry.load import Failure
from sidelight.registry.model import Entry
from sidelight.underway import patience

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight.registry.catalog import Catalog
    from sidelight.registry.model import Unavailable

_CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from sidelight.registry.probe import main; main()"


@frozen
class State:
    """How one component stands.

    Args:
        entry: the component.
        state: `unchecked` where its light module was not loaded.
        summary: what the component says of itself, when it is ok.
        why, fix: when it is broken or blocked: what is wrong and what to do.
    """

    entry: Entry
    state: Literal["ok", "broken", "blocked", "unchecked"]
    summary: str = ""
    why: str = ""
    fix: str = ""


def survey(catalog: Catalog, entries: Iterable[Entry], *, load: bool = True) -> tuple[State, ...]:
    """The states of some entries of a catalog, in their order.

    Args:
        catalog: where they come from.
        entries: which of its entries.
        load: load the light modules; without it entries in order are `unchecked`.
    """
    entries = tuple(entries)
    states = {entry: _refused(entry, catalog.refusal(entry)) for entry in entries}
    if load:
        states |= _load([entry for entry in entries if states[entry].state == "unchecked"])
    return tuple(states[entry] for entry in entries)


def _refused(entry: Entry, refusal: Unavailable | None) -> State:
    if refusal is None:
        return State(entry, "unchecked")
    state: Literal["broken", "blocked"] = "blocked" if refusal.kind == "blocked" else "broken"
    return State(entry, state, why=refusal.message, fix=refusal.suggestion)


def _load(entries: list[Entry]) -> dict[Entry, State]:
    """Ask a child process; when one plugin ends it, name that plugin and go on with the others in another child."""
    states: dict[Entry, State] = {}
    while entries:
        answers, end = _ask(entries)
        states |= {entry: _answered(entry, answer) for entry, answer in zip(entries, answers, strict=False)}
        rest = entries[len(answers) :]
        if rest:
            fatal = Failure(f"loading {rest[0].module} {end}")
            states |= {entry: _answered(entry, {"why": fatal.why}) for entry in rest if entry.module == rest[0].module}
        entries = [entry for entry in rest if entry not in states]
    return states


def _ask(entries: list[Entry]) -> tuple[list[dict[str, Any]], str]:
    """The child's answers, as far as it came, and how it ended."""
    questions = json.dumps([[entry.module, entry.role, entry.name] for entry in entries])
    command = [sys.executable, "-P", "-c", _CHILD, json.dumps(sys.path)]
    limit = patience()  # for all plugins together
    try:
        child = subprocess.run(command, input=questions.encode(), capture_output=True, timeout=limit, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as late:
        return _lines(late.stdout or b""), f"took more than {limit:g} seconds"
    return _lines(child.stdout), f"ended the Python process with status {child.returncode}"


def _lines(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.decode().splitlines(keepends=True) if line.endswith("\n")]


def _answered(entry: Entry, answer: dict[str, Any]) -> State:
    if "summary" in answer:
        return State(entry, "ok", summary=answer["summary"])
    refusal = broken(entry, Failure(answer["why"], answer.get("missing", "")))
    return State(entry, "broken", why=refusal.message, fix=refusal.suggestion)
