"""Shards: joined once, resumed after a kill, reused by more questions; results are views of files that stand once."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import attrs
import numpy as np
import pytest
import sidelight
from sidelight.engine import shards, store
from sidelight.engine.locks import key_lock, remove_stale
from sidelight.engine.store import Store, read_document
from sidelight_specs import Artifact, Cancelled, SidelightError, stored
from sidelight_specs.mapped import file_of

BRIGHT = {"explainers": {"bright": {"use": "toy/brightness"}}}


@pytest.fixture(autouse=True)
def small_files_are_mapped(monkeypatch):
    monkeypatch.setattr(stored, "LEAST_MAPPED", 0)


def documents():
    """Folder and document of each explanation."""
    found = [(entry.folder, read_document(entry.folder)) for entry in Store().entries()]
    return [(folder, document) for folder, document in found if made_by(document) == ("toy/brightness", "explain")]


def test_a_run_holds_links_to_the_store_and_survives_without_it(toys, tmp_path):
    run = toys.run(toys.small(**BRIGHT))
    for name in ("split", "explanations/bright", "predictions"):
        arrays = run.folder / "results" / name / "arrays.npz"
        assert arrays.stat().st_nlink == 1 + (name != "predictions"), "what the run itself puts together is its own"
    assert not os.access(run.folder / "results" / "split" / "arrays.npz", os.W_OK) or os.geteuid() == 0
    assert (run.folder / "results" / "split" / "arrays.npz").stat().st_mode & 0o222 == 0
    shutil.rmtree(tmp_path / "cache")
    values = run.results.explanations["bright"].values
    loaded = sidelight.load_run(run.folder).results.explanations["bright"]
    assert file_of(values) is not None
    assert file_of(loaded.values) is not None
    np.testing.assert_array_equal(values, loaded.values)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1


def test_the_joined_result_stands_once_and_shards_point_into_it(toys):
    toys.run(toys.small(**BRIGHT))
    found = documents()
    assert len(found) == 4
    assert [(folder / "result").exists() for folder, _ in found].count(True) == 1
    assert sorted(document["within"][1:] for _, document in found if document.get("within")) == [[0, 2], [2, 4], [4, 6]]


def test_a_run_that_is_stopped_before_the_join_continues_with_its_shards(toys, monkeypatch):
    def stop(*_):
        raise RuntimeError("stopped here")

    joining = shards._concat
    monkeypatch.setattr(
        shards, "_concat", lambda store, keys: stop() if toys.calls.count("explain 2") else joining(store, keys)
    )
    with pytest.raises(RuntimeError, match="stopped here"):
        toys.run(toys.small(**BRIGHT))
    monkeypatch.setattr(shards, "_concat", joining)
    toys.calls.clear()
    run = toys.run(toys.small(**BRIGHT))
    assert not [call for call in toys.calls if call.startswith("explain")]
    assert len(run.results.explanations["bright"].values) == 6


def test_shards_whose_joined_result_was_cleared_are_made_anew_without_a_word(toys):
    expected = toys.hashes(toys.run(toys.small(**BRIGHT)))
    for folder, document in documents():
        if not document.get("within"):
            shutil.rmtree(folder)
    toys.calls.clear()
    again = toys.run(toys.small(**BRIGHT))
    assert toys.calls.count("explain 2") == 3
    assert again.manifest["warnings"] == []
    assert toys.hashes(again) == expected


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_while_a_shard_is_pointed_elsewhere_leaves_it_whole(toys, monkeypatch, moment):
    class Killed(BaseException):
        pass

    def kill(entry):
        if len(entry.name) == 64 and read_document(entry)["component"] == "toy/brightness":
            raise Killed

    replace = Path.replace
    with monkeypatch.context() as patch:
        if moment == "before":
            patch.setattr(Path, "replace", lambda draft, to: (kill(to.parent), replace(draft, to)))
        else:
            patch.setattr(store, "sync", lambda *paths: kill(paths[-1]))
        with pytest.raises(Killed):
            toys.run(toys.small(**BRIGHT))
    assert len(documents()) == 4
    for _, document in documents():
        assert Store().get(document["key"]).result is not None
    toys.calls.clear()
    run = toys.run(toys.small(**BRIGHT))
    assert not [call for call in toys.calls if call.startswith("explain")]
    assert run.manifest["warnings"] == []


def test_a_reader_whose_result_is_taken_away_meanwhile_finds_it_in_the_joined_one(toys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Store, "point", lambda *_: None)
        toys.run(toys.small(**BRIGHT))
    found = [(rows_of(folder), document["key"]) for folder, document in documents()]
    (_, whole), (_, shard) = max(found), min(found)
    one, other = Store(), Store()
    head = other.get(whole).result.take([]).digest()
    reading = store.digests_below

    def meanwhile(folder, *arguments, **options):
        monkeypatch.setattr(store, "digests_below", reading)
        other.point(shard, whole, range(2), head)
        return reading(folder, *arguments, **options)

    monkeypatch.setattr(store, "digests_below", meanwhile)
    notices = []
    one._notice = notices.append
    assert len(one.get(shard).result.values) == 2
    assert notices == []


def made_by(document):
    return document["component"], document["step"]


def rows_of(folder):
    return len(Artifact.load(folder / "result").values)


def test_a_damaged_joined_result_is_warned_about(toys):
    toys.run(toys.small(**BRIGHT))
    for folder, document in documents():
        if not document.get("within"):
            (folder / "result" / "arrays.npz").unlink()
    again = toys.run(toys.small(**BRIGHT), out="again")
    assert any("is not used and is made anew" in text for text in again.manifest["warnings"])
    assert len(again.results.explanations["bright"].values) == 6


def test_an_image_that_is_named_twice_is_explained_twice(toys):
    run = toys.run(toys.small(**BRIGHT), set=["explain.indices=[0, 1, 0, 1, 2]"])
    values = run.results.explanations["bright"].values
    np.testing.assert_array_equal(values[:2], values[2:4])
    assert toys.run(toys.small(**BRIGHT), set=["explain.indices=[0, 1]"]).manifest["cache"]["made"] > 0


def test_images_asked_about_twice_are_views_too(toys):
    results = toys.run(toys.small(**BRIGHT), set=["explain.target=all"]).results
    assert file_of(results.split.images) is not None
    np.testing.assert_array_equal(results.split.images[::2], results.split.images[1::2])


def test_shards_that_lack_readable_images_are_joined(toys):
    data = {"use": "toy/squares", "with": {"lazy": True, "broken": 3}}
    results = toys.run(toys.small(data=data), set=["explain.count=9", "explain.shard=1"]).results
    assert results.split.ids == tuple(f"test/{number}" for number in (0, 1, 2, 4, 5, 6, 7, 8))
    assert any("images are left out" in text for text in results.warnings)


def test_a_number_of_all_images_needs_a_descriptor_that_says_so(toys, monkeypatch):
    from sidelight_toy import behaviour

    one = behaviour.Measurement(name="one", values=np.ones(1, np.float32))
    monkeypatch.setattr(behaviour.Total, "measure", lambda *_: behaviour.Measurements(items=(one,)))
    recipe = toys.small(**BRIGHT, metrics={"total": {"use": "toy/total"}})
    with pytest.raises(SidelightError, match=r"total .* gives a number of all images together, one"):
        toys.run(recipe)
    assert toys.run(recipe, set=["explain.shard=6"]).results.measurements["total"]["bright"].items[0].value == 1


def test_doubts_about_numbers_are_said_once_and_of_whom(toys, monkeypatch):
    from sidelight_toy import behaviour

    measure = behaviour.Total.measure

    def doubted(*arguments):
        (item,) = measure(*arguments).items
        return behaviour.Measurements(items=(attrs.evolve(item, doubt_above=-1.0, doubt="it is bright"),))

    monkeypatch.setattr(behaviour.Total, "measure", doubted)
    recipe = toys.small(**BRIGHT, metrics={"total": {"use": "toy/total"}})
    expected = ["toy/total of bright: total is above -1 for 6 of 6 images: it is bright"]
    for _ in range(2):  # computed, and from the cache
        run = toys.run(recipe, set=["explain.shard=2"])
        assert [text for text in run.results.warnings if "total" in text] == expected


def never(*_):
    raise AssertionError("nobody else holds it")


def test_who_waits_for_a_key_hears_for_whom_and_may_give_up(tmp_path):
    heard, done = [], threading.Event()

    def hold():
        with key_lock(tmp_path, "k", never):
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()

    def wait(seconds, owner):
        heard.append((seconds, owner))
        if len(heard) == 3:
            raise Cancelled("enough")

    while not ((tmp_path / "k.owner").exists() and (tmp_path / "k.owner").read_text()):
        pass
    with pytest.raises(Cancelled), key_lock(tmp_path, "k", wait):
        pass
    assert [owner for _, owner in heard] == [str(os.getpid())] * 3
    assert 0 <= heard[0][0] < heard[2][0]
    done.set()
    thread.join()
    with key_lock(tmp_path, "k", never):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_an_owner_that_is_no_text_stops_nobody(tmp_path):
    """On a file system that machines share, another's file may be of any bytes."""
    heard = []

    def wait(seconds, owner):
        heard.append(owner)
        raise Cancelled("enough")

    with key_lock(tmp_path, "k", never):
        (tmp_path / "k.owner").write_bytes(b"7 on \xff\xfe")
        with pytest.raises(Cancelled), key_lock(tmp_path, "k", wait):
            pass
    assert heard[0].startswith("7 on ")


