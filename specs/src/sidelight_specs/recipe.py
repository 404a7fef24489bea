"""Format of recipes, version 1: names, the section `explain`, and values as a recipe writes them.

The sections of components are those of the roles (`sidelight_specs.roles.ROLES`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import attrs

from sidelight_specs.descriptors import Need
from sidelight_specs.params import param, params

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sidelight_specs.descriptors import ComponentDescriptor

VERSION = 1
COMPONENT_KEYS = ("use", "with", "needs")
TRAINING_SLOT = "data"
"""The slot under which a recipe names the data that a trainable component learns from."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""A recipe's name, which also names a folder."""
TITLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,159}")
"""A recipe's title, which heads its report: one line of text."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,63}")
USE = re.compile(r"[^\s/]+/[^\s/]+")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
MAX_SEED = 2**63 - 1  # what torch's generators take


@params
class Explain:
    """Explained images, and the class they are contrasted with (the recipe's `explain:` section)."""

    split: str | None = param(
        None,
        "The split of the data that the explained images come from; when null test, or the only one; of images "
        "without labels that nothing is trained on, all.",
    )
    count: int | None = param(
        8,
        "How many images; all when null, and where it is left out for named files and unlabelled folders.",
        unit="images",
        minimum=1,
        maximum=10_000_000,
    )
    choose: Literal["first", "errors", "confident-errors", "lowest-margin"] | dict[str, tuple[str | int, ...]] = param(
        "first",
        "Which images of the split: the first, the misclassified (errors), the most confident of these first, those "
        "whose two likeliest classes are closest (lowest-margin), or {confused: [A, B]}, images of either class taken "
        "for the other.",
        minimum=0,
        maximum=1_000_000,
    )
    images: tuple[str, ...] = param(
        (), "Exactly these images of the split, by name, in this order; the last parts of a path are enough."
    )
    indices: tuple[int, ...] = param(
        (),
        "Exactly these images of the split, in this order, counted from 0; empty takes them from the start.",
        minimum=0,
        maximum=1_000_000_000,
    )
    labels: tuple[str | int, ...] = param(
        (),
        "Only images with these true labels, given as class names or indices; empty takes all.",
        minimum=0,
        maximum=1_000_000,
    )
    target: str | int = param(
        "auto",
        "The class asked about: auto (the true class of a misclassified image, else the second most likely), expected "
        "(the true class, misclassified images alone), second, predicted, all (each other class in turn), or a class "
        "name or index.",
        minimum=0,
        maximum=1_000_000,
    )
    if_predicted: Literal["leave-out", "ask"] = param(
        "leave-out", "Images that are predicted as the class asked about: leave them out, or ask why it is predicted."
    )
    targets: dict[str, str] = param(
        {},
        "Predicted class to the class asked about, by name, in place of `target`; images predicted as another class "
        "are left out.",
    )
    shard: int = param(
        64,
        "How many questions an explainer gets at a time; interrupted work is kept in pieces of this size.",
        unit="questions",
        minimum=1,
        maximum=1_000_000,
    )
    data: str | None = param(None, "The data whose images are explained; needed where of several none is `data`.")
    classifier: str | None = param(
        None, "The classifier whose answers are explained; needed where of several none is `classifier`."
    )


def training_need(descriptor: ComponentDescriptor, provides: Iterable[str]) -> Need | None:
    """The need for training data that a trainable component has without saying so."""
    if "trainable" not in provides or any(need.slot == TRAINING_SLOT for need in descriptor.needs):
        return None
    return Need(TRAINING_SLOT, "data")


def escape(text: str) -> str:
    """Text that `fill_in` turns back into `text`."""
    return text.replace("${", "$${")


def params_plain(params: Any) -> dict[str, Any]:
    """Every parameter with its value, as lists, dicts and scalars that a recipe can hold."""
    return {field.name: plain_value(getattr(params, field.name)) for field in attrs.fields(type(params))}


def plain_value(value: Any) -> Any:
    """A parameter's value as a recipe writes it: lists for tuples, `$${` for the characters `${`."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, (tuple, list)):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {key: plain_value(item) for key, item in value.items()}
    return value
