"""`sidelight doctor`: one plugin of each kind of trouble, each named with its reason and fix."""

import json

import pytest
from packaging.requirements import Requirement
from sidelight_govern import examination, machine
from sidelight_govern.examination import Plugin, examine, installed_twice, unmet
from sidelight_specs.host import Health, Installed


class Host:
    """Announces the fake plugins alone; those named in `blocked` are."""

    def __init__(self, *names, blocked=()):
        self.entries = [Installed("explainer", f"{name}/thing", name, "1.0", name.replace("-", "_")) for name in names]
        self.blocked = blocked

    def installed(self):
        return tuple(self.entries)

    def health(self, *, load):
        assert not load
        states = dict.fromkeys(self.blocked, "blocked")
        return tuple(
            Health(one, states.get(one.distribution, "unchecked"), why="deny: line 1", fix="ask")
            for one in self.entries
        )


@pytest.fixture
def examined(site, monkeypatch):
    """Examine these plugins without torch, which is not what they are about."""
    monkeypatch.syspath_prepend(site.folder)
    (site.folder / "torch.py").write_text("")

    def these(*names, timeout=60, **options):
        done = []
        plugins = examine(Host(*names, **options), timeout, 2, done.append)
        assert sorted(one.distribution for one in done) == sorted(names)
        return {plugin.distribution: plugin for plugin in plugins}

    return these


def test_each_trouble_is_named(site, examined):
    site.plugin("acme-good")
    site.plugin("acme-import", light="import not_there_at_all\n")
    site.plugin("acme-code", behaviour="raise RuntimeError('no licence\\nsecond line')\n")
    site.plugin("acme-class", behaviour="class Other: pass\n")
    site.plugin("acme-exit", behaviour="import os\nos._exit(7)\n")
    site.plugin("acme-leaves", light="raise SystemExit(3)\n")
    site.plugin("acme-hook", light="from sidelight_specs import hookimpl\n")
    site.plugin("acme-denied", light="raise SystemExit(3)\n")
    names = ["good", "import", "code", "class", "exit", "leaves", "hook", "denied"]
    plugins = examined(*(f"acme-{name}" for name in names), blocked=["acme-denied"])
    states = {name: plugins[f"acme-{name}"].state for name in names}
    assert states == dict.fromkeys(names, "broken") | {"good": "ok", "denied": "blocked"}
    reasons = {name: plugins[f"acme-{name}"].findings[0] for name in names if name != "good"}
    assert "importing acme_import: ModuleNotFoundError: No module named 'not_there_at_all'" in reasons["import"].why
    assert reasons["import"].fix == "it needs not_there_at_all: `pip install acme-import` brings what it declares"
    assert "explainer acme-code/thing: RuntimeError: no licence (acme_code/behaviour.py, line 1)" in reasons["code"].why
    assert "second line" not in reasons["code"].why
    assert "has no attribute 'Thing'" in reasons["class"].why
    assert reasons["exit"].why == "importing acme_exit.behaviour ended the Python process with status 7"
    assert "SystemExit: 3" in reasons["leaves"].why
    assert "does not implement the hook sidelight_explainers()" in reasons["hook"].why
    assert (reasons["denied"].why, plugins["acme-denied"].examined) == ("deny: line 1", False)


def test_recipes_are_data_that_are_read_and_never_imported(tmp_path, monkeypatch):
    package = tmp_path / "acme_recipes"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit(3)\n")
    (package / "good.yaml").write_text("recipe: 1\nname: good\n")
    (package / "bad.yaml").write_text("recipe: [\n")
    monkeypatch.syspath_prepend(tmp_path)
    host = Host()
    host.entries = [
        Installed("recipe", f"recipes/{name}", "acme-recipes", "1.0", "acme_recipes")
        for name in ("good", "bad", "gone")
    ]
    (plugin,) = examine(host, 60, 1, lambda plugin: None)
    bad, gone = sorted(finding.why for finding in plugin.findings)
    assert bad.startswith("recipe recipes/bad: ")
    assert "bad.yaml" in bad
    assert gone == "recipe recipes/gone: the package acme_recipes holds no file gone.yaml"
    host.entries = host.entries[:1]
    (plugin,) = examine(host, 60, 1, lambda plugin: None)
    assert (plugin.state, plugin.examined) == ("ok", True)


@pytest.mark.parametrize(("need", "fits"), [("acme", True), ("acme>=1", False)])
def test_a_version_that_is_none_is_within_no_range(need, fits):
    assert examination._is_within(Requirement(need), "2004d-final.x") is fits


def test_one_that_hangs_is_named_with_what_it_was_at(site, examined):
    site.plugin("acme-hangs", behaviour="import time\ntime.sleep(600)\n")
    (finding,) = examined("acme-hangs", timeout=6)["acme-hangs"].findings
    assert (finding.state, finding.why) == ("broken", "importing acme_hangs.behaviour took more than 6 seconds")


