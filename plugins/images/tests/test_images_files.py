"""Image files by path, pattern and folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sidelight_images import sidelight_data
from sidelight_images.files import Files
from sidelight_images.params import FilesParams
from sidelight_images.paths import list_paths, natural_order
from sidelight_specs import UserError
from sidelight_specs.facts import ClassifierFacts
from sidelight_specs.testing import ToyRun

(DESCRIPTOR,) = (one for one in sidelight_data() if one.name == "files")


def paint(path, red=200, size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (red, 0, 0)).save(path)


def files(*paths, run=None, **options):
    return Files(FilesParams(paths=paths, **{"size": 8, **options}), run=run or ToyRun())


def mistakes(*paths, **options):
    return list(DESCRIPTOR.mistakes(FilesParams(paths=paths, **options)))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """photos/1.png, 2.png, 10.png and notes.txt; pets/cat/a.png, pets/dog/b.png; every red value is its own."""
    for number in (1, 2, 10):
        paint(tmp_path / f"photos/{number}.png", number)
    (tmp_path / "photos/notes.txt").write_text("x")
    paint(tmp_path / "pets/cat/a.png", 20)
    paint(tmp_path / "pets/dog/b.png", 30)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("paths", "ids"),
    [
        (["photos/10.png", "photos/1.png"], ["photos/10.png", "photos/1.png"]),
        (["photos/*.png"], ["photos/1.png", "photos/2.png", "photos/10.png"]),
        (["photos"], ["photos/1.png", "photos/2.png", "photos/10.png"]),
        (["photos/"], ["photos/1.png", "photos/2.png", "photos/10.png"]),
        (["photos/2.png", "photos/*"], ["photos/2.png", "photos/1.png", "photos/10.png"]),
        (["photos/1.png", "./photos/1.png"], ["photos/1.png"]),
        (["pets", "photos/1.png"], ["pets/cat/a.png", "pets/dog/b.png", "photos/1.png"]),
        (["**/*.png"], ["pets/cat/a.png", "pets/dog/b.png", "photos/1.png", "photos/2.png", "photos/10.png"]),
        (["photos/[12].png"], ["photos/1.png", "photos/2.png"]),
    ],
    ids=str,
)
def test_images_come_as_they_are_named(photos, paths, ids):
    split = files(*paths).split("all")
    assert list(split.ids) == ids
    assert DESCRIPTOR.facts(FilesParams(paths=tuple(paths), size=8)).ids == {"all": tuple(ids)}
    for name, image in zip(ids, split.images, strict=True):
        with Image.open(name) as picture:
            assert image[0, 0, 0] == pytest.approx(picture.getpixel((0, 0))[0] / 255)


def test_a_file_is_named_as_it_is(photos):
    """A name with brackets is a file first, and content counts, not the suffix."""
    paint(photos / "img[1].png", 5)
    (photos / "img[1].png").rename(photos / "img[1].data")
    os.link(photos / "img[1].data", photos / "photo 1")
    split = files("img[1].data", str(photos / "photos/1.png")).split("all")
    assert split.ids == ("img[1].data", str(photos / "photos/1.png"))
    assert split.images[0, 0, 0, 0] == pytest.approx(5 / 255)
    assert files("photo 1").split("all").images.shape == (1, 3, 8, 8)
    assert FilesParams(paths="photo 1").all_paths == ("photo 1",)


def test_folders_with_sub_folders_have_labels(photos):
    split = files("pets").split("all")
    assert (split.class_names, split.labels.tolist()) == (("cat", "dog"), [0, 1])
    assert DESCRIPTOR.facts(FilesParams(paths=("pets",), size=8)).classes == ("cat", "dog")
    for paths in (["pets", "photos"], ["pets/*/*.png"], ["pets/cat/a.png"]):
        split = files(*paths).split("all")
        assert split.labels is None
        assert split.class_names == ()
        assert DESCRIPTOR.facts(FilesParams(paths=tuple(paths), size=8)).classes == ()


def test_labels_are_given_for_each_image(photos):
    split = files("photos", labels=("dog", "cat", "dog")).split("all")
    assert (split.class_names, split.labels.tolist()) == (("cat", "dog"), [1, 0, 1])
    split = files("photos", labels=(0, 0, 2), classes=("a", "b", "c")).split("all")
    assert (split.class_names, split.labels.tolist()) == (("a", "b", "c"), [0, 0, 2])
    (mistake,) = mistakes("photos", labels=("cat",))
    assert (mistake.message, mistake.option) == ("1 labels for 3 images", "labels")
    with pytest.raises(UserError, match="1 labels were given for 3 images"):
        files("photos", labels=("cat",)).split("all")


@pytest.mark.parametrize(
    ("path", "message", "fix"),
    [
        ("photos/3.png", 'there is no file or folder "photos/3.png"', 'did you mean "photos/'),
        ("photo", 'there is no file or folder "photo"', 'did you mean "photos"?'),
        ("gone/x.png", 'there is no file or folder "gone/x.png"', "relative paths start at"),
        ("photos/*.jpg", 'the pattern "photos/*.jpg" matches no file', "relative patterns start at"),
        ("photos/*.txt", 'the pattern "photos/*.txt" matches 1 files, none of them an image', "images end in"),
        ("", "a path is empty", "name a file"),
        ("a\0b", "there is no file or folder", ""),
        ("empty", "empty holds no images", "put"),
    ],
)
def test_what_is_not_there_is_named(photos, path, message, fix):
    (photos / "empty").mkdir()
    found = mistakes("photos/1.png", path, "photos/2.png")
    assert [message in one.message for one in found] == [True]
    assert fix in found[0].fix
    assert found[0].option == "paths"
    with pytest.raises(UserError) as caught:
        files(path).split("all")
    assert message in caught.value.message


def test_all_that_is_not_there_is_told_at_once(photos):
    assert len(mistakes("a.png", "photos/1.png", "b*.png", "photos/33.png")) == 3
    assert mistakes()[0].message == "no image is named"
    with pytest.raises(UserError, match="no image is named"):
        files().split("all")


def test_unreadable_files_are_left_out_by_name_or_refused(photos):
    (photos / "photos/2.png").write_bytes((photos / "photos/1.png").read_bytes()[:40])
    run = ToyRun()
    assert files("photos/*", run=run).split("all").read().ids == ("photos/1.png", "photos/10.png")
    assert any("passed over" in text and "photos/notes.txt" in text for text in run.warnings)
    assert any("left out" in text and "photos/2.png cannot be read as an image" in text for text in run.warnings)
    with pytest.raises(UserError, match=r"photos/2\.png cannot be read"):
        files("photos/*", on_error="refuse").split("all").read()
    with pytest.raises(UserError, match=r"no image could be read; .*photos/2\.png"):
        files("photos/2.png").split("all").read()


def test_folders_that_may_not_be_read_are_named(photos, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert mistakes("photos")[0].message == "photos cannot be read: Permission denied"


def test_one_split_of_images_that_are_all_explained(photos):
    data = files("photos")
    assert data.splits == ("all",)
    with pytest.raises(UserError, match='no split "test"'):
        data.split("test")
    facts = DESCRIPTOR.facts(FilesParams(paths=("photos",), size=8))
    assert (facts.shape, facts.splits, facts.is_named) == ((3, 8, 8), {"all": 3}, True)
    assert facts.fingerprint == data.fingerprint()
    paint(photos / "photos/3.png")
    assert files("photos").fingerprint() != facts.fingerprint


def test_the_size_follows_the_classifier_and_has_to_be_known(photos):
    open_ = FilesParams(paths=("photos",))
    assert [one.option for one in DESCRIPTOR.misfits(open_, None)] == ["size"]
    fitted = DESCRIPTOR.fitted(open_, ClassifierFacts(shape=(1, 20, 30), crop="whole"))
    assert (fitted.size, fitted.width, fitted.crop, fitted.mode) == (20, 30, "whole", "grey")
    assert not list(DESCRIPTOR.misfits(fitted, None))
    assert Files(fitted, run=ToyRun()).split("all").images[0].shape == (1, 20, 30)
    with pytest.raises(UserError, match="size of the images is open"):
        Files(open_, run=ToyRun()).split("all")


def test_paths_stand_for_images_in_python():
    assert DESCRIPTOR.adopts("photos/*.jpg").params == {"paths": ["photos/*.jpg"]}
    adopted = DESCRIPTOR.adopts(("a.png", "b.png"), labels=np.array([1, 0]))
    assert adopted.params == {"paths": ["a.png", "b.png"], "labels": [1, 0]}
    for value in (np.zeros((1, 3, 8, 8)), [], ["a.png", 3], None):
        assert DESCRIPTOR.adopts(value) is None


def test_a_pattern_below_home_keeps_its_tilde(photos, monkeypatch):
    monkeypatch.setenv("HOME", str(photos))
    assert [entry.relative for entry in list_paths(["~/photos/1*.png"]).entries] == [
        "~/photos/1.png",
        "~/photos/10.png",
    ]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=6)))
def test_the_natural_order_is_total(names):
    backwards = names[::-1]
    assert sorted(backwards, key=natural_order) == sorted(names, key=natural_order)


def test_numbers_in_names_count_as_numbers():
    names = ["img10b", "img2", "Img1", "img10a", "2", "10", "a"]
    assert sorted(names, key=natural_order) == ["2", "10", "a", "Img1", "img2", "img10a", "img10b"]
