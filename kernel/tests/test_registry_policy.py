"""The policy file: what it blocks, and that a mistake in it is named instead of guessed at."""

import os

import pytest
from sidelight.registry.policy import Policy, installed_hash, policy_file, read_policy
from sidelight_specs import UserError
from sidelight_specs.host import Installed


def policy(tmp_path, text):
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    return read_policy(file)


def blocked(found, distribution, use, version="1.0"):
    return bool(found.blocks(Installed("explainer", use, distribution, version, "acme")))


def test_no_policy_blocks_nothing():
    assert not blocked(Policy(), "acme", "acme/thing")
    assert read_policy(None) == Policy()


def test_an_empty_file_blocks_nothing(tmp_path):
    assert not blocked(policy(tmp_path, "# later\n"), "acme", "acme/thing")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deny: [acme]", True),
        ("deny: [Acme]", True),
        ("deny: ['acm*']", True),
        ("deny: [acme/thing]", True),
        ("deny: ['*/thing']", True),
        ("deny: [acme/other]", False),
        ("deny: [acme-xai]", False),
        ("deny: []", False),
        ("allow: [acme]", False),
        ("allow: [other]", True),
        ("allow: []", True),
        ("allow: [acme]\ndeny: [acme/thing]", True),
        ("allow: [acme/thing]\ndeny: [other]", False),
    ],
)
def test_patterns(tmp_path, text, expected):
    assert blocked(policy(tmp_path, text), "acme", "acme/thing") is expected


def test_distribution_names_are_compared_normalised(tmp_path):
    assert blocked(policy(tmp_path, "deny: [acme_xai]"), "Acme.XAI", "acme-xai/thing")


def test_every_mistake_is_named_with_its_line(tmp_path):
    text = "allow: acme\nforbid: [x]\ndeny: [1, '', [a]]\ndeny: []\n"
    with pytest.raises(UserError) as caught:
        policy(tmp_path, text)
    file = tmp_path / "policy.yaml"
    places = [line for line in str(caught.value).splitlines() if line.startswith(str(file))]
    assert places == [
        f'{file}:1:8: "allow" of the policy is "acme"',
        f'{file}:2:1: the policy has no parameter "forbid"',
        f'{file}:3:8: "deny.0" of the policy is 1',
        f'{file}:3:11: "" is no pattern',
        f'{file}:3:15: "deny.2" of the policy is a list',
        f'{file}:4:1: the key "deny" is given twice; it stands in line 3 already',
    ]


@pytest.mark.parametrize(
    "text", ["[a, b]", "deny", "deny: [a", "deny: !!python/object:os.system [a]", "a: b: c", "\x00"]
)
def test_what_is_no_policy_is_refused(tmp_path, text):
    with pytest.raises(UserError, match=r"policy\.yaml"):
        policy(tmp_path, text)


def test_a_policy_that_is_named_must_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_POLICY", str(tmp_path / "lost.yaml"))
    with pytest.raises(UserError) as caught:
        read_policy(policy_file())
    assert "lost.yaml" in caught.value.message
    assert caught.value.fix == "mend the file or unset SIDELIGHT_POLICY; nothing is loaded until then"


def test_a_policy_in_another_encoding_is_refused(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"deny: [\xff]")
    with pytest.raises(UserError, match="the byte 0xff is not UTF-8"):
        read_policy(file)


def test_a_pipe_is_no_policy(tmp_path):
    os.mkfifo(tmp_path / "policy.yaml")
    with pytest.raises(UserError, match="it is a pipe, not a file"):
        read_policy(tmp_path / "policy.yaml")


