"""Health of every installed component, for `sidelight plugins`.

Light modules are loaded in a child process: the process that lists them imports no plugin, and one that crashes the
interpreter, or never returns, is named like any other broken one. Where all of them are in order, the answers are kept
until a distribution, or a file that the child had loaded or that lies beside a light module, changes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from sidelight import cache
from sidelight.registry.catalog import broken
from sidelight.registry.discover import PluginEntry
from sidelight.registry.load import Failure, Loader
from sidelight.underway import patience

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight.registry.catalog import Catalog, Unavailable

_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from sidelight.registry.health import answer; answer()"
)


@frozen
class State:
    """State of one component.

    Args:
        entry: the component.
        state: `unchecked` where its light module was not loaded.
        summary: the component's own, when it is ok.
        why, fix: when it is broken or blocked: what is wrong and what to do.
    """

    entry: PluginEntry
    state: Literal["ok", "broken", "blocked", "unchecked"]
    summary: str = ""
    why: str = ""
    fix: str = ""


def health(catalog: Catalog, entries: Iterable[PluginEntry], *, load: bool = True) -> tuple[State, ...]:
    """The states of some entries of a catalog, in their order.

    Args:
        catalog: where they come from.
        entries: which of its entries.
        load: load the light modules; without it entries in order are `unchecked`.
    """
    entries = tuple(entries)
    states = {entry: _refused(entry, catalog.refusal(entry)) for entry in entries}
    pending = [entry for entry in entries if states[entry].state == "unchecked"] if load else []
    known = cache.get("health", catalog.index.stamp) or {}
    if all(_key(entry) in known for entry in pending):
        states |= {entry: State(entry, "ok", known[_key(entry)]) for entry in pending}
    else:
        states |= _load(pending, catalog.index.stamp)
    return tuple(states[entry] for entry in entries)


def _key(entry: PluginEntry) -> str:
    return f"{entry.module} {entry.role} {entry.name}"


def _refused(entry: PluginEntry, refusal: Unavailable | None) -> State:
    if refusal is None:
        return State(entry, "unchecked")
    state: Literal["broken", "blocked"] = "blocked" if refusal.kind == "blocked" else "broken"
    return State(entry, state, why=refusal.message, fix=refusal.fix)


def _load(entries: list[PluginEntry], stamp: str) -> dict[PluginEntry, State]:
    """Ask a child process; when one plugin ends it, name that plugin and go on with the others in another child."""
    states: dict[PluginEntry, State] = {}
    pending = entries
    files: list[str] = []
    while pending:
        lines, end = _ask(pending)
        files = lines.pop()["files"] if lines and "files" in lines[-1] else []
        states |= {entry: _answered(entry, line) for entry, line in zip(pending, lines, strict=False)}
        rest = pending[len(lines) :]
        if rest:
            fatal = {"why": f"loading {rest[0].module} {end}"}
            states |= {entry: _answered(entry, fatal) for entry in rest if entry.module == rest[0].module}
        pending = [entry for entry in rest if entry not in states]
    if all(states[entry].state == "ok" for entry in entries):
        cache.put("health", stamp, {_key(entry): states[entry].summary for entry in entries}, files)
    return states


def _ask(entries: list[PluginEntry]) -> tuple[list[dict[str, Any]], str]:
    """The child's lines, as far as it came, and how it ended."""
    questions = json.dumps([[entry.module, entry.role, entry.name] for entry in entries])
    command = [sys.executable, "-P", "-c", _CHILD, json.dumps(sys.path)]
    limit = patience()  # for all plugins together
    try:
        child = subprocess.run(command, input=questions.encode(), capture_output=True, timeout=limit, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as late:
        output, end = late.stdout or b"", f"took more than {limit:g} seconds"
    else:
        output, end = child.stdout, f"ended the Python process with status {child.returncode}"
    whole = (line for line in output.decode().splitlines(keepends=True) if line.endswith("\n"))
    return [json.loads(line) for line in whole], end


def _answered(entry: PluginEntry, answer: dict[str, Any]) -> State:
    if "summary" in answer:
        return State(entry, "ok", summary=answer["summary"])
    refusal = broken(entry, Failure(answer["why"], answer.get("missing", "")))
    return State(entry, "broken", why=refusal.message, fix=refusal.fix)


def answer() -> None:
    """The child: one JSON line for each `[module, role, name]` on stdin, as soon as it is known, then the files used.

    A plugin that prints writes to stderr, also from C.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    loader, questions = Loader(), json.load(sys.stdin)
    for module, role, name in questions:
        loaded = loader.component(module, role, name)
        if isinstance(loaded, Failure):
            line = {"why": loaded.why, "missing": loaded.missing}
        else:
            line = {"summary": getattr(loaded, "summary", None) or (loaded.__doc__ or "").strip().partition("\n")[0]}
        print(json.dumps(line), file=answers, flush=True)
    print(json.dumps({"files": _files({module for module, _, _ in questions})}), file=answers, flush=True)
    os._exit(0)  # a thread or an exit handler that some plugin left behind is not waited for


def _files(light: Iterable[str]) -> list[str]:
    """Files of all loaded modules, and files and folders beside the light ones: data may be read from there."""
    files = {str(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    # A module outside of any package lies beside everything else that is installed: its own file must do.
    packaged = [sys.modules[name] for name in light if name in sys.modules and sys.modules[name].__package__]
    folders = {Path(module.__file__).parent for module in packaged if module.__file__}
    beside = (path for folder in folders for path in (folder, *folder.rglob("*")))
    return sorted({*files, *(str(path) for path in beside if "__pycache__" not in path.parts)})
