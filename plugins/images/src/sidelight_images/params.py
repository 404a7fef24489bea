"""Options of the data sets."""

from __future__ import annotations

from typing import Literal

from sidelight_specs import param, params

PHOTOS = ("camera", "coffee", "chelsea", "motorcycle", "rocket", "flower", "china")
"""Photographs of things that are among the 1,000 classes of ImageNet."""
OTHER_PHOTOS = ("astronaut", "motorcycle-right")
DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
GARMENTS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

FACES = (
    "skin",
    "face-width",
    "jaw",
    "nose",
    "hair-colour",
    "hair-length",
    "hair-volume",
    "hair-wave",
    "fringe",
    "parting",
    "eye-colour",
    "eye-size",
    "brow-angle",
    "brow-thickness",
    "smile",
    "mouth-opening",
    "lip-colour",
    "glasses",
    "glasses-shape",
    "beard",
    "tilt",
    "yaw",
    "light",
    "background",
    "clothes",
)
"""The factors of drawn faces; `faces.factors` says what each does."""
ANY = "any"
"""In place of a class: whichever."""

Crop = Literal["center", "whole"]
Mode = Literal["rgb", "grey"]


@params
class LabelledParams:
    """What `digits` and `fashion` share."""

    size: int = param(
        32, "Height and width; the 28x28 images are padded with black.", unit="pixels", minimum=28, maximum=256
    )
    classes: tuple[str, ...] = param((), "Classes to use, in this order; all of them where empty.")
    keep: dict[str, int] = param(
        {},
        "Class name to the number of its training images that are kept. The test split keeps them all.",
        unit="images",
        minimum=0,
        maximum=60_000,
    )
    leave_out: tuple[str, ...] = param((), "Classes without a single training image; the test split keeps them.")
    square: str = param(
        "",
        "Class whose training images get a grey square in the top left corner; `any` is every class. A split "
        "`test-square` then has it on every test image, and the splits carry a mask that says where it is.",
    )
    square_share: float = param(
        1.0,
        "Share of the training images of that class that get the square: below 1 it gives the class away less surely.",
        minimum=0.0,
        maximum=1.0,
    )
    square_side: int = param(6, "Side of the grey square.", unit="pixels", minimum=1, maximum=28)


@params
class DigitsParams(LabelledParams):
    """Options of `digits`."""

    test: int = param(1000, "Images of the test split, as many of each class.", unit="images", minimum=10, maximum=4990)
    seed: int = param(0, "Chooses which images are test images, and the order.", minimum=0, maximum=2**31 - 1)


@params
class OpticalDigitsParams(LabelledParams):
    """Options of `optical-digits`."""

    test: int = param(400, "Images of the test split, as many of each class.", unit="images", minimum=10, maximum=1780)
    seed: int = param(0, "Chooses which images are test images, and the order.", minimum=0, maximum=2**31 - 1)


@params
class FashionParams(LabelledParams):
    """Options of `fashion`."""

    path: str = param(
        "/usr/share/datasets/fashion-mnist",
        "Folder with the four IDX files, as they are or with .gz; the default is where Debian's package puts them.",
    )
    seed: int = param(0, "Chooses the order.", minimum=0, maximum=2**31 - 1)


@params
class FacesParams:
    """Options of `faces`."""

    size: int = param(64, "Height and width.", unit="pixels", minimum=16, maximum=1024)
    train: int = param(8000, "Images of the training split.", unit="images", minimum=2, maximum=1_000_000)
    test: int = param(1000, "Images of each test split.", unit="images", minimum=2, maximum=100_000)
    label: str = param("smile", "The factor that the label follows.", choices=FACES)
    slope: float = param(
        4.0,
        "How closely: the label is 1 with probability sigmoid(slope * z), where z goes from -1 to 1 over the factor's "
        "range. With little noise (20 and more) a classifier has no use for confounds.",
        minimum=0.1,
        maximum=1000.0,
    )
    confounds: dict[str, float] = param(
        {},
        "Factor to the share of the images of class 1 in which it lies on its high side (the upper 40% of its range; "
        "with glasses, with a beard); of class 0 the same share has it on its low side. 0.7 makes a 70/30 data set, "
        "0.3 its opposite. A split `test-decorrelated` then has the test faces with the sides drawn by a fair coin.",
        minimum=0.01,
        maximum=0.99,
    )
    seed: int = param(0, "Chooses the faces.", minimum=0, maximum=2**31 - 1)


@params
class PhotosParams:
    """Options of `photos`."""

    names: tuple[str, ...] = param(PHOTOS, "Which photographs, in this order.", choices=PHOTOS + OTHER_PHOTOS)
    size: int = param(224, "Height and width.", unit="pixels", minimum=16, maximum=1024)
    crop: Crop = param(
        "center",
        "`center` takes the central square of 7/8 of the short side, as ImageNet classifiers are evaluated; "
        "`whole` squashes the whole picture into the square.",
    )
    shares: tuple[float, ...] = param(
        (),
        "Central squares to cut from each photograph, by their side as a share of the short side; each is an image. "
        "`crop` says what to cut where this is empty.",
        minimum=0.1,
        maximum=1.0,
    )


@params
class PrintedParams:
    """Options of `printed`."""

    character: str = param("R", "What is printed in the corner of the images of the class `printed`.")
    height: int = param(20, "Height of the type.", unit="pixels", minimum=6, maximum=200)
    size: int = param(224, "Height and width of the images.", unit="pixels", minimum=32, maximum=1024)
    train: int = param(400, "Images of the training split.", unit="images", minimum=2, maximum=100_000)
    test: int = param(100, "Images of the test split.", unit="images", minimum=2, maximum=100_000)
    train_photos: tuple[str, ...] = param(
        ("camera", "coffee", "motorcycle", "rocket", "flower", "astronaut"),
        "Photographs that training images are cut from.",
        choices=PHOTOS + OTHER_PHOTOS,
    )
    test_photos: tuple[str, ...] = param(
        ("chelsea", "china"), "Photographs that test images are cut from.", choices=PHOTOS + OTHER_PHOTOS
    )


@params
class FolderParams:
    """Options of `folder`."""

    path: str = param(
        ...,
        "The folder: one sub-folder for each class, or sub-folders train/ and test/ that hold these, or "
        "just images, which then have no labels. Relative to where Sidelight is run.",
    )
    size: int = param(64, "Height and width.", unit="pixels", minimum=8, maximum=2048)
    crop: Crop = param("center", "`center` takes the central square; `whole` squashes the whole picture.")
    crop_share: float = param(
        1.0,
        "Side of the central square as a share of the short side; ImageNet classifiers are evaluated at 0.875.",
        minimum=0.1,
        maximum=1.0,
    )
    mode: Mode = param("rgb", "Three colour channels, or one grey channel.")
    bit_depth: int = param(
        0, "Bits that values of grey pictures of 16 bits use; 0 for what each file says.", minimum=0, maximum=32
    )
    test_share: float = param(
        0.2,
        "Share of the images in the test split, chosen by a hash of each file's path; without effect where there "
        "are sub-folders train/ and test/.",
        minimum=0.0,
        maximum=1.0,
    )
    seed: int = param(0, "Chooses which images are test images, and the order.", minimum=0, maximum=2**31 - 1)
    limit: int = param(
        10_000,
        "Use at most so many images, as many of each class as there are.",
        unit="images",
        minimum=1,
        maximum=10**7,
    )
    on_error: Literal["skip", "refuse"] = param(
        "skip", "An image that cannot be read is left out with a warning that names it, or ends the run."
    )
