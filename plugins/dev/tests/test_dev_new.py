"""`sidelight new`: what it writes works as it stands, for every role."""

import os
import re
import subprocess
import sys
import tomllib

import attrs
import pytest
import yaml
from sidelight.cli import main
from sidelight.registry.policy import read_policy
from sidelight_specs.host import Installed
from sidelight_specs.roles import ROLES


def new(*words):
    return main(["new", *map(str, words)])


def make_importable(plugin, site):
    """What `pip install` would do, without its seconds: the source on the path, and the metadata of pyproject.toml."""
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items()) for group, points in groups
    ]
    (info / "entry_points.txt").write_text("".join(lines))
    return plugin / "src"


@pytest.mark.processes
def test_the_tests_of_a_new_plugin_pass_for_every_role(tmp_path):
    site, tests = tmp_path / "site", []
    sources = [site]
    for role in ROLES:
        plugin = tmp_path / role
        assert new(role, f"acme-{role.replace('_', '-')}", "--folder", plugin) == 0
        sources.append(make_importable(plugin, site))
        tests.append(plugin / "tests" / "test_conformance.py")
    path = os.pathsep.join(map(str, sources))
    options = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, tests)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for role in ROLES:
        name = role.replace("_", "-")
        assert re.search(rf"acme-{name}: (1[4-9]|2\d) conformance checks were run", done.stdout), done.stdout


def test_it_says_what_it_wrote_and_what_comes_next(tmp_path, capsys):
    folder = tmp_path / "plugin"
    new("explainer", "acme-smooth", "--folder", folder)
    told = capsys.readouterr().out
    written = sorted(str(path) for path in folder.rglob("*") if path.is_file())
    assert len(written) == 5
    assert all(path in told for path in written)
    assert f"pip install -e {folder}" in told
    assert "sidelight verify acme-smooth" in told
    assert "sidelight describe acme-smooth/smooth" in told


def test_the_folder_is_the_name_unless_another_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert new("attribute-finder", "acme-search") == 0
    project = tomllib.loads((tmp_path / "acme-search" / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"sidelight.v1.attribute_finder": {"search": "acme_search"}}


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_left_to_fill_in(tmp_path, role):
    new(role, "acme-thing-two", "--folder", tmp_path / "plugin")
    for path in (tmp_path / "plugin").rglob("*.*"):
        text = path.read_text()
        assert "$" not in text
        assert "TODO" not in text
        if path.suffix == ".py":
            compile(text, path, "exec")
            assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Acme", "no name for a plugin"),
        ("acme_x", "no name for a plugin"),
        ("../acme", "no name for a plugin"),
        ("9lives", "no name for a plugin"),
        ("acme-2fast", "no name for a component"),
        ("acme-class", "no name for a component"),
        ("json", "exists already"),
        ("sidelight-specs", "exists already"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path, capsys, name, part):
    assert new("metric", name, "--folder", tmp_path / "plugin") == 2
    message = capsys.readouterr().err
    assert part in message
    assert "fix:" in message
    assert not (tmp_path / "plugin").exists()


def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert new("metric", "acme-metric-x", "--folder", tmp_path) == 2
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_written_is_the_users_mistake(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert new("metric", "acme-metric-x", "--folder", tmp_path / "file" / "plugin") == 2
    assert "cannot write" in capsys.readouterr().err


def test_an_unknown_role_is_refused(capsys):
    assert new("oracle", "acme-oracle") == 2
    assert "explainer" in capsys.readouterr().err


def test_a_private_plugin_brings_its_ci_its_policy_and_its_guard(tmp_path):
    folder = tmp_path / "plugin"
    assert new("explainer", "acme-smooth", "--private", "--folder", folder) == 0
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {".github/workflows/ci.yml", "policy.yaml", "README.md", "pyproject.toml"} < written
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["classifiers"] == ["Private :: Do Not Upload"]
    readme = (folder / "README.md").read_text()
    assert "private Sidelight plugin" in readme
    assert len(readme.splitlines()) <= 40
    assert max(map(len, readme.splitlines())) <= 100
    policy = read_policy(folder / "policy.yaml")
    assert [pattern.text for pattern in policy.allow] == ["sidelight", "sidelight-*", "acme-smooth>=0.1,<1"]
    ours = Installed("command", "dev/new", "sidelight-dev", "0.1.0", "sidelight_dev")
    assert policy.blocks(ours) == ""
    assert policy.blocks(attrs.evolve(ours, distribution="attrs")) != ""


def test_the_ci_of_a_private_plugin_names_no_host_and_stops_without_one(tmp_path):
    new("explainer", "acme-smooth", "--private", "--folder", tmp_path / "plugin")
    text = (tmp_path / "plugin" / ".github" / "workflows" / "ci.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    assert "://" not in text
    assert "extra-index" not in text.lower()
    runs = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert [word for word in runs["test"] if "acme-smooth" in word] == ["sidelight verify acme-smooth"]
    for name, lines in runs.items():
        installs = [index for index, line in enumerate(lines) if "pip install" in line]
        assert 'test -n "$PIP_INDEX_URL"' in lines[installs[0] - 1], name
        assert jobs[name]["env"]["PIP_INDEX_URL"] == "${{ secrets.INDEX_URL }}"
    assert jobs["upload"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert 'test -n "$UPLOAD_URL"' in runs["upload"][-3]


@pytest.mark.processes
def test_a_private_plugin_builds_a_wheel_that_keeps_its_promises(tmp_path):
    folder, site = tmp_path / "plugin", tmp_path / "site"
    new("metric", "acme-private-x", "--private", "--folder", folder)
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip"]
    build = [*pip, "wheel", *options, "--no-build-isolation", "--wheel-dir", str(tmp_path), str(folder)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([*pip, "install", *options, "--target", str(site), str(wheel)], check=True)
    metadata = next(site.glob("acme_private_x-*.dist-info")) / "METADATA"
    assert "\nClassifier: Private :: Do Not Upload\n" in metadata.read_text()
    done = subprocess.run(
        [sys.executable, "-m", "sidelight", "verify", "acme-private-x"],
        env={**os.environ, "PYTHONPATH": str(site), "SIDELIGHT_POLICY": str(folder / "policy.yaml")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acme-private-x: " in done.stdout
