"""The conformance kit on recipes: ours keep its promises, and each promise can be broken."""

import sys

import pytest
from sidelight_specs.testing import component_tests
from sidelight_specs.testing.kit import planned

test_conformance = component_tests("sidelight-recipes")

GOOD = "recipe: 1\ntitle: Why?\ndata: {use: images/digits}\nexplainers: {a: {use: nobody/thing}}\n"
BROKEN = {
    "no-title": (GOOD.replace("title: Why?\n", ""), "recipe-is-described", "it has no title"),
    "no-component": ("recipe: 1\ntitle: Why?\n", "recipe-is-described", "it names no component"),
    "twice": (GOOD + "title: Again?\n", "recipe-is-described", 'the key "title" is given twice'),
    "astray": (GOOD + "extends: lost.yaml\n", "recipe-is-described", "there is no such file"),
    "misspelt": (GOOD.replace("images/digits", "images/digit"), "recipe-uses-what-exists", "has no data images/digit"),
    "other-role": (
        GOOD.replace("nobody/thing", "images/digits"),
        "recipe-uses-what-exists",
        "no explainer images/digits",
    ),
    "odd.name": (GOOD, "recipe-is-described", "is no name of a recipe"),
    "absent": (None, "entry-point", "holds no file absent.yaml"),
}


@pytest.fixture
def failures(tmp_path, monkeypatch):
    """Installs recipes by name; gives what the kit finds, as (name, check) to message."""

    def install(recipes):
        info, package = tmp_path / "acme_recipes-1.0.dist-info", tmp_path / "acme_recipes"
        info.mkdir()
        package.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-recipes\nVersion: 1.0\n")
        points = "".join(f"{name} = acme_recipes\n" for name in recipes)
        (info / "entry_points.txt").write_text(f"[sidelight.v1.recipe]\n{points}")
        (package / "__init__.py").touch()
        for name, text in recipes.items():
            if text is not None:
                (package / f"{name}.yaml").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        found = {}
        for case, check in planned("acme-recipes"):
            try:
                check.function(case)
            except AssertionError as error:
                found[case.announced.name, check.name] = str(error)
        return found

    yield install
    sys.modules.pop("acme_recipes", None)


def test_a_recipe_in_order_passes_also_where_a_plugin_is_not_installed(failures):
    assert failures({"good": GOOD}) == {}


def test_each_promise_is_kept_or_named(failures):
    found = failures({name: text for name, (text, _, _) in BROKEN.items()})
    assert set(found) == {(name, check) for name, (_, check, _) in BROKEN.items()}
    for name, (_, check, message) in BROKEN.items():
        assert message in found[name, check]
