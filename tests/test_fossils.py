"""Plugins of earlier releases run in this one, as they were released.

`tests/fossils/VERSION` holds a plugin for each role, one with a kind, a command and an observer, and a recipe of them
all, laid out as pip installs them. Their files are never edited: where this test fails, the contract was broken.
docs/reference/compatibility.md says what is promised.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sidelight_specs import Artifact, kinds
from sidelight_specs.roles import ROLES

FOSSILS = Path(__file__).parent / "fossils"
DIGESTS = {"0.1": "0ee8127fd0bb9864c65110b9aa45b1776a93330703f0524ce36772535b259007"}
"""SHA-256 of each release's fossils: of the lines `DIGEST  PATH` of all its files."""
NEWER = {"claim"}  # roles that have come since, which those plugins cannot know


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_fossils_are_as_they_were():
    """Whoever changes one breaks the promise that it stands for; add those of a new release beside them."""
    assert {folder.name: digest(folder) for folder in FOSSILS.iterdir() if folder.is_dir()} == DIGESTS


def test_every_role_and_extension_has_one():
    points = "".join(path.read_text() for path in (FOSSILS / "0.1").glob("*.dist-info/entry_points.txt"))
    groups = set(re.findall(r"\[sidelight\.v1\.(\w+)\]", points))
    assert groups == {*ROLES, "kind", "command", "observer"} - NEWER


@pytest.fixture(scope="module", params=sorted(DIGESTS))
def release(request, tmp_path_factory):
    """A copy of a release's fossils on the search path of processes, and a function that runs the command line."""
    root = tmp_path_factory.mktemp("fossils")
    site = shutil.copytree(FOSSILS / request.param, root / "site")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SIDELIGHT")}
    environment |= {"PYTHONPATH": str(site), "SIDELIGHT_CACHE": str(root / "cache"), "OMP_NUM_THREADS": "1"}

    def sidelight(*words):
        command = [sys.executable, "-m", "sidelight", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, check=False)

    return site, sidelight


@pytest.mark.processes
def test_they_are_listed_without_a_fault(release):
    _, sidelight = release
    listing = json.loads(sidelight("plugins", "--json").stdout)
    fossils = {one["use"]: one for one in listing["components"] if one["distribution"].startswith("fossil-")}
    assert len(fossils) == 14
    assert {one["state"] for one in fossils.values()} == {"ok"}, [one["why"] for one in fossils.values()]


@pytest.mark.processes
def test_a_recipe_of_all_of_them_runs_and_is_read_back(release, monkeypatch):
    site, sidelight = release
    done = sidelight("run", site / "recipe.yaml", "--quiet")
    assert done.returncode == 0, done.stderr
    folder = site.parent / "runs" / "fossils"
    manifest = json.loads((folder / "run.json").read_text())
    assert (manifest["status"], manifest["failures"]) == ("done", [])
    assert {one["role"] for one in manifest["facts"]["components"]} == set(ROLES) - NEWER - {"executor"}
    assert manifest["workers"]  # the executor has made what the run has
    assert re.search(r"^fossil: \d+/\d+ explain explainers\.nearest", done.stdout, flags=re.MULTILINE)  # the observer
    assert sidelight("prototypes", folder).stdout.startswith("EXPLAINER  IMAGE")  # the command
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(kinds, "_load", kinds._load_entry_point)  # not the catalog of an earlier test's plugins
    (path,) = (one["folder"] for one in manifest["results"] if one["kind"] == "fossil.prototypes")
    assert len(Artifact.load(folder / path).images) == 4  # the kind
