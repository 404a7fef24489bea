"""The steps of a run, in the order in which they can be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from sidelight.engine.naming import required
from sidelight.recipe.model import ResolvedComponent

if TYPE_CHECKING:
    from sidelight.recipe.model import Resolved

Verb = Literal["read", "fit", "predict", "invert", "find", "explain", "measure", "render"]
_LISTED: tuple[tuple[Verb, str], ...] = (
    ("find", "attribute_finder"),
    ("explain", "explainer"),
    ("measure", "metric"),
    ("render", "renderer"),
)


@attrs.frozen(eq=False)
class Step:
    """One step: who takes it, and which components have to be alive for it.

    Args:
        verb: what is done.
        component: who does it.
        uses: the component and everything behind it.
    """

    verb: Verb
    component: ResolvedComponent
    uses: frozenset[ResolvedComponent]

    @property
    def title(self) -> str:
        """`explain explainers.cdeepex`."""
        return f"{self.verb} {self.component.place}"


def plan(resolved: Resolved) -> tuple[Step, ...]:
    """Read the images, fit what learns (needs first), predict, invert, find, explain, measure, render.

    Raises:
        UserError: the recipe lacks data or a classifier, or finds attributes without an inverter.
    """
    pairs: list[tuple[Verb, ResolvedComponent]] = [("read", required(resolved.data, "data"))]
    pairs += [("fit", component) for component in resolved.components if component.is_trainable]
    pairs.append(("predict", required(resolved.classifier, "classifier")))
    pairs += [("invert", inverter) for inverter in _inverters(resolved)]
    for verb, role in _LISTED:
        pairs += [(verb, component) for component in resolved.of_role(role)]
    return tuple(Step(verb, component, component.closure) for verb, component in pairs)


def _inverters(resolved: Resolved) -> list[ResolvedComponent]:
    """That of the explained images, and those of attribute finders that name another."""
    main = resolved.main_inverter
    finders = [finder for finder in resolved.of_role("attribute_finder") if "latents" not in finder.provides]
    named = [required((finder.needed("inverter") or main), "inverter") for finder in finders]
    return list(dict.fromkeys([main, *named] if main is not None else named))


def still_needed(steps: tuple[Step, ...], done: int) -> frozenset[ResolvedComponent]:
    """The components that steps after the first `done` use."""
    return frozenset().union(*(step.uses for step in steps[done:]))
