"""Kinds, commands and observers of strangers: found by entry points, loaded in isolation, obedient to the policy."""

import types

import pytest
from sidelight.registry.catalog import Catalog, scan
from sidelight.registry.load import Observers
from sidelight.registry.policy import read_policy
from sidelight_specs import SidelightError, hookimpl, kinds

ACME = """
from sidelight_specs import Artifact, hookimpl
from sidelight_specs.commands import Command

@hookimpl
def sidelight_kinds():
    import attrs

    @attrs.frozen(eq=False, kw_only=True)
    class Depths(Artifact):
        '''Depths of pixels.'''
        kind = "acme.depths"

    yield Depths

@hookimpl
def sidelight_commands():
    yield Command(name="depths", summary="print depths", example="sidelight depths", module="acme_depth.command")

@hookimpl
def sidelight_step_finished(step, cached):
    print(step, cached)
"""
POINTS = """
[sidelight.v1.kind]
acme.depths = acme_depth
[sidelight.v1.command]
depths = acme_depth
gone = acme_depth
[sidelight.v1.observer]
steps = acme_depth
torn = acme_torn
"""


@pytest.fixture
def catalog(site, monkeypatch):
    monkeypatch.setattr(kinds, "_classes", {})
    site.install(
        "acme-depth", entry_points=POINTS, files={"acme_depth.py": ACME, "acme_torn.py": "import nothing_such"}
    )
    return Catalog(scan([str(site.folder)]))


def test_a_kind_is_known_by_name_and_loaded_on_demand(catalog, monkeypatch):
    assert [entry.name for entry in catalog.entries("kind")] == ["acme.depths"]
    monkeypatch.setattr(kinds, "_load", catalog.load_kind)
    assert kinds.find("acme.depths").__name__ == "Depths"
    with pytest.raises(SidelightError, match=r"no kind of result .acme\.heights"):
        kinds.find("acme.heights")


def test_of_two_kinds_of_one_name_the_first_is_loaded(catalog, site, monkeypatch):
    points = "[sidelight.v1.kind]\nacme.depths = zeta\n"
    site.install("zeta", entry_points=points, files={"zeta.py": ACME.replace("Depths(", "Others(")})
    both = Catalog(scan([str(site.folder)]))
    monkeypatch.setattr(kinds, "_load", both.load_kind)
    assert kinds.find("acme.depths").__module__ == "acme_depth"


def test_a_command_is_loaded_and_one_that_the_hook_lacks_is_broken(catalog):
    depths, gone = catalog.entries("command")
    assert catalog.load(depths).module == "acme_depth.command"
    with pytest.raises(SidelightError, match='announces no component "gone"; it announces depths'):
        catalog.load(gone)


def test_a_command_that_two_distributions_claim_under_one_plugin_name_is_refused(catalog, site):
    site.install("sidelight-acme-depth", entry_points="[sidelight.v1.command]\ndepths = other\n")
    both = Catalog(scan([str(site.folder)]))
    rivals = 'the command "acme-depth/depths" is announced by acme-depth 1.0 and sidelight-acme-depth 1.0'
    for entry in [entry for entry in both.entries("command") if entry.name == "depths"]:
        with pytest.raises(SidelightError, match=rivals):
            both.load(entry)


def test_an_observer_without_hookimpl_is_broken(site):
    points = "[sidelight.v1.observer]\nsteps = acme_plain\n"
    site.install(
        "acme-plain", entry_points=points, files={"acme_plain.py": "def sidelight_step_finished(step): print(step)"}
    )
    plain = Catalog(scan([str(site.folder)]))
    (entry,) = plain.entries("observer")
    with pytest.raises(SidelightError, match="acme_plain implements none of sidelight_recipe_resolved"):
        plain.load(entry)


def test_a_blocked_kind_is_not_imported(site, tmp_path):
    (tmp_path / "policy.yaml").write_text("deny: [acme-depth]\n")
    site.install("acme-depth", entry_points=POINTS, files={"acme_depth.py": "raise SystemExit"})
    blocked = Catalog(scan([str(site.folder)]), read_policy(tmp_path / "policy.yaml"))
    with pytest.raises(SidelightError, match="blocked by the policy"):
        blocked.load_kind("acme.depths")


def test_observers_are_told_and_a_broken_one_is_named(catalog, capsys):
    warnings = []
    observers = Observers(warnings.append)
    observers.add_installed(catalog)
    observers.tell("step_finished", run=None, step="fit", seconds=0.1, cached=True, error="")
    assert capsys.readouterr().out == "fit True\n"
    (warning,) = warnings
    assert "acme-depth/torn" in warning
    assert "nothing_such" in warning


def test_an_observer_that_raises_is_dropped_and_the_others_are_told():
    heard, warnings = [], []

    @hookimpl
    def sidelight_run_finished(run):
        if heard:
            raise SystemExit(run)
        heard.append("first")

    @hookimpl
    def other(run):
        heard.append(run)

    observers = Observers(warnings.append)
    observers.add(types.SimpleNamespace(sidelight_run_finished=sidelight_run_finished), "acme/rude")
    observers.add(types.SimpleNamespace(sidelight_run_finished=other), "acme/polite")
    for number in range(3):
        observers.tell("run_finished", run=number)
    assert heard == ["first", 0, 1, 2]
    assert warnings == ["observer acme/rude raised SystemExit: 1; it is told nothing further"]


def test_the_first_html_is_shown():
    observers = Observers(print)
    for name, answer in (("a", None), ("b", "<b>"), ("c", "<c>")):
        hook = hookimpl(lambda results, answer=answer: answer)
        observers.add(types.SimpleNamespace(sidelight_run_html=hook), name)
    assert observers.tell("run_html", results=None) == "<b>"
