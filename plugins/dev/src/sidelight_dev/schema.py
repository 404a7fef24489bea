"""`sidelight schema`: JSON Schema of recipes, with which an editor completes and checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs import UserError
from sidelight_specs.host import Available
from sidelight_specs.params import Param, describe
from sidelight_specs.recipe import (
    COMPONENT_KEYS,
    ID,
    MAX_SEED,
    NAME,
    TITLE,
    VARIABLE_NAME,
    VERSION,
    Explain,
    plain_value,
    training_need,
)
from sidelight_specs.roles import ROLES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from sidelight_specs.host import Host

VARIABLE = {"$ref": "#/$defs/variable"}
"""Stands for a value that `vars:` fills in."""
_SECTIONS = {name: role.section for name, role in ROLES.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight schema`: it has none."""
    parser.description = (
        "Print the JSON Schema (draft 2020-12) of recipes for the installed plugins. Editors with a YAML language "
        "server use it when a recipe starts with: # yaml-language-server: $schema=recipe.schema.json"
    )


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Print the schema, and on stderr what is left out because it is broken."""
    del arguments
    usable, left_out = list[Available](), list[str]()
    for use, role in dict.fromkeys((one.use, one.role) for one in host.installed() if one.role in ROLES):
        try:
            usable += host.find(use, role)
        except UserError as error:
            left_out.append(error.message)
    host.write_json(recipe_schema(usable))
    for reason in (*left_out, *host.problems()):
        host.write(f"left out: {reason}", error=True)
    return 0


def recipe_schema(components: Iterable[Available]) -> dict[str, Any]:
    """The schema of recipes that use only these components.

    It describes the plain form of a file. What needs more than one place at a time (wiring, capabilities, variables) is
    left to `sidelight check`.
    """
    usable = tuple(components)
    by_role = {role: [one for one in usable if one.role == role] for role in ROLES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sidelight recipe",
        "type": "object",
        "properties": _properties() | {section: _section(role, _ref(role)) for role, section in _SECTIONS.items()},
        "additionalProperties": False,
        "if": {"required": ["extends"]},
        "else": {
            "required": ["recipe", "data", "classifier"],
            "properties": {section: _section(role, _ref(f"complete.{role}")) for role, section in _SECTIONS.items()},
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
        "title": {"type": "string", "pattern": _whole(TITLE.pattern), "description": "Heads the report."},
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


def _section(role: str, component: dict[str, Any]) -> dict[str, Any]:
    """One component, or a mapping of ids to components; sentences, where the role has some, in their place."""
    texts = ["string"] if ROLES[role].sentences else []
    return {
        "type": ["object", "null", *texts],
        "if": {"type": "object", "anyOf": [{"required": [key]} for key in COMPONENT_KEYS]},
        "then": component,
        "else": {
            "propertyNames": {"pattern": _whole(ID.pattern)},
            "additionalProperties": {"if": {"type": ["null", *texts]}, "else": component},
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
        "allOf": [_when(one.use, {"properties": {"with": _ref(_key(one)), "needs": _needs(one)}}) for one in every]
        or [True],
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
