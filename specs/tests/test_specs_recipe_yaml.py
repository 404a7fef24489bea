"""Recipes as text: whatever they hold, reading the text gives it back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight_specs.documents import read_yaml, to_plain
from sidelight_specs.problems import Problems
from sidelight_specs.recipe_yaml import recipe_text

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
nested = st.recursive(
    scalars | texts,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(texts, below, max_size=4),
    max_leaves=12,
)


def read(text):
    problems = Problems()
    value = read_yaml(text, "recipe.yaml", problems)
    problems.raise_if_any()
    return to_plain(value)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(texts, nested, min_size=1, max_size=4))
def test_what_is_written_is_read_back(recipe):
    assert repr(read(recipe_text(recipe))) == repr(recipe)


@pytest.mark.parametrize(
    "text", ["\x7f", "a\x85b", "\u2028", "\ufffe", "1e-5", "no", "~", "2026-11-30", "- a", "a: b", ""]
)
def test_text_that_yaml_would_read_otherwise_is_quoted(text):
    assert read(recipe_text({text: [text, {"a": text}]})) == {text: [text, {"a": text}]}
