"""`--set a.b.c=VALUE` and `--swap ROLE_OR_ID=PLUGIN/COMPONENT`: small recipes laid over the recipe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import frozen

from sidelight.problems import Place
from sidelight.recipe.merge import is_component, merge
from sidelight.recipe.model import SECTIONS, UNREADABLE, Entry, Value
from sidelight.recipe.wording import did_you_mean, listing, quoted
from sidelight.recipe.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sidelight.problems import Problems

_PART = r'(?:"[^"]*"|[^".=]+)'
_SETTING = re.compile(rf"\s*({_PART}(?:\.{_PART})*)\s*=(.*)", re.DOTALL)


def apply_overrides(recipe: Value, set: Sequence[str], swap: Sequence[str], problems: Problems) -> Value:
    """The recipe with components swapped, then values set; both merge as an extending recipe would.

    Args:
        recipe: a mapping.
        set: `explainers.a.with.steps=50`, the value in strict YAML. A key that holds a dot is written in quotes.
        swap: `generator=cdeepex/gan` (the recipe's only generator), `explainers.a=captum/saliency` or, where only
            one component has that id, `a=captum/saliency`.
        problems: gets every mistake.
    """
    for text in swap:
        recipe = merge(recipe, _swapped(recipe, text, problems))
    overlay = Value({}, recipe.place)
    for text in set:
        overlay = _lay(overlay, _setting(text, problems))
    return merge(recipe, overlay)


def _setting(text: str, problems: Problems) -> Value:
    """The recipe that holds one setting alone."""
    file = f"--set {text}"
    match = _SETTING.fullmatch(text)
    if not match or match[1] == "extends":
        problems.add(
            "a setting names a key and its value" if not match else "extends is part of the recipe and cannot be set",
            Place(file, rank=problems.next_rank()),
            expected="KEY.KEY=VALUE, such as explainers.occlusion.with.patch=8",
        )
        return Value({}, Place(file))
    value = read_yaml(match[2].strip(), file, problems, one_line=True)
    return _nested([part.strip().strip('"') for part in re.findall(_PART, match[1])], value)


def _nested(keys: Sequence[str], value: Value) -> Value:
    for key in reversed(keys):
        value = Value({key: Entry(value.place, value)}, value.place)
    return value


def _lay(first: Value, second: Value) -> Value:
    """Two settings as one recipe; the second wins."""
    if not isinstance(first.data, dict) or not isinstance(second.data, dict):
        return second
    merged = dict(first.data)
    for key, entry in second.data.items():
        merged[key] = Entry(entry.key_place, _lay(first.data[key].value, entry.value)) if key in first.data else entry
    return Value(merged, second.place)


@frozen
class _Slot:
    """A component of the recipe: how `--swap` may call it, and the keys that lead to it."""

    names: tuple[str, ...]
    keys: tuple[str, ...]


def _swapped(recipe: Value, text: str, problems: Problems) -> Value:
    place = Place(f"--swap {text}", rank=problems.next_rank())
    name, equals, use = (part.strip() for part in text.partition("="))
    if not equals or not name or not use:
        problems.add(
            "a swap names a role or an id, and the component to put there",
            place,
            expected="ROLE_OR_ID=PLUGIN/COMPONENT",
        )
        return Value({}, place)
    slots = _slots(recipe)
    matches = [slot for slot in slots if name in slot.names]
    if len(matches) == 1:
        return _nested((*matches[0].keys, "use"), Value(use, place))
    if matches:
        choices = listing(".".join(slot.keys) for slot in matches)
        problems.add(f"{quoted(name)} could be any of {choices}", place, suggestion="name one of them")
    else:
        known = [".".join(slot.keys) for slot in slots]
        hint = did_you_mean(name, {name: "" for slot in slots for name in slot.names})
        problems.add(
            f"the recipe has no component {quoted(name)} to swap", place, expected=listing(known), suggestion=hint
        )
    return Value({}, place)


def _slots(recipe: Value) -> list[_Slot]:
    slots = []
    for section, role in SECTIONS.items():
        entry = recipe.data.get(section) if isinstance(recipe.data, dict) else None
        if entry is None or not isinstance(entry.value.data, dict):
            continue
        if is_component(entry.value.data):
            slots.append(_Slot((role, section), (section,)))
            continue
        for key, component in entry.value.data.items():
            if component.value.data not in (None, UNREADABLE):
                slots.append(_Slot((role, section, key, f"{section}.{key}", f"{role}.{key}"), (section, key)))
    return slots
