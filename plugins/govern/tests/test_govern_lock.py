"""`sidelight lock`: its file, what it says that it cannot hold, and requirements with hashes from a report of pip."""

import base64
import hashlib
import json
import subprocess
import sys
import zipfile

import pytest
from sidelight_govern.lock import beside, notes, write_whole
from sidelight_govern.wheels import add_origins, requirement_lines
from sidelight_specs import UserError

DIGEST = "ab" * 32
RECIPE = """
recipe: 1
name: shades
explain: {split: all, count: 2}
data: {use: images/folder, with: {path: photos, size: 8, mode: grey}}
classifier: {use: classifiers/torch, with: {path: model.pt, channels: 1, height: 8, width: 8}}
explainers:
  seen: {use: captum/saliency}
"""


def a_lock(**distributions):
    return {
        "recipe": {"name": "shades"},
        "distributions": {name.replace("_", "-"): {"version": version} for name, version in distributions.items()},
    }


def a_report(path, *installs):
    path.write_text(json.dumps({"version": "1", "install": list(installs)}))
    return path


def an_install(name="acme-rise", version="1.0", url="https://example.org/acme_rise-1.0.whl", digest=DIGEST, **more):
    info = {"url": url, "archive_info": {"hashes": {"sha256": digest}}}
    return {"metadata": {"name": name, "version": version}, "download_info": info, **more}


def test_a_report_gives_origins_and_these_requirements(tmp_path):
    lock = a_lock(acme_rise="1.0", acme_next="2.0")
    report = a_report(
        tmp_path / "report.json",
        an_install("Acme_Rise"),
        an_install("acme-next", "2.0", "file:///wheels/acme_next-2.0.whl", "cd" * 32, is_direct=True),
        an_install("not-locked", "9"),
    )
    add_origins(lock, report)
    assert lock["distributions"]["acme-rise"]["origin"]["sha256"] == DIGEST
    assert requirement_lines(lock)[1:] == [
        f"acme-next @ file:///wheels/acme_next-2.0.whl \\\n    --hash=sha256:{'cd' * 32}",
        f"acme-rise==1.0 \\\n    --hash=sha256:{DIGEST}",
    ]


def test_what_no_report_names_is_named(tmp_path):
    lock = a_lock(acme_rise="1.0", acme_next="2.0")
    add_origins(lock, a_report(tmp_path / "report.json", an_install()))
    with pytest.raises(UserError, match="no report names the wheels of acme-next"):
        requirement_lines(lock)


def test_a_folder_has_no_hash(tmp_path):
    lock = a_lock(acme_rise="1.0")
    folder = an_install() | {"download_info": {"url": "file:///src", "dir_info": {"editable": True}}}
    add_origins(lock, a_report(tmp_path / "report.json", folder))
    assert "origin" not in lock["distributions"]["acme-rise"]


@pytest.mark.parametrize(
    ("install", "said"),
    [
        (an_install(version="1.1"), "has acme-rise 1.1, and 1.0 is installed"),
        (an_install(digest="short"), "without a proper URL and SHA-256"),
        (an_install(url="https://example.org/a b --index-url https://evil.example"), "without a proper URL"),
        (an_install(url="https://example.org/a\nevil==1"), "without a proper URL"),
        ({"metadata": {}}, "has an entry that is none of pip's"),
        (an_install() | {"download_info": []}, "has an entry that is none of pip's"),
    ],
)
def test_a_report_that_cannot_be_trusted_is_refused(tmp_path, install, said):
    with pytest.raises(UserError, match=said):
        add_origins(a_lock(acme_rise="1.0"), a_report(tmp_path / "report.json", install))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": "2", "install": []}', '{"version": "1", "install": 3}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UserError, match="pip install --dry-run"):
        add_origins(a_lock(), tmp_path / "report.json")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_whole(tmp_path / "one", "text")
    assert (tmp_path / "one").read_text() == "text"
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="folder cannot be written"):
        write_whole(tmp_path / "folder", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "one"]


def test_a_lock_lies_beside_a_folder_that_is_named_by_a_dot(tmp_path, monkeypatch):
    (tmp_path / "run/results").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "run")
    assert beside(".") == tmp_path.resolve() / "run.lock"
    assert beside("runs/one/").as_posix() == "runs/one.lock"
    monkeypatch.chdir(tmp_path / "run/results")
    assert beside("..") == tmp_path.resolve() / "run.lock"
    with pytest.raises(UserError, match="no recipe and no run"):
        beside("/")


