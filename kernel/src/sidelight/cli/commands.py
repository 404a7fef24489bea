"""The commands: name, module, what each does in a line, and an example that works."""

from __future__ import annotations

from typing import NamedTuple

DONE, FAILED, USER, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; the run failed; the user's input is wrong; Ctrl-C (128 + SIGINT, as shells count)."""
STOPPED = "\nstopped; run the same command again to continue"


class Command(NamedTuple):
    """One command of `sidelight`.

    Its module has `add_arguments(parser: argparse.ArgumentParser) -> None` and
    `run(arguments: argparse.Namespace) -> int`; it is imported only when the command is used. A command is
    `supervised` when it runs code of plugins: it then works in a child process (`cli.supervise`).
    """

    name: str
    module: str
    summary: str
    example: str
    supervised: bool = False


COMMANDS = (
    Command(
        "run",
        "sidelight.cli.run",
        "run a recipe; results and a page land in a folder",
        "sidelight run recipes/quickstart.yaml --set explain.count=4",
        supervised=True,
    ),
    Command(
        "serve",
        "sidelight.cli.serve",
        "open a finished run as a live page on this machine",
        "sidelight serve runs/quickstart",
        supervised=True,
    ),
    Command(
        "explore",
        "sidelight.cli.explore",
        "run a recipe and open it as a live page",
        "sidelight explore recipes/interactivity.yaml",
        supervised=True,
    ),
    Command(
        "check",
        "sidelight.cli.check",
        "find every mistake in a recipe without loading a model",
        "sidelight check recipes/quickstart.yaml",
        supervised=True,
    ),
    Command(
        "plugins",
        "sidelight.cli.plugins",
        "list what is installed and whether it works",
        "sidelight plugins --role explainer",
    ),
    Command(
        "describe",
        "sidelight.cli.describe",
        "show a component's parameters, needs, paper, and a snippet for a recipe",
        "sidelight describe PLUGIN/COMPONENT",
        supervised=True,
    ),
    Command(
        "schema",
        "sidelight.cli.schema",
        "print the JSON Schema of recipes, for editors",
        "sidelight schema > recipe.schema.json",
        supervised=True,
    ),
    Command(
        "new",
        "sidelight.cli.new",
        "start a plugin of your own, tests included",
        "sidelight new explainer my-occlusion",
    ),
    Command(
        "verify",
        "sidelight.cli.verify",
        "test a plugin against the contracts on toy models",
        "sidelight verify my-occlusion",
    ),
    Command(
        "cache",
        "sidelight.cli.cache",
        "show what is kept of earlier runs, or clear it",
        "sidelight cache clear --older-than 30d",
    ),
)


def find(name: str) -> Command | None:
    """The command of that name, if there is one."""
    return next((command for command in COMMANDS if command.name == name), None)
