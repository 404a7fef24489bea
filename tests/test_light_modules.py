"""Listing, describing and planning import nothing heavy."""

import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from sidelight_specs.hooks import GROUP_PREFIX
from sidelight_specs.roles import ROLES

HEAVY = {"torch", "torchvision", "lpips", "PIL", "captum", "skimage", "sklearn", "mlxtend", "matplotlib"}
LIGHT_MODULES = sorted({entry.value for role in ROLES for entry in entry_points(group=f"{GROUP_PREFIX}{role}")})


def modules_after(code):
    script = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_there_are_light_modules():
    assert len(LIGHT_MODULES) >= 6


@pytest.mark.parametrize("module", [*LIGHT_MODULES, "sidelight_specs.results", "sidelight_specs.roles", "sidelight"])
def test_importing_it_imports_nothing_heavy(module):
    assert not modules_after(f"import {module}") & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["plugins"], ["check", "recipes/quickstart.yaml"], ["schema"]])
@pytest.mark.processes
def test_a_command_that_needs_no_model_imports_nothing_heavy(arguments):
    code = f"from sidelight.cli import main\ntry: main({arguments!r})\nexcept SystemExit as stop: assert not stop.code"
    assert not modules_after(code) & HEAVY
