"""The components that a recipe names, looked up and with their parameters read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from sidelight.plugins.model import Available, Unavailable
from sidelight.recipe.fields import read_params
from sidelight.recipe.model import Choice

if TYPE_CHECKING:
    from sidelight_specs import ComponentDescriptor

    from sidelight.problems import Problems


@define(eq=False)
class Candidate:
    """One component on its way to being resolved.

    Args:
        choice: what the recipe says of it.
        available: what the catalog says of it; None when it cannot be used.
        params: its parameters; None when they could not be read.
        provides: its capabilities; None when they are unknown because of an earlier mistake.
        needs: slot to the candidate that fills it.
        trained_on: the data that it learns from.
    """

    choice: Choice
    available: Available | None = None
    params: Any = None
    provides: tuple[str, ...] | None = None
    needs: dict[str, Candidate | None] = field(factory=dict)
    trained_on: Candidate | None = None

    @property
    def descriptor(self) -> ComponentDescriptor | None:
        """What the plugin says of it."""
        return self.available.descriptor if self.available else None


def look_up(choice: Choice, catalog: Any, problems: Problems) -> Candidate:
    """Find a component in the catalog, read its parameters and ask for its capabilities."""
    if not choice.use:
        return Candidate(choice)
    found = catalog.lookup(choice.use, choice.role)
    if isinstance(found, Unavailable):
        problems.add(found.message, choice.use_place, suggestion=found.suggestion)
        return Candidate(choice)
    params = read_params(found.descriptor.params, choice.params, choice.use, choice.use_place, problems)
    candidate = Candidate(choice, found, params)
    if params is not None:
        candidate.provides = _capabilities(candidate, found.descriptor, problems)
    return candidate


def _capabilities(candidate: Candidate, descriptor: ComponentDescriptor, problems: Problems) -> tuple[str, ...] | None:
    try:
        return tuple(descriptor.provided_by(candidate.params))
    except Exception as error:  # a plugin's own code may raise anything
        choice = candidate.choice
        problems.add(
            f"{choice.use} cannot tell its capabilities with these parameters: {error or type(error).__name__}",
            choice.use_place,
        )
        return None
