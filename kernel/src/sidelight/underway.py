"""The component under way, as the process that supervises this one reads it.

The command line does its work in a child process (`cli.supervise`). The two share one block of an anonymous file:
the child overwrites it before every import of a plugin and every step of a component, and when it is done; the parent
reads it when the child is late or gone. So a plugin that ends, crashes or hangs the process is named.

A block is UTF-8 text, one line each, closed by its number again so that a half-written block is recognised:

    NUMBER busy | NUMBER done CODE
    doing ID LIMIT TEXT      activities, innermost first; LIMIT in seconds, 0 for none
    after TEXT               the activity that ended last
    left TEXT                activities that left behind what may keep the process: threads, else exit handlers
    end NUMBER
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = 4096
"""Bytes of the shared block; a write of one page to a file in memory is not seen half done by a reader after it."""
_TEXT = 500
"""Characters of one activity."""
_LINES = 6
"""Activities (and suspects) in a block: six times 500 characters leave room even where each takes more bytes."""
PATIENCE = 60.0
"""Seconds that importing a plugin's light module may take; it imports nothing heavy, so this is a hang."""
HEAVY = 5  # times the patience with a light module: behaviour imports torch, perhaps from a slow disk
PATIENCE_VARIABLE = "SIDELIGHT_PATIENCE"


class Activity(NamedTuple):
    """Something a plugin is doing: `number` tells two of the same text apart, `limit` is in seconds, 0 for none."""

    number: int
    limit: float
    text: str


class State(NamedTuple):
    """A block as read.

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
    lines = os.pread(file, BLOCK, 0).rstrip(b"\0").decode("utf-8", "replace").split("\n")
    number, _, state = lines[0].partition(" ")
    if not number or lines[-1] != f"end {number}":
        return None
    rows = [line.partition(" ")[::2] for line in lines[1:-1]]
    code = int(state.removeprefix("done ")) if state.startswith("done ") else None
    doing = tuple(_activity(rest) for word, rest in rows if word == "doing")
    after = "".join(rest for word, rest in rows if word == "after")
    return State(code, doing, after, tuple(rest for word, rest in rows if word == "left"))


def _activity(row: str) -> Activity:
    number, limit, text = row.split(" ", 2)
    return Activity(int(number), float(limit), text)


class Board:
    """The child's side of the block.

    Args:
        file: the descriptor of the shared file; subprocesses of this one do not get it.
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
        self._write("busy")

    @property
    def intact(self) -> bool:
        """True if the descriptor is still ours: a plugin may close all descriptors, and others reuse the number."""
        return _identity(self._file) == self._same

    def begin(self, text: str, limit: float) -> int:
        """Note an activity; gives its number."""
        with self._lock:
            number = next(self._numbers)
            self._doing[number] = Activity(number, limit, _one_line(text))
            self._write("busy")
        return number

    def end(self, number: int) -> None:
        """Note that an activity has ended, and whether it left something behind that may keep the process alive."""
        with self._lock:
            activity = self._doing.pop(number)
            self._after = activity.text
            for thread in threading.enumerate():
                self._threads.setdefault(thread, activity.text)
            handlers = _exit_handlers()
            if handlers > max(self._handlers.values()):
                self._handlers[activity.text] = handlers
            self._write("busy")

    def done(self, code: int) -> None:
        """Note that all work is done, with this exit code, and who may keep the process alive nevertheless."""
        alive = {self._threads.get(thread, "") for thread in threading.enumerate() if not thread.daemon}
        suspects = alive - {""} or self._handlers.keys() - {""}
        with self._lock:
            self._write(f"done {code}", sorted(suspects))

    def _write(self, state: str, left: Iterable[str] = ()) -> None:
        if os.getpid() != self._owner or not self.intact:  # a forked worker speaks for nobody
            return
        number = next(self._numbers)
        innermost = sorted(self._doing.values(), reverse=True)[:_LINES]
        lines = [f"{number} {state}"]
        lines += [f"doing {activity.number} {activity.limit:g} {activity.text}" for activity in innermost]
        lines += [f"after {self._after}"] if self._after else []
        lines += [f"left {text}" for text in left]
        end = f"\nend {number}".encode()
        body = "\n".join(lines).encode("utf-8", "replace")
        while len(body) + len(end) > BLOCK:  # wide characters: leave out whole lines from the end
            body = body[: body.rindex(b"\n")]
        os.pwrite(self._file, (body + end).ljust(BLOCK, b"\0"), 0)


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


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_TEXT]
