"""The tutorial's plugin and `sidelight verify`: a stranger's distribution, built and installed by pip."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "sidelight-occlusion"
PARTS = (
    "pyproject.toml",
    "src/acme_occlusion/__init__.py",
    "src/acme_occlusion/explain.py",
    "tests/test_conformance.py",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed the example."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(EXAMPLE)], check=True
    )
    return folder


def sidelight(*words, site, cwd=ROOT, **settings):
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", **settings}
    command = [sys.executable, "-m", "sidelight", *map(str, words)]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_plugin_has_four_files_and_at_most_fifty_lines():
    texts = [(EXAMPLE / part).read_text() for part in PARTS]
    assert sum(bool(line.strip()) for text in texts for line in text.splitlines()) <= 50
    code = [path for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    assert sorted(code) == sorted(EXAMPLE / part for part in PARTS)


def test_the_tutorial_shows_the_files_as_they_are():
    tutorial = (ROOT / "docs" / "tutorial" / "plugin.md").read_text()
    shown = dict(re.findall(r"`([\w./-]+)`\n\n```\w+\n(.*?)```", tutorial, flags=re.DOTALL))
    assert set(shown) == {*PARTS, "recipe.yaml"}
    for part, text in shown.items():
        assert text == (EXAMPLE / part).read_text(), f"docs/tutorial/plugin.md shows another {part}"


def test_it_is_listed_and_described(site):
    listed = sidelight("plugins", site=site)
    assert "acme-occlusion/occlusion" in listed.stdout
    described = sidelight("describe", "acme-occlusion/occlusion", site=site)
    assert "Side of the grey square" in described.stdout


def test_its_recipe_is_right(site):
    checked = sidelight("check", EXAMPLE / "recipe.yaml", site=site)
    assert checked.returncode == 0, checked.stderr


def test_verify_passes_and_counts_the_checks(site):
    done = sidelight("verify", "acme-occlusion", site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"explainer/occlusion +26 passed", done.stdout)
    assert "acme-occlusion: 26 conformance checks were run" in done.stdout


def test_verify_says_which_check_failed_and_why(site, tmp_path):
    """The same plugin, made to look at the class that it was not asked about."""
    for part in site.iterdir():
        (tmp_path / part.name).symlink_to(part)
    (tmp_path / "acme_occlusion").unlink()
    (tmp_path / "acme_occlusion").mkdir()
    for name in ("__init__.py", "explain.py"):
        text = (site / "acme_occlusion" / name).read_text()
        (tmp_path / "acme_occlusion" / name).write_text(text.replace("targets.predicted", "(targets.predicted * 0)"))
    done = sidelight("verify", "acme-occlusion", site=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED answers-the-question-asked: it gives the same heatmap whichever class" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_it_runs_from_a_recipe(site, tmp_path):
    toys = ROOT / "kernel" / "tests" / "toys"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "recipe: 1\nname: stranger\nseed: 0\nexplain: {split: test, count: 2, target: second}\n"
        "data: {use: toy/squares}\nclassifier: {use: toy/mean}\n"
        "explainers: {mine: {use: acme-occlusion/occlusion, with: {patch: 2}}}\nrenderers: {page: {use: toy/text}}\n"
    )
    path = os.pathsep.join([str(site), str(toys)])
    done = sidelight(
        "run", recipe, "--out", tmp_path / "out", site=path, cwd=tmp_path, SIDELIGHT_CACHE=str(tmp_path / "c")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((tmp_path / "out" / "run.json").read_text())
    assert any("mine" in name for name in manifest["outputs"]["artifacts"]), manifest["outputs"]
    assert manifest["cache"]["found"] == 0