def test_one_that_is_slow_is_named(site, examined, monkeypatch):
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end:\n    pass\n"
    site.plugin("acme-listed", light=busy + site.light("acme_listed"))
    site.plugin("acme-used", behaviour=busy + "class Thing: pass\n")
    site.plugin("acme-heavy", light="import torch\n" + site.light("acme_heavy"))
    monkeypatch.setattr(examination, "SLOW_LIGHT", 0.2)
    monkeypatch.setattr(examination, "SLOW", 0.2)
    plugins = examined("acme-listed", "acme-used", "acme-heavy")
    assert {plugin.state for plugin in plugins.values()} == {"slow"}
    assert "its light modules take 0." in plugins["acme-listed"].findings[0].why
    assert "its components take 0." in plugins["acme-used"].findings[0].why
    assert plugins["acme-heavy"].findings[0].why == "it imports torch when it is only listed"


def test_what_it_requires_is_compared_with_what_is_there(site, monkeypatch):
    monkeypatch.syspath_prepend(site.folder)
    needs = ("attrs>=99", "not-there-at-all", "numpy>=1", "extra-alone; extra == 'more'", "never; python_version < '3'")
    site.plugin("acme-old", requires=needs)
    reasons = [why for why, _ in unmet("acme-old")]
    assert reasons[0].startswith("it requires attrs>=99, and attrs ")
    assert reasons[1:] == ["it requires not-there-at-all, which is not installed"]
    assert list(unmet("not-there-at-all")) == []


def test_two_copies_are_named(site, monkeypatch):
    monkeypatch.syspath_prepend(site.folder)
    site.plugin("acme-twice")
    site.plugin("acme-twice", version="2.0")
    (text,) = installed_twice(Host("acme-twice"))
    assert text.startswith("acme-twice is installed 2 times: ")
    assert "1.0 in " in text
    assert "2.0 in " in text


def test_a_plugin_of_which_a_part_is_blocked_is_judged_by_the_rest():
    plugin = Plugin("acme", "1.0", examined=True)
    plugin.add("blocked", "deny acme/one")
    assert plugin.state == "ok"
    plugin.add("slow", "slow")
    assert plugin.state == "slow"


FACTS = {
    "torch": {"version": "2.4", "cuda": None, "hip": None, "gpus": [], "mps": False, "capability": "AVX2"},
    "nvidia": False,
    "cores": 1,
    "threads": "1",
    "cache": {"folder": "/cache", "bytes": 10**9, "writable": True},
    "free": 10**12,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"torch": None}, "torch cannot be imported"),
        ({"nvidia": True}, "an NVIDIA GPU is there, and torch 2.4 is built without CUDA"),
        ({"torch": FACTS["torch"] | {"mps": True}}, "a GPU of Apple is there"),
        ({"cores": 8}, "runs compute with 1 thread, and there are 8 cores"),
        ({"cores": 8, "threads": "8"}, None),
        ({"cores": 8, "torch": FACTS["torch"] | {"gpus": ["one"]}}, None),
        ({"free": 10**9}, "1.0 GB are left on the disk of the cache, which holds 1.0 GB"),
        ({"cache": FACTS["cache"] | {"writable": False}}, "the cache /cache cannot be written to"),
    ],
)
def test_advice_is_given_where_it_applies_alone(change, said):
    texts = [one.why for one in machine.advice(FACTS | change)]
    assert len(texts) == (said is not None)
    assert all(text.startswith(said) for text in texts)


def test_facts_of_a_machine_without_a_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_torch", lambda: None)
    facts = machine.facts(tmp_path / "not" / "there")
    assert facts["cache"] == {"folder": str(tmp_path / "not" / "there"), "bytes": 0, "files": 0, "writable": True}
    assert facts["free"] > 0
    (tmp_path / "one").write_bytes(b"12")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert machine._size(tmp_path) == (2, 1)  # a link costs nothing


@pytest.mark.processes
def test_the_command_line_shows_a_broken_a_slow_and_a_blocked_plugin(site, monkeypatch, capsys):
    """With only the fake plugins installed; a run over ours takes a minute."""
    from sidelight.cli import main
    from sidelight.registry import catalog

    site.plugin("acme-good")
    site.plugin("acme-broken", behaviour="raise RuntimeError('no licence')\n")
    site.plugin("acme-denied")
    site.plugin("acme-old", requires=("attrs>=99",))
    (site.folder / "torch.py").write_text("")
    policy = site.folder / "policy.yaml"
    policy.write_text("deny: [acme-denied]\n")
    monkeypatch.syspath_prepend(site.folder)
    monkeypatch.setenv("SIDELIGHT_POLICY", str(policy))
    monkeypatch.setenv("SIDELIGHT_CACHE", str(site.folder / "cache"))
    own = [entry for entry in catalog.scan().entries if entry.distribution == "sidelight-govern"]
    fakes = catalog.scan([str(site.folder)]).entries
    monkeypatch.setattr(catalog, "index", lambda: catalog.Index((*fakes, *own)))
    monkeypatch.setattr(machine, "_torch", lambda: FACTS["torch"])
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[2] for line in text.splitlines() if line.startswith("acme-")}
    assert rows == {"acme-good": "ok", "acme-broken": "broken", "acme-denied": "blocked", "acme-old": "outdated"}
    assert "acme-broken 1.0: explainer acme-broken/thing: RuntimeError: no licence" in text
    assert f'deny "acme-denied" ({policy}, line 1)' in text
    assert "1 broken, 1 blocked, 1 outdated, 2 ok" in text
    assert main(["doctor", "--json", "--quiet"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {one["distribution"]: one["state"] for one in document["plugins"]} == rows | {"sidelight-govern": "ok"}
    assert document["machine"]["cores"] >= 1
