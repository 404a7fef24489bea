"""Plugins through pluggy: one manager for each light module, and one for all observers of a run.

Whatever a light module does (any exception, `sys.exit`, an unknown hook, values of the wrong kind, a change of what
everybody shares) makes that plugin `Unavailable`; the others are not touched, because every module gets a manager of
its own. `load_apart` loads in a child process, so that even a plugin that crashes or never returns is named.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs
import pluggy
from sidelight_specs import SidelightError, hooks
from sidelight_specs.announcements import AnnouncementError, announced, manager_of, observer, pick
from sidelight_specs.host import Health, Installed
from sidelight_specs.recipe_files import recipe_file

from sidelight import cache
from sidelight.registry.code import foundations, package_files
from sidelight.underway import doing, patience, watch_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_CHILD = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from sidelight.registry.load import answer; answer()"


class Unavailable(SidelightError):
    """A component that nothing installed announces, that does not load (its cause says why), or that policy forbids."""

    def __init__(self, kind: Literal["unknown", "broken", "blocked"], message: str, fix: str) -> None:
        super().__init__(f"{message}\n  fix: {fix}")
        self.kind, self.message, self.fix = kind, message, fix


def broken(entry: Installed, why: str, fix: str = "") -> Unavailable:
    """The answer for an installed component that does not load."""
    message = f'"{entry.use}" is installed ({entry.distribution} {entry.version}) but broken: {why}'
    return Unavailable("broken", message, fix or reinstall(entry.distribution))


def reinstall(distribution: str) -> str:
    """The fix for a plugin that only its authors can mend."""
    return f"reinstall or upgrade {distribution}, or tell its authors; `pip uninstall {distribution}` removes it"


class Loader:
    """Imports each light module once and calls each of its hooks once; remembers failures as well."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Any] = {}

    def load(self, entry: Installed) -> Any:
        """Descriptor, command or kind that an entry announces, or the module of an observer; or raise `Unavailable`.

        Of a recipe it is the path of its file; nothing is imported.
        """
        try:
            if entry.role == hooks.RECIPE:
                return recipe_file(entry)
            manager = self._once(_register, entry.module)
            if entry.role == hooks.OBSERVER:
                return observer(manager)
            return pick(self._once(_ask, manager, entry.module, entry.role), manager, entry.role, entry.name)
        except FileNotFoundError as absent:
            raise broken(entry, str(absent)) from None
        except AnnouncementError as failure:
            cause, fix = failure.__cause__, ""
            missing = (cause.name or "").partition(".")[0] if isinstance(cause, ModuleNotFoundError) else ""
            if missing not in ("", entry.module.partition(".")[0]):
                fix = f"it needs {missing}; `pip install {entry.distribution}` installs the dependencies it declares"
            raise broken(entry, str(failure), fix) from cause

    def _once(self, make: Callable[..., T], *arguments: Any) -> T:
        key = (make, *arguments)
        if key not in self._known:
            try:
                self._known[key] = make(*arguments)
            except AnnouncementError as failure:
                self._known[key] = failure
        known: T | AnnouncementError = self._known[key]
        if isinstance(known, AnnouncementError):
            raise known
        return known


def _register(module: str) -> pluggy.PluginManager:
    plugin = _guard(lambda: importlib.import_module(module), f"importing {module}", module)
    return _guard(lambda: manager_of(plugin, module), f"registering the hooks of {module}", module)


def _ask(manager: pluggy.PluginManager, module: str, role: str) -> dict[str, Any]:
    return _guard(lambda: announced(manager, role), f"calling {hooks.ANNOUNCEMENTS[role]}() in {module}", module)


def _guard(action: Callable[[], T], activity: str, module: str) -> T:
    """The action's result, or an `AnnouncementError`: the plugin raised, or changed what others rely on."""
    from sidelight_specs.surroundings import Surroundings  # nothing of this is needed to list what is installed

    with watch_interrupts() as was_pressed:
        surroundings = Surroundings()
        try:
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for answers
                result = action()
        except BaseException as error:  # SystemExit, and what extensions raise past Exception, must not end the kernel
            surroundings.mend()
            if isinstance(error, AnnouncementError) or (isinstance(error, KeyboardInterrupt) and was_pressed()):
                raise
            raise AnnouncementError(f"{activity} raised {_text_of(error)}{_where(error, module)}") from error
        changed = surroundings.mend()
    if changed:
        raise AnnouncementError(f"{activity} {changed}, which others rely on")
    return result


