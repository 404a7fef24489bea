import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sidelight_images.files import Files
from sidelight_images.folder import Folder
from sidelight_images.params import FilesParams, FolderParams
from sidelight_specs import Cancelled, UserError
from sidelight_specs.fingerprint import fingerprint
from sidelight_specs.testing import ToyRun


def paint(path, colour=(200, 0, 0), size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def folder(path, run=None, **options):
    return Folder(FolderParams(path=str(path), **{"size": 8, **options}), run=run or ToyRun())


@pytest.fixture
def animals(tmp_path):
    """30 cats and 10 dogs; every image's red value is its number."""
    for name, count in (("cat", 30), ("dog", 10)):
        for number in range(count):
            paint(tmp_path / name / f"{number:02}.png", (number, 0, 0))
    return tmp_path


def test_sub_folders_are_classes(animals):
    split = folder(animals).split("all")
    assert split.class_names == ("cat", "dog")
    assert split.images.shape == (40, 3, 8, 8)
    assert split.images.dtype == np.float32
    assert split.labels.dtype == np.int64
    for name, label, image in zip(split.ids, split.labels, split.images, strict=True):
        assert name.split("/")[0] == split.class_names[label]
        assert image[0, 0, 0] == pytest.approx(int(Path(name).stem) / 255)


def test_train_and_test_share_nothing_and_make_up_the_whole(animals):
    data = folder(animals, test_share=0.3)
    train, test, whole = (set(data.split(name).ids) for name in data.splits)
    assert not train & test
    assert train | test == whole
    assert 4 <= len(test) <= 20


def test_images_name_their_files(animals):
    data = folder(animals)
    files = data.source_files(data.split("test").ids)
    assert set(files) == set(data.split("test").ids)
    assert all(path == animals / name for name, path in files.items())
    named = Files(FilesParams(paths=(str(animals / "dog"),), size=8), run=ToyRun())
    assert set(named.source_files(named.split("all").ids).values()) == set((animals / "dog").iterdir())


def test_classes_take_turns(animals):
    split = folder(animals).split("all")
    assert set(split.labels[:2]) == {0, 1}
    assert list(np.bincount(split.labels[:20])) == [10, 10]


def test_adding_images_moves_none(animals):
    before = set(folder(animals).split("test").ids)
    for number in range(50, 90):
        paint(animals / "cat" / f"{number}.png")
    assert before <= set(folder(animals).split("test").ids)


@pytest.mark.parametrize(("share", "splits"), [(0.0, ("train", "all")), (1.0, ("test", "all"))])
def test_a_share_of_0_or_1_leaves_one_split(animals, share, splits):
    data = folder(animals, test_share=share)
    assert data.splits == splits
    with pytest.raises(UserError, match="no split"):
        data.split("train" if share else "test")


def test_folders_named_train_and_test_are_the_splits(tmp_path):
    paint(tmp_path / "train/cat/1.png")
    paint(tmp_path / "train/dog/2.png")
    paint(tmp_path / "test/cat/deep/3.png")
    paint(tmp_path / "test/owl/4.png")
    data = folder(tmp_path)
    assert data.splits == ("train", "test", "all")
    assert data.split("train").class_names == ("cat", "dog", "owl")
    assert set(data.split("test").ids) == {"test/cat/deep/3.png", "test/owl/4.png"}
    assert len(data.split("all")) == 4


def test_a_flat_folder_has_no_labels(tmp_path):
    for number in range(3):
        paint(tmp_path / f"{number}.png")
    split = folder(tmp_path).split("all")
    assert split.labels is None
    assert split.class_names == ()
    assert sorted(split.ids) == ["0.png", "1.png", "2.png"]


def test_what_is_no_image_of_a_class_is_passed_over_by_name(animals):
    paint(animals / "stray.png")
    (animals / "cat/notes.txt").write_text("x")
    (animals / "owl").mkdir()
    (animals / ".git").mkdir()
    (animals / "cat/.DS_Store").write_text("x")
    run = ToyRun()
    assert folder(animals, run).split("all").class_names == ("cat", "dog")
    (text,) = run.warnings
    assert all(name in text for name in ("stray.png", "cat/notes.txt", "owl/ (an empty folder)"))
    assert "DS_Store" not in text
    assert ".git" not in text


def test_a_broken_image_is_left_out_and_named(animals):
    (animals / "cat/00.png").write_text("this is text")
    (animals / "dog/00.png").write_bytes(b"")
    run = ToyRun()
    split = folder(animals, run).split("all").read()
    assert len(split) == 38
    (text,) = run.warnings
    assert "cat/00.png cannot be read as an image" in text
    assert "dog/00.png cannot be read as an image" in text


def test_many_broken_images_are_counted(animals):
    for path in (animals / "cat").iterdir():
        path.write_bytes(b"")
    run = ToyRun()
    assert folder(animals, run).split("all").read().class_names == ("cat", "dog")
    assert run.warnings[0].endswith("; and 20 more")


def test_a_broken_image_can_end_the_run(animals):
    (animals / "cat/00.png").write_text("this is text")
    with pytest.raises(UserError, match=r"cat/00\.png cannot be read") as caught:
        folder(animals, on_error="refuse").split("all").read()
    assert "on_error" in caught.value.fix


def test_the_limit_keeps_as_many_of_each_class(animals):
    run = ToyRun()
    split = folder(animals, run, limit=10).split("all")
    assert list(np.bincount(split.labels)) == [5, 5]
    assert "10 of 40 images" in run.warnings[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path / "missing", "is no folder"),
        (lambda path: path, "holds no images"),
        (lambda path: paint(path / "a.png") or path / "a.png", "is no folder"),
        (lambda path: (path / "cat").mkdir() or path, "holds no images"),
    ],
)
def test_mistakes_are_named_with_a_fix(tmp_path, make, message):
    with pytest.raises(UserError, match=message) as caught:
        folder(make(tmp_path)).split("all")
    assert caught.value.fix


