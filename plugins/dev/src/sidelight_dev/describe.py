"""`sidelight describe`: one page on a component, or the same facts as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import yaml
from sidelight_specs.descriptors import CAPABILITIES
from sidelight_specs.params import bounds_text, describe
from sidelight_specs.recipe import plain_value
from sidelight_specs.roles import ROLES

if TYPE_CHECKING:
    import argparse

    from sidelight_specs.host import Available, Host
    from sidelight_specs.params import Param

ANSWERS = {
    "predicted": "why the predicted class",
    "probe": "why, or why not, the class asked about",
    "contrast": "why the predicted class and not the one asked about",
    "any": "the same for every class",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sidelight describe`."""
    parser.add_argument("use", metavar="USE", help="the component as a recipe names it, PLUGIN/COMPONENT")
    parser.add_argument("--role", choices=ROLES, default="", help="one role, where a plugin uses a name twice")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(arguments: argparse.Namespace, host: Host) -> int:
    """Describe a component in every role it has."""
    described = [facts(component) for component in host.find(arguments.use, arguments.role)]
    if arguments.json:
        host.write_json(described[0] if len(described) == 1 else described)
        return 0
    for number, one in enumerate(described):
        if number:
            host.write()
        _write_page(one, host)
    return 0


def facts(component: Available) -> dict[str, Any]:
    """Everything known of a component; keys that its role does not have (`gives`, `answers`, `accepts`) are absent."""
    descriptor = component.descriptor
    of_role = {name: getattr(descriptor, name, None) for name in ("gives", "answers", "accepts")}
    return {
        "use": component.use,
        "role": component.role,
        "distribution": component.distribution,
        "version": component.version,
        "summary": descriptor.summary,
        "parameters": [_parameter(param) for param in describe(descriptor.params)],
        "needs": [_plain(attrs.asdict(need)) for need in descriptor.needs],
        "provides": list(descriptor.provides),
        **{name: _plain(value) for name, value in of_role.items() if value is not None},
        "paper": descriptor.paper,
        "limits": list(descriptor.limits),
        "card": dict(descriptor.card),
        "example": snippet(component.use, component.role, descriptor.example),
    }


def snippet(use: str, role: str, example: dict[str, Any]) -> str:
    """YAML for a recipe: the section of the role with this component in it."""
    section = ROLES[role].section
    choice = {"use": use, **({"with": plain_value(example)} if example else {})}
    # A section named in the plural takes ids; the component's own name is a good one.
    entry = choice if section == role else {use.rpartition("/")[2]: choice}
    return yaml.safe_dump({section: entry}, sort_keys=False, default_flow_style=False, allow_unicode=True).rstrip()


def _parameter(param: Param) -> dict[str, Any]:
    required = param.default is attrs.NOTHING
    return {
        "name": param.name,
        "type": str(param.type),
        "required": required,
        "default": None if required else _plain(param.default),
        **{name: _plain(getattr(param, name)) for name in ("minimum", "maximum", "choices", "unit", "help")},
    }


def _plain(value: Any) -> Any:
    """Tuples as lists, as YAML and JSON have them."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def _write_page(facts: dict[str, Any], host: Host) -> None:
    """The facts in the order in which a user asks."""
    host.write(f"{facts['use']}   {facts['role']}, {facts['distribution']} {facts['version']}")
    host.write_wrapped(facts["summary"], "  ")
    host.write("\nparameters" if facts["parameters"] else "\nno parameters")
    for parameter in facts["parameters"]:
        default = "required" if parameter["required"] else f"default {_value(parameter['default'])}"
        host.write_wrapped("; ".join(filter(None, (_typed(parameter), _range(parameter), default))), "  ")
        host.write_wrapped(parameter["help"], "      ")
    sections = {
        "needs": "\n".join(map(_need, facts["needs"])),
        "provides": "\n".join(map(capability, facts["provides"])),
        "gives": f"{facts['gives']}: {ANSWERS[facts['answers']]}" if "gives" in facts else "",
        "measures": ", ".join(facts.get("accepts", ())),
        "paper": facts["paper"],
        "in a recipe": facts["example"],
    }
    for heading, text in sections.items():
        if text:
            host.write(f"\n{heading}\n" + "\n".join(f"  {line}" for line in text.splitlines()))
    if facts["limits"] or facts["role"] in ("explainer", "attribute_finder"):
        host.write("\nmay not be claimed")
        for text in facts["limits"] or ("Its author declares no limits, which does not mean that it has none.",):
            host.write_wrapped(text, "  ")
    if facts["card"]:
        host.write("\nmodel card")
        for heading, text in facts["card"].items():
            host.write_wrapped(f"{heading}: {text}", "  ")


def _typed(parameter: dict[str, Any]) -> str:
    return f"{parameter['name']}: {parameter['type']}"


def _value(default: Any) -> str:
    return default if isinstance(default, str) and default else json.dumps(default, ensure_ascii=False)


def _range(parameter: dict[str, Any]) -> str:
    """`between 1 and 64 pixels`."""
    bounds = ""
    if parameter["choices"]:
        bounds = "one of " + ", ".join(map(str, parameter["choices"]))
    elif parameter["minimum"] is not None or parameter["maximum"] is not None:
        bounds = bounds_text(parameter["minimum"], parameter["maximum"])
    return " ".join(filter(None, (bounds, parameter["unit"])))


def capability(name: str) -> str:
    """A capability and its meaning, where it is one that the contracts define."""
    return f"{name}: {CAPABILITIES[name]}" if name in CAPABILITIES else name


def _need(need: dict[str, Any]) -> str:
    slot = "" if need["slot"] == need["role"] else f" as {need['slot']}"
    heading = f"{need['role']}{slot}{' (optional)' if need['optional'] else ''}"
    return "\n".join([heading, *(f"  with {capability(name)}" for name in need["capabilities"])])
