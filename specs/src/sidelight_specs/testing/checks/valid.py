"""The validation that a run applies to every artifact, as an assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs.artifacts import check_artifact
from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    from sidelight_specs.artifacts import Artifact


def expect_valid(artifact: Artifact, images: tuple[int, ...] | None, verb: str) -> None:
    """Fail with what `check_artifact` says."""
    try:
        check_artifact(artifact, images=images)
    except SidelightError as error:
        raise AssertionError(f"{verb} gives {error}") from error
