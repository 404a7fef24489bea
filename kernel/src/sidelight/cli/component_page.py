"""A component's facts as a page for people."""

from __future__ import annotations

import json
from typing import Any

from sidelight_specs.descriptors import CAPABILITIES
from sidelight_specs.params import bounds_text

from sidelight.cli.output import write, write_wrapped

ANSWERS = {
    "predicted": "why the predicted class",
    "probe": "why, or why not, the class asked about",
    "contrast": "why the predicted class and not the one asked about",
}


def write_page(facts: dict[str, Any]) -> None:
    """Write what `component_facts.facts` gives, in the order in which a user asks."""
    write(f"{facts['use']}   {facts['role']}, {facts['distribution']} {facts['version']}")
    write_wrapped(facts["summary"], "  ")
    write("\nparameters" if facts["parameters"] else "\nno parameters")
    for parameter in facts["parameters"]:
        _write_parameter(parameter)
    _section("needs", "\n".join(_need(need) for need in facts["needs"]))
    _section("provides", "\n".join(capability(name) for name in facts["provides"]))
    _section("gives", _gives(facts))
    _section("measures", ", ".join(facts.get("accepts", ())))
    _section("paper", facts["paper"])
    _section("in a recipe", facts["example"])


def capability(name: str) -> str:
    """A capability and what it means, where it is one that the contracts define."""
    return f"{name}: {CAPABILITIES[name]}" if name in CAPABILITIES else name


def _section(heading: str, text: str) -> None:
    """A heading and indented text; nothing when there is no text."""
    if text:
        write(f"\n{heading}")
        write("\n".join(f"  {line}" for line in text.splitlines()))


def _write_parameter(parameter: dict[str, Any]) -> None:
    """`window: int; between 1 and 64 pixels; default 8` and the help below."""
    default = f"default {_value(parameter['default'])}"
    number = " ".join(text for text in (_bounds(parameter), parameter["unit"]) if text)
    facts = (parameter["type"], number, "required" if parameter["required"] else default)
    write_wrapped(f"{parameter['name']}: {'; '.join(text for text in facts if text)}", "  ")
    write_wrapped(parameter["help"], "      ")


def _value(default: Any) -> str:
    return default if isinstance(default, str) and default else json.dumps(default, ensure_ascii=False)


def _bounds(parameter: dict[str, Any]) -> str:
    if parameter["choices"]:
        return "one of " + ", ".join(map(str, parameter["choices"]))
    if parameter["minimum"] is None and parameter["maximum"] is None:
        return ""
    return bounds_text(parameter["minimum"], parameter["maximum"])


def _need(need: dict[str, Any]) -> str:
    slot = "" if need["slot"] == need["role"] else f" as {need['slot']}"
    optional = " (optional)" if need["optional"] else ""
    lines = [f"{need['role']}{slot}{optional}"]
    lines += [f"  with {capability(name)}" for name in need["capabilities"]]
    return "\n".join(lines)


def _gives(facts: dict[str, Any]) -> str:
    if "gives" not in facts:
        return ""
    return f"{facts['gives']}: {ANSWERS[facts['answers']]}"
