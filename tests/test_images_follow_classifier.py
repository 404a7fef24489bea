"""Images of the user's own have the size, crop and channels that the classifier takes, unless they say others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sidelight.recipe.load import load_recipe
from sidelight.registry.catalog import installed
from sidelight_images.folder import Folder
from sidelight_specs.problems import RecipeError
from sidelight_specs.testing import ToyRun

ROOT = Path(__file__).parent.parent
SHAPES = str(ROOT / "plugins/images/src/sidelight_images/examples/shapes")
EFFICIENTNET = {"use": "classifiers/efficientnet-lite"}
HEAT = {"heat": {"use": "captum/occlusion"}}


@pytest.fixture(scope="module")
def catalog():
    return installed()


def model(tmp_path, **options):
    (tmp_path / "model.onnx").write_bytes(b"")
    return {"use": "classifiers/onnx", "with": {"path": str(tmp_path / "model.onnx"), "classes": ["a", "b"], **options}}


def resolved(catalog, classifier, data=None, **sections):
    data = {"use": "images/folder", "with": {"path": SHAPES, "test_share": 0.5, **(data or {})}}
    recipe = {"recipe": 1, "data": data, "classifier": classifier, "explainers": HEAT, **sections}
    return load_recipe(recipe, catalog=catalog)


def options(recipe, data="data"):
    return {name: recipe[data]["with"][name] for name in ("size", "width", "crop", "crop_share", "mode")}


def test_all_of_it_follows(catalog):
    recipe = resolved(catalog, EFFICIENTNET)
    assert options(recipe.plain) == {"size": 224, "width": None, "crop": "center", "crop_share": 0.875, "mode": "rgb"}
    assert recipe.facts.shape == (3, 224, 224)
    assert not [one for one in recipe.warnings if "enlarged" in one.message]
    assert load_recipe(recipe.plain, catalog=catalog).plain == recipe.plain


def test_another_classifier_by_swap_is_followed_too(catalog, tmp_path):
    recipe = {"recipe": 1, "data": {"use": "images/folder", "with": {"path": SHAPES}}, "classifier": EFFICIENTNET}
    swapped = load_recipe(
        {**recipe, "explainers": HEAT},
        swap=["classifier=classifiers/onnx"],
        set=[f"classifier.with={{path: {model(tmp_path)['with']['path']}, height: 96, width: 96, classes: [a, b]}}"],
        catalog=catalog,
    )
    assert options(swapped.plain)["size"] == 96
    assert options(swapped.plain)["crop_share"] == 1.0  # an ONNX file does not say


def test_grey_images_for_one_channel_and_a_height_of_its_own(catalog, tmp_path):
    recipe = resolved(catalog, model(tmp_path, channels=1, height=48, width=96))
    assert options(recipe.plain) == {"size": 48, "width": 96, "crop": "center", "crop_share": 1.0, "mode": "grey"}
    images = Folder(recipe.data.params, run=ToyRun()).split("all").images
    assert images.shape == (12, 1, 48, 96)
    assert images[0].shape == (1, 48, 96)


def test_what_the_recipe_says_is_left_as_it_is(catalog, tmp_path):
    given = {"size": 100, "crop": "whole", "crop_share": 0.5, "mode": "rgb"}
    assert options(resolved(catalog, EFFICIENTNET, given).plain) == {"width": None, **given}
    half = resolved(catalog, model(tmp_path, height=64, width=32), {"size": 16})
    assert options(half.plain)["width"] is None  # as square as the recipe says


def test_data_of_a_trained_classifier_have_to_say_their_size(catalog):
    with pytest.raises(RecipeError, match="the size of the images is open") as refused:
        resolved(catalog, {"use": "classifiers/lenet"})
    assert len(refused.value.problems) == 1
    recipe = resolved(catalog, {"use": "classifiers/lenet"}, {"size": 24})
    assert options(recipe.plain)["mode"] == "rgb"


def test_explained_images_follow_a_classifier_that_is_trained_on_others(catalog):
    data = {
        "mine": {"use": "images/folder", "with": {"path": SHAPES}},
        "other": {"use": "images/digits", "with": {"size": 28}},
    }
    recipe = load_recipe(
        {
            "recipe": 1,
            "data": data,
            "explain": {"data": "mine", "split": "all"},
            "classifier": {"use": "classifiers/lenet", "needs": {"data": "other"}},
            "explainers": HEAT,
        },
        catalog=catalog,
    )
    mine = options(recipe.plain["data"], "mine")
    assert mine == {"size": 28, "width": None, "crop": "center", "crop_share": 1.0, "mode": "grey"}


def test_a_mistake_in_the_classifier_is_the_only_one_told(catalog, tmp_path):
    for wrong in ({"use": "classifiers/onnx", "with": {"path": str(tmp_path / "gone.onnx")}}, {"use": "no/such"}):
        with pytest.raises(RecipeError) as refused:
            resolved(catalog, wrong)
        assert len(refused.value.problems) == 1
        assert "is open" not in str(refused.value)


def test_the_middle_of_a_wide_picture_keeps_the_proportions(tmp_path):
    """Of 120 x 30 pixels, 40 x 20 of a 2 to 1 classifier at two thirds are the middle third of the width."""
    picture = np.zeros((30, 120, 3), np.uint8)
    picture[5:25, 40:80] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    from sidelight_images.params import FolderParams

    params = FolderParams(path=str(tmp_path), size=8, width=16, crop_share=2 / 3)
    image = Folder(params, run=ToyRun()).split("all").images[0]
    assert image.shape == (3, 8, 16)
    assert image.min() > 0.9
