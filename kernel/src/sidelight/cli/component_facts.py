"""What a component says of itself, as plain values: for `describe --json` and for the page that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import yaml
from sidelight_specs.params import Param, describe

from sidelight.recipe.model import SECTIONS

if TYPE_CHECKING:
    from sidelight_specs import ComponentDescriptor, Need

    from sidelight.registry.catalog import Available


def facts(component: Available) -> dict[str, Any]:
    """Everything known of a component; keys that its role does not have (`gives`, `answers`, `accepts`) are absent."""
    descriptor = component.descriptor
    return {
        "use": component.use,
        "role": component.role,
        "distribution": component.distribution,
        "version": component.version,
        "summary": descriptor.summary,
        "parameters": [_parameter(param) for param in describe(descriptor.params)],
        "needs": [_need(need) for need in descriptor.needs],
        "provides": list(descriptor.provides),
        **_of_role(descriptor),
        "paper": descriptor.paper,
        "example": snippet(component.use, component.role, descriptor.example),
    }


def snippet(use: str, role: str, example: dict[str, Any]) -> str:
    """YAML for a recipe: the section of the role with this component in it."""
    section = next(section for section, held in SECTIONS.items() if held == role)
    choice: dict[str, Any] = {"use": use}
    if example:
        choice["with"] = _plain(example)
    # A section named in the plural takes ids; the component's own name is a good one.
    held = choice if section == role else {use.rpartition("/")[2]: choice}
    return yaml.safe_dump({section: held}, sort_keys=False, default_flow_style=False, allow_unicode=True).rstrip()


def _parameter(param: Param) -> dict[str, Any]:
    required = param.default is attrs.NOTHING
    return {
        "name": param.name,
        "type": str(param.type),
        "required": required,
        "default": None if required else _plain(param.default),
        "minimum": param.minimum,
        "maximum": param.maximum,
        "choices": list(param.choices),
        "unit": param.unit,
        "help": param.help,
    }


def _need(need: Need) -> dict[str, Any]:
    return {
        "slot": need.slot,
        "role": need.role,
        "capabilities": list(need.capabilities),
        "optional": need.optional,
    }


def _of_role(descriptor: ComponentDescriptor) -> dict[str, Any]:
    """What only some roles' descriptors say."""
    named = ("gives", "answers", "accepts")
    return {name: _plain(getattr(descriptor, name)) for name in named if hasattr(descriptor, name)}


def _plain(value: Any) -> Any:
    """Tuples as lists, as YAML and JSON have them."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
