"""Every checkpoint of the zoo can be trained anew by its recipe, and stands in for the component in it."""

from pathlib import Path

import pytest
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs.digests import digest_of
from sidelight_specs.roles import ROLES
from sidelight_zoo.card import cards

RECIPES = Path(__file__).parent.parent / "recipes"
each_card = pytest.mark.parametrize("card", cards().values(), ids=lambda card: card.name)


@pytest.fixture(scope="module")
def catalog():
    return installed()


@each_card
def test_the_recipe_still_asks_for_the_same_training(card, catalog):
    recipe = load_recipe(RECIPES / f"{card.recipe}.yaml", catalog=catalog).plain
    section = ROLES[card.role].section
    (theirs,) = (
        [recipe[section]]
        if "use" in recipe[section]
        else [part for part in recipe[section].values() if part == card.training[section]]
    )
    now = {name: theirs if name == section else recipe[name] for name in card.training}
    assert now == card.training
    assert digest_of(now) == card.digest


@each_card
def test_the_checkpoint_stands_in_for_the_component(card, catalog):
    section = ROLES[card.role].section
    standing = {section: card.name, **card.needs}
    swap = [f"{slot}=zoo/{name}" for slot, name in standing.items()]
    resolved = load_recipe(RECIPES / f"{card.recipe}.yaml", catalog=catalog, swap=swap)
    (found,) = [component for component in resolved.components if component.use == f"zoo/{card.name}"]
    assert found.trained_on is None
