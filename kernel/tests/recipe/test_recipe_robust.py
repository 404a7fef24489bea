"""Whatever a file or a dict holds, it loads or it is explained; nothing else is raised."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight.recipe.load import KEYS, load_recipe
from sidelight_specs.problems import RecipeError
from sidelight_specs.roles import SECTIONS

TEXT = """\
recipe: 1
vars: {patch: 4, all: [1, "${patch}"]}
data: {train: {use: shop/digits, with: {root: a/b}}, test: {use: shop/digits}}
explain: {labels: [1, two], data: test}
classifier: {use: shop/lenet, needs: {data: train}}
generator: {use: gans/vae, needs: {data: train}}
explainers:
  heat: {use: shop/occlusion, with: {patch: "${patch}", weights: {a.b: 1}}}
  why: {use: gans/contrast}
  again: {use: gans/wrapped, needs: {inner: heat}}
metrics: {flips: {use: shop/flips}}
"""
USES = ["shop/digits", "shop/lenet", "shop/file", "shop/occlusion", "gans/vae", "gans/contrast", "gans/wrapped", "x"]
WORDS = st.sampled_from([*KEYS, *SECTIONS, *USES, "use", "with", "needs", "patch", "a", "b", "${a}", "$${", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.floats() | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
COMPONENTS = st.fixed_dictionaries(
    {"use": st.sampled_from(USES)}, optional={"with": VALUES, "needs": st.dictionaries(WORDS, WORDS, max_size=2)}
)
HELD = COMPONENTS | st.dictionaries(st.sampled_from("abc"), COMPONENTS | VALUES, max_size=3) | VALUES
RECIPES = st.dictionaries(WORDS, VALUES) | st.fixed_dictionaries(
    {"recipe": st.just(1)}, optional=dict.fromkeys(SECTIONS, HELD) | {"vars": VALUES, "explain": VALUES}
)
PATHS = st.lists(WORDS, min_size=1, max_size=4).map(".".join)
OVERRIDES = st.lists(
    st.text(max_size=8) | st.tuples(PATHS, VALUES.map(lambda value: json.dumps(value))).map("=".join), max_size=2
)


def loads_or_explains(source, catalog, **overrides):
    """Whether the recipe loads, and then loads again from what it says of itself, or is refused in printable words."""
    try:
        recipe = load_recipe(source, catalog=catalog, **overrides)
    except RecipeError as error:
        return len(str(error).encode("utf-8")) > 0
    return load_recipe(recipe.plain, catalog=catalog).plain == recipe.plain


def test_any_dict(catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @settings(max_examples=150)
    @given(RECIPES, OVERRIDES, OVERRIDES)
    def check(recipe, set, swap):
        assert loads_or_explains(recipe, catalog, set=set, swap=swap)

    check()


def test_any_damage_to_a_file(catalog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "recipe.yaml"

    @settings(max_examples=150)
    @given(
        st.integers(0, len(TEXT)),
        st.integers(0, 12),
        st.sampled_from(list("{}[]:,&*!#|>'\"\n\t $1a-")) | st.text(max_size=3),
    )
    def check(start, length, put):
        file.write_text(TEXT[:start] + put + TEXT[start + length :], encoding="utf-8")
        assert loads_or_explains(file, catalog)

    check()


def test_the_undamaged_file_loads(load):
    assert len(load(TEXT).components) == 8


def test_any_bytes(catalog, tmp_path):
    file = tmp_path / "recipe.yaml"

    @given(st.binary(max_size=60))
    def check(content):
        file.write_bytes(content)
        assert loads_or_explains(file, catalog)

    check()
