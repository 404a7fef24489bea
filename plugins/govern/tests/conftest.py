"""Distributions of fake plugins, as pip leaves them, and the command line among them."""

import os
import subprocess
import sys

import pytest

LIGHT = """
from sidelight_specs import ExplainerDescriptor, hookimpl


@hookimpl
def sidelight_explainers():
    factory = "{module}.behaviour:Thing"
    yield ExplainerDescriptor(name="thing", summary="Covers patches.", factory=factory, gives="heatmap")
"""
GOOD = "class Thing:\n    pass\n"


class Site:
    def __init__(self, folder):
        self.folder, self.variables = folder, {}
        folder.mkdir()

    def light(self, module):
        """Text of a light module that is in order."""
        return LIGHT.format(module=module)

    def plugin(self, name, *, light=LIGHT, behaviour=GOOD, version="1.0", requires=(), group="v1.explainer"):
        module = name.replace("-", "_")
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        (info / "entry_points.txt").write_text(f"[sidelight.{group}]\nthing = {module}\n")
        (self.folder / module).mkdir(exist_ok=True)
        (self.folder / module / "__init__.py").write_text(self.light(module) if light is LIGHT else light)
        (self.folder / module / "behaviour.py").write_text(behaviour)
        return info

    def sidelight(self, *words):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SIDELIGHT")}
        environment |= {"PYTHONPATH": str(self.folder), "SIDELIGHT_CACHE": str(self.folder / "cache"), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "sidelight", *map(str, words)]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**environment, **self.variables},
            check=False,
        )


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path / "site")
