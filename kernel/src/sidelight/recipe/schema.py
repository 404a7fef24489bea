"""JSON Schema (draft 2020-12) of recipes for the installed plugins, so that an editor completes and checks them.

It describes the plain form of a file. What needs more than one place at a time (wiring, capabilities, variables) is
left to `sidelight check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs.params import Param, describe

from sidelight.recipe.compose import VARIABLE_NAME
from sidelight.recipe.load import ID, MAX_SEED, NAME
from sidelight.recipe.model import COMPONENT_KEYS, SECTIONS, VERSION, Explain
from sidelight.recipe.resolve import plain_value
from sidelight.recipe.wiring import training_need
from sidelight.registry.catalog import Available

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight.registry.catalog import Catalog


VARIABLE = {"$ref": "#/$defs/variable"}
"""Stands for a value that `vars:` fills in."""


def recipe_schema(catalog: Catalog) -> dict[str, Any]:
    """The schema of recipes that use only components which are installed and load."""
    results = [catalog.lookup(entry.use, entry.role) for entry in catalog.entries()]
    usable = [component for component in results if isinstance(component, Available)]
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


def params_schema(cls: type) -> dict[str, Any]:
    """The schema of a `with:` mapping; parameters that must be given are required of complete recipes only."""
    properties = {param.name: _param(param) for param in describe(cls)}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _param(param: Param) -> dict[str, Any]:
    schema = param.type.schema(VARIABLE) | {"description": f"{param.help} Expected: {param.type.words()}."}
    return schema if param.default is attrs.NOTHING else schema | {"default": plain_value(param.default)}


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
        names = [param.name for param in describe(one.descriptor.params) if param.default is attrs.NOTHING]
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
