"""Plan of a run: its steps in order, which follow from the resolved recipe alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from sidelight_specs import UserError
from sidelight_specs.observers import StepFacts
from sidelight_specs.roles import ROLES

from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from sidelight.recipe.model import Resolved

_LISTED = {name: role.verb for name, role in ROLES.items() if role.verb in ("find", "explain", "measure", "render")}
"""Roles of which every component of the recipe takes a step of its own."""


@attrs.frozen(eq=False)
class Step:
    """One step of the plan.

    Args:
        verb: its name.
        component: who takes it.
    """

    verb: str
    component: ResolvedComponent

    @property
    def title(self) -> str:
        """`explain explainers.cdeepex`."""
        return f"{self.verb} {self.component.place}"

    def facts(self, number: int, total: int) -> StepFacts:
        """The step as observers see it."""
        component = self.component
        return StepFacts(
            title=self.title,
            verb=self.verb,
            use=component.use,
            id=component.id,
            role=component.role,
            number=number,
            total=total,
        )


def plan(resolved: Resolved) -> tuple[Step, ...]:
    """All steps: read the images, fit what learns (needs first), predict, and what the recipe lists.

    Raises:
        UserError: the recipe lacks data or a classifier, or finds attributes without an inverter.
    """
    steps = [Step("read", _required(resolved.data, "data"))]
    steps += [Step("fit", component) for component in resolved.components if component.is_trainable]
    steps.append(Step("predict", _required(resolved.classifier, "classifier")))
    main = resolved.main_inverter
    inverters = [main] if main is not None else []
    for finder in resolved.of_role("attribute_finder"):
        if "latents" not in finder.provides:  # it works in the latents of an inverter
            inverters.append(_required(finder.needed("inverter") or main, "inverter"))
    steps += [Step("invert", inverter) for inverter in dict.fromkeys(inverters)]
    steps += [Step(verb, component) for role, verb in _LISTED.items() for component in resolved.of_role(role)]
    return tuple(steps)


def _required(component: ResolvedComponent | None, section: str) -> ResolvedComponent:
    if component is None:
        raise UserError(f"the recipe has no {section}", f"add a section `{section}`")
    return component
