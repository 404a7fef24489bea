"""Original component of a checkpoint: descriptor, data and parameters. This module imports nothing heavy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, get_type_hints

import attrs
from sidelight_specs import DataDescriptor
from sidelight_specs.facts import DataFacts
from sidelight_specs.roles import ROLES

if TYPE_CHECKING:
    from sidelight_specs import ComponentDescriptor

    from sidelight_zoo.card import Card


def descriptor_of(card: Card) -> ComponentDescriptor:
    """Descriptor of the original, from the light module of its plugin."""
    return _descriptor(card.use, card.role)


def _descriptor(use: str, role: str) -> ComponentDescriptor:
    plugin, _, name = use.partition("/")
    module = import_module(f"sidelight_{plugin.replace('-', '_')}")
    descriptors: dict[str, ComponentDescriptor] = {item.name: item for item in getattr(module, ROLES[role].hook)()}
    return descriptors[name]


def training_data(card: Card) -> DataFacts:
    """Facts of the training data; empty where their plugin is not installed."""
    section = card.training["data"]
    try:
        descriptor = _descriptor(section["use"], "data")
    except (ImportError, KeyError):
        return DataFacts()
    assert isinstance(descriptor, DataDescriptor)
    values = {name: _plain(value) for name, value in section.get("with", {}).items()}
    return descriptor.facts(descriptor.params(**values))


def open_params(card: Card) -> type:
    """Params class of the options that can still be chosen, with the training's values as defaults."""
    originals = {field.name: field for field in attrs.fields(descriptor_of(card).params)}
    types = get_type_hints(descriptor_of(card).params)
    fields = {
        name: attrs.field(
            default=_plain(card.params[name]),
            metadata=dict(originals[name].metadata),
            validator=originals[name].validator,
            type=types[name],
            kw_only=True,
        )
        for name in card.options
    }
    return attrs.make_class(
        "Options", fields, frozen=True, class_body={"__doc__": f"Options of `{card.name}`."}, kw_only=True
    )


def full_params(card: Card, chosen: Any) -> Any:
    """All parameters of the original: those of the training, and those chosen."""
    values = {name: _plain(value) for name, value in card.params.items()}
    return descriptor_of(card).params(**{**values, **attrs.asdict(chosen, recurse=False)})


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list) else value
