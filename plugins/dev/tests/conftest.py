"""A folder of fake distributions, for commands that look at what is installed."""

import importlib
import sys

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
        name="thing", summary="Covers patches.", params=Options, factory="{module}.behaviour:Thing",
        needs=(Need("classifier", capabilities=("differentiable",)),), gives="heatmap", example={{"patch": 4}},
        paper="Nobody 2026", limits=("Squares alone.", "Nothing else, " + "and so on " * 9 + "(Nobody 2026)."),
    )
"""


class Site:
    """Writes distributions as pip leaves them: a `dist-info` folder, and modules beside it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def install(self, name, *, entry_points, files=()):
        info = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(entry_points)
        for path, text in dict(files).items():
            (self.folder / path).parent.mkdir(exist_ok=True)
            (self.folder / path).write_text(text)
        importlib.invalidate_caches()

    def plugin(self, name, source=EXPLAINER):
        """A distribution with one explainer, `thing`."""
        module = name.replace("-", "_")
        files = {f"{module}/__init__.py": source.format(module=module) if source is EXPLAINER else source}
        self.install(name, entry_points=f"[sidelight.v1.explainer]\nthing = {module}\n", files=files)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on `sys.path` into which tests install distributions; its modules are forgotten afterwards."""
    folder, before = tmp_path / "site", set(sys.modules)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delenv("SIDELIGHT_POLICY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
