"""The JSON Schema agrees with the reader."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidelight.recipe.load import load_recipe
from sidelight_specs.documents import read_params, read_plain
from sidelight_specs.problems import Problems, RecipeError

SMALLEST = {"recipe": 1, "data": {"use": "shop/digits"}, "classifier": {"use": "shop/lenet"}}


@pytest.fixture
def schema(catalog):
    """Of sidelight-dev, which makes it of what the kernel gives to commands."""
    dev = pytest.importorskip("sidelight_dev.schema")
    return dev.recipe_schema([catalog.lookup(entry.use, entry.role) for entry in catalog.entries()])


@pytest.fixture
def accepts(schema):
    validator = jsonschema.Draft202012Validator(schema)
    return validator.is_valid


def heat(**given):
    return {**SMALLEST, "explainers": {"a": {"use": "shop/occlusion", "with": given}}}


def test_it_is_a_schema_and_plain_json(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


def test_it_documents_parameters(schema):
    patch = schema["$defs"]["with.explainer.shop.occlusion"]["properties"]["patch"]
    assert patch["default"] == 8
    assert patch["description"] == "Side of the grey square. Expected: a whole number of pixels between 1 and 512."
    assert patch["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 512}


@pytest.mark.parametrize(
    "recipe",
    [
        SMALLEST,
        {**SMALLEST, "name": "a", "seed": 3, "vars": {"a": [1]}, "explain": {"count": None, "target": 3}},
        {**SMALLEST, "title": "Does it read the lips? (a study, 100 %)"},
        {**SMALLEST, "explainers": {"use": "shop/gradient"}, "generator": None, "explain": None},
        {**SMALLEST, "explainers": {"a": {"use": "shop/gradient", "with": None, "needs": None}, "b": None}},
        {**SMALLEST, "data": {"a": {"use": "shop/digits"}, "b": {"use": "shop/digits"}}, "explain": {"data": "a"},
         "classifier": {"use": "shop/lenet", "needs": {"data": "b"}}},
        {**SMALLEST, "classifier": {"use": "shop/file", "with": {"file": "x"}}},
        heat(patch=3, fill="grey", scale=0.5, layers=["a"], weights={"a": 1}, target=3, stride=None),
        {**heat(patch="${p}", layers=["${q}"], weights={"a": "${p}"}, fill="${q}"), "vars": {"p": 1, "q": "grey"}},
    ],
)  # fmt: skip
def test_valid_recipes_are_accepted(accepts, catalog, recipe):
    assert accepts(recipe)
    assert load_recipe(recipe, catalog=catalog).name


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {**SMALLEST, "recipe": 2},
        {**SMALLEST, "sede": 3},
        {**SMALLEST, "seed": -1},
        {**SMALLEST, "name": "../x"},
        {**SMALLEST, "title": ""},
        {**SMALLEST, "title": 3},
        {**SMALLEST, "title": "two\nlines"},
        {**SMALLEST, "title": "a" * 161},
        {**SMALLEST, "data": None, "classifier": 3},
        {**SMALLEST, "explain": {"count": 0}},
        {**SMALLEST, "classifier": {"use": "shop/lenett"}},
        {**SMALLEST, "classifier": {"use": "shop/digits"}},
        {**SMALLEST, "classifier": {"use": "shop/lenet", "wiht": {}}},
        {**SMALLEST, "classifier": {"use": "shop/lenet", "with": {"x": 1}}},
        {**SMALLEST, "classifier": {"use": "shop/lenet", "needs": {"generator": "x"}}},
        {**SMALLEST, "classifier": {"a": {"with": {}}}},
        {**SMALLEST, "classifier": {"use": "shop/file"}},
        {**SMALLEST, "classifier": {"use": "shop/file", "with": {}}},
        {**SMALLEST, "explainers": {"a/b": {"use": "shop/gradient"}}},
        heat(patch=0),
        heat(patch="3"),
        heat(fill="gray"),
        heat(weights={"a": 2}),
        heat(pacth=3),
    ],
)
def test_wrong_recipes_are_refused_by_both(accepts, catalog, recipe):
    assert not accepts(recipe)
    with pytest.raises(RecipeError):
        load_recipe(recipe, catalog=catalog)


def test_a_recipe_that_extends_another_may_leave_things_out(accepts):
    assert accepts({"extends": "base.yaml", "classifier": {"with": {}}, "explainers": {"a": {"with": {"patch": 3}}}})
    assert accepts({"extends": "base.yaml", "classifier": {"use": "shop/file"}})
    assert not accepts({"extends": "base.yaml", "classifier": {"use": "shop/nothing"}})


SCALARS = (
    st.none() | st.booleans() | st.integers(-9, 600) | st.sampled_from([0.5, -0.5, 9.5]) | st.text("abc", max_size=3)
)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)
NAMES = ["patch", "fill", "scale", "signed", "layers", "weights", "target", "stride"]


def test_schema_and_reader_agree_on_any_parameters(catalog, schema):
    described = schema["$defs"] | {"with": schema["$defs"]["with.explainer.shop.occlusion"]}
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/with", "$defs": described})
    cls = catalog.lookup("shop/occlusion", "explainer").descriptor.params

    @given(st.dictionaries(st.sampled_from([*NAMES, "other"]), ANY, max_size=3))
    def check(given):
        problems = Problems()
        read_params(cls, read_plain(given, problems).data, "x", None, problems)
        assert validator.is_valid(given) == (not problems.mistakes)

    check()
