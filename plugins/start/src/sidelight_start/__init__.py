"""Light module of the command that writes a first recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import hookimpl
from sidelight_specs.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def sidelight_commands() -> Iterator[Command]:
    """The command `init`."""
    yield Command(
        name="init",
        summary="write a commented recipe for your model and your images",
        example="sidelight init counterfactuals --images photos --model model.pt2",
        module="sidelight_start.init",
    )
