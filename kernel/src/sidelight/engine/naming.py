"""Components that a run cannot do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import UserError

if TYPE_CHECKING:
    from sidelight.recipe.model import ResolvedComponent


def required(component: ResolvedComponent | None, role: str) -> ResolvedComponent:
    """The component, where a run cannot do without one of this role.

    Raises:
        UserError: it is None.
    """
    if component is None:
        raise UserError(f"the recipe has no {role}", f"Add a section `{role}`.")
    return component
