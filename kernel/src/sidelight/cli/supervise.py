"""The process that the user starts: it runs the command in a child process, passes signals on, and judges the end.

A component can end the process in ways that no `except` sees: `os._exit`, a crash of native code, an endless loop at
import. The child therefore notes what is under way (`sidelight.underway`), and that it is done; without that note
nothing counts as success. This module and what it imports stay light: they are paid for twice.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import NamedTuple

from sidelight import underway
from sidelight.cli.commands import DONE, FAILED, INTERRUPTED, STOPPED, find
from sidelight.terminal import clean

_CHANNEL = "SIDELIGHT_UNDERWAY"
"""Environment variable by which the child learns the descriptor of the shared file, its parent, and nobody else."""
_TICK = 0.5
"""Seconds between two looks at the child where no signal comes."""
_GRACE = 15.0
"""Seconds that threads and exit handlers get once the work is done; on a busy machine, torch alone takes several."""
_SUSPECTS = 3
"""Components that a warning names."""
_LAST_PRESS = 3
"""The Ctrl-C that kills: the first asks the run to stop at the next item, the second to stop at once."""
_WATCHED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD") if hasattr(signal, name))


def run(argv: list[str]) -> int:
    """Run the command line of this process; gives its exit code."""
    channel = _channel(os.environ.pop(_CHANNEL, ""))
    if channel is not None:
        return _work(argv, *channel)
    return _Supervision(argv).run() if _needs_child(argv) else _here(argv)


def _here(argv: list[str]) -> int:
    from sidelight.cli.failures import guarded  # what the work needs and the parent does not: a third of its start
    from sidelight.cli.frame import dispatch

    return guarded(dispatch, argv)


def _needs_child(argv: list[str]) -> bool:
    """True for commands that run plugins, where a child process can do the same as this one."""
    words = [word for word in argv if word != "--debug"]
    command = find(words[0]) if words else None
    if command is None or not command.supervised or {"-h", "--help"} & set(words):
        return False
    is_watched = bool(sys.gettrace() or sys.getprofile())  # a debugger or profiler wants the work in this process
    started_from_file = getattr(sys.modules["__main__"], "__file__", None) is not None
    return hasattr(os, "posix_spawn") and bool(sys.executable) and started_from_file and not is_watched


def _channel(text: str) -> tuple[int, int] | None:
    """Descriptor and parent's process, where the variable was set by a parent of ours."""
    file, _, parent = text.partition(",")
    if not (file.isdecimal() and parent.isdecimal()) or os.getppid() != int(parent):
        return None
    with suppress(OSError):
        os.fstat(int(file))
        return int(file), int(parent)
    return None


def _work(argv: list[str], file: int, parent: int) -> int:
    """The child: do what the command says, and note that it is done."""
    board = underway.connect(file)
    _die_with(parent)
    if "--debug" in argv:
        import faulthandler

        faulthandler.enable()  # a crash shows the lines of Python that led there
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked while Python started
        code = _here(argv)
    except KeyboardInterrupt:  # pressed again while the message was printed
        code = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    board.done(code)
    return code


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent is killed; where it cannot, the work is finished alone."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died before the call
        os.kill(os.getpid(), signal.SIGKILL)


class _End(NamedTuple):
    """End of the child: by a signal, or with a status."""

    number: int
    status: int

    def __str__(self) -> str:
        if self.number == signal.SIGKILL:
            return "was under way when the Python process was killed (SIGKILL), perhaps because memory ran out"
        if self.number:
            return f"crashed the Python process ({_signal_name(self.number)})"
        return f"ended the Python process with status {self.status}"


