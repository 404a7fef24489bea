"""docs/reference/recipe.md says what the plugins say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs.documents import read_params, read_plain
from sidelight_specs.problems import Problems

TOOL = Path(__file__).parent.parent / "tools" / "reference.py"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(reference):
    return reference.page(installed(), reference.first_party())


def test_the_committed_page_is_up_to_date(reference, page):
    assert reference.PAGE.read_text(encoding="utf-8") == page, "run: python tools/reference.py"


def test_the_same_plugins_give_the_same_page(reference, page):
    assert reference.page(installed(), reference.first_party()) == page


def test_every_first_party_component_is_on_the_page(reference, page):
    ours = [entry for entry in installed().entries() if entry.distribution in reference.first_party()]
    assert sorted(re.findall(r"^### (\S+)$", page, re.MULTILINE)) == sorted(entry.use for entry in ours)


def test_the_recipe_in_the_introduction_resolves(page):
    example = yaml.safe_load(re.search(r"```yaml\n(recipe: 1.*?)```", page, re.DOTALL)[1])
    recipe = load_recipe(example, catalog=installed())
    assert [component.id for component in recipe.of_role("explainer")] == ["gradients", "occlusion"]


def test_every_example_on_the_page_has_valid_parameters(page):
    catalog = installed()
    roles = {entry.use: entry.role for entry in catalog.entries()}
    components = page[page.index("\n### ") :]
    examples = re.findall(r"^### (\S+)$.*?```yaml\n(.*?)```", components, re.MULTILINE | re.DOTALL)
    assert len(examples) == components.count("\n### ")
    for use, text in examples:
        (held,) = yaml.safe_load(text).values()
        choice = held if "use" in held else next(iter(held.values()))
        problems = Problems()
        entries = read_plain(choice.get("with", {}), problems).data
        read_params(catalog.lookup(use, roles[use]).descriptor.params, entries, use, None, problems)
        assert choice["use"] == use
        assert not [problem for problem in problems.mistakes if "needs the parameter" not in problem.message]


def test_tables_survive_bars_and_line_breaks(reference):
    assert reference.cell("a | b\nc") == "a \\| b c"


def test_a_plugin_that_is_not_installed_is_named(reference):
    with pytest.raises(SystemExit, match="sidelight-nowhere is not installed"):
        reference.page(installed(), ["sidelight-nowhere"])
