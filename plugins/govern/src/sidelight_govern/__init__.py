"""Light module of the commands for whoever answers for what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import hookimpl
from sidelight_specs.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def sidelight_commands() -> Iterator[Command]:
    """The commands `lock` and `doctor`."""
    yield Command(
        name="lock",
        summary="write down what a recipe depends on: distributions, files, weights, by hash",
        example="sidelight lock recipes/quickstart.yaml",
        module="sidelight_govern.lock",
    )
    yield Command(
        name="doctor",
        summary="load every plugin, each in its own process; say what is broken, slow or blocked",
        example="sidelight doctor --json",
        module="sidelight_govern.doctor",
    )
