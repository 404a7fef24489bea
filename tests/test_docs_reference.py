"""docs/reference/recipe.md and docs/reference/components say what the plugins say."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import yaml
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_specs.documents import read_params, read_plain
from sidelight_specs.problems import Problems

TOOL = Path(__file__).parent.parent / "tools" / "reference.py"
sys.path.insert(0, str(TOOL.parent))


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(reference):
    return reference.pages(installed(), reference.first_party())


@pytest.fixture(scope="module")
def components(pages):
    """Pages of plugins, one after another."""
    return "\n".join(text for name, text in pages.items() if name.startswith("components/") and "index" not in name)


def test_the_committed_pages_are_up_to_date(reference, pages):
    for name, text in pages.items():
        assert reference.current(name) == text, f"docs/reference/{name} is stale; run: python tools/reference.py"
    assert reference.found() <= pages.keys(), "pages of plugins that are gone; run: python tools/reference.py"


def test_the_same_plugins_give_the_same_pages(reference, pages):
    assert reference.pages(installed(), reference.first_party()) == pages


def test_every_first_party_component_has_a_place_and_stands_in_the_index(reference, pages, components):
    ours = sorted(entry.use for entry in installed().entries() if entry.distribution in reference.first_party())
    assert sorted(re.findall(r"^## (\S+/\S+)$", components, re.MULTILINE)) == ours
    assert sorted(re.findall(r"^\| \[`(\S+)`\]", pages["components/index.md"], re.MULTILINE)) == ours


def test_the_recipe_in_the_introduction_resolves(pages):
    example = yaml.safe_load(re.search(r"```yaml\n(recipe: 1.*?)```", pages["recipe.md"], re.DOTALL)[1])
    recipe = load_recipe(example, catalog=installed())
    assert [component.id for component in recipe.of_role("explainer")] == ["gradients", "occlusion"]


def test_every_example_has_valid_parameters(components):
    catalog = installed()
    roles = {entry.use: entry.role for entry in catalog.entries()}
    examples = re.findall(r"^## (\S+/\S+)$.*?```yaml\n(.*?)```", components, re.MULTILINE | re.DOTALL)
    assert len(examples) == len(re.findall(r"^## ", components, re.MULTILINE))
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
        reference.pages(installed(), ["sidelight-nowhere"])
