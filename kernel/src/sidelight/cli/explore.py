"""`sidelight explore`: run a recipe (what is stored is not made again) and open it as a live page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight.cli.serve import add_serving_arguments, serve_folder

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("recipe", metavar="RECIPE", help="a YAML file")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="change one value: explain.count=20"
    )
    parser.add_argument(
        "--swap", metavar="ROLE=USE", action="append", default=[], help="exchange a component: data=PLUGIN/COMPONENT"
    )
    parser.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/ and the recipe's name)")
    add_serving_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the recipe, then serve it; gives the exit code."""
    from sidelight.execution.recipes import run as run_recipe

    finished = run_recipe(
        arguments.recipe,
        set=arguments.set,
        swap=arguments.swap,
        out=arguments.out,
        device=arguments.device,
        threads=arguments.threads,
    )
    return serve_folder(str(finished.folder), arguments)
