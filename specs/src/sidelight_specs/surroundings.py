"""The parts of the interpreter that everybody shares: compared after a plugin has run, and put back.

Without this, a plugin that empties `json`, forgets modules or closes stdout breaks whoever comes next, and they are
named instead of it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidelight_specs.fingerprint import restore, settings
from sidelight_specs.wording import listing

if TYPE_CHECKING:
    from types import ModuleType

_PUBLIC = ("builtins", "importlib", "io", "json", "os", "pathlib", "pluggy", "signal", "threading", "time")
"""Modules whose public names must stay as they are; a new name is no harm."""
_REMADE = frozenset({"tzname", "timezone", "altzone", "daylight"})
"""Names that `time.tzset()` makes anew: some libraries call it when they are imported."""
_SYS = ("stdout", "stderr", "stdin", "excepthook", "modules", "path", "meta_path", "path_hooks", "exit")
_OWN = frozenset({"attr", "attrs", "numpy", "pluggy", "sidelight", "sidelight_specs", "yaml"})
"""Modules, beside the standard library's, that may neither vanish nor be replaced once they are loaded."""
_MODES = ("torch's gradient mode", "torch's default dtype")
_NAMED = 4
"""Changes that a message lists."""


def in_main_thread() -> bool:
    """True in the one thread that Python delivers signals to."""
    return threading.current_thread() is threading.main_thread()


class Surroundings:
    """Snapshot of the interpreter's shared parts; `mend` is called once, afterwards."""

    def __init__(self) -> None:
        self._modules = {name: module for name, module in sys.modules.items() if _is_watched(name)}
        self._public = [(self._modules[name], _public(self._modules[name])) for name in _PUBLIC if name in sys.modules]
        self._sys = {name: getattr(sys, name) for name in _SYS}
        self._files = {number: _identity(number) for number in (1, 2)}
        self._spare = {number: os.dup(number) for number, identity in self._files.items() if identity is not None}
        self._folder, self._depth = _working_folder(), sys.getrecursionlimit()
        self._modes = {name: mode for name, mode in settings().items() if name in _MODES}
        self._handler = signal.getsignal(signal.SIGINT) if in_main_thread() else None

    def mend(self) -> str:
        """Put back whatever was changed; gives what that was, as the end of a sentence, or nothing."""
        changed = []
        for module, names in self._public:  # before anything else: built-in functions may be among them
            now = module.__dict__
            for name in names:
                if name not in now or now[name] is not names[name]:
                    now[name] = names[name]
                    changed += [f"{module.__name__}.{name}"]
        changed += self._mend_sys()
        changed += self._mend_files()
        if self._folder and _working_folder() != self._folder:
            os.chdir(self._folder)
            changed.append("the working folder")
        if sys.getrecursionlimit() < self._depth:
            sys.setrecursionlimit(self._depth)
            changed.append("the recursion limit")
        changed += restore(self._modes)
        if self._handler is not None and signal.getsignal(signal.SIGINT) is not self._handler:
            signal.signal(signal.SIGINT, self._handler)
            changed.append("the handler of Ctrl-C")
        return f"changed {listing(changed, _NAMED)}" if changed else ""

    def _mend_sys(self) -> list[str]:
        changed = []
        for name, value in self._sys.items():
            if getattr(sys, name, None) is not value:
                setattr(sys, name, value)
                changed.append(f"sys.{name}")
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                changed.append(f'sys.modules["{name}"]')
        return changed

    def _mend_files(self) -> list[str]:
        changed = []
        for number, spare in self._spare.items():
            if _identity(number) != self._files[number]:
                with suppress(OSError):  # all descriptors were closed, the spare ones too
                    os.dup2(spare, number)
                changed.append(f"file descriptor {number}")
            with suppress(OSError):
                os.close(spare)
        for name, number in (("stdout", 1), ("stderr", 2)):
            if getattr(getattr(sys, name), "closed", False):
                setattr(sys, name, _reopened(name, number))
                changed.append(f"sys.{name} (closed)")
        return changed


def _is_watched(name: str) -> bool:
    top = name.partition(".")[0]
    return top in _OWN or top in sys.stdlib_module_names


def _public(module: ModuleType) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_") and name not in _REMADE}


def _identity(number: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _working_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""


def _reopened(name: str, number: int) -> Any:
    """A new stream on the descriptor, which a closed standard stream leaves open."""
    stream = open(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    with suppress(AttributeError, TypeError):
        setattr(sys, f"__{name}__", stream)
    return stream
