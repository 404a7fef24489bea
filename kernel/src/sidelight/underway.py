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
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 8192  # bytes of the shared block: twice what `_MOST` activities and suspects of `_TEXT` characters take
_TEXT, _MOST = 300, 6
PATIENCE = 60.0  # seconds for importing a light module; it imports nothing heavy, so longer is a hang
HEAVY = 5  # times the patience with a light module: behaviour imports torch, perhaps from a slow disk
PATIENCE_VARIABLE = "SIDELIGHT_PATIENCE"


class Activity(NamedTuple):
    """Something a plugin is doing: `number` tells two of the same text apart, `limit` is in seconds, 0 for none."""

    number: int
    limit: float
    text: str


class State(NamedTuple):
    """The block.

    Args:
        code: the exit code once the work is done, else None.
        doing: the activities under way, innermost first.
        after: the activity that ended last, where none is under way.
        left: activities that left behind what may keep the process: threads, or where there are none exit handlers.
    """

    code: int | None = None
    doing: tuple[Activity, ...] = ()
    after: str = ""
    left: tuple[str, ...] = ()


def read(file: int) -> State | None:
    """The state in a shared block, or None while it is being written or has never been."""
    try:
        code, doing, after, left = json.loads(os.pread(file, BLOCK, 0).rstrip(b"\0"))
    except ValueError:
        return None
    return State(code, tuple(Activity(*one) for one in doing), after, tuple(left))


class Board:
    """The child's side of the block.

    Args:
        file: the descriptor of the shared file; subprocesses do not get it.
    """

    def __init__(self, file: int) -> None:
        os.set_inheritable(file, False)
        self._file, self._owner, self._same = file, os.getpid(), _identity(file)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._doing: dict[int, Activity] = {}
        self._after = ""
        self._threads = dict.fromkeys(threading.enumerate(), "")
        self._handlers = {"": _exit_handlers()}
        self._write()

    @property
    def intact(self) -> bool:
        """True if the descriptor is still ours: a plugin may close all descriptors, and others reuse the number."""
        return _identity(self._file) == self._same

    def begin(self, text: str, limit: float) -> int:
        """Note an activity; gives its number."""
        with self._lock:
            number = next(self._numbers)
            self._doing[number] = Activity(number, limit, " ".join(text.split())[:_TEXT])
            self._write()
        return number

    def end(self, number: int) -> None:
        """Note that an activity has ended, and whether it left something behind that may keep the process alive."""
        with self._lock:
            self._after = self._doing.pop(number).text
            for thread in threading.enumerate():
                self._threads.setdefault(thread, self._after)
            if _exit_handlers() > max(self._handlers.values()):
                self._handlers[self._after] = _exit_handlers()
            self._write()

    def done(self, code: int) -> None:
        """Note that all work is done, with this exit code, and who may keep the process alive nevertheless."""
        alive = {self._threads.get(thread, "") for thread in threading.enumerate() if not thread.daemon}
        with self._lock:
            self._write(code, sorted(alive - {""} or self._handlers.keys() - {""})[:_MOST])

    def _write(self, code: int | None = None, left: list[str] | None = None) -> None:
        if os.getpid() != self._owner or not self.intact:  # a forked worker speaks for nobody
            return
        innermost = sorted(self._doing.values(), reverse=True)[:_MOST]
        block = json.dumps((code, innermost, self._after, left or [])).encode()
        if len(block) > BLOCK:  # characters that JSON writes in six or twelve
            block = json.dumps((code, [(one.number, one.limit, "?") for one in innermost], "", [])).encode()
        os.pwrite(self._file, block.ljust(BLOCK, b"\0"), 0)


_board: Board | None = None


def connect(file: int) -> Board:
    """Tell the supervising process of everything from now on."""
    global _board
    _board = Board(file)
    return _board


@contextmanager
def doing(text: str, limit: float = 0) -> Iterator[None]:
    """Within the context `text` is under way, and is ended as a hang after `limit` seconds (0: never).

    Raises:
        RuntimeError: what ran within the context closed the descriptors of the process.
    """
    board = _board
    if board is None:
        yield
        return
    intact = board.intact
    number = board.begin(text, limit)
    try:
        yield
    finally:
        board.end(number)
    if intact and not board.intact:
        raise RuntimeError("it closed file descriptors that are not its own")


def patience() -> float:
    """Seconds that importing a light module may take, from `SIDELIGHT_PATIENCE` where that is set.

    Raises:
        UserError: the variable is no positive number.
    """
    text = os.environ.get(PATIENCE_VARIABLE, "")
    if not text:
        return PATIENCE
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        from sidelight_specs import UserError

        fix = f"set it to seconds, such as 120, or unset it for {PATIENCE:.0f}"
        raise UserError(f'{PATIENCE_VARIABLE} must be a positive number of seconds, got "{text}"', fix)
    return seconds


def _identity(file: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _exit_handlers() -> int:
    count = getattr(atexit, "_ncallbacks", None)  # CPython; elsewhere exit handlers are not counted
    return int(count()) if count else 0


def in_main_thread() -> bool:
    """True in the one thread that Python delivers signals to."""
    return threading.current_thread() is threading.main_thread()


class Presses:
    """Ctrl-C within a context; `known` is False where C code handles the signal, so that nothing can be counted."""

    def __init__(self, known: bool) -> None:
        self.known, self.count = known, 0


@contextmanager
def watch_interrupts() -> Iterator[Presses]:
    """Tell the user's Ctrl-C from a KeyboardInterrupt that a plugin raises: count SIGINT within the context."""
    previous = signal.getsignal(signal.SIGINT) if in_main_thread() else None
    if not callable(previous):
        # known: ignored, or in a thread that no signal reaches
        yield Presses(known=previous is not None or not in_main_thread())
        return
    presses = Presses(known=True)

    def handle(number: int, frame: Any) -> None:
        presses.count += 1
        previous(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C within the context, while a message is being printed."""
    if not in_main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if previous is not None:
            signal.signal(signal.SIGINT, previous)
