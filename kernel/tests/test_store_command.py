"""`sidelight cache`."""

import os
import time

import numpy as np
import pytest
from sidelight.cli import main
from sidelight.cli.commands import human_size
from sidelight.engine.store import Entry, Store
from sidelight_specs.digests import digest_of
from sidelight_specs.results import Heatmap


@pytest.fixture
def filled(tmp_path, monkeypatch):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "cache"))
    store = Store()
    for index in range(3):
        result = Heatmap(values=np.zeros((1, 8, 8), np.float32))
        use = "toy/often" if index else "toy/once"
        store.put(digest_of(index), Entry(component=use, step="explain", result=result))
    store.close()
    return store


def test_list_gives_sizes_by_component_largest_first(filled, capsys):
    assert main(["cache"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines[1:4]] == [["toy/often", "2"], ["toy/once", "1"], ["all", "3"]]
    assert lines[1][3] == "kB"


def test_path(filled, capsys):
    assert main(["cache", "path"]) == 0
    assert capsys.readouterr().out.strip() == str(filled.root)


def test_clear(filled, capsys):
    assert main(["cache", "clear"]) == 0
    assert "removed 3 entries" in capsys.readouterr().out
    assert list(filled.entries()) == []


def test_clear_older_than(filled, capsys):
    old = next(filled.entries())
    os.utime(old.folder, (time.time() - 40 * 86400,) * 2)
    assert main(["cache", "clear", "--older-than", "30d"]) == 0
    assert "removed 1 entries" in capsys.readouterr().out
    assert len(list(filled.entries())) == 2


@pytest.mark.parametrize("age", ["soon", "-3d", "3", "d", "1.5d"])
def test_an_age_that_cannot_be_read_clears_nothing(filled, age):
    assert main(["cache", "clear", f"--older-than={age}"]) == 2
    assert len(list(filled.entries())) == 3


def test_an_empty_cache(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "none"))
    assert main(["cache", "list"]) == 0
    assert main(["cache", "clear"]) == 0
    assert "0 B" in capsys.readouterr().out


def test_sizes_for_people():
    sizes = {0: "0 B", 999: "999 B", 1000: "1.0 kB", 12_345_678: "12.3 MB", 5e12: "5.0 TB"}
    assert {size: human_size(size) for size in sizes} == sizes
