"""The catalog: a component that can be used, or one of three different reasons why not."""

import sys

import pytest
from sidelight.registry.catalog import Catalog, installed, scan
from sidelight.registry.code import code_digest, code_of
from sidelight.registry.load import Unavailable
from sidelight.registry.policy import read_policy
from sidelight_specs.host import Available
from sidelight_specs.release import how_to_install


@pytest.fixture
def catalog(site):
    """Makes the catalog of the fake distributions alone, under a policy given as text."""

    def make(policy=None):
        if policy is None:
            return Catalog(scan([str(site.folder)]))
        file = site.folder / "policy.yaml"
        file.write_text(policy)
        return Catalog(scan([str(site.folder)]), read_policy(file))

    return make


def code(component):
    return code_of(component.descriptor, component.distribution)


def refusal(catalog, use, role="explainer"):
    with pytest.raises(Unavailable) as caught:
        catalog.lookup(use, role)
    return caught.value


def said(answer):
    assert str(answer) == f"{answer.message}\n  fix: {answer.fix}"
    return f"{answer.kind}: {answer.message}\n{answer.fix}"


def test_a_component_in_order_is_available(site, catalog):
    site.plugin("sidelight-shapes", version="1.2")
    found = catalog().lookup("shapes/thing", "explainer")
    assert isinstance(found, Available)
    assert (found.use, found.role, found.distribution, found.version) == (
        "shapes/thing",
        "explainer",
        "sidelight-shapes",
        "1.2",
    )
    assert found.descriptor.name == "thing"
    assert len(code(found)) == 64


def test_an_editable_install_is_found_where_its_code_lies(site, catalog, tmp_path, monkeypatch):
    """pip leaves the `dist-info` in site-packages and puts the source folder on `sys.path`."""
    site.plugin("acme-editable")
    source = tmp_path / "checkout" / "src"
    source.mkdir(parents=True)
    (site.folder / "acme_editable").rename(source / "acme_editable")
    behaviour = source / "acme_editable" / "behaviour.py"
    behaviour.write_text("")
    monkeypatch.syspath_prepend(source)
    component = catalog().lookup("acme-editable/thing", "explainer")
    assert component.descriptor.name == "thing"
    before = code(component)
    behaviour.write_text("changed = True")
    code_digest.cache_clear()
    assert code(catalog().lookup("acme-editable/thing", "explainer")) != before


def test_the_code_of_the_behaviour_counts_wherever_it_lies(site, catalog):
    """A plugin may keep its light module in one package and its behaviour in another."""
    light = site.plugin("acme-light")
    announcement = site.folder / light / "__init__.py"
    announcement.write_text(announcement.read_text().replace("acme_light.behaviour", "acme_behaviour.model"))
    behaviour = site.folder / "acme_behaviour" / "model.py"
    behaviour.parent.mkdir()
    (behaviour.parent / "__init__.py").write_text("")
    behaviour.write_text("")
    before = code(catalog().lookup("acme-light/thing", "explainer"))
    behaviour.write_text("changed = True")
    code_digest.cache_clear()
    assert code(catalog().lookup("acme-light/thing", "explainer")) != before


def test_looking_up_imports_no_other_plugin(site, catalog):
    site.plugin("acme-one")
    other = site.plugin("acme-two", "raise RuntimeError")
    assert isinstance(catalog().lookup("acme-one/thing", "explainer"), Available)
    assert other not in sys.modules


UNKNOWN = {
    "misspelt component": (
        "shapes/thingy",
        "explainer",
        'unknown: no explainer "shapes/thingy" is installed\ndid you mean "shapes/thing"?',
    ),
    "misspelt plugin": (
        "shape/thing",
        "explainer",
        'unknown: no explainer "shape/thing" is installed\ndid you mean "shapes/thing"?',
    ),
    "component without plugin": (
        "thing",
        "explainer",
        'unknown: no explainer "thing" is installed\ndid you mean "shapes/thing"?',
    ),
    "written with the distribution's prefix": (
        "sidelight-shapes/thing",
        "explainer",
        'unknown: no explainer "sidelight-shapes/thing" is installed\ndid you mean "shapes/thing"?',
    ),
    "right name, other role": (
        "shapes/thing",
        "attribute_finder",
        'unknown: no attribute finder "shapes/thing" is installed\n'
        '"shapes/thing" is an explainer, not an attribute finder',
    ),
    "plugin without that component": (
        "shapes/zebra",
        "explainer",
        'unknown: no explainer "shapes/zebra" is installed\nsidelight-shapes 1.0 has shapes/thing',
    ),
    "plugin that is not installed": (
        "Style_X/attfind",
        "attribute_finder",
        'unknown: no attribute finder "Style_X/attfind" is installed\n'
        'no plugin "style-x" is installed; it is none of Sidelight\'s own',
    ),
    "plugin of ours that is not installed": (
        "captum/attfind",
        "attribute_finder",
        'unknown: no attribute finder "captum/attfind" is installed\n'
        f'no plugin "captum" is installed; {how_to_install("sidelight-captum")}',
    ),
    "no name at all": (
        "an idea",
        "data",
        'unknown: no data "an idea" is installed\n'
        "name it PLUGIN/COMPONENT; `sidelight plugins` lists what is installed",
    ),
    "not a name that pip should be given": (
        "--index-url/x",
        "data",
        'unknown: no data "--index-url/x" is installed\n'
        "name it PLUGIN/COMPONENT; `sidelight plugins` lists what is installed",
    ),
}


