"""A folder of fake distributions, for tests of what is installed."""

import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXPLAINER = """
from sidelight_specs import ExplainerDescriptor, Need, hookimpl, param, params


@params
class Options:
    '''Options.'''

    patch: int = param(8, "Side of the square.", unit="pixels", minimum=1, maximum=64)


@hookimpl
def sidelight_explainers():
    yield ExplainerDescriptor(
        name="{component}", summary="Covers patches.", params=Options, factory="{module}.behaviour:Thing",
        needs=(Need("classifier", capabilities=("differentiable",)),), gives="heatmap", example={{"patch": 4}},
        paper="Nobody 2026",
    )
"""


class Site:
    """Writes distributions as pip leaves them: a `dist-info` folder, and packages beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.policy = None
        folder.mkdir()

    def install(self, name, *, version="1.0", entry_points=None, files=(), metadata=True):
        """`entry_points` is the text of the file; `files` maps paths to text."""
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        if metadata:
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if entry_points is not None:
            text = entry_points if isinstance(entry_points, bytes) else textwrap.dedent(entry_points).encode()
            (info / "entry_points.txt").write_bytes(text)
        for path, text in dict(files).items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        return info

    def plugin(self, name, source=None, *, component="thing", version="1.0"):
        """A distribution with one explainer; `source` is its light module's text. Returns the module's name."""
        module = name.replace("-", "_")
        text = EXPLAINER.format(component=component, module=module) if source is None else source
        points = f"[sidelight.v1.explainer]\n{component} = {module}\n"
        self.install(name, version=version, entry_points=points, files={f"{module}/__init__.py": text})
        return module

    def environment(self):
        """The environment of a process in which exactly the fake distributions and the real ones are installed."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith("SIDELIGHT")}
        path = os.pathsep.join([str(self.folder), *filter(None, [environ.get("PYTHONPATH")])])
        environ |= {"PYTHONPATH": path, "NO_COLOR": "1"}
        environ |= {f"XDG_{kind.upper()}_HOME": str(self.folder / kind) for kind in ("config", "cache")}
        return environ | ({"SIDELIGHT_POLICY": str(self.policy)} if self.policy else {})

    def python(self, *arguments):
        """Run Python there."""
        command = [sys.executable, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment(), cwd=self.folder)

    def sidelight(self, *arguments):
        """Run the command line there."""
        return self.python("-m", "sidelight", *arguments)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on `sys.path` into which tests install distributions; its modules are forgotten afterwards."""
    folder = tmp_path / "site"
    before = set(sys.modules)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delenv("SIDELIGHT_POLICY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """Ways to run recipes of toy components (`toys/`), with a cache and a working folder of the test's own."""
    monkeypatch.syspath_prepend(Path(__file__).parent / "toys")
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIDELIGHT_POLICY", raising=False)
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module("toy_recipes")
    module.calls.clear()
    return module
