"""A plugin's code includes the Sidelight distributions that it is built on, and nothing else."""

import pytest
from sidelight.registry.catalog import installed
from sidelight.registry.code import _graph, _required, code_digest, code_of, foundations
from sidelight.registry.requirements import required_with, requirements


@pytest.fixture(autouse=True)
def _forget():
    for cache in (foundations, _required, requirements, required_with, code_digest, _graph):
        cache.cache_clear()
    yield
    for cache in (foundations, _required, requirements, required_with, code_digest, _graph):
        cache.cache_clear()


def code(component):
    return code_of(component.descriptor, component.distribution)


def require(info, *names):
    with (info / "METADATA").open("a") as metadata:
        metadata.writelines(f"Requires-Dist: {name}\n" for name in names)


def test_they_are_found_through_several_steps_and_in_a_circle(site):
    require(site.install("acme-plugin"), "acme_technique>=1", "numpy")
    require(site.install("acme-technique"), "sidelight-specs", "acme-toolkit")
    require(site.install("acme-toolkit"), "Sidelight_Specs<1", "acme-technique")
    assert foundations("acme-plugin") == ("acme_technique", "acme_toolkit")


def test_libraries_extras_and_unreadable_requirements_do_not_count(site):
    require(site.install("acme-library"), "numpy")
    require(site.install("acme-extra"), "sidelight-specs")
    require(site.install("acme-damaged"), "???")
    require(site.install("acme-plugin"), "acme-library", "acme-extra; extra == 'more'", "acme-damaged", "not-there")
    assert foundations("acme-plugin") == ()
    assert foundations("never-installed") == ()


def test_changed_code_of_a_foundation_changes_the_component_s(site):
    site.plugin("acme-plugin")
    (site.folder / "acme_plugin" / "behaviour.py").write_text("import acme_toolkit")
    (info,) = site.folder.glob("acme_plugin-*.dist-info")
    require(info, "sidelight-specs", "acme-toolkit")
    require(site.install("acme-toolkit", files={"acme_toolkit/__init__.py": "x = 1"}), "sidelight-specs")
    before = code(installed().lookup("acme-plugin/thing", "explainer"))
    (site.folder / "acme_toolkit" / "__init__.py").write_text("x = 2")
    code_digest.cache_clear()
    assert code(installed().lookup("acme-plugin/thing", "explainer")) != before