def _text_of(error: BaseException) -> str:
    text = ""
    with contextlib.suppress(Exception):
        text = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(error: BaseException, module: str) -> str:
    """The last line of the module's own package that was running, as ` (package/module.py, line 3)`, if any was."""
    top = module.partition(".")[0]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if top in (path.stem, *path.parent.parts):
            return f" ({path.parent.name}/{path.name}, line {frame.lineno})"
    return ""


def load_apart(entries: list[Installed], stamp: str) -> list[Health]:
    """Health of each entry, loaded in a child process; where one plugin ends it, another child loads the rest.

    Where all are in order, the answers are kept until a distribution or a file of the packages changes.
    """
    known = cache.get("health", stamp) or {}
    if all(repr(entry) in known for entry in entries):
        return [Health(entry, "ok", known[repr(entry)]) for entry in entries]
    states: dict[Installed, Health] = {}
    while pending := [entry for entry in entries if entry not in states]:
        lines, end = _ask_child(pending)
        states |= {entry: Health(entry, **line) for entry, line in zip(pending, lines, strict=False)}
        for entry in pending[len(lines) :]:
            if entry.module == pending[len(lines)].module:
                reason = broken(entry, f"loading {entry.module} {end}")
                states[entry] = Health(entry, reason.kind, why=reason.message, fix=reason.fix)
    if all(state.state == "ok" for state in states.values()):
        built_on = {name for entry in entries for name in foundations(entry.distribution)}
        files = package_files("sidelight_specs", *built_on, *(entry.module for entry in entries))
        cache.put("health", stamp, {repr(entry): state.summary for entry, state in states.items()}, files)
    return list(states.values())


def _ask_child(entries: list[Installed]) -> tuple[list[dict[str, Any]], str]:
    """The child's lines, as far as it came, and how it ended."""
    questions = json.dumps([attrs.astuple(entry) for entry in entries])
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


def answer() -> None:
    """The child: one JSON line for each entry on stdin, as soon as it is known."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a plugin that prints writes to stderr, also from C
    loader = Loader()
    for entry in [Installed(*one) for one in json.load(sys.stdin)]:
        try:
            loaded = loader.load(entry)
            text = "" if entry.role == hooks.RECIPE else loaded.__doc__ or ""  # `sidelight recipes` has their titles
            summary = getattr(loaded, "summary", None) or text.strip().partition("\n")[0]
            line = {"state": "ok", "summary": summary}
        except Unavailable as reason:
            line = {"state": reason.kind, "why": reason.message, "fix": reason.fix}
        print(json.dumps(line), file=answers, flush=True)
    os._exit(0)  # a thread or an exit handler that some plugin left behind is not waited for


class Observers:
    """One pluggy manager for all observers; those added first are told first, and `warn` of one that fails."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        self._warn = warn

    def add(self, observer: object, name: str) -> None:
        """Register an object or a module with hooks of observers; `name` is how a warning calls it."""
        self._manager.register(observer, name)

    def add_installed(self, catalog: Any) -> None:
        """Register the observers in a `Catalog`; one that does not load is named in a warning."""
        for entry in catalog.entries(hooks.OBSERVER):
            try:
                module = catalog.load(entry)
                if not self._manager.is_registered(module):  # two entry points may name one module
                    self.add(module, f"{entry.use} ({entry.distribution} {entry.version})")
            except Unavailable as reason:
                self._warn(str(reason))

    def tell(self, event: str, **facts: Any) -> Any:
        """Call the hook `sidelight_EVENT` of every observer; a `firstresult` one until an answer is not None."""
        hook = getattr(self._manager.hook, f"sidelight_{event}")
        # pluggy calls the last registered first and ends at an exception; here each is called for itself.
        for implementation in hook.get_hookimpls():
            name = implementation.plugin_name
            try:
                with doing(f"observer {name}, told of {event}"):  # so that one that hangs or crashes is named
                    answer = implementation.function(*(facts[argument] for argument in implementation.argnames))
                if answer is not None and hook.spec.opts["firstresult"]:
                    return answer
            except (Exception, SystemExit) as error:
                self._manager.unregister(implementation.plugin)
                self._warn(f"observer {name} raised {type(error).__name__}: {error}; it is told nothing further")
        return None
