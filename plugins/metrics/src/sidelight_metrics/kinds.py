"""Check of an explanation's kind, shared by all metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, overload

from sidelight_specs import SidelightError

if TYPE_CHECKING:
    from sidelight_specs.artifacts import Artifact

K = TypeVar("K", bound="Artifact")
L = TypeVar("L", bound="Artifact")


@overload
def expect_kind(explanation: Artifact, kind: type[K], /) -> K: ...
@overload
def expect_kind(explanation: Artifact, kind: type[K], other: type[L], /) -> K | L: ...
def expect_kind(explanation: Artifact, *kinds: type[Artifact]) -> Artifact:
    """The explanation itself, if it is of one of these kinds.

    Raises:
        SidelightError: it is of another kind.
    """
    if not isinstance(explanation, kinds):
        expected = " or ".join(f'"{kind.kind}"' for kind in kinds)
        raise SidelightError(f'this metric measures {expected}, not "{explanation.kind}"')
    return explanation
