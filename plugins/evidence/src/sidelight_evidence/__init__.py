"""Light module of the commands that make a run evidence: `bundle` packs it, `audit` verifies and recomputes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import hookimpl
from sidelight_specs.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def sidelight_commands() -> Iterator[Command]:
    """The two commands."""
    yield Command(
        name="bundle",
        summary="pack a run with digests, cards and licences, for auditors",
        example="sidelight bundle runs/quickstart --out quickstart.zip",
        module="sidelight_evidence.bundle",
    )
    yield Command(
        name="audit",
        summary="verify a bundle, and compute a sample of its explanations again",
        example="sidelight audit quickstart.zip --sample 4",
        module="sidelight_evidence.audit",
    )
