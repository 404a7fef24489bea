"""`sidelight new`: what it writes works as it stands, for every role."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
from sidelight.cli import main
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
