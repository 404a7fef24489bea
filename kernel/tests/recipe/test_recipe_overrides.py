"""`--set` and `--swap`."""

from __future__ import annotations

import pytest

SEVERAL = """\
generator:
  vae: {use: gans/vae}
  gan: {use: gans/style}
explainers:
  heat: {use: shop/occlusion, with: {patch: 4}}
"""


def heat(recipe):
    return recipe.of_role("explainer")[0].params


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("explainers.heat.with.patch=16", "patch", 16),
        ("explainers.heat.with.scale=1e-1", "scale", 0.1),
        ("explainers.heat.with.signed=false", "signed", False),
        ("explainers.heat.with.stride=null", "stride", None),
        ("explainers.heat.with.stride=", "stride", None),
        ("explainers.heat.with.layers=[a, b]", "layers", ("a", "b")),
        (" explainers . heat.with.layers = [] ", "layers", ()),
        ('explainers.heat.with.weights."layer1.0"=1', "weights", {"layer1.0": 1.0}),
        ("explainers.heat.with={patch: 5}", "patch", 5),
        ("explainers.heat={with: {patch: 6}}", "patch", 6),
        ("explainers.heat.with.target=a=b", "target", "a=b"),
    ],
)
def test_set_changes_one_value(load, working, setting, name, value):
    assert getattr(heat(load(working + SEVERAL, set=[setting])), name) == value


def test_set_may_come_in_any_order_and_the_last_one_wins(load, working):
    use, size = "explainers.heat.use=shop/occlusion", "explainers.heat.with.patch="
    assert heat(load(working + SEVERAL, set=[size + "3", use, size + "5"])).patch == 5
    changed = load(working + SEVERAL, set=["classifier.with.file=x", "classifier.use=shop/file"])
    assert changed.of_role("classifier")[0].params.file == "x"


def test_set_works_on_variables_and_on_what_is_not_there_yet(load, working):
    recipe = load(working + "vars: {size: 9}\n", set=["vars.size=11", "data.with.size=${size}", "seed=4"])
    assert (recipe.data.params.size, recipe.seed) == (11, 4)
    added = load(working, set=["explainers.new.use=shop/gradient"])
    assert added.of_role("explainer")[0].id == "new"


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (
            "data.with.size=4",
            '--set data.with.size=4: "size" of shop/digits is 4\n  expected: a whole number of pixels',
        ),
        ("data.with.sise=9", '--set data.with.sise=9: shop/digits has no parameter "sise"\n'),
        ("data.with.size=[", "--set data.with.size=[: this is not valid YAML"),
        ("data.with.size=!x 1", '--set data.with.size=!x 1: the tag "!x" is not read'),
        ("sead=3", '--set sead=3: unknown key "sead"'),
        ("data.with.size", "--set data.with.size: a setting names a key and its value"),
        ("=3", "--set =3: a setting names a key and its value"),
        ("a..b=3", "--set a..b=3: a setting names a key and its value"),
        ("extends=other.yaml", "--set extends=other.yaml: extends is part of the recipe and cannot be set"),
        ("name.x=3", "--set name.x=3: a mapping cannot name a recipe"),
        ("explainers.new.with.patch=3", "--set explainers.new.with.patch=3: explainers.new does not say which"),
    ],
)
def test_a_wrong_setting_is_named_as_it_was_typed(mistake, working, setting, text):
    assert mistake(working, set=[setting]).startswith(text)


@pytest.mark.parametrize(
    ("swap", "id", "use"),
    [
        ("classifier=shop/file", "classifier", "shop/file"),
        ("generator.gan=gans/vae", "gan", "gans/vae"),
        ("gan=gans/vae", "gan", "gans/vae"),
        ("explainers.heat=shop/gradient", "heat", "shop/gradient"),
        ("explainer.heat=shop/gradient", "heat", "shop/gradient"),
        ("explainer=shop/gradient", "heat", "shop/gradient"),
        ("explainers = shop/gradient", "heat", "shop/gradient"),
    ],
)
def test_swap_changes_the_component_and_forgets_its_parameters(load, working, swap, id, use):
    recipe = load(working + SEVERAL, swap=[swap], set=["classifier.with.file=f"] if "file" in swap else [])
    assert next(component.use for component in recipe.components if component.id == id) == use


def test_swapping_in_the_same_component_keeps_its_parameters(load, working):
    assert heat(load(working + SEVERAL, swap=["heat=shop/occlusion"])).patch == 4


@pytest.mark.parametrize(
    ("swap", "text"),
    [
        ("generator=gans/vae", '"generator" could be any of generator.vae, generator.gan\n  hint: name one of them'),
        (
            "heet=shop/gradient",
            'the recipe has no component "heet" to swap\n  expected: data, classifier, generator.vae',
        ),
        ("inverter=gans/encoder", 'the recipe has no component "inverter" to swap'),
        ("heat", "a swap names a role or an id, and the component to put there"),
        ("heat=", "a swap names a role or an id, and the component to put there"),
        ("heat=shop/nothing", 'no explainer "shop/nothing" is installed'),
        ("heat=shop", 'use of explainers.heat is "shop"\n  expected: PLUGIN/COMPONENT'),
    ],
)
def test_a_wrong_swap_is_named_as_it_was_typed(mistake, working, swap, text):
    assert mistake(working + SEVERAL, swap=[swap]).startswith(f"--swap {swap}: {text}")


def test_a_wrong_swap_has_a_suggestion(mistake, working):
    assert mistake(working + SEVERAL, swap=["heet=shop/gradient"]).endswith('hint: did you mean "heat"?')


def test_every_wrong_override_is_reported(mistakes, working):
    assert len(mistakes(working, set=["a", "b=1"], swap=["c", "d=e/f"])) == 4
