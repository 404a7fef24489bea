"""Plugins through pluggy: one manager for each light module, and one for all observers of a run.

Whatever a light module does here (any exception, `sys.exit`, an unknown hook, values of the wrong kind, a change of
what everybody shares) becomes a `Failure` of that plugin; the others are not touched, because every module gets a
manager of its own. Observers share one; the one that fails is named and dropped.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy
from sidelight_specs import Artifact, ComponentDescriptor, SidelightError, hooks
from sidelight_specs.commands import Command
from sidelight_specs.roles import ROLES

from sidelight.underway import doing, watch_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

T = TypeVar("T")
MOST = 1000  # descriptors of one hook: no plugin comes near, and an endless hook would fill the memory


class Failure(Exception):
    """Why something cannot be loaded.

    Args:
        why: what happened, as the end of a sentence.
        missing: the top-level module that could not be found, where that is the reason.
        cause: the exception, if one was raised.
        fix: what to do about it, where that is known.
    """

    def __init__(self, why: str, missing: str = "", cause: BaseException | None = None, fix: str = "") -> None:
        super().__init__(why)
        self.why, self.missing, self.cause, self.fix = why, missing, cause, fix


class Loader:
    """Imports each light module once and calls each of its hooks once; remembers failures as well."""

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def component(self, module: str, role: str, name: str) -> Any:
        """Descriptor, command or kind that a light module announces under a role and a name, or a `Failure`.

        An observer's module announces nothing: the module itself is the answer.
        """
        try:
            if role == hooks.OBSERVER:
                return self._observer(module)
            announced = self.announced(module, role)
        except Failure as failure:
            return failure
        others = f"it announces {', '.join(announced) or 'nothing'}"
        hook = hooks.ANNOUNCEMENTS[role]
        return announced.get(name, Failure(f'{hook}() in {module} announces no component "{name}"; {others}'))

    def announced(self, module: str, role: str) -> dict[str, Any]:
        """Name to everything that a light module announces under a role, or to the `Failure` of that name.

        Raises:
            Failure: of all of them.
        """
        return self._once((module, role), lambda: _ask(self._manager(module), module, role))

    def _observer(self, module: str) -> Any:
        plugin = self._manager(module).get_plugin(module)
        if not any(hasattr(plugin, hook) for hook in hooks.OBSERVER_HOOKS):
            raise Failure(f"{module} implements none of {', '.join(hooks.OBSERVER_HOOKS)}")
        return plugin

    def _manager(self, module: str) -> pluggy.PluginManager:
        return self._once(module, lambda: _register(module))

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._known:
            try:
                self._known[key] = make()
            except Failure as failure:
                self._known[key] = failure
        known: T | Failure = self._known[key]
        if isinstance(known, Failure):
            raise known
        return known


def _register(module: str) -> pluggy.PluginManager:
    """A plugin manager that knows one module and nothing else."""
    plugin = _guard(lambda: importlib.import_module(module), f"importing {module}", module)
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)

    def validate() -> None:
        manager.register(plugin, module)
        manager.check_pending()

    _guard(validate, f"registering the hooks of {module}", module)
    return manager


def _ask(manager: pluggy.PluginManager, module: str, role: str) -> dict[str, Any]:
    """Call one hook and check what it gives."""
    hook = hooks.ANNOUNCEMENTS[role]
    source = f"{hook}() in {module}"
    # A hook is usually a generator function: its body runs while it is listed.
    answers: list[list[Any]] = _guard(
        lambda: [list(islice(answer, MOST + 1)) for answer in getattr(manager.hook, hook)()],
        f"calling {source}",
        module,
    )
    if not answers:
        raise Failure(f"{module} does not implement the hook {hook}()")
    if len(answers[0]) > MOST:
        raise Failure(f"{source} gives more than {MOST} descriptors")
    announced: dict[str, Any] = {}
    for item in answers[0]:
        if not _is_announcement(item):
            raise Failure(f"{source} must give descriptors, it gave {_kind(item)}")
        name = str(getattr(item, "kind" if role == hooks.KIND else "name", ""))
        if name in announced:
            announced[name] = Failure(f'{source} gives two descriptors named "{name}"')
        elif not _fits(item, role):
            wanted = ROLES[role].descriptor.__name__ if role in ROLES else f"a {role}"
            announced[name] = Failure(f'{source} must give {wanted}, "{name}" is {_kind(item)}')
        else:
            announced[name] = item
    return announced


def _is_announcement(item: object) -> bool:
    return isinstance(item, (ComponentDescriptor, Command)) or (isinstance(item, type) and issubclass(item, Artifact))


def _fits(item: object, role: str) -> bool:
    if role == hooks.KIND:
        return isinstance(item, type)
    return isinstance(item, Command if role == hooks.COMMAND else ROLES[role].descriptor)


def _kind(item: object) -> str:
    name = type(item).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _guard(action: Callable[[], T], doing: str, module: str) -> T:
    """The action's result. What the plugin prints goes to stderr: stdout is for answers.

    Raises:
        Failure: the plugin raised, or changed what others rely on.
        KeyboardInterrupt: the user has pressed Ctrl-C.
    """
    from sidelight_specs.surroundings import Surroundings  # nothing of this is needed to list what is installed

    with watch_interrupts() as presses:
        surroundings = Surroundings()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                result = action()
        except BaseException as error:  # SystemExit, and what extensions raise past Exception, must not end the kernel
            surroundings.mend()
            if isinstance(error, KeyboardInterrupt) and (presses.count or not presses.known):
                raise
            missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
            why = f"{doing} raised {_text_of(error)}{_where(error, module)}"
            raise Failure(why, missing, error) from None
        changed = surroundings.mend()
    if changed:
        raise Failure(f"{doing} {changed}, which others rely on")
    return result


def _text_of(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())[:500]
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(error: BaseException, module: str) -> str:
    """The last line of the module's own package that was running, as ` (package/module.py, line 3)`, if any was."""
    top = module.partition(".")[0]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if top in (path.stem, *path.parent.parts):
            return f" ({path.parent.name}/{path.name}, line {frame.lineno})"
    return ""


