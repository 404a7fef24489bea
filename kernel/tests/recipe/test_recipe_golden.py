"""The exact words for a recipe with eight different mistakes; and the resolved recipe written out in full."""

from __future__ import annotations

import json
from functools import partial

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sidelight.recipe.load import load_recipe

EIGHT = """\
# Which strokes make it a 4?
recipe: 1
name: strokes
sede: 3
data: {use: shop/digits, with: {size: 4}}
classifier: {use: shop/lenett}
generator: {use: gans/vae}
attribute_finders:
  find: {use: gans/attfind}
explainers:
  heat:
    use: shop/occlusion
    with:
      pacth: 12
      fill: gray
      signed: yes
  heat:
    use: shop/gradient
"""

EIGHT_ERRORS = """\
recipe.yaml:4:1: unknown key "sede"
    sede: 3
    ^
  expected: a recipe has recipe, name, title, seed, extends, vars, explain, data, classifier, generator, inverter, \
attribute_finders, explainers, metrics, claims, renderers, executor
  hint: did you mean "seed"?

recipe.yaml:5:39: "size" of shop/digits is 4
    data: {use: shop/digits, with: {size: 4}}
                                          ^
  expected: a whole number of pixels between 8 and 64
  help: Height and width of the images.

recipe.yaml:6:19: no classifier "shop/lenett" is installed
    classifier: {use: shop/lenett}
                      ^
  hint: see `sidelight plugins`

recipe.yaml:9:15: gans/attfind needs a generator with latent.style; gans/vae provides latent.z
      find: {use: gans/attfind}
                  ^
  expected: latent.style: `styles` and `synthesize_styles` expose the style space
  hint: installed: gans/style

recipe.yaml:14:7: shop/occlusion has no parameter "pacth"
          pacth: 12
          ^
  expected: one of patch, fill, scale, signed, layers, weights, target, stride
  hint: did you mean "patch"?

recipe.yaml:15:13: "fill" of shop/occlusion is "gray"
          fill: gray
                ^
  expected: one of "grey", "black", "blurred"
  hint: did you mean "grey"?
  help: What covers the patch.

recipe.yaml:16:15: "signed" of shop/occlusion is "yes"
          signed: yes
                  ^
  expected: true or false
  hint: only true and false are booleans; write true
  help: Keep the sign of the effect.

recipe.yaml:17:3: the key "heat" is given twice; it stands in line 11 already
      heat:
      ^
  hint: give one of them another name, or take it out"""


def test_eight_mistakes_are_eight_errors(mistakes):
    found = mistakes(EIGHT)
    assert len(found) == 8
    assert "\n\n".join(found) == EIGHT_ERRORS


FULL = """\
vars: {patch: 4}
recipe: 1
name: everything
seed: 9
data: {train: {use: shop/digits, with: {root: a/b}}, test: {use: shop/digits}}
explain: {labels: [1, two], data: test, target: "$${predicted}"}
classifier: {use: shop/lenet, needs: {data: train}}
generator: {use: gans/vae, needs: {data: train}}
explainers:
  heat: {use: shop/occlusion, with: {patch: "${patch}", scale: 2, weights: {a.b: 1}, layers: [conv1]}}
  why: {use: gans/contrast}
metrics: {flips: {use: shop/flips}}
renderers: {use: shop/page}
"""

PLAIN = {
    "recipe": 1,
    "name": "everything",
    "seed": 9,
    "explain": {
        "split": "test",
        "count": 8,
        "choose": "first",
        "images": [],
        "indices": [],
        "labels": [1, "two"],
        "target": "$${predicted}",
        "if_predicted": "leave-out",
        "targets": {},
        "shard": 64,
        "data": "test",
        "classifier": "classifier",
    },
    "data": {
        "train": {"use": "shop/digits", "with": {"size": 28, "root": "a/b"}},
        "test": {"use": "shop/digits", "with": {"size": 28, "root": None}},
    },
    "classifier": {"use": "shop/lenet", "needs": {"data": "train"}},
    "generator": {"use": "gans/vae", "with": {"latent": 16}, "needs": {"data": "train"}},
    "explainers": {
        "heat": {
            "use": "shop/occlusion",
            "with": {
                "patch": 4,
                "fill": "grey",
                "scale": 2.0,
                "signed": True,
                "layers": ["conv1"],
                "weights": {"a.b": 1.0},
                "target": "all",
                "stride": None,
            },
            "needs": {"classifier": "classifier"},
        },
        "why": {
            "use": "gans/contrast",
            "needs": {"classifier": "classifier", "generator": "generator", "inverter": None},
        },
    },
    "metrics": {"flips": {"use": "shop/flips"}},
    "renderers": {"use": "shop/page"},
}


def test_every_default_is_written_out(load):
    recipe = load(FULL)
    assert json.dumps(recipe.plain) == json.dumps(PLAIN)  # order and kinds of numbers included
    assert recipe.explain.target == "${predicted}"


@pytest.mark.parametrize(
    "write", [dict, partial(yaml.safe_dump, sort_keys=False), json.dumps], ids=["dict", "yaml", "json"]
)
def test_the_resolved_recipe_resolves_to_itself(load, write):
    first = load(FULL)
    again = load(write(first.plain))
    assert again.plain == first.plain
    facts = [
        [(c.id, c.role, c.use, c.params, list(c.needs), c.trained_on and c.trained_on.id) for c in recipe.components]
        for recipe in (first, again)
    ]
    assert facts[0] == facts[1]
    assert again.explain == first.explain


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.just("${x} $${")
OCCLUSION = st.fixed_dictionaries(
    {},
    optional={
        "patch": st.integers(1, 512),
        "fill": st.sampled_from(["grey", "black"]),
        "scale": st.integers(0, 10) | st.floats(0, 10),
        "layers": st.lists(TEXT, max_size=2),
        "weights": st.dictionaries(TEXT, st.floats(0, 1), max_size=2),
        "target": TEXT | st.integers(0, 9),
        "stride": st.none() | st.integers(1, 9),
    },
)


def test_any_resolved_recipe_resolves_to_itself(catalog):
    @settings(max_examples=60)
    @given(OCCLUSION, st.integers(0, 2**63 - 1))
    def check(given, seed):
        plain = {
            "recipe": 1,
            "seed": seed,
            "data": {"use": "shop/digits"},
            "classifier": {"use": "shop/lenet"},
            "explainers": {"a": {"use": "shop/occlusion", "with": _escaped(given)}},
        }
        first = load_recipe(plain, catalog=catalog)
        again = load_recipe(json.loads(json.dumps(first.plain)), catalog=catalog)
        assert first.plain == again.plain
        params = first.of_role("explainer")[0].params
        assert params == again.of_role("explainer")[0].params
        assert all(list(got) == want if isinstance(want, list) else got == want for got, want in _pairs(params, given))

    check()


def _pairs(params, given):
    return [(getattr(params, name), value) for name, value in given.items()]


def _escaped(value):
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return {key: _escaped(item) for key, item in value.items()} if isinstance(value, dict) else value
