"""What every distribution declares: its imports, with ranges that agree, and the one version.

The arrows of import are contracts of import-linter in pyproject.toml; here is what it cannot see.
"""

import ast
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = sorted(path.parent for path in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")])
PROJECTS = {folder: tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in DISTRIBUTIONS}
MODULES = {  # of packages whose module has another name
    "efficientnet-lite-pytorch": "efficientnet_lite_pytorch",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}


def requirements(folder):
    """Name and bounds of every requirement, extras included."""
    extras = [text for extra in PROJECTS[folder].get("optional-dependencies", {}).values() for text in extra]
    texts = PROJECTS[folder].get("dependencies", []) + extras
    return [re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?(.*)", text).groups() for text in texts]


def imported(folder):
    """Top-level names of every import statement in the distribution's source."""
    nodes = [node for path in folder.glob("src/**/*.py") for node in ast.walk(ast.parse(path.read_text()))]
    names = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}


def test_all_distributions_are_seen():
    assert {"specs", "kernel", "captum", "toolkit"} <= {folder.name for folder in DISTRIBUTIONS}


def test_every_import_is_declared():
    undeclared = {}
    for folder in DISTRIBUTIONS:
        declared = {MODULES.get(name.lower(), name.lower().replace("-", "_")) for name, _ in requirements(folder)}
        own = next((folder / "src").iterdir()).name
        undeclared[folder.name] = sorted(imported(folder) - declared - {own} - set(sys.stdlib_module_names))
    assert not {name: missing for name, missing in undeclared.items() if missing}


def test_every_requirement_has_one_bounded_range():
    ranges = {}
    for folder in DISTRIBUTIONS:
        for name, bounds in requirements(folder):
            ranges.setdefault(name, {}).setdefault(bounds, []).append(folder.name)
    assert not {name: found for name, found in ranges.items() if len(found) > 1}
    assert not {name: list(found) for name, found in ranges.items() if not re.search(r"<\d", "".join(found))}
    assert list(ranges["attrs"]) == [">=24.1,<27"], "23.2 gives trained components other parameters than they had"


def test_the_version_stands_in_one_place():
    (only,) = {version(project["name"]) for project in PROJECTS.values()}
    assert only == (ROOT / "VERSION").read_text().strip()
    assert not [folder.name for folder, project in PROJECTS.items() if "version" in project]
