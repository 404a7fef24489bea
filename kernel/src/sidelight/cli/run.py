"""`sidelight run`: run a recipe and say where its page lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from sidelight.engine.results import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    add_recipe_arguments(parser)
    add_computing_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Which recipe, with which changes, to which folder."""
    parser.add_argument("recipe", metavar="RECIPE", help="a YAML file")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="change one value: explain.count=20"
    )
    parser.add_argument(
        "--swap", metavar="ROLE=USE", action="append", default=[], help="exchange a component: data=PLUGIN/COMPONENT"
    )
    parser.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/ and the recipe's name)")


def add_computing_arguments(parser: argparse.ArgumentParser) -> None:
    """On what it is computed."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument(
        "--threads", metavar="N", type=_positive, help="threads to compute with (default: OMP_NUM_THREADS, or 1)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the recipe; gives the exit code."""
    from sidelight.engine.api import run as run_recipe

    finished = run_recipe(
        arguments.recipe,
        set=arguments.set,
        swap=arguments.swap,
        out=arguments.out,
        device=arguments.device,
        threads=arguments.threads,
        progress=not arguments.quiet,
        check=False,
    )
    _show(finished)
    finished.check()
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _show(finished: Run) -> None:
    from sidelight_specs.results.table import HEADINGS

    from sidelight.cli.output import write, write_table

    table = finished.measurements
    if len(table):
        write_table(HEADINGS, [row.cells for row in table])
    for note in table.notes:
        write(note)
    cache, seconds = finished.manifest["cache"], finished.manifest["seconds"]
    steps = cache["found"] + cache["made"]
    write(f"{cache['found']} of {steps} parts came from the cache; {seconds['total']:.1f} s in all")
    for page in finished.pages:
        write(f"open {page}")
    if not finished.pages:
        write(f"results are in {finished.folder}")
