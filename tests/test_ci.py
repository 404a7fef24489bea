"""The jobs of CI: the workflow calls make targets that exist, on every Python that the distributions declare."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
TOOLS = set((ROOT / "requirements-dev.txt").read_text().split("\n"))
NAMES = {"lint-imports": "import-linter"}  # of commands whose package has another name


def expanded(strategy):
    """The combinations of a matrix whose `include` only adds new ones."""
    matrix = strategy["matrix"]
    product = [{"target": target, "python": python} for target in matrix["target"] for python in matrix["python"]]
    return product + matrix["include"]


def test_every_job_is_a_make_target_on_its_pythons():
    (job,) = WORKFLOW["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make ${{ matrix.target }} PYTHON=python"]
    pythons = {}
    for combination in expanded(job["strategy"]):
        pythons.setdefault(combination["target"], []).append(combination["python"])
    assert pythons.keys() - TARGETS == set()
    everywhere = ["3.11", "3.12", "3.13"]
    once = {target: ["3.11"] for target in ("alone", "coverage", "docs", "minimum", "wheels")}
    assert pythons == {"quick": everywhere, "test": everywhere} | once


def test_every_job_has_a_time_limit_and_may_only_read():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    for job in WORKFLOW["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert "permissions" not in job


def test_every_action_is_pinned_and_keeps_no_token():
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    for step in steps:
        assert re.fullmatch(r"actions/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", step["uses"])
    (checkout,) = [step for step in steps if step["uses"].startswith("actions/checkout@")]
    assert checkout["with"] == {"persist-credentials": False}


def test_the_lowest_python_of_the_jobs_is_the_declared_one():
    project = tomllib.loads((ROOT / "kernel/pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"


@pytest.mark.parametrize("entry", [hook["entry"] for repository in HOOKS for hook in repository["hooks"]])
def test_a_hook_before_commits_runs_what_is_installed(entry):
    command, argument, *_ = [*entry.split(), ""]
    if command == "make":
        assert argument in TARGETS
    else:
        name = Path(command).name
        assert command == f".venv/bin/{name}"
        assert NAMES.get(name, name) in TOOLS


def test_every_target_that_help_names_exists_and_the_other_way_round():
    text = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"^# make ([a-z]+)", text, re.MULTILINE))
    inner = {"install", "tools", "types", "browser"}
    assert TARGETS - inner == named
    (phony,) = re.findall(r"^\.PHONY: (.*)", text, re.MULTILINE)
    assert set(phony.split()) == TARGETS
