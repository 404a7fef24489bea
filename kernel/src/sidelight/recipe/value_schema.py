"""JSON Schema of parameters, from the same walk that checks them."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

import attrs
from sidelight_specs.params import Param, describe

from sidelight.recipe.expectation import expected
from sidelight.recipe.written import plain_value

VARIABLE = {"$ref": "#/$defs/variable"}
"""Stands for a value that `vars:` fills in."""
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", types.NoneType: "null"}


def params_schema(cls: type) -> dict[str, Any]:
    """The schema of a `with:` mapping; parameters that must be given are not required here, see `required_params`."""
    properties = {param.name: _param(param) for param in describe(cls)}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def required_params(cls: type) -> list[str]:
    """The parameters without default."""
    return [param.name for param in describe(cls) if param.default is attrs.NOTHING]


def _param(param: Param) -> dict[str, Any]:
    schema = _value(param.type, param) | {"description": f"{param.help} Expected: {expected(param)}."}
    if param.default is not attrs.NOTHING:
        schema["default"] = plain_value(param.default)
    return schema


def _value(annotation: Any, param: Param) -> dict[str, Any]:
    """The schema of one type. Wherever text is not allowed anyway, a variable may stand."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    schemas = [_part(part, param) for part in parts]
    return schemas[0] if schemas == [{"type": "string"}] else {"anyOf": [*schemas, VARIABLE]}


def _part(annotation: Any, param: Param) -> dict[str, Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _value(arguments[0], param)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(arguments[1], param)}
    schema: dict[str, Any] = {"type": _TYPES[annotation]}
    if annotation in (int, float):
        bounds = {"minimum": param.minimum, "maximum": param.maximum}
        schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    if param.choices and annotation is not types.NoneType:
        schema["enum"] = list(param.choices)
    return schema
