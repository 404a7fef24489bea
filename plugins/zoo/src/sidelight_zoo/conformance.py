"""What the conformance kit tests the components with: images of their shape, and what they were trained with."""

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
    """Fills a need with what the checkpoint was trained with.

    Args:
        card: of the checkpoint.
    """

    card: Card

    def fill(self, need: Need) -> Any:
        """The checkpoint that the card names for the slot, otherwise a toy."""
        name = self.card.needs.get(need.slot)
        return super().fill(need) if name is None else loaded(cards()[name])


def loaded(card: Card, state: State | None = None) -> Any:
    """The original component with what it has learned, or another state, and what it was trained with."""
    needs = {slot: loaded(cards()[name]) for slot, name in card.needs.items()}
    return restored(card, state or read_state(card), open_params(card)(), ToyRun(component=card.name), **needs)


toys = {card.name: ZooToys(shape=card.shape, card=card) for card in cards().values()}
