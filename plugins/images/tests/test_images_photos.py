import importlib.util

import numpy as np
import pytest
from PIL import Image
from sidelight_images import packages
from sidelight_images.names import OTHER_PHOTOS, PHOTOS
from sidelight_images.params import PhotosParams
from sidelight_images.photos import Photos, location
from sidelight_specs import UserError
from sidelight_specs.testing import ToyRun


def photos(**options):
    return Photos(PhotosParams(**options), run=ToyRun())


def test_all_photographs_are_there_in_the_order_asked():
    names = (*OTHER_PHOTOS, *PHOTOS)
    split = photos(names=names, size=64).split("test")
    assert split.images.shape == (len(names), 3, 64, 64)
    assert split.ids == names
    assert split.labels is None
    assert split.images.dtype == np.float32
    assert 0 <= split.images.min() < 0.1
    assert 0.9 < split.images.max() <= 1
    assert (split.images.std((1, 2, 3)) > 0.1).all()


def test_cuts_name_the_file_of_their_photograph():
    data = photos(names=("coffee", "china"), shares=(0.5, 1.0), size=32)
    ids = data.split("test").ids
    assert data.source_files(ids) == {name: location(name.partition(",")[0]) for name in ids}
    assert data.source_files(["tea"]) == {}


def test_several_cuts_of_one_photograph_are_images_of_their_own():
    cuts = photos(names=("coffee", "china"), size=64, shares=(1.0, 0.5)).split("test")
    assert cuts.ids == ("coffee, 100%", "coffee, 50%", "china, 100%", "china, 50%")
    with Image.open(location("coffee")) as image:  # 600 x 400: a square of 200, 200 from the left and 100 from the top
        expected = image.crop((200, 100, 400, 300)).resize((64, 64), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(cuts.images[1], np.asarray(expected).transpose(2, 0, 1) / 255, atol=1e-6)


def test_a_grey_photograph_gets_three_equal_channels():
    image = photos(names=("camera",)).split("test").images[0]
    np.testing.assert_array_equal(image[0], image[1])
    np.testing.assert_array_equal(image[0], image[2])


def test_center_is_the_central_seven_eighths_of_the_short_side():
    with Image.open(location("coffee")) as image:  # 600 x 400: a square of 350, 125 from the left and 25 from the top
        assert image.size == (600, 400)
        expected = image.crop((125, 25, 475, 375)).resize((224, 224), Image.Resampling.BICUBIC)
    found = photos(names=("coffee",)).split("test").images[0]
    np.testing.assert_allclose(found, np.asarray(expected).transpose(2, 0, 1) / 255, atol=1e-6)


def test_whole_is_the_squashed_picture():
    with Image.open(location("coffee")) as image:
        expected = image.resize((64, 64), Image.Resampling.BICUBIC)
    found = photos(names=("coffee",), crop="whole", size=64).split("test").images[0]
    np.testing.assert_allclose(found, np.asarray(expected).transpose(2, 0, 1) / 255, atol=1e-6)


def test_there_is_nothing_to_train_on():
    assert photos().splits == ("test",)
    with pytest.raises(UserError, match='"train"'):
        photos().split("train")


def test_no_name_is_a_mistake():
    with pytest.raises(UserError, match="names"):
        photos(names=()).split("test")


def test_unknown_names_are_refused_when_the_options_are_read():
    with pytest.raises(ValueError, match="camera"):
        PhotosParams(names=("cat",))


@pytest.mark.parametrize(("name", "distribution"), [("camera", "scikit-image"), ("china", "scikit-learn")])
def test_a_missing_package_is_named_with_the_way_to_get_it(name, distribution, monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=distribution) as caught:
        photos(names=(name,)).split("test")
    assert caught.value.fix == f"pip install {distribution}"


def test_a_missing_file_is_named(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_loader("skimage", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(packages, "find_spec", lambda _: spec)
    with pytest.raises(UserError, match=r"data/coffee\.png"):
        photos(names=("coffee",)).split("test")


def test_a_damaged_photograph_is_named(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/coffee.png").write_bytes(location("coffee").read_bytes()[:5000])
    spec = importlib.util.spec_from_loader("skimage", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(packages, "find_spec", lambda _: spec)
    with pytest.raises(UserError, match=r"coffee\.png cannot be read as an image"):
        photos(names=("coffee",)).split("test")
