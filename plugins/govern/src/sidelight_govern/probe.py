"""The child process that loads one plugin and tells, line by line, what it does and how that went.

It runs with the search path of its parent. Lines are JSON objects: `{"doing": TEXT}` before each import, so that a
plugin that ends or hangs the process is told with what it was at, and `{"done": STAGE, ...}` after it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, TextIO

from sidelight_specs.announcements import announced, manager_of, observer, pick
from sidelight_specs.hooks import COMMAND, KIND, OBSERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAVY = ("numpy", "torch")  # which a light module must not import; imported apart, so that no plugin is blamed for them


class _Teller:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def tell(self, **line: Any) -> None:
        print(json.dumps(line), file=self._stream, flush=True)

    @contextlib.contextmanager
    def timed(self, stage: str, doing: str, **facts: Any) -> Iterator[None]:
        """Tell what is done before and how it went after it; an error is told, and goes no further."""
        self.tell(doing=doing)
        wall, cpu, error, where = perf_counter(), process_time(), "", ""
        try:
            yield
        except BaseException as failure:  # also SystemExit, and what extensions raise past Exception
            error, where = _text_of(failure), _missing(failure)
        times = {"seconds": perf_counter() - wall, "cpu": process_time() - cpu}
        self.tell(done=stage, error=error, missing=where, **times, **facts)


def answer() -> None:
    """Load the entries on stdin, `[[role, use, module], ...]`, and write what happens to stdout."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints goes to stderr, also from C
    teller, entries = _Teller(stream), json.load(sys.stdin)
    announcements = dict[str, dict[tuple[str, str], Any]]()
    for module in dict.fromkeys(module for _, _, module in entries):
        own = [(role, use) for role, use, other in entries if other == module]
        with teller.timed("light", f"importing {module}", module=module):
            announcements[module] = _announcements(module, own)
    teller.tell(done="heavy", modules=[name for name in HEAVY if name in sys.modules])
    if "torch" not in sys.modules:
        with teller.timed("torch", "importing torch"):
            importlib.import_module("torch")
    for role, use, module in entries:
        descriptor = announcements.get(module, {}).get((role, use))
        if isinstance(descriptor, Exception):
            teller.tell(
                done="component", use=use, role=role, error=_text_of(descriptor), missing="", cpu=0.0, seconds=0.0
            )
        elif descriptor is not None and role not in (KIND, OBSERVER):
            load, name = _loader(role, descriptor)
            with teller.timed("component", f"importing {name}", use=use, role=role):
                load()
    teller.tell(done="all")
    stream.flush()
    os._exit(0)  # a thread or an exit handler that a plugin left behind is not waited for


def _announcements(module: str, own: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Descriptor of each entry of a light module, or the error of that one."""
    manager, found = manager_of(importlib.import_module(module), module), dict[tuple[str, str], Any]()
    for role, use in own:
        try:
            if role == OBSERVER:
                found[role, use] = observer(manager)
            else:
                found[role, use] = pick(announced(manager, role), manager, role, use.partition("/")[2])
        except Exception as error:
            found[role, use] = error
    return found


def _loader(role: str, descriptor: Any) -> tuple[Callable[[], Any], str]:
    """A function that imports the code behind a descriptor or a command, and the module's name."""
    if role == COMMAND:
        return descriptor.load, descriptor.module
    module, _, name = descriptor.factory.partition(":")
    return lambda: getattr(importlib.import_module(module), name), module


def _text_of(error: BaseException) -> str:
    """Type, first line, and the last line of code of an error."""
    text = next(iter(str(error).strip().splitlines()), "")[:300]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({'/'.join(Path(frames[-1].filename).parts[-2:])}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


def _missing(error: BaseException) -> str:
    """Top-level name of a module that is not installed, where that is the error."""
    return (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
