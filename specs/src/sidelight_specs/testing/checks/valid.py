"""The validation that a run applies to every artifact, as an assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import kinds
from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from sidelight_specs.artifacts import Artifact


def expect_valid(artifact: Artifact, images: tuple[int, ...] | None, verb: str) -> None:
    """Fail with what `kinds.check` says."""
    try:
        kinds.check(artifact, images=images)
    except SidelightError as error:
        raise AssertionError(f"{verb} gives {error}") from error
