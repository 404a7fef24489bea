"""The frame of every command: help that teaches, dispatch, and one message and exit code for every way to fail."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import traceback
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_specs import Cancelled, SidelightError, UserError
from sidelight_specs.hooks import COMMAND
from sidelight_specs.problems import RecipeError
from sidelight_specs.release import WHEELS, how_to_install, install_command, is_published
from sidelight_specs.surroundings import in_main_thread
from sidelight_specs.wording import clean, did_you_mean

import sidelight
from sidelight.cli import DONE, FAILED, INTERRUPTED, STOPPED, USER
from sidelight.cli.commands import COMMANDS
from sidelight.cli.host import KernelHost, write_error
from sidelight.registry.catalog import index
from sidelight.underway import doing, watch_interrupts

if TYPE_CHECKING:
    from sidelight_specs.commands import Command

HELP = """\
usage: sidelight [--debug] COMMAND ...

Sidelight explains what an image classifier looks at.

It reads a recipe, a YAML file that names data, a classifier and the explainers to compare, runs it
once, keeps every result, and shows them on a page. Techniques are plugins: packages of their own.

{first}

Commands:
{commands}

Options:
  -h, --help   this page; `sidelight COMMAND --help` explains a command
  --version    the version
  --debug      with any command: show the traceback of an error

Exit codes: 0 done, 1 the run failed, 2 the recipe or the command line is wrong, 130 interrupted.
"""
FIRST = """\
Try first, with images and a model of your own, or with what comes along:
  sidelight explain photos/*.jpg --model model.pt2
  sidelight run quickstart"""
ALONE = """\
No plugin is installed that explains anything. Install some{wheels}:
  {pip} 'sidelight[heatmaps]'      classifiers, heatmaps, metrics, pages, recipes
  {pip} 'sidelight[generative]'    counterfactuals, attributes, concepts, the explorer
  {pip} 'sidelight[all]'           everything, also what needs large packages"""
KNOWN = {  # commands that most people know, and the distribution that brings each
    **dict.fromkeys(("describe", "new", "schema", "verify"), "sidelight-dev"),
    **dict.fromkeys(("init", "recipes"), "sidelight-start"),
    **dict.fromkeys(("audit", "bundle"), "sidelight-evidence"),
    **dict.fromkeys(("doctor", "lock"), "sidelight-govern"),
    "bench": "sidelight-bench",
    "user-study": "sidelight-report",
}


class _Parser(argparse.ArgumentParser):
    """Says nothing that could drive the terminal, such as a wrong argument that is a file's name."""

    def _print_message(self, message: str, file: object = None) -> None:
        super()._print_message(clean(message), file)  # type: ignore[arg-type]


def guarded(argv: list[str]) -> int:
    """Run a command line, and turn whatever it raises into a message on stderr and an exit code."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows only ASCII shows a plugin's text escaped
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with watch_interrupts() as was_pressed:
            try:
                code = dispatch(argv)
                sys.stdout.flush()
            except BaseException as error:  # also SystemExit of a component, and what extensions raise past Exception
                if in_main_thread():
                    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the message is out; then it is put back
                return _explain(error, was_pressed=was_pressed(), debug="--debug" in argv)
    except KeyboardInterrupt:  # a second Ctrl-C, between the first and its message
        return INTERRUPTED
    return code


def dispatch(argv: list[str]) -> int:
    """Understand one command line and run its command.

    Raises:
        UserError: there is no such command or option.
    """
    first, *words = [word for word in argv if word != "--debug"] or ["--help"]
    if first in ("-h", "--help"):
        if words:
            return dispatch([words[0], "--help"])
        print(clean(help_text()).rstrip())
        return DONE
    if first == "--version":
        print(f"sidelight {sidelight.__version__}")
        return DONE
    host = KernelHost()
    command = COMMANDS.get(first) or _find(first, host)
    text = f'the command "{command.name}" ({command.module})'
    with doing(text) if first not in COMMANDS else nullcontext():  # ours is not under way itself: what it calls is
        return _run(command, ["--debug", *words] if "--debug" in argv else words, host)


def help_text() -> str:
    """The page of `sidelight --help`; commands of plugins are listed by name, which imports none."""
    entries = index().entries
    lines = [f"  {one.name:<10} {one.summary}\n  {'':<10}   $ {one.example}" for one in COMMANDS.values()]
    more: dict[str, list[str]] = {}
    for entry in entries:
        if entry.role == COMMAND and entry.name not in COMMANDS:
            more.setdefault(entry.distribution, []).append(entry.name)
    lines += [f"\nCommands of {distribution}: {', '.join(names)}" for distribution, names in more.items()]
    is_alone = {entry.distribution for entry in entries} <= {"sidelight", "sidelight-specs"}
    alone = ALONE.format(pip=install_command(), wheels="" if is_published() else f" ({WHEELS})")
    return HELP.format(commands="\n".join(lines), first=alone if is_alone else FIRST)


def _find(word: str, host: KernelHost) -> Command:
    """The command of that name that a plugin brings."""
    if word.startswith("-"):
        raise UserError(f'unknown option "{word}"', "put options of a command after it; `sidelight --help` lists all")
    entries = {entry.name: entry for entry in reversed(host.catalog.entries(COMMAND))}  # the first one counts
    if word in entries:
        command: Command = host.catalog.load(entries[word])
        return command
    if word in KNOWN:
        raise UserError(f'the command "{word}" is not installed', how_to_install(KNOWN[word]))
    hint = did_you_mean(word, [*COMMANDS, *entries, *KNOWN])
    raise UserError(f'unknown command "{word}"', f"{hint} `sidelight --help` lists the commands".lstrip())


def _run(command: Command, words: list[str], host: KernelHost) -> int:
    body = command.load()
    parser = _Parser(
        prog=f"sidelight {command.name}",
        description=f"{command.summary[0].upper()}{command.summary[1:]}.",
        epilog=f"example: {command.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    body.add_arguments(parser)
    try:
        arguments = parser.parse_args(words)
    except SystemExit as stop:  # argparse has shown its help (0) or said what is wrong with the line (2)
        return int(stop.code or DONE)
    code: int = body.run(arguments, host)
    return code


def _explain(error: BaseException, *, was_pressed: bool, debug: bool) -> int:
    """Write the message that an exception deserves; gives its exit code."""
    if isinstance(error, BrokenPipeError) and _is_reader_gone():
        return FAILED
    if debug:
        print(clean("".join(traceback.format_exception(error)).rstrip("\n")), file=sys.stderr)
    if isinstance(error, Cancelled) or (isinstance(error, KeyboardInterrupt) and was_pressed):
        print(STOPPED, file=sys.stderr)
        return INTERRUPTED
    if isinstance(error, RecipeError):  # opens with file:line:column, which editors and terminals make a link of
        print(clean(str(error)), file=sys.stderr)
    elif isinstance(error, SidelightError):
        write_error(str(error))
    else:  # nobody raised it on purpose: its text, the last line of code, and how to see more
        text = traceback.format_exception_only(error)[-1].strip()
        for frame in traceback.extract_tb(error.__traceback__)[-1:]:
            text += f"\n  raised in {'/'.join(Path(frame.filename).parts[-2:])}, line {frame.lineno}"
        write_error(f"{text}\n  fix: run the same command with --debug for the traceback")
    return USER if isinstance(error, UserError) else FAILED


def _is_reader_gone() -> bool:
    """True if nobody reads our output any more (`| head`); then Python must not complain about it at exit either."""
    with suppress(OSError, AttributeError):  # no real file, or no `poll` on this system
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # asks for errors alone
        if poll.poll(0):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return True
    return False
