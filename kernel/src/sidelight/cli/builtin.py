"""Plugin of the built-in commands: registered before every other, by the same hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import hookimpl
from sidelight_specs.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def sidelight_commands() -> Iterator[Command]:
    """Commands without which there would be no run."""
    yield Command(
        name="run",
        summary="run a recipe; results and a page land in a folder",
        example="sidelight run recipes/quickstart.yaml --set explain.count=4",
        module="sidelight.cli.run",
    )
    yield Command(
        name="serve",
        summary="open a finished run as a live page on this machine",
        example="sidelight serve runs/quickstart",
        module="sidelight.cli.serve",
    )
    yield Command(
        name="explore",
        summary="run a recipe and open it as a live page",
        example="sidelight explore recipes/interactivity.yaml",
        module="sidelight.cli.explore",
    )
    yield Command(
        name="check",
        summary="find every mistake in a recipe without loading a model",
        example="sidelight check recipes/quickstart.yaml",
        module="sidelight.cli.check",
    )
    yield Command(
        name="plugins",
        summary="list what is installed and whether it works",
        example="sidelight plugins --role explainer",
        module="sidelight.cli.plugins",
    )
    yield Command(
        name="cache",
        summary="show what is kept of earlier runs, or clear it",
        example="sidelight cache clear --older-than 30d",
        module="sidelight.cli.cache",
    )
