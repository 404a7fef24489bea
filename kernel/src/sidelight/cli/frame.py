"""The frame: what `sidelight` itself understands, and handing the rest of the line to a command."""

from __future__ import annotations

import argparse
import difflib
import importlib
from typing import TYPE_CHECKING, Any

from sidelight.cli.commands import COMMANDS, Command, find
from sidelight.cli.failures import DONE
from sidelight.cli.output import write
from sidelight.terminal import clean

if TYPE_CHECKING:
    from sidelight_specs import UserError

HELP = """\
usage: sidelight [--debug] COMMAND ...

Sidelight explains what an image classifier looks at.

It reads a recipe, a YAML file that names data, a classifier and the explainers to compare, runs it
once, keeps every result, and shows them on a page. Techniques are plugins: packages of their own.

Try first, in a clone of Sidelight:
  sidelight run recipes/quickstart.yaml

Commands:
{commands}

Options:
  -h, --help   this page; `sidelight COMMAND --help` explains a command
  --version    the version
  --debug      with any command: show the traceback of an error

Exit codes: 0 done, 1 the run failed, 2 the recipe or the command line is wrong, 130 interrupted.
"""


class _Parser(argparse.ArgumentParser):
    """Says nothing that could drive the terminal, such as a wrong argument that is a file's name."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(clean(message), file)


def dispatch(argv: list[str]) -> int:
    """Understand one command line and run its command.

    Raises:
        UserError: there is no such command or option.
    """
    words = [word for word in argv if word != "--debug"]
    first = words[0] if words else "--help"
    if first in ("-h", "--help"):
        if len(words) > 1:
            return dispatch([words[1], "--help"])
        write(help_text().rstrip())
        return DONE
    if first == "--version":
        write(_version())
        return DONE
    command = find(first)
    if command is None:
        raise _refusal(first)
    return _run(command, words[1:], debug="--debug" in argv)


def help_text() -> str:
    """The page of `sidelight --help`."""
    lines = []
    for command in COMMANDS:
        lines += [f"  {command.name:<10} {command.summary}", f"  {'':<10}   $ {command.example}"]
    return HELP.format(commands="\n".join(lines))


def _run(command: Command, words: list[str], *, debug: bool) -> int:
    module = importlib.import_module(command.module)
    parser = _Parser(
        prog=f"sidelight {command.name}",
        description=f"{command.summary[0].upper()}{command.summary[1:]}.",
        epilog=f"example: {command.example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    module.add_arguments(parser)
    try:
        arguments = parser.parse_args(["--debug", *words] if debug else words)
    except SystemExit as stop:  # argparse has shown its help (0) or said what is wrong with the line (2)
        return int(stop.code or DONE)
    code: int = module.run(arguments)
    return code


def _refusal(word: str) -> UserError:
    from sidelight_specs import UserError

    if word.startswith("-"):
        return UserError(f'unknown option "{word}"', "put options of a command after it; `sidelight --help` lists all")
    close = difflib.get_close_matches(word, [command.name for command in COMMANDS], n=1)
    hint = f'did you mean "{close[0]}"? ' if close else ""
    return UserError(f'unknown command "{word}"', f"{hint}`sidelight --help` lists the commands")


def _version() -> str:
    from importlib.metadata import version

    return f"sidelight {version('sidelight')}"