def test_where_the_policy_lies(tmp_path, monkeypatch):
    monkeypatch.delenv("SIDELIGHT_POLICY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert policy_file() is None
    file = tmp_path / "sidelight" / "policy.yaml"
    file.parent.mkdir()
    file.write_text("")
    assert policy_file() == file
    monkeypatch.setenv("SIDELIGHT_POLICY", "elsewhere.yaml")
    assert str(policy_file()) == "elsewhere.yaml"


def test_a_relative_configuration_folder_is_ignored_as_xdg_says(tmp_path, monkeypatch):
    monkeypatch.delenv("SIDELIGHT_POLICY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    file = tmp_path / ".config" / "sidelight" / "policy.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("")
    assert policy_file() == file


@pytest.mark.parametrize(
    ("text", "version", "expected"),
    [
        ("deny: ['acme-rise==0.1.0']", "0.1.0", True),
        ("deny: ['acme-rise==0.1.0']", "0.1.1", False),
        ("deny: ['Acme_Rise == 0.1.*']", "0.1.7", True),
        ("deny: ['acme-rise>=0.1']", "0.1.0", True),
        ("deny: ['acme-rise>=0.1']", "0.0.9", False),
        ("deny: ['acme-rise!=0.2']", "0.2", False),
        ("deny: ['acme-rise~=1.2']", "1.9", True),
        ("deny: ['acme-rise>=0.2,<1']", "1.0", False),
        ("deny: ['acme-*<3']", "2.0rc1", True),
        ("deny: ['other==0.1.0']", "0.1.0", False),
        ("deny: ['acme-rise==0.1.0']", "unknown", True),
        ("allow: ['acme-rise==0.1.0']", "unknown", True),
        ("allow: ['acme-rise==0.1.0']", "0.1.0", False),
        ("allow: ['acme-rise==0.1.0']", "0.2.0", True),
        ("allow: ['acme-*>=0.2,<1']", "0.3", False),
        ("allow: [acme-rise]\ndeny: ['acme-rise<0.3']", "0.2", True),
    ],
)
def test_versions(tmp_path, text, version, expected):
    assert blocked(policy(tmp_path, text), "acme-rise", "acme-rise/thing", version) is expected


@pytest.mark.parametrize(
    "text",
    [
        "sha256:abcd",
        "sha256:" + "g" * 64,
        "md5:" + "0" * 32,
        "acme-rise==",
        "acme-rise==not a version",
        "acme-rise>=0.1 or so",
        "acme-rise 0.1",
        "acme-rise@0.1",
        "==0.1",
        "acme/thing==0.1",
        "acme/",
        "a/b/c",
        "acme; python_version < '4'",
    ],
)
def test_what_cannot_be_a_pattern_is_refused_with_its_line(tmp_path, text):
    with pytest.raises(UserError) as caught:
        policy(tmp_path, f'deny:\n  - acme-rise\n  - "{text}"\n')
    (place,) = [line for line in str(caught.value).splitlines() if line.startswith(str(tmp_path))]
    assert place.startswith(f"{tmp_path / 'policy.yaml'}:3:5: ")
    assert "sidelight plugins --hashes" in str(caught.value)


@pytest.fixture
def acme(site):
    """An installed distribution with a record of its files."""
    installed_hash.cache_clear()
    site.plugin("acme-rise", version="0.1.0")
    (site.folder / "acme_rise" / "behaviour.py").write_text("class Thing: pass\n")
    names = ["acme_rise/__init__.py", "acme_rise/behaviour.py", "acme_rise-0.1.0.dist-info/METADATA"]
    record = "".join(f"{name},,\n" for name in [*names, "../../bin/acme", "acme_rise/__pycache__/a.pyc"])
    (site.folder / "acme_rise-0.1.0.dist-info" / "RECORD").write_text(record)
    yield site
    installed_hash.cache_clear()


def hash_now():
    installed_hash.cache_clear()
    return installed_hash("acme-rise")


def test_a_hash_blocks_exactly_what_it_names(acme, tmp_path):
    digest = hash_now()
    entry = ("acme-rise", "acme-rise/thing", "0.1.0")
    assert blocked(policy(tmp_path, f"deny: ['{digest}']"), *entry)
    assert not blocked(policy(tmp_path, f"deny: ['sha256:{'0' * 64}']"), *entry)
    assert not blocked(policy(tmp_path, f"allow: ['{digest}']"), *entry)
    assert blocked(policy(tmp_path, f"allow: ['sha256:{'0' * 64}']"), *entry)
    assert not blocked(policy(tmp_path, f"deny: ['{digest}']"), "acme-other", "acme-other/thing")


def test_a_hash_is_of_the_content_alone(acme):
    digest = hash_now()
    assert digest.startswith("sha256:")
    info, package = acme.folder / "acme_rise-0.1.0.dist-info", acme.folder / "acme_rise"
    (info / "INSTALLER").write_text("pip")
    (package / "__pycache__").mkdir(exist_ok=True)
    (package / "__pycache__" / "a.pyc").write_bytes(b"x")
    assert hash_now() == digest
    (package / "behaviour.py").write_text("class Thing: ...\n")
    assert hash_now() != digest
    (package / "behaviour.py").write_text("class Thing: pass\n")
    assert hash_now() == digest
    (package / "slipped_in.py").write_text("")  # not recorded
    assert hash_now() != digest


def test_an_editable_installation_has_no_hash(acme, tmp_path):
    origin = '{"url": "file:///src", "dir_info": {"editable": true}}'
    (acme.folder / "acme_rise-0.1.0.dist-info" / "direct_url.json").write_text(origin)
    assert hash_now() is None
    assert blocked(policy(tmp_path, f"allow: ['sha256:{'0' * 64}']"), "acme-rise", "acme-rise/thing", "0.1.0")


def test_the_command_line_lists_hashes_and_obeys_them(acme):
    listed = acme.sidelight("plugins", "--hashes").stdout
    digest = hash_now()
    assert any(line.split() == ["acme-rise", "0.1.0", digest] for line in listed.splitlines())
    acme.policy = acme.folder / "policy.yaml"
    acme.policy.write_text(f"deny: ['{digest}']")
    assert f'deny "{digest}"' in acme.sidelight("describe", "acme-rise/thing").stderr
    acme.policy.write_text("deny: ['acme-rise>=0.1']")
    assert 'deny "acme-rise>=0.1"' in acme.sidelight("describe", "acme-rise/thing").stderr
    acme.policy.write_text("deny: ['acme-rise>=0.2']")
    assert acme.sidelight("describe", "acme-rise/thing").returncode == 0
