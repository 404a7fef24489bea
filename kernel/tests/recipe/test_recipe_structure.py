"""Which keys a recipe has, and what they hold."""

from __future__ import annotations

import pytest


def test_the_smallest_recipe(load, working):
    recipe = load(working)
    assert (recipe.name, recipe.seed, str(recipe.source)) == ("digits", 3, "recipe.yaml")
    assert [(component.role, component.id, component.use) for component in recipe.components] == [
        ("data", "data", "shop/digits"),
        ("classifier", "classifier", "shop/lenet"),
    ]


def test_one_component_or_a_mapping_of_ids(load, working):
    one = load(working + "explainers: {use: shop/gradient}\n")
    assert [component.id for component in one.of_role("explainer")] == ["explainer"]
    two = load(working + "explainers: {b: {use: shop/gradient}, a-1: {use: shop/gradient}}\n")
    assert [component.id for component in two.of_role("explainer")] == ["b", "a-1"]


def test_empty_parts_are_left_out_parts(load, working):
    empty = "explain:\ngenerator:\nexplainers: {a: {use: shop/gradient, with: , needs: }, b: }\nvars:\nextends:\n"
    assert [component.id for component in load(working + empty).of_role("explainer")] == ["a"]


def test_the_images_to_explain(load, working):
    text = working + "explain: {split: train, count: null, indices: [3, 1], labels: [], target: all, shard: 2}\n"
    explain = load(text).explain
    assert (explain.split, explain.count, explain.indices, explain.labels) == ("train", None, (3, 1), ())
    assert (explain.target, explain.shard, explain.data, explain.classifier) == ("all", 2, "data", "classifier")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("recipe: 1\n", "", "r:1:1: the recipe does not say which version it is | expected: recipe: 1"),
        ("recipe: 1", "recipe: 2", "r:1:9: this version of Sidelight does not read recipes of version 2"),
        ("recipe: 1", "recipe: true", "r:1:9: this version of Sidelight does not read recipes of version true"),
        ("recipe: 1", "recipe: 1.0", "r:1:9: this version of Sidelight does not read recipes of version 1.0"),
        ("name: digits", "name: ../digits", 'r:2:7: "../digits" cannot name a recipe'),
        ("name: digits", "name: 7", "r:2:7: 7 cannot name a recipe"),
        ("name: digits", 'name: ""', 'r:2:7: "" cannot name a recipe'),
        (
            "seed: 3",
            'title: " x"',
            'r:3:8: the title is " x" | expected: 1 to 160 characters on one line, the first no',
        ),
        ("seed: 3", "title: " + 161 * "x", 'r:3:8: the title is "xxxxxxxxxx'),
        ("seed: 3", r'title: "a\nb"', r'r:3:8: the title is "a\nb"'),
        ("seed: 3", "title: 7", "r:3:8: the title is 7 | expected: 1 to 160 characters"),
        ("seed: 3", "seed: -1", "r:3:7: the seed is -1 | expected: a whole number between 0 and 9223372036854775807"),
        ("seed: 3", "seed: 1.5", "r:3:7: the seed is 1.5"),
        ("seed: 3", "seed: true", "r:3:7: the seed is true"),
        ("seed: 3", "sede: 3", 'r:3:1: unknown key "sede"'),
        ("seed: 3", "explainer: {a: {use: shop/gradient}}", 'r:3:1: unknown key "explainer"'),
        ("seed: 3", "explain: {cuont: 3}", 'r:3:11: explain has no parameter "cuont" | expected: one of split, count'),
        ("seed: 3", "explain: [3]", "r:3:10: explain is a list | expected: a mapping of names to values"),
        ("seed: 3", "explain: {count: 0}", 'r:3:18: "count" of explain is 0 | expected: a whole number of images betw'),
        ("seed: 3", "explain: {indices: [0, -1]}", 'r:3:24: "indices.1" of explain is -1'),
        ("seed: 3", "explain: {indices: [1], labels: [a]}", "r:3:25: explain: indices and labels exclude each other"),
        ("seed: 3", "explain: {data: other}", 'r:3:17: the recipe has no data with the id "other" | expected: one of'),
        ("seed: 3", "metrics: 3", "r:3:10: metrics is 3 | expected: a component {use: PLUGIN/COMPONENT}, or in a"),
        (
            "{use: shop/lenet}",
            "shop/lenet",
            'r:5:13: classifier is "shop/lenet" | expected: a component {use: PLUGIN/COM',
        ),
        ("{use: shop/lenet}", "{usa: {}}", "r:5:19: classifier.usa does not say which component to use"),
        ("{use: shop/lenet}", "{ues: shop/lenet}", 'r:5:19: classifier.ues is "shop/lenet"'),
        ("{use: shop/lenet}", "{with: {}}", "r:5:13: classifier does not say which component to use"),
        ("{use: shop/lenet}", "{use: lenet}", 'r:5:19: use of classifier is "lenet" | expected: PLUGIN/COMPONENT'),
        ("{use: shop/lenet}", "{use: a.b:C/d e}", 'r:5:19: use of classifier is "a.b:C/d e"'),
        ("{use: shop/lenet}", "{use: [shop/lenet]}", "r:5:19: use of classifier is a list"),
        ("{use: shop/lenet}", "{use: shop/lenet, wiht: {}}", 'r:5:31: unknown key "wiht"'),
        ("{use: shop/lenet}", "{use: shop/lenet, with: 3}", "r:5:37: with of classifier is 3"),
        ("{use: shop/lenet}", "{use: shop/lenet, needs: {data: 3}}", 'r:5:45: the need "data" of classifier is 3'),
        ("seed: 3", "metrics: {a/b: {use: shop/deletion}}", 'r:3:11: "a/b" cannot be the id of a component'),
    ],
)
def test_mistakes(mistake, working, old, new, message):
    found = mistake(working.replace(old, new)).splitlines()
    text = " | ".join([found[0].replace("recipe.yaml", "r"), *(line.strip() for line in found[3:])])
    assert text.startswith(message)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("sede: 3", 'did you mean "seed"?'),
        ("explainer: {a: {use: shop/gradient}}", 'did you mean "explainers"?'),
        ("attribute-finders: {}", 'did you mean "attribute_finders"?'),
        ("metrics: shop/deletion", "write {use: shop/deletion}"),
        ("metrics: {ues: shop/deletion}", 'did you mean "use"?'),
        ("explainers: {gradient: {use: shop/gradient}, gradiant: {with: {}}}", 'did you mean "gradient"?'),
        ("explain: {cont: 3}", 'did you mean "count"?'),
    ],
)
def test_suggestions(mistake, working, text, hint):
    assert f"  hint: {hint}" in mistake(f"{working}{text}\n").splitlines()


def test_a_dict_goes_through_the_same_checks(mistakes):
    recipe = {"recipe": 1, "data": {"use": "shop/digits", "with": {"size": 4}}, "clasifier": {}}
    assert mistakes(recipe) == [
        "the recipe given as a dict: the recipe has no classifier, whose answers are explained\n"
        '  expected: a section "classifier"\n  hint: installed: shop/file, shop/lenet',
        'the recipe given as a dict, at data.with.size: "size" of shop/digits is 4\n'
        "  expected: a whole number of pixels between 8 and 64\n  help: Height and width of the images.",
        'the recipe given as a dict, at clasifier: unknown key "clasifier"\n'
        "  expected: a recipe has recipe, name, title, seed, extends, vars, explain, data, classifier, generator, "
        "inverter, attribute_finders, explainers, metrics, claims, renderers, executor\n"
        '  hint: did you mean "classifier"?',
    ]


def test_too_many_components(mistakes, working):
    many = {f"e{n}": {"use": "shop/gradient"} for n in range(501)}
    recipe = {"recipe": 1, "data": {"use": "shop/digits"}, "classifier": {"use": "shop/lenet"}, "explainers": many}
    assert "more than 500 components" in mistakes(recipe)[0]
