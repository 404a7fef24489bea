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

from sidelight_specs.wording import clean

from sidelight import underway
from sidelight.cli import DONE, FAILED, INTERRUPTED, STOPPED

_EXEC = sys.platform == "darwin"  # Apple's frameworks, Metal among them, refuse a process that was only forked
_CHANNEL = "SIDELIGHT_UNDERWAY"  # environment variable: descriptor of the shared file, process of the parent
_TICK = 0.5  # seconds between two looks at the child where no signal comes
_GRACE = 15.0  # seconds for threads and exit handlers once the work is done; on a busy machine torch takes several
_SUSPECTS = 3  # components that a warning names
_LAST_PRESS = 3  # the Ctrl-C that kills: the first asks the run to stop, the second to stop at once
_WATCHED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD") if hasattr(signal, name))


def run(argv: list[str]) -> int:
    """Run the command line of this process; gives its exit code."""
    channel = os.environ.pop(_CHANNEL, "").split(",")
    if len(channel) == 2 and channel[1] == str(os.getppid()):  # this is the child, started anew
        return _work(argv, int(channel[0]), os.getppid())
    words = [word for word in argv if word != "--debug"]
    is_light = not words or words in (["-h"], ["--help"], ["--version"])  # runs no code of plugins
    is_watched = bool(sys.gettrace() or sys.getprofile())  # a debugger or profiler wants the work in this process
    can_fork = hasattr(os, "fork") and threading.active_count() == 1
    if is_light or is_watched or not can_fork:
        return _here(argv)
    return _Supervision(argv).run()


def _here(argv: list[str]) -> int:
    from sidelight.cli.frame import guarded  # most of the start, which the parent does not pay

    return guarded(argv)


def _start_anew(file: int) -> None:
    """Replace the forked child by a fresh Python with the same command line, told of the shared file."""
    os.set_inheritable(file, True)
    os.environ[_CHANNEL] = f"{file},{os.getppid()}"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _work(argv: list[str], file: int, parent: int) -> int:
    """The child: do what the command says, and note that it is done."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    board = underway.connect(file)
    _die_with(parent)
    if "--debug" in argv:
        import faulthandler

        faulthandler.enable()  # a crash shows the lines of Python that led there
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
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


class _Supervision:
    """One child and what is known of it.

    Args:
        argv: the command line.
    """

    def __init__(self, argv: list[str]) -> None:
        self._argv = argv
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
        """Start the child and wait for its end; in the child, the command's exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # ignored, its end could not be waited for
        parent = os.getpid()
        self._child = os.fork()
        if not self._child:
            if _EXEC:
                _start_anew(self._file)
            return _work(self._argv, self._file, parent)
        looked = time.monotonic()
        while True:
            self._pass_on(_next_signal(_TICK))
            ended, status = os.waitpid(self._child, os.WNOHANG)
            self._state = underway.read(self._file) or self._state
            if ended:
                return self._judge(os.waitstatus_to_exitcode(status))
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
        self._state = underway.read(self._file) or self._state
        if self._state.code is not None or late not in self._state.doing:  # it ended at this very moment
            return self._judge(-signal.SIGKILL)
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
        more = len(self._state.left) - _SUSPECTS
        suspects = "; ".join(self._state.left[:_SUSPECTS]) + (f"; {more} more" if more > 0 else "")
        text = f"a thread or an exit handler{f' ({suspects})' if suspects else ''} kept the process"
        _tell(f"warning: {text} after everything was done; it was ended after {self._grace:g} seconds")
        return self._state.code or DONE

    def _judge(self, status: int) -> int:
        """The exit code of a child that has ended, and the message that belongs to it.

        Args:
            status: its exit status, or minus the number of the signal that ended it.
        """
        code, number = self._state.code, max(-status, 0)
        if code == INTERRUPTED and not self._presses:
            self._fail(f"{self._suspect()} interrupted the process, nobody pressed Ctrl-C")
            return FAILED
        if code is not None:
            killed_by_user = number == signal.SIGKILL and self._presses >= _LAST_PRESS
            if number and not killed_by_user:
                _tell(f"warning: the process crashed ({_signal_name(number)}) after everything was done")
            return code
        if self._passed == signal.SIGINT and number in (signal.SIGINT, signal.SIGKILL):
            _tell(STOPPED)
            return INTERRUPTED
        if self._passed and number == self._passed:  # end as whoever sent the signal expects
            _show_cursor()
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
            os.kill(os.getpid(), number)
        self._fail(f"{self._suspect()} {_end(status)}")
        return FAILED

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
    """The descriptor of a file without a name, shared with a forked child."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sidelight-underway")
    import tempfile

    with tempfile.TemporaryFile() as stream:
        return os.dup(stream.fileno())


def _next_signal(seconds: float) -> tuple[int, bool] | None:
    """The next watched signal, all of which are blocked, and whether the terminal sent it; None after some seconds."""
    if hasattr(signal, "sigtimedwait"):
        came = signal.sigtimedwait(_WATCHED, seconds)
        return None if came is None else (came.si_signo, came.si_code > 0)  # above 0: from the kernel
    end = time.monotonic() + seconds
    while not set(_WATCHED) & signal.sigpending():
        if time.monotonic() >= end:
            return None
        time.sleep(0.02)
    in_foreground = False  # then the terminal sends Ctrl-C to both; a guess, for signals that do not say who sent them
    with suppress(OSError):
        in_foreground = os.tcgetpgrp(0) == os.getpgrp()
    return signal.sigwait(_WATCHED), in_foreground


def _end(status: int) -> str:
    if status == -signal.SIGKILL:
        return "was under way when the Python process was killed (SIGKILL), perhaps because memory ran out"
    if status < 0:
        return f"crashed the Python process ({_signal_name(-status)})"
    return f"ended the Python process with status {status}"


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