def test_notes_say_what_a_lock_cannot_hold():
    one = {"trained": False, "weights": None, "files": []}
    lock = {
        "components": {"data": one | {"unnamed": True}, "classifier": one | {"trained": True}, "explainers.a": one},
        "distributions": {"a": {"hash": None}, "b": {"hash": "x", "editable": True}, "c": {"hash": "x"}},
    }
    texts = notes(lock)
    assert texts[0].startswith("classifier learns in the run")
    assert texts[1].endswith("no wheel has what the lock digests: b")
    assert texts[2] == "a cannot be hashed: their versions alone are locked"
    assert texts[3].startswith("data depend on files that their plugins do not name")


@pytest.fixture
def shades(site):
    """A model file, a folder of photographs, a plugin that requires nothing, and a recipe of them."""
    import numpy as np
    import torch
    from PIL import Image

    (site.folder / "photos").mkdir()
    for number, shade in enumerate((40, 120, 200)):
        Image.fromarray(np.full((8, 8), shade, np.uint8)).save(site.folder / "photos" / f"{number}.png")
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    torch.jit.trace(network, torch.zeros(1, 1, 8, 8)).save(site.folder / "model.pt")
    (site.folder / "recipe.yaml").write_text(RECIPE)
    return site


@pytest.mark.processes
def test_weights_data_and_a_newer_plugin_are_each_refused_by_name(shades):
    """From the command line to exit code 2; each alone is in the kernel's tests of locks."""
    done = shades.sidelight("lock", "recipe.yaml")
    assert done.returncode == 0, done.stderr
    assert "3 files and folders they read" not in done.stdout  # a model and a folder
    assert "2 files and folders they read" in done.stdout
    assert shades.sidelight("run", "recipe.yaml", "--frozen", "--quiet").returncode == 0
    model, photo = shades.folder / "model.pt", shades.folder / "photos" / "1.png"
    before = model.read_bytes(), photo.read_bytes()

    model.write_bytes(before[0][:-1] + bytes([before[0][-1] ^ 1]))
    photo.write_bytes(before[1] + b"\0")
    said = shades.sidelight("run", "recipe.yaml", "--frozen", "--quiet")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("error: 2 things differ from the lock recipe.yaml.lock:\n")
    assert "file model.pt of classifier (classifiers/torch): locked sha256:" in said.stderr
    assert "data photos of data (images/folder): locked sha256:" in said.stderr

    lock = json.loads((shades.folder / "recipe.yaml.lock").read_text())
    lock["distributions"]["sidelight-captum"]["version"] = "0.0.9"  # so the installed one is newer
    (shades.folder / "older.lock").write_text(json.dumps(lock))
    said = shades.sidelight("run", "recipe.yaml", "--frozen", "older.lock", "--quiet")
    assert said.returncode == 2
    assert "distribution sidelight-captum: locked 0.0.9, installed 0." in said.stderr
    assert "were not compared, because plugins that differ are not loaded" in said.stderr


def a_wheel(folder, name, version):
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        for path, text in files.items()
    ]
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in {**files, f"{info}/RECORD": "\n".join(record)}.items():
            archive.writestr(inside, text)
    return path


@pytest.mark.processes
def test_pip_installs_by_the_requirements_and_refuses_another_wheel(tmp_path):
    """pip's own report into a lock, the lock into requirements, and these given back to pip."""
    wheel = a_wheel(tmp_path, "acme-small", "1.0")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check"]
    pip += ["--find-links", str(tmp_path)]
    dry = ["--dry-run", "--ignore-installed", "--report", str(tmp_path / "report.json"), "acme-small"]
    subprocess.run([*pip, *dry], check=True)
    lock = a_lock(acme_small="1.0")
    add_origins(lock, tmp_path / "report.json")
    (tmp_path / "requirements.txt").write_text("".join(f"{line}\n" for line in requirement_lines(lock)))
    by_hash = [*pip, "--require-hashes", "--requirement", str(tmp_path / "requirements.txt"), "--target"]
    subprocess.run([*by_hash, str(tmp_path / "one")], check=True)
    assert (tmp_path / "one" / "acme_small.py").is_file()
    wheel.unlink()
    wheel = a_wheel(tmp_path, "acme-small", "1.0")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("acme_small_more.py", "")
    done = subprocess.run([*by_hash, str(tmp_path / "two")], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
