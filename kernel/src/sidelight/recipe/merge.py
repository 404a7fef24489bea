"""Laying one recipe over another, key by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight.recipe.model import SECTIONS, Entry, Value

if TYPE_CHECKING:
    from collections.abc import Callable

COMPONENT_KEYS = ("use", "with", "needs")


def merge(base: Value, over: Value) -> Value:
    """The recipe `over`, with what it leaves out taken from `base`.

    Mappings merge key by key and everything else is replaced. A component whose `use` changes starts from an empty
    `with`. A section that changes from one component to a mapping of ids, or back, is replaced as a whole.
    `extends` is dropped: it has been followed.
    """
    merged = _merge_mappings(base, over, lambda key: _merge_section if key in SECTIONS else _merge_values)
    if not isinstance(merged.data, dict):
        return merged
    return Value({key: entry for key, entry in merged.data.items() if key != "extends"}, merged.place)


def is_component(data: Any) -> bool:
    """Whether a section's value is a single component, rather than a mapping of ids to components."""
    return isinstance(data, dict) and any(key in data for key in COMPONENT_KEYS)


def _merge_mappings(base: Value, over: Value, how: Callable[[str], Callable[[Value, Value], Value]]) -> Value:
    if not isinstance(base.data, dict) or not isinstance(over.data, dict):
        return over
    merged = dict(base.data)
    for key, entry in over.data.items():
        value = how(key)(base.data[key].value, entry.value) if key in base.data else entry.value
        merged[key] = Entry(entry.key_place, value)
    return Value(merged, over.place)


def _merge_values(base: Value, over: Value) -> Value:
    return _merge_mappings(base, over, lambda _: _merge_values)


def _merge_section(base: Value, over: Value) -> Value:
    if is_component(base.data) and is_component(over.data):
        return _merge_component(base, over)
    if is_component(base.data) or is_component(over.data):
        return over
    return _merge_mappings(base, over, lambda _: _merge_component)


def _merge_component(base: Value, over: Value) -> Value:
    if isinstance(base.data, dict) and isinstance(over.data, dict) and "use" in over.data:
        before = base.data.get("use")
        if before is None or before.value.data != over.data["use"].value.data:
            base = Value({key: entry for key, entry in base.data.items() if key != "with"}, base.place)
    return _merge_values(base, over)
