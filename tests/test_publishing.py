"""What distributions carry when they are published: licence, metadata, links that lead somewhere, no clone needed."""

import email
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from runpy import run_path

import pytest

ROOT = Path(__file__).parent.parent
TOOL = run_path(str(ROOT / "tools" / "publishing.py"))
DISTRIBUTIONS = TOOL["distributions"]()
NAMES = [folder.name for folder in DISTRIBUTIONS]
PAGE = re.compile(r"https://example\.org/sidelight/(?:blob|raw)/v[^/]+/([^)#\s]+)")


def project(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=NAMES)
def test_a_distribution_has_licence_hook_and_dynamic_fields(folder):
    lacking = [path.name for path in TOOL["lacking"](folder)]
    assert not lacking, f"run `python tools/publishing.py`, which writes {lacking} of {folder.name}"
    assert project(folder)["license"] == "Apache-2.0"
    assert list(folder.glob("**/py.typed")), f"{folder.name} has no py.typed"


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=NAMES)
def test_links_of_a_readme_lead_to_files_of_the_repository_and_to_no_index(folder):
    text = TOOL["shared_metadata"](folder, folder.name)["readme"]["text"]
    paths = PAGE.findall(text)
    assert not [path for path in paths if not (ROOT / path).exists()]
    assert not re.findall(r"\]\((?!https?:|#)[^)]*\)", text)
    assert "pypi.org/project/sidelight" not in text


def test_a_relative_link_becomes_one_to_the_tagged_file():
    facts = {"file": "https://x.test/{version}/{path}", "raw": "https://x.test/raw/{path}"}
    text = "[a](../../docs/a.md#b) ![p](p.png) [c](#c) [d](https://d.test/e)"
    known = {"version": "2"}
    told = TOOL["_absolute_links"](text, "plugins/one", facts, known)
    assert told == (
        "[a](https://x.test/2/docs/a.md#b) ![p](https://x.test/raw/plugins/one/p.png) [c](#c) [d](https://d.test/e)"
    )


def test_the_repositorys_address_stands_in_one_file():
    grep = ["git", "grep", "-l", "example.org/sidelight", "--", ":!tests", ":!**/tests"]
    done = subprocess.run(grep, cwd=ROOT, capture_output=True, text=True)
    if done.returncode > 1:
        pytest.skip("no git repository")
    assert done.stdout.split() == ["tools/publishing.toml"]


def build(folder, out, *targets):
    words = [sys.executable, "-m", "hatchling", "build", "--directory", str(out), *targets]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)


def test_a_wheel_from_the_source_distribution_is_the_wheel_from_the_repository(tmp_path):
    direct, again = tmp_path / "direct", tmp_path / "again"
    build(ROOT / "plugins" / "captum", direct)
    (sdist,), (wheel,) = direct.glob("*.tar.gz"), direct.glob("*.whl")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    build(unpacked, again, "--target", "wheel")
    assert (again / wheel.name).read_bytes() == wheel.read_bytes()
    assert f"{unpacked.name}/LICENSE" in names
    assert not [name for name in names if "/tests" in name]


def test_the_wheel_says_who_made_it_and_under_which_licence(tmp_path):
    build(ROOT / "plugins" / "captum", tmp_path, "--target", "wheel")
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        files = {name.rpartition("/")[2]: wheel.read(name).decode() for name in wheel.namelist()}
    facts = email.message_from_string(files["METADATA"])
    assert files["LICENSE"] == (ROOT / "LICENSE").read_text()
    assert "py.typed" in files
    assert facts["Version"] == (ROOT / "VERSION").read_text().strip()
    assert facts["Author"] == "The Sidelight developers"
    assert facts["License-Expression"] == "Apache-2.0"
    assert len(facts.get_all("Project-URL")) == 5
    assert "Typing :: Typed" in facts.get_all("Classifier")
    assert "captum" in facts["Keywords"]


def test_extras_name_what_there_is():
    names = {project(folder)["name"] for folder in DISTRIBUTIONS}
    extras = project(ROOT / "kernel")["optional-dependencies"]
    told = {extra: {text.partition(">=")[0] for text in texts} for extra, texts in extras.items()}
    assert told["all"] == names - {"sidelight"}
    assert told["heatmaps"] < names
    assert told["generative"] < names


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=NAMES)
def test_siblings_are_required_by_a_compatible_range(folder):
    facts = project(folder)
    texts = [
        *facts["dependencies"],
        *(text for extra in facts.get("optional-dependencies", {}).values() for text in extra),
    ]
    own = [text for text in texts if text.startswith("sidelight")]
    assert not [text for text in own if not re.fullmatch(r"[\w-]+(\[\w+\])?>=0\.1,<0\.2", text)]
