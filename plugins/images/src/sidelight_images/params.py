"""Options of the data sets."""

from __future__ import annotations

from typing import Any, Literal

from sidelight_specs import param, params

from sidelight_images.names import FACE_CLASSES, OTHER_PHOTOS, PHOTOS, PLANTED

Crop = Literal["center", "whole"]
Mode = Literal["rgb", "grey"]
OnError = Literal["skip", "refuse"]


@params
class LabelledParams:
    """Options of `digits`, `optical-digits` and `fashion`."""

    size: int = param(
        32, "Height and width; the 28x28 images are padded with black.", unit="pixels", minimum=28, maximum=256
    )
    classes: tuple[str, ...] = param((), "Classes to use, in this order; all of them where empty.")
    keep: dict[str, int] = param(
        {},
        "Class name to the number of its training images to keep; the test split keeps all.",
        unit="images",
        minimum=0,
        maximum=60_000,
    )
    leave_out: tuple[str, ...] = param((), "Classes without training images; the test split keeps them.")
    square: str = param(
        "",
        "Class whose training images get a grey square at the top left; `any`: every class.",
    )
    square_share: float = param(
        1.0,
        "Share of that class's training images that get the square.",
        minimum=0.0,
        maximum=1.0,
    )
    square_elsewhere: float = param(
        0.0, "Share of the other classes' training images that get it.", minimum=0.0, maximum=1.0
    )
    square_side: int = param(6, "Side of the grey square.", unit="pixels", minimum=1, maximum=28)


@params
class DigitsParams(LabelledParams):
    """Options of `digits`."""

    test: int = param(1000, "Images of the test split, as many of each class.", unit="images", minimum=10, maximum=4990)
    seed: int = param(0, "Seed of the split and the order.", minimum=0, maximum=2**31 - 1)


@params
class OpticalDigitsParams(LabelledParams):
    """Options of `optical-digits`."""

    test: int = param(400, "Images of the test split, as many of each class.", unit="images", minimum=10, maximum=1780)
    seed: int = param(0, "Seed of the split and the order.", minimum=0, maximum=2**31 - 1)


@params
class FashionParams(LabelledParams):
    """Options of `fashion`."""

    path: str = param(
        "/usr/share/datasets/fashion-mnist",
        "Folder with the four IDX files, as they are or with .gz.",
    )
    seed: int = param(0, "Seed of the order.", minimum=0, maximum=2**31 - 1)


@params
class FacesParams:
    """Options of `faces`."""

    size: int = param(64, "Height and width.", unit="pixels", minimum=16, maximum=1024)
    train: int = param(8000, "Images of the training split.", unit="images", minimum=2, maximum=1_000_000)
    test: int = param(1000, "Images of each test split.", unit="images", minimum=2, maximum=100_000)
    label: str | tuple[str, ...] = param(
        "smile",
        "Factor that the label follows; several, crossed, make two classes each, four of two.",
        choices=tuple(FACE_CLASSES),
    )
    slope: float = param(
        4.0,
        "Slope of P(label 1) = sigmoid(slope * z), z the factor scaled to [-1, 1]; of each factor.",
        minimum=0.1,
        maximum=1000.0,
    )
    confounds: dict[str, float] = param(
        {},
        "Factor to its share on the high side in class 1, low side in class 0, of the first label.",
        minimum=0.01,
        maximum=0.99,
    )
    leave_out: tuple[str, ...] = param((), "Classes without faces, in no split; of a crossed label.")
    seed: int = param(0, "Seed of the faces.", minimum=0, maximum=2**31 - 1)


@params
class PhotosParams:
    """Options of `photos`."""

    names: tuple[str, ...] = param(PHOTOS, "Photographs, in this order.", choices=PHOTOS + OTHER_PHOTOS)
    size: int = param(224, "Height and width.", unit="pixels", minimum=16, maximum=1024)
    crop: Crop = param(
        "center",
        "`center`: square of 7/8 of the short side, as for ImageNet; `whole`: all, squashed.",
    )
    shares: tuple[float, ...] = param(
        (),
        "Sides of central squares, as shares of the short side, an image each; `crop` if empty.",
        minimum=0.1,
        maximum=1.0,
    )


@params
class PrintedParams:
    """Options of `printed`."""

    character: str = param("R", "Character in the corner of images of the class `printed`.")
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
    first_photos: tuple[str, ...] = param(
        (),
        "Photographs of the class `first kind`; if empty, the character is the class.",
        choices=PHOTOS + OTHER_PHOTOS,
    )
    second_photos: tuple[str, ...] = param(
        (), "Photographs of the class `second kind`, which has the character.", choices=PHOTOS + OTHER_PHOTOS
    )
    agreement: float = param(
        1.0,
        "Share of images whose character agrees with the photograph's class; 0.5: independent.",
        minimum=0.0,
        maximum=1.0,
    )

    @property
    def by_photograph(self) -> bool:
        """The photograph is the class, and the character may agree with it."""
        return bool(self.first_photos or self.second_photos)


