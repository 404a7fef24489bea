"""Answers kept in the cache folder: used while nothing has changed, made anew otherwise, and never in the way."""

import pytest
from sidelight.cache import cache_folder, get, put, stamp
from sidelight.registry import catalog, code, load
from sidelight.registry.catalog import Catalog, installed


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled at once; the time of change of an inode cannot be set back."""
    monkeypatch.setattr("sidelight.cache._SETTLED", -1)


@pytest.mark.usefixtures("cache", "settled")
def test_values_are_kept_under_their_facts_and_files(tmp_path):
    file = tmp_path / "data"
    file.write_text("one")
    put("name", "facts", [1, "a"], [str(file)])
    assert get("name", "facts") == [1, "a"]
    assert get("name", "other facts") is None
    assert get("other", "facts") is None
    file.write_text("longer")
    assert get("name", "facts") is None


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"facts": "facts"}', '{"facts": "facts", "files": 3}'])
def test_a_damaged_file_counts_as_none(cache, content):
    put("name", "facts", 1)
    (cache / "name.json").write_text(content)
    assert get("name", "facts") is None


@pytest.mark.usefixtures("settled")
def test_a_folder_that_cannot_be_written_to_does_no_harm(cache):
    cache.write_text("a file")
    put("name", "facts", 1)
    assert get("name", "facts") is None


def test_a_file_that_changed_a_moment_ago_has_no_stamp(tmp_path):
    (tmp_path / "data").write_text("one")
    assert stamp([str(tmp_path / "data")]) == ""
    assert stamp([str(tmp_path / "absent")]) != ""


@pytest.mark.usefixtures("cache", "settled")
def test_the_index_is_scanned_once_until_metadata_change(site, monkeypatch):
    site.plugin("acme-one")
    scans = []
    scan = catalog.scan
    monkeypatch.setattr(catalog, "scan", lambda: scans.append(1) or scan())
    uses = [entry.use for entry in catalog.index().entries if entry.use.startswith("acme")]
    assert [entry.use for entry in catalog.index().entries if entry.use.startswith("acme")] == uses
    assert len(scans) == 1
    (site.folder / "unrelated").write_text("")
    catalog.index()
    assert len(scans) == 1
    site.plugin("acme-two")
    assert "acme-two/thing" in [entry.use for entry in catalog.index().entries]
    assert len(scans) == 2
    points = site.folder / "acme_two-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text().replace("thing", "other"))
    assert "acme-two/other" in [entry.use for entry in catalog.index().entries]
    (cache_folder() / "installed.json").write_text("{")
    assert "acme-two/other" in [entry.use for entry in catalog.index().entries]


@pytest.mark.usefixtures("cache", "settled")
def test_health_is_asked_once_until_a_file_of_a_plugin_changes(site, monkeypatch):
    module = site.plugin("acme-one")
    asked = []
    ask = load._ask_child
    monkeypatch.setattr(load, "_ask_child", lambda entries: asked.append(1) or ask(entries))

    def state():
        everything = installed()
        (entry,) = (entry for entry in everything.entries() if entry.use == "acme-one/thing")
        return everything.states([entry])[0].state

    assert [state(), state()] == ["ok", "ok"]
    assert len(asked) == 1
    (site.folder / module / "__init__.py").write_text("1 / 0")
    assert [state(), state()] == ["broken", "broken"]
    assert len(asked) == 3, "a broken plugin is tried again each time"


@pytest.mark.usefixtures("cache", "settled")
def test_without_a_stamp_nothing_is_get(site, cache):
    site.plugin("acme-one")
    fresh = Catalog(catalog.scan([str(site.folder)]))
    assert [one.state for one in fresh.states(fresh.entries())] == ["ok"]
    assert not cache.exists()


@pytest.mark.usefixtures("cache", "settled")
def test_a_digest_of_code_is_kept_until_a_file_of_its_package_changes(site, monkeypatch):
    module = site.plugin("acme-one")
    behaviour = site.folder / module / "behaviour.py"
    behaviour.write_text("x = 1")
    digests = []
    digest = code.code_digest
    monkeypatch.setattr(code, "code_digest", lambda *of: digests.append(digest(*of)) or digests[-1])

    def found():
        for cached in (digest, code._graph, code._installed_stamp):
            cached.cache_clear()
        component = installed().lookup("acme-one/thing", "explainer")
        return code.code_of(component.descriptor, component.distribution)

    assert found() == found()
    assert len(digests) == 1
    before = found()
    behaviour.write_text("x = 2")
    assert found() != before
    (site.folder / module / "new.txt").write_text("data")
    assert found() == digests[2] != digests[1]


def test_a_plugin_of_one_module_does_not_make_all_that_is_installed_count(site):
    site.install("acme-single", files={"acme_single.py": "", "unrelated/data.txt": "x"})
    module = site.plugin("acme-package")
    (site.folder / module / "data.txt").write_text("x")
    files = code.package_files("acme_single", module)
    assert str(site.folder / "acme_single.py") in files
    assert str(site.folder / module / "data.txt") in files
    assert str(site.folder / "unrelated" / "data.txt") not in files
