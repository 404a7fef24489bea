"""Toys for the conformance kit: images of a checkpoint's shape, and the components it was trained with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from sidelight_specs.testing import ToyRun, Toys

from sidelight_zoo.card import Card, cards
from sidelight_zoo.components import restored
from sidelight_zoo.files import read_state
from sidelight_zoo.origin import open_params

if TYPE_CHECKING:
    from sidelight_specs import Need
    from sidelight_specs.results import State


@attrs.frozen(kw_only=True)
class ZooToys(Toys):
    """Fills needs with the checkpoints that this one was trained with.

    Args:
        card: of the checkpoint.
    """

    card: Card

    def fill(self, need: Need) -> Any:
        """The checkpoint that the card names for the slot, otherwise a toy."""
        name = self.card.needs.get(need.slot)
        return super().fill(need) if name is None else loaded(cards()[name])


def loaded(card: Card, state: State | None = None) -> Any:
    """The original component with its learned state, or another, and with the needs it was trained with."""
    needs = {slot: loaded(cards()[name]) for slot, name in card.needs.items()}
    return restored(card, state or read_state(card), open_params(card)(), ToyRun(component=card.name), **needs)


toys = {card.name: ZooToys(shape=card.shape, card=card) for card in cards().values()}
