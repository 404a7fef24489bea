"""`sidelight run`: run a recipe and say where its page lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from sidelight.cli.host import KernelHost
    from sidelight.engine.results import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight run`."""
    add_recipe_arguments(parser)
    add_computing_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the recipe, changes to it, and the run's folder."""
    parser.add_argument("recipe", metavar="RECIPE", help="a YAML file")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="change one value: explain.count=20"
    )
    parser.add_argument(
        "--swap", metavar="ROLE=USE", action="append", default=[], help="exchange a component: data=PLUGIN/COMPONENT"
    )
    parser.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/ and the recipe's name)")


def add_computing_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the device and the threads."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument(
        "--threads", metavar="N", type=_positive, help="threads to compute with (default: OMP_NUM_THREADS, or 1)"
    )


def run(arguments: argparse.Namespace, host: KernelHost) -> int:
    """Run the recipe; gives the exit code."""
    finished = run_recipe(arguments, host, progress=not arguments.quiet)
    _show(finished, host)
    finished.check()
    return 0


def run_recipe(arguments: argparse.Namespace, host: KernelHost, *, progress: bool = True) -> Run:
    """Run the recipe that the arguments of `add_recipe_arguments` and `add_computing_arguments` name."""
    names = ("set", "swap", "out", "device", "threads")
    settings = {name: getattr(arguments, name) for name in names}
    return host.run(arguments.recipe, progress=progress, **settings)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _show(finished: Run, host: KernelHost) -> None:
    from sidelight_specs.results.table import HEADINGS

    table = finished.measurements
    if len(table):
        host.write_table(HEADINGS, [row.cells for row in table])
    for note in table.notes:
        host.write(note)
    cache, seconds = finished.manifest["cache"], finished.manifest["seconds"]
    steps = cache["found"] + cache["made"]
    host.write(f"{cache['found']} of {steps} parts came from the cache; {seconds['total']:.1f} s in all")
    for page in finished.pages:
        host.write(f"open {page}")
    if not finished.pages:
        host.write(f"results are in {finished.folder}")
