"""The digest of a component's code changes exactly when something changes that it runs."""

import sys

import pytest
from sidelight.registry import code
from sidelight.registry.code import code_digest

FILES = {
    "acme_code/__init__.py": "from acme_code import unrelated",
    "acme_code/model.py": """
from __future__ import annotations
from typing import TYPE_CHECKING
import numpy, acme_code.layers
from acme_code.deep import THING
from .deep.losses import loss
if TYPE_CHECKING:
    from acme_code import only_for_types
def late():
    from acme_code import late
    raise RuntimeError
""",
    "acme_code/layers.py": "from . import deep as nothing_but_a_name",
    "acme_code/deep/__init__.py": "THING = 1",
    "acme_code/deep/losses.py": "from ..helpers import *",
    "acme_code/helpers.py": "x = 1",
    "acme_code/late.py": "x = 1",
    "acme_code/only_for_types.py": "x = 1",
    "acme_code/unrelated.py": "x = 1",
    "acme_code/page.html": "x",
}
RUN = ["model.py", "layers.py", "deep/__init__.py", "deep/losses.py", "helpers.py", "late.py", "page.html", "new.txt"]
NOT_RUN = ["__init__.py", "only_for_types.py", "unrelated.py", "new.py"]


def forget():
    for cache in (code_digest, code._graph):
        cache.cache_clear()


@pytest.fixture(autouse=True)
def _forget():
    forget()
    yield
    forget()


@pytest.fixture
def package(site):
    site.install("acme-code", files=FILES)
    return site.folder / "acme_code"


def digest(module="acme_code.model", *foundations):
    forget()
    return code_digest(module, foundations)


def test_it_is_stable_and_imports_nothing(package):
    assert digest() == digest()
    assert "acme_code" not in sys.modules


@pytest.mark.parametrize("path", RUN)
def test_what_the_component_runs_counts(package, path):
    before = digest()
    (package / path).write_text("x = 2")
    assert digest() != before


@pytest.mark.parametrize("path", NOT_RUN)
def test_what_it_does_not_run_does_not(package, path):
    before = digest()
    (package / path).write_text("x = 2")
    assert digest() == before


def test_something_taken_from_the_light_module_makes_it_count(package):
    (package / "model.py").write_text("from acme_code import PAPER")
    before = digest()
    (package / "__init__.py").write_text("PAPER = 2")
    assert digest() != before


@pytest.mark.parametrize("text", ["import importlib\nimportlib.import_module(f'{a}.b')", "__import__(name)"])
def test_computed_imports_make_the_whole_package_count(package, text):
    (package / "helpers.py").write_text(text)
    before = digest()
    (package / "unrelated.py").write_text("x = 2")
    assert digest() != before


def test_an_import_by_a_text_is_an_import(package):
    (package / "helpers.py").write_text(
        "from importlib import import_module as m\nimportlib.import_module('acme_code.unrelated')"
    )
    before = digest()
    (package / "unrelated.py").write_text("x = 2")
    assert digest() != before


def test_a_module_that_cannot_be_parsed_counts_as_it_is(package):
    (package / "helpers.py").write_text("def (")
    before = digest()
    (package / "helpers.py").write_text("def )")
    assert digest() != before


def test_a_renamed_file_changes_it(package):
    before = digest()
    (package / "page.html").rename(package / "other.html")
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
    files = {"acme_ns/mine/__init__.py": "from acme_ns.yours import y", "acme_ns/yours/__init__.py": "y = 1"}
    site.install("acme-space", files=files)
    before = digest("acme_ns.mine")
    (site.folder / "acme_ns" / "yours" / "__init__.py").write_text("y = 2")
    assert digest("acme_ns.mine") == before
    (site.folder / "acme_ns" / "mine" / "__init__.py").write_text("x = 2")
    assert digest("acme_ns.mine") != before


def test_of_what_it_is_built_on_what_is_imported_counts(site, package):
    files = {f"acme_tools/{name}.py": "x = 1" for name in ("__init__", "used", "unused")}
    site.install("acme-tools", files=files)
    (package / "helpers.py").write_text("from acme_tools import used")
    alone, before = digest(), digest("acme_code.model", "acme_tools")
    (site.folder / "acme_tools" / "unused.py").write_text("x = 2")
    assert digest("acme_code.model", "acme_tools") == before
    (site.folder / "acme_tools" / "used.py").write_text("x = 2")
    assert digest("acme_code.model", "acme_tools") != before
    assert digest() == alone, "a package that it is not said to be built on is a library"


def test_a_module_that_is_not_there_adds_nothing(package):
    assert digest("not_there.at_all") == digest("acme_code.not_there_either")
