"""`sidelight explore`: run a recipe (what is stored is not made again) and open it as a live page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight.cli.run import add_recipe_arguments
from sidelight.cli.serve import add_serving_arguments, serve_folder

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_recipe_arguments(parser)
    add_serving_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the recipe, then serve it; gives the exit code."""
    from sidelight.engine.api import run as run_recipe

    finished = run_recipe(
        arguments.recipe,
        set=arguments.set,
        swap=arguments.swap,
        out=arguments.out,
        device=arguments.device,
        threads=arguments.threads,
        check=False,  # what has failed was said; the rest can be explored
    )
    return serve_folder(str(finished.folder), arguments)
