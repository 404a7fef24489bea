"""A stranger's distribution adds a kind, an explainer, a metric, a command and an observer; nothing of ours changes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sidelight_specs import Artifact, kinds

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "acme-prototypes"
BRIEF = ("--set", "classifier.with.steps=20", "--set", "data.with.test=20")

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed the example."""
    folder = tmp_path_factory.mktemp("third") / "site"
    source = folder.parent / "source"  # pip builds beside its sources
    shutil.copytree(EXAMPLE, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(source)]
    subprocess.run(command, check=True)
    return folder


def sidelight(site, *words):
    settings = {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1", "SIDELIGHT_CACHE": str(site.parent / "cache")}
    command = [sys.executable, "-m", "sidelight", *map(str, words)]
    return subprocess.run(
        command, env={**os.environ, **settings}, cwd=site.parent, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def run(site):
    """Output of the recipe's run, and its folder."""
    out = site.parent / "run"
    done = sidelight(site, "run", EXAMPLE / "recipe.yaml", *BRIEF, "--out", out)
    assert done.returncode == 0, done.stderr
    return done, out


def test_it_has_at_most_120_lines_and_imports_nothing_of_the_kernel():
    texts = [path.read_text() for path in (EXAMPLE / "pyproject.toml", *EXAMPLE.rglob("*.py"))]
    assert sum(len(text.splitlines()) for text in texts) <= 120
    assert not any(re.search(r"^\s*(from|import) sidelight[. ]", text, flags=re.MULTILINE) for text in texts)


def test_the_kind_is_stored_and_read_back(run, site, monkeypatch):
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(kinds, "_load", kinds._load_entry_point)  # not the catalog of an earlier test's plugins
    _, out = run
    manifest = json.loads((out / "run.json").read_text())
    (folder,) = (item["folder"] for item in manifest["results"] if "explanations" in item["folder"])
    prototypes = Artifact.load(out / folder)
    assert prototypes.kind == "acme.prototypes"
    prototypes.validate((4, 1, 32, 32), 10)
    assert prototypes.images.shape == (4, 3, 1, 32, 32)


def test_it_is_measured_and_on_the_page(run):
    done, out = run
    assert re.search(r"^agreement +nearest", done.stdout, flags=re.MULTILINE)
    page = (out / "page" / "index.html").read_text()
    assert "nearest training images, distance of logits" in page
    assert '\\"acme.prototypes\\" cannot be shown' not in page


def test_the_observer_writes_a_line_a_step(run):
    done, _ = run
    lines = [line for line in done.stdout.splitlines() if line.startswith("acme: ")]
    assert [line.partition(":")[0] for line in lines] == ["acme"] * 7
    assert re.fullmatch(r"acme: 5/7 explain explainers\.nearest: \d+\.\d s", lines[4])


def test_the_command_prints_it(run, site):
    _, out = run
    printed = sidelight(site, "prototypes", out)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert re.search(r"^nearest +0 +\[\d, \d, \d\]$", printed.stdout, flags=re.MULTILINE)


def test_a_second_run_takes_everything_from_the_cache(run, site):
    done = sidelight(site, "run", EXAMPLE / "recipe.yaml", *BRIEF, "--out", site.parent / "again", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "acme: 5/7 explain explainers.nearest: cached" in done.stdout


def test_it_keeps_every_promise(site):
    done = sidelight(site, "verify", "acme-prototypes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acme-prototypes: 64 conformance checks were run" in done.stdout


@pytest.fixture
def altered(site, tmp_path):
    """The installed example with one text replaced."""

    def alter(old, new, module="nearest.py"):
        copy = shutil.copytree(site, tmp_path / "site")
        path = copy / "acme_prototypes" / module
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return copy

    return alter


def test_an_invalid_one_is_refused_and_not_kept(altered, tmp_path):
    copy = altered("largest=False", "largest=True")
    done = sidelight(copy, "run", EXAMPLE / "recipe.yaml", *BRIEF, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert "distances decrease: the nearest prototype comes first" in done.stderr
    assert "acme-prototypes/nearest" in done.stderr
    assert not list((tmp_path / "run").rglob("*nearest*"))


def test_an_impostor_of_a_built_in_kind_is_refused(altered, tmp_path):
    copy = altered('    kind = "acme.prototypes"', '    kind = "heatmap"')
    path = copy / "acme_prototypes" / "__init__.py"
    path.write_text(path.read_text().replace('KIND, NEEDS = "acme.prototypes"', 'KIND, NEEDS = "heatmap"'))
    done = sidelight(copy, "run", EXAMPLE / "recipe.yaml", *BRIEF, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert 'it is of the kind "heatmap", which is sidelight_specs.results.heatmap.Heatmap' in done.stderr


def test_a_kind_that_nobody_registers_is_a_mistake_of_the_recipe(altered):
    copy = altered('"acme.prototypes"', '"acme.prototype"', "__init__.py")
    done = sidelight(copy, "check", EXAMPLE / "recipe.yaml")
    assert done.returncode == 2
    assert 'no kind of result "acme.prototype" is registered' in done.stderr
    assert "acme.prototypes, attention-graph" in done.stderr


def test_an_observer_that_raises_is_named_and_the_run_goes_on(altered, tmp_path):
    copy = altered("    print(f", "    raise OSError(f", "__init__.py")
    done = sidelight(copy, "run", EXAMPLE / "recipe.yaml", *BRIEF, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("observer acme-prototypes/steps") == 1
    assert "told nothing further" in done.stderr


def test_a_run_is_not_read_by_a_plugin_that_the_policy_denies(run, altered, tmp_path):
    _, out = run
    copy = altered("import attrs", "raise SystemExit('imported')")
    (tmp_path / "policy.yaml").write_text("deny: [acme-prototypes]\n")
    code = f"import sidelight; sidelight.load_run({str(out)!r})"
    settings = {"PYTHONPATH": str(copy), "SIDELIGHT_POLICY": str(tmp_path / "policy.yaml")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    assert "is blocked by the policy" in done.stderr
    assert "imported" not in done.stderr
