"""The process that the user starts: it forks a child for the command, passes signals on, and judges its end.

A component can end the process in ways that no `except` sees: `os._exit`, a crash of native code, an endless loop at
import. The child therefore notes what is under way (`sidelight.underway`), and that it is done; without that note
nothing counts as success. The fork is made before anything is imported: it costs milliseconds, and nothing is shared.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress

from sidelight import underway
from sidelight.cli import FAILED, INTERRUPTED, STOPPED, main

_EXEC = sys.platform == "darwin"  # Apple's frameworks, Metal among them, refuse a process that was only forked
_CHANNEL = "SIDELIGHT_UNDERWAY"  # environment variable: descriptor of the shared file, process of the parent
_TICK = 0.5  # seconds between two looks at the child where no signal comes
_LAST_PRESS = 3  # the Ctrl-C that kills: the first asks the run to stop, the second to stop at once
_WATCHED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD") if hasattr(signal, name))
_NAMES = {number.value: number.name for number in signal.Signals}


def run(argv: list[str]) -> int:
    """Run the command line of this process; gives its exit code."""
    channel = os.environ.pop(_CHANNEL, "").split(",")
    if len(channel) == 2 and channel[1] == str(os.getppid()):  # this is the child, started anew
        return _work(argv, int(channel[0]), os.getppid())
    words = [word for word in argv if word != "--debug"]
    is_light = not words or words in (["-h"], ["--help"], ["--version"])  # runs no code of plugins
    # A debugger or profiler wants the work in this process; coverage follows into the child.
    tools = [type(tool).__module__ for tool in (sys.gettrace(), sys.getprofile()) if tool]
    is_watched = any(not module.startswith("coverage") for module in tools)
    can_fork = hasattr(os, "fork") and threading.active_count() == 1
    if is_light or is_watched or not can_fork:
        return main(argv)
    file, parent = _anonymous_file(), os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # ignored, its end could not be waited for
    child = os.fork()
    if child:
        return _Supervision(child, file, debug="--debug" in argv).wait()
    if _EXEC:
        os.set_inheritable(file, True)
        os.environ[_CHANNEL] = f"{file},{parent}"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
    return _work(argv, file, parent)


def _work(argv: list[str], file: int, parent: int) -> int:
    """The child: do what the command says, and note that it is done."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    underway.board = board = underway.Board(file)
    if sys.platform.startswith("linux"):  # have the kernel kill this process when its parent is killed
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it died before the call
            os.kill(os.getpid(), signal.SIGKILL)
    if "--debug" in argv:
        import faulthandler

        faulthandler.enable()  # a crash shows the lines of Python that led there
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        code = main(argv)
    except KeyboardInterrupt:  # pressed again while the message was printed
        code = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    board.done(code)
    return code


