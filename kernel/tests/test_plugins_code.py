"""The digest of a component's code changes exactly when its files do."""

import sys

import pytest
from sidelight.plugins import code
from sidelight.plugins.code import code_digest


@pytest.fixture(autouse=True)
def _forget():
    code._digest.cache_clear()
    yield
    code._digest.cache_clear()


@pytest.fixture
def package(site):
    site.install("acme-code", files={"acme_code/__init__.py": "x = 1", "acme_code/deep/model.py": "raise RuntimeError"})
    return site.folder / "acme_code"


def digest(*modules):
    code._digest.cache_clear()
    return code_digest(modules or ("acme_code",))


def test_it_is_stable_and_imports_nothing(package):
    assert digest() == digest("acme_code.deep.model", "acme_code")
    assert "acme_code" not in sys.modules


@pytest.mark.parametrize("path", ["__init__.py", "deep/model.py", "deep/new.py", "page.html"])
def test_a_changed_or_new_file_changes_it(package, path):
    before = digest()
    (package / path).write_text("x = 2")
    assert digest() != before


def test_a_renamed_file_changes_it(package):
    before = digest()
    (package / "deep" / "model.py").rename(package / "deep" / "other.py")
    assert digest() != before


def test_compiled_files_do_not_count(package):
    before = digest()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "model.cpython-311.pyc").write_bytes(b"1")
    assert digest() == before


def test_of_a_large_file_the_size_counts(package, monkeypatch):
    monkeypatch.setattr(code, "WHOLE", 10)
    (package / "weights.bin").write_bytes(b"0" * 11)
    before = digest()
    (package / "weights.bin").write_bytes(b"0" * 12)
    assert digest() != before


def test_a_module_without_a_package_is_its_file(site):
    site.install("acme-single", files={"acme_single.py": "x = 1", "unrelated.py": "y = 1"})
    before = digest("acme_single")
    (site.folder / "unrelated.py").write_text("y = 2")
    assert digest("acme_single") == before
    (site.folder / "acme_single.py").write_text("x = 2")
    assert digest("acme_single") != before


def test_in_a_namespace_package_only_the_own_part_counts(site):
    site.install("acme-space", files={"acme_ns/mine/__init__.py": "x = 1", "acme_ns/yours/__init__.py": "y = 1"})
    before = digest("acme_ns.mine")
    (site.folder / "acme_ns" / "yours" / "__init__.py").write_text("y = 2")
    assert digest("acme_ns.mine") == before
    (site.folder / "acme_ns" / "mine" / "__init__.py").write_text("x = 2")
    assert digest("acme_ns.mine") != before


def test_both_the_light_module_and_the_behaviour_count(site, package):
    site.install("acme-heavy", files={"acme_heavy/__init__.py": "x = 1"})
    before = digest("acme_code", "acme_heavy.model")
    (site.folder / "acme_heavy" / "__init__.py").write_text("x = 2")
    assert digest("acme_code", "acme_heavy.model") != before


def test_a_module_that_is_not_there_adds_nothing(package):
    assert digest("acme_code", "not_there.at_all") == digest("acme_code")