class Observers:
    """One pluggy manager for all observers; built-in ones are added first and told first.

    Args:
        warn: gets a sentence that names an observer that has failed; it is told nothing further.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        self._warn = warn

    def add(self, observer: object, name: str) -> None:
        """Register an object or a module with hooks of observers; `name` is how a warning calls it."""
        self._manager.register(observer, name)

    def add_installed(self, catalog: Any) -> None:
        """Register the observers in a `Catalog`; one that does not load is named in a warning."""
        for entry in catalog.extensions(hooks.OBSERVER):
            try:
                module = catalog.load(entry)
            except SidelightError as error:
                self._warn(str(error))
            else:
                if not self._manager.is_registered(module):  # two entry points may name one module
                    self.add(module, f"{entry.use} ({entry.distribution} {entry.version})")

    def tell(self, event: str, **facts: Any) -> None:
        """Call one hook of every observer.

        Args:
            event: the hook without its prefix: `"step_finished"`.
            facts: all arguments of the hook.
        """
        for _ in self._answers(event, facts):
            pass

    def first(self, event: str, **facts: Any) -> Any:
        """The first answer that is not None; observers after it are not called."""
        return next(self._answers(event, facts), None)

    def _answers(self, event: str, facts: dict[str, Any]) -> Iterator[Any]:
        hook = getattr(self._manager.hook, f"sidelight_{event}")
        # pluggy calls the last registered first and ends at an exception; here each is called for itself.
        for implementation in hook.get_hookimpls():
            name = implementation.plugin_name
            try:
                with doing(f"observer {name}, told of {event}"):  # so that one that hangs or crashes is named
                    answer = implementation.function(*(facts[argument] for argument in implementation.argnames))
            except (Exception, SystemExit) as error:
                self._manager.unregister(implementation.plugin)
                self._warn(f"observer {name} raised {type(error).__name__}: {error}; it is told nothing further")
            else:
                if answer is not None:
                    yield answer