class _Supervision:
    """One child and what is known of it.

    Args:
        argv: the command line.
    """

    def __init__(self, argv: list[str]) -> None:
        self._debug = "--debug" in argv
        self._file = _anonymous_file()
        self._state = underway.State()
        self._passed = 0
        self._presses = 0
        self._spent: dict[int, float] = {}
        self._done_for = 0.0
        self._grace = _GRACE
        with suppress(Exception):  # the variable makes no sense: the child says so
            self._grace = min(_GRACE, underway.patience())

    def run(self) -> int:
        """Start the child and wait for its end."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # ignored, its end could not be waited for
        environment = {**os.environ, _CHANNEL: f"{self._file},{os.getpid()}"}
        command = [sys.executable, *sys.orig_argv[1:]]  # as this process was started: options, script, arguments
        mask = {*before, signal.SIGINT}
        self._child = os.posix_spawn(sys.executable, command, environment, setsigmask=mask)
        looked = time.monotonic()
        while True:
            self._pass_on(_next_signal(_TICK))
            ended, status = os.waitpid(self._child, os.WNOHANG)
            self._look()
            if ended:
                return self._judge(_end(status))
            now = time.monotonic()
            verdict = self._patience(min(now - looked, 2 * _TICK))  # while both were stopped no time counts
            looked = now
            if verdict is not None:
                return verdict

    def _pass_on(self, came: tuple[int, bool] | None) -> None:
        """Pass a signal to the child, unless the terminal has sent it to both."""
        number, from_terminal = came or (signal.SIGCHLD, False)
        if number == signal.SIGCHLD:
            return
        self._passed = number
        self._presses += number == signal.SIGINT
        if number == signal.SIGINT and from_terminal and self._presses < _LAST_PRESS:
            return
        last = number == signal.SIGINT and self._presses >= _LAST_PRESS
        with suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL if last else number)

    def _look(self) -> None:
        self._state = underway.read(self._file) or self._state

    def _patience(self, seconds: float) -> int | None:
        """The exit code, when the child is late and was ended for it.

        Args:
            seconds: since it was last asked.
        """
        if self._state.code is not None:
            self._done_for += seconds
            return self._cut_off() if self._done_for >= self._grace else None
        self._spent = {one.number: self._spent.get(one.number, 0.0) + seconds for one in self._state.doing}
        late = next((one for one in self._state.doing if 0 < one.limit <= self._spent[one.number]), None)
        if late is None:
            return None
        self._kill()
        self._look()
        if self._state.code is not None or late not in self._state.doing:  # it ended at this very moment
            return self._judge(_End(signal.SIGKILL, 0))
        longer = f"to wait longer set {underway.PATIENCE_VARIABLE}={2 * late.limit:.0f}"
        self._fail(f"{late.text} took more than {late.limit:g} seconds", longer)
        return FAILED

    def _kill(self) -> None:
        """End the child; with --debug it shows where it was."""
        if self._debug:
            os.kill(self._child, signal.SIGABRT)
            os.kill(self._child, signal.SIGCONT)
            time.sleep(_TICK)
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)

    def _cut_off(self) -> int:
        """End a child that is done and does not end."""
        self._kill()
        who = f" ({self._left()})" if self._state.left else ""
        text = f"a thread or an exit handler{who} kept the process after everything was done"
        _tell(f"warning: {text}; it was ended after {self._grace:g} seconds")
        return self._state.code or DONE

    def _judge(self, end: _End) -> int:
        """The exit code of a child that has ended, and the message that belongs to it."""
        code = self._state.code
        if code == INTERRUPTED and not self._presses:
            self._fail(f"{self._suspect()} interrupted the process, nobody pressed Ctrl-C")
            return FAILED
        if code is not None:
            killed_by_user = end.number == signal.SIGKILL and self._presses >= _LAST_PRESS
            if end.number and not killed_by_user:
                _tell(f"warning: the process crashed ({_signal_name(end.number)}) after everything was done")
            return code
        if self._passed == signal.SIGINT and end.number in (signal.SIGINT, signal.SIGKILL):
            _tell(STOPPED)
            return INTERRUPTED
        if self._passed and end.number == self._passed:
            _show_cursor()
            _die_by(self._passed)
        self._fail(f"{self._suspect()} {end}")
        return FAILED

    def _left(self) -> str:
        """Whose thread or exit handler it may be."""
        more = len(self._state.left) - _SUSPECTS
        return "; ".join(self._state.left[:_SUSPECTS]) + (f"; {more} more" if more > 0 else "")

    def _suspect(self) -> str:
        if self._state.doing:
            return self._state.doing[0].text
        if self._state.after:
            return f"something after {self._state.after}"
        return "something before any plugin was loaded"

    def _fail(self, text: str, advice: str = "") -> None:
        advices = ["tell the authors of that plugin, or use another one"]
        advices += ["" if self._debug else "run the same command with --debug for the lines that led there", advice]
        _tell(f"error: {text}\n  fix: {'; '.join(filter(None, advices))}")


def _anonymous_file() -> int:
    """The descriptor of a file without a name that a child inherits."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("sidelight-underway")
    else:
        import tempfile

        with tempfile.TemporaryFile() as stream:
            file = os.dup(stream.fileno())
    os.set_inheritable(file, True)
    return file


def _next_signal(seconds: float) -> tuple[int, bool] | None:
    """The next watched signal, all of which are blocked, and whether the terminal sent it; None after some seconds."""
    if hasattr(signal, "sigtimedwait"):
        found = signal.sigtimedwait(_WATCHED, seconds)
        return None if found is None else (found.si_signo, found.si_code > 0)  # above 0: from the kernel
    end = time.monotonic() + seconds
    while not set(_WATCHED) & signal.sigpending():
        if time.monotonic() >= end:
            return None
        time.sleep(0.02)
    return signal.sigwait(_WATCHED), _in_foreground()


def _in_foreground() -> bool:
    """True if a terminal sends its Ctrl-C to this process; a guess, for signals that do not say who sent them."""
    with suppress(OSError):
        return os.tcgetpgrp(0) == os.getpgrp()
    return False


def _end(status: int) -> _End:
    code = os.waitstatus_to_exitcode(status)
    return _End(-code, 0) if code < 0 else _End(0, code)


def _die_by(number: int) -> None:
    """End as whoever sent the signal expects."""
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _show_cursor() -> None:
    """Live bars hide it, and a killed process does not bring it back."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")
        sys.stderr.flush()


def _tell(text: str) -> None:
    """Say something on stderr, whoever reads it."""
    with suppress(OSError):
        _show_cursor()
        print(clean(text), file=sys.stderr)
