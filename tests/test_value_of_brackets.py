"""A classifier of brackets as one value whose attributes are found: accepted by `check`, if the values are as many."""

import pytest
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs.problems import RecipeError


def recipe(values):
    return {
        "recipe": 1,
        "name": "age",
        "data": {"use": "images/faces"},
        "explain": {"classifier": "value"},
        "classifier": {
            "brackets": {"use": "zoo/stylex-faces-classifier"},
            "value": {
                "use": "classifiers/expected-value",
                "with": {"values": values},
                "needs": {"classifier": "brackets"},
            },
        },
        "generator": {"use": "zoo/stylex-faces", "needs": {"classifier": "brackets"}},
        "inverter": {"use": "stylex/encoder"},
        "attribute_finders": {
            name: {"use": use, "needs": {"classifier": "value"}}
            for name, use in (
                ("coordinates", "stylex/attfind"),
                ("baseline", "stylex/stylespace-difference"),
                ("linear", "explorer/latent-directions"),
                ("learned", "explorer/ganalyze"),
            )
        },
    }


@pytest.fixture(scope="module")
def catalog():
    return installed()


def test_finders_of_attributes_take_a_value(catalog):
    resolved = load_recipe(recipe([0, 100]), catalog=catalog)
    finders = [one for one in resolved.components if one.role == "attribute_finder"]
    assert [one.needed("classifier").id for one in finders] == ["value"] * 4


def test_another_number_of_values_is_refused_where_they_stand(catalog):
    with pytest.raises(RecipeError, match="3 values for 2 classes") as caught:
        load_recipe(recipe([0, 50, 100]), catalog=catalog)
    assert "with.values" in str(caught.value)
