"""Light module of the commands that find a first recipe, or write one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import hookimpl
from sidelight_specs.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def sidelight_commands() -> Iterator[Command]:
    """The commands `init` and `recipes`."""
    yield Command(
        name="init",
        summary="write a commented recipe for your model and your images",
        example="sidelight init counterfactuals --images photos --model model.pt2",
        module="sidelight_start.init",
    )
    yield Command(
        name="recipes",
        summary="list the installed recipes, print one, or copy one to be edited",
        example="sidelight recipes quickstart --copy",
        module="sidelight_start.listing",
    )
