"""Facts that descriptors tell before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sidelight_specs.facts import DataFacts
from sidelight_specs.testing.checks.registry import check

if TYPE_CHECKING:
    from sidelight_specs.testing.case import Case


@check("data", "classifier", "generator")
def facts_hold(case: Case) -> None:
    """The facts that a descriptor tells hold of the loaded component."""
    told = _told(case)
    actual = _actual(case, case.build())
    for name, value in told.items():
        assert value is None or value == actual[name], f"facts() tells {name} {value}, it is {actual[name]}"


def _told(case: Case) -> dict[str, Any]:
    """The facts by name; of splits their names, and their sizes where they are told."""
    descriptor: Any = case.descriptor
    if case.role == "data":
        facts = descriptor.facts(case.params)
        counts = facts.splits or {}
        masks = facts.masks
        return {
            "shape": facts.shape,
            "splits": None if facts.splits is None else set(counts),
            **{f"images of {name}": count for name, count in counts.items()},
            "classes": facts.classes,
            "factors": None if facts.factors is None else set(facts.factors),
            "masks": None if masks is None else {name: set(parts) for name, parts in masks.items()},
            "fingerprint": facts.fingerprint,
            "ids": None if facts.ids is None else {name: set(ids) for name, ids in facts.ids.items()},
        }
    facts = descriptor.facts(case.params, _learned_from(case))
    names = ("shape", "classes", "task") if case.role == "classifier" else ("shape",)
    return {name: getattr(facts, name) for name in names}


def _learned_from(case: Case) -> DataFacts:
    if not case.trainable:
        return DataFacts()
    split = case.data().split("train")
    return DataFacts(shape=tuple(split.images.shape[1:]), classes=tuple(split.class_names))


def _actual(case: Case, component: Any) -> dict[str, Any]:
    if case.role == "generator":
        return {"shape": tuple(component.image_shape)}
    if case.role == "classifier":
        return {
            "shape": tuple(component.input_shape),
            "classes": tuple(component.class_names),
            "task": component.task,
        }
    splits = case.observed.answer
    if not splits:
        return dict.fromkeys(_told(case))
    first = next(iter(splits.values()))
    return {
        "shape": tuple(first.images.shape[1:]),
        "splits": set(splits),
        **{f"images of {name}": len(split) for name, split in splits.items()},
        "classes": tuple(first.class_names),
        "factors": set(first.factors),
        "masks": {name: set(split.masks) for name, split in splits.items()},
        "fingerprint": component.fingerprint(),
        "ids": {name: set(split.ids) for name, split in splits.items()},
    }
