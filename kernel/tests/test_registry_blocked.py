"""Ten patterns that must block do, for distributions that are really installed by pip from wheels of their own."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile

import pytest
from sidelight.registry.catalog import Catalog, scan
from sidelight.registry.hashes import installed_hash, installed_origin, known_content
from sidelight.registry.policy import read_policy

pytestmark = pytest.mark.processes

MODULE = """
from sidelight_specs import ExplainerDescriptor, hookimpl
raise SystemExit("imported")
"""


def wheel(folder, name, version):
    """A wheel of a plugin that ends the process when it is imported."""
    module = name.replace("-", "_").lower()
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": MODULE,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[sidelight.v1.explainer]\nthing = {module}\n",
    }
    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name_in, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            archive.writestr(name_in, text)
    return path


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which pip has installed acme-rise 0.1.0 by its URL, and Acme_Next 2.0rc1 from an index."""
    root = tmp_path_factory.mktemp("blocked")
    wheels = root / "wheels"
    wheels.mkdir()
    by_url, by_index = wheel(wheels, "acme-rise", "0.1.0"), wheel(wheels, "Acme_Next", "2.0rc1")
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target", str(root / "site")]
    pip = [sys.executable, "-m", "pip", "install", *options]
    subprocess.run([*pip, str(by_url)], check=True)
    subprocess.run([*pip, "--pre", "--find-links", str(by_index.parent), "acme-next"], check=True)
    return root / "site"


@pytest.fixture
def listed(site, tmp_path, rise_hash):
    """State and reason of both plugins under a policy, as `sidelight plugins` shows them."""

    def under(text):
        path = tmp_path / "policy.yaml"
        path.write_text(text)
        installed_origin.cache_clear()
        catalog = Catalog(scan([str(site)]), read_policy(path))
        return {one.entry.use: (one.state, one.why) for one in catalog.states(catalog.entries(), load=False)}

    return under


@pytest.fixture
def rise_hash(site, monkeypatch):
    monkeypatch.syspath_prepend(site)
    for known in (installed_hash, installed_origin, known_content):
        known.cache_clear()
    yield installed_hash("acme-rise")
    for known in (installed_hash, installed_origin, known_content):
        known.cache_clear()


@pytest.mark.parametrize(
    ("policy", "blocked"),
    [
        ("deny: [acme-rise]", {"acme-rise"}),  # name
        ("deny: ['acme-*']", {"acme-rise", "acme-next"}),  # glob
        ("deny: ['acme-rise==0.1.0']", {"acme-rise"}),  # version ==
        ("deny: ['acme-rise>=0.1']", {"acme-rise"}),  # version >=
        ("deny: [acme-rise/thing]", {"acme-rise"}),  # component
        ("deny: ['HASH']", {"acme-rise"}),  # hash
        ("deny: ['url:file://*']", {"acme-rise"}),  # origin
        ("allow: ['sidelight*']", {"acme-rise", "acme-next"}),  # allow-list without them
        ("deny: [ACME.Rise, aCmE_nExT]", {"acme-rise", "acme-next"}),  # case and underscore
        ("deny: ['acme-next<3']", {"acme-next"}),  # pre-release
    ],
)
def test_what_must_be_blocked_is(listed, rise_hash, policy, blocked):
    text = policy.replace("HASH", rise_hash)
    states = listed(text + "\n")
    assert {use.partition("/")[0] for use, (state, _) in states.items() if state == "blocked"} == blocked
    for use, (state, why) in states.items():
        if state == "blocked":
            assert use in why
            assert "is blocked by the policy: " in why
            assert "policy.yaml, line 1)" in why or "no pattern under allow matches it" in why


def test_the_command_line_shows_the_line_that_blocks(site, tmp_path):
    (tmp_path / "policy.yaml").write_text("allow: ['*']\ndeny:\n  - 'url:file://*'\n")
    settings = {"PYTHONPATH": str(site), "SIDELIGHT_POLICY": str(tmp_path / "policy.yaml")}
    command = [sys.executable, "-m", "sidelight", "plugins", "--role", "explainer", "--no-load"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, check=True)
    assert f'deny "url:file://*" ({tmp_path / "policy.yaml"}, line 3)' in done.stdout
    assert "acme-next/thing" in done.stdout


def test_origins_are_those_that_pip_records(rise_hash):
    assert installed_origin("acme-rise").startswith("file:///")
    assert installed_origin("acme-rise").endswith("/acme_rise-0.1.0-py3-none-any.whl")
    assert installed_origin("acme-next") == ""  # pip records no index


def test_an_allowed_origin_admits_that_alone(listed):
    states = listed("allow: ['url:file:///*/wheels/*']\n")
    assert {use: state for use, (state, _) in states.items()} == {
        "acme-rise/thing": "unchecked",
        "acme-next/thing": "blocked",
    }


@pytest.mark.parametrize(
    ("record", "origin"),
    [
        (
            {"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}},
            "git+https://example.org/a.git@ab12",
        ),
        ({"url": "https://example.org/a.whl", "archive_info": {}}, "https://example.org/a.whl"),
        ({"url": "file:///src", "dir_info": {"editable": True}}, "file:///src"),
        ({"archive_info": {}}, None),
        ([], None),
        ({"url": "https://example.org/a.git", "vcs_info": {"vcs": "git"}}, None),
    ],
)
def test_records_of_origins_are_read_as_pep_610_has_them(tmp_path, monkeypatch, record, origin):
    info = tmp_path / "acme_odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-odd\nVersion: 1.0\n")
    (info / "direct_url.json").write_text(json.dumps(record))
    monkeypatch.syspath_prepend(tmp_path)
    installed_origin.cache_clear()
    assert installed_origin("acme-odd") == origin
    installed_origin.cache_clear()


def test_an_unreadable_record_is_denied_and_not_allowed(site, tmp_path, listed):
    copy = next(site.glob("acme_rise-*.dist-info")) / "direct_url.json"
    text = copy.read_text()
    try:
        copy.write_text("{")
        assert listed("deny: ['url:https://nowhere/*']\n")["acme-rise/thing"][0] == "blocked"
        assert listed("allow: ['url:file://*']\n")["acme-rise/thing"][0] == "blocked"
    finally:
        copy.write_text(text)


def test_a_kept_hash_is_the_one_that_a_policy_names(site, rise_hash, tmp_path, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "kept"))
    old = 1_000_000_000  # long ago: files changed a moment ago are never trusted
    assert known_content("acme-rise").hash == rise_hash
    path = site / "acme_rise" / "__init__.py"
    text = path.read_text()
    try:
        path.write_text(text + "\n")
        os.utime(path, (old, old))  # the time of the inode tells
        known_content.cache_clear()
        assert known_content("acme-rise").hash not in (rise_hash, None)
        path.write_text(text)
        (site / "acme_rise" / "slipped_in.py").write_text("")
        known_content.cache_clear()
        assert known_content("acme-rise").hash not in (rise_hash, None)
    finally:
        path.write_text(text)
        (site / "acme_rise" / "slipped_in.py").unlink(missing_ok=True)
    known_content.cache_clear()
    assert known_content("acme-rise").hash == rise_hash
