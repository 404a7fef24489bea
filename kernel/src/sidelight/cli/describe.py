"""`sidelight describe`: everything one component says of itself, and a snippet to paste into a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import UserError
from sidelight_specs.roles import ROLES

from sidelight.cli.component_facts import facts
from sidelight.cli.component_page import write_page
from sidelight.cli.failures import DONE
from sidelight.cli.output import write, write_json
from sidelight.registry.catalog import Available, Unavailable, installed

if TYPE_CHECKING:
    import argparse

    from sidelight.registry.catalog import Catalog


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight describe`."""
    parser.add_argument("use", metavar="USE", help="the component as a recipe names it, PLUGIN/COMPONENT")
    parser.add_argument("--role", choices=ROLES, help="which one, where a plugin has the same name in two roles")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace) -> int:
    """Describe a component in every role it has.

    Raises:
        UserError: it is not installed, broken or blocked.
    """
    found = find(installed(), arguments.use, arguments.role)
    if arguments.json:
        described = [facts(component) for component in found]
        write_json(described[0] if len(described) == 1 else described)
        return DONE
    for number, component in enumerate(found):
        if number:
            write()
        write_page(facts(component))
    return DONE


def find(catalog: Catalog, use: str, role: str | None) -> list[Available]:
    """The components of that name, in one role or in all that it has.

    Raises:
        UserError: there is none that can be used.
    """
    roles = [role] if role else list(dict.fromkeys(entry.role for entry in catalog.entries() if entry.use == use))
    answers = [catalog.lookup(use, one) for one in roles] or [catalog.missing(use, None)]
    for answer in answers:
        if isinstance(answer, Unavailable):
            raise UserError(answer.message, answer.suggestion) from answer.cause
    return [answer for answer in answers if isinstance(answer, Available)]
