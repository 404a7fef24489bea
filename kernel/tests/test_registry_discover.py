"""The index: every distribution's entry points, read without importing anything."""

import sys
import zipfile

import pytest
from sidelight.registry.catalog import scan
from sidelight_specs.entry_points import normalise, parse, plugin_name


def only(site):
    return scan([str(site.folder)])


def test_an_entry_carries_everything_the_metadata_knows(site):
    site.plugin("sidelight-shapes", version="2.1")
    (entry,) = only(site).entries
    assert (entry.role, entry.name, entry.use) == ("explainer", "thing", "shapes/thing")
    assert (entry.distribution, entry.version, entry.module) == ("sidelight-shapes", "2.1", "sidelight_shapes")


def test_nothing_is_imported(site):
    module = site.plugin("acme-shapes", "raise RuntimeError('imported')")
    assert [entry.use for entry in only(site).entries] == ["acme-shapes/thing"]
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("distribution", "plugin"),
    [
        ("sidelight-stylex", "stylex"),
        ("Sidelight_StyleX", "stylex"),
        ("acme-xai", "acme-xai"),
        ("Acme.XAI__tools", "acme-xai-tools"),
        ("my-sidelight-thing", "my-sidelight-thing"),
    ],
)
def test_a_plugin_is_named_after_its_distribution(distribution, plugin):
    assert plugin_name(distribution) == plugin


def test_names_are_normalised_as_pep_503_says():
    assert normalise("Foo-._Bar") == "foo-bar"


def test_entries_are_ordered_by_role_and_use(site):
    points = "[sidelight.v1.renderer]\na = m\n[sidelight.v1.data]\nz = m\nb = m\n"
    site.install("acme", entry_points=points)
    assert [(entry.role, entry.name) for entry in only(site).entries] == [
        ("data", "b"),
        ("data", "z"),
        ("renderer", "a"),
    ]


MALFORMED = {
    "no section": b"this is not an entry points file\n",
    "duplicate name": b"[sidelight.v1.data]\na = m\na = n\n",
    "duplicate group": b"[sidelight.v1.data]\na = m\n[sidelight.v1.data]\nb = m\n",
    "no value": b"[sidelight.v1.data]\na\n",
    "not UTF-8": b"[sidelight.v1.data]\n\xff\xfe = m\n",
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_named_and_does_not_stop_the_walk(site, content):
    site.install("acme-aaa", entry_points=content)
    site.plugin("acme-shapes")
    index = only(site)
    assert [entry.use for entry in index.entries] == ["acme-shapes/thing"]
    (fault,) = index.faults
    assert fault.distribution == "acme-aaa"
    assert fault.file == str(site.folder / "acme_aaa-1.0.dist-info" / "entry_points.txt")
    assert fault.message.startswith("cannot read the entry points: ")


def test_percent_signs_and_a_default_group_are_plain_text():
    assert parse("[DEFAULT]\nx = a\n[g]\ny = 50%\n") == {"DEFAULT": {"x": "a"}, "g": {"y": "50%"}}


def test_another_contract_version_is_reported(site):
    site.install("acme-next", entry_points="[sidelight.v2.explainer]\nthing = acme_next\n")
    index = only(site)
    assert index.entries[0].flaw == ("it is written for version 2 of the plugin contract, this Sidelight knows 1")


def test_a_plugin_for_two_contract_versions_is_in_order(site):
    points = "[sidelight.v2.explainer]\nthing = acme_new\n[sidelight.v1.explainer]\nthing = acme_old\n"
    site.install("acme-both", entry_points=points)
    index = only(site)
    assert [entry.module for entry in index.entries] == ["acme_old"]
    assert not index.entries[0].flaw
    assert not index.faults


@pytest.mark.parametrize("group", ["sidelight.v1.explainers", "sidelight.v3.wizard", "sidelight.registry"])
def test_an_unknown_group_is_reported(site, group):
    site.install("acme-odd", entry_points=f"[{group}]\nthing = acme_odd\n")
    index = only(site)
    assert index.entries == ()
    (fault,) = index.faults
    assert fault.message.startswith(f'unknown entry point group "{group}"; known are sidelight.v1.ROLE')


@pytest.mark.parametrize("value", ["acme:hooks", "acme [extra]", "not a module!", "a..b"])
def test_a_value_that_is_no_module_is_a_flaw_of_that_entry_alone(site, value):
    site.install("acme", entry_points=f"[sidelight.v1.data]\nbad = {value}\ngood = acme\n")
    index = only(site)
    assert [entry.name for entry in index.entries] == ["bad", "good"]
    assert value in index.entries[0].flaw
    assert not index.entries[1].flaw


def test_name_and_version_come_from_the_folder_when_there_is_no_metadata(site):
    site.install("acme-bare", version="3.4", entry_points="[sidelight.v1.data]\na = m\n", metadata=False)
    (entry,) = only(site).entries
    assert (entry.distribution, entry.version, entry.use) == ("acme_bare", "3.4", "acme-bare/a")


def test_the_first_distribution_of_a_name_on_the_path_counts(site, tmp_path):
    site.plugin("acme-shapes", version="2.0")
    later = tmp_path / "later" / "acme_shapes-1.0.dist-info"
    later.mkdir(parents=True)
    (later / "entry_points.txt").write_text("[sidelight.v1.explainer]\nolder = old\n")
    index = scan([str(site.folder), str(later.parent)])
    assert [(entry.name, entry.version) for entry in index.entries] == [("thing", "2.0")]


def test_what_pip_could_not_remove_is_not_installed(site):
    site.install("~cme", entry_points="garbage")
    assert only(site).faults == ()


def test_an_egg_info_folder_counts(site):
    info = site.folder / "acme_egg.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: acme-egg\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[sidelight.v1.metric]\nm = acme_egg\n")
    (entry,) = only(site).entries
    assert (entry.use, entry.version) == ("acme-egg/m", "0.3")


def test_a_zip_on_the_path_counts(site):
    archive = site.folder / "acme.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("acme_zip-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: acme-zip\nVersion: 1.0\n")
        file.writestr("acme_zip-1.0.dist-info/entry_points.txt", "[sidelight.v1.metric]\nm = acme_zip\n")
    (entry,) = scan([str(archive)]).entries
    assert entry.use == "acme-zip/m"


def test_a_missing_folder_on_the_path_is_no_matter(site):
    assert scan([str(site.folder / "nowhere")]).entries == ()
