"""Trained components, so that recipes start at once. This light module imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen
from sidelight_specs import ClassifierDescriptor, GeneratorDescriptor, hookimpl
from sidelight_specs.facts import ClassifierFacts, DataFacts, GeneratorFacts

from sidelight_zoo.card import Card, cards
from sidelight_zoo.origin import descriptor_of, full_params, open_params, training_data

if TYPE_CHECKING:
    from collections.abc import Iterable


def _provided(card: Card, params: object) -> tuple[str, ...]:
    """Capabilities of the original component with these parameters, except training."""
    provided = descriptor_of(card).provided_by(full_params(card, params))
    return tuple(capability for capability in provided if capability != "trainable")


@frozen(kw_only=True)
class TrainedClassifierDescriptor(ClassifierDescriptor):
    """Describes a classifier of the zoo."""

    zoo_card: Card

    def provided_by(self, params: object) -> tuple[str, ...]:
        """As the original, except training."""
        return _provided(self.zoo_card, params)

    def fingerprint(self, params: object) -> str:
        """SHA-256 of the weights."""
        del params
        return self.zoo_card.sha256

    def facts(self, params: object, data: DataFacts) -> ClassifierFacts:
        """The shape that the card names, and the classes of the data that it was trained on."""
        del params, data
        return ClassifierFacts(
            shape=self.zoo_card.shape, classes=training_data(self.zoo_card).classes or None, task="multiclass"
        )


@frozen(kw_only=True)
class TrainedGeneratorDescriptor(GeneratorDescriptor):
    """Describes a generator of the zoo."""

    zoo_card: Card

    def provided_by(self, params: object) -> tuple[str, ...]:
        """As the original, except training."""
        return _provided(self.zoo_card, params)

    def fingerprint(self, params: object) -> str:
        """SHA-256 of the weights."""
        del params
        return self.zoo_card.sha256

    def facts(self, params: object, data: DataFacts) -> GeneratorFacts:
        """The shape that the card names."""
        del params, data
        return GeneratorFacts(shape=self.zoo_card.shape)


def _facts(card: Card) -> dict[str, Any]:
    options = open_params(card)
    original = descriptor_of(card)
    return {
        "zoo_card": card,
        "name": card.name,
        "summary": card.summary,
        "params": options,
        "factory": f"sidelight_zoo.components:{card.name.replace('-', '_')}",
        "needs": original.needs,
        "provides": [item for item in original.provides if item != "trainable"],
        "paper": original.paper,
        "card": {
            "origin": f"Trained by `{card.command}`, with half-precision weights of SHA-256 {card.sha256}.",
            "licence": card.licence,
            "training data": card.data,
            "measured": ", ".join(f"{name} {number:.4g}" for name, number in card.figures.items()) or "nothing",
        },
    }


@hookimpl
def sidelight_classifiers() -> Iterable[ClassifierDescriptor]:
    """Trained classifiers, one for each card."""
    for card in cards().values():
        if card.role == "classifier":
            yield TrainedClassifierDescriptor(**_facts(card))


@hookimpl
def sidelight_generators() -> Iterable[GeneratorDescriptor]:
    """Trained generators, one for each card."""
    for card in cards().values():
        if card.role == "generator":
            yield TrainedGeneratorDescriptor(**_facts(card))
