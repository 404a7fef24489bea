"""Messages and exit codes of commands that fail."""

from __future__ import annotations

import os
import select
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from sidelight.cli.commands import DONE, FAILED, INTERRUPTED, STOPPED, USER
from sidelight.cli.output import write, write_error
from sidelight.interrupts import deaf_to_interrupts, watch_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidelight.interrupts import Presses

__all__ = ["DONE", "FAILED", "INTERRUPTED", "STOPPED", "USER", "guarded"]


def guarded(action: Callable[[list[str]], int], argv: list[str]) -> int:
    """Run an action on a command line and turn whatever it raises into a message on stderr and an exit code."""
    _never_fail_to_encode()
    try:
        with watch_interrupts() as presses:
            try:
                code = action(argv)
                sys.stdout.flush()
            except BaseException as error:  # also SystemExit of a component, and what extensions raise past Exception
                with deaf_to_interrupts():
                    return _explain(error, presses, debug="--debug" in argv)
    except KeyboardInterrupt:  # a second Ctrl-C, between the first and its message
        return INTERRUPTED
    return code


def _reader_left() -> bool:
    """Whether nobody reads our output any more (`| head`); then Python must not complain about it at exit either."""
    try:
        output = sys.stdout.fileno()
        poll = select.poll()
        poll.register(output, 0)  # asks for errors alone
        left = bool(poll.poll(0))
    except (OSError, AttributeError):  # no real file, or no `poll` on this system
        return False
    if left:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return left


def _explain(error: BaseException, presses: Presses, *, debug: bool) -> int:
    from sidelight_specs import Cancelled, SidelightError, UserError

    if isinstance(error, BrokenPipeError) and _reader_left():
        return FAILED
    if debug:
        write("".join(traceback.format_exception(error)).rstrip("\n"), to=sys.stderr)
    if isinstance(error, Cancelled) or (isinstance(error, KeyboardInterrupt) and (presses.count or not presses.known)):
        write(STOPPED, to=sys.stderr)
        return INTERRUPTED
    if isinstance(error, UserError):
        _explain_user_error(error)
        return USER
    write_error(str(error) if isinstance(error, SidelightError) else _unexpected(error))
    return FAILED


def _explain_user_error(error: Exception) -> None:
    from sidelight.problems import RecipeError

    if isinstance(error, RecipeError):  # opens with file:line:column, which editors and terminals make a link of
        write(str(error), to=sys.stderr)
    else:
        write_error(str(error))


def _unexpected(error: BaseException) -> str:
    """An exception that nobody raised on purpose: its text, the last line of code, and how to see more."""
    what = traceback.format_exception_only(error)[-1].strip()
    frames = traceback.extract_tb(error.__traceback__)
    where = ""
    if frames:
        path = Path(frames[-1].filename)
        where = f"\n  raised in {path.parent.name}/{path.name}, line {frames[-1].lineno}"
    return f"{what}{where}\n  fix: run the same command with --debug for the traceback"


def _never_fail_to_encode() -> None:
    """On a terminal that knows only ASCII, a plugin's text is shown escaped instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
