"""`sidelight schema`: the JSON Schema of recipes, so that an editor completes and checks them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sidelight.cli.failures import DONE
from sidelight.cli.output import write, write_json
from sidelight.recipe.schema import recipe_schema
from sidelight.registry.catalog import Unavailable, installed

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight schema`: it has none."""
    parser.description = (
        "Print the JSON Schema (draft 2020-12) of recipes for the installed plugins. Editors with a YAML language "
        "server use it when a recipe starts with: # yaml-language-server: $schema=recipe.schema.json"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the schema of recipes that use what is installed, and on stderr what is left out because it is broken."""
    del arguments
    catalog = installed()
    write_json(recipe_schema(catalog))
    for entry in catalog.entries():
        found = catalog.lookup(entry.use, entry.role)
        if isinstance(found, Unavailable) and found.kind == "broken":
            write(f"left out: {found.message}", to=sys.stderr)
    for fault in catalog.problems():
        write(f"left out: {fault}", to=sys.stderr)
    return DONE