class _Supervision:
    """One child, the shared file, and what is known of the child."""

    def __init__(self, child: int, file: int, *, debug: bool) -> None:
        self._child, self._file, self._debug = child, file, debug
        self._state = underway.State()
        self._spent: dict[int, float] = {}  # number of an activity to seconds
        self._passed = 0  # the last signal that came
        self._presses = 0

    def wait(self) -> int:
        """Wait for the end of the child, or bring it about; gives the exit code."""
        before = time.monotonic()
        while True:
            self._pass_on(*_next_signal(_TICK))
            ended, status = os.waitpid(self._child, os.WNOHANG)
            self._state = underway.read(self._file) or self._state
            if ended:
                return self._judge(os.waitstatus_to_exitcode(status))
            now = time.monotonic()
            seconds = min(now - before, 2 * _TICK)  # while both were stopped no time counts
            before = now
            self._spent = {one.number: self._spent.get(one.number, 0.0) + seconds for one in self._state.doing}
            late = next((one for one in self._state.doing if 0 < one.limit <= self._spent[one.number]), None)
            if late is not None:
                return self._cut_off(late)

    def _pass_on(self, number: int, from_terminal: bool) -> None:
        """Pass a signal to the child, unless the terminal has sent it to both."""
        if number in (0, signal.SIGCHLD):
            return
        self._passed = number
        self._presses += number == signal.SIGINT
        is_last = number == signal.SIGINT and self._presses >= _LAST_PRESS
        if is_last or number != signal.SIGINT or not from_terminal:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL if is_last else number)

    def _cut_off(self, late: underway.Activity) -> int:
        """End a child that is late, with --debug so that it shows where it was; gives the exit code."""
        if self._debug:
            os.kill(self._child, signal.SIGABRT)
            os.kill(self._child, signal.SIGCONT)
            time.sleep(_TICK)
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        self._state = underway.read(self._file) or self._state
        if late not in self._state.doing:  # it ended at this very moment
            return self._judge(-signal.SIGKILL)
        if self._state.code is not None:
            end = f"kept the process after everything was done; it was ended after {late.limit:g} seconds"
            _tell(f"warning: {late.text} {end}")
            return self._state.code
        longer = f"to wait longer set {underway.PATIENCE_VARIABLE}={2 * late.limit:.0f}"
        return self._fail(f"{late.text} took more than {late.limit:g} seconds", longer)

    def _judge(self, status: int) -> int:
        """The exit code of a child that has ended, and the message that belongs to it.

        Args:
            status: its exit status, or minus the number of the signal that ended it.
        """
        code, number = self._state.code, max(-status, 0)
        suspect, name = self._state.doing[0].text, _NAMES.get(number, f"signal {number}")
        if code == INTERRUPTED and not self._presses:
            return self._fail(f"{suspect} interrupted the process, nobody pressed Ctrl-C")
        if code is not None:
            if number and not (number == signal.SIGKILL and self._presses >= _LAST_PRESS):
                _tell(f"warning: the process crashed ({name}) after everything was done")
            return code
        if self._passed == signal.SIGINT and number in (signal.SIGINT, signal.SIGKILL):
            _tell(STOPPED)
            return INTERRUPTED
        if self._passed and number == self._passed:  # end as whoever sent the signal expects
            _show_cursor()
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
            os.kill(os.getpid(), number)
        end = f"crashed the Python process ({name})" if number else f"ended the Python process with status {status}"
        if number == signal.SIGKILL:
            end = "was under way when the Python process was killed (SIGKILL), perhaps because memory ran out"
        return self._fail(f"{suspect} {end}")

    def _fail(self, text: str, advice: str = "") -> int:
        advices = ["tell the authors of that plugin, or use another one"]
        advices += ["" if self._debug else "run the same command with --debug for the lines that led there", advice]
        _tell(f"error: {text}\n  fix: {'; '.join(filter(None, advices))}")
        return FAILED


def _anonymous_file() -> int:
    """The descriptor of a file without a name, shared with a forked child."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sidelight-underway")
    import tempfile

    with tempfile.TemporaryFile() as stream:
        return os.dup(stream.fileno())


def _next_signal(seconds: float) -> tuple[int, bool]:
    """The next watched signal, all of which are blocked, and whether the terminal sent it; 0 after some seconds."""
    if hasattr(signal, "sigtimedwait"):
        came = signal.sigtimedwait(_WATCHED, seconds)
        if came is None or came.si_signo not in _WATCHED:  # CPython fills none if stopped meanwhile
            return 0, False
        return came.si_signo, came.si_code > 0  # above 0: from the kernel
    end = time.monotonic() + seconds
    while not set(_WATCHED) & signal.sigpending():
        if time.monotonic() >= end:
            return 0, False
        time.sleep(0.02)
    in_foreground = False  # then the terminal sends Ctrl-C to both; a guess, for signals that do not say who sent them
    with suppress(OSError):
        in_foreground = os.tcgetpgrp(0) == os.getpgrp()
    return signal.sigwait(_WATCHED), in_foreground


def _show_cursor() -> None:
    """Live bars hide it, and a killed process does not bring it back."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")
        sys.stderr.flush()


def _tell(text: str) -> None:
    """Say something on stderr, whoever reads it."""
    from sidelight_specs.wording import clean

    with suppress(OSError):
        _show_cursor()
        print(clean(text), file=sys.stderr)
