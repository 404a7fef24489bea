"""The policy file: what it blocks, and that a mistake in it is named instead of guessed at."""

import pytest
from sidelight.plugins.policy import Policy, policy_file, read_policy
from sidelight_specs import UserError


def policy(tmp_path, text):
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    return read_policy(file)


def blocked(found, distribution, use):
    return bool(found.blocks(distribution, use))


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
        f"{file}:1:8: allow must be a list",
        f"{file}:2:1: unknown key in a policy",
        f"{file}:3:8: a pattern must be text",
        f"{file}:3:11: a pattern must be text",
        f"{file}:3:15: a pattern must be text",
        f'{file}:4:1: duplicate key "deny"',
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
    with pytest.raises(UserError, match="cannot read the policy"):
        read_policy(file)


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
