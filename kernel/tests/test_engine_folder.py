"""The run's folder: swapped in whole, and nobody's files are overwritten."""

import json
import os

import pytest
from sidelight.engine.results import read_manifest, run_folder
from sidelight_specs import UserError


def publish(out, text):
    with run_folder(out) as folder:
        (folder.staging / "page.html").write_text(text)
        (folder.staging / "run.json").write_text(json.dumps({"sidelight_run": 1}))
        folder.publish()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_replaces_the_one_before(tmp_path):
    out = tmp_path / "runs" / "mine"
    publish(out, "one")
    (out / "old.txt").write_text("old")
    publish(out, "two")
    assert names(out) == ["page.html", "run.json"]
    assert (out / "page.html").read_text() == "two"
    assert names(out.parent) == ["mine"]


def test_what_live_pages_keep_outlives_the_run_that_stood_there(tmp_path):
    out, elsewhere = tmp_path / "mine", tmp_path / "elsewhere.txt"
    elsewhere.write_text("not ours")
    publish(out, "one")
    (out / "kept" / "pages").mkdir(parents=True)
    (out / "kept" / "pages" / "names.json").write_text("lips")
    (out / "kept" / "link").symlink_to(elsewhere)
    publish(out, "two")
    assert names(out) == ["kept", "page.html", "run.json"]
    assert (out / "kept" / "pages" / "names.json").read_text() == "lips"
    assert (out / "kept" / "link").is_symlink(), "a link's content is not copied into the run"


def test_an_unfinished_run_changes_nothing(tmp_path):
    out = tmp_path / "mine"
    publish(out, "one")
    with run_folder(out) as folder:
        (folder.staging / "page.html").write_text("half")
    assert (out / "page.html").read_text() == "one"
    assert names(tmp_path) == ["mine"]


@pytest.mark.parametrize("content", [{"thesis.tex": "x"}, {"run.json": "{}"}, {"run.json": "not json"}])
def test_a_folder_with_other_things_in_it_is_not_overwritten(tmp_path, content):
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match="no Sidelight run") as caught:
        run_folder(tmp_path).__enter__()
    assert "--out" in caught.value.fix
    assert names(tmp_path) == sorted(content)


def test_an_empty_folder_may_be_used(tmp_path):
    (tmp_path / "mine").mkdir()
    publish(tmp_path / "mine", "one")
    assert (tmp_path / "mine" / "page.html").read_text() == "one"


def test_a_link_to_a_folder_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    publish(tmp_path / "link", "one")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "page.html").read_text() == "one"


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_cannot_be_a_folder(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="file"):
        run_folder(tmp_path / place).__enter__()
    assert (tmp_path / "file").read_text() == "x"


def test_a_place_that_cannot_be_written_to(tmp_path, monkeypatch):
    def read_only(*_, **__):
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", read_only)
    with pytest.raises(UserError, match="cannot be written: Read-only file system"):
        run_folder(tmp_path / "mine").__enter__()


def test_a_run_that_a_killed_process_moved_aside_comes_back(tmp_path):
    out = tmp_path / "mine"
    publish(out, "one")
    killed = tmp_path / ".sidelight-mine-aaaaaaaa"
    killed.mkdir()
    (killed / "lock").touch()
    out.rename(killed / "previous-0")  # the moment between the two renames
    with run_folder(out):
        assert (out / "page.html").read_text() == "one"
    assert names(tmp_path) == ["mine"]


def test_the_folder_of_a_run_under_way_is_left_alone(tmp_path):
    with run_folder(tmp_path / "mine") as first:
        with run_folder(tmp_path / "mine") as second:
            for folder in (first, second):
                (folder.staging / "run.json").write_text(json.dumps({"sidelight_run": 1}))
            second.publish()
        first.publish()
    assert names(tmp_path) == ["mine"]


def test_an_interrupt_between_the_two_renames_puts_the_old_run_back(tmp_path, monkeypatch):
    out = tmp_path / "mine"
    publish(out, "one")
    with run_folder(out) as folder:
        out.rename(folder.staging.parent / "previous-0")
    assert (out / "page.html").read_text() == "one"
    assert names(tmp_path) == ["mine"]


def test_a_pipe_is_no_manifest(tmp_path):
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(UserError, match="it is a pipe, not a file"):
        read_manifest(tmp_path)
    with pytest.raises(UserError, match="no Sidelight run, and is not overwritten"):
        run_folder(tmp_path).__enter__()
