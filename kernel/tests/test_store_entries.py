"""The store: what is put comes back, and whatever happens to the files, nothing wrong does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import attrs
import numpy as np
import pytest
from sidelight.engine.store import Entry, Store, left_behind
from sidelight_specs import UserError
from sidelight_specs.digests import digest_of
from sidelight_specs.results import Heatmap, State

KEY = digest_of("a step")


@pytest.fixture
def notices():
    return []


@pytest.fixture
def store(tmp_path, notices):
    store = Store(tmp_path / "cache", notices.append)
    yield store
    store.close()


def an_entry(value=1.0):
    emitted = (("a/curve", State(curves={"loss": np.arange(3, dtype=np.float32)})),)
    result = Heatmap(values=np.full((2, 3, 3), value, np.float32))
    return Entry(component="toy/x", step="explain", result=result, emitted=emitted, warnings=("careful",))


def folder_of(store):
    return store.root / "v2" / KEY[:2] / KEY


def test_what_is_put_comes_back(store):
    entry = an_entry()
    store.put(KEY, entry)
    found = store.get(KEY)
    assert found.result.digest() == entry.result.digest()
    assert [(name, kept.digest()) for name, kept in found.emitted] == [("a/curve", entry.emitted[0][1].digest())]
    assert (found.component, found.step, found.warnings) == ("toy/x", "explain", ("careful",))


def test_an_unknown_key_is_a_miss_without_a_word(store, notices):
    assert store.get(KEY) is None
    assert notices == []


def test_an_entry_without_a_result(store):
    store.put(KEY, Entry(component="toy/x", step="invert", warnings=("shapes differ",)))
    found = store.get(KEY)
    assert found.result is None
    assert found.warnings == ("shapes differ",)


def test_files_come_back_into_the_folder_that_asks(store, tmp_path):
    rendered, copied = tmp_path / "rendered", tmp_path / "copied"
    (rendered / "parts").mkdir(parents=True)
    (rendered / "index.html").write_text("page")
    (rendered / "parts" / "a.css").write_text("style")
    store.put(KEY, Entry(component="toy/x", step="render", files=("index.html",)), rendered)
    found = store.get(KEY, export=copied)
    assert found.files == ("index.html",)
    assert (copied / "index.html").read_text() == "page"
    assert (copied / "parts" / "a.css").read_text() == "style"


def test_the_first_of_two_writers_wins(store):
    store.put(KEY, an_entry(1.0))
    store.put(KEY, an_entry(2.0))
    assert store.get(KEY).result.values[0, 0, 0] == 1.0


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def rewrite_digest(path):
    document = json.loads(path.read_text())
    document["contents"] = dict.fromkeys(document["contents"], "0" * 32)
    path.write_text(json.dumps(document))


DAMAGE = {
    "truncated arrays": ("result/arrays.npz", truncate),
    "a flipped bit": ("result/arrays.npz", flip),
    "a flipped bit in a by-product": ("emitted-0/arrays.npz", flip),
    "empty arrays": ("result/arrays.npz", lambda path: path.write_bytes(b"")),
    "no arrays": ("result/arrays.npz", Path.unlink),
    "bad json in the result": ("result/artifact.json", lambda path: path.write_text("{")),
    "bad json in the document": ("entry.json", lambda path: path.write_text('{"a": ')),
    "json of another form": ("entry.json", lambda path: path.write_text("[1]")),
    "no text at all": ("entry.json", lambda path: path.write_bytes(b"\xff\xfe\x00")),
    "a changed digest": ("entry.json", rewrite_digest),
    "no document": ("entry.json", Path.unlink),
    "json without end": ("entry.json", lambda path: path.write_text("[" * 100_000)),
    "json without end in the result": ("result/artifact.json", lambda path: path.write_text("[" * 100_000)),
    "a pipe for the document": ("entry.json", lambda path: in_place_of(path, os.mkfifo)),
    "a pipe for the arrays": ("result/arrays.npz", lambda path: in_place_of(path, os.mkfifo)),
    "a pipe beside": ("result/more", os.mkfifo),
    "a file that nobody wrote": ("files/extra.html", lambda path: in_new_folder(path).write_text("x")),
    "a link to a copy": ("result/arrays.npz", lambda path: in_place_of(path, link_to_copy)),
    "a pipe for the entry": (".", lambda path: in_place_of(path, os.mkfifo)),
    "a file for the entry": (".", lambda path: in_place_of(path, lambda new: new.write_text("x"))),
}


def in_place_of(path, make):
    path = path.resolve()
    path.rename(path.with_name("moved-away"))
    make(path)


def in_new_folder(path):
    path.parent.mkdir()
    return path


def link_to_copy(path):
    path.symlink_to(path.with_name("moved-away"))


def test_an_intact_entry_under_anothers_key_is_not_believed(store, notices):
    keys = {(use, step): digest_of([use, step]) for use in ("toy/x", "toy/y") for step in ("explain", "fit")}
    for (use, step), key in keys.items():
        store.put(key, attrs.evolve(an_entry(), component=use, step=step))
    for made_by, key in keys.items():
        for other in set(keys.values()) - {key}:
            place, content = (store.root / "v2" / one[:2] / one for one in (key, other))
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(exist_ok=True)
            shutil.copytree(content, place)
            assert store.get(key, made_by) is None
            assert f"is the entry of another key, {other}" in notices[-1]
            store.put(key, attrs.evolve(an_entry(), component=made_by[0], step=made_by[1]))
            assert store.get(key, made_by) is not None
    assert len(notices) == 12


def test_an_entry_of_another_component_or_step_is_not_believed(store, notices):
    for made_by in (("toy/y", "explain"), ("toy/x", "fit")):
        store.put(KEY, an_entry())
        assert store.get(KEY, made_by) is None
        assert "it was made by toy/x in the step `explain`" in notices[-1]


def test_entries_of_earlier_layouts_are_not_read_but_can_be_cleared(store, notices):
    store.put(KEY, an_entry())
    folder_of(store).parent.parent.rename(store.root / "v1")
    assert store.get(KEY) is None
    assert notices == []
    assert store.clear()[0] == 1


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_entry_is_warned_about_and_made_anew(store, notices, name):
    place, damage = DAMAGE[name]
    store.put(KEY, an_entry(1.0))
    damage(folder_of(store) / place)
    assert store.get(KEY) is None
    assert len(notices) == 1
    assert KEY in notices[0]
    store.put(KEY, an_entry(2.0))
    assert store.get(KEY).result.values[0, 0, 0] == 2.0
    assert len(notices) == 1


def test_a_process_that_is_killed_while_writing_leaves_no_entry_and_its_rest_is_cleaned(tmp_path):
    root = tmp_path / "cache"
    code = f"""
