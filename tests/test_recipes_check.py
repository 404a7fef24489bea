"""Every recipe of the project has no mistakes, as far as that can be known without loading a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_dev.schema import recipe_schema
from sidelight_faces.locations import DCGAN, EXPRESSION, LANDMARKS, MINI_XCEPTION, RECOGNITION, are_installed
from sidelight_images.stamps import STAMPS_FOLDER
from sidelight_specs.documents import read_yaml, to_plain
from sidelight_specs.problems import Problems

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))
FASHION = ROOT / "plugins/images/src/sidelight_images/examples/idx"
"""In place of Fashion-MNIST, which is not on every machine."""
FACES = (DCGAN, EXPRESSION, LANDMARKS, MINI_XCEPTION, RECOGNITION)


@pytest.fixture(scope="module")
def catalog():
    return installed()


@pytest.fixture(scope="module")
def schema(catalog):
    return jsonschema.Draft202012Validator(
        recipe_schema([catalog.lookup(entry.use, entry.role) for entry in catalog.entries()])
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_the_recipe_resolves_and_so_does_what_it_resolves_to(catalog, path):
    if "images/cutouts" in path.read_text(encoding="utf-8") and not STAMPS_FOLDER.is_dir():
        pytest.skip("Tux Paint's stamps are not installed: apt-get install tuxpaint-stamps-default")
    if "faces/dcgan" in path.read_text(encoding="utf-8") and not are_installed(*FACES):
        pytest.skip("face networks of other packages are not installed: make weights")
    settings = [f"data.with.path={FASHION}"] if "images/fashion" in path.read_text(encoding="utf-8") else []
    recipe = load_recipe(path, set=settings, catalog=catalog)
    assert load_recipe(recipe.plain, catalog=catalog).plain == recipe.plain


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_the_schema_accepts_the_recipe(schema, path):
    recipe = to_plain(read_yaml(path.read_text(encoding="utf-8"), path.name, Problems()))
    assert [error.message for error in schema.iter_errors(recipe)] == []


def test_there_are_recipes():
    assert RECIPES


def test_checking_imports_nothing_heavy():
    code = f"""
import sys
from sidelight.cli import main
assert main(["check", {str(RECIPES[0])!r}]) == 0
print(sorted({{"torch", "torchvision", "captum", "lpips", "PIL", "numpy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
