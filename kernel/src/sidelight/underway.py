"""The component under way, and who pressed Ctrl-C: the two things that a process has to know when a plugin fails it.

The command line works in a forked child (`cli.supervise`). Child and parent share one block of an anonymous file: the
child overwrites it before every import of a plugin and every step of a component, and when it is done; the parent
reads it when the child is late or gone. So a plugin that ends, crashes or hangs the process is named.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import signal
import threading
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_BLOCK = 1 << 16  # bytes that are read: more than `_MOST` activities with `_TEXT` characters of 12 bytes take
_TEXT, _MOST = 300, 6
_SUSPECTS = 3  # components that a warning names
_GRACE = 15.0  # seconds for threads and exit handlers once the work is done; on a busy machine torch takes several
PATIENCE = 60.0  # seconds for importing a light module; it imports nothing heavy, so longer is a hang
HEAVY = 5  # times the patience with a light module: behaviour imports torch, perhaps from a slow disk
PATIENCE_VARIABLE = "SIDELIGHT_PATIENCE"


class Activity(NamedTuple):
    """Something a plugin is doing: `number` tells two of the same text apart, `limit` is in seconds, 0 for none."""

    number: int
    limit: float
    text: str


class State(NamedTuple):
    """The exit code once the work is done, and the activities under way, innermost first, or the last one."""

    code: int | None = None
    doing: tuple[Activity, ...] = (Activity(0, 0, "something before any plugin was loaded"),)


def read(file: int) -> State | None:
    """The state in a shared block, or None while it is being written or has never been."""
    try:
        code, doing = json.loads(os.pread(file, _BLOCK, 0).partition(b"\0")[0])
    except ValueError:
        return None
    return State(code, tuple(Activity(*one) for one in doing))


def _lasting() -> list[threading.Thread | int]:
    """Threads, and the number of exit handlers where it is known, as in CPython: they may keep the process alive."""
    return [*threading.enumerate(), getattr(atexit, "_ncallbacks", int)()]


class Board:
    """The child's side of the block.

    Args:
        file: the descriptor of the shared file; subprocesses do not get it.
    """

    def __init__(self, file: int) -> None:
        os.set_inheritable(file, False)
        self._file, self._owner, self._stat = file, os.getpid(), os.fstat(file)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._doing: dict[int, Activity] = {}
        self._last = State().doing
        self._left = dict.fromkeys(_lasting(), "")  # to the activity after which it was there
        self._write()

    @contextmanager
    def doing(self, text: str, limit: float) -> Iterator[None]:
        """Note an activity, that it has ended, and whether it left behind what may keep the process alive."""
        was_intact, text = self._is_intact(), " ".join(text.split())[:_TEXT]
        with self._lock:
            number = next(self._numbers)
            self._doing[number] = Activity(number, limit, text)
            self._write()
        try:
            yield
        finally:
            with self._lock:
                del self._doing[number]
                self._last = (Activity(0, 0, f"something after {text}"),)
                self._left = dict.fromkeys(_lasting(), text) | self._left
                self._write()
        if was_intact and not self._is_intact():
            raise RuntimeError("it closed file descriptors that are not its own")

    def done(self, code: int) -> None:
        """Note that all work is done, with this exit code, and who may keep the process alive nevertheless."""
        threads = {self._left.get(thread, "") for thread in threading.enumerate() if not thread.daemon}
        handlers = {text for item, text in self._left.items() if isinstance(item, int)}
        suspects = sorted(threads - {""} or handlers - {""})
        more = [f"{len(suspects) - _SUSPECTS} more"] if len(suspects) > _SUSPECTS else []
        named = f" ({'; '.join(suspects[:_SUSPECTS] + more)})" if suspects else ""
        grace = _GRACE
        with suppress(Exception):  # the variable makes no sense: that was said before
            grace = min(_GRACE, patience())
        with self._lock:
            self._write(code, Activity(next(self._numbers), grace, f"a thread or an exit handler{named}"))

    def _is_intact(self) -> bool:
        """True if the descriptor is still ours: a plugin may close all descriptors, and others reuse the number."""
        try:
            return os.path.samestat(os.fstat(self._file), self._stat)
        except OSError:
            return False

    def _write(self, code: int | None = None, *ending: Activity) -> None:
        if os.getpid() == self._owner and self._is_intact():  # a forked worker speaks for nobody
            innermost = sorted(self._doing.values(), reverse=True)[:_MOST] or self._last
            os.pwrite(self._file, json.dumps((code, (*innermost, *ending))).encode() + b"\0", 0)


board: Board | None = None  # of this process, where it is supervised


def doing(text: str, limit: float = 0) -> AbstractContextManager[None]:
    """Within the context `text` is under way, and is ended as a hang after `limit` seconds (0: never).

    Raises:
        RuntimeError: what ran within the context closed the descriptors of the process.
    """
    return nullcontext() if board is None else board.doing(text, limit)


def patience() -> float:
    """Seconds that importing a light module may take, from `SIDELIGHT_PATIENCE` where that is set.

    Raises:
        UserError: the variable is no positive number.
    """
    text = os.environ.get(PATIENCE_VARIABLE) or f"{PATIENCE}"
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    from sidelight_specs import UserError

    fix = f"set it to seconds, such as 120, or unset it for {PATIENCE:.0f}"
    raise UserError(f'{PATIENCE_VARIABLE} must be a positive number of seconds, got "{text}"', fix)


@contextmanager
def watch_interrupts() -> Iterator[Callable[[], bool]]:
    """Tell the user's Ctrl-C from a KeyboardInterrupt that a plugin raises: gives a function, true after a SIGINT."""
    if threading.current_thread() is not threading.main_thread():  # no signal reaches it
        yield lambda: False
        return
    previous: Any = signal.getsignal(signal.SIGINT)
    presses: list[int] = []

    def handle(number: int, frame: Any) -> None:
        presses.append(number)
        previous(number, frame)

    if callable(previous):
        signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(presses) or previous is None  # None: C code handles it, nobody knows
    finally:
        if previous is not None:
            signal.signal(signal.SIGINT, previous)
