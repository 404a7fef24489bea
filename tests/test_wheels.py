"""The checks of `make wheels`: each finds what is wrong with a built file, and nothing is uploaded too early."""

import argparse
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheels():
    """The module `tools/wheels.py`."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        import wheels

        yield wheels
    finally:
        sys.path.remove(str(ROOT / "tools"))
        for name in ("wheels", "publishing"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    """Source distribution and wheel of the recipes; the wheel is built from what the source distribution holds."""
    out = tmp_path_factory.mktemp("recipes")
    build = [sys.executable, "-m", "hatchling", "build", "--directory"]
    subprocess.run([*build, str(out), "--target", "sdist"], cwd=ROOT / "recipes", check=True, capture_output=True)
    (sdist,) = out.glob("*.tar.gz")
    shutil.unpack_archive(sdist, out / "unpacked", filter="data")
    (folder,) = (out / "unpacked").iterdir()
    subprocess.run([*build, str(out), "--target", "wheel"], cwd=folder, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


@pytest.fixture
def contents(recipes):
    with zipfile.ZipFile(recipes[1]) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_is_built_from_the_repository_is_in_order(wheels, recipes):
    assert [mistake for path in recipes for mistake in wheels.check(path)] == []


def test_recipes_bring_what_lies_beside_them_and_their_pictures(contents):
    names = {path.stem for path in (ROOT / "recipes").glob("*.yaml")}
    assert {f"sidelight_recipes/{name}.yaml" for name in names} <= set(contents)
    assert "sidelight_recipes/interactivity-session.json" in contents
    pictures = {path.stem for path in (ROOT / "docs" / "gallery").glob("*.webp")} & names
    assert {f"sidelight_recipes/pictures/{name}.webp" for name in pictures} <= set(contents)
    assert sum(map(len, contents.values())) < 5_000_000


def spoilt(contents, end, text=None):
    """The contents with the file that ends so taken out, or replaced."""
    (name,) = (name for name in contents if name.endswith(end))
    return {key: value for key, value in contents.items() if key != name} | ({} if text is None else {name: text})


def metadata(contents, old, new):
    (name,) = (name for name in contents if name.endswith("METADATA"))
    assert old in contents[name]
    return contents | {name: contents[name].replace(old, new)}


SPOILT = {
    "no licence": (lambda files: spoilt(files, "LICENSE"), "lacks the licence"),
    "another licence": (lambda files: spoilt(files, "LICENSE", b"MIT"), "lacks the licence"),
    "no types": (lambda files: spoilt(files, "py.typed"), "lacks py.typed"),
    "tests": (lambda files: files | {"sidelight_recipes/tests/a.py": b""}, "holds sidelight_recipes/tests/a.py"),
    "another package": (lambda files: files | {"other/a.py": b""}, "holds other/a.py"),
    "no author": (lambda files: metadata(files, b"Author: ", b"Odd: "), "says nothing of Author"),
    "no addresses": (lambda files: metadata(files, b"Project-URL: ", b"Odd: "), "lacks addresses or classifiers"),
    "relative link": (lambda files: metadata(files, b"](https://", b"](../"), "has relative links in its description"),
    "exact version": (
        lambda files: metadata(files, b"Author: ", b"Requires-Dist: sidelight-specs==0.1.0\nAuthor: "),
        "requires an exact version: sidelight-specs==0.1.0",
    ),
}


@pytest.mark.parametrize(("spoil", "mistake"), SPOILT.values(), ids=SPOILT)
def test_each_mistake_in_a_wheel_is_found(wheels, contents, spoil, mistake):
    assert list(wheels.wheel_mistakes(contents)) == []
    assert list(wheels.wheel_mistakes(spoil(contents))) == [mistake]


def test_a_source_distribution_holds_what_git_knows(wheels):
    names = ["LICENSE", "PKG-INFO", "README.md", "pyproject.toml"]
    path = Path("sidelight_recipes-0.1.0.tar.gz")
    assert list(wheels.sdist_mistakes(path, [*names, "quickstart.yaml"])) == []
    found = list(wheels.sdist_mistakes(path, [*names[1:], "notes.txt"]))
    assert found == ["holds notes.txt, which is not in git", "lacks LICENSE"]


def options(**given):
    return argparse.Namespace(**({"key": "key", "no_trial": False} | given))


def test_nothing_is_uploaded_before_the_repository_has_an_address(wheels, monkeypatch):
    assert "tools/publishing.toml is a placeholder" in wheels.refusal(options())
    monkeypatch.setattr(wheels, "is_reserved", lambda: False)
    monkeypatch.setattr(wheels, "git", lambda *words: "")
    assert "not signed" in wheels.refusal(options(key=None))
    assert "not tried" in wheels.refusal(options(no_trial=True))
    assert wheels.refusal(options()) == ""
    monkeypatch.setattr(wheels, "git", lambda *words: " M README.md")
    assert "the checkout has changes" in wheels.refusal(options())


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
def test_a_signature_is_verified_and_one_changed_byte_is_not(wheels, tmp_path, capsys):
    key, folder = tmp_path / "key", tmp_path / "dist"
    folder.mkdir()
    (folder / "a.whl").write_bytes(b"a")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    wheels.write_sums(folder)
    wheels.sign(folder, str(key))
    (tmp_path / "allowed").write_text(f"release@example.org {key.with_suffix('.pub').read_text()}")
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "release@example.org"]
    verify += ["-n", wheels.NAMESPACE, "-s", str(folder / "SHA256SUMS.sig")]
    sums = (folder / "SHA256SUMS").read_bytes()
    assert subprocess.run(verify, input=sums, capture_output=True).returncode == 0
    assert subprocess.run(verify, input=sums.replace(b"a.whl", b"b.whl"), capture_output=True).returncode != 0
    (folder / "SHA256SUMS.sig").unlink()
    wheels.sign(folder, None)
    assert "not signed" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="does not sign"):
        wheels.sign(folder, str(tmp_path / "absent"))
