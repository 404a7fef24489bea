"""`sidelight new`: start a plugin of your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidelight_specs.roles import ROLES

from sidelight.cli.failures import DONE
from sidelight.cli.output import write
from sidelight.scaffold import Names, write_plugin

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight new`."""
    parser.add_argument("role", metavar="ROLE", type=_role, choices=ROLES, help=f"one of {', '.join(ROLES)}")
    parser.add_argument("name", metavar="NAME", help="the distribution's name, such as acme-occlusion")
    parser.add_argument("--folder", metavar="DIR", type=Path, help="where to write it (default: ./NAME)")


def run(arguments: argparse.Namespace) -> int:
    """Write the plugin and say what to do next.

    Raises:
        UserError: the name is not usable, or the folder is not empty.
    """
    names = Names.of(arguments.name, arguments.role)
    folder = arguments.folder or Path(names.distribution)
    for path in write_plugin(names, folder):
        write(f"  {path}")
    write(f"\n{names.use} works as it stands; replace its method by your own. Next:")
    write(f"  pip install -e {folder}\n  sidelight verify {names.distribution}\n  sidelight describe {names.use}")
    return DONE


def _role(text: str) -> str:
    return text.replace("-", "_")
