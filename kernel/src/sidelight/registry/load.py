"""Loading one plugin's light module in isolation, and asking it for its descriptors.

Whatever a plugin does here (any exception, `sys.exit`, an unknown hook, values of the wrong kind, a change of what
everybody shares) becomes a `Failure` of that plugin; the others are not touched, because every module gets a plugin
manager of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pluggy
from attrs import field, frozen
from sidelight_specs import Artifact, ComponentDescriptor, hooks
from sidelight_specs.commands import Command
from sidelight_specs.roles import ROLES

from sidelight.underway import watch_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1000  # descriptors of one hook: no plugin comes near, and an endless hook would fill the memory


@frozen(eq=False)
class Failure:
    """Why something cannot be loaded.

    Args:
        why: what happened, as the end of a sentence.
        missing: the top-level module that could not be found, where that is the reason.
        cause: the exception, if one was raised.
        fix: what to do about it, where that is known.
    """

    why: str
    missing: str = ""
    cause: BaseException | None = field(default=None, repr=False)
    fix: str = ""


Announced: TypeAlias = "dict[str, Any]"
"""Name to descriptor, command or kind, or to the `Failure` of what was announced under that name."""


class Loader:
    """Imports each light module once and calls each of its hooks once; remembers failures as well."""

    def __init__(self) -> None:
        self._managers: dict[str, pluggy.PluginManager | Failure] = {}
        self._announced: dict[tuple[str, str], Announced | Failure] = {}

    def component(self, module: str, role: str, name: str) -> Any:
        """Descriptor, command or kind that a light module announces under a role and a name, or a `Failure`.

        An observer's module announces nothing: the module itself is the answer.
        """
        if role == hooks.OBSERVER:
            return self.observer(module)
        announced = self.announced(module, role)
        if isinstance(announced, Failure):
            return announced
        why = f'{hooks.ANNOUNCEMENTS[role]}() in {module} announces no component "{name}"{_instead(announced)}'
        return announced.get(name, Failure(why))

    def observer(self, module: str) -> Any:
        """A module that implements hooks of observers, or a `Failure`."""
        manager = self._manager(module)
        if isinstance(manager, Failure):
            return manager
        plugin = manager.get_plugin(module)
        if not any(hasattr(plugin, hook) for hook in hooks.OBSERVER_HOOKS):
            return Failure(f"{module} implements none of {', '.join(hooks.OBSERVER_HOOKS)}")
        return plugin

    def announced(self, module: str, role: str) -> Announced | Failure:
        """Everything that a light module announces under a role."""
        if (module, role) not in self._announced:
            self._announced[module, role] = self._ask(module, role)
        return self._announced[module, role]

    def _ask(self, module: str, role: str) -> Announced | Failure:
        manager = self._manager(module)
        return manager if isinstance(manager, Failure) else ask(manager, module, role)

    def _manager(self, module: str) -> pluggy.PluginManager | Failure:
        if module not in self._managers:
            self._managers[module] = register(module)
        return self._managers[module]


def register(module: str) -> pluggy.PluginManager | Failure:
    """A plugin manager that knows one module and nothing else."""
    plugin = _guard(lambda: importlib.import_module(module), f"importing {module}", module)
    if isinstance(plugin, Failure):
        return plugin
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)

    def validate() -> None:
        manager.register(plugin, module)
        manager.check_pending()

    failure = _guard(validate, f"registering the hooks of {module}", module)
    return failure if isinstance(failure, Failure) else manager


def ask(manager: pluggy.PluginManager, module: str, role: str) -> Announced | Failure:
    """Call one hook and check what it gives."""
    hook = hooks.ANNOUNCEMENTS[role]
    # A hook is usually a generator function: its body runs while it is listed.
    answers = _guard(
        lambda: [list(islice(answer, MOST + 1)) for answer in getattr(manager.hook, hook)()],
        f"calling {hook}() in {module}",
        module,
    )
    if isinstance(answers, Failure):
        return answers
    if not answers:
        return Failure(f"{module} does not implement the hook {hook}()")
    if len(answers[0]) > MOST:
        return Failure(f"{hook}() in {module} gives more than {MOST} descriptors")
    return _by_name(answers[0], role, f"{hook}() in {module}")


def _by_name(items: list[Any], role: str, source: str) -> Announced | Failure:
    announced: dict[str, Any] = {}
    for item in items:
        name = str(getattr(item, "kind" if role == hooks.KIND else "name", ""))
        if not _is_announcement(item):
            return Failure(f"{source} must give descriptors, it gave {_kind(item)}")
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


def _instead(announced: Announced) -> str:
    return f"; it announces {', '.join(announced)}" if announced else "; it announces nothing"


def _kind(item: object) -> str:
    name = type(item).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _guard(action: Callable[[], Any], doing: str, module: str) -> Any:
    """The action's result, or a `Failure`. What the plugin prints goes to stderr: stdout is for answers.

    Raises:
        KeyboardInterrupt: the user has pressed Ctrl-C.
    """
    from sidelight.surroundings import Surroundings  # nothing of this is needed to list what is installed

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
            return Failure(f"{doing} raised {_text_of(error)}{_where(error, module)}", missing, error)
        changed = surroundings.mend()
    return Failure(f"{doing} {changed}, which others rely on") if changed else result


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
