"""Numbers read from the objects by which libraries prepare images."""

from types import SimpleNamespace

import pytest
import torch
from sidelight_specs import UserError
from sidelight_toolkit.preprocess_object import numbers_of

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
READ = {"mean": tuple(MEAN), "std": tuple(STD), "height": 224, "width": 224}


@pytest.mark.parametrize(
    "preprocess",
    [
        SimpleNamespace(crop_size=[224], resize_size=[256], mean=MEAN, std=STD),  # a preset of torchvision
        SimpleNamespace(image_mean=MEAN, image_std=STD, size={"height": 224, "width": 224}, do_resize=True),
        SimpleNamespace(
            image_mean=MEAN, image_std=STD, size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}
        ),
        {"image_mean": MEAN, "image_std": STD, "size": 224},
        SimpleNamespace(
            transforms=[
                SimpleNamespace(size=256),
                SimpleNamespace(size=(224, 224)),
                SimpleNamespace(mean=torch.tensor(MEAN), std=torch.tensor(STD)),
            ]
        ),
    ],
)
def test_the_usual_objects_are_read(preprocess):
    read = numbers_of(preprocess)
    assert {**read, "mean": pytest.approx(MEAN), "std": pytest.approx(STD)} == {
        **READ,
        "mean": read["mean"],
        "std": read["std"],
    }


def test_a_processor_that_does_not_normalise_says_no_mean():
    assert "mean" not in numbers_of(SimpleNamespace(image_mean=MEAN, image_std=STD, do_normalize=False, size=64))


def test_a_function_says_nothing():
    assert numbers_of(lambda images: images) == {}


def test_a_member_of_the_enumeration_of_weights_stands_for_its_transform():
    preset = SimpleNamespace(crop_size=[224], resize_size=[256], mean=MEAN, std=STD)
    assert numbers_of(SimpleNamespace(url="https://...", transforms=lambda: preset)) == READ


@pytest.mark.parametrize("value", ["vit-folder", 3, SimpleNamespace()])
def test_what_can_neither_be_read_nor_called_is_named(value):
    with pytest.raises(UserError, match=f"preprocess is a {type(value).__name__}"):
        numbers_of(value)