import time
from pathlib import Path
from sidelight.engine import store
from sidelight.engine.store import Entry

def write_half(entry, folder, key):
    (folder / "half").write_text("x")
    print("writing", flush=True)
    time.sleep(60)

store.write_entry = write_half
store.Store(Path({str(root)!r})).put({KEY!r}, Entry(component="toy/x", step="explain"))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    left = list(root.rglob("half"))
    assert left
    store = Store(root)
    store.put(digest_of("another"), an_entry())
    assert left[0].exists(), "a living process keeps its folder"
    process.send_signal(signal.SIGKILL)
    process.wait()
    store.close()
    assert store.get(KEY) is None
    store.put(digest_of("a third"), an_entry())
    store.close()
    assert not left[0].exists()
    assert list((root / "temporary").iterdir()) == []


def test_a_scratch_folder_without_a_lock_is_removed_once_its_owner_had_time_to_take_it(tmp_path):
    young, old = (tmp_path / f".sidelight-x-{letter * 8}" for letter in "ab")
    for folder in (young, old):
        (folder / "content").mkdir(parents=True)
    os.utime(old, (time.time() - 2e3,) * 2)
    assert list(left_behind(tmp_path, "x")) == [old]
    assert young.exists()
    assert not old.exists()


def test_scratch_folders_of_other_names_are_not_touched(tmp_path):
    other = tmp_path / ".sidelight-x-y-aaaaaaaa"
    other.mkdir()
    (other / "lock").touch()  # which nobody holds any more
    assert list(left_behind(tmp_path, "x")) == []
    assert list(left_behind(tmp_path, "x-y")) == [other]


def test_a_cache_that_cannot_be_written_to_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "cache")
    with pytest.raises(UserError, match="cannot be written") as caught:
        store.put(KEY, an_entry())
    assert "SIDELIGHT_CACHE" in caught.value.fix


def test_a_full_disk_is_the_users_to_mend_and_leaves_nothing(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("sidelight.engine.store.write_entry", full)
        with pytest.raises(UserError, match="No space left"):
            store.put(KEY, an_entry())
    assert store.get(KEY) is None
    store.put(KEY, an_entry())
    assert store.get(KEY) is not None


def test_clear_removes_entries_and_nothing_else(store):
    store.put(KEY, an_entry())
    mine = store.root / "v2" / "notes.txt"
    mine.write_text("mine")
    (store.root / "thesis.tex").write_text("mine too")
    size = next(store.entries()).size
    assert store.clear() == (1, size)
    assert store.get(KEY) is None
    assert mine.exists()
    assert (store.root / "thesis.tex").exists()


def test_clear_by_age_counts_from_the_last_use(store):
    old, used = digest_of("old"), digest_of("used")
    for key in (old, used):
        store.put(key, an_entry())
        os.utime(store.root / "v2" / key[:2] / key, (time.time() - 7200,) * 2)
    assert store.get(used) is not None
    assert store.clear(older_than=3600)[0] == 1
    assert store.get(old) is None
    assert store.get(used) is not None


def test_a_damaged_entry_is_listed_and_cleared(store):
    store.put(KEY, an_entry())
    (folder_of(store) / "entry.json").write_text("{")
    assert [entry.component for entry in store.entries()] == [""]
    assert store.clear()[0] == 1


def test_where_the_cache_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("SIDELIGHT_CACHE", str(tmp_path / "mine"))
    assert Store().root == tmp_path / "mine"
    monkeypatch.delenv("SIDELIGHT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Store().root == tmp_path / "sidelight"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert Store().root == Path.home() / ".cache" / "sidelight"
