"""A resolved recipe written out in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from sidelight.recipe.model import SECTIONS
from sidelight.recipe.structure import VERSION
from sidelight.recipe.variables import escape
from sidelight.recipe.wiring import TRAINING_SLOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight.recipe.model import Explain, ResolvedComponent


def write_out(name: str, seed: int, explain: Explain, components: Iterable[ResolvedComponent]) -> dict[str, Any]:
    """The recipe as plain values, every default and every need written out; reading it again resolves to the same.

    Args:
        name: of the recipe.
        seed: of the recipe.
        explain: which images are explained.
        components: in recipe order.
    """
    plain = {"recipe": VERSION, "name": name, "seed": seed, "explain": params_plain(explain)}
    every = tuple(components)
    for section, role in SECTIONS.items():
        own = [component for component in every if component.role == role]
        if [component.id for component in own] == [role]:
            plain[section] = _component(own[0])
        elif own:
            plain[section] = {component.id: _component(component) for component in own}
    return plain


def params_plain(params: Any) -> dict[str, Any]:
    """Every parameter with its value, as lists, dicts and scalars that a recipe can hold."""
    return {field.name: plain_value(getattr(params, field.name)) for field in attrs.fields(type(params))}


def _component(component: ResolvedComponent) -> dict[str, Any]:
    needs = {slot: other.id if other else None for slot, other in component.needs.items()}
    if component.trained_on:
        needs.setdefault(TRAINING_SLOT, component.trained_on.id)
    parts = {"use": component.use, "with": params_plain(component.params), "needs": needs}
    return {key: value for key, value in parts.items() if value}


def plain_value(value: Any) -> Any:
    """A parameter's value as a recipe writes it: lists for tuples, `$${` for the characters `${`."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, (tuple, list)):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {key: plain_value(item) for key, item in value.items()}
    return value
