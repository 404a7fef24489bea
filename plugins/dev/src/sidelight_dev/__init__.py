"""Light module of the commands for authors of plugins and recipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import hookimpl
from sidelight_specs.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def sidelight_commands() -> Iterator[Command]:
    """The four commands."""
    yield Command(
        name="describe",
        summary="show a component's parameters, needs, paper, and a snippet for a recipe",
        example="sidelight describe PLUGIN/COMPONENT",
        module="sidelight_dev.describe",
    )
    yield Command(
        name="schema",
        summary="print the JSON Schema of recipes, for editors",
        example="sidelight schema > recipe.schema.json",
        module="sidelight_dev.schema",
    )
    yield Command(
        name="new",
        summary="start a plugin of your own, tests included",
        example="sidelight new explainer my-occlusion",
        module="sidelight_dev.new",
    )
    yield Command(
        name="verify",
        summary="test a plugin against the contracts on toy models",
        example="sidelight verify my-occlusion",
        module="sidelight_dev.verify",
    )