def test_only_broken_images_are_a_mistake(tmp_path):
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(UserError, match=r"no image could be read; .*a\.png cannot"):
        folder(tmp_path).split("all").read()


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match="Permission denied") as caught:
        folder(tmp_path).split("all")
    assert str(tmp_path) in str(caught.value)


def test_the_fingerprint_follows_paths_sizes_and_times(animals):
    first = folder(animals).fingerprint()
    assert folder(animals, size=16).fingerprint() == first
    os.utime(animals / "cat/00.png", ns=(time.time_ns(), time.time_ns() + 10**9))
    touched = folder(animals).fingerprint()
    paint(animals / "cat/99.png")
    added = folder(animals).fingerprint()
    (animals / "cat/99.png").rename(animals / "cat/98.png")
    renamed = folder(animals).fingerprint()
    assert len({first, touched, added, renamed}) == 4


def test_an_image_that_vanishes_is_left_out(animals):
    run = ToyRun()
    data = folder(animals, run)
    assert data.splits
    (animals / "cat/00.png").unlink()
    assert data.fingerprint() != folder(animals).fingerprint()
    assert len(data.split("all").read()) == 39
    assert "cat/00.png is no file" in run.warnings[0]


def test_links_to_files_and_class_folders_are_followed_loops_are_not(animals, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    paint(elsewhere / "owl/1.png")
    (animals / "owl").symlink_to(elsewhere / "owl")
    (animals / "dog/linked.png").symlink_to(elsewhere / "owl/1.png")
    (animals / "dog/loop").symlink_to(animals)
    split = folder(animals).split("all")
    assert "owl/1.png" in split.ids
    assert "dog/linked.png" in split.ids
    assert len(split) == 42


def test_names_of_any_bytes_work(tmp_path):
    paint(tmp_path / "kätzchen/bild 1.png")
    odd = os.fsencode(tmp_path) + b"/k\xc3\xa4tzchen/\xff.png"
    Path(os.fsdecode(odd)).write_bytes((tmp_path / "kätzchen/bild 1.png").read_bytes())
    (tmp_path / "kätzchen" / os.fsdecode(b"\xfe.txt")).write_text("x")
    run = ToyRun()
    split = folder(tmp_path, run).split("all").read()
    assert len(split) == 2
    for text in (*split.ids, *split.class_names, *run.warnings):
        text.encode()
    split.save(tmp_path / "saved")


def test_reading_can_be_cancelled(animals):
    with pytest.raises(Cancelled):
        folder(animals, ToyRun(cancel_after=5)).split("all").read()


def test_grey_mode_and_crop_reach_the_pixels(tmp_path):
    wide = Image.new("RGB", (30, 10))
    wide.paste((255, 255, 255), (10, 0, 20, 10))
    (tmp_path / "a").mkdir()
    wide.save(tmp_path / "a/1.png")
    assert (folder(tmp_path, mode="grey").split("all").read().images == 1).all()
    assert folder(tmp_path, crop="whole").split("all").read().images.mean() == pytest.approx(1 / 3, abs=0.02)
    assert folder(tmp_path, mode="grey").split("all").read().images.shape == (1, 1, 8, 8)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8).filter(
    lambda name: not name.startswith(".")
)


@given(st.lists(NAMES, min_size=1, max_size=5, unique_by=lambda name: name.casefold()), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_any_class_names_give_the_same_split_twice(tmp_path_factory, names, seed):
    place = tmp_path_factory.mktemp("any")
    for name in names:
        paint(place / name / "1.png")
    whole = folder(place, seed=seed).split("all")
    if not {"train", "test"} & set(names):
        assert whole.class_names == tuple(sorted(names))
    again = folder(place, seed=seed).split("all")
    assert whole.ids == again.ids
    np.testing.assert_array_equal(whole.images, again.images)


@pytest.mark.parametrize("component", ["folder", "files"])
def test_the_guard_of_a_run_need_not_look_through_the_list_of_files(animals, component):
    """It looks at the data around every step, which took 0.2 s with 10,000 files."""
    run = ToyRun()
    data = folder(animals) if component == "folder" else Files(FilesParams(paths=str(animals), size=8), run=run)
    before = fingerprint({"data": (data, True)})
    data.split("all").read()
    assert len(fingerprint({"data": (data, True)}).facts) <= len(before.facts) + 2
