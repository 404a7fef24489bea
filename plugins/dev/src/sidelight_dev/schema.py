"""`sidelight schema`: JSON Schema of recipes, with which an editor completes and checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from sidelight_specs.host import Host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight schema`: it has none."""
    parser.description = (
        "Print the JSON Schema (draft 2020-12) of recipes for the installed plugins. Editors with a YAML language "
        "server use it when a recipe starts with: # yaml-language-server: $schema=recipe.schema.json"
    )


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Print the schema, and on stderr what is left out because it is broken."""
    del arguments
    schema, left_out = host.schema()
    host.write_json(schema)
    for reason in left_out:
        host.write(f"left out: {reason}", error=True)
    return 0
