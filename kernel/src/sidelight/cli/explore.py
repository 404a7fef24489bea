"""`sidelight explore`: run a recipe (what is stored is not made again) and open it as a live page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight.cli.run import add_recipe_arguments, run_recipe
from sidelight.cli.serve import add_serving_arguments, serve_folder

if TYPE_CHECKING:
    import argparse

    from sidelight.cli.host import KernelHost


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight explore`."""
    add_recipe_arguments(parser)
    add_serving_arguments(parser)


def run(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Run the recipe, then serve it; gives the exit code."""
    finished = run_recipe(arguments, host)  # not checked: what has failed was said, the rest can be explored
    return serve_folder(str(finished.folder), arguments, host)
