"""How components are called in messages, and how they hang together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import UserError

from sidelight.recipe.model import SECTIONS

if TYPE_CHECKING:
    from sidelight.recipe.model import Resolved, ResolvedComponent

_SECTION_OF = {role: section for section, role in SECTIONS.items()}


def place_of(component: ResolvedComponent) -> str:
    """Where the component stands in the recipe: `classifier`, `explainers.cdeepex`; the section for a single one."""
    section = _SECTION_OF[component.role]
    return section if component.id == component.role else f"{section}.{component.id}"


def is_trainable(component: ResolvedComponent) -> bool:
    """Whether it has to be fitted with these parameters."""
    return "trainable" in component.descriptor.provided_by(component.params)


def has_own_latents(finder: ResolvedComponent) -> bool:
    """Whether an attribute finder works in latents of its own, so that images need not be inverted for it."""
    return "latents" in finder.descriptor.provided_by(finder.params)


def required(component: ResolvedComponent | None, role: str) -> ResolvedComponent:
    """The component, where a run cannot do without one of this role.

    Raises:
        UserError: it is None.
    """
    if component is None:
        raise UserError(f"the recipe has no {role}", f"Add a section `{_SECTION_OF[role]}`.")
    return component


def main_inverter(resolved: Resolved) -> ResolvedComponent | None:
    """The inverter that inverts the explained images: the only one, or the one with the id `inverter`.

    Raises:
        UserError: several, and none has this id.
    """
    found = resolved.of_role("inverter")
    named = [component for component in found if len(found) == 1 or component.id == "inverter"]
    if found and not named:
        ids = ", ".join(component.id for component in found)
        fix = "Give the one that inverts the explained images the id `inverter`; `needs` may name the others."
        raise UserError(f"the recipe has several inverters: {ids}", fix)
    return named[0] if named else None


def inverter_of(component: ResolvedComponent, main: ResolvedComponent | None) -> ResolvedComponent | None:
    """The inverter that `needs` names, and that of the explained images where it names none."""
    return next((other for other in component.needs.values() if other and other.role == "inverter"), main)


def of_another_generator(metric: ResolvedComponent, subject: ResolvedComponent) -> bool:
    """Whether what the subject made lies in the latent space of a generator, and the metric works in another's."""
    own = {other for other in metric.needs.values() if other is not None and other.role == "generator"}
    used = {other for other in closure(subject) if other.role == "generator"}
    return bool(own and used) and not own & used


def closure(component: ResolvedComponent) -> frozenset[ResolvedComponent]:
    """The component, everything that it needs, and what these learn from."""
    direct = [other for other in (*component.needs.values(), component.trained_on) if other is not None]
    return frozenset({component}).union(*(closure(other) for other in direct))
