"""Plan of a run: its steps in order, which follow from the resolved recipe alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from sidelight_specs import UserError
from sidelight_specs.roles import ROLES

from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight.recipe.model import Resolved


@attrs.frozen(eq=False)
class Step:
    """One step of the plan: a component, and the verb of what it does."""

    verb: str
    component: ResolvedComponent

    @property
    def title(self) -> str:
        """`explain explainers.cdeepex`."""
        return f"{self.verb} {self.component.path}"


def plan(resolved: Resolved) -> tuple[Step, ...]:
    """Read the images, fit what learns (needs first), predict, invert, find, explain, measure, render.

    Raises:
        UserError: the recipe lacks data or a classifier, or finds attributes without an inverter.
    """
    main = resolved.main_inverter
    finders = [one for one in resolved.of_role("attribute_finder") if "latents" not in one.provides]
    inverters = [main] if main is not None or not finders else []
    inverters += [finder.needed("inverter") or main for finder in finders]  # of those without latents of their own
    takers: dict[str, Sequence[ResolvedComponent | None]] = {
        "data": [resolved.data],  # where the recipe has several, the ones whose images and answers are explained
        "classifier": [resolved.classifier],
        "inverter": list(dict.fromkeys(inverters)) if inverters != [None] else [],
    }
    steps: list[Step] = []
    for role in ROLES.values():
        for component in takers.get(role.name, resolved.of_role(role.name)) if role.verb else ():
            if component is None:
                raise UserError(f"the recipe has no {role.noun}", f"add a section `{role.section}`")
            steps.append(Step(role.verb, component))
    fits = [Step("fit", component) for component in resolved.components if component.is_trainable]
    return (*steps[:1], *fits, *steps[1:])
