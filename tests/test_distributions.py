"""What every distribution declares: its imports, with ranges that agree, and the one version.

The arrows of import are contracts of import-linter in pyproject.toml; here is what it cannot see.
"""

import ast
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = sorted(path.parent for path in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")])
TREES = {folder: tomllib.loads((folder / "pyproject.toml").read_text()) for folder in DISTRIBUTIONS}
PROJECTS = {folder: tree["project"] for folder, tree in TREES.items()}
MODULES = {  # of packages whose module has another name
    "efficientnet-lite-pytorch": "efficientnet_lite_pytorch",
    "mlflow-skinny": "mlflow",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}


def requirements(folder, tests=False):
    """Name and bounds of every requirement, extras included, and on demand what the tests need."""
    extras = [text for extra in PROJECTS[folder].get("optional-dependencies", {}).values() for text in extra]
    texts = PROJECTS[folder].get("dependencies", []) + extras
    texts += TREES[folder].get("dependency-groups", {}).get("test", []) if tests else []
    return [re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?(.*)", text).groups() for text in texts]


def modules(requirements):
    """Top-level names that requirements bring."""
    return {MODULES.get(name.lower(), name.lower().replace("-", "_")) for name, _ in requirements}


def imported(folder, pattern="src/**/*.py"):
    """Top-level names of every import statement in the distribution's source."""
    nodes = [node for path in folder.glob(pattern) for node in ast.walk(ast.parse(path.read_text()))]
    names = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}


def test_all_distributions_are_seen():
    assert {"specs", "kernel", "captum", "toolkit"} <= {folder.name for folder in DISTRIBUTIONS}


def test_every_import_is_declared():
    undeclared = {}
    for folder in DISTRIBUTIONS:
        own = PROJECTS[folder]["name"].replace("-", "_")
        names = imported(folder) - modules(requirements(folder)) - {own} - set(sys.stdlib_module_names)
        undeclared[folder.name] = sorted(names)
    assert not {name: missing for name, missing in undeclared.items() if missing}


def test_every_sibling_that_tests_import_is_declared():
    """So that `make alone` finds it: the environment holds what a distribution and its group `test` declare."""
    siblings = set().union(*(modules([(project["name"], "")]) for project in PROJECTS.values()))
    undeclared = {}
    for folder in DISTRIBUTIONS:
        own = [(PROJECTS[folder]["name"], ""), ("sidelight-specs", "")]
        declared = modules(requirements(folder, tests=True) + own)
        undeclared[folder.name] = sorted((imported(folder, "tests/**/test_*.py") & siblings) - declared)
    assert not {name: missing for name, missing in undeclared.items() if missing}


def test_every_pin_lies_in_the_declared_ranges():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    pins = {canonicalize_name(name): pin for name, pin in (line.split("==") for line in lines)}
    builds = [text for tree in TREES.values() for text in tree["build-system"]["requires"]]
    texts = builds + ["".join(pair) for folder in DISTRIBUTIONS for pair in requirements(folder, tests=True)]
    declared = {one for one in map(Requirement, texts) if not one.name.startswith("sidelight")}
    assert not [str(one) for one in declared if pins.get(canonicalize_name(one.name), "") not in one.specifier]


def test_every_requirement_has_one_bounded_range():
    ranges = {}
    for folder in DISTRIBUTIONS:
        for name, bounds in requirements(folder, tests=True):
            ranges.setdefault(name, {}).setdefault(bounds, []).append(folder.name)
    assert not {name: found for name, found in ranges.items() if len(found) > 1}
    assert not {name: list(found) for name, found in ranges.items() if not re.search(r"<\d", "".join(found))}
    assert list(ranges["attrs"]) == [">=24.1,<27"], "23.2 gives trained components other parameters than they had"


def test_the_version_stands_in_one_place():
    (only,) = {version(project["name"]) for project in PROJECTS.values()}
    assert only == (ROOT / "VERSION").read_text().strip()
    assert not [folder.name for folder, project in PROJECTS.items() if "version" in project]