@params
class CutoutsParams:
    """Options of `cutouts`."""

    classes: tuple[str, ...] = param((), "Classes to use, in this order; those of `groups`, else all, where empty.")
    groups: dict[str, tuple[str, ...]] = param({}, "New class to the cut-outs that it holds, by file name or class.")
    folder: str = param("", "Folder with class folders of cut-outs (PNG with alpha); Tux Paint's stamps if empty.")
    size: int = param(224, "Height and width of the images.", unit="pixels", minimum=16, maximum=1024)
    train: int = param(1000, "Images of the training split.", unit="images", minimum=2, maximum=100_000)
    validation: int = param(200, "Images of the validation split.", unit="images", minimum=2, maximum=100_000)
    test: int = param(200, "Images of each test split.", unit="images", minimum=2, maximum=100_000)
    validation_share: float = param(
        0.2, "Share of a class's cut-outs that only validation shows; 0: no such split.", minimum=0.0, maximum=1.0
    )
    test_share: float = param(
        0.2, "Share of a class's cut-outs that only test images show; 0: no such split.", minimum=0.0, maximum=1.0
    )
    backgrounds: tuple[str, ...] = param((), "Photographs that the cut-outs are laid on; all of them where empty.")
    backgrounds_folder: str = param(
        "", "Folder of images to take as backgrounds, called by their files; ours if empty."
    )
    aligned: dict[str, str] = param({}, "Class to the background that goes with it: a planted shortcut.")
    aligned_share: float = param(
        0.95, "Share of such a class's images on its background; the rest on any other.", minimum=0.0, maximum=1.0
    )
    confounds: dict[str, float] = param(
        {},
        "Factor to its dose: share of images whose value is their class's; any in the rest. 0: none.",
        minimum=0.0,
        maximum=1.0,
    )
    vary: tuple[str, ...] = param((), "Factors that vary beside the ten that always do.", choices=PLANTED)
    label_noise: float = param(
        0.0, "Share of training images that are labelled as another class.", minimum=0.0, maximum=1.0
    )
    scale: tuple[float, ...] = param(
        (0.4, 0.8), "Smallest and largest longer side of a cut-out, as shares of `size`.", minimum=0.05, maximum=1.0
    )
    rotation: float = param(0.0, "Largest turn to either side.", unit="degrees", minimum=0.0, maximum=180.0)
    seed: int = param(0, "Seed of the splits and the images.", minimum=0, maximum=2**31 - 1)


def _size() -> Any:
    return param(
        None, "Height, and width unless it is given; the classifier's if null.", unit="pixels", minimum=8, maximum=2048
    )


def _width() -> Any:
    return param(None, "Width, where it differs from `size`.", unit="pixels", minimum=8, maximum=2048)


def _crop() -> Any:
    return param(None, "`center`: central part; `whole`: all, squashed; null: the classifier's way, else center.")


def _crop_share() -> Any:
    return param(
        None,
        "Central part as a share of the short side; the classifier's if null, else 1.",
        minimum=0.1,
        maximum=1.0,
    )


def _mode() -> Any:
    return param(None, "Three colour channels, or one grey one; as the classifier takes them if null, else rgb.")


def _bit_depth() -> Any:
    return param(0, "Bits that values of 16-bit grey files use; 0: by each file.", minimum=0, maximum=32)


def _on_error() -> Any:
    return param("skip", "Leave out an unreadable image with a warning that names it, or end the run.")


@params
class FolderParams:
    """Options of `folder`."""

    path: str = param(
        ...,
        "Folder with a sub-folder for each class, or with train/ and test/ that hold these.",
    )
    size: int | None = _size()
    width: int | None = _width()
    crop: Crop | None = _crop()
    crop_share: float | None = _crop_share()
    mode: Mode | None = _mode()
    bit_depth: int = _bit_depth()
    test_share: float = param(
        0.2,
        "Share of images in the test split, by a hash of the path; unused with train/ and test/.",
        minimum=0.0,
        maximum=1.0,
    )
    seed: int = param(0, "Seed of the split and the order.", minimum=0, maximum=2**31 - 1)
    limit: int = param(
        10_000,
        "Most images to use, classes taking turns.",
        unit="images",
        minimum=1,
        maximum=10**7,
    )
    on_error: OnError = _on_error()


@params
class FilesParams:
    """Options of `files`."""

    paths: str | tuple[str, ...] = param(
        ..., 'Files, patterns such as "photos/*.jpg" and folders, in the order in which they are shown.'
    )
    labels: tuple[str | int, ...] = param(
        (),
        "True class of each image, by name or index; if empty, the sub-folders of the folders.",
        minimum=0,
        maximum=10**6,
    )
    classes: tuple[str, ...] = param((), "Class names that labels refer to.")
    size: int | None = _size()
    width: int | None = _width()
    crop: Crop | None = _crop()
    crop_share: float | None = _crop_share()
    mode: Mode | None = _mode()
    bit_depth: int = _bit_depth()
    on_error: OnError = _on_error()

    @property
    def all_paths(self) -> tuple[str, ...]:
        """Also of a single one."""
        return (self.paths,) if isinstance(self.paths, str) else self.paths

    def class_names(self, of_folders: tuple[str, ...]) -> tuple[str, ...] | None:
        """Class names of the labels; empty without labels, None where indices have no names yet."""
        if not self.labels:
            return of_folders
        named = all(isinstance(label, str) for label in self.labels)
        return self.classes or of_folders or (tuple(sorted(set(map(str, self.labels)))) if named else None)


@params
class LiveParams:
    """Options of `live`; size and crop are of PIL images, arrays keep theirs."""

    object: str = param(..., "Token of the images, which `sidelight.explain` and dict recipes write.")
    labels: tuple[str | int, ...] = param((), "True class of each image, by name or index.", minimum=0, maximum=10**6)
    classes: tuple[str, ...] = param((), "Class names that indices refer to.")
    names: tuple[str, ...] = param((), "Name of each image.")
    size: int | None = _size()
    width: int | None = _width()
    crop: Crop | None = _crop()
    crop_share: float | None = _crop_share()
    mode: Mode | None = _mode()
