"""The validation that a run applies to every artifact, as an assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from sidelight_specs.artifacts import Artifact


def expect_valid(found: Artifact, images: tuple[int, ...] | None, verb: str) -> None:
    """Fail with what `Artifact.validate` says."""
    try:
        found.validate(images)
    except SidelightError as error:
        raise AssertionError(f"{verb} gives an invalid {found.kind}: {error}") from error
