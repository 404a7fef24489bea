"""Images in memory: every usual layout and number type, and what is told where one does not fit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sidelight_images.live import LiveImages, as_images, as_pictures, in_mode, labels_of
from sidelight_images.live_descriptor import LiveImagesDescriptor
from sidelight_images.params import LiveParams
from sidelight_specs import UserError, live
from sidelight_specs.facts import ClassifierFacts
from sidelight_specs.testing import ToyRun

RNG = np.random.default_rng(0)
RGB = RNG.random((2, 3, 10, 12), dtype=np.float32)
DESCRIPTOR = LiveImagesDescriptor(
    name="live", summary="Images.", params=LiveParams, factory="sidelight_images.live:LiveImages"
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (RGB, RGB),
        (torch.from_numpy(RGB), RGB),
        (torch.from_numpy(RGB).requires_grad_(), RGB),
        (RGB.astype(np.float64), RGB),
        (RGB.transpose(0, 2, 3, 1), RGB),
        (RGB[0], RGB[:1]),
        (RGB[0].transpose(1, 2, 0), RGB[:1]),
        (list(RGB), RGB),
        (RGB[:, 0], RGB[:, :1]),
        (RGB[0, 0], RGB[:1, :1]),
        (torch.from_numpy(RGB).bfloat16(), torch.from_numpy(RGB).bfloat16().float().numpy()),
    ],
)
def test_every_usual_layout_is_taken(given, expected):
    images = as_images(given)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, expected)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_whole_numbers_are_scaled_by_their_range(kind):
    whole = np.array([[[[0, 100], [200, 255]]]]).astype(kind)
    top = 65535 if kind == np.uint16 else 255
    np.testing.assert_allclose(as_images(whole), whole / top, rtol=1e-6)


def drawn(pictures, **options):
    """Images of the split that PIL images make."""
    adoption = DESCRIPTOR.adopts(pictures)
    params = LiveParams(object=adoption.params["object"], **options)
    return LiveImages(params, run=ToyRun()).split("all").images


def test_pil_images_are_on_white_and_upright():
    clear = Image.new("RGBA", (4, 6), (255, 0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned = Image.new("RGB", (6, 4), "red")
    turned.info["exif"] = exif.tobytes()
    assert as_pictures([clear, turned])[1].size == (4, 6)
    np.testing.assert_array_equal(drawn([clear]), np.ones((1, 3, 6, 4), np.float32))


def test_pil_images_follow_the_classifier():
    pictures = [Image.new("L", (40, 60)), Image.new("RGB", (80, 80))]
    adoption = DESCRIPTOR.adopts(pictures)
    params = LiveParams(object=adoption.params["object"])
    followed = DESCRIPTOR.fitted(params, ClassifierFacts(shape=(3, 20, 28)))
    assert DESCRIPTOR.facts(followed).shape == (3, 20, 28)
    assert LiveImages(followed, run=ToyRun()).split("all").images.shape == (2, 3, 20, 28)


def test_pil_images_of_several_sizes_need_a_size():
    pictures = [Image.new("L", (40, 60)), Image.new("L", (80, 80))]
    with pytest.raises(UserError, match="differ in size") as caught:
        drawn(pictures)
    assert "size=" in caught.value.fix
    assert drawn(pictures, size=16, mode="grey").shape == (2, 1, 16, 16)


@pytest.mark.parametrize(
    ("given", "message", "fix"),
    [
        (RGB * 4 - 2, "run from", "before they are normalised"),
        (RGB * 255, "run from", "divide them by 255"),
        (np.full((1, 3, 4, 4), np.nan), "not finite", "mend"),
        (np.zeros((1, 4, 4, 4)), "four channels", "alpha"),
        (np.zeros((1, 2, 8, 8)), "two channels", "one channel or three"),
        (np.zeros((2, 2, 3, 8, 8)), "of shape", "N, C, H, W"),
        (np.zeros(5), "of shape", "N, C, H, W"),
        (np.zeros((0, 3, 8, 8)), "hold nothing", "one image or more"),
        (np.array(["a"]).reshape(1, 1, 1), "of <U1", "floats in"),
        ([], "no images", "one or more"),
        ([RGB[0], RGB[0, :, :5]], "differ in shape", "PIL"),
    ],
)
def test_what_does_not_fit_is_told_with_its_cure(given, message, fix):
    with pytest.raises(UserError, match=message) as caught:
        as_images(given)
    assert fix in caught.value.fix


def test_arrays_become_colour_or_grey_where_asked():
    held = live.hold(RGB[:, :1], lambda _: "grey")
    colour = LiveParams(object=held.token, mode="rgb")
    assert DESCRIPTOR.facts(colour).shape == (3, 10, 12)
    np.testing.assert_array_equal(LiveImages(colour, run=ToyRun()).split("all").images, RGB[:, [0, 0, 0]])
    grey = in_mode(np.ones((1, 3, 2, 2), np.float32), "grey")
    np.testing.assert_allclose(grey, np.ones((1, 1, 2, 2)), rtol=1e-6)


def test_labels_are_names_or_indices():
    labels, names = labels_of(("cat", "dog", "cat"), (), 3)
    assert names == ("cat", "dog")
    assert labels.tolist() == [0, 1, 0]
    labels, names = labels_of((2, 0), (), 2)
    assert names == ("class 0", "class 1", "class 2")
    assert labels_of((), (), 3) == (None, ())


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (("cat",), (), "1 labels were given for 2"),
        (("cat", 1), (), "mixed"),
        (("cat", "cow"), ("cat", "dog"), "no class 'cow'"),
        ((0, 5), ("cat", "dog"), "no class 5"),
    ],
)
def test_wrong_labels_are_told(labels, classes, message):
    with pytest.raises(UserError, match=message):
        labels_of(labels, classes, 2)


def test_the_descriptor_stands_for_arrays_and_not_for_paths():
    adoption = DESCRIPTOR.adopts(RGB, labels=np.array([1, 0]))
    assert adoption.shape == (3, 10, 12)
    assert adoption.params["labels"] == [1, 0]
    facts = DESCRIPTOR.facts(LiveParams(object=adoption.params["object"]))
    assert facts.shape == (3, 10, 12)
    assert facts.splits == {"all": 2}
    assert DESCRIPTOR.adopts("photos/*.png") is None
    assert DESCRIPTOR.adopts(object()) is None


def test_the_same_pixels_have_one_token():
    tokens = {DESCRIPTOR.adopts(each).params["object"] for each in (RGB, torch.from_numpy(RGB), RGB.copy())}
    assert len(tokens) == 1


def test_a_recipe_whose_images_are_gone_says_so():
    (mistake,) = DESCRIPTOR.mistakes(LiveParams(object="live:" + "0" * 64))
    assert "does not hold" in mistake.message


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 3),
    channels=st.sampled_from([1, 3]),
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    kind=st.sampled_from(["float32", "float64", "float16", "uint8", "uint16", "int64"]),
    last=st.booleans(),
    order=st.sampled_from("CF"),
    form=st.sampled_from(["array", "tensor", "list", "reversed"]),
)
def test_every_layout_order_and_type_gives_the_same_images(count, channels, height, width, kind, last, order, form):
    shape = (count, channels, height, width)
    expected = (np.arange(np.prod(shape)) % 256).reshape(shape) / 255
    most = {"uint8": 255, "uint16": 65535, "int64": 255}.get(kind, 1)
    given = (expected * most).round(0 if most > 1 else 12).astype(kind)
    given = np.array(given.transpose(0, 2, 3, 1) if last else given, order=order)
    if form == "reversed":  # negative strides
        given = given[::-1].copy()[::-1]
    value = {"list": list, "tensor": lambda array: torch.tensor(array.copy())}.get(form, lambda array: array)(given)
    images = as_images(value)
    assert images.dtype == np.float32
    assert images.flags.c_contiguous
    assert not np.shares_memory(images, given)
    np.testing.assert_allclose(images, expected, atol=1e-3 if kind == "float16" else 1e-6)
