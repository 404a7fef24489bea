"""Recipes by name: from entry points, never imported, under the policy, with files beside them."""

from pathlib import Path

import pytest
from sidelight.recipe.compose import compose
from sidelight.recipe.named import find_recipe
from sidelight.registry.catalog import Catalog, scan
from sidelight.registry.policy import read_policy
from sidelight_specs import UserError
from sidelight_specs.documents import to_plain
from sidelight_specs.problems import Problems
from sidelight_specs.recipe_files import outline, recipe_file

POINTS = "[sidelight.v1.recipe]\nfruit = acme_recipes\nnut = acme_recipes\n"
FRUIT = "recipe: 1\ntitle: Which fruit?\ndata: {use: shop/fruit}\nexplainers: {a: {use: shop/x}, b: {use: shop/y}}\n"
EXTENDING = "extends: fruit.yaml\ntitle: Which nut?\nexplainers: {a: {use: shop/z}, b: null}\n"
EXPLODES = "raise RuntimeError('recipes are data')"


@pytest.fixture
def recipes(site, monkeypatch, tmp_path):
    """Installs a distribution of recipes; gives its catalog, under a policy given as text."""
    monkeypatch.chdir(tmp_path)

    def install(policy=None, name="acme-recipes", files=()):
        package = name.replace("-", "_")
        texts = {"__init__.py": EXPLODES, "fruit.yaml": FRUIT, "nut.yaml": EXTENDING, **dict(files)}
        entry_points = POINTS.replace("acme_recipes", package)
        site.install(name, entry_points=entry_points, files={f"{package}/{key}": text for key, text in texts.items()})
        if policy is None:
            return Catalog(scan([str(site.folder)]))
        file = tmp_path / "policy.yaml"
        file.write_text(policy)
        return Catalog(scan([str(site.folder)]), read_policy(file))

    return install


def refused(name, catalog):
    with pytest.raises(UserError) as caught:
        find_recipe(name, catalog)
    return f"{caught.value.message}\n{caught.value.fix}"


def test_a_name_is_the_file_of_the_package_which_is_not_imported(recipes, site):
    assert find_recipe("fruit", recipes()) == site.folder / "acme_recipes" / "fruit.yaml"


def test_a_file_of_that_name_comes_first(recipes):
    catalog = recipes()
    Path("fruit").write_text(FRUIT)
    assert find_recipe("fruit", catalog) == Path("fruit")
    Path("nut").mkdir()
    assert find_recipe("nut", catalog) != Path("nut"), "a folder is no recipe"


@pytest.mark.parametrize("path", ["fruit.yaml", "./fruit", "deep/fruit"])
def test_a_path_is_left_as_it_is(recipes, path):
    assert find_recipe(path, recipes()) == Path(path)


def test_an_unknown_name_is_told_the_nearest(recipes):
    assert refused("friut", recipes()) == (
        'no recipe "friut" is installed, and there is no such file\ndid you mean "fruit"?'
    )


def test_a_policy_blocks_recipes_as_it_blocks_components(recipes):
    assert 'deny "acme-recipes/fruit"' in refused("fruit", recipes("deny: [acme-recipes/fruit]\n"))


def test_a_name_that_two_announce_belongs_to_neither(recipes):
    recipes()
    catalog = recipes(name="rival-recipes")
    assert 'the recipe "fruit" is announced by acme-recipes 1.0 and rival-recipes 1.0' in refused("fruit", catalog)


def test_of_two_a_policy_leaves_one(recipes, site):
    recipes()
    catalog = recipes("deny: [acme-recipes]\n", name="rival-recipes")
    assert find_recipe("fruit", catalog) == site.folder / "rival_recipes" / "fruit.yaml"


def test_an_announced_file_that_is_not_there_is_broken(recipes, site):
    catalog = recipes()
    (site.folder / "acme_recipes" / "fruit.yaml").unlink()
    assert "the package acme_recipes holds no file fruit.yaml" in refused("fruit", catalog)


def test_recipes_are_listed_as_ok_without_import(recipes):
    catalog = recipes()
    assert {state.state for state in catalog.states(catalog.entries("recipe"))} == {"ok"}


def test_an_outline_follows_what_a_recipe_extends(recipes):
    catalog = recipes()
    (nut,) = (entry for entry in catalog.entries("recipe") if entry.name == "nut")
    problems = Problems()
    found = outline(recipe_file(nut), problems)
    assert not problems.mistakes
    assert found.title == "Which nut?"
    assert found.uses == (("data", "shop/fruit"), ("explainer", "shop/z"))
    assert [path.name for path in found.files] == ["nut.yaml", "fruit.yaml"]


def test_a_chain_that_goes_in_a_circle_ends(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    assert len(outline(tmp_path / "a.yaml", Problems()).files) == 2


def composed(path, set=()):
    problems = Problems()
    value = compose(path, set, (), problems)
    return to_plain(value) if not problems.mistakes else problems.ordered[0].render()


def test_each_file_means_its_own_folder(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "b.yaml").write_text('vars: {file: "${recipe_folder}/b.json"}\ndata: {with: {b: "${file}"}}\n')
    (tmp_path / "a.yaml").write_text('extends: base/b.yaml\ndata: {with: {a: "${recipe_folder}/a.json"}}\n')
    assert composed(tmp_path / "a.yaml") == {
        "data": {"with": {"b": f"{tmp_path}/base/b.json", "a": f"{tmp_path}/a.json"}}
    }


def test_the_folder_is_text_whatever_it_is_called(tmp_path):
    folder = tmp_path / "${odd}"
    folder.mkdir()
    (folder / "a.yaml").write_text('data: {with: {a: "${recipe_folder}/x", b: "$${recipe_folder}"}}\n')
    assert composed(folder / "a.yaml") == {"data": {"with": {"a": f"{folder}/x", "b": "${recipe_folder}"}}}


def test_the_folder_cannot_be_set(tmp_path):
    (tmp_path / "a.yaml").write_text("vars: {recipe_folder: elsewhere}\n")
    assert "is the folder of the recipe's file and cannot be set" in composed(tmp_path / "a.yaml")