def test_a_run_says_for_whom_it_waits(toys, monkeypatch, capfd):
    monkeypatch.setattr("sidelight.engine.session._SILENT", 0.0)
    taken = Store.alone
    held = []

    def busy(self, key, wait):
        if not held:
            held.append(key)
            wait(5.0, "4321")
            wait(6.0, "4321")
            wait(95.0, "4321 on cluster-7")
        return taken(self, key, wait)

    monkeypatch.setattr(Store, "alone", busy)
    toys.run(toys.small(), progress=True)
    told = [line for line in capfd.readouterr().err.splitlines() if "wait" in line]
    assert told[:2] == [
        "waiting for process 4321, which makes read data",
        "waiting for process 4321 on cluster-7, which makes read data, for 2 min so far",
    ]
    assert re.fullmatch(r"waited 0\.\d s for process 4321 on cluster-7: read data", told[2])


def test_the_lock_of_a_killed_process_is_free_and_its_files_go(tmp_path):
    code = f"""
import time
from pathlib import Path
from sidelight.engine.locks import key_lock
with key_lock(Path({str(tmp_path)!r}), "k", print):
    print("held", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    remove_stale(tmp_path)
    assert (tmp_path / "k.lock").exists(), "of a living process"
    process.send_signal(signal.SIGKILL)
    process.wait()
    remove_stale(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with key_lock(tmp_path, "k", never):
        pass


def test_a_cache_that_cannot_be_locked_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("")
    with key_lock(tmp_path / "file" / "locks", "k", never):
        pass