@pytest.mark.parametrize(("use", "role", "text"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_says_what_was_meant_or_where_it_comes_from(site, catalog, use, role, text):
    site.plugin("sidelight-shapes")
    assert said(refusal(catalog(), use, role)) == text


def test_broken_says_why_and_who_can_mend_it(site, catalog):
    site.plugin("acme-broken", "raise RuntimeError('no licence')", version="0.4")
    answer = refusal(catalog(), "acme-broken/thing")
    assert said(answer) == (
        'broken: "acme-broken/thing" is installed (acme-broken 0.4) but broken: importing acme_broken raised '
        "RuntimeError: no licence (acme_broken/__init__.py, line 1)\n"
        "reinstall or upgrade acme-broken, or tell its authors; `pip uninstall acme-broken` removes it"
    )
    assert isinstance(answer.__cause__, RuntimeError)


def test_a_missing_dependency_is_not_called_a_typo(site, catalog):
    site.plugin("acme-broken", "import not_there.at_all")
    answer = refusal(catalog(), "acme-broken/thing")
    assert answer.kind == "broken"
    assert answer.fix == "it needs not_there; `pip install acme-broken` installs the dependencies it declares"


def test_a_missing_module_of_its_own_is_no_dependency(site, catalog):
    site.plugin("acme-broken", "import acme_broken.lost")
    answer = refusal(catalog(), "acme-broken/thing")
    assert answer.fix.startswith("reinstall or upgrade acme-broken")


def test_metadata_that_cannot_be_read_is_broken_not_unknown(site, catalog):
    info = site.install("acme-broken", entry_points="garbage")
    answer = refusal(catalog(), "acme-broken/thing")
    assert answer.kind == "broken"
    assert answer.message.startswith(f"acme-broken ({info / 'entry_points.txt'}): cannot read the entry points: ")


def test_a_flawed_entry_is_broken(site, catalog):
    site.install("acme-next", entry_points="[sidelight.v2.data]\nthing = acme_next\n")
    answer = refusal(catalog(), "acme-next/thing", "data")
    assert said(answer).startswith(
        'broken: "acme-next/thing" is installed (acme-next 1.0) but broken: it is written for version 2 of '
    )


def test_blocked_names_the_line_of_the_policy(site, catalog):
    module = site.plugin("acme-shapes")
    answer = refusal(catalog("allow: ['*']\ndeny:\n  - acme-*\n"), "acme-shapes/thing")
    assert said(answer) == (
        f'blocked: "acme-shapes/thing" (acme-shapes 1.0) is blocked by the policy: '
        f'deny "acme-*" ({site.folder / "policy.yaml"}, line 3)\n'
        "use another component, or change the policy if it is yours to change"
    )
    assert module not in sys.modules


def test_blocked_because_nothing_allows_it(site, catalog):
    site.plugin("acme-shapes")
    answer = refusal(catalog("allow: [sidelight-*]\n"), "acme-shapes/thing")
    assert answer.kind == "blocked"
    assert answer.message.endswith(f"no pattern under allow matches it ({site.folder / 'policy.yaml'})")


@pytest.fixture
def rivals(site):
    site.plugin("shapes", version="7")
    site.plugin("sidelight-shapes", version="8")


def test_two_distributions_that_claim_one_name_are_reported(rivals, catalog):
    answer = refusal(catalog(), "shapes/thing")
    message = 'the explainer "shapes/thing" is announced by shapes 7 and sidelight-shapes 8'
    assert said(answer) == f"broken: {message}\nuninstall one, or deny one in a policy file"
    assert [fault.message for fault in catalog().problems()] == [message]


def test_a_policy_settles_which_of_two_is_meant(rivals, catalog):
    settled = catalog("deny: [shapes]\n")
    assert settled.lookup("shapes/thing", "explainer").distribution == "sidelight-shapes"
    assert settled.problems() == ()


def test_the_installed_catalog_reads_the_users_policy(site, tmp_path):
    site.plugin("acme-shapes")
    assert isinstance(installed().lookup("acme-shapes/thing", "explainer"), Available)
    policy = tmp_path / "config" / "sidelight" / "policy.yaml"
    policy.parent.mkdir(parents=True)
    policy.write_text("deny: [acme-shapes/*]\n")
    assert refusal(installed(), "acme-shapes/thing").kind == "blocked"
