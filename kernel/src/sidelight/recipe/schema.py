"""JSON Schema (draft 2020-12) of recipes for the installed plugins, so that an editor completes and checks them.

It describes the plain form of a file. What needs more than one place at a time (wiring, capabilities, variables) is
left to `sidelight check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight.recipe.merge import COMPONENT_KEYS
from sidelight.recipe.model import SECTIONS, Explain
from sidelight.recipe.structure import ID, MAX_SEED, NAME, VERSION
from sidelight.recipe.value_schema import params_schema, required_params
from sidelight.recipe.variables import NAME as VARIABLE_NAME
from sidelight.recipe.wiring import training_need
from sidelight.registry.model import Available

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight.registry.catalog import Catalog


def recipe_schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of recipes that use only components which are installed and load."""
    found = [catalog.lookup(entry.use, entry.role) for entry in catalog.entries()]
    usable = [component for component in found if isinstance(component, Available)]
    by_role = {role: [one for one in usable if one.role == role] for role in SECTIONS.values()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sidelight recipe",
        "type": "object",
        "properties": _properties() | {section: _section(_ref(role)) for section, role in SECTIONS.items()},
        "additionalProperties": False,
        "if": {"required": ["extends"]},
        "else": {
            "required": ["recipe", "data", "classifier"],
            "properties": {section: _section(_ref(f"complete.{role}")) for section, role in SECTIONS.items()},
        },
        "$defs": {
            "variable": {"type": "string", "pattern": rf"^\$\{{{VARIABLE_NAME.pattern}\}}$"},
            **{role: _component(components) for role, components in by_role.items()},
            **{f"complete.{role}": _complete(role, components) for role, components in by_role.items()},
            **{_key(component): params_schema(component.descriptor.params) for component in usable},
        },
    }


def _properties() -> dict[str, Any]:
    """The keys of a recipe that are no sections of components."""
    return {
        "recipe": {"const": VERSION, "description": "The version of the recipe format."},
        "name": {"type": "string", "pattern": _whole(NAME.pattern), "description": "Names the run and its folder."},
        "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED, "description": "Of every random stream."},
        "extends": {"type": ["string", "null"], "description": "A recipe, relative to this file, to start from."},
        "vars": {"type": ["object", "null"], "propertyNames": {"pattern": _whole(VARIABLE_NAME.pattern)}},
        "explain": params_schema(Explain),
    }


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _key(component: Available) -> str:
    """The name of the schema of a component's parameters; a slash would have to be escaped in references."""
    return f"with.{component.role}.{component.use.replace('/', '.')}"


def _section(component: dict[str, Any]) -> dict[str, Any]:
    """One component, or a mapping of ids to components."""
    return {
        "type": ["object", "null"],
        "if": {"type": "object", "anyOf": [{"required": [key]} for key in COMPONENT_KEYS]},
        "then": component,
        "else": {
            "propertyNames": {"pattern": _whole(ID.pattern)},
            "additionalProperties": {"if": {"type": "null"}, "else": component},
        },
    }


def _component(components: Iterable[Available]) -> dict[str, Any]:
    """A component of one role, of which another recipe may give the rest."""
    every = list(components)
    uses = [{"const": one.use, "description": one.descriptor.summary} for one in every]
    return {
        "type": "object",
        "properties": {
            "use": {"oneOf": uses} if uses else False,
            "with": {"type": ["object", "null"]},
            "needs": {"type": ["object", "null"]},
        },
        "additionalProperties": False,
        "allOf": [_when(one.use, {"properties": {"with": _ref(_key(one)), "needs": _needs(one)}}) for one in every],
    }


def _complete(role: str, components: Iterable[Available]) -> dict[str, Any]:
    """A component of a recipe that extends no other."""
    demands = []
    for one in components:
        names = required_params(one.descriptor.params)
        if names:
            with_params = {"required": ["with"], "properties": {"with": {"type": "object", "required": names}}}
            demands.append(_when(one.use, with_params))
    return {"allOf": [_ref(role), {"required": ["use"]}, *demands]}


def _when(use: str, then: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {"use": {"const": use}}, "required": ["use"]}, "then": then}


def _needs(component: Available) -> dict[str, Any]:
    descriptor = component.descriptor
    training = training_need(descriptor, descriptor.provides)
    slots = {
        need.slot: {"type": ["string", "null"], "description": f"The id of a component of the role {need.role}."}
        for need in (*descriptor.needs, *([training] if training else []))
    }
    return {"type": ["object", "null"], "properties": slots, "additionalProperties": False}
